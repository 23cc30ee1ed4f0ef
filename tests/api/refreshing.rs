//! The page's button: an agent gets what the CRM says now, and pressing it costs the CRM next to nothing.

use std::time::Duration;

use callcard::sandbox::{Endpoint, Fault, FaultRule};
use futures_util::future::join_all;
use tokio::time::{Instant, sleep};

use crate::harness::service::{Got, Service};

const ANNA: &str = "/pop?phone=%2B14155550123";
const REFRESH: &str = "/pop?phone=%2B14155550123&format=html&refresh=1";

/// A service that has known Anna for ten seconds, and since then a CRM that knows her by another name.
async fn outdated() -> Service {
    let service = Service::warmed(|_| {}).await;
    assert!(service.get(ANNA).await.body.contains("Anna Ivanova"));
    sleep(Duration::from_secs(10)).await;
    service.sandbox.update_contact(7, |contact| contact.name = "Anna Married".to_owned()).unwrap();
    service.sandbox.reset_calls();
    service
}

fn slow(service: &Service, by: &str) {
    service.sandbox.inject(format!("contacts_query:slow={by}").parse::<FaultRule>().unwrap());
}

fn name(got: &Got) -> &str {
    let (_, rest) = got.body.split_once("<h1").unwrap();
    rest.split_once('>').unwrap().1.split_once("</h1>").unwrap().0
}

#[tokio::test(start_paused = true)]
async fn a_refresh_brings_what_the_crm_says_now_for_one_search_and_one_look_at_the_leads() {
    let service = outdated().await;

    assert_eq!(name(&service.get(ANNA).await), "Anna Ivanova", "the page alone comes from the cache");
    assert_eq!(name(&service.get(REFRESH).await), "Anna Married");

    let sandbox = &service.sandbox;
    assert_eq!((service.searches(), sandbox.count(Endpoint::Leads), sandbox.count_all()), (1, 1, 2));
}

#[tokio::test(start_paused = true)]
async fn a_hundred_agents_who_press_it_at_once_and_again_are_one_search() {
    let service = outdated().await;
    slow(&service, "200ms");

    for _ in 0..10 {
        let pressed = join_all((0..100).map(|_| service.get(REFRESH))).await;
        assert!(pressed.iter().all(|got| name(got) == "Anna Married"));
        sleep(Duration::from_millis(400)).await;
    }

    assert_eq!(service.searches(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_refresh_waits_where_a_lookup_takes_the_stale_answer() {
    let service = outdated().await;
    slow(&service, "1s");

    let began = Instant::now();
    let hasty = service.get("/pop?phone=%2B14155550123&max_age=0").await;
    assert_eq!((name(&hasty), began.elapsed()), ("Anna Ivanova", Duration::from_millis(300)));
    assert!(hasty.body.contains("The CRM is slow."));

    let refreshed = service.get(REFRESH).await;
    assert_eq!(name(&refreshed), "Anna Married");
    assert!(began.elapsed() < Duration::from_millis(1_500));
    assert_eq!(service.searches(), 1, "it joined the fill that was under way");
}

#[tokio::test(start_paused = true)]
async fn a_refresh_gives_the_old_card_at_the_deadline_and_while_the_crm_fails() {
    let service = outdated().await;
    slow(&service, "5s");
    let began = Instant::now();
    let late = service.get(REFRESH).await;
    assert_eq!((name(&late), began.elapsed()), ("Anna Ivanova", Duration::from_millis(1_500)));

    let service = outdated().await;
    service.sandbox.inject(FaultRule::new(&[Endpoint::ContactsQuery], Fault::ServerError));
    for _ in 0..20 {
        let failed = service.get(REFRESH).await;
        assert_eq!(name(&failed), "Anna Ivanova");
        assert!(failed.body.contains("The CRM does not answer."));
    }
    assert!(service.searches() <= 3, "{}: after a failure the CRM is left alone for a while", service.searches());
}
