//! What a webhook says: a form of strings in the shape of API v2, not the JSON of v4.

use std::fmt::Display;
use std::sync::Arc;

use super::office::ACCOUNT_ID;
use super::record::{Company, Contact, Field, Lead};

/// A change that subscribers are told of.
#[derive(Clone, Debug)]
pub(super) enum Notice {
    Contact {
        /// `add`, `update`, `delete` or `restore`.
        action: &'static str,
        contact: Arc<Contact>,
        /// Who was responsible before, if that changed.
        old_owner: Option<u64>,
    },
    Lead {
        /// `add`, `update`, `delete` or `status`.
        action: &'static str,
        lead: Arc<Lead>,
        /// Pipeline and stage before, if they changed.
        old_stage: Option<(u64, u64)>,
    },
    /// An incoming lead was taken into the pipeline: told as the deletion of something unsorted.
    Accepted { lead: Arc<Lead> },
    /// Companies are told of under `contacts`, with a type of their own.
    Company { action: &'static str, company: Arc<Company> },
}

/// The pairs of one body.
struct Form {
    prefix: String,
    out: form_urlencoded::Serializer<'static, String>,
}

impl Form {
    fn put(&mut self, key: &str, value: impl Display) {
        self.out.append_pair(&format!("{}{key}", self.prefix), &value.to_string());
    }
}

impl Notice {
    /// The subscription settings that ask for this.
    pub(super) fn events(&self) -> Vec<String> {
        match self {
            Self::Contact { action, old_owner: Some(_), .. } => {
                vec![format!("{action}_contact"), "responsible_contact".to_owned()]
            }
            Self::Contact { action, .. } => vec![format!("{action}_contact")],
            Self::Lead { action: "status", .. } => vec!["status_lead".to_owned(), "update_lead".to_owned()],
            Self::Lead { action, .. } => vec![format!("{action}_lead")],
            Self::Accepted { .. } => vec!["add_lead".to_owned(), "update_lead".to_owned()],
            Self::Company { action, .. } => vec![format!("{action}_company")],
        }
    }

    /// The body.
    pub(super) fn body(&self, subdomain: &str) -> String {
        let (group, action) = match self {
            Self::Contact { action, .. } | Self::Company { action, .. } => ("contacts", action),
            Self::Lead { action, .. } => ("leads", action),
            Self::Accepted { .. } => ("unsorted", &"delete"),
        };
        let prefix = format!("{group}[{action}][0]");
        let mut form = Form { prefix, out: form_urlencoded::Serializer::new(String::new()) };
        match self {
            Self::Contact { action, contact, old_owner } => put_contact(&mut form, action, contact, *old_owner),
            Self::Lead { action, lead, old_stage } => put_lead(&mut form, action, lead, *old_stage),
            Self::Company { company, .. } => put_company(&mut form, company),
            Self::Accepted { lead } => put_accepted(&mut form, lead),
        }
        form.prefix = "account".to_owned();
        form.put("[id]", ACCOUNT_ID);
        form.put("[subdomain]", subdomain);
        form.put("[_links][self]", format_args!("https://{subdomain}.kommo.com"));
        form.out.finish()
    }
}

fn put_contact(form: &mut Form, action: &str, contact: &Contact, old_owner: Option<u64>) {
    form.put("[id]", contact.id);
    if action == "delete" {
        return form.put("[type]", "contact");
    }
    form.put("[name]", &contact.name);
    put_dates(form, contact.created_at, contact.updated_at);
    form.put("[responsible_user_id]", contact.owner);
    form.put("[created_user_id]", contact.created_by);
    form.put("[modified_user_id]", contact.updated_by);
    form.put("[account_id]", ACCOUNT_ID);
    old_owner.into_iter().for_each(|old| form.put("[old_responsible_user_id]", old));
    contact.company.into_iter().for_each(|company| form.put("[linked_company_id]", company));
    contact.leads.iter().for_each(|lead| form.put(&format!("[linked_leads_id][{lead}][ID]"), lead));
    for (place, tag) in contact.tags.iter().enumerate() {
        form.put(&format!("[tags][{place}][id]"), tag.id);
        form.put(&format!("[tags][{place}][name]"), &tag.name);
    }
    put_fields(form, &contact.fields);
    form.put("[type]", "contact");
}

fn put_company(form: &mut Form, company: &Company) {
    form.put("[id]", company.id);
    form.put("[name]", &company.name);
    put_dates(form, company.updated_at, company.updated_at);
    form.put("[responsible_user_id]", company.owner);
    form.put("[account_id]", ACCOUNT_ID);
    put_fields(form, &company.fields);
    form.put("[type]", "company");
}

/// Dates come twice, under their old and their new names.
fn put_dates(form: &mut Form, created_at: i64, updated_at: i64) {
    for (key, value) in [
        ("date_create", created_at),
        ("last_modified", updated_at),
        ("created_at", created_at),
        ("updated_at", updated_at),
    ] {
        form.put(&format!("[{key}]"), value);
    }
}

fn put_fields(form: &mut Form, fields: &[Field]) {
    for (place, field) in fields.iter().enumerate() {
        let at = format!("[custom_fields][{place}]");
        form.put(&format!("{at}[id]"), field.def.id);
        form.put(&format!("{at}[name]"), field.def.name);
        field.def.code.into_iter().for_each(|code| form.put(&format!("{at}[code]"), code));
        for (place, entry) in field.values.iter().enumerate() {
            let text = entry.value.as_str().map_or_else(|| entry.value.to_string(), str::to_owned);
            form.put(&format!("{at}[values][{place}][value]"), text);
            entry.enum_id.into_iter().for_each(|id| form.put(&format!("{at}[values][{place}][enum]"), id));
        }
    }
}

fn put_accepted(form: &mut Form, lead: &Lead) {
    form.put("[uid]", format_args!("sandbox{:032x}", lead.id));
    form.put("[action]", "accept");
    form.put("[created_at]", lead.updated_at);
    form.put("[accept_result][leads][0]", lead.id);
    for (place, contact) in lead.contacts.iter().enumerate() {
        form.put(&format!("[accept_result][contacts][{place}]"), contact);
    }
}

/// A lead does not name its contacts.
fn put_lead(form: &mut Form, action: &str, lead: &Lead, old_stage: Option<(u64, u64)>) {
    form.put("[id]", lead.id);
    form.put("[status_id]", lead.status);
    form.put("[pipeline_id]", lead.pipeline);
    if action == "delete" {
        return;
    }
    form.put("[name]", &lead.name);
    form.put("[price]", lead.price);
    form.put("[responsible_user_id]", lead.owner);
    put_dates(form, lead.created_at, lead.updated_at);
    form.put("[account_id]", ACCOUNT_ID);
    if let Some((pipeline, status)) = old_stage {
        form.put("[old_status_id]", status);
        form.put("[old_pipeline_id]", pipeline);
    }
}
