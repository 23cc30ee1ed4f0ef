//! One request at a time, not too often, and never at a caller's cost.

use std::future::Future;
use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until};

use super::{Feed, FeedError};
use crate::crm::{Ask, CrmClient, CrmError};

/// How long one request may wait for its turn and its answer: nobody waits for it.
const PATIENCE: Duration = Duration::from_secs(60);

/// When the next request may go.
#[derive(Debug)]
pub(super) struct Pace {
    interval: Duration,
    next: Instant,
}

impl Pace {
    pub(super) fn new(interval: Duration) -> Self {
        Self { interval, next: Instant::now() }
    }

    async fn turn(&mut self) {
        sleep_until(self.next).await;
        self.next = Instant::now() + self.interval;
    }
}

impl Feed {
    /// Asks the CRM, as often as it takes to get a slot: callers go first.
    pub(super) async fn ask<T, F>(&mut self, question: impl Fn(CrmClient, Ask) -> F) -> Result<T, FeedError>
    where
        F: Future<Output = Result<T, CrmError>>,
    {
        loop {
            self.pace.turn().await;
            match question(self.crm.clone(), Ask::background(PATIENCE)).await {
                Err(CrmError::QuotaExhausted { wait }) => sleep(wait.clamp(self.pace.interval, PATIENCE)).await,
                answer => return Ok(answer?),
            }
        }
    }
}
