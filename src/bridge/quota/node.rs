//! Every meter of the process.

use crate::{
    bridge::quota::meter::{Free, Meter, Past},
    lexicon::{
        meter::{MeterKey, MeterSpec, NodeMillis, Now, RuleKind},
        time::UnixMillis,
    },
};
use parking_lot::Mutex;
use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Instant,
};

/// What the node's clock shows when the process begins: what the last process spent lies before,
/// a day of it and more.
pub const ORIGIN_MS: u64 = 200_000_000;

/// Meters unless told otherwise: some 600 bytes each on two cores.
pub const METERS_MAX_DEFAULT: usize = 1_000_000;
/// How many meters are looked at to make room for one: all are, over a few requests.
const CANDIDATES: usize = 64;

/// There is no room for another meter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

/// The meters, by key. A core asks here once for each meter, and keeps what it gets.
#[derive(Debug)]
pub struct Node {
    cores: usize,
    meters_max: usize,
    registry: Mutex<Registry>,
    /// The wall clock as far as any core has seen it.
    wall: AtomicU64,
    overflows: AtomicU64,
    /// By core: each has its own, so that nobody waits for another.
    refusals: Box<[Mutex<Refusals>]>,
    origin: Instant,
}

/// How often rules have refused a request, by their ids.
pub type Refusals = HashMap<(RuleKind, Box<str>), u64>;

/// Rules that are told apart in refusals: far more than anyone writes.
const REFUSING_MAX: usize = 10_000;

#[derive(Debug, Default)]
struct Registry {
    places: HashMap<MeterKey, usize>,
    entries: Vec<Entry>,
    hand: usize,
    /// What the last process spent, until its meter is asked for.
    pasts: HashMap<MeterKey, Past>,
}

#[derive(Debug)]
struct Entry {
    meter: Arc<Meter>,
    until: Option<UnixMillis>,
}

impl Node {
    /// For so many cores and meters; `pasts` is what the last process spent.
    #[must_use]
    pub fn new(cores: usize, meters_max: usize, pasts: HashMap<MeterKey, Past>) -> Arc<Self> {
        Arc::new(Self {
            cores,
            meters_max: meters_max.max(1),
            registry: Mutex::new(Registry { pasts, ..Registry::default() }),
            wall: AtomicU64::new(0),
            overflows: AtomicU64::new(0),
            refusals: (0..cores.max(1)).map(|_| Mutex::default()).collect(),
            origin: Instant::now(),
        })
    }

    /// The meter of this key, made where it is missing.
    ///
    /// # Errors
    /// There are as many as may be, and none of those looked at is empty and unused.
    ///
    /// **Cost**: a lock; so a core asks only for what it does not know yet.
    pub fn meter(&self, spec: &MeterSpec, now: Now) -> Result<Arc<Meter>, Full> {
        let mut registry = self.registry.lock();
        if let Some(place) = registry.places.get(&spec.key) {
            let meter = Arc::clone(&registry.entries[*place].meter);
            meter.adopt(spec.limit, spec.version);
            return Ok(meter);
        }
        if registry.entries.len() >= self.meters_max && !registry.make_room(now) {
            self.overflows.fetch_add(1, Relaxed);
            return Err(Full);
        }
        let past = registry.pasts.remove(&spec.key).unwrap_or_default();
        let meter = Arc::new(Meter::new(spec, self.cores, &past, Free));
        let place = registry.entries.len();
        registry.places.insert(spec.key, place);
        registry.entries.push(Entry { meter: Arc::clone(&meter), until: spec.until });
        Ok(meter)
    }

    /// The meter of this key, if there is one; for those who only look.
    #[must_use]
    pub fn find(&self, key: MeterKey) -> Option<Arc<Meter>> {
        let registry = self.registry.lock();
        registry.places.get(&key).map(|place| Arc::clone(&registry.entries[*place].meter))
    }

    /// What is spent of a meter, and what is in nobody's hands: of one that nobody has asked for
    /// yet, as the last process left it.
    #[must_use]
    pub fn look(&self, spec: &MeterSpec, now: NodeMillis) -> (u64, i64) {
        let meter = self.find(spec.key).unwrap_or_else(|| {
            let past = self.registry.lock().pasts.get(&spec.key).cloned();
            Arc::new(Meter::new(spec, 1, &past.unwrap_or_default(), Free))
        });
        (meter.spent(now), meter.unreserved(now))
    }

    /// The wall clock, no earlier than any core has seen it.
    pub fn wall(&self, seen: UnixMillis) -> UnixMillis {
        UnixMillis(self.wall.fetch_max(seen.0, Relaxed).max(seen.0))
    }

    /// The node's clock, in nanoseconds: what all cores set theirs by.
    #[must_use]
    pub fn now_ns(&self) -> u64 {
        let since = u64::try_from(self.origin.elapsed().as_nanos()).unwrap_or(u64::MAX);
        since.saturating_add(ORIGIN_MS * 1_000_000)
    }

    /// A rule has refused a request of this core's.
    ///
    /// **Cost**: a lock that only who reads the metrics may hold; for refusals alone.
    #[cold]
    pub fn refused(&self, core: usize, kind: RuleKind, id: &str) {
        let mut refusals = self.refusals[core].lock();
        let known = refusals.len();
        if let Some(count) = refusals.get_mut(&(kind, Box::from(id))) {
            *count += 1;
        } else if known < REFUSING_MAX {
            refusals.insert((kind, id.into()), 1);
        }
    }

    /// How often each rule has refused one, on all cores.
    #[must_use]
    pub fn refusals(&self) -> Refusals {
        let mut all = Refusals::new();
        for refusals in &self.refusals {
            for (rule, count) in &*refusals.lock() {
                *all.entry(rule.clone()).or_default() += count;
            }
        }
        all
    }

    /// Meters there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.registry.lock().entries.len()
    }

    /// Meters that could not be made.
    #[must_use]
    pub fn overflows(&self) -> u64 {
        self.overflows.load(Relaxed)
    }
}

impl Registry {
    /// Drop one meter that holds nothing and that no core has; false where none was found.
    fn make_room(&mut self, now: Now) -> bool {
        for _ in 0..CANDIDATES.min(self.entries.len()) {
            self.hand = if self.hand >= self.entries.len() { 0 } else { self.hand };
            let entry = &self.entries[self.hand];
            // Cores get theirs under this lock only, so a meter that is ours alone stays so.
            let is_unused = Arc::strong_count(&entry.meter) == 1;
            let is_over = entry.until.is_some_and(|until| until <= now.wall);
            if is_unused && (is_over || entry.meter.is_at_rest(now.node)) {
                self.places.remove(&entry.meter.key());
                self.entries.swap_remove(self.hand);
                if let Some(moved) = self.entries.get(self.hand) {
                    self.places.insert(moved.meter.key(), self.hand);
                }
                return true;
            }
            self.hand += 1;
        }
        false
    }
}
