//! The stand-in CRM against the checklist of what a faithful one must do: one claim a line.

mod auth;
mod changes;
mod lists;
mod search;
mod sockets;
mod trouble;
mod webhooks;

use axum::Router;
use axum::body::Body;
use bytes::Bytes;
use callcard::sandbox::{Sandbox, Settings};
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::BodyExt;
use serde_json::Value;
use tower::ServiceExt;

/// A client in the same process.
#[derive(Clone)]
struct Client {
    crm: Sandbox,
    router: Router,
    token: String,
}

/// What came back, read to its end.
#[derive(Debug)]
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

impl Client {
    /// An account without a quota, so that only the tests of the quota meet it.
    fn new(change: impl FnOnce(&mut Settings)) -> Self {
        let mut settings = Settings { rate: None, ..Settings::default() };
        change(&mut settings);
        let (token, crm) = (settings.token.clone(), Sandbox::new(settings));
        Self { router: crm.router(), crm, token }
    }

    fn with_token(&self, token: &str) -> Self {
        Self { token: token.to_owned(), ..self.clone() }
    }

    async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, Body::empty(), &[]).await
    }

    async fn send(&self, method: Method, path: &str, body: impl Into<Body>, headers: &[(&str, &str)]) -> Answer {
        let response = self.begin(method, path, body, headers).await;
        let (head, body) = response.into_parts();
        let body = body.collect().await.expect("the body is whole").to_bytes();
        Answer { status: head.status, headers: head.headers, body }
    }

    async fn begin(
        &self,
        method: Method,
        path: &str,
        body: impl Into<Body>,
        headers: &[(&str, &str)],
    ) -> axum::response::Response {
        let mut request = Request::builder().method(method).uri(path);
        request = request.header("authorization", format!("Bearer {}", self.token));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(body.into()).unwrap();
        self.router.clone().oneshot(request).await.unwrap()
    }

    async fn post_json(&self, path: &str, body: Value) -> Answer {
        self.send(Method::POST, path, body.to_string(), &[("content-type", "application/json")]).await
    }

    /// The ids of a list.
    async fn ids(&self, path: &str) -> Vec<u64> {
        self.get(path).await.ids()
    }
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    fn content_type(&self) -> Option<&str> {
        self.headers.get("content-type").map(|value| value.to_str().unwrap())
    }

    /// The ids of the records in the list, of whatever kind.
    fn ids(&self) -> Vec<u64> {
        if self.status == StatusCode::NO_CONTENT {
            return Vec::new();
        }
        let answer = self.json();
        let (_, records) = answer["_embedded"].as_object().unwrap().iter().next().unwrap();
        records.as_array().unwrap().iter().map(|record| record["id"].as_u64().unwrap()).collect()
    }
}
