//! The Kommo CRM's API.
mod error;
mod transport;
pub use error::CrmError;
pub use transport::{CrmRequest, CrmResponse, Transport, TransportError};
