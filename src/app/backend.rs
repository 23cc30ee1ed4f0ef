//! Everything behind the endpoints: from the wire to the CRM up to the lookup service. The commands that need no listener use it alone.

use std::sync::Arc;

use url::Url;

use crate::config;
use crate::crm::auth::{Credentials, FileStore, Owner, Times};
use crate::crm::dictionary::Dictionaries;
use crate::crm::gate::Gate;
use crate::crm::http::{HttpTransport, SetupError};
use crate::crm::{CrmClient, TokenSource, Transport, WebLinks};
use crate::lookup::{LookupService, Upstream};
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
        let upstream = Upstream { client: crm.clone(), names: names.clone(), links };
        let lookups = LookupService::new(settings.lookup, settings.cache, upstream, Arc::clone(&metrics));
        Self { metrics, gate, tokens, crm, names, lookups }
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
