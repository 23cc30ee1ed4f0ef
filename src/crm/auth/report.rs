//! How long the token lasts and what is wrong with it, in words for people.

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;

use crate::outcome::TokenKind;

/// A person needs this long to make a new token.
const NOTICE: Duration = Duration::from_hours(7 * 24);

/// The token in use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenReport {
    /// Of which kind it is.
    pub kind: TokenKind,
    /// When it is over, if that is known.
    pub expires_at: Option<Timestamp>,
    /// Why it cannot be renewed at present, if it cannot.
    pub trouble: Option<String>,
}

/// Whether somebody has to act.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outlook {
    /// Nobody, as far as is known.
    Fine,
    /// Somebody, within days.
    Soon,
    /// Somebody, now.
    Over,
}

impl TokenReport {
    /// Whether somebody has to act.
    #[must_use]
    pub fn outlook(&self, now: Timestamp) -> Outlook {
        let left = self.expires_at.map(|at| at.duration_since(now));
        let is_over = left.is_some_and(|left| !left.is_positive());
        match self.kind {
            TokenKind::LongLived if is_over => Outlook::Over,
            TokenKind::LongLived if left.is_some_and(|left| left.unsigned_abs() < NOTICE) => Outlook::Soon,
            TokenKind::LongLived => Outlook::Fine,
            TokenKind::Access => match (&self.trouble, self.expires_at) {
                (None, _) => Outlook::Fine,
                (Some(_), Some(_)) if !is_over => Outlook::Soon,
                (Some(_), _) => Outlook::Over,
            },
        }
    }

    /// What is to be done, or at least what is wrong, if somebody has to act.
    #[must_use]
    pub fn advice(&self) -> &str {
        let renew = "make a new one in the integration's settings, and set CALLCARD_KOMMO_TOKEN to it";
        self.trouble.as_deref().unwrap_or(renew)
    }
}

impl fmt::Display for TokenReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.kind, self.expires_at) {
            (TokenKind::LongLived, None) => f.write_str("long-lived; it does not say when it expires"),
            (TokenKind::LongLived, Some(at)) => write!(f, "long-lived, until {}", minutes(at)),
            (TokenKind::Access, None) => f.write_str("OAuth2, none yet"),
            (TokenKind::Access, Some(at)) => write!(f, "OAuth2, until {}, renewed before", minutes(at)),
        }
    }
}

/// `2026-01-02 08:00 UTC`.
fn minutes(at: Timestamp) -> impl fmt::Display {
    at.strftime("%Y-%m-%d %H:%M UTC")
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::constant(1_767_340_800, 0);

    fn report(kind: TokenKind, hours: i64, trouble: Option<&str>) -> TokenReport {
        let expires_at = Timestamp::from_second(NOW.as_second() + hours * 3_600).ok();
        TokenReport { kind, expires_at, trouble: trouble.map(str::to_owned) }
    }

    #[test]
    fn a_long_lived_token_is_somebodys_business_a_week_before_its_end() {
        let outlook = |hours| report(TokenKind::LongLived, hours, None).outlook(NOW);
        assert_eq!([outlook(169), outlook(167), outlook(1)], [Outlook::Fine, Outlook::Soon, Outlook::Soon]);
        assert_eq!([outlook(0), outlook(-1)], [Outlook::Over, Outlook::Over]);
        let unsaid = TokenReport { expires_at: None, ..report(TokenKind::LongLived, 0, None) };
        assert_eq!(unsaid.outlook(NOW), Outlook::Fine);
    }

    #[test]
    fn an_access_token_is_nobodys_business_while_it_can_be_renewed() {
        let outlook = |hours, trouble| report(TokenKind::Access, hours, trouble).outlook(NOW);
        assert_eq!([outlook(1, None), outlook(-1, None)], [Outlook::Fine, Outlook::Fine]);
        assert_eq!([outlook(1, Some("no")), outlook(-1, Some("no"))], [Outlook::Soon, Outlook::Over]);
    }

    #[test]
    fn it_reads_as_a_sentence_of_a_table() {
        assert_eq!(report(TokenKind::LongLived, 24, None).to_string(), "long-lived, until 2026-01-03 08:00 UTC");
        let trouble = report(TokenKind::Access, 1, Some("the store is full"));
        assert_eq!(trouble.to_string(), "OAuth2, until 2026-01-02 09:00 UTC, renewed before");
        assert_eq!(trouble.advice(), "the store is full");
    }
}
