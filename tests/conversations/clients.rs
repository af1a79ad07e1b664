//! Clients of the three languages, as applications write them: plain HTTP, and what was read last.

use crate::{
    dialects::{
        answer::{Answer, Tool},
        anthropic, openai, responses,
    },
    harness::client::Ask,
};
use serde_json::{Value, json};

/// What every tool answers.
pub const RESULT: &str = "18 degrees under clouds";
const QUESTION: &str = "How is the weather in Oslo?";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Client {
    OpenAi,
    Anthropic,
    Responses,
}

impl Client {
    pub const ALL: [Self; 3] = [Self::OpenAi, Self::Anthropic, Self::Responses];

    /// The question, with these tools.
    pub fn first(self, model: &str, tools: &[String]) -> Ask {
        self.ask(model, tools, json!([{"role": "user", "content": QUESTION}]))
    }

    /// What follows: the calls as they were read, and their results.
    pub fn second(self, model: &str, tools: &[String], called: &Answer) -> Ask {
        let mut turns = vec![json!({"role": "user", "content": QUESTION})];
        let calls = || called.tools.iter();
        match self {
            Self::OpenAi => {
                let call = |id: &str, name: &str, arguments: &str| {
                    json!({"id": id, "type": "function",
                        "function": {"name": name, "arguments": arguments}})
                };
                let all = calls().map(|it| call(&it.id, &it.name, &words(&it.arguments)));
                let content = Some(&called.text).filter(|text| !text.is_empty());
                turns.push(json!({"role": "assistant", "content": content,
                    "tool_calls": all.collect::<Vec<_>>()}));
                turns.extend(
                    calls().map(
                        |it| json!({"role": "tool", "tool_call_id": it.id, "content": RESULT}),
                    ),
                );
            }
            Self::Anthropic => {
                let text = Some(&called.text).filter(|text| !text.is_empty());
                let text = text.map(|text| json!({"type": "text", "text": text}));
                let all = calls().map(|it| {
                    json!({"type": "tool_use", "id": it.id, "name": it.name, "input": it.value()})
                });
                let blocks: Vec<Value> = text.into_iter().chain(all).collect();
                turns.push(json!({"role": "assistant", "content": blocks}));
                let results = calls().map(
                    |it| json!({"type": "tool_result", "tool_use_id": it.id, "content": RESULT}),
                );
                turns.push(json!({"role": "user", "content": results.collect::<Vec<_>>()}));
            }
            Self::Responses => {
                if !called.text.is_empty() {
                    turns.push(json!({"role": "assistant", "content": called.text}));
                }
                turns.extend(calls().map(|it| {
                    json!({"type": "function_call", "call_id": it.id, "name": it.name,
                        "arguments": words(&it.arguments)})
                }));
                turns.extend(calls().map(|it| {
                    json!({"type": "function_call_output", "call_id": it.id, "output": RESULT})
                }));
            }
        }
        self.ask(model, tools, turns.into())
    }

    /// A streamed request.
    fn ask(self, model: &str, tools: &[String], turns: Value) -> Ask {
        let schema = json!({"type": "object", "properties": {"city": {"type": "string"}}});
        let tool = |name: &String| match self {
            Self::OpenAi => json!({"type": "function",
                "function": {"name": name, "parameters": schema}}),
            Self::Anthropic => json!({"name": name, "input_schema": schema}),
            Self::Responses => json!({"type": "function", "name": name, "parameters": schema,
                "strict": false}),
        };
        let tools: Vec<Value> = tools.iter().map(tool).collect();
        let (path, turns_name, more) = match self {
            Self::OpenAi => (
                "/v1/chat/completions",
                "messages",
                json!({
                "stream_options": {"include_usage": true}}),
            ),
            Self::Anthropic => ("/v1/messages", "messages", json!({"max_tokens": 2_000})),
            Self::Responses => ("/v1/responses", "input", json!({})),
        };
        let mut body = json!({"model": model, "stream": true, "tools": tools});
        body[turns_name] = turns;
        body.as_object_mut().expect("an object").extend(more.as_object().expect("one").clone());
        Ask::post(path, body.to_string())
    }

    /// The answer that a stream is, read as the strictest clients of the language read it; what
    /// passes as the vendor said it, as it may be said.
    pub fn read(self, body: &[u8], is_native: bool) -> Answer {
        match self {
            Self::OpenAi if is_native => of_chunks(body),
            Self::Responses if is_native => of_response(body),
            Self::OpenAi => openai::stream(body),
            Self::Anthropic => anthropic::stream(body),
            Self::Responses => responses::stream(body),
        }
    }

    /// How a turn ends in which tools are called.
    pub const fn stops_for_tools(self) -> &'static str {
        match self {
            Self::OpenAi => "tool_calls",
            Self::Anthropic => "tool_use",
            Self::Responses => "completed",
        }
    }
}

/// Arguments as a client sends them back: no words at all are an empty object.
fn words(arguments: &str) -> String {
    if arguments.trim().is_empty() { "{}".to_owned() } else { arguments.to_owned() }
}

/// The data of a stream's events, but for what only says that it ends.
fn data(body: &[u8]) -> Vec<Value> {
    let stream = String::from_utf8_lossy(body);
    let lines = stream.lines().filter_map(|line| line.strip_prefix("data:"));
    lines.filter_map(|data| serde_json::from_str(data.trim()).ok()).collect()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// What chunks of OpenAI's shape say, as any vendor of that shape may write them.
fn of_chunks(body: &[u8]) -> Answer {
    assert!(body.ends_with(b"data: [DONE]\n\n"), "{}", String::from_utf8_lossy(body));
    let mut answer = Answer::default();
    for chunk in data(body) {
        let usage = &chunk["usage"];
        let count = |name: &str| usage[name].as_u64();
        answer.tokens = count("prompt_tokens").zip(count("completion_tokens")).or(answer.tokens);
        let choice = &chunk["choices"][0];
        answer.text.push_str(&text(&choice["delta"]["content"]));
        answer.finish = choice["finish_reason"].as_str().map(str::to_owned).or(answer.finish);
        for call in choice["delta"]["tool_calls"].as_array().into_iter().flatten() {
            let (id, function) = (text(&call["id"]), &call["function"]);
            let is_new = !id.is_empty() && answer.tools.last().is_none_or(|last| last.id != id);
            if is_new {
                let name = text(&function["name"]);
                answer.tools.push(Tool { id, name, arguments: String::new() });
            }
            let index = call["index"].as_u64().and_then(|index| usize::try_from(index).ok());
            let index = index.unwrap_or(0).min(answer.tools.len() - 1);
            answer.tools[index].arguments.push_str(&text(&function["arguments"]));
        }
    }
    answer
}

/// What the last event of a stream of the Responses API holds.
pub fn of_response(body: &[u8]) -> Answer {
    let last = data(body).into_iter().rfind(|event| event["type"] == "response.completed");
    let response = &last.expect("it completes")["response"];
    let usage = &response["usage"];
    let count = |name: &str| usage[name].as_u64();
    let mut answer = Answer {
        finish: response["status"].as_str().map(str::to_owned),
        tokens: count("input_tokens").zip(count("output_tokens")),
        ..Answer::default()
    };
    for item in response["output"].as_array().expect("output") {
        for part in item["content"].as_array().into_iter().flatten() {
            answer.text.push_str(&text(&part["text"]));
        }
        if item["type"] == "function_call" {
            let [id, name, arguments] = ["call_id", "name", "arguments"].map(|it| text(&item[it]));
            answer.tools.push(Tool { id, name, arguments });
        }
    }
    answer
}
