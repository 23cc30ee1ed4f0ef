//! docs/logging.md lists every event that the code can log, with its level and its fields, and no other.

use std::collections::BTreeSet;
use std::path::Path;

use regex::Regex;

use crate::layers::rust_files;

/// One event: where it is, and what it says.
struct Event {
    place: String,
    level: String,
    /// Up to the first value that is written into it; empty if it begins with one.
    message: String,
    fields: BTreeSet<String>,
}

/// One row of the table.
#[derive(Debug)]
struct Row {
    levels: Vec<String>,
    /// None where the text itself varies.
    message: Option<String>,
    /// The text goes on.
    open: bool,
    fields: BTreeSet<String>,
}

impl Row {
    fn tells(&self, event: &Event) -> bool {
        let same_message = match &self.message {
            Some(message) if self.open => event.message.starts_with(message.as_str()),
            Some(message) => event.message == *message,
            None => event.message.is_empty(),
        };
        same_message && self.levels.contains(&event.level) && self.fields == event.fields
    }
}

fn rows() -> Vec<Row> {
    let document = std::fs::read_to_string("docs/logging.md").unwrap();
    let table = document.split_once("<!-- events:begin -->").unwrap().1.split_once("<!-- events:end -->").unwrap().0;
    let row =
        Regex::new(r"(?m)^\| (?<levels>[a-z, ]+) \| (?:`(?<message>[^`]+)`|\*[^*]+\*) \| (?<fields>[^|]*)\|").unwrap();
    let fields = Regex::new("`([^`]+)`").unwrap();
    row.captures_iter(table)
        .filter(|row| &row["levels"] != "level")
        .map(|row| Row {
            levels: row["levels"].split(", ").map(str::to_owned).collect(),
            message: row.name("message").map(|text| text.as_str().trim_end_matches(['…', ' ']).to_owned()),
            open: row.name("message").is_some_and(|text| text.as_str().ends_with('…')),
            fields: fields.captures_iter(&row["fields"]).map(|field| field[1].to_owned()).collect(),
        })
        .collect()
}

/// The arguments of a macro call, from behind its parenthesis to the end of the file.
fn arguments(text: &str) -> Vec<String> {
    let (mut depth, mut quoted, mut escaped) = (0, false, false);
    let mut found = vec![String::new()];
    for c in text.chars() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => quoted = !quoted,
            _ if quoted => {}
            '(' | '{' | '[' => depth += 1,
            ')' if depth == 0 => break,
            ')' | '}' | ']' => depth -= 1,
            ',' if depth == 0 => {
                found.push(String::new());
                continue;
            }
            _ => {}
        }
        found.last_mut().unwrap().push(c);
    }
    found.into_iter().map(|argument| argument.trim().to_owned()).filter(|argument| !argument.is_empty()).collect()
}

/// The text of a message, with a constant in its place if it is nothing else.
fn message(literal: &str, source: &str) -> String {
    let continued = Regex::new(r"\\\n\s*").unwrap();
    let text = continued.replace_all(literal.trim_matches('"'), "");
    let constant = text.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')).filter(|name| !name.is_empty());
    if let Some(name) = constant {
        let value = Regex::new(&format!(r#"const {name}: &str = "([^"\\]+)"#)).unwrap();
        return value.captures(source).map(|found| found[1].to_owned()).unwrap_or_default();
    }
    text.split('{').next().unwrap().trim_end().to_owned()
}

fn events_of(path: &Path) -> Vec<Event> {
    let source = std::fs::read_to_string(path).unwrap();
    let code = source.split("#[cfg(test)]\nmod tests {").next().unwrap();
    let call = Regex::new(r"(?:^|[\s:>{])(error|warn|info|debug|trace)!\(").unwrap();
    let field = Regex::new(r"^[%?]?([a-z_.]+)").unwrap();
    call.captures_iter(code)
        .map(|found| {
            let (place, level) = (path.display().to_string(), found[1].to_owned());
            let given = arguments(&code[found.get(0).unwrap().end()..]);
            let at = given.iter().position(|argument| argument.starts_with('"')).expect("an event has a message");
            let fields = given[..at].iter().map(|argument| field.captures(argument).unwrap()[1].to_owned()).collect();
            Event { place, level, message: message(&given[at], &source), fields }
        })
        .collect()
}

fn events() -> Vec<Event> {
    let is_code =
        |path: &Path| !path.ends_with("tests.rs") && !path.components().any(|part| part.as_os_str() == "tests");
    rust_files(Path::new("src")).iter().filter(|path| is_code(path)).flat_map(|path| events_of(path)).collect()
}

#[test]
fn every_event_has_its_row() {
    let rows = rows();
    let events = events();
    assert!(events.len() > 30, "only {} events were found", events.len());
    let untold = events.iter().filter(|event| !rows.iter().any(|row| row.tells(event)));
    let untold: Vec<_> = untold
        .map(|Event { place, level, message, fields }| format!("{place}: {level} '{message}' {fields:?}"))
        .collect();
    assert!(untold.is_empty(), "not in docs/logging.md:\n{}", untold.join("\n"));
}

#[test]
fn every_row_has_its_event() {
    let events = events();
    let idle: Vec<_> = rows().into_iter().filter(|row| !events.iter().any(|event| row.tells(event))).collect();
    assert!(idle.is_empty(), "only in docs/logging.md: {idle:#?}");
}
