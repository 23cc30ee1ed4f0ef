//! What the operator is told: one log line when something changes, none for a call.

use std::time::Duration;

use tokio::time::Instant;
use tracing::{debug, error, info, warn};

use super::breaker::{Change, Reason};
use crate::crm::CrmError;

/// The same complaint is not made again before this has passed.
const EVERY: Duration = Duration::from_secs(600);

/// Something worth a log line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Notice {
    /// The breaker opened.
    Suspended { reason: Reason, length: Duration },
    /// The probe failed for the reason that is told already.
    StillSuspended { reason: Reason, length: Duration },
    /// One call tries whether the breaker can close.
    Probing,
    /// The breaker closed.
    Resumed { reason: Reason },
    /// A pause began.
    Paused { length: Duration },
    /// Another one, with no success since the last.
    PausedAgain { length: Duration },
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
            Self::StillSuspended { reason, length } => {
                debug!(reason = reason.as_str(), seconds = length.as_secs_f64(), "calls to the CRM stay suspended");
            }
            Self::Probing => debug!("one call probes the CRM"),
            Self::Resumed { reason } => info!(reason = reason.as_str(), "calls to the CRM are resumed"),
            Self::Paused { length } => {
                warn!(seconds = length.as_secs_f64(), "the CRM asked for a pause");
            }
            Self::PausedAgain { length } => {
                debug!(seconds = length.as_secs_f64(), "the CRM asked for another pause");
            }
            Self::PauseOver => info!("the CRM takes calls again after a pause"),
            Self::Complaint(error) => warn!(%error, "the CRM gave an answer that somebody should look into"),
        }
    }
}

/// Remembers what trouble is told already, so that it is told once and not at each probe that fails.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Told {
    suspended: Option<Reason>,
    paused: bool,
}

impl Told {
    /// What is to be told of a change of the breaker.
    pub(super) fn change(&mut self, change: Change) -> Notice {
        match change {
            Change::Opened { reason, length } if self.suspended == Some(reason) => {
                Notice::StillSuspended { reason, length }
            }
            Change::Opened { reason, length } => {
                self.suspended = Some(reason);
                Notice::Suspended { reason, length }
            }
            Change::Closed { reason } => {
                self.suspended = None;
                Notice::Resumed { reason }
            }
        }
    }

    /// What is to be told of a pause.
    pub(super) fn pause(&mut self, length: Duration) -> Notice {
        let is_told = std::mem::replace(&mut self.paused, true);
        if is_told { Notice::PausedAgain { length } } else { Notice::Paused { length } }
    }

    /// A call succeeded after one or more pauses.
    pub(super) fn pause_over(&mut self) -> Notice {
        self.paused = false;
        Notice::PauseOver
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
    fn a_suspension_is_told_when_it_begins_when_its_reason_changes_and_when_it_ends() {
        let (mut told, length) = (Told::default(), Duration::from_secs(5));
        let opened = |reason| Change::Opened { reason, length };
        let (failures, blocked) = (Reason::Failures, Reason::Blocked);
        assert_eq!(told.change(opened(failures)), Notice::Suspended { reason: failures, length });
        assert_eq!(told.change(opened(failures)), Notice::StillSuspended { reason: failures, length });
        assert_eq!(told.change(opened(blocked)), Notice::Suspended { reason: blocked, length });
        assert_eq!(told.change(Change::Closed { reason: blocked }), Notice::Resumed { reason: blocked });
        assert_eq!(told.change(opened(blocked)), Notice::Suspended { reason: blocked, length });
    }

    #[test]
    fn pauses_in_a_row_are_told_once() {
        let (mut told, length) = (Told::default(), Duration::from_secs(1));
        assert_eq!(told.pause(length), Notice::Paused { length });
        assert_eq!(told.pause(length), Notice::PausedAgain { length });
        assert_eq!(told.pause_over(), Notice::PauseOver);
        assert_eq!(told.pause(length), Notice::Paused { length });
    }

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
