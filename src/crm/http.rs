//! The wire in production: HTTP/1.1 over TLS with reqwest.
//!
//! It guarantees that a request is over in time, that a body is bounded after decompression whatever its headers say, and that the
//! token goes to the configured host only: the address of a request is the base address with another path, and redirects are not
//! followed. No address, token or body appears in its errors and logs.

use std::error::Error as StdError;
use std::fmt;
use std::time::{Duration, SystemTime};

use bytes::{Bytes, BytesMut};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use http::header::{AUTHORIZATION, CONTENT_TYPE, DATE, HeaderMap, HeaderValue, RETRY_AFTER};
use reqwest::{Client, RequestBuilder, Response};
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use super::{CrmRequest, CrmResponse, Transport, TransportError};

/// How the CRM's host is reached.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `https://acme.kommo.com`; a path is kept as a prefix.
    pub base: Url,
    /// TCP and TLS are up by then. Default 2 s.
    pub connect_timeout: Duration,
    /// No two pieces of an answer are further apart than this. Default 15 s: each request has its own, shorter limit, but for a renewal of
    /// tokens, whose answer must not be lost to impatience.
    pub read_timeout: Duration,
    /// An unused connection is kept this long; the CRM's edge closes them a little later. Default 30 s.
    pub pool_idle_timeout: Duration,
    /// The largest body read, decompressed. Default 4 MiB: sixteen kilobytes for each of 250 contacts.
    pub max_body: usize,
}

impl Settings {
    /// The defaults, for this host.
    #[must_use]
    pub fn new(base: Url) -> Self {
        Self {
            base,
            connect_timeout: Duration::from_secs(2),
            read_timeout: Duration::from_secs(15),
            pool_idle_timeout: Duration::from_secs(30),
            max_body: 4 << 20,
        }
    }
}

/// Why the transport cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// The base address cannot be one.
    #[error("the CRM's address {0}")]
    Base(&'static str),
    /// TLS could not be set up: most likely the machine has no certificate store.
    #[error("the HTTP client could not be made")]
    Client(#[source] reqwest::Error),
}

/// Sends requests to one host.
pub struct HttpTransport {
    client: Client,
    base: Url,
    max_body: usize,
}

impl fmt::Debug for HttpTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpTransport").field("host", &self.base.host_str()).finish_non_exhaustive()
    }
}

impl HttpTransport {
    /// A transport to the host of the base address. Connections are made when needed.
    ///
    /// # Errors
    /// When the address is not an http(s) one without user, query and fragment, or TLS cannot be set up.
    pub fn new(settings: Settings) -> Result<Self, SetupError> {
        let Settings { base, connect_timeout, read_timeout, pool_idle_timeout, max_body } = settings;
        check(&base)?;
        // Refused if the process has a provider already, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder()
            .user_agent(concat!("callcard/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .referer(false)
            .no_proxy()
            .connect_timeout(connect_timeout)
            .read_timeout(read_timeout)
            .pool_idle_timeout(pool_idle_timeout)
            .build()
            .map_err(SetupError::Client)?;
        Ok(Self { client, base, max_body })
    }

    async fn exchange(&self, request: CrmRequest) -> Result<CrmResponse, TransportError> {
        let response = self.prepare(request)?.send().await.map_err(|error| failure(&error))?;
        let status = response.status();
        let content_type = header(response.headers(), &CONTENT_TYPE).map(str::to_owned);
        let retry_after = header(response.headers(), &RETRY_AFTER).and_then(|value| pause(value, SystemTime::now()));
        let date = header(response.headers(), &DATE).and_then(|value| httpdate::parse_http_date(value).ok());
        let request_id = header(response.headers(), "x-request-id").unwrap_or_default().to_owned();
        let body = self.body(response).await?;
        // The CRM's support asks for this id.
        tracing::debug!(upstream.status = status.as_u16(), upstream.request_id = request_id, "the CRM answered");
        Ok(CrmResponse { status, content_type, retry_after, date, body })
    }

    fn prepare(&self, request: CrmRequest) -> Result<RequestBuilder, TransportError> {
        let CrmRequest { method, path_and_query, bearer, json, traceparent, timeout } = request;
        let mut builder = self.client.request(method, self.address(&path_and_query)).timeout(timeout);
        if let Some(token) = bearer {
            builder = builder.header(AUTHORIZATION, authorization(&token)?);
        }
        if let Some(traceparent) = traceparent {
            builder = builder.header("traceparent", traceparent);
        }
        if let Some(json) = json {
            builder = builder.header(CONTENT_TYPE, "application/json").body(json);
        }
        Ok(builder)
    }

    /// The base address with this path and query. Only these two are set, so the host cannot become another one.
    fn address(&self, path_and_query: &str) -> Url {
        let (path, query) = match path_and_query.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (path_and_query, None),
        };
        let mut address = self.base.clone();
        address.set_path(&format!("{}{path}", self.base.path().trim_end_matches('/')));
        address.set_query(query);
        address
    }

    /// Reads piece by piece, so that a body is refused as soon as it is too long, whether its headers said so or not.
    async fn body(&self, mut response: Response) -> Result<Bytes, TransportError> {
        let mut body = BytesMut::new();
        while let Some(piece) = response.chunk().await.map_err(|error| failure(&error))? {
            if body.len() + piece.len() > self.max_body {
                return Err(TransportError::TooLarge);
            }
            body.extend_from_slice(&piece);
        }
        Ok(body.freeze())
    }
}

impl Transport for HttpTransport {
    fn send(&self, request: CrmRequest) -> BoxFuture<'_, Result<CrmResponse, TransportError>> {
        self.exchange(request).boxed()
    }
}

fn check(base: &Url) -> Result<(), SetupError> {
    let fault = if !matches!(base.scheme(), "http" | "https") {
        "is not an http or https address"
    } else if !base.username().is_empty() || base.password().is_some() {
        "holds a user or password"
    } else if base.query().is_some() || base.fragment().is_some() {
        "holds a query or fragment"
    } else {
        return Ok(());
    };
    Err(SetupError::Base(fault))
}

fn authorization(token: &SecretString) -> Result<HeaderValue, TransportError> {
    let mut value =
        HeaderValue::try_from(format!("Bearer {}", token.expose_secret())).map_err(|_| TransportError::Unreadable)?;
    value.set_sensitive(true);
    Ok(value)
}

fn header(headers: &HeaderMap, name: impl http::header::AsHeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}

/// `Retry-After` in either of its forms; a date that has passed is no pause.
fn pause(value: &str, now: SystemTime) -> Option<Duration> {
    match value.trim().parse() {
        Ok(seconds) => Some(Duration::from_secs(seconds)),
        Err(_) => httpdate::parse_http_date(value.trim()).ok()?.duration_since(now).ok(),
    }
}

/// What a failed exchange means. A connection that was not made in time is a connection that was not made.
fn failure(error: &reqwest::Error) -> TransportError {
    log(error);
    let hyper = cause::<hyper::Error>(error);
    if error.is_connect() {
        TransportError::Connect
    } else if error.is_timeout() {
        TransportError::Timeout
    } else if hyper.is_some_and(hyper::Error::is_parse) || (hyper.is_none() && error.is_decode()) {
        TransportError::Unreadable
    } else {
        TransportError::Connect
    }
}

/// The error itself is left out of the log, as reqwest's may hold the address; its causes hold operations and hosts.
fn log(error: &reqwest::Error) {
    let causes = causes(error).filter(|cause| !cause.is::<reqwest::Error>());
    let causes: Vec<_> = causes.map(ToString::to_string).collect();
    tracing::debug!(causes = causes.join(": "), "an exchange with the CRM failed");
}

fn causes<'a>(error: &'a (dyn StdError + 'static)) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |&error| error.source())
}

fn cause<'a, E: StdError + 'static>(error: &'a (dyn StdError + 'static)) -> Option<&'a E> {
    causes(error).find_map(|cause| cause.downcast_ref())
}

#[cfg(test)]
mod tests;
