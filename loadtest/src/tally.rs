//! What was counted, by one thread or by all.

use hdrhistogram::Histogram;
use std::{collections::BTreeMap, time::Duration};

/// Ten minutes, in the microseconds that all histograms hold.
const MICROS_MAX: u64 = 600_000_000;

/// Everything that one run counts.
#[derive(Clone, Debug)]
pub struct Tally {
    /// From due to the last byte, of answers that were as they should be.
    pub latency: Histogram<u64>,
    /// From due to the first event of a stream.
    pub first_event: Histogram<u64>,
    /// Between two arrivals of events in a stream; several that come at once are one arrival.
    pub gap: Histogram<u64>,
    /// From due to the moment that this client looked: its own lateness, whatever the target does.
    pub lateness: Histogram<u64>,
    /// Requests that were due in the time that counts.
    pub due: u64,
    pub ok: u64,
    /// Of them, those answered before the schedule ended.
    pub ok_in_time: u64,
    pub events: u64,
    pub body_bytes: u64,
    /// Good answers by the second, from the start.
    pub ok_by_second: Vec<u64>,
    /// Everything else, by kind.
    pub errors: BTreeMap<String, u64>,
    /// The part of a core that the busiest thread used, and the part that it waited for one, in
    /// thousandths.
    pub cpu_permille: u64,
    pub wait_permille: u64,
}

fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, MICROS_MAX, 3).expect("the bounds are sane")
}

impl Default for Tally {
    fn default() -> Self {
        Self {
            latency: histogram(),
            first_event: histogram(),
            gap: histogram(),
            lateness: histogram(),
            due: 0,
            ok: 0,
            ok_in_time: 0,
            events: 0,
            body_bytes: 0,
            ok_by_second: Vec::new(),
            errors: BTreeMap::new(),
            cpu_permille: 0,
            wait_permille: 0,
        }
    }
}

/// Adds one time; beyond ten minutes it counts as ten minutes.
pub fn note(histogram: &mut Histogram<u64>, time: Duration) {
    let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
    histogram.saturating_record(micros.max(1));
}

impl Tally {
    pub fn error(&mut self, kind: &str) {
        if let Some(count) = self.errors.get_mut(kind) {
            *count += 1;
        } else {
            self.errors.insert(kind.to_owned(), 1);
        }
    }

    pub fn good(&mut self, after_start: Duration) {
        let second = usize::try_from(after_start.as_secs()).unwrap_or_default();
        if self.ok_by_second.len() <= second {
            self.ok_by_second.resize(second + 1, 0);
        }
        self.ok_by_second[second] += 1;
    }

    #[must_use]
    pub fn failed(&self) -> u64 {
        self.errors.values().sum()
    }

    /// Takes in what another thread counted.
    pub fn merge(&mut self, other: &Self) {
        for (own, theirs) in [
            (&mut self.latency, &other.latency),
            (&mut self.first_event, &other.first_event),
            (&mut self.gap, &other.gap),
            (&mut self.lateness, &other.lateness),
        ] {
            own.add(theirs).expect("all have the same bounds");
        }
        self.due += other.due;
        self.ok += other.ok;
        self.ok_in_time += other.ok_in_time;
        self.events += other.events;
        self.body_bytes += other.body_bytes;
        let seconds = self.ok_by_second.len().max(other.ok_by_second.len());
        self.ok_by_second.resize(seconds, 0);
        for (own, theirs) in self.ok_by_second.iter_mut().zip(&other.ok_by_second) {
            *own += theirs;
        }
        for (kind, count) in &other.errors {
            *self.errors.entry(kind.clone()).or_default() += count;
        }
        self.cpu_permille = self.cpu_permille.max(other.cpu_permille);
        self.wait_permille = self.wait_permille.max(other.wait_permille);
    }
}
