//! The metric families by what they tell about, each with its help text. Every combination of closed labels is touched at once, so that
//! a scrape shows it from the start.

use prometheus::{Gauge, Histogram, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec};

use super::grid::{Grid, Row};
use super::registrar::{AGES, Registrar, SECONDS};
use crate::outcome::{
    AnswerKind, CacheStatus, Class, DeliveryOutcome, Endpoint, EntryKind, EvictionCause, HintEffect, HintKind,
    RefreshOutcome, SearchVerdict, SharedOp, SharedResult, UpstreamOutcome, VerdictKind,
};

/// What callers asked and were told.
#[derive(Debug)]
pub(super) struct Lookups {
    pub(super) total: Grid<CacheStatus, AnswerKind>,
    pub(super) duration: Row<CacheStatus, Histogram>,
    pub(super) fill_duration: Histogram,
    pub(super) fills_in_flight: IntGauge,
    pub(super) verdicts: Row<VerdictKind, IntCounter>,
    pub(super) search_mode: Row<SearchVerdict, IntGauge>,
    pub(super) stale_age: Histogram,
}

impl Lookups {
    pub(super) fn register(r: &Registrar<'_>) -> Self {
        let total = "Lookups by how the answer was found and what it was.";
        let verdicts = "What comparing the CRM's candidates with the number found.";
        let mode = "1 for how the account's search is known to treat stored formatting, 0 for the others.";
        let fill = "Time of one whole fill, all CRM calls included.";
        Self {
            total: Grid::counters(&r.counter("lookups_total", total, &["status", "answer"])),
            duration: Row::histograms(&r.histograms(
                "lookup_duration_seconds",
                "Time from question to answer.",
                &["status"],
            )),
            fill_duration: r.histogram("fill_duration_seconds", fill, SECONDS),
            fills_in_flight: r.gauge("fills_in_flight", "Fills running now."),
            verdicts: Row::counters(&r.counter("verdicts_total", verdicts, &["verdict"])),
            search_mode: Row::gauges(&r.gauges("search_mode", mode, &["mode"])),
            stale_age: r.histogram("stale_age_seconds", "Age of stale answers when they were given.", AGES),
        }
    }
}

/// The calls to the CRM and the gate in front of them.
#[derive(Debug)]
pub(super) struct Upstream {
    pub(super) requests: Grid<Endpoint, UpstreamOutcome>,
    pub(super) request_duration: Row<Endpoint, Histogram>,
    pub(super) quota_wait: Row<Class, Histogram>,
    pub(super) quota_refusals: Row<Class, IntCounter>,
    pub(super) breaker_open: IntGauge,
}

impl Upstream {
    pub(super) fn register(r: &Registrar<'_>) -> Self {
        let requests = "Calls to the CRM by endpoint and how they ended.";
        let duration = "Time of one call to the CRM, without the wait for the quota.";
        let wait = "Time a call waited for its quota slot.";
        let refusals = "Calls not made because no quota slot was free in time.";
        let breaker = "1 while calls to the CRM are suspended, else 0.";
        Self {
            requests: Grid::counters(&r.counter("upstream_requests_total", requests, &["endpoint", "outcome"])),
            request_duration: Row::histograms(&r.histograms(
                "upstream_request_duration_seconds",
                duration,
                &["endpoint"],
            )),
            quota_wait: Row::histograms(&r.histograms("upstream_quota_wait_seconds", wait, &["class"])),
            quota_refusals: Row::counters(&r.counter("upstream_quota_refusals_total", refusals, &["class"])),
            breaker_open: r.gauge("upstream_breaker_open", breaker),
        }
    }
}

/// The token that the CRM knows us by.
#[derive(Debug)]
pub(super) struct Tokens {
    pub(super) expiry: IntGaugeVec,
    pub(super) refreshes: IntCounterVec,
}

impl Tokens {
    /// The expiry has no series until it is known.
    pub(super) fn register(r: &Registrar<'_>) -> Self {
        let families = Self {
            expiry: r.gauges(
                "token_expiry_timestamp_seconds",
                "When the CRM token in use expires, in Unix seconds; absent where that is not known.",
                &["kind"],
            ),
            refreshes: r.counter(
                "token_refreshes_total",
                "Renewals of the access token by how they ended.",
                &["outcome"],
            ),
        };
        for outcome in RefreshOutcome::ALL {
            families.refreshes.with_label_values(&[outcome.as_str()]);
        }
        families
    }
}

/// The cache's size and what left it.
#[derive(Debug)]
pub(super) struct CacheFamilies {
    pub(super) entries: Row<EntryKind, IntGauge>,
    pub(super) bytes: IntGauge,
    pub(super) evictions: Row<EvictionCause, IntCounter>,
}

impl CacheFamilies {
    pub(super) fn register(r: &Registrar<'_>) -> Self {
        let entries = r.gauges("cache_entries", "Entries in the in-process cache.", &["kind"]);
        let evictions = r.counter("cache_evictions_total", "Entries that left the cache, by cause.", &["cause"]);
        Self {
            entries: Row::gauges(&entries),
            bytes: r.gauge("cache_bytes", "Estimated size of the in-process cache."),
            evictions: Row::counters(&evictions),
        }
    }
}

/// The HTTP requests on both listeners.
#[derive(Debug)]
pub(super) struct Http {
    pub(super) requests: IntCounterVec,
    pub(super) duration: HistogramVec,
}

impl Http {
    pub(super) fn register(r: &Registrar<'_>) -> Self {
        Self {
            requests: r.counter("http_requests_total", "HTTP requests served.", &["route", "method", "code"]),
            duration: r.histograms("http_request_duration_seconds", "Time of one HTTP request.", &["route"]),
        }
    }
}

/// What the CRM told by itself.
#[derive(Debug)]
pub(super) struct Webhooks {
    pub(super) deliveries: IntCounterVec,
    pub(super) hints: IntCounterVec,
    pub(super) last_delivery_age: Gauge,
}

impl Webhooks {
    pub(super) fn register(r: &Registrar<'_>) -> Self {
        let last = "Time since the last webhook with the right secret, or since the start.";
        let families = Self {
            deliveries: r.counter("webhook_deliveries_total", "Webhooks by what became of them.", &["outcome"]),
            hints: r.counter(
                "webhook_hints_total",
                "Changes that webhooks told of, by record and by what that did to the cache.",
                &["kind", "effect"],
            ),
            last_delivery_age: r.fraction("webhook_last_delivery_age_seconds", last),
        };
        for outcome in DeliveryOutcome::ALL {
            families.deliveries.with_label_values(&[outcome.as_str()]);
        }
        for kind in HintKind::ALL {
            for effect in HintEffect::ALL {
                families.hints.with_label_values(&[kind.as_str(), effect.as_str()]);
            }
        }
        families
    }
}

/// The mirror of the contact base. At zero where there is none.
#[derive(Debug)]
pub(super) struct DirectoryFamilies {
    pub(super) contacts: IntGauge,
    pub(super) lag: IntGauge,
    pub(super) complete: IntGauge,
    pub(super) leader: IntGauge,
}

impl DirectoryFamilies {
    pub(super) fn register(r: &Registrar<'_>) -> Self {
        Self {
            contacts: r.gauge("directory_contacts", "Contacts in the local mirror."),
            lag: r.gauge("directory_lag_seconds", "How far the local mirror is behind the CRM."),
            leader: r.gauge(
                "directory_leader",
                "1 if this replica keeps the mirror up to date, for all of them or for itself, else 0.",
            ),
            complete: r.gauge("directory_complete", "1 once the local mirror holds the whole contact base, else 0."),
        }
    }
}

/// What several replicas share.
#[derive(Debug)]
pub(super) struct SharedFamilies {
    pub(super) errors: IntCounterVec,
    pub(super) duration: HistogramVec,
    pub(super) up: IntGauge,
    pub(super) replicas: IntGauge,
    pub(super) lookups: IntCounterVec,
    pub(super) missed: IntCounter,
}

impl SharedFamilies {
    pub(super) fn register(r: &Registrar<'_>) -> Self {
        let families = Self {
            errors: r.counter("shared_errors_total", "Failed calls to the shared store.", &["op"]),
            duration: r.histograms("shared_duration_seconds", "Time of one call to the shared store.", &["op"]),
            up: r.gauge("shared_up", "1 while the shared store can be reached, else 0."),
            replicas: r.gauge("shared_replicas", "Replicas that share the quota, this one included, as last heard."),
            lookups: r.counter("shared_lookups_total", "Fills that asked the shared store first.", &["result"]),
            missed: r.single_counter(
                "shared_missed_total",
                "Times that changes told by others may have been missed, so that everything in memory expired.",
            ),
        };
        for op in SharedOp::ALL {
            families.errors.with_label_values(&[op.as_str()]);
            families.duration.with_label_values(&[op.as_str()]);
        }
        for result in SharedResult::ALL {
            families.lookups.with_label_values(&[result.as_str()]);
        }
        families
    }
}
