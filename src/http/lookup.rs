//! `GET|HEAD /lookup`: one question, one answer, in the caller's own form.

use axum::Extension;
use axum::extract::State;
use axum::response::Response;
use http::{HeaderMap, Uri};

use super::Api;
use super::auth::{authorize, needed};
use super::error::ApiError;
use super::negotiate::choose;
use super::observe::Arrival;
use super::openapi::{JsonAnswer, LookupParams, ProblemBody, Refusals};
use super::params::{Fault, Params};
use super::query::LookupQuery;
use super::reply::{Refusal, Reply};
use super::request_id::RequestId;
use crate::lookup::{Answer, Wants};
use crate::phone::{Caller, Region};
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
pub(super) fn lookup(api: &Api, arrival: &Arrival, headers: &HeaderMap, uri: &Uri) -> Begun {
    let mut params = Params::decode(uri.query().unwrap_or_default());
    match choose(&mut params, headers) {
        Ok(format) => begin(api, arrival, headers, params, format),
        Err(error) => Begun::Answered(error.respond(&arrival.id)),
    }
}

impl Begun {
    /// The response, whenever it comes.
    pub(super) async fn response(self, api: &Api, id: &RequestId, headers: &HeaderMap) -> Response {
        match self {
            Self::Answered(response) => response,
            Self::Waiting(question) => question.wait(api, id, headers).await,
        }
    }
}

/// A question that has been read: answered on the spot, or to be waited for.
pub(super) enum Begun {
    Answered(Response),
    Waiting(Question),
}

/// A question whose answer is not at hand.
pub(super) struct Question {
    query: LookupQuery,
    format: Format,
    caller: Caller,
}

/// Reads a question, and answers it if no waiting is needed for that.
pub(super) fn begin(api: &Api, arrival: &Arrival, headers: &HeaderMap, params: Params, format: Format) -> Begun {
    let permitted = authorize(api.keys(), needed(format), headers, params.get("key"));
    let (query, faults) = LookupQuery::read(params);
    let query = if query.asks_anew() && is_speculative(headers) { query.without_refresh() } else { query };
    let reply = Reply { id: &arrival.id, format, query: &query, links: api.links() };
    let caller = permitted.and_then(|()| faultless(faults)).and_then(|()| read(api, &query.phone, query.region));
    let caller = match caller {
        Ok(caller) => caller,
        Err(error) => return Begun::Answered(reply.refuse(&error.into())),
    };
    match api.lookups().at_hand(&caller, &query.wants, arrival.started) {
        Some(answer) => Begun::Answered(reply.answer(&answer, headers)),
        None => Begun::Waiting(Question { query, format, caller }),
    }
}

impl Question {
    /// The answer, by the caller's deadline.
    pub(super) async fn wait(self, api: &Api, id: &RequestId, headers: &HeaderMap) -> Response {
        let reply = Reply { id, format: self.format, query: &self.query, links: api.links() };
        match api.lookups().lookup(&self.caller, &self.query.wants).await {
            Ok(answer) => reply.answer(&answer, headers),
            Err(failure) => reply.refuse(&failure.into()),
        }
    }
}

/// The same as a handler of the router: [`super::front`] answers before it is reached, but the router knows by it which methods there are.
pub(super) async fn routed(
    State(api): State<Api>,
    Extension(arrival): Extension<Arrival>,
    headers: HeaderMap,
    uri: Uri,
) -> Response {
    lookup(&api, &arrival, &headers, &uri).response(&api, &arrival.id, &headers).await
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
    let caller = read(api, phone, region)?;
    Ok(api.lookups().lookup(&caller, wants).await?)
}

/// Who the text says is calling.
fn read(api: &Api, phone: &str, region: Option<Region>) -> Result<Caller, ApiError> {
    api.reader().read(phone, region.unwrap_or(api.region())).map_err(|invalid| {
        api.lookups().count_invalid();
        ApiError::InvalidPhone(invalid)
    })
}
