//! A directory as desk phones read it (Cisco's `CiscoIPPhoneDirectory`, which Yealink and others read too): one entry for each number of
//! the contact that can be dialled. It is never without an entry, because phones show a directory without one as a fault.

use askama::Template;

use super::line::Line;
use crate::card::Card;
use crate::lookup::{Answer, Finding};
use crate::phone::E164;

/// Cisco phones refuse a directory with more.
const MOST: usize = 32;

#[derive(Template)]
#[template(
    ext = "xml",
    source = r#"<?xml version="1.0" encoding="UTF-8"?>
<CiscoIPPhoneDirectory>
<Title>{{ title }}</Title>
<Prompt>{{ prompt }}</Prompt>
{% for entry in entries %}<DirectoryEntry><Name>{{ entry.name }}</Name><Telephone>{{ entry.telephone }}</Telephone></DirectoryEntry>
{% endfor %}</CiscoIPPhoneDirectory>
"#
)]
struct Directory {
    title: String,
    prompt: String,
    entries: Vec<Entry>,
}

struct Entry {
    name: String,
    telephone: String,
}

/// The directory of an answer.
pub(super) fn directory(answer: &Answer) -> String {
    let line = Line::of(answer);
    let title = line.international.or(line.extension).unwrap_or_else(|| "Withheld".to_owned());
    match &answer.finding {
        Finding::Found(found) => write(title, String::new(), entries(&found.best)),
        Finding::NotFound(_) => write(title, "Nobody has this number".to_owned(), Vec::new()),
        Finding::Withheld => write(title, "The number is withheld".to_owned(), Vec::new()),
        Finding::Extension(_) => write(title, "An internal extension".to_owned(), Vec::new()),
    }
}

/// The directory of a failure.
pub(super) fn failure() -> String {
    write("Not available".to_owned(), "Try again later".to_owned(), Vec::new())
}

fn entries(card: &Card) -> Vec<Entry> {
    let company = card.company.as_ref().and_then(|company| company.name.as_deref()).filter(|name| !name.is_empty());
    let name = match (card.name.is_empty(), company) {
        (false, Some(company)) => format!("{} ({company})", card.name),
        (false, None) => card.name.clone(),
        (true, company) => company.unwrap_or("?").to_owned(),
    };
    let dialable = card.phones.iter().filter(|phone| phone.parse::<E164>().is_ok());
    dialable.take(MOST).map(|phone| Entry { name: legal(&name), telephone: phone.clone() }).collect()
}

fn write(title: String, prompt: String, mut entries: Vec<Entry>) -> String {
    if entries.is_empty() {
        entries.push(Entry { name: "No entries".to_owned(), telephone: String::new() });
    }
    Directory { title, prompt, entries }.render().expect("writing to a string cannot fail")
}

/// XML 1.0 has no way to write most control characters, nor U+FFFE and U+FFFF.
fn legal(text: &str) -> String {
    text.chars().filter(|c| !c.is_control() && !matches!(c, '\u{fffe}' | '\u{ffff}')).collect()
}
