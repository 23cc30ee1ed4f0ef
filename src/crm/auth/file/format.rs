//! The token file's text: a small JSON object with a version and the owner's name on it.

use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use crate::crm::auth::{Owner, Pair};

/// Changes when an older program would misread the file.
const VERSION: u32 = 1;

/// What stands in the file.
#[derive(Serialize, Deserialize)]
struct Text<'a> {
    version: u32,
    account: &'a str,
    client_id: &'a str,
    issued_at: Timestamp,
    expires_at: Timestamp,
    access_token: &'a str,
    refresh_token: &'a str,
}

/// Why a text is not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// It is not a whole token file.
    Damaged(&'static str),
    /// It is one, but not ours.
    Foreign(String),
}

pub(super) fn write(owner: &Owner, pair: &Pair) -> Vec<u8> {
    let text = Text {
        version: VERSION,
        account: &owner.account,
        client_id: &owner.client_id,
        issued_at: pair.issued_at,
        expires_at: pair.expires_at,
        access_token: pair.access.expose_secret(),
        refresh_token: pair.refresh.expose_secret(),
    };
    let mut text = serde_json::to_vec_pretty(&text).expect("texts and times can always be written as JSON");
    text.push(b'\n');
    text
}

pub(super) fn read(text: &[u8], owner: &Owner) -> Result<Pair, Refused> {
    #[derive(Deserialize)]
    struct Versioned {
        version: u32,
    }
    let Versioned { version } =
        serde_json::from_slice(text).map_err(|_| Refused::Damaged("it is not a token file, or not all of one"))?;
    if version != VERSION {
        return Err(Refused::Foreign(format!(
            "tokens in version {version} of the format; this program knows {VERSION}"
        )));
    }
    // Owned, as a string with an escape cannot be borrowed.
    #[derive(Deserialize)]
    struct Owned {
        account: String,
        client_id: String,
        issued_at: Timestamp,
        expires_at: Timestamp,
        access_token: SecretString,
        refresh_token: SecretString,
    }
    let text: Owned =
        serde_json::from_slice(text).map_err(|_| Refused::Damaged("a member is missing or of a wrong kind"))?;
    if (&text.account, &text.client_id) != (&owner.account, &owner.client_id) {
        return Err(Refused::Foreign(format!("the tokens of {}, integration {}", text.account, text.client_id)));
    }
    let (access, refresh) = (text.access_token, text.refresh_token);
    if [&access, &refresh].iter().any(|token| !is_token(token.expose_secret())) {
        return Err(Refused::Damaged("a token is empty, or holds characters that no token has"));
    }
    Ok(Pair { access, refresh, issued_at: text.issued_at, expires_at: text.expires_at })
}

/// It can stand in a header.
pub(in crate::crm::auth) fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owner() -> Owner {
        Owner { account: "https://acme.kommo.com".to_owned(), client_id: "8c1f".to_owned() }
    }

    fn pair() -> Pair {
        Pair {
            access: "eyJ0.e30.c2ln".into(),
            refresh: "def50200".into(),
            issued_at: Timestamp::from_second(1_767_340_800).unwrap(),
            expires_at: Timestamp::from_second(1_767_427_200).unwrap(),
        }
    }

    #[test]
    fn what_is_written_reads_back() {
        let text = write(&owner(), &pair());
        let read = read(&text, &owner()).unwrap();
        assert_eq!(write(&owner(), &read), text);
        assert!(
            String::from_utf8(text)
                .unwrap()
                .starts_with("{\n  \"version\": 1,\n  \"account\": \"https://acme.kommo.com\"")
        );
    }

    #[test]
    fn members_of_later_versions_do_not_matter_within_a_format() {
        let text = String::from_utf8(write(&owner(), &pair())).unwrap().replacen('{', "{\"more\": [1],", 1);
        assert!(read(text.as_bytes(), &owner()).is_ok());
    }

    #[test]
    fn somebody_elses_tokens_are_foreign_and_named() {
        let text = write(&owner(), &pair());
        let other = Owner { client_id: "9d20".to_owned(), ..owner() };
        let Err(Refused::Foreign(whose)) = read(&text, &other) else { panic!("taken") };
        assert_eq!(whose, "the tokens of https://acme.kommo.com, integration 8c1f");
        let other = Owner { account: "https://else.kommo.com".to_owned(), ..owner() };
        assert!(matches!(read(&text, &other), Err(Refused::Foreign(_))));
        let later = String::from_utf8(text).unwrap().replace("\"version\": 1", "\"version\": 2");
        assert!(matches!(read(later.as_bytes(), &owner()), Err(Refused::Foreign(_))));
    }

    #[test]
    fn every_piece_of_a_file_is_damaged() {
        let text = write(&owner(), &pair());
        for length in 0..text.len() - 2 {
            assert!(matches!(read(&text[..length], &owner()), Err(Refused::Damaged(_))), "{length}");
        }
        let spaced = String::from_utf8(text).unwrap().replace("def50200", "def 50200");
        assert!(matches!(read(spaced.as_bytes(), &owner()), Err(Refused::Damaged(_))));
    }
}
