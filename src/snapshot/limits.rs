//! Rate limits: `gateway-rate-limiting-config`, compiled.

use crate::{
    lexicon::meter::{MeterKey, SLIDING_UNITS_MAX, Window},
    manifest::{
        limit::{RateLimitRule, RateLimitUnit},
        path::Path,
        read::{Document, Manifest, describe},
    },
    policy::{
        condition::Condition,
        limit::{Counts, ENTITIES_MAX, Entity, Limit},
    },
    snapshot::{
        conditions, findings::Findings, people::People, places::Places, reach::Reach,
        routes::covers,
    },
};
use std::{collections::HashMap, fmt::Write as _};

/// The limits of all documents, in their order, each with when it holds.
pub(super) fn of(
    documents: &[Document],
    people: &mut People,
    (places, reach): (&Places, &Reach),
    findings: &mut Findings,
) -> Vec<(Condition, Limit)> {
    let mut limits: Vec<(Condition, Limit)> = Vec::new();
    let mut first: HashMap<&str, &Document> = HashMap::new();
    for document in documents {
        let Manifest::RateLimitingConfig(config) = &document.manifest else { continue };
        for (index, rule) in config.rules.iter().enumerate() {
            let path = Path::top().key("rules").index(index);
            if let Some(first) = first.insert(&rule.id, document) {
                findings.twice(document, &path.key("id"), &first.origin, "");
            }
            let when = path.key("when");
            let condition =
                conditions::of(document, &when, rule.when.as_ref(), people, places, findings);
            reach.warn(document, &when, &condition, places, findings);
            let limit = limit(document, &path, rule, findings);
            let mut earlier = limits.iter();
            let cover = earlier.find(|(it, before)| {
                covers(it, &condition) && leaves_none(&before.applies_per, &limit.applies_per)
            });
            if let Some((_, before)) = cover {
                let found =
                    format!("a rule behind {:?}, which matches all that it does", before.id);
                let hint = "the first rule that matches is the only one: put this one before it";
                findings.warn(document, &path, found, "a rule that can be reached", hint);
            }
            limits.push((condition, limit));
        }
    }
    limits
}

/// Does a rule told apart by the first have a meter for every request that one told apart by the
/// second has one for?
pub(super) fn leaves_none(first: &[Entity], second: &[Entity]) -> bool {
    first.iter().all(|entity| *entity == Entity::Model || second.contains(entity))
}

fn limit(document: &Document, path: &Path, rule: &RateLimitRule, findings: &mut Findings) -> Limit {
    if rule.id.is_empty() || rule.id.contains(char::is_control) {
        let path = path.key("id");
        let found = describe(&document.tree, &path);
        findings.error(document, &path, found, "a name for the rule", "clients are told it");
    }
    if rule.limit_to > SLIDING_UNITS_MAX {
        let path = path.key("limit_to");
        let wanted = format!("at most {SLIDING_UNITS_MAX}");
        findings.error(document, &path, describe(&document.tree, &path), wanted, "");
    }
    let per = path.key("rate_limit_applies_per");
    let written = rule.rate_limit_applies_per.as_deref().unwrap_or_default();
    if written.len() > ENTITIES_MAX {
        let found = format!("{} of them", written.len());
        findings.error(document, &per, found, format!("at most {ENTITIES_MAX}"), "");
    }
    let mut applies_per = Vec::new();
    for (index, text) in written.iter().enumerate() {
        let path = per.index(index);
        match entity(text) {
            Some(entity) if applies_per.contains(&entity) => {
                findings.twice(document, &path, &document.origin, "");
            }
            Some(entity) => applies_per.push(entity),
            None => {
                let wanted = "user, virtualaccount, model or metadata.KEY";
                findings.error(document, &path, describe(&document.tree, &path), wanted, "");
            }
        }
    }
    let (counts, bucket_ms, unit) = unit(rule.unit);
    let mut texts = vec!["rate-limit", &rule.id, unit];
    texts.extend(written.iter().map(String::as_str));
    Limit {
        id: rule.id.as_str().into(),
        applied: applied(&rule.id).into(),
        key: MeterKey::of(&texts),
        counts,
        window: Window::Sliding { bucket_ms },
        limit_to: rule.limit_to,
        is_strict: rule.strict.unwrap_or(false) && counts == Counts::Tokens,
        applies_per: applies_per.into(),
    }
}

fn applied(id: &str) -> String {
    format!("{{\"rateLimit\":{{\"ruleId\":{}}}}}", quoted_in_ascii(id))
}

/// A JSON string.
pub(super) fn quoted_in_ascii(text: &str) -> String {
    ascii(&serde_json::Value::from(text).to_string())
}

/// JSON for a header's value: what is not ASCII is escaped.
pub(super) fn ascii(json: &str) -> String {
    let mut ascii = String::with_capacity(json.len());
    for character in json.chars() {
        if character.is_ascii() {
            ascii.push(character);
            continue;
        }
        for unit in character.encode_utf16(&mut [0; 2]) {
            let _ = write!(ascii, "\\u{unit:04x}");
        }
    }
    ascii
}

/// What a rule is told apart by, as written.
pub(super) fn entity(text: &str) -> Option<Entity> {
    match text {
        "user" => Some(Entity::User),
        "virtualaccount" | "virtual-account" => Some(Entity::VirtualAccount),
        "model" => Some(Entity::Model),
        _ => {
            let key = text.strip_prefix("metadata.").filter(|key| !key.is_empty())?;
            Some(Entity::Metadata(key.into()))
        }
    }
}

/// What is counted, a twelfth of its period, and its name in keys.
const fn unit(unit: RateLimitUnit) -> (Counts, u32, &'static str) {
    match unit {
        RateLimitUnit::RequestsPerMinute => (Counts::Requests, 5_000, "requests_per_minute"),
        RateLimitUnit::RequestsPerHour => (Counts::Requests, 300_000, "requests_per_hour"),
        RateLimitUnit::RequestsPerDay => (Counts::Requests, 7_200_000, "requests_per_day"),
        RateLimitUnit::TokensPerMinute => (Counts::Tokens, 5_000, "tokens_per_minute"),
        RateLimitUnit::TokensPerHour => (Counts::Tokens, 300_000, "tokens_per_hour"),
        RateLimitUnit::TokensPerDay => (Counts::Tokens, 7_200_000, "tokens_per_day"),
    }
}
