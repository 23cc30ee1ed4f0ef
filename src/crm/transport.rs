//! The wire under the CRM client: one request out, one bounded answer back.
//!
//! Two implementations: `HttpTransport` speaks HTTP with reqwest; the tests put the sandbox CRM's router in its
//! place, in the same process and on a paused clock.

use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::{Method, StatusCode};
use secrecy::SecretString;

/// One request to the CRM, relative to the account's base URL.
#[derive(Debug)]
pub struct CrmRequest {
    /// GET, but for the token endpoint.
    pub method: Method,
    /// `/api/v4/…?…`, already encoded.
    pub path_and_query: String,
    /// The bearer token, if the endpoint wants one.
    pub bearer: Option<SecretString>,
    /// A JSON body.
    pub json: Option<Bytes>,
    /// The whole exchange, body included, must be over by then.
    pub timeout: Duration,
}

/// One answer of the CRM, its body read and within bounds.
#[derive(Debug)]
pub struct CrmResponse {
    /// The status.
    pub status: StatusCode,
    /// The `Content-Type`, if there was one.
    pub content_type: Option<String>,
    /// The `Retry-After` header in seconds or as a date, if there was one.
    pub retry_after: Option<Duration>,
    /// The body; at most the transport's bound.
    pub body: Bytes,
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
pub trait Transport: Send + Sync + std::fmt::Debug + 'static {
    /// One exchange, over within `request.timeout`.
    fn send(&self, request: CrmRequest) -> BoxFuture<'_, Result<CrmResponse, TransportError>>;
}
