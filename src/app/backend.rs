//! Everything behind the endpoints: from the wire to the CRM up to the lookup service. The commands that need no listener use it alone.

use std::sync::Arc;

use url::Url;

use crate::config;
use crate::crm::auth::{Credentials, FileStore, Owner, Times};
use crate::crm::dictionary::Dictionaries;
use crate::crm::gate::Gate;
use crate::crm::http::{HttpTransport, SetupError};
use crate::crm::{CrmClient, TokenSource, Transport, WebLinks};
use crate::directory::{self, Directory, Feed, OpenError};
use crate::lookup::{self, LookupService, Upstream};
use crate::metrics::Metrics;

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
    links: WebLinks,
    settings: lookup::Settings,
}

impl Backend {
    /// Puts them together. Must be called inside a tokio runtime. Nothing is sent yet.
    ///
    /// # Errors
    /// When there can be no connection to the CRM.
    pub fn new(settings: config::Backend) -> Result<Self, SetupError> {
        let transport = HttpTransport::new(settings.transport.clone())?;
        Ok(Self::over(Arc::new(transport), settings))
    }

    /// The same, over a wire that is there already.
    #[must_use]
    pub fn over(transport: Arc<dyn Transport>, settings: config::Backend) -> Self {
        let metrics = Arc::new(Metrics::new());
        let gate = Arc::new(Gate::new(settings.gate, Arc::clone(&metrics)));
        let tokens = tokens(settings.credentials, &settings.transport.base, &transport, &gate, &metrics);
        let crm = CrmClient::new(settings.client, tokens.clone(), transport, Arc::clone(&gate), Arc::clone(&metrics));
        let names = Dictionaries::new(crm.clone(), settings.names);
        let links = WebLinks::new(&settings.web_url);
        let upstream = Upstream { client: crm.clone(), names: names.clone(), links: links.clone() };
        let lookups = LookupService::new(settings.lookup, settings.cache, upstream, Arc::clone(&metrics));
        let (directory, settings) = (None, settings.lookup);
        Self { metrics, gate, tokens, crm, names, lookups, directory, links, settings }
    }

    /// Opens the mirror and has lookups ask it first. The feed that it gives is still to be run.
    ///
    /// # Errors
    /// When the snapshot cannot be opened.
    ///
    /// # Panics
    /// If opening it did.
    pub async fn mirror(&mut self, settings: directory::Settings) -> Result<Feed, OpenError> {
        let opening = tokio::task::spawn_blocking(move || Directory::open(settings));
        let directory = opening.await.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()))?;
        let upstream = Upstream { client: self.crm.clone(), names: self.names.clone(), links: self.links.clone() };
        self.lookups = self.lookups.clone().with_mirror(directory.clone(), self.settings, upstream);
        self.directory = Some(directory.clone());
        Ok(Feed::new(directory, self.crm.clone(), self.names.clone(), Arc::new(self.lookups.clone())))
    }
}

fn tokens(
    credentials: Credentials,
    account: &Url,
    transport: &Arc<dyn Transport>,
    gate: &Arc<Gate>,
    metrics: &Arc<Metrics>,
) -> TokenSource {
    match credentials {
        Credentials::LongLived(token) => TokenSource::long_lived(token, metrics),
        Credentials::OAuth { integration, store } => {
            let store = Arc::new(FileStore::new(store, Owner::new(account, &integration.client_id)));
            let (transport, gate, metrics) = (Arc::clone(transport), Arc::clone(gate), Arc::clone(metrics));
            TokenSource::oauth(integration, store, Times::default(), transport, gate, metrics)
        }
    }
}
