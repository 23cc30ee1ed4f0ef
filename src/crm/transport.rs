//! The wire under the CRM client: one request out, one bounded answer back.
//!
//! Two implementations: `HttpTransport` speaks HTTP with reqwest; the tests put the sandbox CRM's router in its
//! place, in the same process and on a paused clock.

use std::fmt;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::{HeaderValue, Method, StatusCode};
use secrecy::SecretString;

/// One request to the CRM, relative to the account's base URL. Personal data: the `Debug` form shows the path only.
pub struct CrmRequest {
    /// GET, but for the token endpoint.
    pub method: Method,
    /// `/api/v4/…?…`, already encoded.
    pub path_and_query: String,
    /// The bearer token, if the endpoint wants one.
    pub bearer: Option<SecretString>,
    /// A JSON body.
    pub json: Option<Bytes>,
    /// The trace that this request belongs to, if there are traces.
    pub traceparent: Option<HeaderValue>,
    /// The whole exchange, body included, must be over by then.
    pub timeout: Duration,
}

impl fmt::Debug for CrmRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path_and_query.split('?').next().unwrap_or_default();
        f.debug_struct("CrmRequest").field("method", &self.method).field("path", &path).finish_non_exhaustive()
    }
}

/// One answer of the CRM, its body read and within bounds. Personal data: the `Debug` form does not show the body.
pub struct CrmResponse {
    /// The status.
    pub status: StatusCode,
    /// The `Content-Type`, if there was one.
    pub content_type: Option<String>,
    /// The `Retry-After` header in seconds or as a date, if there was one.
    pub retry_after: Option<Duration>,
    /// The `Date` header: what time the other side believes it is.
    pub date: Option<SystemTime>,
    /// The body; at most the transport's bound.
    pub body: Bytes,
}

impl fmt::Debug for CrmResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CrmResponse")
            .field("status", &self.status)
            .field("content_type", &self.content_type)
            .field("retry_after", &self.retry_after)
            .field("body_len", &self.body.len())
            .finish_non_exhaustive()
    }
}

/// Why there is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TransportError {
    /// No connection, or it broke before the answer was whole.
    #[error("connection failed")]
    Connect,
    /// Not over in time.
    #[error("timed out")]
    Timeout,
    /// The body is larger than the bound.
    #[error("answer too large")]
    TooLarge,
    /// The answer is not HTTP, or its encoding is broken.
    #[error("answer not readable")]
    Unreadable,
}

/// Sends one request. It never follows a redirect and never retries: both are decided above.
pub trait Transport: Send + Sync + fmt::Debug + 'static {
    /// One exchange, over within `request.timeout`.
    fn send(&self, request: CrmRequest) -> BoxFuture<'_, Result<CrmResponse, TransportError>>;
}
