//! The sandbox as a transport within the process, and the service's parts over it.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use callcard::crm::dictionary::Dictionaries;
use callcard::crm::gate::{self, Gate};
use callcard::crm::{self, CrmClient, CrmRequest, CrmResponse, TokenSource, Transport, TransportError, WebLinks};
use callcard::directory::{self, Directory, Feed};
use callcard::lookup::{Leads, LookupService, SearchMode, Settings, Upstream};
use callcard::metrics::Metrics;
use callcard::phone::Region;
use callcard::sandbox::{self, Sandbox};
use futures_util::future::BoxFuture;
use http::{Request, header};
use http_body_util::BodyExt;
use secrecy::ExposeSecret;
use tower::ServiceExt;

pub(crate) struct Stand {
    pub(crate) sandbox: Sandbox,
    pub(crate) lookups: LookupService,
    pub(crate) directory: Directory,
    pub(crate) feed: Feed,
}

pub(crate) fn region() -> Region {
    "US".parse().unwrap()
}

pub(crate) fn settings(path: &Path) -> directory::Settings {
    directory::Settings::new(path.to_owned(), "https://acme.kommo.com".to_owned(), region())
}

impl Stand {
    pub(crate) fn new(contacts: u64, path: &Path) -> Self {
        let sandbox = Sandbox::new(sandbox::Settings { contacts, ..sandbox::Settings::default() });
        let metrics = Arc::new(Metrics::new());
        let share = gate::Settings { background_share: 1.0 / 3.0, ..gate::Settings::default() };
        let gate = Arc::new(Gate::new(share, Arc::clone(&metrics)));
        let token = sandbox.settings().token.clone();
        let wire = Arc::new(InProcess(sandbox.router()));
        let tokens = TokenSource::long_lived(token.into(), &metrics);
        let client = CrmClient::new(crm::Settings::default(), tokens, wire, gate, Arc::clone(&metrics));
        let names = Dictionaries::new(client.clone(), <_>::default());
        let links = WebLinks::new(&"https://acme.kommo.com".parse().unwrap());
        let upstream = Upstream { client: client.clone(), names: names.clone(), links };
        let lookup = Settings {
            region: region(),
            leads: Leads::Full,
            search: SearchMode::Digits,
            companies: false,
            soft_deadline: Duration::from_millis(300),
            deadline: Duration::from_millis(1_500),
        };
        let directory = Directory::open(settings(path)).unwrap();
        let lookups = LookupService::new(lookup, <_>::default(), upstream.clone(), metrics);
        let lookups = lookups.with_mirror(directory.clone(), lookup, upstream);
        let feed = Feed::new(directory.clone(), client, names, Arc::new(lookups.clone()));
        Self { sandbox, lookups, directory, feed }
    }
}

#[derive(Debug)]
struct InProcess(Router);

impl Transport for InProcess {
    fn send(&self, request: CrmRequest) -> BoxFuture<'_, Result<CrmResponse, TransportError>> {
        Box::pin(exchange(self.0.clone(), request))
    }
}

async fn exchange(router: Router, request: CrmRequest) -> Result<CrmResponse, TransportError> {
    let bearer = request.bearer.map(|token| format!("Bearer {}", token.expose_secret())).unwrap_or_default();
    let builder = Request::builder().method(request.method).uri(request.path_and_query);
    let request = builder.header(header::AUTHORIZATION, bearer).body(Body::empty()).unwrap();
    let (parts, body) = router.oneshot(request).await.map_err(|never| match never {})?.into_parts();
    let content_type = parts.headers.get(header::CONTENT_TYPE).map(|value| value.to_str().unwrap().to_owned());
    let body = body.collect().await.map_err(|_| TransportError::Connect)?.to_bytes();
    Ok(CrmResponse { status: parts.status, content_type, retry_after: None, date: None, body })
}
