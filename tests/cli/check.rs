//! `callcard check`: a table that says how far one gets, and what to do.

use serde_json::Value;

use super::{TOKEN, ended, err, out, sandbox, with_crm};

/// The rows of a check, by name; the verdict and everything the row says.
struct Table {
    code: Option<i32>,
    rows: Vec<(String, String, String)>,
}

impl Table {
    /// Of a check against this CRM.
    fn of(url: &str, token: &str) -> Self {
        Self::with(&with_crm(url, token))
    }

    fn with(variables: &[(&str, &str)]) -> Self {
        let output = ended(&["check", "--format", "json"], variables);
        let shown = out(&output);
        assert!(!shown.contains(TOKEN) && !err(&output).contains(TOKEN), "{shown}{}", err(&output));
        let table: Value = serde_json::from_str(shown).unwrap_or_else(|_| panic!("{shown}{}", err(&output)));
        assert_eq!(table["ok"].as_bool(), Some(output.status.code() == Some(0)), "{shown}");
        let text = |row: &Value, member: &str| row[member].as_str().unwrap_or_default().to_owned();
        let rows = table["rows"].as_array().unwrap().iter().map(|row| {
            (text(row, "what"), text(row, "verdict"), format!("{} -> {}", text(row, "seen"), text(row, "do")))
        });
        Self { code: output.status.code(), rows: rows.collect() }
    }

    /// Against a sandbox in which these faults are on.
    fn against(faults: &[&str]) -> Self {
        let words: Vec<_> = faults.iter().flat_map(|fault| ["--fault", fault]).collect();
        let (_sandbox, url) = sandbox(&words);
        Self::of(&url, "sandbox-token")
    }

    #[track_caller]
    fn says(&self, what: &str, verdict: &str, words: &str) {
        let row = self.rows.iter().find(|(name, ..)| name == what);
        let fits = row.is_some_and(|(_, seen, said)| seen == verdict && said.contains(words));
        assert!(fits, "{what} {verdict} {words:?}: {:#?}", self.rows);
    }

    /// Rows that are neither fine nor skipped.
    fn complaints(&self) -> Vec<&str> {
        let complaints = self.rows.iter().filter(|(_, verdict, _)| verdict == "odd" || verdict == "wrong");
        complaints.map(|(what, ..)| what.as_str()).collect()
    }
}

#[test]
fn an_account_without_trouble_is_fine_in_every_row() {
    let table = Table::against(&[]);
    assert_eq!((table.code, table.complaints()), (Some(0), vec![]));
    table.says("account", "ok", "Acme Roofing");
    table.says("region", "ok", "US");
    table.says("quota", "ok", "6 requests a second");
    for right in ["contacts", "leads", "pipelines", "users", "companies", "events"] {
        table.says(right, "ok", "can be listed");
    }
}

#[test]
fn the_table_for_people_says_what_to_do_under_what_was_seen() {
    let (_sandbox, url) = sandbox(&["--fault", "users:403"]);
    let output = ended(&["check"], &with_crm(&url, "sandbox-token"));
    assert_eq!(output.status.code(), Some(0), "{}", err(&output));
    let lines: Vec<_> = out(&output).lines().collect();
    let users = lines.iter().position(|line| line.starts_with("odd      users")).unwrap();
    assert!(lines[users + 1].trim_start().starts_with("-> give the right"), "{}", out(&output));
    assert!(lines.iter().all(|line| !line.contains("sandbox-token")));
}

#[test]
fn nobody_under_the_url_is_told_apart_from_somebody_else() {
    let nobody = Table::of("http://127.0.0.1:9", TOKEN);
    nobody.says("url", "wrong", "CALLCARD_KOMMO_URL");
    nobody.says("credentials", "skipped", "");
    nobody.says("round trip", "skipped", "");
    nobody.says("clock", "skipped", "");

    for fault in ["all:html", "all:redirect=https://www.kommo.com/", "all:404"] {
        let other = Table::against(&[fault]);
        assert_eq!((other.code, other.complaints()), (Some(1), vec!["url"]), "{fault}");
        other.says("url", "wrong", "the account's own address");
    }
    Table::against(&["all:block"]).says("url", "wrong", "Kommo's support");
    Table::against(&["all:500"]).says("url", "wrong", "trouble of its own");
}

#[test]
fn a_token_that_is_refused_is_the_fault_of_the_credentials_row() {
    let (_sandbox, url) = sandbox(&[]);
    let table = Table::of(&url, TOKEN);
    assert_eq!((table.code, table.complaints()), (Some(1), vec!["credentials"]));
    table.says("url", "ok", "answers");
    table.says("credentials", "wrong", "make a new one");
    table.says("account", "skipped", "");
}

#[test]
fn an_account_that_is_not_paid_for_is_the_fault_of_the_account_row() {
    let table = Table::against(&["account:402"]);
    assert_eq!((table.code, table.complaints()), (Some(1), vec!["account"]));
    table.says("account", "wrong", "renewed");
}

#[test]
fn a_missing_right_says_what_is_lost_and_only_contacts_are_needed() {
    for (right, loss) in [
        ("leads", "ids and links"),
        ("pipelines", "without pipeline and stage"),
        ("users", "the owner's id"),
        ("companies", "the company's id"),
        ("events", "lifetime"),
    ] {
        let table = Table::against(&[&format!("{right}:403")]);
        assert_eq!((table.code, table.complaints()), (Some(0), vec![right]));
        table.says(right, "odd", loss);
        table.says(right, "odd", "give the right");
    }
    let table = Table::against(&["contacts_list:403"]);
    assert_eq!((table.code, table.complaints()), (Some(1), vec!["contacts"]));
    table.says("contacts", "wrong", "nobody can be found");

    let table = Table::against(&["users:html"]);
    assert_eq!(table.code, Some(0));
    table.says("users", "odd", "try again");
}

#[test]
fn clocks_that_differ_are_told() {
    let table = Table::against(&["all:skew=90s"]);
    assert_eq!((table.code, table.complaints()), (Some(0), vec!["clock"]));
    table.says("clock", "odd", "ahead of the CRM's");
    table.says("clock", "odd", "NTP");
}

#[test]
fn a_quota_that_somebody_else_uses_up_is_told() {
    let table = Table::against(&["leads:429*1"]);
    assert_eq!(table.code, Some(0));
    table.says("quota", "odd", "a pause in 1 of");
    table.says("leads", "odd", "asked for a pause");
}

#[test]
fn a_slow_crm_is_told_to_be_slow() {
    let table = Table::against(&["all:slow=1200ms"]);
    assert_eq!((table.code, table.complaints()), (Some(0), vec!["round trip"]));
    table.says("round trip", "odd", "CALLCARD_DEADLINE");
}

#[test]
fn a_foreign_region_is_odd_and_a_missing_setting_wrong() {
    let (_sandbox, url) = sandbox(&[]);
    let crm = with_crm(&url, "sandbox-token");
    let brazil = Table::with(&[&crm[..], &[("CALLCARD_DEFAULT_REGION", "BR")]].concat());
    brazil.says("region", "odd", "CALLCARD_DEFAULT_REGION=US");

    let unset = Table::with(&[]);
    assert_eq!(unset.code, Some(1));
    unset.says("configuration", "wrong", "CALLCARD_KOMMO_");
    unset.says("url", "skipped", "");
}
