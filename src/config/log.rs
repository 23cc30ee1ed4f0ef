//! What is logged, and how.

use std::io::IsTerminal;

use super::reader::Reader;
use super::variable::variables;
use crate::telemetry::{Filter, Format, Settings};

variables! { "Logs":
    /// What is logged: a level, or a list such as `callcard::crm=debug,warn`. Other crates are never heard below `info`
    LOG = "CALLCARD_LOG" as "FILTER" or "info";
    /// How it is logged, on standard error. Left out, it is `text` on a terminal and `json` elsewhere
    LOG_FORMAT = "CALLCARD_LOG_FORMAT" as "text|json";
}

pub(super) fn read(reader: &mut Reader<'_>) -> Option<Settings> {
    let filter = reader.required(&LOG, Filter::parse);
    let format = match reader.is_set(&LOG_FORMAT) {
        true => reader.choice(&LOG_FORMAT, &[("text", Format::Text), ("json", Format::Json)]),
        false => Some(Format::suited_to_stderr()),
    };
    let colour = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|text| text.is_empty());
    Some(Settings { filter: filter?, format: format?, colour })
}
