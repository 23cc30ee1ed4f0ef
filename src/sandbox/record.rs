//! The records the sandbox keeps: contacts, leads, companies, users and pipelines, in the CRM's own words.
//!
//! They are invented people, so their `Debug` form hides nothing.

use serde_json::Value;

/// A kind of custom field of the account.
#[derive(Debug, PartialEq, Eq)]
pub struct FieldDef {
    /// The account's id for it.
    pub id: u64,
    /// Its label, in the account's language.
    pub name: &'static str,
    /// Its code, if it is one of the built-in fields.
    pub code: Option<&'static str>,
    /// Its type.
    pub kind: &'static str,
}

/// The phone numbers.
pub static PHONE: FieldDef = FieldDef { id: 640_211, name: "Phone", code: Some("PHONE"), kind: "multitext" };
/// The e-mail addresses.
pub static EMAIL: FieldDef = FieldDef { id: 640_213, name: "Email", code: Some("EMAIL"), kind: "multitext" };
/// A free text with digits in it, which `query=` finds too.
pub static ORDER_NUMBER: FieldDef = FieldDef { id: 771_900, name: "Order number", code: None, kind: "text" };
/// A choice.
pub static SEGMENT: FieldDef = FieldDef { id: 771_902, name: "Segment", code: None, kind: "select" };
/// A boolean.
pub static NEWSLETTER: FieldDef = FieldDef { id: 771_904, name: "Newsletter", code: None, kind: "checkbox" };
/// A Unix time.
pub static BIRTHDAY: FieldDef = FieldDef { id: 771_906, name: "Birthday", code: None, kind: "birthday" };
/// An object.
pub static LEGAL_ENTITY: FieldDef = FieldDef { id: 771_908, name: "Legal entity", code: None, kind: "legal_entity" };

/// One value of a custom field.
#[derive(Clone, Debug, PartialEq)]
pub struct FieldValue {
    /// As typed; a string for phones and e-mails.
    pub value: Value,
    /// Which choice it is, by id.
    pub enum_id: Option<u64>,
    /// Which choice it is, by code.
    pub enum_code: Option<&'static str>,
}

/// A custom field that a record has filled.
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    /// Which one.
    pub def: &'static FieldDef,
    /// Its values.
    pub values: Vec<FieldValue>,
}

/// A tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tag {
    /// Its id.
    pub id: u64,
    /// Its text.
    pub name: String,
    /// Its colour.
    pub color: Option<&'static str>,
}

/// A link to an element of a list (products and the like).
#[derive(Clone, Debug, PartialEq)]
pub struct Element {
    /// The element's id.
    pub id: u64,
    /// How many; a whole number or not.
    pub quantity: f64,
    /// The list it is in.
    pub catalog_id: u64,
    /// The price field.
    pub price_id: u64,
}

/// A person.
#[derive(Clone, Debug, PartialEq)]
pub struct Contact {
    /// Its id.
    pub id: u64,
    /// Full name.
    pub name: String,
    /// First name, often empty.
    pub first_name: String,
    /// Last name, often empty.
    pub last_name: String,
    /// The responsible user.
    pub owner: u64,
    /// Who made it; 0 for a robot.
    pub created_by: u64,
    /// Who changed it last; 0 for a robot.
    pub updated_by: u64,
    /// When it was made, Unix seconds.
    pub created_at: i64,
    /// When it was last changed, Unix seconds.
    pub updated_at: i64,
    /// When its next task is due, Unix seconds.
    pub closest_task_at: Option<i64>,
    /// In the recycle bin.
    pub is_deleted: bool,
    /// Part of an incoming lead that nobody has accepted yet.
    pub is_unsorted: bool,
    /// Its filled custom fields; phones and e-mails are among them.
    pub fields: Vec<Field>,
    /// Its tags.
    pub tags: Vec<Tag>,
    /// Its company.
    pub company: Option<u64>,
    /// Its leads, deleted ones included.
    pub leads: Vec<u64>,
    /// Its list elements.
    pub elements: Vec<Element>,
}

/// A deal.
#[derive(Clone, Debug, PartialEq)]
pub struct Lead {
    /// Its id.
    pub id: u64,
    /// Its name, may be empty.
    pub name: String,
    /// In whole units of the account's currency.
    pub price: u64,
    /// The responsible user.
    pub owner: u64,
    /// Its pipeline.
    pub pipeline: u64,
    /// Its stage in it.
    pub status: u64,
    /// Its contacts, the main one first.
    pub contacts: Vec<u64>,
    /// Its company.
    pub company: Option<u64>,
    /// When it was made, Unix seconds.
    pub created_at: i64,
    /// When it was last changed, Unix seconds.
    pub updated_at: i64,
    /// When it was won or lost, Unix seconds.
    pub closed_at: Option<i64>,
    /// Its list elements.
    pub elements: Vec<Element>,
    /// In the recycle bin.
    pub is_deleted: bool,
}

/// A company.
#[derive(Clone, Debug, PartialEq)]
pub struct Company {
    /// Its id.
    pub id: u64,
    /// Its name.
    pub name: String,
    /// The responsible user.
    pub owner: u64,
    /// When it was last changed, Unix seconds.
    pub updated_at: i64,
    /// Its filled custom fields.
    pub fields: Vec<Field>,
    /// Its leads, deleted ones included.
    pub leads: Vec<u64>,
}

/// The stage of a won lead, in every pipeline.
pub const WON: u64 = 142;
/// The stage of a lost lead, in every pipeline.
pub const LOST: u64 = 143;

// === impl Field ===

impl Field {
    /// A phone or e-mail field: every value of the same kind.
    #[must_use]
    pub fn multitext<'a>(
        def: &'static FieldDef,
        values: impl IntoIterator<Item = &'a str>,
        code: &'static str,
    ) -> Self {
        let enum_id = Some(def.id + code.len() as u64);
        let value = |text: &str| FieldValue { value: Value::from(text), enum_id, enum_code: Some(code) };
        Self { def, values: values.into_iter().map(value).collect() }
    }

    /// A field with one value that is no choice.
    #[must_use]
    pub fn single(def: &'static FieldDef, value: impl Into<Value>) -> Self {
        Self { def, values: vec![FieldValue { value: value.into(), enum_id: None, enum_code: None }] }
    }

    fn texts(&self) -> impl Iterator<Item = String> {
        self.values.iter().filter_map(|entry| match &entry.value {
            Value::String(text) => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        })
    }
}

fn values_of(fields: &[Field], def: &FieldDef) -> Vec<String> {
    fields.iter().filter(|field| field.def.id == def.id).flat_map(Field::texts).collect()
}

/// Replaces the values of one multitext field; no values remove the field.
fn replace(fields: &mut Vec<Field>, def: &'static FieldDef, values: &[&str], code: &'static str) {
    fields.retain(|field| field.def.id != def.id);
    if !values.is_empty() {
        fields.insert(0, Field::multitext(def, values.iter().copied(), code));
    }
}

// === impl Contact ===

impl Contact {
    /// A contact of which only the name is known.
    #[must_use]
    pub fn named(id: u64, name: &str) -> Self {
        let (first, last) = name.split_once(' ').unwrap_or((name, ""));
        Self {
            id,
            name: name.to_owned(),
            first_name: first.to_owned(),
            last_name: last.to_owned(),
            owner: 0,
            created_by: 0,
            updated_by: 0,
            created_at: 0,
            updated_at: 0,
            closest_task_at: None,
            is_deleted: false,
            is_unsorted: false,
            fields: Vec::new(),
            tags: Vec::new(),
            company: None,
            leads: Vec::new(),
            elements: Vec::new(),
        }
    }

    /// The values of its PHONE field, as stored.
    #[must_use]
    pub fn phones(&self) -> Vec<String> {
        values_of(&self.fields, &PHONE)
    }

    /// The values of its EMAIL field, as stored.
    #[must_use]
    pub fn emails(&self) -> Vec<String> {
        values_of(&self.fields, &EMAIL)
    }

    /// Replaces the values of its PHONE field.
    pub fn set_phones(&mut self, values: &[&str]) {
        replace(&mut self.fields, &PHONE, values, "MOB");
    }

    /// Replaces the values of its EMAIL field.
    pub fn set_emails(&mut self, values: &[&str]) {
        replace(&mut self.fields, &EMAIL, values, "WORK");
    }

    /// Whether the field has exactly this value.
    pub(super) fn has_value(&self, field: u64, value: &str) -> bool {
        let mut own = self.fields.iter().filter(|own| own.def.id == field).flat_map(Field::texts);
        own.any(|own| own == value)
    }

    /// Everything `query=` looks at: the name, every field value and the tags.
    pub(super) fn searchable(&self) -> Vec<String> {
        let tags = self.tags.iter().map(|tag| tag.name.clone());
        let fields = self.fields.iter().flat_map(Field::texts);
        std::iter::once(self.name.clone()).chain(fields).chain(tags).collect()
    }
}

// === impl Lead ===

impl Lead {
    /// Neither won nor lost.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        !matches!(self.status, WON | LOST)
    }
}

// === impl Company ===

impl Company {
    /// The values of its PHONE field, as stored.
    #[must_use]
    pub fn phones(&self) -> Vec<String> {
        values_of(&self.fields, &PHONE)
    }

    /// Replaces the values of its PHONE field.
    pub fn set_phones(&mut self, values: &[&str]) {
        replace(&mut self.fields, &PHONE, values, "WORK");
    }

    /// Everything `query=` looks at.
    pub(super) fn searchable(&self) -> Vec<String> {
        std::iter::once(self.name.clone()).chain(self.fields.iter().flat_map(Field::texts)).collect()
    }
}
