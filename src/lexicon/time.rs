//! Time as values. Reading a clock is the business of floors 6 and up.

/// Nanoseconds of the machine's monotonic clock since an origin fixed for the process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Moment(pub u64);

impl Moment {
    /// Nanoseconds from `earlier` to here; 0 when `earlier` is later.
    #[must_use]
    pub const fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }

    /// Microseconds from `earlier` to here, at most `u32::MAX` (71 minutes).
    #[must_use]
    pub fn micros_since(self, earlier: Self) -> u32 {
        u32::try_from(self.since(earlier) / 1_000).unwrap_or(u32::MAX)
    }

    /// The moment `millis` later.
    #[must_use]
    pub const fn plus_millis(self, millis: u64) -> Self {
        Self(self.0.saturating_add(millis.saturating_mul(1_000_000)))
    }
}

/// Milliseconds since 1970-01-01T00:00:00Z, by the wall clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnixMillis(pub u64);

/// A day of UTC, which knows no leap seconds here.
pub const DAY_MS: u64 = 86_400_000;

impl UnixMillis {
    /// Days since 1970.
    #[must_use]
    pub const fn day(self) -> u64 {
        self.0 / DAY_MS
    }
}
