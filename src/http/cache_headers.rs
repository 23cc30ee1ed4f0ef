//! What HTTP caches and people with `curl -i` are told about an answer's way and age: `Cache-Status` (RFC 9211), `Age`, `Cache-Control`,
//! `ETag` and the comparison with `If-None-Match`.

use http::header::{AGE, CACHE_CONTROL, ETAG, IF_NONE_MATCH};
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::lookup::{Forwarded, Freshness};
use crate::outcome::CacheStatus;

pub(super) const CACHE_STATUS: HeaderName = HeaderName::from_static("cache-status");

/// `Cache-Status` of an answer.
pub(super) fn cache_status(freshness: &Freshness) -> HeaderValue {
    status_with(
        freshness,
        freshness.detail.or(match freshness.status {
            CacheStatus::Skipped | CacheStatus::Directory => Some(freshness.status.as_str()),
            _ => None,
        }),
    )
}

/// `Cache-Status` of a failure; the problem's code stands where an answer's remark does, so that it is seen in the formats without
/// problem documents too.
pub(super) fn failure_status(freshness: &Freshness, code: &'static str) -> HeaderValue {
    status_with(&Freshness { status: CacheStatus::Rejected, ..*freshness }, Some(code))
}

fn status_with(freshness: &Freshness, detail: Option<&'static str>) -> HeaderValue {
    let mut member = String::with_capacity(64);
    member.push_str("callcard");
    match (freshness.forwarded, freshness.status) {
        (Some(Forwarded::Miss), _) => member.push_str("; fwd=miss"),
        (Some(Forwarded::Stale), _) => member.push_str("; fwd=stale"),
        (None, CacheStatus::Skipped | CacheStatus::Rejected) => {}
        (None, _) => {
            member.push_str("; hit; ttl=");
            member.push_str(itoa::Buffer::new().format(freshness.ttl));
        }
    }
    if freshness.status == CacheStatus::Coalesced {
        member.push_str("; collapsed");
    }
    if let Some(detail) = detail {
        let quote = if is_token(detail) { "" } else { "\"" };
        member.extend(["; detail=", quote, detail, quote]);
    }
    HeaderValue::try_from(member).expect("made of words of this crate and numbers")
}

/// Whether a word may stand unquoted (RFC 9651 §3.3.4).
fn is_token(word: &str) -> bool {
    word.starts_with(|c: char| c.is_ascii_alphabetic())
        && word.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.:/".contains(&b))
}

/// Adds what concerns the age of an answer. A page is not stored by the browser: the next call is about somebody else.
pub(super) fn describe(headers: &mut HeaderMap, freshness: &Freshness, is_page: bool) {
    headers.insert(CACHE_STATUS, cache_status(freshness));
    headers.insert(AGE, HeaderValue::from(freshness.age.as_secs()));
    headers.insert(CACHE_CONTROL, if is_page { HeaderValue::from_static("no-store") } else { private(freshness.ttl) });
}

fn private(ttl: i64) -> HeaderValue {
    let mut number = itoa::Buffer::new();
    let value = ["private, max-age=", number.format(ttl.max(0))].concat();
    HeaderValue::try_from(value).expect("a number is a header value")
}

/// Whether the caller has this version already: weak comparison (RFC 9110 §13.1.2).
pub(super) fn is_known(headers: &HeaderMap, etag: &str) -> bool {
    let opaque = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
    let known = headers.get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    known.flat_map(|value| value.split(',')).any(|tag| tag.trim() == "*" || opaque(tag) == opaque(etag))
}

/// Adds the version of an answer.
pub(super) fn tag(headers: &mut HeaderMap, etag: &str) {
    headers.insert(ETAG, HeaderValue::try_from(etag).expect("a tag is made of visible ASCII"));
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn freshness(
        status: CacheStatus,
        forwarded: Option<Forwarded>,
        ttl: i64,
        detail: Option<&'static str>,
    ) -> Freshness {
        Freshness { status, forwarded, age: Duration::from_secs(12), ttl, detail }
    }

    #[test]
    fn every_way_to_an_answer_is_told() {
        let table = [
            (CacheStatus::Hit, None, 588, None),
            (CacheStatus::Miss, Some(Forwarded::Miss), 600, None),
            (CacheStatus::Miss, Some(Forwarded::Stale), 600, None),
            (CacheStatus::Coalesced, Some(Forwarded::Miss), 600, None),
            (CacheStatus::Stale, None, -30, Some("hold")),
            (CacheStatus::Stale, None, -30, Some("soft deadline")),
            (CacheStatus::Directory, None, 60, None),
            (CacheStatus::Skipped, None, 0, None),
        ];
        let lines: Vec<_> = table
            .map(|(status, forwarded, ttl, detail)| cache_status(&freshness(status, forwarded, ttl, detail)))
            .iter()
            .map(|value| value.to_str().unwrap().to_owned())
            .collect();
        insta::assert_snapshot!(lines.join("\n"), @r#"
        callcard; hit; ttl=588
        callcard; fwd=miss
        callcard; fwd=stale
        callcard; fwd=miss; collapsed
        callcard; hit; ttl=-30; detail=hold
        callcard; hit; ttl=-30; detail="soft deadline"
        callcard; hit; ttl=60; detail=directory
        callcard; detail=skipped
        "#);
    }

    #[test]
    fn a_failure_says_its_code() {
        let waited = freshness(CacheStatus::Miss, Some(Forwarded::Miss), 0, None);
        assert_eq!(failure_status(&waited, "upstream-timeout"), "callcard; fwd=miss; detail=upstream-timeout");
        let refused = freshness(CacheStatus::Rejected, None, 0, Some("hold"));
        assert_eq!(failure_status(&refused, "upstream-unavailable"), "callcard; detail=upstream-unavailable");
    }

    #[test]
    fn a_page_is_never_stored_and_a_stale_answer_is_not_fresh_for_anybody() {
        let mut headers = HeaderMap::new();
        describe(&mut headers, &freshness(CacheStatus::Hit, None, 588, None), false);
        assert_eq!((&headers[CACHE_CONTROL], &headers[AGE]), (&"private, max-age=588".parse().unwrap(), &12.into()));
        describe(&mut headers, &freshness(CacheStatus::Stale, None, -3, None), false);
        assert_eq!(headers[CACHE_CONTROL], "private, max-age=0");
        describe(&mut headers, &freshness(CacheStatus::Hit, None, 588, None), true);
        assert_eq!(headers[CACHE_CONTROL], "no-store");
    }

    #[test]
    fn a_version_is_known_by_weak_comparison() {
        let mut headers = HeaderMap::new();
        assert!(!is_known(&headers, "W/\"a\""));
        headers.append(IF_NONE_MATCH, HeaderValue::from_static("\"b\", \"a\""));
        assert!(is_known(&headers, "W/\"a\""));
        assert!(!is_known(&headers, "W/\"c\""));
        headers.append(IF_NONE_MATCH, HeaderValue::from_static("*"));
        assert!(is_known(&headers, "W/\"c\""));
    }
}
