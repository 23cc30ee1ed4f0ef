//! Who is calling? A phone number goes in, a trimmed contact card with its linked leads comes out.
//!
//! `callcard` is an HTTP service between phone systems and the Kommo CRM. The CRM is slow at times, down at times, allows few requests,
//! and its search is fuzzy; the service is never wrong about whose number it is, never later than its caller's deadline, never over the
//! quota, and still useful when the CRM is gone.
//!
//! # The way of a request
//!
//! ```text
//! http      query string → what is asked, by whom, in which form
//! phone     text → the one number it means                        a bad number ends here; below, nobody sees a raw string
//! lookup    withheld, extension → answered; a number → the cache
//! directory (if there is one, and it is current) → answered, for nobody too
//! cache     fresh → answered. stale → wait a little for the fill. absent → wait for the fill
//! shared    with several replicas: what another has found out, or the right to find it out
//! crm       gate (breaker, quota) → wire → the contacts the CRM found
//! matching  which of them really own the number
//! card      the owner, with leads and names, as we promise it
//! cache     kept if nothing newer forbids it; everybody who waits is answered
//! render    json | text | html | vcard | xml | flat | hash
//! ```
//!
//! # The map
//!
//! A module imports only from lower layers; `tests/api/layers.rs` holds this table against the code.
//!
//! | layer | modules |
//! |---|---|
//! | 0 | [`phone`], [`outcome`] (the closed sets of words), [`telemetry`], [`traces`], [`shutdown`] |
//! | 1 | [`contact`] (what a CRM knows, in our words), [`metrics`] |
//! | 2 | [`card`] (what we promise), [`matching`] (pure), [`crm`] (client, tokens, wire, gate, dictionaries, webhooks) |
//! | 3 | [`cache`] (entries, fills in flight, bounded stores), [`directory`] (the whole contact base, mirrored), [`shared`] (what several replicas have in common) |
//! | 4 | [`lookup`] (the one place with the order of business) |
//! | 5 | [`render`] (one file a form), [`http`] (one file an endpoint group) |
//! | 6 | [`config`] (fills the components' own settings) |
//! | 7 | [`app`] (the composition root), [`sandbox`] (the stand-in CRM, which knows none of the others) |
//! | 8 | [`cli`] |

pub mod app;
pub mod cache;
pub mod card;
pub mod cli;
pub mod config;
pub mod contact;
pub mod crm;
pub mod directory;
pub mod http;
pub mod lookup;
pub mod matching;
pub mod metrics;
pub mod outcome;
pub mod phone;
pub mod render;
pub mod sandbox;
pub mod shared;
pub mod shutdown;
pub mod telemetry;
pub mod traces;
