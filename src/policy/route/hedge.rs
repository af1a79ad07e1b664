//! A second call beside the first, where that is not answered soon.

/// Fewer readings than these say nothing of how long a target takes.
pub const READINGS_MIN: u32 = 20;
/// Beyond these, older readings weigh half: so what is known follows the target.
const READINGS_MAX: u32 = 1_000;
/// Buckets a doubling: a quantile is late by at most a fifth.
const PARTS: u32 = 4;
/// From 1 ms to some four hours.
const BUCKETS: usize = 96;
/// Longer is not told apart: 2^40 ms are decades.
const MILLIS_MAX: u64 = 1 << 40;
/// Second calls for a hundred first ones, where nothing is said: as many as the slowest twentieth.
/// **Source**: Dean and Barroso, "The Tail at Scale", 2013.
pub const EXTRA_PERCENT: u32 = 5;

/// When a second call is made, and how often.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hedge {
    pub after: After,
    /// Second calls for a hundred first ones, at most.
    pub extra_percent_max: u8,
}

/// How long a first call may take until a second one is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum After {
    Millis(u32),
    /// As long as so many in a thousand of the recent calls took until their first byte.
    Permille(u16),
}

/// How long a target's recent calls took until their first byte, as one core saw it.
///
/// **Shape**: counts by length, four buckets a doubling.
#[derive(Clone, Debug)]
pub struct Waits {
    counts: [u32; BUCKETS],
    total: u32,
}

impl Default for Waits {
    fn default() -> Self {
        Self { counts: [0; BUCKETS], total: 0 }
    }
}

impl Waits {
    /// One more call took so long.
    pub fn add(&mut self, millis: u64) {
        if self.total >= READINGS_MAX {
            for count in &mut self.counts {
                *count /= 2;
            }
            self.total = self.counts.iter().sum();
        }
        self.counts[bucket(millis)] += 1;
        self.total += 1;
    }

    /// What so many in a thousand did not exceed; none while too little is known.
    #[must_use]
    pub fn quantile_ms(&self, permille: u16) -> Option<u64> {
        if self.total < READINGS_MIN {
            return None;
        }
        let wanted = (u64::from(self.total) * u64::from(permille)).div_ceil(1_000);
        let mut seen = 0;
        let reaches = |count: &u32| {
            seen += u64::from(*count);
            seen >= wanted
        };
        self.counts.iter().position(reaches).map(end_ms)
    }
}

/// The bucket of a length: the doublings it has, in quarters.
fn bucket(millis: u64) -> usize {
    let millis = millis.clamp(1, MILLIS_MAX);
    let doublings = millis.ilog2();
    // The two bits behind the first one say the quarter.
    let quarter = (millis << 2 >> doublings) & 3;
    let index = usize::try_from(u64::from(doublings * PARTS) + quarter).unwrap_or(BUCKETS);
    index.min(BUCKETS - 1)
}

/// Where a bucket ends: the first length of the next one.
fn end_ms(bucket: usize) -> u64 {
    let next = bucket as u64 + 1;
    let (doublings, quarter) = (next / u64::from(PARTS), next % u64::from(PARTS));
    ((4 + quarter) << doublings).div_ceil(4)
}

#[cfg(test)]
mod tests {
    use super::{BUCKETS, READINGS_MIN, Waits, bucket, end_ms};

    #[test]
    fn every_length_lies_before_the_end_of_its_bucket_and_not_before_the_one_below() {
        for millis in (1..5_000).chain([60_000, 3_600_000]) {
            let own = bucket(millis);
            assert!(own < BUCKETS - 1);
            assert!(millis < end_ms(own) + 1, "{millis} in {own}");
            assert!(own == 0 || millis + 1 >= end_ms(own - 1), "{millis} in {own}");
        }
        assert_eq!(bucket(u64::MAX >> 2), BUCKETS - 1);
    }

    #[test]
    fn a_quantile_is_known_after_twenty_readings_and_follows_the_target() {
        let mut waits = Waits::default();
        for count in 0..READINGS_MIN {
            assert_eq!(waits.quantile_ms(950), None, "{count}");
            waits.add(100);
        }
        let usual = waits.quantile_ms(950).expect("enough is known");
        assert!((100..=125).contains(&usual), "{usual}");

        for _ in 0..4_000 {
            waits.add(2_000);
        }

        let slow = waits.quantile_ms(500).expect("enough is known");
        assert!((2_000..=2_500).contains(&slow), "{slow}");
        let mixed = {
            let mut waits = Waits::default();
            (1..=100).for_each(|tenth| waits.add(if tenth > 90 { 1_000 } else { 50 }));
            (waits.quantile_ms(900), waits.quantile_ms(950))
        };
        assert!(mixed.0 < Some(70) && mixed.1 > Some(900), "{mixed:?}");
    }
}
