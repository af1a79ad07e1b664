//! What a run found: as a table for people, as JSON for programs.

use crate::tally::Tally;
use hdrhistogram::Histogram;
use serde_json::{Value, json};
use std::fmt::Write as _;

const QUANTILES: [(&str, f64); 4] = [("p50", 0.50), ("p90", 0.90), ("p99", 0.99), ("p99.9", 0.999)];

/// A run that is over.
#[derive(Clone, Debug)]
pub struct Report {
    pub tally: Tally,
    /// The seconds that count.
    pub seconds: u32,
    /// The busiest thread of the vendor, in thousandths of a core, where it could be seen.
    pub vendor_permille: Option<u64>,
    pub bottlenecks: Vec<String>,
}

impl Report {
    /// Good answers a second within the time that counts.
    #[must_use]
    pub fn per_second(&self) -> u64 {
        self.tally.ok_in_time / u64::from(self.seconds.max(1))
    }

    /// **Shape**: `{"due": 5000, "ok": 5000, …, "latency_us": {"p50": 210, …}, …}`; times in µs.
    #[must_use]
    pub fn json(&self) -> Value {
        let tally = &self.tally;
        json!({
            "due": tally.due, "ok": tally.ok, "failed": tally.failed(), "errors": tally.errors,
            "per_second": self.per_second(), "ok_by_second": tally.ok_by_second,
            "body_bytes": tally.body_bytes, "events": tally.events,
            "latency_us": times(&tally.latency), "first_event_us": times(&tally.first_event),
            "gap_us": times(&tally.gap), "lateness_us": times(&tally.lateness),
            "client_permille": tally.cpu_permille, "client_wait_permille": tally.wait_permille,
            "vendor_permille": self.vendor_permille, "bottlenecks": self.bottlenecks,
        })
    }

    #[must_use]
    pub fn table(&self) -> String {
        let tally = &self.tally;
        let mut out = format!(
            "{} due, {} good, {} failed; {} good a second",
            tally.due,
            tally.ok,
            tally.failed(),
            self.per_second()
        );
        if tally.events > 0 {
            let _ = write!(out, "; {} events", tally.events);
        }
        let _ = write!(out, "\n{:18}", "µs");
        for (name, _) in QUANTILES {
            let _ = write!(out, "{name:>10}");
        }
        out.push_str("       max\n");
        for (name, histogram) in [
            ("latency", &tally.latency),
            ("first event", &tally.first_event),
            ("between events", &tally.gap),
            ("own lateness", &tally.lateness),
        ] {
            if !histogram.is_empty() {
                push_row(&mut out, name, histogram);
            }
        }
        for (kind, count) in &tally.errors {
            let _ = writeln!(out, "error {kind}: {count}");
        }
        let _ = write!(out, "this client used {} % of its core", tally.cpu_permille / 10);
        if let Some(permille) = self.vendor_permille {
            let _ = write!(out, ", the vendor {} % of its own", permille / 10);
        }
        out.push('\n');
        for said in &self.bottlenecks {
            let _ = writeln!(out, "NOT THE TARGET'S FIGURES: {said}");
        }
        out
    }
}

fn push_row(out: &mut String, name: &str, histogram: &Histogram<u64>) {
    let _ = write!(out, "{name:18}");
    for (_, quantile) in QUANTILES {
        let _ = write!(out, "{:>10}", histogram.value_at_quantile(quantile));
    }
    let _ = writeln!(out, "{:>10}", histogram.max());
}

fn times(histogram: &Histogram<u64>) -> Value {
    let mut all: serde_json::Map<_, _> = QUANTILES
        .iter()
        .map(|(name, quantile)| {
            ((*name).to_owned(), Value::from(histogram.value_at_quantile(*quantile)))
        })
        .collect();
    all.insert("max".to_owned(), histogram.max().into());
    all.insert("count".to_owned(), histogram.len().into());
    all.into()
}
