//! The Kommo CRM's API.
mod error;
pub mod gate;
mod transport;
pub use error::CrmError;
pub use gate::{Gate, Pass};
pub use transport::{CrmRequest, CrmResponse, Transport, TransportError};
