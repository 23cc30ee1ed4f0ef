//! The order in which fills start and invalidations happen.

/// One moment in that order. Later moments are greater; no two events share one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default, serde::Serialize)]
#[serde(transparent)]
pub struct Epoch(pub(super) u64);

impl Epoch {
    /// The next moment.
    pub(super) fn next(self) -> Self {
        Self(self.0 + 1)
    }
}
