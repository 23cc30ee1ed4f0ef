//! Around every request: its id, its metrics, one line in the log, and a body for a panic.
//!
//! The line is written at `debug`, so there is no access log unless it is asked for. It names the route's pattern, never the path or the
//! query, which hold the phone. A request whose client has gone is counted as 499, the code that proxies use for it.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::Response;
use futures_util::FutureExt;
use http::header::X_CONTENT_TYPE_OPTIONS;
use http::{HeaderValue, Method};
use tokio::time::Instant;

use super::error::ApiError;
use super::request_id::{RequestId, X_REQUEST_ID};
use crate::metrics::Metrics;

/// The label of requests that no route matches: their paths are without number.
const UNMATCHED: &str = "unmatched";
/// No answer was sent, because the client had gone.
const CLIENT_GONE: u16 = 499;

/// The middleware; the outermost one of a router.
pub(super) async fn observe(State(metrics): State<Arc<Metrics>>, mut request: Request, next: Next) -> Response {
    let id = RequestId::of(request.headers());
    let mut exchange = Exchange::begin(&metrics, &request, id.clone());
    request.extensions_mut().insert(id.clone());
    // Nothing of the request outlives the panic: the handler's state is behind its own locks, and the response is dropped with it.
    let mut response = match AssertUnwindSafe(next.run(request)).catch_unwind().await {
        Ok(response) => response,
        Err(_) => exchange.panicked(),
    };
    let headers = response.headers_mut();
    headers.insert(X_REQUEST_ID, id.to_header());
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    exchange.code = response.status().as_u16();
    response
}

/// One request in flight. Dropping it counts it, so a request that is cut off is counted too.
struct Exchange<'a> {
    metrics: &'a Metrics,
    id: RequestId,
    route: Option<MatchedPath>,
    method: &'static str,
    started: Instant,
    code: u16,
}

impl<'a> Exchange<'a> {
    fn begin(metrics: &'a Metrics, request: &Request, id: RequestId) -> Self {
        Self {
            metrics,
            id,
            route: request.extensions().get().cloned(),
            method: label(request.method()),
            started: Instant::now(),
            code: CLIENT_GONE,
        }
    }

    fn route(&self) -> &str {
        self.route.as_ref().map_or(UNMATCHED, MatchedPath::as_str)
    }

    /// The payload stays unread: it may quote what the handler was working on.
    fn panicked(&self) -> Response {
        tracing::error!(request.id = self.id.as_str(), http.route = self.route(), "a handler panicked");
        ApiError::Internal.respond(&self.id)
    }
}

impl Drop for Exchange<'_> {
    fn drop(&mut self) {
        let took = self.started.elapsed();
        self.metrics.http(self.route(), self.method, self.code, took);
        tracing::debug!(
            request.id = self.id.as_str(),
            http.route = self.route(),
            http.method = self.method,
            http.status = self.code,
            duration_ms = took.as_secs_f64() * 1000.0,
            "request"
        );
    }
}

/// A method as a label: anybody can make up new ones.
fn label(method: &Method) -> &'static str {
    const KNOWN: [&str; 9] = ["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"];
    KNOWN.into_iter().find(|known| *known == method.as_str()).unwrap_or("other")
}
