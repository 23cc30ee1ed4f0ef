//! The whole service in front of the sandbox CRM, in one process and on one clock: no sockets, so that time can be paused.

use std::io::Read;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use bytes::{Bytes, BytesMut};
use callcard::crm::auth::{FileStore, Integration, Owner, Times};
use callcard::crm::dictionary::Dictionaries;
use callcard::crm::gate::{self, Gate};
use callcard::crm::{self, CrmClient, CrmRequest, CrmResponse, TokenSource, Transport, TransportError, WebLinks};
use callcard::directory::{self, Directory, Feed};
use callcard::http::{Api, Settings as HttpSettings};
use callcard::lookup::{Calibration, Leads, LookupService, SearchMode, Settings as LookupSettings, Upstream};
use callcard::metrics::Metrics;
use callcard::phone::{CallerReader, Region};
use callcard::sandbox::{self, Sandbox};
use callcard::shutdown::Readiness;
use callcard::{cache, lookup};
use futures_util::future::BoxFuture;
use http::{HeaderMap, Request, StatusCode, header};
use http_body_util::BodyExt;
use serde_json::Value;
use tokio::time::timeout;
use tower::ServiceExt;

/// The bound on an answer's body, as over sockets.
const MAX_BODY: usize = 4 * 1024 * 1024;

/// What webhooks have in their path.
pub(crate) const HOOK_SECRET: &str = "hook-secret-of-the-tests";

/// What a test may change before the service is put together.
pub(crate) struct Options {
    /// What the service shows the CRM; the administrator's token.
    pub(crate) token: String,
    pub(crate) sandbox: sandbox::Settings,
    pub(crate) lookup: LookupSettings,
    pub(crate) cache: cache::Settings,
    pub(crate) gate: gate::Settings,
    /// With OAuth2, and its tokens in this file; else with the sandbox's long-lived token.
    pub(crate) token_file: Option<PathBuf>,
    pub(crate) directory: Option<directory::Settings>,
}

/// The service and the CRM behind it.
pub(crate) struct Service {
    pub(crate) sandbox: Sandbox,
    pub(crate) tokens: TokenSource,
    pub(crate) gate: Arc<Gate>,
    /// The service's own way to the CRM.
    pub(crate) crm: CrmClient,
    pub(crate) lookups: LookupService,
    pub(crate) calibration: Calibration,
    pub(crate) names: Dictionaries,
    /// The mirror; its feed is still to be run.
    pub(crate) directory: Option<Directory>,
    pub(crate) router: Router,
    admin: Router,
}

/// A response, read to its end.
#[derive(Clone, Debug)]
pub(crate) struct Got {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Options {
    fn of(sandbox: sandbox::Settings, change: impl FnOnce(&mut Self)) -> Self {
        let mut options = Self {
            token: sandbox.token.clone(),
            sandbox,
            lookup: LookupSettings {
                region: region(),
                leads: Leads::Full,
                search: SearchMode::Auto,
                companies: false,
                soft_deadline: Duration::from_millis(300),
                deadline: Duration::from_millis(1_500),
            },
            cache: cache::Settings::default(),
            gate: gate::Settings::default(),
            token_file: None,
            directory: None,
        };
        options.cache.lifetimes.jitter = 0.0;
        change(&mut options);
        options
    }
}

impl Service {
    pub(crate) fn new(change: impl FnOnce(&mut Options)) -> Self {
        let options = Options::of(sandbox::Settings::default(), change);
        let sandbox = Sandbox::new(options.sandbox.clone());
        Self::before(sandbox, options)
    }

    /// Another one in front of the same CRM.
    pub(crate) fn beside(other: &Self, change: impl FnOnce(&mut Options)) -> Self {
        let options = Options::of(sandbox::Settings::clone(&other.sandbox.settings()), change);
        Self::before(other.sandbox.clone(), options)
    }

    fn before(sandbox: Sandbox, options: Options) -> Self {
        let metrics = Arc::new(Metrics::new());
        let gate = Arc::new(Gate::new(options.gate, Arc::clone(&metrics)));
        let wire: Arc<dyn Transport> = Arc::new(InProcess(sandbox.router()));
        let tokens = match options.token_file {
            None => TokenSource::long_lived(options.token.into(), &metrics),
            Some(path) => oauth(&options.sandbox, path, &wire, &gate, &metrics),
        };
        let client =
            CrmClient::new(crm::Settings::default(), tokens.clone(), wire, Arc::clone(&gate), Arc::clone(&metrics));
        let names = Dictionaries::new(client.clone(), <_>::default());
        let links = WebLinks::new(&"https://acme.kommo.com".parse().unwrap());
        let upstream = Upstream { client: client.clone(), names: names.clone(), links: links.clone() };
        let mut lookups = LookupService::new(options.lookup, options.cache, upstream.clone(), Arc::clone(&metrics));
        let directory = options.directory.map(|settings| Directory::open(settings).unwrap());
        if let Some(directory) = directory.clone() {
            lookups = lookups.with_mirror(directory, options.lookup, upstream);
        }
        let calibration = lookups.calibration().clone();
        let http = HttpSettings { webhook_secret: Some(HOOK_SECRET.into()), ..HttpSettings::new(region(), links) };
        let api = Api::new(lookups.clone(), CallerReader::new(10_000), metrics, http);
        let (router, admin) = (Router::new().fallback_service(api.front()), api.admin_router(Readiness::new()));
        Self { sandbox, tokens, gate, crm: client, lookups, calibration, names, directory, router, admin }
    }

    /// The feed of the mirror.
    pub(crate) fn feed(&self) -> Feed {
        let directory = self.directory.clone().expect("this service has a mirror");
        Feed::new(directory, self.crm.clone(), self.names.clone(), Arc::new(self.lookups.clone()))
    }

    /// As after the start of the real service: stages and users are known, and the calls for that are forgotten.
    pub(crate) async fn warmed(change: impl FnOnce(&mut Options)) -> Self {
        let service = Self::new(change);
        service.names.preload(crm::Ask::background(Duration::from_secs(60))).await;
        tokio::time::sleep(Duration::from_secs(10)).await;
        service.sandbox.reset_calls();
        service
    }

    /// GET on the lookup listener.
    pub(crate) async fn get(&self, path: &str) -> Got {
        let request = Request::get(path).body(Body::empty()).unwrap();
        Got::read(self.router.clone().oneshot(request).await.unwrap()).await
    }

    /// A webhook's body, as the CRM sends it.
    pub(crate) async fn hook(&self, secret: &str, body: impl Into<Body>) -> Got {
        let request = Request::post(format!("/hooks/kommo/{secret}"))
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(body.into())
            .unwrap();
        Got::read(self.router.clone().oneshot(request).await.unwrap()).await
    }

    /// Asks for a number, with further parameters (`&format=text`).
    pub(crate) async fn lookup(&self, phone: &str, more: &str) -> Got {
        let phone: String = form_urlencoded::byte_serialize(phone.as_bytes()).collect();
        self.get(&format!("/lookup?phone={phone}{more}")).await
    }

    /// A request on the admin listener.
    pub(crate) async fn admin(&self, method: &str, path: &str) -> Got {
        let request = Request::builder().method(method).uri(path).body(Body::empty()).unwrap();
        Got::read(self.admin.clone().oneshot(request).await.unwrap()).await
    }

    /// The value of one sample on `/metrics`; a sample that is not there fails the test.
    pub(crate) async fn metric(&self, sample: &str) -> f64 {
        let scrape = self.admin("GET", "/metrics").await.body;
        let line = scrape.lines().find_map(|line| line.strip_prefix(&format!("callcard_{sample} ")));
        line.unwrap_or_else(|| panic!("no sample {sample}")).parse().unwrap()
    }

    /// How the calls to this endpoint of the CRM ended that were sent: each word that was counted, and how often.
    pub(crate) async fn outcomes(&self, endpoint: &str) -> Vec<(String, usize)> {
        let scrape = self.admin("GET", "/metrics").await.body;
        let start = format!("callcard_upstream_requests_total{{endpoint=\"{endpoint}\",outcome=\"");
        let counts = scrape.lines().filter_map(|line| line.strip_prefix(&start)?.split_once("\"} "));
        let counts = counts.map(|(outcome, count)| (outcome.to_owned(), count.parse().unwrap()));
        counts.filter(|(outcome, count)| *count > 0 && outcome != "short_circuited").collect()
    }

    /// Searches that have reached the CRM.
    pub(crate) fn searches(&self) -> usize {
        self.sandbox.count(sandbox::Endpoint::ContactsQuery)
    }
}

/// The integration that the sandbox has.
pub(crate) fn integration(sandbox: &sandbox::Settings) -> Integration {
    let oauth = &sandbox.oauth;
    Integration {
        client_id: oauth.client_id.clone(),
        client_secret: oauth.client_secret.clone().into(),
        redirect_uri: oauth.redirect_uri.clone(),
        refresh_token: oauth.refresh_token.clone().into(),
    }
}

fn oauth(
    sandbox: &sandbox::Settings,
    path: PathBuf,
    wire: &Arc<dyn Transport>,
    gate: &Arc<Gate>,
    metrics: &Arc<Metrics>,
) -> TokenSource {
    let integration = integration(sandbox);
    let owner = Owner::new(&"https://acme.kommo.com".parse().unwrap(), &integration.client_id);
    let store = Arc::new(FileStore::new(path, owner));
    let (wire, gate, metrics) = (Arc::clone(wire), Arc::clone(gate), Arc::clone(metrics));
    TokenSource::oauth(integration, store, Times::default(), wire, gate, metrics)
}

impl Got {
    async fn read(response: http::Response<Body>) -> Self {
        let (parts, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Self { status: parts.status, headers: parts.headers, body: String::from_utf8(body.to_vec()).unwrap() }
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("not JSON: {}", self.body))
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub(crate) fn cache_status(&self) -> &str {
        self.header("cache-status")
    }

    /// Status and problem code.
    pub(crate) fn problem(&self) -> (u16, String) {
        (self.status.as_u16(), self.json()["code"].as_str().unwrap_or_default().to_owned())
    }
}

/// The region of the tests' numbers.
pub(crate) fn region() -> Region {
    "US".parse().unwrap()
}

/// The sandbox as a transport: what [`HttpTransport`](callcard::crm::http::HttpTransport) does over sockets, in the same process.
#[derive(Debug)]
struct InProcess(Router);

impl Transport for InProcess {
    fn send(&self, request: CrmRequest) -> BoxFuture<'_, Result<CrmResponse, TransportError>> {
        Box::pin(async move {
            let limit = request.timeout;
            timeout(limit, exchange(self.0.clone(), request)).await.unwrap_or(Err(TransportError::Timeout))
        })
    }
}

async fn exchange(router: Router, request: CrmRequest) -> Result<CrmResponse, TransportError> {
    use secrecy::ExposeSecret;

    let mut builder = Request::builder().method(request.method).uri(request.path_and_query);
    if let Some(token) = request.bearer {
        builder = builder.header(header::AUTHORIZATION, format!("Bearer {}", token.expose_secret()));
    }
    if request.json.is_some() {
        builder = builder.header(header::CONTENT_TYPE, "application/json");
    }
    let body = request.json.map_or_else(Body::empty, Body::from);
    let response = router.oneshot(builder.body(body).unwrap()).await.map_err(|never| match never {})?;
    let (parts, body) = response.into_parts();
    let text = |name| parts.headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let retry_after = text(header::RETRY_AFTER).and_then(|seconds| seconds.parse().ok()).map(Duration::from_secs);
    let content_type = text(header::CONTENT_TYPE);
    let is_gzip = text(header::CONTENT_ENCODING).is_some_and(|encoding| encoding == "gzip");
    Ok(CrmResponse { status: parts.status, content_type, retry_after, date: None, body: read(body, is_gzip).await? })
}

async fn read(mut body: Body, is_gzip: bool) -> Result<Bytes, TransportError> {
    let mut read = BytesMut::new();
    while let Some(frame) = body.frame().await {
        if let Ok(data) = frame.map_err(|_| TransportError::Connect)?.into_data() {
            read.extend_from_slice(&data);
        }
        if read.len() > MAX_BODY {
            return Err(TransportError::TooLarge);
        }
    }
    if is_gzip {
        let mut plain = Vec::new();
        flate2::read::GzDecoder::new(&read[..]).read_to_end(&mut plain).map_err(|_| TransportError::Unreadable)?;
        return Ok(plain.into());
    }
    Ok(read.freeze())
}

/// The longest anybody may wait, as a parameter.
pub(crate) fn patient() -> String {
    format!("&deadline_ms={}", lookup::LONGEST_DEADLINE.as_millis())
}
