//! Who may ask: access tokens, refresh tokens and authorization codes.
//!
//! A refresh token is used up by the refresh. With *grace* it lives on until the pair that replaced it was used for the first time, which
//! is what the vendor's documentation says beside the opposite.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;
use tokio::time::Instant;

use super::fixtures::office;
use super::settings::{OauthSettings, Settings};

/// The user a request acts for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Viewer {
    pub(super) user: u64,
    pub(super) is_admin: bool,
}

/// An access and a refresh token that were issued together.
type Pair = u64;

#[derive(Debug)]
struct Access {
    user: u64,
    expires_at: Option<Instant>,
    pair: Option<Pair>,
}

#[derive(Debug)]
struct Refresh {
    expires_at: Instant,
    pair: Pair,
    /// The pairs it was exchanged for.
    successors: Vec<Pair>,
}

/// Every token of the account.
#[derive(Debug, Default)]
pub(super) struct Tokens {
    access: HashMap<String, Access>,
    refresh: HashMap<String, Refresh>,
    codes: HashMap<String, Instant>,
    used: HashSet<Pair>,
    pairs: Pair,
}

/// A new pair.
#[derive(Debug)]
pub(super) struct Issued {
    pub(super) access: String,
    pub(super) refresh: String,
}

/// Why a grant is not accepted; the text is the API's `hint`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum GrantError {
    Revoked,
    Expired,
    Unknown,
}

impl GrantError {
    pub(super) const fn hint(self) -> &'static str {
        match self {
            Self::Revoked => "Token has been revoked",
            Self::Expired => "Token has expired",
            Self::Unknown => "Cannot decrypt the refresh token",
        }
    }
}

impl Tokens {
    /// The tokens that `settings` name.
    pub(super) fn new(settings: &Settings, now: Instant) -> Self {
        let mut tokens = Self::default();
        let expires_at = settings.token_ttl.map(|ttl| now + ttl);
        tokens.access.insert(settings.token.clone(), Access { user: office::OLIVIA, expires_at, pair: None });
        tokens
            .access
            .insert(settings.narrow_token.clone(), Access { user: office::NINA, expires_at: None, pair: None });
        tokens.add_code(settings.oauth.code.clone(), now + settings.oauth.code_ttl);
        let first = Refresh { expires_at: now + settings.oauth.refresh_ttl, pair: 0, successors: Vec::new() };
        tokens.refresh.insert(settings.oauth.refresh_token.clone(), first);
        tokens
    }

    /// Who asks with this access token, if it is good.
    pub(super) fn viewer(&mut self, token: &str, now: Instant) -> Option<Viewer> {
        let access = self.access.get(token)?;
        if access.expires_at.is_some_and(|expires_at| expires_at <= now) {
            return None;
        }
        self.used.extend(access.pair);
        viewer(access.user)
    }

    /// Makes a long-lived token for a user; it reads like one (a JWT of about a kilobyte).
    pub(super) fn issue(&mut self, user: u64, ttl: Option<Duration>, now: Instant, unix: i64) -> String {
        let token = jwt(user, ttl, unix);
        self.access.insert(token.clone(), Access { user, expires_at: ttl.map(|ttl| now + ttl), pair: None });
        token
    }

    /// Makes a token useless, whichever kind it is.
    pub(super) fn revoke(&mut self, token: &str) {
        self.access.remove(token);
        if let Some(refresh) = self.refresh.get_mut(token) {
            refresh.successors.push(refresh.pair);
            self.used.insert(refresh.pair);
        }
    }

    pub(super) fn add_code(&mut self, code: String, expires_at: Instant) {
        self.codes.insert(code, expires_at);
    }

    /// Exchanges a code, which works once.
    pub(super) fn redeem(
        &mut self,
        code: &str,
        oauth: &OauthSettings,
        now: Instant,
        unix: i64,
    ) -> Result<Issued, GrantError> {
        match self.codes.remove(code) {
            None => Err(GrantError::Revoked),
            Some(expires_at) if expires_at <= now => Err(GrantError::Expired),
            Some(_) => Ok(self.issue_pair(oauth, now, unix)),
        }
    }

    /// Exchanges a refresh token.
    pub(super) fn refresh(
        &mut self,
        token: &str,
        oauth: &OauthSettings,
        now: Instant,
        unix: i64,
    ) -> Result<Issued, GrantError> {
        let known = self.refresh.get(token).ok_or(GrantError::Unknown)?;
        let in_grace = oauth.grace && known.successors.iter().all(|pair| !self.used.contains(pair));
        if !known.successors.is_empty() && !in_grace {
            return Err(GrantError::Revoked);
        }
        if known.expires_at <= now {
            return Err(GrantError::Expired);
        }
        self.used.insert(known.pair);
        let issued = self.issue_pair(oauth, now, unix);
        let successor = self.pairs;
        self.refresh.entry(token.to_owned()).and_modify(|refresh| refresh.successors.push(successor));
        Ok(issued)
    }

    fn issue_pair(&mut self, oauth: &OauthSettings, now: Instant, unix: i64) -> Issued {
        self.pairs += 1;
        let access = jwt(office::OLIVIA, Some(oauth.access_ttl), unix);
        let refresh = format!("def50200{:032x}{:032x}", fastrand::u128(..), fastrand::u128(..));
        let expires_at = Some(now + oauth.access_ttl);
        self.access.insert(access.clone(), Access { user: office::OLIVIA, expires_at, pair: Some(self.pairs) });
        let kept = Refresh { expires_at: now + oauth.refresh_ttl, pair: self.pairs, successors: Vec::new() };
        self.refresh.insert(refresh.clone(), kept);
        Issued { access, refresh }
    }
}

/// An active user of the account.
pub(super) fn viewer(user: u64) -> Option<Viewer> {
    let known = office::USERS.iter().find(|known| known.id == user && known.is_active)?;
    Some(Viewer { user: known.id, is_admin: known.is_admin })
}

fn jwt(user: u64, ttl: Option<Duration>, unix: i64) -> String {
    let expires = ttl.map(|ttl| unix.saturating_add_unsigned(ttl.as_secs()));
    let header = json!({"typ": "JWT", "alg": "RS256", "jti": format!("{:032x}", fastrand::u128(..))});
    let claims = json!({
        "aud": "sandbox-client",
        "jti": format!("{:032x}", fastrand::u128(..)),
        "iat": unix,
        "nbf": unix,
        "exp": expires,
        "sub": user.to_string(),
        "account_id": super::office::ACCOUNT_ID,
        "api_domain": "api-c.kommo.com",
        "scopes": ["crm", "files", "files_delete", "notifications", "push_notifications"],
    });
    let signature: Vec<u8> = std::iter::repeat_with(|| fastrand::u8(..)).take(256).collect();
    let parts = [header.to_string().into_bytes(), claims.to_string().into_bytes(), signature];
    parts.map(|part| URL_SAFE_NO_PAD.encode(part)).join(".")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens() -> (Tokens, OauthSettings, Instant) {
        let settings = Settings::default();
        let now = Instant::now();
        (Tokens::new(&settings, now), settings.oauth, now)
    }

    #[test]
    fn a_refresh_token_works_once() {
        let (mut tokens, oauth, now) = tokens();
        let second = tokens.refresh("sandbox-refresh-token", &oauth, now, 0).unwrap();
        assert_eq!(tokens.refresh("sandbox-refresh-token", &oauth, now, 0).unwrap_err(), GrantError::Revoked);
        assert!(tokens.refresh(&second.refresh, &oauth, now, 0).is_ok());
    }

    #[test]
    fn with_grace_it_works_until_its_successor_was_used() {
        let (mut tokens, mut oauth, now) = tokens();
        oauth.grace = true;
        tokens.refresh("sandbox-refresh-token", &oauth, now, 0).unwrap();
        let again = tokens.refresh("sandbox-refresh-token", &oauth, now, 0).unwrap();
        assert!(tokens.viewer(&again.access, now).is_some());
        assert_eq!(tokens.refresh("sandbox-refresh-token", &oauth, now, 0).unwrap_err(), GrantError::Revoked);
    }

    #[test]
    fn codes_and_tokens_expire() {
        let (mut tokens, oauth, now) = tokens();
        let late = now + Duration::from_mins(20);
        assert_eq!(tokens.redeem("sandbox-code", &oauth, late, 0).unwrap_err(), GrantError::Expired);
        let pair = tokens.refresh("sandbox-refresh-token", &oauth, now, 0).unwrap();
        assert!(tokens.viewer(&pair.access, now + Duration::from_hours(23)).is_some());
        assert!(tokens.viewer(&pair.access, now + Duration::from_hours(24)).is_none());
        let too_late = now + Duration::from_hours(24 * 91);
        assert_eq!(tokens.refresh(&pair.refresh, &oauth, too_late, 0).unwrap_err(), GrantError::Expired);
    }

    #[test]
    fn a_token_says_when_it_expires_and_is_as_long_as_a_real_one() {
        let token = jwt(office::OLIVIA, Some(Duration::from_hours(24)), 1_000);
        let claims = token.split('.').nth(1).unwrap();
        let claims: serde_json::Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).unwrap()).unwrap();
        assert_eq!(claims["exp"], 87_400);
        assert!((700..1_500).contains(&token.len()), "{}", token.len());
    }
}
