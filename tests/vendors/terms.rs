//! What each vendor and model is told by another name, or not at all.

use crate::{ask, azure, body, chat, harness::client::Ask, house, newest};
use serde_json::{Value, json};

/// What an Anthropic client says, which no vendor in this file speaks.
fn messages(more: &str) -> Ask {
    let body = format!(
        r#"{{"model":"acct/m","max_tokens":9,"messages":[{{"role":"user","content":"Hi"}}]{more}}}"#
    );
    Ask::post("/v1/messages", body)
}

/// An account whose only model has this id.
fn with_model(kind: &str, model: &str) -> Value {
    let mut account = newest(kind);
    account["integrations"][0]["model_id"] = model.into();
    account
}

#[test]
fn a_bound_is_told_by_the_name_that_the_vendor_obeys() {
    let names = ["max_completion_tokens", "max_tokens"];
    for (kind, is_older) in [
        ("deepseek", true),
        ("together-ai", true),
        ("perplexity-ai", true),
        ("custom", true),
        ("groq", false),
        ("openai", false),
    ] {
        let house = house(&with_model(kind, "m"));
        let (said, unsaid) = (names[usize::from(is_older)], names[usize::from(!is_older)]);

        let (_, translated) = ask(&house, &messages(""));
        assert_eq!(body(&translated)[said], 9, "{kind}");
        assert!(body(&translated).get(unsaid).is_none(), "{kind}");
        // A server of the operator's own judges its own language by itself.
        if is_older && kind != "custom" {
            let (reply, spliced) = ask(&house, &chat(r#","max_completion_tokens":7"#));
            assert_eq!(body(&spliced)["max_tokens"], 7, "{kind}");
            assert_eq!(reply.header("x-weir-dropped"), None, "{kind}");
        }
    }
}

#[test]
fn t124_what_deepseek_thought_before_a_call_comes_back_with_the_result() {
    let house = house(&newest("deepseek"));
    let turns = r#","thinking":{"type":"enabled","budget_tokens":2000},
        "tools":[{"name":"f","input_schema":{"type":"object"}}],"messages":[
        {"role":"user","content":"Hi"},
        {"role":"assistant","content":[
            {"type":"thinking","thinking":"I call f.","signature":""},
            {"type":"tool_use","id":"t1","name":"f","input":{}}]},
        {"role":"user","content":[{"type":"tool_result","tool_use_id":"t1","content":"1"}]}]"#;
    let ask_it =
        Ask::post("/v1/messages", format!(r#"{{"model":"acct/m","max_tokens":9000{turns}}}"#));

    let (_, seen) = ask(&house, &ask_it);

    assert_eq!(body(&seen)["messages"][1]["reasoning_content"], "I call f.");
    let off = messages(r#","thinking":{"type":"disabled"}"#);
    let (reply, seen) = ask(&house, &off);
    assert_eq!(body(&seen)["thinking"], json!({"type": "disabled"}));
    assert_eq!(reply.header("x-weir-dropped"), None);
}

#[test]
fn a_developer_is_the_system_to_all_who_are_not_openai() {
    let said = r#"{"model":"acct/m","messages":[{"role":"developer","content":"Be brief."},
        {"role":"user","content":"Hi"}]}"#;
    for (kind, role) in [("openai", "developer"), ("deepseek", "system"), ("mistral-ai", "system")]
    {
        let house = house(&newest(kind));
        let (_, seen) = ask(&house, &Ask::post("/v1/chat/completions", said));
        assert_eq!(body(&seen)["messages"][0]["role"], role, "{kind}");
    }
    // Translated, for this server has no Responses API.
    let house = house(&newest("custom"));
    let said = r#"{"model":"acct/m","input":[{"role":"developer","content":"Be brief."},
        {"role":"user","content":"Hi"}]}"#;
    let (_, seen) = ask(&house, &Ask::post("/v1/responses", said));
    assert_eq!(body(&seen)["messages"][0]["role"], "system");
}

#[test]
fn groq_gets_no_names_one_answer_and_efforts_for_the_models_that_take_them() {
    let said = r#"{"model":"acct/m","n":3,"reasoning_effort":"low",
        "messages":[{"role":"user","name":"ann","content":"Hi"}]}"#;
    for (model, names) in [
        ("llama-3.3-70b-versatile", "reasoning_effort, n, messages[].name"),
        ("openai/gpt-oss-120b", "n, messages[].name"),
    ] {
        let house = house(&with_model("groq", model));

        let (reply, seen) = ask(&house, &Ask::post("/v1/chat/completions", said));

        assert_eq!(reply.header("x-weir-dropped"), Some(names));
        let sent = body(&seen);
        assert_eq!(sent.get("reasoning_effort").is_some(), model.contains("gpt-oss"));
        assert_eq!((sent.get("n"), sent["messages"][0].get("name")), (None, None));
    }
}

#[test]
fn what_xai_and_perplexity_reject_is_left_out_and_named() {
    let more = r#","stop":["x"],"presence_penalty":1,"tools":[]"#;
    for (kind, model, dropped) in [
        ("xai", "grok-4", Some("presence_penalty, stop")),
        ("xai", "grok-3", None),
        ("perplexity-ai", "sonar", Some("stop")),
    ] {
        let house = house(&with_model(kind, model));
        let (reply, _) = ask(&house, &chat(more));
        assert_eq!(reply.header("x-weir-dropped"), dropped, "{kind} {model}");
    }
}

#[test]
fn claude_since_opus_4_7_gets_no_sampling_in_its_own_words_or_in_others() {
    for (model, is_taken) in [("claude-opus-4-6", true), ("claude-opus-4-7", false)] {
        let house = house(&with_model("anthropic", model));
        for ask_it in
            [messages(r#","temperature":0.5,"top_k":3"#), chat(r#","temperature":0.5,"top_k":3"#)]
        {
            let (reply, seen) = ask(&house, &ask_it);
            assert_eq!(body(&seen).get("temperature").is_some(), is_taken, "{model}");
            assert_eq!(body(&seen).get("top_k").is_some(), is_taken, "{model}");
            let dropped = (!is_taken).then_some("temperature, top_k");
            assert_eq!(reply.header("x-weir-dropped"), dropped, "{model}");
        }
    }
}

#[test]
fn a_deployment_of_azures_is_known_by_its_foundation_model() {
    for (model, is_thinking) in [("gpt-4o", false), ("o3-mini", true)] {
        let mut account = azure("2024-10-21", "http://{vendor}");
        account["integrations"][0]["foundation_model"] = model.into();
        let house = house(&account);
        let thinking = messages(r#","thinking":{"type":"enabled","budget_tokens":2000}"#);

        let (reply, seen) = ask(&house, &thinking);

        assert_eq!(body(&seen).get("reasoning_effort").is_some(), is_thinking, "{model}");
        let dropped = (!is_thinking).then_some("reasoning_effort");
        assert_eq!(reply.header("x-weir-dropped"), dropped, "{model}");
    }
}

#[test]
fn a_beta_that_the_vendor_has_no_word_for_is_named() {
    let house = house(&newest("groq"));

    let (reply, seen) =
        ask(&house, &messages("").header("anthropic-beta", "context-1m-2025-08-07"));

    assert_eq!(seen.header("anthropic-beta"), None);
    assert_eq!(reply.header("x-weir-dropped"), Some("anthropic-beta"));
}
