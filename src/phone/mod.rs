//! Phone numbers: from what a phone system sends, or a CRM stores, to the one number it means.
//!
//! Two ways in: [`CallerReader::read`] for the caller of a request, [`read_stored`] for a value of a contact's PHONE field. Both end in
//! an [`E164`], and two texts mean the same line exactly when their `E164` are equal. Below this module nobody sees a raw string.
//!
//! The numbering plans (which lengths, prefixes, ranges and groups a country has) are libphonenumber's, taken from the `phonenumber` crate by
//! `plan`, the only file that knows that crate. The reading itself is ours: that crate's parser strips the national prefix from
//! valid numbers (`+7 812 …` loses its 8), takes every regular expression through one lock, and refuses forms that phone systems send.
//! `tests/phone_corpus.rs` holds the reading against libphonenumber's Python port.
//!
//! From the outside in:
//!
//! | file | holds |
//! |---|---|
//! | `caller`, `memo` | what a phone system sends → [`Caller`], remembered |
//! | `stored` | what people type into a PHONE field → [`Number`]s |
//! | `envelope`, `withheld` | what is wrapped around a number; words that stand in its place |
//! | `reading`, `writing` | libphonenumber's rules from text to number; repairs where a phone system breaks them |
//! | `grouping`, `search`, `equivalents` | how a number is written, searched for, and what else it goes by |
//! | `plan`, `pattern` | the numbering plans |
//! | `e164`, `number`, `region`, `calling_code`, `digits` | the values |

mod caller;
mod calling_code;
mod digits;
mod e164;
mod envelope;
mod equivalents;
mod grouping;
mod memo;
mod number;
mod pattern;
mod plan;
#[cfg(test)]
mod properties;
mod reading;
mod region;
mod search;
mod stored;
mod withheld;
mod writing;

pub use caller::{Caller, CallerReader};
pub use e164::{E164, Masked, NotE164, Parts};
pub use number::{Extension, InvalidPhone, NotExtension, Number};
pub use plan::warm;
pub use region::{Region, UnknownRegion};
pub use search::{SearchForm, SearchText};
pub use stored::read_stored;
