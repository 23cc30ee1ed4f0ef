//! The head of an answer: all headers that one has, put together once a form and copied from then on.
//!
//! Copying a finished map and replacing the values that differ takes fewer instructions than putting ten headers into a new one. The values
//! that differ are written one after the other into one piece of memory ([`Sheet`]).

use std::sync::LazyLock;

use bytes::{Bytes, BytesMut};
use http::header::{
    AGE, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, REFERRER_POLICY, VARY, X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderMap, HeaderName, HeaderValue};

use super::cache_headers::{self, CACHE_STATUS};
use super::request_id::{RequestId, X_REQUEST_ID};
use crate::lookup::Freshness;
use crate::render::{self, Format};

/// Room for the values that differ from answer to answer: no header of ours is longer than these together.
const ROOM: usize = 320;

/// The values that differ.
pub(super) struct Varying<'a> {
    pub(super) id: &'a RequestId,
    pub(super) freshness: &'a Freshness,
    /// The version of the answer, in the form that has one.
    pub(super) tag: Option<&'a str>,
}

/// All headers of an answer in this form.
pub(super) fn head(format: Format, varying: &Varying<'_>) -> HeaderMap {
    static BARE: LazyLock<Vec<HeaderMap>> = LazyLock::new(|| Format::ALL.iter().map(|format| bare(*format)).collect());
    static TAGGED: LazyLock<HeaderMap> = LazyLock::new(|| with(bare(Format::Json), ETAG));
    let mut head = if varying.tag.is_some() { TAGGED.clone() } else { BARE[format as usize].clone() };
    let mut sheet = Sheet::new();
    for (name, value) in &mut head {
        if let Some(varied) = varying.value(name, format, &mut sheet) {
            *value = varied;
        }
    }
    head
}

impl Varying<'_> {
    fn value(&self, name: &HeaderName, format: Format, sheet: &mut Sheet) -> Option<HeaderValue> {
        if *name == AGE {
            sheet.number(self.freshness.age.as_secs());
        } else if *name == CACHE_STATUS {
            cache_headers::write_status(sheet, self.freshness);
        } else if *name == CACHE_CONTROL && format != Format::Html {
            sheet.text("private, max-age=");
            sheet.number(self.freshness.ttl.max(0).unsigned_abs());
        } else if *name == ETAG {
            sheet.text(self.tag.unwrap_or_default());
        } else if *name == X_REQUEST_ID {
            sheet.text(self.id.echo());
        } else {
            return None;
        }
        Some(sheet.cut())
    }
}

/// The headers of an answer in this form, those that differ without their values. A page is not stored by the browser: the next call is
/// about somebody else.
fn bare(format: Format) -> HeaderMap {
    let later = HeaderValue::from_static("");
    let mut head = HeaderMap::new();
    head.insert(CONTENT_TYPE, HeaderValue::from_static(format.content_type()));
    head.insert(CACHE_STATUS, later.clone());
    head.insert(AGE, later.clone());
    head.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    head.insert(VARY, HeaderValue::from_static("Accept"));
    if format == Format::Html {
        head.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(render::content_security_policy()));
        head.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    }
    head.insert(X_REQUEST_ID, later);
    head.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    head
}

fn with(mut head: HeaderMap, name: HeaderName) -> HeaderMap {
    head.insert(name, HeaderValue::from_static(""));
    head
}

/// Values written one after the other; each is cut off when it is whole.
pub(super) struct Sheet(BytesMut);

impl Sheet {
    pub(super) fn new() -> Self {
        Self(BytesMut::with_capacity(ROOM))
    }

    pub(super) fn text(&mut self, text: &str) {
        self.0.extend_from_slice(text.as_bytes());
    }

    pub(super) fn number(&mut self, number: impl itoa::Integer) {
        self.text(itoa::Buffer::new().format(number));
    }

    pub(super) fn cut(&mut self) -> HeaderValue {
        let value: Bytes = self.0.split().freeze();
        HeaderValue::from_maybe_shared(value).expect("values are made of visible ASCII")
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::outcome::CacheStatus;

    fn head_of(format: Format, status: CacheStatus, ttl: i64, tag: Option<&str>) -> HeaderMap {
        let freshness = Freshness { age: Duration::from_secs(12), ttl, ..Freshness::without_entry(status, None) };
        let id = RequestId::of(&HeaderMap::from_iter([(X_REQUEST_ID, HeaderValue::from_static("ring-7"))]));
        head(format, &Varying { id: &id, freshness: &freshness, tag })
    }

    #[test]
    fn every_form_has_every_header_of_its_own_with_a_value() {
        for format in Format::ALL {
            let head = head_of(*format, CacheStatus::Hit, 588, None);
            assert_eq!(head[CONTENT_TYPE], format.content_type());
            assert_eq!((&head[AGE], &head[X_REQUEST_ID]), (&12.into(), &HeaderValue::from_static("ring-7")));
            assert_eq!(head[CACHE_STATUS], "callcard; hit; ttl=588");
            assert_eq!(head.contains_key(CONTENT_SECURITY_POLICY), *format == Format::Html);
            assert!(head.values().all(|value| !value.is_empty()), "{head:?}");
        }
    }

    #[test]
    fn a_page_is_never_stored_and_a_stale_answer_is_not_fresh_for_anybody() {
        assert_eq!(head_of(Format::Json, CacheStatus::Hit, 588, None)[CACHE_CONTROL], "private, max-age=588");
        assert_eq!(head_of(Format::Json, CacheStatus::Stale, -3, None)[CACHE_CONTROL], "private, max-age=0");
        assert_eq!(head_of(Format::Html, CacheStatus::Hit, 588, None)[CACHE_CONTROL], "no-store");
    }

    #[test]
    fn only_an_answer_with_a_version_is_tagged() {
        assert_eq!(head_of(Format::Json, CacheStatus::Hit, 1, Some("W/\"a\""))[ETAG], "W/\"a\"");
        assert!(!head_of(Format::Json, CacheStatus::Hit, 1, None).contains_key(ETAG));
    }
}
