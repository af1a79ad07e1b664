//! How many calls a target gets: at once (`concurrency`), and for one request (`hedge`).

use crate::{
    lexicon::ids::ModelId,
    manifest::{
        path::Path,
        read::{Document, describe},
        routing::{ConcurrencyConfig, HedgeConfig},
    },
    policy::route::{
        Concurrency,
        hedge::{After, EXTRA_PERCENT, Hedge},
    },
    snapshot::findings::Findings,
};
use std::collections::HashMap;

/// Caps by model, and the document that says each.
pub(super) type Caps = HashMap<ModelId, (Concurrency, Box<str>)>;

/// Calls at once, and requests that wait, of one target: more than a process has connections.
const CALLS_MAX: u32 = 100_000;
/// Clients do not wait longer for a turn.
const QUEUE_MS_MAX: u32 = 600_000;
/// How long a request waits for its turn where nothing is said: as long as most clients wait for
/// anything.
const QUEUE_MS: u32 = 10_000;
/// A second call this late is none.
const AFTER_MS_MAX: u32 = 600_000;

/// Note the cap of a target: one for a model, wherever it is written.
pub(super) fn cap(
    document: &Document,
    path: &Path,
    (model, written): (ModelId, &ConcurrencyConfig),
    caps: &mut Caps,
    findings: &mut Findings,
) {
    let queue_ms = written.queue_timeout_ms.unwrap_or(QUEUE_MS);
    let queue_max = written.queue.unwrap_or(0);
    for (key, value, range) in [
        ("max", written.max, 1..=CALLS_MAX),
        ("queue", queue_max, 0..=CALLS_MAX),
        ("queue_timeout_ms", queue_ms, 1..=QUEUE_MS_MAX),
    ] {
        if !range.contains(&value) {
            let path = path.key(key);
            let found = describe(&document.tree, &path);
            let wanted = format!("{} to {}", range.start(), range.end());
            findings.error(document, &path, found, wanted, "");
        }
    }
    if written.queue_timeout_ms.is_some() && queue_max == 0 {
        let path = path.key("queue_timeout_ms");
        let found = "a time to wait where nobody waits";
        findings.warn(document, &path, found, "queue beside it", "it does nothing here");
    }
    let cap = Concurrency { max: written.max, queue_max, queue_ms };
    match caps.get(&model) {
        Some((known, origin)) if *known != cap => {
            let found = format!("another cap than {origin} says");
            let hint = "it counts all calls to the model, whichever rule makes them";
            findings.error(document, path, found, "one cap for a model", hint);
        }
        Some(_) => {}
        None => {
            caps.insert(model, (cap, document.origin.as_str().into()));
        }
    }
}

/// A hedge as written.
pub(super) fn hedge(
    document: &Document,
    path: &Path,
    written: &HedgeConfig,
    findings: &mut Findings,
) -> Hedge {
    let extra = written.max_extra_percent.unwrap_or(EXTRA_PERCENT);
    if !(1..=100).contains(&extra) {
        let path = path.key("max_extra_percent");
        findings.error(document, &path, describe(&document.tree, &path), "1 to 100", "");
    }
    let extra_percent_max = u8::try_from(extra).unwrap_or(100);
    let after = match (written.after_ms, written.quantile) {
        (Some(millis), None) => {
            if !(1..=AFTER_MS_MAX).contains(&millis) {
                let path = path.key("after_ms");
                let found = describe(&document.tree, &path);
                findings.error(document, &path, found, format!("1 to {AFTER_MS_MAX}"), "");
            }
            After::Millis(millis)
        }
        (None, Some(quantile)) => {
            if !(0.5..=0.999).contains(&quantile) {
                let path = path.key("quantile");
                let found = describe(&document.tree, &path);
                findings.error(document, &path, found, "0.5 to 0.999", "");
            }
            After::Permille(permille(quantile))
        }
        _ => {
            let found = "after_ms and quantile, or neither";
            findings.error(document, path, found, "one of after_ms and quantile", "");
            After::Millis(AFTER_MS_MAX)
        }
    };
    Hedge { after, extra_percent_max }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "it is clamped to what fits"
)]
fn permille(quantile: f64) -> u16 {
    (quantile.clamp(0.0, 1.0) * 1_000.0).round() as u16
}
