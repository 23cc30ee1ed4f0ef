//! What the operator is told of all this.

use std::sync::{Arc, Mutex};

use tokio::time::sleep;

use super::super::{Gate, Settings};
use super::{DOWN, call, ms, s};
use crate::metrics::Metrics;
use crate::outcome::Class::Live;

/// A subscriber's output, kept.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("no panics").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn an_outage_is_told_in_two_lines_and_one_gauge_however_many_calls_it_hits() {
    let lines = Lines::default();
    let writer = lines.clone();
    let subscriber =
        tracing_subscriber::fmt().without_time().with_ansi(false).with_writer(move || writer.clone()).finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let metrics = Arc::new(Metrics::new());
    let gate = Gate::new(Settings::default(), Arc::clone(&metrics));
    let exposed = |line: &str| metrics.encode().expect("encodes").lines().any(|exposed| exposed == line);

    for _ in 0..10 {
        call(&gate, Live, s(1), Err(&DOWN)).await.expect("room");
    }
    for _ in 0..500 {
        call(&gate, Live, s(1), Ok(())).await.expect_err("suspended");
    }
    assert!(exposed("callcard_upstream_breaker_open 1"));
    sleep(s(5)).await;
    call(&gate, Live, s(1), Ok(())).await.expect("the probe");
    call(&gate, Live, ms(1), Ok(())).await.expect_err("no slot in a millisecond");

    assert!(exposed("callcard_upstream_breaker_open 0"));
    assert!(exposed("callcard_upstream_quota_refusals_total{class=\"live\"} 1"));
    assert!(exposed("callcard_upstream_quota_wait_seconds_count{class=\"live\"} 11"));
    let told = String::from_utf8(lines.0.lock().expect("no panics").clone()).expect("text");
    let told: Vec<_> = told.lines().map(|line| line.split_once(": ").expect("a target").1).collect();
    assert_eq!(
        told,
        [
            "calls to the CRM are suspended reason=\"failures\" seconds=5.0",
            "calls to the CRM are resumed reason=\"failures\"",
        ]
    );
}
