//! Metrics whose labels come from closed sets, each combination resolved once.
//!
//! A family of the `prometheus` crate finds a member by hashing its label texts and taking a lock. Here a member is an index away, which
//! matters on a hit, and every combination exists from the start, so that `rate()` sees the first event.

use std::marker::PhantomData;

use prometheus::{Histogram, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec};

use crate::outcome::Label;

/// One metric for every value of a label.
#[derive(Debug)]
pub(super) struct Row<L, M> {
    members: Box<[M]>,
    labels: PhantomData<fn(L)>,
}

impl<L: Label, M> Row<L, M> {
    fn resolve(mut member: impl FnMut(&str) -> M) -> Self {
        Self { members: L::ALL.iter().map(|label| member(label.as_str())).collect(), labels: PhantomData }
    }

    /// The metric of this value.
    pub(super) fn at(&self, label: L) -> &M {
        &self.members[label.index()]
    }
}

impl<L: Label> Row<L, IntCounter> {
    pub(super) fn counters(family: &IntCounterVec) -> Self {
        Self::resolve(|label| family.with_label_values(&[label]))
    }
}

impl<L: Label> Row<L, IntGauge> {
    pub(super) fn gauges(family: &IntGaugeVec) -> Self {
        Self::resolve(|label| family.with_label_values(&[label]))
    }
}

impl<L: Label> Row<L, Histogram> {
    pub(super) fn histograms(family: &HistogramVec) -> Self {
        Self::resolve(|label| family.with_label_values(&[label]))
    }
}

/// One counter for every pair of two labels' values.
#[derive(Debug)]
pub(super) struct Grid<A, B>(Row<A, Row<B, IntCounter>>);

impl<A: Label, B: Label> Grid<A, B> {
    pub(super) fn counters(family: &IntCounterVec) -> Self {
        Self(Row::resolve(|a| Row::resolve(|b| family.with_label_values(&[a, b]))))
    }

    /// The counter of this pair.
    pub(super) fn at(&self, a: A, b: B) -> &IntCounter {
        self.0.at(a).at(b)
    }
}

#[cfg(test)]
mod tests {
    use prometheus::Opts;

    use super::*;
    use crate::outcome::{AnswerKind, CacheStatus};

    #[test]
    fn a_pair_is_counted_under_its_own_words() {
        let family = IntCounterVec::new(Opts::new("lookups", "Lookups."), &["status", "answer"]).unwrap();
        let grid = Grid::<CacheStatus, AnswerKind>::counters(&family);

        for (n, status) in CacheStatus::ALL.iter().enumerate() {
            for (m, answer) in AnswerKind::ALL.iter().enumerate() {
                grid.at(*status, *answer).inc_by((100 * n + m) as u64);
                assert_eq!(family.with_label_values(&[status.as_str(), answer.as_str()]).get(), (100 * n + m) as u64);
            }
        }
    }
}
