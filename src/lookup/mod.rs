//! The use case: who is calling?
mod answer;
pub use answer::{Answer, Finding, Found, Freshness, LookupError};
