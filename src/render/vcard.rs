//! vCard 4.0 (RFC 6350): the contact, or company, as an address book takes it.

use crate::card::Card;
use crate::contact::PartyKind;
use crate::phone::E164;

/// Lines are folded after so many octets (RFC 6350 §3.2), counted without the line break.
const LINE: usize = 75;

/// The contact as a vCard.
pub(super) fn card(card: &Card) -> String {
    let mut out = String::with_capacity(512);
    for line in lines(card) {
        fold(&mut out, &line);
    }
    out
}

fn lines(card: &Card) -> Vec<String> {
    let mut lines = vec!["BEGIN:VCARD".to_owned(), "VERSION:4.0".to_owned()];
    lines.push(format!("UID;VALUE=uri:{}", uri(&card.url)));
    lines.push(format!("FN:{}", text(formatted_name(card))));
    let company = card.company.as_ref().and_then(|company| company.name.as_deref());
    let organization = match card.id.kind() {
        PartyKind::Contact => {
            lines.push(structured_name(card));
            company
        }
        // Its formatted name should be the organization's (RFC 6350 §6.1.4), and it has no parts.
        PartyKind::Company => {
            lines.push("KIND:org".to_owned());
            Some(card.name.as_str()).filter(|name| !name.is_empty())
        }
    };
    lines.extend(organization.map(|name| format!("ORG:{}", text(name))));
    lines.extend(card.phones.iter().map(|phone| telephone(phone)));
    lines.extend(card.emails.iter().map(|email| format!("EMAIL:{}", text(email))));
    if !card.tags.is_empty() {
        let names: Vec<_> = card.tags.iter().map(|tag| text(&tag.name)).collect();
        lines.push(format!("CATEGORIES:{}", names.join(",")));
    }
    lines.push(format!("URL:{}", uri(&card.url)));
    lines.extend(card.updated_at.map(|at| format!("REV:{}", at.strftime("%Y%m%dT%H%M%SZ"))));
    lines.push("END:VCARD".to_owned());
    lines
}

/// `FN` must be there and should not be empty: the company or a number stands in for a missing name.
fn formatted_name(card: &Card) -> &str {
    let company = card.company.as_ref().and_then(|company| company.name.as_deref());
    let phone = card.phones.first().map(String::as_str);
    [Some(card.name.as_str()), company, phone].into_iter().flatten().find(|name| !name.trim().is_empty()).unwrap_or("?")
}

/// Family name first; a contact whose parts are unknown has its whole name as the given one.
fn structured_name(card: &Card) -> String {
    let last = card.last_name.as_deref().unwrap_or_default();
    let whole = if last.is_empty() { card.name.as_str() } else { "" };
    let first = card.first_name.as_deref().filter(|first| !first.is_empty()).unwrap_or(whole);
    format!("N:{};{};;;", text(last), text(first))
}

fn telephone(phone: &str) -> String {
    if phone.parse::<E164>().is_ok() { format!("TEL;VALUE=uri:tel:{phone}") } else { format!("TEL:{}", text(phone)) }
}

/// Escapes a text value; a line break becomes `\n`, other control characters go.
fn text(value: &str) -> String {
    let mut escaped = String::with_capacity(value.len());
    for character in value.chars() {
        match character {
            '\\' | ',' | ';' => escaped.extend(['\\', character]),
            '\n' => escaped.push_str("\\n"),
            _ if character.is_control() => {}
            _ => escaped.push(character),
        }
    }
    escaped
}

/// An address of ours holds nothing to escape; a control character would still end the line.
fn uri(value: &str) -> String {
    value.chars().filter(|character| !character.is_control()).collect()
}

/// Writes one content line, broken after at most 75 octets and never inside a character.
fn fold(out: &mut String, line: &str) {
    let mut rest = line;
    let mut room = LINE;
    while rest.len() > room {
        let (head, tail) = rest.split_at(rest.floor_char_boundary(room));
        out.push_str(head);
        out.push_str("\r\n ");
        rest = tail;
        room = LINE - 1;
    }
    out.push_str(rest);
    out.push_str("\r\n");
}
