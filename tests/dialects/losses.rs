//! What is lost between two dialects has a name, and what has a name was lost.

use super::{pains::asked, stream::MANNER};
use serde_json::{Value, json};
use weir::{
    dialect::{
        pivot::{
            dropped::Dropped,
            part::Dialect,
            target::{Abilities, Addressee, Thinking, Written},
        },
        translation,
    },
    provider::{ability, vendor},
    wire::json::document::Document,
};

#[test]
fn a_call_of_a_custom_tool_stays_with_its_result() {
    let body = json!({"messages": [
        {"role": "user", "content": "Run it."},
        {"role": "assistant", "tool_calls": [
            {"id": "c1", "type": "custom", "custom": {"name": "shell", "input": "ls \"a\""}}]},
        {"role": "tool", "tool_call_id": "c1", "content": "b"},
    ]});

    let (sent, dropped) = asked(&body, (Dialect::OpenAiChat, Dialect::Anthropic));

    let call = &sent["messages"][1]["content"][0];
    let expected = json!({"type": "tool_use", "id": "c1", "name": "shell",
        "input": {"input": "ls \"a\""}});
    assert_eq!(*call, expected, "{sent}");
    assert_eq!(sent["messages"][2]["content"][0]["tool_use_id"], "c1");
    assert_eq!(dropped, [""; 0]);
}

#[test]
fn a_budget_that_claude_would_refuse_is_moved_within_its_bounds_and_named() {
    for (wanted, max_tokens, said, is_named) in [
        (512, 4_096, json!(1_024), true),
        (2_048, 4_096, json!(2_048), false),
        (8_000, 4_096, json!(4_095), true),
        (512, 1_024, Value::Null, true),
    ] {
        let body = json!({
            "contents": [{"role": "user", "parts": [{"text": "Hi"}]}],
            "generationConfig": {"maxOutputTokens": max_tokens,
                "thinkingConfig": {"thinkingBudget": wanted}},
        });

        let (sent, dropped) = asked(&body, (Dialect::Gemini, Dialect::Anthropic));

        assert_eq!(sent["thinking"]["budget_tokens"], said, "{wanted} of {max_tokens}");
        assert_eq!(dropped.contains(&"reasoning_effort".to_owned()), is_named, "{dropped:?}");
    }
}

#[test]
fn a_search_is_named_only_where_something_of_it_is_lost() {
    let google = |options: Value| {
        json!({"contents": [{"role": "user", "parts": [{"text": "Hi"}]}],
            "tools": [{"googleSearch": options}]})
    };
    let options = json!({"timeRangeFilter": {"startTime": "2025-01-01T00:00:00Z"}});
    for to in [Dialect::Anthropic, Dialect::OpenAiResponses] {
        let (sent, dropped) = asked(&google(json!({})), (Dialect::Gemini, to));
        let kind = sent["tools"][0]["type"].as_str().expect("a tool");
        assert!(kind.starts_with("web_search") && dropped.is_empty(), "{sent} {dropped:?}");
        let (_, dropped) = asked(&google(options.clone()), (Dialect::Gemini, to));
        assert_eq!(dropped, ["tools[googleSearch]"]);
    }
    let claude = |more: Value| {
        let mut tool = json!({"type": "web_search_20250305", "name": "web_search"});
        tool.as_object_mut().expect("a mapping").extend(more.as_object().expect("one").clone());
        json!({"max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}], "tools": [tool]})
    };
    let pair = (Dialect::Anthropic, Dialect::Gemini);
    let (sent, dropped) = asked(&claude(json!({})), pair);
    assert_eq!(sent["tools"][0], json!({"googleSearch": {}}));
    assert_eq!(dropped, [""; 0]);
    assert_eq!(asked(&claude(json!({"max_uses": 2})), pair).1.len(), 1);
}

#[test]
fn what_filters_think_of_an_answer_is_named_where_the_client_cannot_be_told() {
    let dropped = |reply: &Value, pair: (Dialect, Dialect)| {
        let (mut out, mut dropped) = (Vec::new(), Dropped::default());
        let body = reply.to_string();
        translation::reply(
            &mut out,
            body.as_bytes(),
            pair,
            Written::default(),
            &MANNER,
            &mut dropped,
        )
        .expect("a reply");
        dropped.iter().map(str::to_owned).collect::<Vec<_>>()
    };
    let gemini = json!({"candidates": [{"content": {"role": "model", "parts": [{"text": "Hi"}]},
        "finishReason": "STOP", "safetyRatings": [{"category": "C", "probability": "LOW"}]}]});
    let azure = json!({"id": "c", "object": "chat.completion", "created": 1, "model": "m",
        "system_fingerprint": "f", "prompt_filter_results": [{"prompt_index": 0}],
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hi"},
            "finish_reason": "stop", "content_filter_results": {"hate": {"filtered": false}}}]});

    let of_gemini = dropped(&gemini, (Dialect::Gemini, Dialect::OpenAiChat));
    let of_azure = dropped(&azure, (Dialect::OpenAiChat, Dialect::Anthropic));

    assert_eq!(of_gemini, ["safetyRatings"]);
    assert_eq!(of_azure, ["prompt_filter_results", "choices[0].content_filter_results"]);
}

#[test]
fn not_to_think_is_told_to_those_who_can_be_told() {
    let body = json!({"reasoning_effort": "none", "messages": [{"role": "user", "content": "Hi"}]});
    let body = body.to_string();
    let tell = |slug: &str, model: &str, to: Dialect| {
        let abilities = ability::of(vendor::of(slug).expect(slug), model);
        let addressee = Addressee { model_json: b"\"m\"", abilities: &abilities };
        let (mut out, mut dropped) = (Vec::new(), Dropped::default());
        let pair = (Dialect::OpenAiChat, to);
        let mut notes = Document::default();
        translation::request(&mut out, body.as_bytes(), pair, &addressee, &mut notes, &mut dropped)
            .expect("a request");
        let sent: Value = serde_json::from_slice(&out).expect("JSON");
        (sent, dropped.iter().count())
    };

    let (sent, named) = tell("openai", "gpt-5.2", Dialect::OpenAiResponses);
    assert_eq!((&sent["reasoning"], named), (&json!({"effort": "none"}), 0));
    let (sent, named) = tell("openai", "gpt-5-mini", Dialect::OpenAiResponses);
    assert_eq!((sent.get("reasoning"), named), (None, 1), "it cannot be told");
}

#[test]
fn messages_of_converse_that_are_no_list_are_refused() {
    for messages in [json!({"role": "user"}), json!("Hi")] {
        let body = json!({"messages": messages}).to_string();
        let (mut out, mut dropped) = (Vec::new(), Dropped::default());
        let to = Addressee { model_json: b"\"m\"", abilities: &Abilities::UNKNOWN };
        let pair = (Dialect::Bedrock, Dialect::OpenAiChat);
        let mut notes = Document::default();
        let told =
            translation::request(&mut out, body.as_bytes(), pair, &to, &mut notes, &mut dropped);
        assert!(told.is_err(), "{body}");
    }
}

#[test]
fn fields_for_a_model_behind_converse_stand_once_and_none_is_lost_in_silence() {
    let ask = |fields: Value| {
        let body = json!({"messages": [{"role": "user", "content": "Hi"}], "top_k": 5,
            "additionalModelRequestFields": fields});
        let abilities = Abilities { thinking: Thinking::None, ..Abilities::UNKNOWN };
        let to = Addressee { model_json: b"\"anthropic.claude-3-haiku\"", abilities: &abilities };
        let (mut out, mut dropped) = (Vec::new(), Dropped::default());
        let (body, pair) = (body.to_string(), (Dialect::OpenAiChat, Dialect::Bedrock));
        let mut notes = Document::default();
        translation::request(&mut out, body.as_bytes(), pair, &to, &mut notes, &mut dropped)
            .expect("a request");
        let names: Vec<_> = dropped.iter().map(str::to_owned).collect();
        (String::from_utf8(out).expect("UTF-8"), names)
    };

    let (sent, dropped) = ask(json!({"top_k": 7, "mine": "x"}));
    assert!(sent.contains(r#""additionalModelRequestFields":{"top_k":5,"mine":"x"}"#), "{sent}");
    assert_eq!(dropped, ["additionalModelRequestFields.top_k"]);
    let (sent, dropped) = ask(json!([1]));
    assert!(sent.contains(r#""additionalModelRequestFields":{"top_k":5}"#), "{sent}");
    assert_eq!(dropped, ["additionalModelRequestFields"]);
}
