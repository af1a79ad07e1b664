//! The one place of a core that reads clocks.

use crate::lexicon::time::{Moment, UnixMillis};
use std::time::{SystemTime, UNIX_EPOCH};

/// A core's clocks.
pub struct Clock {
    monotonic: quanta::Clock,
    origin: quanta::Instant,
}

impl Clock {
    pub fn new() -> Self {
        let monotonic = quanta::Clock::new();
        let origin = monotonic.now();
        Self { monotonic, origin }
    }

    /// **Cost**: about 20 ns.
    pub fn now(&self) -> Moment {
        let elapsed = self.monotonic.now().duration_since(self.origin);
        Moment(u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX))
    }

    #[expect(clippy::unused_self, reason = "the wall clock is the core's too")]
    pub fn wall(&self) -> UnixMillis {
        let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        UnixMillis(u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX))
    }
}
