//! Who is calling?
pub mod app;
pub mod cache;
pub mod card;
pub mod cli;
pub mod config;
pub mod contact;
pub mod crm;
pub mod http;
pub mod lookup;
pub mod matching;
pub mod metrics;
pub mod outcome;
pub mod phone;
pub mod render;
pub mod sandbox;
pub mod shutdown;
pub mod telemetry;
