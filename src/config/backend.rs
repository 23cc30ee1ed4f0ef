//! What is behind the endpoints: the CRM's settings and the lookup's, put into the forms their components declare.

use url::Url;

use super::crm::Crm;
use super::lookup::Lookup;
use super::reader::Reader;
use crate::crm::auth::Credentials;
use crate::crm::http as transport;
use crate::crm::{dictionary, gate};
use crate::{cache, crm, lookup};

/// The settings of everything between the endpoints and the CRM.
#[derive(Debug)]
pub struct Backend {
    /// The wire.
    pub transport: transport::Settings,
    /// Who we are to the CRM.
    pub credentials: Credentials,
    /// The questions.
    pub client: crm::Settings,
    /// The quota and the breaker.
    pub gate: gate::Settings,
    /// The names behind ids.
    pub names: dictionary::Settings,
    /// Where links point.
    pub web_url: Url,
    /// The order of business.
    pub lookup: lookup::Settings,
    /// How long answers are kept.
    pub cache: cache::Settings,
}

impl Backend {
    pub(super) fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let (crm, lookup) = (Crm::read(reader), Lookup::read(reader));
        let (crm, lookup) = (crm?, lookup?);
        Some(Self {
            transport: transport::Settings::new(crm.url),
            credentials: crm.credentials,
            client: crm::Settings::default(),
            gate: gate::Settings { rate: crm.rate, ..gate::Settings::default() },
            names: dictionary::Settings::default(),
            web_url: crm.web_url,
            lookup: lookup::Settings {
                region: crm.default_region,
                leads: crm.leads,
                search: crm.search,
                companies: crm.companies,
                soft_deadline: lookup.soft_deadline,
                deadline: lookup.deadline,
            },
            cache: cache::Settings {
                lifetimes: cache::Lifetimes {
                    known_fresh: lookup.known.fresh,
                    known_stale: lookup.known.stale,
                    unknown_fresh: lookup.unknown.fresh,
                    unknown_stale: lookup.unknown.stale,
                    ..cache::Lifetimes::default()
                },
                max_bytes: lookup.cache_max_bytes,
                fill_timeout: lookup.fill_timeout,
                ..cache::Settings::default()
            },
        })
    }
}
