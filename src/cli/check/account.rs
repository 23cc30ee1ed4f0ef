//! Rows about who answers under the URL, and whether it knows us. One request decides them all.

use super::row::Row;
use crate::contact::Account;
use crate::crm::CrmError;
use crate::phone::Region;

/// What the rows need to know beside the answer.
pub(super) struct Asked<'a> {
    pub(super) host: &'a str,
    pub(super) region: Region,
}

/// How far one gets before it goes wrong.
enum Trouble {
    /// Nobody there, or not the CRM.
    Url(&'static str),
    /// The CRM does not let us in.
    Credentials(&'static str),
    /// It lets us in, but the account is of no use.
    Account(&'static str),
}

/// `url`, `credentials`, `account`, `region`.
pub(super) fn rows(asked: &Asked<'_>, answer: &Result<Account, CrmError>) -> Vec<Row> {
    match answer {
        Ok(account) => vec![
            Row::fine("url", format!("{} answers", asked.host)),
            Row::fine("credentials", "the CRM accepts them"),
            Row::fine("account", described(account)),
            region(account, asked.region),
        ],
        Err(error) => trouble_rows(asked.host, error),
    }
}

/// Whether it is of any use to ask for more: not if the URL, the credentials or the account are wrong.
pub(super) const fn is_usable(answer: &Result<Account, CrmError>) -> bool {
    matches!(answer, Ok(_) | Err(CrmError::Forbidden))
}

fn trouble_rows(host: &str, error: &CrmError) -> Vec<Row> {
    let (url, credentials) =
        (Row::fine("url", format!("{host} answers")), Row::fine("credentials", "the CRM does not refuse them"));
    match trouble(error) {
        Trouble::Url(advice) => vec![
            Row::wrong("url", format!("{host}: {error}"), advice),
            Row::skipped("credentials", "needs a CRM that answers"),
            Row::skipped("account", "needs a CRM that answers"),
        ],
        Trouble::Credentials(advice) => vec![
            url,
            Row::wrong("credentials", error.to_string(), advice),
            Row::skipped("account", "needs credentials that the CRM accepts"),
        ],
        Trouble::Account(advice) if *error == CrmError::Forbidden => {
            vec![url, credentials, Row::odd("account", error.to_string(), advice)]
        }
        Trouble::Account(advice) => vec![url, credentials, Row::wrong("account", error.to_string(), advice)],
    }
}

const fn trouble(error: &CrmError) -> Trouble {
    match error {
        CrmError::Connect => Trouble::Url(
            "is CALLCARD_KOMMO_URL right, and reachable from here (DNS, firewall, TLS)? CALLCARD_LOG=debug tells the cause",
        ),
        CrmError::Timeout => Trouble::Url("is the CRM reachable from here? If so it is slow now; try again"),
        CrmError::WrongHost => Trouble::Url("is CALLCARD_KOMMO_URL the account's own address?"),
        CrmError::Malformed { .. } | CrmError::Rejected { .. } => {
            Trouble::Url("this is not how the CRM answers; is CALLCARD_KOMMO_URL the account's own address?")
        }
        CrmError::Blocked => {
            Trouble::Url("the quota was exceeded from this address before; Kommo's support lifts the block")
        }
        CrmError::Server { .. } => Trouble::Url("the CRM has trouble of its own; try again later"),
        CrmError::RateLimited { .. } | CrmError::QuotaExhausted { .. } | CrmError::Suspended { .. } => {
            Trouble::Url("wait and try again; something else uses up the quota of this address or account")
        }
        CrmError::Unauthorized => Trouble::Credentials(
            "the token is wrong, expired or revoked, or of another account; make a new one in the integration's settings",
        ),
        CrmError::PaymentRequired => Trouble::Account("the account's subscription has to be renewed"),
        CrmError::Forbidden => Trouble::Account("only its name stays unknown; the rows below say what matters"),
    }
}

fn described(account: &Account) -> String {
    let name = account.name.as_deref().unwrap_or("without a name");
    format!("{name}, id {}", account.id)
}

fn region(account: &Account, region: Region) -> Row {
    match account.country.as_deref() {
        Some(country) if !country.eq_ignore_ascii_case(region.as_str()) => Row::odd(
            "region",
            format!("numbers without a country code are read as {region}, the account's country is {country}"),
            format!("set CALLCARD_DEFAULT_REGION={country}, if its numbers are written so"),
        ),
        Some(_) => Row::fine("region", format!("{region}, the account's country")),
        None => Row::fine("region", format!("{region}; the account does not say its country")),
    }
}
