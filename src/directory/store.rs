//! The snapshot's tables, and reading them.
//!
//! | table | holds |
//! |---|---|
//! | `contacts` | id → its [`record`] |
//! | `numbers` | (number, contact) of every readable number |
//! | `leads` | id → record; empty for a lead that the CRM no longer has |
//! | `links` | (lead, contact) |
//! | `companies` | id → name; empty for one without |
//! | `wants` | (kind, id) of what is to be fetched anew |
//! | `meta` | whose snapshot it is, how far the feed is, names of owners and stages |
//!
//! The store is one file with one writer; what is written together is seen together, or after a crash not at all. A reader sees one moment
//! and waits for nobody.

use std::path::PathBuf;

use redb::{
    Database, ReadOnlyDatabase, ReadOnlyTable, ReadTransaction, ReadableDatabase, ReadableTable, ReadableTableMetadata,
    TableDefinition,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::batch::{Batch, Kind};
use super::error::StoreError;
use super::record::{self, Held};
use crate::contact::{CompanyId, ContactId, Lead, LeadId};
use crate::phone::{E164, Region};

pub(super) const CONTACTS: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("contacts");
pub(super) const NUMBERS: TableDefinition<'_, (u64, u64), ()> = TableDefinition::new("numbers");
pub(super) const LEADS: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("leads");
pub(super) const LINKS: TableDefinition<'_, (u64, u64), ()> = TableDefinition::new("links");
pub(super) const COMPANIES: TableDefinition<'_, u64, &str> = TableDefinition::new("companies");
pub(super) const WANTS: TableDefinition<'_, (u8, u64), ()> = TableDefinition::new("wants");
pub(super) const META: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("meta");

/// Leads of one contact whose details are read at most, newest first: nobody looks at more while the phone rings.
const MOST_LEADS: usize = 1_000;

/// The open file.
pub(super) struct Store {
    handle: Handle,
    path: PathBuf,
    policy: Policy,
}

/// What is made of what the CRM says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Policy {
    /// How phones without a country code are read.
    pub(super) region: Region,
    /// Whether the details of leads are kept.
    pub(super) leads: bool,
}

enum Handle {
    Writer(Database),
    Reader(ReadOnlyDatabase),
}

/// What is known of a lead that a contact names.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum LeadState {
    /// Its details.
    Known(Lead),
    /// The CRM has it no longer.
    Gone,
    /// Not fetched yet.
    Unknown,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").field("path", &self.path).finish_non_exhaustive()
    }
}

impl Store {
    pub(super) const fn writer(database: Database, path: PathBuf, policy: Policy) -> Self {
        Self { handle: Handle::Writer(database), path, policy }
    }

    pub(super) const fn reader(database: ReadOnlyDatabase, path: PathBuf, policy: Policy) -> Self {
        Self { handle: Handle::Reader(database), path, policy }
    }

    /// The state of this moment.
    pub(super) fn view(&self) -> Result<View, StoreError> {
        let moment = match &self.handle {
            Handle::Writer(database) => database.begin_read()?,
            Handle::Reader(database) => database.begin_read()?,
        };
        Ok(View(moment))
    }

    /// Writes what `write` does, all of it or nothing. It is on the disk when this returns.
    pub(super) fn write<T>(
        &self,
        write: impl FnOnce(&mut Batch<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let written = self.write_if(|batch| write(batch).map(Some))?;
        Ok(written.expect("what gives something is written"))
    }

    /// The same, and nothing at all if it gives nothing.
    pub(super) fn write_if<T>(
        &self,
        write: impl FnOnce(&mut Batch<'_>) -> Result<Option<T>, StoreError>,
    ) -> Result<Option<T>, StoreError> {
        let Handle::Writer(database) = &self.handle else {
            unreachable!("a snapshot that was opened for reading is never written");
        };
        let mut transaction = database.begin_write()?;
        // Costs a little at each commit and saves reading the whole file after a crash.
        transaction.set_quick_repair(true);
        let written = write(&mut Batch::begin(&transaction, self.policy)?)?;
        match written {
            Some(_) => transaction.commit()?,
            None => transaction.abort()?,
        }
        Ok(written)
    }

    /// The file's size.
    pub(super) fn bytes_on_disk(&self) -> u64 {
        self.path.metadata().map_or(0, |metadata| metadata.len())
    }
}

/// One moment of the snapshot.
pub(super) struct View(ReadTransaction);

impl View {
    /// The contacts that have this number, ascending.
    pub(super) fn owners(&self, number: E164) -> Result<Vec<ContactId>, StoreError> {
        let key = number.get();
        let pairs = self.0.open_table(NUMBERS)?;
        let owners = pairs.range((key, 0)..=(key, u64::MAX))?;
        owners.map(|pair| Ok(ContactId(pair?.0.value().1))).collect()
    }

    /// A contact.
    pub(super) fn contact(&self, id: ContactId) -> Result<Option<Held>, StoreError> {
        let contacts = self.0.open_table(CONTACTS)?;
        let bytes = contacts.get(id.0)?;
        Ok(bytes.map(|bytes| Held::from_bytes(id, bytes.value())).transpose()?)
    }

    /// What is known of a contact's leads, the newest first.
    pub(super) fn leads(&self, ids: &[LeadId]) -> Result<Vec<(LeadId, LeadState)>, StoreError> {
        let leads = self.0.open_table(LEADS)?;
        let mut newest = ids.to_vec();
        newest.sort_unstable_by(|a, b| b.cmp(a));
        let read = |(place, id)| match place < MOST_LEADS {
            true => Ok((id, lead_state(&leads, id)?)),
            false => Ok((id, LeadState::Unknown)),
        };
        newest.into_iter().enumerate().map(read).collect()
    }

    /// The company's name, if it is known.
    pub(super) fn company(&self, id: CompanyId) -> Result<Option<String>, StoreError> {
        let companies = self.0.open_table(COMPANIES)?;
        let name = companies.get(id.0)?.map(|name| name.value().to_owned());
        Ok(name.filter(|name| !name.is_empty()))
    }

    /// Contacts with ids from `from` on, ascending, at most so many.
    pub(super) fn contacts_from(&self, from: ContactId, most: usize) -> Result<Vec<Held>, StoreError> {
        let contacts = self.0.open_table(CONTACTS)?;
        let records = contacts.range(from.0..)?.take(most);
        records
            .map(|record| {
                let (id, bytes) = record?;
                Ok(Held::from_bytes(ContactId(id.value()), bytes.value())?)
            })
            .collect()
    }

    /// How many contacts there are.
    pub(super) fn contacts(&self) -> Result<u64, StoreError> {
        Ok(self.0.open_table(CONTACTS)?.len()?)
    }

    /// How many leads there are, those that are gone included.
    pub(super) fn leads_held(&self) -> Result<u64, StoreError> {
        Ok(self.0.open_table(LEADS)?.len()?)
    }

    /// Some of the records of this kind that are to be fetched, in ascending order.
    pub(super) fn wanted(&self, kind: Kind, most: usize) -> Result<Vec<u64>, StoreError> {
        let wants = self.0.open_table(WANTS)?;
        let wanted = wants.range((kind as u8, 0)..=(kind as u8, u64::MAX))?.take(most);
        wanted.map(|want| Ok(want?.0.value().1)).collect()
    }

    /// The highest contact's id.
    pub(super) fn last_contact(&self) -> Result<Option<ContactId>, StoreError> {
        let contacts = self.0.open_table(CONTACTS)?;
        Ok(contacts.last()?.map(|(id, _)| ContactId(id.value())))
    }

    /// How many records are to be fetched anew.
    pub(super) fn wants(&self) -> Result<u64, StoreError> {
        Ok(self.0.open_table(WANTS)?.len()?)
    }

    /// A table of this moment.
    pub(super) fn table<K: redb::Key + 'static, V: redb::Value + 'static>(
        &self,
        table: TableDefinition<'_, K, V>,
    ) -> Result<ReadOnlyTable<K, V>, StoreError> {
        Ok(self.0.open_table(table)?)
    }

    /// Reads what [`Batch::put_meta`] wrote.
    pub(super) fn meta<T: DeserializeOwned + Serialize>(&self, name: &str) -> Result<Option<T>, StoreError> {
        let meta = self.0.open_table(META)?;
        let bytes = meta.get(name)?;
        Ok(bytes.map(|bytes| record::open(0, bytes.value())).transpose()?)
    }
}

fn lead_state(leads: &ReadOnlyTable<u64, &'static [u8]>, id: LeadId) -> Result<LeadState, StoreError> {
    let Some(bytes) = leads.get(id.0)? else { return Ok(LeadState::Unknown) };
    match bytes.value() {
        [] => Ok(LeadState::Gone),
        bytes => Ok(LeadState::Known(record::lead_from_bytes(id, bytes)?)),
    }
}
