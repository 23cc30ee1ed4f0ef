//! Hints reach every replica: the leader has the records fetched, the others trust what they have of them no longer.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use super::super::Directory;
use super::{Away, Fleet};
use crate::contact::{ContactId, LeadId};
use crate::phone::E164;

/// More than this at once is a bulk change: everything is looked at anew.
const MOST: usize = 1_000;

/// What is to be told to the other replicas, if there are any.
#[derive(Debug, Default)]
pub(in super::super) struct Outbox {
    is_open: AtomicBool,
    waiting: Mutex<Vec<Told>>,
}

/// A hint on its way. It may hold a number, so it says nothing of itself.
#[derive(Clone, Serialize, Deserialize)]
pub(in super::super) enum Told {
    /// These are other than they were.
    Changed(Vec<u64>, Vec<u64>),
    /// These are not to be spoken of.
    Dropped(Vec<u64>),
    /// Nor is this number.
    Number(u64),
    /// Everything is out of date.
    All,
}

/// With who told it: nobody needs to hear what they have said.
#[derive(Serialize, Deserialize)]
struct Wire {
    from: u64,
    told: Told,
}

impl std::fmt::Debug for Told {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Told")
    }
}

impl Outbox {
    /// There is somebody to tell.
    pub(super) fn open(&self) {
        self.is_open.store(true, Ordering::Release);
    }

    pub(in super::super) fn put(&self, told: Told) {
        if !self.is_open.load(Ordering::Acquire) {
            return;
        }
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.len() >= MOST {
            waiting.clear();
            waiting.push(Told::All);
        }
        waiting.push(told);
    }

    fn take(&self) -> Vec<Told> {
        std::mem::take(&mut *self.waiting.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn give_back(&self, mut told: Vec<Told>) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        told.append(&mut waiting);
        *waiting = told;
    }
}

impl Fleet {
    /// Tells the others what we have heard, and hears what they have.
    pub(super) async fn exchange(&self) {
        let outbox = &self.directory.0.outbox;
        let mut telling = outbox.take().into_iter();
        while let Some(told) = telling.next() {
            let wire = Wire { from: self.directory.0.me, told: told.clone() };
            let bytes = postcard::to_stdvec(&wire).expect("numbers can be written");
            if self.log.tell(bytes).await == Err(Away) {
                return outbox.give_back(std::iter::once(told).chain(telling).collect());
            }
        }
        for bytes in self.log.told().await.unwrap_or_default() {
            match postcard::from_bytes(&bytes) {
                Ok(Wire { from, .. }) if from == self.directory.0.me => {}
                Ok(Wire { told, .. }) => self.directory.heard(told),
                Err(_) => self.directory.heard(Told::All),
            }
        }
    }
}

impl Directory {
    /// Acts on what another replica was told.
    fn heard(&self, told: Told) {
        let contacts = |ids: Vec<u64>| ids.into_iter().map(ContactId).collect::<Vec<_>>();
        match told {
            Told::Changed(ids, leads) => {
                self.note_hint(&contacts(ids), &leads.into_iter().map(LeadId).collect::<Vec<_>>())
            }
            Told::Dropped(ids) => drop(self.note_dropped(&contacts(ids))),
            Told::Number(digits) => {
                if let Ok(number) = E164::try_from(digits) {
                    self.note_dropped_number(number);
                }
            }
            Told::All => self.note_expired(),
        }
    }
}
