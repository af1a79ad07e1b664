//! What a counted limit is known by, and the time it looks back on.

use crate::lexicon::time::UnixMillis;
use sha2::{Digest, Sha256};
use std::{
    collections::HashMap,
    hash::{BuildHasherDefault, Hasher},
};

/// Buckets before the current one that a sliding window still counts; each is 1/12 of the period,
/// so a unit counts for at least a whole period and at most a twelfth longer.
pub const PAST_BUCKETS: u64 = 12;

/// The most units that a sliding window can count: 40 bits of a word, beside which the number of
/// its bucket stands.
pub const SLIDING_UNITS_MAX: u64 = (1 << 40) - 1;

/// A meter's name: a hash of rule, entity and, for calendars, the period.
///
/// The same meter has the same key in every snapshot, on every core and after a restart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MeterKey(pub u128);

/// Things by the keys of meters.
pub type ByKey<T> = HashMap<MeterKey, T, BuildHasherDefault<KeyHasher>>;

/// Keys are uniform hashes already: nobody can choose texts whose keys collide.
#[derive(Clone, Copy, Debug, Default)]
pub struct KeyHasher(u64);

/// Milliseconds of the machine's monotonic clock, the same for all cores of a process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeMillis(pub u64);

/// Both clocks, read together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Now {
    pub node: NodeMillis,
    /// As far as it has ever come: calendars do not run backwards.
    pub wall: UnixMillis,
}

/// What a rule that counts is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RuleKind {
    RateLimit,
    Budget,
}

/// How long a spent unit counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Window {
    /// For twelve to thirteen buckets of this many milliseconds.
    Sliding { bucket_ms: u32 },
    /// For as long as the meter lives: a period of a calendar has meters of its own.
    Whole,
}

/// Everything that a meter is made from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MeterSpec {
    pub key: MeterKey,
    pub window: Window,
    pub limit: u64,
    /// From then on nobody asks for it: the end of its period.
    pub until: Option<UnixMillis>,
    /// Of the snapshot that says so: a newer one's limit holds.
    pub version: u64,
}

impl MeterKey {
    /// The key of a thing by its texts: nobody can make two things of one key.
    ///
    /// **Cost**: one block of SHA-256 up to 50 bytes of text, 100 ns where the processor helps.
    #[must_use]
    pub fn of(texts: &[&str]) -> Self {
        let mut hash = Sha256::new();
        for text in texts {
            // Lengths keep ("ab", "c") and ("a", "bc") apart.
            hash.update((text.len() as u64).to_le_bytes());
            hash.update(text);
        }
        let digest = hash.finalize();
        Self(u128::from_le_bytes(*digest.first_chunk().expect("a digest has 32 bytes")))
    }

    /// The key of this meter for one more thing to tell apart by.
    ///
    /// Both must be uniform hashes already; then the product of their halves is one too.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, reason = "the halves are what is wanted")]
    pub const fn with(self, other: Self) -> Self {
        let (low, high) = (self.0 as u64, (self.0 >> 64) as u64);
        let (other_low, other_high) = (other.0 as u64, (other.0 >> 64) as u64);
        let one = (low ^ other_high) as u128 * (other_low | 1) as u128;
        let two = (high ^ other_low) as u128 * (other_high | 1) as u128;
        Self(one ^ two.rotate_left(64) ^ other.0.rotate_left(31))
    }
}

impl Hasher for KeyHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    #[expect(clippy::cast_possible_truncation, reason = "either half is uniform")]
    fn write_u128(&mut self, key: u128) {
        self.0 = key as u64 ^ (key >> 64) as u64;
    }
}

impl Window {
    /// What people call it.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Whole => "period",
            Self::Sliding { bucket_ms } => match bucket_ms as u64 * PAST_BUCKETS {
                60_000 => "minute",
                3_600_000 => "hour",
                _ => "day",
            },
        }
    }

    /// The bucket that holds this moment.
    #[must_use]
    pub const fn bucket(self, at: NodeMillis) -> u64 {
        match self {
            Self::Sliding { bucket_ms } => at.0 / bucket_ms as u64,
            Self::Whole => 0,
        }
    }

    /// When the units of this bucket stop counting; none for a window that forgets nothing.
    #[must_use]
    pub const fn frees_at(self, bucket: u64) -> Option<NodeMillis> {
        match self {
            Self::Sliding { bucket_ms } => {
                Some(NodeMillis((bucket + PAST_BUCKETS + 1) * bucket_ms as u64))
            }
            Self::Whole => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{MeterKey, NodeMillis, Window};
    use std::collections::HashSet;

    #[test]
    fn a_unit_counts_for_a_whole_period_and_at_most_a_twelfth_longer() {
        let minute = Window::Sliding { bucket_ms: 5_000 };
        for (spent, frees) in [(0, 65_000), (4_999, 65_000), (5_000, 70_000)] {
            let freed = minute.frees_at(minute.bucket(NodeMillis(spent)));
            assert_eq!(freed, Some(NodeMillis(frees)));
        }
        assert_eq!(Window::Whole.frees_at(0), None);
    }

    #[test]
    fn keys_of_different_things_in_different_order_are_different() {
        let parts: Vec<MeterKey> =
            (1..60_u128).map(|seed| MeterKey(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15))).collect();
        let mut seen = HashSet::new();
        for one in &parts {
            for other in &parts {
                assert!(seen.insert(one.with(*other)), "{one:?} {other:?}");
            }
        }
    }
}
