//! Answers as the API gives them: `application/hal+json` with content, 204 without anything, and errors in the three shapes in which they
//! come: problem+json, problem+json with additions, and the web server's own HTML.

use std::time::Duration;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_TYPE, LOCATION, RETRY_AFTER};
use http::{HeaderValue, StatusCode};
use serde_json::{Value, json};

/// A request that is not carried out.
#[derive(Clone, Copy, Debug)]
pub(super) enum Refusal {
    /// The token is missing, wrong, expired or revoked.
    Unauthorized,
    /// The token's user lacks a right.
    Forbidden,
    /// The account has no filter on custom fields.
    InvalidFilter,
    /// `limit` above 250.
    LimitTooLarge,
    /// The body is not what it should be.
    BadBody,
    /// There is no such path.
    NoSuchPath,
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        match self {
            Self::Unauthorized => unauthorized(),
            Self::Forbidden => problem(403, "Forbidden", "You do not have sufficient permissions"),
            Self::InvalidFilter => problem(400, "Bad Request", "Invalid filter for current account"),
            Self::LimitTooLarge => problem(422, "Unprocessable Entity", "Limit 250 per page"),
            Self::BadBody => validation_errors(),
            Self::NoSuchPath => problem(404, "Not Found", "Cannot GET this path"),
        }
    }
}

/// Content.
pub(super) fn hal(body: &Value) -> Response {
    with_body(200, "application/hal+json", body.to_string())
}

/// Nothing there: no body and no content type.
pub(super) fn no_content() -> Response {
    StatusCode::NO_CONTENT.into_response()
}

/// An error with the four usual members.
pub(super) fn problem(status: u16, title: &str, detail: &str) -> Response {
    problem_with(status, title, detail, json!({}))
}

fn problem_with(status: u16, title: &str, detail: &str, more: Value) -> Response {
    let mut body = json!({
        "title": title,
        "type": format!("https://httpstatus.es/{status}"),
        "status": status,
        "detail": detail,
    });
    if let (Some(body), Value::Object(more)) = (body.as_object_mut(), more) {
        body.extend(more);
    }
    with_body(status, "application/problem+json", body.to_string())
}

pub(super) fn unauthorized() -> Response {
    problem(401, "Unauthorized", "Invalid user name or password")
}

/// 400 with a list of what is wrong.
pub(super) fn validation_errors() -> Response {
    let error = json!({"code": "InvalidType", "path": "filter", "detail": "This value should be of type array."});
    let errors = json!({"validation-errors": [{"request_id": "0", "errors": [error]}]});
    problem_with(400, "Bad Request", "Request validation failed", errors)
}

/// 429 with the time to wait in the body and, where asked for, in a header.
pub(super) fn rate_limited(wait: Duration, header: bool) -> Response {
    let seconds = wait.as_secs_f64().ceil() as u64;
    let detail = "You have sent too many requests in a given amount of time. Please try again later.";
    let mut response = problem_with(429, "Too Many Requests", detail, json!({"retry_after": seconds}));
    if header {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

/// 500, which has no `type` and a `trace_id`.
pub(super) fn server_error() -> Response {
    let trace_id = format!("{:032x}", fastrand::u128(..));
    let body =
        json!({"title": "ErrInternalServer", "status": 500, "detail": "Internal server error", "trace_id": trace_id});
    with_body(500, "application/problem+json", body.to_string())
}

/// What the token endpoint says when it refuses; the text comes in the vendor's first language.
pub(super) fn oauth_problem(status: u16, hint: &str) -> Response {
    let body = json!({
        "hint": hint,
        "title": "Некорректный запрос",
        "type": "https://developers.amocrm.ru/v3/errors/OAuthProblemJson",
        "status": status,
        "detail": "В запросе отсутствует ряд параметров или параметры невалидны",
    });
    with_body(status, "application/problem+json", body.to_string())
}

/// A page of the web server in front of the API.
pub(super) fn html(status: u16, title: &str) -> Response {
    let page = format!(
        "<html>\r\n<head><title>{status} {title}</title></head>\r\n<body>\r\n<center><h1>{status} {title}</h1></center>\r\n<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n"
    );
    with_body(status, "text/html", page)
}

/// The address is blocked.
pub(super) fn blocked() -> Response {
    html(403, "Forbidden")
}

/// A redirect, as a renamed account gives it.
pub(super) fn redirect(to: &str) -> Response {
    let mut response = html(302, "Found");
    let location = HeaderValue::from_str(to).expect("a parsed URL is printable");
    response.headers_mut().insert(LOCATION, location);
    response
}

pub(super) fn with_body(status: u16, content_type: &'static str, body: impl Into<Body>) -> Response {
    let mut response = Response::new(body.into());
    *response.status_mut() = StatusCode::from_u16(status).expect("every status here is a constant");
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}
