//! The pages without a contact: nobody has the number, there is none, or the question could not be answered. The number stays large,
//! because it is all that the agent has.

use askama::Template;

use super::{Footer, STYLE};
use crate::lookup::Freshness;
use crate::phone::{Extension, Number};
use crate::render::line::Line;
use crate::render::{Asked, Failure, Options, text};

#[derive(Template)]
#[template(path = "blank.html", config = "src/render/page/askama.toml")]
struct Page {
    title: String,
    style: &'static str,
    mood: &'static str,
    caption: Option<&'static str>,
    region: Option<String>,
    headline: String,
    message: String,
    actions: Vec<Action>,
    footer: Footer,
}

struct Action {
    text: &'static str,
    href: String,
    is_primary: bool,
    is_outside: bool,
}

/// Nobody has the number: offer to make a contact of it.
pub(super) fn not_found(number: &Number, freshness: &Freshness, options: &Options) -> String {
    let new = options.new_contact_url.clone().map(|href| Action {
        text: "New contact",
        href,
        is_primary: true,
        is_outside: true,
    });
    write(&Page {
        title: format!("Unknown caller · {}", headline(number)),
        style: STYLE,
        mood: "unknown",
        caption: Some("Unknown caller"),
        region: Line::from(number).region,
        headline: headline(number),
        message: "No contact in the CRM has this number.".to_owned(),
        actions: new.into_iter().chain([call_back(number)]).collect(),
        footer: Footer::new(freshness, options),
    })
}

/// There is no number.
pub(super) fn withheld() -> String {
    write(&Page {
        title: "Number withheld".to_owned(),
        style: STYLE,
        mood: "unknown",
        caption: None,
        region: None,
        headline: "Number withheld".to_owned(),
        message: "The caller does not show a number, so there is nobody to look up.".to_owned(),
        actions: Vec::new(),
        footer: Footer::saying("The CRM was not asked.".to_owned()),
    })
}

/// A colleague.
pub(super) fn extension(extension: &Extension) -> String {
    write(&Page {
        title: format!("Extension {extension}"),
        style: STYLE,
        mood: "unknown",
        caption: Some("Internal call"),
        region: None,
        headline: format!("Extension {extension}"),
        message: "Extensions are not looked up in the CRM.".to_owned(),
        actions: Vec::new(),
        footer: Footer::saying("The CRM was not asked.".to_owned()),
    })
}

/// The question could not be answered.
pub(in crate::render) fn failure(failure: &Failure<'_>, asked: &Asked, options: &Options) -> String {
    let (caption, try_again) = wording(failure.code);
    // An empty address is the page itself, with the same question.
    let href = options.reload_url.clone().unwrap_or_default();
    let again = try_again.then_some(Action { text: "Try again", href, is_primary: true, is_outside: false });
    let headline = failure.number.map_or_else(|| asked.input.trim().to_owned(), headline);
    write(&Page {
        title: text::visible(&format!("{caption} · {headline}")),
        style: STYLE,
        mood: "failed",
        caption: Some(caption),
        region: failure.number.and_then(|number| Line::from(number).region),
        headline: if headline.is_empty() { caption.to_owned() } else { headline },
        message: sentence(failure.detail),
        actions: again.into_iter().chain(failure.number.map(call_back)).collect(),
        footer: Footer::saying(format!("{} · request {}", failure.code, failure.request_id)),
    })
}

/// What went wrong, in an agent's words, and whether asking again can help.
fn wording(code: &str) -> (&'static str, bool) {
    match code {
        "invalid-phone" => ("Not a phone number", false),
        "upstream-timeout" => ("The CRM is slow", true),
        "upstream-unavailable" | "overloaded" => ("The CRM is not available", true),
        "upstream-failed" => ("The CRM failed", true),
        "unauthorized" | "forbidden" => ("Not allowed", false),
        _ => ("No answer", false),
    }
}

/// `detail` as a person writes it: problem documents have theirs in lower case and without a full stop.
fn sentence(detail: &str) -> String {
    let mut letters = detail.chars();
    let first: String = letters.next().into_iter().flat_map(char::to_uppercase).collect();
    let stop = if detail.ends_with(['.', '!', '?']) { "" } else { "." };
    first + letters.as_str() + stop
}

/// The number as written abroad, with its extension.
pub(super) fn headline(number: &Number) -> String {
    let line = Line::from(number);
    let extension = line.extension.map(|extension| format!(" ext. {extension}"));
    line.international.unwrap_or_default() + &extension.unwrap_or_default()
}

fn call_back(number: &Number) -> Action {
    Action { text: "Call back", href: format!("tel:{}", number.e164), is_primary: false, is_outside: false }
}

fn write(page: &Page) -> String {
    page.render().expect("writing to a string cannot fail")
}
