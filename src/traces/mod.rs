//! Traces: what one request did and how long each part took, for an OpenTelemetry receiver.
//!
//! Off unless a receiver is configured: then there is no [`Tracer`], and nobody pays for more than looking. With one, a request opens
//! a span ([`Serving`]) that continues the caller's trace, and everything done for it finds that span in the current context: a fill is a
//! [`Step`], a call to the CRM a [`Call`]. A fill is in the trace of whoever began it; the others who wait for it have a [`Link`] to it. What is
//! done for nobody (probes, the mirror, measurements) is in no trace.
//!
//! A span holds words of closed sets, numbers and the request's id; never a phone number, a name, a query string, a key or an address.
//! Spans are handed to [`Export`], which sends them off the request's way.

mod export;
mod span;

pub use export::{Export, Sampling, Settings, SetupError};
pub use span::{Call, Link, Serving, Step, Tracer};
