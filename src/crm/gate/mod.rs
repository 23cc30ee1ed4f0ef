//! The one place in front of the CRM: every call passes here, and nothing goes around it.
//!
//! In this order: the *breaker* (is calling of any use), the *retry budget* (may a failed call be made again), the bound on calls *in
//! flight*, and the *quota* (whose turn is it). The rules are state machines without locks or timers, one a file; this file puts them
//! behind one lock and does the waiting.
//!
//! It guarantees: no closed sliding second sees more than `rate + 1` admissions; live calls go first, in the order they came; a refusal
//! uses nothing and comes at once whenever it can be foreseen. Retries, tokens and HTTP are the client's.
//!
//! One of several replicas ([`Gate::in_fleet`]) keeps the same bound together with the others: its pace comes from a ledger that they share
//! ([`fleet`]), and without it from a share of its own.

mod breaker;
mod budget;
mod driver;
pub mod fleet;
mod line;
mod notice;
mod pace;
mod pause;
mod quota;
mod settings;
mod shared_pace;
mod state;
mod window;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

pub use self::breaker::{BreakerState, Reason};
pub use self::settings::{Backoff, BreakerSettings, InvalidSettings, Settings};
pub use self::shared_pace::Standing;
pub use self::state::GateState;

use self::fleet::Fleet;
use self::notice::Notice;
use self::state::{Admitted, Place, State, Step};
use super::CrmError;
use crate::metrics::Metrics;
use crate::outcome::Class;

/// The gate.
#[derive(Debug)]
pub struct Gate {
    shared: Arc<Shared>,
    fleet: Option<Arc<dyn Fleet>>,
}

/// The permission to make one call, now. It holds one of the places in flight.
///
/// Say with [`Pass::settle`] how the call ended. A pass that is dropped without (the call was cancelled) says nothing about the CRM.
#[derive(Debug)]
#[must_use = "a pass that is dropped has used up a slot for nothing"]
pub struct Pass {
    shared: Arc<Shared>,
    /// Until it is settled.
    call: Option<Admitted>,
}

#[derive(Debug)]
struct Shared {
    /// Held for a few comparisons, never across an await.
    state: Mutex<State>,
    /// Wakes those in line: somebody left, a call ended, the breaker tripped, a pause began.
    changed: Notify,
    /// Wakes the driver: somebody came to wait, a slot was used, the CRM said something that concerns the other replicas.
    demand: Arc<Notify>,
    metrics: Arc<Metrics>,
}

// === impl Gate ===

impl Gate {
    /// A gate with nothing in flight and the breaker closed.
    ///
    /// # Panics
    /// If the settings do not make sense: see [`Settings::checked`].
    #[must_use]
    pub fn new(settings: Settings, metrics: Arc<Metrics>) -> Self {
        let settings = settings.checked().expect("settings are checked where they are read");
        metrics.breaker(false);
        Self { shared: Shared::new(State::new(&settings, Instant::now()), metrics), fleet: None }
    }

    /// A gate that keeps the quota together with the other replicas. Must be called inside a tokio runtime: it starts the task that stays in
    /// touch with them, which ends with the gate.
    ///
    /// # Panics
    /// If the settings do not make sense: see [`Settings::checked`].
    #[must_use]
    pub fn in_fleet(settings: Settings, metrics: Arc<Metrics>, fleet: Arc<dyn Fleet>) -> Self {
        let settings = settings.checked().expect("settings are checked where they are read");
        metrics.breaker(false);
        let state = State::shared(&settings, fleet.patience(), Instant::now());
        let shared = Shared::new(state, metrics);
        tokio::spawn(driver::run(Arc::downgrade(&shared), Arc::clone(&fleet)));
        Self { shared, fleet: Some(fleet) }
    }

    /// Takes us out of the fleet, so that the others have our share at once. No call is admitted after that.
    pub async fn leave(&self) {
        if let Some(fleet) = &self.fleet {
            self.shared.state().retire();
            self.shared.demand.notify_one();
            fleet.leave().await;
        }
    }

    /// Waits for a slot and takes it, or refuses and takes nothing. A slot is never given after `until`.
    ///
    /// A refusal comes at once, except where nobody could know: when a pause begins or the breaker trips while the call waits (it comes
    /// at that moment), and when the calls in flight do not end in time. Dropping the future gives the place in line back.
    ///
    /// # Errors
    /// [`CrmError::Suspended`] while the breaker is open, [`CrmError::QuotaExhausted`] when there is no slot until then.
    pub async fn admit(&self, class: Class, until: Instant) -> Result<Pass, CrmError> {
        let asked = Instant::now();
        let admitted = self.wait(class, until).await;
        match &admitted {
            Ok(_) => self.shared.metrics.quota_wait(class, asked.elapsed()),
            Err(CrmError::QuotaExhausted { .. }) => self.shared.metrics.quota_refusal(class),
            Err(_) => {}
        }
        admitted
    }

    async fn wait(&self, class: Class, until: Instant) -> Result<Pass, CrmError> {
        let mut place = InLine::join(&self.shared, class, until)?;
        loop {
            // Made before the state is read, so that no change in between is missed.
            let changed = self.shared.changed.notified();
            match place.step() {
                Step::Go(call) => return Ok(self.shared.pass(call)),
                Step::Refused(error) => return Err(error),
                Step::Wait(at) => tokio::select! {
                    () = changed => {}
                    () = sleep_until(at) => {}
                },
            }
        }
    }

    /// May a failed call be made once more? Takes it from the budget if so; the retry then needs a pass of its own.
    #[must_use]
    pub fn may_retry(&self) -> bool {
        self.shared.state().may_retry(Instant::now())
    }

    /// How things stand.
    #[must_use]
    pub fn state(&self) -> GateState {
        self.shared.state().report(Instant::now())
    }

    /// Whether the CRM refused the credentials and no call has ever succeeded.
    #[must_use]
    pub fn credentials_refused(&self) -> bool {
        self.shared.state().credentials_refused()
    }
}

// === impl Pass ===

impl Pass {
    /// The call has ended: what it says about the CRM decides about the calls to come.
    pub fn settle(mut self, result: Result<(), &CrmError>) {
        if let Some(call) = self.call.take() {
            let notices = self.shared.state().settle(call, result, Instant::now());
            self.shared.tell(&notices);
            if self.shared.state().has_news() {
                self.shared.demand.notify_one();
            }
        }
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        if let Some(call) = self.call.take() {
            self.shared.state().abandon(call);
        }
        self.shared.changed.notify_waiters();
        self.shared.demand.notify_one();
    }
}

// === impl Shared ===

impl Shared {
    fn new(state: State, metrics: Arc<Metrics>) -> Arc<Self> {
        let (changed, demand) = (Notify::new(), Arc::new(Notify::new()));
        Arc::new(Self { state: Mutex::new(state), changed, demand, metrics })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing panics while it holds the lock; and if it did, a gate that still counts beats one that is gone.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn pass(self: &Arc<Self>, call: Admitted) -> Pass {
        if call.is_probe() {
            self.tell(&[Notice::Probing]);
        }
        Pass { shared: Arc::clone(self), call: Some(call) }
    }

    fn tell(&self, notices: &[Notice]) {
        for notice in notices {
            match notice {
                Notice::Suspended { .. } => self.metrics.breaker(true),
                Notice::Resumed { .. } => self.metrics.breaker(false),
                _ => {}
            }
            notice.log();
        }
    }
}

/// A place in line that is given back if the wait is cancelled.
struct InLine<'a> {
    shared: &'a Shared,
    /// Until it is admitted or refused.
    place: Option<Place>,
}

impl<'a> InLine<'a> {
    fn join(shared: &'a Shared, class: Class, until: Instant) -> Result<Self, CrmError> {
        let place = shared.state().join(class, until, Instant::now())?;
        shared.demand.notify_one();
        Ok(Self { shared, place: Some(place) })
    }

    fn step(&mut self) -> Step {
        let place = self.place.as_mut().expect("nobody steps on after being admitted or refused");
        let step = self.shared.state().step(place, Instant::now());
        match step {
            Step::Wait(_) => {}
            Step::Go(_) => {
                self.place = None;
                self.shared.demand.notify_one();
            }
            Step::Refused(_) => {
                self.place = None;
                self.shared.changed.notify_waiters();
                self.shared.demand.notify_one();
            }
        }
        step
    }
}

impl Drop for InLine<'_> {
    fn drop(&mut self) {
        if let Some(place) = self.place.take() {
            self.shared.state().leave(place);
            self.shared.changed.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests;
