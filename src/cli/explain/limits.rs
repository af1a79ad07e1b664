//! Which rate limits a request matches, and which of them holds.

use crate::{
    cli::explain::{Part, Request, aligned},
    lexicon::meter::{PAST_BUCKETS, Window},
    policy::limit::{Counts, Limit},
};
use serde_json::json;

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
        rows.push(vec![limit.id.to_string(), words(limit), why.to_owned()]);
        rules.push(json!({"rule": limit.id, "limit": words(limit), "holds": is_first, "why": why}));
    }
    let table = if rows.is_empty() {
        "limits: none\n".to_owned()
    } else {
        format!("limits:\n{}", aligned(&rows))
    };
    Part { table, json: json!(rules) }
}

fn words(limit: &Limit) -> String {
    let counts = match limit.counts {
        Counts::Requests => "requests",
        Counts::Tokens => "tokens",
        Counts::Cost => "nanodollars",
    };
    let period = match limit.window {
        Window::Whole => "period",
        Window::Sliding { bucket_ms } => match u64::from(bucket_ms) * PAST_BUCKETS {
            60_000 => "minute",
            3_600_000 => "hour",
            _ => "day",
        },
    };
    format!("{} {counts} per {period}", limit.limit_to)
}
