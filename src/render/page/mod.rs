//! The page for a person: who is calling, read in one second while the phone rings.
//!
//! It is self-contained and holds no script; its only style is [`STYLE`], which the content security policy names by its hash, so that
//! nothing typed into the CRM can add another. All text is escaped by the templates.

mod ago;
mod blank;
mod color;
mod contact;
mod lead;

use std::sync::LazyLock;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use sha2::{Digest, Sha256};

use self::ago::Ago;
use super::Options;
use crate::lookup::{Answer, Finding, Freshness};

pub(super) use blank::failure;

/// The one style sheet.
const STYLE: &str = include_str!("style.css");

/// Everything is forbidden but this style, the icon inside the page, and asking this service for another number; no frame may hold the
/// page.
static POLICY: LazyLock<String> = LazyLock::new(|| {
    let hash = BASE64_STANDARD.encode(Sha256::digest(STYLE));
    format!(
        "default-src 'none'; style-src 'sha256-{hash}'; img-src data:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    )
});

pub(super) fn content_security_policy() -> &'static str {
    &POLICY
}

/// The page of an answer.
pub(super) fn page(answer: &Answer, options: &Options) -> String {
    match &answer.finding {
        Finding::Found(found) => contact::page(found, &answer.freshness, options),
        Finding::NotFound(number) => blank::not_found(number, &answer.freshness, options),
        Finding::Withheld => blank::withheld(),
        Finding::Extension(extension) => blank::extension(extension),
    }
}

/// How old the data is, and how to get newer.
struct Footer {
    age: String,
    reload: Option<String>,
}

impl Footer {
    fn new(freshness: &Freshness, options: &Options) -> Self {
        Self { age: format!("Read from the CRM {}.", Ago::age(freshness.age)), reload: options.reload_url.clone() }
    }

    fn saying(text: String) -> Self {
        Self { age: text, reload: None }
    }
}
