//! The targets of a rule, compiled.

use crate::{
    lexicon::{health::TARGETS_MAX, ids::ModelId, secret::Secret},
    manifest::{
        path::Path,
        read::{Document, describe},
        routing::{HeadersOverride, RetryConfig, RouteTarget, SlaCutoff, TierName, WrittenStatus},
    },
    policy::{
        condition::{Names, Tag},
        route::{
            self, CANDIDATES_MAX, Candidate, Changes, Cutoff, Strategy,
            complexity::Tier,
            retry::{ATTEMPTS_MAX, Codes, DELAY_MS_MAX, FALLBACK_CODES, Retry},
        },
    },
    provider::head,
    snapshot::{
        call, concurrency, findings::Findings, limits::ascii, places::Places, routes::Draught,
    },
};
use std::collections::HashMap;

/// Keys of a body that choose the target or the shape of its answer: not a target's to change.
const FIXED_PARAMS: &[&str] = &["model", "stream", "stream_options"];

/// The targets as written, and where.
pub(super) struct List<'a> {
    pub(super) document: &'a Document,
    pub(super) path: Path,
    pub(super) targets: &'a [RouteTarget],
    /// Of a virtual model: weights sum to 100.
    pub(super) is_virtual: bool,
}

/// The candidates of a rule.
pub(super) fn of(
    list: &List<'_>,
    strategy: &Strategy,
    places: &Places,
    draught: &mut Draught,
    findings: &mut Findings,
) -> Box<[Candidate]> {
    let document = list.document;
    if list.targets.is_empty() || list.targets.len() > CANDIDATES_MAX {
        let found = format!("{} of them", list.targets.len());
        findings.error(document, &list.path, found, format!("1 to {CANDIDATES_MAX} targets"), "");
    }
    let mut known: HashMap<ModelId, u64> = HashMap::new();
    let mut candidates = Vec::with_capacity(list.targets.len());
    for (index, target) in list.targets.iter().enumerate() {
        let path = list.path.index(index);
        check_strategy(document, &path, target, strategy, findings);
        let Some(model) = model(document, &path, target, places, findings) else { continue };
        let times = known.entry(model).and_modify(|times| *times += 1).or_insert(0);
        if *times > 0 && matches!(strategy, Strategy::Complexity { .. }) {
            let hint = "a model has one tier";
            findings.twice(document, &path.key(key_of(document, &path)), &document.origin, hint);
        }
        let key = route::mix(route::hash(target.target.as_bytes()), *times);
        let place = draught.place(model);
        if usize::from(place) == TARGETS_MAX {
            let found = format!("target number {} of all rules", TARGETS_MAX + 1);
            let hint = "how they fare is watched, and there is room for so many";
            findings.error(document, &path, found, format!("at most {TARGETS_MAX}"), hint);
        }
        if let Some(written) = &target.concurrency {
            let path = path.key("concurrency");
            concurrency::cap(document, &path, (model, written), &mut draught.caps, findings);
        }
        candidates.push(candidate(document, &path, target, (model, key, place), findings));
    }
    check_weights(list, strategy, findings);
    check_fallbacks(list, strategy, findings);
    candidates.into()
}

fn candidate(
    document: &Document,
    path: &Path,
    target: &RouteTarget,
    (model, key, place): (ModelId, u64, u16),
    findings: &mut Findings,
) -> Candidate {
    let retry = target.retry_config.as_ref();
    let falls_back = target.fallback_status_codes.as_ref();
    let at = path.key("fallback_status_codes");
    let told = serde_json::Value::from(target.target.as_str()).to_string();
    Candidate {
        model,
        place,
        key,
        weight: target.weight.unwrap_or_default(),
        priority: target.priority.unwrap_or_default(),
        cutoff: target.sla_cutoff.map(cutoff).unwrap_or_default(),
        tier: match target.tier {
            Some(TierName::Simple) => Tier::Simple,
            Some(TierName::Medium) | None => Tier::Medium,
            Some(TierName::Complex) => Tier::Complex,
        },
        retry: retry.map_or_else(Retry::default, |written| {
            self::retry(document, &path.key("retry_config"), written, findings)
        }),
        hedge: target
            .hedge
            .as_ref()
            .map(|written| concurrency::hedge(document, &path.key("hedge"), written, findings)),
        falls_back_on: falls_back
            .map_or(Codes::of(&FALLBACK_CODES), |written| codes(document, &at, written, findings)),
        takes_fallback: target.fallback_candidate.unwrap_or(true),
        metadata: target.metadata_match.iter().flatten().map(tag).collect(),
        changes: changes(document, path, target, findings),
        told: ascii(&told).into(),
    }
}

fn tag((key, value): (&String, &String)) -> Tag {
    let values = Names { within: Some([value.as_str().into()].into()), ..Names::default() };
    Tag { key: key.as_str().into(), values }
}

fn cutoff(written: SlaCutoff) -> Cutoff {
    let micros = |millis: Option<u32>| millis.map(|millis| u64::from(millis) * 1_000);
    Cutoff {
        token_us: micros(written.time_per_output_token_ms),
        first_us: micros(written.time_to_first_token_ms),
    }
}

/// Which of its two names the target is written under.
fn key_of(document: &Document, path: &Path) -> &'static str {
    if document.tree.at(&path.key("target")).is_some() { "target" } else { "model" }
}

/// The model that a target names: one of the catalogue.
fn model(
    document: &Document,
    path: &Path,
    target: &RouteTarget,
    places: &Places,
    findings: &mut Findings,
) -> Option<ModelId> {
    let name = target.target.as_str();
    let found = places.names.get(name).copied();
    if found.is_none() {
        let path = path.key(key_of(document, path));
        let hint = if places.other_names.contains(name) {
            "that name stands for other models: a target is asked itself"
        } else {
            "no account has it"
        };
        let found = describe(&document.tree, &path);
        findings.error(document, &path, found, "a model: ACCOUNT/MODEL", hint);
    }
    found
}

/// What the strategy needs is there, and what it does not read is said to do nothing.
fn check_strategy(
    document: &Document,
    path: &Path,
    target: &RouteTarget,
    strategy: &Strategy,
    findings: &mut Findings,
) {
    let is_weight = matches!(strategy, Strategy::Weight { .. });
    let is_priority = *strategy == Strategy::Priority;
    let is_complexity = matches!(strategy, Strategy::Complexity { .. });
    for (key, is_there, is_read, is_needed) in [
        ("weight", target.weight.is_some(), is_weight, true),
        ("priority", target.priority.is_some(), is_priority, false),
        ("sla_cutoff", target.sla_cutoff.is_some(), is_priority, false),
        ("tier", target.tier.is_some(), is_complexity, true),
    ] {
        if is_read && is_needed && !is_there {
            findings.error(document, &path.key(key), "nothing", "this key", "");
        } else if is_there && !is_read {
            let found = format!("a key that {} does not read", strategy.label());
            let hint = "it does nothing here";
            findings.warn(document, &path.key(key), found, "no such key", hint);
        }
    }
}

fn check_weights(list: &List<'_>, strategy: &Strategy, findings: &mut Findings) {
    if !matches!(strategy, Strategy::Weight { .. }) || list.targets.is_empty() {
        return;
    }
    let weights = list.targets.iter().filter_map(|target| target.weight).map(u64::from);
    let sum: u64 = weights.sum();
    let (document, path) = (list.document, &list.path);
    let found = format!("weights that sum to {sum}");
    if list.is_virtual && sum != 100 {
        findings.error(document, path, found, "weights that sum to 100", "");
    } else if sum == 0 {
        findings.error(document, path, found, "one weight at least that is not 0", "");
    }
}

/// A list of statuses to fall back on where nobody takes the fallback, and a target that can never
/// be asked.
fn check_fallbacks(list: &List<'_>, strategy: &Strategy, findings: &mut Findings) {
    let takes = |target: &RouteTarget| target.fallback_candidate.unwrap_or(true);
    let first = list.targets.iter().map(|it| it.priority.unwrap_or_default()).min();
    for (index, target) in list.targets.iter().enumerate() {
        let path = list.path.index(index);
        let mut others = list.targets.iter().enumerate().filter(|(at, _)| *at != index);
        if target.fallback_status_codes.is_some() && !others.any(|(_, it)| takes(it)) {
            let found = "fallback_status_codes where no other target takes fallbacks";
            let wanted = "another target with fallback_candidate: true";
            let path = path.key("fallback_status_codes");
            findings.warn(list.document, &path, found, wanted, "the list can never apply");
        }
        let is_behind = target.priority.unwrap_or_default() > first.unwrap_or_default();
        if *strategy == Strategy::Priority && is_behind && !takes(target) {
            let found = "a target behind others that takes no fallbacks";
            let hint = "it is asked only while those before it fail";
            let path = path.key("fallback_candidate");
            findings.warn(list.document, &path, found, "fallback_candidate: true", hint);
        }
    }
}

/// A retry configuration as written, of a target or of the whole gateway.
pub(super) fn retry(
    document: &Document,
    path: &Path,
    written: &RetryConfig,
    findings: &mut Findings,
) -> Retry {
    let usual = Retry::default();
    let delay_ms = written.delay.unwrap_or(usual.delay_ms);
    for (key, value, most) in
        [("attempts", written.attempts, ATTEMPTS_MAX), ("delay", delay_ms, DELAY_MS_MAX)]
    {
        if value > most {
            let path = path.key(key);
            let found = describe(&document.tree, &path);
            findings.error(document, &path, found, format!("at most {most}"), "");
        }
    }
    let on = written.on_status_codes.as_ref();
    let at = path.key("on_status_codes");
    Retry {
        attempts: u8::try_from(written.attempts).unwrap_or(u8::MAX),
        delay_ms,
        codes: on.map_or(usual.codes, |written| codes(document, &at, written, findings)),
        uses_retry_after: false,
    }
}

fn codes(
    document: &Document,
    path: &Path,
    written: &[WrittenStatus],
    findings: &mut Findings,
) -> Codes {
    let mut codes = Codes::default();
    for (index, text) in written.iter().enumerate() {
        if let Ok(status @ 400..=599) = text.0.parse::<u16>() {
            codes = codes.with(status);
        } else {
            let path = path.index(index);
            let found = describe(&document.tree, &path);
            let wanted = "the status of an error: 400 to 599";
            findings.error(document, &path, found, wanted, "");
        }
    }
    codes
}

/// What is said differently to one target.
fn changes(
    document: &Document,
    path: &Path,
    target: &RouteTarget,
    findings: &mut Findings,
) -> Changes {
    let at = path.key("override_params");
    let mut params = Vec::new();
    for (key, value) in target.override_params.iter().flatten() {
        let path = at.key(key);
        if key == "prompt_version_fqn" {
            let hint = "this build has no prompts yet";
            findings.error(document, &path, "a prompt's version", "parameters", hint);
        } else if FIXED_PARAMS.contains(&key.as_str()) {
            let found = format!("{key:?}, which is not a target's to change");
            findings.error(document, &path, found, "parameters such as temperature", "");
        }
        params.push((key.as_str().into(), value.to_string().into()));
    }
    let headers = target.headers_override.as_ref();
    let headers = headers.map(|it| header_changes(document, path, it, findings));
    let (headers_removed, header_lines) = headers.unwrap_or_default();
    Changes { params: params.into(), headers_removed, header_lines }
}

fn header_changes(
    document: &Document,
    path: &Path,
    written: &HeadersOverride,
    findings: &mut Findings,
) -> (Box<[Box<str>]>, Box<str>) {
    let path = path.key("headers_override");
    let (mut removed, mut lines) = (Vec::<Box<str>>::new(), String::new());
    for (name, text) in written.set.iter().flatten() {
        let path = path.key("set").key(name);
        let value = Secret::new(text.as_str());
        if text.starts_with("tfy-secret://") {
            let hint = "credentials belong to the account";
            findings.error(document, &path, "a secret", "text", hint);
        } else if let Err(bad) = head::check(name, &value) {
            call::refuse(document, &path, bad, findings);
        }
        let name = name.to_ascii_lowercase();
        lines.extend([name.as_str(), ": ", text, "\r\n"]);
        removed.push(name.into());
    }
    for (index, name) in written.remove.iter().flatten().enumerate() {
        if let Err(bad) = head::check(name, &Secret::new("")) {
            call::refuse(document, &path.key("remove").index(index), bad, findings);
        }
        removed.push(name.to_ascii_lowercase().into());
    }
    (removed.into(), lines.into())
}
