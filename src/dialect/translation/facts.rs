//! What a stream said of itself.

use crate::dialect::pivot::usage::Usage;

/// What a stream said of itself so far.
#[expect(clippy::struct_excessive_bools, reason = "facts seen, independent of each other")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    pub usage: Usage,
    /// Each answer that has begun has finished.
    pub has_finished: bool,
    /// It is complete by its dialect's own word.
    pub is_done: bool,
    pub has_failed: bool,
    /// Something was said after a finish: another choice goes on.
    pub goes_on: bool,
    /// Words, thoughts and pieces of calls so far.
    pub contents: u32,
    /// Answers that have begun, of those that were asked for.
    pub choices: u32,
    /// Those of them that have finished, a bit each; the last stands for all beyond.
    finished: u64,
}

impl Facts {
    /// Something was said in this answer.
    pub fn say(&mut self, choice: u32) {
        self.contents = self.contents.saturating_add(1);
        if choice >= self.choices {
            self.choices = choice.saturating_add(1);
            self.has_finished = false;
        }
    }

    /// This answer has finished.
    pub fn finish(&mut self, choice: u32) {
        self.finished |= 1 << choice.min(u64::BITS - 1);
        self.has_finished = self.finished.count_ones() >= self.choices.min(u64::BITS);
    }
}
