//! Credentials: references resolved, raw keys tolerated.

use crate::{
    lexicon::secret::Secret,
    manifest::{
        path::Path,
        read::Document,
        secret_ref::{SCHEME, SecretRef},
    },
    provider::auth::{Credentials, surroundings::Surroundings},
    snapshot::findings::Findings,
};
use std::collections::{HashMap, HashSet};

/// What the secrets' keepers gave, and what they may have lost since.
pub(super) struct Vault<'a> {
    pub(super) resolved: &'a HashMap<SecretRef, Secret>,
    pub(super) known: &'a HashSet<SecretRef>,
    /// Tokens that were fetched and still work.
    pub(super) tokens: &'a Credentials,
    pub(super) surroundings: &'a Surroundings,
}

/// What became of a credential.
pub(super) enum Resolved {
    Secret(Secret),
    /// It was there once: whoever needs it must do without, the rest goes on.
    Lost,
    /// A problem has been recorded.
    Bad,
}

impl Vault<'_> {
    /// The credential that is written at `path`.
    pub(super) fn open(
        &self,
        findings: &mut Findings,
        document: &Document,
        path: &Path,
        written: &str,
    ) -> Resolved {
        if written.is_empty() {
            findings.error(document, path, "an empty credential", "tfy-secret://…", "");
            return Resolved::Bad;
        }
        if !written.starts_with(SCHEME) {
            let hint = "a key in a file is a key in every copy of that file";
            findings.warn(document, path, "a raw key", "tfy-secret://TENANT:GROUP:KEY", hint);
            return Resolved::Secret(Secret::new(written));
        }
        self.open_reference(findings, document, path, written)
    }

    /// The text at `path`, which may be a reference and need not be a secret.
    pub(super) fn open_text(
        &self,
        findings: &mut Findings,
        document: &Document,
        path: &Path,
        written: &str,
    ) -> Resolved {
        if written.starts_with(SCHEME) {
            return self.open_reference(findings, document, path, written);
        }
        Resolved::Secret(Secret::new(written))
    }

    fn open_reference(
        &self,
        findings: &mut Findings,
        document: &Document,
        path: &Path,
        written: &str,
    ) -> Resolved {
        let Ok(name) = written.parse::<SecretRef>() else {
            let wanted = "tfy-secret://TENANT:GROUP:KEY";
            findings.error(document, path, "a malformed secret reference", wanted, "");
            return Resolved::Bad;
        };
        if let Some(secret) = self.resolved.get(&name) {
            if secret.expose().is_empty() {
                findings.error(document, path, "an empty secret", "its text", name.to_string());
                return Resolved::Bad;
            }
            return Resolved::Secret(secret.clone());
        }
        let (found, wanted) =
            (format!("{name}, which cannot be read"), "a secret that can be read");
        if self.known.contains(&name) {
            let hint = "what needs it is refused until it is back";
            findings.warn(document, path, found, wanted, hint);
            return Resolved::Lost;
        }
        let hint =
            format!("a file {}/{} in the secrets folder, or ${}", name.group, name.key, name.key);
        findings.error(document, path, found, wanted, hint);
        Resolved::Bad
    }
}
