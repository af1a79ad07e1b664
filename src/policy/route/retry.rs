//! Asking the same target again: on which statuses, how often, after how long.

/// Retries beyond this help nobody; an operator or a client who writes more is told so.
pub const ATTEMPTS_MAX: u32 = 10;
/// The longest delay that may be asked for.
pub const DELAY_MS_MAX: u32 = 60_000;
/// A vendor that says to come back later is believed up to here.
pub const RETRY_AFTER_MS_MAX: u64 = 30_000;
/// Where another target stands by, nobody waits longer than this for the same one.
pub const PATIENCE_MS: u64 = 2_000;

/// Statuses from 400 to 599.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Codes([u64; 4]);

/// When the same target is asked again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retry {
    /// After the first attempt.
    pub attempts: u8,
    pub delay_ms: u32,
    pub codes: Codes,
    /// The vendor's `retry-after` is obeyed.
    pub uses_retry_after: bool,
}

/// The statuses on which the same target is asked again, where nothing else is said.
/// **Source**: the reference, §8.4.
pub const RETRY_CODES: [u16; 4] = [429, 500, 502, 503];
/// The statuses on which the next target is asked, where nothing else is said.
/// **Source**: the reference, §8.4.
pub const FALLBACK_CODES: [u16; 7] = [401, 403, 404, 429, 500, 502, 503];

impl Default for Retry {
    fn default() -> Self {
        let codes = Codes::of(&RETRY_CODES);
        Self { attempts: 2, delay_ms: 100, codes, uses_retry_after: false }
    }
}

impl Retry {
    /// Never again.
    pub const NONE: Self =
        Self { attempts: 0, delay_ms: 0, codes: Codes([0; 4]), uses_retry_after: false };

    /// How long to wait: the delay and up to a quarter more, so that those who failed together do
    /// not come back together; or what the vendor said.
    #[must_use]
    pub fn wait_ms(&self, told_ms: Option<u64>, random: u64) -> u64 {
        let delay = u64::from(self.delay_ms);
        let told = told_ms.filter(|_| self.uses_retry_after).map(|ms| ms.min(RETRY_AFTER_MS_MAX));
        let base = told.unwrap_or(delay);
        base + random % (base.min(delay.max(40)) / 4 + 1)
    }
}

impl Codes {
    #[must_use]
    pub const fn of(statuses: &[u16]) -> Self {
        let mut codes = Self([0; 4]);
        let mut at = 0;
        while at < statuses.len() {
            codes = codes.with(statuses[at]);
            at += 1;
        }
        codes
    }

    /// One more; a status that is no error is none.
    #[must_use]
    pub const fn with(mut self, status: u16) -> Self {
        if let 400..=599 = status {
            let bit = (status - 400) as usize;
            self.0[bit / 64] |= 1 << (bit % 64);
        }
        self
    }

    /// Is this status meant? Anthropic's 529 is what others call 503, so 503 means both.
    #[must_use]
    pub const fn has(&self, status: u16) -> bool {
        match status {
            529 => self.bit(529) || self.bit(503),
            400..=599 => self.bit(status),
            _ => false,
        }
    }

    /// All of both.
    #[must_use]
    pub const fn or(self, other: Self) -> Self {
        let (one, two) = (self.0, other.0);
        Self([one[0] | two[0], one[1] | two[1], one[2] | two[2], one[3] | two[3]])
    }

    const fn bit(&self, status: u16) -> bool {
        let bit = (status - 400) as usize;
        self.0[bit / 64] >> (bit % 64) & 1 == 1
    }
}

#[cfg(test)]
mod tests {
    use super::{Codes, RETRY_AFTER_MS_MAX, Retry};

    #[test]
    fn an_overloaded_anthropic_is_a_503() {
        let codes = Codes::of(&[429, 503, 200]);
        for (status, expected) in
            [(429, true), (503, true), (529, true), (400, false), (200, false), (599, false)]
        {
            assert_eq!(codes.has(status), expected, "{status}");
        }
        assert!(!Codes::of(&[529]).has(503));
    }

    #[test]
    fn a_wait_is_never_shorter_than_was_said_and_spread_a_little() {
        let retry = Retry::default();
        let waits: Vec<u64> = (0..1_000).map(|random| retry.wait_ms(None, random)).collect();
        assert!(waits.iter().all(|wait| (100..=125).contains(wait)));
        assert!(waits.iter().any(|wait| *wait > 110));
        assert!((100..=125).contains(&retry.wait_ms(Some(3_000), 7)), "nobody asked to obey it");
        let obeys = Retry { uses_retry_after: true, ..retry };
        assert!((3_000..=3_025).contains(&obeys.wait_ms(Some(3_000), 9)));
        assert!(obeys.wait_ms(Some(u64::MAX), 9) <= RETRY_AFTER_MS_MAX + 25);
    }
}
