//! How a target has fared lately, as all cores saw it together.

/// So many failures within `FAILURE_WINDOW_MS` make a target fail.
/// **Source**: the reference, §8.6.
pub const FAILURES_MIN: usize = 2;
/// How long a failure counts.
pub const FAILURE_WINDOW_MS: u64 = 2 * 60 * 1_000;

/// Targets that are watched at once: a configuration with more of them in its rules is refused.
pub const TARGETS_MAX: usize = 1_024;

/// Readings of one kind within a window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Readings {
    pub sum_us: u64,
    pub count: u64,
}

/// A target's recent past.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Health {
    /// Until then it has failed too often, by the clock of the node; 0 is never.
    pub failing_until_ms: u64,
    /// Time per output token, of the last 3 minutes.
    pub token_recent: Readings,
    /// Time to first token, of the last 3 minutes.
    pub first_recent: Readings,
    /// Time per output token, of the last 20 minutes.
    pub token_long: Readings,
}

impl Readings {
    /// Their mean; none of none.
    #[must_use]
    pub const fn mean_us(self) -> Option<u64> {
        self.sum_us.checked_div(self.count)
    }

    /// Both together.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self {
            sum_us: self.sum_us.saturating_add(other.sum_us),
            count: self.count.saturating_add(other.count),
        }
    }
}

impl Health {
    /// That of a target of which nothing is known.
    pub const WELL: Self = {
        let none = Readings { sum_us: 0, count: 0 };
        Self { failing_until_ms: 0, token_recent: none, first_recent: none, token_long: none }
    };

    /// Has it failed too often to be asked before others?
    #[must_use]
    pub const fn is_failing(&self, now_ms: u64) -> bool {
        now_ms < self.failing_until_ms
    }
}
