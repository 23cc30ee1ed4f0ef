//! Brings webhooks to their destinations: one try at once, up to four more, and none at all once a subscription has failed too often.
//!
//! Destinations are plain `http://` addresses; anything else counts as unreachable.

use std::pin::pin;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST, USER_AGENT};
use http::{Method, Request, Uri};
use http_body_util::Full;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};

use super::Sandbox;
use super::notice::Notice;
use super::webhooks::{Hooks, Webhook};

/// Pauses before the second to the fifth try.
const PAUSES: [Duration; 4] =
    [Duration::from_mins(5), Duration::from_mins(15), Duration::from_mins(15), Duration::from_hours(1)];
/// How long an invalid answer is held against a subscription.
const WINDOW: Duration = Duration::from_hours(2);

/// Sends the notices to everybody who asked for them.
pub(super) fn dispatch(sandbox: &Sandbox, notices: Vec<Notice>) {
    let settings = sandbox.settings();
    for notice in notices {
        let body = notice.body(&settings.subdomain);
        let copies = if settings.webhooks.duplicate { 2 } else { 1 };
        let interested = sandbox.hooks().interested(&notice);
        for (subscription, destination) in interested {
            let webhook = Webhook { destination, body: body.clone() };
            for _ in 0..copies {
                let number = sandbox.hooks().count(&webhook, settings.webhooks.deliver);
                if settings.webhooks.deliver {
                    tokio::spawn(deliver(sandbox.clone(), subscription, webhook.clone(), number));
                }
            }
        }
    }
}

async fn deliver(sandbox: Sandbox, subscription: u64, webhook: Webhook, number: u64) {
    let settings = sandbox.settings().webhooks.clone();
    if let Some(late) = settings.reorder.filter(|_| number % 2 == 1) {
        sleep(late).await;
    }
    for tries in 0..=PAUSES.len() {
        if !sandbox.hooks().is_enabled(subscription) {
            return;
        }
        let status = timeout(settings.timeout, post(&webhook)).await.ok().flatten();
        if status.is_some_and(|status| (100..300).contains(&status)) {
            return;
        }
        let window = WINDOW.mul_f64(settings.time_scale);
        let is_over = sandbox.hooks().failed(subscription, window, settings.failures_to_disable);
        let Some(pause) = PAUSES.get(tries).filter(|_| !is_over && deserves(tries, status)) else { return };
        sleep(pause.mul_f64(settings.time_scale)).await;
    }
}

/// The last two tries are made only after a server's failure.
fn deserves(tries: usize, status: Option<u16>) -> bool {
    tries < 2 || status.is_some_and(|status| status == 499 || status >= 500)
}

/// The status of the answer, if there is one.
async fn post(webhook: &Webhook) -> Option<u16> {
    let uri: Uri = webhook.destination.parse().ok()?;
    let authority = uri.authority().filter(|_| uri.scheme_str() == Some("http"))?.clone();
    let stream = TcpStream::connect((authority.host(), authority.port_u16().unwrap_or(80))).await.ok()?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.ok()?;
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let request = Request::builder()
        .method(Method::POST)
        .uri(path)
        .header(HOST, authority.as_str())
        .header(USER_AGENT, "amoCRM-Webhooks/3.0")
        .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(Full::new(Bytes::from(webhook.body.clone())))
        .ok()?;
    let mut answer = pin!(sender.send_request(request));
    // Whoever answers may hang up at once, so an ended connection may have brought the answer.
    let answer = tokio::select! {
        answer = &mut answer => answer,
        _ = connection => answer.await,
    };
    Some(answer.ok()?.status().as_u16())
}

impl Hooks {
    /// Who wants to be told: subscription and destination.
    fn interested(&self, notice: &Notice) -> Vec<(u64, String)> {
        let events = notice.events();
        let wants = self
            .subscriptions
            .iter()
            .filter(|hook| !hook.disabled && hook.events.iter().any(|event| events.contains(event)));
        wants.map(|hook| (hook.id, hook.destination.clone())).collect()
    }

    /// Numbers a webhook, and keeps it if it is not to be delivered.
    fn count(&mut self, webhook: &Webhook, deliver: bool) -> u64 {
        if !deliver {
            self.held.push(webhook.clone());
        }
        self.sent += 1;
        self.sent
    }

    /// Whether the subscription is there and not disabled.
    fn is_enabled(&self, subscription: u64) -> bool {
        self.subscriptions.iter().any(|hook| hook.id == subscription && !hook.disabled)
    }

    /// Notes an invalid answer; says whether the subscription is over.
    fn failed(&mut self, subscription: u64, window: Duration, most: usize) -> bool {
        let Some(hook) = self.subscriptions.iter_mut().find(|hook| hook.id == subscription) else { return true };
        let now = Instant::now();
        hook.failures.push_back(now);
        hook.failures.retain(|&at| now.duration_since(at) <= window);
        hook.disabled |= hook.failures.len() > most;
        hook.disabled
    }
}
