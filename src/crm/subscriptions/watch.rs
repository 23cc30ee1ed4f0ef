//! Whether the CRM still sends its webhooks: it ends a subscription that fails too often, and does not say so.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use secrecy::SecretString;
use tokio::time::sleep;

use super::{HookState, Hooks};
use crate::crm::{Ask, CrmError};

/// The start has more urgent questions.
const FIRST: Duration = Duration::from_secs(30);
/// A subscription ends after a hundred failures, which takes longer.
const EVERY: Duration = Duration::from_secs(3_600);
/// After a look that failed.
const AGAIN: Duration = Duration::from_secs(300);
/// Nobody waits.
const PATIENCE: Duration = Duration::from_secs(60);

/// Looks at our subscription every hour. Clones share what was seen.
#[derive(Clone, Debug)]
pub struct HookWatch {
    hooks: Hooks,
    secret: SecretString,
    seen: Arc<Mutex<Option<Seen>>>,
}

type Seen = Result<HookState, CrmError>;

impl HookWatch {
    /// A watch on the subscription with this secret.
    #[must_use]
    pub fn new(hooks: Hooks, secret: SecretString) -> Self {
        Self { hooks, secret, seen: Arc::default() }
    }

    /// What was seen at the last look; `None` before the first one.
    #[must_use]
    pub fn seen(&self) -> Option<Result<HookState, CrmError>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Looks for ever, and logs what is other than before.
    pub async fn run(self) {
        sleep(FIRST).await;
        loop {
            let seen = self.hooks.state(&self.secret, Ask::background(PATIENCE)).await;
            let pause = if seen.is_ok() { EVERY } else { AGAIN };
            if self.seen().as_ref() != Some(&seen) {
                tell(&seen);
            }
            *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = Some(seen);
            sleep(pause).await;
        }
    }
}

fn tell(seen: &Seen) {
    match seen {
        Ok(HookState::Installed) => tracing::info!("the CRM sends its webhooks"),
        Ok(state) => tracing::warn!(state = state.as_str(), "the CRM does not send its webhooks: changes show late"),
        Err(error) => tracing::info!(%error, "whether the CRM sends its webhooks could not be found out"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::scripted::{Bench, nothing, problem};
    use super::super::tests::{list, ours, secret};
    use super::super::{EVENTS, HookState};
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_subscription_that_was_switched_off_is_noticed_within_the_hour() {
        let steps = [list(&[(&ours(), &EVENTS, false)]), list(&[(&ours(), &EVENTS, true)]), problem(500), nothing()];
        let bench = Bench::new(steps);
        let watch = HookWatch::new(Hooks::new(bench.client.clone()), secret());
        let running = tokio::spawn(watch.clone().run());
        assert_eq!(watch.seen(), None);
        for (after, seen) in [
            (FIRST, Ok(HookState::Installed)),
            (EVERY, Ok(HookState::Disabled)),
            (EVERY, Err(CrmError::Server { status: 500 })),
            (AGAIN, Ok(HookState::Absent)),
        ] {
            sleep(after + Duration::from_secs(1)).await;
            assert_eq!(watch.seen(), Some(seen));
        }
        running.abort();
    }
}
