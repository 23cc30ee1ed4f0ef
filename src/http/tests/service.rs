//! The service behind the routers: a CRM that knows one person, fails for one number, and has nobody else.

use std::sync::Arc;

use crate::lookup::LookupService;
use crate::metrics::Metrics;
use crate::phone::CallerReader;

/// Anna's number.
pub(super) const KNOWN: &str = "+14155550123";
/// Nobody's number.
pub(super) const UNKNOWN: &str = "+14155550199";
/// The CRM fails for it.
pub(super) const FAILING: &str = "+14155550100";

pub(super) fn lookups(_metrics: &Arc<Metrics>) -> LookupService {
    LookupService
}

pub(super) fn reader() -> CallerReader {
    CallerReader::new("US".parse().unwrap())
}
