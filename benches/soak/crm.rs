//! The stand-in CRM on its socket, and the trouble it is made to have.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use callcard::sandbox::{Call, Sandbox, Settings};
use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::judge::Promise;
use super::schedule::{Phase, Trouble};
use super::tally::Row;

const CONTACTS: u64 = 2_000;
/// What the CRM allows a second, and what the service is told to use of it.
const CRM_RATE: u32 = 7;
pub(crate) const UPSTREAM_RATE: u32 = 6;

/// The CRM's listener, which can go away and come back at its address.
pub(crate) struct Crm {
    pub(crate) sandbox: Sandbox,
    pub(crate) address: SocketAddr,
    runtime: Handle,
    serving: Option<(CancellationToken, JoinHandle<()>)>,
    /// When the phase began.
    since: Instant,
}

impl Crm {
    pub(crate) fn open(runtime: Handle) -> Self {
        let sandbox = Sandbox::new(Settings { contacts: CONTACTS, rate: Some(CRM_RATE), ..Settings::default() });
        let anywhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let mut crm = Self { sandbox, address: anywhere, runtime, serving: None, since: Instant::now() };
        crm.come_back();
        crm
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
            Trouble::Gone => self.go(),
            _ => self.come_back(),
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

    pub(crate) fn go(&mut self) {
        if let Some((stop, task)) = self.serving.take() {
            stop.cancel();
            self.runtime.block_on(task).expect("the sandbox does not panic");
        }
    }
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
