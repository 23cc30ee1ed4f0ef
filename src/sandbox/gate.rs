//! What every request to the API passes: the call log, the block, the quota, faults, and the token.

use std::net::{IpAddr, Ipv4Addr};

use axum::extract::{ConnectInfo, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue};
use tokio::time::{Instant, sleep};

use super::Sandbox;
use super::calls::Call;
use super::endpoint::Endpoint;
use super::fault::Fault;
use super::limit::Admission;
use super::problem::{self, Refusal};
use super::serve::Client;
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
        Admission::Limited(wait) => return problem::rate_limited(wait, false),
        Admission::Admitted => {}
    }
    let fault = fault_of(sandbox, endpoint, &request);
    if let Some(answer) = fault.as_ref().and_then(trouble::answer_instead) {
        return answer;
    }
    let response = authorize_and_run(sandbox, endpoint, request, next).await;
    sleep(sandbox.settings().latency).await;
    trouble::spoil(fault, response).await
}

fn address(request: &Request) -> IpAddr {
    let client = request.extensions().get::<ConnectInfo<Client>>();
    client.map_or(IpAddr::V4(Ipv4Addr::LOCALHOST), |ConnectInfo(Client(address))| *address)
}

fn fault_of(sandbox: &Sandbox, endpoint: Endpoint, request: &Request) -> Option<Fault> {
    let asked_for = request.headers().get(FAULT_HEADER).and_then(|value| value.to_str().ok()?.parse().ok());
    let query = request.uri().query().unwrap_or_default();
    let decoded = percent_encoding::percent_decode_str(query).decode_utf8_lossy();
    asked_for.or_else(|| sandbox.faults().strike(endpoint, &decoded))
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
