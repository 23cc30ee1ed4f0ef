//! The seven forms of an answer, and the page in particular.
//!
//! The page's tests also leave their pages in `target/card-pages/`, where `scripts/card-screenshots` takes pictures of them.

#![expect(clippy::unwrap_used, reason = "a test whose sample cannot be built must fail")]

mod forms;
mod page;
mod samples;
