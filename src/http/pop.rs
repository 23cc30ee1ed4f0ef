//! `GET|HEAD /pop`: the page of a lookup, for a browser that a phone opens on the agent's screen.
//!
//! It is `/lookup` with the form settled: always a page, whatever `Accept` says, because softphones open URLs in windows that accept
//! anything. Same parameters, same keys: a browser sends one as the password of `Authorization: Basic`, after the challenge or from
//! `https://desk:KEY@…`; a key in the query string opens no page.

use axum::Extension;
use axum::extract::State;
use axum::response::Response;
use http::{HeaderMap, Uri};

use super::Api;
use super::lookup::begin;
use super::observe::Arrival;
use super::openapi::{PageRefusals, PopParams};
use super::params::Params;
use crate::render::Format;

/// Who is calling? As a page for a person.
#[utoipa::path(
    get, path = "/pop", tag = "lookup",
    params(PopParams),
    responses(
        (status = 200, description = "Who it is, or why nobody, on a page without script.", content((String = "text/html")), headers(
            ("Cache-Status" = String, description = "Where the answer comes from (RFC 9211)."),
            ("Age" = u64, description = "Seconds since the CRM said so."),
            ("X-Request-Id" = String, description = "The caller's own, or a new one. The log has it under this name unless it may hold a phone number."),
        )),
        PageRefusals,
    ),
    security((), ("bearer" = []), ("basic" = []), ("header" = [])),
)]
pub(super) async fn pop(
    State(api): State<Api>,
    Extension(arrival): Extension<Arrival>,
    headers: HeaderMap,
    uri: Uri,
) -> Response {
    let mut params = Params::decode(uri.query().unwrap_or_default());
    params.read("format", "must be html here, or absent", |word| (word == "html").then_some(()));
    begin(&api, &arrival, &headers, params, Format::Html).response(&api, &arrival.id, &headers).await
}
