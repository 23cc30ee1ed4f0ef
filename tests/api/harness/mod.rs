//! What the tests build on.
pub(crate) mod log;
pub(crate) mod service;
pub(crate) mod world;
