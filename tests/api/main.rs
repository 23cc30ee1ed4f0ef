//! The service from outside: one binary, one module a topic.
mod harness;

mod cache_lifetimes;
mod coalescing;
mod invalidation;
mod model;
mod sandbox;
mod schedules;
