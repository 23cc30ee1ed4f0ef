//! Who we are to the CRM: the bearer token of every request, and where the next one comes from.
//!
//! A [`TokenSource`] has two forms. A *long-lived* token is made by a person and lasts until a date; all that can be done is to warn in
//! time. *OAuth2* tokens last a day and are renewed with a refresh token that works once; the pair is kept in a [`TokenStore`], because
//! the service can lose nothing that hurts as much. What is guaranteed:
//!
//! - A new pair is safe in the store before it is used, so no crash loses it.
//! - One renewal at a time, among all callers and all processes that share the store.
//! - A renewal whose answer was lost is made again with the same refresh token, which the CRM takes until the new pair is used.
//! - No caller waits while the token in hand is good, and none can stop a renewal half way.
//! - No token is in a log, an error or a `Debug` form.
//!
//! When a request is refused, [`CrmClient`](super::CrmClient) decides with [`TokenSource::may_replace`] what that means: an outdated
//! token is replaced and the request sent once more; any other refusal is an answer, and the gate's business.

mod file;
mod grant;
mod jwt;
mod oauth;
mod pair;
mod renewal;
mod report;
mod state;
mod store;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};

pub use file::{Disk, FileStore, SystemDisk};
pub use grant::Integration;
pub use pair::Pair;
pub use report::{Outlook, TokenReport};
pub use state::Times;
pub use store::{Lease, Owner, StoreError, TokenStore};

use super::{Ask, CrmError, Gate, Transport};
use crate::metrics::Metrics;
use crate::outcome::TokenKind;
use grant::TokenEndpoint;
use oauth::OAuth;
use renewal::Renewal;

/// A long-lived token's nearing end is said this often.
const REMINDER: Duration = Duration::from_hours(24);

/// What an operator gives.
#[derive(Clone, Debug)]
pub enum Credentials {
    /// A long-lived token of a private integration.
    LongLived(SecretString),
    /// An integration, and the file in which its tokens are kept.
    OAuth {
        /// The integration.
        integration: Integration,
        /// The file.
        store: PathBuf,
    },
}

impl Credentials {
    /// What every replica of the service holds and nobody else does.
    #[must_use]
    pub const fn secret(&self) -> &SecretString {
        match self {
            Self::LongLived(token) => token,
            Self::OAuth { integration, .. } => &integration.client_secret,
        }
    }
}

/// A bearer token, as it was when it was asked for.
#[derive(Clone, Debug)]
pub struct Token {
    secret: SecretString,
    /// Tells an outdated token from the current one.
    number: u64,
}

impl Token {
    /// What goes into the header.
    #[must_use]
    pub const fn secret(&self) -> &SecretString {
        &self.secret
    }
}

/// Where tokens come from. Clones share everything.
#[derive(Clone)]
pub struct TokenSource {
    form: Form,
}

#[derive(Clone)]
enum Form {
    LongLived { token: Token, expires_at: Option<Timestamp> },
    OAuth(OAuth),
}

impl fmt::Debug for TokenSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.form {
            Form::LongLived { expires_at, .. } => {
                f.debug_struct("LongLived").field("expires_at", expires_at).finish_non_exhaustive()
            }
            Form::OAuth(oauth) => oauth.fmt(f),
        }
    }
}

impl TokenSource {
    /// The one token there is.
    #[must_use]
    pub fn long_lived(secret: SecretString, metrics: &Metrics) -> Self {
        let expires_at = jwt::expiry(secret.expose_secret());
        if let Some(expires_at) = expires_at {
            metrics.token_expiry(TokenKind::LongLived, expires_at.as_second());
        }
        Self { form: Form::LongLived { token: Token { secret, number: 0 }, expires_at } }
    }

    /// Tokens of this integration, kept in this store. Nothing is read or sent yet.
    #[must_use]
    pub fn oauth(
        integration: Integration,
        store: Arc<dyn TokenStore>,
        times: Times,
        transport: Arc<dyn Transport>,
        gate: Arc<Gate>,
        metrics: Arc<Metrics>,
    ) -> Self {
        let endpoint = TokenEndpoint::new(integration, transport, gate, Arc::clone(&metrics));
        Self { form: Form::OAuth(OAuth::new(Renewal { endpoint, store }, times, metrics)) }
    }

    /// Reads what is kept, and makes sure that more can be.
    ///
    /// # Errors
    /// When the store holds somebody else's tokens, or cannot be read or written. Without this they show at the first call.
    pub async fn open(&self) -> Result<(), StoreError> {
        match &self.form {
            Form::LongLived { .. } => Ok(()),
            Form::OAuth(oauth) => oauth.open().await,
        }
    }

    /// A token that should be good, waited for no longer than the asker would.
    ///
    /// # Errors
    /// When there is none and none could be had: [`CrmError::Unauthorized`] if the CRM refuses to give one.
    pub async fn current(&self, ask: Ask) -> Result<Token, CrmError> {
        match &self.form {
            Form::LongLived { token, .. } => Ok(token.clone()),
            Form::OAuth(oauth) => oauth.token(None, ask).await,
        }
    }

    /// Another token than this one, which the CRM has refused.
    ///
    /// # Errors
    /// As for [`Self::current`].
    pub async fn instead_of(&self, refused: &Token, ask: Ask) -> Result<Token, CrmError> {
        match &self.form {
            Form::LongLived { .. } => Err(CrmError::Unauthorized),
            Form::OAuth(oauth) => oauth.token(Some(refused), ask).await,
        }
    }

    /// Puts the newest token in this one's place, if one has come since.
    pub(super) fn update(&self, token: &mut Token) {
        if let Form::OAuth(oauth) = &self.form
            && let Some(newer) = oauth.newer_than(token)
        {
            *token = newer;
        }
    }

    /// Whether a refusal of this token is a reason to ask for another one. Otherwise it is the CRM's answer: there is no other token, or
    /// the next would not do better.
    #[must_use]
    pub fn may_replace(&self, token: &Token) -> bool {
        match &self.form {
            Form::LongLived { .. } => false,
            Form::OAuth(oauth) => oauth.may_replace(token),
        }
    }

    /// Renews before anybody has to wait, or reminds of an end that a person has to act on. Never ends.
    pub async fn keep_fresh(&self) {
        match &self.form {
            Form::OAuth(oauth) => oauth.keep_fresh().await,
            Form::LongLived { .. } => loop {
                self.remind();
                tokio::time::sleep(REMINDER).await;
            },
        }
    }

    /// Begins nothing more and waits for the renewal that runs, if one does: to be called before the process ends.
    pub async fn close(&self) {
        if let Form::OAuth(oauth) = &self.form {
            oauth.close().await;
        }
    }

    /// How things stand, for people.
    #[must_use]
    pub fn report(&self) -> TokenReport {
        match &self.form {
            Form::LongLived { expires_at, .. } => {
                TokenReport { kind: TokenKind::LongLived, expires_at: *expires_at, trouble: None }
            }
            Form::OAuth(oauth) => {
                let (expires_at, trouble) = oauth.report();
                TokenReport { kind: TokenKind::Access, expires_at, trouble }
            }
        }
    }

    fn remind(&self) {
        let report = self.report();
        match report.outlook(Timestamp::now()) {
            Outlook::Fine => {}
            Outlook::Soon => tracing::warn!("the CRM token ends soon: {report}; {}", report.advice()),
            Outlook::Over => tracing::error!("the CRM token is over: {report}; {}", report.advice()),
        }
    }
}

#[cfg(test)]
mod tests;
