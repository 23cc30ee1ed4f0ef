//! The built program as a process of its own, and what the system tells of it.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{self, Command, Stdio};
use std::time::Duration;
use std::{fs, thread};

use serde_json::Value;

use super::super::crm::{Crm, UPSTREAM_RATE};
use super::eventually;

pub(super) const WEBHOOK_SECRET: &str = "secret-of-the-long-soak";
pub(super) const DRAIN_DELAY: Duration = Duration::from_secs(1);
pub(super) const DRAIN_TIMEOUT: Duration = Duration::from_secs(10);

/// Ended by force when dropped.
pub(super) struct Child {
    pub(super) lookup: SocketAddr,
    pub(super) admin: SocketAddr,
    process: process::Child,
    client: reqwest::Client,
}

/// What the process holds.
#[derive(Debug)]
pub(super) struct Vitals {
    pub(super) memory_mib: f64,
    pub(super) descriptors: usize,
    pub(super) threads: usize,
    pub(super) in_flight: usize,
}

impl Child {
    pub(super) async fn start(crm: &Crm, factor: u32) -> Self {
        let part = |seconds: u32| format!("{}ms", seconds * 1_000 / factor);
        let mut command = Command::new(env!("CARGO_BIN_EXE_callcard"));
        command.arg("serve").env_clear().stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        command.env("CALLCARD_LISTEN", "127.0.0.1:0").env("CALLCARD_ADMIN_LISTEN", "127.0.0.1:0");
        command.env("CALLCARD_KOMMO_URL", format!("http://{}", crm.address));
        command.env("CALLCARD_KOMMO_TOKEN", &crm.sandbox.settings().token);
        command.env("CALLCARD_UPSTREAM_RATE", UPSTREAM_RATE.to_string());
        command.env("CALLCARD_SEARCH", "digits");
        command.env("CALLCARD_KNOWN_FRESH", part(600)).env("CALLCARD_KNOWN_STALE", "24h");
        command.env("CALLCARD_UNKNOWN_FRESH", part(60)).env("CALLCARD_UNKNOWN_STALE", part(3_600));
        command.env("CALLCARD_WEBHOOK_SECRET", WEBHOOK_SECRET).env("CALLCARD_LOG_FORMAT", "json");
        command.env("CALLCARD_DRAIN_DELAY", "1s").env("CALLCARD_DRAIN_TIMEOUT", "10s");
        let mut process = command.spawn().expect("the program has been built");
        let mut lines = BufReader::new(process.stderr.take().expect("it is piped")).lines().map_while(Result::ok);
        let mut address = |listener: &str| {
            let event = lines.find(|line| line.contains(&format!("\"listener\":\"{listener}\"")));
            let event: Value = serde_json::from_str(&event.expect("it tells where it listens")).expect("JSON");
            event["address"].as_str().and_then(|address| address.parse().ok()).expect("an address")
        };
        let (lookup, admin) = (address("lookup"), address("admin"));
        thread::spawn(move || lines.for_each(drop));
        let client = reqwest::Client::builder().no_proxy().pool_max_idle_per_host(0).timeout(Duration::from_secs(5));
        let child =
            Self { lookup, admin, process, client: client.build().expect("a client without TLS needs nothing") };
        let ready = async || child.status("/readyz").await == Some(200);
        assert!(eventually(Duration::from_secs(20), ready).await, "it becomes ready");
        child
    }

    pub(super) fn id(&self) -> u32 {
        self.process.id()
    }

    async fn text(&self, path: &str) -> Option<(u16, String)> {
        let answer = self.client.get(format!("http://{}{path}", self.admin)).send().await.ok()?;
        Some((answer.status().as_u16(), answer.text().await.ok()?))
    }

    pub(super) async fn status(&self, path: &str) -> Option<u16> {
        self.text(path).await.map(|(status, _)| status)
    }

    /// The sum of all series whose name and labels begin so, and hold this.
    fn sum(metrics: &str, begin: &str, holds: &str) -> f64 {
        let lines = metrics.lines().filter(|line| line.starts_with(begin) && line.contains(holds));
        lines.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).fold(0.0, std::ops::Add::add)
    }

    pub(super) fn vitals(&self) -> Vitals {
        let folder = format!("/proc/{}", self.id());
        let status = fs::read_to_string(format!("{folder}/status")).unwrap_or_default();
        let number = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)?.split_whitespace().next());
            line.and_then(|text| text.parse::<f64>().ok()).unwrap_or(f64::NAN)
        };
        Vitals {
            memory_mib: number("VmRSS:") / 1024.0,
            descriptors: fs::read_dir(format!("{folder}/fd")).map_or(0, Iterator::count),
            threads: number("Threads:") as usize,
            in_flight: 0,
        }
    }

    /// When nobody calls: no fill is under way any more, or ten seconds have passed. Connections of those who have left are closed.
    pub(super) async fn at_rest(&self) -> Vitals {
        let fills = async || {
            let metrics = self.text("/metrics").await.map(|(_, text)| text).unwrap_or_default();
            Self::sum(&metrics, "callcard_fills_in_flight ", "") as usize
        };
        eventually(Duration::from_secs(10), async || fills().await == 0).await;
        let in_flight = fills().await;
        tokio::time::sleep(Duration::from_secs(1)).await;
        Vitals { in_flight, ..self.vitals() }
    }

    /// What an hour brought, as the service counts it.
    pub(super) async fn work_done(&self) -> String {
        let metrics = self.text("/metrics").await.map(|(_, text)| text).unwrap_or_default();
        let count = |begin: &str, holds: &str| Self::sum(&metrics, begin, holds);
        format!(
            "the service counted: {} lookups, {} HTTP requests, {} fills, {} calls to the CRM, {} evictions ({} for age), {} stale answers, {} webhooks; {:.1} MiB in the cache",
            count("callcard_lookups_total{", ""),
            count("callcard_http_requests_total{", ""),
            count("callcard_fill_duration_seconds_count", ""),
            count("callcard_upstream_requests_total{", "")
                - count("callcard_upstream_requests_total{", "\"short_circuited\""),
            count("callcard_cache_evictions_total{", ""),
            count("callcard_cache_evictions_total{", "age"),
            count("callcard_stale_age_seconds_count", ""),
            count("callcard_webhook_deliveries_total{", ""),
            count("callcard_cache_bytes", "") / 1_048_576.0,
        )
    }

    pub(super) fn terminate(&self) {
        let sent = Command::new("kill").args(["-TERM", &self.id().to_string()]).status();
        assert!(sent.is_ok_and(|status| status.success()), "a signal can be sent");
    }

    /// Its exit status, if it has ended.
    pub(super) fn ended(&mut self) -> Option<Option<i32>> {
        self.process.try_wait().expect("it is ours").map(|status| status.code())
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Vitals {
    pub(super) fn table(fresh: &Self, tired: &Self) -> String {
        let line = |name: &str, vitals: &Self| {
            let Self { memory_mib, descriptors, threads, in_flight } = vitals;
            format!("{name:16} {memory_mib:8.1} {descriptors:12} {threads:8} {in_flight:6}\n")
        };
        let head = format!("{:16} {:>8} {:>12} {:>8} {:>6}\n", "at rest", "MiB", "descriptors", "threads", "fills");
        head + &line("after the start", fresh) + &line("after the work", tired)
    }
}
