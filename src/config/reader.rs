//! From text to values, collecting every fault on the way instead of stopping at the first.
//!
//! A reading that finds a fault notes it under its variable and gives `None`; the reader goes on, so one start shows everything that has
//! to be mended. The text of a secret never gets into a fault.

use std::fmt;
use std::fs::File;
use std::io::Read;
use std::ops::RangeInclusive;
use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};

use super::strings::Strings;
use super::variable::Variable;

/// Secrets are short; a path that was mistyped may lead to something endless.
const MAX_SECRET_FILE: u64 = 64 * 1024;
/// How much of a wrong value is repeated in its fault.
const SHOWN: usize = 60;

/// One thing to mend or to know, with its variable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The variable.
    pub variable: String,
    /// What is wrong with it, and what would be right.
    pub problem: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.variable, self.problem)
    }
}

/// Everything that is wrong with a configuration; never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Faults(Vec<Fault>);

impl Faults {
    /// Each of them, in the order of `--help`.
    #[must_use]
    pub fn all(&self) -> &[Fault] {
        &self.0
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = if self.0.len() == 1 { "" } else { "s" };
        write!(f, "the configuration has {} fault{plural}", self.0.len())?;
        self.0.iter().try_for_each(|fault| write!(f, "\n  {fault}"))
    }
}

impl std::error::Error for Faults {}

/// Reads variables and remembers what was wrong with them.
pub(super) struct Reader<'a> {
    strings: &'a Strings,
    faults: Vec<Fault>,
    warnings: Vec<Fault>,
}

impl<'a> Reader<'a> {
    /// Reads with `read`; its value and the warnings if there was no fault.
    pub(super) fn run<T>(
        strings: &'a Strings,
        read: impl FnOnce(&mut Self) -> Option<T>,
    ) -> Result<(T, Vec<Fault>), Faults> {
        let mut reader = Self { strings, faults: Vec::new(), warnings: Vec::new() };
        let value = read(&mut reader);
        match value {
            Some(value) if reader.faults.is_empty() => Ok((value, reader.warnings)),
            _ => Err(Faults(reader.faults)),
        }
    }

    /// Notes what is wrong with `variable`; the missing value is returned for convenience.
    pub(super) fn fault<T>(&mut self, variable: &Variable, problem: impl Into<String>) -> Option<T> {
        self.fault_of(variable.name.to_owned(), problem.into())
    }

    /// Notes something that works, but not as well as its owner may think.
    pub(super) fn warn(&mut self, variable: &Variable, problem: impl Into<String>) {
        self.warnings.push(Fault { variable: variable.name.to_owned(), problem: problem.into() });
    }

    /// Whether the variable, or for a secret its file, was given.
    pub(super) fn is_set(&self, variable: &Variable) -> bool {
        let named = |name: &str| self.strings.get(name).is_some();
        named(variable.name) || variable.file_variable().is_some_and(|name| named(&name))
    }

    /// The variable's text, or its default. `Some(None)`: not given, and there is no default.
    fn text(&mut self, variable: &Variable) -> Option<Option<&'a str>> {
        match self.strings.get(variable.name) {
            None => Some(variable.default),
            Some(text) => match text.to_str() {
                Some(text) => Some(Some(text)),
                None => self.fault(variable, "is not valid UTF-8"),
            },
        }
    }

    /// A value that has a default or may be absent, read by `parse`. Faults repeat the text.
    pub(super) fn optional<T, E: fmt::Display>(
        &mut self,
        variable: &Variable,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<Option<T>> {
        let Some(text) = self.text(variable)? else { return Some(None) };
        match parse(text.trim()) {
            Ok(value) => Some(Some(value)),
            Err(problem) => self.fault(variable, format!("{} {problem}", quoted(text))),
        }
    }

    /// A value that must be there: by default or because somebody gave it.
    pub(super) fn required<T, E: fmt::Display>(
        &mut self,
        variable: &Variable,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        match self.optional(variable, parse)? {
            Some(value) => Some(value),
            None => self.fault(variable, format!("must be set: {}", variable.help.trim())),
        }
    }

    /// One word out of a closed set.
    pub(super) fn choice<T: Copy>(&mut self, variable: &Variable, words: &[(&str, T)]) -> Option<T> {
        self.required(variable, |text| one_of(words, text))
    }

    /// A duration with its unit, within bounds.
    pub(super) fn duration(&mut self, variable: &Variable, bounds: RangeInclusive<Duration>) -> Option<Duration> {
        self.required(variable, |text| parse_duration(text).and_then(|value| within(value, &bounds, written)))
    }

    /// A number or anything else that is written as text and has an order, within bounds.
    pub(super) fn within<T>(&mut self, variable: &Variable, what: &str, bounds: RangeInclusive<T>) -> Option<T>
    where
        T: FromStr + PartialOrd + Copy + fmt::Display,
    {
        self.required(variable, |text| {
            let value = text.parse().map_err(|_| format!("is not {what}"))?;
            within(value, &bounds, |bound| bound.to_string())
        })
    }

    /// A secret, from its variable or from its file; without surrounding white space.
    pub(super) fn secret(&mut self, variable: &Variable) -> Option<Option<SecretString>> {
        let file_variable = variable.file_variable().expect("only secrets are read as secrets");
        let secret = match (self.strings.get(variable.name), self.strings.get(&file_variable)) {
            (None, None) => return Some(None),
            (Some(_), Some(_)) => return self.fault(variable, format!("is set, and {file_variable} too; keep one")),
            (Some(text), None) => match text.to_str() {
                Some(text) => SecretString::from(text.trim()),
                None => return self.fault(variable, "is not valid UTF-8"),
            },
            (None, Some(path)) => match read_secret(Path::new(path)) {
                Ok(secret) => secret,
                Err(problem) => return self.fault_of(file_variable, problem),
            },
        };
        if secret.expose_secret().is_empty() { self.fault(variable, "is blank") } else { Some(Some(secret)) }
    }

    fn fault_of<T>(&mut self, variable: String, problem: String) -> Option<T> {
        self.faults.push(Fault { variable, problem });
        None
    }
}

pub(super) fn one_of<T: Copy>(words: &[(&str, T)], text: &str) -> Result<T, String> {
    words.iter().find(|(word, _)| *word == text).map(|(_, value)| *value).ok_or_else(|| {
        let words: Vec<_> = words.iter().map(|(word, _)| *word).collect();
        format!("is not one of: {}", words.join(", "))
    })
}

fn parse_duration(text: &str) -> Result<Duration, String> {
    if text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
        return Err("has no unit; write it as 250ms, 10s, 10m or 24h".to_owned());
    }
    humantime::parse_duration(text).map_err(|_| "is not a duration such as 250ms, 10s, 10m or 24h".to_owned())
}

fn within<T: PartialOrd>(value: T, bounds: &RangeInclusive<T>, show: impl Fn(&T) -> String) -> Result<T, String> {
    if bounds.contains(&value) {
        return Ok(value);
    }
    Err(format!("is not between {} and {}", show(bounds.start()), show(bounds.end())))
}

fn written(duration: &Duration) -> String {
    humantime::format_duration(*duration).to_string()
}

/// As much of a wrong value as helps to recognise it, made safe to print. Before an `@` a URL may hold a password.
fn quoted(text: &str) -> String {
    if text.contains('@') {
        return "the value".to_owned();
    }
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{:?}…", &text[..end]),
        None => format!("{text:?}"),
    }
}

fn read_secret(path: &Path) -> Result<SecretString, String> {
    let mut text = String::new();
    let file = File::open(path).map_err(|error| format!("cannot be opened: {}", error.kind()))?;
    let read = file.take(MAX_SECRET_FILE + 1).read_to_string(&mut text);
    let length = read.map_err(|error| format!("cannot be read as text: {}", error.kind()))?;
    match text.trim() {
        _ if length as u64 > MAX_SECRET_FILE => Err(format!("is larger than {MAX_SECRET_FILE} bytes")),
        "" => Err("is empty".to_owned()),
        secret => Ok(SecretString::from(secret)),
    }
}
