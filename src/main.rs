//! The `callcard` program; see the library's `cli` for its commands.

use callcard::cli::{self, Exit};

fn main() -> Exit {
    cli::run()
}
