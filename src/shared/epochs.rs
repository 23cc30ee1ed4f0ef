//! Which changes we have heard of. The rules for a message, for a look at the counter and for what follows from a gap; no connection, no
//! clock.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// What follows from an epoch that was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Seen {
    /// Nothing was missed.
    Fine,
    /// Changes were missed: whatever is known may be out of date.
    Missed,
    /// The counter is behind what we have seen; it must be brought forward before it gives epochs again that were given.
    Behind,
}

/// The epochs we know of.
#[derive(Debug, Default)]
pub(super) struct Epochs(Mutex<State>);

#[derive(Clone, Copy, Debug, Default)]
struct State {
    /// Every change up to this one has been heard of, or everything older has expired. Zero: none yet.
    known: u64,
    /// The counter has shown this one already, and its message has not come.
    awaited: u64,
}

impl Epochs {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The last change that has been heard of: a fill that begins now knows of everything up to it. None before the first contact.
    pub(super) fn known(&self) -> Option<u64> {
        Some(self.state().known).filter(|known| *known > 0)
    }

    /// A message has been acted on.
    pub(super) fn told(&self, epoch: u64) -> Seen {
        let mut state = self.state();
        let is_gap = state.known > 0 && epoch > state.known + 1;
        state.known = state.known.max(epoch);
        if is_gap { Seen::Missed } else { Seen::Fine }
    }

    /// The counter was looked at. A message may still be on its way, so only what was seen the time before counts as missed.
    pub(super) fn counted(&self, epoch: u64) -> Seen {
        let mut state = self.state();
        if state.known == 0 {
            state.known = epoch;
        }
        if epoch < state.known {
            return Seen::Behind;
        }
        let is_missed = state.awaited > state.known;
        if is_missed {
            state.known = epoch;
        }
        state.awaited = epoch;
        if is_missed { Seen::Missed } else { Seen::Fine }
    }

    /// The counter was looked at after a time in which no message can have come.
    pub(super) fn counted_after_silence(&self, epoch: u64) -> Seen {
        let mut state = self.state();
        let (known, is_first) = (state.known, state.known == 0);
        if epoch < known {
            return Seen::Behind;
        }
        (state.known, state.awaited) = (epoch, epoch);
        if is_first || epoch == known { Seen::Fine } else { Seen::Missed }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_in_a_row_miss_nothing_and_one_left_out_does() {
        let epochs = Epochs::default();
        assert_eq!(epochs.counted(7), Seen::Fine);
        assert_eq!((epochs.told(8), epochs.told(9)), (Seen::Fine, Seen::Fine));
        assert_eq!(epochs.told(11), Seen::Missed);
        assert_eq!((epochs.told(10), epochs.told(11)), (Seen::Fine, Seen::Fine), "late and double ones are harmless");
        assert_eq!(epochs.known(), Some(11));
    }

    #[test]
    fn the_counter_finds_what_no_message_told_the_second_time_it_is_seen() {
        let epochs = Epochs::default();
        epochs.counted(7);
        assert_eq!(epochs.counted(8), Seen::Fine, "its message may be on the way");
        assert_eq!(epochs.counted(8), Seen::Missed);
        assert_eq!(epochs.counted(8), Seen::Fine, "once is enough");
    }

    #[test]
    fn a_message_that_is_slower_than_the_counter_was_not_missed() {
        let epochs = Epochs::default();
        epochs.counted(7);
        epochs.counted(8);
        assert_eq!(epochs.told(8), Seen::Fine);
        assert_eq!(epochs.counted(8), Seen::Fine);
    }

    #[test]
    fn a_counter_that_went_back_is_told_and_one_that_leapt_ahead_is_a_gap() {
        let epochs = Epochs::default();
        epochs.counted(100);
        assert_eq!(epochs.counted(99), Seen::Behind);
        assert_eq!(epochs.counted_after_silence(3), Seen::Behind);
        assert_eq!(epochs.counted_after_silence(100), Seen::Fine, "nothing happened meanwhile");
        assert_eq!(epochs.counted_after_silence(5_000), Seen::Missed);
    }
}
