//! `callcard serve`: the service, from its configuration to its last answered caller.

use super::{Exit, block_on, chain, complain, start_logs};
use crate::app::App;
use crate::config::{Config, Strings};
use crate::http::Drained;
use crate::shutdown::Signals;

/// Fine if every caller was answered when it was told to stop.
pub(super) fn run(strings: &Strings) -> Exit {
    let config = match Config::check(strings) {
        Ok(config) => config,
        Err(faults) => return complain(Exit::Usage, faults),
    };
    if let Err(exit) = start_logs(&config.telemetry) {
        return exit;
    }
    for warning in &config.warnings {
        tracing::warn!(variable = warning.variable, "{}", warning.problem);
    }
    block_on(serve(config))
}

async fn serve(config: Config) -> Exit {
    // Taken over first: a signal that comes while we start ends in a drain, too.
    let signals = match Signals::install() {
        Ok(signals) => signals,
        Err(error) => return complain(Exit::Failed, format!("signals cannot be handled: {error}")),
    };
    let app = match App::build(config).await {
        Ok(app) => app,
        Err(error) => return complain(Exit::Failed, chain(&error)),
    };
    match app.run(signals.first()).await {
        Drained::Complete => Exit::Fine,
        Drained::Cut { .. } => Exit::Failed,
    }
}
