//! The bound on memory, measured on the process itself: this binary holds one test, so that nothing else allocates beside it.

#![expect(clippy::unwrap_used, reason = "a test, helpers included")]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use callcard::cache::{Ask, Cache, FillError, Patience, Search, Settings, Source};
use callcard::card::{Card, Partial};
use callcard::contact::{ContactId, PartyId};
use callcard::metrics::Metrics;
use callcard::outcome::CacheStatus;
use callcard::phone::{E164, Number};
use futures_util::future::BoxFuture;
use tokio::time::Instant;

const LIVING: u64 = 1_000;
const BOUND: u64 = 64 * 1024 * 1024;

/// The first thousand numbers belong to somebody; of the others, every second one does if `crowded`.
#[derive(Debug)]
struct World {
    crowded: bool,
    finds: Mutex<u64>,
}

impl Source for World {
    fn find(&self, search: Search) -> BoxFuture<'_, Result<Vec<Card>, FillError>> {
        *self.finds.lock().unwrap() += 1;
        let n = index(search.key);
        let somebody = n < LIVING || (self.crowded && n.is_multiple_of(2));
        let cards = if somebody { vec![card(n, search.key)] } else { Vec::new() };
        Box::pin(async move { Ok(cards) })
    }

    fn refetch(&self, _: Vec<PartyId>, _: Patience) -> BoxFuture<'_, Result<Vec<Card>, FillError>> {
        Box::pin(async { Err(FillError::Failed) })
    }
}

fn phone(n: u64) -> E164 {
    format!("+4930{:08}", 10_000_000 + n).parse().unwrap()
}

fn index(phone: E164) -> u64 {
    phone.to_string()["+4930".len()..].parse::<u64>().unwrap() - 10_000_000
}

fn card(n: u64, phone: E164) -> Card {
    Card {
        id: ContactId(n).into(),
        name: format!("Caller number {n}"),
        first_name: Some("Caller".to_owned()),
        last_name: Some(format!("number {n}")),
        url: format!("https://crm.example/contacts/detail/{n}"),
        phones: vec![phone.to_string()],
        emails: vec![format!("caller-{n}@example.com")],
        company: None,
        owner: None,
        tags: Vec::new(),
        created_at: None,
        updated_at: None,
        next_task_at: None,
        leads: Vec::new(),
        elements: Vec::new(),
        partial: Partial::default(),
        numbers: vec![Number { e164: phone, extension: None }],
        ready: <_>::default(),
    }
}

async fn ask(cache: &Cache, n: u64) -> CacheStatus {
    let until = Instant::now() + Duration::from_secs(30);
    let asked = Number { e164: phone(n), extension: None };
    let ask = Ask { soft: until, hard: until, max_age: None };
    cache.get(&asked, &ask).await.unwrap().freshness.status
}

/// Resident bytes of this process (proc(5), statm, second field, in pages).
fn resident() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    statm.split(' ').nth(1).unwrap().parse::<u64>().unwrap() * 4096
}

/// So many numbers asked once each, while the living ones ring every now and then; returns bytes grown and living ones lost.
async fn scan(scanned: u64, crowded: bool) -> (u64, u64) {
    let world = Arc::new(World { crowded, finds: Mutex::new(0) });
    let mut settings = Settings { max_bytes: BOUND, ..Settings::default() };
    settings.lifetimes.known_fresh = Duration::from_secs(24 * 3_600);
    let cache = Cache::new(settings, world.clone(), Arc::new(Metrics::new()));
    for n in 0..LIVING {
        ask(&cache, n).await;
    }
    let before = resident();
    let mut lost = 0;
    for n in LIVING..scanned {
        ask(&cache, n).await;
        // One living number rings for every ten of the scan.
        if n.is_multiple_of(10) && ask(&cache, n / 10 % LIVING).await != CacheStatus::Hit {
            lost += 1;
        }
    }
    cache.observe();
    (resident().saturating_sub(before), lost)
}

#[tokio::test]
async fn a_million_numbers_asked_once_neither_grow_memory_past_the_bound_nor_push_out_the_living() {
    let mut table = String::from("scan              grown MiB   bound MiB   living lost\n");
    for (name, scanned, crowded) in [("of nobody", 1_000_000, false), ("half of somebody", 200_000, true)] {
        let (grown, lost) = scan(scanned, crowded).await;
        table += &format!("{name:<18}{:>9}{:>12}{lost:>14}\n", grown >> 20, BOUND >> 20);
        assert_eq!(lost, 0, "{table}");
        assert!(grown < BOUND, "{table}");
    }
    println!("{table}");
}
