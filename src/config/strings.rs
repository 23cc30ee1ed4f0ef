//! What was typed: the text of every variable that was given, by flag or by environment, before anybody has judged it.
//!
//! Everything comes through here, whoever the caller is: the commands through clap, the demo and the tests through [`Strings::of`]. An
//! empty text counts as not given, because that is how deployment templates leave something out.

use std::collections::HashMap;
use std::ffi::OsString;
use std::fmt;

use clap::builder::ValueParser;
use clap::error::Error as ClapError;
use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Args, Command, FromArgMatches};

use super::topics;
use super::variable::{Variable, flag_of};

/// The texts that were given, by variable. The `Debug` form shows which, never what.
#[derive(Clone, Default)]
pub struct Strings(HashMap<String, OsString>);

impl Strings {
    /// Takes the text of every variable from `text_of`.
    pub fn of<T: Into<OsString>>(text_of: impl Fn(&str) -> Option<T>) -> Self {
        let mut strings = Self::default();
        for name in names() {
            if let Some(text) = text_of(&name) {
                strings.insert(name, text.into());
            }
        }
        strings
    }

    /// The text of the variable of this name, if it was given.
    pub(super) fn get(&self, name: &str) -> Option<&OsString> {
        self.0.get(name)
    }

    fn insert(&mut self, name: String, text: OsString) {
        if !text.is_empty() {
            self.0.insert(name, text);
        }
    }
}

impl fmt::Debug for Strings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut names: Vec<_> = self.0.keys().collect();
        names.sort();
        f.debug_tuple("Strings").field(&names).finish()
    }
}

/// Every name that is read, `…_FILE` included, in the order of `--help`.
fn names() -> impl Iterator<Item = String> {
    let variables = topics().iter().flat_map(|topic| topic.variables);
    variables.flat_map(|variable| [Some(variable.name.to_owned()), variable.file_variable()]).flatten()
}

impl Args for Strings {
    fn augment_args(mut command: Command) -> Command {
        for topic in topics() {
            command = command.next_help_heading(topic.heading);
            for variable in topic.variables {
                command = command.arg(argument(variable)).args(file_argument(variable));
            }
        }
        command.next_help_heading(None)
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for Strings {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, ClapError> {
        let is_given =
            |name: &str| matches.value_source(name).is_some_and(|source| source != ValueSource::DefaultValue);
        Ok(Self::of(|name| matches.get_one::<OsString>(name).filter(|_| is_given(name)).cloned()))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), ClapError> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

/// The flag of one variable. Defaults are only told to clap for `--help`: they hold for an empty text too, which clap would take as given.
fn argument(variable: &Variable) -> Arg {
    let arg = text_argument(variable.name.to_owned(), variable.value, variable.help.trim().to_owned());
    let arg = arg.hide_env_values(variable.secret);
    match variable.default {
        Some(default) => arg.default_value(default),
        None => arg,
    }
}

fn file_argument(variable: &Variable) -> Option<Arg> {
    let help = format!("A file that holds {}", variable.name);
    variable.file_variable().map(|name| text_argument(name, "PATH", help))
}

fn text_argument(name: String, value: &'static str, help: String) -> Arg {
    let flag = flag_of(&name);
    Arg::new(name.clone()).long(flag).env(name).value_name(value).help(help).value_parser(ValueParser::os_string())
}
