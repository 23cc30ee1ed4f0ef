//! What the operator is told: one log line when something changes, none for a call.

use std::time::Duration;

use tokio::time::Instant;
use tracing::{error, info, warn};

use super::breaker::{Change, Reason};
use crate::crm::CrmError;

/// The same complaint is not made again before this has passed.
const EVERY: Duration = Duration::from_secs(600);

/// Something worth a log line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Notice {
    /// The breaker opened.
    Suspended { reason: Reason, length: Duration },
    /// One call tries whether the breaker can close.
    Probing,
    /// The breaker closed.
    Resumed { reason: Reason },
    /// A pause began.
    Paused { length: Duration },
    /// A call succeeded after one or more pauses.
    PauseOver,
    /// An answer that stops nothing but that somebody should look into.
    Complaint(CrmError),
}

impl Notice {
    /// Writes the line. Neither reasons nor errors hold personal data.
    pub(super) fn log(&self) {
        match self {
            Self::Suspended { reason, length } if reason.needs_a_person() => {
                error!(reason = reason.as_str(), seconds = length.as_secs_f64(), "calls to the CRM are suspended");
            }
            Self::Suspended { reason, length } => {
                warn!(reason = reason.as_str(), seconds = length.as_secs_f64(), "calls to the CRM are suspended");
            }
            Self::Probing => info!("one call probes the CRM"),
            Self::Resumed { reason } => info!(reason = reason.as_str(), "calls to the CRM are resumed"),
            Self::Paused { length } => {
                warn!(seconds = length.as_secs_f64(), "the CRM asked for a pause");
            }
            Self::PauseOver => info!("the CRM takes calls again after a pause"),
            Self::Complaint(error) => warn!(%error, "the CRM gave an answer that somebody should look into"),
        }
    }
}

impl From<Change> for Notice {
    fn from(change: Change) -> Self {
        match change {
            Change::Opened { reason, length } => Self::Suspended { reason, length },
            Change::Closed { reason } => Self::Resumed { reason },
        }
    }
}

/// Remembers which complaints were made a short while ago.
#[derive(Clone, Debug, Default)]
pub(super) struct Complaints {
    made: [Option<Instant>; 3],
}

impl Complaints {
    /// A complaint about this error, if it is of a kind to complain about and that was not done lately.
    pub(super) fn about(&mut self, error: &CrmError, now: Instant) -> Option<Notice> {
        let kind = match error {
            CrmError::Forbidden => 0,
            CrmError::Rejected { .. } => 1,
            CrmError::Malformed { .. } => 2,
            _ => return None,
        };
        if self.made[kind].is_some_and(|made| now - made < EVERY) {
            return None;
        }
        self.made[kind] = Some(now);
        Some(Notice::Complaint(*error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_complaint_is_made_once_in_ten_minutes() {
        let (mut complaints, now) = (Complaints::default(), Instant::now());
        assert_eq!(complaints.about(&CrmError::Forbidden, now), Some(Notice::Complaint(CrmError::Forbidden)));
        assert_eq!(complaints.about(&CrmError::Forbidden, now + EVERY / 2), None);
        assert!(complaints.about(&CrmError::Rejected { status: 422 }, now).is_some(), "another kind");
        assert!(complaints.about(&CrmError::Forbidden, now + EVERY).is_some());
        assert_eq!(complaints.about(&CrmError::Timeout, now), None, "the breaker speaks for that");
    }
}
