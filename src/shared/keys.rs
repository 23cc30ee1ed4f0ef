//! Where things lie on the server, and how personal data is hidden there.
//!
//! ```text
//! callcard:{ACCOUNT}:ledger        whose turn it is                       ACCOUNT  a hash of the CRM account's host
//! callcard:{ACCOUNT}:epoch         how many changes there have been
//! callcard:{ACCOUNT}:stamp:all     the last change of everything
//! callcard:{ACCOUNT}:stamp:KIND:ID the last change of one contact, company or lead
//! callcard:{ACCOUNT}:tokens        the OAuth2 pair
//! callcard:{ACCOUNT}:lease:NAME    who does what only one should do
//! callcard:{ACCOUNT}:mirror:log    what the mirror's leader has written    mirror:told, mirror:rows:… beside it
//! callcard:ACCOUNT:{NUMBER}:entry  what is known of a number              NUMBER   a keyed hash of the number
//! callcard:ACCOUNT:{NUMBER}:fill   who is finding it out
//! callcard:ACCOUNT:{NUMBER}:renew  who is finding it out while nobody waits
//! ```

use std::fmt;

use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::hkdf::{HKDF_SHA256, Salt};
use ring::hmac;
use ring::rand::{SecureRandom, SystemRandom};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

use crate::cache::Shown;
use crate::contact::PartyId;
use crate::phone::E164;

/// Names of keys, and the keys that hide what is personal.
pub(super) struct Keys {
    account: String,
    hiding: hmac::Key,
    sealing: LessSafeKey,
    random: SystemRandom,
}

/// Not sealed by us, or not for this place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("what was read does not open")]
pub(super) struct Unopened;

/// The keys of one number.
#[derive(Clone, Debug)]
pub(super) struct NumberKeys {
    pub(super) entry: String,
    pub(super) fill: String,
    pub(super) renew: String,
}

impl Keys {
    pub(super) fn new(account: &str, secret: &SecretString) -> Self {
        let root = Salt::new(HKDF_SHA256, b"callcard shared store 1").extract(secret.expose_secret().as_bytes());
        let hiding = root.expand(&[b"numbers"], hmac::HMAC_SHA256).expect("a hash is long enough for its own key");
        let sealing = root.expand(&[b"values"], &CHACHA20_POLY1305).expect("a hash is long enough for this key");
        Self {
            account: hex(&Sha256::digest(account.to_ascii_lowercase().as_bytes())[..8]),
            hiding: hmac::Key::from(hiding),
            sealing: LessSafeKey::new(UnboundKey::from(sealing)),
            random: SystemRandom::new(),
        }
    }

    fn ours(&self, name: &str) -> String {
        format!("callcard:{{{}}}:{name}", self.account)
    }

    pub(super) fn ledger(&self) -> String {
        self.ours("ledger")
    }

    pub(super) fn epoch(&self) -> String {
        self.ours("epoch")
    }

    pub(super) fn stamp_of_all(&self) -> String {
        self.ours("stamp:all")
    }

    pub(super) fn stamp(&self, party: PartyId) -> String {
        self.ours(&format!("stamp:{}:{}", party.kind().as_str(), party.number()))
    }

    /// The last change of something that is shown on cards.
    pub(super) fn stamp_of_shown(&self, shown: Shown) -> String {
        match shown {
            Shown::Lead(id) => self.ours(&format!("stamp:lead:{id}")),
            Shown::Company(id) => self.ours(&format!("stamp:company:{id}")),
        }
    }

    pub(super) fn lease(&self, name: &str) -> String {
        self.ours(&format!("lease:{name}"))
    }

    /// A part of what replicas of one mirror share.
    pub(super) fn mirror(&self, what: &str) -> String {
        self.ours(&format!("mirror:{what}"))
    }

    /// The OAuth2 pair.
    pub(super) fn tokens(&self) -> String {
        self.ours("tokens")
    }

    /// Where changes are told.
    pub(super) fn changes(&self) -> String {
        self.ours("changes")
    }

    /// Where replicas are woken that should look at the ledger.
    pub(super) fn wake(&self) -> String {
        self.ours("wake")
    }

    pub(super) fn number(&self, number: E164) -> NumberKeys {
        let hash = hex(&hmac::sign(&self.hiding, &number.get().to_be_bytes()).as_ref()[..16]);
        let key = |what: &str| format!("callcard:{}:{{{hash}}}:{what}", self.account);
        NumberKeys { entry: key("entry"), fill: key("fill"), renew: key("renew") }
    }

    /// Hides a text that only lies at `place`; `plain` stands in front of it and is protected but readable.
    pub(super) fn seal(&self, place: &str, plain: &[u8], secret: Vec<u8>) -> Vec<u8> {
        let mut nonce = [0; NONCE_LEN];
        // 96 random bits: at a thousand writes a second a repetition is not to be expected in the life of a key.
        self.random.fill(&mut nonce).expect("the system has random bytes");
        let mut sealed = secret;
        self.sealing
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), bound(place, plain), &mut sealed)
            .expect("a value is shorter than the cipher's bound of 256 GiB");
        [plain, &nonce, &sealed].concat()
    }

    /// What is hidden behind the first `plain` bytes of a value that lay at `place`.
    pub(super) fn open(&self, place: &str, plain: usize, value: &[u8]) -> Result<Vec<u8>, Unopened> {
        let (plain, rest) = value.split_at_checked(plain).ok_or(Unopened)?;
        let (nonce, sealed) = rest.split_at_checked(NONCE_LEN).ok_or(Unopened)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| Unopened)?;
        let mut sealed = sealed.to_vec();
        let opened = self.sealing.open_in_place(nonce, bound(place, plain), &mut sealed).map_err(|_| Unopened)?;
        Ok(opened.to_vec())
    }
}

/// A seat, as the names of those who have it begin.
pub(super) fn seat(name: &str) -> String {
    hex(&Sha256::digest(name.as_bytes())[..8])
}

/// Binds a value to its place and to what stands readable in front of it.
fn bound(place: &str, plain: &[u8]) -> Aad<Vec<u8>> {
    Aad::from([place.as_bytes(), b"\0", plain].concat())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keys").field("account", &self.account).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(secret: &str) -> Keys {
        Keys::new("acme.kommo.com", &SecretString::from(secret.to_owned()))
    }

    #[test]
    fn a_key_names_no_number_and_needs_the_secret() {
        let number: E164 = "+14155550123".parse().unwrap();
        let (one, same, other) = (keys("a").number(number), keys("a").number(number), keys("b").number(number));
        assert_eq!(one.entry, same.entry);
        assert_ne!(one.entry, other.entry);
        assert!(!one.entry.contains("0123"), "{}", one.entry);
    }

    #[test]
    fn the_keys_of_a_number_share_a_slot_and_so_do_those_of_an_account() {
        let tag = |key: &str| key.split_once('{').unwrap().1.split_once('}').unwrap().0.to_owned();
        let keys = keys("a");
        let number = keys.number("+14155550123".parse().unwrap());
        assert_eq!(tag(&number.entry), tag(&number.fill));
        assert_eq!(tag(&number.entry), tag(&number.renew));
        assert_eq!(tag(&keys.epoch()), tag(&keys.stamp(crate::contact::ContactId(7).into())));
        assert_eq!(tag(&keys.ledger()), tag(&keys.epoch()));
    }

    #[test]
    fn replicas_of_another_account_have_nothing_in_common() {
        let other = Keys::new("other.kommo.com", &SecretString::from("a".to_owned()));
        assert_ne!(keys("a").ledger(), other.ledger());
        assert_eq!(keys("a").ledger(), keys("b").ledger(), "the quota is the account's, whatever the secret");
    }

    #[test]
    fn a_value_opens_only_where_it_lay_and_as_it_was() {
        let keys = keys("a");
        let sealed = keys.seal("here", b"1", b"Anna".to_vec());
        assert_eq!(keys.open("here", 1, &sealed), Ok(b"Anna".to_vec()));
        assert!(!sealed.windows(4).any(|bytes| bytes == b"Anna"));
        assert_eq!(keys.open("there", 1, &sealed), Err(Unopened));
        assert_eq!(self::keys("b").open("here", 1, &sealed), Err(Unopened));
        for at in 0..sealed.len() {
            let mut bent = sealed.clone();
            bent[at] ^= 1;
            assert_eq!(keys.open("here", 1, &bent), Err(Unopened), "byte {at}");
        }
        for length in 0..sealed.len() {
            assert_eq!(keys.open("here", 1, &sealed[..length]), Err(Unopened));
        }
    }
}
