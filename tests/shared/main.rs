//! Several replicas as one service: real processes, a real Redis that is killed, stopped and emptied, and one stand-in CRM that notes when
//! it was called.
//!
//! `redis-server` is started by the tests themselves (Debian: `apt-get install redis-server`); without it they fail.
#![expect(clippy::unwrap_used, reason = "a test, helpers included, may stop at what it did not expect")]

mod harness;

mod absence;
mod changes;
mod costs;
mod edits;
mod entries;
mod failover;
mod ledger;
mod mirror;
mod outages;
mod refusals;
mod setbacks;
mod together;
mod tokens;
