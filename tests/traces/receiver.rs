//! An OTLP/HTTP receiver: it reads what comes with the protocol's own generated types, and keeps the raw bytes too.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::routing::post;
use http::{HeaderMap, StatusCode};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{KeyValue, any_value::Value};
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use tokio::net::TcpListener;

#[derive(Clone, Default)]
pub(crate) struct Receiver {
    got: Arc<Mutex<Vec<(HeaderMap, Bytes)>>>,
    pub(crate) address: String,
}

impl Receiver {
    /// One that takes everything.
    pub(crate) async fn start() -> Self {
        Self::answering(Duration::ZERO, StatusCode::OK).await
    }

    /// One that answers so, after so long.
    pub(crate) async fn answering(after: Duration, status: StatusCode) -> Self {
        let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", socket.local_addr().unwrap());
        let receiver = Self { address, ..Self::default() };
        let take = async move |State(receiver): State<Self>, headers: HeaderMap, body: Bytes| {
            receiver.got.lock().unwrap().push((headers, body));
            tokio::time::sleep(after).await;
            status
        };
        let routes = Router::new().route("/v1/traces", post(take)).with_state(receiver.clone());
        tokio::spawn(async move { axum::serve(socket, routes).await });
        receiver
    }

    pub(crate) fn batches(&self) -> Vec<(HeaderMap, Bytes)> {
        self.got.lock().unwrap().clone()
    }

    fn read(&self) -> impl Iterator<Item = ExportTraceServiceRequest> {
        self.batches().into_iter().map(|(_, body)| ExportTraceServiceRequest::decode(body).unwrap())
    }

    pub(crate) fn spans(&self) -> Vec<Span> {
        let resources = self.read().flat_map(|request| request.resource_spans);
        resources.flat_map(|resource| resource.scope_spans).flat_map(|scope| scope.spans).collect()
    }

    /// What is said of the sender.
    pub(crate) fn resource(&self, key: &str) -> Option<String> {
        let mut resources = self.read().flat_map(|request| request.resource_spans);
        text(&resources.next()?.resource?.attributes, key)
    }
}

/// An attribute, as text.
pub(crate) fn text(attributes: &[KeyValue], key: &str) -> Option<String> {
    let found = attributes.iter().find(|attribute| attribute.key == key)?;
    Some(match found.value.clone()?.value? {
        Value::StringValue(text) => text,
        Value::IntValue(number) => number.to_string(),
        Value::DoubleValue(number) => number.to_string(),
        other => format!("{other:?}"),
    })
}
