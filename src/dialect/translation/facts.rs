//! What a stream said of itself.

use crate::dialect::pivot::usage::Usage;

/// What a stream said of itself so far.
#[expect(clippy::struct_excessive_bools, reason = "facts seen, independent of each other")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    pub usage: Usage,
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
}
