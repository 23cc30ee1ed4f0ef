//! What the tests build on.
pub(crate) mod world;
