//! What the server does in one step. Each script is a file; those that need the time get it from the server itself.

use redis::Script;

/// Flags that Redis 7.0 knows: a store whose memory is full must still keep the quota.
const HEAD: &str = "#!lua flags=allow-oom\n";
/// The server's clock in microseconds, as `now`.
const NOW: &str = "local t = redis.call('TIME')\nlocal now = t[1] * 1000000 + t[2]\n";

/// The counter of epochs, as a function.
const COUNTER: &str = include_str!("scripts/counter.lua");

/// All scripts; each is loaded into the server when it does not know it.
pub(super) struct Scripts {
    /// Says that a replica is alive and books a slot.
    pub(super) beat: Script,
    /// What the CRM said to one replica and means for all.
    pub(super) news: Script,
    /// A replica leaves.
    pub(super) leave: Script,
    /// Makes a change known.
    pub(super) change: Script,
    /// Brings a counter of epochs that was set back forward again.
    pub(super) forward: Script,
    /// Makes sure that stamps are there.
    pub(super) stamp: Script,
    /// Takes the right to fill.
    pub(super) claim: Script,
    /// Writes an entry, if the right to is still held.
    pub(super) write: Script,
    /// Keeps a lease.
    pub(super) keep: Script,
    /// Keeps a value under a lease.
    pub(super) save: Script,
    /// Adds an entry to the mirror's log.
    pub(super) append: Script,
    /// Where that log ends.
    pub(super) end: Script,
    /// Gives a lease back.
    pub(super) release: Script,
}

impl Default for Scripts {
    fn default() -> Self {
        let script = |text: &str| Script::new(&format!("{HEAD}{NOW}{text}"));
        let counting = |text: &str| Script::new(&format!("{HEAD}{NOW}{COUNTER}{text}"));
        Self {
            beat: counting(include_str!("scripts/beat.lua")),
            news: script(include_str!("scripts/news.lua")),
            leave: script(include_str!("scripts/leave.lua")),
            change: counting(include_str!("scripts/change.lua")),
            forward: counting(include_str!("scripts/forward.lua")),
            stamp: script(include_str!("scripts/stamp.lua")),
            claim: script(include_str!("scripts/claim.lua")),
            write: script(include_str!("scripts/write.lua")),
            keep: script(include_str!("scripts/keep.lua")),
            save: script(include_str!("scripts/save.lua")),
            append: script(include_str!("scripts/append.lua")),
            end: script(include_str!("scripts/end.lua")),
            release: script(include_str!("scripts/release.lua")),
        }
    }
}
