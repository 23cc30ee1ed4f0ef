//! placeholder, replaced by the phone module's own work
use std::fmt;
use std::num::NonZeroU64;
use std::str::FromStr;
/// A number.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct E164(NonZeroU64);
impl fmt::Display for E164 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "+{}", self.0)
    }
}
impl fmt::Debug for E164 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "+…{:02}", self.0.get() % 100)
    }
}
/// Not canonical.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotE164;
impl FromStr for E164 {
    type Err = NotE164;
    fn from_str(text: &str) -> Result<Self, NotE164> {
        text.strip_prefix('+').and_then(|d| d.parse().ok()).map(Self).ok_or(NotE164)
    }
}
/// A region.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Region([u8; 2]);
impl FromStr for Region {
    type Err = NotE164;
    fn from_str(text: &str) -> Result<Self, NotE164> {
        text.as_bytes().try_into().map(Self).map_err(|_| NotE164)
    }
}
/// An extension.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Extension(Box<str>);
impl fmt::Debug for Extension {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}
impl fmt::Display for Extension {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
/// A number with extension.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Number {
    /** The line. */
    pub e164: E164,
    /** Behind the switchboard. */
    pub extension: Option<Extension>,
}
impl E164 {
    /// placeholder
    pub fn equivalents(self) -> Vec<E164> {
        Vec::new()
    }
}
