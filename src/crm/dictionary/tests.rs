//! Names: when the CRM is asked for them, and what there is when it does not answer.

use tokio::time::{Instant, advance};

use super::super::scripted::{Bench, Step, after, nothing, ok, page_for_people, problem};
use super::super::{Settings as ClientSettings, TransportError};
use super::*;
use crate::outcome::{Endpoint, UpstreamOutcome};

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3_600);
const OLIVIA: UserId = UserId(71);
const NEWCOMER: UserId = UserId(72);
const ACME: CompanyId = CompanyId(5);

fn ask() -> Ask {
    Ask::live(8 * SECOND)
}

fn users(list: &[(u64, &str)]) -> Step {
    named("users", list)
}

fn companies(list: &[(u64, &str)]) -> Step {
    named("companies", list)
}

fn named(list: &str, records: &[(u64, &str)]) -> Step {
    let records: Vec<_> = records.iter().map(|(id, name)| format!(r#"{{"id":{id},"name":"{name}"}}"#)).collect();
    ok(format!(r#"{{"_embedded":{{"{list}":[{}]}}}}"#, records.join(",")))
}

fn bench(steps: impl IntoIterator<Item = Step>) -> (Bench, Dictionaries) {
    let bench = Bench::with(ClientSettings::default(), steps);
    let dictionaries = Dictionaries::new(bench.client.clone(), Settings::default());
    (bench, dictionaries)
}

/// The name of an owner, and whether the names are degraded.
async fn owner(dictionaries: &Dictionaries, id: UserId) -> (Option<String>, bool) {
    let names = dictionaries.owners(&[id], ask()).await;
    (names.known.owner(id).map(|name| name.to_string()), names.degraded)
}

fn whole(name: &str) -> (Option<String>, bool) {
    (Some(name.to_owned()), false)
}

const ABSENT: (Option<String>, bool) = (None, true);

/// Lets loads that nobody waits for run to their end.
async fn settle() {
    tokio::time::sleep(SECOND).await;
}

// === lists ===

#[tokio::test(start_paused = true)]
async fn a_list_is_loaded_once_and_used_for_an_hour() {
    let (bench, dictionaries) = bench([users(&[(71, "Olivia")])]);
    for _ in 0..3 {
        assert_eq!(owner(&dictionaries, OLIVIA).await, whole("Olivia"));
        advance(HOUR / 4).await;
    }
    assert_eq!(bench.script.paths(), ["/api/v4/users?limit=250"]);
}

#[tokio::test(start_paused = true)]
async fn many_callers_at_once_cause_one_load() {
    let (bench, dictionaries) = bench([after(SECOND, users(&[(71, "Olivia")]))]);
    let begun = Instant::now();
    let callers: Vec<_> = (0..100)
        .map(|_| {
            let dictionaries = dictionaries.clone();
            tokio::spawn(async move { owner(&dictionaries, OLIVIA).await })
        })
        .collect();
    for caller in callers {
        assert_eq!(caller.await.unwrap(), whole("Olivia"));
    }
    assert_eq!((bench.script.calls(), begun.elapsed()), (1, SECOND));
}

#[tokio::test(start_paused = true)]
async fn the_load_goes_on_when_the_caller_who_started_it_leaves() {
    let (bench, dictionaries) = bench([after(2 * SECOND, users(&[(71, "Olivia")]))]);
    let impatient = dictionaries.owners(&[OLIVIA], Ask::live(SECOND)).await;
    assert!(impatient.degraded && impatient.known.owner(OLIVIA).is_none());
    assert_eq!(owner(&dictionaries, OLIVIA).await, whole("Olivia"));
    assert_eq!(bench.script.calls(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_old_list_is_given_at_once_while_a_new_one_is_loaded() {
    let (bench, dictionaries) = bench([users(&[(71, "Olivia")]), after(SECOND / 2, users(&[(71, "Olive")]))]);
    owner(&dictionaries, OLIVIA).await;
    advance(HOUR).await;
    let begun = Instant::now();
    assert_eq!(owner(&dictionaries, OLIVIA).await, (Some("Olivia".into()), true));
    assert_eq!(begun.elapsed(), Duration::ZERO);
    settle().await;
    assert_eq!(owner(&dictionaries, OLIVIA).await, whole("Olive"));
    assert_eq!(bench.script.calls(), 2);
}

#[tokio::test(start_paused = true)]
async fn an_old_list_is_better_than_none_while_the_crm_fails() {
    let (bench, dictionaries) = bench([users(&[(71, "Olivia")]), problem(500), users(&[(71, "Olive")])]);
    owner(&dictionaries, OLIVIA).await;
    advance(2 * HOUR).await;
    for _ in 0..10 {
        assert_eq!(owner(&dictionaries, OLIVIA).await, (Some("Olivia".into()), true));
        settle().await;
    }
    assert_eq!(bench.script.calls(), 2, "one failed refresh, then quiet");
    advance(30 * SECOND).await;
    owner(&dictionaries, OLIVIA).await;
    settle().await;
    assert_eq!(owner(&dictionaries, OLIVIA).await, whole("Olive"));
}

#[tokio::test(start_paused = true)]
async fn after_a_failed_first_load_ids_are_shown_and_nothing_is_asked_for_half_a_minute() {
    let failures = [problem(500), page_for_people(500), ok("{"), ok(""), Step::Fail(TransportError::Timeout)];
    for failure in failures {
        let (bench, dictionaries) = bench([failure, users(&[(71, "Olivia")])]);
        for _ in 0..29 {
            assert_eq!(owner(&dictionaries, OLIVIA).await, ABSENT);
            advance(SECOND).await;
        }
        assert_eq!(bench.script.calls(), 1);
        advance(2 * SECOND).await;
        assert_eq!(owner(&dictionaries, OLIVIA).await, whole("Olivia"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_token_that_may_not_list_users_is_not_asked_again_for_ten_minutes() {
    let (bench, dictionaries) = bench([problem(403), users(&[(71, "Olivia")])]);
    for _ in 0..3 {
        assert_eq!(owner(&dictionaries, OLIVIA).await, ABSENT);
        advance(180 * SECOND).await;
    }
    assert_eq!(bench.counted(Endpoint::Users, UpstreamOutcome::Forbidden), 1);
    advance(60 * SECOND).await;
    assert_eq!(owner(&dictionaries, OLIVIA).await, whole("Olivia"));
}

#[tokio::test(start_paused = true)]
async fn an_unknown_owner_reloads_the_list_but_not_more_than_once_in_five_minutes() {
    let (bench, dictionaries) = bench([users(&[(71, "Olivia")]), users(&[(71, "Olivia")])]);
    owner(&dictionaries, OLIVIA).await;
    assert_eq!(owner(&dictionaries, NEWCOMER).await, (None, false), "the list is new");
    advance(300 * SECOND).await;
    for _ in 0..10 {
        assert_eq!(owner(&dictionaries, NEWCOMER).await, (None, false));
        advance(SECOND).await;
    }
    assert_eq!(bench.script.calls(), 2);
    bench.script.then([users(&[(71, "Olivia"), (72, "Nina")])]);
    advance(300 * SECOND).await;
    assert_eq!(owner(&dictionaries, NEWCOMER).await, whole("Nina"));
    assert_eq!(bench.script.calls(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_failed_reload_keeps_the_list() {
    let (bench, dictionaries) = bench([users(&[(71, "Olivia")]), problem(500)]);
    owner(&dictionaries, OLIVIA).await;
    advance(300 * SECOND).await;
    assert_eq!(owner(&dictionaries, NEWCOMER).await, (None, false));
    assert_eq!(owner(&dictionaries, OLIVIA).await, whole("Olivia"));
    assert_eq!(bench.script.calls(), 2);
}

#[tokio::test(start_paused = true)]
async fn users_come_in_pages() {
    let first = r#"{"_links":{"next":{"href":"x"}},"_embedded":{"users":[{"id":71,"name":"Olivia"}]}}"#;
    let (bench, dictionaries) = bench([ok(first), users(&[(72, "Nina")])]);
    assert_eq!(owner(&dictionaries, NEWCOMER).await, whole("Nina"));
    assert_eq!(bench.script.paths()[1], "/api/v4/users?limit=250&page=2");
}

#[tokio::test(start_paused = true)]
async fn stages_are_named_within_their_pipeline() {
    let json = r#"{"_embedded":{"pipelines":[
        {"id":1,"name":"Sales","_embedded":{"statuses":[{"id":142,"name":"Sold"},{"id":7,"name":"Talks"}]}},
        {"id":2,"name":"Repair","_embedded":{"statuses":[{"id":142,"name":"Repaired"}]}}]}}"#;
    let (bench, dictionaries) = bench([ok(json)]);
    let wanted = [(PipelineId(1), StageId::WON), (PipelineId(2), StageId::WON)];
    let names = dictionaries.pipelines(&wanted, ask()).await;
    let known = &names.known;
    assert_eq!(known.pipeline(PipelineId(2)).as_deref(), Some("Repair"));
    assert_eq!(known.stage(PipelineId(1), StageId::WON).as_deref(), Some("Sold"));
    assert_eq!(known.stage(PipelineId(2), StageId::WON).as_deref(), Some("Repaired"));
    assert_eq!(known.stage(PipelineId(2), StageId(7)), None);
    assert_eq!(bench.script.paths(), ["/api/v4/leads/pipelines"]);
}

#[tokio::test(start_paused = true)]
async fn preloading_spares_the_first_caller_the_wait() {
    let pipelines = ok(r#"{"_embedded":{"pipelines":[{"id":1,"name":"Sales"}]}}"#);
    let groups = ok(r#"{"id":1,"_embedded":{"users_groups":[{"id":0,"name":"Sales"}]}}"#);
    let (bench, dictionaries) = bench([pipelines, users(&[(71, "Olivia")]), groups]);
    dictionaries.preload(Ask::background(10 * SECOND)).await;
    let begun = Instant::now();
    assert_eq!(owner(&dictionaries, OLIVIA).await, whole("Olivia"));
    assert_eq!((bench.script.calls(), begun.elapsed()), (3, Duration::ZERO));
}

#[tokio::test(start_paused = true)]
async fn nobody_to_name_costs_no_request() {
    let (bench, dictionaries) = bench([]);
    assert!(!dictionaries.owners(&[], ask()).await.degraded);
    assert!(!dictionaries.pipelines(&[], ask()).await.degraded);
    assert!(!dictionaries.company_names(&[], ask()).await.degraded);
    assert_eq!(bench.script.calls(), 0);
}

// === companies ===

async fn company(dictionaries: &Dictionaries, id: CompanyId) -> (Option<String>, bool) {
    let names = dictionaries.company_names(&[id], ask()).await;
    (names.known.get(&id).map(|name| name.to_string()), names.degraded)
}

#[tokio::test(start_paused = true)]
async fn a_company_is_asked_for_once_an_hour() {
    let (bench, dictionaries) = bench([companies(&[(5, "Acme")]), companies(&[(5, "Acme Ltd")])]);
    for _ in 0..3 {
        assert_eq!(company(&dictionaries, ACME).await, whole("Acme"));
        advance(HOUR / 4).await;
    }
    assert_eq!(bench.script.paths(), ["/api/v4/companies?limit=250&filter[id][]=5"]);
    advance(HOUR / 4).await;
    assert_eq!(company(&dictionaries, ACME).await, whole("Acme Ltd"));
}

#[tokio::test(start_paused = true)]
async fn only_companies_not_held_are_asked_for() {
    let (bench, dictionaries) = bench([companies(&[(5, "Acme")]), companies(&[(6, "Beta")])]);
    company(&dictionaries, ACME).await;
    let names = dictionaries.company_names(&[ACME, CompanyId(6)], ask()).await;
    assert_eq!(names.known.get(&ACME).map(|name| &**name), Some("Acme"));
    assert_eq!(names.known.get(&CompanyId(6)).map(|name| &**name), Some("Beta"));
    assert_eq!(bench.script.paths()[1], "/api/v4/companies?limit=250&filter[id][]=6");
}

#[tokio::test(start_paused = true)]
async fn a_company_that_does_not_exist_has_no_name_and_is_not_asked_for_again() {
    let (bench, dictionaries) = bench([nothing()]);
    for _ in 0..3 {
        assert_eq!(company(&dictionaries, ACME).await, (None, false));
    }
    assert_eq!(bench.script.calls(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_old_company_name_is_better_than_none() {
    let (bench, dictionaries) = bench([companies(&[(5, "Acme")]), problem(500), companies(&[(5, "Acme Ltd")])]);
    company(&dictionaries, ACME).await;
    advance(HOUR).await;
    for _ in 0..3 {
        assert_eq!(company(&dictionaries, ACME).await, (Some("Acme".into()), true));
    }
    assert_eq!(bench.script.calls(), 2, "one failure, then quiet");
    advance(30 * SECOND).await;
    assert_eq!(company(&dictionaries, ACME).await, whole("Acme Ltd"));
}
