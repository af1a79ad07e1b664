//! The one place of a core that reads clocks.
//!
//! A reading costs as much as parsing a head, so it is taken where time passes (a wait ended, the
//! wheel turned) and remembered: whoever only wants to know "about when" takes the last one.

use crate::lexicon::time::{Moment, UnixMillis};
use std::{
    cell::Cell,
    time::{SystemTime, UNIX_EPOCH},
};

/// A core's clocks.
pub struct Clock {
    monotonic: quanta::Clock,
    /// What the counter said when this clock was made.
    origin: u64,
    recent: Cell<Moment>,
    /// What the wall clock said at the origin, in nanoseconds, as it was last asked.
    origin_wall_ns: Cell<u64>,
}

impl Clock {
    pub fn new() -> Self {
        let monotonic = quanta::Clock::new();
        let origin = monotonic.raw();
        let clock = Self {
            monotonic,
            origin,
            recent: Cell::new(Moment::default()),
            origin_wall_ns: Cell::new(0),
        };
        clock.turn();
        clock
    }

    /// **Cost**: about 20 ns.
    pub fn now(&self) -> Moment {
        let now = Moment(self.monotonic.delta_as_nanos(self.origin, self.monotonic.raw()));
        // The counters of two processors may differ a little, and this thread may have moved.
        let now = now.max(self.recent.get());
        self.recent.set(now);
        now
    }

    /// The last reading: after a wait that read the clock, late by what was done since, a few
    /// microseconds. Good enough to set a deadline by.
    pub fn recent(&self) -> Moment {
        self.recent.get()
    }

    /// The time of day at the last reading.
    pub fn wall(&self) -> UnixMillis {
        UnixMillis(self.origin_wall_ns.get().saturating_add(self.recent.get().0) / 1_000_000)
    }

    /// Read both clocks: a wall clock that was set is noticed with the next turn of the wheel.
    pub fn turn(&self) -> Moment {
        let now = self.now();
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let wall_ns = u64::try_from(wall.as_nanos()).unwrap_or(u64::MAX);
        self.origin_wall_ns.set(wall_ns.saturating_sub(now.0));
        now
    }
}
