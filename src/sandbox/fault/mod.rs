//! Trouble on demand: what goes wrong, for which requests, and how often.
//!
//! A rule is written `SCOPE:FAULT[*COUNT|%PERCENT]`, the same on the command line, over HTTP and in the `X-Sandbox-Fault` request header
//! (there without scope):
//!
//! ```text
//! contacts_query:slow=5s          every query takes five seconds
//! contacts_query,leads:502*3      the next three of either answer 502
//! all:reset%10                    one request in ten finds the connection cut
//! contacts_query?4155550123:stall queries with these characters are never answered
//! ```
//!
//! [`FAULTS`] lists the faults. The first rule that fits a request is applied. Faults that answer *instead* leave the account untouched;
//! faults that spoil the answer ([`Fault::spoils`]) come after the request has had its effect, so that `oauth:reset` is the lost answer of
//! a token refresh, and a slow answer holds what was true when the request came.

use std::time::Duration;

use super::endpoint::Endpoint;

mod text;

pub use text::{Described, FAULTS, ParseFaultError, help};

/// One thing that can go wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// 400 with `validation-errors`.
    BadRequest,
    /// 401.
    Unauthorized,
    /// 402.
    PaymentRequired,
    /// 403 in JSON: a right is missing.
    Forbidden,
    /// 403 in HTML: the address is blocked. With the scope `all` it is what a real block looks like.
    Blocked,
    /// 404.
    NotFound,
    /// 422.
    Unprocessable,
    /// 429 in JSON with `retry_after`.
    RateLimited(Duration),
    /// The same with a `Retry-After` header.
    RateLimitedHeader(Duration),
    /// 429 in HTML.
    RateLimitedHtml,
    /// 500 with a `trace_id`.
    ServerError,
    /// 502, 503 or 504 in HTML.
    Edge(u16),
    /// A redirect to another host.
    Redirect(String),
    /// 204 where there is content.
    NoContent,
    /// The first byte comes this late.
    Slow(Duration),
    /// The head comes at once, the body in pieces over this time.
    Drip(Duration),
    /// No byte ever comes.
    Stall,
    /// The head and half of the body come, then nothing.
    StallBody,
    /// The connection breaks before the first byte.
    Reset,
    /// The connection breaks in the middle of the body.
    Cut,
    /// Half of the JSON, sent as if it were all.
    Truncated,
    /// 200 without a body.
    Empty,
    /// 200 with HTML.
    Html,
    /// 200 with a JSON object that has none of the expected members.
    Hollow,
    /// The answer followed by so many bytes of white space.
    Huge(u64),
    /// The body is compressed.
    Gzip,
    /// The `Date` header is so far behind.
    Skew(Duration),
}

/// Which requests a rule is for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scope {
    /// These parts of the API; none means all.
    pub endpoints: Vec<Endpoint>,
    /// Only requests whose decoded query string contains this.
    pub query: Option<String>,
}

/// How often a rule is applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Times {
    /// Until it is cleared.
    Always,
    /// So many times.
    Count(u32),
    /// In so many of a hundred cases.
    Percent(u8),
}

/// A fault, for some requests, for some time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FaultRule {
    /// Which requests.
    pub scope: Scope,
    /// What goes wrong.
    pub fault: Fault,
    /// How often.
    pub times: Times,
}

// === impl Fault ===

impl Fault {
    /// Whether the request is carried out and only its answer goes wrong.
    #[must_use]
    pub const fn spoils(&self) -> bool {
        matches!(
            self,
            Self::Slow(_)
                | Self::Drip(_)
                | Self::Stall
                | Self::StallBody
                | Self::Reset
                | Self::Cut
                | Self::Truncated
                | Self::Empty
                | Self::Html
                | Self::Hollow
                | Self::Huge(_)
                | Self::Gzip
                | Self::Skew(_)
                | Self::NoContent
        )
    }
}

// === impl FaultRule ===

impl FaultRule {
    /// A fault for these parts of the API (none means all), until it is cleared.
    #[must_use]
    pub fn new(endpoints: &[Endpoint], fault: Fault) -> Self {
        Self { scope: Scope { endpoints: endpoints.to_vec(), query: None }, fault, times: Times::Always }
    }

    /// The same, so many times only.
    #[must_use]
    pub fn times(self, count: u32) -> Self {
        Self { times: Times::Count(count), ..self }
    }

    /// The same, in so many of a hundred cases.
    #[must_use]
    pub fn percent(self, percent: u8) -> Self {
        Self { times: Times::Percent(percent), ..self }
    }

    /// The same, only for requests whose decoded query string contains `text`.
    #[must_use]
    pub fn when_query_has(mut self, text: &str) -> Self {
        self.scope.query = Some(text.to_owned());
        self
    }
}

/// The rules in force.
#[derive(Debug, Default)]
pub(super) struct Faults {
    rules: Vec<FaultRule>,
}

impl Faults {
    pub(super) fn new(rules: Vec<FaultRule>) -> Self {
        Self { rules }
    }

    pub(super) fn add(&mut self, rule: FaultRule) {
        self.rules.push(rule);
    }

    pub(super) fn clear(&mut self) {
        self.rules.clear();
    }

    pub(super) fn rules(&self) -> &[FaultRule] {
        &self.rules
    }

    /// What goes wrong with a request; uses up one of the rule's times.
    pub(super) fn strike(&mut self, endpoint: Endpoint, decoded_query: &str) -> Option<Fault> {
        let place =
            self.rules.iter().position(|rule| rule.scope.holds(endpoint, decoded_query) && rule.times.is_due())?;
        let fault = self.rules[place].fault.clone();
        if let Times::Count(left) = &mut self.rules[place].times {
            *left -= 1;
            if *left == 0 {
                self.rules.remove(place);
            }
        }
        Some(fault)
    }
}

impl Scope {
    fn holds(&self, endpoint: Endpoint, decoded_query: &str) -> bool {
        let endpoint_fits = self.endpoints.is_empty() || self.endpoints.contains(&endpoint);
        endpoint_fits && self.query.as_ref().is_none_or(|text| decoded_query.contains(text.as_str()))
    }
}

impl Times {
    fn is_due(self) -> bool {
        match self {
            Self::Always | Self::Count(_) => true,
            Self::Percent(percent) => fastrand::u8(..100) < percent,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counted_fault_strikes_so_many_times_and_only_in_its_scope() {
        let mut faults = Faults::new(vec!["leads?42:500*2".parse().unwrap()]);
        assert_eq!(faults.strike(Endpoint::Users, "42"), None);
        assert_eq!(faults.strike(Endpoint::Leads, "41"), None);
        assert_eq!(faults.strike(Endpoint::Leads, "42"), Some(Fault::ServerError));
        assert_eq!(faults.strike(Endpoint::Leads, "x42x"), Some(Fault::ServerError));
        assert_eq!(faults.strike(Endpoint::Leads, "42"), None);
        assert!(faults.rules().is_empty());
    }
}
