//! Rights that the CRM refused: remembered for a while, so that a token without them costs no call each time, and said once.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::CrmError;

/// How long a refusal is believed: somebody may have given the right meanwhile.
const BELIEVED: Duration = Duration::from_secs(10 * 60);

/// One right of the token's user, until the CRM refuses it.
#[derive(Debug)]
pub struct Permission {
    /// What it lets us read.
    of: &'static str,
    /// What follows from its lack.
    lack: &'static str,
    /// Until when the last refusal is believed. It stays after that, so that a repetition is not told as news.
    refused: Mutex<Option<Instant>>,
}

impl Permission {
    /// A right that nobody has refused yet: what it lets us read, and what follows from its lack, both for the log.
    #[must_use]
    pub const fn new(of: &'static str, lack: &'static str) -> Self {
        Self { of, lack, refused: Mutex::new(None) }
    }

    /// Whether asking is of no use now.
    #[must_use]
    pub fn is_refused(&self) -> bool {
        self.refused().is_some_and(|until| Instant::now() < until)
    }

    /// Learns from how a call ended. Only an answer proves that the right is there.
    pub fn learn<T>(&self, result: &Result<T, CrmError>) {
        let mut refused = self.refused();
        match result {
            Err(CrmError::Forbidden) => {
                if refused.is_none() {
                    tracing::warn!(right = self.of, lack = self.lack, "the CRM refuses a right to the token's user");
                }
                *refused = Some(Instant::now() + BELIEVED);
            }
            Ok(_) if refused.take().is_some() => {
                tracing::info!(right = self.of, "the CRM no longer refuses the right");
            }
            Ok(_) | Err(_) => {}
        }
    }

    /// Nothing panics while it is held, so a poisoned lock is as good as any.
    fn refused(&self) -> MutexGuard<'_, Option<Instant>> {
        self.refused.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_refusal_is_believed_for_a_while_and_an_answer_ends_it() {
        let right = Permission::new("leads", "cards show only their ids");
        assert!(!right.is_refused());
        right.learn::<()>(&Err(CrmError::Forbidden));
        right.learn::<()>(&Err(CrmError::Timeout));
        assert!(right.is_refused(), "another failure says nothing about the right");
        advance(BELIEVED).await;
        assert!(!right.is_refused(), "to be tried again");
        right.learn::<()>(&Err(CrmError::Forbidden));
        assert!(right.is_refused());
        right.learn(&Ok(()));
        assert!(!right.is_refused());
    }
}
