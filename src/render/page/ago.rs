//! Times as distances from now. The page does not know its reader's time zone, and a distance needs none.

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;

const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;
/// From here on a date says more than a count of days.
const FAR: i64 = 45 * DAY;

/// Where a time lies seen from now.
pub(super) enum Ago {
    /// Less than a minute away.
    Now,
    /// So long ago.
    Past(i64),
    /// So far ahead.
    Ahead(i64),
    /// Too far for a distance.
    Date(Timestamp),
}

impl Ago {
    /// `at`, seen from `now`.
    pub(super) fn of(at: Timestamp, now: Timestamp) -> Self {
        let seconds = now.as_second() - at.as_second();
        match seconds {
            _ if seconds.abs() >= FAR => Self::Date(at),
            _ if seconds.abs() < MINUTE => Self::Now,
            _ if seconds > 0 => Self::Past(seconds),
            _ => Self::Ahead(-seconds),
        }
    }

    /// So long ago, however long.
    pub(super) fn age(age: Duration) -> Self {
        match i64::try_from(age.as_secs()) {
            Ok(seconds) if seconds < MINUTE => Self::Now,
            Ok(seconds) => Self::Past(seconds),
            Err(_) => Self::Past(i64::MAX),
        }
    }
}

impl fmt::Display for Ago {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Now => f.write_str("just now"),
            Self::Past(seconds) => write!(f, "{} ago", Span(*seconds)),
            Self::Ahead(seconds) => write!(f, "in {}", Span(*seconds)),
            Self::Date(at) => write!(f, "{}", date(*at)),
        }
    }
}

/// A length of time in its largest whole unit.
pub(super) struct Span(pub(super) i64);

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            seconds if seconds < HOUR => write!(f, "{} min", seconds / MINUTE),
            seconds if seconds < DAY => write!(f, "{} h", seconds / HOUR),
            seconds if seconds < 2 * DAY => f.write_str("1 day"),
            seconds => write!(f, "{} days", seconds / DAY),
        }
    }
}

/// `14 Mar 2026`, in UTC.
pub(super) fn date(at: Timestamp) -> String {
    at.strftime("%-d %b %Y").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_are_told_in_their_largest_whole_unit() {
        let now: Timestamp = "2026-11-24T12:00:00Z".parse().unwrap();
        let seen = |at: &str| Ago::of(at.parse().unwrap(), now).to_string();

        assert_eq!(seen("2026-11-24T11:59:30Z"), "just now");
        assert_eq!(seen("2026-11-24T11:55:59Z"), "4 min ago");
        assert_eq!(seen("2026-11-24T09:00:00Z"), "3 h ago");
        assert_eq!(seen("2026-11-23T12:00:00Z"), "1 day ago");
        assert_eq!(seen("2026-11-27T12:00:00Z"), "in 3 days");
        assert_eq!(seen("2026-03-14T12:00:00Z"), "14 Mar 2026");
        assert_eq!(Ago::age(Duration::MAX).to_string(), format!("{} days ago", i64::MAX / DAY));
    }
}
