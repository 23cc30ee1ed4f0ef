//! What a token may be allowed to see: the lists that answers are made of.
//!
//! The CRM says nowhere what a token may do; one has to try. The smallest request of each list is the try.

use crate::outcome::Endpoint;

/// A list that the token's user may or may not see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Right {
    /// People.
    Contacts,
    /// Deals.
    Leads,
    /// The names of pipelines and stages.
    Pipelines,
    /// The names of owners.
    Users,
    /// Names of companies, and their numbers.
    Companies,
    /// What has changed.
    Events,
}

impl Right {
    /// All of them, the most important first.
    pub const ALL: &'static [Self] =
        &[Self::Contacts, Self::Leads, Self::Pipelines, Self::Users, Self::Companies, Self::Events];

    /// What it lets one list, in a word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Contacts => "contacts",
            Self::Leads => "leads",
            Self::Pipelines => "pipelines",
            Self::Users => "users",
            Self::Companies => "companies",
            Self::Events => "events",
        }
    }

    /// Under which word a try is counted.
    pub(super) const fn endpoint(self) -> Endpoint {
        match self {
            Self::Contacts => Endpoint::ContactsList,
            Self::Leads => Endpoint::Leads,
            Self::Pipelines => Endpoint::Pipelines,
            Self::Users => Endpoint::Users,
            Self::Companies => Endpoint::Companies,
            Self::Events => Endpoint::Events,
        }
    }

    /// The smallest request of the list. Pipelines are not paged.
    pub(super) const fn path(self) -> &'static str {
        match self {
            Self::Contacts => "/api/v4/contacts?limit=1",
            Self::Leads => "/api/v4/leads?limit=1",
            Self::Pipelines => super::query::PIPELINES,
            Self::Users => "/api/v4/users?limit=1",
            Self::Companies => "/api/v4/companies?limit=1",
            Self::Events => "/api/v4/events?limit=1",
        }
    }
}

/// An answer of which only counts that it is a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Glance {
    pub(super) is_empty: bool,
}
