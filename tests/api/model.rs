//! Any schedule of edits, deletions, invalidations, outages and lookups against a naive model of what may be said.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use callcard::cache::{Cache, FillError, Reach, Served, Unserved};
use callcard::contact::ContactId;
use callcard::outcome::CacheStatus;
use callcard::phone::E164;
use proptest::prelude::*;
use tokio::time::{Instant, sleep};

use crate::harness::world::{HARD, Way, World, get, phone};

const STALE: Duration = Duration::from_secs(24 * 3_600);

/// One thing that happens.
#[derive(Clone, Debug)]
enum Step {
    /// Contact gets exactly these numbers (as bits); the CRM tells us if `told`.
    Edit {
        id: u64,
        numbers: u8,
        told: bool,
    },
    Delete {
        id: u64,
        told: bool,
    },
    Forget {
        number: u64,
    },
    ExpireAll,
    Way(u8),
    Wait {
        ms: u64,
    },
    Ask {
        number: u64,
    },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (0..3_u64, 0..8_u8, any::<bool>()).prop_map(|(id, numbers, told)| Step::Edit { id, numbers, told }),
        1 => (0..3_u64, any::<bool>()).prop_map(|(id, told)| Step::Delete { id, told }),
        1 => (0..3_u64).prop_map(|number| Step::Forget { number }),
        1 => Just(Step::ExpireAll),
        2 => (0..5_u8).prop_map(Step::Way),
        4 => prop_oneof![1..400_u64, 1_000..700_000_u64, Just(90_000_000)].prop_map(|ms| Step::Wait { ms }),
        8 => (0..3_u64).prop_map(|number| Step::Ask { number }),
    ]
}

/// From when until when a contact had which numbers; `None` as end means still.
#[derive(Clone, Debug)]
struct Version {
    id: ContactId,
    name: String,
    numbers: Vec<E164>,
    from: Instant,
    until: Option<Instant>,
}

/// What was taken back, and when.
#[derive(Clone, Copy, Debug)]
struct Barrier {
    at: Instant,
    reach: Reach,
}

/// The naive model: the whole history.
#[derive(Debug, Default)]
struct History {
    versions: Vec<Version>,
    phones: BTreeMap<E164, Vec<Barrier>>,
    contacts: BTreeMap<ContactId, Vec<Barrier>>,
}

impl History {
    fn end(&mut self, id: ContactId) -> Vec<E164> {
        let now = Instant::now();
        let Some(version) = self.versions.iter_mut().rfind(|version| version.id == id && version.until.is_none())
        else {
            return Vec::new();
        };
        version.until = Some(now);
        version.numbers.clone()
    }

    fn begin(&mut self, id: ContactId, name: String, numbers: Vec<E164>) {
        self.versions.push(Version { id, name, numbers, from: Instant::now(), until: None });
    }

    /// The earliest moment whose truth may still be told to somebody who asked at `asked`.
    fn earliest(&self, number: E164, id: Option<ContactId>, asked: Instant, stale: bool) -> Option<Instant> {
        let phones = self.phones.get(&number).into_iter().flatten();
        let contacts = id.and_then(|id| self.contacts.get(&id)).into_iter().flatten();
        phones
            .chain(contacts)
            .filter(|barrier| barrier.at < asked && !(stale && barrier.reach == Reach::Expire))
            .map(|barrier| barrier.at)
            .max()
    }

    /// Whether this may be told now to somebody who asked at `asked`.
    fn allows(&self, number: E164, served: &Served, asked: Instant) -> Result<(), String> {
        let stale = served.freshness.status == CacheStatus::Stale;
        let oldest = Instant::now().checked_sub(STALE);
        for card in &served.cards {
            let id = card.id.contact().unwrap();
            let after = self.earliest(number, Some(id), asked, stale).max(oldest);
            let told = self.versions.iter().find(|version| version.id == id && version.name == card.name);
            let version = told.ok_or_else(|| format!("{} never was", card.name))?;
            if !version.numbers.contains(&number) {
                return Err(format!("{} never had {number:?}", card.name));
            }
            if version.until.zip(after).is_some_and(|(until, after)| until < after) {
                return Err(format!("{} was taken back before it was told", card.name));
            }
        }
        if served.cards.is_empty() {
            let after = self.earliest(number, None, asked, stale).max(oldest);
            self.nobody_since(number, after)?;
        }
        Ok(())
    }

    /// Whether there was a moment since `after` at which nobody had the number.
    fn nobody_since(&self, number: E164, after: Option<Instant>) -> Result<(), String> {
        let mut had: Vec<_> = self.versions.iter().filter(|version| version.numbers.contains(&number)).collect();
        had.sort_by_key(|version| version.from);
        let Some(after) = after else { return Ok(()) }; // Before the first edit nobody had it.
        let mut covered = after;
        for version in had {
            if version.from <= covered && version.until.is_none_or(|until| until > covered) {
                let Some(until) = version.until else {
                    return Err(format!("somebody has had {number:?} ever since it was taken back"));
                };
                covered = until;
            }
        }
        Ok(())
    }
}

fn numbers(bits: u8) -> Vec<E164> {
    (0..3).filter(|bit| bits & (1 << bit) != 0).map(phone).collect()
}

async fn run(steps: Vec<Step>) -> Result<(), String> {
    let world = World::new();
    let cache = world.cache(|settings| settings.lifetimes.jitter = 0.1);
    let history = Arc::new(Mutex::new(History::default()));
    let mut asking = Vec::new();
    for (n, step) in steps.into_iter().enumerate() {
        take(n, step, &world, &cache, &history, &mut asking).await;
        // Two events at one instant would leave the model without an order.
        sleep(Duration::from_millis(1)).await;
    }
    for asked in asking {
        asked.await.map_err(|panic| panic.to_string())??;
    }
    Ok(())
}

type Asking = Vec<tokio::task::JoinHandle<Result<(), String>>>;

async fn take(n: usize, step: Step, world: &World, cache: &Cache, history: &Arc<Mutex<History>>, asking: &mut Asking) {
    match step {
        Step::Edit { id, numbers: bits, told } => {
            let (name, after) = (format!("version {n}"), numbers(bits));
            world.set(id, &name, &after);
            let before = {
                let mut history = history.lock().unwrap();
                let before = history.end(ContactId(id));
                history.begin(ContactId(id), name, after.clone());
                before
            };
            if told {
                tell(cache, history, id, before.into_iter().chain(after).collect(), Reach::Expire);
            }
        }
        Step::Delete { id, told } => {
            world.delete(id);
            let before = history.lock().unwrap().end(ContactId(id));
            if told {
                tell(cache, history, id, before, Reach::Remove);
            }
        }
        Step::Forget { number } => {
            cache.invalidate_phone(phone(number), Reach::Remove);
            let barrier = Barrier { at: Instant::now(), reach: Reach::Remove };
            history.lock().unwrap().phones.entry(phone(number)).or_default().push(barrier);
        }
        Step::ExpireAll => {
            cache.expire_all();
            let barrier = Barrier { at: Instant::now(), reach: Reach::Expire };
            for number in 0..3 {
                history.lock().unwrap().phones.entry(phone(number)).or_default().push(barrier);
            }
        }
        Step::Way(way) => world.set_way(match way {
            0 | 1 => Way::Open,
            2 => Way::Slow(Duration::from_millis(700)),
            3 => Way::Failing(FillError::Failed),
            _ => Way::Hanging,
        }),
        Step::Wait { ms } => sleep(Duration::from_millis(ms)).await,
        Step::Ask { number } => asking.push(tokio::spawn(check(cache.clone(), phone(number), Arc::clone(history)))),
    }
}

/// What a webhook does: the contact, and each number it had or has, is taken back.
fn tell(cache: &Cache, history: &Mutex<History>, id: u64, phones: Vec<E164>, reach: Reach) {
    let barrier = Barrier { at: Instant::now(), reach };
    cache.invalidate_contact(ContactId(id), reach);
    let mut history = history.lock().unwrap();
    history.contacts.entry(ContactId(id)).or_default().push(barrier);
    for phone in phones {
        cache.invalidate_phone(phone, reach);
        history.phones.entry(phone).or_default().push(barrier);
    }
}

/// Asks, and holds the answer against the model.
async fn check(cache: Cache, number: E164, history: Arc<Mutex<History>>) -> Result<(), String> {
    let asked = Instant::now();
    let answer = get(&cache, number).await;
    if asked.elapsed() > HARD {
        return Err(format!("answered after {:?}", asked.elapsed()));
    }
    match answer {
        Ok(served) => history.lock().unwrap().allows(number, &served, asked),
        Err(Unserved::Fill(FillError::Panicked, _)) => Err("a panic".to_owned()),
        Err(_) => Ok(()),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn nothing_is_ever_told_that_was_never_true_or_was_taken_back(steps in proptest::collection::vec(step(), 1..60)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(run(steps)).map_err(TestCaseError::fail)?;
    }
}
