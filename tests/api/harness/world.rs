//! A world of contacts with a cache in front of it: the truth can be changed, the way to it made slow, broken or endless, and every
//! question that reaches it is written down with its time. What it answers is the truth as it was when the question *came*, like a
//! real CRM that was slow to answer.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use callcard::cache::{Ask, Cache, FillError, Patience, Search, Served, Settings, Source, Unserved};
use callcard::card::{Card, Partial};
use callcard::contact::{ContactId, PartyId};
use callcard::metrics::Metrics;
use callcard::outcome::Class;
use callcard::phone::{E164, Number};
use futures_util::future::BoxFuture;
use jiff::Timestamp;
use tokio::time::{Instant, sleep};

/// How the way to the world is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Way {
    Open,
    Slow(Duration),
    Failing(FillError),
    Hanging,
    Panicking,
}

/// One question that reached the world.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Question {
    Find(E164, Class),
    Refetch(BTreeSet<PartyId>),
}

#[derive(Debug)]
struct State {
    way: Way,
    contacts: BTreeMap<ContactId, Card>,
    asked: Vec<(Instant, Question)>,
    version: i64,
}

/// The world.
#[derive(Clone, Debug)]
pub(crate) struct World(Arc<Mutex<State>>);

impl World {
    pub(crate) fn new() -> Self {
        let state = State { way: Way::Open, contacts: BTreeMap::new(), asked: Vec::new(), version: 1 };
        Self(Arc::new(Mutex::new(state)))
    }

    /// A cache in front of it, with `change` made to settings without jitter.
    pub(crate) fn cache(&self, change: impl FnOnce(&mut Settings)) -> Cache {
        let mut settings = Settings::default();
        settings.lifetimes.jitter = 0.0;
        change(&mut settings);
        Cache::new(settings, Arc::new(self.clone()), Arc::new(Metrics::new()))
    }

    pub(crate) fn set_way(&self, way: Way) {
        self.0.lock().unwrap().way = way;
    }

    /// Gives a contact exactly these numbers, as a newer version of it.
    pub(crate) fn set(&self, id: u64, name: &str, numbers: &[E164]) {
        let mut state = self.0.lock().unwrap();
        state.version += 1;
        let version = state.version;
        state.contacts.insert(ContactId(id), card(id, name, numbers, version));
    }

    pub(crate) fn delete(&self, id: u64) {
        self.0.lock().unwrap().contacts.remove(&ContactId(id));
    }

    pub(crate) fn asked(&self) -> Vec<(Instant, Question)> {
        self.0.lock().unwrap().asked.clone()
    }

    pub(crate) fn questions(&self) -> usize {
        self.0.lock().unwrap().asked.len()
    }

    /// Goes `way` with what the truth is now.
    async fn answer(
        &self,
        question: Question,
        choose: impl FnOnce(&BTreeMap<ContactId, Card>) -> Vec<Card>,
    ) -> Result<Vec<Card>, FillError> {
        let (way, cards) = {
            let mut state = self.0.lock().unwrap();
            state.asked.push((Instant::now(), question));
            (state.way, choose(&state.contacts))
        };
        match way {
            Way::Open => Ok(cards),
            Way::Slow(time) => {
                sleep(time).await;
                Ok(cards)
            }
            Way::Failing(error) => Err(error),
            Way::Hanging => std::future::pending().await,
            Way::Panicking => panic!("the world panics"),
        }
    }
}

impl Source for World {
    fn find(&self, search: Search) -> BoxFuture<'_, Result<Vec<Card>, FillError>> {
        let owns = move |card: &&Card| card.numbers.iter().any(|number| number.e164 == search.key);
        let question = Question::Find(search.key, search.class);
        Box::pin(self.answer(question, move |contacts| contacts.values().filter(owns).cloned().collect()))
    }

    fn refetch(&self, ids: Vec<PartyId>, _: Patience) -> BoxFuture<'_, Result<Vec<Card>, FillError>> {
        let question = Question::Refetch(ids.iter().copied().collect());
        Box::pin(
            self.answer(question, move |all| ids.iter().filter_map(|id| all.get(&id.contact()?).cloned()).collect()),
        )
    }
}

/// A card with a name, numbers and a version, and nothing else.
pub(crate) fn card(id: u64, name: &str, numbers: &[E164], version: i64) -> Card {
    Card {
        id: ContactId(id).into(),
        name: name.to_owned(),
        first_name: None,
        last_name: None,
        url: format!("https://crm.example/contacts/detail/{id}"),
        phones: numbers.iter().map(E164::to_string).collect(),
        emails: Vec::new(),
        company: None,
        owner: None,
        tags: Vec::new(),
        created_at: None,
        updated_at: Some(Timestamp::from_second(version).unwrap()),
        next_task_at: None,
        leads: Vec::new(),
        elements: Vec::new(),
        partial: Partial::default(),
        numbers: numbers.iter().map(|e164| Number { e164: *e164, extension: None }).collect(),
        ready: <_>::default(),
    }
}

/// The `n`-th of many possible numbers.
pub(crate) fn phone(n: u64) -> E164 {
    format!("+1415{:07}", 2_000_000 + n).parse().unwrap()
}

pub(crate) const SOFT: Duration = Duration::from_millis(300);
pub(crate) const HARD: Duration = Duration::from_millis(1_500);

/// What an ordinary caller puts up with.
pub(crate) fn ask() -> Ask {
    let now = Instant::now();
    Ask { soft: now + SOFT, hard: now + HARD, max_age: None }
}

/// Asks as an ordinary caller.
pub(crate) async fn get(cache: &Cache, number: E164) -> Result<Served, Unserved> {
    cache.get(&Number { e164: number, extension: None }, &ask()).await
}

/// The names in an answer, best first.
pub(crate) fn names(served: &Served) -> Vec<&str> {
    served.cards.iter().map(|card| card.name.as_str()).collect()
}

/// A world with Anna in it, and a cache that asked for her so long ago.
pub(crate) async fn anna_known_for(age: Duration) -> (World, Cache) {
    let world = World::new();
    world.set(7, "Anna", &[phone(1)]);
    let cache = world.cache(|_| {});
    get(&cache, phone(1)).await.unwrap();
    sleep(age).await;
    (world, cache)
}
