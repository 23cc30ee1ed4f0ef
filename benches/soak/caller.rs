//! One call over a socket.

use std::net::SocketAddr;
use std::sync::Mutex;
use std::time::Duration;

use reqwest::{Client, Response};
use tokio::time::{Instant, timeout};

use super::people::Call;

/// Longer than any deadline by far: who waits as long has not been answered.
const PATIENCE: Duration = Duration::from_secs(15);

/// How a call ended.
#[derive(Debug)]
pub(crate) enum Event {
    /// The caller hung up.
    Left,
    Answered(Reply),
    /// The connection broke, or nothing came.
    Lost(String),
}

/// An answer as the caller saw it.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) content_type: String,
    pub(crate) cache_status: String,
    pub(crate) retry_after: Option<u64>,
    pub(crate) body: String,
    /// From the first byte sent to the last byte read, on a new connection with its making.
    pub(crate) took: Duration,
}

/// The way to the service.
#[derive(Debug)]
pub(crate) struct Line {
    lookup: SocketAddr,
    admin: SocketAddr,
    kept: Mutex<Client>,
    new: Client,
}

impl Line {
    /// Needs a process that has chosen its TLS library, as the service does when it is built.
    pub(crate) fn to(lookup: SocketAddr, admin: SocketAddr) -> Self {
        Self { lookup, admin, kept: Mutex::new(client(64)), new: client(0) }
    }

    /// Closes the connections that are kept for a next call.
    pub(crate) fn hang_up(&self) {
        *self.kept.lock().expect("nobody panics with it") = client(64);
    }

    fn kept(&self) -> Client {
        self.kept.lock().expect("nobody panics with it").clone()
    }

    pub(crate) async fn make(&self, call: &Call) -> Event {
        let client = if call.new_connection { self.new.clone() } else { self.kept() };
        let mut url = format!("http://{}/lookup?phone={}&format={}", self.lookup, call.spelling, call.form.as_str());
        if let Some(deadline) = call.deadline {
            url.push_str(&format!("&deadline_ms={}", deadline.as_millis()));
        }
        let began = Instant::now();
        let asking = async { read(client.get(url).send().await?, began).await };
        let ended = match call.leaves_after {
            None => asking.await,
            Some(patience) => match timeout(patience, asking).await {
                Ok(ended) => ended,
                Err(_elapsed) => return Event::Left,
            },
        };
        ended.map_or_else(|error| Event::Lost(format!("{:?}", error.without_url())), Event::Answered)
    }

    pub(crate) async fn is_ready(&self) -> bool {
        let answer = self.kept().get(format!("http://{}/readyz", self.admin)).send().await;
        answer.is_ok_and(|response| response.status().is_success())
    }
}

fn client(idle: usize) -> Client {
    let builder = Client::builder().no_proxy().timeout(PATIENCE).pool_max_idle_per_host(idle);
    builder.build().expect("a client without TLS needs nothing")
}

async fn read(response: Response, began: Instant) -> reqwest::Result<Reply> {
    let header =
        |name| response.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
    let (content_type, cache_status) = (header("content-type"), header("cache-status"));
    let (status, retry_after) = (response.status().as_u16(), header("retry-after").parse().ok());
    let body = response.text().await?;
    Ok(Reply { status, content_type, cache_status, retry_after, body, took: began.elapsed() })
}
