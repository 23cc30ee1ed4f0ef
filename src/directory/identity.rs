//! Whose snapshot it is, and in which version: what has to agree before a record of it is shown to anybody.

use serde::{Deserialize, Serialize};

use super::Settings;

/// The version of tables and records together.
const FORMAT: u32 = 1;
/// Under which it is written down.
pub(super) const IDENTITY: &str = "identity";

/// What a snapshot says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Identity {
    format: u32,
    /// The CRM it mirrors.
    account: String,
    /// How stored phones were read, and by which version of us; and whether leads have details.
    reading: String,
}

/// What a snapshot is to us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kinship {
    /// Ours as it is.
    Own,
    /// Ours, but its phones were read in another way.
    ReadOtherwise,
    /// Of another CRM, or in a format we do not know.
    Foreign,
}

impl Identity {
    /// What a snapshot for these settings says.
    pub(super) fn of(settings: &Settings) -> Self {
        let leads = if settings.leads { "leads" } else { "lead ids" };
        let reading = format!("{} {} {leads}", env!("CARGO_PKG_VERSION"), settings.region);
        Self { format: FORMAT, account: settings.account.clone(), reading }
    }

    /// What another snapshot is to us.
    pub(super) fn kinship(&self, other: &Self) -> Kinship {
        match other {
            other if other == self => Kinship::Own,
            other if (other.format, &other.account) == (self.format, &self.account) => Kinship::ReadOtherwise,
            _ => Kinship::Foreign,
        }
    }
}
