//! `POST /oauth2/access_token`: one refresh token out, one new pair back.
//!
//! A request to the CRM like any other: it takes its turn at the gate, is bounded in time and is counted, under the endpoint `oauth`.
//! Only what its refusal means for the breaker is left to the caller: as long as the access token in hand is good, it means nothing.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::Method;
use jiff::{SignedDuration, Timestamp};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, timeout};

use super::file::is_token;
use super::{Pair, jwt};
use crate::crm::response::{self, Body, classify};
use crate::crm::{CrmError, CrmRequest, Gate, Pass, Transport, wire};
use crate::metrics::Metrics;
use crate::outcome::{Class, Endpoint, UpstreamOutcome};

const PATH: &str = "/oauth2/access_token";
/// The whole exchange. Longer than a lookup would wait: an answer that comes late is better than one that is lost.
const LIMIT: Duration = Duration::from_secs(15);
/// The turn at the gate comes by then, or not at all.
const TURN: Duration = Duration::from_secs(10);
/// What an access token lives if nobody says.
const USUAL_LIFE: Duration = Duration::from_hours(24);
/// A longer life is a mistake.
const LONGEST_LIFE: Duration = Duration::from_hours(24 * 366);

/// One OAuth2 integration of the account, as its owner set it up.
#[derive(Clone, Debug)]
pub struct Integration {
    /// Its id.
    pub client_id: String,
    /// Its secret.
    pub client_secret: SecretString,
    /// The redirect address, letter by letter as the integration has it.
    pub redirect_uri: String,
    /// The first refresh token.
    pub refresh_token: SecretString,
}

/// The CRM's token endpoint.
pub(super) struct TokenEndpoint {
    integration: Integration,
    transport: Arc<dyn Transport>,
    gate: Arc<Gate>,
    metrics: Arc<Metrics>,
}

/// How one exchange ended.
#[derive(Debug)]
pub(super) enum Exchanged {
    /// With a new pair. The one before is over as soon as this one is used.
    Granted(Pair),
    /// The CRM does not take this refresh token, or not from us.
    Refused(Pass),
    /// Otherwise; whether the CRM made a new pair is not known.
    Failed(CrmError),
}

#[derive(Serialize)]
struct Grant<'a> {
    client_id: &'a str,
    client_secret: &'a str,
    grant_type: &'static str,
    refresh_token: &'a str,
    redirect_uri: &'a str,
}

#[derive(Deserialize)]
struct Granted {
    access_token: SecretString,
    refresh_token: SecretString,
    #[serde(default, deserialize_with = "wire::loose::id")]
    expires_in: Option<u64>,
}

impl fmt::Debug for TokenEndpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenEndpoint").field("integration", &self.integration).finish_non_exhaustive()
    }
}

impl TokenEndpoint {
    pub(super) fn new(
        integration: Integration,
        transport: Arc<dyn Transport>,
        gate: Arc<Gate>,
        metrics: Arc<Metrics>,
    ) -> Self {
        Self { integration, transport, gate, metrics }
    }

    /// The refresh token to begin with.
    pub(super) const fn first(&self) -> &SecretString {
        &self.integration.refresh_token
    }

    /// Exchanges a refresh token; a second time if the first answer was lost, for then the token is still good.
    pub(super) async fn exchange(&self, refresh: &SecretString, class: Class) -> Exchanged {
        match self.attempt(refresh, class).await {
            Exchanged::Failed(error) if is_lost(&error) && self.gate.may_retry() => self.attempt(refresh, class).await,
            first => first,
        }
    }

    async fn attempt(&self, refresh: &SecretString, class: Class) -> Exchanged {
        let pass = match self.gate.admit(class, Instant::now() + TURN).await {
            Ok(pass) => pass,
            Err(refusal) => {
                self.metrics.upstream(Endpoint::Oauth, refusal.outcome(), None);
                return Exchanged::Failed(refusal);
            }
        };
        let sent = Instant::now();
        let result = self.send(refresh).await;
        let outcome = result.as_ref().map_or_else(CrmError::outcome, |_| UpstreamOutcome::Ok);
        self.metrics.upstream(Endpoint::Oauth, outcome, Some(sent.elapsed()));
        match result {
            Err(CrmError::Unauthorized) => Exchanged::Refused(pass),
            Ok(pair) => {
                pass.settle(Ok(()));
                Exchanged::Granted(pair)
            }
            Err(error) => {
                pass.settle(Err(&error));
                Exchanged::Failed(error)
            }
        }
    }

    async fn send(&self, refresh: &SecretString) -> Result<Pair, CrmError> {
        let request = CrmRequest {
            method: Method::POST,
            path_and_query: PATH.to_owned(),
            bearer: None,
            json: Some(self.body(refresh)),
            traceparent: None,
            timeout: LIMIT,
        };
        let asked_at = Timestamp::now();
        let response = timeout(LIMIT, self.transport.send(request)).await.map_err(|_| CrmError::Timeout)??;
        // The CRM says 401 where the standard says 400, but not always: a wrong redirect address is a 400.
        if response.status.as_u16() == 400 && response::is_json_object(&response.body) {
            return Err(CrmError::Unauthorized);
        }
        match classify(response)? {
            Body::Json(json) => read(&json, asked_at),
            Body::Nothing | Body::Blank => Err(CrmError::Malformed { what: "it holds no tokens" }),
        }
    }

    fn body(&self, refresh: &SecretString) -> Bytes {
        let Integration { client_id, client_secret, redirect_uri, .. } = &self.integration;
        let grant = Grant {
            client_id,
            client_secret: client_secret.expose_secret(),
            grant_type: "refresh_token",
            refresh_token: refresh.expose_secret(),
            redirect_uri,
        };
        serde_json::to_vec(&grant).expect("texts can always be written as JSON").into()
    }
}

fn read(json: &[u8], asked_at: Timestamp) -> Result<Pair, CrmError> {
    let Ok(Granted { access_token: access, refresh_token: refresh, expires_in }) = serde_json::from_slice(json) else {
        return Err(CrmError::Malformed { what: "it holds no tokens" });
    };
    if [&access, &refresh].iter().any(|token| !is_token(token.expose_secret())) {
        return Err(CrmError::Malformed { what: "its tokens are empty, or hold characters that no token has" });
    }
    let said = expires_in.map(Duration::from_secs).map(|life| asked_at + signed(life.min(LONGEST_LIFE)));
    let expires_at = said.or_else(|| jwt::expiry(access.expose_secret())).unwrap_or(asked_at + signed(USUAL_LIFE));
    Ok(Pair { access, refresh, issued_at: asked_at, expires_at })
}

fn signed(life: Duration) -> SignedDuration {
    SignedDuration::try_from(life).expect("a year fits")
}

/// Whether the CRM may have answered without our knowing the answer.
const fn is_lost(error: &CrmError) -> bool {
    error.is_retryable() || matches!(error, CrmError::Timeout | CrmError::Malformed { .. })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: Timestamp = Timestamp::constant(1_767_340_800, 0);

    fn expiry(json: &str) -> Result<i64, CrmError> {
        read(json.as_bytes(), NOON).map(|pair| pair.expires_at.as_second() - NOON.as_second())
    }

    #[test]
    fn the_expiry_is_what_the_answer_says_or_the_token_or_a_day() {
        assert_eq!(expiry(r#"{"access_token":"a","refresh_token":"r","expires_in":3600,"more":[]}"#), Ok(3_600));
        assert_eq!(expiry(r#"{"access_token":"a","refresh_token":"r","expires_in":"3600"}"#), Ok(3_600));
        assert_eq!(expiry(r#"{"access_token":"a","refresh_token":"r"}"#), Ok(86_400));
        // {"exp":1767341100}
        assert_eq!(expiry(r#"{"access_token":"e30.eyJleHAiOjE3NjczNDExMDB9.c","refresh_token":"r"}"#), Ok(300));
        let absurd = r#"{"access_token":"a","refresh_token":"r","expires_in":18446744073709551615}"#;
        assert_eq!(expiry(absurd), Ok(366 * 86_400));
    }

    #[test]
    fn an_answer_without_both_tokens_is_malformed() {
        for json in [
            "{}",
            "[]",
            r#"{"access_token":"a"}"#,
            r#"{"access_token":"","refresh_token":"r"}"#,
            r#"{"access_token":"a b","refresh_token":"r"}"#,
            r#"{"access_token":null,"refresh_token":"r"}"#,
        ] {
            assert!(matches!(expiry(json), Err(CrmError::Malformed { .. })), "{json}");
        }
    }
}
