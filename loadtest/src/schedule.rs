//! When each request is due.

use std::time::Duration;

const NANOS: i128 = 1_000_000_000;

/// Due times at a rate that is fixed, or changes evenly from one to the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// Requests a second at the start.
    pub from: u32,
    /// Requests a second at the end.
    pub to: u32,
    pub seconds: u32,
}

impl Schedule {
    /// How many requests there are.
    #[must_use]
    pub fn count(&self) -> u64 {
        (u64::from(self.from) + u64::from(self.to)) * u64::from(self.seconds) / 2
    }

    /// When request `number`, from 0, is due after the start.
    ///
    /// After *t* of *T* seconds, *from·t + (to − from)·t²/2T* requests have been due; this is that
    /// formula solved for *t*, in whole nanoseconds, rounded down.
    #[must_use]
    pub fn due(&self, number: u64) -> Duration {
        let (from, to) = (i128::from(self.from), i128::from(self.to));
        let (seconds, number) = (i128::from(self.seconds), i128::from(number));
        let nanos = if from == to {
            number * NANOS / from.max(1)
        } else {
            let slope = to - from;
            let square = (from * from * seconds + 2 * slope * number).max(0) * NANOS * NANOS;
            seconds * ((square / seconds).isqrt() - from * NANOS) / slope
        };
        Duration::from_nanos(u64::try_from(nanos.max(0)).unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::Schedule;
    use std::time::Duration;

    #[test]
    fn a_fixed_rate_is_evenly_spaced() {
        let schedule = Schedule { from: 400, to: 400, seconds: 3 };

        assert_eq!(schedule.count(), 1_200);
        assert_eq!(schedule.due(0), Duration::ZERO);
        assert_eq!(schedule.due(1), Duration::from_micros(2_500));
        assert_eq!(schedule.due(1_199), Duration::from_micros(2_997_500));
    }

    #[test]
    fn a_ramp_passes_its_half_later_than_half_its_time() {
        let up = Schedule { from: 0, to: 200, seconds: 10 };
        let down = Schedule { from: 200, to: 0, seconds: 10 };

        assert_eq!((up.count(), down.count()), (1_000, 1_000));
        assert_eq!(up.due(250).as_millis(), 5_000);
        assert_eq!(down.due(750).as_millis(), 5_000);
        assert!(up.due(999) < Duration::from_secs(10) && down.due(999) < Duration::from_secs(10));
    }

    #[test]
    fn due_times_never_run_backwards() {
        for (from, to) in [(1, 1_000), (1_000, 1), (7, 7), (0, 3)] {
            let schedule = Schedule { from, to, seconds: 5 };
            let due: Vec<_> = (0..schedule.count()).map(|number| schedule.due(number)).collect();
            assert!(due.is_sorted(), "{from} to {to}");
        }
    }
}
