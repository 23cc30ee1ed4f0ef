//! Rows about what is configured, before anybody is asked.

use super::row::Row;
use crate::config::{Fault, Faults};

/// A row for each fault: without a configuration nothing else can be looked at.
pub(super) fn faulty(faults: &Faults) -> Vec<Row> {
    let mut rows: Vec<_> = faults
        .all()
        .iter()
        .map(|fault| Row::wrong("configuration", fault.to_string(), "`callcard serve --help` says what it takes"))
        .collect();
    rows.push(Row::skipped("url", "needs a configuration"));
    rows
}

/// A row for each setting that is odd; one row if none is.
pub(super) fn warnings(warnings: &[Fault]) -> Vec<Row> {
    if warnings.is_empty() {
        return vec![Row::fine("configuration", "every setting is usable")];
    }
    warnings.iter().map(|odd| Row::odd("configuration", odd.to_string(), "nothing, if it is meant so")).collect()
}
