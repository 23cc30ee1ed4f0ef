//! What has changed since the last time: the journal for what vanishes and links, the lists by change for everything else.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::super::batch::{Batch, Kind};
use super::super::names::Written;
use super::super::state::{State, Stream};
use super::super::{NAMES, Names, StoreError};
use super::{Feed, FeedError, Stretch};
use crate::contact::{Contact, UnixSeconds};
use crate::crm::{Ask, CrmError, Event, LinkedLead, NamedCompany, Slice, Window};

/// A journal longer than this has no end.
const MOST_PAGES: usize = 5_000;
/// A right that is missing now is missing for a while.
const ASK_AGAIN: Duration = Duration::from_secs(3_600);
/// Names are not worth a longer wait; there are old ones.
const NAMES_PATIENCE: Duration = Duration::from_secs(10);

impl Feed {
    /// Brings the mirror up to the present. Afterwards all that the CRM knew at the beginning is in.
    pub(super) async fn increment(&mut self) -> Result<(), FeedError> {
        let (began, then) = (self.directory.0.clock.now(), self.directory.0.hints.now());
        let due = Instant::now() + self.settings.increments;
        self.read_events().await?;
        self.read_contacts().await?;
        if self.directory.0.settings.leads {
            self.read_leads().await?;
        }
        if self.companies_at <= Instant::now() {
            self.read_companies().await?;
            self.companies_at = Instant::now() + self.settings.companies;
        }
        self.fetch_all().await?;
        self.refresh_names().await?;
        let state = State { as_of: Some(began), ..self.state.clone() };
        self.commit(state, |_| Ok(())).await?;
        self.directory.0.hints.settle_numbers(then);
        self.increment_at = due;
        Ok(())
    }

    /// Has everything fetched that the journal names.
    async fn read_events(&mut self) -> Result<(), FeedError> {
        if self.state.events_hidden && Instant::now() < self.events_at {
            return Ok(());
        }
        let since = UnixSeconds(self.state.events.since(self.directory.0.clock.now()));
        let mut stream = self.state.events;
        let mut seen = HashSet::new();
        for page in 1..=MOST_PAGES {
            let Slice { records, more } =
                match self.ask(|crm, ask| async move { crm.events(since, page, ask).await }).await {
                    Err(FeedError::Crm(CrmError::Forbidden | CrmError::Rejected { .. })) => {
                        return self.hide_events().await;
                    }
                    answer => answer?,
                };
            let now = self.directory.0.clock.now();
            if page == 1 {
                records.iter().filter_map(|event| event.at).for_each(|at| stream.saw(at.0, now));
            }
            let new: Vec<Event> = records.into_iter().filter(|event| !self.seen_events.contains(&event.id)).collect();
            seen.extend(new.iter().map(|event| event.id.clone()));
            self.want_named(new).await?;
            if !more {
                let kept = State { events: stream, events_hidden: false, ..self.state.clone() };
                if kept != self.state {
                    self.commit(kept, |_| Ok(())).await?;
                }
                // Only what may come again has to be remembered.
                if stream.since(now) > since.0 {
                    self.seen_events = seen
                } else {
                    self.seen_events.extend(seen)
                }
                return Ok(());
            }
        }
        Err(CrmError::Malformed { what: "its journal has no end" }.into())
    }

    async fn want_named(&mut self, events: Vec<Event>) -> Result<(), FeedError> {
        if events.is_empty() {
            return Ok(());
        }
        let leads = self.directory.0.settings.leads;
        self.commit(self.state.clone(), move |batch| {
            for event in &events {
                event.contacts.iter().try_for_each(|id| batch.want(Kind::Contact, id.0))?;
                event.leads.iter().filter(|_| leads).try_for_each(|id| batch.want(Kind::Lead, id.0))?;
            }
            Ok(())
        })
        .await
    }

    async fn hide_events(&mut self) -> Result<(), FeedError> {
        if !self.state.events_hidden {
            tracing::warn!(
                "the token may not read events: deletions and new links of leads are found by the sweep only, \
                 and a card is as old as its own record"
            );
        }
        self.events_at = Instant::now() + ASK_AGAIN;
        let state = State { events_hidden: true, ..self.state.clone() };
        self.commit(state, |_| Ok(())).await
    }

    async fn read_contacts(&mut self) -> Result<(), FeedError> {
        let now = self.directory.0.clock.seconds();
        let list = List {
            stream: |state| &mut state.contacts,
            id: |contact: &Contact| contact.id.0,
            stamp: |contact| contact.updated_at,
        };
        self.read_changes(
            list,
            |crm, window, ask| Box::pin(async move { crm.contacts_window(window, ask).await }),
            move |batch, contact| batch.put_contact(contact, now),
        )
        .await
    }

    async fn read_leads(&mut self) -> Result<(), FeedError> {
        let list = List {
            stream: |state| &mut state.leads,
            id: |linked: &LinkedLead| linked.lead.id.0,
            stamp: |linked| linked.lead.updated_at,
        };
        self.read_changes(
            list,
            |crm, window, ask| Box::pin(async move { crm.leads_window(window, ask).await }),
            |batch, linked| batch.put_lead(&linked),
        )
        .await
    }

    async fn read_companies(&mut self) -> Result<(), FeedError> {
        let list = List {
            stream: |state| &mut state.companies,
            id: |company: &NamedCompany| company.id.0,
            stamp: |company| company.updated_at,
        };
        self.read_changes(
            list,
            |crm, window, ask| Box::pin(async move { crm.companies_window(window, ask).await }),
            |batch, company| if batch.has_company(company.id)? { batch.put_company(&company) } else { Ok(()) },
        )
        .await
    }

    /// Reads a list of changes to its end, writing down how far after each window.
    async fn read_changes<R: Clone + Send + 'static>(
        &mut self,
        list: List<R>,
        question: impl Fn(crate::crm::CrmClient, Window, Ask) -> Question<R>,
        put: impl Fn(&mut Batch<'_>, R) -> Result<(), StoreError> + Copy + Send + 'static,
    ) -> Result<(), FeedError> {
        loop {
            let now = self.directory.0.clock.now();
            let mut state = self.state.clone();
            let mut reading = (list.stream)(&mut state).resume(now);
            let window = reading.walk.window();
            let slice = match self.ask(|crm, ask| question(crm, window, ask)).await {
                // What may not be listed is not kept up to date; the sweep still reads contacts.
                Err(FeedError::Crm(CrmError::Forbidden)) => return Ok(()),
                answer => answer?,
            };
            let latest = slice.records.iter().filter_map(|record| (list.stamp)(record)).max();
            reading.first = reading.first.or_else(|| latest.map(|at| (at.0, now)));
            let (records, is_last) = match reading.walk.take(window, slice, |record| (list.id)(record)) {
                Stretch::Unordered => return Err(CrmError::Malformed { what: "its list is not in order" }.into()),
                Stretch::Moved => (Vec::new(), false),
                Stretch::Next { records, is_last, .. } => (records, is_last),
            };
            let stream = (list.stream)(&mut state);
            if is_last {
                stream.finish(&reading)
            } else {
                stream.reading = Some(reading)
            }
            if state != self.state || !records.is_empty() {
                self.commit(state, move |batch| records.into_iter().try_for_each(|record| put(batch, record))).await?;
            }
            if is_last {
                return Ok(());
            }
        }
    }

    /// Has the dictionaries look at their age, and writes down what is new.
    pub(super) async fn refresh_names(&mut self) -> Result<(), FeedError> {
        let (owners, stages) = self.directory.take_missing_names();
        let (owners, groups, pipelines) = self.names.lists(&owners, &stages, Ask::background(NAMES_PATIENCE)).await;
        let had = self.directory.names();
        // A list that could not be had is empty; the old names are better.
        let has = Names {
            owners: if owners.known.iter().next().is_some() { owners.known } else { Arc::clone(&had.owners) },
            groups: if groups.known.iter().next().is_some() { groups.known } else { Arc::clone(&had.groups) },
            pipelines: if pipelines.known.iter().next().is_some() {
                pipelines.known
            } else {
                Arc::clone(&had.pipelines)
            },
        };
        let new = Written::from(&has);
        if Written::from(&had) == new {
            return Ok(());
        }
        self.commit(self.state.clone(), move |batch| batch.put_meta(NAMES, &new)).await?;
        self.directory.put_names(has);
        Ok(())
    }
}

type Question<R> = futures_util::future::BoxFuture<'static, Result<Slice<R>, CrmError>>;

/// What has to be known of a list to read its changes.
struct List<R> {
    stream: fn(&mut State) -> &mut Stream,
    id: fn(&R) -> u64,
    stamp: fn(&R) -> Option<UnixSeconds>,
}
