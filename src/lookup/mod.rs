//! The use case: who is calling? The one place with the order of business.
//!
//! [`LookupService::lookup`] takes a caller that has been read already, and answers from the cache or through a fill; `fill` is what a
//! fill does: search the CRM (in the texts that `plan` finds worth a call, by what `calibration` knows of the account), verify, fetch the
//! leads and names, make cards. Nothing here knows of HTTP.

mod answer;
mod calibration;
mod enrich;
mod fill;
pub mod hints;
mod mirror;
mod outage;
mod plan;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

pub use self::answer::{Answer, Finding, Found, LookupError, LookupFailure};
pub use self::calibration::{Calibration, Measurement, Reason};
pub use self::enrich::Leads;
pub use self::hints::Hints;
pub use crate::cache::{Explained, Forwarded, Freshness};

use self::enrich::Enricher;
use self::fill::CrmSource;
use self::mirror::{Mirror, Says};
use crate::cache::{self, Ask, Cache, FillError, Reach, SecondLevel, Served, Unserved};
use crate::card::Card;
use crate::contact::{CompanyId, ContactId};
use crate::crm::dictionary::{Dictionaries, ElementNames, Names};
use crate::crm::{self, CrmClient, WebLinks};
use crate::directory::Directory;
use crate::matching;
use crate::metrics::Metrics;
use crate::outcome::{AnswerKind, CacheStatus, Class};
use crate::phone::{Caller, E164, Number, Region};

/// Nobody may wait longer, whatever they ask for.
pub const LONGEST_DEADLINE: Duration = Duration::from_secs(8);

/// How the account's search finds phone numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SearchMode {
    /// A run of digits is found wherever it stands in a number, stored formatting ignored.
    Digits,
    /// The text is found as it was typed.
    Raw,
    /// The last seven digits decide.
    Last7,
    /// Not known: it is measured.
    Auto,
}

/// The lookup's settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// How stored numbers without a country code are read.
    pub region: Region,
    /// How much is told about leads.
    pub leads: Leads,
    /// How the account's search finds phone numbers.
    pub search: SearchMode,
    /// A number that no contact has is looked for on companies too.
    pub companies: bool,
    /// After this a stale answer, if there is one, is given.
    pub soft_deadline: Duration,
    /// After this some answer is given, unless the caller says otherwise.
    pub deadline: Duration,
}

/// What one caller wants beyond the answer itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wants {
    /// How long it will wait; at most [`LONGEST_DEADLINE`].
    pub deadline: Option<Duration>,
    /// Older answers count as stale.
    pub max_age: Option<Duration>,
    /// Rather wait for a newer answer until the deadline than take a stale one after the soft deadline.
    pub patient: bool,
    /// The linked elements of the account's lists too. The cards have them anyway; their names are asked for only now.
    pub elements: bool,
}

/// The CRM as a lookup needs it.
#[derive(Clone, Debug)]
pub struct Upstream {
    /// Answers questions.
    pub client: CrmClient,
    /// Knows the names behind ids.
    pub names: Dictionaries,
    /// Makes links into the CRM's web pages.
    pub links: WebLinks,
}

/// Answers who is calling. Clones share everything.
#[derive(Clone, Debug)]
pub struct LookupService {
    cache: Cache,
    hints: Hints,
    mirror: Option<Arc<Mirror>>,
    soft_deadline: Duration,
    deadline: Duration,
    calibration: Calibration,
    names: Dictionaries,
    metrics: Arc<Metrics>,
}

impl LookupService {
    /// A service with an empty cache. Must be called inside a tokio runtime.
    #[must_use]
    pub fn new(settings: Settings, cache: cache::Settings, crm: Upstream, metrics: Arc<Metrics>) -> Self {
        Self::over(None, settings, cache, crm, metrics)
    }

    /// The same with what other replicas know as a second level. Must be called inside a tokio runtime.
    #[must_use]
    pub fn over(
        second: Option<Arc<dyn SecondLevel>>,
        settings: Settings,
        mut cache: cache::Settings,
        crm: Upstream,
        metrics: Arc<Metrics>,
    ) -> Self {
        if settings.leads == Leads::Ids {
            // Nothing better will come sooner.
            cache.lifetimes.partial_fresh = cache.lifetimes.known_fresh;
        }
        let names = crm.names.clone();
        let calibration = Calibration::new(settings.search, crm.client.clone(), settings.region, Arc::clone(&metrics));
        let source = Arc::new(CrmSource::new(settings, crm, calibration.clone(), Arc::clone(&metrics)));
        let cache = Cache::over(second, cache, source, Arc::clone(&metrics));
        Self::assemble(cache, names, calibration, &settings, metrics)
    }

    /// A service around a cache that has a source of its own.
    #[must_use]
    pub fn around(cache: Cache, crm: Upstream, settings: &Settings, metrics: Arc<Metrics>) -> Self {
        let calibration = Calibration::new(settings.search, crm.client, settings.region, Arc::clone(&metrics));
        Self::assemble(cache, crm.names, calibration, settings, metrics)
    }

    fn assemble(
        cache: Cache,
        names: Dictionaries,
        calibration: Calibration,
        settings: &Settings,
        metrics: Arc<Metrics>,
    ) -> Self {
        let (soft_deadline, deadline) = (settings.soft_deadline, settings.deadline);
        let hints = Hints::new(cache.clone(), names.clone(), settings.region, Arc::clone(&metrics));
        Self { cache, hints, mirror: None, soft_deadline, deadline, calibration, names, metrics }
    }

    /// The same service with a mirror of the contact base to ask first, which is told every hint. `settings` and `crm` are those it was made
    /// with.
    #[must_use]
    pub fn with_mirror(self, directory: Directory, settings: Settings, crm: Upstream) -> Self {
        let enricher = Enricher::new(crm, settings.leads, settings.region);
        tokio::spawn(mirror::listen(self.hints.subscribe(), directory.clone()));
        Self { mirror: Some(Arc::new(Mirror { directory, enricher, companies: settings.companies })), ..self }
    }

    /// What is known of the account's search. Nothing is measured before [`Calibration::keep`] runs.
    #[must_use]
    pub const fn calibration(&self) -> &Calibration {
        &self.calibration
    }

    /// Who is `caller`? Answers by the caller's deadline.
    ///
    /// # Errors
    /// [`LookupFailure`] when the CRM could not be asked in time and nothing usable is cached.
    pub async fn lookup(&self, caller: &Caller, wants: &Wants) -> Result<Answer, LookupFailure> {
        let arrived = Instant::now();
        if let Some(answer) = self.at_hand(caller, wants, arrived) {
            return Ok(answer);
        }
        let Caller::Number(number) = caller else { unreachable!("only a number has to be looked for") };
        let result = self.ask(number, wants, arrived).await;
        self.count(&result, arrived.elapsed());
        result
    }

    /// The answer that needs no waiting, if there is one, to a caller who arrived at `arrived`: what [`LookupService::lookup`] would say.
    #[must_use]
    pub fn at_hand(&self, caller: &Caller, wants: &Wants, arrived: Instant) -> Option<Answer> {
        let answer = match caller {
            // Their names may have to be asked for.
            Caller::Number(_) if wants.elements => return None,
            Caller::Number(number) => self.known(number, wants.max_age)?,
            Caller::Withheld => skipped(Finding::Withheld),
            Caller::Extension(extension) => skipped(Finding::Extension(extension.clone())),
        };
        self.count_answer(&answer, arrived.elapsed());
        Some(answer)
    }

    /// Counts a question that was no possible number and so never became a lookup.
    pub fn count_invalid(&self) {
        self.metrics.lookup(CacheStatus::Skipped, AnswerKind::Invalid, Duration::ZERO);
    }

    async fn ask(&self, number: &Number, wants: &Wants, arrived: Instant) -> Result<Answer, LookupFailure> {
        let hard = arrived + wants.deadline.unwrap_or(self.deadline).min(LONGEST_DEADLINE);
        let soft = if wants.patient { hard } else { (arrived + self.soft_deadline).min(hard) };
        let mut answer = self.found(number, Ask { soft, hard, max_age: wants.max_age }).await?;
        if let Finding::Found(found) = &mut answer.finding
            && wants.elements
        {
            found.elements = Some(self.element_names(&found.best, hard).await);
        }
        Ok(answer)
    }

    /// What the mirror says, if it may; else what the cache has at hand.
    fn known(&self, number: &Number, max_age: Option<Duration>) -> Option<Answer> {
        match self.mirror_says(number, max_age) {
            Says::Answer(answer) => Some(answer),
            Says::Fallback(_) => None,
            Says::Nothing => Some(answer(number, self.cache.at_hand(number, max_age)?)),
        }
    }

    fn mirror_says(&self, number: &Number, max_age: Option<Duration>) -> Says {
        self.mirror.as_ref().map_or(Says::Nothing, |mirror| mirror.ask(number, max_age))
    }

    /// What the mirror says, if it may; else what the cache has or gets; else what the mirror knew.
    async fn found(&self, number: &Number, ask: Ask) -> Result<Answer, LookupFailure> {
        let fallback = match self.mirror_says(number, ask.max_age) {
            Says::Answer(answer) => return Ok(answer),
            Says::Fallback(answer) => Some(answer),
            Says::Nothing => None,
        };
        // Who has something to fall back on waits no longer than for a stale entry.
        let hard = if fallback.is_some() { ask.soft } else { ask.hard };
        let asked = self.cache.get(number, &Ask { hard, ..ask }).await.map(|served| answer(number, served));
        match (asked, fallback) {
            (Ok(stale), Some(fallback)) if stale.freshness.age > fallback.freshness.age => Ok(fallback),
            (Ok(answer), _) | (Err(_), Some(answer)) => Ok(answer),
            (Err(unserved), None) => Err(failure(number, unserved)),
        }
    }

    /// The names of a card's list elements, as far as they are known or can be had by then.
    async fn element_names(&self, card: &Card, by: Instant) -> Names<ElementNames> {
        let all = card.elements.iter().chain(card.leads.iter().flat_map(|lead| &lead.elements));
        let wanted: BTreeSet<_> = all.filter_map(|element| Some((element.catalog?, element.id))).collect();
        let wanted: Vec<_> = wanted.into_iter().collect();
        self.names.element_names(&wanted, crm::Ask { class: Class::Live, start_by: by, until: by }).await
    }

    fn count(&self, result: &Result<Answer, LookupFailure>, took: Duration) {
        match result {
            Ok(answer) => self.count_answer(answer, took),
            Err(failure) => self.metrics.lookup(failure.freshness.status, AnswerKind::Error, took),
        }
    }

    fn count_answer(&self, answer: &Answer, took: Duration) {
        let freshness = &answer.freshness;
        self.metrics.lookup(freshness.status, answer.finding.kind(), took);
        if freshness.is_stale() {
            self.metrics.stale(freshness.age);
        }
    }

    /// What the cache holds for a number.
    #[must_use]
    pub fn explain(&self, number: E164) -> Option<Explained> {
        self.cache.explain(number)
    }

    /// Drops what is known about a number; tells whether anything was.
    #[expect(clippy::must_use_candidate, reason = "done for its effect")]
    pub fn forget_number(&self, number: E164) -> bool {
        let was_mirrored = self.mirror.as_ref().is_some_and(|mirror| mirror.directory.drop_number(number));
        self.cache.invalidate_phone(number, Reach::Remove) || was_mirrored
    }

    /// Drops what is known about a contact and its numbers; tells how many numbers had an entry.
    #[expect(clippy::must_use_candidate, reason = "done for its effect")]
    pub fn forget_contact(&self, id: ContactId) -> usize {
        let mirrored = self.mirror.as_ref().map_or(0, |mirror| mirror.directory.drop_contacts(&[id]));
        self.cache.invalidate_contact(id, Reach::Remove).max(mirrored)
    }

    /// Drops what is known about a company and its numbers; tells how many numbers had an entry.
    #[expect(clippy::must_use_candidate, reason = "done for its effect")]
    pub fn forget_company(&self, id: CompanyId) -> usize {
        self.cache.invalidate_company(id, Reach::Remove)
    }

    /// Lets everything count as stale; it stays usable while the CRM cannot be asked.
    pub fn expire_all(&self) {
        self.mirror.iter().for_each(|mirror| mirror.directory.expire());
        self.cache.expire_all();
    }

    /// Where the CRM's webhooks go.
    #[must_use]
    pub const fn hints(&self) -> &Hints {
        &self.hints
    }

    /// Copies what is countable into the metrics; called when they are scraped.
    pub fn observe(&self) {
        self.hints.observe();
        self.mirror.iter().for_each(|mirror| mirror.directory.observe(&self.metrics));
        self.cache.observe();
    }
}

const fn skipped(finding: Finding) -> Answer {
    Answer { finding, freshness: Freshness::skipped() }
}

fn answer(number: &Number, served: Served) -> Answer {
    let mut cards = served.cards.into_iter();
    let finding = match cards.next() {
        None => Finding::NotFound(number.clone()),
        Some(best) => {
            let ownership = matching::ownership(&best.numbers, number);
            let kind = ownership.expect("the cache gives only cards that own the number").kind;
            Finding::Found(Found { number: number.clone(), best, others: cards.collect(), kind, elements: None })
        }
    };
    Answer { finding, freshness: served.freshness }
}

fn failure(number: &Number, unserved: Unserved) -> LookupFailure {
    let rejected = Freshness::without_entry(CacheStatus::Rejected, Some(Forwarded::Miss));
    let (error, freshness) = match unserved {
        Unserved::Failing { retry_after } => {
            let held = Freshness { detail: Some("hold"), ..Freshness::without_entry(CacheStatus::Rejected, None) };
            (LookupError::UpstreamUnavailable { retry_after }, held)
        }
        Unserved::Deadline(freshness) => (LookupError::UpstreamTimeout, freshness),
        Unserved::Fill(error, freshness) => match error {
            FillError::Overloaded { retry_after } => (LookupError::Overloaded { retry_after }, rejected),
            FillError::Suspended { retry_after } => (LookupError::UpstreamUnavailable { retry_after }, rejected),
            FillError::Overtaken => {
                (LookupError::UpstreamUnavailable { retry_after: Duration::from_secs(1) }, freshness)
            }
            FillError::TimedOut => (LookupError::UpstreamTimeout, freshness),
            FillError::Failed | FillError::Incomplete | FillError::Panicked => (LookupError::UpstreamFailed, freshness),
        },
    };
    LookupFailure { error, freshness, number: number.clone() }
}
