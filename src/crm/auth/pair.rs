//! What an OAuth2 grant gives: an access token for a day and the refresh token for the next grant.

use std::time::Duration;

use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};

/// An access and a refresh token that were issued together. The `Debug` form shows neither.
#[derive(Clone, Debug)]
pub struct Pair {
    /// What requests carry.
    pub access: SecretString,
    /// What the next pair is asked for with; the CRM takes it once.
    pub refresh: SecretString,
    /// When it came.
    pub issued_at: Timestamp,
    /// When the access token is over.
    pub expires_at: Timestamp,
}

impl Pair {
    /// How long the access token is still good for.
    #[must_use]
    pub fn left(&self, now: Timestamp) -> Duration {
        between(now, self.expires_at)
    }

    /// How long ago it was issued.
    #[must_use]
    pub fn age(&self, now: Timestamp) -> Duration {
        between(self.issued_at, now)
    }

    /// The time for which it was issued.
    #[must_use]
    pub fn life(&self) -> Duration {
        between(self.issued_at, self.expires_at)
    }
}

/// From one time to a later one; nothing if it is not later.
fn between(from: Timestamp, to: Timestamp) -> Duration {
    to.duration_since(from).try_into().unwrap_or_default()
}

/// Whether two secrets are the same. Both are ours: this is no check of what somebody else claims.
pub(super) fn same(one: &SecretString, other: &SecretString) -> bool {
    one.expose_secret() == other.expose_secret()
}
