//! The stand-in CRM as a process of its own, which notes when it was called.

use std::process::{Command, Stdio};

use serde_json::{Value, json};

use super::process::Process;

pub(crate) const TOKEN: &str = "token-of-the-shared-tests";

pub(crate) struct Crm {
    pub(crate) url: String,
    client: reqwest::Client,
    _process: Process,
}

impl Crm {
    pub(crate) fn start() -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_callcard"));
        command.args(["sandbox", "--listen", "127.0.0.1:0", "--contacts", "50", "--rate", "0", "--latency", "20ms"]);
        command.args(["--token", TOKEN]).env_clear().stdin(Stdio::null());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let process = Process::start(command);
        let line = process.line_with("sandbox CRM with");
        let url = line[line.find("http://").unwrap()..].trim().to_owned();
        Self { url, client: super::http_client(), _process: process }
    }

    async fn calls(&self) -> Value {
        let text = self.client.get(format!("{}/_sandbox/calls", self.url)).send().await.unwrap().text().await.unwrap();
        serde_json::from_str(&text).unwrap()
    }

    /// When it was called, in milliseconds.
    pub(crate) async fn arrivals(&self) -> Vec<u64> {
        self.calls().await["calls"].as_array().unwrap().iter().map(|call| call["at_ms"].as_u64().unwrap()).collect()
    }

    /// How many calls came.
    pub(crate) async fn count(&self) -> usize {
        self.arrivals().await.len()
    }

    /// How many searches came whose text holds this.
    pub(crate) async fn searches_for(&self, text: &str) -> usize {
        let calls = self.calls().await;
        let is_search =
            |call: &&Value| call["endpoint"] == "contacts_query" && call["query"].as_str().unwrap().contains(text);
        calls["calls"].as_array().unwrap().iter().filter(is_search).count()
    }

    /// Stops the test if any second saw more calls than the rate and one. A call that a busy machine delivers late comes too close to the
    /// next, so a little less than a second is looked at: two replicas that each took the whole rate would still be found by far.
    #[expect(clippy::print_stdout, reason = "for those who run it by hand")]
    pub(crate) async fn assert_quota_kept(&self) {
        let arrivals = self.arrivals().await;
        let within = |from: u64| arrivals.iter().filter(|at| (from..=from + 850).contains(*at)).count();
        let worst = arrivals.iter().map(|from| within(*from)).max().unwrap_or(0);
        println!("the worst second, both ends included: {} calls", self.calls().await["worst_second"]);
        assert!(worst <= 7, "{worst} calls in one second: {arrivals:?}");
        // Over a longer time lateness tells less, and a share too many shows: eight calls a second would be 32.
        let within = |from: u64| arrivals.iter().filter(|at| (from..from + 4_000).contains(*at)).count();
        let most = arrivals.iter().map(|from| within(*from)).max().unwrap_or(0);
        assert!(most <= 4 * 6 + 3, "{most} calls in four seconds: {arrivals:?}");
    }

    /// The windows of the whole contact base that were asked for: what a transfer, or a sweep, reads.
    pub(crate) async fn windows(&self) -> Vec<String> {
        let calls = self.calls().await;
        let lists = calls["calls"].as_array().unwrap().iter().filter(|call| call["endpoint"] == "contacts_list");
        let queries = lists.map(|call| call["query"].as_str().unwrap().to_owned());
        queries
            .filter(|query| query.contains("limit=250") && !query.contains("updated_at") && !query.contains("filter"))
            .collect()
    }

    /// Moves a contact to the recycle bin.
    pub(crate) async fn delete(&self, id: u64) {
        let done = self.client.delete(format!("{}/_sandbox/contacts/{id}", self.url)).send().await.unwrap();
        assert!(done.status().is_success());
    }

    pub(crate) async fn forget(&self) {
        self.client.delete(format!("{}/_sandbox/calls", self.url)).send().await.unwrap();
    }

    /// Adds a contact; returns its id.
    pub(crate) async fn add(&self, name: &str, phone: &str) -> u64 {
        let body = json!({"name": name, "phones": [phone]});
        let made = self.client.post(format!("{}/_sandbox/contacts", self.url)).json(&body).send().await.unwrap();
        made.json::<Value>().await.unwrap()["id"].as_u64().unwrap()
    }

    pub(crate) async fn rename(&self, id: u64, name: &str) {
        let url = format!("{}/_sandbox/contacts/{id}", self.url);
        let done = self.client.patch(url).json(&json!({"name": name})).send().await.unwrap();
        assert!(done.status().is_success());
    }

    /// Adds a fault.
    pub(crate) async fn fail(&self, rule: &str) {
        let done =
            self.client.post(format!("{}/_sandbox/faults", self.url)).body(rule.to_owned()).send().await.unwrap();
        assert!(done.status().is_success(), "{rule}");
    }
}
