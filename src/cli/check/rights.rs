//! A row for each list that answers are made of: may the token's user see it, and what is lost if not.

use std::time::Duration;

use futures_util::future::join_all;

use super::row::Row;
use crate::crm::{Ask, CrmClient, CrmError, Right};

/// Tries them all, side by side: the quota keeps them apart.
pub(super) async fn rows(crm: &CrmClient, patience: Duration) -> Vec<Row> {
    let tries = Right::ALL.iter().map(|&right| async move {
        let tried = crm.may_list(right, Ask::live(patience)).await;
        row(right, tried)
    });
    join_all(tries).await
}

fn row(right: Right, tried: Result<(), CrmError>) -> Row {
    let what = right.as_str();
    match tried {
        Ok(()) => Row::fine(what, "can be listed"),
        // Without contacts there is nothing to answer.
        Err(CrmError::Forbidden) if right == Right::Contacts => {
            Row::wrong(what, format!("may not be listed: {}", loss(right)), GRANT)
        }
        Err(CrmError::Forbidden) => Row::odd(what, format!("may not be listed: {}", loss(right)), GRANT),
        Err(error) if right == Right::Contacts => Row::wrong(what, error.to_string(), AGAIN),
        Err(error) => Row::odd(what, format!("{error}; without them {}", loss(right)), AGAIN),
    }
}

const GRANT: &str = "give the right to the user who made the token, or make the token as an administrator";
const AGAIN: &str = "it may pass; try again";

const fn loss(right: Right) -> &'static str {
    match right {
        Right::Contacts => "nobody can be found",
        Right::Leads => "cards show leads as ids and links only",
        Right::Pipelines => "leads are shown without pipeline and stage",
        Right::Users => "cards show the owner's id, not the name",
        Right::Companies => "cards show the company's id, not the name",
        Right::Events => "changes are seen when a card's lifetime ends, not before",
    }
}
