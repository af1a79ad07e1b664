//! Which rule routes a request, to which targets, in which order; and which rules came too late.
//!
//! Health and chance are those of a gateway that has just started: everyone is well. What depends
//! on chance is told as a share.

use crate::{
    cli::explain::{Part, Request, aligned},
    policy::{
        condition::Facts,
        route::{
            self, Asked, Candidate, Concurrency, Identifier, Rule, Strategy,
            complexity::Tier,
            hedge::{After, Hedge},
            order::{self, Moment},
        },
    },
    snapshot::{Model, Routing, Snapshot},
};
use serde_json::{Value, json};
use std::fmt::Write as _;

pub(super) fn explain(request: &Request<'_>) -> Part {
    let Request { snapshot, subject, model, metadata, .. } = *request;
    let routing = snapshot.routing(subject, model, metadata);
    let Some(rule) = routing.rule else { return alone(request, &routing) };
    let facts = Facts { subject, absent: None, model, model_id: routing.model, metadata };
    let matching = snapshot.routes.index.matches(facts);
    let late: Vec<&str> =
        matching.map(|at| &*snapshot.routes.rules[at].id).filter(|id| **id != *rule.id).collect();
    let refused = refusal(request, &routing);
    let may_use =
        |candidate: &Candidate| routing.is_own || snapshot.allows(subject, candidate.model);
    let asked = Asked {
        subject,
        caller: snapshot.caller(subject).key,
        metadata,
        session: session(rule, request),
        tier: Tier::default(),
    };
    let moment = Moment { health: &[], node_ms: 1, wall_ms: 0, random: 0 };
    let plan = order::plan(rule, &asked, &moment, may_use);
    let ordered: Vec<&Candidate> = (0..plan.len()).filter_map(|at| plan.candidate(at)).collect();
    let left_out = rule.candidates.iter().filter(|it| !ordered.contains(it));
    let weights: u64 = ordered.iter().map(|it| u64::from(it.weight)).sum();

    let mut rows = Vec::new();
    let mut targets = Vec::new();
    for (place, candidate) in (1..).zip(&ordered) {
        let why = why(rule, candidate, weights, asked.session.is_some());
        let model = snapshot.model(candidate.model);
        let name = &*model.name;
        let terms = terms(candidate, model);
        rows.push(vec![format!("{place}"), name.to_owned(), format!("{why}{}", terms.words)]);
        targets.push(json!({"target": name, "why": why, "retries": candidate.retry.attempts,
            "hedge": terms.hedge, "concurrency": terms.concurrency}));
    }
    let mut excluded = Vec::new();
    for candidate in left_out {
        let name = &*snapshot.model(candidate.model).name;
        let why = if !may_use(candidate) {
            "the subject may not use it"
        } else if !candidate.metadata.iter().all(|tag| tag.holds(metadata)) {
            "its metadata_match does not hold"
        } else {
            "it takes no fallbacks"
        };
        rows.push(vec!["-".to_owned(), name.to_owned(), why.to_owned()]);
        excluded.push(json!({"target": name, "why": why}));
    }
    let order =
        if is_drawn(rule, asked.session.is_some()) { "drawn by weight" } else { "in order" };
    let mut table = format!("routing: rule {:?}, {}\n", rule.id, rule.strategy.label());
    let classifier = classifier(rule, snapshot);
    if let Some(name) = classifier {
        let _ = writeln!(table, "  {name} says the tier; shown is the order of a medium one");
    }
    if let Some(refused) = refused {
        let _ = writeln!(table, "  refused: {refused}");
    }
    table.push_str(&aligned(&rows));
    if !late.is_empty() {
        let _ = writeln!(table, "  matches too, and comes too late: {}", late.join(", "));
    }
    let json = json!({
        "rule": rule.id, "type": rule.strategy.label(), "order": order, "targets": targets,
        "left_out": excluded, "too_late": late, "refused": refused, "classifier": classifier,
    });
    Part { table, json }
}

/// No rule: the model itself.
fn alone(request: &Request<'_>, routing: &Routing<'_>) -> Part {
    let Request { snapshot, subject, model, .. } = *request;
    let refused = match routing.model {
        None => Some("there is no such model"),
        Some(id) if !snapshot.allows(subject, id) => Some("the subject may not use it"),
        Some(_) => None,
    };
    let retries = snapshot.routes.retry.map_or(0, |retry| retry.attempts);
    let table = match refused {
        Some(refused) => format!("routing: no rule matches, and {refused}\n"),
        None => format!("routing: no rule matches: {model} itself, {retries} retries\n"),
    };
    let targets = if refused.is_none() {
        json!([{"target": model, "why": "it was named", "retries": retries}])
    } else {
        json!([])
    };
    let json = json!({"rule": Value::Null, "targets": targets, "refused": refused});
    Part { table, json }
}

/// Why nobody is asked, although a rule matches.
fn refusal(request: &Request<'_>, routing: &Routing<'_>) -> Option<&'static str> {
    let Request { snapshot, subject, .. } = *request;
    let is_closed = routing.model.is_some_and(|id| !snapshot.allows(subject, id))
        || routing.virtual_model.is_some_and(|it| !snapshot.allows_virtual(subject, it));
    is_closed.then_some("the subject may not use the model that is named")
}

fn is_drawn(rule: &Rule, has_session: bool) -> bool {
    matches!(rule.strategy, Strategy::Weight { .. }) && !has_session
}

fn why(rule: &Rule, candidate: &Candidate, weights: u64, has_session: bool) -> String {
    match &rule.strategy {
        Strategy::Weight { .. } if has_session => "its session is there".to_owned(),
        Strategy::Weight { .. } => {
            let percent = (u64::from(candidate.weight) * 100).checked_div(weights);
            format!("weight {}, first of {} % of requests", candidate.weight, percent.unwrap_or(0))
        }
        Strategy::Latency => "the fastest of the last 20 minutes share".to_owned(),
        Strategy::Priority => format!("priority {}", candidate.priority),
        Strategy::Complexity { .. } => format!("tier {}", candidate.tier.label()),
    }
}

/// The model whose word on the request the rule wants.
fn classifier<'s>(rule: &Rule, snapshot: &'s Snapshot) -> Option<&'s str> {
    let Strategy::Complexity { classifier } = &rule.strategy else { return None };
    classifier.as_ref().map(|classifier| &*snapshot.model(classifier.model).name)
}

/// How many calls a target gets.
struct Terms {
    words: String,
    hedge: Value,
    concurrency: Value,
}

fn terms(candidate: &Candidate, model: &Model) -> Terms {
    let (mut words, mut hedged, mut capped) = (String::new(), Value::Null, Value::Null);
    if let Some(Hedge { after, extra_percent_max }) = candidate.hedge {
        let after = match after {
            After::Millis(millis) => format!("{millis} ms"),
            After::Permille(permille) => {
                format!("what {}.{} % of calls take", permille / 10, permille % 10)
            }
        };
        let _ = write!(words, "; a second call after {after}, {extra_percent_max} % at most");
        hedged = json!({"after": after, "max_extra_percent": extra_percent_max});
    }
    if let Some(Concurrency { max, queue_max, queue_ms }) = model.concurrency {
        let _ = write!(words, "; {max} calls at once, {queue_max} wait up to {queue_ms} ms");
        capped = json!({"max": max, "queue": queue_max, "queue_timeout_ms": queue_ms});
    }
    Terms { words, hedge: hedged, concurrency: capped }
}

fn session(rule: &Rule, request: &Request<'_>) -> Option<u64> {
    let Strategy::Weight { sticky: Some(sticky) } = &rule.strategy else { return None };
    let mut parts = sticky.identifiers.iter().map(|identifier| match identifier {
        Identifier::Header(name) => {
            let mut headers = request.headers.iter();
            let found = headers.find(|(key, _)| key.eq_ignore_ascii_case(name));
            found.map(|(_, value)| value.as_str())
        }
        Identifier::Metadata(key) => {
            request.metadata.iter().find(|(name, _)| *name == &**key).map(|(_, value)| *value)
        }
    });
    parts.try_fold(0, |session, value| Some(route::mix(session, route::hash(value?.as_bytes()))))
}
