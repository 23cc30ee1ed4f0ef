//! The use case: who is calling?
mod answer;
pub use crate::cache::{Forwarded, Freshness};
pub use answer::{Answer, Finding, Found, LookupError};
