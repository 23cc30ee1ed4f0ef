//! Why a request was refused or could not be answered: the only place where that becomes an HTTP status and a text for the caller.
//!
//! Bodies are problem documents (RFC 9457) with a stable code. The texts are for whoever built the client: they say what to do, never
//! repeat a value that was sent, and show nothing of what is inside. Formats with a form of their own for failures get it from
//! [`super::reply`].

use std::borrow::Cow;
use std::time::Duration;

use axum::response::Response;
use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue, StatusCode};
use serde::Serialize;

use super::params::Fault;
use super::request_id::RequestId;
use crate::lookup::LookupError;
use crate::phone::InvalidPhone;

/// A request that gets no answer. Each variant is one code of the contract.
#[derive(Clone, Debug)]
pub(super) enum ApiError {
    /// Not a possible phone number.
    InvalidPhone(InvalidPhone),
    /// One or more parameters are wrong.
    InvalidParameter(Vec<Fault>),
    /// No key, or one that is not known.
    Unauthorized,
    /// A known key that may not do this; the text says what it may not.
    Forbidden(&'static str),
    /// No such path.
    NoSuchRoute,
    /// The path is there, the method is not.
    MethodNotAllowed,
    /// None of our forms is accepted.
    NotAcceptable,
    /// Nothing is kept under that name.
    NoSuchEntry,
    /// The body did not come whole in time.
    BodyTimeout,
    /// The body is larger than the bound.
    BodyTooLarge,
    /// The lookup itself failed.
    Lookup(LookupError),
    /// A defect of this program.
    Internal,
}

impl ApiError {
    /// The status of the response.
    pub(super) const fn status(&self) -> StatusCode {
        match self {
            Self::InvalidPhone(_) | Self::InvalidParameter(_) => StatusCode::BAD_REQUEST,
            Self::Unauthorized => StatusCode::UNAUTHORIZED,
            Self::Forbidden(_) => StatusCode::FORBIDDEN,
            Self::NoSuchRoute | Self::NoSuchEntry => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::NotAcceptable => StatusCode::NOT_ACCEPTABLE,
            Self::BodyTimeout => StatusCode::REQUEST_TIMEOUT,
            Self::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Lookup(LookupError::UpstreamFailed) => StatusCode::BAD_GATEWAY,
            Self::Lookup(LookupError::UpstreamUnavailable { .. } | LookupError::Overloaded { .. }) => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            Self::Lookup(LookupError::UpstreamTimeout) => StatusCode::GATEWAY_TIMEOUT,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// The stable word that clients may decide on.
    pub(super) const fn code(&self) -> &'static str {
        match self {
            Self::InvalidPhone(_) => "invalid-phone",
            Self::InvalidParameter(_) => "invalid-parameter",
            Self::Unauthorized => "unauthorized",
            Self::Forbidden(_) => "forbidden",
            Self::NoSuchRoute => "no-such-route",
            Self::MethodNotAllowed => "method-not-allowed",
            Self::NotAcceptable => "not-acceptable",
            Self::NoSuchEntry => "no-such-entry",
            Self::BodyTimeout => "body-timeout",
            Self::BodyTooLarge => "body-too-large",
            Self::Lookup(LookupError::UpstreamFailed) => "upstream-failed",
            Self::Lookup(LookupError::UpstreamUnavailable { .. }) => "upstream-unavailable",
            Self::Lookup(LookupError::Overloaded { .. }) => "overloaded",
            Self::Lookup(LookupError::UpstreamTimeout) => "upstream-timeout",
            Self::Internal => "internal",
        }
    }

    /// The same for every occurrence of the code.
    const fn title(&self) -> &'static str {
        match self {
            Self::InvalidPhone(_) => "Not a possible phone number",
            Self::InvalidParameter(_) => "Invalid parameter",
            Self::Unauthorized => "A key is needed",
            Self::Forbidden(_) => "Not with this key",
            Self::NoSuchRoute => "No such route",
            Self::MethodNotAllowed => "Method not allowed",
            Self::NotAcceptable => "Not acceptable",
            Self::NoSuchEntry => "No such entry",
            Self::BodyTimeout => "The body came too slowly",
            Self::BodyTooLarge => "The body is too large",
            Self::Lookup(LookupError::UpstreamFailed) => "The CRM failed",
            Self::Lookup(LookupError::UpstreamUnavailable { .. }) => "The CRM is unavailable",
            Self::Lookup(LookupError::Overloaded { .. }) => "Overloaded",
            Self::Lookup(LookupError::UpstreamTimeout) => "The CRM is slow",
            Self::Internal => "Internal error",
        }
    }

    /// What is wrong this time and what to do about it.
    pub(super) fn detail(&self) -> Cow<'static, str> {
        match self {
            Self::InvalidPhone(reason) => invalid_phone(*reason).into(),
            Self::InvalidParameter(faults) => {
                faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ").into()
            }
            Self::Forbidden(what) => (*what).into(),
            Self::Unauthorized => {
                "send a known key as 'Authorization: Bearer', as user or password of 'Authorization: Basic', or as 'X-Api-Key'"
                    .into()
            }
            Self::NoSuchRoute => "there is nothing at this path; /openapi.json lists what there is".into(),
            Self::MethodNotAllowed => "the Allow header lists the methods of this path".into(),
            Self::NotAcceptable => {
                "Accept takes none of the media types on offer; ask with format=json, text, html, vcard, xml, flat or hash"
                    .into()
            }
            Self::NoSuchEntry => "nothing is kept under this name".into(),
            Self::BodyTimeout => "the request's body did not arrive in time".into(),
            Self::BodyTooLarge => "the request's body is larger than this endpoint takes".into(),
            Self::Lookup(error) => lookup_detail(error).into(),
            Self::Internal => "the request met a defect of the service; the request id finds it in the log".into(),
        }
    }

    /// When to ask again, where that is known.
    pub(super) const fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Lookup(
                LookupError::UpstreamUnavailable { retry_after } | LookupError::Overloaded { retry_after },
            ) => Some(*retry_after),
            _ => None,
        }
    }

    /// The problem document.
    pub(super) fn problem<'a>(&self, id: &'a RequestId) -> Problem<'a> {
        Problem {
            kind: format!("urn:callcard:problem:{}", self.code()),
            title: self.title(),
            status: self.status().as_u16(),
            detail: self.detail(),
            code: self.code(),
            reason: match self {
                Self::InvalidPhone(reason) => Some(reason.as_str()),
                _ => None,
            },
            request_id: id.as_str(),
        }
    }

    /// The whole response, with a problem document.
    pub(super) fn respond(&self, id: &RequestId) -> Response {
        let body = serde_json::to_vec(&self.problem(id)).expect("a problem is made of strings and a number");
        self.respond_with(HeaderValue::from_static("application/problem+json"), self.status(), body.into())
    }

    /// The whole response, with a body in the caller's own form.
    pub(super) fn respond_with(&self, content_type: HeaderValue, status: StatusCode, body: Bytes) -> Response {
        let mut response = Response::new(body.into());
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, content_type);
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        self.add_headers(headers);
        response
    }

    fn add_headers(&self, headers: &mut HeaderMap) {
        if let Some(wait) = self.retry_after() {
            headers.insert(RETRY_AFTER, HeaderValue::from(whole_seconds(wait)));
        }
        if matches!(self, Self::Unauthorized) {
            // Two lines: several phone systems read only the first, and Basic is the one they can answer.
            headers.append(WWW_AUTHENTICATE, HeaderValue::from_static(r#"Basic realm="callcard", charset="UTF-8""#));
            headers.append(WWW_AUTHENTICATE, HeaderValue::from_static(r#"Bearer realm="callcard""#));
        }
    }
}

impl From<LookupError> for ApiError {
    fn from(error: LookupError) -> Self {
        Self::Lookup(error)
    }
}

/// A problem document, in the order of the contract.
#[derive(Serialize)]
pub(super) struct Problem<'a> {
    #[serde(rename = "type")]
    kind: String,
    title: &'static str,
    status: u16,
    detail: Cow<'static, str>,
    code: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    request_id: &'a str,
}

fn invalid_phone(reason: InvalidPhone) -> &'static str {
    match reason.as_str() {
        "TOO_SHORT" => "the number has too few digits for its country",
        "TOO_LONG" => "the number has too many digits for its country",
        "INVALID_COUNTRY_CODE" => "the number begins with no known country code",
        "INVALID_LENGTH" => "no number of its country has as many digits",
        _ => "the text is not a phone number",
    }
}

const fn lookup_detail(error: &LookupError) -> &'static str {
    match error {
        LookupError::UpstreamFailed => "the CRM's answer could not be used, and nothing is cached for this number",
        LookupError::UpstreamUnavailable { .. } => {
            "calls to the CRM are suspended, and nothing is cached for this number"
        }
        LookupError::Overloaded { .. } => "the CRM's request quota cannot be met within the deadline",
        LookupError::UpstreamTimeout => {
            "the deadline passed; the answer is still being fetched and the next call will find it"
        }
    }
}

/// Rounded up, and never zero: a client that is told 0 comes back at once.
fn whole_seconds(wait: Duration) -> u64 {
    (wait.as_secs() + u64::from(wait.subsec_nanos() > 0)).max(1)
}

#[cfg(test)]
mod tests;
