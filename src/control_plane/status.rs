//! What the publisher can be asked: what is in force, and why the last change is not.

use crate::lexicon::{
    problem::{Problem, Severity},
    time::UnixMillis,
};
use parking_lot::Mutex;
use serde::Serialize;

/// The state of the configuration; written by the publisher, read by anyone.
#[derive(Debug)]
pub struct ConfigStatus(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    report: ConfigReport,
    /// Why the last change of the certificates was refused.
    certificates: Vec<ProblemReport>,
}

/// One look at it.
///
/// **Shape**: the body of `GET /api/svc/v1/config/problems`.
#[derive(Clone, Debug, Default, Serialize)]
pub struct ConfigReport {
    /// Of the snapshot in force.
    pub version: u64,
    /// Unix milliseconds at which it was taken.
    pub loaded_at_ms: u64,
    /// Changes that took effect, the first one counted.
    pub loads_total: u64,
    /// Changes that were refused.
    pub failures_total: u64,
    /// Why the last change, of the configuration or of certificates, was refused; empty when
    /// nothing is.
    pub problems: Vec<ProblemReport>,
    /// What is said and obeyed around in the snapshot in force.
    pub warnings: Vec<ProblemReport>,
}

/// A problem as JSON.
#[derive(Clone, Debug, Serialize)]
pub struct ProblemReport {
    pub severity: &'static str,
    pub document: String,
    pub line: u32,
    pub path: String,
    pub found: String,
    pub wanted: String,
    pub hint: String,
    /// All of it in one line.
    pub text: String,
}

impl ConfigStatus {
    /// The first snapshot is in force.
    #[must_use]
    pub fn new(version: u64, now: UnixMillis, warnings: &[Problem]) -> Self {
        let status = Self(Mutex::default());
        status.loaded(version, now, warnings);
        status
    }

    #[must_use]
    pub fn report(&self) -> ConfigReport {
        let state = self.0.lock();
        let mut report = state.report.clone();
        report.problems.extend_from_slice(&state.certificates);
        report
    }

    pub(super) fn loaded(&self, version: u64, now: UnixMillis, warnings: &[Problem]) {
        let report = &mut self.0.lock().report;
        report.version = version;
        report.loaded_at_ms = now.0;
        report.loads_total += 1;
        report.problems.clear();
        report.warnings = warnings.iter().map(ProblemReport::of).collect();
    }

    /// The same configuration, with other tokens.
    pub(super) fn renewed(&self, version: u64) {
        self.0.lock().report.version = version;
    }

    pub(super) fn refused(&self, problems: &[Problem]) {
        let report = &mut self.0.lock().report;
        report.failures_total += 1;
        report.problems = problems.iter().map(ProblemReport::of).collect();
    }

    /// The certificates in the files are those in force.
    pub(super) fn certificates_loaded(&self) {
        self.0.lock().certificates.clear();
    }

    pub(super) fn certificates_refused(&self, problems: &[Problem]) {
        let mut state = self.0.lock();
        state.report.failures_total += 1;
        state.certificates = problems.iter().map(ProblemReport::of).collect();
    }

    /// What was refused has been taken back: what is written is what is in force.
    pub(super) fn unchanged(&self) {
        self.0.lock().report.problems.clear();
    }
}

impl ProblemReport {
    fn of(problem: &Problem) -> Self {
        Self {
            severity: match problem.severity {
                Severity::Error => "error",
                Severity::Warning => "warning",
            },
            document: problem.document.clone(),
            line: problem.line,
            path: problem.path.clone(),
            found: problem.found.clone(),
            wanted: problem.wanted.clone(),
            hint: problem.hint.clone(),
            text: problem.to_string(),
        }
    }
}
