//! Which form of the answer a caller wants.
//!
//! `format=` beats `profile=`, and both beat `Accept`, because many phone systems cannot set a header. libcurl's clients send `*/*`: that,
//! or nothing, is JSON.
//! `flat` shares JSON's media type and can only be asked for by name.

use http::HeaderMap;
use http::header::ACCEPT;

use super::error::ApiError;
use super::params::Params;
use super::query::profile;
use crate::render::Format;

/// The form for this request.
///
/// # Errors
/// `format=` or `profile=` names none, or `Accept` takes none of ours.
pub(super) fn choose(params: &mut Params, headers: &HeaderMap) -> Result<Format, ApiError> {
    let named = params.read("format", WORDS, |text| text.parse().ok());
    let format = named.or_else(|| profile(params).map(|profile| profile.format));
    match format {
        _ if params.refuses("format") => Err(ApiError::InvalidParameter(params.faults().to_vec())),
        Some(format) => Ok(format),
        None if params.refuses("profile") => Err(ApiError::InvalidParameter(params.faults().to_vec())),
        None => accepted(headers).ok_or(ApiError::NotAcceptable),
    }
}

const WORDS: &str = "must be one of json, text, html, vcard, xml, flat, hash";

/// Whether the headers leave the form to us: no `Accept`, or libcurl's.
pub(super) fn takes_anything(headers: &HeaderMap) -> bool {
    let mut values = headers.get_all(ACCEPT).iter();
    values.next().is_none_or(|only| only == "*/*") && values.next().is_none()
}

/// The best of our forms for an `Accept` header; JSON if there is none, or none that can be read.
fn accepted(headers: &HeaderMap) -> Option<Format> {
    if takes_anything(headers) {
        return Some(Format::Json);
    }
    let values: Vec<&str> = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok()).collect();
    let ranges: Vec<Range> = values.iter().flat_map(|value| value.split(',')).filter_map(Range::parse).collect();
    if ranges.is_empty() {
        return Some(Format::Json);
    }
    Format::ALL
        .iter()
        .filter(|format| **format != Format::Flat)
        .filter_map(|format| Some((preference(&ranges, *format)?, *format)))
        .reduce(|best, next| if next.0 > best.0 { next } else { best })
        .map(|(_, format)| format)
}

/// How much a format is wanted: by weight, then by place in the header. Nothing if it is not.
fn preference(ranges: &[Range], format: Format) -> Option<(u16, std::cmp::Reverse<usize>)> {
    ranges
        .iter()
        .enumerate()
        .filter_map(|(place, range)| Some((range.specificity(format)?, place, range.weight)))
        .reduce(|best, next| if next.0 > best.0 { next } else { best })
        .filter(|(_, _, weight)| *weight > 0)
        .map(|(_, place, weight)| (weight, std::cmp::Reverse(place)))
}

/// One media range of an `Accept` header; the weight in thousandths.
struct Range {
    kind: String,
    subtype: String,
    weight: u16,
}

impl Range {
    fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split(';').map(str::trim);
        let (kind, subtype) = parts.next()?.split_once('/')?;
        let weight =
            parts.filter_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q="))).map(weight).next();
        Some(Self {
            kind: kind.to_ascii_lowercase(),
            subtype: subtype.to_ascii_lowercase(),
            weight: weight.unwrap_or(Some(1000))?,
        })
    }

    /// How closely the range names a format; nothing if it does not.
    fn specificity(&self, format: Format) -> Option<u8> {
        let (kind, subtype) = format.media_type().split_once('/')?;
        let is_kind =
            self.kind == kind || (format == Format::Xml && self.kind == "application" && self.subtype == "xml");
        match (self.kind.as_str(), self.subtype.as_str()) {
            ("*", "*") => Some(0),
            (_, "*") if is_kind => Some(1),
            (_, named) if is_kind && named == subtype => Some(2),
            _ => None,
        }
    }
}

/// A weight of RFC 9110: `0`, `1`, or with up to three decimals.
fn weight(text: &str) -> Option<u16> {
    let weight: f32 = text.parse().ok()?;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked to be from 0 to 1000")]
    (0.0..=1.0).contains(&weight).then(|| (weight * 1000.0).round() as u16)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn by(query: &str, accept: &[&'static str]) -> Result<Format, u16> {
        let mut headers = HeaderMap::new();
        for value in accept {
            headers.append(ACCEPT, HeaderValue::from_static(value));
        }
        choose(&mut Params::decode(query), &headers).map_err(|error| error.status().as_u16())
    }

    fn accept(value: &'static str) -> Result<Format, u16> {
        by("", &[value])
    }

    #[test]
    fn json_is_the_answer_to_nothing_and_to_everything() {
        assert_eq!(by("", &[]), Ok(Format::Json));
        assert_eq!(by("format=", &[]), Ok(Format::Json));
        assert_eq!(accept("*/*"), Ok(Format::Json));
        assert_eq!(accept("application/*"), Ok(Format::Json));
        assert_eq!(accept("nonsense"), Ok(Format::Json));
    }

    #[test]
    fn the_parameter_beats_the_header() {
        assert_eq!(by("format=text", &["text/html"]), Ok(Format::Text));
        assert_eq!(by("format=flat", &["image/png"]), Ok(Format::Flat));
        assert_eq!(by("format=yaml", &["text/html"]), Err(400));
        assert_eq!(by("format=JSON", &[]), Err(400), "words are exact");
        assert_eq!(by("format=text&format=json", &[]), Err(400), "two different formats are none");
    }

    #[test]
    fn a_profile_has_its_format_which_the_parameter_beats_and_the_header_does_not() {
        assert_eq!(by("profile=connect", &["text/html"]), Ok(Format::Flat));
        assert_eq!(by("profile=asterisk&format=json", &[]), Ok(Format::Json));
        assert_eq!(by("profile=", &["text/html"]), Ok(Format::Html));
        assert_eq!(by("profile=pbx", &["text/plain"]), Err(400));
        assert_eq!(by("profile=pbx&format=text", &[]), Ok(Format::Text), "the fault is told in that form");
        assert_eq!(by("profile=asterisk&format=yaml", &[]), Err(400));
    }

    #[test]
    fn a_browser_gets_the_page() {
        assert_eq!(
            accept("text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8"),
            Ok(Format::Html)
        );
    }

    #[test]
    fn each_media_type_names_its_format() {
        assert_eq!(accept("application/json"), Ok(Format::Json));
        assert_eq!(accept("text/plain"), Ok(Format::Text));
        assert_eq!(accept("text/html"), Ok(Format::Html));
        assert_eq!(accept("text/vcard"), Ok(Format::Vcard));
        assert_eq!(accept("text/xml"), Ok(Format::Xml));
        assert_eq!(accept("application/xml"), Ok(Format::Xml));
        assert_eq!(accept("application/x-www-form-urlencoded"), Ok(Format::Hash));
    }

    #[test]
    fn weights_decide_then_the_order_of_the_header() {
        assert_eq!(accept("text/html;q=0.5, text/vcard;q=0.8"), Ok(Format::Vcard));
        assert_eq!(accept("text/html, text/plain"), Ok(Format::Html));
        assert_eq!(accept("text/plain, text/html"), Ok(Format::Text));
        assert_eq!(by("", &["text/html;q=0.1", "text/plain"]), Ok(Format::Text), "two lines are one list");
        assert_eq!(accept("application/json;q=0, */*"), Ok(Format::Text), "zero is a refusal");
        assert_eq!(accept("TEXT/HTML ; Q=1"), Ok(Format::Html));
    }

    #[test]
    fn a_header_that_takes_nothing_of_ours_is_406() {
        assert_eq!(accept("image/png"), Err(406));
        assert_eq!(accept("*/*;q=0"), Err(406));
        assert_eq!(accept("application/json;q=0"), Err(406));
    }

    #[test]
    fn a_weight_that_is_none_is_skipped_with_its_range() {
        assert_eq!(accept("text/html;q=7, text/plain"), Ok(Format::Text));
        assert_eq!(accept("text/html;q=NaN, text/plain"), Ok(Format::Text));
    }
}
