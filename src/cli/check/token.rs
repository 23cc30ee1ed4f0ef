//! The row about the token: of which kind it is, how long it lasts, whether it can be renewed.

use jiff::Timestamp;

use super::row::Row;
use crate::crm::TokenSource;
use crate::crm::auth::{Outlook, StoreError};

/// `token`, after the CRM has been asked: that may have brought a new one.
pub(super) async fn row(tokens: &TokenSource) -> Row {
    tokens.close().await;
    let report = tokens.report();
    match report.outlook(Timestamp::now()) {
        Outlook::Fine => Row::fine("token", report.to_string()),
        Outlook::Soon => Row::odd("token", report.to_string(), report.advice()),
        Outlook::Over => Row::wrong("token", report.to_string(), report.advice()),
    }
}

/// `token`, when what is kept cannot be used.
pub(super) fn unusable(error: &StoreError) -> Row {
    Row::wrong("token", error.to_string(), "`serve` would not start: see CALLCARD_TOKEN_STORE")
}
