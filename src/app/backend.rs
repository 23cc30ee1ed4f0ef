//! Everything behind the endpoints: from the wire to the CRM up to the lookup service. The commands that need no listener use it alone.

use std::sync::Arc;

use crate::cache::SecondLevel;
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::config;
use crate::crm::auth::{Credentials, FileStore, Owner, Times, TokenStore};
use crate::crm::dictionary::Dictionaries;
use crate::crm::gate::{self, Gate};
use crate::crm::http::{HttpTransport, SetupError};
use crate::crm::{CrmClient, TokenSource, Transport, WebLinks};
use crate::directory::{self, Directory, Feed, Fleet, OpenError};
use crate::lookup::{self, LookupService, Upstream};
use crate::metrics::Metrics;
use crate::shared::{InvalidUrl, Ledger, MirrorLog, Second, Shared, Tokens};

/// The components behind the endpoints. Clones share everything.
#[derive(Clone, Debug)]
pub struct Backend {
    /// Every metric of the process.
    pub metrics: Arc<Metrics>,
    /// What every call to the CRM has to pass.
    pub gate: Arc<Gate>,
    /// Who we are to the CRM.
    pub tokens: TokenSource,
    /// The CRM.
    pub crm: CrmClient,
    /// The names behind its ids.
    pub names: Dictionaries,
    /// Who is calling?
    pub lookups: LookupService,
    /// The mirror of the contact base, once it is opened.
    pub directory: Option<Directory>,
    /// What several replicas have in common, if there can be several.
    pub shared: Option<Shared>,
    links: WebLinks,
    settings: lookup::Settings,
}

/// What keeps the mirror up to date.
#[derive(Debug)]
pub enum Keeper {
    /// This process alone.
    Alone(Box<Feed>),
    /// One of several replicas.
    Fleet(Box<Fleet>),
}

impl Keeper {
    /// Runs until it is told to stop.
    pub async fn run(self, stop: CancellationToken) {
        match self {
            Self::Alone(feed) => drop(stop.run_until_cancelled_owned(Box::pin(feed.run())).await),
            Self::Fleet(fleet) => fleet.run(stop).await,
        }
    }
}

/// Why they cannot be put together.
#[derive(Debug, thiserror::Error)]
pub enum BackendError {
    /// There can be no connection to the CRM.
    #[error(transparent)]
    Crm(#[from] SetupError),
    /// There can be no shared store.
    #[error(transparent)]
    Shared(#[from] InvalidUrl),
}

impl Backend {
    /// Puts them together. Must be called inside a tokio runtime. Nothing is sent yet.
    ///
    /// # Errors
    /// When there can be no connection to the CRM or to the shared store. That it cannot be reached now is no error.
    pub fn new(settings: config::Backend) -> Result<Self, BackendError> {
        let transport = HttpTransport::new(settings.transport.clone())?;
        Ok(Self::over(Arc::new(transport), settings)?)
    }

    /// The same, over a wire that is there already.
    ///
    /// # Errors
    /// When there can be no connection to the shared store.
    pub fn over(transport: Arc<dyn Transport>, settings: config::Backend) -> Result<Self, InvalidUrl> {
        let metrics = Arc::new(Metrics::new());
        let shared = settings.shared.map(|settings| Shared::open(settings, Arc::clone(&metrics))).transpose()?;
        let gate = Arc::new(gate(settings.gate, shared.as_ref(), &metrics));
        let account = &settings.transport.base;
        let tokens = tokens(settings.credentials, account, shared.as_ref(), &transport, &gate, &metrics);
        let crm = CrmClient::new(settings.client, tokens.clone(), transport, Arc::clone(&gate), Arc::clone(&metrics));
        let names = Dictionaries::new(crm.clone(), settings.names);
        let links = WebLinks::new(&settings.web_url);
        let upstream = Upstream { client: crm.clone(), names: names.clone(), links: links.clone() };
        let second = shared.clone().map(|shared| Second::new(shared) as Arc<dyn SecondLevel>);
        let lookups = LookupService::over(second, settings.lookup, settings.cache, upstream, Arc::clone(&metrics));
        let (directory, settings) = (None, settings.lookup);
        Ok(Self { metrics, gate, tokens, crm, names, lookups, directory, shared, links, settings })
    }

    /// Opens the mirror and has lookups ask it first. The feed that it gives is still to be run, and is of this process alone.
    ///
    /// # Errors
    /// When the snapshot cannot be opened.
    ///
    /// # Panics
    /// If opening it did.
    pub async fn mirror(&mut self, settings: directory::Settings) -> Result<Feed, OpenError> {
        let directory = self.open_mirror(settings).await?;
        Ok(Feed::new(directory, self.crm.clone(), self.names.clone(), Arc::new(self.lookups.clone())))
    }

    /// The same, kept together with those of other replicas if there can be any.
    ///
    /// # Errors
    /// When the snapshot cannot be opened.
    ///
    /// # Panics
    /// If opening it did.
    pub async fn mirror_for_all(&mut self, settings: directory::Settings) -> Result<Keeper, OpenError> {
        let Some(shared) = self.shared.clone() else {
            return self.mirror(settings).await.map(|feed| Keeper::Alone(Box::new(feed)));
        };
        let directory = self.open_mirror(settings).await?;
        let (crm, names, watcher) = (self.crm.clone(), self.names.clone(), Arc::new(self.lookups.clone()));
        Ok(Keeper::Fleet(Box::new(Fleet::new(directory, MirrorLog::new(&shared), crm, names, watcher))))
    }

    async fn open_mirror(&mut self, settings: directory::Settings) -> Result<Directory, OpenError> {
        let opening = tokio::task::spawn_blocking(move || Directory::open(settings));
        let directory = opening.await.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()))?;
        let upstream = Upstream { client: self.crm.clone(), names: self.names.clone(), links: self.links.clone() };
        self.lookups = self.lookups.clone().with_mirror(directory.clone(), self.settings, upstream);
        self.directory = Some(directory.clone());
        Ok(directory)
    }
}

/// The quota is kept with the other replicas, if there can be any.
fn gate(settings: gate::Settings, shared: Option<&Shared>, metrics: &Arc<Metrics>) -> Gate {
    match shared {
        Some(shared) => Gate::in_fleet(settings, Arc::clone(metrics), Ledger::new(shared.clone(), &settings)),
        None => Gate::new(settings, Arc::clone(metrics)),
    }
}

fn tokens(
    credentials: Credentials,
    account: &Url,
    shared: Option<&Shared>,
    transport: &Arc<dyn Transport>,
    gate: &Arc<Gate>,
    metrics: &Arc<Metrics>,
) -> TokenSource {
    match credentials {
        Credentials::LongLived(token) => TokenSource::long_lived(token, metrics),
        Credentials::OAuth { integration, store } => {
            let owner = Owner::new(account, &integration.client_id);
            let store: Arc<dyn TokenStore> = match shared {
                Some(shared) => Arc::new(Tokens::new(shared.clone(), owner)),
                None => Arc::new(FileStore::new(store, owner)),
            };
            let (transport, gate, metrics) = (Arc::clone(transport), Arc::clone(gate), Arc::clone(metrics));
            TokenSource::oauth(integration, store, Times::default(), transport, gate, metrics)
        }
    }
}
