//! Phone numbers: from what a phone system sends to the one number it means.
mod e164;
pub use e164::{E164, Extension, Number, Region};
/// placeholder
pub fn read_stored(raw: &str, _region: Region) -> Vec<Number> {
    raw.parse().ok().map(|e164| Number { e164, extension: None }).into_iter().collect()
}
