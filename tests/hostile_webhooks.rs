//! Ten thousand webhooks that no CRM would send, with the right secret: none is believed, logged or kept, and callers are answered all the
//! while. A binary of its own, so that nothing else allocates beside it.

#![expect(clippy::unwrap_used, reason = "a test, helpers included")]

#[path = "api/harness/service.rs"]
#[expect(dead_code, reason = "shared with the other tests, which use all of it")]
mod service;

use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use callcard::telemetry::{Filter, Format, Settings, subscriber};
use futures_util::stream;
use http::{Request, StatusCode};
use tower::ServiceExt;

use service::{HOOK_SECRET, Service};

const BODIES: usize = 10_000;
/// Stands in every body, and nowhere else.
const MARK: &str = "Zyxel+Hostile+4155557788";

#[derive(Clone, Default)]
struct Sink(Arc<Mutex<Vec<u8>>>);

impl io::Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Resident bytes of this process (proc(5), statm, second field, in pages).
fn resident() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    statm.split(' ').nth(1).unwrap().parse::<u64>().unwrap() * 4096
}

/// What an honest body looks like, more or less.
fn honest(random: &mut fastrand::Rng) -> String {
    let (id, place) = (random.u32(1..2_000), random.u8(0..3));
    let action = random.choice(["add", "update", "delete", "restore", "note", "x"]).unwrap();
    let section = random.choice(["contacts", "leads", "unsorted", "companies"]).unwrap();
    let at = format!("{section}%5B{action}%5D%5B{place}%5D");
    format!(
        "{at}%5Bid%5D={id}&{at}%5Bname%5D={MARK}&{at}%5Bcustom_fields%5D%5B0%5D%5Bcode%5D=PHONE\
         &{at}%5Bcustom_fields%5D%5B0%5D%5Bvalues%5D%5B0%5D%5Bvalue%5D=%2B1415555{:04}&account%5Bid%5D=1",
        random.u32(0..10_000)
    )
}

/// The small ones; nearly all.
fn small(kind: usize, random: &mut fastrand::Rng) -> Vec<u8> {
    let honest = honest(random).into_bytes();
    let length = honest.len();
    match kind % 10 {
        0 => honest,
        1 => honest[..random.usize(0..length)].to_vec(),
        2 => honest.iter().map(|byte| if random.u8(0..20) == 0 { random.u8(..) } else { *byte }).collect(),
        3 => honest.iter().flat_map(|byte| if *byte == b'=' { vec![b'=', 0, 0xff] } else { vec![*byte] }).collect(),
        4 => String::from_utf8(honest).unwrap().replace("%5D", "%5").into_bytes(),
        5 => [honest.as_slice(), b"&"].concat().repeat(random.usize(1..20)),
        6 => format!("contacts{}[id]=7&{MARK}", "[x]".repeat(random.usize(0..150))).into_bytes(),
        7 => format!(r#"{{"contacts":{{"update":[{{"id":7,"name":"{MARK}"}}]}}}}"#).into_bytes(),
        8 => (0..random.usize(0..600)).map(|_| random.u8(..)).collect(),
        _ => format!("contacts[update][0][id]={}{MARK}", u128::MAX).into_bytes(),
    }
}

/// The large ones.
fn large(kind: usize) -> Vec<u8> {
    match kind % 6 {
        0 => format!("contacts{}=1&{MARK}", "[".repeat(900_000)).into_bytes(),
        1 => format!("{MARK}&{}", "a=1&".repeat(100_000)).into_bytes(),
        2 => format!("contacts[update][0][name]={}{MARK}", "%4".repeat(400_000)).into_bytes(),
        3 => (0..20_000).map(|n| format!("contacts[update][{n}][id]={n}&{MARK}&")).collect::<String>().into_bytes(),
        4 => {
            let value = |n| format!("contacts[update][0][custom_fields][0][values][{n}][value]=%2B1415555{n:04}&");
            let values: String = (0..9_000).map(value).collect();
            format!("contacts[update][0][id]=7&contacts[update][0][custom_fields][0][code]=PHONE&{values}{MARK}")
                .into_bytes()
        }
        _ => vec![b'a'; 3 << 20],
    }
}

/// Sent whole, or in pieces of unknown number, perhaps broken off.
fn request(n: usize, bytes: Vec<u8>) -> Request<Body> {
    let content_type =
        ["application/x-www-form-urlencoded", "application/json", "multipart/form-data; boundary=x", "☎"][n % 4];
    let body = match n % 7 {
        5 => {
            let pieces: Vec<_> =
                bytes.chunks(97.max(bytes.len() / 50)).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect();
            Body::from_stream(stream::iter(pieces.into_iter().collect::<Vec<Result<_, io::Error>>>()))
        }
        6 => Body::from_stream(stream::iter([Ok(Bytes::from(bytes)), Err(io::Error::other("broken off"))])),
        _ => Body::from(bytes),
    };
    Request::post(format!("/hooks/kommo/{HOOK_SECRET}"))
        .header("content-type", http::HeaderValue::from_bytes(content_type.as_bytes()).unwrap())
        .body(body)
        .unwrap()
}

#[tokio::test(start_paused = true)]
async fn ten_thousand_hostile_bodies_do_no_harm() {
    let sink = Sink::default();
    let writer = sink.clone();
    let logs = Settings { filter: Filter::parse("trace").unwrap(), format: Format::Json, colour: false };
    let _logging = tracing::subscriber::set_default(subscriber(&logs, move || writer.clone()));
    let service = Service::warmed(|options| options.lookup.deadline = Duration::from_secs(8)).await;
    let mut random = fastrand::Rng::with_seed(7);
    let (mut warm, mut most) = (0, 0);

    for n in 0..BODIES {
        let bytes = if n % 100 == 99 { large(n / 100) } else { small(n, &mut random) };
        let (is_broken, is_large) = (n % 7 == 6, bytes.len() > 1 << 20);
        let response = service.router.clone().oneshot(request(n, bytes)).await.unwrap();
        let allowed: &[StatusCode] = match (is_large, is_broken) {
            (true, _) => &[StatusCode::PAYLOAD_TOO_LARGE],
            (false, true) => &[StatusCode::BAD_REQUEST],
            (false, false) => &[StatusCode::NO_CONTENT],
        };
        assert!(allowed.contains(&response.status()), "{n}: {}", response.status());
        if n % 250 == 0 {
            let got = service.lookup("+14155550123", "").await;
            assert_eq!(
                (got.status, got.json()["contact"]["id"].as_u64()),
                (StatusCode::OK, Some(7)),
                "{n}: {}",
                got.body
            );
            sink.0.lock().unwrap().shrink_to_fit();
        }
        if n == BODIES / 4 {
            warm = resident();
        }
        most = most.max(if n > BODIES / 4 { resident() } else { 0 });
    }
    tokio::time::sleep(Duration::from_secs(60)).await;

    assert!(most < warm + (24 << 20), "grown from {} MiB to {} MiB", warm >> 20, most >> 20);
    let log = String::from_utf8(sink.0.lock().unwrap().clone()).unwrap();
    assert!(log.lines().count() >= BODIES, "the log was listened to");
    for secret in ["Zyxel", "Hostile", "5557788", "1415555", "4155550123", HOOK_SECRET] {
        assert!(!log.contains(secret), "{secret:?} is in the log");
    }
    let counted: f64 = {
        let mut sum = 0.0;
        for outcome in ["heard", "ignored", "refused", "overflowed", "unread"] {
            sum += service.metric(&format!(r#"webhook_deliveries_total{{outcome="{outcome}"}}"#)).await;
        }
        sum
    };
    assert_eq!(counted, BODIES as f64);
    assert!(service.metric(r#"webhook_hints_total{effect="expired",kind="contact"}"#).await > 0.0);
    assert!(service.sandbox.worst_second() <= 7);
    println!("resident: {} MiB after a quarter, {} MiB at most after that", warm >> 20, most >> 20);
}
