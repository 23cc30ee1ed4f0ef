//! `callcard check`: would `serve` work? A table of what was looked at, for people and for deployment pipelines.

use std::fmt;
use std::io::{self, Write};
use std::time::Duration;

use super::{Exit, block_on, chain, complain, start_logs};
use crate::app::Backend;
use crate::config::{Config, Faults, Strings};
use crate::contact::Account;
use crate::crm::{Ask, CrmError};
use crate::phone::Region;

/// A person waits for the table.
const PATIENCE: Duration = Duration::from_secs(8);

/// What one row says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Fine,
    Odd,
    Wrong,
    /// Not looked at, because a row above is wrong.
    Skipped,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Fine => "ok",
            Self::Odd => "odd",
            Self::Wrong => "WRONG",
            Self::Skipped => "skipped",
        })
    }
}

/// One row: what was looked at, and what was seen.
#[derive(Debug)]
struct Row {
    what: &'static str,
    verdict: Verdict,
    detail: String,
}

impl Row {
    fn new(what: &'static str, verdict: Verdict, detail: impl Into<String>) -> Self {
        Self { what, verdict, detail: detail.into() }
    }
}

/// Fine if `serve` would start and the CRM knows us.
pub(super) fn run(strings: &Strings) -> Exit {
    let config = match Config::check(strings) {
        Ok(config) => config,
        Err(faults) => return told(&faulty(&faults)),
    };
    if let Err(exit) = start_logs(&config.telemetry) {
        return exit;
    }
    block_on(async { told(&checked(config).await) })
}

fn told(rows: &[Row]) -> Exit {
    if let Err(error) = print(rows, &mut io::stdout().lock()) {
        return complain(Exit::Failed, error);
    }
    let is_wrong = rows.iter().any(|row| matches!(row.verdict, Verdict::Wrong));
    if is_wrong { Exit::Failed } else { Exit::Fine }
}

fn faulty(faults: &Faults) -> Vec<Row> {
    let mut rows: Vec<_> =
        faults.all().iter().map(|fault| Row::new("configuration", Verdict::Wrong, fault.to_string())).collect();
    rows.push(Row::new("credentials", Verdict::Skipped, "needs a configuration"));
    rows
}

async fn checked(config: Config) -> Vec<Row> {
    let mut rows: Vec<_> =
        config.warnings.iter().map(|odd| Row::new("configuration", Verdict::Odd, odd.to_string())).collect();
    if rows.is_empty() {
        rows.push(Row::new("configuration", Verdict::Fine, "every setting is usable"));
    }
    let region = config.backend.lookup.region;
    let host = config.backend.transport.base.host_str().unwrap_or_default().to_owned();
    match Backend::new(config.backend) {
        Ok(backend) => rows.extend(account(&backend, region, &host).await),
        Err(error) => rows.push(Row::new("credentials", Verdict::Wrong, chain(&error))),
    }
    rows
}

/// Asks the CRM who we are, with nothing between us and it but the quota.
async fn account(backend: &Backend, region: Region, host: &str) -> Vec<Row> {
    match backend.crm.account(Ask::live(PATIENCE)).await {
        Ok(account) => {
            vec![Row::new("credentials", Verdict::Fine, known_as(&account, host)), country(&account, region)]
        }
        Err(error) => vec![Row::new("credentials", Verdict::Wrong, format!("{error}{}", advice(&error)))],
    }
}

fn known_as(account: &Account, host: &str) -> String {
    let name = account.name.as_deref().unwrap_or("an account without a name");
    format!("{host} knows us: {name}, account {}", account.id)
}

fn country(account: &Account, region: Region) -> Row {
    match account.country.as_deref() {
        Some(country) if !country.eq_ignore_ascii_case(region.as_str()) => Row::new(
            "region",
            Verdict::Odd,
            format!("the account's country is {country}, but numbers without a country code are read as {region}"),
        ),
        Some(_) => Row::new("region", Verdict::Fine, format!("{region}, the account's country")),
        None => Row::new("region", Verdict::Fine, format!("{region}; the account does not say its country")),
    }
}

/// What to do about it, where that is not plain.
const fn advice(error: &CrmError) -> &'static str {
    match error {
        CrmError::Unauthorized => {
            ": the token is wrong, expired or revoked; make a new one in the integration's settings"
        }
        CrmError::WrongHost => ": is CALLCARD_KOMMO_URL the account's own address?",
        CrmError::Connect => ": is CALLCARD_KOMMO_URL right, and reachable from here?",
        CrmError::Blocked => ": the quota was exceeded from this address before; Kommo's support lifts the block",
        _ => "",
    }
}

fn print(rows: &[Row], out: &mut impl Write) -> io::Result<()> {
    for Row { what, verdict, detail } in rows {
        writeln!(out, "{verdict:<8} {what:<14} {detail}")?;
    }
    out.flush()
}
