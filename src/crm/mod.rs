//! The Kommo CRM's API: questions in our words out, [`contact`](crate::contact) records back.
//!
//! The way of one call, top to bottom:
//!
//! - [`CrmClient`]: one method a question; admission, one retry at most, counting.
//! - [`auth`]: the bearer token, and how the next one comes.
//! - [`gate`]: whether and when a request may be sent at all.
//! - [`Transport`]: the wire; [`http::HttpTransport`] in production.
//! - `response`: which answers are answers, and what the others mean ([`CrmError`]).
//! - `wire`: the CRM's JSON, read with suspicion.
//!
//! Beside it: [`dictionary`] keeps the names behind ids (stages, owners, companies), [`WebLinks`] points into the CRM's web pages,
//! [`Permission`] remembers what the token's user may not, [`webhook`] reads what the CRM tells by itself, and [`Hooks`] subscribes to that.
//!
//! It knows nothing of caching cards or of which contact owns a number.

pub mod auth;
mod client;
pub mod dictionary;
mod error;
pub mod gate;
pub mod http;
mod links;
mod lists;
mod permission;
mod query;
mod response;
mod rights;
#[cfg(test)]
mod scripted;
mod subscriptions;
mod transport;
pub mod webhook;
mod wire;

pub use auth::TokenSource;
pub use client::{Ask, CrmClient, Page, Settings};
pub use error::CrmError;
pub use gate::{Gate, Pass};
pub use links::WebLinks;
pub use lists::{Event, Latest, LinkedLead, MOST_IN_WINDOW, NamedCompany, Slice, Window};
pub use permission::Permission;
pub use query::{SearchText, TooShort};
pub use rights::Right;
pub use subscriptions::{Done, EVENTS, HookAddress, HookState, HookWatch, Hooks, Installed};
pub use transport::{CrmRequest, CrmResponse, Transport, TransportError};
pub use wire::Specimen;
