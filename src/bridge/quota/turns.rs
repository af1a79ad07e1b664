//! How long a core waits for others that are between two steps.

use crate::bridge::quota::meter::Pace;

/// Looks before a waiting core lets another thread have its processor: many times what a transfer
/// takes.
pub(super) const SPINS: u32 = 128;
/// Looks before a core gives up: some 50 ms, longer than a kernel keeps a thread that can run from
/// every processor. Beyond, a core that hangs must not hang the others.
const TURNS_MAX: u32 = 1 << 20;

/// The turns of one wait.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Turns(u32);

impl Turns {
    /// Another look has come to nothing: was it the last one?
    pub(super) const fn are_over(&mut self) -> bool {
        self.0 += 1;
        self.0 > TURNS_MAX
    }

    pub(super) fn wait(self, pace: &impl Pace) {
        pace.wait(self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::{TURNS_MAX, Turns};

    #[test]
    fn a_wait_is_over_after_so_many_turns_and_not_before() {
        let mut turns = Turns::default();

        let looks = std::iter::repeat_with(|| turns.are_over()).take_while(|over| !over).count();

        assert_eq!(looks, TURNS_MAX as usize);
    }
}
