//! The door: every request comes in here, and the one question that phones ask all day is answered before it has cost anything.
//!
//! `GET|HEAD /lookup` is read on the spot, and if the answer is at hand it is given on the spot: no route table, no middleware, no future
//! in a box, and nothing that other threads write to. A question that has to wait, and every other request, goes its way as a task
//! of the connection. Both kinds are observed alike.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::Router;
use axum::body::{Body, HttpBody};
use axum::response::Response;
use bytes::Bytes;
use futures_util::future::{BoxFuture, Either};
use http::uri::PathAndQuery;
use http::{Method, Request, Uri};
use hyper::body::Incoming;
use tower::{BoxError, Service, ServiceExt};

use super::Api;
use super::lookup::{Begun, Question, lookup};
use super::observe::{Arrival, Exchange, Route};
use super::server::Answers;
use crate::metrics::RouteMeter;
use crate::traces::Serving;

/// The route that is answered here.
pub(super) const LOOKUP: &str = "/lookup";

/// The lookup listener's service. A cheap handle: clones share everything.
#[derive(Clone)]
pub struct Front(Arc<Inner>);

struct Inner {
    api: Api,
    meter: RouteMeter,
    others: Router,
}

/// A response that is there, or one to wait for.
pub type Responding = Either<Ready<Result<Response, Infallible>>, BoxFuture<'static, Result<Response, Infallible>>>;

impl Front {
    pub(super) fn new(api: Api, others: Router) -> Self {
        let meter = api.metrics().route(LOOKUP);
        Self(Arc::new(Inner { api, meter, others }))
    }

    /// Answers one request.
    pub fn respond<B>(&self, request: Request<B>) -> Responding
    where
        B: HttpBody<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        let request = with_one_slash(request);
        if request.uri().path() == LOOKUP && matches!(*request.method(), Method::GET | Method::HEAD) {
            self.question(request)
        } else {
            Either::Right(Box::pin(self.0.others.clone().oneshot(request.map(Body::new))))
        }
    }

    fn question<B>(&self, request: Request<B>) -> Responding {
        let Inner { api, meter, .. } = &*self.0;
        let arrival = Arrival::of(request.method(), request.headers());
        let span = arrival.span(api.tracer(), request.headers(), Route::Metered(meter));
        let begun = catch_unwind(AssertUnwindSafe(|| lookup(api, &arrival, request.headers(), request.uri())));
        let response = match begun {
            Ok(Begun::Waiting(question)) => return self.wait(arrival, span, question, request),
            Ok(Begun::Answered(response)) => Ok(response),
            Err(panic) => Err(panic),
        };
        let response = Exchange::begin(arrival, Route::Metered(meter), span).end(response);
        Either::Left(ready(Ok(response)))
    }

    fn wait<B>(&self, arrival: Arrival, span: Option<Serving>, question: Question, request: Request<B>) -> Responding {
        let (front, (head, _)) = (self.clone(), request.into_parts());
        Either::Right(Box::pin(async move {
            let id = arrival.id.clone();
            let exchange = Exchange::begin(arrival, Route::Metered(&front.0.meter), span);
            Ok(exchange.run(question.wait(&front.0.api, &id, &head.headers)).await)
        }))
    }
}

impl std::fmt::Debug for Front {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Front").finish_non_exhaustive()
    }
}

impl Answers for Front {
    type Responding = Responding;

    fn answer(&self, request: Request<Incoming>) -> Responding {
        self.respond(request)
    }
}

impl<B> Service<Request<B>> for Front
where
    B: HttpBody<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    type Response = Response;
    type Error = Infallible;
    type Future = Responding;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Responding {
        self.respond(request)
    }
}

/// `//lookup` is `/lookup`: FreePBX puts a slash of its own before a configured path. A redirect would be shown as a caller's name.
pub(super) fn with_one_slash<B>(mut request: Request<B>) -> Request<B> {
    if request.uri().path().starts_with("//") {
        let mut parts = std::mem::take(request.uri_mut()).into_parts();
        let doubled = parts.path_and_query.as_ref().map_or("", PathAndQuery::as_str);
        let single = format!("/{}", doubled.trim_start_matches('/'));
        parts.path_and_query = single.parse().ok();
        *request.uri_mut() = Uri::from_parts(parts).unwrap_or_default();
    }
    request
}
