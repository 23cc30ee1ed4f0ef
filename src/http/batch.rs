//! `POST /lookup`: up to a hundred questions in one document, answered in their order.
//!
//! All are asked at once; that equal numbers share one fill, and that fills keep to the CRM's quota, is the cache's and the gate's work.
//! A number that fails fails alone: its place in the results holds the problem.

use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use futures_util::future::join_all;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Uri};
use serde::{Deserialize, Serialize};

use super::auth::authorize;
use super::error::{ApiError, Problem};
use super::keys::Scope;
use super::lookup::{ask, faultless};
use super::openapi::{BatchBody, BatchParams, BatchResults, ProblemBody, Refusals};
use super::params::{Fault, Params};
use super::query::LookupQuery;
use super::reply::Refusal;
use super::request_id::RequestId;
use super::{Api, body};
use crate::lookup::Answer;
use crate::phone::Region;
use crate::render::{self, Asked, Format};

/// More numbers in one batch are refused.
const MAX_PHONES: usize = 100;

/// Who are they? Up to 100 numbers at once.
#[utoipa::path(
    post, path = "/lookup", tag = "lookup",
    params(BatchParams),
    request_body(content = BatchBody, content_type = "application/json"),
    responses(
        (status = 200, description = "The answers, in the order of the questions.", body = BatchResults),
        (status = 408, description = "The body came too slowly.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 413, description = "The body is too large.", body = ProblemBody, content_type = "application/problem+json"),
        Refusals,
    ),
    security((), ("bearer" = []), ("basic" = []), ("header" = [])),
)]
pub(super) async fn batch(
    State(api): State<Api>,
    Extension(id): Extension<RequestId>,
    headers: HeaderMap,
    uri: Uri,
    body: Body,
) -> Response {
    match answer(&api, &id, &headers, &uri, body).await {
        Ok(response) => response,
        Err(error) => error.respond(&id),
    }
}

async fn answer(api: &Api, id: &RequestId, headers: &HeaderMap, uri: &Uri, body: Body) -> Result<Response, ApiError> {
    authorize(api.keys(), Scope::Lookup, headers, None)?;
    let (query, faults) = LookupQuery::read_batch(Params::decode(uri.query().unwrap_or_default()));
    faultless(faults)?;
    let batch = Batch::parse(&body::whole(body, api.max_body_bytes(), api.body_timeout()).await?)?;
    let region = batch.region()?.or(query.region);
    let asked: Vec<Asked<'_>> = batch.phones.iter().map(|input| Asked { input: input.into() }).collect();
    let outcomes = join_all(asked.iter().map(|asked| ask(api, &asked.input, region, &query.wants))).await;
    let results: Vec<_> = asked.iter().zip(&outcomes).map(|(asked, outcome)| result(outcome, asked, id)).collect();
    let body = [br#"{"results":["#, &*results.join(&b','), b"]}"].concat();
    let json = HeaderValue::from_static(Format::Json.content_type());
    Ok(([(CONTENT_TYPE, json), (CACHE_CONTROL, HeaderValue::from_static("no-store"))], body).into_response())
}

/// The questions.
#[derive(Deserialize)]
struct Batch {
    phones: Vec<String>,
    region: Option<String>,
}

impl Batch {
    fn parse(body: &[u8]) -> Result<Self, ApiError> {
        let batch: Self = serde_json::from_slice(body).map_err(|_| {
            refused("body", r#"must be a JSON object like {"phones": ["+14155550123"], "region": "US"}"#)
        })?;
        if batch.phones.len() > MAX_PHONES {
            return Err(refused("phones", "must hold at most 100 numbers"));
        }
        Ok(batch)
    }

    fn region(&self) -> Result<Option<Region>, ApiError> {
        let region = self.region.as_deref().filter(|region| !region.is_empty()).map(str::parse).transpose();
        region.map_err(|_| refused("region", "must be an ISO 3166 code of two letters"))
    }
}

fn refused(parameter: &'static str, why: &'static str) -> ApiError {
    ApiError::InvalidParameter(vec![Fault { parameter, why }])
}

/// The problem in place of an answer.
#[derive(Serialize)]
struct Refused<'a> {
    phone: Phone<'a>,
    error: Problem<'a>,
}

/// What is known of a number that was not answered.
#[derive(Serialize)]
struct Phone<'a> {
    input: &'a str,
    e164: Option<String>,
}

fn result(outcome: &Result<Answer, Refusal>, asked: &Asked<'_>, id: &RequestId) -> Vec<u8> {
    match outcome {
        Ok(answer) => render::json_body(answer, asked),
        Err(refusal) => {
            let e164 = refusal.number.as_ref().map(|number| number.e164.to_string());
            let refused = Refused { phone: Phone { input: &asked.input, e164 }, error: refusal.error.problem(id) };
            serde_json::to_vec(&refused).expect("a problem has only string keys")
        }
    }
}
