//! Addresses of the CRM's own pages.
//!
//! They are built from a base of their own, as the API may live on another host than the pages people open.

use url::Url;

use crate::contact::{CompanyId, ContactId, LeadId, PartyId};
use crate::phone::E164;

/// Makes links into the CRM's web interface.
#[derive(Clone, Debug)]
pub struct WebLinks {
    base: String,
}

impl WebLinks {
    /// Links below this address; its query and fragment do not matter.
    #[must_use]
    pub fn new(base: &Url) -> Self {
        let path = base.path().trim_end_matches('/');
        Self { base: format!("{}{path}", base.origin().ascii_serialization()) }
    }

    /// The page of a contact or a company.
    #[must_use]
    pub fn party(&self, id: PartyId) -> String {
        match id {
            PartyId::Contact(id) => self.contact(id),
            PartyId::Company(id) => self.company(id),
        }
    }

    /// The contact's page.
    #[must_use]
    pub fn contact(&self, id: ContactId) -> String {
        format!("{}/contacts/detail/{id}", self.base)
    }

    /// The lead's page.
    #[must_use]
    pub fn lead(&self, id: LeadId) -> String {
        format!("{}/leads/detail/{id}", self.base)
    }

    /// The company's page.
    #[must_use]
    pub fn company(&self, id: CompanyId) -> String {
        format!("{}/companies/detail/{id}", self.base)
    }

    /// The form for a new contact with the number filled in.
    #[must_use]
    pub fn new_contact(&self, phone: &E164) -> String {
        let phone: String = form_urlencoded::byte_serialize(phone.to_string().as_bytes()).collect();
        format!("{}/contacts/add?phone={phone}", self.base)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn links(base: &str) -> WebLinks {
        WebLinks::new(&base.parse().unwrap())
    }

    #[test]
    fn records_have_their_pages() {
        let links = links("https://acme.kommo.com");
        assert_eq!(links.contact(ContactId(7)), "https://acme.kommo.com/contacts/detail/7");
        assert_eq!(links.lead(LeadId(1)), "https://acme.kommo.com/leads/detail/1");
        assert_eq!(links.company(CompanyId(5)), "https://acme.kommo.com/companies/detail/5");
    }

    #[test]
    fn a_new_contact_gets_the_number_with_its_plus_encoded() {
        let phone: E164 = "+14155550123".parse().unwrap();
        assert_eq!(
            links("https://acme.kommo.com/").new_contact(&phone),
            "https://acme.kommo.com/contacts/add?phone=%2B14155550123"
        );
    }

    #[test]
    fn a_base_with_port_and_path_keeps_both_and_loses_the_rest() {
        let links = links("http://user:secret@127.0.0.1:8081/crm/?a=1#b");
        assert_eq!(links.lead(LeadId(1)), "http://127.0.0.1:8081/crm/leads/detail/1");
    }
}
