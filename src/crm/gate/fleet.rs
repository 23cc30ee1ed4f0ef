//! The replicas of this service as one of them sees them: who else is there, whose turn it is, what the CRM has told any of them.
//!
//! The quota belongs to the account, so with several replicas the next slot is not this process's to take. The gate asks a [`Fleet`] for it.
//! What the gate needs of a fleet is a *ledger* that lives outside of all of them and can disappear at any moment:
//!
//! - A [`Beat`] says that this replica is alive and may book one slot. Slots are given one interval apart. A replica holds one slot at a
//!   time, so nobody's slots lie further ahead than [`Word::horizon`].
//! - The ledger notes for each replica the *share* of the rate it may use alone, should it lose sight of the ledger. The shares never add up
//!   to more than the rate, and one that was lowered counts in full until its holder has confirmed the lower one.
//! - A replica that has not been heard of for [`MISSED`] is taken to be on its own: its share is kept out of what the others are given, for
//!   [`FORGOTTEN`]. It begins only after that, and after the last slot anybody may hold ([`super::shared_pace`]).
//!
//! So no moment exists in which slots from the ledger and calls on somebody's own share add up to more than the rate.

use std::fmt;
use std::time::Duration;

use futures_util::future::BoxFuture;

use super::breaker::Reason;
use crate::outcome::Class;

/// A replica that is well is heard of this often, at least.
pub const BEAT: Duration = Duration::from_millis(250);
/// A replica that has not been heard of for this long is taken to be on its own.
pub const MISSED: Duration = Duration::from_millis(1_000);
/// One that has not been heard of for this long is taken to be gone for good.
pub const FORGOTTEN: Duration = Duration::from_secs(60);
/// The second that the quota is about, and a tenth for the way to the CRM.
pub const WINDOW: Duration = Duration::from_millis(1_100);

/// The ledger that all replicas share.
pub trait Fleet: Send + Sync + fmt::Debug + 'static {
    /// Says that we are alive, and books a slot if one is wanted. Is answered or given up within [`Self::patience`]; one that was given up
    /// has no effect later than that.
    fn beat(&self, beat: Beat) -> BoxFuture<'_, Result<Word, Unheard>>;

    /// Whether the ledger is there. Tells it nothing.
    fn reach(&self) -> BoxFuture<'_, Result<(), Unheard>>;

    /// Tells everybody what the CRM has said to us.
    fn tell(&self, news: News) -> BoxFuture<'_, Result<(), Unheard>>;

    /// Takes this replica out of the ledger. It makes no call after that.
    fn leave(&self) -> BoxFuture<'_, ()>;

    /// Ends when somebody else has told something.
    fn nudged(&self) -> BoxFuture<'_, ()>;

    /// How long a beat may take.
    fn patience(&self) -> Duration;
}

/// What a replica says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Beat {
    /// The slot it wants.
    pub wants: Option<Want>,
    /// Whether live calls wait here: background calls elsewhere stand back then.
    pub live_waiting: bool,
    /// The share it holds; none before it was told one.
    pub share: Option<u32>,
    /// How many replicas it has last heard of.
    pub replicas: u32,
}

/// A slot that is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Want {
    /// For whom.
    pub class: Class,
    /// A later one is of no use.
    pub within: Duration,
}

/// What a replica is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Word {
    /// What became of the slot that was wanted; counted from when the ledger said so.
    pub booking: Booking,
    /// When the next slot after that would be, likewise.
    pub next_in: Duration,
    /// Calls a second that this replica may make on its own.
    pub share: u32,
    /// Replicas that are known, this one included.
    pub replicas: u32,
    /// Others in which live calls wait.
    pub others_waiting: u32,
    /// Nobody's slot lies further ahead than this.
    pub horizon: Duration,
    /// The CRM has asked for a pause that lasts this much longer.
    pub paused_for: Duration,
    /// The CRM has shut all of us out.
    pub blocked: Option<Blocked>,
}

/// What became of a wish for a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Booking {
    /// None was wanted.
    None,
    /// It is ours.
    Slot {
        /// When it begins.
        after: Duration,
    },
    /// Not now, or not in time.
    Later {
        /// When asking again may help.
        after: Duration,
    },
}

/// The CRM has shut all of us out, for a reason that is the account's and not one replica's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Blocked {
    /// Why.
    pub reason: Reason,
    /// How much longer; zero once one replica may probe.
    pub left: Duration,
}

/// What the CRM has said to one replica and means for all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum News {
    /// It asked for a pause.
    Paused(Duration),
    /// It shut us out.
    Blocked(Blocked),
    /// It lets us in again.
    Resumed,
}

/// Why the ledger was not heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unheard {
    /// It is out of reach, too slow, or refuses to work.
    #[error("the shared ledger is out of reach")]
    Lost,
    /// Its clock has jumped: what it said of times is worth nothing.
    #[error("the shared ledger's clock has jumped")]
    Jumped,
}

impl Reason {
    /// Whether it says something about the account, and not about what one replica was given to work with: a wrong token in a new pod must
    /// not silence the old ones, nor one machine's bad network the others.
    pub(super) const fn concerns_all(self) -> bool {
        matches!(self, Self::Blocked | Self::Payment)
    }
}
