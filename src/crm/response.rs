//! Which of the CRM's answers are answers, and what the others mean.
//!
//! Decided by status first, as titles and types of its error bodies vary (and may be in Russian). What a body says is asked in two
//! places only: a 403 is a missing right if the API itself said so and a block of our address otherwise, and a 429 may carry the length
//! of the pause in its body.

use std::time::Duration;

use bytes::Bytes;
use serde::Deserialize;

use super::{CrmError, CrmResponse, TransportError};

/// No pause asked of us is obeyed for longer: a slip of the CRM must not silence us for a day.
const LONGEST_PAUSE: Duration = Duration::from_secs(3_600);

/// The body of a good answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Body {
    /// 204: the CRM says that there is nothing.
    Nothing,
    /// Another good status and no body: nothing came, but nothing was said either.
    Blank,
    /// A body that claims to be JSON.
    Json(Bytes),
}

/// Tells answers from errors.
pub(super) fn classify(response: CrmResponse) -> Result<Body, CrmError> {
    match response.status.as_u16() {
        204 => Ok(Body::Nothing),
        200..=299 => good(response),
        401 => Err(CrmError::Unauthorized),
        402 => Err(CrmError::PaymentRequired),
        403 if is_json_object(&response.body) => Err(CrmError::Forbidden),
        403 => Err(CrmError::Blocked),
        404 => Err(CrmError::WrongHost),
        429 => Err(CrmError::RateLimited { retry_after: pause(&response) }),
        status @ 500..=599 => Err(CrmError::Server { status }),
        status => Err(CrmError::Rejected { status }),
    }
}

fn good(response: CrmResponse) -> Result<Body, CrmError> {
    if response.body.trim_ascii().is_empty() {
        return Ok(Body::Blank);
    }
    match response.content_type {
        Some(content_type) if !is_json_type(&content_type) => {
            Err(CrmError::Malformed { what: "its content type is not JSON" })
        }
        _ => Ok(Body::Json(response.body)),
    }
}

/// `application/json`, `application/hal+json` and their like, whatever parameters follow.
fn is_json_type(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence == "application/json" || essence.ends_with("+json")
}

pub(super) fn is_json_object(body: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct Object {}
    body.trim_ascii_start().starts_with(b"{") && serde_json::from_slice::<Object>(body).is_ok()
}

/// The longer of the two pauses if both header and body name one, so that both are obeyed.
fn pause(response: &CrmResponse) -> Option<Duration> {
    #[derive(Deserialize)]
    struct TooManyRequests {
        #[serde(default, deserialize_with = "super::wire::loose::id")]
        retry_after: Option<u64>,
    }
    let said = serde_json::from_slice::<TooManyRequests>(&response.body).ok().and_then(|body| body.retry_after);
    response.retry_after.max(said.map(Duration::from_secs)).map(|pause| pause.min(LONGEST_PAUSE))
}

impl From<TransportError> for CrmError {
    fn from(error: TransportError) -> Self {
        match error {
            TransportError::Connect => Self::Connect,
            TransportError::Timeout => Self::Timeout,
            TransportError::TooLarge => Self::Malformed { what: "it is larger than allowed" },
            TransportError::Unreadable => Self::Malformed { what: "it is not HTTP, or its encoding is broken" },
        }
    }
}

/// A response for tests.
#[cfg(test)]
pub(super) fn response(status: u16, content_type: &str, body: impl Into<Bytes>) -> CrmResponse {
    CrmResponse {
        status: http::StatusCode::from_u16(status).unwrap(),
        content_type: (!content_type.is_empty()).then(|| content_type.to_owned()),
        retry_after: None,
        date: None,
        body: body.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROBLEM: &str = "application/problem+json";

    fn error(status: u16, content_type: &str, body: &str) -> CrmError {
        classify(response(status, content_type, body.to_owned())).unwrap_err()
    }

    #[test]
    fn a_204_says_that_there_is_nothing_and_a_blank_200_does_not() {
        assert_eq!(classify(response(204, "", "")), Ok(Body::Nothing));
        assert_eq!(classify(response(200, "application/hal+json", "")), Ok(Body::Blank));
        assert_eq!(classify(response(200, "text/html", " \r\n")), Ok(Body::Blank));
    }

    #[test]
    fn json_is_taken_under_each_of_its_content_types() {
        for content_type in ["application/hal+json", "application/json; charset=utf-8", "Application/Problem+JSON", ""]
        {
            assert_eq!(classify(response(200, content_type, "{}")), Ok(Body::Json("{}".into())), "{content_type}");
        }
    }

    #[test]
    fn a_page_for_people_under_200_is_malformed() {
        assert!(matches!(error(200, "text/html", "<h1>Maintenance</h1>"), CrmError::Malformed { .. }));
        assert!(matches!(error(200, "text/plain", "{}"), CrmError::Malformed { .. }));
    }

    #[test]
    fn a_403_is_a_missing_right_only_if_the_api_says_so() {
        assert_eq!(error(403, PROBLEM, r#"{"title":"Forbidden","status":403}"#), CrmError::Forbidden);
        for body in ["403 Forbidden", "<html>403</html>", "", "[]", "\"no\"", "{", "403"] {
            assert_eq!(error(403, "text/html", body), CrmError::Blocked, "{body}");
        }
    }

    #[test]
    fn every_other_status_has_its_error_whatever_the_body() {
        for body in [r#"{"status":200}"#, "<html>", ""] {
            assert_eq!(error(401, PROBLEM, body), CrmError::Unauthorized);
            assert_eq!(error(402, PROBLEM, body), CrmError::PaymentRequired);
            assert_eq!(error(404, PROBLEM, body), CrmError::WrongHost);
            for status in [301, 302, 304, 307, 308, 400, 405, 408, 422, 451] {
                assert_eq!(error(status, PROBLEM, body), CrmError::Rejected { status });
            }
            for status in [500, 502, 503, 504, 520] {
                assert_eq!(error(status, PROBLEM, body), CrmError::Server { status });
            }
        }
    }

    #[test]
    fn the_pause_of_a_429_is_taken_from_header_and_body_within_reason() {
        let pause_of = |header: Option<u64>, body: &str| {
            let mut response = response(429, PROBLEM, body.to_owned());
            response.retry_after = header.map(Duration::from_secs);
            match classify(response).unwrap_err() {
                CrmError::RateLimited { retry_after } => retry_after.map(|pause| pause.as_secs()),
                other => panic!("{other}"),
            }
        };
        assert_eq!(pause_of(None, r#"{"retry_after":300}"#), Some(300));
        assert_eq!(pause_of(None, r#"{"retry_after":"300"}"#), Some(300));
        assert_eq!(pause_of(Some(5), "<html>"), Some(5));
        assert_eq!(pause_of(Some(5), r#"{"retry_after":7}"#), Some(7));
        assert_eq!(pause_of(Some(9), r#"{"retry_after":7}"#), Some(9));
        assert_eq!(pause_of(None, r#"{"retry_after":18446744073709551615}"#), Some(3_600));
        for body in ["<html>", "", "{}", "[]", r#"{"retry_after":-1}"#, r#"{"retry_after":null}"#] {
            assert_eq!(pause_of(None, body), None, "{body}");
        }
    }
}
