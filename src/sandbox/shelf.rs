//! The live records of one kind in the orders in which lists give them.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

/// Ids in ascending order, and by time of change once somebody has asked for that.
#[derive(Debug, Default)]
pub(super) struct Shelf {
    ids: Vec<u64>,
    by_change: Option<BTreeSet<(i64, u64)>>,
}

impl Shelf {
    /// A shelf with these ids, which ascend.
    pub(super) fn new(ids: Vec<u64>) -> Self {
        debug_assert!(ids.is_sorted());
        Self { ids, by_change: None }
    }

    /// Every id, ascending.
    pub(super) fn ids(&self) -> &[u64] {
        &self.ids
    }

    /// Whether the record is live.
    pub(super) fn holds(&self, id: u64) -> bool {
        self.ids.binary_search(&id).is_ok()
    }

    /// The ids of records changed within `range`, the oldest change first.
    pub(super) fn changed_within(&mut self, range: RangeInclusive<i64>, changed_at: impl Fn(u64) -> i64) -> Vec<u64> {
        let ids = &self.ids;
        let by_change = self.by_change.get_or_insert_with(|| ids.iter().map(|&id| (changed_at(id), id)).collect());
        if range.is_empty() {
            return Vec::new();
        }
        by_change.range((*range.start(), 0)..=(*range.end(), u64::MAX)).map(|&(_, id)| id).collect()
    }

    /// Moves a record from `old` to `new`, its times of change; `None` where it is not live.
    pub(super) fn replace(&mut self, id: u64, old: Option<i64>, new: Option<i64>) {
        match (self.ids.binary_search(&id), new) {
            (Ok(place), None) => drop(self.ids.remove(place)),
            (Err(place), Some(_)) => self.ids.insert(place, id),
            _ => {}
        }
        if let Some(by_change) = &mut self.by_change {
            old.map(|at| by_change.remove(&(at, id)));
            by_change.extend(new.map(|at| (at, id)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_record_moves_to_the_end_of_the_order_by_change() {
        let mut shelf = Shelf::new(vec![1, 2, 3]);
        let at = |id: u64| i64::try_from(id).unwrap() * 10;
        assert_eq!(shelf.changed_within(0..=25, at), [1, 2]);
        shelf.replace(1, Some(10), Some(99));
        assert_eq!(shelf.changed_within(0..=i64::MAX, at), [2, 3, 1]);
    }

    #[test]
    fn a_record_that_is_not_live_is_in_no_order() {
        let mut shelf = Shelf::new(vec![1, 2, 3]);
        shelf.changed_within(0..=0, |_| 5);
        shelf.replace(2, Some(5), None);
        assert_eq!(shelf.ids(), [1, 3]);
        assert_eq!(shelf.changed_within(0..=9, |_| 5), [1, 3]);
    }
}
