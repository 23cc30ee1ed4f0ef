//! How far the feed is: what it writes down with the records, so that it goes on where it was.

use serde::{Deserialize, Serialize};

use super::feed::Walk;

/// The CRM shows a change in its lists after this at the latest.
const SETTLES_AFTER: i64 = 120_000;
/// Until then a change may still appear that is this much older than the latest one.
const OVERLAP: i64 = 60;

/// The whole of it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct State {
    /// The CRM's account, once it has said so.
    pub(crate) account: Option<u64>,
    /// Every contact has been read once, and what they name.
    pub(crate) complete: bool,
    /// The pass over all contacts that is under way.
    pub(crate) pass: Option<Pass>,
    /// When the last pass ended, in our milliseconds.
    pub(crate) swept_at: i64,
    /// Changed contacts.
    pub(crate) contacts: Stream,
    /// Changed leads.
    pub(crate) leads: Stream,
    /// Renamed companies.
    pub(crate) companies: Stream,
    /// The journal.
    pub(crate) events: Stream,
    /// The token's user may not read the journal.
    pub(crate) events_hidden: bool,
    /// All that the CRM knew then is in the snapshot; our milliseconds.
    pub(crate) as_of: Option<i64>,
}

/// A pass over all contacts: the first is the transfer, later ones look for what no event told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Pass {
    /// Where it is.
    pub(crate) walk: Walk,
    /// When it began, in our milliseconds.
    pub(crate) began_at: i64,
    /// The contacts' ids at its start reach from here …
    pub(crate) first: Option<u64>,
    /// … to there: what tells how much is left.
    pub(crate) newest: u64,
    /// Every contact has been read, not yet all that they name.
    pub(crate) read: bool,
}

/// A list of changes: up to which moment of the CRM's clock it has been read.
///
/// Our clock and the CRM's are never compared: only how long ago something appeared, by ours, and what it is stamped with, by the CRM's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Stream {
    /// The latest change seen; Unix seconds of the CRM's clock.
    newest: i64,
    /// When it appeared; milliseconds of ours.
    appeared_at: i64,
    /// The reading under way.
    pub(crate) reading: Option<Reading>,
}

/// A list of changes that is being read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Reading {
    /// How far.
    pub(crate) walk: Walk,
    /// The latest change in the *first* window, and when that came. Later windows say nothing about what may have changed behind the
    /// reader meanwhile.
    pub(crate) first: Option<(i64, i64)>,
}

impl Pass {
    pub(crate) const fn new(newest: u64, now: i64) -> Self {
        Self { walk: Walk::new(None), began_at: now, first: None, newest, read: false }
    }

    /// How much of it is done, 0 to 1. Ids are given out in the order of time, so they tell about where it is.
    pub(crate) fn share(&self) -> f64 {
        let Some(first) = self.first else { return 0.0 };
        let (done, all) = (self.walk.last().saturating_sub(first), self.newest.saturating_sub(first));
        if self.read || all == 0 { 1.0 } else { (done as f64 / all as f64).min(1.0) }
    }
}

impl Stream {
    /// Read up to here.
    pub(crate) const fn from(newest: i64, now: i64) -> Self {
        Self { newest, appeared_at: now, reading: None }
    }

    /// Takes up the reading where it is, or begins a new one.
    pub(crate) fn resume(&self, now: i64) -> Reading {
        self.reading.unwrap_or_else(|| Reading { walk: Walk::new(Some(self.since(now))), first: None })
    }

    /// The reading is through.
    pub(crate) fn finish(&mut self, reading: &Reading) {
        if let Some((stamp, at)) = reading.first {
            self.saw(stamp, at);
        }
        self.reading = None;
    }

    /// From which change on to read now.
    pub(crate) const fn since(&self, now: i64) -> i64 {
        let is_settled = now.saturating_sub(self.appeared_at) > SETTLES_AFTER;
        if is_settled { self.newest.saturating_add(1) } else { self.newest.saturating_sub(OVERLAP) }
    }

    /// A change stamped like this was seen.
    pub(crate) const fn saw(&mut self, stamp: i64, now: i64) {
        if stamp > self.newest {
            self.newest = stamp;
            self.appeared_at = now;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_stamped_a_little_earlier_is_looked_for_until_it_must_have_appeared() {
        let mut stream = Stream::from(1_000, 0);
        assert_eq!((stream.since(0), stream.since(SETTLES_AFTER), stream.since(SETTLES_AFTER + 1)), (940, 940, 1_001));
        stream.saw(1_500, 200_000);
        stream.saw(1_400, 210_000);
        assert_eq!((stream.since(210_000), stream.since(400_000)), (1_440, 1_501));
    }

    #[test]
    fn a_pass_tells_its_share_by_the_ids() {
        let mut pass = Pass::new(2_000, 0);
        assert!(pass.share() == 0.0);
        pass.first = Some(1_000);
        assert!(pass.share() == 0.0);
        pass.read = true;
        assert!(pass.share() == 1.0);
    }
}
