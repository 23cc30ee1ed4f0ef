//! Logs: what is written, in which form, and what can never be written.
//!
//! One line an event, as text for people or as flat JSON for machines, to a sink that the caller chooses. Two guarantees hold whatever the
//! filter says, because phone numbers travel in URLs and in arguments: other crates are heard from `info` upwards only (below that they log
//! request heads), and a panic is logged by its place, never by its message.

use std::io::IsTerminal;

use tracing::{Level, Metadata, Subscriber};
use tracing_subscriber::filter::{Builder, FilterExt, LevelFilter, filter_fn};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer};

/// How a log line looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// For people, in colour on a terminal.
    Text,
    /// One flat JSON object a line.
    Json,
}

impl Format {
    /// Text where a person is looking, JSON where a machine collects.
    #[must_use]
    pub fn suited_to_stderr() -> Self {
        if std::io::stderr().is_terminal() { Self::Text } else { Self::Json }
    }
}

/// Which events are written; checked, so that a mistake is found at start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter(String);

impl Filter {
    /// `info`, or directives of the form `callcard::crm=debug,warn`.
    ///
    /// # Errors
    /// When it is not such a list.
    pub fn parse(directives: &str) -> Result<Self, InvalidFilter> {
        // A misspelt level would be taken for the name of a module, and silence everything else.
        let is_said = |part: &str| part.contains('=') || (!part.is_empty() && part.parse::<LevelFilter>().is_ok());
        let usable = directives.split(',').all(is_said) && Self::builder().parse(directives).is_ok();
        if usable { Ok(Self(directives.to_owned())) } else { Err(InvalidFilter) }
    }

    fn builder() -> Builder {
        EnvFilter::builder().with_regex(false)
    }

    fn to_env_filter(&self) -> EnvFilter {
        Self::builder().parse(&self.0).expect("parsed when the filter was made")
    }
}

impl Default for Filter {
    fn default() -> Self {
        Self("info".to_owned())
    }
}

/// The text is not a filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("is not a level (error, warn, info, debug, trace, off) or a list of target=level")]
pub struct InvalidFilter;

/// What to log and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Which events are written.
    pub filter: Filter,
    /// How they look.
    pub format: Format,
    /// Whether text may carry colour codes.
    pub colour: bool,
}

/// A subscriber that writes to `sink`. Installing it is left to the caller, so tests can have one each.
pub fn subscriber<W>(settings: &Settings, sink: W) -> impl Subscriber + Send + Sync + use<W>
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let filter = settings.filter.to_env_filter().and(filter_fn(tells_no_secrets));
    let lines = tracing_subscriber::fmt::layer().with_writer(sink);
    let lines = match settings.format {
        Format::Text => lines.with_ansi(settings.colour).boxed(),
        Format::Json => lines.json().flatten_event(true).with_current_span(false).boxed(),
    };
    tracing_subscriber::registry().with(lines.with_filter(filter))
}

/// Our own events are written with care; those of other crates may hold a URL once they become talkative.
fn tells_no_secrets(metadata: &Metadata<'_>) -> bool {
    let ours = metadata.target().split("::").next() == Some("callcard");
    ours || *metadata.level() <= Level::INFO
}

/// Logs to standard error from now on, panics included.
///
/// # Errors
/// When something in this process logs already.
pub fn install(settings: &Settings) -> Result<(), tracing_subscriber::util::TryInitError> {
    subscriber(settings, std::io::stderr).try_init()?;
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(place, backtrace = %std::backtrace::Backtrace::capture(), "panicked");
    }));
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Sink(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn logged(filter: &str, format: Format, events: impl FnOnce()) -> String {
        let sink = Sink::default();
        let writer = sink.clone();
        let settings = Settings { filter: Filter::parse(filter).unwrap(), format, colour: false };
        tracing::subscriber::with_default(subscriber(&settings, move || writer.clone()), events);
        let bytes = sink.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn a_json_line_is_one_flat_object() {
        let text = logged("info", Format::Json, || {
            let span = tracing::info_span!("request", request_id = "r1");
            let _inside = span.enter();
            tracing::info!(upstream.outcome = "ok", "answered");
        });
        let line: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!((&line["message"], &line["upstream.outcome"]), (&"answered".into(), &"ok".into()));
        assert_eq!(text.matches("r1").count(), 1, "a span's fields stand once in the line: {text}");
    }

    #[test]
    fn other_crates_are_not_heard_below_info_whatever_the_filter_says() {
        let text = logged("trace,hyper=trace", Format::Text, || {
            tracing::debug!(target: "hyper::proto", "GET /lookup?phone=14155550123");
            tracing::trace!(target: "callcardish", "14155550123");
            tracing::info!(target: "hyper::proto", "listening");
            tracing::trace!(target: "callcard::cache", "hit");
        });
        assert!(text.contains("listening") && text.contains("hit"), "{text}");
        assert!(!text.contains("14155550123"), "{text}");
    }

    #[test]
    fn the_filter_chooses_by_module_and_level() {
        let text = logged("warn,callcard::crm=debug", Format::Text, || {
            tracing::info!(target: "callcard::http", "quiet");
            tracing::debug!(target: "callcard::crm", "loud");
        });
        assert!(text.contains("loud") && !text.contains("quiet"), "{text}");
    }

    #[test]
    fn a_misspelt_level_is_refused() {
        for wrong in ["", " ", "inof", "callcard=verbose", "info,", "callcard[=debug"] {
            assert_eq!(Filter::parse(wrong), Err(InvalidFilter), "{wrong:?}");
        }
        for right in ["info", "OFF", "warn,callcard=debug", "callcard::crm=trace"] {
            assert!(Filter::parse(right).is_ok(), "{right:?}");
        }
    }
}
