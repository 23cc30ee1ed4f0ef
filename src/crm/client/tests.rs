//! Each way the CRM can fail: what the caller gets, under which word it is counted, and how many requests it took.

use super::super::TransportError;
use super::super::scripted::{Bench, after, nothing, ok, page_for_people, problem};
use super::*;
use crate::outcome::UpstreamOutcome;

const SECOND: Duration = Duration::from_secs(1);

fn ask() -> Ask {
    Ask::live(8 * SECOND)
}

fn number() -> SearchText {
    SearchText::new("4155550123").unwrap()
}

/// A page with these contacts, and maybe a further one.
fn contacts(ids: &[u64], more: bool) -> String {
    let list: Vec<_> = ids.iter().map(|id| format!(r#"{{"id":{id},"name":"N{id}","updated_at":{id}}}"#)).collect();
    let next = if more { r#","next":{"href":"https://evil.example/api/v4/contacts?page=2"}"# } else { "" };
    format!(r#"{{"_page":1,"_links":{{"self":{{"href":"x"}}{next}}},"_embedded":{{"contacts":[{}]}}}}"#, list.join(","))
}

fn leads(ids: std::ops::Range<u64>) -> String {
    let list: Vec<_> = ids.map(|id| format!(r#"{{"id":{id},"price":null}}"#)).collect();
    format!(r#"{{"_embedded":{{"leads":[{}]}}}}"#, list.join(","))
}

fn ids(page: &Page) -> Vec<u64> {
    page.contacts.iter().map(|contact| contact.id.0).collect()
}

/// Searches once: the result, how it was counted (once), and the number of requests.
async fn search_failing(step: super::super::scripted::Step, counted_as: UpstreamOutcome) -> CrmError {
    let bench = Bench::new([step]);
    let error = bench.client.search(&number(), ask()).await.unwrap_err();
    assert_eq!(error.outcome(), counted_as);
    assert_eq!(bench.counted(Endpoint::ContactsQuery, counted_as), 1);
    assert_eq!((bench.script.calls(), bench.timed(Endpoint::ContactsQuery)), (1, 1));
    error
}

// === what is asked and answered ===

#[tokio::test(start_paused = true)]
async fn a_search_asks_for_leads_and_the_largest_page_and_is_counted() {
    let bench = Bench::new([ok(contacts(&[7, 8], false))]);
    let page = bench.client.search(&SearchText::new("+1 415 5550123").unwrap(), ask()).await.unwrap();
    assert_eq!((ids(&page), page.complete), (vec![7, 8], true));
    assert_eq!(bench.script.paths(), ["/api/v4/contacts?query=%2B1+415+5550123&with=leads,catalog_elements&limit=250"]);
    assert_eq!(bench.counted(Endpoint::ContactsQuery, UpstreamOutcome::Ok), 1);
}

#[tokio::test(start_paused = true)]
async fn nothing_found_is_complete_when_the_crm_says_so() {
    for said in [nothing(), ok(contacts(&[], false))] {
        let bench = Bench::new([said]);
        let page = bench.client.search(&number(), ask()).await.unwrap();
        assert_eq!(page, Page { contacts: vec![], complete: true });
        assert_eq!(bench.counted(Endpoint::ContactsQuery, UpstreamOutcome::Empty), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_said_is_no_proof_that_nobody_has_the_number() {
    for unsaid in
        ["", " ", "{}", "[]", r#"{"_embedded":{}}"#, r#"{"_embedded":[]}"#, r#"{"_embedded":{"contacts":null}}"#]
    {
        let bench = Bench::new([ok(unsaid)]);
        let error = bench.client.search(&number(), ask()).await.unwrap_err();
        assert_eq!(error, CrmError::Malformed { what: "it has no list" }, "{unsaid}");
        assert_eq!(bench.counted(Endpoint::ContactsQuery, UpstreamOutcome::Empty), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn further_pages_are_followed_at_our_own_address() {
    let bench = Bench::new([ok(contacts(&[1, 2], true)), ok(contacts(&[3], false))]);
    let page = bench.client.search(&number(), ask()).await.unwrap();
    assert_eq!((ids(&page), page.complete), (vec![1, 2, 3], true));
    assert_eq!(
        bench.script.paths()[1],
        "/api/v4/contacts?query=4155550123&with=leads,catalog_elements&limit=250&page=2"
    );
}

#[tokio::test(start_paused = true)]
async fn a_search_with_more_pages_than_the_cap_is_incomplete() {
    let bench = Bench::new((1..=4).map(|n| ok(contacts(&[n], true))));
    let page = bench.client.search(&number(), ask()).await.unwrap();
    assert_eq!((ids(&page), page.complete), (vec![1, 2, 3, 4], false));
    assert_eq!(bench.script.calls(), 4);
}

#[tokio::test(start_paused = true)]
async fn a_promised_page_that_is_not_there_or_fails_leaves_the_search_incomplete() {
    for second in [nothing(), ok(""), problem(500), page_for_people(200)] {
        let bench = Bench::new([ok(contacts(&[1], true)), second]);
        let page = bench.client.search(&number(), ask()).await.unwrap();
        assert_eq!((ids(&page), page.complete), (vec![1], false));
        assert_eq!(bench.script.calls(), 2);
    }
}

#[tokio::test(start_paused = true)]
async fn a_contact_that_comes_twice_counts_once_in_its_newest_state() {
    let older = r#"{"_links":{"next":{}},"_embedded":{"contacts":[{"id":1,"name":"Old","updated_at":1}]}}"#;
    let newer = r#"{"_embedded":{"contacts":[{"id":1,"name":"New","updated_at":2}]}}"#;
    let bench = Bench::new([ok(older), ok(newer)]);
    let page = bench.client.search(&number(), ask()).await.unwrap();
    assert_eq!(ids(&page), [1]);
    assert_eq!(page.contacts[0].name, "New");
}

#[tokio::test(start_paused = true)]
async fn records_by_id_come_in_batches_and_missing_ones_are_simply_absent() {
    let bench = Bench::new([ok(leads(1..231)), ok(leads(231..240))]);
    let wanted: Vec<_> = (1..=300).map(LeadId).collect();
    let found = bench.client.leads(&wanted, ask()).await.unwrap();
    assert_eq!(found.len(), 239);
    assert_eq!(bench.counted(Endpoint::Leads, UpstreamOutcome::Ok), 2);

    let bench = Bench::new([nothing()]);
    assert_eq!(bench.client.contacts(&[ContactId(7)], ask()).await, Ok(vec![]));
    assert_eq!(bench.script.paths(), ["/api/v4/contacts?with=leads,catalog_elements&limit=250&filter[id][]=7"]);
    assert_eq!(bench.counted(Endpoint::ContactsById, UpstreamOutcome::Empty), 1);
}

#[tokio::test(start_paused = true)]
async fn no_ids_cost_no_request() {
    let bench = Bench::new([]);
    assert_eq!(bench.client.leads(&[], ask()).await, Ok(vec![]));
    assert_eq!(bench.client.contacts(&[], ask()).await, Ok(vec![]));
}

#[tokio::test(start_paused = true)]
async fn records_by_id_are_all_or_an_error_as_absence_means_deletion() {
    for unsaid in ["", "{}"] {
        let bench = Bench::new([ok(unsaid)]);
        let error = bench.client.contacts(&[ContactId(7)], ask()).await.unwrap_err();
        assert!(matches!(error, CrmError::Malformed { .. }));
    }
    let bench = Bench::new([ok(contacts(&[1], true)), problem(429)]);
    let error = bench.client.contacts(&[ContactId(1), ContactId(2)], ask()).await.unwrap_err();
    assert_eq!(error, CrmError::RateLimited { retry_after: None });
}

#[tokio::test(start_paused = true)]
async fn the_account_is_read() {
    let bench = Bench::new([ok(r#"{"id":31402211,"name":"Nord","subdomain":"nord","country":"DE","x":[]}"#)]);
    let account = bench.client.account(ask()).await.unwrap();
    assert_eq!((account.id, account.country.as_deref()), (31_402_211, Some("DE")));
    for body in ["{}", "[]", "7", r#"{"id":0}"#] {
        let bench = Bench::new([ok(body)]);
        assert!(matches!(bench.client.account(ask()).await, Err(CrmError::Malformed { .. })), "{body}");
    }
    let bench = Bench::new([nothing()]);
    assert!(matches!(bench.client.account(ask()).await, Err(CrmError::Malformed { .. })));
}

// === failures ===

#[tokio::test(start_paused = true)]
async fn a_wrong_token_is_unauthorized() {
    assert_eq!(search_failing(problem(401), UpstreamOutcome::Unauthorized).await, CrmError::Unauthorized);
}

#[tokio::test(start_paused = true)]
async fn an_unpaid_account_and_a_missing_right_are_forbidden() {
    assert_eq!(search_failing(problem(402), UpstreamOutcome::Forbidden).await, CrmError::PaymentRequired);
    assert_eq!(search_failing(problem(403), UpstreamOutcome::Forbidden).await, CrmError::Forbidden);
}

#[tokio::test(start_paused = true)]
async fn a_page_for_people_with_403_is_a_block_of_our_address() {
    assert_eq!(search_failing(page_for_people(403), UpstreamOutcome::Forbidden).await, CrmError::Blocked);
}

#[tokio::test(start_paused = true)]
async fn a_404_is_a_wrong_host_and_never_an_unknown_caller() {
    for step in [problem(404), page_for_people(404)] {
        assert_eq!(search_failing(step, UpstreamOutcome::Malformed).await, CrmError::WrongHost);
    }
}

#[tokio::test(start_paused = true)]
async fn a_429_is_not_tried_again() {
    for step in [problem(429), page_for_people(429)] {
        let error = search_failing(step, UpstreamOutcome::RateLimited).await;
        assert_eq!(error, CrmError::RateLimited { retry_after: None });
    }
}

#[tokio::test(start_paused = true)]
async fn a_redirect_is_rejected() {
    let error = search_failing(page_for_people(302), UpstreamOutcome::Malformed).await;
    assert_eq!(error, CrmError::Rejected { status: 302 });
}

#[tokio::test(start_paused = true)]
async fn an_internal_error_is_not_tried_again() {
    let error = search_failing(problem(500), UpstreamOutcome::ServerError).await;
    assert_eq!(error, CrmError::Server { status: 500 });
}

#[tokio::test(start_paused = true)]
async fn nonsense_under_200_is_malformed() {
    let cut = contacts(&[1, 2], false);
    let bodies = [&cut[..cut.len() / 2], "<html>", "null garbage", r#"{"_embedded":{"contacts":[{"name":"no id"}]}}"#];
    for body in bodies {
        let error = search_failing(ok(body.to_owned()), UpstreamOutcome::Malformed).await;
        assert!(matches!(error, CrmError::Malformed { .. }), "{body}");
    }
    search_failing(page_for_people(200), UpstreamOutcome::Malformed).await;
}

#[tokio::test(start_paused = true)]
async fn an_answer_too_large_or_unreadable_is_malformed() {
    use super::super::scripted::Step::Fail;
    for failure in [TransportError::TooLarge, TransportError::Unreadable] {
        let error = search_failing(Fail(failure), UpstreamOutcome::Malformed).await;
        assert!(matches!(error, CrmError::Malformed { .. }));
    }
}

#[tokio::test(start_paused = true)]
async fn a_crm_that_hangs_costs_one_request_timeout() {
    let begun = Instant::now();
    let error = search_failing(super::super::scripted::Step::Hang, UpstreamOutcome::Timeout).await;
    assert_eq!(error, CrmError::Timeout);
    assert_eq!(begun.elapsed(), 7 * SECOND);
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_longer_than_they_said() {
    let bench = Bench::new([super::super::scripted::Step::Hang]);
    let begun = Instant::now();
    let error = bench.client.search(&number(), Ask::live(SECOND)).await.unwrap_err();
    assert_eq!((error, begun.elapsed()), (CrmError::Timeout, SECOND));
}

#[tokio::test(start_paused = true)]
async fn without_time_for_an_answer_nothing_is_sent() {
    let bench = Bench::new([]);
    let error = bench.client.search(&number(), Ask::live(Duration::from_millis(50))).await.unwrap_err();
    assert_eq!(error, CrmError::QuotaExhausted { wait: Duration::ZERO });
    assert_eq!(bench.counted(Endpoint::ContactsQuery, UpstreamOutcome::ShortCircuited), 1);
    assert_eq!(bench.timed(Endpoint::ContactsQuery), 0);
}

// === the second try ===

#[tokio::test(start_paused = true)]
async fn a_failure_that_may_pass_is_tried_once_more() {
    use super::super::scripted::Step::Fail;
    let failures = [
        (page_for_people(502), UpstreamOutcome::ServerError),
        (page_for_people(503), UpstreamOutcome::ServerError),
        (page_for_people(504), UpstreamOutcome::ServerError),
        (Fail(TransportError::Connect), UpstreamOutcome::Connect),
    ];
    for (failure, counted_as) in failures {
        let bench = Bench::new([failure, ok(contacts(&[7], false))]);
        let page = bench.client.search(&number(), ask()).await.unwrap();
        assert_eq!(ids(&page), [7]);
        assert_eq!(bench.script.calls(), 2);
        assert_eq!(bench.counted(Endpoint::ContactsQuery, counted_as), 1);
        assert_eq!(bench.counted(Endpoint::ContactsQuery, UpstreamOutcome::Ok), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn there_is_never_a_third_try() {
    let bench = Bench::new([page_for_people(502), page_for_people(503), ok(contacts(&[7], false))]);
    let error = bench.client.search(&number(), ask()).await.unwrap_err();
    assert_eq!(error, CrmError::Server { status: 503 });
    assert_eq!((bench.script.calls(), bench.script.left()), (2, 1));
}

#[tokio::test(start_paused = true)]
async fn a_failure_at_the_end_of_patience_is_not_tried_again() {
    let bench = Bench::new([after(Duration::from_millis(960), page_for_people(502))]);
    let error = bench.client.search(&number(), Ask::live(SECOND)).await.unwrap_err();
    assert_eq!(error, CrmError::Server { status: 502 });
    assert_eq!(bench.script.calls(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_second_try_that_finds_no_slot_in_time_leaves_the_first_failure() {
    let bench = Bench::new([page_for_people(502)]);
    let error = bench.client.search(&number(), Ask::live(SECOND / 10)).await.unwrap_err();
    assert_eq!(error, CrmError::Server { status: 502 });
    assert_eq!(bench.script.calls(), 1);
    assert_eq!(bench.counted(Endpoint::ContactsQuery, UpstreamOutcome::ShortCircuited), 1);
}

// === privacy ===

#[tokio::test(start_paused = true)]
async fn debug_shows_neither_token_nor_names() {
    let bench = Bench::new([ok(contacts(&[7], false))]);
    let page = bench.client.search(&number(), ask()).await.unwrap();
    let shown = format!("{:?} {page:?}", bench.client);
    assert!(!shown.contains("secret-token") && !shown.contains("N7"), "{shown}");
}

#[tokio::test(start_paused = true)]
async fn requests_that_are_given_too_little_time_do_not_suspend_the_calls() {
    let slow = || after(3 * SECOND, nothing());
    for (patience, calls_go_on) in [(SECOND / 2, true), (SECOND, false)] {
        let bench = Bench::new((0..20).map(|_| slow()));
        for _ in 0..20 {
            let ended = bench.client.search(&number(), Ask { until: Instant::now() + patience, ..ask() }).await;
            assert!(matches!(ended, Err(CrmError::Timeout | CrmError::Suspended { .. })));
            tokio::time::sleep(SECOND).await; // Nobody stands in line.
        }
        let suspended = bench.counted(Endpoint::ContactsQuery, UpstreamOutcome::ShortCircuited) > 0;
        assert_eq!(suspended, !calls_go_on, "with {patience:?} each");
    }
}
