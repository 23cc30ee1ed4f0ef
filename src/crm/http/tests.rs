//! Real sockets, real time: a host that behaves as badly as a host can.

use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};

use http::{Method, StatusCode};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, sleep};

use super::*;

/// What the host does after it has read a request.
#[derive(Clone)]
enum Act {
    Send(Vec<u8>),
    Pause(Duration),
    /// Cuts the connection with a reset instead of an orderly end.
    Reset,
    Hang,
}

fn send(bytes: impl AsRef<[u8]>) -> Act {
    Act::Send(bytes.as_ref().to_vec())
}

/// An answer in one piece with the right length.
fn answer(head: &str, body: &[u8]) -> Act {
    let head = format!("HTTP/1.1 {head}\r\nContent-Length: {}\r\n\r\n", body.len());
    send([head.as_bytes(), body].concat())
}

struct Host {
    base: Url,
    /// The head of each request that came.
    heads: Arc<Mutex<Vec<String>>>,
}

impl Host {
    /// A host that plays the acts on each connection and then closes it.
    async fn new(acts: Vec<Act>) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
        let heads = Arc::new(Mutex::new(Vec::new()));
        let seen = heads.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(play(stream, acts.clone(), seen.clone()));
            }
        });
        Self { base, heads }
    }

    fn heads(&self) -> Vec<String> {
        self.heads.lock().unwrap().clone()
    }
}

async fn play(mut stream: TcpStream, acts: Vec<Act>, seen: Arc<Mutex<Vec<String>>>) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => return,
        }
    }
    seen.lock().unwrap().push(String::from_utf8(head).unwrap());
    for act in acts {
        match act {
            Act::Send(bytes) => drop(stream.write_all(&bytes).await),
            Act::Pause(wait) => sleep(wait).await,
            Act::Reset => return stream.set_zero_linger().unwrap(),
            Act::Hang => std::future::pending().await,
        }
    }
}

fn settings(base: &Url) -> Settings {
    Settings {
        connect_timeout: Duration::from_millis(500),
        read_timeout: Duration::from_millis(200),
        max_body: 1_000,
        ..Settings::new(base.clone())
    }
}

fn request(path_and_query: &str, timeout: Duration) -> CrmRequest {
    CrmRequest {
        method: Method::GET,
        path_and_query: path_and_query.to_owned(),
        bearer: Some(SecretString::from("secret-token")),
        json: None,
        traceparent: None,
        timeout,
    }
}

async fn ask(base: &Url) -> Result<CrmResponse, TransportError> {
    ask_with(settings(base)).await
}

async fn ask_with(settings: Settings) -> Result<CrmResponse, TransportError> {
    let transport = HttpTransport::new(settings).unwrap();
    transport.send(request("/api/v4/account", Duration::from_millis(600))).await
}

async fn answer_of(acts: Vec<Act>) -> Result<CrmResponse, TransportError> {
    ask(&Host::new(acts).await.base).await
}

async fn error_of(acts: Vec<Act>) -> TransportError {
    answer_of(acts).await.unwrap_err()
}

#[tokio::test]
async fn an_answer_comes_with_what_the_client_needs_of_its_head() {
    let head = "429 Too Many Requests\r\nContent-Type: application/problem+json; charset=utf-8\r\nRetry-After: 7";
    let response = answer_of(vec![answer(head, b"{}")]).await.unwrap();
    assert_eq!(response.status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(response.content_type.as_deref(), Some("application/problem+json; charset=utf-8"));
    assert_eq!(response.retry_after, Some(Duration::from_secs(7)));
    assert_eq!(response.body, "{}");
}

#[tokio::test]
async fn a_request_carries_token_name_and_path_as_they_were_given() {
    let host = Host::new(vec![send("HTTP/1.1 204 No Content\r\n\r\n")]).await;
    let transport = HttpTransport::new(settings(&host.base)).unwrap();
    let path = "/api/v4/leads?limit=250&filter[id][]=1&filter[id][]=2&query=%2B1+415%26x";
    let response = transport.send(request(path, Duration::from_secs(1))).await.unwrap();
    assert_eq!(response.status, StatusCode::NO_CONTENT);
    assert!(response.body.is_empty());
    let head = host.heads().concat();
    assert!(head.starts_with(&format!("GET {path} HTTP/1.1\r\n")), "{head}");
    assert!(head.contains("\r\nauthorization: Bearer secret-token\r\n"), "{head}");
    assert!(head.contains(concat!("\r\nuser-agent: callcard/", env!("CARGO_PKG_VERSION"), "\r\n")), "{head}");
    assert!(head.contains("\r\naccept-encoding: gzip\r\n"), "{head}");
}

#[tokio::test]
async fn a_base_with_a_path_is_a_prefix() {
    let host = Host::new(vec![answer("200 OK", b"{}")]).await;
    ask(&host.base.join("/behind/a/proxy/").unwrap()).await.unwrap();
    assert!(host.heads().concat().starts_with("GET /behind/a/proxy/api/v4/account HTTP/1.1\r\n"));
}

#[tokio::test]
async fn no_path_takes_the_token_to_another_host() {
    let host = Host::new(vec![answer("200 OK", b"{}")]).await;
    let elsewhere = Host::new(vec![answer("200 OK", b"{}")]).await;
    let transport = HttpTransport::new(settings(&host.base)).unwrap();
    let authority = elsewhere.base.as_str().trim_start_matches("http:");
    for path in [authority, elsewhere.base.as_str(), &format!("@{authority}"), "\\\\evil", ":1/", ""] {
        transport.send(request(path, Duration::from_secs(1))).await.unwrap();
    }
    assert_eq!((host.heads().len(), elsewhere.heads().len()), (6, 0));
}

#[tokio::test]
async fn a_redirect_to_another_host_is_an_answer_and_not_an_order() {
    let elsewhere = Host::new(vec![answer("200 OK", b"{}")]).await;
    for status in [301, 302, 303, 307, 308] {
        let head = format!("{status} Moved\r\nLocation: {}api/v4/account", elsewhere.base);
        assert_eq!(answer_of(vec![answer(&head, b"")]).await.unwrap().status, status);
    }
    assert!(elsewhere.heads().is_empty());
}

#[tokio::test]
async fn a_slow_first_byte_is_a_timeout() {
    let begun = Instant::now();
    assert_eq!(error_of(vec![Act::Hang]).await, TransportError::Timeout);
    assert!(begun.elapsed() < Duration::from_millis(550), "the read timeout of 200 ms ends it, not the total");
}

#[tokio::test]
async fn a_body_that_stalls_is_a_timeout() {
    let head = send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{\"a\"");
    assert_eq!(error_of(vec![head, Act::Hang]).await, TransportError::Timeout);
}

#[tokio::test]
async fn a_body_that_drips_for_ever_ends_with_the_total_timeout() {
    let mut acts = vec![send("HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n")];
    acts.extend(std::iter::repeat_n([send(" "), Act::Pause(Duration::from_millis(50))], 60).flatten());
    let begun = Instant::now();
    assert_eq!(error_of(acts).await, TransportError::Timeout);
    let took = begun.elapsed();
    assert!(took >= Duration::from_millis(590) && took < Duration::from_millis(1_500), "{took:?}");
}

#[tokio::test]
async fn a_cut_body_is_a_broken_connection() {
    for framing in ["Content-Length: 100\r\n\r\n{\"a\":", "Transfer-Encoding: chunked\r\n\r\n5\r\n{\"a\":\r\n"] {
        let cut = send(format!("HTTP/1.1 200 OK\r\n{framing}"));
        assert_eq!(error_of(vec![cut]).await, TransportError::Connect, "{framing}");
    }
}

#[tokio::test]
async fn a_reset_is_a_broken_connection_wherever_it_comes() {
    assert_eq!(error_of(vec![Act::Reset]).await, TransportError::Connect);
    let head = send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"a\":");
    assert_eq!(error_of(vec![head, Act::Pause(Duration::from_millis(50)), Act::Reset]).await, TransportError::Connect);
}

#[tokio::test]
async fn a_refused_connection_and_a_failed_handshake_are_broken_connections() {
    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap().local_addr().unwrap().port();
    let nobody = format!("http://127.0.0.1:{port}").parse().unwrap();
    assert_eq!(ask(&nobody).await.unwrap_err(), TransportError::Connect);

    let host = Host::new(vec![answer("200 OK", b"{}")]).await;
    let tls = host.base.as_str().replace("http:", "https:").parse().unwrap();
    let hasty = Settings { connect_timeout: Duration::from_millis(100), ..settings(&tls) };
    assert_eq!(ask_with(hasty).await.unwrap_err(), TransportError::Connect, "the host waits for a request");
}

#[tokio::test]
async fn a_huge_body_is_refused_whether_announced_or_not() {
    let body = [b' '; 1_001];
    assert_eq!(error_of(vec![answer("200 OK", &body)]).await, TransportError::TooLarge);
    let unannounced = send([b"HTTP/1.1 200 OK\r\n\r\n", &body[..]].concat());
    assert_eq!(error_of(vec![unannounced]).await, TransportError::TooLarge);
    let chunk = [b"3e9\r\n", &body[..], b"\r\n"].concat();
    let endless = [send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"), send(chunk), Act::Hang];
    assert_eq!(error_of(endless.to_vec()).await, TransportError::TooLarge);
    assert_eq!(answer_of(vec![answer("200 OK", &body[..1_000])]).await.unwrap().body.len(), 1_000);
}

#[tokio::test]
async fn a_body_longer_than_announced_ends_where_it_was_to_end() {
    let lying = send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}{\"smuggled\":1}");
    assert_eq!(answer_of(vec![lying]).await.unwrap().body, "{}");
}

#[tokio::test]
async fn what_is_not_http_is_unreadable() {
    assert_eq!(error_of(vec![send("SSH-2.0-OpenSSH_9.2\r\n")]).await, TransportError::Unreadable);
    let length = send("HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n{}");
    assert_eq!(error_of(vec![length]).await, TransportError::Unreadable);
}

/// `{"id":1}`
const GZIP: [u8; 28] = [
    0x1f, 0x8b, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x02, 0x03, 0xab, 0x56, 0xca, 0x4c, 0x51, 0xb2, 0x32, 0xac, 0x05,
    0x00, 0xc5, 0xf8, 0x5d, 0x44, 0x08, 0x00, 0x00, 0x00,
];

/// 100 000 zero bytes in 132.
fn bomb() -> Vec<u8> {
    let head = [
        0x1f, 0x8b, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x02, 0x03, 0xed, 0xc1, 0x31, 0x01, 0x00, 0x00, 0x00, 0xc2,
        0xa0, 0xf5, 0x4f, 0x6d, 0x0d, 0x0f, 0xa0,
    ];
    let tail = [0x80, 0x57, 0x03, 0x7d, 0x95, 0x11, 0xd4, 0xa0, 0x86, 0x01, 0x00];
    [&head[..], &[0; 96], &tail].concat()
}

#[tokio::test]
async fn gzip_is_unpacked_and_bounded_by_its_unpacked_size() {
    let head = "200 OK\r\nContent-Type: application/hal+json\r\nContent-Encoding: gzip";
    assert_eq!(answer_of(vec![answer(head, &GZIP)]).await.unwrap().body, r#"{"id":1}"#);
    assert_eq!(error_of(vec![answer(head, &bomb())]).await, TransportError::TooLarge);
}

#[tokio::test]
async fn broken_gzip_is_unreadable_and_cut_gzip_a_broken_connection() {
    let head = "200 OK\r\nContent-Encoding: gzip";
    assert_eq!(error_of(vec![answer(head, b"{\"id\":1} is no gzip at all")]).await, TransportError::Unreadable);
    assert_eq!(error_of(vec![answer(head, &GZIP[..20])]).await, TransportError::Unreadable);
    let mut damaged = GZIP;
    damaged[20] ^= 0xff;
    assert_eq!(error_of(vec![answer(head, &damaged)]).await, TransportError::Unreadable);
    let cut = [format!("HTTP/1.1 {head}\r\nContent-Length: 28\r\n\r\n").as_bytes(), &GZIP[..20]].concat();
    assert_eq!(error_of(vec![send(cut)]).await, TransportError::Connect);
}

#[tokio::test]
async fn a_kept_connection_is_used_again() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let base: Url = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
    let host = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut buffer = [0; 2_048];
        for _ in 0..2 {
            assert!(stream.read(&mut buffer).await.unwrap() > 0);
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}").await.unwrap();
        }
    });
    let transport = HttpTransport::new(settings(&base)).unwrap();
    for _ in 0..2 {
        transport.send(request("/", Duration::from_secs(1))).await.unwrap();
    }
    host.await.unwrap();
}

#[test]
fn a_pause_is_seconds_or_a_date_still_to_come() {
    let now = httpdate::parse_http_date("Wed, 21 Oct 2026 07:28:00 GMT").unwrap();
    assert_eq!(pause("120", now), Some(Duration::from_secs(120)));
    assert_eq!(pause(" 0 ", now), Some(Duration::ZERO));
    assert_eq!(pause("Wed, 21 Oct 2026 07:29:30 GMT", now), Some(Duration::from_secs(90)));
    for value in ["Wed, 21 Oct 2026 07:27:00 GMT", "-1", "1.5", "soon", "", "99999999999999999999999"] {
        assert_eq!(pause(value, now), None, "{value}");
    }
}

#[test]
fn a_base_that_cannot_be_one_is_refused() {
    for base in ["ftp://acme.kommo.com", "https://me@acme.kommo.com", "https://:x@acme.kommo.com"] {
        let error = HttpTransport::new(Settings::new(base.parse().unwrap())).unwrap_err();
        assert!(matches!(error, SetupError::Base(_)), "{base}");
    }
    for base in ["https://acme.kommo.com/?a=1", "https://acme.kommo.com/#a", "data:text/plain,x"] {
        assert!(HttpTransport::new(Settings::new(base.parse().unwrap())).is_err(), "{base}");
    }
}

/// A log that tests can read.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn neither_logs_nor_errors_nor_debug_show_token_number_or_body() {
    // given every log line of this thread, down to the last detail
    let log = Log::default();
    let writer = log.clone();
    let subscriber =
        tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(move || writer.clone()).finish();
    // With one dispatcher alone, a log line that another test's thread reaches first would be switched off for good.
    let _second = tracing::Dispatch::new(tracing_subscriber::registry());
    let _guard = tracing::subscriber::set_default(subscriber);
    let path = "/api/v4/contacts?query=4155550123";

    // when one exchange succeeds, and others fail in several ways
    let mut shown = String::new();
    let ways = [
        vec![answer("200 OK\r\nContent-Type: application/hal+json", b"{\"name\":\"Anna\"}")],
        vec![answer("302 Found\r\nLocation: /elsewhere?query=4155550123", b"")],
        vec![answer("200 OK\r\nContent-Encoding: gzip", b"Anna")],
        vec![send("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nAnna")],
        vec![Act::Hang],
        vec![Act::Reset],
    ];
    for acts in ways {
        let host = Host::new(acts).await;
        let transport = HttpTransport::new(settings(&host.base)).unwrap();
        let request = request(path, Duration::from_secs(1));
        shown += &format!("{transport:?} {request:?} ");
        shown += &format!("{:?} ", transport.send(request).await);
    }

    // then none of it says whom it was about
    let logged = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(logged.contains("the CRM answered") && logged.contains("an exchange with the CRM failed"), "{logged}");
    for secret in ["secret-token", "4155550123", "Anna"] {
        assert!(!logged.contains(secret), "{secret} in the log: {logged}");
        assert!(!shown.contains(secret), "{secret} in {shown}");
    }
}

#[test]
fn no_request_is_cut_off_before_its_time_for_being_silent() {
    let base = "https://acme.kommo.com".parse().unwrap();
    assert!(Settings::new(base).read_timeout >= super::super::Settings::default().request_timeout);
}
