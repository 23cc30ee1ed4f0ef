//! The OpenAPI 3.1 document of the lookup listener, made from the code: operations stand on their handlers, schemas in `answer`, `failure`
//! and `question`.
//!
//! Tests hold it against the router (every route and method, and nothing else) and against real answers (every member, with its type);
//! `docs/openapi.json` is the same text, committed.

mod answer;
mod failure;
mod page;
mod question;

use std::sync::LazyLock;

use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use utoipa::openapi::security::{ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityScheme};
use utoipa::openapi::{Content, HttpMethod, Object, ObjectBuilder, OpenApi, PathItem, RefOr, Type};
use utoipa::{Modify, OpenApi as _};

use crate::render::{Format, Profile};

pub(super) use self::answer::{BatchResults, CardBody, JsonAnswer};
pub(super) use self::failure::{PageRefusals, ProblemBody, Refusals};
pub(super) use self::page::page;
pub(super) use self::question::{BatchBody, BatchParams, LookupParams, PopParams};

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
    servers((url = "/", description = "The lookup listener.")),
    paths(super::lookup::lookup, super::pop::pop, super::batch::batch, super::hooks::kommo, document, page::page),
    components(schemas(CardBody, JsonAnswer, BatchBody, BatchResults, ProblemBody)),
    tags(
        (name = "lookup", description = "Who is calling?"),
        (name = "webhooks", description = "What the CRM tells by itself."),
        (name = "documentation", description = "This interface, for programs and for people."),
    ),
    modifiers(&Keys, &Profiles, &OwnForms, &Heads),
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

/// The words of `profile=` and what each sets, from the table itself.
struct Profiles;

impl Modify for Profiles {
    fn modify(&self, document: &mut OpenApi) {
        let lookup = document.paths.paths.get_mut("/lookup").and_then(|item| item.get.as_mut());
        let parameters = lookup.into_iter().flat_map(|get| get.parameters.iter_mut().flatten());
        for parameter in parameters {
            if let RefOr::T(parameter) = parameter
                && parameter.name == "profile"
            {
                let words = Profile::ALL.iter().map(|profile| profile.word);
                let words = ObjectBuilder::new().schema_type(Type::String).enum_values(Some(words));
                parameter.schema = Some(words.build().into());
                parameter.description = Some(profiles());
            }
        }
    }
}

fn profiles() -> String {
    let intro = "The kind of phone system that asks: sets what the request does not say. Beats `Accept`.\n";
    Profile::ALL.iter().fold(intro.to_owned(), |text, profile| {
        let Profile { word, client, format, not_found_ok, max, ascii, .. } = profile;
        let status = if *not_found_ok { 200 } else { 404 };
        let line =
            if *format == Format::Text { format!("&max={max}&ascii={}", u8::from(*ascii)) } else { String::new() };
        format!("{text}\n- `{word}`, {client}: `format={format}&notfound={status}{line}`")
    })
}

/// Failures of a lookup in the formats that have a form of their own for them.
struct OwnForms;

impl Modify for OwnForms {
    fn modify(&self, document: &mut OpenApi) {
        let lookup = document.paths.paths.get_mut("/lookup").and_then(|item| item.get.as_mut());
        for (status, response) in lookup.into_iter().flat_map(|get| &mut get.responses.responses) {
            let forms: &[Format] = match status.as_str() {
                "401" | "403" => &[Format::Html, Format::Text, Format::Xml, Format::Hash],
                "400" | "500" | "502" | "503" | "504" => &[Format::Html],
                _ => &[],
            };
            forms.iter().for_each(|format| add_text(response, format.media_type()));
        }
    }
}

fn add_text(response: &mut RefOr<utoipa::openapi::Response>, media_type: &str) {
    if let RefOr::T(response) = response {
        let text = Content::new(Some(Object::with_type(Type::String)));
        response.content.insert(media_type.to_owned(), RefOr::T(text));
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

fn without_content(response: &mut RefOr<utoipa::openapi::Response>) {
    if let RefOr::T(response) = response {
        response.content.clear();
    }
}

/// The OpenAPI document of this interface.
#[utoipa::path(
    get, path = "/openapi.json", tag = "documentation", security(()),
    responses((status = 200, description = "OpenAPI 3.1.", body = serde_json::Value, content_type = "application/json")),
)]
pub(super) async fn document() -> Response {
    let headers = [(CONTENT_TYPE, "application/json"), (CACHE_CONTROL, "public, max-age=3600")];
    (headers, json()).into_response()
}
