//! Who came beside the callers, and how each was answered.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Mutex;

use super::super::judge::Promise;

/// Requests sent and answers got, by kind.
#[derive(Debug, Default)]
pub(super) struct Ledger(Mutex<BTreeMap<&'static str, Account>>);

#[derive(Debug, Default)]
struct Account {
    sent: u64,
    left: u64,
    answered: BTreeMap<u16, u64>,
    wrong: Vec<String>,
}

impl Account {
    fn answers(&self) -> u64 {
        self.answered.values().sum()
    }
}

impl Ledger {
    fn with(&self, kind: &'static str, change: impl FnOnce(&mut Account)) {
        change(self.0.lock().expect("nobody panics with it").entry(kind).or_default());
    }

    pub(super) fn sent(&self, kind: &'static str) {
        self.with(kind, |account| account.sent += 1);
    }

    /// Whoever asked did not wait for the answer.
    pub(super) fn left(&self, kind: &'static str) {
        self.with(kind, |account| account.left += 1);
    }

    pub(super) fn answered(&self, kind: &'static str, status: u16) {
        self.with(kind, |account| *account.answered.entry(status).or_default() += 1);
    }

    /// There was no answer, or not the right one.
    pub(super) fn wrong(&self, kind: &'static str, how: String) {
        self.with(kind, |account| account.wrong.push(how));
    }

    pub(super) fn check(&self, broke: &impl Fn(Promise, String)) {
        for (kind, account) in &*self.0.lock().expect("nobody panics with it") {
            account.wrong.iter().for_each(|how| broke(Promise::Answered, format!("{kind}: {how}")));
            if account.sent != account.answers() + account.left {
                let how =
                    format!("{kind}: {} sent, {} answered, {} left", account.sent, account.answers(), account.left);
                broke(Promise::Answered, how);
            }
        }
    }
}

impl fmt::Display for Ledger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:16} {:>6} {:>9} {:>6} {:>6}  by status", "beside callers", "sent", "answered", "left", "wrong")?;
        for (kind, account) in &*self.0.lock().expect("nobody panics with it") {
            let by_status: Vec<_> =
                account.answered.iter().map(|(status, count)| format!("{status}: {count}")).collect();
            let (answers, wrong) = (account.answers(), account.wrong.len());
            let Account { sent, left, .. } = account;
            writeln!(f, "{kind:16} {sent:6} {answers:9} {left:6} {wrong:6}  {}", by_status.join(", "))?;
        }
        Ok(())
    }
}
