//! The account's records as they are now.
//!
//! Only what differs from [`Base`] is held. Reading is here, changing is in [`changes`](super::changes).

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use tokio::time::Instant;

use super::base::Base;
use super::events::Event;
use super::record::{Company, Contact, Lead};
use super::search::{Index, Query};
use super::settings::Settings;
use super::shelf::Shelf;
use super::webhooks::Notice;

/// The records and everything that follows from changing them.
#[derive(Debug)]
pub(super) struct World {
    pub(super) base: Base,
    /// Contacts that have changed; `None` is gone for good (merged into another).
    pub(super) contacts: HashMap<u64, Option<Arc<Contact>>>,
    /// Leads that have changed.
    pub(super) leads: HashMap<u64, Arc<Lead>>,
    /// Companies that have changed.
    pub(super) companies: HashMap<u64, Arc<Company>>,
    pub(super) live_contacts: Shelf,
    /// Made when leads are first listed: most tests never do.
    pub(super) live_leads: Option<Shelf>,
    pub(super) bin: BTreeSet<u64>,
    pub(super) index: Index,
    /// What `GET /events` tells.
    pub(super) events: Vec<Event>,
    /// What webhooks have still to tell.
    pub(super) notices: Vec<Notice>,
    /// The id the next new record gets; above every first one.
    pub(super) next_id: u64,
}

impl World {
    /// The account as `settings` want it.
    pub(super) fn new(settings: &Settings) -> Self {
        let base = Base::new(settings);
        let bin: BTreeSet<u64> = base.binned().collect();
        let live = base.contact_ids().filter(|id| !bin.contains(id)).collect();
        Self {
            base,
            contacts: HashMap::new(),
            leads: HashMap::new(),
            companies: HashMap::new(),
            live_contacts: Shelf::new(live),
            live_leads: None,
            bin,
            index: Index::default(),
            events: Vec::new(),
            notices: Vec::new(),
            next_id: 1_000_000_000,
        }
    }

    /// A contact, deleted or not.
    pub(super) fn contact(&self, id: u64) -> Option<Arc<Contact>> {
        match self.contacts.get(&id) {
            Some(changed) => changed.clone(),
            None => self.base.contact(id).map(Arc::new),
        }
    }

    /// A lead, deleted or not.
    pub(super) fn lead(&self, id: u64) -> Option<Arc<Lead>> {
        self.leads.get(&id).cloned().or_else(|| self.base.lead(id).map(Arc::new))
    }

    /// A company.
    pub(super) fn company(&self, id: u64) -> Option<Arc<Company>> {
        self.companies.get(&id).cloned().or_else(|| self.base.company(id).map(Arc::new))
    }

    /// Every contact that exists, the recycle bin included, ascending.
    pub(super) fn contact_ids(&self) -> Vec<u64> {
        let mut ids: Vec<u64> = self.live_contacts.ids().iter().chain(&self.bin).copied().collect();
        ids.sort_unstable();
        ids
    }

    /// Every company, ascending.
    pub(super) fn company_ids(&self) -> Vec<u64> {
        self.base.company_ids().collect()
    }

    /// The contacts that the search index finds now, ascending. Those in the bin are left out even if the index still shows them.
    pub(super) fn search(&mut self, query: &Query, now: Instant) -> Vec<u64> {
        let mut ids = self.index.search(query, now, &self.base);
        ids.retain(|id| self.live_contacts.holds(*id));
        ids
    }

    /// The live leads.
    pub(super) fn live_leads(&mut self) -> &mut Shelf {
        let Self { live_leads, leads, base, .. } = self;
        live_leads.get_or_insert_with(|| {
            let first = base.lead_ids().filter(|id| !leads.contains_key(id));
            let first = first.filter(|id| base.lead(*id).is_some_and(|lead| !lead.is_deleted));
            let changed = leads.values().filter(|lead| !lead.is_deleted).map(|lead| lead.id);
            let mut ids: Vec<u64> = first.chain(changed).collect();
            ids.sort_unstable();
            Shelf::new(ids)
        })
    }
}
