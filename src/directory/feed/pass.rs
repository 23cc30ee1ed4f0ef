//! Reading every contact: once as fast as the pace allows, then again and again over hours.
//!
//! The first pass is the transfer. Later ones, the sweeps, find what nothing told: a deletion whose event was lost, a link that moved no
//! time stamp. Both mark what they see and fetch by id what they miss, so a record goes only when the CRM does not have it.

use std::collections::HashSet;
use std::time::Duration;

use tokio::time::Instant;

use super::super::batch::Kind;
use super::super::state::{Pass, State, Stream};
use super::{Feed, FeedError, Next, Stretch};
use crate::contact::{ContactId, UnixSeconds};
use crate::crm::{CrmError, Latest, MOST_IN_WINDOW};

/// The log hears of a transfer this often.
const TELL_EVERY: Duration = Duration::from_secs(30);

impl Feed {
    /// One request of the transfer.
    pub(super) async fn transfer(&mut self) -> Result<Next, FeedError> {
        self.tell_progress();
        // Leads are fetched in full batches, which the leads of one window would not fill.
        if self.fetch_some(Kind::Lead, MOST_IN_WINDOW).await? {
            return Ok(Next::Now);
        }
        match self.state.pass {
            None => self.begin_transfer().await?,
            Some(pass) if !pass.read => self.read_window(pass, false).await?,
            Some(_) => {
                self.fetch_all().await?;
                self.refresh_names().await?;
                let now = self.directory.0.clock.now();
                let state = State { complete: true, pass: None, swept_at: now, ..self.state.clone() };
                self.commit(state, |_| Ok(())).await?;
                self.increment_at = Instant::now();
                tracing::info!("the mirror has read every contact");
            }
        }
        Ok(Next::Now)
    }

    /// From where on changes have to be looked for later is asked before the first contact is read.
    async fn begin_transfer(&mut self) -> Result<(), FeedError> {
        let contact = self.ask(|crm, ask| async move { crm.latest_contact(Latest::Change, ask).await }).await?;
        let lead = match self.ask(|crm, ask| async move { crm.latest_lead(Latest::Change, ask).await }).await {
            Err(FeedError::Crm(CrmError::Forbidden)) => None,
            answer => answer?,
        };
        let mut last = self.ask(|crm, ask| async move { crm.latest_contact(Latest::Id, ask).await }).await?;
        if last.is_none() {
            // An empty account is a claim worth hearing twice.
            last = self.ask(|crm, ask| async move { crm.latest_contact(Latest::Id, ask).await }).await?;
        }
        let now = self.directory.0.clock.now();
        let stamp = |at: Option<UnixSeconds>| at.unwrap_or_default().0;
        let contacts = stamp(contact.and_then(|contact| contact.updated_at));
        let leads = stamp(lead.and_then(|lead| lead.updated_at));
        let later = Stream::from(contacts.max(leads), now);
        let state = State {
            pass: Some(Pass::new(last.map_or(0, |contact| contact.id.0), now)),
            contacts: Stream::from(contacts, now),
            leads: Stream::from(leads, now),
            companies: later,
            events: later,
            ..self.state.clone()
        };
        tracing::info!("the mirror begins to read every contact");
        self.commit(state, |_| Ok(())).await
    }

    /// One window of the sweep.
    pub(super) async fn sweep(&mut self) -> Result<(), FeedError> {
        let view = self.directory.store().view()?;
        let (contacts, newest) = (view.contacts()?, view.last_contact()?.map_or(0, |id| id.0));
        drop(view);
        let pass = self.state.pass.unwrap_or_else(|| Pass::new(newest, self.directory.0.clock.now()));
        self.read_window(pass, true).await?;
        let whole = if self.state.events_hidden { self.settings.sweep_without_events } else { self.settings.sweep };
        let windows = contacts.div_ceil(MOST_IN_WINDOW as u64).max(1);
        let each = whole.div_f64(windows as f64).max(self.settings.pace * 2);
        self.sweep_at = Instant::now() + each;
        Ok(())
    }

    /// Reads the next window, and puts it in place with how far that brings the pass.
    async fn read_window(&mut self, mut pass: Pass, is_sweep: bool) -> Result<(), FeedError> {
        let window = pass.walk.window();
        let slice = self.ask(|crm, ask| async move { crm.contacts_window(window, ask).await }).await?;
        let ends_early = !slice.more && slice.records.last().map_or(0, |contact| contact.id.0) < pass.newest;
        if ends_early && self.still_exists(pass.newest).await? {
            return Err(CrmError::Malformed { what: "its list ends before its last record" }.into());
        }
        let (records, above, up_to) = match pass.walk.take(window, slice, |contact| contact.id.0) {
            Stretch::Unordered => return Err(CrmError::Malformed { what: "its list is not in order" }.into()),
            Stretch::Moved => return self.commit(self.with(pass), |_| Ok(())).await,
            Stretch::Next { records, above, up_to, is_last } => {
                pass.read = is_last;
                (records, above, up_to)
            }
        };
        pass.first = pass.first.or_else(|| records.first().map(|contact| contact.id.0));
        let now = self.directory.0.clock.seconds();
        let mut state = self.with(pass);
        if is_sweep && pass.read {
            (state.pass, state.swept_at) = (None, self.directory.0.clock.now());
        }
        let leads = is_sweep && self.directory.0.settings.leads;
        self.commit(state, move |batch| {
            let seen: HashSet<_> = records.iter().map(|contact| contact.id).collect();
            let held = batch.contacts_between(above, up_to)?;
            held.iter().filter(|id| !seen.contains(id)).try_for_each(|id| batch.want(Kind::Contact, id.0))?;
            for contact in records {
                if leads {
                    contact.leads.iter().try_for_each(|id| batch.want(Kind::Lead, id.0))?;
                }
                batch.put_contact(contact, now)?;
            }
            Ok(())
        })
        .await
    }

    /// Whether the contact that the list has to reach is still there: a list that ends before it is none, however well it is formed.
    async fn still_exists(&mut self, id: u64) -> Result<bool, FeedError> {
        let id = [ContactId(id)];
        Ok(!self.ask(|crm, ask| async move { crm.contacts(&id, ask).await }).await?.is_empty())
    }

    fn with(&self, pass: Pass) -> State {
        State { pass: Some(pass), ..self.state.clone() }
    }

    /// By time and not by page, so that a large account does not fill the log.
    fn tell_progress(&mut self) {
        if self.told_at.elapsed() < TELL_EVERY {
            return;
        }
        self.told_at = Instant::now();
        if let Ok(status) = self.directory.status() {
            let percent = status.percent.unwrap_or(0);
            tracing::info!(percent, contacts = status.contacts, leads = status.leads, "the mirror reads on");
        }
    }
}
