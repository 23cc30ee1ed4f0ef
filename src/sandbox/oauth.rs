//! `POST /oauth2/access_token`: both grants.

use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::json;
use tokio::time::Instant;

use super::Sandbox;
use super::problem::{self, Refusal};
use super::settings::OauthSettings;
use super::tokens::{GrantError, Issued};

/// The body, of which nothing is taken for granted.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Grant {
    client_id: String,
    client_secret: String,
    redirect_uri: String,
    grant_type: String,
    code: String,
    refresh_token: String,
}

pub(super) async fn access_token(State(sandbox): State<Sandbox>, body: Result<Json<Grant>, JsonRejection>) -> Response {
    let Ok(Json(grant)) = body else { return Refusal::BadBody.into_response() };
    let oauth = sandbox.settings().oauth.clone();
    if (&grant.client_id, &grant.client_secret) != (&oauth.client_id, &oauth.client_secret) {
        return problem::oauth_problem(401, "Client authentication failed");
    }
    if grant.redirect_uri != oauth.redirect_uri {
        return problem::oauth_problem(400, "The redirect_uri does not match the integration's");
    }
    match exchange(&sandbox, &grant, &oauth) {
        None => problem::oauth_problem(400, "The authorization grant type is not supported"),
        Some(Err(error)) => problem::oauth_problem(401, error.hint()),
        Some(Ok(issued)) => answer(&sandbox, &issued, &oauth),
    }
}

fn exchange(sandbox: &Sandbox, grant: &Grant, oauth: &OauthSettings) -> Option<Result<Issued, GrantError>> {
    let (now, unix, mut tokens) = (Instant::now(), sandbox.unix(), sandbox.tokens());
    match grant.grant_type.as_str() {
        "authorization_code" => Some(tokens.redeem(&grant.code, oauth, now, unix)),
        "refresh_token" => Some(tokens.refresh(&grant.refresh_token, oauth, now, unix)),
        _ => None,
    }
}

fn answer(sandbox: &Sandbox, issued: &Issued, oauth: &OauthSettings) -> Response {
    Json(json!({
        "token_type": "Bearer",
        "expires_in": oauth.access_ttl.as_secs(),
        "server_time": sandbox.unix(),
        "access_token": issued.access,
        "refresh_token": issued.refresh,
    }))
    .into_response()
}
