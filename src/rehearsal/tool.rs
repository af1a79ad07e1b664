//! Tool calls, and documents that follow a schema.

use super::{endpoint::Ask, words};
use serde_json::{Map, Value, json};

/// One call the vendor wants made.
pub(super) struct Call {
    index: usize,
    name: String,
    /// JSON text.
    pub arguments: String,
}

impl Call {
    fn id(&self) -> String {
        format!("call_{}_{:06x}", self.index, words::seed_of(&self.name) & 0xff_ffff)
    }

    pub fn whole(&self) -> Value {
        json!({"id": self.id(), "type": "function",
            "function": {"name": self.name, "arguments": self.arguments}})
    }
}

/// The calls that answer this request: none unless it offers tools and something asks for one.
pub(super) fn calls(ask: &Ask, messages: &[Value], topic: &str) -> Vec<Call> {
    let tools = ask.body["tools"].as_array().map_or(&[][..], Vec::as_slice);
    let is_answered = messages.last().is_some_and(|message| message["role"] == "tool");
    let choice = &ask.body["tool_choice"];
    if tools.is_empty() || is_answered || choice == "none" {
        return Vec::new();
    }
    let chosen = choice["function"]["name"].as_str();
    let topic = topic.to_lowercase();
    let is_named = |tool: &Value| {
        let name = tool["function"]["name"].as_str().unwrap_or_default();
        let is_spoken_of = |word: &str| word.len() > 3 && topic.contains(word);
        chosen.map_or_else(
            || name.to_lowercase().split('_').any(is_spoken_of),
            |chosen| chosen == name,
        )
    };
    let is_forced = ask.tricks.has("tool") || ask.tricks.has("parallel") || choice == "required";
    let mut found: Vec<&Value> = tools.iter().filter(|tool| is_named(tool)).collect();
    if found.is_empty() && is_forced {
        found.push(&tools[0]);
    }
    found.truncate(1);
    if ask.tricks.has("parallel") {
        found = vec![found[0], tools.last().unwrap_or(found[0])];
    }
    let call = |(index, tool): (usize, &Value)| Call {
        index,
        name: tool["function"]["name"].as_str().unwrap_or("unnamed").to_owned(),
        arguments: fill(&tool["function"]["parameters"], &topic).to_string(),
    };
    found.into_iter().enumerate().map(call).collect()
}

/// The deltas of a stream: each call's name first, then its arguments in pieces, calls interleaved.
pub(super) fn deltas(ask: &Ask, calls: &[Call]) -> Vec<Value> {
    let mut deltas = Vec::new();
    for call in calls {
        let mut first = json!({"index": call.index, "id": call.id(), "type": "function",
            "function": {"name": call.name, "arguments": ""}});
        if ask.tricks.has("notype") {
            first.as_object_mut().expect("made as an object").remove("type");
        }
        deltas.push(first);
    }
    let pieces: Vec<Vec<&str>> = calls.iter().map(|call| words::pieces(&call.arguments)).collect();
    let longest = pieces.iter().map(Vec::len).max().unwrap_or_default();
    for round in 0..longest {
        for (call, pieces) in calls.iter().zip(&pieces) {
            let Some(piece) = pieces.get(round) else { continue };
            deltas.push(if ask.tricks.has("nulls") {
                json!({"index": call.index, "id": null, "type": null,
                    "function": {"name": null, "arguments": piece}})
            } else {
                json!({"index": call.index, "function": {"arguments": piece}})
            });
        }
    }
    deltas
}

/// The text of an answer in JSON mode; `None` where plain text was asked for.
pub(super) fn document(ask: &Ask, topic: &str) -> Option<String> {
    let format = &ask.body["response_format"];
    match format["type"].as_str()? {
        "json_object" => Some(json!({"topic": topic, "answer": "It depends."}).to_string()),
        "json_schema" => Some(fill(&format["json_schema"]["schema"], topic).to_string()),
        _ => None,
    }
}

/// A value that a schema allows, for the plain schemas that tools have.
pub(super) fn fill(schema: &Value, topic: &str) -> Value {
    if let Some(first) = schema["enum"].as_array().and_then(|values| values.first()) {
        return first.clone();
    }
    match schema["type"].as_str() {
        Some("string") => topic.split_whitespace().last().unwrap_or("Paris").into(),
        Some("integer") => 7.into(),
        Some("number") => 21.5.into(),
        Some("boolean") => true.into(),
        Some("array") => json!([fill(&schema["items"], topic)]),
        _ => {
            let properties = schema["properties"].as_object();
            let filled = properties.into_iter().flatten().map(|(name, schema)| {
                let value = fill(schema, topic);
                (name.clone(), value)
            });
            Value::Object(filled.collect::<Map<_, _>>())
        }
    }
}
