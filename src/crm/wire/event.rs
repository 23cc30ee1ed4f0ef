//! The account's journal: which records an entry is about.
//!
//! An entry names one record by itself and, depending on its kind, others in its values (the loser of a merge, the lead that was linked).
//! Which kind names what is thinly documented, so every contact and lead that can be made out counts: to look at one too many costs a place
//! in a batch, to miss one a wrong card.

use serde::Deserialize;
use serde_json::Value;

use super::loose;
use super::record::Reading;
use crate::contact::{ContactId, LeadId, UnixSeconds};
use crate::crm::lists::Event;

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct WireEvent {
    #[serde(deserialize_with = "loose::text")]
    id: Option<String>,
    #[serde(deserialize_with = "loose::id")]
    entity_id: Option<u64>,
    #[serde(deserialize_with = "loose::text")]
    entity_type: Option<String>,
    #[serde(deserialize_with = "loose::seconds")]
    created_at: Option<i64>,
    value_after: Value,
    value_before: Value,
}

/// What an entry names.
#[derive(Default)]
struct Touched {
    contacts: Vec<ContactId>,
    leads: Vec<LeadId>,
}

impl WireEvent {
    pub(super) fn read(self) -> Reading<Event> {
        let mut touched = Touched::default();
        touched.note(self.entity_type.as_deref(), self.entity_id);
        touched.search(&self.value_after, None);
        touched.search(&self.value_before, None);
        match self.id {
            None => Reading::Unusable,
            Some(id) => Reading::Record(Event {
                id,
                at: self.created_at.map(UnixSeconds),
                contacts: touched.contacts,
                leads: touched.leads,
            }),
        }
    }
}

impl Touched {
    /// Objects with an `id`, whose kind is their own `type` or the name they go by.
    fn search(&mut self, value: &Value, name: Option<&str>) {
        match value {
            Value::Array(items) => items.iter().for_each(|item| self.search(item, name)),
            Value::Object(members) => {
                let kind = members.get("type").and_then(Value::as_str).or(name);
                self.note(kind, members.get("id").and_then(Value::as_u64));
                members.iter().for_each(|(name, member)| self.search(member, Some(name)));
            }
            _ => {}
        }
    }

    fn note(&mut self, kind: Option<&str>, id: Option<u64>) {
        match (kind, id) {
            (Some("contact" | "contacts" | "merged_contact"), Some(id)) => self.contacts.push(ContactId(id)),
            (Some("lead" | "leads" | "merged_lead"), Some(id)) => self.leads.push(LeadId(id)),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Listing, Record};
    use super::*;

    fn event(json: &str) -> Event {
        let page = format!(r#"{{"_embedded":{{"events":[{json}]}}}}"#);
        let Ok(Listing { mut records, .. }) = <Event as Record>::page(page.as_bytes()) else { panic!("unreadable") };
        records.remove(0)
    }

    #[test]
    fn an_entry_names_its_record_and_the_ones_in_its_values() {
        let linked = event(
            r#"{"id":"a","type":"entity_linked","entity_type":"contact","entity_id":7,"created_at":5,
                "value_after":[{"link":{"entity":{"type":"lead","id":9}}}],"value_before":[]}"#,
        );
        assert_eq!((linked.contacts, linked.leads), (vec![ContactId(7)], vec![LeadId(9)]));
        let merged = event(
            r#"{"id":"b","type":"entity_merged","entity_type":"contact","entity_id":7,
                "value_before":[{"merged_contact":{"id":8}}]}"#,
        );
        assert_eq!(merged.contacts, [ContactId(7), ContactId(8)]);
    }

    #[test]
    fn a_stage_in_the_values_of_a_lead_is_not_taken_for_one() {
        let moved = event(
            r#"{"id":"c","entity_type":"lead","entity_id":9,"value_after":[{"lead_status":{"id":142,"pipeline_id":3}}]}"#,
        );
        assert_eq!((moved.contacts, moved.leads), (vec![], vec![LeadId(9)]));
    }

    #[test]
    fn an_entry_about_nothing_of_ours_names_nothing() {
        let task = event(r#"{"id":"d","entity_type":"task","entity_id":4,"value_after":null}"#);
        assert_eq!((task.contacts, task.leads), (vec![], vec![]));
    }
}
