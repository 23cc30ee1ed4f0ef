//! What each fault means, in one place.

use callcard::sandbox::Fault;

/// What one fault means, wherever it strikes.
#[derive(Clone, Copy)]
pub(super) struct Meaning {
    /// How a call is counted that was answered so.
    pub(super) outcome: &'static str,
    /// Requests that reach the CRM for one question: two where a retry is worth it.
    pub(super) calls: usize,
    /// What the client makes of it.
    pub(super) as_answer: AsAnswer,
    /// What happens to the calls that come after.
    pub(super) then: Then,
}

/// What the client makes of what came.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum AsAnswer {
    /// An answer like any other.
    Whole,
    /// The word that there is nothing.
    Nothing,
    /// No answer: at once, or only when patience is at its end.
    Failed,
    Late,
}

/// What the gate does about the calls that come after.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Then {
    /// They go on; the fault is that question's own.
    GoOn,
    /// A pause for everybody, as long as the CRM asked for.
    Pause { seconds: u64 },
    /// None is sent any more until a probe succeeds.
    Suspend,
}

const fn failed(outcome: &'static str) -> Meaning {
    Meaning { outcome, calls: 1, as_answer: AsAnswer::Failed, then: Then::GoOn }
}

const fn retried(outcome: &'static str) -> Meaning {
    Meaning { calls: 2, ..failed(outcome) }
}

const fn late() -> Meaning {
    Meaning { as_answer: AsAnswer::Late, ..failed("timeout") }
}

const fn fatal(outcome: &'static str) -> Meaning {
    Meaning { then: Then::Suspend, ..failed(outcome) }
}

const fn paused(seconds: u64) -> Meaning {
    Meaning { then: Then::Pause { seconds }, ..failed("rate_limited") }
}

const fn whole() -> Meaning {
    Meaning { as_answer: AsAnswer::Whole, ..failed("ok") }
}

/// Exhaustive on purpose: a fault that the sandbox learns needs a line here.
pub(super) fn meaning(fault: &Fault) -> Meaning {
    match fault {
        Fault::BadRequest | Fault::Unprocessable | Fault::Redirect(_) => failed("malformed"),
        Fault::Truncated | Fault::Html | Fault::Huge(_) => failed("malformed"),
        // Nothing came, and that is how it is counted; that there is nothing was not said.
        Fault::Empty | Fault::Hollow => failed("empty"),
        Fault::Unauthorized => fatal("unauthorized"),
        Fault::PaymentRequired | Fault::Blocked => fatal("forbidden"),
        Fault::NotFound => fatal("malformed"),
        Fault::Forbidden => failed("forbidden"),
        Fault::RateLimited(wait) | Fault::RateLimitedHeader(wait) => paused(wait.as_secs()),
        Fault::RateLimitedHtml => paused(1),
        Fault::ServerError => failed("server_error"),
        Fault::Edge(_) => retried("server_error"),
        Fault::Reset | Fault::Cut => retried("connect"),
        Fault::Slow(_) | Fault::Drip(_) | Fault::Stall | Fault::StallBody => late(),
        Fault::NoContent => Meaning { as_answer: AsAnswer::Nothing, ..failed("empty") },
        Fault::Gzip | Fault::Skew(_) => whole(),
    }
}

impl Meaning {
    /// Status, code and `Retry-After` of a lookup whose search met it and of which nothing is known.
    pub(super) const fn refusal(self) -> Option<(u16, &'static str, &'static str)> {
        match (self.as_answer, self.then) {
            (AsAnswer::Whole | AsAnswer::Nothing, _) => None,
            (AsAnswer::Late, _) => Some((504, "upstream-timeout", "")),
            (AsAnswer::Failed, Then::Pause { seconds: 3 }) => Some((503, "upstream-unavailable", "3")),
            (AsAnswer::Failed, Then::Pause { .. }) => Some((503, "upstream-unavailable", "1")),
            (AsAnswer::Failed, Then::GoOn | Then::Suspend) => Some((502, "upstream-failed", "")),
        }
    }

    /// Whether a second caller's patience ends before anybody may ask again. Only a pause of one second is shorter.
    pub(super) const fn outlasts_patience(self) -> bool {
        !matches!(self.then, Then::Pause { seconds: 1 })
    }

    /// Whether the question was answered, if only with "nothing".
    pub(super) const fn is_answered(self) -> bool {
        matches!(self.as_answer, AsAnswer::Whole | AsAnswer::Nothing)
    }
}
