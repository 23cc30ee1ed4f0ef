//! The phases: what is wrong with the CRM, and for how long. All times of a run are parts of one unit, so that a short run sees
//! everything that a long one sees.

use std::time::Duration;

use callcard::sandbox::{Fault, FaultRule};

/// Sum of the phases' weights, in halves of a unit.
const HALVES: u32 = 30;

/// The times of a run.
#[derive(Debug)]
pub(crate) struct Times {
    /// An ordinary phase.
    pub(crate) unit: Duration,
}

impl Times {
    pub(crate) fn of(length: Duration) -> Self {
        Self { unit: length * 2 / HALVES }
    }

    /// The longest that the service suspends its calls.
    pub(crate) fn longest_suspension(&self) -> Duration {
        self.unit / 4
    }

    /// The longest that the service waits for one answer of the CRM.
    pub(crate) fn longest_request(&self) -> Duration {
        self.unit / 2
    }

    /// From the end of the trouble to the first call that succeeds: the service may have just suspended its calls, and its probe may
    /// have gone out while the CRM still hung.
    fn recovery(&self) -> Duration {
        self.longest_suspension() + self.longest_request() + Duration::from_secs(1)
    }
}

/// What is wrong with the CRM.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    None,
    Slow,
    Hung,
    Errors,
    TooMany,
    Cut,
    Nonsense,
    /// It has blocked our address.
    Blocked,
    /// Nobody listens at its address.
    Gone,
}

impl Trouble {
    /// The rules that make the sandbox behave so.
    pub(crate) fn rules(self) -> Vec<FaultRule> {
        let all = |fault| FaultRule::new(&[], fault);
        match self {
            Self::None | Self::Blocked | Self::Gone => Vec::new(),
            Self::Slow => vec![all(Fault::Slow(Duration::from_millis(700)))],
            Self::Hung => vec![all(Fault::StallBody).percent(20), all(Fault::Stall)],
            Self::Errors => vec![all(Fault::Edge(502)).percent(40), all(Fault::ServerError)],
            Self::TooMany => {
                vec![all(Fault::RateLimitedHtml).percent(40), all(Fault::RateLimited(Duration::from_secs(1)))]
            }
            Self::Cut => vec![all(Fault::Reset).percent(50), all(Fault::Cut)],
            Self::Nonsense => vec![
                all(Fault::Html).percent(30),
                all(Fault::Truncated).percent(30),
                all(Fault::Empty).percent(30),
                all(Fault::Hollow),
            ],
        }
    }
}

/// One part of the run.
#[derive(Debug)]
pub(crate) struct Phase {
    pub(crate) name: &'static str,
    pub(crate) trouble: Trouble,
    pub(crate) length: Duration,
    /// The CRM has become well, and by then a call to it must have succeeded.
    pub(crate) recovery: Option<Duration>,
}

/// All phases, in order.
pub(crate) fn phases(times: &Times) -> Vec<Phase> {
    const PHASES: [(&str, Trouble, u32); 12] = [
        ("healthy", Trouble::None, 4),
        ("slow", Trouble::Slow, 2),
        ("hung", Trouble::Hung, 3),
        ("errors", Trouble::Errors, 2),
        ("healthy", Trouble::None, 2),
        ("429", Trouble::TooMany, 2),
        ("cut off", Trouble::Cut, 2),
        ("nonsense", Trouble::Nonsense, 2),
        ("blocked", Trouble::Blocked, 2),
        ("healthy", Trouble::None, 3),
        ("gone", Trouble::Gone, 2),
        ("healthy", Trouble::None, 4),
    ];
    let phase = |(n, &(name, trouble, halves)): (usize, &(_, _, u32))| Phase {
        name,
        trouble,
        length: times.unit * halves / 2,
        recovery: (n > 0 && trouble == Trouble::None).then(|| times.recovery()),
    };
    PHASES.iter().enumerate().map(phase).collect()
}
