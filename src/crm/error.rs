//! Why the CRM could not be asked, or what it answered instead of contacts.
//!
//! A variant exists because somebody acts on it. The two questions every caller has are answered by [`CrmError::outcome`] (under which
//! word is it counted) and [`CrmError::is_retryable`] (is a second try useful).

use std::time::Duration;

use crate::outcome::UpstreamOutcome;

/// A call to the CRM that brought no usable answer. Messages hold no personal data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CrmError {
    /// The quota has no slot within the caller's patience; nothing was sent and no slot was used.
    #[error("the request quota has no slot for {}ms", wait.as_millis())]
    QuotaExhausted {
        /// How long until a slot would have been free.
        wait: Duration,
    },
    /// The breaker is open; nothing was sent.
    #[error("calls to the CRM are suspended for {}s", retry_after.as_secs())]
    Suspended {
        /// How long until the next probe.
        retry_after: Duration,
    },
    /// No connection could be made, or it broke before the answer was whole.
    #[error("the connection to the CRM failed")]
    Connect,
    /// No whole answer in time.
    #[error("the CRM did not answer in time")]
    Timeout,
    /// 429.
    #[error("the CRM asked for a pause")]
    RateLimited {
        /// From the header or the body, if either said.
        retry_after: Option<Duration>,
    },
    /// 403 with something that is not the API's own error body: our address is blocked.
    #[error("the CRM has blocked this address")]
    Blocked,
    /// 401: the token is wrong, expired or revoked.
    #[error("the CRM refused the credentials")]
    Unauthorized,
    /// 402: the account is not paid for.
    #[error("the CRM account is not paid for")]
    PaymentRequired,
    /// 403 with the API's own error body: the token's user lacks a right.
    #[error("the CRM refused a right")]
    Forbidden,
    /// 404: there is no such account or path.
    #[error("the CRM does not know this account or path")]
    WrongHost,
    /// Another 3xx or 4xx: our request was not understood.
    #[error("the CRM rejected the request with status {status}")]
    Rejected {
        /// The status.
        status: u16,
    },
    /// 5xx.
    #[error("the CRM failed with status {status}")]
    Server {
        /// The status.
        status: u16,
    },
    /// 2xx with a body that is not what the API promises.
    #[error("the CRM's answer could not be read: {what}")]
    Malformed {
        /// Which promise was broken; never a piece of the body.
        what: &'static str,
    },
}

impl CrmError {
    /// The word under which the call is counted.
    #[must_use]
    pub const fn outcome(&self) -> UpstreamOutcome {
        match self {
            Self::QuotaExhausted { .. } | Self::Suspended { .. } => UpstreamOutcome::ShortCircuited,
            Self::Connect => UpstreamOutcome::Connect,
            Self::Timeout => UpstreamOutcome::Timeout,
            Self::RateLimited { .. } => UpstreamOutcome::RateLimited,
            Self::Unauthorized => UpstreamOutcome::Unauthorized,
            Self::Blocked | Self::PaymentRequired | Self::Forbidden => UpstreamOutcome::Forbidden,
            Self::Server { .. } => UpstreamOutcome::ServerError,
            Self::WrongHost | Self::Rejected { .. } | Self::Malformed { .. } => UpstreamOutcome::Malformed,
        }
    }

    /// Whether a second try may help: only where the first one surely changed nothing and the fault is of the kind that passes.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        match self {
            Self::Connect => true,
            Self::Server { status } => matches!(status, 502..=504),
            _ => false,
        }
    }

    /// When it is worth asking again, where that is known.
    #[must_use]
    pub const fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::QuotaExhausted { wait } => Some(*wait),
            Self::Suspended { retry_after } => Some(*retry_after),
            Self::RateLimited { retry_after } => *retry_after,
            _ => None,
        }
    }
}
