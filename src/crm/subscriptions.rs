//! The subscription to the CRM's webhooks: is it there, does it work, and making it so.
//!
//! Ours is known by the secret in its address, so that it can be found without knowing under which public address this service is reached.
//! Every operation ends in the state it names, however often it is done.

mod watch;

use std::collections::BTreeSet;
use std::fmt;

use bytes::Bytes;
use http::Method;
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use url::Url;

pub use self::watch::HookWatch;

use super::client::Question;
use super::wire::Accepted;
use super::{Ask, CrmClient, CrmError, query};
use crate::outcome::Endpoint;

/// What we want to be told of: everything that is shown on a card.
pub const EVENTS: [&str; 16] = [
    "add_contact",
    "update_contact",
    "delete_contact",
    "restore_contact",
    "responsible_contact",
    "add_company",
    "update_company",
    "delete_company",
    "restore_company",
    "responsible_company",
    "add_lead",
    "update_lead",
    "delete_lead",
    "restore_lead",
    "responsible_lead",
    "status_lead",
];

/// Subscriptions are listed after those with a lower number; ours is in nobody's way.
const SORT: u32 = 10;

/// A subscription as the CRM has it. Its address holds a secret: the `Debug` form does not show it.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Subscription {
    destination: String,
    events: BTreeSet<String>,
    disabled: bool,
}

/// Where the CRM is to send webhooks: a public address, and the secret that is appended to it.
#[derive(Clone)]
pub struct HookAddress {
    base: String,
    secret: SecretString,
}

/// How our subscription stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HookState {
    /// There is none.
    Absent,
    /// It is there, but the CRM has switched it off: too many deliveries had failed.
    Disabled,
    /// It works, but the CRM does not tell of these.
    Incomplete(Vec<&'static str>),
    /// It works.
    Installed,
}

/// What [`Hooks::install`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Installed {
    /// With the subscription itself.
    pub done: Done,
    /// Subscriptions of the same address with another secret that were removed.
    pub outdated: usize,
}

/// What was done to make the subscription as it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Done {
    /// Nothing: it was as it should be.
    Nothing,
    /// It was made.
    Made,
    /// It was made anew: it was switched off, or lacked events.
    MadeAnew,
}

/// Manages the subscription.
#[derive(Clone, Debug)]
pub struct Hooks {
    client: CrmClient,
}

// === impl Subscription ===

impl Subscription {
    pub(super) fn new(destination: String, events: BTreeSet<String>, disabled: bool) -> Self {
        Self { destination, events, disabled }
    }

    fn has_secret(&self, secret: &SecretString) -> bool {
        self.destination.rsplit_once('/').is_some_and(|(_, last)| last == secret.expose_secret())
    }

    fn state(&self) -> HookState {
        let missing: Vec<_> = EVENTS.into_iter().filter(|event| !self.events.contains(*event)).collect();
        match (self.disabled, missing.is_empty()) {
            (true, _) => HookState::Disabled,
            (false, false) => HookState::Incomplete(missing),
            (false, true) => HookState::Installed,
        }
    }
}

impl fmt::Debug for Subscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscription").field("disabled", &self.disabled).finish_non_exhaustive()
    }
}

// === impl HookState ===

impl HookState {
    /// The word for it.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Absent => "absent",
            Self::Disabled => "disabled",
            Self::Incomplete(_) => "incomplete",
            Self::Installed => "installed",
        }
    }
}

// === impl HookAddress ===

impl HookAddress {
    /// The address that the CRM reaches, such as `https://calls.example.com/hooks/kommo`, and the secret.
    ///
    /// # Errors
    /// Why it is no such address.
    pub fn new(base: &str, secret: SecretString) -> Result<Self, &'static str> {
        let url = Url::parse(base).map_err(|_| "is not a URL such as https://calls.example.com/hooks/kommo")?;
        if !matches!(url.scheme(), "https" | "http") || !url.has_host() {
            return Err("is neither https:// nor http:// with a host");
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err("holds a user name or a password; leave them out");
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err("has something behind its path; leave it out");
        }
        if url.path().trim_end_matches('/').is_empty() {
            return Err("has no path; this service answers at /hooks/kommo");
        }
        let base = url.as_str().trim_end_matches('/').to_owned();
        if base.rsplit('/').next() == Some(secret.expose_secret()) {
            return Err("ends in the secret, which is appended by itself; leave it out");
        }
        Ok(Self { base, secret })
    }

    /// Whether the secret would travel unencrypted.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        self.base.starts_with("http://")
    }

    fn destination(&self) -> String {
        format!("{}/{}", self.base, self.secret.expose_secret())
    }

    /// Whether it is the same address with another secret.
    fn is_outdated(&self, hook: &Subscription) -> bool {
        let parts = hook.destination.rsplit_once('/');
        parts.is_some_and(|(base, last)| base == self.base && last != self.secret.expose_secret())
    }
}

/// The secret is shown as dots.
impl fmt::Display for HookAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/…", self.base)
    }
}

impl fmt::Debug for HookAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HookAddress({self})")
    }
}

// === impl Hooks ===

impl Hooks {
    /// Those of this account.
    #[must_use]
    pub const fn new(client: CrmClient) -> Self {
        Self { client }
    }

    /// How the subscription with this secret stands; the best one, if there are several.
    ///
    /// # Errors
    /// When the CRM would not say.
    pub async fn state(&self, secret: &SecretString, ask: Ask) -> Result<HookState, CrmError> {
        let all = self.client.subscriptions(ask).await?;
        let rank = |state: &HookState| match state {
            HookState::Absent => 0,
            HookState::Disabled => 1,
            HookState::Incomplete(_) => 2,
            HookState::Installed => 3,
        };
        let ours = all.iter().filter(|hook| hook.has_secret(secret)).map(Subscription::state);
        Ok(ours.max_by_key(rank).unwrap_or(HookState::Absent))
    }

    /// Lets the CRM send its webhooks to this address. One that was switched off is made anew, as only a person could switch it on again;
    /// those of the same address with an older secret are removed.
    ///
    /// # Errors
    /// When the CRM refused or could not be reached; it can simply be done again.
    pub async fn install(&self, address: &HookAddress, ask: Ask) -> Result<Installed, CrmError> {
        let (all, destination) = (self.client.subscriptions(ask).await?, address.destination());
        let ask = ask.begun();
        let done = match all.iter().find(|hook| hook.destination == destination).map(Subscription::state) {
            Some(HookState::Installed) => Done::Nothing,
            None => Done::Made,
            Some(_) => {
                self.drop(&destination, ask).await?;
                Done::MadeAnew
            }
        };
        if done != Done::Nothing {
            let body = json!({"destination": destination, "settings": EVENTS, "sort": SORT});
            self.send(Method::POST, &body, ask).await?;
        }
        let outdated = self.drop_each(all.iter().filter(|hook| address.is_outdated(hook)), ask).await?;
        Ok(Installed { done, outdated })
    }

    /// Ends every subscription with this secret; tells how many there were.
    ///
    /// # Errors
    /// When the CRM refused or could not be reached; it can simply be done again.
    pub async fn remove(&self, secret: &SecretString, ask: Ask) -> Result<usize, CrmError> {
        let all = self.client.subscriptions(ask).await?;
        self.drop_each(all.iter().filter(|hook| hook.has_secret(secret)), ask.begun()).await
    }

    async fn drop_each(&self, hooks: impl Iterator<Item = &Subscription>, ask: Ask) -> Result<usize, CrmError> {
        let mut dropped = 0;
        for hook in hooks {
            self.drop(&hook.destination, ask).await?;
            dropped += 1;
        }
        Ok(dropped)
    }

    async fn drop(&self, destination: &str, ask: Ask) -> Result<(), CrmError> {
        self.send(Method::DELETE, &json!({"destination": destination}), ask).await
    }

    async fn send(&self, method: Method, body: &serde_json::Value, ask: Ask) -> Result<(), CrmError> {
        let json = Some(Bytes::from(body.to_string()));
        let question = Question { method, path: query::WEBHOOKS, json, resends: 0 };
        self.client.authorized::<Accepted>(Endpoint::Webhooks, &question, ask).await.map(drop)
    }
}

#[cfg(test)]
mod tests;
