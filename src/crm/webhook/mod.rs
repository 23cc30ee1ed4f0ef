//! What the CRM tells by itself: the bodies of its webhooks, read into [`Hint`]s.
//!
//! A body is a form with nested brackets in the shape of the old API, all values text, and its senders cannot be told apart. So it is never
//! data: a hint says *that* something about a record has changed and which numbers that may concern, and whoever hears it asks the CRM.
//!
//! [`read`] is pure and bounded in everything that the body decides: its size, its fields, their depth, the records it makes. A body
//! beyond a bound is refused as a whole; a field that cannot be understood is passed over.

mod draft;
mod form;

use crate::contact::{CompanyId, ContactId, LeadId};
use crate::phone::{E164, Region};

use self::draft::Drafts;

/// Larger bodies are not read. The CRM's own are a few kilobytes for each record.
pub const MAX_BYTES: usize = 1 << 20;
/// A contact with every custom field an account can have stays far below.
const MAX_FIELDS: usize = 20_000;
/// The CRM's deepest keys have ten parts.
const MAX_DEPTH: usize = 16;
/// The CRM's longest keys have a hundred characters.
const MAX_KEY: usize = 512;
/// The CRM tells of one record at a time, or of a few.
const MAX_RECORDS: usize = 1_000;

/// Something about a record of the CRM has changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hint {
    /// Which record.
    pub subject: Subject,
    /// What has become of it.
    pub change: Change,
    /// The numbers it has now, as far as the body says: what it had before is never said. None for leads and for what was deleted.
    pub phones: Vec<E164>,
}

/// The record that a hint is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Subject {
    /// A person.
    Contact(ContactId),
    /// A company; the CRM tells of it among the contacts.
    Company(CompanyId),
    /// A deal; whose it is, is not said.
    Lead(LeadId),
}

/// What has become of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Change {
    /// It is new, other than before, or back from the recycle bin.
    Changed,
    /// It is gone.
    Deleted,
}

/// Why a body was not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It is larger than [`MAX_BYTES`].
    #[error("the body is too large")]
    TooLarge,
    /// It has too many fields.
    #[error("the body has too many fields")]
    TooManyFields,
    /// A field's name is too long.
    #[error("a field's name is too long")]
    LongName,
    /// A field's name has too many brackets.
    #[error("a field's name is nested too deeply")]
    TooDeep,
    /// It tells of too many records.
    #[error("the body tells of too many records")]
    TooManyRecords,
}

/// The hints in a webhook's body, in its order; none if it tells of nothing that concerns us. Numbers without country code are read as in
/// `region`.
///
/// # Errors
/// When the body goes beyond a bound.
pub fn read(body: &[u8], region: Region) -> Result<Vec<Hint>, Refusal> {
    if body.len() > MAX_BYTES {
        return Err(Refusal::TooLarge);
    }
    let mut drafts = Drafts::default();
    for (count, (name, value)) in ::form_urlencoded::parse(body).enumerate() {
        if count >= MAX_FIELDS {
            return Err(Refusal::TooManyFields);
        }
        if let Some(path) = form::path(&name)? {
            drafts.take(&path, &value)?;
        }
    }
    Ok(drafts.into_hints(region))
}

#[cfg(test)]
mod tests;
