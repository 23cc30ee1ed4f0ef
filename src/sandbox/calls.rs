//! Every request the sandbox has seen: the proof of single flights, cache hits and kept quotas.

use std::collections::VecDeque;
use std::time::Duration;

use http::Method;
use tokio::time::Instant;

use super::endpoint::Endpoint;

/// Requests that are remembered; older ones are forgotten.
const REMEMBERED: usize = 1_000_000;

/// One request, refused ones included.
#[derive(Clone, Debug)]
pub struct Call {
    /// When it arrived.
    pub at: Instant,
    /// What it asked.
    pub endpoint: Endpoint,
    /// How.
    pub method: Method,
    /// Its path.
    pub path: String,
    /// Its query string, undecoded.
    pub query: String,
    /// The trace it said it belongs to.
    pub traceparent: Option<String>,
    /// The status it was answered with; 0 while it is not.
    pub status: u16,
}

/// The requests in the order of their arrival.
#[derive(Debug, Default)]
pub(super) struct CallLog {
    calls: VecDeque<Call>,
    forgotten: usize,
}

impl CallLog {
    /// Notes an arrival; the number is for [`Self::answered`].
    pub(super) fn arrived(&mut self, call: Call) -> usize {
        if self.calls.len() == REMEMBERED {
            self.calls.pop_front();
            self.forgotten += 1;
        }
        self.calls.push_back(call);
        self.forgotten + self.calls.len() - 1
    }

    /// Notes the answer to call `number`.
    pub(super) fn answered(&mut self, number: usize, status: u16) {
        let place = number.checked_sub(self.forgotten);
        if let Some(call) = place.and_then(|place| self.calls.get_mut(place)) {
            call.status = status;
        }
    }

    /// Forgets everything; answers still to come find nothing to be noted at.
    pub(super) fn reset(&mut self) {
        self.forgotten += self.calls.len();
        self.calls.clear();
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Call> {
        self.calls.iter()
    }

    /// The most arrivals within any second, both ends included.
    pub(super) fn worst_second(&self) -> usize {
        let (mut worst, mut start) = (0, 0);
        for (end, call) in self.calls.iter().enumerate() {
            while call.at.duration_since(self.calls[start].at) > Duration::from_secs(1) {
                start += 1;
            }
            worst = worst.max(end + 1 - start);
        }
        worst
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call_at(at: Instant) -> Call {
        let (path, query) = ("/api/v4/leads".to_owned(), String::new());
        Call { at, endpoint: Endpoint::Leads, method: Method::GET, path, query, traceparent: None, status: 0 }
    }

    #[test]
    fn the_worst_second_counts_both_of_its_ends() {
        let (start, mut log) = (Instant::now(), CallLog::default());
        for millis in [0, 500, 1000, 1400, 3000] {
            log.arrived(call_at(start + Duration::from_millis(millis)));
        }
        assert_eq!(log.worst_second(), 3);
    }

    #[test]
    fn an_answer_after_a_reset_is_noted_nowhere() {
        let mut log = CallLog::default();
        let before = log.arrived(call_at(Instant::now()));
        log.reset();
        let after = log.arrived(call_at(Instant::now()));
        log.answered(before, 500);
        log.answered(after, 200);
        assert_eq!(log.iter().map(|call| call.status).collect::<Vec<_>>(), [200]);
    }
}
