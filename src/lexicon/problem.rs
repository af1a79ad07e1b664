//! Why a document cannot be obeyed.

/// How bad it is: an error refuses the whole change, a warning is said and obeyed around.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    Error,
    Warning,
}

/// One thing wrong with what operators wrote. Never holds a secret's text.
///
/// **Shape**: printed as
/// `models.yaml#2:14: error: integrations[0].url: found 7, wanted a URL (hint)`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    pub severity: Severity,
    /// File name, and `#N` (from 1) where the file holds several documents.
    pub document: String,
    /// Line in that file, from 1; 0 when it concerns the file as a whole.
    pub line: u32,
    /// Where in the document, e.g. `integrations[0].auth_data.type`; empty for all of it.
    pub path: String,
    pub found: String,
    pub wanted: String,
    /// What to do about it; empty when `wanted` says it all.
    pub hint: String,
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let severity = match self.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        write!(f, "{}:{}: {severity}: ", self.document, self.line)?;
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        write!(f, "found {}, wanted {}", self.found, self.wanted)?;
        if !self.hint.is_empty() {
            write!(f, " ({})", self.hint)?;
        }
        Ok(())
    }
}
