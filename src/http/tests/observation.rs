//! What is seen of a request from inside: metrics, log, panics.

use std::io;
use std::sync::{Arc, Mutex};

use axum::routing::get;
use tracing_subscriber::fmt::MakeWriter;

use super::*;

/// What was logged, as text.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }

    /// Collects everything that this thread logs from now on.
    fn listen(&self) -> tracing::subscriber::DefaultGuard {
        let subscriber = tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(self.clone());
        tracing::subscriber::set_default(subscriber.with_ansi(false).finish())
    }
}

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Log {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

/// The routers' frame around two handlers that misbehave.
fn misbehaving(api: &Api) -> Client {
    let routes = Router::new()
        .route("/panics", get(async || -> &'static str { panic!("while looking at +14155550123") }))
        .route("/hangs", get(std::future::pending::<&'static str>));
    Client(api.finish(routes, None))
}

#[tokio::test]
async fn a_request_is_one_line_without_anything_the_caller_sent() {
    let log = Log::default();
    let _guard = log.listen();
    let client = Client::open();
    for path in [asking(KNOWN), asking(FAILING), "/secret-4155550123?phone=1".to_owned(), asking("+1415555")] {
        client.get_with(&(path + "&key=s3cret"), "x-request-id", "r-9").await;
    }

    let text = log.text();
    let lines: Vec<_> = text.lines().filter(|line| line.contains("http.route")).collect();
    assert_eq!(lines.len(), 4, "{text}");
    assert!(lines[0].contains(r#"http.route="/lookup""#) && lines[0].contains("http.status=200"), "{text}");
    assert!(lines[2].contains(r#"http.route="unmatched""#) && lines[2].contains("http.status=404"), "{text}");
    assert!(lines.iter().all(|line| line.contains("DEBUG") && line.contains(r#"request.id="r-9""#)), "{text}");
    for secret in ["4155550", "1415555", "s3cret", "Anna"] {
        assert!(!text.contains(secret), "{secret} in {text}");
    }
}

#[tokio::test]
async fn a_request_id_that_may_be_a_number_goes_back_to_its_caller_and_into_no_log() {
    let log = Log::default();
    let _guard = log.listen();

    let got = Client::open().get_with(&asking("+1415555"), "x-request-id", "+1-415-555-0199").await;

    assert_eq!(got.header("x-request-id"), "+1-415-555-0199");
    let (text, told) = (log.text(), got.json()["request_id"].as_str().unwrap().to_owned());
    assert!(!text.contains("555-0199") && text.contains(&told), "what the refusal says is to be found in {text}");
}

#[tokio::test]
async fn a_panic_is_a_problem_with_an_id_and_its_words_stay_inside() {
    let log = Log::default();
    let _guard = log.listen();

    let got = misbehaving(&api("")).get("/panics").await;

    assert_eq!((got.status.as_u16(), got.code().as_str()), (500, "internal"));
    assert!(log.text().contains(got.header("x-request-id")), "{}", log.text());
    assert!(!got.body.contains("4155550123") && !log.text().contains("4155550123"), "{}", log.text());
}

#[tokio::test]
async fn a_client_that_leaves_is_counted_too() {
    let api = api("");
    let client = misbehaving(&api);

    assert!(futures_util::FutureExt::now_or_never(client.get("/hangs")).is_none());

    let metrics = api.metrics().encode().unwrap();
    assert!(metrics.contains(r#"callcard_http_requests_total{code="499",method="GET",route="/hangs"} 1"#), "{metrics}");
}

#[tokio::test]
async fn labels_do_not_grow_with_the_traffic() {
    let api = api("");
    let client = Client::from(api.front());
    for number in 0..50 {
        client.get(&format!("/{number}")).await;
        client.send(Request::builder().method(format!("M{number}").as_str()).uri("/lookup"), "").await;
    }

    let metrics = api.metrics().encode().unwrap();
    let lines = metrics.lines().filter(|line| line.starts_with("callcard_http_requests_total{"));
    let lines: Vec<_> = lines.filter(|line| !line.ends_with(" 0")).collect();
    assert_eq!(
        lines,
        [
            r#"callcard_http_requests_total{code="404",method="GET",route="unmatched"} 50"#,
            r#"callcard_http_requests_total{code="405",method="other",route="/lookup"} 50"#,
        ]
    );
}

#[tokio::test]
async fn what_is_no_number_is_counted_as_a_lookup_too() {
    let api = api("");
    Client::from(api.front()).get("/lookup?phone=%2B1415555").await;

    let metrics = api.metrics().encode().unwrap();
    assert!(metrics.contains(r#"callcard_lookups_total{answer="invalid",status="skipped"} 1"#), "{metrics}");
}
