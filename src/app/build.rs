//! Which build this is.

/// The version of the package.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The source revision, if the build was told: set `CALLCARD_REVISION` when compiling.
pub const REVISION: Option<&str> = option_env!("CALLCARD_REVISION");

/// Version and revision, as `--version` shows them.
#[must_use]
pub fn version() -> String {
    match REVISION {
        Some(revision) => format!("{VERSION} ({revision})"),
        None => VERSION.to_owned(),
    }
}
