//! The wire with the CRM's answers on it: each question is put to the sandbox CRM once, and its answer given again without a CRM ever after.
//! So what is measured around it is the service's part.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use axum::Router;
use axum::body::Body;
use bytes::Bytes;
use callcard::crm::{CrmRequest, CrmResponse, Transport, TransportError};
use callcard::sandbox::{Sandbox, Settings};
use futures_util::future::BoxFuture;
use http::{Request, StatusCode, header};
use http_body_util::BodyExt;
use secrecy::ExposeSecret;
use tower::ServiceExt;

/// Status, content type and body.
type Answer = (StatusCode, Option<String>, Bytes);

#[derive(Debug)]
pub(crate) struct Replayed {
    crm: Router,
    answers: Mutex<HashMap<String, Answer>>,
}

impl Replayed {
    /// The account that the sandbox plays, and the token for it.
    pub(crate) fn new() -> (Self, String) {
        let settings = Settings { rate: None, ..Settings::default() };
        let token = settings.token.clone();
        (Self { crm: Sandbox::new(settings).router(), answers: Mutex::default() }, token)
    }

    async fn answer(&self, request: CrmRequest) -> Result<Answer, TransportError> {
        let path = request.path_and_query;
        let known = self.answers.lock().unwrap_or_else(PoisonError::into_inner).get(&path).cloned();
        if let Some(answer) = known {
            return Ok(answer);
        }
        let mut question = Request::builder().method(request.method).uri(&path);
        if let Some(token) = request.bearer {
            question = question.header(header::AUTHORIZATION, format!("Bearer {}", token.expose_secret()));
        }
        let question = question.body(Body::empty()).map_err(|_| TransportError::Connect)?;
        let response = self.crm.clone().oneshot(question).await.map_err(|never| match never {})?;
        let (head, body) = response.into_parts();
        let content_type = head.headers.get(header::CONTENT_TYPE).and_then(|text| text.to_str().ok());
        let body = body.collect().await.map_err(|_| TransportError::Connect)?.to_bytes();
        let answer = (head.status, content_type.map(str::to_owned), body);
        self.answers.lock().unwrap_or_else(PoisonError::into_inner).insert(path, answer.clone());
        Ok(answer)
    }
}

impl Transport for Replayed {
    fn send(&self, request: CrmRequest) -> BoxFuture<'_, Result<CrmResponse, TransportError>> {
        Box::pin(async move {
            let (status, content_type, body) = self.answer(request).await?;
            Ok(CrmResponse { status, content_type, retry_after: None, date: None, body })
        })
    }
}
