//! What the CRM's webhooks have in their path.

use secrecy::{ExposeSecret, SecretString};

use super::reader::Reader;
use super::variable::variables;

variables! { "Webhooks":
    /// Enables `POST /hooks/kommo/{secret}`, through which the CRM tells of changes: at least 16 letters, digits or `-._~`, best made at
    /// random. `callcard webhooks install` subscribes to them
    WEBHOOK_SECRET = secret "CALLCARD_WEBHOOK_SECRET" as "SECRET";
}

/// Shorter ones can be guessed, longer ones do not fit a request line.
const LENGTHS: std::ops::RangeInclusive<usize> = 16..=256;

/// The secret, if webhooks are enabled.
pub(super) fn read(reader: &mut Reader<'_>) -> Option<Option<SecretString>> {
    let secret = reader.secret(&WEBHOOK_SECRET)?;
    match secret.as_ref().and_then(|secret| fault(secret.expose_secret())) {
        Some(problem) => reader.fault(&WEBHOOK_SECRET, problem),
        None => Some(secret),
    }
}

/// The secret, which must be there.
pub(super) fn required(reader: &mut Reader<'_>) -> Option<SecretString> {
    match read(reader)? {
        Some(secret) => Some(secret),
        None => reader.fault(&WEBHOOK_SECRET, "must be set: it is part of the address that the CRM is told"),
    }
}

fn fault(secret: &str) -> Option<String> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    if !LENGTHS.contains(&secret.len()) {
        Some(format!("must have {} to {} characters; this one has {}", LENGTHS.start(), LENGTHS.end(), secret.len()))
    } else if !secret.bytes().all(is_plain) {
        Some("holds characters that change in a URL; use letters, digits and -._~ only".to_owned())
    } else {
        None
    }
}
