//! One `callcard serve`.

use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::Value;
use tokio::time::Instant;

use super::crm::{Crm, TOKEN};
use super::process::Process;

pub(crate) struct Replica {
    pub(crate) lookup: String,
    pub(crate) admin: String,
    client: reqwest::Client,
    process: Process,
    is_told_to_stop: AtomicBool,
}

/// An answer to a lookup.
#[derive(Debug)]
pub(crate) struct Got {
    pub(crate) status: u16,
    pub(crate) name: Option<String>,
    /// `hit`, `miss` …
    pub(crate) cache: String,
    pub(crate) took: Duration,
}

impl Replica {
    pub(crate) fn start(crm: &Crm, store: &str, settings: &[(&str, &str)]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_callcard"));
        command.arg("serve").env_clear().stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.env("CALLCARD_LISTEN", "127.0.0.1:0").env("CALLCARD_ADMIN_LISTEN", "127.0.0.1:0");
        command.env("CALLCARD_KOMMO_URL", &crm.url).env("CALLCARD_KOMMO_TOKEN", TOKEN);
        command.env("CALLCARD_SEARCH", "digits").env("CALLCARD_LEADS", "ids").env("CALLCARD_LOG_FORMAT", "json");
        command.env("CALLCARD_DRAIN_DELAY", "200ms");
        // A busy machine keeps everybody waiting: a test that is not about that has patience.
        command.env("CALLCARD_DEADLINE", "6s").env("CALLCARD_SHARED_TIMEOUT", "300ms");
        if !store.is_empty() {
            command.env("CALLCARD_SHARED_URL", store);
        }
        command.envs(settings.iter().copied());
        let process = Process::start(command);
        let url = |listener: &str| {
            let line = process.line_with(&format!("\"listener\":\"{listener}\""));
            let event: Value = serde_json::from_str(&line).unwrap();
            format!("http://{}", event["address"].as_str().unwrap())
        };
        let client = super::http_client();
        Self { lookup: url("lookup"), admin: url("admin"), client, process, is_told_to_stop: AtomicBool::new(false) }
    }

    /// Asks until the answer is there.
    pub(crate) async fn ask_for(&self, phone: &str, name: &str) -> Got {
        let mut last = None;
        super::until(&format!("{name} is known"), Duration::from_secs(15), async || {
            let got = self.ask(phone).await;
            let is_there = got.name.as_deref() == Some(name);
            last = Some(got);
            is_there
        })
        .await;
        last.unwrap()
    }

    pub(crate) async fn ask(&self, phone: &str) -> Got {
        self.try_ask(phone).await.unwrap()
    }

    /// Nothing if there was no answer at all.
    pub(crate) async fn try_ask(&self, phone: &str) -> Option<Got> {
        let asked = Instant::now();
        let url = format!("{}/lookup?phone=%2B{}&notfound=200", self.lookup, phone.trim_start_matches('+'));
        let answer = self.client.get(url).send().await.ok()?;
        let status = answer.status().as_u16();
        let body: Value = serde_json::from_slice(&answer.bytes().await.ok()?).unwrap();
        Some(Got {
            status,
            name: body["contact"]["name"].as_str().map(str::to_owned),
            cache: body["cache"]["status"].as_str().unwrap_or_default().to_owned(),
            took: asked.elapsed(),
        })
    }

    /// Drops a contact, as somebody who knows that it has changed.
    pub(crate) async fn forget_contact(&self, id: u64) {
        let done = self.client.delete(format!("{}/contacts/{id}", self.admin)).send().await.unwrap();
        assert!(done.status().is_success());
    }

    /// What the CRM tells by itself.
    pub(crate) async fn hook(&self, secret: &str, body: &str) {
        let url = format!("{}/hooks/kommo/{secret}", self.lookup);
        let post = self.client.post(url).header("content-type", "application/x-www-form-urlencoded");
        let done = post.body(body.to_owned()).send().await.unwrap();
        assert!(done.status().is_success(), "{}", done.status());
    }

    /// Drops a number.
    pub(crate) async fn forget_number(&self, phone: &str) {
        let done = self.client.delete(format!("{}/cache/{phone}", self.admin)).send().await.unwrap();
        assert!(done.status().is_success());
    }

    /// Whether anything is in memory for a number, and in which state.
    pub(crate) async fn explain(&self, phone: &str) -> Option<String> {
        let answer = self.client.get(format!("{}/cache/{phone}", self.admin)).send().await.unwrap();
        let known = answer.status().is_success();
        let body: Value = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
        known.then(|| body["state"].as_str().unwrap().to_owned())
    }

    /// A metric without labels, or with exactly these.
    pub(crate) async fn metric(&self, name: &str) -> Option<f64> {
        let text = self.client.get(format!("{}/metrics", self.admin)).send().await.unwrap().text().await.unwrap();
        let line = text.lines().find(|line| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(' ')))?;
        line.rsplit(' ').next()?.parse().ok()
    }

    /// What readiness says of one thing: its state and its detail; and whether it is ready as a whole.
    pub(crate) async fn check(&self, name: &str) -> (String, String, bool) {
        let answer = self.client.get(format!("{}/readyz?verbose", self.admin)).send().await.unwrap();
        let ready = answer.status().is_success();
        let body: Value = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
        let text = |field: &str| body["checks"][name][field].as_str().unwrap_or_default().to_owned();
        (text("status"), text("detail"), ready)
    }

    /// Tells it to stop.
    pub(crate) fn terminate(&self) {
        self.is_told_to_stop.store(true, Ordering::Relaxed);
        self.process.signal("TERM");
    }

    /// Tells it to stop, if it was not told; until it has. Whether every caller was answered.
    pub(crate) async fn stop(mut self) -> bool {
        if !self.is_told_to_stop.load(Ordering::Relaxed) {
            self.terminate();
        }
        tokio::task::spawn_blocking(move || self.process.wait()).await.unwrap()
    }

    /// It stands still, as on a machine that is suspended.
    pub(crate) fn freeze(&self) {
        self.process.signal("STOP");
    }

    /// It goes on as if nothing had been.
    pub(crate) fn thaw(&self) {
        self.process.signal("CONT");
    }

    pub(crate) fn said(&self) -> String {
        self.process.said()
    }
}
