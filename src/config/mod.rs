//! From what was typed to a configuration that can be run: texts in, every component's settings out, or every fault at once.
//!
//! Two stages, so that each can be wrong in its own way only: [`Strings`] is what was given, by flag, by environment or by a test;
//! [`Config`] is what it means, checked one by one and against each other. One file a topic, each with its variables, what they become
//! and the rules among them. What is declared here but not built yet is refused, never silently ignored.

mod backend;
mod crm;
mod directory;
mod listen;
mod log;
mod lookup;
mod reader;
mod shared;
mod strings;
mod traces;
mod variable;
mod webhooks;

pub use backend::Backend;
pub use reader::{Fault, Faults};
pub use strings::Strings;
pub use variable::{Topic, Variable};

use std::net::SocketAddr;
use std::time::Duration;

use listen::Listen;
use reader::Reader;
use secrecy::SecretString;

use crate::crm::WebLinks;
use crate::{http, telemetry};

/// A configuration that has passed every check: every component's settings, and what only the composition root needs.
#[derive(Debug)]
pub struct Config {
    /// The lookup listener.
    pub listen: SocketAddr,
    /// The admin listener.
    pub admin_listen: SocketAddr,
    /// After a stop signal, how long to be unready but still serve.
    pub drain_delay: Duration,
    /// Bounds of both listeners.
    pub server: http::ServerSettings,
    /// Who may ask, and what the endpoints say of the deployment.
    pub http: http::Settings,
    /// Everything behind the endpoints.
    pub backend: Backend,
    /// How to log.
    pub telemetry: telemetry::Settings,
    /// Where traces go, if anywhere.
    pub traces: Option<crate::traces::Settings>,
    /// What is odd but not wrong; to be logged at start.
    pub warnings: Vec<Fault>,
}

impl Config {
    /// Everything the service needs.
    ///
    /// # Errors
    /// Every fault, each with its variable.
    pub fn check(strings: &Strings) -> Result<Self, Faults> {
        let ((listen, backend, webhook_secret, telemetry, traces), warnings) = Reader::run(strings, |reader| {
            let (listen, backend) = (Listen::read(reader), Backend::read(reader));
            let webhook_secret = webhooks::read(reader);
            let (telemetry, traces) = (log::read(reader), traces::read(reader));
            Some((listen?, backend?, webhook_secret?, telemetry?, traces?))
        })?;
        let Listen { lookup, admin, keys, drain_delay, drain_timeout } = listen;
        Ok(Self {
            listen: lookup,
            admin_listen: admin,
            drain_delay,
            server: http::ServerSettings { drain_timeout, ..http::ServerSettings::default() },
            http: http::Settings {
                keys,
                webhook_secret,
                ..http::Settings::new(backend.lookup.region, WebLinks::new(&backend.web_url))
            },
            backend,
            telemetry,
            traces,
            warnings,
        })
    }
}

/// Only where the admin listener is: what a probe from outside needs.
///
/// # Errors
/// Every fault, each with its variable.
pub fn admin_listen(strings: &Strings) -> Result<SocketAddr, Faults> {
    Reader::run(strings, Listen::read_admin).map(|(address, _)| address)
}

/// Only what is behind the endpoints: a lookup straight to the CRM does not mind the listeners' faults.
///
/// # Errors
/// Every fault, each with its variable.
pub fn backend(strings: &Strings) -> Result<Backend, Faults> {
    Reader::run(strings, Backend::read).map(|(backend, _)| backend)
}

/// What managing the subscription to webhooks takes: the CRM, and the secret of their address.
///
/// # Errors
/// Every fault, each with its variable.
pub fn webhooks(strings: &Strings) -> Result<(Backend, SecretString), Faults> {
    let read = |reader: &mut Reader<'_>| {
        let (backend, secret) = (Backend::read(reader), webhooks::required(reader));
        Some((backend?, secret?))
    };
    Reader::run(strings, read).map(|(both, _)| both)
}

/// What is behind the endpoints, with a mirror at the configured place whether or not a service is to have one.
///
/// # Errors
/// Every fault, each with its variable.
pub fn mirrored(strings: &Strings) -> Result<Backend, Faults> {
    Reader::run(strings, Backend::read_mirrored).map(|(backend, _)| backend)
}

/// Only how to log.
///
/// # Errors
/// Every fault, each with its variable.
pub fn telemetry(strings: &Strings) -> Result<telemetry::Settings, Faults> {
    Reader::run(strings, log::read).map(|(settings, _)| settings)
}

/// Every variable by topic, in the order of `--help`.
#[must_use]
pub const fn topics() -> &'static [Topic] {
    &[
        listen::TOPIC,
        crm::TOPIC,
        lookup::TOPIC,
        webhooks::TOPIC,
        shared::TOPIC,
        directory::TOPIC,
        log::TOPIC,
        traces::TOPIC,
    ]
}

#[cfg(test)]
mod tests;
