//! One route's requests, counted without looking for the metrics each time.

use std::time::Duration;

use prometheus::{Histogram, IntCounter, IntCounterVec};

use super::families::Http;

/// What nearly every request of a busy route is counted under.
const COMMON: [(&str, u16); 4] = [("GET", 200), ("GET", 404), ("GET", 304), ("HEAD", 200)];

/// The metrics of one route.
#[derive(Debug)]
pub struct RouteMeter {
    route: &'static str,
    common: [IntCounter; COMMON.len()],
    requests: IntCounterVec,
    duration: Histogram,
}

impl RouteMeter {
    pub(super) fn new(http: &Http, route: &'static str) -> Self {
        let counter =
            |(method, code): (&str, u16)| http.requests.with_label_values(&[route, method, &code.to_string()]);
        Self {
            route,
            common: COMMON.map(counter),
            requests: http.requests.clone(),
            duration: http.duration.with_label_values(&[route]),
        }
    }

    /// The route's pattern.
    #[must_use]
    pub const fn route(&self) -> &'static str {
        self.route
    }

    /// A request was answered. `method` is one of the nine of RFC 9110 or `other`.
    pub fn count(&self, method: &str, code: u16, took: Duration) {
        match COMMON.iter().position(|common| *common == (method, code)) {
            Some(place) => self.common[place].inc(),
            None => self.requests.with_label_values(&[self.route, method, &code.to_string()]).inc(),
        }
        self.duration.observe(took.as_secs_f64());
    }
}
