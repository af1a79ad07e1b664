//! Reads answers and streams as clients of the Responses API do: by the events alone, and again by
//! the response that the last one holds; and insists that both say the same.

use super::answer::{Answer, Tool, cite, push};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Read a whole answer.
pub fn whole(body: &[u8]) -> Answer {
    response(&serde_json::from_slice(body).expect("an answer is JSON"))
}

fn response(reply: &Value) -> Answer {
    assert_eq!(reply["object"], "response");
    let wanted = [
        "id",
        "created_at",
        "error",
        "incomplete_details",
        "instructions",
        "model",
        "tools",
        "output",
        "parallel_tool_calls",
        "metadata",
        "tool_choice",
        "temperature",
        "top_p",
        "text",
        "usage",
    ];
    for name in wanted {
        assert!(reply.get(name).is_some(), "{name} is missing");
    }
    let mut answer = Answer::default();
    let mut ids = Vec::new();
    for item in reply["output"].as_array().expect("output") {
        let id = item["id"].as_str().expect("an item has an id");
        assert!(!ids.contains(&id), "{id} is there twice");
        ids.push(id);
        read_item(&mut answer, item);
    }
    finish(&mut answer, reply);
    answer
}

fn read_item(answer: &mut Answer, item: &Value) {
    match item["type"].as_str().expect("a type") {
        "message" => {
            assert_eq!(
                (&item["role"], &item["status"]),
                (&json!("assistant"), &json!("completed"))
            );
            for part in item["content"].as_array().expect("content") {
                if part["type"] == "refusal" {
                    push(&mut answer.text, &part["refusal"]);
                } else {
                    assert!(part["annotations"].is_array() && part["logprobs"].is_array());
                    push(&mut answer.text, &part["text"]);
                    for one in part["annotations"].as_array().expect("a list") {
                        assert_eq!(one["type"], "url_citation");
                        assert!(one["start_index"].is_u64() && one["end_index"].is_u64());
                        cite(answer, &one["url"]);
                    }
                }
            }
        }
        "reasoning" => {
            for part in item["summary"].as_array().expect("a summary") {
                push(&mut answer.reasoning, &part["text"]);
            }
        }
        "function_call" => {
            let text = |name: &str| item[name].as_str().expect(name).to_owned();
            let arguments = text("arguments");
            answer.tools.push(Tool { id: text("call_id"), name: text("name"), arguments });
        }
        other => panic!("no client knows {other}"),
    }
}

fn finish(answer: &mut Answer, reply: &Value) {
    let status = reply["status"].as_str().expect("a status");
    answer.finish = match reply["incomplete_details"]["reason"].as_str() {
        Some(reason) => Some(reason.to_owned()),
        None => Some(status.to_owned()),
    };
    answer.error = reply["error"]["message"].as_str().map(str::to_owned);
    let usage = &reply["usage"];
    let count = |name: &str| usage[name].as_u64();
    answer.tokens = count("input_tokens").zip(count("output_tokens"));
    if let Some((input, output)) = answer.tokens {
        assert_eq!(count("total_tokens"), Some(input + output));
        assert!(usage["output_tokens_details"]["reasoning_tokens"].is_u64());
    }
    answer.cached = usage["input_tokens_details"]["cached_tokens"].as_u64();
}

/// Read a stream.
pub fn stream(body: &[u8]) -> Answer {
    let text = std::str::from_utf8(body).expect("UTF-8");
    let mut items: BTreeMap<u64, Value> = BTreeMap::new();
    let mut last = None;
    let mut sequence = 0;
    for event in text.split_terminator("\n\n").filter(|event| !event.starts_with(':')) {
        let (name, data) = event.split_once('\n').expect(event);
        let name = name.strip_prefix("event: ").expect(event);
        let data: Value =
            serde_json::from_str(data.strip_prefix("data: ").expect(event)).expect(event);
        assert_eq!(data["type"], name, "{event}");
        assert_eq!(data["sequence_number"], sequence, "{event}");
        assert_eq!(last, None, "something follows the end: {event}");
        sequence += 1;
        match name {
            "response.created" => assert_eq!(sequence, 1),
            "response.in_progress" => assert_eq!(sequence, 2),
            "error" => assert!(data["message"].is_string() && data["error"].is_object()),
            "response.completed" | "response.incomplete" | "response.failed" => {
                assert_eq!(name.strip_prefix("response."), data["response"]["status"].as_str());
                last = Some(data["response"].clone());
            }
            _ => step(&mut items, name, &data),
        }
    }
    let last = last.expect("it ends");
    let told: Vec<Value> = items.into_values().collect();
    if last["status"] != "failed" {
        assert_eq!(Value::from(told), last["output"], "what was told and what is told at the end");
    }
    response(&last)
}

/// Apply one event to the items, as clients that keep a snapshot do.
fn step(items: &mut BTreeMap<u64, Value>, name: &str, data: &Value) {
    let index = data["output_index"].as_u64().expect("an output_index");
    if name == "response.output_item.added" {
        assert_eq!(index, items.len() as u64, "items are added in their order");
        items.insert(index, data["item"].clone());
        return;
    }
    let item = items.get_mut(&index).expect("an item was added");
    if name == "response.output_item.done" {
        let mut told = item.clone();
        if told.get("status").is_some() {
            told["status"] = "completed".into();
        }
        // What proves a thought is told at its end.
        if let Some(encrypted) = data["item"].get("encrypted_content") {
            told["encrypted_content"] = encrypted.clone();
        }
        assert_eq!(told, data["item"], "piece by piece and whole");
        *item = told;
        return;
    }
    assert_eq!(data["item_id"], item["id"], "{name}");
    let part = |list: &str, index: &str| {
        format!("/{list}/{}", data[index].as_u64().unwrap_or_else(|| panic!("{index} of {name}")))
    };
    let (at, word) = match name.split('.').nth(1).expect("a name") {
        "content_part" => (part("content", "content_index"), ""),
        "output_text" => (part("content", "content_index"), "text"),
        "refusal" => (part("content", "content_index"), "refusal"),
        "reasoning_summary_part" => (part("summary", "summary_index"), ""),
        "reasoning_summary_text" => (part("summary", "summary_index"), "text"),
        "function_call_arguments" => (String::new(), "arguments"),
        other => panic!("no client knows {other}"),
    };
    if name.ends_with("part.added") {
        let list = at[1..].split('/').next().expect("a list");
        item[list].as_array_mut().expect("a list").push(data["part"].clone());
        assert!(item.pointer(&at).is_some(), "parts are added in their order");
        return;
    }
    let place = item.pointer_mut(&at).expect("the part was added");
    match name.rsplit('.').next().expect("a name") {
        "delta" => {
            let mut text = place[word].as_str().expect("words").to_owned();
            push(&mut text, &data["delta"]);
            place[word] = text.into();
        }
        "done" if word.is_empty() => assert_eq!(*place, data["part"]),
        "done" => assert_eq!(place[word], data[word]),
        "added" => {
            place["annotations"].as_array_mut().expect("a list").push(data["annotation"].clone());
        }
        other => panic!("no client knows {other}"),
    }
}
