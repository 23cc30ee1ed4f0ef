//! What kind of Kommo account the sandbox plays.
//!
//! The defaults are what the documentation says, or what most reports say where it is silent. What shapes the data set (`contacts`,
//! `seed`, `country`), the tokens, the first code and the first faults are read once; everything else can be changed while the sandbox
//! runs ([`Sandbox::adjust`](super::Sandbox::adjust)).

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use super::fault::FaultRule;

/// The account, its size, its quirks and its credentials.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Contacts in the account, the [named cases](super::fixtures) included; they come first, generated people fill up the rest.
    pub contacts: u64,
    /// The same seed gives the same people.
    pub seed: u64,
    /// The account's country (two letters): where numbers stored without a country code belong.
    pub country: String,
    /// The account's subdomain, as `GET /account` and webhooks tell it.
    pub subdomain: String,
    /// Requests one address may send in a sliding second; `None` for no limit.
    pub rate: Option<u32>,
    /// What a request above that is told.
    pub limit_answer: LimitAnswer,
    /// So many refusals (429) to one address within a minute block it: 403 for everything until it is lifted.
    pub block_after: Option<u32>,
    /// How `query=` finds phone numbers.
    pub search: SearchMode,
    /// Whether a `+` in `query=` must stand in the stored text too; otherwise it is dropped.
    pub plus_literal: bool,
    /// How far the search index lags behind a change. Lists, filters and single contacts are never late.
    pub index_delay: Duration,
    /// How far the CRM's clock is behind ours: what changes now has changed that long ago.
    pub clock_behind: Duration,
    /// What `limit=` above 250 does.
    pub over_limit: OverLimit,
    /// Whether the account has the exact filter on custom fields; without it that filter is a 400.
    pub custom_filter_enabled: bool,
    /// How long each answer takes.
    pub latency: Duration,
    /// The administrator's long-lived token.
    pub token: String,
    /// How long that token lives from now; `None` for as long as the sandbox does.
    pub token_ttl: Option<Duration>,
    /// The token of a user who sees only the contacts he owns, and neither users, events nor webhooks.
    pub narrow_token: String,
    /// The OAuth2 integration.
    pub oauth: OauthSettings,
    /// How webhooks are delivered.
    pub webhooks: WebhookSettings,
    /// Faults that are on from the start.
    pub faults: Vec<FaultRule>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            contacts: 400,
            seed: 7,
            country: "US".to_owned(),
            subdomain: "acme".to_owned(),
            rate: Some(7),
            limit_answer: LimitAnswer::Json,
            block_after: Some(50),
            search: SearchMode::Digits,
            plus_literal: false,
            index_delay: Duration::ZERO,
            clock_behind: Duration::ZERO,
            over_limit: OverLimit::ClampTo50,
            custom_filter_enabled: false,
            latency: Duration::ZERO,
            token: "sandbox-token".to_owned(),
            token_ttl: None,
            narrow_token: "sandbox-narrow-token".to_owned(),
            oauth: OauthSettings::default(),
            webhooks: WebhookSettings::default(),
            faults: Vec::new(),
        }
    }
}

/// One OAuth2 integration of the account.
#[derive(Clone, Debug)]
pub struct OauthSettings {
    /// Its id.
    pub client_id: String,
    /// Its secret.
    pub client_secret: String,
    /// Where its users are sent back to; both grants must name it.
    pub redirect_uri: String,
    /// An authorization code that is valid once, from now on for `code_ttl`.
    pub code: String,
    /// A refresh token that is valid from now on.
    pub refresh_token: String,
    /// How long an access token lives.
    pub access_ttl: Duration,
    /// How long an unused refresh token lives.
    pub refresh_ttl: Duration,
    /// How long a code lives.
    pub code_ttl: Duration,
    /// Whether a refresh token stays usable until the pair that replaced it was used for the first time.
    pub grace: bool,
}

impl Default for OauthSettings {
    fn default() -> Self {
        Self {
            client_id: "sandbox-client".to_owned(),
            client_secret: "sandbox-secret".to_owned(),
            redirect_uri: "https://calls.example.net/oauth".to_owned(),
            code: "sandbox-code".to_owned(),
            refresh_token: "sandbox-refresh-token".to_owned(),
            access_ttl: Duration::from_hours(24),
            refresh_ttl: Duration::from_hours(24 * 90),
            code_ttl: Duration::from_mins(20),
            grace: false,
        }
    }
}

/// How webhooks leave the sandbox.
#[derive(Clone, Debug)]
pub struct WebhookSettings {
    /// Deliver over HTTP; otherwise bodies are held for [`Sandbox::take_webhooks`](super::Sandbox::take_webhooks).
    pub deliver: bool,
    /// An answer must be there within this time.
    pub timeout: Duration,
    /// Multiplies the pauses between tries (5 min, 15 min, 15 min, 1 h) and the two hours in which failures are counted.
    pub time_scale: f64,
    /// Invalid answers within the window after which a subscription is disabled.
    pub failures_to_disable: usize,
    /// Deliver everything twice.
    pub duplicate: bool,
    /// Every other body sets out this much later, so that the next one overtakes it.
    pub reorder: Option<Duration>,
}

impl Default for WebhookSettings {
    fn default() -> Self {
        Self {
            deliver: true,
            timeout: Duration::from_secs(2),
            time_scale: 1.0,
            failures_to_disable: 100,
            duplicate: false,
            reorder: None,
        }
    }
}

/// How the account's search treats phone numbers. Which one a real account has is not documented.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum SearchMode {
    /// Stored formatting is ignored; the query's digits must stand in the stored digits, prefix included.
    #[default]
    Digits,
    /// The query must stand in the stored text as typed.
    Raw,
    /// The last seven digits of the query must end a stored number.
    Last7,
}

/// What a list does when more than 250 records a page are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum OverLimit {
    /// Falls back to 50.
    #[default]
    ClampTo50,
    /// 422, "Limit 250 per page".
    Reject422,
}

/// What a request above the quota is told, with 429.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum LimitAnswer {
    /// Problem JSON with `retry_after`.
    #[default]
    Json,
    /// The same with a `Retry-After` header, which nobody has seen a real account send.
    JsonWithHeader,
    /// The web server's own page.
    Html,
}

/// A word that is not one of the choices.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{given:?} is none of {choices}")]
pub struct UnknownChoice {
    given: String,
    choices: &'static str,
}

// === impl SearchMode ===

impl SearchMode {
    /// Every mode.
    pub const ALL: [Self; 3] = [Self::Digits, Self::Raw, Self::Last7];

    /// Its word on the command line.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Digits => "digits",
            Self::Raw => "raw",
            Self::Last7 => "last7",
        }
    }
}

impl fmt::Display for SearchMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for SearchMode {
    type Err = UnknownChoice;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let known = Self::ALL.into_iter().find(|mode| mode.as_str() == text);
        known.ok_or_else(|| UnknownChoice { given: text.to_owned(), choices: "digits, raw, last7" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_search_mode_has_a_word_that_reads_back() {
        for mode in SearchMode::ALL {
            assert_eq!(mode.to_string().parse(), Ok(mode));
        }
    }

    #[test]
    fn an_unknown_search_mode_is_refused_with_the_choices() {
        let error = "fuzzy".parse::<SearchMode>().unwrap_err();
        assert_eq!(error.to_string(), r#""fuzzy" is none of digits, raw, last7"#);
    }
}
