//! A row about how the account's search treats the formatting of stored numbers, which decides how many calls a lookup costs.

use std::time::Duration;

use tokio::time::timeout;

use super::row::Row;
use crate::crm::CrmError;
use crate::lookup::Calibration;
use crate::outcome::SearchVerdict;

/// Measures it, unless it is set.
pub(super) async fn row(calibration: &Calibration, patience: Duration) -> Row {
    match timeout(patience, calibration.measure()).await {
        Ok(Ok(measured)) if measured.verdict == SearchVerdict::Unproven => Row::odd(
            "search",
            calibration.describe(),
            "it works, with more calls; CALLCARD_SEARCH can say what you know",
        ),
        Ok(Ok(_)) => Row::fine("search", calibration.describe()),
        Ok(Err(CrmError::Forbidden)) => Row::skipped("search", "needs the right to list contacts"),
        Ok(Err(error)) => Row::odd("search", format!("could not be measured: {error}"), AGAIN),
        Err(_) => Row::odd("search", "could not be measured in time", AGAIN),
    }
}

const AGAIN: &str = "the service measures it again by itself, and until then searches in every form";
