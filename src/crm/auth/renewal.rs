//! One renewal, from the lease to the kept pair.
//!
//! The order is the point. Under the lease the store is read again, because another process may have renewed while we waited. The new
//! pair is saved before anybody sees it. A refusal is believed only when the store, read once more, holds no other refresh token and the
//! configured one is refused too. A crash at any step leaves either the old pair, whose refresh token the CRM takes until the new pair
//! is used, or the new one.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use secrecy::SecretString;

use super::Pair;
use super::grant::{Exchanged, TokenEndpoint};
use super::pair::same;
use super::store::{Lease, StoreError, TokenStore};
use crate::crm::{CrmError, Pass};
use crate::outcome::Class;

/// Another process may hold the lease for one exchange with a retry and its two turns at the gate.
const LEASE_PATIENCE: Duration = Duration::from_secs(55);
/// The stored refresh token, the configured one, and whatever another process puts there meanwhile.
const MOST_TRIES: usize = 4;

/// What a renewal works with.
#[derive(Debug)]
pub(super) struct Renewal {
    pub(super) endpoint: TokenEndpoint,
    pub(super) store: Arc<dyn TokenStore>,
}

/// A pair that is safe in the store.
#[derive(Debug)]
pub(super) enum Renewed {
    /// The CRM gave it to us.
    Granted(Pair),
    /// Another process had already asked for it.
    Found(Pair),
}

/// Why there is no new pair.
#[derive(Debug)]
pub(super) enum Failure {
    /// The CRM takes none of the refresh tokens.
    Refused(Pass),
    /// The CRM was not asked, or its answer was no answer.
    Crm(CrmError),
    /// The store gives no lease, or holds what must not be replaced.
    Store(StoreError),
    /// The CRM gave a pair, but the store did not keep it.
    Unsaved(StoreError, Unsaved),
}

/// A pair that must not be used before it is kept, and what it was got for.
#[derive(Clone, Debug)]
pub(super) struct Unsaved {
    pair: Pair,
    spent: SecretString,
}

impl Renewal {
    /// A pair other than the one in hand.
    pub(super) async fn run(
        &self,
        in_hand: Option<&Pair>,
        unsaved: Option<Unsaved>,
        class: Class,
    ) -> Result<Renewed, Failure> {
        let mut lease = self.store.lease(LEASE_PATIENCE).await.map_err(Failure::Store)?;
        let stored = match lease.load().await {
            Ok(stored) => stored,
            Err(error @ StoreError::Damaged { .. }) => {
                tracing::warn!(%error, "the configured first refresh token is tried instead");
                None
            }
            Err(error) => return Err(Failure::Store(error)),
        };
        if let Some(pair) = stored.as_ref().filter(|pair| is_news(pair, in_hand)) {
            return Ok(Renewed::Found(pair.clone()));
        }
        let held = stored.as_ref().map_or(self.endpoint.first(), |pair| &pair.refresh);
        if let Some(Unsaved { pair, spent }) = unsaved.filter(|unsaved| same(&unsaved.spent, held)) {
            return keep(&mut *lease, pair, spent).await;
        }
        let refresh = held.clone();
        self.ask(&mut *lease, refresh, in_hand, class).await
    }

    /// Tries the stored refresh token, and after a refusal whatever else may be good.
    async fn ask(
        &self,
        lease: &mut dyn Lease,
        mut refresh: SecretString,
        in_hand: Option<&Pair>,
        class: Class,
    ) -> Result<Renewed, Failure> {
        let mut refused: Vec<SecretString> = Vec::new();
        loop {
            let pass = match self.endpoint.exchange(&refresh, class).await {
                Exchanged::Granted(pair) => return keep(lease, pair, refresh).await,
                Exchanged::Failed(error) => return Err(Failure::Crm(error)),
                Exchanged::Refused(pass) => pass,
            };
            refused.push(refresh);
            let stored = lease.load().await.ok().flatten();
            let is_new = |token: &SecretString| !refused.iter().any(|refused| same(refused, token));
            match stored.filter(|pair| is_new(&pair.refresh)) {
                Some(pair) if is_news(&pair, in_hand) => return Ok(Renewed::Found(pair)),
                Some(pair) if refused.len() < MOST_TRIES => refresh = pair.refresh,
                _ if is_new(self.endpoint.first()) => refresh = self.endpoint.first().clone(),
                _ => return Err(Failure::Refused(pass)),
            }
        }
    }
}

/// Whether a stored pair is worth more than the one in hand: another one, with some life left.
fn is_news(stored: &Pair, in_hand: Option<&Pair>) -> bool {
    in_hand.is_none_or(|pair| !same(&pair.access, &stored.access)) && stored.left(Timestamp::now()) > stored.life() / 10
}

async fn keep(lease: &mut dyn Lease, pair: Pair, spent: SecretString) -> Result<Renewed, Failure> {
    match lease.save(&pair).await {
        Ok(()) => Ok(Renewed::Granted(pair)),
        Err(error) => Err(Failure::Unsaved(error, Unsaved { pair, spent })),
    }
}
