//! Against a script of the CRM's answers: what is asked of it in which state.

use super::super::scripted::{Bench, Step, nothing, ok, problem};
use super::*;
use crate::outcome::UpstreamOutcome;
use std::time::Duration;

const SECRET: &str = "s3cret-s3cret-s3cret";

pub(super) fn secret() -> SecretString {
    SECRET.into()
}

fn address() -> HookAddress {
    HookAddress::new("https://calls.example.com/hooks/kommo/", secret()).unwrap()
}

fn ask() -> Ask {
    Ask::live(Duration::from_secs(8))
}

pub(super) fn list(hooks: &[(&str, &[&str], bool)]) -> Step {
    let hook = |(n, (destination, settings, disabled)): (usize, &(&str, &[&str], bool))| json!({"id": n + 1, "destination": destination, "settings": settings, "disabled": disabled});
    let hooks: Vec<_> = hooks.iter().enumerate().map(hook).collect();
    ok(json!({"_total_items": hooks.len(), "_embedded": {"webhooks": hooks}}).to_string())
}

pub(super) fn ours() -> String {
    address().destination()
}

async fn state(step: Step) -> HookState {
    Hooks::new(Bench::new([step]).client).state(&secret(), ask()).await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn ours_is_known_by_its_secret_whatever_its_address() {
    assert_eq!(state(nothing()).await, HookState::Absent);
    assert_eq!(state(list(&[("https://other.example/hook", &EVENTS, false)])).await, HookState::Absent);
    assert_eq!(state(list(&[(&format!("https://x.example/a/{SECRET}x"), &EVENTS, false)])).await, HookState::Absent);
    assert_eq!(state(list(&[(&format!("https://x.example/a/{SECRET}"), &EVENTS, false)])).await, HookState::Installed);
    assert_eq!(state(list(&[(&ours(), &EVENTS, true)])).await, HookState::Disabled);
    assert_eq!(
        state(list(&[(&ours(), &EVENTS[2..], false)])).await,
        HookState::Incomplete(vec!["add_contact", "update_contact"])
    );
    assert_eq!(state(list(&[(&ours(), &[], true), (&ours(), &EVENTS, false)])).await, HookState::Installed);
}

#[tokio::test(start_paused = true)]
async fn installing_asks_for_no_more_than_is_missing() {
    let made = [nothing(), ok("{}")];
    let again = [list(&[(&ours(), &EVENTS, false)])];
    let disabled = [list(&[(&ours(), &EVENTS, true)]), nothing(), ok("{}")];
    let lacking = [list(&[(&ours(), &EVENTS[1..], false)]), nothing(), ok("{}")];
    let older = [list(&[("https://calls.example.com/hooks/kommo/older", &EVENTS, false)]), ok("{}"), nothing()];
    for (steps, done, outdated) in [
        (made.into_iter().collect::<Vec<_>>(), Done::Made, 0),
        (again.into_iter().collect(), Done::Nothing, 0),
        (disabled.into_iter().collect(), Done::MadeAnew, 0),
        (lacking.into_iter().collect(), Done::MadeAnew, 0),
        (older.into_iter().collect(), Done::Made, 1),
    ] {
        let bench = Bench::new(steps);
        let installed = Hooks::new(bench.client.clone()).install(&address(), ask()).await.unwrap();
        assert_eq!((installed, bench.script.left()), (Installed { done, outdated }, 0));
    }
}

#[tokio::test(start_paused = true)]
async fn removing_ends_each_with_the_secret_and_no_other() {
    let hooks = [
        (ours(), &EVENTS[..], false),
        ("https://other.example/hook".to_owned(), &EVENTS[..], false),
        (format!("https://old.example/{SECRET}"), &EVENTS[..], true),
    ];
    let listed: Vec<_> = hooks.iter().map(|(to, events, off)| (to.as_str(), *events, *off)).collect();
    let bench = Bench::new([list(&listed), nothing(), nothing()]);
    assert_eq!(Hooks::new(bench.client.clone()).remove(&secret(), ask()).await, Ok(2));
    assert_eq!(Hooks::new(Bench::new([nothing()]).client).remove(&secret(), ask()).await, Ok(0));
}

#[tokio::test(start_paused = true)]
async fn who_is_no_administrator_is_refused_a_right_and_the_credentials_stay_good() {
    let bench = Bench::new([problem(401), nothing()]);
    let hooks = Hooks::new(bench.client.clone());
    assert_eq!(hooks.state(&secret(), ask()).await, Err(CrmError::Forbidden));
    assert_eq!(bench.counted(Endpoint::Webhooks, UpstreamOutcome::Forbidden), 1);
    assert_eq!(hooks.state(&secret(), ask()).await, Ok(HookState::Absent), "no call is suspended for it");
}

#[tokio::test(start_paused = true)]
async fn a_subscription_is_not_made_twice_for_a_lost_answer() {
    let bench = Bench::new([nothing(), problem(502)]);
    let error = Hooks::new(bench.client.clone()).install(&address(), ask()).await.unwrap_err();
    assert_eq!((error, bench.script.calls()), (CrmError::Server { status: 502 }, 2));
}

#[test]
fn an_address_is_checked_and_never_shows_its_secret() {
    for base in [
        "",
        "calls.example.com/hooks/kommo",
        "ftp://calls.example.com/hooks/kommo",
        "https://calls.example.com",
        "https://calls.example.com/",
        "https://u:p@calls.example.com/hooks/kommo",
        "https://calls.example.com/hooks/kommo?x=1",
        "https://calls.example.com/hooks/kommo#x",
        "https://calls.example.com/hooks/kommo/s3cret-s3cret-s3cret",
    ] {
        assert!(HookAddress::new(base, secret()).is_err(), "{base}");
    }
    assert_eq!(address().to_string(), "https://calls.example.com/hooks/kommo/…");
    assert_eq!(ours(), format!("https://calls.example.com/hooks/kommo/{SECRET}"));
    assert!(!format!("{:?}", address()).contains(SECRET));
    let hook = Subscription::new(ours(), BTreeSet::new(), false);
    assert!(!format!("{hook:?}").contains(SECRET));
}
