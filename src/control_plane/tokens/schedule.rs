//! When a token is fetched: ahead of its expiry, and again after a failure.

use crate::{lexicon::time::UnixMillis, provider::auth::Minted};

/// A token that ends within this time is no longer sent: it must outlive the way to the vendor.
const MARGIN_MS: u64 = 1_000;
/// The least share of a life after which a token is renewed: AWS and Google hand out the same token
/// again while much of it is left.
const RENEW_PERCENT: u64 = 70;
/// By how much of a life this is spread.
const SPREAD_PERCENT: u64 = 10;
/// The first wait after a failure; each further one is twice as long.
const RETRY_MS: u64 = 1_000;
/// The longest: a cloud that is back is noticed within a minute.
const RETRY_MS_MAX: u64 = 60_000;
/// The least wait between two fetches, for tokens that hardly live.
const PAUSE_MS_MIN: u64 = 200;

/// When one token is fetched next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Schedule {
    due: UnixMillis,
    /// When that was decided.
    since: UnixMillis,
    failures: u32,
}

impl Schedule {
    #[must_use]
    pub fn due(&self) -> UnixMillis {
        self.due
    }

    /// Is it due? Where the clock was set back since that was decided, nobody knows how long ago
    /// that was: then it is.
    #[must_use]
    pub fn is_due(&self, now: UnixMillis) -> bool {
        self.due <= now || now < self.since
    }

    /// After 70 to 80 percent of what is left of its life.
    pub fn succeeded(&mut self, minted: &Minted, now: UnixMillis, dice: u64) {
        let life_ms = minted.expires.0.saturating_sub(now.0);
        let share = RENEW_PERCENT * 100 + dice % (SPREAD_PERCENT * 100);
        self.failures = 0;
        self.since = now;
        self.due = UnixMillis(now.0 + (life_ms * share / 10_000).max(PAUSE_MS_MIN));
    }

    /// After half a second to a second, doubled with each failure in a row, up to a minute.
    pub fn failed(&mut self, now: UnixMillis, dice: u64) {
        let wait_ms = (RETRY_MS << self.failures.min(6)).min(RETRY_MS_MAX);
        self.failures = self.failures.saturating_add(1);
        self.since = now;
        self.due = UnixMillis(now.0 + wait_ms / 2 + dice % (wait_ms / 2));
    }
}

/// The last moment at which it is sent.
#[must_use]
pub fn end(minted: &Minted) -> UnixMillis {
    UnixMillis(minted.expires.0.saturating_sub(MARGIN_MS))
}

/// May it still be sent?
#[must_use]
pub fn works(minted: &Minted, now: UnixMillis) -> bool {
    now < end(minted)
}

#[cfg(test)]
mod tests {
    use super::{RETRY_MS_MAX, Schedule, works};
    use crate::{
        lexicon::{secret::Secret, time::UnixMillis},
        provider::{auth::Minted, head::Credential},
    };

    const NOW: UnixMillis = UnixMillis(1_700_000_000_000);
    const HOUR_MS: u64 = 3_600_000;

    fn minted() -> Minted {
        let credential = Credential::Bearer(Secret::new("t"));
        Minted { credential, expires: UnixMillis(NOW.0 + HOUR_MS) }
    }

    #[test]
    fn a_token_is_renewed_ahead_of_its_expiry_and_never_by_all_at_once() {
        let due = |dice| {
            let mut schedule = Schedule::default();
            assert!(schedule.is_due(UnixMillis(0)), "what is new is due at once");
            schedule.succeeded(&minted(), NOW, dice);
            schedule.due().0 - NOW.0
        };

        assert_eq!(due(0), HOUR_MS * 70 / 100);
        assert!(due(999) < HOUR_MS * 80 / 100 && due(999) > due(0));
    }

    #[test]
    fn a_fetch_that_fails_is_tried_again_ever_more_slowly_until_it_succeeds() {
        let mut schedule = Schedule::default();
        let mut waits = Vec::new();

        for _ in 0..10 {
            schedule.failed(NOW, 0);
            waits.push(schedule.due().0 - NOW.0);
        }
        schedule.succeeded(&minted(), NOW, 0);
        schedule.failed(NOW, u64::MAX);

        assert_eq!(waits[..4], [500, 1_000, 2_000, 4_000]);
        assert_eq!(waits[9], RETRY_MS_MAX / 2);
        assert!(schedule.due().0 - NOW.0 < 1_000, "a success forgives the failures before it");
    }

    #[test]
    fn fault_51_a_clock_that_is_set_back_makes_it_due_at_once() {
        let mut schedule = Schedule::default();
        schedule.failed(NOW, 0);
        assert!(!schedule.is_due(NOW));
        assert!(schedule.is_due(UnixMillis(NOW.0 - HOUR_MS)));
        schedule.succeeded(&minted(), NOW, 0);
        assert!(!schedule.is_due(UnixMillis(NOW.0 + 1)));
        assert!(schedule.is_due(UnixMillis(NOW.0 - 1)));
    }

    #[test]
    fn a_token_is_not_sent_in_its_last_moments() {
        assert!(works(&minted(), NOW));
        assert!(works(&minted(), UnixMillis(NOW.0 + HOUR_MS - 1_001)));
        assert!(!works(&minted(), UnixMillis(NOW.0 + HOUR_MS - 1_000)));
    }
}
