//! Where to listen, to whom to answer, how to stop.

use std::net::SocketAddr;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};

use super::reader::Reader;
use super::variable::variables;
use crate::http::Keys;

variables! { "Listeners":
    /// Address and port of the lookup listener
    LISTEN = "CALLCARD_LISTEN" as "ADDRESS" or "127.0.0.1:8080";
    /// Address and port of the admin listener: metrics, probes, cache administration
    ADMIN_LISTEN = "CALLCARD_ADMIN_LISTEN" as "ADDRESS" or "127.0.0.1:9090";
    /// `keys`: callers need one of `CALLCARD_API_KEYS`. `none`: everybody may ask; has to be said to listen beyond loopback without keys.
    /// Left out, it is `keys` as soon as there are any
    AUTH = "CALLCARD_AUTH" as "keys|none";
    /// Who may ask: `name:scope:key`, separated by commas. The key is plain or `sha256:<hex>`; the scope is `text`, `lookup` or `admin`,
    /// each including the ones before it
    API_KEYS = secret "CALLCARD_API_KEYS" as "KEYS";
    /// After a stop signal, still serve but be unready for this long, so that the load balancer notices first: one probe period
    DRAIN_DELAY = "CALLCARD_DRAIN_DELAY" as "DURATION" or "1s";
    /// After that, let requests in flight take this long
    DRAIN_TIMEOUT = "CALLCARD_DRAIN_TIMEOUT" as "DURATION" or "10s";
}

/// Where to listen, to whom to answer, how to stop.
pub(super) struct Listen {
    pub(super) lookup: SocketAddr,
    pub(super) admin: SocketAddr,
    /// Without any, everybody may ask.
    pub(super) keys: Keys,
    pub(super) drain_delay: Duration,
    pub(super) drain_timeout: Duration,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Auth {
    Keys,
    None,
}

impl Listen {
    pub(super) fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let (lookup, admin) = (reader.required(&LISTEN, parse_address), Self::read_admin(reader));
        let keys = read_keys(reader, lookup);
        let delay = reader.duration(&DRAIN_DELAY, Duration::ZERO..=Duration::from_secs(300));
        let timeout = reader.duration(&DRAIN_TIMEOUT, Duration::ZERO..=Duration::from_secs(300));
        if lookup == admin && lookup.is_some_and(|address| address.port() != 0) {
            return reader.fault(&ADMIN_LISTEN, format!("is the same address as {}", LISTEN.name));
        }
        Some(Self {
            lookup: lookup?,
            admin: admin?,
            keys: parse_keys(reader, keys?.as_ref())?,
            drain_delay: delay?,
            drain_timeout: timeout?,
        })
    }

    pub(super) fn read_admin(reader: &mut Reader<'_>) -> Option<SocketAddr> {
        reader.required(&ADMIN_LISTEN, parse_address)
    }
}

/// The keys, if callers need them. Contact data must not be open to a network by accident.
fn read_keys(reader: &mut Reader<'_>, lookup: Option<SocketAddr>) -> Option<Option<SecretString>> {
    let auth = match reader.is_set(&AUTH) {
        true => Some(reader.choice(&AUTH, &[("keys", Auth::Keys), ("none", Auth::None)])?),
        false => None,
    };
    let keys = reader.secret(&API_KEYS)?;
    let beyond_loopback = lookup.is_some_and(|address| !address.ip().to_canonical().is_loopback());
    match (auth, &keys) {
        (Some(Auth::Keys), None) => {
            reader.fault(&API_KEYS, format!("must be set: {}=keys asks for keys and there are none", AUTH.name))
        }
        (Some(Auth::None), Some(_)) => {
            reader.fault(&AUTH, format!("\"none\" contradicts {}, which is set; keep one", API_KEYS.name))
        }
        (None, None) if beyond_loopback => reader.fault(
            &AUTH,
            format!(
                "must be set: {} is reachable beyond this machine and there are no keys; set {}, or say {}=none to answer everybody",
                LISTEN.name, API_KEYS.name, AUTH.name
            ),
        ),
        _ => Some(keys),
    }
}

/// Each entry that is wrong is a fault of its own; none of them repeats any part of it.
fn parse_keys(reader: &mut Reader<'_>, keys: Option<&SecretString>) -> Option<Keys> {
    let text = keys.map_or("", |keys| keys.expose_secret());
    match Keys::parse(text) {
        // Nothing but commas would otherwise answer everybody.
        Ok(parsed) if parsed.is_empty() && keys.is_some() => reader.fault(&API_KEYS, "holds no key"),
        Ok(parsed) => Some(parsed),
        Err(faults) => {
            for fault in faults {
                reader.fault::<()>(&API_KEYS, fault.to_string());
            }
            None
        }
    }
}

fn parse_address(text: &str) -> Result<SocketAddr, &'static str> {
    text.parse().map_err(|_| "is not an address with a port, such as 127.0.0.1:8080 or [::]:8080")
}
