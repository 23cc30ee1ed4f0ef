//! A whole list of names, loaded at most once at a time.
//!
//! An old list is better than none: it is given while a new one is loaded, and when none can be. A load belongs to nobody: it goes on
//! when the caller who started it leaves.

use std::fmt;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

use super::{Names, Settings};
use crate::crm::{Ask, CrmError, Permission};
use crate::outcome::Class;

/// One list. Cheap to clone.
pub(super) struct CachedList<T> {
    name: &'static str,
    right: Arc<Permission>,
    settings: Settings,
    state: Arc<Mutex<State<T>>>,
}

struct State<T> {
    held: Option<Held<T>>,
    /// When the last load began: what keeps unknown ids from asking all the time.
    asked_at: Option<Instant>,
    /// Until then nothing is loaded, because the last load failed.
    quiet_until: Option<Instant>,
    /// Closed by the running load when it ends, in whatever way.
    running: Option<Running>,
}

struct Held<T> {
    list: Arc<T>,
    stale_at: Instant,
}

type Running = watch::Receiver<()>;

/// What a caller does about the list it found.
enum Plan {
    /// Takes it as it is.
    Take,
    /// Has a new one loaded, and takes the old one.
    Refresh,
    /// Waits for the load, its own or somebody else's.
    Wait(Option<Running>),
}

impl<T> Clone for CachedList<T> {
    fn clone(&self) -> Self {
        let (right, state) = (Arc::clone(&self.right), Arc::clone(&self.state));
        Self { name: self.name, right, settings: self.settings, state }
    }
}

impl<T> fmt::Debug for CachedList<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CachedList").field("name", &self.name).finish_non_exhaustive()
    }
}

impl<T: Default + Send + Sync + 'static> CachedList<T> {
    pub(super) fn new(name: &'static str, settings: Settings) -> Self {
        let state = State { held: None, asked_at: None, quiet_until: None, running: None };
        let right = Arc::new(Permission::new(name, "ids are shown instead of names"));
        Self { name, right, settings, state: Arc::new(Mutex::new(state)) }
    }

    /// The list, loaded first if there is none or if it does not suffice; waits for that no longer than `ask.until`.
    pub(super) async fn current<F>(
        &self,
        suffices: impl Fn(&T) -> bool,
        ask: Ask,
        load: impl FnOnce(Ask) -> F,
    ) -> Names<T>
    where
        F: Future<Output = Result<T, CrmError>> + Send + 'static,
    {
        if let Some(mut running) = self.start_if_needed(suffices, ask.class, load) {
            // An error means that the load has ended; a timeout, that the caller takes what there is.
            let _ = timeout_at(ask.until, running.changed()).await;
        }
        self.held()
    }

    /// The list as it is, without asking anybody.
    pub(super) fn held(&self) -> Names<T> {
        self.lock().names(Instant::now())
    }

    /// The load to wait for, if there is one.
    fn start_if_needed<F>(
        &self,
        suffices: impl Fn(&T) -> bool,
        class: Class,
        load: impl FnOnce(Ask) -> F,
    ) -> Option<Running>
    where
        F: Future<Output = Result<T, CrmError>> + Send + 'static,
    {
        let mut state = self.lock();
        let is_refused = self.right.is_refused();
        match state.plan(&self.settings, suffices, is_refused, Instant::now()) {
            Plan::Take => None,
            Plan::Refresh => {
                self.start(&mut state, Class::Background, load);
                None
            }
            Plan::Wait(Some(running)) => Some(running),
            Plan::Wait(None) => Some(self.start(&mut state, class, load)),
        }
    }

    fn start<F>(&self, state: &mut State<T>, class: Class, load: impl FnOnce(Ask) -> F) -> Running
    where
        F: Future<Output = Result<T, CrmError>> + Send + 'static,
    {
        let now = Instant::now();
        let load = load(Ask { class, ..Ask::background(self.settings.patience) });
        let (end, running) = watch::channel(());
        let list = self.clone();
        tokio::spawn(async move {
            let result = load.await;
            list.finish(result);
            drop(end);
        });
        state.asked_at = Some(now);
        state.running = Some(running.clone());
        running
    }

    fn finish(&self, result: Result<T, CrmError>) {
        let (now, settings) = (Instant::now(), &self.settings);
        self.right.learn(&result);
        let mut state = self.lock();
        match result {
            Ok(list) => {
                state.held = Some(Held { list: Arc::new(list), stale_at: now + settings.lifetime });
                state.quiet_until = None;
            }
            Err(CrmError::Forbidden) => {} // Remembered by the right.
            Err(error) => {
                tracing::warn!(list = self.name, %error, "names could not be loaded: ids or old names are shown");
                state.quiet_until = Some(now + settings.quiet);
            }
        }
    }

    /// Nothing panics while it is held, so a poisoned lock is as good as any.
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T: Default> State<T> {
    fn plan(&self, settings: &Settings, suffices: impl Fn(&T) -> bool, is_refused: bool, now: Instant) -> Plan {
        let running = self.running.clone().filter(|running| running.has_changed().is_ok());
        let is_quiet = is_refused || self.quiet_until.is_some_and(|until| now < until);
        let may_ask_again = self.asked_at.is_none_or(|at| at + settings.reload <= now);
        match &self.held {
            None if running.is_some() || !is_quiet => Plan::Wait(running),
            Some(held) if !suffices(&held.list) && running.is_some() => Plan::Wait(running),
            Some(held) if !suffices(&held.list) && may_ask_again && !is_quiet => Plan::Wait(None),
            Some(held) if held.is_stale(now) && running.is_none() && !is_quiet => Plan::Refresh,
            None | Some(_) => Plan::Take,
        }
    }

    fn names(&self, now: Instant) -> Names<T> {
        match &self.held {
            Some(held) => Names { known: Arc::clone(&held.list), degraded: held.is_stale(now) },
            None => Names { known: Arc::default(), degraded: true },
        }
    }
}

impl<T> Held<T> {
    fn is_stale(&self, now: Instant) -> bool {
        self.stale_at <= now
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_load_that_panics_frees_its_waiters_and_the_next_caller() {
        let list = CachedList::<Vec<u8>>::new("test", Settings::default());
        let ask = Ask::live(Duration::from_secs(5));
        let begun = Instant::now();
        let names = list.current(|_| true, ask, |_| async { panic!("this load panics on purpose") }).await;
        assert!(names.degraded && begun.elapsed().is_zero());
        let names = list.current(|_| true, ask, |_| async { Ok(vec![1]) }).await;
        assert_eq!((names.known.as_slice(), names.degraded), ([1].as_slice(), false));
    }
}
