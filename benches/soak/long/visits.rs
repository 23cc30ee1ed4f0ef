//! Everybody beside the callers: batches, pages, webhooks, operators, readers that take their time, and peers that leave in the middle.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use callcard::phone::E164;
use reqwest::Client;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};

use super::super::people::Truth;
use super::child::{Child, WEBHOOK_SECRET};
use super::ledger::Ledger;

/// At once; a visitor who finds no place means that earlier ones were not answered.
const MOST: u32 = 400;
/// Longer than anything takes.
const PATIENCE: Duration = Duration::from_secs(20);

/// Sends visitors, one kind after the other.
pub(super) struct Visits {
    lookup: SocketAddr,
    admin: SocketAddr,
    client: Mutex<Client>,
    crowd: Vec<E164>,
    /// Contacts that no caller of the crowd is: they may be dropped at any time.
    others: Vec<(u64, E164)>,
    places: Arc<Semaphore>,
    kept: Mutex<Vec<TcpStream>>,
    ledger: Ledger,
}

type Answer = Result<u16, String>;

impl Visits {
    pub(super) fn new(child: &Child, truth: &Truth, crowd: &[E164]) -> Self {
        Self {
            lookup: child.lookup,
            admin: child.admin,
            client: Mutex::new(client()),
            crowd: crowd.to_vec(),
            others: truth.others(crowd).into_iter().take(40).collect(),
            places: Arc::new(Semaphore::new(MOST as usize)),
            kept: Mutex::default(),
            ledger: Ledger::default(),
        }
    }

    pub(super) const fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// A connection that nobody closes.
    pub(super) fn keep(&self, stream: Option<TcpStream>) {
        self.kept.lock().expect("nobody panics with it").extend(stream);
    }

    pub(super) async fn wait_for_the_last(&self) {
        drop(self.places.acquire_many(MOST).await);
    }

    /// Closes the connections that are kept for a next request.
    pub(super) fn leave(&self) {
        *self.client.lock().expect("nobody panics with it") = client();
    }

    /// One more visitor.
    pub(super) fn send(self: &Arc<Self>) {
        const KINDS: [&str; 11] = [
            "batch",
            "page",
            "webhook",
            "dropped number",
            "dropped contact",
            "documents",
            "scrape",
            "slow reader",
            "half a head",
            "pipelined",
            "half-closed",
        ];
        let kind = KINDS[fastrand::usize(..KINDS.len())];
        self.ledger.sent(kind);
        let Ok(place) = Arc::clone(&self.places).try_acquire_owned() else {
            return self.ledger.wrong(kind, format!("{MOST} visitors had no answer yet"));
        };
        let visits = Arc::clone(self);
        tokio::spawn(async move {
            match timeout(PATIENCE, visits.visit(kind)).await {
                Ok(Ok(0)) => visits.ledger.left(kind),
                Ok(Ok(status)) => visits.ledger.answered(kind, status),
                Ok(Err(how)) => visits.ledger.wrong(kind, how),
                Err(_elapsed) => visits.ledger.wrong(kind, format!("no answer within {PATIENCE:?}")),
            }
            drop(place);
        });
    }

    async fn visit(&self, kind: &str) -> Answer {
        let (lookup, admin) = (self.lookup, self.admin);
        let (id, phone) = self.others[fastrand::usize(..self.others.len())];
        let client = self.client.lock().expect("nobody panics with it").clone();
        match kind {
            "batch" => self.batch(&client).await,
            "page" => {
                answered(client.get(format!("http://{lookup}/pop?phone={}", self.somebody())), &[200, 502, 503, 504])
                    .await
            }
            "webhook" => {
                let body = format!("contacts[update][0][id]={id}&contacts[update][0][name]=x");
                answered(client.post(format!("http://{lookup}/hooks/kommo/{WEBHOOK_SECRET}")).body(body), &[204]).await
            }
            "dropped number" => {
                answered(
                    client.get(format!("http://{lookup}/lookup?phone=%2B{}", digits(phone))),
                    &[200, 502, 503, 504],
                )
                .await?;
                answered(client.delete(format!("http://{admin}/cache/{phone}")), &[200, 204, 404]).await
            }
            "dropped contact" => {
                answered(client.delete(format!("http://{admin}/contacts/{id}")), &[200, 204, 404]).await
            }
            "documents" => answered(client.get(format!("http://{lookup}/openapi.json")), &[200]).await,
            "scrape" => answered(client.get(format!("http://{admin}/metrics")), &[200]).await,
            "slow reader" => self.slow_reader().await,
            "half a head" => self.raw(b"GET /lookup?phone=%2B1415 HTTP/1.1\r\nx-", false).await.map(|_stream| 0),
            "pipelined" => self.pipelined().await,
            _ => self.half_closed().await,
        }
    }

    fn somebody(&self) -> String {
        format!("%2B{}", digits(self.crowd[fastrand::usize(..self.crowd.len())]))
    }

    fn some(&self, count: usize) -> String {
        let phones: Vec<_> = (0..count).map(|_| self.crowd[fastrand::usize(..self.crowd.len())].to_string()).collect();
        json!({ "phones": phones }).to_string()
    }

    async fn batch(&self, client: &Client) -> Answer {
        let count = fastrand::usize(1..40);
        let request = client.post(format!("http://{}/lookup", self.lookup)).body(self.some(count));
        let answer = request.send().await.map_err(broken)?;
        let (status, text) = (answer.status().as_u16(), answer.text().await.map_err(broken)?);
        let results =
            serde_json::from_str::<Value>(&text).ok().and_then(|json| Some(json["results"].as_array()?.len()));
        if status != 200 || results != Some(count) {
            return Err(format!("{status} with {results:?} of {count} results"));
        }
        Ok(status)
    }

    async fn raw(&self, bytes: &[u8], ends: bool) -> Result<TcpStream, String> {
        let mut stream = TcpStream::connect(self.lookup).await.map_err(|error| error.to_string())?;
        stream.write_all(bytes).await.map_err(|error| error.to_string())?;
        if ends {
            stream.shutdown().await.map_err(|error| error.to_string())?;
        }
        Ok(stream)
    }

    /// A large answer, taken a few kilobytes at a time.
    async fn slow_reader(&self) -> Answer {
        let body = self.some(100);
        let head =
            format!("POST /lookup HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-length: {}\r\n\r\n", body.len());
        let mut stream = self.raw((head + &body).as_bytes(), false).await?;
        let (mut got, mut part) = (Vec::new(), [0; 4_096]);
        loop {
            match stream.read(&mut part).await.map_err(|error| error.to_string())? {
                0 => break whole(&got, 1),
                count => got.extend(&part[..count]),
            }
            sleep(Duration::from_millis(20)).await;
        }
    }

    async fn pipelined(&self) -> Answer {
        let one = |end: &str| format!("GET /lookup?phone={} HTTP/1.1\r\nhost: a\r\n{end}\r\n", self.somebody());
        let all = one("") + &one("") + &one("connection: close\r\n");
        read(self.raw(all.as_bytes(), false).await?, 3).await
    }

    async fn half_closed(&self) -> Answer {
        let head = format!("GET /lookup?phone={}&format=text HTTP/1.0\r\n\r\n", self.somebody());
        read(self.raw(head.as_bytes(), true).await?, 1).await
    }
}

fn client() -> Client {
    Client::builder().no_proxy().timeout(PATIENCE).build().expect("a client without TLS needs nothing")
}

fn digits(phone: E164) -> String {
    phone.to_string().trim_start_matches('+').to_owned()
}

fn broken(error: reqwest::Error) -> String {
    format!("{:?}", error.without_url())
}

async fn answered(request: reqwest::RequestBuilder, fine: &[u16]) -> Answer {
    let answer = request.send().await.map_err(broken)?;
    let status = answer.status().as_u16();
    answer.bytes().await.map_err(broken)?;
    if fine.contains(&status) { Ok(status) } else { Err(format!("{status}, not one of {fine:?}")) }
}

async fn read(mut stream: TcpStream, answers: usize) -> Answer {
    let mut got = Vec::new();
    stream.read_to_end(&mut got).await.map_err(|error| error.to_string())?;
    whole(&got, answers)
}

/// The status of the last of so many answers, if each is as long as it says.
fn whole(mut got: &[u8], answers: usize) -> Answer {
    let mut status = 0;
    for n in 0..answers {
        let Some((code, length)) = measure(got) else { return Err(format!("answer {n} of {answers} is not whole")) };
        (status, got) = (code, &got[length..]);
    }
    if got.is_empty() { Ok(status) } else { Err("more than was asked for".to_owned()) }
}

/// Status and length of the answer that these bytes begin with, once it is whole.
pub(super) fn measure(got: &[u8]) -> Option<(u16, usize)> {
    let end = got.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let head = std::str::from_utf8(&got[..end]).ok()?.to_ascii_lowercase();
    let body: usize = head.split("content-length: ").nth(1)?.lines().next()?.parse().ok()?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    (got.len() >= end + body).then_some((status, end + body))
}
