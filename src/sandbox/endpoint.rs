//! Which part of the API a request is for: how calls are counted and faults are aimed.

use std::fmt;
use std::str::FromStr;

use http::Uri;

use super::params::Params;

macro_rules! endpoints {
    ($($(#[$doc:meta])* $variant:ident => $text:literal,)+) => {
        /// A part of the API. The words are those of the service's own `upstream_requests_total{endpoint}` where it has one.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Endpoint {
            $($(#[$doc])* $variant,)+
        }

        impl Endpoint {
            /// Every part.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// Its word.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)+
                }
            }
        }
    };
}

endpoints! {
    /// `GET /contacts?query=…`.
    ContactsQuery => "contacts_query",
    /// `GET /contacts` without query or ids, page by page.
    ContactsList => "contacts_list",
    /// `GET /contacts?filter[id][]=…`.
    ContactsById => "contacts_by_id",
    /// `GET /contacts/{id}`.
    Contact => "contact",
    /// `GET /leads` and `GET /leads/{id}`.
    Leads => "leads",
    /// `GET /leads/pipelines`.
    Pipelines => "pipelines",
    /// `GET /users`.
    Users => "users",
    /// `GET /companies` and `GET /companies/{id}`.
    Companies => "companies",
    /// `GET /catalogs/{id}/elements`.
    Catalogs => "catalogs",
    /// `GET /account`.
    Account => "account",
    /// `POST /oauth2/access_token`.
    Oauth => "oauth",
    /// `GET /events`.
    Events => "events",
    /// `/webhooks`.
    Webhooks => "webhooks",
    /// Anything else.
    Other => "other",
}

/// A word that names no part of the API.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no endpoint {given:?}; there are {}", words().join(", "))]
pub struct UnknownEndpoint {
    given: String,
}

fn words() -> Vec<&'static str> {
    Endpoint::ALL.iter().map(|endpoint| endpoint.as_str()).collect()
}

// === impl Endpoint ===

impl Endpoint {
    /// The part that answers `uri`.
    pub(super) fn of(uri: &Uri) -> Self {
        if uri.path() == "/oauth2/access_token" {
            return Self::Oauth;
        }
        let path = uri.path().strip_prefix("/api/v4/").unwrap_or_default();
        match path.split_once('/').map_or((path, None), |(head, rest)| (head, Some(rest))) {
            ("contacts", None) => Self::of_contacts(&Params::parse(uri.query().unwrap_or_default())),
            ("contacts", Some(_)) => Self::Contact,
            ("leads", Some("pipelines")) => Self::Pipelines,
            ("leads", _) => Self::Leads,
            ("companies", _) => Self::Companies,
            ("users", _) => Self::Users,
            ("catalogs", Some(_)) => Self::Catalogs,
            ("account", None) => Self::Account,
            ("events", None) => Self::Events,
            ("webhooks", None) => Self::Webhooks,
            _ => Self::Other,
        }
    }

    fn of_contacts(params: &Params) -> Self {
        match () {
            () if params.get("query").is_some() => Self::ContactsQuery,
            () if params.ids("filter[id]").is_some() => Self::ContactsById,
            () => Self::ContactsList,
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Endpoint {
    type Err = UnknownEndpoint;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let known = Self::ALL.iter().find(|endpoint| endpoint.as_str() == text);
        known.copied().ok_or_else(|| UnknownEndpoint { given: text.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_counted_under_the_endpoint_they_ask() {
        for (uri, expected) in [
            ("/api/v4/contacts?query=4155550123&with=leads", Endpoint::ContactsQuery),
            ("/api/v4/contacts?page=2", Endpoint::ContactsList),
            ("/api/v4/contacts?filter%5Bid%5D%5B%5D=7", Endpoint::ContactsById),
            ("/api/v4/contacts/7", Endpoint::Contact),
            ("/api/v4/leads?filter[id][]=1", Endpoint::Leads),
            ("/api/v4/leads/1", Endpoint::Leads),
            ("/api/v4/leads/pipelines", Endpoint::Pipelines),
            ("/api/v4/companies/5", Endpoint::Companies),
            ("/oauth2/access_token", Endpoint::Oauth),
            ("/api/v4/contacts_extra", Endpoint::Other),
            ("/", Endpoint::Other),
        ] {
            assert_eq!(Endpoint::of(&uri.parse().unwrap()), expected, "{uri}");
        }
    }

    #[test]
    fn an_unknown_word_is_refused_with_the_known_ones() {
        let error = "contact_list".parse::<Endpoint>().unwrap_err().to_string();
        assert!(error.contains("\"contact_list\"") && error.contains("contacts_list"), "{error}");
    }
}
