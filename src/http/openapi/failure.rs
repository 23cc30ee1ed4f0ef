//! The shapes of failures, for the OpenAPI document only.

#![expect(dead_code, reason = "the types are read by the derive macros only")]

use utoipa::{IntoResponses, ToSchema};

/// A problem document (RFC 9457).
#[derive(ToSchema)]
#[schema(as = Problem)]
pub(crate) struct ProblemBody {
    #[schema(rename = "type", example = "urn:callcard:problem:invalid-phone")]
    kind: String,
    title: String,
    status: u16,
    detail: String,
    /// The stable word to decide on.
    #[schema(example = "invalid-phone")]
    code: String,
    /// libphonenumber's reason; with `invalid-phone` only.
    #[schema(required = false, example = "TOO_SHORT")]
    reason: Option<String>,
    /// What the request is called in the log.
    request_id: String,
}

/// What every lookup can meet instead of an answer. text, hash, xml and html keep their own forms.
#[derive(IntoResponses)]
pub(crate) enum Refusals {
    /// The number or a parameter is wrong.
    #[response(status = 400, content_type = "application/problem+json")]
    Invalid(ProblemBody),
    /// No key, or one that is not known.
    #[response(status = 401, content_type = "application/problem+json", headers(("WWW-Authenticate" = String)))]
    Unauthorized(ProblemBody),
    /// A known key that may not do this.
    #[response(status = 403, content_type = "application/problem+json")]
    Forbidden(ProblemBody),
    /// The CRM failed and nothing is cached.
    #[response(status = 502, content_type = "application/problem+json")]
    UpstreamFailed(ProblemBody),
    /// The CRM is unavailable, or its quota cannot be met in time, and nothing is cached.
    #[response(status = 503, content_type = "application/problem+json", headers(("Retry-After" = u64)))]
    Unavailable(ProblemBody),
    /// The deadline passed; the answer is still being fetched.
    #[response(status = 504, content_type = "application/problem+json")]
    Timeout(ProblemBody),
    /// A defect.
    #[response(status = 500, content_type = "application/problem+json")]
    Internal(ProblemBody),
}

/// The same on a page: each says what happened in an agent's words, and offers another try where that can help.
#[derive(IntoResponses)]
pub(crate) enum PageRefusals {
    /// The number or a parameter is wrong; the page asks for the number.
    #[response(status = 400, content_type = "text/html")]
    Invalid(String),
    /// No key, or one that is not known.
    #[response(status = 401, content_type = "text/html", headers(("WWW-Authenticate" = String)))]
    Unauthorized(String),
    /// A known key that may not do this.
    #[response(status = 403, content_type = "text/html")]
    Forbidden(String),
    /// The CRM failed and nothing is cached.
    #[response(status = 502, content_type = "text/html")]
    UpstreamFailed(String),
    /// The CRM is unavailable, or its quota cannot be met in time, and nothing is cached.
    #[response(status = 503, content_type = "text/html", headers(("Retry-After" = u64)))]
    Unavailable(String),
    /// The deadline passed; the answer is still being fetched.
    #[response(status = 504, content_type = "text/html")]
    Timeout(String),
    /// A defect.
    #[response(status = 500, content_type = "application/problem+json")]
    Internal(ProblemBody),
}
