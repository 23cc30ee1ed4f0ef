//! The shapes of answers, for the OpenAPI document only: nothing is ever written through these types.
//!
//! The answers are written by [`crate::render`] from the records themselves, without a copy; a test holds the two against each other.

#![expect(dead_code, reason = "the types are read by the derive macros only")]

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::failure::ProblemBody;

/// A card; with `format=flat` one flat object of strings.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
#[schema(as = JsonAnswer)]
pub(crate) enum JsonAnswer {
    #[schema(value_type = CardBody)]
    Card(Value),
    Flat(BTreeMap<String, String>),
}

/// Who it is, or why nobody.
#[derive(ToSchema)]
#[schema(as = Card)]
pub(crate) struct CardBody {
    /// Somebody has the number.
    found: bool,
    /// Why nobody was found; absent when somebody was.
    reason: Option<Reason>,
    phone: Phone,
    #[schema(required, nullable)]
    contact: Option<Contact>,
    /// Open ones first, latest first.
    leads: Vec<Lead>,
    /// Parts that could not be had in time, or that the token may not see, and so hold ids only; absent when there are none.
    #[schema(required = false)]
    partial: Option<Vec<Part>>,
    matches: Matches,
    cache: Cache,
}

#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
enum Reason {
    /// Nobody has it.
    NotFound,
    /// The caller hides it.
    Withheld,
    /// An internal extension.
    Extension,
}

#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
enum Part {
    /// The details of the leads.
    Leads,
    /// The owner's name.
    Owner,
    /// The company's name.
    Company,
    /// The names of list elements.
    CatalogElements,
}

/// The number that was asked about. Only `input` is there when it was withheld.
#[derive(ToSchema)]
struct Phone {
    /// As it was sent.
    input: String,
    #[schema(required, example = "+14155550123")]
    e164: Option<String>,
    #[schema(required, example = "(415) 555-0123")]
    national: Option<String>,
    #[schema(required, example = "+1 415-555-0123")]
    international: Option<String>,
    #[schema(required, example = "US")]
    region: Option<String>,
    #[schema(required)]
    extension: Option<String>,
}

/// A person in the CRM; or a company, where these are looked at and no person has the number.
#[derive(ToSchema)]
struct Contact {
    kind: PartyKind,
    /// Unique among its kind.
    id: u64,
    name: String,
    #[schema(required)]
    first_name: Option<String>,
    #[schema(required)]
    last_name: Option<String>,
    /// Opens the contact in the CRM.
    url: String,
    /// E.164 where readable, as typed where not.
    phones: Vec<String>,
    emails: Vec<String>,
    #[schema(required, nullable)]
    company: Option<Named>,
    /// The user responsible.
    #[schema(required, nullable)]
    owner: Option<Owner>,
    tags: Vec<Tag>,
    #[schema(required, format = DateTime)]
    created_at: Option<String>,
    #[schema(required, format = DateTime)]
    updated_at: Option<String>,
    #[schema(required, format = DateTime)]
    next_task_at: Option<String>,
    /// Only with `include=catalog_elements`.
    #[schema(required = false)]
    catalog_elements: Option<Vec<Element>>,
}

/// The user responsible; names are null when the CRM would not tell them.
#[derive(ToSchema)]
struct Owner {
    id: u64,
    #[schema(required)]
    name: Option<String>,
    /// The group the user is in.
    #[schema(required, nullable)]
    group: Option<Named>,
}

/// An element of one of the account's lists: products and the like.
#[derive(ToSchema)]
struct Element {
    id: u64,
    /// Null when the CRM would not tell it.
    #[schema(required)]
    name: Option<String>,
    /// The list it is in.
    #[schema(required)]
    catalog_id: Option<u64>,
    /// Not always a whole number.
    #[schema(required)]
    quantity: Option<f64>,
    /// The field that has its price.
    #[schema(required)]
    price_id: Option<u64>,
}

#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
enum PartyKind {
    Contact,
    Company,
}

/// Something with an id; the name is null when the CRM would not tell it.
#[derive(ToSchema)]
struct Named {
    id: u64,
    #[schema(required)]
    name: Option<String>,
}

#[derive(ToSchema)]
struct Tag {
    name: String,
    #[schema(required, example = "#ff0000")]
    color: Option<String>,
}

/// A deal. Everything but `id` and `url` is null when the details could not be had.
#[derive(ToSchema)]
struct Lead {
    id: u64,
    #[schema(required)]
    name: Option<String>,
    /// In the account's currency.
    #[schema(required)]
    price: Option<f64>,
    #[schema(required)]
    pipeline: Option<String>,
    #[schema(required)]
    stage: Option<String>,
    #[schema(required, nullable)]
    state: Option<LeadState>,
    /// Opens the lead in the CRM.
    url: String,
    #[schema(required, format = DateTime)]
    updated_at: Option<String>,
    /// Only with `include=catalog_elements`.
    #[schema(required = false)]
    catalog_elements: Option<Vec<Element>>,
}

#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
enum LeadState {
    Open,
    Won,
    Lost,
}

/// Who else has the number. Contacts are never merged.
#[derive(ToSchema)]
struct Matches {
    count: u64,
    /// `equivalent`: by way of a national re-numbering.
    #[schema(required, nullable)]
    kind: Option<MatchKind>,
    others: Vec<Other>,
}

#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
enum MatchKind {
    Exact,
    Equivalent,
}

/// Another one of the same kind with the same number.
#[derive(ToSchema)]
struct Other {
    id: u64,
    name: String,
    url: String,
}

/// How the answer came to be known.
#[derive(ToSchema)]
struct Cache {
    status: CacheStatus,
    /// Seconds since the CRM said so.
    age_s: u64,
    /// Past its fresh time.
    stale: bool,
}

#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
enum CacheStatus {
    Hit,
    Miss,
    Stale,
    Coalesced,
    Directory,
    Skipped,
}

/// The answers, in the order of the questions.
#[derive(ToSchema)]
#[schema(as = BatchResults)]
pub(crate) struct BatchResults {
    results: Vec<BatchItem>,
}

#[derive(Serialize, ToSchema)]
#[serde(untagged)]
enum BatchItem {
    #[schema(value_type = CardBody)]
    Answered(Value),
    #[schema(value_type = RefusedNumber)]
    Refused(Value),
}

/// A number that could not be answered.
#[derive(ToSchema)]
struct RefusedNumber {
    phone: RefusedPhone,
    error: ProblemBody,
}

#[derive(ToSchema)]
struct RefusedPhone {
    /// As it was sent.
    input: String,
    #[schema(required)]
    e164: Option<String>,
}
