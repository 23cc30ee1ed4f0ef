//! The service and the CRM, put up and taken down.
//!
//! The service is the one that `serve` runs, from the same texts; only the times that it needs minutes for are scaled to the run.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use callcard::app::App;
use callcard::config::{Config, Strings};
use callcard::crm::gate::Backoff;
use callcard::http::Drained;
use callcard::sandbox::{Call, Sandbox, Settings};
use tokio::net::TcpListener;
use tokio::runtime::{Handle, Runtime};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::judge::Promise;
use super::schedule::{Phase, Times, Trouble};
use super::tally::Row;

const CONTACTS: u64 = 2_000;
/// What the CRM allows a second, and what the service is told to use of it.
const CRM_RATE: u32 = 7;
const UPSTREAM_RATE: u32 = 6;
pub(crate) const SOFT_DEADLINE: Duration = Duration::from_millis(300);
pub(crate) const DEADLINE: Duration = Duration::from_millis(1_500);

/// Everything that is not the callers.
pub(crate) struct Stand {
    pub(crate) sandbox: Sandbox,
    pub(crate) lookup: SocketAddr,
    pub(crate) admin: SocketAddr,
    crm: Crm,
    service: JoinHandle<Drained>,
    stop: CancellationToken,
    runtime: Handle,
    /// When the phase began.
    since: Instant,
}

/// The CRM's listener, which can go away and come back at its address.
struct Crm {
    sandbox: Sandbox,
    address: SocketAddr,
    runtime: Handle,
    serving: Option<(CancellationToken, JoinHandle<()>)>,
}

impl Stand {
    pub(crate) fn put_up(service: &Runtime, crm: &Runtime, times: &Times) -> Self {
        let settings = Settings { contacts: CONTACTS, rate: Some(CRM_RATE), ..Settings::default() };
        let sandbox = Sandbox::new(settings);
        let crm = Crm::open(sandbox.clone(), crm.handle().clone());
        let config = configure(crm.address, &sandbox, times);
        let app = service.block_on(App::build(config)).expect("ports are free and loopback is there");
        let (lookup, admin) = (app.lookup_address(), app.admin_address());
        let stop = CancellationToken::new();
        let stopped = stop.clone().cancelled_owned();
        let (runtime, service) = (service.handle().clone(), service.spawn(app.run(stopped)));
        Self { sandbox, lookup, admin, crm, service, stop, runtime, since: Instant::now() }
    }

    /// Ends the trouble there was and begins another.
    pub(crate) fn suffer(&mut self, trouble: Trouble) {
        self.sandbox.clear_faults();
        self.sandbox.unblock();
        trouble.rules().into_iter().for_each(|rule| self.sandbox.inject(rule));
        if trouble == Trouble::Blocked {
            self.sandbox.block(IpAddr::V4(Ipv4Addr::LOCALHOST));
        }
        match trouble {
            Trouble::Gone => self.crm.go(),
            _ => self.crm.come_back(),
        }
        self.since = Instant::now();
    }

    /// Adds what the CRM saw of a phase that is over.
    pub(crate) fn account_for(&self, row: Arc<Mutex<Row>>, phase: &Phase) -> Arc<Mutex<Row>> {
        let calls = self.sandbox.calls();
        let mine = calls.iter().filter(|call| call.at >= self.since).count();
        let worst = worst_second(&calls, self.since);
        let recovered = calls.iter().find(|call| call.at >= self.since && is_success(call));
        let recovered = recovered.map(|call| call.at - self.since);
        let mut tally = row.lock().expect("no caller panics");
        tally.crm(mine, worst, phase.recovery.and(recovered));
        if worst > UPSTREAM_RATE as usize + 1 {
            tally.broke(Promise::Quota, format!("{worst} calls reached the CRM within a second"));
        }
        if let Some(most) = phase.recovery {
            if recovered.is_none_or(|after| after > most) {
                let how = format!("the first good call came after {recovered:?}, not within {most:?}");
                tally.broke(Promise::Recovery, how);
            }
            if !tally.was_useful() {
                tally.broke(Promise::Useful, "more than half of the callers were refused".to_owned());
            }
        }
        drop(tally);
        row
    }

    pub(crate) fn take_down(mut self) {
        self.stop.cancel();
        let drained = self.runtime.block_on(self.service).expect("the service does not panic");
        assert_eq!(drained, Drained::Complete, "every connection ends when nobody calls");
        self.crm.go();
    }
}

impl Crm {
    fn open(sandbox: Sandbox, runtime: Handle) -> Self {
        let anywhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let mut crm = Self { sandbox, address: anywhere, runtime, serving: None };
        crm.come_back();
        crm
    }

    fn come_back(&mut self) {
        if self.serving.is_some() {
            return;
        }
        let listener = self.runtime.block_on(TcpListener::bind(self.address)).expect("the address is still ours");
        self.address = listener.local_addr().expect("a bound socket has an address");
        let (sandbox, stop) = (self.sandbox.clone(), CancellationToken::new());
        let stopped = stop.clone().cancelled_owned();
        let task = self.runtime.spawn(async move { sandbox.serve(listener, stopped).await });
        self.serving = Some((stop, task));
    }

    fn go(&mut self) {
        if let Some((stop, task)) = self.serving.take() {
            stop.cancel();
            self.runtime.block_on(task).expect("the sandbox does not panic");
        }
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

const fn is_success(call: &Call) -> bool {
    matches!(call.status, 200 | 204)
}

/// The most arrivals within any second, both ends included, that ends after `since`.
fn worst_second(calls: &[Call], since: Instant) -> usize {
    let ends = calls.iter().enumerate().filter(|(_, call)| call.at >= since);
    let within = |(end, last): (usize, &Call)| {
        calls[..=end].iter().rev().take_while(|call| last.at - call.at <= Duration::from_secs(1)).count()
    };
    ends.map(within).max().unwrap_or_default()
}
