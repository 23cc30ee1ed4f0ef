//! One request after another until there is an answer: leave from the gate, a good token, the wire, the reading, the count, and the gate
//! told how it went.

use std::time::Duration;

use bytes::Bytes;
use http::Method;
use tokio::time::{Instant, timeout};

use super::super::auth::Token;
use super::super::response::classify;
use super::super::wire::Answer;
use super::super::{CrmError, CrmRequest};
use super::{Ask, CrmClient, Shared};
use crate::outcome::{Endpoint, UpstreamOutcome};
use crate::traces::Call;

impl CrmClient {
    /// One question: a request, and a second one if the first failed in a way that may pass.
    pub(in crate::crm) async fn call<A: Answer>(
        &self,
        endpoint: Endpoint,
        path: &str,
        ask: Ask,
    ) -> Result<A, CrmError> {
        let question = Question::get(path);
        match self.authorized(endpoint, &question, ask).await {
            Err(failure) if self.is_worth_a_retry(&failure, ask) => {
                let again = self.authorized(endpoint, &question.again(), ask.begun()).await;
                // If there was no leave to send it again, why the first one failed says more.
                again.map_err(|error| if was_sent(&error) { error } else { failure })
            }
            first => first,
        }
    }

    fn is_worth_a_retry(&self, failure: &CrmError, ask: Ask) -> bool {
        failure.is_retryable() && ask.left() > self.shared.settings.least_time && self.shared.gate.may_retry()
    }

    /// A request with a good token: a second one if the first one's turned out to be outdated. By itself it is for what must not be done
    /// twice.
    pub(in crate::crm) async fn authorized<A: Answer>(
        &self,
        endpoint: Endpoint,
        question: &Question<'_>,
        ask: Ask,
    ) -> Result<A, CrmError> {
        let Shared { tokens, metrics, .. } = &*self.shared;
        let unsent = |_: &CrmError| metrics.upstream(endpoint, UpstreamOutcome::ShortCircuited, None);
        // Before the turn at the gate: whoever waits for a renewal must not hold a place that the renewal needs.
        let mut token = tokens.current(ask).await.inspect_err(unsent)?;
        match self.attempt(endpoint, question, &mut token, ask).await {
            Err(CrmError::Unauthorized) if tokens.may_replace(&token) => {
                let mut token = tokens.instead_of(&token, ask.begun()).await?;
                self.attempt(endpoint, &question.again(), &mut token, ask.begun()).await
            }
            answered => answered,
        }
    }

    /// One request. `token` becomes the one that was sent.
    async fn attempt<A: Answer>(
        &self,
        endpoint: Endpoint,
        question: &Question<'_>,
        token: &mut Token,
        ask: Ask,
    ) -> Result<A, CrmError> {
        let Shared { settings, tokens, gate, metrics, .. } = &*self.shared;
        let (asked, call) = (Instant::now(), Call::to_crm(endpoint.as_str(), &question.method, question.resends));
        let admitted = match ask.left() > settings.least_time {
            true => gate.admit(ask.class, ask.start_by.min(ask.until)).await,
            false => Err(CrmError::QuotaExhausted { wait: Duration::ZERO }),
        };
        let pass = admitted.inspect_err(|refusal| {
            call.ended(refusal.outcome().as_str(), true);
            metrics.upstream(endpoint, refusal.outcome(), None);
        })?;
        call.left(asked.elapsed());
        // It may have been renewed during the wait.
        tokens.update(token);
        let (sent, limit) = (Instant::now(), settings.request_timeout.min(ask.left()));
        let result = self.exchange::<A>(question, token, limit, &call).await.map_err(|error| meant_by(endpoint, error));
        metrics.upstream(endpoint, outcome(&result), Some(sent.elapsed()));
        call.ended(outcome(&result).as_str(), result.is_err());
        match &result {
            // The pass ends unsettled.
            Err(CrmError::Timeout) if limit < settings.request_timeout.min(settings.fair_time) => {}
            Err(CrmError::Unauthorized) if tokens.may_replace(token) => {}
            _ => pass.settle(result.as_ref().map(drop)),
        }
        result
    }

    async fn exchange<A: Answer>(
        &self,
        question: &Question<'_>,
        token: &Token,
        limit: Duration,
        call: &Call,
    ) -> Result<A, CrmError> {
        let transport = &self.shared.transport;
        let request = CrmRequest {
            method: question.method.clone(),
            path_and_query: question.path.to_owned(),
            bearer: Some(token.secret().clone()),
            json: question.json.clone(),
            traceparent: call.traceparent(),
            timeout: limit,
        };
        // The transport keeps the limit too; this one holds whatever the transport does.
        let response = timeout(limit, transport.send(request)).await.map_err(|_| CrmError::Timeout)??;
        call.answered(response.status.as_u16());
        A::read(classify(response)?)
    }
}

/// What is asked; nearly always a GET.
#[derive(Clone)]
pub(in crate::crm) struct Question<'a> {
    pub(in crate::crm) method: Method,
    pub(in crate::crm) path: &'a str,
    pub(in crate::crm) json: Option<Bytes>,
    /// How often it was sent before.
    pub(in crate::crm) resends: u32,
}

impl<'a> Question<'a> {
    const fn get(path: &'a str) -> Self {
        Self { method: Method::GET, path, json: None, resends: 0 }
    }

    fn again(&self) -> Self {
        Self { resends: self.resends + 1, ..self.clone() }
    }
}

/// The subscriptions are for administrators, and their list is the one place where the CRM says 401 to whom it knows but does not let in.
fn meant_by(endpoint: Endpoint, error: CrmError) -> CrmError {
    match (endpoint, error) {
        (Endpoint::Webhooks, CrmError::Unauthorized) => CrmError::Forbidden,
        (_, error) => error,
    }
}

fn was_sent(error: &CrmError) -> bool {
    error.outcome() != UpstreamOutcome::ShortCircuited
}

fn outcome<A: Answer>(result: &Result<A, CrmError>) -> UpstreamOutcome {
    match result {
        Ok(answer) if answer.is_empty() => UpstreamOutcome::Empty,
        Ok(_) => UpstreamOutcome::Ok,
        Err(error) => error.outcome(),
    }
}
