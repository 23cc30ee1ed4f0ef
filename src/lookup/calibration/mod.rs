//! How this account's search treats phone numbers: set by the operator, or measured, because the CRM does not document it.
//!
//! [`measure`] asks the search for numbers whose stored form is known and sees what comes back. What a measurement may cost when it is
//! wrong decides how it is read:
//!
//! - *Formatting is ignored* (`digits`, `last7`) spares searches, and believing it wrongly would miss people. It is believed only if at
//!   least two contacts were found by digits that stand nowhere in their records as one run, and none was missed.
//! - *Found as typed* (`raw`) and *unproven* cost searches; believing them wrongly costs nothing else.
//!
//! Whatever is believed, a hit is verified against the stored numbers, so nobody is ever mistaken for somebody else. An account that
//! changes its ways is noticed by the daily measurement, and until then its unknown numbers may be wrong.

mod measure;
mod sample;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep};

pub use self::measure::{Measurement, Reason};

use super::SearchMode;
use crate::crm::{CrmClient, CrmError};
use crate::metrics::Metrics;
use crate::outcome::SearchVerdict;
use crate::phone::Region;

/// The first callers go first.
const HEAD_START: Duration = Duration::from_secs(2);
/// After a measurement that proved something.
const AGAIN: Duration = Duration::from_secs(24 * 60 * 60);
/// After one that did not, or failed: doubled each time, up to [`AGAIN`].
const RETRY: Duration = Duration::from_secs(60);
/// Pauses are spread by ± this share, so that replicas do not measure together.
const JITTER: f64 = 0.1;

/// What is known of the account's search. Clones share it.
#[derive(Clone, Debug)]
pub struct Calibration(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    /// Absent when the operator has said how the search works.
    measured_by: Option<Means>,
    /// Held for a moment, never across an await.
    known: Mutex<Known>,
    metrics: Option<Arc<Metrics>>,
}

#[derive(Debug)]
struct Means {
    client: CrmClient,
    region: Region,
}

#[derive(Clone, Copy, Debug)]
struct Known {
    verdict: SearchVerdict,
    /// The last measurement that was not cut short by the CRM.
    last: Option<(Instant, Measurement)>,
}

impl Calibration {
    pub(super) fn new(mode: SearchMode, client: CrmClient, region: Region, metrics: Arc<Metrics>) -> Self {
        let verdict = match mode {
            SearchMode::Digits => SearchVerdict::Digits,
            SearchMode::Raw => SearchVerdict::Raw,
            SearchMode::Last7 => SearchVerdict::Last7,
            SearchMode::Auto => SearchVerdict::Unproven,
        };
        metrics.search_mode(verdict);
        let measured_by = (mode == SearchMode::Auto).then_some(Means { client, region });
        let known = Mutex::new(Known { verdict, last: None });
        Self(Arc::new(Inner { measured_by, known, metrics: Some(metrics) }))
    }

    /// What is believed now.
    #[must_use]
    pub fn verdict(&self) -> SearchVerdict {
        self.known().verdict
    }

    /// Measures again and again; ends at once when the operator has said how the search works.
    pub async fn keep(self) {
        if self.0.measured_by.is_none() {
            return;
        }
        let (mut pause, mut retry) = (HEAD_START, RETRY);
        loop {
            sleep(spread(pause)).await;
            (pause, retry) = match self.measure().await {
                Ok(measured) if measured.verdict != SearchVerdict::Unproven => (AGAIN, RETRY),
                Ok(_) | Err(_) => (retry, retry.saturating_mul(2).min(AGAIN)),
            };
        }
    }

    /// Measures now, in the background class, and believes the result. A setting of the operator's stays as it is, without a call.
    ///
    /// # Errors
    /// When the CRM would not answer; what was believed before still is.
    pub async fn measure(&self) -> Result<Measurement, CrmError> {
        let Some(Means { client, region }) = &self.0.measured_by else {
            return Ok(Measurement { verdict: self.verdict(), reason: Reason::Set, numbers: 0 });
        };
        let measured = measure::measure(client, *region).await.inspect_err(|error| {
            tracing::warn!(%error, "how the CRM's search treats formatting could not be measured; it is tried again");
        })?;
        self.believe(measured);
        Ok(measured)
    }

    /// One line for people: what is believed, and why.
    #[must_use]
    pub fn describe(&self) -> String {
        let Known { verdict, last } = *self.known();
        match (&self.0.measured_by, last) {
            (None, _) => format!("{verdict}: as set"),
            (Some(_), None) => format!("{verdict}: not measured yet"),
            (Some(_), Some((at, measured))) => {
                format!("{verdict}: {measured}; measured {} min ago", at.elapsed().as_secs() / 60)
            }
        }
    }

    fn believe(&self, measured: Measurement) {
        let before = {
            let mut known = self.known();
            let before = known.verdict;
            *known = Known { verdict: measured.verdict, last: Some((Instant::now(), measured)) };
            before
        };
        if let Some(metrics) = &self.0.metrics {
            metrics.search_mode(measured.verdict);
        }
        if before != measured.verdict {
            tracing::info!(%before, now = %measured.verdict, why = %measured, "how the CRM's search treats formatting");
        }
    }

    /// Nothing panics while it is held, so a poisoned lock is as good as any.
    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Knows this and measures nothing.
    #[cfg(test)]
    pub(super) fn fixed(verdict: SearchVerdict) -> Self {
        Self(Arc::new(Inner { measured_by: None, known: Mutex::new(Known { verdict, last: None }), metrics: None }))
    }
}

fn spread(pause: Duration) -> Duration {
    pause.mul_f64(1.0 + JITTER * (2.0 * fastrand::f64() - 1.0))
}
