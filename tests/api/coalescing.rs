//! One fill per number, whoever asks; a fill belongs to nobody.

use std::time::Duration;

use callcard::cache::{FillError, Unserved};
use callcard::outcome::CacheStatus;
use tokio::time::{Instant, sleep, timeout};

use crate::harness::world::{HARD, Way, World, get, names, phone};

const MS: Duration = Duration::from_millis(1);

#[tokio::test(start_paused = true)]
async fn a_thousand_callers_of_one_cold_number_are_one_question() {
    let world = World::new();
    world.set(7, "Anna", &[phone(1)]);
    world.set_way(Way::Slow(200 * MS));
    let cache = world.cache(|_| {});

    let callers: Vec<_> = (0..1_000)
        .map(|n| {
            let cache = cache.clone();
            tokio::spawn(async move {
                sleep(n % 200 * MS).await;
                get(&cache, phone(1)).await.unwrap()
            })
        })
        .collect();
    let mut statuses = std::collections::BTreeMap::<_, u32>::new();
    for caller in callers {
        let served = caller.await.unwrap();
        assert_eq!(names(&served), ["Anna"]);
        *statuses.entry(served.freshness.status).or_default() += 1;
    }

    assert_eq!(statuses.get(&CacheStatus::Miss), Some(&1));
    assert_eq!(statuses.get(&CacheStatus::Coalesced), Some(&999));
    assert_eq!(world.questions(), 1);
}

#[tokio::test(start_paused = true)]
async fn the_fill_goes_on_when_its_first_caller_leaves_at_any_moment() {
    for left_after in (0..=200).step_by(10) {
        let world = World::new();
        world.set(7, "Anna", &[phone(1)]);
        world.set_way(Way::Slow(200 * MS));
        let cache = world.cache(|_| {});
        let began = Instant::now();

        let first = timeout(left_after * MS, get(&cache, phone(1)));
        let others = (0..10).map(|_| async {
            sleep(5 * MS).await;
            let served = get(&cache, phone(1)).await.unwrap();
            (names(&served).join(","), served.freshness.status, began.elapsed())
        });
        let (_, others) = tokio::join!(first, futures_util::future::join_all(others));

        for (name, status, at) in others {
            let expected = ("Anna", CacheStatus::Coalesced, 200 * MS);
            assert_eq!((name.as_str(), status, at), expected, "first left after {left_after} ms");
        }
        assert_eq!(world.questions(), 1, "first left after {left_after} ms");
    }
}

#[tokio::test(start_paused = true)]
async fn a_panic_in_the_fill_is_a_typed_error_for_all_and_the_number_recovers() {
    let world = World::new();
    world.set(7, "Anna", &[phone(1)]);
    world.set_way(Way::Panicking);
    let cache = world.cache(|_| {});

    let callers = (0..50).map(|_| get(&cache, phone(1)));
    for result in futures_util::future::join_all(callers).await {
        assert!(matches!(result, Err(Unserved::Fill(FillError::Panicked, _))), "{result:?}");
    }
    assert_eq!(world.questions(), 1);

    // In the window after the failure nobody asks.
    world.set_way(Way::Open);
    assert!(matches!(get(&cache, phone(1)).await, Err(Unserved::Failing { .. })));
    assert_eq!(world.questions(), 1);

    sleep(2_001 * MS).await;
    assert_eq!(names(&get(&cache, phone(1)).await.unwrap()), ["Anna"]);
    assert_eq!(world.questions(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_fill_over_its_cap_ends_as_a_typed_error_and_the_number_recovers() {
    let world = World::new();
    world.set(7, "Anna", &[phone(1)]);
    world.set_way(Way::Hanging);
    let cache = world.cache(|_| {});

    let late = get(&cache, phone(1)).await;
    assert!(matches!(late, Err(Unserved::Deadline(_))), "{late:?}");
    sleep(Duration::from_secs(8)).await;
    assert!(matches!(get(&cache, phone(1)).await, Err(Unserved::Failing { .. })));

    world.set_way(Way::Open);
    sleep(2 * Duration::from_secs(1)).await;
    assert_eq!(names(&get(&cache, phone(1)).await.unwrap()), ["Anna"]);
    assert_eq!(world.questions(), 2);
}

#[tokio::test(start_paused = true)]
async fn thousands_of_staggered_timeouts_on_a_hung_crm_cost_one_question_per_cap() {
    let world = World::new();
    world.set_way(Way::Hanging);
    let cache = world.cache(|settings| settings.table_bound = 10);

    let began = Instant::now();
    let callers: Vec<_> = (0..2_000_u32)
        .map(|n| {
            let cache = cache.clone();
            tokio::spawn(async move {
                sleep(n * 20 * MS).await;
                timeout(100 * MS, get(&cache, phone(1))).await
            })
        })
        .collect();
    for caller in callers {
        let left = caller.await.expect("no caller panics");
        let expected = |unserved| matches!(unserved, Unserved::Failing { .. } | Unserved::Fill(FillError::TimedOut, _));
        assert!(left.is_err() || left.is_ok_and(|answered| answered.is_err_and(expected)));
    }

    // 40 s of callers: a fill of 8 s, then a window of 2 s, a fill, a window of 4 s, …
    assert!(began.elapsed() < Duration::from_secs(41));
    let asked: Vec<_> = world.asked().iter().map(|(at, _)| (*at - began).as_secs()).collect();
    assert_eq!(asked, [0, 10, 22, 38]);
}

#[tokio::test(start_paused = true)]
async fn a_caller_with_more_patience_is_not_refused_with_one_that_had_less() {
    let world = World::new();
    world.set(7, "Anna", &[phone(1)]);
    world.set_way(Way::Failing(FillError::Overloaded { retry_after: HARD }));
    let cache = world.cache(|_| {});

    let refused = get(&cache, phone(1)).await;
    world.set_way(Way::Open);
    let served = get(&cache, phone(1)).await.unwrap();

    assert!(matches!(refused, Err(Unserved::Fill(FillError::Overloaded { .. }, _))));
    assert_eq!(names(&served), ["Anna"]);
    assert_eq!(world.questions(), 2);
}
