//! The time in which nobody calls, because the CRM answered 429.
//!
//! Calls that were under way together are refused together: they count as one refusal, so that eight of them do not double the pause
//! eight times.

use std::time::Duration;

use tokio::time::Instant;

use super::settings::Backoff;

/// Our own pause comes back from the others this much longer or shorter.
const ECHO: Duration = Duration::from_millis(200);

/// The current pause, if any, and how many came in a row.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Pause {
    backoff: Backoff,
    longest: Duration,
    /// The last pause; kept after its end until a call succeeds, because the next 429 is then a repetition.
    last: Option<Span>,
    in_a_row: u32,
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Span {
    since: Instant,
    until: Instant,
}

impl Pause {
    pub(super) const fn new(backoff: Backoff, longest: Duration) -> Self {
        Self { backoff, longest, last: None, in_a_row: 0 }
    }

    /// When calls may go on, if that is not already so.
    pub(super) fn until(&self, now: Instant) -> Option<Instant> {
        self.last.map(|span| span.until).filter(|&until| now < until)
    }

    /// A call admitted at `admitted` was answered 429, which may have said how long to wait. Returns the length of a new pause.
    pub(super) fn rate_limited(
        &mut self,
        admitted: Instant,
        asked: Option<Duration>,
        now: Instant,
    ) -> Option<Duration> {
        let asked = asked.map(|asked| asked.clamp(self.backoff.first, self.longest));
        if let Some(span) = self.last.as_mut().filter(|span| admitted <= span.since) {
            span.until = asked.map_or(span.until, |asked| span.until.max(now + asked));
            return None;
        }
        let length = asked.unwrap_or_else(|| self.backoff.nth(self.in_a_row));
        let until = self.until(now).map_or(now + length, |until| until.max(now + length));
        self.in_a_row = self.in_a_row.saturating_add(1);
        self.last = Some(Span { since: now, until });
        Some(length)
    }

    /// Another replica was told to pause, and the pause lasts this much longer. Returns whether that is news.
    pub(super) fn adopt(&mut self, left: Duration, now: Instant) -> bool {
        let until = now + left;
        let is_news = left > ECHO && self.until(now).is_none_or(|known| until > known + ECHO);
        if is_news {
            self.in_a_row = self.in_a_row.saturating_add(1);
            self.last = Some(Span { since: now, until });
        }
        is_news
    }

    /// A call admitted at `admitted` succeeded. Returns whether that ends a row of refusals.
    pub(super) fn succeeded(&mut self, admitted: Instant) -> bool {
        let over = self.last.is_some_and(|span| span.until <= admitted);
        if over {
            (self.last, self.in_a_row) = (None, 0);
        }
        over
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: fn(u64) -> Duration = Duration::from_secs;

    fn pause() -> (Pause, Instant) {
        (Pause::new(Backoff::seconds(1, 30), S(600)), Instant::now())
    }

    #[test]
    fn repeated_refusals_double_the_pause_up_to_its_bound() {
        let (mut pause, mut now) = pause();
        let mut lengths = vec![];
        for _ in 0..7 {
            let length = pause.rate_limited(now, None, now).expect("a new pause");
            assert_eq!(pause.until(now), Some(now + length));
            lengths.push(length.as_secs());
            now += length + S(1);
        }
        assert_eq!(lengths, [1, 2, 4, 8, 16, 30, 30]);
    }

    #[test]
    fn calls_refused_together_count_once() {
        let (mut pause, now) = pause();
        assert_eq!(pause.rate_limited(now, None, now), Some(S(1)));
        for _ in 0..7 {
            assert_eq!(pause.rate_limited(now, None, now + S(1) / 2), None);
        }
        assert_eq!(pause.until(now), Some(now + S(1)));
        assert_eq!(pause.rate_limited(now, Some(S(9)), now), None);
        assert_eq!(pause.until(now), Some(now + S(9)), "a stated time is obeyed even so");
    }

    #[test]
    fn a_stated_time_is_obeyed_within_reason() {
        for (asked, given) in [(0, 1), (7, 7), (45, 45), (1_700_000_000, 600)] {
            let (mut pause, now) = pause();
            assert_eq!(pause.rate_limited(now, Some(S(asked)), now), Some(S(given)));
        }
    }

    #[test]
    fn only_a_success_from_after_the_pause_ends_the_row() {
        let (mut pause, now) = pause();
        pause.rate_limited(now, None, now);
        assert!(!pause.succeeded(now), "it was admitted before");
        assert!(pause.succeeded(now + S(2)));
        assert!(!pause.succeeded(now + S(3)), "there is no row any more");
        assert_eq!(pause.rate_limited(now + S(4), None, now + S(4)), Some(S(1)));
    }
}
