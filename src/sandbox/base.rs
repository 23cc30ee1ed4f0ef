//! The account as it was at first: the named cases, then generated people. Nothing here ever changes.

use std::collections::BTreeMap;

use super::fixtures::{deals, office, people};
use super::generate::Generator;
use super::record::{Company, Contact, Lead};
use super::settings::Settings;

/// The first state of every record.
#[derive(Debug)]
pub(super) struct Base {
    contacts: BTreeMap<u64, Contact>,
    leads: BTreeMap<u64, Lead>,
    companies: BTreeMap<u64, Company>,
    generated: Generator,
}

impl Base {
    /// The data set that `settings` ask for.
    pub(super) fn new(settings: &Settings) -> Self {
        let wanted = usize::try_from(settings.contacts).unwrap_or(usize::MAX);
        let contacts: BTreeMap<u64, Contact> =
            people::contacts().take(wanted).map(|contact| (contact.id, contact)).collect();
        let leads = deals::leads().filter(|lead| lead.contacts.iter().all(|contact| contacts.contains_key(contact)));
        let rest = settings.contacts - contacts.len() as u64;
        Self {
            leads: leads.map(|lead| (lead.id, lead)).collect(),
            companies: office::companies().into_iter().map(|company| (company.id, company)).collect(),
            generated: Generator::new(settings.seed, rest, &settings.country),
            contacts,
        }
    }

    /// The ids of all contacts, ascending.
    pub(super) fn contact_ids(&self) -> impl Iterator<Item = u64> {
        self.contacts.keys().copied().chain(self.generated.contact_ids())
    }

    /// The ids of all leads, ascending.
    pub(super) fn lead_ids(&self) -> impl Iterator<Item = u64> {
        let generated = self.generated.contact_ids().flat_map(|contact| self.generated.leads_of(contact));
        self.leads.keys().copied().chain(generated)
    }

    /// The ids of all companies, ascending.
    pub(super) fn company_ids(&self) -> impl Iterator<Item = u64> {
        self.companies.keys().copied().chain(self.generated.company_ids())
    }

    /// A contact.
    pub(super) fn contact(&self, id: u64) -> Option<Contact> {
        self.contacts.get(&id).cloned().or_else(|| self.generated.contact(id))
    }

    /// A lead.
    pub(super) fn lead(&self, id: u64) -> Option<Lead> {
        self.leads.get(&id).cloned().or_else(|| self.generated.lead(id))
    }

    /// A company.
    pub(super) fn company(&self, id: u64) -> Option<Company> {
        self.companies.get(&id).cloned().or_else(|| self.generated.company(id))
    }

    /// What a search looks at in a contact; nothing if it was in the recycle bin.
    pub(super) fn searchable(&self, id: u64) -> Vec<String> {
        let live = self.contact(id).filter(|contact| !contact.is_deleted);
        live.map(|contact| contact.searchable()).unwrap_or_default()
    }

    /// The named contacts that were in the recycle bin; generated ones never were.
    pub(super) fn binned(&self) -> impl Iterator<Item = u64> {
        self.contacts.values().filter(|contact| contact.is_deleted).map(|contact| contact.id)
    }
}
