//! The gate's laws, under schedules nobody would write by hand.

mod breaker;
mod contagion;
mod crowd;
mod fleet;
mod ledger;
mod quota;
mod told;

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::{Gate, Settings};
use crate::crm::CrmError;
use crate::metrics::Metrics;
use crate::outcome::Class;

/// The most admissions any closed sliding second sees.
fn worst_second(admitted: &[Instant]) -> usize {
    let second = Duration::from_secs(1);
    admitted
        .iter()
        .map(|&from| admitted.iter().filter(|&&at| from <= at && at - from <= second).count())
        .max()
        .unwrap_or(0)
}

const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

const fn s(s: u64) -> Duration {
    Duration::from_secs(s)
}

// === calls, on a paused clock ===

const BLOCKED: CrmError = CrmError::Blocked;
const DOWN: CrmError = CrmError::Server { status: 503 };
const SLOW_DOWN: CrmError = CrmError::RateLimited { retry_after: None };

fn gate() -> Arc<Gate> {
    Arc::new(Gate::new(Settings::default(), Arc::new(Metrics::new())))
}

fn within(patience: Duration) -> Instant {
    Instant::now() + patience
}

/// A call that ends at once. Returns when it was admitted.
async fn call(
    gate: &Gate,
    class: Class,
    patience: Duration,
    result: Result<(), &CrmError>,
) -> Result<Instant, CrmError> {
    let pass = gate.admit(class, within(patience)).await?;
    pass.settle(result);
    Ok(Instant::now())
}

fn spawn_call(gate: &Arc<Gate>, class: Class, patience: Duration) -> JoinHandle<Result<Instant, CrmError>> {
    let gate = Arc::clone(gate);
    tokio::spawn(async move { call(&gate, class, patience, Ok(())).await })
}

async fn all<T>(tasks: Vec<JoinHandle<T>>) -> Vec<T> {
    join_all(tasks).await.into_iter().map(|task| task.expect("no task panics")).collect()
}
