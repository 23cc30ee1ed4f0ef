//! The page of a contact: the card in the order an agent needs it.

use std::sync::Arc;

use askama::Template;
use jiff::Timestamp;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::ago::{self, Ago, Span};
use super::color::Ground;
use super::lead::Leads;
use super::{Footer, STYLE};
use crate::card::{Card, TagView};
use crate::contact::PartyKind;
use crate::lookup::{Found, Freshness};
use crate::matching::MatchKind;
use crate::phone::{E164, Number};
use crate::render::line::Line;
use crate::render::{Options, text};

/// So many tags are in view.
const MOST_TAGS: usize = 5;
/// So many other contacts are in view.
const MOST_OTHERS: usize = 5;
/// A name of more characters than this takes too many lines at full size.
const LONG_NAME: usize = 48;
/// What may stand in the path of a `mailto:` link as it is; nothing that could add a header to the mail.
const MAILBOX: AsciiSet = NON_ALPHANUMERIC.remove(b'@').remove(b'.').remove(b'-').remove(b'_').remove(b'+');

#[derive(Template)]
#[template(path = "card.html", config = "src/render/page/askama.toml")]
struct Page<'a> {
    title: String,
    style: &'static str,
    caller: Caller,
    name: Name<'a>,
    company: Option<&'a str>,
    is_company: bool,
    tags: Tags<'a>,
    stale: Option<String>,
    is_equivalent: bool,
    url: &'a str,
    leads: Leads<'a>,
    owner: Option<String>,
    task: Option<Task>,
    phones: Vec<Link>,
    emails: Vec<Link>,
    since: Option<String>,
    others: Others<'a>,
    footer: Footer,
}

/// The page.
pub(super) fn page(found: &Found, freshness: &Freshness, options: &Options) -> String {
    let card = &*found.best;
    let caller = Caller::from(&found.number);
    let (name, company) = heading(card);
    let page = Page {
        title: text::visible(&format!("{name} · {}", caller.number)),
        style: STYLE,
        caller,
        name: Name { text: name, is_long: name.chars().count() > LONG_NAME },
        company,
        is_company: card.id.kind() == PartyKind::Company,
        tags: Tags::from(&card.tags[..]),
        stale: freshness.is_stale().then(|| stale(freshness)),
        is_equivalent: found.kind == MatchKind::Equivalent,
        url: &card.url,
        leads: Leads::new(card, options.now),
        owner: card
            .owner
            .as_ref()
            .map(|owner| owner.name.as_deref().map_or(format!("User {}", owner.id), str::to_owned)),
        task: card.next_task_at.map(|at| Task::new(at, options.now)),
        phones: card.phones.iter().map(|phone| Link::phone(phone, &found.number)).collect(),
        emails: card.emails.iter().map(|email| Link::email(email)).collect(),
        since: card.created_at.map(ago::date),
        others: Others::from(&found.others[..]),
        footer: Footer::new(freshness, options),
    };
    page.render().expect("writing to a string cannot fail")
}

/// The large line and the one under it. A contact without a name is known by its company.
fn heading(card: &Card) -> (&str, Option<&str>) {
    let company =
        card.company.as_ref().and_then(|company| company.name.as_deref()).filter(|name| !name.trim().is_empty());
    match (card.name.trim(), company) {
        ("", Some(company)) => (company, None),
        ("", None) if card.id.kind() == PartyKind::Company => ("Company without a name", None),
        ("", None) => ("Contact without a name", None),
        (name, company) => (name, company),
    }
}

/// What kept the CRM's newer answer away, and how old this one is.
fn stale(freshness: &Freshness) -> String {
    let why = if freshness.detail == Some("soft-deadline") { "is slow" } else { "does not answer" };
    format!("The CRM {why}. This is how it was {}.", Ago::age(freshness.age))
}

/// The large line; a very long one is set smaller, so that the rest stays in view.
struct Name<'a> {
    text: &'a str,
    is_long: bool,
}

/// The number on the line.
struct Caller {
    number: String,
    region: Option<&'static str>,
    href: Option<String>,
}

impl From<&Number> for Caller {
    fn from(number: &Number) -> Self {
        let line = Line::from(number);
        Self {
            number: super::blank::headline(number),
            region: line.region,
            href: line.e164.map(|e164| format!("tel:{e164}")),
        }
    }
}

/// The first tags, and how many more there are.
struct Tags<'a> {
    shown: Vec<Tag<'a>>,
    hidden: usize,
}

impl<'a> From<&'a [TagView]> for Tags<'a> {
    fn from(tags: &'a [TagView]) -> Self {
        let shown: Vec<_> = tags.iter().take(MOST_TAGS).map(Tag::from).collect();
        Self { hidden: tags.len() - shown.len(), shown }
    }
}

struct Tag<'a> {
    name: &'a str,
    color: Option<Ground>,
}

impl<'a> From<&'a TagView> for Tag<'a> {
    fn from(tag: &'a TagView) -> Self {
        Self { name: &tag.name, color: tag.color.as_deref().and_then(Ground::parse) }
    }
}

struct Task {
    at: Timestamp,
    when: String,
    is_overdue: bool,
}

impl Task {
    fn new(at: Timestamp, now: Timestamp) -> Self {
        let (when, is_overdue) = match Ago::of(at, now) {
            Ago::Past(seconds) => (format!("overdue by {}", Span(seconds)), true),
            Ago::Date(at) if at < now => (format!("overdue since {}", ago::date(at)), true),
            Ago::Now => ("due now".to_owned(), false),
            ahead => (ahead.to_string(), false),
        };
        Self { at, when, is_overdue }
    }
}

/// A number or an address that can be used from the page.
struct Link {
    text: String,
    href: Option<String>,
    is_caller: bool,
}

impl Link {
    /// A number that could not be read is shown as typed and cannot be called.
    fn phone(phone: &str, asked: &Number) -> Self {
        match phone.parse::<E164>() {
            Ok(e164) => {
                Self { text: e164.international(), href: Some(format!("tel:{e164}")), is_caller: e164 == asked.e164 }
            }
            Err(_) => Self { text: phone.to_owned(), href: None, is_caller: false },
        }
    }

    fn email(email: &str) -> Self {
        let href = email.contains('@').then(|| format!("mailto:{}", utf8_percent_encode(email, &MAILBOX)));
        Self { text: email.to_owned(), href, is_caller: false }
    }
}

/// The other contacts with the number: the first in view, the rest folded.
struct Others<'a> {
    /// Said beside the number, since the list is far below.
    sharing: Option<String>,
    first: Vec<Other<'a>>,
    rest: Vec<Other<'a>>,
}

impl Others<'_> {
    const fn count(&self) -> usize {
        self.first.len() + self.rest.len()
    }
}

impl<'a> From<&'a [Arc<Card>]> for Others<'a> {
    fn from(cards: &'a [Arc<Card>]) -> Self {
        let sharing = match cards.len() {
            0 => None,
            1 => Some("shared with 1 other".to_owned()),
            count => Some(format!("shared with {count} others")),
        };
        let mut first: Vec<_> = cards.iter().map(|card| Other::from(&**card)).collect();
        let rest = first.split_off(first.len().min(MOST_OTHERS));
        Self { sharing, first, rest }
    }
}

struct Other<'a> {
    name: &'a str,
    company: Option<&'a str>,
    url: &'a str,
}

impl<'a> From<&'a Card> for Other<'a> {
    fn from(card: &'a Card) -> Self {
        let (name, company) = heading(card);
        Self { name, company, url: &card.url }
    }
}
