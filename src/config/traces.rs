//! Where traces go: OpenTelemetry's standard variables, with their standard meanings.

use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use url::Url;

use super::reader::{Reader, one_of};
use super::variable::variables;
use crate::traces::{Sampling, Settings};

variables! { "Traces":
    /// The OpenTelemetry receiver; traces go to `/v1/traces` below it. Without it, or the next, there are none
    ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT" as "URL";
    /// The whole address for traces, if it is another one
    TRACES_ENDPOINT = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT" as "URL";
    /// How they are sent; only `http/protobuf` is built in
    PROTOCOL = "OTEL_EXPORTER_OTLP_PROTOCOL" as "PROTOCOL" or "http/protobuf";
    /// The same, for traces alone
    TRACES_PROTOCOL = "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL" as "PROTOCOL";
    /// Whether they are compressed
    COMPRESSION = "OTEL_EXPORTER_OTLP_COMPRESSION" as "gzip|none" or "none";
    /// The same, for traces alone
    TRACES_COMPRESSION = "OTEL_EXPORTER_OTLP_TRACES_COMPRESSION" as "gzip|none";
    /// Headers for the receiver, such as its key: `name=value,name=value`, values percent-encoded
    HEADERS = secret "OTEL_EXPORTER_OTLP_HEADERS" as "LIST";
    /// One attempt to send is given up after this, in milliseconds
    TIMEOUT = "OTEL_EXPORTER_OTLP_TIMEOUT" as "MILLISECONDS" or "10000";
    /// `none` switches traces off, whatever else is set
    EXPORTER = "OTEL_TRACES_EXPORTER" as "otlp|none" or "otlp";
    /// What the service is called there
    SERVICE_NAME = "OTEL_SERVICE_NAME" as "NAME";
    /// What else is said of it: `name=value,name=value`, values percent-encoded
    RESOURCE = "OTEL_RESOURCE_ATTRIBUTES" as "LIST";
    /// Which traces are kept: `always_on`, `always_off`, `traceidratio`, or one of them with `parentbased_` before it, which follows a caller that has decided already
    SAMPLER = "OTEL_TRACES_SAMPLER" as "SAMPLER" or "parentbased_always_on";
    /// The share of traces that a ratio keeps, from 0 to 1
    SAMPLER_ARG = "OTEL_TRACES_SAMPLER_ARG" as "RATIO" or "1";
    /// `true` switches traces off, whatever else is set
    DISABLED = "OTEL_SDK_DISABLED" as "true|false" or "false";
}

/// Whether it is one.
const COMPRESSIONS: [(&str, bool); 2] = [("gzip", true), ("none", false)];

/// What the sampler's names mean, but for the share.
const SAMPLERS: [(&str, (Option<f64>, bool)); 6] = [
    ("always_on", (Some(1.0), false)),
    ("always_off", (Some(0.0), false)),
    ("traceidratio", (None, false)),
    ("parentbased_always_on", (Some(1.0), true)),
    ("parentbased_always_off", (Some(0.0), true)),
    ("parentbased_traceidratio", (None, true)),
];

/// Platforms set some of these for every program they run, so nothing is wrong with any of them while there is no address to send to.
pub(super) fn read(reader: &mut Reader<'_>) -> Option<Option<Settings>> {
    let off = reader.choice(&DISABLED, &[("true", true), ("false", false)])?
        | reader.choice(&EXPORTER, &[("none", true), ("otlp", false)])?;
    let (base, whole) = (reader.optional(&ENDPOINT, address)?, reader.optional(&TRACES_ENDPOINT, address)?);
    let Some(endpoint) = whole.or_else(|| base.map(|base| below(&base))).filter(|_| !off) else { return Some(None) };
    let protocols = (reader.required(&PROTOCOL, protocol), reader.optional(&TRACES_PROTOCOL, protocol));
    let compressions = (
        reader.choice(&COMPRESSION, &COMPRESSIONS),
        reader.optional(&TRACES_COMPRESSION, |text| one_of(&COMPRESSIONS, text)),
    );
    let headers = reader.secret(&HEADERS);
    let timeout = reader.within::<u64>(&TIMEOUT, "a number of milliseconds", 1..=60_000);
    let attributes = reader.optional(&RESOURCE, pairs);
    let name = reader.optional(&SERVICE_NAME, |name| Ok::<_, String>(name.to_owned()));
    let sampler = reader.choice(&SAMPLER, &SAMPLERS);
    let ratio = reader.within(&SAMPLER_ARG, "a number", 0.0..=1.0);
    let headers = match headers? {
        Some(text) => match headers_of(&text) {
            Some(headers) => headers,
            None => return reader.fault(&HEADERS, "is not a list of name=value with the names and values of headers"),
        },
        None => Vec::new(),
    };
    protocols.0?;
    protocols.1?;
    let (compressed, traces_compressed) = (compressions.0?, compressions.1?);
    let (share, heed_caller) = sampler?;
    Some(Some(Settings {
        endpoint,
        headers,
        compressed: traces_compressed.unwrap_or(compressed),
        timeout: Duration::from_millis(timeout?),
        sampling: Sampling { ratio: share.unwrap_or(ratio?), heed_caller },
        resource: resource(name?, attributes?.unwrap_or_default()),
    }))
}

/// The service's name by its own variable, else among the attributes, else ours.
fn resource(name: Option<String>, mut attributes: Vec<(String, String)>) -> Vec<(String, String)> {
    let is_named = |attributes: &[(String, String)]| attributes.iter().any(|(key, _)| key == "service.name");
    if let Some(name) = name {
        attributes.retain(|(key, _)| key != "service.name");
        attributes.push(("service.name".to_owned(), name));
    } else if !is_named(&attributes) {
        attributes.push(("service.name".to_owned(), "callcard".to_owned()));
    }
    attributes.push(("service.version".to_owned(), env!("CARGO_PKG_VERSION").to_owned()));
    attributes
}

fn address(text: &str) -> Result<Url, &'static str> {
    let url: Url = text.parse().map_err(|_| "is not an address")?;
    let usable = matches!(url.scheme(), "http" | "https") && url.username().is_empty() && url.password().is_none();
    if usable { Ok(url) } else { Err("is not an http or https address without a user") }
}

fn below(base: &Url) -> Url {
    let mut url = base.clone();
    url.set_path(&format!("{}/v1/traces", base.path().trim_end_matches('/')));
    url
}

fn protocol(text: &str) -> Result<(), &'static str> {
    if text == "http/protobuf" {
        Ok(())
    } else {
        Err("is not supported: only http/protobuf is, on most receivers at port 4318")
    }
}

fn headers_of(text: &SecretString) -> Option<Vec<(String, SecretString)>> {
    let pairs = pairs(text.expose_secret()).ok()?;
    let usable = |(name, value): &(String, String)| {
        http::HeaderName::try_from(name).is_ok() && http::HeaderValue::try_from(value).is_ok()
    };
    pairs.iter().all(usable).then(|| pairs.into_iter().map(|(name, value)| (name, value.into())).collect())
}

/// W3C baggage without its properties: `name=value,name=value`.
fn pairs(text: &str) -> Result<Vec<(String, String)>, &'static str> {
    let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
    let pair = |part: &str| {
        let (name, value) = part.split_once('=')?;
        let value = percent_encoding::percent_decode_str(value.trim()).decode_utf8().ok()?;
        (!name.trim().is_empty()).then(|| (name.trim().to_owned(), value.into_owned()))
    };
    parts.map(pair).collect::<Option<_>>().ok_or("is not a list of name=value")
}
