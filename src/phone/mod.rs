//! Phone numbers: from what a phone system sends to the one number it means.
mod e164;
pub use e164::{E164, Extension, Number, Region};
