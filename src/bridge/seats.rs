//! How many calls a target has at once, on the whole node, and how many requests wait for a turn.
//!
//! A cap is one word that every core counts in, so it is exact at every instant; it is touched only
//! by calls to targets that have a cap, which take long beside it. Who waits is in a queue of its
//! own core; here stands only how many they are, and since when the eldest of each core waits, so
//! that a seat which becomes free goes to whoever waited longest.
//!
//! **Invariants**: `taken` is never more than the greatest cap it was taken by; nobody is passed
//! over while a seat is free, for whoever joins looks again afterwards, and whoever leaves a seat
//! looks at the queues afterwards.

use crate::{bridge::health::Keys, lexicon::health::TARGETS_MAX};
use std::sync::{
    OnceLock,
    atomic::{
        AtomicU64,
        Ordering::{Relaxed, SeqCst},
    },
};

/// A newest call weighs one part in so many of how long calls take.
const CALLS: u64 = 8;

/// The seats of all targets that have a cap.
pub struct Seats {
    cores: usize,
    keys: Keys,
    rows: Box<[OnceLock<Box<Row>>]>,
}

/// The seats of one target.
#[repr(align(128))] // Two cache lines: the neighbour prefetcher pairs them.
pub struct Row {
    taken: AtomicU64,
    waiting: AtomicU64,
    /// The moments at which those seats were taken, added up, in ms of the node's clock.
    taken_ms: AtomicU64,
    /// How long calls take, in µs; 0 is not known.
    call_us: AtomicU64,
    refused_total: AtomicU64,
    /// By core: since when its eldest waits; 0 is nobody.
    eldest_ms: Box<[AtomicU64]>,
}

/// How the seats of a target stand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    pub taken: u64,
    pub waiting: u64,
    pub refused_total: u64,
}

impl Seats {
    #[must_use]
    pub(super) fn new(cores: usize) -> Self {
        let rows = (0..TARGETS_MAX).map(|_| OnceLock::new()).collect();
        Self { cores, keys: Keys::default(), rows }
    }

    /// The seats of the target with this key; none where more targets have had a cap than there is
    /// room for.
    #[must_use]
    pub fn row(&self, key: u64) -> Option<&Row> {
        let place = self.keys.place(key)?;
        Some(self.rows[place.number()].get_or_init(|| Box::new(Row::new(self.cores))))
    }
}

impl Row {
    fn new(cores: usize) -> Self {
        Self {
            taken: AtomicU64::new(0),
            waiting: AtomicU64::new(0),
            taken_ms: AtomicU64::new(0),
            call_us: AtomicU64::new(0),
            refused_total: AtomicU64::new(0),
            eldest_ms: (0..cores).map(|_| AtomicU64::new(0)).collect(),
        }
    }

    /// Take a seat, if one of so many is free.
    #[must_use]
    pub fn take(&self, max: u32, now_ms: u64) -> bool {
        let has_room = |taken: u64| (taken < u64::from(max)).then_some(taken + 1);
        let is_taken = self.taken.fetch_update(SeqCst, SeqCst, has_room).is_ok();
        if is_taken {
            self.taken_ms.fetch_add(now_ms, Relaxed);
        }
        is_taken
    }

    /// Leave a seat that was taken at `since_ms`, after a call of so many µs.
    pub fn leave(&self, since_ms: u64, call_us: u64) {
        let known = self.call_us.load(Relaxed);
        // Two that leave at once may count as one: it is a mean.
        let blend = if known == 0 { call_us } else { (known * (CALLS - 1) + call_us) / CALLS };
        self.call_us.store(blend.max(1), Relaxed);
        self.taken_ms.fetch_sub(since_ms, Relaxed);
        self.taken.fetch_sub(1, SeqCst);
    }

    /// Leave a seat without a call.
    pub fn renounce(&self, since_ms: u64) {
        self.taken_ms.fetch_sub(since_ms, Relaxed);
        self.taken.fetch_sub(1, SeqCst);
    }

    /// Join those who wait, if fewer than so many do.
    #[must_use]
    pub fn join(&self, queue_max: u32) -> bool {
        let has_room = |waiting: u64| (waiting < u64::from(queue_max)).then_some(waiting + 1);
        self.waiting.fetch_update(SeqCst, SeqCst, has_room).is_ok()
    }

    /// One who waited waits no more.
    pub fn depart(&self) {
        self.waiting.fetch_sub(1, SeqCst);
    }

    /// Does anybody wait?
    #[must_use]
    pub fn is_awaited(&self) -> bool {
        self.waiting.load(SeqCst) > 0
    }

    /// Since when the eldest of a core waits; none is nobody. For that core.
    pub fn set_eldest(&self, core: usize, since_ms: Option<u64>) {
        if let Some(eldest) = self.eldest_ms.get(core) {
            eldest.store(since_ms.map_or(0, |since_ms| since_ms.max(1)), SeqCst);
        }
    }

    /// The core whose eldest waits longest.
    #[must_use]
    pub fn eldest(&self) -> Option<usize> {
        let waiting = self.eldest_ms.iter().map(|eldest| eldest.load(SeqCst)).enumerate();
        waiting.filter(|(_, since_ms)| *since_ms > 0).min_by_key(|(_, since)| *since).map(|it| it.0)
    }

    /// One more was told to come back later.
    pub fn refuse(&self) {
        self.refused_total.fetch_add(1, Relaxed);
    }

    /// About how long it takes until whoever comes now would have a turn, in ms: those who wait
    /// before, and those who have a seat, each as long as calls take.
    ///
    /// How long that is nobody knows before the first call has ended; and where those that run now
    /// take longer than calls did, it is as long as they have taken already.
    #[must_use]
    pub fn turn_in_ms(&self, max: u32, now_ms: u64) -> u64 {
        let (taken, waiting) = (self.taken.load(SeqCst), self.waiting.load(SeqCst));
        let begun_ms = self.taken_ms.load(Relaxed).checked_div(taken).unwrap_or(now_ms);
        let age_ms = now_ms.saturating_sub(begun_ms);
        // Seen at any moment, calls are half way through.
        let call_ms = match self.call_us.load(Relaxed) {
            0 => 2 * age_ms,
            known => (known / 1_000).max(age_ms),
        };
        (waiting + 1).saturating_mul(call_ms) / u64::from(max.max(1))
    }

    #[must_use]
    pub fn standing(&self) -> Standing {
        Standing {
            taken: self.taken.load(Relaxed),
            waiting: self.waiting.load(Relaxed),
            refused_total: self.refused_total.load(Relaxed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Seats, Standing};
    use std::{
        sync::atomic::{AtomicU64, Ordering::SeqCst},
        thread,
    };

    #[test]
    fn a_cap_is_never_exceeded_by_all_cores_together() {
        const MAX: u32 = 3;
        let seats = Seats::new(4);
        let row = seats.row(7).expect("there is room");
        let (inside, most, turns) = (AtomicU64::new(0), AtomicU64::new(0), AtomicU64::new(0));
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..5_000 {
                        if row.take(MAX, 5) {
                            most.fetch_max(inside.fetch_add(1, SeqCst) + 1, SeqCst);
                            turns.fetch_add(1, SeqCst);
                            inside.fetch_sub(1, SeqCst);
                            row.leave(5, 10);
                        }
                    }
                });
            }
        });

        assert!(most.load(SeqCst) <= u64::from(MAX) && turns.load(SeqCst) > 0);
        assert_eq!(row.standing(), Standing::default(), "every seat came back");
    }

    #[test]
    fn a_queue_is_bounded_and_its_eldest_is_found_whichever_core_has_it() {
        let seats = Seats::new(3);
        let row = seats.row(1).expect("there is room");
        assert!(row.join(2) && row.join(2));
        assert!(!row.join(2), "no more than so many");
        row.set_eldest(2, Some(10));
        row.set_eldest(0, Some(12));
        assert_eq!(row.eldest(), Some(2));

        row.set_eldest(2, None);
        row.depart();

        assert_eq!((row.eldest(), row.is_awaited()), (Some(0), true));
        assert!(row.join(2), "whoever left made room");
    }

    #[test]
    fn a_turn_comes_when_those_before_have_had_theirs() {
        let seats = Seats::new(1);
        let row = seats.row(1).expect("there is room");
        assert!(row.take(2, 1_000) && row.take(2, 1_000) && !row.take(2, 1_000));
        assert_eq!(row.turn_in_ms(2, 1_500), 500, "half way through, and two of them");

        row.leave(1_000, 4_000_000);
        assert!(row.take(2, 5_000));
        assert_eq!(row.turn_in_ms(2, 5_000), 2_000, "by what calls took");

        assert!(row.join(9) && row.join(9) && row.join(9));
        assert_eq!(row.turn_in_ms(2, 5_000), 8_000, "behind three others");
        assert_eq!(row.turn_in_ms(2, 20_000), 34_000, "those that run take longer than calls did");
    }
}
