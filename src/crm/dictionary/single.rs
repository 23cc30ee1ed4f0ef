//! Names kept one by one, by id: an account may have more of them than anybody wants to hold.

use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};

use moka::policy::EvictionPolicy;
use moka::sync::Cache;
use tokio::time::Instant;

use super::{Names, Settings};
use crate::crm::{CrmError, Permission};

/// Ids and their names; an id without a name has none to show.
pub(super) type Found<K> = Vec<(K, Option<String>)>;

/// The names met lately. Cheap to clone.
pub(super) struct Singles<K> {
    what: &'static str,
    settings: Settings,
    names: Cache<K, Held>,
    /// Until then nothing is asked, because the CRM failed.
    quiet_until: Arc<Mutex<Option<Instant>>>,
    right: Arc<Permission>,
}

/// A name, or that there is none. Its age is kept here and not by the cache, whose clock tests cannot stop.
#[derive(Clone)]
struct Held {
    name: Option<Arc<str>>,
    stale_at: Instant,
}

impl<K> Clone for Singles<K> {
    fn clone(&self) -> Self {
        Self {
            what: self.what,
            settings: self.settings,
            names: self.names.clone(),
            quiet_until: Arc::clone(&self.quiet_until),
            right: Arc::clone(&self.right),
        }
    }
}

impl<K> fmt::Debug for Singles<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Singles").field("of", &self.what).finish_non_exhaustive()
    }
}

impl<K: Copy + Eq + Hash + Send + Sync + 'static> Singles<K> {
    pub(super) fn new(what: &'static str, most: u64, settings: Settings) -> Self {
        // The default policy would turn away newcomers once the cache is full.
        let names = Cache::builder().max_capacity(most).eviction_policy(EvictionPolicy::lru()).build();
        let right = Arc::new(Permission::new(what, "they are shown without their names"));
        Self { what, settings, names, quiet_until: Arc::default(), right }
    }

    /// The names of these; those not held or held too long are asked for, all at once.
    pub(super) async fn names<F>(&self, wanted: &[K], load: impl FnOnce(Vec<K>) -> F) -> Names<HashMap<K, Arc<str>>>
    where
        F: Future<Output = Result<Found<K>, CrmError>>,
    {
        let missing = self.missing(wanted);
        let degraded = !missing.is_empty() && !self.load(missing, load).await;
        Names { degraded, ..self.held(wanted) }
    }

    /// What is held of these, without asking anybody.
    pub(super) fn held(&self, wanted: &[K]) -> Names<HashMap<K, Arc<str>>> {
        let known = wanted.iter().filter_map(|&id| Some((id, self.names.get(&id)?.name?))).collect();
        Names { known: Arc::new(known), degraded: !self.missing(wanted).is_empty() }
    }

    /// A name that may be another one now is asked for when it is next wanted.
    pub(super) fn forget(&self, id: K) {
        self.names.invalidate(&id);
    }

    fn missing(&self, wanted: &[K]) -> Vec<K> {
        let now = Instant::now();
        let is_fresh = |id: &K| self.names.get(id).is_some_and(|held| now < held.stale_at);
        wanted.iter().copied().filter(|id| !is_fresh(id)).collect()
    }

    /// Whether the CRM answered.
    async fn load<F>(&self, ids: Vec<K>, load: impl FnOnce(Vec<K>) -> F) -> bool
    where
        F: Future<Output = Result<Found<K>, CrmError>>,
    {
        if self.right.is_refused() || self.quiet_until().is_some_and(|until| Instant::now() < until) {
            return false;
        }
        let answer = load(ids.clone()).await;
        self.right.learn(&answer);
        match &answer {
            Ok(found) => self.keep(&ids, found),
            // One caller's short patience is no reason to keep quiet for the others; a refusal is remembered by the right.
            Err(CrmError::QuotaExhausted { .. } | CrmError::Forbidden) => {}
            Err(error) => self.be_quiet(error),
        }
        answer.is_ok()
    }

    /// What did not come back has no name to show, and need not be asked for again soon.
    fn keep(&self, asked: &[K], found: &Found<K>) {
        let stale_at = Instant::now() + self.settings.lifetime;
        for &id in asked {
            let record = found.iter().find(|(found, _)| *found == id);
            let name = record.and_then(|(_, name)| name.as_deref()).map(Arc::from);
            self.names.insert(id, Held { name, stale_at });
        }
    }

    fn be_quiet(&self, error: &CrmError) {
        tracing::warn!(of = self.what, %error, "names could not be loaded: ids or old names are shown");
        *self.quiet_until.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now() + self.settings.quiet);
    }

    fn quiet_until(&self) -> Option<Instant> {
        *self.quiet_until.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
