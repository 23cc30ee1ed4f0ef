//! The shapes of questions and answers, for the OpenAPI document only: nothing is ever read or written through these types.
//!
//! The answers are written by [`crate::render`] from the records themselves, without a copy; a test holds the two against each other.

#![expect(dead_code, reason = "the types are read by the derive macros only")]

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;
use utoipa::{IntoParams, IntoResponses, ToSchema};

/// The parameters of a lookup.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct LookupParams {
    /// The number as the phone system has it: E.164, national, with a prefix, a SIP or tel address. `number`, `caller` and `from` are aliases.
    /// Empty, `anonymous` and the like are a withheld number.
    #[param(example = "+14155550123", max_length = 512)]
    phone: String,
    /// How to read a number without a country code: an ISO 3166 code of two letters. The deployment's region if absent.
    #[param(required = false, example = "US")]
    region: Option<String>,
    /// Answer within so many milliseconds. It shortens the deployment's deadline and lengthens it to at most 8000.
    #[param(required = false, minimum = 0, maximum = 2_147_483_647)]
    deadline_ms: Option<u64>,
    /// Older cache entries, in seconds, count as stale.
    #[param(required = false, minimum = 0, maximum = 2_147_483_647)]
    max_age: Option<u64>,
    /// The form of the answer; beats `Accept`.
    #[param(required = false, inline)]
    format: Option<FormatName>,
    /// `200`: "not found" is a 200, for clients that take a 404 for a broken service.
    #[param(required = false, inline)]
    notfound: Option<NotFoundStatus>,
    /// text: at most so many characters.
    #[param(required = false, minimum = 1, maximum = 255, default = 60)]
    max: Option<u64>,
    /// text: Latin letters only.
    #[param(required = false, inline)]
    ascii: Option<Switch>,
    /// text: instead of an empty answer.
    #[param(required = false, max_length = 256)]
    default: Option<String>,
}

/// The parameters of a batch: those of a lookup that mean something for many numbers.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct BatchParams {
    /// How to read numbers without a country code, unless the body says it.
    #[param(required = false, example = "US")]
    region: Option<String>,
    /// Answer within so many milliseconds.
    #[param(required = false, minimum = 0, maximum = 2_147_483_647)]
    deadline_ms: Option<u64>,
    /// Older cache entries, in seconds, count as stale.
    #[param(required = false, minimum = 0, maximum = 2_147_483_647)]
    max_age: Option<u64>,
}

#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
enum FormatName {
    Json,
    Text,
    Html,
    Vcard,
    Xml,
    Flat,
    Hash,
}

#[derive(ToSchema)]
enum NotFoundStatus {
    #[schema(rename = "200")]
    Ok,
    #[schema(rename = "404")]
    NotFound,
}

#[derive(ToSchema)]
enum Switch {
    #[schema(rename = "0")]
    Off,
    #[schema(rename = "1")]
    On,
    #[schema(rename = "false")]
    False,
    #[schema(rename = "true")]
    True,
}

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
    /// Parts that could not be had in time, and so hold ids only; absent when there are none.
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
    Leads,
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

/// A person in the CRM.
#[derive(ToSchema)]
struct Contact {
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
    owner: Option<Named>,
    tags: Vec<Tag>,
    #[schema(required, format = DateTime)]
    created_at: Option<String>,
    #[schema(required, format = DateTime)]
    updated_at: Option<String>,
    #[schema(required, format = DateTime)]
    next_task_at: Option<String>,
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

/// Another contact with the same number.
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

/// Many numbers at once.
#[derive(ToSchema)]
#[schema(as = Batch)]
pub(crate) struct BatchBody {
    /// At most 100 numbers.
    #[schema(max_items = 100, example = json!(["+14155550123", "(415) 555-0100"]))]
    phones: Vec<String>,
    /// How to read numbers without a country code.
    #[schema(required = false, example = "US")]
    region: Option<String>,
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

/// A problem document (RFC 9457).
#[derive(ToSchema)]
#[schema(as = Problem)]
pub(crate) struct ProblemBody {
    #[schema(rename = "type", example = "urn:callcard:problem:invalid-phone")]
    kind: String,
    title: String,
    status: u16,
    detail: String,
    /// The stable word to decide on.
    #[schema(example = "invalid-phone")]
    code: String,
    /// libphonenumber's reason; with `invalid-phone` only.
    #[schema(required = false, example = "TOO_SHORT")]
    reason: Option<String>,
    request_id: String,
}

/// What every lookup can meet instead of an answer. text, hash, xml and html keep their own forms.
#[derive(IntoResponses)]
pub(crate) enum Refusals {
    /// The number or a parameter is wrong.
    #[response(status = 400, content_type = "application/problem+json")]
    Invalid(ProblemBody),
    /// No key, or one that is not known.
    #[response(status = 401, content_type = "application/problem+json", headers(("WWW-Authenticate" = String)))]
    Unauthorized(ProblemBody),
    /// A known key that may not do this.
    #[response(status = 403, content_type = "application/problem+json")]
    Forbidden(ProblemBody),
    /// The CRM failed and nothing is cached.
    #[response(status = 502, content_type = "application/problem+json")]
    UpstreamFailed(ProblemBody),
    /// The CRM is unavailable, or its quota cannot be met in time, and nothing is cached.
    #[response(status = 503, content_type = "application/problem+json", headers(("Retry-After" = u64)))]
    Unavailable(ProblemBody),
    /// The deadline passed; the answer is still being fetched.
    #[response(status = 504, content_type = "application/problem+json")]
    Timeout(ProblemBody),
    /// A defect.
    #[response(status = 500, content_type = "application/problem+json")]
    Internal(ProblemBody),
}
