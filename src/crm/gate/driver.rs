//! Keeps the gate in step with the other replicas: a task that says our beats, books slots for who waits, and passes on what the CRM said.
//!
//! It does one thing at a time, so whatever the ledger answers includes all that we have told it before.

use std::sync::{Arc, Weak};

use tokio::time::{Instant, sleep_until};

use super::Shared;
use super::fleet::Fleet;
use super::shared_pace::Todo;

/// Runs until the gate is gone or has left.
pub(super) async fn run(gate: Weak<Shared>, fleet: Arc<dyn Fleet>) {
    let mut is_nudged = false;
    while let Some(shared) = gate.upgrade() {
        let demand = Arc::clone(&shared.demand);
        let news = shared.state().take_news();
        for news in news {
            // If it is not heard, each replica finds out by itself.
            let _ = fleet.tell(news).await;
        }
        let todo = shared.state().todo(std::mem::take(&mut is_nudged), Instant::now());
        let Some(todo) = todo else { break };
        match todo {
            Todo::Beat(beat) => {
                let sent = Instant::now();
                shared.state().sent(sent);
                let answer = fleet.beat(beat).await;
                let notices = shared.state().answered(answer, sent, Instant::now());
                shared.tell(&notices);
                shared.changed.notify_waiters();
            }
            Todo::Reach => {
                let found = fleet.reach().await;
                shared.state().looked(found, Instant::now());
                shared.changed.notify_waiters();
            }
            Todo::Rest(until) => {
                drop(shared); // A resting task must not keep the gate alive.
                tokio::select! {
                    () = sleep_until(until) => {}
                    () = demand.notified() => {}
                    () = fleet.nudged() => is_nudged = true,
                }
            }
        }
    }
}
