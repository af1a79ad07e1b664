//! What one core has of one meter: units it may spend, and units it has spent.

use crate::{
    bridge::quota::meter::Pace,
    lexicon::meter::{PAST_BUCKETS, SLIDING_UNITS_MAX},
};
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

/// The current bucket and those before it that still count.
pub(super) const BUCKETS: usize = 13;
const _: () = assert!(BUCKETS as u64 == PAST_BUCKETS + 1);
const UNITS_BITS: u32 = 40;

/// One core's part of one meter, on cache lines of its own. Only its core spends from it; any core
/// may take back what is granted, or give back what no longer counts.
#[derive(Debug, Default)]
#[repr(align(128))] // Two cache lines: the neighbour prefetcher pairs them.
pub(super) struct Cell {
    /// Units that this core may spend without asking.
    pub(super) grant: AtomicU64,
    /// Odd while units come back into `grant`: whoever adds up the node looks again.
    pub(super) refunds: AtomicU64,
    /// In a sliding window, the stamp of the bucket that has this place now; else units spent.
    pub(super) spent: [AtomicU64; BUCKETS],
}

const _: () = assert!(size_of::<Cell>() == 128);

/// A bucket's word: which round of the ring it belongs to, and how many units it holds.
///
/// **Shape**: round in the upper 24 bits (34 years of minutes), units in the lower 40.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    pub(super) round: u64,
    pub(super) units: u64,
}

impl Stamp {
    pub(super) const fn unpack(word: u64) -> Self {
        Self { round: word >> UNITS_BITS, units: word & SLIDING_UNITS_MAX }
    }

    pub(super) const fn pack(self) -> u64 {
        let units = if self.units > SLIDING_UNITS_MAX { SLIDING_UNITS_MAX } else { self.units };
        self.round << UNITS_BITS | units
    }

    /// The bucket of the stamp at `place`.
    pub(super) const fn bucket(self, place: usize) -> u64 {
        self.round * BUCKETS as u64 + place as u64
    }
}

/// Where a bucket is in the ring, and in which round.
pub(super) fn place(bucket: u64) -> (usize, u64) {
    let place = usize::try_from(bucket % BUCKETS as u64).expect("less than thirteen");
    (place, bucket / BUCKETS as u64)
}

impl Cell {
    /// Take `units` of the grant, all or none.
    pub(super) fn take(&self, units: u64) -> bool {
        self.grant.fetch_update(SeqCst, SeqCst, |grant| grant.checked_sub(units)).is_ok()
    }

    /// Take at most `units` of the grant.
    pub(super) fn take_some(&self, units: u64) -> u64 {
        let mut taken = 0;
        let _ = self.grant.fetch_update(SeqCst, SeqCst, |grant| {
            taken = grant.min(units);
            Some(grant - taken)
        });
        taken
    }

    /// Units that were taken come back; for its own core.
    pub(super) fn refund<P: Pace>(&self, units: u64, pace: &P) {
        pace.step();
        self.refunds.fetch_add(1, SeqCst);
        pace.step();
        self.grant.fetch_add(units, SeqCst);
        pace.step();
        self.refunds.fetch_add(1, SeqCst);
    }
}
