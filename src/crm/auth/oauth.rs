//! Access tokens that are renewed before they expire, and when the CRM refuses one.
//!
//! At most one renewal runs, for all callers together. It is a task of its own: no caller owns it, so none can stop it between the
//! CRM's answer and the store. While it runs, callers with a good token in hand do not notice; those without wait for it. When renewals
//! fail they are tried again ever more slowly, and the token in hand is used for as long as the CRM takes it.

use std::fmt;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::FutureExt;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout, timeout_at};

use super::renewal::{Failure, Renewal, Renewed};
use super::state::{Plan, Running, State, Times};
use super::store::StoreError;
use super::{Pair, Token};
use crate::crm::{Ask, CrmError};
use crate::metrics::Metrics;
use crate::outcome::{Class, RefreshOutcome, TokenKind};

/// A shutdown waits this long for a renewal that runs.
const FAREWELL: Duration = Duration::from_secs(10);
/// The keeper does not look more often.
const LEAST_PAUSE: Duration = Duration::from_secs(1);

/// What a person has to do about a refusal.
const REFUSED: &str = "the CRM refuses to renew the access token: check CALLCARD_KOMMO_CLIENT_ID, CALLCARD_KOMMO_CLIENT_SECRET and \
    CALLCARD_KOMMO_REDIRECT_URI, or authorise the integration again and set CALLCARD_KOMMO_REFRESH_TOKEN anew";

/// One integration's tokens. Clones share them.
#[derive(Clone)]
pub(super) struct OAuth {
    shared: Arc<Shared>,
}

struct Shared {
    renewal: Renewal,
    times: Times,
    metrics: Arc<Metrics>,
    /// Held for a few comparisons, never across an await.
    state: Mutex<State>,
}

impl fmt::Debug for OAuth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OAuth").field("renewal", &self.shared.renewal).finish_non_exhaustive()
    }
}

impl OAuth {
    pub(super) fn new(renewal: Renewal, times: Times, metrics: Arc<Metrics>) -> Self {
        Self { shared: Arc::new(Shared { renewal, times, metrics, state: Mutex::default() }) }
    }

    /// Reads the store, so that what is wrong with it is known before a token is needed.
    pub(super) async fn open(&self) -> Result<(), StoreError> {
        let store = &self.shared.renewal.store;
        match store.load().await {
            Ok(Some(pair)) => self.hold(&mut self.state(), pair),
            Ok(None) => {}
            Err(error @ StoreError::Damaged { .. }) => tracing::warn!(%error, "the kept tokens are lost"),
            Err(error) => return Err(error),
        }
        match store.lease(Duration::ZERO).await {
            // Whoever has it can write there.
            Ok(_) | Err(StoreError::Busy { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// A token that should be good; with `refused`, another one than that.
    pub(super) async fn token(&self, refused: Option<&Token>, ask: Ask) -> Result<Token, CrmError> {
        let (seen, mut running) = {
            let mut state = self.state();
            let running = match state.plan(refused, Instant::now()) {
                Plan::Take(token, due) => {
                    if let Some(class) = due {
                        self.begin(&mut state, class);
                    }
                    return Ok(token);
                }
                Plan::Refuse(error) => return Err(error),
                Plan::Wait(running) => running,
                Plan::Begin => self.begin(&mut state, ask.class),
            };
            (state.pairs(), running)
        };
        // An error of the channel is the end that is waited for.
        let ended = timeout_at(ask.start_by.min(ask.until), running.changed()).await;
        let _ = ended.map_err(|_| CrmError::Timeout)?;
        self.state().after(seen, Instant::now())
    }

    /// The newest token, if one has come since this one.
    pub(super) fn newer_than(&self, token: &Token) -> Option<Token> {
        let state = self.state();
        state.held.as_ref().filter(|held| held.token.number > token.number).map(|held| held.token.clone())
    }

    /// Whether there is or may soon be a better token than this one.
    pub(super) fn may_replace(&self, token: &Token) -> bool {
        match &self.state().held {
            Some(held) if held.token.number == token.number => held.may_be_replaced(&self.shared.times, Instant::now()),
            _ => true,
        }
    }

    /// Renews early, so that no caller has to wait; never ends.
    pub(super) async fn keep_fresh(&self) {
        loop {
            let at = self.state().next_look(Instant::now());
            sleep_until(at.max(Instant::now() + LEAST_PAUSE)).await;
            let running = {
                let mut state = self.state();
                state.due(Instant::now()).map(|class| self.begin(&mut state, class))
            };
            if let Some(mut running) = running {
                let _ = running.changed().await;
            }
        }
    }

    /// No renewal begins any more, and the one that runs is waited for: what the CRM gave is kept.
    pub(super) async fn close(&self) {
        let running = {
            let mut state = self.state();
            state.closed = true;
            state.running.clone()
        };
        if let Some(mut running) = running {
            let _ = timeout(FAREWELL, running.changed()).await;
        }
    }

    /// The pair's expiry, and what is wrong.
    pub(super) fn report(&self) -> (Option<jiff::Timestamp>, Option<String>) {
        let state = self.state();
        let expires_at = state.held.as_ref().map(|held| held.pair.expires_at);
        (expires_at, state.failing.as_ref().map(|failing| failing.words.clone()))
    }

    fn begin(&self, state: &mut State, class: Class) -> Running {
        let (end, running) = watch::channel(());
        state.running = Some(running.clone());
        let (in_hand, unsaved) = (state.held.as_ref().map(|held| held.pair.clone()), state.unsaved.take());
        let this = self.clone();
        tokio::spawn(async move {
            let renewal = this.shared.renewal.run(in_hand.as_ref(), unsaved, class);
            // A panic has been reported by its hook; those who wait get an error.
            let result = AssertUnwindSafe(renewal).catch_unwind().await;
            this.finish(result.unwrap_or(Err(Failure::Crm(CrmError::Connect))));
            drop(end);
        });
        running
    }

    fn finish(&self, result: Result<Renewed, Failure>) {
        let mut state = self.state();
        state.running = None;
        match result {
            Ok(Renewed::Granted(pair)) => {
                self.count(RefreshOutcome::Renewed);
                tracing::info!(expires_at = %pair.expires_at, "the access token was renewed");
                self.hold(&mut state, pair);
            }
            Ok(Renewed::Found(pair)) => {
                self.count(RefreshOutcome::Found);
                tracing::info!(expires_at = %pair.expires_at, "an access token renewed by another process is used");
                self.hold(&mut state, pair);
            }
            Err(failure) => self.failed(&mut state, failure),
        }
    }

    fn hold(&self, state: &mut State, pair: Pair) {
        self.shared.metrics.token_expiry(TokenKind::Access, pair.expires_at.as_second());
        state.hold(pair, &self.shared.times, Instant::now());
    }

    fn failed(&self, state: &mut State, failure: Failure) {
        let now = Instant::now();
        match failure {
            Failure::Refused(pass) => {
                self.count(RefreshOutcome::Refused);
                if state.fail(CrmError::Unauthorized, REFUSED.to_owned(), true, now) {
                    tracing::error!("{REFUSED}");
                }
                // While the token in hand is good, calls go on.
                let is_over = !state.held.as_ref().is_some_and(|held| held.is_usable(now));
                if let Some(failing) = state.failing.as_mut().filter(|failing| is_over && !failing.tripped) {
                    failing.tripped = true;
                    pass.settle(Err(&CrmError::Unauthorized));
                }
            }
            Failure::Crm(error) => {
                self.count(RefreshOutcome::Failed);
                if state.fail(error, format!("the access token could not be renewed: {error}"), false, now) {
                    tracing::warn!(%error, "the access token could not be renewed; it will be tried again");
                }
            }
            Failure::Store(error) => self.unkept(state, &error),
            Failure::Unsaved(error, unsaved) => {
                state.unsaved = Some(unsaved);
                self.unkept(state, &error);
            }
        }
    }

    fn unkept(&self, state: &mut State, error: &StoreError) {
        self.count(RefreshOutcome::Unsaved);
        let suspended = CrmError::Suspended { retry_after: LEAST_PAUSE };
        if state.fail(suspended, format!("a new access token cannot be kept: {error}"), false, Instant::now()) {
            tracing::error!(%error, "a new access token cannot be kept, so none is used; it will be tried again");
        }
    }

    fn count(&self, outcome: RefreshOutcome) {
        self.shared.metrics.token_refresh(outcome);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing panics while it holds the lock.
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
