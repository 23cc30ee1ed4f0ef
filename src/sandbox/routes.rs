//! The paths of the API.

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::response::Response;
use axum::routing::{get, post};
use http::{Method, Uri};

use super::gate::gate;
use super::{Sandbox, contacts, control, events, leads, oauth, office, problem, webhooks};

pub(super) fn router(sandbox: Sandbox) -> Router {
    let api = Router::new()
        .route("/api/v4/contacts", get(contacts::list))
        .route("/api/v4/contacts/{id}", get(contacts::single))
        .route("/api/v4/leads", get(leads::list))
        .route("/api/v4/leads/pipelines", get(office::pipelines))
        .route("/api/v4/leads/{id}", get(leads::single))
        .route("/api/v4/companies", get(office::companies))
        .route("/api/v4/companies/{id}", get(office::company))
        .route("/api/v4/users", get(office::users))
        .route("/api/v4/catalogs/{id}/elements", get(office::elements))
        .route("/api/v4/account", get(office::account))
        .route("/api/v4/events", get(events::list))
        .route("/api/v4/webhooks", get(webhooks::list).post(webhooks::add).delete(webhooks::remove))
        .route("/oauth2/access_token", post(oauth::access_token))
        .fallback(no_such_path)
        .method_not_allowed_fallback(method_not_allowed)
        .layer(from_fn_with_state(sandbox.clone(), gate));
    api.merge(control::router()).with_state(sandbox)
}

async fn no_such_path(method: Method, uri: Uri) -> Response {
    problem::problem(404, "Not Found", &format!("Cannot {method} {}", uri.path()))
}

async fn method_not_allowed(method: Method) -> Response {
    problem::problem(405, "Method Not Allowed", &format!("Method {method} is not allowed"))
}
