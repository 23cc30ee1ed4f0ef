//! API keys: who may ask, and for what.
//!
//! Only SHA-256 digests are kept. A presented key is hashed and compared with every known digest in constant time, so the time of an
//! answer says nothing about how much of a key was right, nor about which key it was. Keys are long random strings, so a fast hash is
//! enough; `sha256:<hex>` in the configuration keeps the plain key out of it altogether.

use std::fmt;
use std::str::FromStr;

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// What a key may do. Each scope includes the ones before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// `format=text` only: the one scope whose keys may stand in a URL.
    Text,
    /// Every lookup.
    Lookup,
    /// Cache administration too.
    Admin,
}

impl Scope {
    /// The word in a key's specification.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Lookup => "lookup",
            Self::Admin => "admin",
        }
    }
}

/// The text names no scope.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the scope is none of text, lookup, admin")]
pub struct UnknownScope;

impl FromStr for Scope {
    type Err = UnknownScope;

    fn from_str(text: &str) -> Result<Self, UnknownScope> {
        let scopes = [Self::Text, Self::Lookup, Self::Admin];
        scopes.into_iter().find(|scope| scope.as_str() == text).ok_or(UnknownScope)
    }
}

/// Under which name a key is known: it shows up where the key itself must not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyName(String);

/// The text cannot be a key's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a name is made of letters, digits, '-', '_' and '.'")]
pub struct InvalidName;

impl FromStr for KeyName {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        let is_name = !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b));
        if is_name { Ok(Self(text.to_owned())) } else { Err(InvalidName) }
    }
}

/// What stands in `CALLCARD_API_KEYS` for this key: `name:scope:sha256:<hex>`. Without a name it is called by the first digits of its
/// digest, which nobody else has.
#[must_use]
pub fn entry_for(name: Option<&KeyName>, scope: Scope, key: &str) -> String {
    let digest: String = digest(key.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
    let name = name.map_or_else(|| format!("key-{}", &digest[..8]), |name| name.0.clone());
    format!("{name}:{}:sha256:{digest}", scope.as_str())
}

/// One key: its name, what it may do, and the digest it is known by.
struct Key {
    name: String,
    scope: Scope,
    digest: [u8; 32],
}

/// The keys of a deployment. The `Debug` form shows names and scopes only.
#[derive(Default)]
pub struct Keys(Vec<Key>);

/// What is wrong with one entry of `CALLCARD_API_KEYS`. It never holds any part of the entry: a key may stand in any place of a
/// mistyped one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("entry {entry}: {fault}")]
pub struct KeyFault {
    /// Which entry, counted from 1.
    pub entry: usize,
    /// What is wrong with it.
    pub fault: &'static str,
}

impl Keys {
    /// Reads `name:scope:key` entries separated by commas; `key` is plain or `sha256:<hex>`. Empty text is no keys.
    ///
    /// # Errors
    /// Every fault of every entry, in order.
    pub fn parse(text: &str) -> Result<Self, Vec<KeyFault>> {
        let entries = text.split(',').map(str::trim).enumerate().filter(|(_, entry)| !entry.is_empty());
        let (mut keys, mut faults) = (Self::default(), Vec::new());
        for (index, entry) in entries {
            match Key::parse(entry).and_then(|key| keys.add(key)) {
                Ok(()) => {}
                Err(fault) => faults.push(KeyFault { entry: index + 1, fault }),
            }
        }
        if faults.is_empty() { Ok(keys) } else { Err(faults) }
    }

    /// No keys: everybody may ask.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What the bearer of this key may do; nothing if it is not known. Takes the same time for every key.
    #[must_use]
    pub fn scope_of(&self, presented: &[u8]) -> Option<Scope> {
        let digest = digest(presented);
        let mut found = None;
        for key in &self.0 {
            if bool::from(key.digest.ct_eq(&digest)) {
                found = Some(key.scope);
            }
        }
        found
    }

    fn add(&mut self, key: Key) -> Result<(), &'static str> {
        if self.0.iter().any(|other| other.name == key.name) {
            return Err("the name is taken by an earlier entry");
        }
        if self.0.iter().any(|other| other.digest == key.digest) {
            return Err("the key is that of an earlier entry");
        }
        self.0.push(key);
        Ok(())
    }
}

impl Key {
    fn parse(entry: &str) -> Result<Self, &'static str> {
        let mut parts = entry.splitn(3, ':');
        let (Some(name), Some(scope), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
            return Err("is not name:scope:key");
        };
        let KeyName(name) =
            name.parse().map_err(|InvalidName| "a name is made of letters, digits, '-', '_' and '.'")?;
        let scope = scope.parse().map_err(|UnknownScope| "the scope is none of text, lookup, admin")?;
        let digest = match key.strip_prefix("sha256:") {
            Some(hex) => parse_hex(hex).ok_or("sha256: is not followed by 64 hexadecimal digits")?,
            None if key.is_empty() => return Err("the key is empty"),
            None if !key.bytes().all(|b| b.is_ascii_graphic()) => return Err("a key is visible ASCII without spaces"),
            None => digest(key.as_bytes()),
        };
        Ok(Self { name, scope, digest })
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.0.iter().map(|key| (&key.name, key.scope))).finish()
    }
}

fn digest(key: &[u8]) -> [u8; 32] {
    Sha256::digest(key).into()
}

fn parse_hex(hex: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    if hex.len() != 64 || !hex.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(hex.as_bytes().chunks_exact(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// SHA-256 of `s3cret-key`, by `printf s3cret-key | sha256sum`.
    const HASHED: &str = "sha256:817b823905cc7853f381992575a9041fcdb17fc70e776707abfb4d7c59ecbf3f";

    #[test]
    fn a_plain_and_a_hashed_key_are_known_by_the_same_text() {
        let plain = Keys::parse("pbx:text:s3cret-key").unwrap();
        let hashed = Keys::parse(&format!("pbx:text:{HASHED}")).unwrap();

        assert_eq!(plain.scope_of(b"s3cret-key"), Some(Scope::Text));
        assert_eq!(hashed.scope_of(b"s3cret-key"), Some(Scope::Text));
        assert_eq!(hashed.scope_of(HASHED.as_bytes()), None, "the digest is not the key");
        assert_eq!(plain.scope_of(b"s3cret-kex"), None);
        assert_eq!(plain.scope_of(b""), None);
    }

    #[test]
    fn an_entry_knows_the_key_that_it_was_made_for() {
        let name = "front-desk".parse().unwrap();
        let entry = entry_for(Some(&name), Scope::Lookup, "s3cret-key");
        assert_eq!(entry, format!("front-desk:lookup:{HASHED}"));
        assert_eq!(Keys::parse(&entry).unwrap().scope_of(b"s3cret-key"), Some(Scope::Lookup));
        assert!(entry_for(None, Scope::Text, "s3cret-key").starts_with("key-817b8239:text:sha256:817b"));
    }

    #[test]
    fn a_key_may_hold_colons_and_entries_may_stand_apart() {
        let keys = Keys::parse("pbx:text:a:b, ,desk:lookup:c,\nops:admin:d,").unwrap();

        assert_eq!(keys.scope_of(b"a:b"), Some(Scope::Text));
        assert_eq!(keys.scope_of(b"c"), Some(Scope::Lookup));
        assert_eq!(keys.scope_of(b"d"), Some(Scope::Admin));
    }

    #[test]
    fn every_fault_is_reported_with_its_entry_and_without_its_text() {
        let text =
            "justakey1234,a:root:k1,b c:text:k2,d:text:,e:text:sha256:12,f:text:k3,f:lookup:k4,g:admin:k3,h:text:кл";

        let faults = Keys::parse(text).unwrap_err();

        let lines: Vec<_> = faults.iter().map(ToString::to_string).collect();
        insta::assert_snapshot!(lines.join("\n"), @r#"
        entry 1: is not name:scope:key
        entry 2: the scope is none of text, lookup, admin
        entry 3: a name is made of letters, digits, '-', '_' and '.'
        entry 4: the key is empty
        entry 5: sha256: is not followed by 64 hexadecimal digits
        entry 7: the name is taken by an earlier entry
        entry 8: the key is that of an earlier entry
        entry 9: a key is visible ASCII without spaces
        "#);
    }

    #[test]
    fn the_debug_form_shows_no_key() {
        let keys = Keys::parse("pbx:text:s3cret-key").unwrap();
        assert_eq!(format!("{keys:?}"), r#"{"pbx": Text}"#);
    }

    #[test]
    fn a_wider_scope_includes_the_narrower_ones() {
        assert!(Scope::Admin > Scope::Lookup && Scope::Lookup > Scope::Text);
    }
}
