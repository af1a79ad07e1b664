//! What Prometheus reads at `/metrics`.
//!
//! Counters and histograms are made from receipts, as the journal stored them, so they agree with
//! the store and lag by its look (20 ms); gauges are read from the cores' pulses when asked.
//! `counts.rs` adds up, `exposition.rs` prints, `targets.rs` what rules may choose.
//!
//! **Invariants**: the number of series is bounded, whatever clients send; a name that no operator
//! wrote (an unknown model) never becomes a label.

mod alerts;
mod counts;
pub mod exposition;
mod rules;
mod targets;

use crate::{
    bridge::{pulse::Pulse, quota::node::Node},
    control_plane::{
        alerts::counts::Counts as AlertCounts,
        journal::{Health, Observer},
        targets::Table,
        usage::Book,
    },
    lexicon::receipt::Receipt,
};
use counts::Counts;
use exposition::{Exposition, Kind};
use parking_lot::Mutex;
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

/// Series of counters made from receipts; what comes after is counted under `other`.
/// 10,000 lines are some 2 MB, which a scrape every 10 s takes easily.
pub const LABELS_MAX: usize = 10_000;

/// Where the numbers come from that are not receipts.
pub struct Sources {
    /// One a core.
    pub pulses: Vec<Arc<Pulse>>,
    pub journal: Arc<Health>,
    /// `AccessLog::dropped_total`, where there is one.
    pub access_log_dropped: Option<Arc<AtomicU64>>,
    pub config: Arc<dyn Fn() -> ConfigNumbers + Send + Sync>,
    /// The meters of limits and budgets, where there are some.
    pub quota: Option<Arc<Node>>,
    /// What budgets have counted.
    pub book: Arc<Book>,
    /// What became of messages about budgets.
    pub alerts: Arc<AlertCounts>,
    /// How targets fare, and how many places are taken by them.
    pub targets: Arc<dyn Fn() -> Table + Send + Sync>,
}

/// What the publisher counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ConfigNumbers {
    pub version: u64,
    /// Changes refused.
    pub failures_total: u64,
}

/// The counts, shared by the journal's thread and the admin port.
pub struct Telemetry(Mutex<Counts>);

impl Telemetry {
    /// Metadata under `metadata_keys` become labels.
    #[must_use]
    pub fn new(metadata_keys: Vec<String>) -> Arc<Self> {
        Self::bounded(metadata_keys, LABELS_MAX)
    }

    /// The same, for at most so many series.
    #[must_use]
    pub fn bounded(metadata_keys: Vec<String>, labels_max: usize) -> Arc<Self> {
        Arc::new(Self(Mutex::new(Counts::new(metadata_keys, labels_max))))
    }

    /// For `journal::begin`.
    #[must_use]
    pub fn observer(self: &Arc<Self>) -> Box<dyn Observer> {
        Box::new(Tally(Arc::clone(self)))
    }

    /// The body of `/metrics`.
    #[must_use]
    pub fn expose(&self, sources: &Sources) -> String {
        let mut page = Exposition::default();
        self.0.lock().print(&mut page);
        let config = (sources.config)();
        page.family(
            "ai_gateway_config_parsing_failures_total",
            Kind::Counter,
            "Changes of the configuration that were refused.",
        );
        page.sample(&[], config.failures_total);
        page.family("weir_config_version", Kind::Gauge, "Version of the snapshot in force.");
        page.sample(&[], config.version);
        print_journal(&mut page, sources);
        print_pulses(&mut page, &sources.pulses);
        if let Some(quota) = &sources.quota {
            print_quota(&mut page, quota);
        }
        let refusals = sources.quota.as_ref().map(|quota| quota.refusals());
        rules::print(&mut page, &sources.book, &refusals.unwrap_or_default());
        alerts::print(&mut page, &sources.alerts);
        targets::print(&mut page, &(sources.targets)());
        page.finish()
    }
}

/// The keys in the value of `LLM_GATEWAY_METADATA_LOGGING_KEYS`: a JSON list of strings.
///
/// **Errors**: it is something else; the text says so.
pub fn metadata_keys(value: &str) -> Result<Vec<String>, String> {
    serde_json::from_str(value).map_err(|error| {
        format!("LLM_GATEWAY_METADATA_LOGGING_KEYS is not a JSON list of strings: {error}")
    })
}

struct Tally(Arc<Telemetry>);

impl Observer for Tally {
    fn see(&mut self, receipt: &Receipt<'_>) {
        self.0.0.lock().add(receipt);
    }
}

fn print_quota(page: &mut Exposition, quota: &Node) {
    page.family("weir_meters", Kind::Gauge, "Meters of limits and budgets.");
    page.sample(&[], quota.count());
    page.family(
        "weir_meters_overflows_total",
        Kind::Counter,
        "Meters that were asked for and not made, because there are as many as may be.",
    );
    page.sample(&[], quota.overflows());
}

fn print_journal(page: &mut Exposition, sources: &Sources) {
    let health = &sources.journal;
    let dropped = sources.access_log_dropped.as_ref();
    let rows: [(&str, Kind, &str, u64); 5] = [
        (
            "weir_journal_stored_total",
            Kind::Counter,
            "Receipts stored.",
            health.stored_total.load(Ordering::Relaxed),
        ),
        (
            "weir_journal_write_errors_total",
            Kind::Counter,
            "Writes of receipts that the disk refused.",
            health.write_errors_total.load(Ordering::Relaxed),
        ),
        (
            "weir_journal_corrupt_total",
            Kind::Counter,
            "Receipts that could not be read back from the ring.",
            health.corrupt_total.load(Ordering::Relaxed),
        ),
        (
            "weir_journal_failing",
            Kind::Gauge,
            "1 while the disk refuses receipts.",
            u64::from(health.is_failing.load(Ordering::Relaxed)),
        ),
        (
            "weir_access_log_dropped_total",
            Kind::Counter,
            "Lines of the access log that nobody took in time.",
            dropped.map_or(0, |dropped| dropped.load(Ordering::Relaxed)),
        ),
    ];
    for (name, kind, help, value) in rows {
        page.family(name, kind, help);
        page.sample(&[], value);
    }
}

type PulseRow = (&'static str, Kind, &'static str, fn(&Pulse) -> u64);

/// One family a row, one sample a core.
#[rustfmt::skip] // One row a line reads as the table it is.
const PULSE_ROWS: [PulseRow; 16] = [
    ("weir_connections", Kind::Gauge, "Client connections open.", |pulse| pulse.connections.get()),
    ("weir_connections_total", Kind::Counter, "Client connections accepted.", |pulse| pulse.connections_total.get()),
    ("weir_exchanges_in_flight", Kind::Gauge, "Exchanges admitted and not ended.", |pulse| pulse.exchanges_in_flight.get()),
    ("weir_upstream_connections_opened_total", Kind::Counter, "Connections opened to targets.", |pulse| pulse.upstream_connections_opened_total.get()),
    ("weir_upstream_connections_idle", Kind::Gauge, "Pooled connections to targets.", |pulse| pulse.upstream_connections_idle.get()),
    ("weir_panics_total", Kind::Counter, "Exchanges that panicked.", |pulse| pulse.panics_total.get()),
    ("weir_receipts_refused_total", Kind::Counter, "Requests refused because the receipt ring was full.", |pulse| pulse.receipts_refused_total.get()),
    ("weir_receipts_dropped_total", Kind::Counter, "Requests served without a receipt because the ring was full.", |pulse| pulse.receipts_dropped_total.get()),
    ("weir_ring_free_blocks", Kind::Gauge, "Blocks of the receipt ring that nothing holds.", |pulse| pulse.ring_free_blocks.get()),
    ("weir_core_snapshot_version", Kind::Gauge, "Version of the snapshot that the core obeys.", |pulse| pulse.snapshot_version.get()),
    ("weir_core_busy_permille", Kind::Gauge, "Share of the last while in which the core ran or wanted to run.", |pulse| pulse.busy_permille.get()),
    ("weir_connections_active", Kind::Gauge, "Client connections that asked something in the last window.", |pulse| pulse.connections_active.get()),
    ("weir_connections_given_total", Kind::Counter, "Client connections handed over to another core.", |pulse| pulse.connections_given_total.get()),
    ("weir_connections_taken_total", Kind::Counter, "Client connections taken over from another core.", |pulse| pulse.connections_taken_total.get()),
    ("weir_proxy_headers_refused_total", Kind::Counter, "Connections closed for want of a PROXY header that can be believed.", |pulse| pulse.proxy_headers_refused_total.get()),
    ("weir_tls_handshakes_failed_total", Kind::Counter, "TLS handshakes of clients that came to nothing.", |pulse| pulse.tls_handshakes_failed_total.get()),
];

fn print_pulses(page: &mut Exposition, pulses: &[Arc<Pulse>]) {
    page.family("weir_driver", Kind::Gauge, "1 for the driver that the core runs on.");
    for (core, pulse) in pulses.iter().enumerate() {
        let driver = match pulse.driver.get() {
            1 => "io_uring",
            2 => "epoll",
            _ => "none",
        };
        page.sample(&[("core", &core.to_string()), ("driver", driver)], 1);
    }
    for (name, kind, help, value) in PULSE_ROWS {
        page.family(name, kind, help);
        for (core, pulse) in pulses.iter().enumerate() {
            page.sample(&[("core", &core.to_string())], value(pulse));
        }
    }
}

/// Upper bounds of the histograms, in microseconds: 1-2.5-5 a decade, from what the gateway adds
/// to what a long answer takes.
const BOUNDS_US: [u64; 16] = [
    1_000,
    2_500,
    5_000,
    10_000,
    25_000,
    50_000,
    100_000,
    250_000,
    500_000,
    1_000_000,
    2_500_000,
    5_000_000,
    10_000_000,
    30_000_000,
    60_000_000,
    300_000_000,
];

/// A classic histogram of durations.
#[derive(Clone, Debug, Default)]
struct Histogram {
    /// Not cumulative; the last is what lies beyond every bound.
    buckets: [u64; BOUNDS_US.len() + 1],
    sum_us: u64,
}

impl Histogram {
    fn add(&mut self, duration: Duration) {
        let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        self.buckets[BOUNDS_US.partition_point(|bound| *bound < micros)] += 1;
        self.sum_us = self.sum_us.saturating_add(micros);
    }

    /// The samples of one label set, in milliseconds.
    fn print(&self, page: &mut Exposition, labels: &[(&str, &str)]) {
        let mut count = 0;
        for (at, bucket) in self.buckets.iter().enumerate() {
            count += bucket;
            let bound = BOUNDS_US.get(at).map_or("+Inf".to_owned(), |bound| millis(*bound));
            let mut bounded = labels.to_vec();
            bounded.push(("le", &bound));
            page.part("_bucket", &bounded, count);
        }
        page.part("_sum", labels, millis(self.sum_us));
        page.part("_count", labels, count);
    }
}

/// Microseconds as milliseconds, exact and short.
fn millis(micros: u64) -> String {
    let (whole, rest) = (micros / 1000, micros % 1000);
    let text = format!("{whole}.{rest:03}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}
