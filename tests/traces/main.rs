//! Traces, from the variables to a receiver: the whole service with its sockets, and an OTLP receiver that reads what it is sent with the
//! protocol's own types.

#![expect(clippy::unwrap_used, reason = "a test, helpers included, may stop at what it did not expect")]

mod receiver;
mod service;

use std::time::Duration;

use callcard::http::Drained;
use http::StatusCode;
use opentelemetry_proto::tonic::trace::v1::{Span, span::SpanKind};
use tokio::time::{Instant, timeout};

use receiver::{Receiver, text};
use service::Service;

/// Ben Carter's.
const LOOKUP: &str = "/lookup?phone=%2B14155550134";
const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const CALLER: &str = "b7ad6b7169203331";
const KEPT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn named<'a>(spans: &'a [Span], name: &str) -> Vec<&'a Span> {
    spans.iter().filter(|span| span.name == name).collect()
}

fn says(span: &Span, key: &str) -> String {
    text(&span.attributes, key).unwrap_or_default()
}

/// A service that exports to this receiver.
async fn exporting(receiver: &Receiver, more: &[(&str, &str)]) -> Service {
    let base = [("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.address.as_str())];
    Service::start(&[&base, more].concat()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lookup_is_one_trace_from_the_callers_span_down_to_the_crm() {
    let receiver = Receiver::start().await;
    let service = exporting(&receiver, &[("OTEL_EXPORTER_OTLP_HEADERS", "x-key=a%20secret")]).await;
    let sent = [("traceparent", KEPT), ("tracestate", "pbx=14155550134"), ("x-request-id", "r-1")];

    assert_eq!(service.get(LOOKUP, &sent).await.status(), StatusCode::OK);

    let sandbox = service.sandbox.clone();
    // Told to stop, it sends what is left: nothing waits for the next batch.
    assert_eq!(service.end().await, Drained::Complete);
    let spans = receiver.spans();
    assert!(
        spans.iter().all(|span| hex(&span.trace_id) == TRACE),
        "what is done for nobody is in no trace: {spans:#?}"
    );
    assert!(spans.iter().all(|span| span.trace_state.is_empty()), "it is the caller's own text: {spans:#?}");
    let [server] = named(&spans, "GET /lookup")[..] else { panic!("{spans:#?}") };
    assert_eq!((server.kind(), hex(&server.parent_span_id).as_str()), (SpanKind::Server, CALLER));
    assert_eq!(says(server, "http.route"), "/lookup");
    assert_eq!(says(server, "http.request.method"), "GET");
    assert_eq!(says(server, "http.response.status_code"), "200");
    assert_eq!(says(server, "callcard.request.id"), "r-1");
    assert!(says(server, "callcard.cache.status").contains("fwd=miss"), "{server:#?}");
    let [fill] = named(&spans, "fill")[..] else { panic!("{spans:#?}") };
    assert_eq!((&fill.parent_span_id, says(fill, "callcard.outcome").as_str()), (&server.span_id, "ok"));
    let calls: Vec<_> = spans.iter().filter(|span| span.kind() == SpanKind::Client).collect();
    assert!(calls.iter().any(|call| call.name == "GET contacts_query"), "{calls:#?}");
    for call in &calls {
        assert_eq!(call.parent_span_id, fill.span_id, "{call:#?}");
        assert_eq!(says(call, "http.response.status_code"), "200");
        assert!(!says(call, "callcard.quota.wait_ms").is_empty());
    }
    // Each call took its own span along, and nothing of the caller's tracestate.
    let passed: Vec<_> = sandbox.calls().into_iter().filter_map(|call| call.traceparent).collect();
    assert_eq!(passed.len(), calls.len());
    for call in calls {
        assert!(passed.contains(&format!("00-{TRACE}-{}-01", hex(&call.span_id))), "{passed:?}");
    }
    assert_eq!(receiver.resource("service.name").as_deref(), Some("callcard"));
    assert!(receiver.batches().iter().all(|(headers, _)| headers["x-key"] == "a secret"));
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_a_person_or_a_key_is_exported() {
    let receiver = Receiver::start().await;
    let service = exporting(&receiver, &[]).await;
    let token = service.sandbox.settings().token.clone();
    for path in [LOOKUP, LOOKUP, "/lookup?phone=4155550199555&name=Carter", "/pop?phone=4155550134", "/14155550134"] {
        let sent = [("authorization", "Bearer sixteen-letters-"), ("x-request-id", "ring-+1-415-555-0134")];
        let answer = service.get(path, &sent).await;
        assert_eq!(answer.headers()["x-request-id"], "ring-+1-415-555-0134", "the caller's own word goes back to it");
    }
    service.end().await;
    assert!(receiver.spans().len() >= 6);
    for (_, body) in receiver.batches() {
        let raw = String::from_utf8_lossy(&body).to_lowercase();
        for secret in
            ["4155550134", "555-0134", "415555019", "carter", "phone=", "sixteen-letters", &token.to_lowercase()]
        {
            assert!(!raw.contains(secret), "{secret} is in {raw}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hit_continues_the_callers_trace_too() {
    let receiver = Receiver::start().await;
    let service =
        exporting(&receiver, &[("OTEL_SERVICE_NAME", "desk"), ("OTEL_RESOURCE_ATTRIBUTES", "a.b=c%20d")]).await;
    service.get(LOOKUP, &[]).await;
    service.get(LOOKUP, &[("traceparent", KEPT)]).await;
    service.end().await;
    let spans = receiver.spans();
    let continued: Vec<_> = spans.iter().filter(|span| hex(&span.trace_id) == TRACE).collect();
    let [hit] = continued[..] else { panic!("{spans:#?}") };
    assert_eq!((hit.name.as_str(), hex(&hit.parent_span_id).as_str()), ("GET /lookup", CALLER));
    assert!(says(hit, "callcard.cache.status").contains("hit"), "{hit:#?}");
    assert_eq!(receiver.resource("service.name").as_deref(), Some("desk"));
    assert_eq!(receiver.resource("a.b").as_deref(), Some("c d"));
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_waits_for_a_fill_of_another_trace_links_to_it() {
    let receiver = Receiver::start().await;
    let service = exporting(&receiver, &[]).await;
    service.sandbox.inject("contacts_query:slow=1s".parse().unwrap());
    let lookups = [(); 3].map(|()| service.get(LOOKUP, &[]));
    let answers = futures_util::future::join_all(lookups).await;
    assert!(answers.iter().all(|answer| answer.status() == StatusCode::OK));
    service.get(LOOKUP, &[]).await;
    service.end().await;

    let spans = receiver.spans();
    let [fill] = named(&spans, "fill")[..] else { panic!("{spans:#?}") };
    let served = named(&spans, "GET /lookup");
    let by_status = |word| served.iter().filter(move |span| says(span, "callcard.cache.status").contains(word));
    let (waited, others): (Vec<&Span>, Vec<&Span>) = served.iter().copied().partition(|span| !span.links.is_empty());
    assert_eq!((waited.len(), others.len()), (2, 2), "{served:#?}");
    assert_eq!((by_status("collapsed").count(), by_status("hit").count()), (2, 1));
    for span in waited {
        let [link] = &span.links[..] else { panic!("{span:#?}") };
        assert_eq!((&link.trace_id, &link.span_id), (&fill.trace_id, &fill.span_id));
        assert_ne!(span.trace_id, fill.trace_id);
        assert!(says(span, "callcard.cache.status").contains("collapsed"), "{span:#?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_traceparent_that_is_none_begins_a_new_trace() {
    let receiver = Receiver::start().await;
    let service = exporting(&receiver, &[]).await;
    let zeros = format!("00-{}-{CALLER}-01", "0".repeat(32));
    let wrong = ["", "00", "garbage", "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", &zeros];
    for traceparent in wrong {
        assert_eq!(service.get(LOOKUP, &[("traceparent", traceparent)]).await.status(), StatusCode::OK);
    }
    service.get(LOOKUP, &[("traceparent", KEPT), ("traceparent", KEPT)]).await;
    service.end().await;
    let spans = receiver.spans();
    let served = named(&spans, "GET /lookup");
    assert_eq!(served.len(), wrong.len() + 1);
    assert!(served.iter().all(|span| span.parent_span_id.is_empty() && hex(&span.trace_id) != TRACE), "{served:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_sent_is_compressed_if_the_variables_say_so() {
    for (more, encoding) in [
        (vec![("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip")], Some("gzip")),
        (vec![("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip"), ("OTEL_EXPORTER_OTLP_TRACES_COMPRESSION", "none")], None),
    ] {
        let receiver = Receiver::start().await;
        let service = exporting(&receiver, &more).await;
        service.get(LOOKUP, &[]).await;
        service.end().await;
        let batches = receiver.batches();
        assert!(!batches.is_empty());
        let said = |(headers, _): &(http::HeaderMap, _)| headers.get("content-encoding").cloned();
        assert!(batches.iter().all(|batch| said(batch).as_ref().map(|said| said.to_str().unwrap()) == encoding));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sampler_keeps_its_share_and_heeds_a_caller_that_has_decided() {
    let receiver = Receiver::start().await;
    let share = [("OTEL_TRACES_SAMPLER", "parentbased_traceidratio"), ("OTEL_TRACES_SAMPLER_ARG", "0.25")];
    let service = exporting(&receiver, &share).await;
    service.get(LOOKUP, &[("traceparent", &KEPT.replace("-01", "-00"))]).await;
    let passed: Vec<_> = service.sandbox.calls().into_iter().filter_map(|call| call.traceparent).collect();
    assert!(!passed.is_empty() && passed.iter().all(|passed| passed.ends_with("-00")), "{passed:?}");
    for _ in 0..200 {
        service.get("/lookup?phone=anonymous", &[]).await;
    }
    service.get(LOOKUP, &[("traceparent", KEPT)]).await;
    service.end().await;
    let spans = receiver.spans();
    let (told, own): (Vec<_>, Vec<_>) = spans.iter().partition(|span| hex(&span.trace_id) == TRACE);
    assert_eq!(told.len(), 1, "the one that was to be kept: {told:#?}");
    // Of 200 with a chance of a quarter: fewer than 15 or more than 90 is less likely than one in a billion.
    assert!((15..=90).contains(&own.len()), "{}", own.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_receiver_nothing_is_traced_and_nothing_is_sent() {
    let receiver = Receiver::start().await;
    let address = receiver.address.as_str();
    let off = [
        vec![],
        vec![("OTEL_EXPORTER_OTLP_ENDPOINT", address), ("OTEL_SDK_DISABLED", "true")],
        vec![("OTEL_EXPORTER_OTLP_ENDPOINT", address), ("OTEL_TRACES_EXPORTER", "none")],
        vec![("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"), ("OTEL_TRACES_SAMPLER", "xray")],
    ];
    for variables in off {
        let service = Service::start(&variables).await;
        assert_eq!(service.get(LOOKUP, &[("traceparent", KEPT)]).await.status(), StatusCode::OK);
        assert!(service.sandbox.calls().iter().all(|call| call.traceparent.is_none()));
        service.end().await;
    }
    assert!(receiver.batches().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_is_slow_dead_or_refuses_changes_no_answer_and_holds_up_no_stop() {
    let slow = Receiver::answering(Duration::from_secs(60), StatusCode::OK).await.address;
    let refusing = Receiver::answering(Duration::ZERO, StatusCode::SERVICE_UNAVAILABLE).await.address;
    for address in [slow.as_str(), refusing.as_str(), "http://127.0.0.1:9"] {
        let variables = [("OTEL_EXPORTER_OTLP_ENDPOINT", address), ("CALLCARD_DRAIN_TIMEOUT", "2s")];
        let service = Service::start(&variables).await;
        for _ in 0..30 {
            let begun = Instant::now();
            assert_eq!(service.get(LOOKUP, &[]).await.status(), StatusCode::OK);
            assert!(begun.elapsed() < Duration::from_secs(5), "{address}");
        }
        // The drain's two seconds, and some for a machine that is busy.
        let drained = timeout(Duration::from_secs(6), service.end()).await;
        assert_eq!(drained.expect(address), Drained::Complete);
    }
}
