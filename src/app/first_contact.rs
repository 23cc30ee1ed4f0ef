//! The first calls to the CRM, before any caller needs one.
//!
//! Credentials that do not work should stop a rollout, not wait for the first caller to find out; and the names that every card needs are
//! fetched ahead, so that no caller waits for them.

use std::pin::pin;
use std::time::Duration;

use tokio::time::timeout;

use crate::contact::Account;
use crate::crm::dictionary::Dictionaries;
use crate::crm::{Ask, CrmClient, CrmError};
use crate::phone::Region;
use crate::shutdown::Latch;

/// For this long we say "not yet ready" for the answer's sake. A CRM that is down must not keep us down.
const HEAD_START: Duration = Duration::from_secs(2);
/// The call itself may take longer.
const PATIENCE: Duration = Duration::from_secs(8);

/// Asks the CRM who we are, tells the log, and opens the latch as soon as that is known or has taken too long.
pub(super) async fn make(crm: CrmClient, names: Dictionaries, region: Region, credentials: Latch) {
    let mut call = pin!(crm.account(Ask::background(PATIENCE)));
    let early = timeout(HEAD_START, call.as_mut()).await;
    credentials.open();
    let answer = match early {
        Ok(answer) => answer,
        Err(_) => call.await,
    };
    match answer {
        Ok(account) => {
            welcome(&account, region);
            names.preload(Ask::background(PATIENCE)).await;
        }
        Err(error @ CrmError::Unauthorized) => {
            tracing::error!(error = %error, "the token is wrong, expired or revoked")
        }
        Err(error) => {
            tracing::warn!(error = %error, "the CRM could not be asked who we are; it will be asked for callers")
        }
    }
}

fn welcome(account: &Account, region: Region) {
    tracing::info!(account.id, "the CRM accepted the credentials");
    if let Some(country) = account.country.as_deref().filter(|country| !country.eq_ignore_ascii_case(region.as_str())) {
        tracing::warn!(
            country,
            region = region.as_str(),
            "the account is in another country than CALLCARD_DEFAULT_REGION"
        );
    }
}
