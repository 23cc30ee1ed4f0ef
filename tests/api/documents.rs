//! What the documents say is what the code does. A table that differs is printed as it should be.

use std::fmt::Write;

use callcard::config;
use callcard::metrics::Metrics;
use callcard::render::{Format, Profile};

/// The lines of a document between `<!-- name:begin -->` and `<!-- name:end -->`.
fn between<'a>(document: &'a str, name: &str) -> &'a str {
    let (begin, end) = (format!("<!-- {name}:begin -->\n"), format!("<!-- {name}:end -->"));
    let after = document.split_once(&begin).unwrap_or_else(|| panic!("README.md has no {begin}")).1;
    after.split_once(&end).unwrap_or_else(|| panic!("README.md has no {end}")).0
}

fn readme() -> String {
    std::fs::read_to_string("README.md").unwrap()
}

/// The configuration table, from the variables themselves.
fn configuration() -> String {
    let mut table = "| variable | default | meaning |\n|---|---|---|\n".to_owned();
    for topic in config::topics() {
        writeln!(table, "| **{}** | | |", topic.heading).unwrap();
        for variable in topic.variables {
            let default = variable.default.map_or_else(|| "–".to_owned(), |default| format!("`{default}`"));
            writeln!(table, "| `{}` | {default} | {} |", variable.name, variable.help.trim()).unwrap();
        }
    }
    table
}

/// The metrics table, from a scrape: name, kind, labels, help.
fn metrics() -> String {
    let metrics = Metrics::new();
    metrics.describe_process("0.0.0", "unknown");
    metrics.http("/lookup", "GET", 200, std::time::Duration::ZERO);
    metrics.token_expiry(callcard::outcome::TokenKind::LongLived, 0);
    let scrape = metrics.encode().unwrap();
    let mut table = "| metric | kind | labels | meaning |\n|---|---|---|---|\n".to_owned();
    for help in scrape.lines().filter_map(|line| line.strip_prefix("# HELP callcard_")) {
        let (name, help) = help.split_once(' ').unwrap();
        let kind = scrape.lines().find_map(|line| line.strip_prefix(&format!("# TYPE callcard_{name} "))).unwrap();
        let sample = scrape.lines().find(|line| line.starts_with(&format!("callcard_{name}"))).unwrap();
        let labels = sample.split_once('{').map_or("", |(_, rest)| rest.split_once('}').unwrap().0);
        let labels: Vec<_> = labels
            .split("\",")
            .filter_map(|label| label.split_once('='))
            .map(|(label, _)| label)
            .filter(|label| *label != "le" && !label.is_empty())
            .map(|label| format!("`{label}`"))
            .collect();
        writeln!(table, "| `callcard_{name}` | {kind} | {} | {help} |", labels.join(", ")).unwrap();
    }
    table
}

/// The table of profiles, from the profiles themselves.
fn profiles() -> String {
    let mut table = "| `profile=` | for | sets | because it |\n|---|---|---|---|\n".to_owned();
    for Profile { word, client, format, not_found_ok, max, ascii, reason } in Profile::ALL {
        let mut sets = format!("`format={format}`");
        if *format == Format::Text {
            write!(sets, " `max={max}` `ascii={}`", u8::from(*ascii)).unwrap();
        } else {
            write!(sets, " `notfound={}`", if *not_found_ok { 200 } else { 404 }).unwrap();
        }
        writeln!(table, "| `{word}` | {client} | {sets} | {reason} |").unwrap();
    }
    table
}

#[test]
fn the_readme_lists_every_profile_with_what_it_sets() {
    let expected = profiles();
    assert_eq!(between(&readme(), "profiles"), expected, "\n{expected}");
}

#[test]
fn the_readme_lists_every_variable_as_the_program_knows_it() {
    let expected = configuration();
    assert_eq!(between(&readme(), "config"), expected, "\n{expected}");
}

#[test]
fn the_readme_lists_every_metric_as_it_is_scraped() {
    let expected = metrics();
    assert_eq!(between(&readme(), "metrics"), expected, "\n{expected}");
}

#[test]
fn every_metric_of_the_contract_is_there_from_the_start() {
    let names = "lookups_total lookup_duration_seconds fill_duration_seconds fills_in_flight upstream_requests_total \
        upstream_request_duration_seconds upstream_quota_wait_seconds upstream_quota_refusals_total upstream_breaker_open \
        verdicts_total cache_entries cache_bytes cache_evictions_total stale_age_seconds directory_contacts \
        directory_lag_seconds directory_complete shared_errors_total http_requests_total http_request_duration_seconds \
        build_info";
    let table = metrics();
    for name in names.split_whitespace() {
        assert!(table.contains(&format!("`callcard_{name}`")), "{name} is missing");
    }
}

/// The words that a label may have: those of the contract, and those that dashboards and alerts may ask for by name.
const WORDS: [(&str, &str); 9] = [
    ("status", "hit miss stale coalesced directory skipped rejected"),
    ("answer", "found not_found withheld extension invalid error"),
    ("endpoint", "contacts_query contacts_list contacts_by_id leads pipelines users companies events account oauth"),
    ("outcome", "ok empty timeout connect rate_limited unauthorized forbidden server_error malformed short_circuited"),
    ("class", "live background"),
    ("verdict", "match ambiguous none incomplete"),
    ("kind", "card known unknown failed"),
    ("cause", "size expired invalidated"),
    ("op", "get put lease quota bus token mirror"),
];

fn words(label: &str) -> impl Iterator<Item = &'static str> {
    let (_, words) = WORDS.iter().find(|(name, _)| *name == label).unwrap();
    words.split_whitespace()
}

#[test]
fn every_label_value_of_the_contract_is_there_from_the_start() {
    let scrape = Metrics::new().encode().unwrap();
    let has = |series: String| assert!(scrape.lines().any(|line| line == format!("callcard_{series} 0")), "{series}");
    for status in words("status") {
        has(format!("lookup_duration_seconds_count{{status=\"{status}\"}}"));
        for answer in words("answer") {
            has(format!("lookups_total{{answer=\"{answer}\",status=\"{status}\"}}"));
        }
    }
    for endpoint in words("endpoint") {
        has(format!("upstream_request_duration_seconds_count{{endpoint=\"{endpoint}\"}}"));
        for outcome in words("outcome") {
            has(format!("upstream_requests_total{{endpoint=\"{endpoint}\",outcome=\"{outcome}\"}}"));
        }
    }
    for class in words("class") {
        has(format!("upstream_quota_wait_seconds_count{{class=\"{class}\"}}"));
        has(format!("upstream_quota_refusals_total{{class=\"{class}\"}}"));
    }
    let others = [
        ("verdicts_total", "verdict"),
        ("cache_entries", "kind"),
        ("cache_evictions_total", "cause"),
        ("shared_errors_total", "op"),
    ];
    for (family, label) in others {
        words(label).for_each(|word| has(format!("{family}{{{label}=\"{word}\"}}")));
        let series = scrape.lines().filter(|line| line.starts_with(&format!("callcard_{family}{{")));
        assert_eq!(series.count(), words(label).count(), "{family} has values that are not listed here");
    }
}
