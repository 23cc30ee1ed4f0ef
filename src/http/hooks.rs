//! `POST /hooks/kommo/{secret}`: the CRM tells that something has changed.
//!
//! The CRM signs nothing, so the secret in the path is all that tells it from anybody else: compared in constant time, and a wrong one is
//! answered like any path that is not there. Whoever has it is answered at once, whatever the body holds: the CRM counts every other
//! answer as a failure, and ends the subscription after a hundred. What the body says is [`Hints`](crate::lookup::Hints)' work.

use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{StatusCode, Uri};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::error::ApiError;
use super::openapi::ProblemBody;
use super::request_id::RequestId;
use super::{Api, body};
use crate::crm::webhook;
use crate::outcome::DeliveryOutcome;

/// The CRM tells that something has changed.
#[utoipa::path(
    post, path = "/hooks/kommo/{secret}", tag = "webhooks", operation_id = "kommo_webhook", security(()),
    params(("secret" = String, Path, description = "`CALLCARD_WEBHOOK_SECRET`.")),
    request_body(
        content = String, content_type = "application/x-www-form-urlencoded",
        description = "A webhook of the CRM as it sends it; nothing of it is trusted.",
    ),
    responses(
        (status = 204, description = "Taken in; what it says is acted on in a moment."),
        (status = 400, description = "The body broke off.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "The secret is wrong, or webhooks are not enabled.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 408, description = "The body came too slowly.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 413, description = "The body is too large.", body = ProblemBody, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn kommo(
    State(api): State<Api>,
    Extension(id): Extension<RequestId>,
    uri: Uri,
    body: Body,
) -> Response {
    let Some(secret) = api.webhook_secret() else { return ApiError::NoSuchRoute.respond(&id) };
    if !is_secret(secret, uri.path().rsplit('/').next().unwrap_or_default()) {
        api.metrics().delivery(DeliveryOutcome::Denied);
        return ApiError::NoSuchRoute.respond(&id);
    }
    match body::whole(body, webhook::MAX_BYTES, api.body_timeout()).await {
        Ok(body) => {
            api.lookups().hints().deliver(body);
            StatusCode::NO_CONTENT.into_response()
        }
        Err(error) => {
            api.metrics().delivery(DeliveryOutcome::Unread);
            error.respond(&id)
        }
    }
}

/// Compares digests: the time says nothing about the secret, not even its length.
fn is_secret(secret: &SecretString, given: &str) -> bool {
    let (known, given) = (Sha256::digest(secret.expose_secret()), Sha256::digest(given));
    known.as_slice().ct_eq(given.as_slice()).into()
}
