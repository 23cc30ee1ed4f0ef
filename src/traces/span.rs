//! The three kinds of spans, with the names of OpenTelemetry's semantic conventions where it has some.
//!
//! `url.full` and `url.query` are left out on purpose: they are the phone number.

use std::fmt;
use std::time::Duration;

use http::{HeaderMap, HeaderValue};
use opentelemetry::context::FutureExt;
use opentelemetry::propagation::{Extractor, TextMapPropagator};
use opentelemetry::trace::{SpanBuilder, SpanContext, SpanKind, Status, TraceContextExt, Tracer as _};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::SdkTracer;

/// Opens spans. A cheap handle.
#[derive(Clone)]
pub struct Tracer(SdkTracer);

impl fmt::Debug for Tracer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tracer")
    }
}

impl Tracer {
    pub(super) const fn new(tracer: SdkTracer) -> Self {
        Self(tracer)
    }

    /// A request has arrived: a new span, below the caller's if its `traceparent` is valid.
    #[must_use]
    pub fn serve(&self, headers: &HeaderMap, method: &'static str, route: &str) -> Serving {
        let parent = TraceContextPropagator::new().extract_with_context(&Context::new(), &Headers(headers));
        let attributes = [KeyValue::new("http.request.method", method), KeyValue::new("http.route", route.to_owned())];
        let span = SpanBuilder::from_name(format!("{method} {route}")).with_kind(SpanKind::Server);
        Serving(self.open(span.with_attributes(attributes), &parent))
    }

    /// Opens a span and makes the context in which its children are opened.
    fn open(&self, span: SpanBuilder, parent: &Context) -> Context {
        let span = self.0.build_with_context(span, parent);
        parent.with_span(span).with_value(self.clone())
    }

    /// Opens a span below the current one, if there is one.
    fn below_current(span: impl FnOnce() -> SpanBuilder) -> Option<Context> {
        let current = Context::map_current(|current| current.get::<Self>().map(|_| current.clone()))?;
        let tracer = current.get::<Self>()?;
        Some(tracer.open(span(), &current))
    }
}

/// The span of a request. It ends when it is dropped.
pub struct Serving(Context);

impl fmt::Debug for Serving {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Serving")
    }
}

impl Serving {
    /// Does this as part of the request.
    pub fn around<F: Future>(&self, work: F) -> impl Future<Output = F::Output> + use<F> {
        work.with_context(self.0.clone())
    }

    /// The trace, as text.
    #[must_use]
    pub fn trace_id(&self) -> String {
        self.0.span().span_context().trace_id().to_string()
    }

    /// What the request is called elsewhere.
    pub fn named(&self, id: &str) {
        self.0.span().set_attribute(KeyValue::new("callcard.request.id", id.to_owned()));
    }

    /// Where the answer comes from, as its header says.
    pub fn cached(&self, status: &HeaderValue) {
        if let Ok(status) = status.to_str() {
            self.0.span().set_attribute(KeyValue::new("callcard.cache.status", status.to_owned()));
        }
    }

    /// How the request ended. A caller's mistake is no error of ours.
    pub fn answered(&self, code: u16) {
        let span = self.0.span();
        span.set_attribute(KeyValue::new("http.response.status_code", i64::from(code)));
        if code >= 500 {
            span.set_attribute(KeyValue::new("error.type", code.to_string()));
            span.set_status(Status::error(""));
        }
    }
}

/// Work of ours for the current request that goes on by itself: its span, or nothing if no request is behind it. It ends when it is dropped.
pub struct Step(Option<Context>);

impl fmt::Debug for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Step")
    }
}

impl Step {
    /// Opens it below the current span.
    #[must_use]
    pub fn begin(name: &'static str) -> Self {
        Self(Tracer::below_current(|| SpanBuilder::from_name(name).with_kind(SpanKind::Internal)))
    }

    /// What others who wait for the same work say of it.
    #[must_use]
    pub fn link(&self) -> Link {
        Link(self.0.as_ref().map(|context| context.span().span_context().clone()))
    }

    /// Does this as the step's work, which is said to have ended so. What is opened during the work is below the step, wherever it runs.
    pub async fn around<T>(self, work: impl Future<Output = T>, outcome: impl FnOnce(&T) -> &'static str) -> T {
        let Some(context) = self.0 else { return work.await };
        let output = work.with_context(context.clone()).await;
        context.span().set_attribute(KeyValue::new("callcard.outcome", outcome(&output)));
        output
    }
}

/// A [`Step`] as others see it: it belongs to one trace, and requests of other traces may wait for it.
#[derive(Clone)]
pub struct Link(Option<SpanContext>);

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Link")
    }
}

impl Link {
    /// Says of the current request that it waits for the step.
    pub fn awaited(&self) {
        if let Some(step) = &self.0 {
            Context::map_current(|current| current.span().add_link(step.clone(), Vec::new()));
        }
    }
}

/// The span of one call to the CRM, the wait for leave included; nothing if no request is behind it. It ends when it is dropped.
pub struct Call(Option<Context>);

impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Call")
    }
}

impl Call {
    /// A call that wants to be made, and how often it was made before.
    #[must_use]
    pub fn to_crm(endpoint: &'static str, method: &http::Method, resends: u32) -> Self {
        Self(Tracer::below_current(|| {
            let method = method.as_str().to_owned();
            let name = format!("{method} {endpoint}");
            let mut attributes = vec![
                KeyValue::new("http.request.method", method),
                KeyValue::new("peer.service", "kommo"),
                KeyValue::new("callcard.crm.endpoint", endpoint),
            ];
            if resends > 0 {
                attributes.push(KeyValue::new("http.request.resend_count", i64::from(resends)));
            }
            SpanBuilder::from_name(name).with_kind(SpanKind::Client).with_attributes(attributes)
        }))
    }

    /// The gate let it go, after so long.
    pub fn left(&self, waited: Duration) {
        self.set(|| KeyValue::new("callcard.quota.wait_ms", waited.as_secs_f64() * 1000.0));
    }

    /// The CRM answered.
    pub fn answered(&self, code: u16) {
        self.set(|| KeyValue::new("http.response.status_code", i64::from(code)));
    }

    /// How it ended, in the metrics' word.
    pub fn ended(&self, outcome: &'static str, failed: bool) {
        self.set(|| KeyValue::new("callcard.outcome", outcome));
        if let (true, Some(context)) = (failed, &self.0) {
            context.span().set_attribute(KeyValue::new("error.type", outcome));
            context.span().set_status(Status::error(""));
        }
    }

    /// The `traceparent` of what is sent. There is no `tracestate` to go with it.
    #[must_use]
    pub fn traceparent(&self) -> Option<HeaderValue> {
        let context = self.0.as_ref()?;
        let span = context.span();
        written(span.span_context())
    }

    fn set(&self, attribute: impl FnOnce() -> KeyValue) {
        if let Some(context) = &self.0 {
            context.span().set_attribute(attribute());
        }
    }
}

fn written(span: &SpanContext) -> Option<HeaderValue> {
    let flags = u8::from(span.is_sampled());
    let text = format!("00-{}-{}-{flags:02x}", span.trace_id(), span.span_id());
    span.is_valid().then(|| HeaderValue::try_from(text).expect("hexadecimal digits are a header's value"))
}

/// Where the caller's context is looked for. A `traceparent` that was sent twice is none. `tracestate` is not taken in: it is the caller's
/// own text, and would be exported with each span.
struct Headers<'a>(&'a HeaderMap);

impl Extractor for Headers<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        let mut values = self.0.get_all((key == "traceparent").then_some(key)?).iter();
        let value = values.next()?.to_str().ok()?;
        values.next().is_none().then_some(value)
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(http::HeaderName::as_str).collect()
    }
}
