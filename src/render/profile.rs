//! What each kind of phone system can bear, under one word: `profile=` sets the form, the status, the length and the letters at once.
//!
//! [`Profile::ALL`] is the only list: parameters are read by it, the README and the OpenAPI document show it. The deadline is no part of
//! a profile: it is the deployment's, and below the limit of every client here.

use super::Format;

/// What one kind of phone system gets, unless its request says otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Profile {
    /// The word in `profile=`.
    pub word: &'static str,
    /// Who asks.
    pub client: &'static str,
    /// The form of the answer; beats `Accept`.
    pub format: Format,
    /// "Not found" is a 200.
    pub not_found_ok: bool,
    /// text: at most so many characters.
    pub max: usize,
    /// text, hash: Latin letters only.
    pub ascii: bool,
    /// What about the client makes it so.
    pub reason: &'static str,
}

/// A request without a profile: the contract's defaults.
const NONE: Profile =
    Profile { word: "", client: "", format: Format::Json, not_found_ok: false, max: 60, ascii: false, reason: "" };

/// One line of at most 60 characters, the most that desk phones show; a status would not be looked at.
const LINE: Profile = Profile { format: Format::Text, not_found_ok: true, ..NONE };

/// Members to pick from; a status that is no success would count as a failed request.
const OBJECT: Profile = Profile { not_found_ok: true, ..NONE };

impl Profile {
    /// Every profile.
    pub const ALL: &'static [Self] = &[
        Self {
            word: "asterisk",
            client: "Asterisk `CURL()`",
            reason: "ignores the status and shows whatever body comes",
            ..LINE
        },
        Self {
            word: "freepbx",
            client: "FreePBX CID source, Superfecta",
            ascii: true,
            reason: "Superfecta reads every answer as Latin-1 unless told otherwise; the CID source bears `ascii=0`",
            ..LINE
        },
        Self {
            word: "cidlookup",
            client: "FreeSWITCH mod_cidlookup",
            reason: "ignores the status and does not trim; an empty body is its \"no name\"",
            ..LINE
        },
        Self {
            word: "kamailio",
            client: "Kamailio, OpenSIPS",
            reason: "puts the body into a `From` header, where a line break would end the call",
            ..LINE
        },
        Self {
            word: "3cx",
            client: "3CX CRM template",
            reason: "picks members by path; `found` says whether there is a contact",
            ..OBJECT
        },
        Self {
            word: "connect",
            client: "Amazon Connect",
            format: Format::Flat,
            reason: "takes a flat map of strings of at most 32 KB into a flow",
            ..OBJECT
        },
        Self {
            word: "studio",
            client: "Twilio Studio",
            reason: "leaves the flow by *Failed* on every status but a success",
            ..OBJECT
        },
    ];

    /// The contract's defaults, for requests that name no profile.
    pub const DEFAULT: &'static Self = &NONE;

    /// The profile of this word.
    #[must_use]
    pub fn named(word: &str) -> Option<&'static Self> {
        Self::ALL.iter().find(|profile| profile.word == word)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_profile_is_found_by_its_word_alone() {
        for profile in Profile::ALL {
            assert_eq!(Profile::named(profile.word), Some(profile));
        }
        assert_eq!(Profile::named(""), None);
        assert_eq!(Profile::named("Asterisk"), None, "words are exact");
    }

    #[test]
    fn whoever_shows_the_body_gets_a_line_and_whoever_judges_the_status_gets_a_success() {
        for profile in Profile::ALL {
            assert!(profile.not_found_ok, "{}", profile.word);
        }
        let lines = Profile::ALL.iter().filter(|profile| profile.format == Format::Text);
        assert_eq!(
            lines.map(|profile| profile.word).collect::<Vec<_>>(),
            ["asterisk", "freepbx", "cidlookup", "kamailio"]
        );
    }
}
