//! The row about webhooks: does the CRM tell of changes?

use std::time::Duration;

use secrecy::SecretString;

use super::row::Row;
use crate::crm::{Ask, CrmClient, CrmError, HookState, Hooks};

const WHAT: &str = "webhooks";
const INSTALL: &str = "callcard webhooks install --url https://…/hooks/kommo";

/// How our subscription stands. One that does not work is odd, not wrong: answers are then as old as their lifetimes allow.
pub(super) async fn row(crm: &CrmClient, secret: Option<&SecretString>, patience: Duration) -> Row {
    let Some(secret) = secret else {
        return Row::fine(WHAT, "not enabled: a change in the CRM is seen when a card's lifetime ends");
    };
    match Hooks::new(crm.clone()).state(secret, Ask::live(patience)).await {
        Ok(HookState::Installed) => Row::fine(WHAT, "installed: the CRM tells of every change"),
        Ok(HookState::Absent) => Row::odd(WHAT, "absent: no subscription has the secret that is set", INSTALL),
        Ok(HookState::Incomplete(missing)) => {
            Row::odd(WHAT, format!("incomplete: the CRM does not tell of {}", missing.join(", ")), INSTALL)
        }
        Ok(HookState::Disabled) => Row::odd(
            WHAT,
            "disabled: the CRM has switched the subscription off, as too many deliveries had failed",
            format!("mend what kept them from this service, then: {INSTALL}"),
        ),
        Err(CrmError::Forbidden) => Row::odd(
            WHAT,
            "not known: the token may not list subscriptions",
            "only an administrator's token may, and only in a paid plan; webhooks come all the same if somebody has installed them",
        ),
        Err(error) => Row::odd(WHAT, format!("not known: {error}"), "it may pass; try again"),
    }
}
