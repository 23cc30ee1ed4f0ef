//! From an answer, or a refusal, to a response in the caller's own form.
//!
//! Where the status and the body come from: [`crate::render`] for every answer and for the failures of the formats that keep a form of
//! their own (a telephone switch shows whatever body it gets, so it must get a line); a problem document for all other failures.

use std::borrow::Cow;

use axum::response::Response;
use http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, VARY};
use http::{HeaderMap, HeaderValue, StatusCode};
use jiff::Timestamp;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::cache_headers;
use super::error::ApiError;
use super::head::{Varying, head};
use super::query::LookupQuery;
use super::request_id::RequestId;
use crate::card::Tag;
use crate::crm::WebLinks;
use crate::lookup::{Answer, Freshness, LookupFailure};
use crate::phone::Number;
use crate::render::{self, Asked, Failure, Format, Options};

/// A refusal, and what is known of the question beside it.
#[derive(Debug)]
pub(super) struct Refusal {
    /// Why.
    pub(super) error: ApiError,
    /// The number, where it could be read.
    pub(super) number: Option<Number>,
    /// How far the lookup came, if there was one.
    freshness: Freshness,
}

impl From<ApiError> for Refusal {
    fn from(error: ApiError) -> Self {
        Self { error, number: None, freshness: Freshness::skipped() }
    }
}

impl From<LookupFailure> for Refusal {
    fn from(failure: LookupFailure) -> Self {
        Self { error: failure.error.into(), number: Some(failure.number), freshness: failure.freshness }
    }
}

/// Everything that shapes the response to one question.
pub(super) struct Reply<'a> {
    pub(super) id: &'a RequestId,
    pub(super) format: Format,
    pub(super) query: &'a LookupQuery,
    pub(super) links: &'a WebLinks,
}

impl Reply<'_> {
    /// The response with an answer; 304 if the caller has it already.
    pub(super) fn answer(&self, answer: &Answer, request: &HeaderMap) -> Response {
        let rendered = render::render(self.format, answer, &self.asked(), &self.options(answer.finding.number()));
        let tag = rendered.tag.as_ref().filter(|_| rendered.status == StatusCode::OK).map(Tag::as_str);
        let is_known = tag.is_some_and(|tag| cache_headers::is_known(request, tag));
        let varying = Varying { id: self.id, freshness: &answer.freshness, tag };
        let mut response = Response::new(rendered.body.into());
        *response.status_mut() = rendered.status;
        *response.headers_mut() = head(self.format, &varying);
        if is_known { not_modified(response) } else { response }
    }

    /// The response with a refusal.
    pub(super) fn refuse(&self, refusal: &Refusal) -> Response {
        let error = &refusal.error;
        let failure = Failure {
            status: error.status(),
            code: error.code(),
            detail: &error.detail(),
            request_id: self.id.as_str(),
            number: refusal.number.as_ref(),
        };
        let options = self.options(refusal.number.as_ref());
        let mut response = match render::render_error(self.format, &failure, &self.asked(), &options) {
            None => error.respond(self.id),
            Some(rendered) => {
                // A switch asks once without a key and must see the challenge, so these two keep their status in every format.
                let is_about_keys = matches!(error, ApiError::Unauthorized | ApiError::Forbidden(_));
                let status = if is_about_keys { error.status() } else { rendered.status };
                error.respond_with(HeaderValue::from_static(rendered.content_type), status, rendered.body)
            }
        };
        let status = cache_headers::failure_status(&refusal.freshness, error.code());
        response.headers_mut().insert(cache_headers::CACHE_STATUS, status);
        self.protect(response.headers_mut());
        response
    }

    fn asked(&self) -> Asked<'_> {
        Asked { input: as_sent(&self.query.phone) }
    }

    fn options(&self, number: Option<&Number>) -> Options {
        let is_page = self.format == Format::Html;
        let number = number.filter(|_| is_page);
        Options {
            now: if is_page { Timestamp::now() } else { Timestamp::UNIX_EPOCH },
            max: self.query.max,
            ascii: self.query.ascii,
            default: self.query.default.clone(),
            not_found_ok: self.query.not_found_ok,
            new_contact_url: number.map(|number| self.links.new_contact(&number.e164)),
            reload_url: number.map(|number| self.reload_url(number)),
            region: self.query.region,
        }
    }

    /// Relative, so that it works behind any proxy and for both paths of the page; the deadline stays the one that was asked for.
    fn reload_url(&self, number: &Number) -> String {
        let extension = number.extension.as_ref().map(|extension| format!(";ext={extension}")).unwrap_or_default();
        let phone = format!("{}{extension}", number.e164);
        let deadline = self
            .query
            .wants
            .deadline
            .map(|deadline| format!("&deadline_ms={}", deadline.as_millis()))
            .unwrap_or_default();
        format!("?phone={}&format=html&refresh=1{deadline}", utf8_percent_encode(&phone, NON_ALPHANUMERIC))
    }

    /// Adds what keeps an answer from being confused with another, or a page from doing anything but show.
    fn protect(&self, headers: &mut HeaderMap) {
        headers.insert(VARY, HeaderValue::from_static("Accept"));
        if self.format == Format::Html {
            let policy = HeaderValue::from_static(render::content_security_policy());
            headers.insert(CONTENT_SECURITY_POLICY, policy);
            headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
        }
    }
}

/// The number as the phone system wrote it: a bare `+` comes out of a query string as a space, and some systems compare the two.
fn as_sent(phone: &str) -> Cow<'_, str> {
    match phone.strip_prefix(' ') {
        Some(rest) if rest.starts_with(|c: char| c.is_ascii_digit()) => format!("+{rest}").into(),
        _ => phone.into(),
    }
}

fn not_modified(mut response: Response) -> Response {
    *response.status_mut() = StatusCode::NOT_MODIFIED;
    *response.body_mut() = axum::body::Body::empty();
    response.headers_mut().remove(CONTENT_TYPE);
    response
}
