//! Which answer a request gets: the paths, and the order in which scripts are asked.

use super::{
    Shared, bedrock,
    canned::Language,
    chat, cohere, completion, embedding,
    frame::{error, json},
    gemini,
    incoming::Request,
    messages, odd, responses,
    script::{Pace, Step},
    trick::Tricks,
    words,
};
use serde_json::{Value, json};
use std::{
    collections::HashMap,
    sync::{Arc, PoisonError},
};

/// How many streams a vendor under load remembers; scenarios have a few.
const COMPOSED_MAX: usize = 64;

/// What the vendor remembers of earlier requests.
#[derive(Default)]
pub(super) struct Counts {
    /// How often each model was asked.
    asked: HashMap<String, u64>,
    /// Under load: the answers to bodies that asked for a stream, by path and body.
    composed: HashMap<(String, Vec<u8>), Arc<[Step]>>,
}

/// One request of a model, read.
pub(super) struct Ask<'a> {
    pub model: &'a str,
    pub body: &'a Value,
    pub tricks: Tricks<'a>,
    pub is_streaming: bool,
    pub pace: Pace,
    /// How often this model was asked before.
    pub times_asked: u64,
    /// How often this connection was used before.
    pub connection_uses: u64,
    /// The same for the same body.
    pub seed: u64,
}

/// The steps that answer `request`.
pub(super) fn answer(
    request: &Request,
    connection_uses: u64,
    shared: &Shared,
    counts: &mut Counts,
) -> Vec<Step> {
    if let Some(name) = request.header("x-rehearsal-raw") {
        return raw(name, shared);
    }
    let path = request.path.split('?').next().unwrap_or_default();
    if let Some(canned) = shared.canned.as_ref().filter(|_| request.method == "POST") {
        if let Some(language) = Language::of(&request.path, &request.body) {
            return vec![Step::Send(canned.answer(language).clone())];
        }
        return composed(path, request, connection_uses, shared, counts);
    }
    compose(path, request, connection_uses, shared, counts)
}

/// The answer to the same request before, for composing one is dear.
fn composed(
    path: &str,
    request: &Request,
    connection_uses: u64,
    shared: &Shared,
    counts: &mut Counts,
) -> Vec<Step> {
    let key = (path.to_owned(), request.body.clone());
    if let Some(steps) = counts.composed.get(&key) {
        return steps.to_vec();
    }
    let steps = compose(path, request, connection_uses, shared, counts);
    if counts.composed.len() < COMPOSED_MAX {
        counts.composed.insert(key, steps.clone().into());
    }
    steps
}

fn compose(
    path: &str,
    request: &Request,
    connection_uses: u64,
    shared: &Shared,
    counts: &mut Counts,
) -> Vec<Step> {
    match (request.method.as_str(), path) {
        ("GET", "/rehearsal/log") => return vec![log(shared)],
        ("GET", path) if path.ends_with("/models") => return vec![models()],
        ("POST", path) if is_known(path) => {}
        (method, path) if path.contains("/responses/") => return responses::stored(method, path),
        (_, path) if is_known(path) || path.ends_with("/models") => {
            let wrong = error("invalid_request_error", None, "Not with this method.");
            return vec![json(405, &[("allow", "POST")], &wrong)];
        }
        _ => {
            let wrong = error("invalid_request_error", Some("unknown_url"), "No such URL.");
            return vec![json(404, &[], &wrong)];
        }
    }
    let Ok(body) = serde_json::from_slice::<Value>(&request.body) else {
        let wrong = error("invalid_request_error", None, "We could not parse your JSON body.");
        return vec![json(400, &[], &wrong)];
    };
    let of_bedrock = bedrock::asked(path);
    let in_path = gemini::model(path).or_else(|| claude_of_vertex(path));
    let decoded = in_path.map(|model| model.replace("%3A", ":").replace("%40", "@"));
    let decoded = decoded.or_else(|| of_bedrock.as_ref().map(|(model, _)| model.clone()));
    let model = decoded.as_deref().or(body["model"].as_str()).unwrap_or_default();
    if let Some(name) = model.strip_prefix("raw:") {
        return raw(name, shared);
    }
    let asked = counts.asked.entry(model.to_owned()).or_default();
    *asked += 1;
    let ask = Ask {
        model,
        body: &body,
        tricks: Tricks::of(model),
        is_streaming: of_bedrock.as_ref().is_some_and(|(_, is_streaming)| *is_streaming)
            || body["stream"].as_bool().unwrap_or_default()
            || gemini::is_streaming(path),
        pace: shared.script.pace,
        times_asked: *asked - 1,
        connection_uses,
        seed: seed_of(&body),
    };
    if of_bedrock.is_some() {
        return bedrock::answer(request, &ask);
    }
    if path.contains("/responses") {
        return responses::answer(request, &ask);
    }
    if path.contains("/messages") || claude_of_vertex(path).is_some() {
        return messages::answer(request, &ask);
    }
    if gemini::model(path).is_some() {
        return gemini::answer(request, &ask);
    }
    if path.ends_with("/chat") {
        return cohere::answer(request, &ask);
    }
    by_path(path, &ask)
}

/// The same for the same conversation.
fn seed_of(body: &Value) -> u64 {
    let said = ["messages", "contents", "input"].into_iter().filter_map(|name| body.get(name));
    said.fold(0, |seed, said| seed ^ words::seed_of(&said.to_string()))
}

fn by_path(path: &str, ask: &Ask) -> Vec<Step> {
    if let Some(steps) = odd::instead(ask) {
        return steps;
    }
    let steps = if path.ends_with("/chat/completions") {
        chat::answer(ask)
    } else if path.ends_with("/completions") {
        completion::answer(ask)
    } else {
        vec![embedding::answer(ask)]
    };
    odd::around(ask, steps)
}

fn is_known(path: &str) -> bool {
    [
        "/completions",
        "/embeddings",
        "/messages",
        "/messages/count_tokens",
        "/chat",
        "/responses",
        "/responses/compact",
    ]
    .iter()
    .any(|known| path.ends_with(known))
        || bedrock::asked(path).is_some()
        || gemini::model(path).is_some()
        || claude_of_vertex(path).is_some()
}

/// The model in a path by which Vertex is asked for a Claude.
fn claude_of_vertex(path: &str) -> Option<&str> {
    let (_, rest) = path.rsplit_once("/publishers/anthropic/models/")?;
    let (model, method) = rest.rsplit_once(':')?;
    matches!(method, "rawPredict" | "streamRawPredict").then_some(model)
}

fn raw(name: &str, shared: &Shared) -> Vec<Step> {
    let raws = shared.raws.lock().unwrap_or_else(PoisonError::into_inner);
    let steps: Option<Arc<[Step]>> = raws.get(name).cloned();
    drop(raws);
    steps.map_or_else(
        || {
            let message = format!("No bytes were registered as {name:?}.");
            vec![json(404, &[], &error("not_found_error", Some("unknown_raw"), &message))]
        },
        |steps| steps.to_vec(),
    )
}

/// What was seen, for clients that are no part of this process; looking is not itself noted.
fn log(shared: &Shared) -> Step {
    let seen = shared.log.all();
    let asked = seen.iter().filter(|seen| !seen.path.starts_with("/rehearsal/"));
    let list: Vec<Value> = asked
        .map(|seen| {
            json!({"method": seen.method, "path": seen.path, "answered": seen.answered.is_some(),
                "abandoned": seen.was_abandoned()})
        })
        .collect();
    json(200, &[], &list.into())
}

fn models() -> Step {
    let one =
        |id: &str| json!({"id": id, "object": "model", "created": 1, "owned_by": "rehearsal"});
    let list = ["rehearsal-small", "rehearsal-tool", "rehearsal-embed"].map(one);
    json(200, &[], &json!({"object": "list", "data": list}))
}
