//! How targets fare: each core writes what it sees into a column of its own, and anyone adds the
//! columns up.
//!
//! Nothing is locked and nothing is sent: a column has one writer, its words are atomic and each is
//! true by itself. Failures are the moments of a core's last two, so that the second newest of all
//! cores is exact; readings are sums in buckets that carry their own number, so that what is too
//! old drops out whoever looks.
//!
//! ```text
//! bucket  number u16 (wraps), count u12, sum u36 (µs)
//! ```
//!
//! A target keeps its place as long as a snapshot has it, by a key that outlives snapshots. Whoever
//! sees a new snapshot frees the places of targets that are gone. A cell says whose it is: its one
//! writer empties it when its place has gone to another, and until then nobody reads it as that
//! one's.

use crate::{
    bridge::seats::Seats,
    lexicon::health::{FAILURE_WINDOW_MS, FAILURES_MIN, Health, Readings, TARGETS_MAX},
};
use std::sync::{
    OnceLock,
    atomic::{AtomicU64, Ordering},
};

/// Places that are made together, when the first of them is used.
const CHUNK: usize = 32;
/// 3 minutes in 12 buckets and the one that fills.
const RECENT: Span<13> = Span { bucket_ms: 15_000 };
/// 20 minutes in 10 buckets and the one that fills.
const LONG: Span<11> = Span { bucket_ms: 120_000 };

const COUNT_BITS: u32 = 12;
const SUM_BITS: u32 = 36;
const COUNT_MAX: u64 = (1 << COUNT_BITS) - 1;
const SUM_MAX: u64 = (1 << SUM_BITS) - 1;
/// Nine hours: no reading is longer, and a bucket has room for two.
const READING_US_MAX: u64 = SUM_MAX / 2;

const _: () = assert!(FAILURES_MIN == 2, "a cell keeps the moments of two failures");

/// How long a bucket is that is one of `N`.
#[derive(Clone, Copy)]
struct Span<const N: usize> {
    bucket_ms: u64,
}

/// What all cores know of all targets.
pub struct Board {
    keys: Keys,
    /// By core.
    columns: Box<[Column]>,
    /// How many calls they have at once, those that have a cap.
    pub seats: Seats,
}

/// A place that was freed: whoever looks for a key looks on behind it.
const FREED: u64 = u64::MAX;

/// Who has which place; 0 is free, and so is `FREED`.
pub(super) struct Keys(Box<[AtomicU64]>);

/// What one core saw.
#[derive(Default)]
struct Column {
    chunks: [OnceLock<Box<[Cell; CHUNK]>>; TARGETS_MAX / CHUNK],
}

/// What one core saw of one target.
#[derive(Default)]
struct Cell {
    /// The key of the target that all the rest is of.
    owner: AtomicU64,
    /// Moments of the newest two failures, newest first.
    failures: [AtomicU64; FAILURES_MIN],
    token_recent: Buckets<13>,
    first_recent: Buckets<13>,
    token_long: Buckets<11>,
    attempts_total: AtomicU64,
    failures_total: AtomicU64,
}

struct Buckets<const N: usize>([AtomicU64; N]);

/// Where a target stands on the board.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    number: u16,
    key: u64,
}

/// What came of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    Failed,
    /// Times in µs, where they are known.
    Answered {
        per_token_us: Option<u64>,
        first_us: Option<u64>,
    },
}

/// How a target stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    pub health: Health,
    pub attempts_total: u64,
    pub failures_total: u64,
}

impl Place {
    /// From 0 to `TARGETS_MAX`.
    #[must_use]
    pub fn number(self) -> usize {
        usize::from(self.number)
    }

    /// Where its cell is: the chunk, and the place within.
    fn parts(self) -> (usize, usize) {
        (self.number() / CHUNK, self.number() % CHUNK)
    }
}

impl Board {
    #[must_use]
    pub fn new(cores: usize) -> Self {
        Self {
            keys: Keys::default(),
            columns: (0..cores).map(|_| Column::default()).collect(),
            seats: Seats::new(cores),
        }
    }

    /// The place of the target with this key, which is made where there is none yet.
    ///
    /// **Cost**: one atomic load, seldom more.
    #[must_use]
    pub fn place(&self, key: u64) -> Option<Place> {
        self.keys.place(key)
    }

    /// Free the places of targets that `is_kept` does not want; it is asked by their keys.
    pub fn keep(&self, is_kept: impl Fn(u64) -> bool) {
        self.keys.keep(is_kept);
    }

    /// How many targets have a place.
    #[must_use]
    pub fn count(&self) -> usize {
        self.keys.count()
    }

    /// Note what core `core` saw. For its one writer.
    pub fn note(&self, core: usize, place: Place, seen: Seen, now_ms: u64) {
        let Some(column) = self.columns.get(core) else { return };
        let (chunk, within) = place.parts();
        let cell = &column.chunks[chunk].get_or_init(Box::default)[within];
        cell.belong_to(place.key);
        add(&cell.attempts_total);
        match seen {
            Seen::Failed => {
                add(&cell.failures_total);
                let [newest, before] = &cell.failures;
                // First the older: whoever reads between sees one failure twice, which is a moment.
                before.store(newest.load(Ordering::Relaxed), Ordering::Relaxed);
                newest.store(now_ms.max(1), Ordering::Release);
            }
            Seen::Answered { per_token_us, first_us } => {
                if let Some(micros) = per_token_us {
                    cell.token_recent.add(RECENT, micros, now_ms);
                    cell.token_long.add(LONG, micros, now_ms);
                }
                if let Some(micros) = first_us {
                    cell.first_recent.add(RECENT, micros, now_ms);
                }
            }
        }
    }

    /// How the target stands, by what all cores saw.
    ///
    /// **Cost**: some forty loads a core that knows it.
    #[must_use]
    pub fn standing(&self, place: Place, now_ms: u64) -> Standing {
        let mut standing = Standing::default();
        let mut failures = [0_u64; FAILURES_MIN];
        let (chunk, within) = place.parts();
        let chunks = self.columns.iter().filter_map(|column| column.chunks[chunk].get());
        let cells = chunks.map(|chunk| &chunk[within]);
        for cell in cells.filter(|cell| cell.owner.load(Ordering::Acquire) == place.key) {
            for failure in &cell.failures {
                let moment = failure.load(Ordering::Acquire);
                let [newest, before] = &mut failures;
                if moment >= *newest {
                    (*newest, *before) = (moment, *newest);
                } else if moment > *before {
                    *before = moment;
                }
            }
            let health = &mut standing.health;
            health.token_recent = health.token_recent.with(cell.token_recent.sum(RECENT, now_ms));
            health.first_recent = health.first_recent.with(cell.first_recent.sum(RECENT, now_ms));
            health.token_long = health.token_long.with(cell.token_long.sum(LONG, now_ms));
            standing.attempts_total += cell.attempts_total.load(Ordering::Relaxed);
            standing.failures_total += cell.failures_total.load(Ordering::Relaxed);
        }
        // Until then the second newest counts.
        if failures[1] > 0 {
            let until = failures[1] + FAILURE_WINDOW_MS;
            standing.health.failing_until_ms = if now_ms < until { until } else { 0 };
        }
        standing
    }
}

impl Default for Keys {
    fn default() -> Self {
        Self((0..TARGETS_MAX).map(|_| AtomicU64::new(0)).collect())
    }
}

impl Keys {
    pub(super) fn place(&self, key: u64) -> Option<Place> {
        let key = key.clamp(1, FREED - 1);
        let home = usize::try_from(key % TARGETS_MAX as u64).unwrap_or_default();
        if self.0[home].load(Ordering::Relaxed) == key {
            return Some(Place { number: u16::try_from(home).unwrap_or_default(), key });
        }
        self.search(key, home)
    }

    /// The place of a key that may not be at its home.
    #[cold]
    fn search(&self, key: u64, home: usize) -> Option<Place> {
        let order = Ordering::Relaxed;
        loop {
            let mut free = None;
            for at in (home..TARGETS_MAX).chain(0..home) {
                match self.0[at].load(order) {
                    found if found == key => {
                        return Some(Place { number: u16::try_from(at).unwrap_or_default(), key });
                    }
                    found @ (0 | FREED) => {
                        free.get_or_insert((at, found));
                        if found == 0 {
                            break;
                        }
                    }
                    _ => {}
                }
            }
            let (at, found) = free?;
            // Where another was faster, this looks again: at most once for each place.
            if self.0[at].compare_exchange(found, key, order, order).is_ok() {
                return Some(Place { number: u16::try_from(at).unwrap_or_default(), key });
            }
        }
    }

    fn keep(&self, is_kept: impl Fn(u64) -> bool) {
        for own in &self.0 {
            let key = own.load(Ordering::Relaxed);
            if key != 0 && key != FREED && !is_kept(key) {
                // Another may have freed it, and a third one taken it.
                let order = Ordering::Relaxed;
                let _ = own.compare_exchange(key, FREED, order, order);
            }
        }
    }

    fn count(&self) -> usize {
        let keys = self.0.iter().map(|own| own.load(Ordering::Relaxed));
        keys.filter(|key| *key != 0 && *key != FREED).count()
    }
}

impl Cell {
    /// Empty it, unless it is this target's already. For its one writer.
    fn belong_to(&self, key: u64) {
        if self.owner.load(Ordering::Relaxed) == key {
            return;
        }
        // Whose it is says nothing true while it is emptied.
        self.owner.store(0, Ordering::Release);
        let of_times = self.token_recent.0.iter().chain(&self.first_recent.0);
        let words = of_times.chain(&self.token_long.0).chain(&self.failures);
        for word in words.chain([&self.attempts_total, &self.failures_total]) {
            word.store(0, Ordering::Relaxed);
        }
        self.owner.store(key, Ordering::Release);
    }
}

/// For its one writer.
fn add(number: &AtomicU64) {
    number.store(number.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
}

impl<const N: usize> Default for Buckets<N> {
    fn default() -> Self {
        Self([const { AtomicU64::new(0) }; N])
    }
}

impl<const N: usize> Buckets<N> {
    fn add(&self, span: Span<N>, micros: u64, now_ms: u64) {
        let number = now_ms / span.bucket_ms;
        let word = &self.0[usize::try_from(number % N as u64).unwrap_or_default()];
        let held = word.load(Ordering::Relaxed);
        let (stamp, mut readings) = unpack(held);
        if stamp != number & 0xffff {
            readings = Readings::default();
        }
        let micros = micros.min(READING_US_MAX);
        // A bucket that is full keeps its mean, and goes on learning: older readings weigh half.
        while readings.count >= COUNT_MAX || readings.sum_us > SUM_MAX - micros {
            readings = Readings { sum_us: readings.sum_us / 2, count: readings.count / 2 };
        }
        let packed = (number & 0xffff) << (COUNT_BITS + SUM_BITS)
            | (readings.count + 1) << SUM_BITS
            | (readings.sum_us + micros);
        word.store(packed, Ordering::Relaxed);
    }

    fn sum(&self, span: Span<N>, now_ms: u64) -> Readings {
        let newest = now_ms / span.bucket_ms;
        let mut sum = Readings::default();
        for word in &self.0 {
            let (stamp, readings) = unpack(word.load(Ordering::Relaxed));
            let age = (newest & 0xffff).wrapping_sub(stamp) & 0xffff;
            if readings.count > 0 && age < N as u64 {
                sum = sum.with(readings);
            }
        }
        sum
    }
}

const fn unpack(word: u64) -> (u64, Readings) {
    let readings = Readings { sum_us: word & SUM_MAX, count: word >> SUM_BITS & COUNT_MAX };
    (word >> (COUNT_BITS + SUM_BITS), readings)
}

#[cfg(test)]
mod tests {
    use super::{Board, COUNT_MAX, Seen};
    use crate::lexicon::health::{FAILURE_WINDOW_MS, TARGETS_MAX};

    const NOW: u64 = 10_000_000;

    fn answered(per_token_us: u64) -> Seen {
        Seen::Answered { per_token_us: Some(per_token_us), first_us: per_token_us.checked_mul(10) }
    }

    #[test]
    fn two_failures_on_two_cores_make_a_target_fail_until_one_is_two_minutes_old() {
        let board = Board::new(3);
        let place = board.place(77).expect("there is room");
        let failing = |now| board.standing(place, now).health.is_failing(now);

        board.note(0, place, Seen::Failed, NOW);
        assert!(!failing(NOW));
        board.note(2, place, Seen::Failed, NOW + 60_000);
        assert!(failing(NOW + 60_000));

        assert!(failing(NOW + FAILURE_WINDOW_MS - 1));
        assert!(!failing(NOW + FAILURE_WINDOW_MS));
        board.note(1, place, Seen::Failed, NOW + FAILURE_WINDOW_MS);
        assert!(failing(NOW + FAILURE_WINDOW_MS), "the one of the third core is newer");
        assert!(!failing(NOW + 60_000 + FAILURE_WINDOW_MS));
        assert_eq!(board.standing(place, NOW).failures_total, 3);
    }

    #[test]
    fn readings_of_all_cores_are_added_up_and_drop_out_when_they_are_old() {
        let board = Board::new(2);
        let place = board.place(1).expect("there is room");
        board.note(0, place, answered(10_000), NOW);
        board.note(1, place, answered(20_000), NOW + 1_000);
        board.note(1, place, answered(60_000), NOW + 170_000);

        let health = board.standing(place, NOW + 170_000).health;
        assert_eq!(health.token_recent.mean_us(), Some(30_000));
        assert_eq!(health.first_recent.mean_us(), Some(300_000));
        let later = board.standing(place, NOW + 250_000).health;
        assert_eq!(later.token_recent.mean_us(), Some(60_000), "of the last three minutes");
        assert_eq!(later.token_long.mean_us(), Some(30_000), "of the last twenty");
        let long_after = board.standing(place, NOW + 30 * 60_000).health;
        assert_eq!(long_after.token_long.count, 0);
    }

    #[test]
    fn a_bucket_that_is_full_keeps_its_mean_and_goes_on_listening() {
        let board = Board::new(1);
        let place = board.place(5).expect("there is room");
        let mean = || board.standing(place, NOW).health.token_recent.mean_us();
        for _ in 0..2 * COUNT_MAX {
            board.note(0, place, answered(8), NOW);
        }
        assert_eq!(mean(), Some(8));

        for _ in 0..2 * COUNT_MAX {
            board.note(0, place, answered(8_000), NOW);
        }

        assert!(mean() > Some(4_000), "{:?}: a target that became slow is seen to be", mean());
        board.note(0, place, answered(u64::MAX), NOW + 15_000);
        assert!(board.standing(place, NOW + 15_000).health.token_recent.mean_us() > Some(7));
    }

    #[test]
    fn a_place_that_is_freed_is_anothers_who_inherits_nothing() {
        let board = Board::new(2);
        let keys = || (1..=TARGETS_MAX as u64).map(|key| key * 31);
        let places: Vec<_> = keys().map(|key| board.place(key).expect("there is room")).collect();
        board.note(0, places[3], Seen::Failed, NOW);
        board.note(0, places[3], Seen::Failed, NOW);
        assert!(board.place(7).is_none());

        board.keep(|key| key != 4 * 31);

        assert_eq!(board.count(), TARGETS_MAX - 1);
        for (key, place) in keys().zip(&places).filter(|(key, _)| *key != 4 * 31) {
            assert_eq!(board.place(key), Some(*place), "the others stay where they are");
        }
        let new = board.place(7).expect("one was freed");
        assert_eq!(new.number(), places[3].number());
        assert!(!board.standing(new, NOW).health.is_failing(NOW));
        board.note(0, new, answered(9), NOW);
        board.note(1, new, Seen::Failed, NOW);
        let standing = board.standing(new, NOW);
        assert_eq!((standing.attempts_total, standing.failures_total), (2, 1));
    }

    #[test]
    fn a_target_keeps_its_place_and_one_too_many_has_none() {
        let board = Board::new(1);
        let places: Vec<_> = (1..=TARGETS_MAX as u64).map(|key| board.place(key * 31)).collect();
        assert!(places.iter().all(Option::is_some));
        for (key, place) in (1..).zip(&places) {
            assert_eq!(board.place(key * 31), *place);
        }
        assert_eq!(board.place(u64::MAX), None);
    }
}
