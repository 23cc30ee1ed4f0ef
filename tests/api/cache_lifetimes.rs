//! Fresh, stale, hold, failed: what is given when, and when the CRM is asked.

use std::collections::BTreeSet;
use std::time::Duration;

use callcard::cache::{Ask, FillError, Unserved};
use callcard::contact::ContactId;
use callcard::outcome::{CacheStatus, Class};
use callcard::phone::Number;
use tokio::time::{Instant, sleep};

use crate::harness::world::{HARD, Question, SOFT, Way, World, anna_known_for, get, names, phone};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3_600);

#[tokio::test(start_paused = true)]
async fn a_fresh_card_costs_no_question_and_tells_its_age() {
    let (world, cache) = anna_known_for(Duration::ZERO).await;

    sleep(12 * SECOND).await;
    let served = get(&cache, phone(1)).await.unwrap();

    assert_eq!(served.freshness.status, CacheStatus::Hit);
    assert_eq!((served.freshness.age, served.freshness.ttl), (12 * SECOND, 588));
    assert_eq!(world.questions(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_stale_card_is_given_at_the_soft_deadline_while_the_crm_is_slow_and_refreshed_once() {
    let (world, cache) = anna_known_for(11 * MINUTE).await;
    world.set(7, "Anna Ivanova", &[phone(1)]);
    world.set_way(Way::Slow(2 * SECOND));

    let began = Instant::now();
    let served = get(&cache, phone(1)).await.unwrap();

    assert_eq!(began.elapsed(), SOFT);
    assert_eq!(names(&served), ["Anna"]);
    assert_eq!((served.freshness.status, served.freshness.detail), (CacheStatus::Stale, Some("soft-deadline")));
    assert_eq!(served.freshness.ttl, -60);

    sleep(2 * SECOND).await;
    let served = get(&cache, phone(1)).await.unwrap();
    assert_eq!((names(&served), served.freshness.status), (vec!["Anna Ivanova"], CacheStatus::Hit));
    assert_eq!(world.questions(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_stale_card_is_replaced_at_once_when_the_crm_is_quick() {
    let (world, cache) = anna_known_for(11 * MINUTE).await;
    world.set(7, "Anna Ivanova", &[phone(1)]);

    let served = get(&cache, phone(1)).await.unwrap();

    assert_eq!((names(&served), served.freshness.status), (vec!["Anna Ivanova"], CacheStatus::Miss));
    assert_eq!(served.freshness.forwarded, Some(callcard::cache::Forwarded::Stale));
}

#[tokio::test(start_paused = true)]
async fn a_stale_card_is_held_after_a_failure_and_the_crm_is_left_alone() {
    let (world, cache) = anna_known_for(11 * MINUTE).await;
    world.set_way(Way::Failing(FillError::Failed));

    let first = get(&cache, phone(1)).await.unwrap();
    assert_eq!((names(&first), first.freshness.detail), (vec!["Anna"], Some("error")));

    let began = Instant::now();
    for _ in 0..50 {
        let held = get(&cache, phone(1)).await.unwrap();
        assert_eq!(
            (names(&held), held.freshness.status, held.freshness.detail),
            (vec!["Anna"], CacheStatus::Stale, Some("hold"))
        );
    }
    assert_eq!(began.elapsed(), Duration::ZERO);
    assert_eq!(world.questions(), 2);
}

#[tokio::test(start_paused = true)]
async fn the_pause_between_tries_grows_from_five_to_thirty_seconds() {
    let (world, cache) = anna_known_for(11 * MINUTE).await;
    world.set_way(Way::Failing(FillError::Failed));
    let down = Instant::now();

    for _ in 0..200 {
        assert_eq!(names(&get(&cache, phone(1)).await.unwrap()), ["Anna"]);
        sleep(SECOND).await;
    }

    let tries: Vec<_> = world.asked()[1..].iter().map(|(at, _)| (*at - down).as_secs()).collect();
    assert_eq!(tries, [0, 5, 15, 35, 65, 95, 125, 155, 185]);
}

#[tokio::test(start_paused = true)]
async fn a_stale_card_lasts_its_day_without_the_crm_and_not_longer() {
    let (world, cache) = anna_known_for(Duration::ZERO).await;
    world.set_way(Way::Failing(FillError::Failed));

    sleep(24 * HOUR - SECOND).await;
    assert_eq!(names(&get(&cache, phone(1)).await.unwrap()), ["Anna"]);
    sleep(SECOND).await;
    let gone = get(&cache, phone(1)).await;
    assert!(matches!(gone, Err(Unserved::Fill(FillError::Failed, _))), "{gone:?}");
}

#[tokio::test(start_paused = true)]
async fn known_and_unknown_numbers_keep_their_own_lifetimes_through_every_change() {
    let world = World::new();
    let cache = world.cache(|_| {});
    let unknown = get(&cache, phone(1)).await.unwrap();
    assert_eq!((unknown.cards.len(), unknown.freshness.ttl), (0, 60));

    sleep(61 * SECOND).await;
    world.set(7, "Anna", &[phone(1)]);
    let known = get(&cache, phone(1)).await.unwrap();
    assert_eq!((names(&known), known.freshness.ttl), (vec!["Anna"], 600));
    sleep(61 * SECOND).await;
    assert_eq!(get(&cache, phone(1)).await.unwrap().freshness.status, CacheStatus::Hit);

    sleep(10 * MINUTE).await;
    world.delete(7);
    let unknown = get(&cache, phone(1)).await.unwrap();
    assert_eq!((unknown.cards.len(), unknown.freshness.ttl), (0, 60));
    sleep(61 * SECOND).await;
    get(&cache, phone(1)).await.unwrap();
    assert_eq!(world.questions(), 4);

    // An hour after the CRM said so, an unknown number is not even stale any more.
    world.set_way(Way::Failing(FillError::Failed));
    sleep(HOUR).await;
    assert!(get(&cache, phone(1)).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn a_failed_refresh_of_a_fresh_card_does_not_shorten_its_life() {
    let (world, cache) = anna_known_for(8 * MINUTE).await;
    world.set_way(Way::Failing(FillError::Failed));

    for _ in 0..119 {
        let served = get(&cache, phone(1)).await.unwrap();
        assert_eq!((names(&served), served.freshness.status), (vec!["Anna"], CacheStatus::Hit));
        sleep(SECOND).await;
    }

    let tries = world.questions() - 1;
    assert!(
        (4..=8).contains(&tries),
        "a pause that grows to 30 s gives a handful of tries in two minutes, not {tries}"
    );
}

#[tokio::test(start_paused = true)]
async fn cards_asked_for_late_in_their_life_are_refreshed_in_one_batch_by_id() {
    let world = World::new();
    let cache = world.cache(|_| {});
    for n in 0..600 {
        world.set(n, &format!("Caller {n}"), &[phone(n)]);
        get(&cache, phone(n)).await.unwrap();
    }
    sleep(8 * MINUTE + SECOND).await;

    for n in 0..600 {
        let served = get(&cache, phone(n)).await.unwrap();
        assert_eq!(served.freshness.status, CacheStatus::Hit);
    }
    sleep(5 * SECOND).await;

    let refreshes: Vec<_> = world.asked()[600..].iter().map(|(_, question)| question.clone()).collect();
    let sizes: Vec<_> = refreshes
        .iter()
        .map(|question| match question {
            Question::Refetch(ids) => ids.len(),
            Question::Find(..) => panic!("known contacts are refreshed by id"),
        })
        .collect();
    assert_eq!(sizes, [250, 250, 100]);
    sleep(9 * MINUTE).await;
    assert_eq!(get(&cache, phone(3)).await.unwrap().freshness.status, CacheStatus::Hit, "its life began anew");
}

#[tokio::test(start_paused = true)]
async fn a_refresh_by_id_finds_edits_and_a_moved_number_is_searched_for() {
    let world = World::new();
    world.set(7, "Anna", &[phone(1)]);
    world.set(9, "Boris", &[phone(2)]);
    let cache = world.cache(|_| {});
    get(&cache, phone(1)).await.unwrap();
    get(&cache, phone(2)).await.unwrap();
    sleep(9 * MINUTE).await;
    world.set(7, "Anna Ivanova", &[phone(1)]);
    world.set(9, "Boris", &[phone(3)]);
    world.set(11, "Clara", &[phone(2)]);

    get(&cache, phone(1)).await.unwrap();
    get(&cache, phone(2)).await.unwrap();
    sleep(3 * SECOND).await;

    let (anna, clara) = (get(&cache, phone(1)).await.unwrap(), get(&cache, phone(2)).await.unwrap());
    assert_eq!((names(&anna), anna.freshness.status), (vec!["Anna Ivanova"], CacheStatus::Hit));
    assert_eq!((names(&clara), clara.freshness.status), (vec!["Clara"], CacheStatus::Hit));
    let questions: Vec<_> = world.asked()[2..].iter().map(|(_, question)| question.clone()).collect();
    let both: BTreeSet<_> = [ContactId(7).into(), ContactId(9).into()].into();
    assert_eq!(questions, [Question::Refetch(both), Question::Find(phone(2), Class::Background)]);
}

#[tokio::test(start_paused = true)]
async fn batches_by_id_do_not_wait_behind_slow_searches() {
    let world = World::new();
    world.set(7, "Anna", &[phone(100)]);
    let cache = world.cache(|settings| settings.lifetimes.known_fresh = MINUTE);
    for n in 0..21 {
        get(&cache, phone(n)).await.unwrap();
    }
    get(&cache, phone(100)).await.unwrap();
    sleep(50 * SECOND).await;
    world.set_way(Way::Slow(5 * SECOND));
    for n in 0..21 {
        get(&cache, phone(n)).await.unwrap(); // Due: more than a hundred seconds of searches, one by one.
    }
    sleep(3 * SECOND).await;
    let asked_at = Instant::now();

    assert_eq!(get(&cache, phone(100)).await.unwrap().freshness.status, CacheStatus::Hit);
    sleep(7 * SECOND).await;

    let asked = world.asked();
    let batch = asked.iter().find(|(_, question)| *question == Question::Refetch([ContactId(7).into()].into()));
    assert_eq!(batch.map(|(at, _)| *at - asked_at), Some(SECOND), "after a second of gathering");
    assert_eq!(get(&cache, phone(100)).await.unwrap().freshness.age, SECOND);
}

#[tokio::test(start_paused = true)]
async fn after_an_hour_of_refreshes_by_id_the_number_itself_is_searched_for_again() {
    let world = World::new();
    world.set(7, "Anna", &[phone(1)]);
    let cache = world.cache(|_| {});

    for _ in 0..90 {
        get(&cache, phone(1)).await.unwrap();
        sleep(MINUTE).await;
    }

    let searches = world.asked().iter().filter(|(_, question)| matches!(question, Question::Find(..))).count();
    assert_eq!(searches, 2, "one by the first caller, one after an hour");
}

#[tokio::test(start_paused = true)]
async fn max_age_makes_older_cards_stale_for_that_caller_only() {
    let (world, cache) = anna_known_for(MINUTE).await;
    let strict = |max_age| {
        let now = Instant::now();
        Ask { soft: now + SOFT, hard: now + HARD, max_age: Some(max_age) }
    };
    let number = Number { e164: phone(1), extension: None };

    let patient = cache.get(&number, &strict(2 * MINUTE)).await.unwrap();
    assert_eq!((patient.freshness.status, world.questions()), (CacheStatus::Hit, 1));

    let demanding = cache.get(&number, &strict(30 * SECOND)).await.unwrap();
    assert_eq!((demanding.freshness.status, demanding.freshness.age), (CacheStatus::Miss, Duration::ZERO));
    assert_eq!(world.questions(), 2);

    // What was fetched within the last second is current for everybody.
    sleep(SECOND / 2).await;
    let zero = cache.get(&number, &strict(Duration::ZERO)).await.unwrap();
    assert_eq!((zero.freshness.status, world.questions()), (CacheStatus::Hit, 2));
}

#[tokio::test(start_paused = true)]
async fn a_number_that_cannot_be_asked_for_is_tried_again_after_two_seconds_doubling_to_thirty() {
    let world = World::new();
    world.set_way(Way::Failing(FillError::Failed));
    let cache = world.cache(|_| {});
    let down = Instant::now();

    for _ in 0..150 {
        assert!(get(&cache, phone(1)).await.is_err());
        sleep(SECOND).await;
    }

    let tries: Vec<_> = world.asked().iter().map(|(at, _)| (*at - down).as_secs()).collect();
    assert_eq!(tries, [0, 2, 6, 14, 30, 60, 90, 120]);
}
