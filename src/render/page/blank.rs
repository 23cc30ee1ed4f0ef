//! The pages without a contact: nobody has the number, there is none, or the question could not be answered. The number stays large,
//! because it is all that the agent has.

use askama::Template;

use super::{Footer, STYLE};
use crate::lookup::Freshness;
use crate::phone::{Extension, Number, Region};
use crate::render::line::Line;
use crate::render::{Asked, Failure, Options, text};

#[derive(Template)]
#[template(path = "blank.html", config = "src/render/page/askama.toml")]
struct Page {
    title: String,
    style: &'static str,
    mood: &'static str,
    caption: Option<&'static str>,
    region: Option<&'static str>,
    headline: String,
    message: String,
    actions: Vec<Action>,
    form: Option<Form>,
    footer: Footer,
}

struct Action {
    text: &'static str,
    href: String,
    is_primary: bool,
    is_outside: bool,
}

/// Asks for a number in place of one that could not be read.
struct Form {
    phone: String,
    region: Option<Region>,
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
        form: None,
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
        form: None,
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
        form: None,
        footer: Footer::saying("The CRM was not asked.".to_owned()),
    })
}

/// The question could not be answered.
pub(in crate::render) fn failure(failure: &Failure<'_>, asked: &Asked<'_>, options: &Options) -> String {
    let Wording { caption, message, remedy } = wording(failure.code);
    let again = match remedy {
        // An empty address is the page itself, with the same question.
        Remedy::Again(text) => Some(Action { text, href: String::new(), is_primary: true, is_outside: false }),
        Remedy::Number | Remedy::None => None,
    };
    let form =
        matches!(remedy, Remedy::Number).then(|| Form { phone: asked.input.trim().to_owned(), region: options.region });
    let headline = failure.number.map_or_else(|| asked.input.trim().to_owned(), headline);
    let (caption, headline) = if headline.is_empty() { (None, caption.to_owned()) } else { (Some(caption), headline) };
    write(&Page {
        title: text::visible(&format!("{} · {headline}", caption.unwrap_or("callcard"))),
        style: STYLE,
        mood: "failed",
        caption,
        region: failure.number.and_then(|number| Line::from(number).region),
        headline,
        message: message.map_or_else(|| sentence(failure.detail), str::to_owned),
        actions: again.into_iter().chain(failure.number.map(call_back)).collect(),
        form,
        footer: Footer::saying(format!("{} · request {}", failure.code, failure.request_id)),
    })
}

/// What went wrong, in an agent's words.
struct Wording {
    caption: &'static str,
    /// Instead of the problem's own detail, which is for whoever built the client.
    message: Option<&'static str>,
    remedy: Remedy,
}

/// What an agent can do about it.
enum Remedy {
    /// Ask the same again; the text is the button's.
    Again(&'static str),
    /// Ask for another number.
    Number,
    None,
}

fn wording(code: &str) -> Wording {
    let (caption, message, remedy) = match code {
        "invalid-phone" => ("Not a phone number", None, Remedy::Number),
        "invalid-parameter" => ("The link is not right", None, Remedy::Number),
        "upstream-timeout" => (
            "The CRM is slow",
            Some("No answer yet. It is still being fetched: try again in a moment."),
            Remedy::Again("Try again"),
        ),
        "upstream-unavailable" => (
            "The CRM cannot be reached",
            Some(
                "It does not answer at the moment, and nothing is kept for this number. Another try in some seconds may help.",
            ),
            Remedy::Again("Try again"),
        ),
        "overloaded" => (
            "The CRM is busy",
            Some("More is asked of it just now than it allows. Another try in some seconds should help."),
            Remedy::Again("Try again"),
        ),
        "upstream-failed" => (
            "The CRM failed",
            Some(
                "Its answer could not be used, and nothing is kept for this number. If another try does not help, tell support.",
            ),
            Remedy::Again("Try again"),
        ),
        "unauthorized" => (
            "A key is needed",
            Some("When the browser asks, enter the key as password; the user name does not matter."),
            Remedy::Again("Sign in"),
        ),
        "forbidden" => {
            ("Not with this key", Some("This key may not open contact cards. Ask for one that may."), Remedy::None)
        }
        _ => ("No answer", None, Remedy::Again("Try again")),
    };
    Wording { caption, message, remedy }
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
