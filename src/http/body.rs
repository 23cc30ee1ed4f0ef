//! A request's body, whole or not at all.

use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError, Limited};

use super::error::ApiError;
use super::params::Fault;

/// The whole body, within the bounds of size and time.
pub(super) async fn whole(body: Body, most: usize, within: Duration) -> Result<Bytes, ApiError> {
    match tokio::time::timeout(within, Limited::new(body, most).collect()).await {
        Err(_) => Err(ApiError::BodyTimeout),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(ApiError::BodyTooLarge),
        Ok(Err(_)) => Err(ApiError::InvalidParameter(vec![Fault { parameter: "body", why: "broke off" }])),
        Ok(Ok(body)) => Ok(body.to_bytes()),
    }
}
