//! `GET|HEAD /lookup`: one question, one answer, in the caller's own form.

use axum::Extension;
use axum::extract::State;
use axum::response::Response;
use http::{HeaderMap, Uri};

use super::Api;
use super::auth::{authorize, needed};
use super::error::ApiError;
use super::negotiate::{choose, takes_anything};
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
            ("X-Request-Id" = String, description = "The caller's own, or a new one. The log has it under this name unless it may hold a phone number."),
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
    let text = uri.query().unwrap_or_default();
    // What a question means is settled by its text alone, unless the headers choose the form.
    let is_plain = takes_anything(headers);
    if is_plain && let Some(Some(begun)) = api.recent().with(text, |question| question.again(api, arrival, headers)) {
        return begun;
    }
    let mut params = Params::decode(text);
    let has_key = params.mentions("key");
    let begun = match choose(&mut params, headers) {
        Ok(format) => read(api, arrival, headers, params, format),
        Err(error) => return Begun::Answered(error.respond(&arrival.id)),
    };
    match begun {
        Ok(question) => {
            if is_plain && !has_key && !question.query.asks_anew() {
                api.recent().keep(text, &question);
            }
            question.begin(api, arrival, headers)
        }
        Err(refusal) => Begun::Answered(refusal),
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

/// One question, read and permitted: what is asked, in which form, about whom.
#[derive(Clone)]
pub(super) struct Question {
    pub(super) query: LookupQuery,
    pub(super) format: Format,
    pub(super) caller: Caller,
}

/// Reads a question, and answers it if no waiting is needed for that.
pub(super) fn begin(api: &Api, arrival: &Arrival, headers: &HeaderMap, params: Params, format: Format) -> Begun {
    match read(api, arrival, headers, params, format) {
        Ok(question) => question.begin(api, arrival, headers),
        Err(refusal) => Begun::Answered(refusal),
    }
}

/// Reads a question, or says why it is refused.
#[expect(clippy::result_large_err, reason = "a refusal is a whole response, and as rare as it is large")]
fn read(
    api: &Api,
    arrival: &Arrival,
    headers: &HeaderMap,
    params: Params,
    format: Format,
) -> Result<Question, Response> {
    let permitted = authorize(api.keys(), needed(format), headers, params.get("key"));
    let (query, faults) = LookupQuery::read(params);
    let query = if query.asks_anew() && is_speculative(headers) { query.without_refresh() } else { query };
    let caller = permitted.and_then(|()| faultless(faults)).and_then(|()| caller(api, &query.phone, query.region));
    match caller {
        Ok(caller) => Ok(Question { query, format, caller }),
        Err(error) => Err(Reply { id: &arrival.id, format, query: &query, links: api.links() }.refuse(&error.into())),
    }
}

impl Question {
    /// The answer, if no waiting is needed for it.
    fn begin(self, api: &Api, arrival: &Arrival, headers: &HeaderMap) -> Begun {
        self.at_hand(api, arrival, headers).map_or_else(|| Begun::Waiting(self), Begun::Answered)
    }

    /// The same question from somebody who has yet to be permitted; nothing if they are not.
    fn again(&self, api: &Api, arrival: &Arrival, headers: &HeaderMap) -> Option<Begun> {
        authorize(api.keys(), needed(self.format), headers, None).ok()?;
        let answered = self.at_hand(api, arrival, headers).map(Begun::Answered);
        Some(answered.unwrap_or_else(|| Begun::Waiting(self.clone())))
    }

    fn at_hand(&self, api: &Api, arrival: &Arrival, headers: &HeaderMap) -> Option<Response> {
        let answer = api.lookups().at_hand(&self.caller, &self.query.wants, arrival.started)?;
        Some(self.reply(api, &arrival.id).answer(&answer, headers))
    }

    fn reply<'a>(&'a self, api: &'a Api, id: &'a RequestId) -> Reply<'a> {
        Reply { id, format: self.format, query: &self.query, links: api.links() }
    }

    /// The answer, by the caller's deadline.
    pub(super) async fn wait(self, api: &Api, id: &RequestId, headers: &HeaderMap) -> Response {
        let reply = self.reply(api, id);
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
    let caller = caller(api, phone, region)?;
    Ok(api.lookups().lookup(&caller, wants).await?)
}

/// Who the text says is calling.
fn caller(api: &Api, phone: &str, region: Option<Region>) -> Result<Caller, ApiError> {
    api.reader().read(phone, region.unwrap_or(api.region())).map_err(|invalid| {
        api.lookups().count_invalid();
        ApiError::InvalidPhone(invalid)
    })
}
