//! `GET|HEAD /lookup`: one question, one answer, in the caller's own form.

use axum::Extension;
use axum::extract::State;
use axum::response::Response;
use http::{HeaderMap, Uri};

use super::Api;
use super::auth::{authorize, needed};
use super::error::ApiError;
use super::negotiate::choose;
use super::openapi::{JsonAnswer, LookupParams, ProblemBody, Refusals};
use super::params::{Fault, Params};
use super::query::LookupQuery;
use super::reply::{Refusal, Reply};
use super::request_id::RequestId;
use crate::lookup::{Answer, Wants};
use crate::phone::Region;
use crate::render::Format;

/// Who is calling?
#[utoipa::path(
    get, path = "/lookup", tag = "lookup",
    params(LookupParams),
    responses(
        (status = 200, description = "Who it is; or why nobody, in the formats and with the parameters that make this a 200.", content(
            (JsonAnswer = "application/json"), (String = "text/plain"), (String = "text/html"), (String = "text/vcard"),
            (String = "text/xml"), (String = "application/x-www-form-urlencoded"),
        ), headers(
            ("Cache-Status" = String, description = "Where the answer comes from (RFC 9211); in the formats without problem documents also why there is none."),
            ("Age" = u64, description = "Seconds since the CRM said so."),
            ("ETag" = String, description = "The version of the card; json only."),
            ("X-Request-Id" = String, description = "The caller's own, or a new one."),
        )),
        (status = 304, description = "The caller has this card already (`If-None-Match`)."),
        (status = 404, description = "Nobody has the number, or it was withheld.", content(
            (JsonAnswer = "application/json"), (String = "text/vcard"),
        )),
        (status = 406, description = "`Accept` takes none of the forms.", body = ProblemBody, content_type = "application/problem+json"),
        Refusals,
    ),
    security((), ("bearer" = []), ("basic" = []), ("header" = []), ("query" = [])),
)]
pub(super) async fn lookup(
    State(api): State<Api>,
    Extension(id): Extension<RequestId>,
    headers: HeaderMap,
    uri: Uri,
) -> Response {
    let mut params = Params::decode(uri.query().unwrap_or_default());
    let format = match choose(&mut params, &headers) {
        Ok(format) => format,
        Err(error) => return error.respond(&id),
    };
    answer(&api, &id, &headers, params, format).await
}

/// The answer to one question in one form.
pub(super) async fn answer(api: &Api, id: &RequestId, headers: &HeaderMap, params: Params, format: Format) -> Response {
    let permitted = authorize(api.keys(), needed(format), headers, params.get("key"));
    let (query, faults) = LookupQuery::read(params);
    let query = if is_speculative(headers) { query.without_refresh() } else { query };
    let reply = Reply { id, format, query: &query, links: api.links() };
    if let Err(error) = permitted.and_then(|()| faultless(faults)) {
        return reply.refuse(&error.into());
    }
    match ask(api, &query.phone, query.region, &query.wants).await {
        Ok(answer) => reply.answer(&answer, headers),
        Err(refusal) => reply.refuse(&refusal),
    }
}

/// Whether a browser loads this ahead, on the guess that its user will want it.
fn is_speculative(headers: &HeaderMap) -> bool {
    let names = ["sec-purpose", "purpose", "x-moz"];
    names.iter().flat_map(|name| headers.get_all(*name)).any(|value| {
        let purpose = value.as_bytes();
        [&b"prefetch"[..], b"prerender", b"preview"].iter().any(|word| purpose.starts_with(word))
    })
}

/// Passes when nothing is wrong.
pub(super) fn faultless(faults: Vec<Fault>) -> Result<(), ApiError> {
    if faults.is_empty() { Ok(()) } else { Err(ApiError::InvalidParameter(faults)) }
}

/// Reads a number and asks who has it.
pub(super) async fn ask(api: &Api, phone: &str, region: Option<Region>, wants: &Wants) -> Result<Answer, Refusal> {
    let caller = api.reader().read(phone, region.unwrap_or(api.region())).map_err(|invalid| {
        api.lookups().count_invalid();
        ApiError::InvalidPhone(invalid)
    })?;
    Ok(api.lookups().lookup(&caller, wants).await?)
}
