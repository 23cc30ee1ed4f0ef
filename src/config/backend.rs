//! What is behind the endpoints: the CRM's settings and the lookup's, put into the forms their components declare.

use std::path::PathBuf;

use url::Url;

use super::crm::Crm;
use super::directory as mirror;
use super::lookup::Lookup;
use super::reader::Reader;
use super::shared::Shared;
use crate::crm::auth::Credentials;
use crate::crm::http as transport;
use crate::crm::{dictionary, gate};
use crate::{cache, crm, directory, lookup, shared};

/// Requests per second that a mirror may add to those of callers: reading everything as fast as possible is what the CRM suspends for.
const MIRROR_RATE: f64 = 2.0;

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
    /// The mirror, if there is to be one.
    pub directory: Option<directory::Settings>,
    /// What several replicas have in common, if there can be several.
    pub shared: Option<shared::Settings>,
}

impl Backend {
    pub(super) fn read(reader: &mut Reader<'_>) -> Option<Self> {
        Self::with(reader, mirror::read)
    }

    /// With a mirror, whether or not a service is to have one.
    pub(super) fn read_mirrored(reader: &mut Reader<'_>) -> Option<Self> {
        Self::with(reader, |reader| mirror::read_wherever(reader).map(Some))
    }

    fn with(
        reader: &mut Reader<'_>,
        read_path: impl FnOnce(&mut Reader<'_>) -> Option<Option<PathBuf>>,
    ) -> Option<Self> {
        let (crm, lookup, shared, path) =
            (Crm::read(reader), Lookup::read(reader), Shared::read(reader), read_path(reader));
        let (crm, lookup, shared, path) = (crm?, lookup?, shared?, path?);
        let shared = shared.map(|shared| shared_settings(shared, &crm, &lookup));
        let directory = path.map(|path| directory::Settings {
            leads: crm.leads == lookup::Leads::Full,
            known_fresh: lookup.known.fresh,
            known_stale: lookup.known.stale,
            ..directory::Settings::new(path, format!("{} {}", crm.url, crm.web_url), crm.default_region)
        });
        let mut gate = gate::Settings { rate: crm.rate, ..gate::Settings::default() };
        if directory.is_some() {
            gate.background_share = gate.background_share.min(MIRROR_RATE / f64::from(crm.rate));
        }
        Some(Self {
            transport: transport::Settings::new(crm.url),
            credentials: crm.credentials,
            client: crm::Settings::default(),
            gate,
            directory,
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
            shared,
        })
    }
}

/// What is kept together is named after the account, and encrypted with the CRM's own secret where no other is given.
fn shared_settings(shared: Shared, crm: &Crm, lookup: &Lookup) -> shared::Settings {
    let Shared { url, key, timeout } = shared;
    let key = key.unwrap_or_else(|| crm.credentials.secret().clone());
    let account = crm.url.host_str().unwrap_or_default().to_owned();
    shared::Settings {
        soft: timeout.mul_f64(0.4),
        hard: timeout,
        longest_life: lookup.known.stale.max(lookup.unknown.stale),
        ..shared::Settings::new(url, key, account)
    }
}
