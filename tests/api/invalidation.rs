//! What was taken back is not served again, whatever was in flight.

use std::time::Duration;

use callcard::cache::{Cache, Reach};
use callcard::contact::ContactId;
use callcard::outcome::CacheStatus;
use tokio::time::{Instant, sleep};

use crate::harness::world::{Question, Way, World, anna_known_for, get, names, phone};

const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);

type Invalidate = fn(&Cache);

/// The ways of taking the knowledge about contact 7 and its number back.
const WAYS: [(&str, Invalidate); 5] = [
    ("phone", |cache| {
        cache.invalidate_phone(phone(1), Reach::Remove);
    }),
    ("contact", |cache| {
        cache.invalidate_contact(ContactId(7), Reach::Remove);
    }),
    ("phone expired", |cache| {
        cache.invalidate_phone(phone(1), Reach::Expire);
    }),
    ("contact expired", |cache| {
        cache.invalidate_contact(ContactId(7), Reach::Expire);
    }),
    ("everything", Cache::expire_all),
];

#[tokio::test(start_paused = true)]
async fn an_invalidation_at_any_step_of_a_foreground_fill_beats_it() {
    for (way, invalidate) in WAYS {
        for step in (0..=240).step_by(20) {
            let world = World::new();
            world.set(7, "old", &[phone(1)]);
            world.set_way(Way::Slow(200 * MS));
            let cache = world.cache(|_| {});
            let filling = tokio::spawn({
                let cache = cache.clone();
                async move { get(&cache, phone(1)).await }
            });

            sleep(step * MS + MS / 2).await;
            world.set(7, "new", &[phone(1)]);
            invalidate(&cache);
            let after = get(&cache, phone(1)).await.unwrap();
            let early = filling.await.unwrap().unwrap();

            assert_eq!(names(&after), ["new"], "{way} at {step} ms");
            assert_eq!(names(&early), ["old"], "{way} at {step} ms: who came before gets the answer of then");
            sleep(SECOND).await;
            assert_eq!(names(&get(&cache, phone(1)).await.unwrap()), ["new"], "{way} at {step} ms, later");
            assert_eq!(world.questions(), 2, "{way} at {step} ms");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_invalidation_at_any_step_of_a_background_refresh_beats_it() {
    for (way, invalidate) in WAYS {
        for step in (0..=1_400).step_by(100) {
            let world = World::new();
            world.set(7, "old", &[phone(1)]);
            let cache = world.cache(|_| {});
            get(&cache, phone(1)).await.unwrap();
            sleep(9 * MINUTE).await;
            world.set_way(Way::Slow(200 * MS));
            get(&cache, phone(1)).await.unwrap(); // Due: the refresh is sent after a second of gathering.

            sleep(step * MS + MS / 2).await;
            world.set(7, "new", &[phone(1)]);
            invalidate(&cache);
            let after = get(&cache, phone(1)).await.unwrap();

            assert_eq!(names(&after), ["new"], "{way} at {step} ms");
            sleep(3 * SECOND).await;
            assert_eq!(names(&get(&cache, phone(1)).await.unwrap()), ["new"], "{way} at {step} ms, later");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_caller_after_the_invalidation_never_joins_the_older_fill() {
    let world = World::new();
    world.set(7, "old", &[phone(1)]);
    world.set_way(Way::Slow(500 * MS));
    let cache = world.cache(|_| {});
    let began = Instant::now();
    let older = tokio::spawn({
        let cache = cache.clone();
        async move { get(&cache, phone(1)).await }
    });
    sleep(100 * MS).await;
    world.set(7, "new", &[phone(1)]);
    cache.invalidate_phone(phone(1), Reach::Remove);

    let served = get(&cache, phone(1)).await.unwrap();

    assert_eq!((names(&served), began.elapsed()), (vec!["new"], 600 * MS));
    assert_eq!(served.freshness.status, CacheStatus::Miss, "it started a fill of its own");
    assert_eq!(names(&older.await.unwrap().unwrap()), ["old"]);
}

#[tokio::test(start_paused = true)]
async fn a_contact_invalidated_while_unknown_to_the_cache_still_beats_the_fill_that_will_bring_it() {
    // The number in flight is not known to be the contact's yet, so the fill can be joined; its result then does not count.
    let world = World::new();
    world.set(7, "old", &[phone(1)]);
    world.set_way(Way::Slow(500 * MS));
    let cache = world.cache(|_| {});
    let older = tokio::spawn({
        let cache = cache.clone();
        async move { get(&cache, phone(1)).await }
    });
    sleep(100 * MS).await;
    world.set(7, "new", &[phone(1)]);
    assert_eq!(cache.invalidate_contact(ContactId(7), Reach::Remove), 0);

    let served = get(&cache, phone(1)).await.unwrap();

    assert_eq!(names(&served), ["new"]);
    assert_eq!(names(&older.await.unwrap().unwrap()), ["old"]);
    assert_eq!(world.questions(), 2);
}

#[tokio::test(start_paused = true)]
async fn all_numbers_of_an_edited_contact_change_together() {
    let world = World::new();
    let phones = [phone(1), phone(2), phone(3)];
    world.set(7, "old", &phones);
    let cache = world.cache(|_| {});
    for phone in phones {
        get(&cache, phone).await.unwrap();
    }
    world.set(7, "new", &phones);

    // One number is asked for by somebody who wants it current; the card is shared.
    cache.invalidate_phone(phone(2), Reach::Remove);
    get(&cache, phone(2)).await.unwrap();

    for phone in phones {
        let served = get(&cache, phone).await.unwrap();
        assert_eq!((names(&served), served.freshness.status), (vec!["new"], CacheStatus::Hit));
    }
    assert_eq!(world.questions(), 4);
}

#[tokio::test(start_paused = true)]
async fn a_number_that_moved_from_one_contact_to_another_is_never_shown_for_the_first() {
    let world = World::new();
    world.set(7, "Anna", &[phone(1), phone(2)]);
    let cache = world.cache(|_| {});
    get(&cache, phone(1)).await.unwrap();
    get(&cache, phone(2)).await.unwrap();
    world.set(7, "Anna", &[phone(2)]);
    world.set(9, "Boris", &[phone(1)]);

    // Anna is fetched anew through her other number: her card no longer owns the first one.
    cache.invalidate_phone(phone(2), Reach::Remove);
    get(&cache, phone(2)).await.unwrap();

    let served = get(&cache, phone(1)).await.unwrap();
    assert_eq!(names(&served), ["Boris"]);
    assert_eq!(world.questions(), 4);
}

#[tokio::test(start_paused = true)]
async fn a_deleted_contact_is_not_even_given_as_stale() {
    let world = World::new();
    world.set(7, "Anna", &[phone(1), phone(2)]);
    let cache = world.cache(|_| {});
    get(&cache, phone(1)).await.unwrap();
    get(&cache, phone(2)).await.unwrap();
    world.delete(7);
    world.set_way(Way::Hanging);

    assert_eq!(cache.invalidate_contact(ContactId(7), Reach::Remove), 2);

    assert!(get(&cache, phone(1)).await.is_err());
    assert!(get(&cache, phone(2)).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn a_changed_contact_is_given_as_stale_while_the_crm_hangs() {
    let (world, cache) = anna_known_for(Duration::ZERO).await;
    world.set_way(Way::Hanging);

    assert_eq!(cache.invalidate_contact(ContactId(7), Reach::Expire), 1);

    let served = get(&cache, phone(1)).await.unwrap();
    assert_eq!((names(&served), served.freshness.status), (vec!["Anna"], CacheStatus::Stale));
}

#[tokio::test(start_paused = true)]
async fn two_contacts_with_one_number_are_both_listed_and_each_can_be_taken_back() {
    let world = World::new();
    world.set(7, "Anna", &[phone(1)]);
    world.set(9, "Boris", &[phone(1)]);
    let cache = world.cache(|_| {});
    assert_eq!(names(&get(&cache, phone(1)).await.unwrap()), ["Boris", "Anna"], "the later update first");

    world.delete(9);
    cache.invalidate_contact(ContactId(9), Reach::Remove);

    assert_eq!(names(&get(&cache, phone(1)).await.unwrap()), ["Anna"]);
}

#[tokio::test(start_paused = true)]
async fn flushing_expires_everything_and_forgets_nothing() {
    let (world, cache) = anna_known_for(Duration::ZERO).await;
    get(&cache, phone(2)).await.unwrap();
    world.set_way(Way::Hanging);

    cache.expire_all();

    let known = get(&cache, phone(1)).await.unwrap();
    let unknown = get(&cache, phone(2)).await.unwrap();
    assert_eq!((names(&known), known.freshness.status), (vec!["Anna"], CacheStatus::Stale));
    assert_eq!((unknown.cards.len(), unknown.freshness.status), (0, CacheStatus::Stale));
    assert!(matches!(world.asked()[2].1, Question::Find(..)));
}

#[tokio::test(start_paused = true)]
async fn an_entry_can_be_explained() {
    let world = World::new();
    world.set(7, "Anna", &[phone(1)]);
    let cache = world.cache(|_| {});
    assert_eq!(cache.explain(phone(1)), None);
    get(&cache, phone(1)).await.unwrap();
    sleep(MINUTE).await;

    let explained = cache.explain(phone(1)).unwrap();

    assert_eq!(
        (explained.kind, explained.state, explained.contacts.as_slice()),
        ("known", "fresh", &[ContactId(7)][..])
    );
    assert_eq!((explained.age_s, explained.fresh_for_s, explained.stale_for_s), (60, 540, 86_340));
    assert!(!explained.filling);
}

#[tokio::test(start_paused = true)]
async fn a_caller_after_a_contacts_change_never_gets_the_older_fill_whatever_is_expired_later() {
    let world = World::new();
    world.set(7, "Anna", &[phone(1)]);
    world.set_way(Way::Slow(SECOND));
    let cache = world.cache(|_| {});
    let ask = || {
        let cache = cache.clone();
        tokio::spawn(async move { get(&cache, phone(1)).await.unwrap() })
    };
    let before = ask();
    sleep(MS).await;
    world.set(7, "Anna", &[phone(2)]);
    world.set_way(Way::Open);

    // The fill is on its way, so nobody knows yet that it will bring this contact: its number cannot be told apart from any other.
    cache.invalidate_contact(ContactId(7), Reach::Expire);
    let after = ask();
    sleep(MS).await;
    cache.expire_all();

    assert_eq!(names(&before.await.unwrap()), ["Anna"]);
    assert_eq!(names(&after.await.unwrap()), [""; 0], "the number is nobody's any more");
}
