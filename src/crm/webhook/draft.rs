//! Records put together from the fields of a form, which may come in any order.

use std::collections::{BTreeMap, HashMap};
use std::fmt;

use super::{Change, Hint, MAX_RECORDS, Refusal, Subject};
use crate::contact::{CompanyId, ContactId, LeadId};
use crate::phone::{self, E164, Region};

/// A longer value of a PHONE field holds no number that anybody could call.
const MAX_PHONE_VALUE: usize = 256;
/// Values of PHONE fields that are read in one body; a switchboard's contact has dozens.
const MAX_PHONE_VALUES: usize = 1_000;

/// Under which name a record came.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Section {
    /// `contacts`, which holds the companies too.
    People,
    /// `leads`.
    Leads,
}

/// The records so far, in the order in which they began.
#[derive(Default)]
pub(super) struct Drafts {
    records: Vec<Draft>,
    places: HashMap<(Section, Change, String), usize>,
}

/// Personal data: the `Debug` form shows how many there are.
impl fmt::Debug for Drafts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Drafts").field("records", &self.records.len()).finish_non_exhaustive()
    }
}

struct Draft {
    section: Section,
    change: Change,
    id: Option<u64>,
    is_company: bool,
    fields: BTreeMap<String, Field>,
}

/// A custom field. Its name is in the account's language: only the code says what it is.
#[derive(Default)]
struct Field {
    is_phone: bool,
    values: Vec<String>,
}

impl Drafts {
    /// Takes one field of the form; most concern nobody here.
    pub(super) fn take(&mut self, path: &[&str], value: &str) -> Result<(), Refusal> {
        match path {
            ["contacts", action, place, rest @ ..] => self.put(Section::People, action, place, rest, value),
            ["leads", action, place, rest @ ..] => self.put(Section::Leads, action, place, rest, value),
            // An incoming lead is told of under an id of its own; what matters are the records it belongs to or was turned into.
            ["unsorted", _, _, .., "lead_id"] | ["unsorted", _, _, .., "leads", _] => {
                self.mention(Section::Leads, value)
            }
            ["unsorted", _, _, .., "leads", _, "id"] => self.mention(Section::Leads, value),
            ["unsorted", _, _, .., "contact_id"] | ["unsorted", _, _, .., "contacts", _] => {
                self.mention(Section::People, value)
            }
            ["unsorted", _, _, .., "contacts", _, "id"] => self.mention(Section::People, value),
            _ => Ok(()),
        }
    }

    fn put(&mut self, section: Section, action: &str, place: &str, rest: &[&str], value: &str) -> Result<(), Refusal> {
        let change = match action {
            "add" | "update" | "restore" | "responsible" | "status" => Change::Changed,
            "delete" => Change::Deleted,
            _ => return Ok(()),
        };
        // Two actions are two records, though they may mean the same to us.
        let draft = self.draft(section, change, format!("{action} {place}"))?;
        match rest {
            ["id"] => draft.id = id(value),
            ["type"] => draft.is_company = value == "company",
            ["custom_fields", field, rest @ ..] if section == Section::People => {
                draft.fields.entry((*field).to_owned()).or_default().put(rest, value)
            }
            _ => {}
        }
        Ok(())
    }

    fn mention(&mut self, section: Section, value: &str) -> Result<(), Refusal> {
        let Some(id) = id(value) else { return Ok(()) };
        self.draft(section, Change::Changed, format!("mentioned {id}"))?.id = Some(id);
        Ok(())
    }

    fn draft(&mut self, section: Section, change: Change, place: String) -> Result<&mut Draft, Refusal> {
        let next = self.records.len();
        let place = *self.places.entry((section, change, place)).or_insert(next);
        if place == next {
            if next == MAX_RECORDS {
                return Err(Refusal::TooManyRecords);
            }
            self.records.push(Draft { section, change, id: None, is_company: false, fields: BTreeMap::new() });
        }
        Ok(&mut self.records[place])
    }

    /// The records that have an id.
    pub(super) fn into_hints(self, region: Region) -> Vec<Hint> {
        let mut budget = MAX_PHONE_VALUES;
        self.records.into_iter().filter_map(|draft| draft.into_hint(region, &mut budget)).collect()
    }
}

impl Draft {
    fn into_hint(self, region: Region, budget: &mut usize) -> Option<Hint> {
        let id = self.id?;
        let subject = match self.section {
            Section::Leads => Subject::Lead(LeadId(id)),
            Section::People if self.is_company => Subject::Company(CompanyId(id)),
            Section::People => Subject::Contact(ContactId(id)),
        };
        Some(Hint { subject, change: self.change, phones: phones(&self.fields, region, budget) })
    }
}

impl Field {
    /// Values come as a list or a map, each as `[value]` or bare.
    fn put(&mut self, rest: &[&str], value: &str) {
        match rest {
            ["code"] => self.is_phone = value == "PHONE",
            ["values", _] | ["values", _, "value"] if value.len() <= MAX_PHONE_VALUE => {
                self.values.push(value.to_owned())
            }
            _ => {}
        }
    }
}

fn phones(fields: &BTreeMap<String, Field>, region: Region, budget: &mut usize) -> Vec<E164> {
    let mut phones = Vec::new();
    for value in fields.values().filter(|field| field.is_phone).flat_map(|field| &field.values) {
        if *budget == 0 {
            break;
        }
        *budget -= 1;
        for number in phone::read_stored(value, region) {
            if !phones.contains(&number.e164) {
                phones.push(number.e164);
            }
        }
    }
    phones
}

/// A positive whole number. Zero is how the CRM says "nobody".
fn id(text: &str) -> Option<u64> {
    text.trim().parse().ok().filter(|id| *id != 0)
}
