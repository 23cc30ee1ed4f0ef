//! The service from outside: one binary, one module a topic.
#![expect(clippy::unwrap_used, reason = "a test, helpers included, may stop at what it did not expect")]

mod harness;

mod cache_lifetimes;
mod calibration;
mod coalescing;
mod companies;
mod directory;
mod documents;
mod events;
mod everything;
mod faults;
mod invalidation;
mod layers;
mod lookups;
mod model;
mod outage_log;
mod quota;
mod references;
mod refreshing;
mod sandbox;
mod schedules;
mod token_crashes;
mod tokens;
mod upstream_failures;
mod webhooks;
mod whose_number;
