//! The leads on the page: open ones first, as the card has them; the first few in view, the others folded.

use jiff::Timestamp;
use serde_json::Number as Price;

use super::ago::Ago;
use crate::card::{Card, LeadState, LeadView};

/// So many leads are in view.
const IN_VIEW: usize = 10;

/// All leads of a contact.
pub(super) struct Leads<'a> {
    /// How many are open, unless that is not known.
    pub(super) open: Option<String>,
    /// Only ids and addresses are known.
    pub(super) is_partial: bool,
    /// In view.
    pub(super) first: Vec<Lead<'a>>,
    /// Folded.
    pub(super) rest: Vec<Lead<'a>>,
}

impl<'a> Leads<'a> {
    pub(super) fn new(card: &'a Card, now: Timestamp) -> Self {
        let open = card.leads.iter().filter(|lead| lead.state == Some(LeadState::Open)).count();
        let is_counted = !card.partial.leads && !card.leads.is_empty();
        let mut first: Vec<_> = card.leads.iter().map(|lead| Lead::new(lead, now)).collect();
        let rest = first.split_off(first.len().min(IN_VIEW));
        Self {
            open: is_counted.then(|| format!("{open} open of {}", card.leads.len())),
            is_partial: card.partial.leads,
            first,
            rest,
        }
    }
}

/// One lead.
pub(super) struct Lead<'a> {
    pub(super) name: String,
    pub(super) url: &'a str,
    pub(super) stage: Option<&'a str>,
    pub(super) pipeline: Option<&'a str>,
    pub(super) price: Option<String>,
    /// `open`, `won`, `lost`, or empty.
    pub(super) state: &'static str,
    pub(super) updated: Option<String>,
}

impl<'a> Lead<'a> {
    fn new(lead: &'a LeadView, now: Timestamp) -> Self {
        let name = lead.name.as_deref().filter(|name| !name.trim().is_empty());
        Self {
            name: name.map_or_else(|| format!("Lead {}", lead.id), str::to_owned),
            url: &lead.url,
            stage: lead.stage.as_deref(),
            pipeline: lead.pipeline.as_deref(),
            price: lead.price.as_ref().and_then(amount),
            state: lead.state.map(LeadState::as_str).unwrap_or_default(),
            updated: lead.updated_at.map(|at| Ago::of(at, now).to_string()),
        }
    }
}

/// Grouped by narrow spaces, which no country reads as a decimal sign. The CRM has 0 where nobody entered a price.
fn amount(price: &Price) -> Option<String> {
    if price.as_f64() == Some(0.0) {
        return None;
    }
    let text = price.to_string();
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (whole, rest) = text.split_at(digits);
    let mut grouped = String::with_capacity(text.len() + digits);
    for (at, digit) in whole.char_indices() {
        if at > 0 && (digits - at) % 3 == 0 {
            grouped.push('\u{202f}');
        }
        grouped.push(digit);
    }
    Some(grouped + rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prices_are_grouped_by_thousands_and_zero_is_none() {
        let shown = |json: &str| amount(&serde_json::from_str(json).unwrap());

        assert_eq!(shown("0"), None);
        assert_eq!(shown("0.0"), None);
        assert_eq!(shown("950").as_deref(), Some("950"));
        assert_eq!(shown("9600").as_deref(), Some("9\u{202f}600"));
        assert_eq!(shown("1234567.5").as_deref(), Some("1\u{202f}234\u{202f}567.5"));
        assert_eq!(shown("-1234").as_deref(), Some("-1234"));
    }
}
