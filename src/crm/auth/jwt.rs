//! When a token says that it expires. A long-lived token cannot be asked about in any other way, and the CRM's are JWTs.
//!
//! Nothing is verified: the answer is for a warning, never for a decision about trust.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use serde::Deserialize;

/// The `exp` claim, if the token is a JWT and has one.
pub(super) fn expiry(token: &str) -> Option<Timestamp> {
    #[derive(Deserialize)]
    struct Claims {
        exp: Option<serde_json::Number>,
    }
    let mut parts = token.split('.');
    let (_header, claims, _signature) = (parts.next()?, parts.next()?, parts.next()?);
    let claims = URL_SAFE_NO_PAD.decode(claims.trim_end_matches('=')).ok()?;
    let exp = serde_json::from_slice::<Claims>(&claims).ok()?.exp?;
    // PHP writes whole seconds, but other issuers fractions.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a float beyond the range becomes its bound, which is no timestamp"
    )]
    let seconds = exp.as_i64().or_else(|| exp.as_f64().map(|seconds| seconds as i64))?;
    Timestamp::from_second(seconds).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(claims: &str) -> String {
        format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims))
    }

    #[test]
    fn the_expiry_of_a_jwt_is_read() {
        let at = |second| Some(Timestamp::from_second(second).unwrap());
        assert_eq!(expiry(&token(r#"{"exp":1767340800,"sub":"7"}"#)), at(1_767_340_800));
        assert_eq!(expiry(&token(r#"{"exp":1767340800.25}"#)), at(1_767_340_800));
    }

    #[test]
    fn a_token_that_does_not_say_has_none() {
        for claims in ["{}", r#"{"exp":null}"#, r#"{"exp":"soon"}"#, r#"{"exp":1e300}"#, "[]", "{", ""] {
            assert_eq!(expiry(&token(claims)), None, "{claims}");
        }
        for text in ["", "sandbox-token", "a.b", "a.%%%.c", "..", "е30.токен.c"] {
            assert_eq!(expiry(text), None, "{text}");
        }
    }
}
