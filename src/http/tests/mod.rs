//! The routers from outside, without sockets: one request in, one response out.

mod admin;
mod auth;
mod batch;
mod errors;
mod forms;
mod interface;
mod observation;
mod pop;
mod profiles;
mod service;

use axum::body::{Body, HttpBody};
use axum::response::Response;
use axum::{Router, http::request::Builder};
use http::header::CONTENT_LENGTH;
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::BodyExt;
use serde_json::Value;
use tower::ServiceExt;

use super::{Api, Keys, Settings};
use crate::phone::CallerReader;
use service::{FAILING, KNOWN, UNKNOWN, lookups};

/// The lookup listener or another router, asked in-process.
struct Client(Router);

impl From<super::Front> for Client {
    fn from(front: super::Front) -> Self {
        Self(Router::new().fallback_service(front))
    }
}

/// A response, read to its end.
struct Got {
    status: StatusCode,
    headers: HeaderMap,
    body: String,
}

impl Client {
    /// Without keys.
    fn open() -> Self {
        api("").front().into()
    }

    fn with_keys(keys: &str) -> Self {
        api(keys).front().into()
    }

    async fn send(&self, request: Builder, body: impl Into<Body>) -> Got {
        let request = request.body(body.into()).unwrap();
        let is_head = request.method() == Method::HEAD;
        let mut response = self.0.clone().oneshot(request).await.unwrap();
        as_sent(&mut response, is_head);
        Got::read(response).await
    }

    async fn get(&self, path: &str) -> Got {
        self.send(Request::get(path), "").await
    }

    /// GET with one header.
    async fn get_with(&self, path: &str, name: &str, value: &str) -> Got {
        self.send(Request::get(path).header(name, value), "").await
    }

    async fn post(&self, path: &str, body: impl Into<Body>) -> Got {
        self.send(Request::post(path), body).await
    }
}

/// What the connection does to a response: it adds the length, and leaves the body away where there is none.
fn as_sent(response: &mut Response, is_head: bool) {
    if let Some(length) = response.body().size_hint().exact() {
        response.headers_mut().entry(CONTENT_LENGTH).or_insert(length.into());
    }
    if is_head {
        *response.body_mut() = Body::empty();
    }
}

impl Got {
    async fn read(response: Response) -> Self {
        let (parts, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Self { status: parts.status, headers: parts.headers, body: String::from_utf8(body.to_vec()).unwrap() }
    }

    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    fn code(&self) -> String {
        assert_eq!(self.header("content-type"), "application/problem+json");
        self.json()["code"].as_str().unwrap().to_owned()
    }
}

fn api(keys: &str) -> Api {
    let settings = Settings { keys: Keys::parse(keys).unwrap(), ..Settings::new(service::region(), service::links()) };
    let metrics = std::sync::Arc::default();
    Api::new(lookups(&metrics), CallerReader::new(1000), metrics, settings)
}

/// A number as it stands in a query string.
fn asking(number: &str) -> String {
    format!("/lookup?phone={}", number.replace('+', "%2B"))
}
