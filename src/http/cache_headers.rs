//! What people with `curl -i` are told about an answer's way (`Cache-Status`, RFC 9211), and whether a caller has an answer already
//! (`If-None-Match`). Where these stand among the other headers: [`super::head`].

use http::header::IF_NONE_MATCH;
use http::{HeaderMap, HeaderName, HeaderValue};

use super::head::Sheet;
use crate::lookup::{Forwarded, Freshness};
use crate::outcome::CacheStatus;

pub(super) const CACHE_STATUS: HeaderName = HeaderName::from_static("cache-status");

/// `Cache-Status` of an answer.
pub(super) fn write_status(sheet: &mut Sheet, freshness: &Freshness) {
    let detail = freshness.detail.or(match freshness.status {
        CacheStatus::Skipped | CacheStatus::Directory => Some(freshness.status.as_str()),
        _ => None,
    });
    write_status_with(sheet, freshness, detail);
}

/// `Cache-Status` of a failure; the problem's code stands where an answer's remark does, so that it is seen in the formats without
/// problem documents too.
pub(super) fn failure_status(freshness: &Freshness, code: &'static str) -> HeaderValue {
    let mut sheet = Sheet::new();
    write_status_with(&mut sheet, &Freshness { status: CacheStatus::Rejected, ..*freshness }, Some(code));
    sheet.cut()
}

fn write_status_with(sheet: &mut Sheet, freshness: &Freshness, detail: Option<&'static str>) {
    sheet.text("callcard");
    match (freshness.forwarded, freshness.status) {
        (Some(Forwarded::Miss), _) => sheet.text("; fwd=miss"),
        (Some(Forwarded::Stale), _) => sheet.text("; fwd=stale"),
        (None, CacheStatus::Skipped | CacheStatus::Rejected) => {}
        (None, _) => {
            sheet.text("; hit; ttl=");
            sheet.number(freshness.ttl);
        }
    }
    if freshness.status == CacheStatus::Coalesced {
        sheet.text("; collapsed");
    }
    if let Some(detail) = detail {
        let quote = if is_token(detail) { "" } else { "\"" };
        ["; detail=", quote, detail, quote].into_iter().for_each(|part| sheet.text(part));
    }
}

/// Whether a word may stand unquoted (RFC 9651 §3.3.4).
fn is_token(word: &str) -> bool {
    word.starts_with(|c: char| c.is_ascii_alphabetic())
        && word.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.:/".contains(&b))
}

/// Whether the caller has this version already: weak comparison (RFC 9110 §13.1.2).
pub(super) fn is_known(headers: &HeaderMap, etag: &str) -> bool {
    let opaque = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
    let known = headers.get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    known.flat_map(|value| value.split(',')).any(|tag| tag.trim() == "*" || opaque(tag) == opaque(etag))
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
            .map(|(status, forwarded, ttl, detail)| {
                let mut sheet = Sheet::new();
                write_status(&mut sheet, &freshness(status, forwarded, ttl, detail));
                sheet.cut()
            })
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
