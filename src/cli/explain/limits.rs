//! Which rate limits a request matches, which of them holds, and what is left of it.

use crate::{
    cli::explain::{Part, Request, aligned, left_of},
    policy::limit::Limit,
};
use serde_json::{Value, json};

pub(super) fn explain(request: &Request<'_>) -> Part {
    let Request { snapshot, subject, model, metadata, .. } = *request;
    let matter = snapshot.matter(subject, model, metadata);
    let entities = matter.entities;
    let matching = snapshot.limits.index.matches(matter.facts);
    let mut holds = false;
    let (mut rows, mut rules) = (Vec::new(), Vec::new());
    for limit in matching.map(|at| &snapshot.limits.limits[at]) {
        let has_entities = entities.meter(limit.key, &limit.applies_per).is_some();
        let is_first = has_entities && !holds;
        holds |= is_first;
        let why = match (is_first, has_entities) {
            (true, _) => "holds",
            (false, true) => "comes too late",
            (false, false) => "does not match: the request lacks what it is told apart by",
        };
        let standing = request.standing.filter(|_| has_entities).and_then(|it| of(it, &limit.id));
        rows.push(vec![
            limit.id.to_string(),
            words(limit),
            left_of(standing, ToString::to_string),
            why.to_owned(),
        ]);
        rules.push(json!({"rule": limit.id, "limit": words(limit), "holds": is_first, "why": why,
            "strict": limit.is_strict, "used": standing.map(|it| &it["used"]),
            "left": standing.map(|it| &it["left"])}));
    }
    let table = if rows.is_empty() {
        "limits: none\n".to_owned()
    } else {
        format!("limits:\n{}", aligned(&rows))
    };
    Part { table, json: json!(rules) }
}

/// What is known of one rule.
fn of<'v>(standing: &'v Value, id: &str) -> Option<&'v Value> {
    standing["limits"].as_array()?.iter().find(|limit| limit["id"] == id)
}

fn words(limit: &Limit) -> String {
    format!("{} {} per {}", limit.limit_to, limit.counts.label(), limit.window.label())
}
