//! How many failed calls may be tried again: a share of all calls, so that a failing CRM is not asked twice as often.
//!
//! Every admitted call pays in, every retry takes out. It promises `retries ≤ 1 + share × (first tries + 1)`, and never more than ten
//! in a row however long nothing failed. Whether a retry is *useful* is the client's question.

/// One retry, in the budget's small change: a hundredth.
const RETRY: u32 = 100;
/// Calm times are not saved up for a storm.
const MOST: u32 = 10 * RETRY;

/// The balance of the retry budget.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Budget {
    percent: u32,
    balance: u32,
}

impl Budget {
    /// One retry is there to begin with, unless none are wanted.
    pub(super) const fn new(percent: u32) -> Self {
        Self { percent, balance: if percent == 0 { 0 } else { RETRY + percent } }
    }

    /// A call was admitted.
    pub(super) fn deposit(&mut self) {
        self.balance = (self.balance + self.percent).min(MOST);
    }

    /// Takes one retry, if the balance has one. It costs what its own admission will pay in besides: a retry earns no retry.
    pub(super) fn withdraw(&mut self) -> bool {
        let rest = self.balance.checked_sub(RETRY + self.percent).filter(|_| self.percent > 0);
        self.balance = rest.unwrap_or(self.balance);
        rest.is_some()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn retries_stay_within_their_share_of_first_tries(
            percent in 0_u32..=100, wants in prop::collection::vec(any::<bool>(), 0..400),
        ) {
            let mut budget = Budget::new(percent);
            let (mut first_tries, mut retries) = (0_u32, 0_u32);
            for wants_retry in wants {
                budget.deposit();
                first_tries += 1;
                if wants_retry && budget.withdraw() {
                    budget.deposit();
                    retries += 1;
                }
                prop_assert!(retries * 100 <= 100 + percent * (first_tries + 1));
            }
            prop_assert!(percent > 0 || retries == 0);
        }
    }

    #[test]
    fn in_the_long_run_one_call_in_ten_is_retried() {
        let mut budget = Budget::new(10);
        let mut granted = 0;
        for _ in 0..1_000 {
            budget.deposit();
            if budget.withdraw() {
                budget.deposit();
                granted += 1;
            }
        }
        assert!((99..=101).contains(&granted), "{granted}");
    }

    #[test]
    fn a_calm_night_is_not_saved_up_for_a_storm() {
        let mut budget = Budget::new(10);
        (0..100_000).for_each(|_| budget.deposit());
        assert!((0..100).filter(|_| budget.withdraw()).count() <= 10);
    }
}
