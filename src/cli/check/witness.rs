//! What the wire itself tells, whatever the answers say: how long they take, what time the CRM believes it is, whether it asked for a pause.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use http::StatusCode;
use tokio::time::Instant;

use super::row::Row;
use crate::crm::{CrmRequest, CrmResponse, Transport, TransportError};

/// Further apart than this, clocks make tokens expire unexpectedly.
const MOST_SKEW: Duration = Duration::from_secs(5);
/// A slower CRM leaves too little of the default deadline.
const SLOW: Duration = Duration::from_secs(1);

/// A transport that looks on.
pub(super) struct Witness {
    wire: Arc<dyn Transport>,
    seen: Mutex<Seen>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    answers: u32,
    pauses: u32,
    /// The quickest answer: the others waited for names to be resolved and connections to be made.
    quickest: Option<Duration>,
    /// How far the CRM's clock is ahead of ours, in seconds; of the last answer that said.
    ahead: Option<f64>,
}

impl Witness {
    pub(super) fn new(wire: Arc<dyn Transport>) -> Self {
        Self { wire, seen: Mutex::default() }
    }

    /// One row for each thing that only the wire knows.
    pub(super) fn rows(&self, rate: u32) -> Vec<Row> {
        let seen = *self.lock();
        vec![seen.round_trip(), seen.clock(), seen.quota(rate)]
    }

    async fn watch(&self, request: CrmRequest) -> Result<CrmResponse, TransportError> {
        let (sent, sent_at) = (Instant::now(), SystemTime::now());
        let response = self.wire.send(request).await?;
        let took = sent.elapsed();
        let mut seen = self.lock();
        seen.answers += 1;
        seen.pauses += u32::from(response.status == StatusCode::TOO_MANY_REQUESTS);
        seen.quickest = Some(seen.quickest.map_or(took, |quickest| quickest.min(took)));
        seen.ahead = response.date.map(|date| ahead(date, sent_at + took / 2)).or(seen.ahead);
        Ok(response)
    }

    /// Nothing panics while it is held.
    fn lock(&self) -> std::sync::MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Witness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Witness").finish_non_exhaustive()
    }
}

impl Transport for Witness {
    fn send(&self, request: CrmRequest) -> BoxFuture<'_, Result<CrmResponse, TransportError>> {
        self.watch(request).boxed()
    }
}

/// Seconds from our time to theirs. The header has whole seconds, cut, so half a second is the best guess of the rest.
fn ahead(theirs: SystemTime, ours: SystemTime) -> f64 {
    let theirs = theirs + Duration::from_millis(500);
    theirs.duration_since(ours).map_or_else(|behind| -behind.duration().as_secs_f64(), |ahead| ahead.as_secs_f64())
}

impl Seen {
    fn round_trip(&self) -> Row {
        let Some(took) = self.quickest else { return Row::skipped("round trip", "the CRM sent no answer") };
        let seen = format!("the quickest of {} answers took {} ms", self.answers, took.as_millis());
        if took < SLOW {
            return Row::fine("round trip", seen);
        }
        Row::odd(
            "round trip",
            seen,
            "the first call of an unknown number may miss its deadline; raise CALLCARD_DEADLINE",
        )
    }

    fn clock(&self) -> Row {
        let Some(ahead) = self.ahead else { return Row::skipped("clock", "the CRM did not say what time it is") };
        if ahead.abs() <= MOST_SKEW.as_secs_f64() {
            return Row::fine("clock", format!("within {} s of the CRM's", MOST_SKEW.as_secs()));
        }
        let direction = if ahead > 0.0 { "behind" } else { "ahead of" };
        let seen = format!("{:.0} s {direction} the CRM's", ahead.abs());
        Row::odd("clock", seen, "set this machine's clock (NTP): expiry times are judged by it")
    }

    fn quota(&self, rate: u32) -> Row {
        let seen = format!("{rate} requests a second allowed here (CALLCARD_UPSTREAM_RATE)");
        if self.answers == 0 {
            return Row::fine("quota", seen);
        }
        if self.pauses == 0 {
            return Row::fine("quota", format!("{seen}; the CRM asked for no pause ({} answers)", self.answers));
        }
        Row::odd(
            "quota",
            format!("{seen}; the CRM asked for a pause in {} of {} answers", self.pauses, self.answers),
            "something else uses up the quota of this address or account; find it, or lower CALLCARD_UPSTREAM_RATE",
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(ahead: Option<f64>) -> Seen {
        Seen { answers: 8, pauses: 0, quickest: Some(Duration::from_millis(40)), ahead }
    }

    #[test]
    fn clocks_may_differ_by_five_seconds() {
        assert_eq!(seen(Some(4.9)).clock(), Row::fine("clock", "within 5 s of the CRM's"));
        let told = |ahead| serde_json::to_value(seen(Some(ahead)).clock()).unwrap()["seen"].clone();
        assert_eq!(told(61.2), "61 s behind the CRM's");
        assert_eq!(told(-5.6), "6 s ahead of the CRM's");
    }

    #[test]
    fn half_a_second_is_added_to_what_the_header_cut_off() {
        let ours = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000);
        assert!((ahead(ours, ours) - 0.5).abs() < 1e-9);
        assert!((ahead(ours - Duration::from_secs(3), ours) + 2.5).abs() < 1e-9);
    }
}
