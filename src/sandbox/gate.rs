//! What every request to the API passes: the call log, the block, the quota, faults, and the token.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use axum::extract::{ConnectInfo, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue, StatusCode};
use tokio::time::{Instant, sleep};

use super::Sandbox;
use super::calls::Call;
use super::endpoint::Endpoint;
use super::fault::{Fault, ParseFaultError};
use super::limit::Admission;
use super::problem::{self, Refusal};
use super::serve::Client;
use super::settings::LimitAnswer;
use super::tokens::{self, Viewer};
use super::trouble;

/// The request header that makes one request go wrong.
const FAULT_HEADER: &str = "x-sandbox-fault";

pub(super) async fn gate(State(sandbox): State<Sandbox>, request: Request, next: Next) -> Response {
    let arrived = Instant::now();
    let endpoint = Endpoint::of(request.uri());
    let number = sandbox.log().arrived(Call {
        at: arrived,
        endpoint,
        method: request.method().clone(),
        path: request.uri().path().to_owned(),
        query: request.uri().query().unwrap_or_default().to_owned(),
        traceparent: request.headers().get("traceparent").and_then(|value| Some(value.to_str().ok()?.to_owned())),
        status: 0,
    });
    let mut response = pass(&sandbox, endpoint, arrived, request, next).await;
    sandbox.log().answered(number, response.status().as_u16());
    let id = format!("{:032x}", fastrand::u128(..));
    response.headers_mut().insert("x-request-id", HeaderValue::try_from(id).expect("hexadecimal digits are printable"));
    response
}

async fn pass(sandbox: &Sandbox, endpoint: Endpoint, now: Instant, request: Request, next: Next) -> Response {
    match sandbox.admit(address(&request), now) {
        Admission::Blocked => return problem::blocked(),
        Admission::Limited(wait) => return over_quota(sandbox.settings().limit_answer, wait),
        Admission::Admitted => {}
    }
    let fault = match own_fault(request.headers()) {
        Some(Err(error)) => return (StatusCode::BAD_REQUEST, format!("{FAULT_HEADER}: {error}\n")).into_response(),
        Some(Ok(fault)) => Some(fault),
        None => fault_by_rule(sandbox, endpoint, &request),
    };
    if let Some(answer) = fault.as_ref().and_then(trouble::answer_instead) {
        return answer;
    }
    let response = authorize_and_run(sandbox, endpoint, request, next).await;
    let latency = sandbox.settings().latency;
    if !latency.is_zero() {
        sleep(latency).await;
    }
    trouble::spoil(fault, response).await
}

fn address(request: &Request) -> IpAddr {
    let client = request.extensions().get::<ConnectInfo<Client>>();
    client.map_or(IpAddr::V4(Ipv4Addr::LOCALHOST), |ConnectInfo(Client(address))| *address)
}

fn over_quota(answer: LimitAnswer, wait: Duration) -> Response {
    match answer {
        LimitAnswer::Json => problem::rate_limited(wait, false),
        LimitAnswer::JsonWithHeader => problem::rate_limited(wait, true),
        LimitAnswer::Html => problem::html(429, "Too Many Requests"),
    }
}

/// The fault that a request brings along, if what it brings can be read.
fn own_fault(headers: &HeaderMap) -> Option<Result<Fault, ParseFaultError>> {
    let text = headers.get(FAULT_HEADER)?;
    Some(String::from_utf8_lossy(text.as_bytes()).parse())
}

fn fault_by_rule(sandbox: &Sandbox, endpoint: Endpoint, request: &Request) -> Option<Fault> {
    let query = request.uri().query().unwrap_or_default();
    let decoded = percent_encoding::percent_decode_str(query).decode_utf8_lossy();
    sandbox.faults().strike(endpoint, &decoded)
}

async fn authorize_and_run(sandbox: &Sandbox, endpoint: Endpoint, mut request: Request, next: Next) -> Response {
    if endpoint != Endpoint::Oauth {
        match authorize(sandbox, request.headers()) {
            Ok(viewer) => drop(request.extensions_mut().insert(viewer)),
            Err(refusal) => return refusal.into_response(),
        }
    }
    next.run(request).await
}

fn authorize(sandbox: &Sandbox, headers: &HeaderMap) -> Result<Viewer, Refusal> {
    let bearer = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
    let viewer =
        bearer.and_then(|token| sandbox.tokens().viewer(token, Instant::now())).ok_or(Refusal::Unauthorized)?;
    match headers.get("x-context-user-id").filter(|_| viewer.is_admin) {
        None => Ok(viewer),
        Some(user) => {
            let user = user.to_str().ok().and_then(|user| user.parse().ok());
            user.and_then(tokens::viewer).ok_or(Refusal::Forbidden)
        }
    }
}
