//! What the CRM tells by itself makes the next answer right; without, it is right when what is cached has grown old. Both are counted in
//! calls to the CRM.

use std::net::SocketAddr;
use std::time::Duration;

use callcard::crm::{Ask, Done, HookAddress, HookState, Hooks};
use callcard::http::{ServerSettings, serve};
use callcard::lookup::SearchMode;
use callcard::lookup::hints::{Change, News, Origin, Subject};
use callcard::sandbox::fixtures::people::{ANNA, BEN, LEADS_INCOMING, LEADS_ONE};
use callcard::sandbox::fixtures::{deals, office};
use callcard::sandbox::{Endpoint, Sandbox};
use http::StatusCode;
use tokio::net::TcpListener;
use tokio::time::sleep;

use crate::harness::service::{Got, HOOK_SECRET, Options, Service};

const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);

const ANNAS: &str = "+14155550123";
const NEW: &str = "+14155550999";

fn address(base: &str) -> HookAddress {
    HookAddress::new(base, HOOK_SECRET.into()).unwrap()
}

/// A service whose CRM knows where to send webhooks, and holds them until they are delivered by [`deliver`].
async fn hooked(change: impl FnOnce(&mut Options)) -> Service {
    let service = Service::warmed(|options| {
        options.sandbox.webhooks.deliver = false;
        change(options);
    })
    .await;
    let hooks = Hooks::new(service.crm.clone());
    hooks.install(&address("https://calls.example.com/hooks/kommo"), Ask::live(8 * SECOND)).await.unwrap();
    sleep(2 * SECOND).await;
    service.sandbox.reset_calls();
    service
}

/// Brings every webhook that is held, and gives the service the moment that it takes to act on them.
async fn deliver(service: &Service) -> usize {
    let held = service.sandbox.take_webhooks();
    let count = held.len();
    for webhook in held {
        let got = service.hook(HOOK_SECRET, webhook.body).await;
        assert_eq!((got.status, got.body.as_str()), (StatusCode::NO_CONTENT, ""));
    }
    sleep(MS).await;
    count
}

/// What an agent sees: the name and the stage of the first lead, or nobody.
fn seen(got: &Got) -> String {
    let json = got.json();
    match json["found"].as_bool() {
        Some(true) => {
            format!(
                "{}/{}",
                json["contact"]["name"].as_str().unwrap(),
                json["leads"][0]["stage"].as_str().unwrap_or("-")
            )
        }
        Some(false) => "nobody".to_owned(),
        None => panic!("no answer: {}", got.body),
    }
}

async fn asked(service: &Service, phone: &str) -> (String, String) {
    let got = service.lookup(phone, "").await;
    (seen(&got), got.json()["cache"]["status"].as_str().unwrap().to_owned())
}

/// A change at the CRM, the number that is asked for before and after it, what is seen then, and the calls that the next answer costs.
struct Story {
    what: &'static str,
    prepare: fn(&Sandbox),
    change: fn(&Sandbox),
    phone: &'static str,
    before: &'static str,
    after: &'static str,
    calls: usize,
}

const STORIES: [Story; 9] = [
    Story {
        what: "edited",
        prepare: |_| {},
        change: |crm| crm.update_contact(ANNA, |anna| "Anna Petrova".clone_into(&mut anna.name)).unwrap(),
        phone: ANNAS,
        before: "Anna Ivanova/Negotiation",
        after: "Anna Petrova/Negotiation",
        calls: 2,
    },
    Story {
        what: "deleted",
        prepare: |_| {},
        change: |crm| crm.delete_contact(ANNA).unwrap(),
        phone: ANNAS,
        before: "Anna Ivanova/Negotiation",
        after: "nobody",
        calls: 1,
    },
    Story {
        what: "restored",
        prepare: |crm| crm.delete_contact(ANNA).unwrap(),
        change: |crm| crm.restore_contact(ANNA).unwrap(),
        phone: ANNAS,
        before: "nobody",
        after: "Anna Ivanova/Negotiation",
        calls: 4,
    },
    Story {
        what: "merged, the number of the loser",
        prepare: |crm| crm.set_phones(BEN, &[NEW]).unwrap(),
        change: |crm| crm.merge(ANNA, BEN).unwrap(),
        phone: NEW,
        before: "Ben Carter/Closed - won",
        after: "Anna Ivanova/Negotiation",
        calls: 4,
    },
    Story {
        what: "merged, the number of the winner",
        prepare: |_| {},
        change: |crm| crm.merge(ANNA, BEN).unwrap(),
        phone: ANNAS,
        before: "Anna Ivanova/Negotiation",
        after: "Anna Ivanova/Negotiation",
        calls: 2,
    },
    Story {
        what: "its number moved to another contact",
        prepare: |_| {},
        change: |crm| {
            crm.set_phones(ANNA, &[]).unwrap();
            crm.set_phones(BEN, &["(415) 555-0123"]).unwrap();
        },
        phone: ANNAS,
        before: "Anna Ivanova/Negotiation",
        after: "Ben Carter/Closed - won",
        calls: 3,
    },
    Story {
        what: "given a number that nobody had",
        prepare: |_| {},
        change: |crm| crm.set_phones(ANNA, &["+1 415 555 0999"]).unwrap(),
        phone: NEW,
        before: "nobody",
        after: "Anna Ivanova/Negotiation",
        calls: 4,
    },
    Story {
        what: "a new contact with a number that nobody had",
        prepare: |_| {},
        change: |crm| {
            crm.add_contact("Nadia New", &["+1 415 555 0999"]);
        },
        phone: NEW,
        before: "nobody",
        after: "Nadia New/-",
        calls: 2,
    },
    Story {
        what: "its lead moved to another stage",
        prepare: |_| {},
        change: |crm| crm.move_lead(deals::ROOF, office::SALES, office::OFFER_SENT).unwrap(),
        phone: ANNAS,
        before: "Anna Ivanova/Negotiation",
        after: "Anna Ivanova/Offer sent",
        calls: 2,
    },
];

/// One search is enough, and nobody gives up before the quota has let four calls through.
fn unhurried(options: &mut Options) {
    options.lookup.search = SearchMode::Digits;
    options.lookup.soft_deadline = SECOND;
}

#[tokio::test(start_paused = true)]
async fn with_webhooks_the_next_answer_is_right() {
    for story in STORIES {
        let what = story.what;
        let service = hooked(unhurried).await;
        (story.prepare)(&service.sandbox);
        deliver(&service).await;
        assert_eq!(asked(&service, story.phone).await.0, story.before, "{what}: before");
        service.sandbox.reset_calls();

        (story.change)(&service.sandbox);
        assert!(deliver(&service).await > 0, "{what}");

        let (after, status) = asked(&service, story.phone).await;
        assert_eq!(after, story.after, "{what}: after");
        assert!(["miss", "coalesced"].contains(&status.as_str()), "{what}: {status}");
        assert_eq!(service.sandbox.count_all(), story.calls, "{what}: {:?}", service.sandbox.calls());
        let again = asked(&service, story.phone).await;
        assert_eq!(again, (story.after.to_owned(), "hit".to_owned()), "{what}: again");
        sleep(MINUTE / 2).await;
        assert_eq!(service.sandbox.count_all(), story.calls, "{what}: nothing follows in the background");
    }
}

#[tokio::test(start_paused = true)]
async fn without_webhooks_the_answer_is_right_after_its_lifetime() {
    for story in STORIES {
        let what = story.what;
        let service = Service::warmed(unhurried).await;
        (story.prepare)(&service.sandbox);
        assert_eq!(asked(&service, story.phone).await.0, story.before, "{what}: before");
        service.sandbox.reset_calls();

        (story.change)(&service.sandbox);
        let still = asked(&service, story.phone).await;
        assert_eq!(still, (story.before.to_owned(), "hit".to_owned()), "{what}: until then");
        assert_eq!(service.sandbox.count_all(), 0, "{what}");

        sleep(if story.before == "nobody" { MINUTE } else { 10 * MINUTE } + SECOND).await;
        assert_eq!(asked(&service, story.phone).await.0, story.after, "{what}: after");
        let calls = if story.after == "nobody" { 1 } else { 3 }; // The search, the leads, a company that was not met before.
        assert!((1..=calls).contains(&service.sandbox.count_all()), "{what}: {:?}", service.sandbox.calls());
    }
}

#[tokio::test(start_paused = true)]
async fn an_index_that_lags_makes_nobody_of_no_one() {
    // The number was asked for before, or never: a search alone would find nobody for ten seconds, and that would be believed for a minute.
    for asked_before in [true, false] {
        let service = hooked(|options| options.sandbox.index_delay = 10 * SECOND).await;
        if asked_before {
            assert_eq!(asked(&service, NEW).await.0, "nobody");
        }
        service.sandbox.set_phones(ANNA, &[NEW]).unwrap();
        deliver(&service).await;

        for _ in 0..10 {
            assert_eq!(asked(&service, NEW).await.0, "Anna Ivanova/Negotiation");
            sleep(7 * SECOND).await;
        }
        assert_eq!(asked(&service, ANNAS).await.0, "nobody");
    }
}

#[tokio::test(start_paused = true)]
async fn a_nobody_is_not_given_as_stale_once_a_contact_is_said_to_have_the_number() {
    let service = hooked(|_| {}).await;
    assert_eq!(asked(&service, NEW).await.0, "nobody");
    service.sandbox.adjust(|settings| settings.latency = 400 * MS); // Beyond the soft deadline.
    service.sandbox.set_phones(ANNA, &[NEW]).unwrap();
    deliver(&service).await;

    assert_eq!(asked(&service, NEW).await.0.split('/').next().unwrap(), "Anna Ivanova");
}

#[tokio::test(start_paused = true)]
async fn nobody_about_a_number_just_named_is_believed_for_a_moment_only() {
    // The company's number belongs to no contact, but who has just been named may be found in a moment.
    let service = hooked(|_| {}).await;
    service.sandbox.update_company(office::BAKERY, |bakery| bakery.set_phones(&[NEW])).unwrap();
    deliver(&service).await;
    assert_eq!(asked(&service, NEW).await, ("nobody".to_owned(), "miss".to_owned()));
    assert_eq!(asked(&service, NEW).await.1, "hit");
    sleep(6 * SECOND).await;
    assert_ne!(asked(&service, NEW).await.1, "hit");
    sleep(MINUTE).await; // By then the search knows.
    asked(&service, NEW).await;
    sleep(6 * SECOND).await;
    assert_eq!(asked(&service, NEW).await.1, "hit");
}

#[tokio::test(start_paused = true)]
async fn what_was_asked_for_lately_is_fetched_anew_before_anybody_asks_in_one_batch() {
    let service = hooked(|_| {}).await;
    assert_eq!(asked(&service, NEW).await.0, "nobody");
    for phone in [ANNAS, "+14155550171", "+14155550170"] {
        asked(&service, phone).await;
    }
    service.sandbox.reset_calls();

    for n in 0..10 {
        service.sandbox.update_contact(ANNA, |anna| anna.name = format!("Anna {n}")).unwrap();
        service.sandbox.update_contact(LEADS_ONE, |fiona| fiona.name = format!("Fiona {n}")).unwrap();
        service.sandbox.move_lead(deals::ROOF, office::SALES, office::OFFER_SENT - n % 2).unwrap();
    }
    service.sandbox.set_phones(ANNA, &[ANNAS, NEW]).unwrap();
    assert_eq!(deliver(&service).await, 31);
    assert_eq!(service.sandbox.count_all(), 0, "nothing is asked at once");
    sleep(3 * SECOND).await;

    let calls = service.sandbox.calls();
    assert_eq!(service.sandbox.count(Endpoint::ContactsById), 1, "{calls:?}");
    assert_eq!((service.sandbox.count(Endpoint::Leads), calls.len()), (1, 2), "{calls:?}");
    for (phone, name) in [(ANNAS, "Anna 9"), (NEW, "Anna 9"), ("+14155550171", "Fiona 9")] {
        let (who, status) = asked(&service, phone).await;
        assert_eq!((who.split('/').next().unwrap(), status.as_str()), (name, "hit"), "{phone}");
    }
    assert_eq!(service.sandbox.count_all(), 2);
}

#[tokio::test(start_paused = true)]
async fn what_nobody_has_asked_for_lately_waits_to_be_asked_for() {
    let service = hooked(|_| {}).await;
    asked(&service, ANNAS).await;
    sleep(45 * MINUTE).await;
    service.sandbox.reset_calls();

    service.sandbox.update_contact(ANNA, |anna| "Anna Petrova".clone_into(&mut anna.name)).unwrap();
    deliver(&service).await;
    sleep(10 * SECOND).await;

    assert_eq!(service.sandbox.count_all(), 0);
    assert_eq!(asked(&service, ANNAS).await.0, "Anna Petrova/Negotiation");
}

#[tokio::test(start_paused = true)]
async fn a_changed_contact_is_given_as_stale_while_the_crm_is_down_and_a_deleted_one_is_not() {
    let service = hooked(|_| {}).await;
    asked(&service, ANNAS).await;
    asked(&service, "+14155550171").await;
    service.sandbox.update_contact(ANNA, |anna| "Anna Petrova".clone_into(&mut anna.name)).unwrap();
    service.sandbox.delete_contact(LEADS_ONE).unwrap();
    service.sandbox.inject("all:500".parse().unwrap());
    deliver(&service).await;

    assert_eq!(asked(&service, ANNAS).await, ("Anna Ivanova/Negotiation".to_owned(), "stale".to_owned()));
    assert!(service.lookup("+14155550171", "").await.status.is_server_error());
}

#[tokio::test(start_paused = true)]
async fn a_company_that_changes_its_name_changes_it_on_the_cards_of_its_people() {
    let service = hooked(unhurried).await;
    let company =
        async || service.lookup(ANNAS, "").await.json()["contact"]["company"]["name"].as_str().unwrap().to_owned();
    assert_eq!(company().await, "Acme");
    service.sandbox.update_company(office::ACME, |acme| "Acme & Daughters".clone_into(&mut acme.name)).unwrap();
    deliver(&service).await;
    assert_eq!(company().await, "Acme & Daughters");
}

#[tokio::test(start_paused = true)]
async fn an_accepted_lead_shows_its_new_stage() {
    let service = hooked(unhurried).await;
    let contact = service.sandbox.contact(LEADS_INCOMING).unwrap();
    let phone = contact.phones()[0].clone();
    assert_ne!(asked(&service, &phone).await.0, format!("{}/First contact", contact.name));
    service.sandbox.accept_lead(contact.leads[0]).unwrap();
    deliver(&service).await;
    assert_eq!(asked(&service, &phone).await.0, format!("{}/First contact", contact.name));
}

#[tokio::test(start_paused = true)]
async fn twice_and_out_of_order_is_as_good_as_once_and_in_order() {
    let service = hooked(|options| options.sandbox.webhooks.duplicate = true).await;
    asked(&service, ANNAS).await;
    service.sandbox.update_contact(ANNA, |anna| "Anna Petrova".clone_into(&mut anna.name)).unwrap();
    service.sandbox.delete_contact(ANNA).unwrap();
    service.sandbox.restore_contact(ANNA).unwrap();
    let mut held = service.sandbox.take_webhooks();
    assert_eq!(held.len(), 6);
    held.reverse();
    for webhook in held {
        service.hook(HOOK_SECRET, webhook.body).await;
    }
    sleep(MS).await;
    assert_eq!(asked(&service, ANNAS).await.0, "Anna Petrova/Negotiation");
}

#[tokio::test(start_paused = true)]
async fn hints_and_deliveries_are_counted_under_closed_words() {
    let service = hooked(|_| {}).await;
    asked(&service, ANNAS).await;
    service.sandbox.update_contact(ANNA, |_| {}).unwrap();
    service.sandbox.delete_contact(BEN).unwrap();
    service.sandbox.delete_contact(ANNA).unwrap();
    service.sandbox.update_company(office::HOTEL, |_| {}).unwrap();
    deliver(&service).await;
    service.hook("wrong-secret-of-the-tests", "contacts[update][0][id]=7").await;
    service.hook(HOOK_SECRET, "hello=world").await;
    service.hook(HOOK_SECRET, "a=1&".repeat(30_000)).await;
    service.hook(HOOK_SECRET, "a".repeat(2 << 20)).await;
    sleep(90 * SECOND).await;

    for (sample, count) in [
        (r#"webhook_hints_total{effect="expired",kind="contact"}"#, 1.0),
        (r#"webhook_hints_total{effect="removed",kind="contact"}"#, 1.0),
        (r#"webhook_hints_total{effect="none",kind="contact"}"#, 1.0),
        (r#"webhook_hints_total{effect="none",kind="company"}"#, 1.0),
        (r#"webhook_deliveries_total{outcome="heard"}"#, 4.0),
        (r#"webhook_deliveries_total{outcome="denied"}"#, 1.0),
        (r#"webhook_deliveries_total{outcome="ignored"}"#, 1.0),
        (r#"webhook_deliveries_total{outcome="refused"}"#, 1.0),
        (r#"webhook_deliveries_total{outcome="unread"}"#, 1.0),
        ("webhook_last_delivery_age_seconds", 90.0),
        (r#"http_requests_total{code="404",method="POST",route="/hooks/kommo/{secret}"}"#, 1.0),
    ] {
        assert_eq!(service.metric(sample).await, count, "{sample}");
    }
    let scrape = service.admin("GET", "/metrics").await.body;
    assert!(!scrape.contains(HOOK_SECRET) && !scrape.contains("wrong-secret"));
}

#[tokio::test(start_paused = true)]
async fn a_wrong_secret_is_answered_like_a_path_that_is_not_there() {
    let service = hooked(|_| {}).await;
    let unknown = service.hook("x/y", "").await;
    let anything = |got: &Got| {
        let mut json = got.json();
        json["request_id"] = "".into();
        let names: Vec<_> = got.headers.keys().map(|name| name.as_str().to_owned()).collect();
        (got.status, json, names)
    };
    assert_eq!(unknown.status, StatusCode::NOT_FOUND);
    let almost = &HOOK_SECRET[1..];
    for secret in ["x", almost, &format!("{HOOK_SECRET}x"), "%68ook-secret-of-the-tests", "%ff", "?secret=hook"] {
        let got = service.hook(secret, "contacts[update][0][id]=7").await;
        assert_eq!(anything(&got), anything(&unknown), "{secret}");
    }
    assert_eq!(service.hook(HOOK_SECRET, "").await.status, StatusCode::NO_CONTENT);
}

#[tokio::test(start_paused = true)]
async fn more_than_can_wait_makes_everything_stale_once_and_is_no_failure_to_the_crm() {
    let service = hooked(unhurried).await;
    asked(&service, ANNAS).await;
    service.sandbox.update_contact(ANNA, |anna| "Anna Petrova".clone_into(&mut anna.name)).unwrap();
    let lost = service.sandbox.take_webhooks();
    let mut news = service.lookups.hints().subscribe();

    // On one thread nothing is worked off in between, so that the last one does not fit any more.
    for _ in 0..9 {
        service.lookups.hints().deliver("a=1".repeat(300_000).into());
    }
    assert_eq!(service.hook(HOOK_SECRET, "x".repeat(1 << 20)).await.status, StatusCode::NO_CONTENT);
    service.lookups.hints().deliver(lost[0].body.clone().into());
    sleep(MS).await;

    assert_eq!(asked(&service, ANNAS).await.0, "Anna Petrova/Negotiation");
    assert!(matches!(news.try_recv(), Ok(News::Missed)));
    assert!(service.metric(r#"webhook_deliveries_total{outcome="overflowed"}"#).await >= 1.0);
}

#[tokio::test(start_paused = true)]
async fn subscribers_hear_of_a_change_after_the_cache_has_acted_on_it() {
    let service = hooked(|_| {}).await;
    asked(&service, ANNAS).await;
    let mut news = service.lookups.hints().subscribe();
    service.sandbox.set_phones(ANNA, &[NEW]).unwrap();
    deliver(&service).await;

    let Ok(News::Heard(hint, Origin::Webhook)) = news.recv().await else { panic!("nothing was told") };
    assert_eq!((hint.subject, hint.change), (Subject::Contact(callcard::contact::ContactId(ANNA)), Change::Changed));
    assert_eq!(hint.phones, [NEW.parse().unwrap()]);
    assert_eq!(asked(&service, NEW).await.0, "Anna Ivanova/Negotiation");

    service.lookups.hints().hear((*hint).clone());
    assert!(matches!(news.try_recv(), Ok(News::Heard(_, Origin::Elsewhere))));
    assert_ne!(asked(&service, NEW).await.1, "hit", "what came another way is acted on too");
}

#[tokio::test(start_paused = true)]
async fn a_burst_of_changes_does_not_keep_callers_waiting() {
    // A thousand cached people change at once; the callers in between are answered within their deadline.
    let service = hooked(|options| options.sandbox.contacts = 1_500).await;
    let people: Vec<_> =
        service.sandbox.truth().filter(|contact| contact.id > 1_000 && !contact.is_deleted).take(60).collect();
    for contact in &people {
        let phones = contact.phones();
        let Some(phone) = phones.first() else { continue };
        service.lookup(phone, "&deadline_ms=8000").await;
    }
    for contact in &people {
        service.sandbox.update_contact(contact.id, |_| {}).unwrap();
    }
    deliver(&service).await;
    for n in 0..20 {
        sleep(250 * MS).await;
        let asked = tokio::time::Instant::now();
        let got = service.lookup(&format!("+1415555{:04}", 3_000 + n), "").await;
        assert_eq!(seen(&got), "nobody");
        assert!(asked.elapsed() < SECOND, "{n}: {:?}", asked.elapsed());
    }
    assert!(service.sandbox.worst_second() <= 7);
}

#[tokio::test]
async fn the_subscription_is_made_works_and_is_ended_over_real_sockets() {
    let service = Service::new(|_| {});
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let here: SocketAddr = listener.local_addr().unwrap();
    let (router, settings) = (service.router.clone(), ServerSettings::default());
    let serving = tokio::spawn(async move {
        serve(listener, router, &settings, std::future::pending(), std::future::pending()).await
    });
    let hooks = Hooks::new(service.crm.clone());
    let (secret, ask) = (HOOK_SECRET.into(), || Ask::live(8 * SECOND));
    assert_eq!(hooks.state(&secret, ask()).await, Ok(HookState::Absent));

    let address = address(&format!("http://{here}/hooks/kommo"));
    assert_eq!(hooks.install(&address, ask()).await.unwrap().done, Done::Made);
    assert_eq!(hooks.install(&address, ask()).await.unwrap().done, Done::Nothing);
    assert_eq!(hooks.state(&secret, ask()).await, Ok(HookState::Installed));
    assert_eq!(asked(&service, ANNAS).await.0, "Anna Ivanova/Negotiation");
    service.sandbox.update_contact(ANNA, |anna| "Anna Petrova".clone_into(&mut anna.name)).unwrap();
    until(async || asked(&service, ANNAS).await.0 == "Anna Petrova/Negotiation").await;

    assert_eq!(hooks.remove(&secret, ask()).await, Ok(1));
    assert_eq!(hooks.state(&secret, ask()).await, Ok(HookState::Absent));
    serving.abort();
}

#[tokio::test]
async fn a_subscription_that_the_crm_has_switched_off_is_noticed_and_made_anew() {
    let service = Service::new(|options| options.sandbox.webhooks.failures_to_disable = 0);
    let hooks = Hooks::new(service.crm.clone());
    let (secret, ask) = (HOOK_SECRET.into(), || Ask::live(8 * SECOND));
    let nowhere = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let address = address(&format!("http://{nowhere}/hooks/kommo"));
    hooks.install(&address, ask()).await.unwrap();

    service.sandbox.update_contact(ANNA, |_| {}).unwrap();
    until(async || hooks.state(&secret, ask()).await == Ok(HookState::Disabled)).await;

    assert_eq!(hooks.install(&address, ask()).await.unwrap().done, Done::MadeAnew);
    assert_eq!(hooks.state(&secret, ask()).await, Ok(HookState::Installed));
}

/// Waits until it is so, for ten seconds at most.
async fn until(is_so: impl AsyncFn() -> bool) {
    for _ in 0..50 {
        if is_so().await {
            return;
        }
        sleep(200 * MS).await;
    }
    panic!("it never became so");
}
