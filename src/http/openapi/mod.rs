//! The OpenAPI 3.1 document of the lookup listener, made from the code: operations stand on their handlers, schemas in [`schema`].
//!
//! Tests hold it against the router (every route and method, and nothing else) and against real answers (every member, with its type);
//! `docs/openapi.json` is the same text, committed.

mod page;
mod schema;

use std::sync::LazyLock;

use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use utoipa::openapi::security::{ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityScheme};
use utoipa::openapi::{HttpMethod, OpenApi, PathItem};
use utoipa::{Modify, OpenApi as _};

pub(super) use self::page::page;
pub(super) use self::schema::{BatchBody, BatchParams, BatchResults, CardBody, LookupParams, ProblemBody, Refusals};

/// The document, made once.
static JSON: LazyLock<String> = LazyLock::new(|| {
    let mut json = Document::openapi().to_pretty_json().expect("the document is made of strings");
    json.push('\n');
    json
});

/// The OpenAPI 3.1 document as JSON, with a newline at its end: what `GET /openapi.json` and `callcard openapi` give.
#[must_use]
pub fn json() -> &'static str {
    &JSON
}

#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "callcard",
        description = "Who is calling? A phone number in, the CRM's contact card with its leads out.",
    ),
    paths(super::lookup::lookup, super::batch::batch, document, page::page),
    components(schemas(CardBody, BatchBody, BatchResults, ProblemBody)),
    tags(
        (name = "lookup", description = "Who is calling?"),
        (name = "documentation", description = "This interface, for programs and for people."),
    ),
    modifiers(&Keys, &Heads),
)]
struct Document;

/// The ways to send a key. The empty requirement says that a deployment may have none.
struct Keys;

impl Modify for Keys {
    fn modify(&self, document: &mut OpenApi) {
        let components = document.components.get_or_insert_default();
        let mut add = |name: &str, scheme| components.add_security_scheme(name, scheme);
        add("bearer", SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer)));
        add("basic", SecurityScheme::Http(Http::new(HttpAuthScheme::Basic)));
        add("header", SecurityScheme::ApiKey(ApiKey::Header(ApiKeyValue::new("X-Api-Key"))));
        add("query", SecurityScheme::ApiKey(ApiKey::Query(ApiKeyValue::new("key"))));
    }
}

/// HEAD is GET without its body, wherever there is a GET.
struct Heads;

impl Modify for Heads {
    fn modify(&self, document: &mut OpenApi) {
        for item in document.paths.paths.values_mut() {
            if let Some(get) = item.get.clone() {
                let mut head = PathItem::new(HttpMethod::Head, get).head.expect("made with HEAD");
                head.operation_id = head.operation_id.map(|id| format!("{id}_head"));
                head.summary = head.summary.map(|summary| format!("{summary} Headers only."));
                head.responses.responses.values_mut().for_each(without_content);
                item.head = Some(head);
            }
        }
    }
}

fn without_content(response: &mut utoipa::openapi::RefOr<utoipa::openapi::Response>) {
    if let utoipa::openapi::RefOr::T(response) = response {
        response.content.clear();
    }
}

/// The OpenAPI document of this interface.
#[utoipa::path(
    get, path = "/openapi.json", tag = "documentation",
    responses((status = 200, description = "OpenAPI 3.1.", body = serde_json::Value, content_type = "application/json")),
)]
pub(super) async fn document() -> Response {
    let headers = [(CONTENT_TYPE, "application/json"), (CACHE_CONTROL, "public, max-age=3600")];
    (headers, json()).into_response()
}
