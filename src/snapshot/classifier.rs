//! Who says how hard a request is, where a model is asked.

use crate::{
    lexicon::operation::Operation,
    manifest::{
        path::Path,
        read::{Document, describe},
        routing::{
            ClassificationFallback, ClassificationFallbackKind, ClassificationStrategy,
            Classifier as Written, TierName,
        },
    },
    policy::route::{Classifier, complexity::Tier},
    snapshot::{findings::Findings, places::Places},
};

/// How long a classifier may take where nothing is said.
/// **Source**: the reference, §8.3.
const TIMEOUT_MS: u32 = 2_000;
/// A request that waits longer to be routed is late whoever answers it.
const TIMEOUT_MS_MAX: u32 = 60_000;

/// The model that is asked; none where the heuristic says it.
pub(super) fn of(
    document: &Document,
    path: &Path,
    written: &ClassificationStrategy,
    places: &Places,
    findings: &mut Findings,
) -> Option<Classifier> {
    if written.kind == Written::Heuristic {
        for (key, is_there) in [
            ("model", written.model.is_some()),
            ("timeout_ms", written.timeout_ms.is_some()),
            ("fallback_strategy", written.fallback_strategy.is_some()),
        ] {
            if is_there {
                let wanted = "type: llm-classifier beside it";
                findings.warn(document, &path.key(key), key, wanted, "it does nothing here");
            }
        }
        return None;
    }
    let timeout_ms = written.timeout_ms.unwrap_or(TIMEOUT_MS);
    if !(1..=TIMEOUT_MS_MAX).contains(&timeout_ms) {
        let path = path.key("timeout_ms");
        let found = describe(&document.tree, &path);
        findings.error(document, &path, found, format!("1 to {TIMEOUT_MS_MAX}"), "");
    }
    let at = path.key("fallback_strategy");
    let mut fallback = None;
    if let Some(written) = written.fallback_strategy {
        fallback = fallback_of(document, &at, written, findings);
    } else {
        findings.error(document, &at, "nothing", "this key", "e.g. {type: heuristic}");
    }
    let at = path.key("model");
    let Some(name) = &written.model else {
        findings.error(document, &at, "nothing", "this key", "the model that is asked");
        return None;
    };
    let Some(model) = places.names.get(name.as_str()).copied() else {
        let hint = if places.other_names.contains(name.as_str()) {
            "that name stands for other models: a classifier is asked itself"
        } else {
            "no account has it"
        };
        let found = describe(&document.tree, &at);
        findings.error(document, &at, found, "a model: ACCOUNT/MODEL", hint);
        return None;
    };
    if !places.models[model.0 as usize].types.serves(Operation::ChatCompletions) {
        let found = describe(&document.tree, &at);
        findings.error(document, &at, found, "a model for chats", "");
    }
    Some(Classifier { model, timeout_ms, fallback })
}

/// The tier that counts where the model says none; none is the heuristic's.
fn fallback_of(
    document: &Document,
    path: &Path,
    written: ClassificationFallback,
    findings: &mut Findings,
) -> Option<Tier> {
    let path = path.key("default_tier");
    match (written.kind, written.default_tier) {
        (ClassificationFallbackKind::Static, Some(tier)) => Some(match tier {
            TierName::Simple => Tier::Simple,
            TierName::Medium => Tier::Medium,
            TierName::Complex => Tier::Complex,
        }),
        (ClassificationFallbackKind::Static, None) => {
            findings.error(document, &path, "nothing", "this key", "simple, medium or complex");
            None
        }
        (ClassificationFallbackKind::Heuristic, Some(_)) => {
            let wanted = "type: static beside it";
            findings.warn(document, &path, "default_tier", wanted, "it does nothing here");
            None
        }
        (ClassificationFallbackKind::Heuristic, None) => None,
    }
}
