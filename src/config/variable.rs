//! What can be set: every variable is declared once, with its meaning, its default and whether it is a secret.
//!
//! The declaration is the only place that names a variable. The flag, the `…_FILE` twin of a secret, `--help` and the tables that tests
//! compare with the README are made from it.

use std::fmt;

/// One setting, by the name of its environment variable.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Variable {
    /// `CALLCARD_…`.
    pub name: &'static str,
    /// What stands for the value in `--help`.
    pub value: &'static str,
    /// What holds when nothing is set, as one would type it.
    pub default: Option<&'static str>,
    /// Never shown, and readable from the file that `…_FILE` names.
    pub secret: bool,
    /// What it means; one paragraph.
    pub help: &'static str,
}

/// Variables that belong together, under one heading of `--help`.
#[derive(Clone, Copy, Debug)]
pub struct Topic {
    /// The heading.
    pub heading: &'static str,
    /// Its variables, in the order in which they are shown.
    pub variables: &'static [Variable],
}

impl Variable {
    /// The flag of `serve` for it, without the dashes.
    #[must_use]
    pub fn flag(&self) -> String {
        flag_of(self.name)
    }

    /// The variable that names a file to read the value from, where there is one.
    #[must_use]
    pub fn file_variable(&self) -> Option<String> {
        self.secret.then(|| format!("{}_FILE", self.name))
    }
}

impl fmt::Debug for Variable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// `CALLCARD_KNOWN_FRESH` → `known-fresh`.
pub(super) fn flag_of(variable: &str) -> String {
    variable.strip_prefix("CALLCARD_").unwrap_or(variable).to_ascii_lowercase().replace('_', "-")
}

/// Declares the variables of one topic: a constant each, and `TOPIC` with all of them. The doc comment is the help text.
macro_rules! variables {
    ($heading:literal: $($(#[doc = $doc:literal])+ $id:ident = $($kind:ident)? $name:literal as $value:literal $(or $default:literal)?;)+) => {
        $(
            $(#[doc = $doc])+
            const $id: $crate::config::variable::Variable = $crate::config::variable::Variable {
                name: $name,
                value: $value,
                default: $crate::config::variable::variables!(@default $($default)?),
                secret: $crate::config::variable::variables!(@secret $($kind)?),
                help: concat!($($doc),+),
            };
        )+

        pub(super) const TOPIC: $crate::config::variable::Topic =
            $crate::config::variable::Topic { heading: $heading, variables: &[$($id),+] };
    };
    (@default) => { None };
    (@default $default:literal) => { Some($default) };
    (@secret) => { false };
    (@secret secret) => { true };
}
pub(super) use variables;
