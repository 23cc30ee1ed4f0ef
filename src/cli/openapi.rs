//! `callcard openapi`: the description of the interface, for generators and reviews.

use std::io::{self, Write};

use super::{Exit, complain};
use crate::http::openapi;

/// Prints what a running instance serves at `/openapi.json`.
pub(super) fn run() -> Exit {
    match io::stdout().write_all(openapi::json().as_bytes()) {
        Ok(()) => Exit::Fine,
        Err(error) => complain(Exit::Failed, error),
    }
}
