//! Making a snapshot, with callers ringing meanwhile and afterwards.

use std::path::Path;
use std::time::{Duration, SystemTime};

use callcard::lookup::{Finding, LookupService, Wants};
use callcard::phone::{self, Caller, E164};
use callcard::sandbox::{Endpoint, Sandbox};
use tokio::time::{Instant, sleep};

use super::wire::{Stand, region};
use super::{Filled, Waits};

/// Lookups after the transfer, half of them of known callers.
const LOOKUPS: usize = 10_000;
/// Accounts of this size show what callers wait beside the transfer; larger ones would show the same.
const WITH_CALLERS: u64 = 100_000;

pub(crate) fn run(contacts: u64, path: &Path) -> Filled {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    runtime.block_on(fill(contacts, path))
}

async fn fill(contacts: u64, path: &Path) -> Filled {
    phone::warm();
    let began = SystemTime::now();
    let alone = if contacts == WITH_CALLERS { Some(alone(contacts).await) } else { None };
    let Stand { sandbox, lookups, directory, feed } = Stand::new(contacts, path);
    let started = Instant::now();
    let feeding = tokio::spawn(feed.run());
    let beside = if alone.is_some() { Some(p95(&lookups).await) } else { None };
    while !directory.status().unwrap().complete || directory.status().unwrap().lag.is_none() {
        sleep(Duration::from_millis(500)).await;
    }
    let transfer_s = started.elapsed().as_secs_f64();
    let counts = |endpoint| sandbox.count(endpoint);
    let (lists, leads, all) = (counts(Endpoint::ContactsList), counts(Endpoint::Leads), sandbox.count_all());
    let searches = counts(Endpoint::ContactsQuery);
    let worst_second = sandbox.worst_second();
    feeding.abort();
    sandbox.reset_calls();
    let wrong = ask(&sandbox, &lookups, contacts).await;
    Filled {
        contacts,
        lists,
        leads,
        others: all - lists - leads - searches,
        worst_second,
        transfer_s,
        real_s: began.elapsed().unwrap_or_default().as_secs_f64(),
        disk_bytes: path.metadata().unwrap().len(),
        lookups: LOOKUPS,
        calls: sandbox.count_all(),
        wrong,
        waits: alone.zip(beside).map(|(alone_ms, beside_ms)| Waits { alone_ms, beside_ms }),
    }
}

/// What callers wait when no mirror is being made.
async fn alone(contacts: u64) -> f64 {
    let folder = tempfile::tempdir().unwrap();
    p95(&Stand::new(contacts, &folder.path().join("mirror")).lookups).await
}

/// Two hundred callers, two a second, each with a number that is in no cache: one search each.
async fn p95(lookups: &LookupService) -> f64 {
    let mut waits = Vec::new();
    for n in 0..200 {
        sleep(Duration::from_millis(480)).await;
        let asked = Instant::now();
        let caller = Caller::Number(format!("+1415777{n:04}").parse::<E164>().unwrap().into());
        lookups.lookup(&caller, &Wants::default()).await.unwrap();
        waits.push(asked.elapsed().as_secs_f64() * 1e3);
    }
    waits.sort_by(f64::total_cmp);
    waits[190]
}

/// Known and unknown callers in turn; counts the answers that are wrong.
async fn ask(sandbox: &Sandbox, lookups: &LookupService, contacts: u64) -> usize {
    let known: Vec<(E164, u64)> = sample(sandbox, contacts);
    let mut wrong = 0;
    for n in 0..LOOKUPS {
        let (number, owner) = match n % 2 {
            0 => known.get(n / 2 % known.len()).map(|(number, id)| (*number, Some(*id))).unwrap(),
            _ => (stranger(), None),
        };
        let answer = lookups.lookup(&Caller::Number(number.into()), &Wants::default()).await.unwrap();
        let right = match (&answer.finding, owner) {
            (Finding::Found(found), Some(id)) => {
                found.best.id.number() == id || found.others.iter().any(|card| card.id.number() == id)
            }
            (Finding::NotFound(_), None) => true,
            _ => false,
        };
        wrong += usize::from(!right);
    }
    wrong
}

/// Generated contacts have ids from 1,000 on.
fn sample(sandbox: &Sandbox, contacts: u64) -> Vec<(E164, u64)> {
    let mut rng = fastrand::Rng::with_seed(1);
    let ids = (0..20_000).map(|_| rng.u64(1_000..1_000 + contacts.saturating_sub(400)));
    let numbers = ids.filter_map(|id| sandbox.contact(id)).filter_map(|contact| {
        let value = contact.phones().into_iter().next()?;
        Some((phone::read_stored(&value, region()).first()?.e164, contact.id))
    });
    numbers.take(LOOKUPS / 2).collect()
}

/// A number of a range that the sandbox gives to nobody.
fn stranger() -> E164 {
    format!("+87810{:08}", fastrand::u64(..100_000_000)).parse().unwrap()
}
