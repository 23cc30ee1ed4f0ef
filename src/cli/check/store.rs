//! The row about the shared store: whether it can be reached, and what it is.

use super::row::Row;
use crate::shared::{InvalidUrl, Shared};

/// `shared store`, asked now.
pub(super) async fn row(shared: Option<&Shared>) -> Row {
    let Some(shared) = shared else {
        return Row::fine("shared store", "none: this replica is alone with its cache, its quota and its tokens");
    };
    match shared.probe().await {
        Ok(version) => Row::fine("shared store", version),
        Err(why) => Row::wrong(
            "shared store",
            why,
            "`serve` starts without it, and each replica makes do with its share of the quota: see CALLCARD_SHARED_URL",
        ),
    }
}

/// `shared store`, when there can be none at this address.
pub(super) fn unusable(error: &InvalidUrl) -> Row {
    Row::wrong("shared store", error.to_string(), "see CALLCARD_SHARED_URL")
}
