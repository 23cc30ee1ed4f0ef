//! The service in this process, put up and taken down.
//!
//! It is the one that `serve` runs, from the same texts; only the times that it needs minutes for are scaled to the run.

use std::net::SocketAddr;
use std::time::Duration;

use callcard::app::App;
use callcard::config::{Config, Strings};
use callcard::crm::gate::Backoff;
use callcard::http::Drained;
use callcard::sandbox::Sandbox;
use tokio::runtime::{Handle, Runtime};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::crm::{Crm, UPSTREAM_RATE};
use super::schedule::Times;

pub(crate) const SOFT_DEADLINE: Duration = Duration::from_millis(300);
pub(crate) const DEADLINE: Duration = Duration::from_millis(1_500);

/// Everything that is not the callers.
pub(crate) struct Stand {
    pub(crate) lookup: SocketAddr,
    pub(crate) admin: SocketAddr,
    pub(crate) crm: Crm,
    service: JoinHandle<Drained>,
    stop: CancellationToken,
    runtime: Handle,
}

impl Stand {
    pub(crate) fn put_up(service: &Runtime, crm: &Runtime, times: &Times) -> Self {
        let crm = Crm::open(crm.handle().clone());
        let config = configure(crm.address, &crm.sandbox, times);
        let app = service.block_on(App::build(config)).expect("ports are free and loopback is there");
        let (lookup, admin) = (app.lookup_address(), app.admin_address());
        let stop = CancellationToken::new();
        let stopped = stop.clone().cancelled_owned();
        let (runtime, service) = (service.handle().clone(), service.spawn(app.run(stopped)));
        Self { lookup, admin, crm, service, stop, runtime }
    }

    pub(crate) fn take_down(mut self) {
        self.stop.cancel();
        let drained = self.runtime.block_on(self.service).expect("the service does not panic");
        assert_eq!(drained, Drained::Complete, "every connection ends when nobody calls");
        self.crm.go();
    }
}

fn configure(crm: SocketAddr, sandbox: &Sandbox, times: &Times) -> Config {
    let token = sandbox.settings().token.clone();
    let millis = |time: Duration| format!("{}ms", time.as_millis());
    let strings = Strings::of(|variable| match variable {
        "CALLCARD_LISTEN" | "CALLCARD_ADMIN_LISTEN" => Some("127.0.0.1:0".to_owned()),
        "CALLCARD_KOMMO_URL" => Some(format!("http://{crm}")),
        "CALLCARD_KOMMO_TOKEN" => Some(token.clone()),
        "CALLCARD_SEARCH" => Some("digits".to_owned()),
        "CALLCARD_UPSTREAM_RATE" => Some(UPSTREAM_RATE.to_string()),
        "CALLCARD_KNOWN_FRESH" => Some(millis(times.unit)),
        "CALLCARD_UNKNOWN_FRESH" => Some(millis(times.unit / 2)),
        "CALLCARD_SOFT_DEADLINE" => Some(millis(SOFT_DEADLINE)),
        "CALLCARD_DEADLINE" => Some(millis(DEADLINE)),
        "CALLCARD_DRAIN_DELAY" => Some("0s".to_owned()),
        _ => None,
    });
    let mut config = Config::check(&strings).expect("the soak's own configuration is right");
    let backend = &mut config.backend;
    let suspension = Backoff { first: times.longest_suspension() / 4, most: times.longest_suspension() };
    backend.gate.breaker.failures_for = suspension;
    backend.gate.breaker.blocked_for = suspension;
    backend.gate.pause = suspension;
    backend.client.request_timeout = times.longest_request();
    (backend.cache.hold_first, backend.cache.hold_most) = (suspension.first, suspension.most);
    config
}
