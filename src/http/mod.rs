//! The service over HTTP: one question in a query string, one answer in the form that the asking system can read.
//!
//! The way of a request, outside in:
//!
//! | file | does |
//! |---|---|
//! | `server`, `patience` | connections, their bounds, the drain |
//! | `front` | the door: what is at hand is answered at once, the rest goes to the router |
//! | `observe`, `request_id` | id, metrics, log line, panics |
//! | `params`, `query`, `negotiate` | the query string → what is asked, and in which form the answer is wanted |
//! | `keys`, `auth` | who may ask |
//! | `lookup`, `pop`, `batch` | the questions |
//! | `hooks` | what the CRM tells by itself |
//! | `body` | a request's body, within bounds |
//! | `reply`, `cache_headers`, `error` | the answers, and the only map from failures to statuses |
//! | `admin` | the operators' listener |
//! | `openapi` | this interface described, for programs and for people |
//!
//! Nothing here logs, labels or repeats in an error what a caller has sent.

mod admin;
mod auth;
mod batch;
mod body;
mod cache_headers;
mod error;
mod front;
mod head;
mod hooks;
mod keys;
mod lookup;
mod negotiate;
mod observe;
pub mod openapi;
mod params;
mod patience;
mod pop;
mod query;
mod recent;
mod reply;
mod request_id;
mod server;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use axum::response::Response;
use axum::routing::{MethodRouter, get, post};
use axum::{Extension, Router, middleware};
use secrecy::SecretString;
use tower::ServiceExt;

pub use self::front::{Front, Responding};
pub use self::keys::{KeyFault, KeyName, Keys, Scope, entry_for};
pub use self::server::{Answers, Drained, ServerSettings, listen, serve};

use self::admin::Admin;
use self::error::ApiError;
use self::observe::Observer;
use self::recent::Recent;
use self::request_id::RequestId;
use crate::crm::WebLinks;
use crate::lookup::LookupService;
use crate::metrics::Metrics;
use crate::phone::{CallerReader, Region};
use crate::shutdown::Readiness;
use crate::traces::Tracer;

/// What the endpoints need to know about the deployment.
#[derive(Debug)]
pub struct Settings {
    /// Who may ask. No keys: everybody.
    pub keys: Keys,
    /// How to read numbers without a country code when the caller does not say.
    pub region: Region,
    /// Where people open the CRM.
    pub links: WebLinks,
    /// The longest body of a batch. Default 64 KiB.
    pub max_body_bytes: usize,
    /// How long a body may take to arrive. Default 5 s.
    pub body_timeout: Duration,
    /// What the CRM's webhooks have in their path; none: they are not enabled.
    pub webhook_secret: Option<SecretString>,
    /// Opens a span for each request to the lookup listener; none: there are no traces.
    pub tracer: Option<Tracer>,
}

impl Settings {
    /// The defaults, for numbers of this region and a CRM that people open there.
    #[must_use]
    pub fn new(region: Region, links: WebLinks) -> Self {
        Self {
            keys: Keys::default(),
            region,
            links,
            max_body_bytes: 64 * 1024,
            body_timeout: Duration::from_secs(5),
            webhook_secret: None,
            tracer: None,
        }
    }
}

/// The endpoints. A cheap handle: clones share everything.
#[derive(Clone)]
pub struct Api(Arc<Parts>);

struct Parts {
    lookups: LookupService,
    reader: CallerReader,
    metrics: Arc<Metrics>,
    recent: Recent,
    settings: Settings,
}

impl fmt::Debug for Api {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Api").field("settings", &self.0.settings).finish_non_exhaustive()
    }
}

impl Api {
    /// The endpoints over a lookup service.
    #[must_use]
    pub fn new(lookups: LookupService, reader: CallerReader, metrics: Arc<Metrics>, settings: Settings) -> Self {
        Self(Arc::new(Parts { lookups, reader, metrics, recent: Recent::new(), settings }))
    }

    /// The lookup listener's service.
    #[must_use]
    pub fn front(&self) -> Front {
        let tracer = self.tracer().cloned();
        Front::new(self.clone(), self.finish(collect(public_routes()).with_state(self.clone()), tracer))
    }

    /// The admin listener's router.
    pub fn admin_router(&self, readiness: Readiness) -> Router {
        let admin = Admin { api: self.clone(), readiness };
        let guard = middleware::from_fn_with_state(admin.clone(), admin::require_admin);
        let keyed = collect(admin::keyed_routes()).route_layer(guard);
        let routes = self.finish(collect(admin::open_routes()).merge(keyed).with_state(admin), None);
        Router::new().fallback_service(routes.map_request(front::with_one_slash))
    }

    /// Adds what both listeners have: typed answers for what no route takes, and the observer.
    fn finish(&self, routes: Router, tracer: Option<Tracer>) -> Router {
        let observer = Observer { metrics: Arc::clone(&self.0.metrics), tracer };
        let observer = middleware::from_fn_with_state(observer, observe::observe);
        routes.fallback(no_such_route).method_not_allowed_fallback(method_not_allowed).layer(observer)
    }

    fn lookups(&self) -> &LookupService {
        &self.0.lookups
    }

    fn reader(&self) -> &CallerReader {
        &self.0.reader
    }

    fn recent(&self) -> &Recent {
        &self.0.recent
    }

    fn metrics(&self) -> &Arc<Metrics> {
        &self.0.metrics
    }

    fn keys(&self) -> &Keys {
        &self.0.settings.keys
    }

    fn region(&self) -> Region {
        self.0.settings.region
    }

    fn links(&self) -> &WebLinks {
        &self.0.settings.links
    }

    fn max_body_bytes(&self) -> usize {
        self.0.settings.max_body_bytes
    }

    fn body_timeout(&self) -> Duration {
        self.0.settings.body_timeout
    }

    fn tracer(&self) -> Option<&Tracer> {
        self.0.settings.tracer.as_ref()
    }

    fn webhook_secret(&self) -> Option<&SecretString> {
        self.0.settings.webhook_secret.as_ref()
    }
}

/// Every path of the lookup listener; the OpenAPI document is held against this list.
fn public_routes() -> Vec<(&'static str, MethodRouter<Api>)> {
    vec![
        ("/lookup", get(lookup::routed).post(batch::batch)),
        ("/pop", get(pop::pop)),
        ("/hooks/kommo/{secret}", post(hooks::kommo)),
        ("/openapi.json", get(openapi::document)),
        ("/docs", get(openapi::page)),
    ]
}

fn collect<S: Clone + Send + Sync + 'static>(routes: Vec<(&'static str, MethodRouter<S>)>) -> Router<S> {
    routes.into_iter().fold(Router::new(), |router, (path, methods)| router.route(path, methods))
}

async fn no_such_route(Extension(id): Extension<RequestId>) -> Response {
    ApiError::NoSuchRoute.respond(&id)
}

async fn method_not_allowed(Extension(id): Extension<RequestId>) -> Response {
    ApiError::MethodNotAllowed.respond(&id)
}

#[cfg(test)]
mod tests;
