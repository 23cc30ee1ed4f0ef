//! How the mirror stands: for lookups whether it may answer, for people how far it is.

use std::fmt;
use std::sync::PoisonError;
use std::time::Duration;

use super::state::State;
use super::{Directory, StoreError};
use crate::metrics::Metrics;
use crate::shutdown::Health;

/// What a lookup needs to know of the feed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Standing {
    /// Every contact has been read once.
    pub(super) complete: bool,
    /// All that the CRM knew then is in; our milliseconds.
    pub(super) as_of: Option<i64>,
    /// Deletions and links are seen by the sweep only.
    pub(super) events_hidden: bool,
    /// When somebody wanted everything confirmed anew.
    pub(super) expired_at: Option<i64>,
    /// How much of the pass under way is done.
    pub(super) share: Option<Share>,
    /// Whether this replica leads, if there can be several.
    pub(super) is_leader: Option<bool>,
    /// Whether the feed has trouble.
    pub(super) trouble: Option<&'static str>,
}

/// Parts in a thousand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Share(u16);

/// How the mirror stands, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// Contacts held.
    pub contacts: u64,
    /// Leads held, those included that the CRM no longer has.
    pub leads: u64,
    /// Records that are to be fetched.
    pub wanted: u64,
    /// Every contact has been read once.
    pub complete: bool,
    /// How much of the transfer, or of the sweep, is done, in parts of a hundred.
    pub percent: Option<u8>,
    /// How far it is behind the CRM; nothing before the first increment.
    pub lag: Option<Duration>,
    /// Deletions and links are seen by the sweep only.
    pub events_hidden: bool,
    /// Whether this replica runs the feed for all, if there can be several.
    pub is_leader: Option<bool>,
    /// What keeps the feed from going on.
    pub trouble: Option<&'static str>,
    /// The snapshot's size.
    pub bytes_on_disk: u64,
}

impl Standing {
    /// Whether lookups may be answered from here at all.
    pub(super) const fn answers(&self) -> bool {
        self.complete && self.as_of.is_some() && self.expired_at.is_none()
    }
}

impl Directory {
    pub(super) fn standing(&self) -> Standing {
        *self.0.standing.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lookups see the feed's new state.
    pub(super) fn stand(&self, state: &State) {
        let mut standing = self.0.standing.write().unwrap_or_else(PoisonError::into_inner);
        standing.expired_at = standing.expired_at.filter(|at| state.as_of.is_none_or(|confirmed| confirmed < *at));
        standing.complete = state.complete;
        standing.as_of = state.as_of;
        standing.events_hidden = state.events_hidden;
        standing.share = state.pass.map(|pass| Share((pass.share() * 1_000.0) as u16));
    }

    /// The feed has trouble, or no longer.
    pub(super) fn set_trouble(&self, trouble: Option<&'static str>) {
        self.0.standing.write().unwrap_or_else(PoisonError::into_inner).trouble = trouble;
    }

    /// How it stands.
    ///
    /// # Errors
    /// When the snapshot cannot be read.
    pub fn status(&self) -> Result<Status, StoreError> {
        let (store, standing) = (self.store(), self.standing());
        let view = store.view()?;
        Ok(Status {
            contacts: view.contacts()?,
            leads: view.leads_held()?,
            wanted: view.wants()?,
            complete: standing.complete,
            percent: standing.share.map(|share| (share.0 / 10) as u8),
            lag: standing.as_of.map(|at| self.0.clock.since(at)),
            events_hidden: standing.events_hidden,
            is_leader: standing.is_leader,
            trouble: standing.trouble,
            bytes_on_disk: store.bytes_on_disk(),
        })
    }

    /// For `/readyz?verbose`. A mirror that is behind makes nobody unready: lookups go the ordinary way then.
    #[must_use]
    pub fn health(&self) -> Health {
        match self.status() {
            Err(error) => Health::Degraded(error.to_string()),
            Ok(status) => {
                let late = status.lag.is_none_or(|lag| lag > self.0.settings.nobody_for);
                let worse = !status.complete || late || status.events_hidden || status.trouble.is_some();
                let text = status.to_string();
                if worse { Health::Degraded(text) } else { Health::Ok(text) }
            }
        }
    }

    /// Copies what is countable into the metrics; called when they are scraped.
    pub fn observe(&self, metrics: &Metrics) {
        if let Ok(status) = self.status() {
            metrics.directory(status.contacts, status.lag.unwrap_or_default(), status.complete);
            metrics.directory_leader(status.is_leader.unwrap_or(true));
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let phase = if self.complete { "complete" } else { "transfer" };
        match self.is_leader {
            Some(true) => f.write_str("leader, ")?,
            Some(false) => f.write_str("follower, ")?,
            None => {}
        }
        write!(f, "{phase}, {} contacts, {} leads", self.contacts, self.leads)?;
        if let Some(percent) = self.percent {
            let what = if self.complete { "sweep " } else { "" };
            write!(f, ", {what}{percent} %")?;
        }
        if self.wanted > 0 {
            write!(f, ", {} records to fetch", self.wanted)?;
        }
        match self.lag {
            Some(lag) => write!(f, ", {} s behind", lag.as_secs())?,
            None => f.write_str(", not yet current")?,
        }
        write!(f, ", {} MiB on disk", self.bytes_on_disk.div_ceil(1024 * 1024))?;
        if self.events_hidden {
            f.write_str(
                "; the token may not read events, so deletions and new leads of a contact are found by the sweep only",
            )?;
        }
        self.trouble.map_or(Ok(()), |trouble| write!(f, "; {trouble}"))
    }
}
