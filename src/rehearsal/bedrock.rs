//! `/model/ID/converse` and `/model/ID/converse-stream`: the vendor speaks Bedrock's language too,
//! and is as particular as Bedrock is. At `/model/ID/invoke` and
//! `/model/ID/invoke-with-response-stream` it speaks Anthropic's in Bedrock's frames.
//!
//! What it insists on is what the API documents: a key or a signature, known fields, turns that
//! alternate and begin with the user's, no blank words, results for every call, the tools of every
//! call. `think` in a model's name makes it think, `throttled` makes a stream fail midway, `early`
//! before its first word, `guarded` is stopped by a guardrail.
//! **Source**: docs.aws.amazon.com/bedrock/latest/APIReference, Converse and `ConverseStream`;
//! smithy.io/2.0/aws/amazon-eventstream.html; read 2026-11-21.

use super::{
    chat,
    endpoint::Ask,
    frame::{self, Event},
    incoming::Request,
    messages, odd,
    script::Step,
    tool,
    words::{self, Dice},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

/// What proves the thinking; it is not to be lost on a round trip.
const SIGNATURE: &str = "c2lnbmVkIGJ5IHRoZSByZWhlYXJzYWw=";

/// The paths behind a model, and whether an answer is streamed there.
const ENDS: [(&str, bool); 5] = [
    ("/converse", false),
    ("/converse-stream", true),
    ("/count-tokens", false),
    ("/invoke", false),
    ("/invoke-with-response-stream", true),
];

/// The model in the middle of a path, and whether its answer is streamed.
pub(super) fn asked(path: &str) -> Option<(String, bool)> {
    let (_, rest) = path.split_once("/model/")?;
    let mut found =
        ENDS.iter().filter_map(|(end, streams)| Some((rest.strip_suffix(end)?, *streams)));
    found.next().map(|(name, is_streaming)| (decode(name), is_streaming))
}

fn decode(name: &str) -> String {
    let mut parts = name.split('%');
    let mut decoded = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (digits, rest) = part.split_at_checked(2).unwrap_or((part, ""));
        decoded.push(u8::from_str_radix(digits, 16).map_or('%', char::from));
        decoded.push_str(rest);
    }
    decoded
}

pub(super) fn answer(request: &Request, ask: &Ask) -> Vec<Step> {
    if let Some(status) = ask.tricks.error_status() {
        return vec![refuse(status, &format!("The vendor says {status}."))];
    }
    if !is_proven(request) {
        return vec![refuse(403, "Missing Authentication Token")];
    }
    let path = request.path.split('?').next().unwrap_or_default();
    if path.contains("/invoke") {
        return invoke(ask);
    }
    if path.ends_with("/count-tokens") {
        let counted = words::pieces(&ask.body["input"].to_string()).len();
        return vec![frame::json(200, &[], &json!({"inputTokens": counted}))];
    }
    if let Err(why) = insist(ask.body) {
        return vec![refuse(400, &why)];
    }
    let blocks = blocks(ask);
    if ask.is_streaming {
        return odd::stream(ask, stream(ask, &blocks));
    }
    let content: Vec<Value> = blocks.iter().map(whole).collect();
    let reply = json!({
        "metrics": {"latencyMs": 12},
        "output": {"message": {"role": "assistant", "content": content}},
        "stopReason": stop_reason(ask, &blocks),
        "usage": usage(ask, &blocks),
    });
    vec![frame::json(200, &[("x-amzn-requestid", &chat::request_id(ask))], &reply)]
}

/// Anthropic's words, as Bedrock takes and frames them.
fn invoke(ask: &Ask) -> Vec<Step> {
    if ask.body["anthropic_version"] != "bedrock-2023-05-31" {
        return vec![refuse(400, "anthropic_version: Field required")];
    }
    let has = |name: &&&str| !ask.body[**name].is_null();
    if let Some(name) = ["model", "stream"].iter().find(has) {
        return vec![refuse(400, &format!("{name}: Extra inputs are not permitted"))];
    }
    if ask.body["max_tokens"].as_u64().is_none() {
        return vec![refuse(400, "max_tokens: Field required")];
    }
    if !ask.is_streaming {
        return vec![frame::json(200, &[], &messages::reply(ask))];
    }
    let names = [
        (":event-type", "chunk"),
        (":content-type", "application/json"),
        (":message-type", "event"),
    ];
    let mut events = Vec::new();
    for event in messages::events(ask) {
        let Event::Named(name, data) = event else { continue };
        if name == "error" {
            events.push(failure("Too many tokens, please wait before trying again."));
            break;
        }
        let bytes = STANDARD.encode(data.to_string());
        events.push(Event::Frame(framed(&names, &json!({"bytes": bytes, "p": "abc"}))));
    }
    odd::stream(ask, events)
}

fn failure(message: &str) -> Event {
    let names = [(":exception-type", "throttlingException"), (":message-type", "exception")];
    Event::Frame(framed(&names, &json!({"message": message})))
}

fn is_proven(request: &Request) -> bool {
    let key = request.header("authorization").unwrap_or_default();
    let is_signed = key.starts_with("AWS4-HMAC-SHA256 Credential=")
        && key.contains("/bedrock/aws4_request")
        && request.header("x-amz-date").is_some();
    is_signed || key.starts_with("Bearer ")
}

fn refuse(status: u16, message: &str) -> Step {
    let kind = match status {
        403 => "AccessDeniedException",
        404 => "ResourceNotFoundException",
        429 => "ThrottlingException",
        503 => "ServiceUnavailableException",
        500.. => "InternalServerException",
        _ => "ValidationException",
    };
    let kind = format!("{kind}:http://internal.amazon.com/coral/com.amazon.bedrock/");
    frame::json(status, &[("x-amzn-errortype", &kind)], &json!({"message": message}))
}

/// What Bedrock answers 400 to.
fn insist(body: &Value) -> Result<(), String> {
    let known = [
        "messages",
        "system",
        "inferenceConfig",
        "toolConfig",
        "outputConfig",
        "guardrailConfig",
        "additionalModelRequestFields",
        "additionalModelResponseFieldPaths",
        "promptVariables",
        "requestMetadata",
        "performanceConfig",
        "serviceTier",
    ];
    let mut keys = body.as_object().into_iter().flat_map(|all| all.keys());
    if let Some(name) = keys.find(|name| !known.contains(&&***name)) {
        return Err(format!("Malformed input request: extraneous key [{name}] is not permitted"));
    }
    let config = &body["inferenceConfig"];
    if config["temperature"].as_f64().is_some_and(|temperature| temperature > 1.0) {
        return Err("Value at 'inferenceConfig.temperature' failed to satisfy constraint".into());
    }
    let budget = body["additionalModelRequestFields"]["thinking"]["budget_tokens"].as_u64();
    if budget.is_some_and(|budget| config["maxTokens"].as_u64().is_none_or(|max| budget >= max)) {
        return Err("`max_tokens` must be greater than `thinking.budget_tokens`".into());
    }
    let messages = body["messages"].as_array().filter(|messages| !messages.is_empty());
    let messages = messages.ok_or("messages: at least one message is required")?;
    let (mut asked, mut wanted) = (Vec::new(), "user");
    for message in messages {
        if message["role"] != wanted {
            return Err("A conversation must alternate between user and assistant roles.".into());
        }
        asked = insist_on_turn(message, &asked)?;
        wanted = if wanted == "user" { "assistant" } else { "user" };
    }
    let has_calls = messages.iter().any(|message| message.to_string().contains("\"toolUse\""));
    if has_calls && body["toolConfig"]["tools"].as_array().is_none_or(Vec::is_empty) {
        return Err("The toolConfig field must be defined when using toolUse blocks.".into());
    }
    for tool in body["toolConfig"]["tools"].as_array().into_iter().flatten() {
        let spec = &tool["toolSpec"];
        if !spec.is_null() && spec["inputSchema"]["json"]["type"] != "object" {
            return Err("toolConfig.tools: inputSchema.json.type must be object".into());
        }
        if spec["description"].as_str().is_some_and(str::is_empty) {
            return Err("toolConfig.tools: description has length less than 1".into());
        }
    }
    Ok(())
}

/// One turn, where `asked` are the calls that await their results; the calls that it makes.
fn insist_on_turn<'m>(message: &'m Value, asked: &[&str]) -> Result<Vec<&'m str>, String> {
    let blocks = message["content"].as_array().filter(|blocks| !blocks.is_empty());
    let blocks = blocks.ok_or("The content field is empty.")?;
    if blocks.iter().any(|b| b["text"].as_str().is_some_and(|text| text.trim().is_empty())) {
        return Err("The text field in the ContentBlock object is blank.".into());
    }
    let results: Vec<&str> =
        blocks.iter().filter_map(|block| block["toolResult"]["toolUseId"].as_str()).collect();
    if asked.iter().any(|id| !results.contains(id)) || results.iter().any(|id| !asked.contains(id))
    {
        return Err("Expected toolResult blocks for the toolUse blocks before.".into());
    }
    Ok(blocks.iter().filter_map(|block| block["toolUse"]["toolUseId"].as_str()).collect())
}

/// A block of the answer.
enum Block {
    Thinking(String),
    Text(String),
    Tool { id: String, name: String, input: Value },
}

fn blocks(ask: &Ask) -> Vec<Block> {
    let messages = ask.body["messages"].as_array().map_or(&[][..], Vec::as_slice);
    let topic = messages.iter().rev().map(|message| chat::text_of(&message["content"]));
    let topic = topic.into_iter().find(|text| !text.is_empty()).unwrap_or_default();
    let mut blocks = Vec::new();
    let fields = &ask.body["additionalModelRequestFields"];
    if ask.tricks.has("think") || fields["thinking"]["type"] == "enabled" {
        blocks.push(Block::Thinking("Let me think about that.".to_owned()));
    }
    let calls = calls(ask, messages, &topic);
    if calls.is_empty() {
        let schema = &ask.body["outputConfig"]["textFormat"]["structure"]["jsonSchema"]["schema"];
        let schema = schema.as_str().and_then(|text| serde_json::from_str(text).ok());
        let text = schema.map_or_else(
            || words::answer(&topic, &mut Dice::new(ask.seed)),
            |schema: Value| tool::fill(&schema, &topic).to_string(),
        );
        blocks.push(Block::Text(text));
    }
    blocks.extend(calls);
    blocks
}

fn calls(ask: &Ask, messages: &[Value], topic: &str) -> Vec<Block> {
    let config = &ask.body["toolConfig"];
    let tools = config["tools"].as_array().map_or(&[][..], Vec::as_slice);
    let specs: Vec<&Value> =
        tools.iter().map(|tool| &tool["toolSpec"]).filter(|spec| !spec.is_null()).collect();
    let last = messages.last().and_then(|message| message["content"].as_array());
    let is_answered = last.is_some_and(|all| all.iter().any(|b| !b["toolResult"].is_null()));
    let choice = &config["toolChoice"];
    let chosen = &choice["tool"]["name"];
    let wants = !choice["any"].is_null() || !chosen.is_null() || ask.tricks.has("tool");
    if specs.is_empty() || is_answered || !wants {
        return Vec::new();
    }
    let is_chosen = |spec: &&&Value| chosen.is_null() || spec["name"] == *chosen;
    let count = if ask.tricks.has("parallel") { 2 } else { 1 };
    let call = |(index, spec): (usize, &&Value)| Block::Tool {
        id: format!("tooluse_{index}_{:06x}", ask.seed & 0xff_ffff),
        name: spec["name"].as_str().unwrap_or("unnamed").to_owned(),
        input: tool::fill(&spec["inputSchema"]["json"], topic),
    };
    specs.iter().filter(is_chosen).take(count).enumerate().map(call).collect()
}

fn whole(block: &Block) -> Value {
    match block {
        Block::Thinking(text) => {
            json!({"reasoningContent": {"reasoningText": {"text": text, "signature": SIGNATURE}}})
        }
        Block::Text(text) => json!({"text": text}),
        Block::Tool { id, name, input } => {
            json!({"toolUse": {"toolUseId": id, "name": name, "input": input}})
        }
    }
}

fn stop_reason(ask: &Ask, blocks: &[Block]) -> &'static str {
    let calls = blocks.iter().any(|block| matches!(block, Block::Tool { .. }));
    match () {
        () if calls => "tool_use",
        () if ask.tricks.has("guarded") => "guardrail_intervened",
        () => "end_turn",
    }
}

/// A part of the prompt is read from a cache, and a part written to it.
fn usage(ask: &Ask, blocks: &[Block]) -> Value {
    let prompt = words::pieces(&ask.body["messages"].to_string()).len();
    let spoken: usize = blocks.iter().map(|b| words::pieces(&whole(b).to_string()).len()).sum();
    json!({"inputTokens": prompt, "outputTokens": spoken, "totalTokens": prompt + spoken + 18,
        "cacheReadInputTokens": 11, "cacheWriteInputTokens": 7})
}

fn stream(ask: &Ask, blocks: &[Block]) -> Vec<Event> {
    let mut events = Vec::new();
    if ask.tricks.has("early") {
        return vec![failure("Too many requests, please wait before trying again.")];
    }
    let event = |name: &str, data: Value| {
        let names = [
            (":event-type", name),
            (":content-type", "application/json"),
            (":message-type", "event"),
        ];
        Event::Frame(framed(&names, &data))
    };
    // Frames are padded, so that their lengths tell nothing.
    events.push(event("messageStart", json!({"role": "assistant", "p": "abcdefgh"})));
    for (index, block) in blocks.iter().enumerate() {
        if let Block::Tool { id, name, .. } = block {
            let start = json!({"toolUse": {"toolUseId": id, "name": name}});
            events.push(event(
                "contentBlockStart",
                json!({"contentBlockIndex": index, "start": start}),
            ));
        }
        for (at, delta) in told(ask, block).into_iter().enumerate() {
            if at == 2 && ask.tricks.has("throttled") {
                events.push(failure("Too many tokens, please wait before trying again."));
                return events;
            }
            let data = json!({"contentBlockIndex": index, "delta": delta, "p": "abcd"});
            events.push(event("contentBlockDelta", data));
        }
        events.push(event("contentBlockStop", json!({"contentBlockIndex": index})));
    }
    events.push(event("messageStop", json!({"stopReason": stop_reason(ask, blocks)})));
    let metadata = json!({"usage": usage(ask, blocks), "metrics": {"latencyMs": 12}});
    events.push(event("metadata", metadata));
    events
}

fn told(ask: &Ask, block: &Block) -> Vec<Value> {
    let cut = |text: &str, tell: &dyn Fn(&str) -> Value| -> Vec<Value> {
        odd::pieces(ask, text).iter().map(|piece| tell(piece)).collect()
    };
    match block {
        Block::Text(text) => cut(text, &|piece| json!({"text": piece})),
        Block::Thinking(text) => {
            let mut deltas = cut(text, &|piece| json!({"reasoningContent": {"text": piece}}));
            deltas.push(json!({"reasoningContent": {"signature": SIGNATURE}}));
            deltas
        }
        Block::Tool { input, .. } => {
            let text = input.to_string();
            let pieces = words::pieces(&text);
            pieces.iter().map(|piece| json!({"toolUse": {"input": piece}})).collect()
        }
    }
}

/// A frame as the format describes it.
fn framed(names: &[(&str, &str)], data: &Value) -> Vec<u8> {
    let payload = data.to_string().into_bytes();
    let mut headers = Vec::new();
    for (name, value) in names {
        headers.push(u8::try_from(name.len()).expect("short"));
        headers.extend_from_slice(name.as_bytes());
        headers.push(7);
        headers.extend_from_slice(&u16::try_from(value.len()).expect("short").to_be_bytes());
        headers.extend_from_slice(value.as_bytes());
    }
    let total = u32::try_from(16 + headers.len() + payload.len()).expect("short");
    let mut bytes = total.to_be_bytes().to_vec();
    bytes.extend_from_slice(&u32::try_from(headers.len()).expect("short").to_be_bytes());
    bytes.extend_from_slice(&crc32fast::hash(&bytes).to_be_bytes());
    bytes.extend_from_slice(&headers);
    bytes.extend_from_slice(&payload);
    let checksum = crc32fast::hash(&bytes);
    bytes.extend_from_slice(&checksum.to_be_bytes());
    bytes
}
