//! How long answers are good for, how much is kept, how long callers wait.

use std::time::Duration;

use bytesize::ByteSize;

use super::reader::Reader;
use super::variable::{Variable, variables};
use crate::lookup::LONGEST_DEADLINE;

variables! { "Lookups":
    /// Known callers: an answer is fresh for this long
    KNOWN_FRESH = "CALLCARD_KNOWN_FRESH" as "DURATION" or "10m";
    /// Known callers: an answer is usable as stale until this long after it was fetched
    KNOWN_STALE = "CALLCARD_KNOWN_STALE" as "DURATION" or "24h";
    /// Numbers that nobody has: an answer is fresh for this long. Keep it short: the CRM's search lags behind its writes
    UNKNOWN_FRESH = "CALLCARD_UNKNOWN_FRESH" as "DURATION" or "1m";
    /// Numbers that nobody has: an answer is usable as stale until this long after it was fetched
    UNKNOWN_STALE = "CALLCARD_UNKNOWN_STALE" as "DURATION" or "1h";
    /// After this a stale answer is given, if there is one
    SOFT_DEADLINE = "CALLCARD_SOFT_DEADLINE" as "DURATION" or "300ms";
    /// After this some answer is given. Callers may shorten it
    DEADLINE = "CALLCARD_DEADLINE" as "DURATION" or "1500ms";
    /// The longest one fill from the CRM may take; it goes on after its callers have been answered
    FILL_TIMEOUT = "CALLCARD_FILL_TIMEOUT" as "DURATION" or "8s";
    /// Bound of the cache in this process
    CACHE_MAX_BYTES = "CALLCARD_CACHE_MAX_BYTES" as "SIZE" or "256MiB";
}

const MAX_LIFETIME: Duration = Duration::from_hours(24 * 30);
/// Below this a cache holds too few cards to be one.
const MIN_CACHE: ByteSize = ByteSize::mib(1);

/// How long answers are good for, how much is kept, how long callers wait.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Lookup {
    /// Of callers that somebody has.
    pub(super) known: Lifetime,
    /// Of numbers that nobody has.
    pub(super) unknown: Lifetime,
    /// When a stale answer is given.
    pub(super) soft_deadline: Duration,
    /// When some answer is given.
    pub(super) deadline: Duration,
    /// The whole of one fill.
    pub(super) fill_timeout: Duration,
    /// Bound of the in-process cache.
    pub(super) cache_max_bytes: u64,
}

/// How long one kind of answer is good for, counted from its fetch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Lifetime {
    /// Given without asking the CRM until then.
    pub(super) fresh: Duration,
    /// Given when the CRM is slow or failing until then.
    pub(super) stale: Duration,
}

impl Lookup {
    pub(super) fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let known = read_lifetime(reader, &KNOWN_FRESH, &KNOWN_STALE);
        let unknown = read_lifetime(reader, &UNKNOWN_FRESH, &UNKNOWN_STALE);
        if let (Some(known), Some(unknown)) = (known, unknown) {
            warn_of_long_unknowns(reader, known, unknown);
        }
        let deadlines = read_deadlines(reader);
        let cache_max_bytes = reader.required(&CACHE_MAX_BYTES, parse_cache_size);
        let (soft_deadline, deadline, fill_timeout) = deadlines?;
        let cache_max_bytes = cache_max_bytes?;
        Some(Self { known: known?, unknown: unknown?, soft_deadline, deadline, fill_timeout, cache_max_bytes })
    }
}

fn read_lifetime(reader: &mut Reader<'_>, fresh: &Variable, stale: &Variable) -> Option<Lifetime> {
    let bounds = Duration::from_millis(1)..=MAX_LIFETIME;
    let fresh_for = reader.duration(fresh, bounds.clone());
    let lifetime = Lifetime { stale: reader.duration(stale, bounds)?, fresh: fresh_for? };
    if lifetime.stale < lifetime.fresh {
        return reader.fault(stale, format!("is shorter than {}; both count from the fetch", fresh.name));
    }
    Some(lifetime)
}

/// A new contact stays invisible for as long as its number counts as unknown.
fn warn_of_long_unknowns(reader: &mut Reader<'_>, known: Lifetime, unknown: Lifetime) {
    for (variable, other, longer) in [
        (&UNKNOWN_FRESH, &KNOWN_FRESH, unknown.fresh > known.fresh),
        (&UNKNOWN_STALE, &KNOWN_STALE, unknown.stale > known.stale),
    ] {
        if longer {
            reader.warn(variable, format!("is longer than {}: new contacts will be found late", other.name));
        }
    }
}

/// Soft deadline < deadline ≤ fill timeout: else the soft one never comes, or no caller ever sees the end of a slow fill.
fn read_deadlines(reader: &mut Reader<'_>) -> Option<(Duration, Duration, Duration)> {
    let shortest = Duration::from_millis(1);
    let soft = reader.duration(&SOFT_DEADLINE, shortest..=LONGEST_DEADLINE);
    let deadline = reader.duration(&DEADLINE, shortest..=LONGEST_DEADLINE);
    let fill = reader.duration(&FILL_TIMEOUT, shortest..=Duration::from_secs(60));
    let (soft, deadline, fill) = (soft?, deadline?, fill?);
    if soft >= deadline {
        reader.fault::<()>(&SOFT_DEADLINE, format!("is not shorter than {}", DEADLINE.name));
    }
    if fill < deadline {
        reader.fault::<()>(&FILL_TIMEOUT, format!("is shorter than {}", DEADLINE.name));
    }
    Some((soft, deadline, fill))
}

fn parse_cache_size(text: &str) -> Result<u64, String> {
    let size: ByteSize = text.parse().map_err(|_| "is not a size such as 256MiB or 1GiB".to_owned())?;
    if size < MIN_CACHE {
        return Err(format!("is below {MIN_CACHE}"));
    }
    Ok(size.as_u64())
}
