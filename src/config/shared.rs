//! What several replicas have in common: where it is kept, and what hides it there.

use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use url::Url;

use super::reader::Reader;
use super::variable::variables;

variables! { "Several replicas":
    /// What replicas share: `redis://…`, or `rediss://…` over TLS. Several replicas without it would each spend the whole CRM quota
    SHARED_URL = secret "CALLCARD_SHARED_URL" as "URL";
    /// What is kept there is encrypted with this, 16 characters or more, the same for all replicas. Left out, the CRM's token, or the
    /// integration's secret, takes its place: then a new token makes a new start
    SHARED_KEY = secret "CALLCARD_SHARED_KEY" as "SECRET";
    /// A call to the shared store is given up after this; where a caller waits for it, after two fifths of it
    SHARED_TIMEOUT = "CALLCARD_SHARED_TIMEOUT" as "DURATION" or "50ms";
}

/// A shorter text can be guessed.
const SHORTEST_KEY: usize = 16;

/// Where the shared store is, and what hides what is kept there.
pub(super) struct Shared {
    pub(super) url: SecretString,
    /// If there is one of its own.
    pub(super) key: Option<SecretString>,
    /// How long it is waited for.
    pub(super) timeout: Duration,
}

impl Shared {
    /// `Some(None)`: there is one replica only.
    pub(super) fn read(reader: &mut Reader<'_>) -> Option<Option<Self>> {
        let (url, key) = (reader.secret(&SHARED_URL), reader.secret(&SHARED_KEY));
        let timeout = reader.duration(&SHARED_TIMEOUT, Duration::from_millis(5)..=Duration::from_millis(500));
        let (url, key, timeout) = (url?, key?, timeout?);
        if key.as_ref().is_some_and(|key| key.expose_secret().len() < SHORTEST_KEY) {
            return reader.fault(&SHARED_KEY, format!("is shorter than {SHORTEST_KEY} characters"));
        }
        let Some(url) = url else {
            if key.is_some() {
                reader.warn(&SHARED_KEY, format!("does nothing without {}", SHARED_URL.name));
            }
            return Some(None);
        };
        if !is_store(url.expose_secret()) {
            return reader
                .fault(&SHARED_URL, "is neither redis:// nor rediss:// with a host, and perhaps a database number");
        }
        Some(Some(Self { url, key, timeout }))
    }
}

/// What the client makes a connection of, and nothing that it would silently leave aside.
fn is_store(text: &str) -> bool {
    Url::parse(text).is_ok_and(|url| {
        let database = url.path().trim_start_matches('/');
        matches!(url.scheme(), "redis" | "rediss")
            && url.has_host()
            && url.query().is_none()
            && url.fragment().is_none()
            && (database.is_empty() || database.parse::<u16>().is_ok())
    })
}
