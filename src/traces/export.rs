//! The way of finished spans to the receiver: a bounded queue, a thread of its own, OTLP over HTTP.
//!
//! It guarantees that no request waits for it: what does not fit the queue is dropped, and a receiver that is slow or gone costs one line
//! in the log when that begins and one when it ends. Addresses and headers are in no error and no log.

use std::collections::HashMap;
use std::fmt;
use std::sync::Mutex;
use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry::trace::TracerProvider;
use opentelemetry_otlp::{Compression, Protocol, SpanExporter as Otlp, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::{OTelSdkError, OTelSdkResult};
use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider, SpanData, SpanExporter};
use secrecy::{ExposeSecret, SecretString};
use tokio::time::Instant;
use url::Url;

use super::Tracer;

/// A trouble that comes and goes is told this often at most.
const TOLD_EVERY: Duration = Duration::from_secs(60);

/// Where traces go, and which.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The whole address, `/v1/traces` included.
    pub endpoint: Url,
    /// What the receiver wants to see, such as a key.
    pub headers: Vec<(String, SecretString)>,
    /// With gzip.
    pub compressed: bool,
    /// One attempt to send is over by then.
    pub timeout: Duration,
    /// Which traces are kept.
    pub sampling: Sampling,
    /// Who sends them: `service.name` and whatever else was given.
    pub resource: Vec<(String, String)>,
}

/// Which traces are kept: of those that begin here this share, from 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sampling {
    /// The share.
    pub ratio: f64,
    /// A caller that has decided already is followed.
    pub heed_caller: bool,
}

/// The exporter cannot be made.
#[derive(Debug, thiserror::Error)]
#[error("traces cannot be exported with these OTEL_ variables: {0}")]
pub struct SetupError(&'static str);

/// The running export. [`Export::close`] sends what is left.
pub struct Export(SdkTracerProvider);

impl fmt::Debug for Export {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Export")
    }
}

impl Export {
    /// Starts the thread that sends. Nothing is sent before there is a span.
    ///
    /// # Errors
    /// When a standard variable that only the exporter reads makes no sense to it, or TLS cannot be set up.
    pub fn start(settings: Settings) -> Result<Self, SetupError> {
        let Sampling { ratio, heed_caller } = settings.sampling;
        let root = Sampler::TraceIdRatioBased(ratio);
        let sampler = if heed_caller { Sampler::ParentBased(Box::new(root)) } else { root };
        let resource = settings.resource.iter().map(|(key, value)| KeyValue::new(key.clone(), value.clone()));
        let resource = Resource::builder().with_attributes(resource).build();
        let exporter = Telling { inner: exporter(settings)?, told: Mutex::default() };
        let provider =
            SdkTracerProvider::builder().with_sampler(sampler).with_resource(resource).with_batch_exporter(exporter);
        Ok(Self(provider.build()))
    }

    /// Opens spans that are exported here.
    #[must_use]
    pub fn tracer(&self) -> Tracer {
        Tracer::new(self.0.tracer("callcard"))
    }

    /// Sends what is left, for at most this long. Spans that end later are dropped.
    pub async fn close(self, limit: Duration) {
        let (closed, done) = tokio::sync::oneshot::channel();
        // A thread, not a blocking task: the runtime would wait for that one at its end, however long the receiver takes.
        std::thread::spawn(move || closed.send(self.0.shutdown_with_timeout(limit).is_ok()));
        if !matches!(tokio::time::timeout(limit, done).await, Ok(Ok(true))) {
            tracing::warn!("the last traces could not be sent before the end");
        }
    }
}

fn exporter(settings: Settings) -> Result<Otlp, SetupError> {
    let (timeout, compressed) = (settings.timeout, settings.compressed);
    // Its runtime must not be made, or dropped, on a thread of ours.
    let client = std::thread::spawn(move || client(timeout)).join().map_err(|_| SetupError("no HTTP client"))?;
    let client = client.map_err(|_| SetupError("no HTTP client can be made"))?;
    let headers: HashMap<_, _> =
        settings.headers.iter().map(|(name, value)| (name.clone(), value.expose_secret().to_owned())).collect();
    let exporter = Otlp::builder()
        .with_http()
        .with_http_client(client)
        .with_protocol(Protocol::HttpBinary)
        .with_endpoint(settings.endpoint)
        .with_timeout(timeout)
        .with_headers(headers);
    let exporter = if compressed { exporter.with_compression(Compression::Gzip) } else { exporter };
    exporter.build().map_err(|_| SetupError("an option is not supported"))
}

fn client(timeout: Duration) -> reqwest::Result<reqwest::blocking::Client> {
    // Refused if the process has a provider already, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::blocking::Client::builder()
        .user_agent(concat!("callcard/", env!("CARGO_PKG_VERSION")))
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .no_proxy()
        .timeout(timeout)
        .build()
}

/// Tells when the export begins to fail, and when it works again.
#[derive(Debug)]
struct Telling<E> {
    inner: E,
    told: Mutex<Told>,
}

#[derive(Debug, Default)]
struct Told {
    failing: bool,
    last: Option<Instant>,
}

impl<E> Telling<E> {
    fn tell(&self, result: &OTelSdkResult) {
        let mut told = self.told.lock().expect("nothing panics while it is held");
        let now = Instant::now();
        match result {
            Ok(()) if told.failing => {
                told.failing = false;
                tracing::info!("traces are exported again");
            }
            Err(error) if !told.failing && told.last.is_none_or(|last| now >= last + TOLD_EVERY) => {
                *told = Told { failing: true, last: Some(now) };
                tracing::warn!(error = word(error), "traces cannot be exported, and are dropped");
            }
            _ => {}
        }
    }
}

/// The error's own text may hold the address.
const fn word(error: &OTelSdkError) -> &'static str {
    match error {
        OTelSdkError::Timeout(_) => "timeout",
        OTelSdkError::AlreadyShutdown => "closed",
        OTelSdkError::InternalFailure(_) => "not taken by the receiver, or no connection",
    }
}

impl<E: SpanExporter> SpanExporter for Telling<E> {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let result = self.inner.export(batch).await;
        self.tell(&result);
        result
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.inner.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.inner.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.inner.set_resource(resource);
    }
}
