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
use http::{HeaderMap, HeaderValue, Method};
use tokio::time::Instant;

use super::error::ApiError;
use super::request_id::{RequestId, X_REQUEST_ID};
use crate::metrics::{Metrics, RouteMeter};
use crate::traces::{Serving, Tracer};

/// The label of requests that no route matches: their paths are without number.
const UNMATCHED: &str = "unmatched";
/// No answer was sent, because the client had gone.
const CLIENT_GONE: u16 = 499;

/// The middleware; the outermost one of a router.
pub(super) async fn observe(State(observer): State<Observer>, mut request: Request, next: Next) -> Response {
    let Observer { metrics, tracer } = observer;
    let arrival = Arrival::of(request.method(), request.headers());
    request.extensions_mut().insert(arrival.id.clone());
    request.extensions_mut().insert(arrival.clone());
    let route = request.extensions().get::<MatchedPath>().cloned();
    let route = Route::Named(&metrics, route.as_ref().map_or(UNMATCHED, MatchedPath::as_str));
    let span = arrival.span(tracer.as_ref(), request.headers(), route);
    Exchange::begin(arrival, route, span).run(next.run(request)).await
}

/// What the middleware works with.
#[derive(Clone)]
pub(super) struct Observer {
    pub(super) metrics: Arc<Metrics>,
    pub(super) tracer: Option<Tracer>,
}

/// What is known of a request when it arrives.
#[derive(Clone, Debug)]
pub(super) struct Arrival {
    pub(super) id: RequestId,
    pub(super) started: Instant,
    method: &'static str,
}

impl Arrival {
    pub(super) fn of(method: &Method, headers: &HeaderMap) -> Self {
        Self { id: RequestId::of(headers), started: Instant::now(), method: label(method) }
    }

    /// The request's span, if there are traces.
    pub(super) fn span(&self, tracer: Option<&Tracer>, headers: &HeaderMap, route: Route<'_>) -> Option<Serving> {
        let span = tracer?.serve(headers, self.method, route.pattern());
        span.named(self.id.as_str());
        Some(span)
    }
}

/// Where a request is counted.
#[derive(Clone, Copy)]
pub(super) enum Route<'a> {
    /// At metrics that are at hand already.
    Metered(&'a RouteMeter),
    /// At metrics that have to be looked for by the route's pattern.
    Named(&'a Metrics, &'a str),
}

impl Route<'_> {
    fn pattern(&self) -> &str {
        match self {
            Self::Metered(meter) => meter.route(),
            Self::Named(_, pattern) => pattern,
        }
    }
}

/// One request in flight. Dropping it counts it, so a request that is cut off is counted too.
pub(super) struct Exchange<'a> {
    arrival: Arrival,
    route: Route<'a>,
    code: u16,
    span: Option<Serving>,
}

impl<'a> Exchange<'a> {
    pub(super) fn begin(arrival: Arrival, route: Route<'a>, span: Option<Serving>) -> Self {
        Self { arrival, route, code: CLIENT_GONE, span }
    }

    /// Waits for the response, or makes one of a panic. Nothing of the request outlives the panic: the handler's state is behind its own
    /// locks, and the response is dropped with it.
    pub(super) async fn run(self, response: impl Future<Output = Response>) -> Response {
        let response = match &self.span {
            None => AssertUnwindSafe(response).catch_unwind().await,
            Some(span) => AssertUnwindSafe(span.around(response)).catch_unwind().await,
        };
        self.end(response)
    }

    /// Adds to a response what all have, and counts it.
    pub(super) fn end(mut self, response: std::thread::Result<Response>) -> Response {
        let mut response = response.unwrap_or_else(|_| self.panicked());
        let headers = response.headers_mut();
        // The head of an answer has both already.
        if !headers.contains_key(X_CONTENT_TYPE_OPTIONS) {
            headers.insert(X_REQUEST_ID, self.arrival.id.to_header());
            headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        }
        if let (Some(span), Some(status)) = (&self.span, headers.get("cache-status")) {
            span.cached(status);
        }
        self.code = response.status().as_u16();
        response
    }

    /// The payload stays unread: it may quote what the handler was working on.
    fn panicked(&self) -> Response {
        let id = &self.arrival.id;
        tracing::error!(request.id = id.as_str(), http.route = self.route.pattern(), "a handler panicked");
        ApiError::Internal.respond(id)
    }
}

impl Drop for Exchange<'_> {
    fn drop(&mut self) {
        let took = self.arrival.started.elapsed();
        match self.route {
            Route::Metered(meter) => meter.count(self.arrival.method, self.code, took),
            Route::Named(metrics, pattern) => metrics.http(pattern, self.arrival.method, self.code, took),
        }
        if let Some(span) = &self.span {
            span.answered(self.code);
        }
        tracing::debug!(
            trace_id = self.span.as_ref().map(|span| tracing::field::display(span.trace_id())),
            request.id = self.arrival.id.as_str(),
            http.route = self.route.pattern(),
            http.method = self.arrival.method,
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
