//! What is found while compiling.

use crate::{
    lexicon::problem::{Problem, Severity},
    manifest::{
        path::Path,
        read::{Document, describe},
    },
};
use std::collections::BTreeSet;

/// The problems so far.
#[derive(Default)]
pub(super) struct Findings {
    pub(super) problems: Vec<Problem>,
    /// What stands at an account is met once for each of its models.
    seen: BTreeSet<Problem>,
}

impl Findings {
    pub(super) fn error(
        &mut self,
        document: &Document,
        path: &Path,
        found: impl Into<String>,
        wanted: impl Into<String>,
        hint: impl Into<String>,
    ) {
        self.add(document, path, document.problem(Severity::Error, path, found, wanted, hint));
    }

    pub(super) fn warn(
        &mut self,
        document: &Document,
        path: &Path,
        found: impl Into<String>,
        wanted: impl Into<String>,
        hint: impl Into<String>,
    ) {
        self.add(document, path, document.problem(Severity::Warning, path, found, wanted, hint));
    }

    /// The second of two things that may exist once.
    pub(super) fn twice(&mut self, document: &Document, path: &Path, first: &str, hint: &str) {
        let found = format!("{} a second time", describe(&document.tree, path));
        self.error(document, path, found, format!("it once (first in {first})"), hint);
    }

    /// A placeholder stands where the reader has already found fault: not a second time.
    fn add(&mut self, document: &Document, path: &Path, problem: Problem) {
        if !document.is_repaired(path) && self.seen.insert(problem.clone()) {
            self.problems.push(problem);
        }
    }
}
