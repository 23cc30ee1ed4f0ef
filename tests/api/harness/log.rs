//! What the service logs, kept for the test: its events are made on the test's own thread.

use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use callcard::telemetry::{Filter, Format, Settings, subscriber};
use serde_json::Value;
use tracing::subscriber::DefaultGuard;

/// The log of everything that happens on this thread while it lives, as `serve` would write it.
pub(crate) struct Log {
    lines: Lines,
    _guard: DefaultGuard,
}

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Log {
    /// Begins to listen, with the default filter.
    pub(crate) fn listen() -> Self {
        let lines = Lines::default();
        let settings = Settings { filter: Filter::default(), format: Format::Json, colour: false };
        let sink = lines.clone();
        let guard = tracing::subscriber::set_default(subscriber(&settings, move || sink.clone()));
        Self { lines, _guard: guard }
    }

    /// Everything, as it was written.
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.lines.0.lock().unwrap().clone()).unwrap()
    }

    /// Every event from `info` upwards: `LEVEL message`, and its fields.
    pub(crate) fn events(&self) -> Vec<(String, Value)> {
        let events = self.text();
        let events = events.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        events.map(|event| (format!("{} {}", text(&event["level"]), text(&event["message"])), event)).collect()
    }

    /// How often this was said.
    pub(crate) fn count(&self, said: &str) -> usize {
        self.events().iter().filter(|(event, _)| event == said).count()
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
