//! What one commit writes, so that another replica can write the same.

use serde::{Deserialize, Serialize};

use super::super::batch::{Changes, Fate};
use super::super::identity::Identity;
use crate::contact::ContactId;
use crate::phone::E164;

/// A place in the log, and in whose history: places of two histories may be equal, their tags are not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// Counts the leaders.
    pub term: u64,
    /// Counts what this one has written.
    pub n: u64,
    /// Drawn by the leader at the beginning of its term.
    pub tag: u64,
}

impl Position {
    /// Where in the log, whosever history it is.
    #[must_use]
    pub const fn place(&self) -> (u64, u64) {
        (self.term, self.n)
    }
}

/// One row that is written or taken away. It holds personal data, and has no `Debug` for that reason.
#[derive(Serialize, Deserialize)]
pub(in super::super) enum Row {
    /// A contact's record.
    Contact(u64, Option<Vec<u8>>),
    /// A lead's record; empty for one that the CRM no longer has.
    Lead(u64, Option<Vec<u8>>),
    /// A company's name.
    Company(u64, String),
    /// A number and who has it.
    Number(u64, u64, bool),
    /// A lead and who names it.
    Link(u64, u64, bool),
    /// A record that is to be fetched: its kind and its id.
    Want(u8, u64, bool),
    /// What is not a record.
    Meta(String, Vec<u8>),
}

/// One commit.
#[derive(Serialize, Deserialize)]
pub(in super::super) struct Entry {
    /// For whom the rows are right: phones may be read otherwise elsewhere.
    pub(super) identity: Identity,
    pub(super) position: Position,
    /// The leader's position before.
    pub(super) after: Option<Position>,
    /// The leader's snapshot was empty before: this is the beginning of everything.
    pub(super) is_beginning: bool,
    /// The leader's clock when it was written; milliseconds.
    pub(super) told_at: i64,
    pub(super) rows: Vec<Row>,
    pub(super) contacts: Vec<(u64, bool)>,
    pub(super) numbers: Vec<u64>,
}

impl Entry {
    pub(super) fn new(identity: Identity, position: Position, told_at: i64) -> Self {
        let (contacts, numbers, rows) = (Vec::new(), Vec::new(), Vec::new());
        Self { identity, position, after: None, is_beginning: false, told_at, rows, contacts, numbers }
    }

    pub(super) fn with(self, changes: &Changes, rows: Vec<Row>) -> Self {
        let contacts = changes.contacts.iter().map(|(id, fate)| (id.0, *fate == Fate::Gone)).collect();
        let numbers = changes.numbers.iter().map(|number| number.get()).collect();
        Self { rows, contacts, numbers, ..self }
    }

    /// What those have to know who keep answers.
    pub(super) fn changes(&self) -> Changes {
        let fate = |is_gone: bool| if is_gone { Fate::Gone } else { Fate::Changed };
        Changes {
            contacts: self.contacts.iter().map(|(id, is_gone)| (ContactId(*id), fate(*is_gone))).collect(),
            numbers: self.numbers.iter().filter_map(|digits| E164::try_from(*digits).ok()).collect(),
        }
    }

    pub(super) fn to_bytes(&self) -> Vec<u8> {
        postcard::to_stdvec(self).expect("numbers, texts and bytes can be written")
    }

    /// Nothing for what is not an entry of this version.
    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        postcard::from_bytes(bytes).ok()
    }
}
