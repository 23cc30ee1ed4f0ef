//! What is asked: the paths and query strings of the API, encoded.
//!
//! Two traps of the API are closed here. An empty `query=` lists the whole account, so a text to search for is a [`SearchText`], which
//! cannot be empty. An id filter is cut by `limit`, which defaults to 50, so every list is asked for with the largest page.

use std::fmt;

use super::lists::{Latest, Window};
use crate::contact::UnixSeconds;

/// The most records the API gives in one page.
pub(super) const LIMIT: usize = 250;
/// A longer request line may be refused on the way; ids of up to twelve digits fit a whole page's worth.
const MAX_PATH: usize = 7_900;

/// A text the CRM may be searched for: it has at least seven digits. Personal data: the `Debug` form hides it.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct SearchText(String);

/// The text has fewer than seven digits: the search would list strangers, or everybody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a search needs at least {} digits", SearchText::MIN_DIGITS)]
pub struct TooShort;

impl SearchText {
    /// Fewer digits than this match too many people to be worth a call.
    pub const MIN_DIGITS: usize = 7;

    /// Accepts a text with enough digits, formatted in any way.
    ///
    /// # Errors
    /// When it has fewer than [`Self::MIN_DIGITS`] ASCII digits.
    pub fn new(text: impl Into<String>) -> Result<Self, TooShort> {
        let text = text.into();
        let digits = text.bytes().filter(u8::is_ascii_digit).count();
        if digits < Self::MIN_DIGITS { Err(TooShort) } else { Ok(Self(text)) }
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SearchText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SearchText(…)")
    }
}

/// What contacts and companies bring along. List elements cost no call of their own this way, so they are simply always there.
const LINKED: &str = "leads,catalog_elements";

/// `GET /account`.
pub(super) const ACCOUNT: &str = "/api/v4/account";
/// The account with the groups of its users.
pub(super) const GROUPS: &str = "/api/v4/account?with=users_groups";
/// `GET /leads/pipelines`: not paged.
pub(super) const PIPELINES: &str = "/api/v4/leads/pipelines";

/// `/webhooks`: an account has a hundred at most, in one page.
pub(super) const WEBHOOKS: &str = "/api/v4/webhooks";

/// Contacts in which the text occurs, with the ids of their leads.
pub(super) fn contacts_with(text: &SearchText) -> String {
    let text: String = form_urlencoded::byte_serialize(text.as_str().as_bytes()).collect();
    format!("/api/v4/contacts?query={text}&with={LINKED}&limit={LIMIT}")
}

/// Companies in which the text occurs, with the ids of their leads.
pub(super) fn companies_with(text: &SearchText) -> String {
    let text: String = form_urlencoded::byte_serialize(text.as_str().as_bytes()).collect();
    format!("/api/v4/companies?query={text}&with={LINKED}&limit={LIMIT}")
}

/// A page of all contacts, the oldest first: their order does not change when one is edited.
pub(super) fn contacts_in_order(number: usize) -> String {
    page(&format!("/api/v4/contacts?limit={LIMIT}&order[id]=asc"), number)
}

/// All users.
pub(super) fn users() -> String {
    format!("/api/v4/users?limit={LIMIT}")
}

/// One path for each batch of contacts.
pub(super) fn contacts_by_id(ids: impl IntoIterator<Item = u64>) -> Vec<String> {
    by_id(&format!("/api/v4/contacts?with={LINKED}&limit={LIMIT}"), ids)
}

/// One path for each batch of leads.
pub(super) fn leads_by_id(ids: impl IntoIterator<Item = u64>) -> Vec<String> {
    by_id(&format!("/api/v4/leads?with=catalog_elements&limit={LIMIT}"), ids)
}

/// One path for each batch of companies, with the ids of their leads.
pub(super) fn whole_companies_by_id(ids: impl IntoIterator<Item = u64>) -> Vec<String> {
    by_id(&format!("/api/v4/companies?with={LINKED}&limit={LIMIT}"), ids)
}

/// One path for each batch of companies of which only the names matter.
pub(super) fn companies_by_id(ids: impl IntoIterator<Item = u64>) -> Vec<String> {
    by_id(&format!("/api/v4/companies?limit={LIMIT}"), ids)
}

/// One path for each batch of elements of one list.
pub(super) fn elements_by_id(catalog: u64, ids: impl IntoIterator<Item = u64>) -> Vec<String> {
    by_id(&format!("/api/v4/catalogs/{catalog}/elements?limit={LIMIT}"), ids)
}

/// One path for each batch of leads, with their contacts.
pub(super) fn linked_leads_by_id(ids: impl IntoIterator<Item = u64>) -> Vec<String> {
    by_id(&format!("{LEADS}limit={LIMIT}"), ids)
}

/// Contacts with their leads, to be listed.
pub(super) const CONTACTS: &str = "/api/v4/contacts?with=leads,catalog_elements&";
/// Leads with their contacts, to be listed.
pub(super) const LEADS: &str = "/api/v4/leads?with=contacts,catalog_elements&";
/// Companies, to be listed.
pub(super) const COMPANIES: &str = "/api/v4/companies?";

/// A window of a list by ascending id.
pub(super) fn window(list: &str, window: Window) -> String {
    let Window { page, limit, changed_since } = window;
    let since = changed_since.map_or_else(String::new, |at| format!("&filter[updated_at][from]={}", at.0));
    format!("{list}limit={limit}&order[id]=asc{since}&page={page}")
}

/// The last record of a list.
pub(super) fn latest(list: &str, by: Latest) -> String {
    let field = match by {
        Latest::Change => "updated_at",
        Latest::Id => "id",
    };
    format!("{list}limit=1&order[{field}]=desc")
}

/// What tells of contacts and leads that vanished, were linked, or changed in a way that cards show.
const EVENT_KINDS: &str = "contact_added,contact_deleted,contact_restored,entity_merged,entity_linked,entity_unlinked,\
    name_field_changed,custom_field_value_changed,entity_responsible_changed,\
    lead_added,lead_deleted,lead_status_changed,sale_field_changed";
/// The most events the API gives in one page.
const EVENTS_LIMIT: usize = 100;

/// A page of the journal.
pub(super) fn events(since: UnixSeconds, page: usize) -> String {
    let from = since.0;
    format!(
        "/api/v4/events?filter[type]={EVENT_KINDS}&filter[created_at][from]={from}&limit={EVENTS_LIMIT}&page={page}"
    )
}

/// A further page of a list.
pub(super) fn page(path: &str, number: usize) -> String {
    format!("{path}&page={number}")
}

/// Brackets are sent as they are: the CRM takes both, and encoded ones would double the length.
fn by_id(path: &str, ids: impl IntoIterator<Item = u64>) -> Vec<String> {
    let (mut paths, mut in_last): (Vec<String>, usize) = (Vec::new(), LIMIT);
    for id in ids {
        let filter = format!("&filter[id][]={id}");
        match paths.last_mut() {
            Some(last) if in_last < LIMIT && last.len() + filter.len() <= MAX_PATH => last.push_str(&filter),
            _ => {
                paths.push(format!("{path}{filter}"));
                in_last = 0;
            }
        }
        in_last += 1;
    }
    paths
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_without_seven_digits_cannot_be_searched_for() {
        for text in ["", " ", "*", "%", "123456", "+1 (23) 45-6", "٠١٢٣٤٥٦٧"] {
            assert_eq!(SearchText::new(text), Err(TooShort), "{text:?}");
        }
        assert_eq!(SearchText::new("555 01-23").unwrap().as_str(), "555 01-23");
    }

    #[test]
    fn debug_shows_no_number() {
        assert_eq!(format!("{:?}", SearchText::new("4155550123").unwrap()), "SearchText(…)");
    }

    #[test]
    fn everything_special_in_a_text_is_encoded() {
        let text = SearchText::new("+1 415&limit=1#555/0123?é").unwrap();
        assert_eq!(
            contacts_with(&text),
            "/api/v4/contacts?query=%2B1+415%26limit%3D1%23555%2F0123%3F%C3%A9&with=leads,catalog_elements&limit=250"
        );
    }

    #[test]
    fn ids_go_out_in_whole_pages_whose_request_line_stays_under_8_kb() {
        let sizes = |paths: &[String]| paths.iter().map(|p| p.matches("filter[id][]=").count()).collect::<Vec<_>>();
        assert_eq!(sizes(&contacts_by_id(20_000_000..20_000_600)), [250, 250, 100]);
        let paths = contacts_by_id(std::iter::repeat_n(u64::MAX, 600));
        assert_eq!(sizes(&paths), [230, 230, 140]);
        assert!(paths.iter().all(|p| p.len() + "GET  HTTP/1.1\r\n".len() < 8_000));
        assert!(paths.iter().all(|p| p.contains("limit=250")));
    }

    #[test]
    fn no_ids_are_no_request() {
        assert!(leads_by_id([]).is_empty());
        assert!(companies_by_id([]).is_empty());
    }
}
