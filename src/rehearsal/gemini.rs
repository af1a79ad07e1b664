//! `/models/MODEL:generateContent`: the vendor speaks Google's language too.
//!
//! What it insists on is what the API documents: a key in `x-goog-api-key` or a token, contents
//! with parts, user first, known members only, results behind their calls by name, and of the
//! models that think by level (`think` in the name) the proof of each first call. The words `tool`,
//! `parallel`, `think`, `blocked` and `unavailable` (midway in a stream) bend the answer.
//! **Source**: ai.google.dev/api/generate-content, read 2026-11-21.

use super::{
    endpoint::Ask,
    frame::{self, Event},
    incoming::Request,
    odd,
    script::Step,
    tool,
    words::{self, Dice},
};
use serde_json::{Value, json};

/// What proves a thought; it is not to be lost on a round trip.
const SIGNATURE: &str = "cmVoZWFyc2FsK3Byb29mLw==";

/// The model in a path, if the path is one of this API's.
pub(super) fn model(path: &str) -> Option<&str> {
    let (_, rest) = path.split('?').next()?.rsplit_once("/models/")?;
    let (model, method) = rest.rsplit_once(':')?;
    matches!(method, "generateContent" | "streamGenerateContent" | "countTokens").then_some(model)
}

pub(super) fn is_streaming(path: &str) -> bool {
    path.contains(":streamGenerateContent")
}

pub(super) fn answer(request: &Request, ask: &Ask) -> Vec<Step> {
    if let Some(status) = ask.tricks.error_status() {
        return vec![refuse(status, &format!("The vendor says {status}."))];
    }
    if let Err(why) = insist(request, ask) {
        return vec![refuse(400, &why)];
    }
    let prompt = words::pieces(&ask.body["contents"].to_string()).len();
    if request.path.contains(":countTokens") {
        return vec![frame::json(200, &[], &json!({"totalTokens": prompt}))];
    }
    if ask.tricks.has("blocked") {
        let feedback = json!({"blockReason": "SAFETY"});
        let reply = json!({"promptFeedback": feedback, "modelVersion": ask.model,
            "usageMetadata": {"promptTokenCount": prompt, "totalTokenCount": prompt}});
        let event = || vec![Event::Data(reply.clone())];
        let is_event = ask.is_streaming;
        let whole = || vec![frame::json(200, &[], &reply)];
        return if is_event { odd::stream(ask, event()) } else { whole() };
    }
    let parts = parts(ask);
    if ask.is_streaming {
        if !request.path.contains("alt=sse") {
            return vec![refuse(400, "This vendor streams events only.")];
        }
        return odd::stream(ask, stream(ask, &parts));
    }
    let mut reply = reply(ask, &parts, &parts);
    reply["candidates"][0]["finishReason"] = "STOP".into();
    vec![frame::json(200, &[], &reply)]
}

fn refuse(status: u16, message: &str) -> Step {
    let word = match status {
        401 => "UNAUTHENTICATED",
        403 => "PERMISSION_DENIED",
        404 => "NOT_FOUND",
        429 => "RESOURCE_EXHAUSTED",
        503 => "UNAVAILABLE",
        500.. => "INTERNAL",
        _ => "INVALID_ARGUMENT",
    };
    let retry = json!({"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "6.2s"});
    let details = if status == 429 { json!([retry]) } else { json!([]) };
    let error = json!({"code": status, "message": message, "status": word, "details": details});
    frame::json(status, &[], &json!({"error": error}))
}

/// What Google answers 400 to.
fn insist(request: &Request, ask: &Ask) -> Result<(), String> {
    let bearer = request.header("authorization").is_some_and(|it| it.starts_with("Bearer ya29."));
    if request.header("x-goog-api-key").is_none() && !bearer {
        return Err("Method doesn't allow unregistered callers".into());
    }
    let known = [
        "contents",
        "systemInstruction",
        "tools",
        "toolConfig",
        "generationConfig",
        "safetySettings",
        "cachedContent",
        "labels",
    ];
    let members = ask.body.as_object().ok_or("Root element must be a message.")?;
    if let Some(name) = members.keys().find(|name| !known.contains(&&***name)) {
        return Err(format!("Invalid JSON payload received. Unknown name {name:?}"));
    }
    let thinking = &ask.body["generationConfig"]["thinkingConfig"];
    if thinking.get("thinkingBudget").is_some() && thinking.get("thinkingLevel").is_some() {
        return Err("You can only set only one of thinking budget and thinking level.".into());
    }
    let contents = ask.body["contents"].as_array().filter(|all| !all.is_empty());
    let contents = contents.ok_or("contents is not specified")?;
    let mut asked = Vec::new();
    for (index, content) in contents.iter().enumerate() {
        asked = insist_on_content(content, &asked, ask).map_err(|why| format!("{index}: {why}"))?;
    }
    Ok(())
}

/// One content, where `asked` are the functions called before it; those that it calls.
fn insist_on_content<'c>(
    content: &'c Value,
    asked: &[&str],
    ask: &Ask,
) -> Result<Vec<&'c str>, String> {
    let role = content["role"].as_str().unwrap_or_default();
    if role != "user" && role != "model" {
        return Err("Please use a valid role: user, model.".into());
    }
    let parts = content["parts"].as_array().filter(|parts| !parts.is_empty());
    let parts = parts.ok_or("contents.parts must not be empty.")?;
    let answered: Vec<&str> =
        parts.iter().filter_map(|part| part["functionResponse"]["name"].as_str()).collect();
    if answered.len() != asked.len() || !answered.iter().all(|name| asked.contains(name)) {
        return Err("the number of function response parts is not that of call parts".into());
    }
    let are_objects = parts.iter().all(|part| {
        part["functionResponse"].get("response").is_none_or(Value::is_object)
            && part["functionCall"].get("args").is_none_or(Value::is_object)
    });
    if !are_objects {
        return Err("Struct expected".into());
    }
    let mut calls = parts.iter().filter(|part| part.get("functionCall").is_some());
    let first = calls.next();
    if let Some(first) = first.filter(|_| ask.tricks.has("think"))
        && first["thoughtSignature"] != SIGNATURE
    {
        return Err("Function call is missing a thought_signature in functionCall parts.".into());
    }
    let calls = first.into_iter().chain(calls);
    Ok(calls.filter_map(|part| part["functionCall"]["name"].as_str()).collect())
}

/// The parts of the answer.
fn parts(ask: &Ask) -> Vec<Value> {
    let contents = ask.body["contents"].as_array().map_or(&[][..], Vec::as_slice);
    let texts = |content: &Value| -> String {
        let parts = content["parts"].as_array().map_or(&[][..], Vec::as_slice);
        parts.iter().filter_map(|part| part["text"].as_str()).collect()
    };
    let topic = contents.iter().rev().map(texts).find(|text| !text.is_empty()).unwrap_or_default();
    let config = &ask.body["generationConfig"];
    let mut parts = Vec::new();
    let thinking = &config["thinkingConfig"];
    if thinking["includeThoughts"] == true || thinking["include_thoughts"] == true {
        parts.push(json!({"text": "Let me think about that.", "thought": true}));
    }
    let calls = calls(ask, contents, &topic);
    if calls.is_empty() {
        let text = match schema(config, ["responseJsonSchema", "responseSchema"]) {
            Some(schema) => tool::fill(&schema, &topic).to_string(),
            None if ask.tricks.has("pong") => "PONG".to_owned(),
            None => words::answer(&topic, &mut Dice::new(ask.seed)),
        };
        parts.push(json!({"text": text}));
    }
    parts.extend(calls);
    if ask.tricks.has("think")
        && let Some(last) = parts.iter_mut().find(|part| part.get("thought").is_none())
    {
        last["thoughtSignature"] = SIGNATURE.into();
    }
    parts
}

/// A schema in either of Google's kinds; its own writes types in capitals.
fn schema(object: &Value, [json, own]: [&str; 2]) -> Option<Value> {
    fn lower(value: &Value) -> Value {
        match value {
            Value::Object(members) => members
                .iter()
                .map(|(key, value)| match value.as_str().filter(|_| key == "type") {
                    Some(word) => (key.clone(), word.to_ascii_lowercase().into()),
                    None => (key.clone(), lower(value)),
                })
                .collect(),
            Value::Array(items) => items.iter().map(lower).collect(),
            other => other.clone(),
        }
    }
    // Google takes names in snake case too, and its own SDK writes one so.
    let snake = (json == "parametersJsonSchema").then(|| object.get("parameters_json_schema"));
    let json = object.get(json).or(snake.flatten());
    json.cloned().or_else(|| object.get(own).map(lower))
}

/// Tools are called where the model's name or the mode wants it, and their results are not there.
fn calls(ask: &Ask, contents: &[Value], topic: &str) -> Vec<Value> {
    let tools = ask.body["tools"].as_array().map_or(&[][..], Vec::as_slice);
    let functions = tools.iter().filter_map(|tool| tool["functionDeclarations"].as_array());
    let functions: Vec<&Value> = functions.flatten().collect();
    let last = contents.last().and_then(|content| content["parts"].as_array());
    let is_answered =
        last.is_some_and(|parts| parts.iter().any(|part| part.get("functionResponse").is_some()));
    let config = &ask.body["toolConfig"]["functionCallingConfig"];
    let mode = config["mode"].as_str().unwrap_or("AUTO");
    if is_answered || mode == "NONE" || mode != "ANY" && !ask.tricks.has("tool") {
        return Vec::new();
    }
    let allowed = config["allowedFunctionNames"].as_array();
    let is_allowed = |one: &&&Value| allowed.is_none_or(|names| names.contains(&one["name"]));
    let count = if ask.tricks.has("parallel") { 2 } else { 1 };
    let call = |function: &&Value| {
        let parameters = schema(function, ["parametersJsonSchema", "parameters"]);
        let args = tool::fill(&parameters.unwrap_or_default(), topic);
        json!({"functionCall": {"name": function["name"], "args": args}})
    };
    functions.iter().filter(is_allowed).take(count).map(call).collect()
}

/// An answer with these parts; its tokens are those of `all`. A part of the prompt was cached, and
/// thoughts are counted apart.
fn reply(ask: &Ask, parts: &[Value], all: &[Value]) -> Value {
    let prompt = words::pieces(&ask.body["contents"].to_string()).len() + 11;
    let spoken: usize = all.iter().map(|part| words::pieces(&part.to_string()).len()).sum();
    let thoughts = if ask.tricks.has("think") { 5 } else { 0 };
    json!({
        "candidates": [{"content": {"parts": parts, "role": "model"}, "index": 0}],
        "usageMetadata": {"promptTokenCount": prompt, "cachedContentTokenCount": 11,
            "candidatesTokenCount": spoken, "thoughtsTokenCount": thoughts,
            "totalTokenCount": prompt + spoken + thoughts},
        "modelVersion": ask.model, "responseId": format!("resp-{:016x}", ask.seed),
    })
}

/// Text comes in pieces, a signature of words behind them in a part without a word, as from Google.
fn stream(ask: &Ask, parts: &[Value]) -> Vec<Event> {
    let mut pieces: Vec<Value> = Vec::new();
    for part in parts {
        let Some(text) = part["text"].as_str() else {
            pieces.push(part.clone());
            continue;
        };
        for piece in odd::pieces(ask, text) {
            let mut told = part.clone();
            told["text"] = piece.into();
            if let Some(all) = told.as_object_mut() {
                all.remove("thoughtSignature");
            }
            pieces.push(told);
        }
        if let Some(signature) = part.get("thoughtSignature") {
            pieces.push(json!({"text": "", "thoughtSignature": signature}));
        }
    }
    let mut events = Vec::new();
    for (index, piece) in pieces.iter().enumerate() {
        if index == 2 && ask.tricks.has("unavailable") {
            let error = json!({"code": 503, "message": "Overloaded.", "status": "UNAVAILABLE"});
            events.push(Event::Data(json!({"error": error})));
            return events;
        }
        let mut event = reply(ask, std::slice::from_ref(piece), &pieces[..=index]);
        if index + 1 == pieces.len() {
            event["candidates"][0]["finishReason"] = "STOP".into();
        }
        events.push(Event::Data(event));
    }
    events
}
