//! Made-up contacts, each with one number, one e-mail address, a company and one lead: what a contact is in most accounts.

use std::sync::Arc;

use callcard::cache::{FillError, Patience, Search, Source};
use callcard::card::{Card, Company, LeadView, Owner, Partial, timestamp};
use callcard::contact::{CompanyId, ContactId, LeadId, PartyId, UnixSeconds, UserId};
use callcard::phone::{E164, Number};
use futures_util::future::BoxFuture;

/// A source for which every number is somebody's.
#[derive(Debug)]
pub(crate) struct Everybody {
    owner: Arc<str>,
    pipeline: Arc<str>,
    stage: Arc<str>,
}

impl Default for Everybody {
    fn default() -> Self {
        Self { owner: "Olivia Owner".into(), pipeline: "Sales".into(), stage: "Negotiation".into() }
    }
}

impl Source for Everybody {
    fn find(&self, search: Search) -> BoxFuture<'_, Result<Vec<Card>, FillError>> {
        let card = self.card(search.key);
        Box::pin(async move { Ok(vec![card]) })
    }

    fn refetch(&self, _: Vec<PartyId>, _: Patience) -> BoxFuture<'_, Result<Vec<Card>, FillError>> {
        Box::pin(async { Err(FillError::Failed) })
    }
}

impl Everybody {
    /// The card of whoever has this number.
    pub(crate) fn card(&self, phone: E164) -> Card {
        let n = index(phone);
        Card {
            id: PartyId::Contact(ContactId(n)),
            name: format!("Caller number {n}"),
            first_name: Some("Caller".to_owned()),
            last_name: Some(format!("number {n}")),
            url: format!("https://acme.kommo.com/contacts/detail/{n}"),
            phones: vec![phone.to_string()],
            emails: vec![format!("caller-{n}@example.com")],
            company: Some(Company { id: CompanyId(n), name: Some(format!("Company {n}").into()) }),
            owner: Some(Owner { id: UserId(71), name: Some(Arc::clone(&self.owner)), group: None }),
            tags: Vec::new(),
            created_at: timestamp(UnixSeconds(1_700_000_000)),
            updated_at: timestamp(UnixSeconds(1_760_000_000)),
            next_task_at: None,
            leads: vec![self.lead(n)],
            elements: Vec::new(),
            partial: Partial::default(),
            numbers: vec![Number { e164: phone, extension: None }],
            ready: <_>::default(),
        }
    }

    fn lead(&self, n: u64) -> LeadView {
        LeadView {
            id: LeadId(n),
            name: Some(format!("Roof {n}")),
            price: Some(1_200.into()),
            pipeline: Some(Arc::clone(&self.pipeline)),
            stage: Some(Arc::clone(&self.stage)),
            state: None,
            elements: Vec::new(),
            url: format!("https://acme.kommo.com/leads/detail/{n}"),
            updated_at: timestamp(UnixSeconds(1_760_000_000)),
        }
    }
}

/// The number of contact `n`.
pub(crate) fn phone(n: u64) -> E164 {
    format!("+4930{:08}", FIRST + n).parse().expect("a number of Berlin")
}

const FIRST: u64 = 10_000_000;

fn index(phone: E164) -> u64 {
    phone.to_string()["+4930".len()..].parse::<u64>().map_or(0, |number| number - FIRST)
}
