//! Variables whose feature is promised but not built: read, judged and refused, so that nobody believes they work.

use secrecy::ExposeSecret;
use url::Url;

use super::reader::Reader;
use super::variable::{Variable, variables};

variables! { "Not in this version":
    /// The shared second level for several replicas: redis://… or rediss://…
    SHARED_URL = secret "CALLCARD_SHARED_URL" as "URL";
}

/// Each of them that is used becomes a fault.
pub(super) fn refuse(reader: &mut Reader<'_>) {
    refuse_shared(reader);
}

fn refuse_shared(reader: &mut Reader<'_>) {
    let Some(Some(text)) = reader.secret(&SHARED_URL) else { return };
    let url = Url::parse(text.expose_secret());
    if url.is_ok_and(|url| matches!(url.scheme(), "redis" | "rediss") && url.has_host()) {
        not_yet(reader, &SHARED_URL);
    } else {
        reader.fault::<()>(&SHARED_URL, "is neither redis:// nor rediss:// with a host");
    }
}

fn not_yet(reader: &mut Reader<'_>, variable: &Variable) {
    reader.fault::<()>(variable, "is not in this version; leave it out");
}
