//! The shapes of questions, for the OpenAPI document only.

#![expect(dead_code, reason = "the types are read by the derive macros only")]

use utoipa::{IntoParams, ToSchema};

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
    /// `1`: ask the CRM again unless the answer is younger than five seconds, and wait for it until the deadline. What the page's button
    /// sends; ignored when a browser loads ahead (`Sec-Purpose: prefetch`).
    #[param(required = false, inline)]
    refresh: Option<Switch>,
    /// `catalog_elements`: also the linked elements of the account's lists, of the contact and of each lead (json only).
    #[param(required = false, inline)]
    include: Option<IncludedPart>,
    /// The form of the answer; beats `Accept`.
    #[param(required = false, inline)]
    format: Option<FormatName>,
    /// The kind of phone system that asks.
    #[param(required = false)]
    profile: Option<String>,
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

/// The parameters of a page: those of a lookup that mean something for it.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct PopParams {
    /// The number as the phone system has it. `number`, `caller` and `from` are aliases.
    #[param(example = "+14155550123", max_length = 512)]
    phone: String,
    /// How to read a number without a country code: an ISO 3166 code of two letters. The deployment's region if absent.
    #[param(required = false, example = "US")]
    region: Option<String>,
    /// Answer within so many milliseconds.
    #[param(required = false, minimum = 0, maximum = 2_147_483_647)]
    deadline_ms: Option<u64>,
    /// Older cache entries, in seconds, count as stale.
    #[param(required = false, minimum = 0, maximum = 2_147_483_647)]
    max_age: Option<u64>,
    /// `1`: ask the CRM again unless the answer is younger than five seconds, and wait for it until the deadline.
    #[param(required = false, inline)]
    refresh: Option<Switch>,
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
    /// `catalog_elements`: also the linked elements of the account's lists, of the contact and of each lead (json only).
    #[param(required = false, inline)]
    include: Option<IncludedPart>,
}

#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
enum IncludedPart {
    CatalogElements,
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
