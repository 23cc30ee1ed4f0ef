//! May this request do that? Credentials as the phone systems can send them, compared with the [`Keys`].
//!
//! `Authorization: Bearer`, `Authorization: Basic` with the key as user or as password, `X-Api-Key`, and `?key=` for `format=text` with
//! keys of scope `text` only: a URL is written into logs and histories, so nothing more than a name may hang on it. A request without a
//! known key gets a 401 with a challenge, because several clients ask once without.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;
use http::header::AUTHORIZATION;

use super::error::ApiError;
use super::keys::{Keys, Scope};
use crate::render::Format;

/// The scope that an answer in this format needs.
pub(super) const fn needed(format: Format) -> Scope {
    match format {
        Format::Text => Scope::Text,
        _ => Scope::Lookup,
    }
}

/// Lets a request pass whose key has the scope. Without any keys everybody passes.
///
/// # Errors
/// No known key, or one whose scope does not reach.
pub(super) fn authorize(keys: &Keys, needed: Scope, headers: &HeaderMap, in_url: Option<&str>) -> Result<(), ApiError> {
    if keys.is_empty() {
        return Ok(());
    }
    let in_headers = candidates(headers).iter().filter_map(|key| keys.scope_of(key)).max();
    let in_url = in_url.and_then(|key| keys.scope_of(key.as_bytes()));
    match (in_headers, in_url) {
        (Some(scope), _) if scope >= needed => Ok(()),
        (None, Some(Scope::Text)) if needed == Scope::Text => Ok(()),
        (Some(Scope::Text), _) | (_, Some(Scope::Text)) => {
            Err(ApiError::Forbidden("keys of scope text may ask for format=text only"))
        }
        (Some(_), _) => Err(ApiError::Forbidden("this needs a key of scope admin")),
        (None, Some(_)) => Err(ApiError::Forbidden("only keys of scope text may stand in a URL")),
        (None, None) => Err(ApiError::Unauthorized),
    }
}

/// Everything in the headers that may be a key.
fn candidates(headers: &HeaderMap) -> Vec<Vec<u8>> {
    let mut found: Vec<Vec<u8>> = headers.get_all("x-api-key").iter().map(|key| key.as_bytes().to_vec()).collect();
    for value in headers.get_all(AUTHORIZATION) {
        let value = value.as_bytes();
        let space = value.iter().position(|b| *b == b' ').unwrap_or(value.len());
        let (scheme, rest) = value.split_at(space);
        let rest = rest.trim_ascii();
        if scheme.eq_ignore_ascii_case(b"bearer") {
            found.push(rest.to_vec());
        } else if scheme.eq_ignore_ascii_case(b"basic") {
            found.extend(user_and_password(rest));
        }
    }
    found
}

fn user_and_password(encoded: &[u8]) -> Vec<Vec<u8>> {
    let pair = STANDARD.decode(encoded).unwrap_or_default();
    let colon = pair.iter().position(|b| *b == b':').unwrap_or(pair.len());
    let (user, password) = pair.split_at(colon);
    [user, password.get(1..).unwrap_or_default()]
        .into_iter()
        .filter(|part| !part.is_empty())
        .map(<[u8]>::to_vec)
        .collect()
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn keys() -> Keys {
        Keys::parse("pbx:text:tttt,desk:lookup:llll,ops:admin:aaaa").unwrap()
    }

    fn status(needed: Scope, header: Option<(&'static str, String)>, in_url: Option<&str>) -> u16 {
        let mut headers = HeaderMap::new();
        if let Some((name, value)) = header {
            headers.insert(name, HeaderValue::try_from(value).unwrap());
        }
        authorize(&keys(), needed, &headers, in_url).map_or_else(|error| error.status().as_u16(), |()| 200)
    }

    fn bearer(key: &str) -> Option<(&'static str, String)> {
        Some(("authorization", format!("Bearer {key}")))
    }

    fn basic(pair: &str) -> Option<(&'static str, String)> {
        Some(("authorization", format!("Basic {}", STANDARD.encode(pair))))
    }

    #[test]
    fn a_key_is_found_wherever_a_client_can_put_it() {
        for header in [
            bearer("llll"),
            basic("llll:"),
            basic(":llll"),
            basic("llll"),
            basic("key:llll"),
            Some(("x-api-key", "llll".to_owned())),
            Some(("authorization", "bearer   llll".to_owned())),
            Some(("authorization", format!("BASIC {}", STANDARD.encode("key:llll")))),
        ] {
            assert_eq!(status(Scope::Lookup, header, None), 200);
        }
    }

    #[test]
    fn scopes_include_the_narrower_ones_and_no_wider_one() {
        let table = [
            ("tttt", Scope::Text, 200),
            ("tttt", Scope::Lookup, 403),
            ("tttt", Scope::Admin, 403),
            ("llll", Scope::Text, 200),
            ("llll", Scope::Lookup, 200),
            ("llll", Scope::Admin, 403),
            ("aaaa", Scope::Text, 200),
            ("aaaa", Scope::Lookup, 200),
            ("aaaa", Scope::Admin, 200),
        ];
        for (key, needed, expected) in table {
            assert_eq!(status(needed, bearer(key), None), expected, "{key} for {needed:?}");
        }
    }

    #[test]
    fn a_url_carries_text_keys_for_text_only() {
        assert_eq!(status(Scope::Text, None, Some("tttt")), 200);
        assert_eq!(status(Scope::Lookup, None, Some("tttt")), 403);
        assert_eq!(status(Scope::Text, None, Some("llll")), 403, "a wider key must not stand in a URL");
        assert_eq!(status(Scope::Text, None, Some("nope")), 401);
        assert_eq!(status(Scope::Lookup, bearer("llll"), Some("nope")), 200, "the header is enough");
    }

    #[test]
    fn without_a_known_key_there_is_a_challenge() {
        for header in
            [None, bearer(""), bearer("nope"), basic("a:b"), basic(":"), Some(("authorization", "Basic ???".into()))]
        {
            assert_eq!(status(Scope::Text, header, None), 401);
        }
        assert_eq!(status(Scope::Text, Some(("authorization", "Digest llll".into())), None), 401);
    }

    #[test]
    fn without_keys_everybody_passes() {
        assert!(authorize(&Keys::default(), Scope::Admin, &HeaderMap::new(), None).is_ok());
    }
}
