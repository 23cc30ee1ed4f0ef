//! A transport for tests: answers come from a script, requests are kept with the time of their arrival.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use secrecy::ExposeSecret;
use tokio::time::Instant;

use super::client::{CrmClient, Settings};
use super::gate::{self, Gate};
use super::response::response;
use super::{CrmRequest, CrmResponse, TokenSource, Transport, TransportError};
use crate::metrics::Metrics;
use crate::outcome::{Endpoint, UpstreamOutcome};

/// One answer of the script.
pub(super) enum Step {
    /// This status, content type and body.
    Answer(u16, &'static str, Bytes),
    /// The transport fails.
    Fail(TransportError),
    /// The CRM takes this long before the next step answers.
    After(Duration, Box<Self>),
    /// Never an answer.
    Hang,
}

pub(super) fn ok(json: impl Into<Bytes>) -> Step {
    Step::Answer(200, "application/hal+json", json.into())
}

pub(super) fn nothing() -> Step {
    Step::Answer(204, "", Bytes::new())
}

pub(super) fn problem(status: u16) -> Step {
    Step::Answer(status, "application/problem+json", format!(r#"{{"title":"T","status":{status}}}"#).into())
}

pub(super) fn page_for_people(status: u16) -> Step {
    Step::Answer(status, "text/html", "<html><h1>nginx</h1></html>".into())
}

pub(super) fn after(wait: Duration, step: Step) -> Step {
    Step::After(wait, Box::new(step))
}

/// Plays its steps in order; a request beyond the last one is a failed test.
#[derive(Default)]
pub(super) struct Script {
    steps: Mutex<VecDeque<Step>>,
    seen: Mutex<Vec<(Instant, String)>>,
}

impl std::fmt::Debug for Script {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Script")
    }
}

impl Script {
    /// The paths asked for.
    pub(super) fn paths(&self) -> Vec<String> {
        self.seen.lock().unwrap().iter().map(|(_, path)| path.clone()).collect()
    }

    /// How many requests came.
    pub(super) fn calls(&self) -> usize {
        self.seen.lock().unwrap().len()
    }

    /// How many steps are left.
    pub(super) fn left(&self) -> usize {
        self.steps.lock().unwrap().len()
    }

    /// Adds steps.
    pub(super) fn then(&self, steps: impl IntoIterator<Item = Step>) {
        self.steps.lock().unwrap().extend(steps);
    }
}

impl Transport for Script {
    fn send(&self, request: CrmRequest) -> BoxFuture<'_, Result<CrmResponse, TransportError>> {
        assert_eq!(request.bearer.unwrap().expose_secret(), "secret-token");
        self.seen.lock().unwrap().push((Instant::now(), request.path_and_query));
        let step = self.steps.lock().unwrap().pop_front().expect("no request beyond the script");
        play(step).boxed()
    }
}

async fn play(mut step: Step) -> Result<CrmResponse, TransportError> {
    while let Step::After(wait, then) = step {
        tokio::time::sleep(wait).await;
        step = *then;
    }
    match step {
        Step::Answer(status, content_type, body) => Ok(response(status, content_type, body)),
        Step::Fail(error) => Err(error),
        Step::Hang | Step::After(..) => std::future::pending().await,
    }
}

/// A client in front of a script.
pub(super) struct Bench {
    pub(super) client: CrmClient,
    pub(super) script: Arc<Script>,
    pub(super) metrics: Arc<Metrics>,
}

impl Bench {
    pub(super) fn new(steps: impl IntoIterator<Item = Step>) -> Self {
        Self::with(Settings::default(), steps)
    }

    pub(super) fn with(settings: Settings, steps: impl IntoIterator<Item = Step>) -> Self {
        let metrics = Arc::new(Metrics::new());
        let script = Arc::new(Script::default());
        script.then(steps);
        let gate = Arc::new(Gate::new(gate::Settings::default(), metrics.clone()));
        let tokens = TokenSource::long_lived("secret-token".into(), &metrics);
        let client = CrmClient::new(settings, tokens, script.clone(), gate, metrics.clone());
        Self { client, script, metrics }
    }

    /// How many calls were counted under these labels.
    pub(super) fn counted(&self, endpoint: Endpoint, outcome: UpstreamOutcome) -> u64 {
        let line = format!(r#"callcard_upstream_requests_total{{endpoint="{endpoint}",outcome="{outcome}"}} "#);
        let text = self.metrics.encode().unwrap();
        text.lines().find_map(|l| l.strip_prefix(&line)).expect("every label pair exists").parse().unwrap()
    }

    /// How many calls were timed.
    pub(super) fn timed(&self, endpoint: Endpoint) -> u64 {
        let line = format!(r#"callcard_upstream_request_duration_seconds_count{{endpoint="{endpoint}"}} "#);
        let text = self.metrics.encode().unwrap();
        text.lines().find_map(|l| l.strip_prefix(&line)).expect("every endpoint is timed").parse().unwrap()
    }
}
