//! Google's language over sockets: OpenAI's and Anthropic's clients on Gemini, Gemini's clients on
//! Gemini and on the others, and Vertex with both kinds of its models.

mod harness;

use harness::{
    House, answer,
    client::{Ask, KEY},
    cloud::Cloud,
    gateway::Gateway,
    manifest, stream,
    talk::{chat, events, messages, with},
    vendor,
};
use serde_json::{Value, json};

const PROOF: &str = "cmVoZWFyc2FsK3Byb29mLw==";

fn models(kind: &str, names: &[&str]) -> Vec<Value> {
    let one = |name: &&str| {
        let id = name.strip_prefix("raw-").map(|raw| format!("raw:{raw}"));
        json!({"type": format!("integration/model/{kind}"), "name": name, "model_types": ["chat"],
            "model_id": id.unwrap_or_else(|| (*name).to_owned())})
    };
    names.iter().map(one).collect()
}

fn access() -> Value {
    json!([{"subject": manifest::OWNER, "role_id": "provider-account-access"}])
}

/// A house with the usual account, one of Gemini's, `goog`, and one of Anthropic's, `claude`.
fn house() -> House {
    let vendor = vendor();
    let folder = manifest::folder();
    manifest::write_usual(&folder, vendor.address(), &["plain", "tool", "parallel", "raw-x"]);
    let gemini = json!({
        "type": "provider-account/google-gemini", "name": "goog",
        "base_url": format!("http://{}/v1beta", vendor.address()),
        "auth_data": {"type": "api-key", "apiKey": manifest::VENDOR_KEY},
        "integrations": models("gemini", &["gemini-2.5-flash", "gemini-tool",
            "gemini-parallel-tool", "gemini-think", "gemini-think-tool", "gemini-blocked",
            "gemini-unavailable", "gemini-e429", "gemini-e401", "gemini-e503", "gemini-cut",
            "raw-x"]),
        "collaborators": access(),
    });
    let claude = json!({
        "type": "provider-account/anthropic", "name": "claude",
        "base_url": format!("http://{}/v1", vendor.address()),
        "auth_data": {"type": "api-key", "api_key": manifest::VENDOR_KEY},
        "integrations": models("anthropic", &["claude-think", "claude-tool"]),
        "collaborators": access(),
    });
    manifest::write(folder.path(), "goog", &gemini);
    manifest::write(folder.path(), "claude", &claude);
    House { gateway: Gateway::start(folder, &[]), vendor }
}

/// As Google's SDK asks: the key in its header, the account and the model in the path.
fn content(account: &str, call: &str, more: &Value) -> Ask {
    let body = json!({"contents": [{"role": "user", "parts": [{"text": "Hello"}]}]});
    let path = format!("/gemini/{account}/proxy/v1beta/models/{call}");
    Ask::post(&path, with(body, more)).without("authorization").header("x-goog-api-key", KEY)
}

/// 114: a target's parameters reach a request in Google's words, in whichever words it goes on; one
/// that Google has no word for is refused by name.
#[test]
fn a_targets_parameters_reach_a_request_in_googles_words() {
    let house = house();
    let rule = |id: &str, named: &str, target: &str, params: Value| {
        json!({"id": id, "type": "priority-based-routing", "when": {"models": [named]},
            "targets": [{"target": target, "override_params": params}]})
    };
    let rules = json!({"type": "gateway-load-balancing-config", "rules": [
        rule("own", "goog/gemini-2.5-flash", "goog/gemini-2.5-flash",
            json!({"temperature": 0.25, "max_tokens": 9, "stop": "END"})),
        rule("other", "goog/gemini-think", "test/plain", json!({"maxOutputTokens": 7})),
        rule("no", "goog/gemini-blocked", "goog/gemini-blocked", json!({"logit_bias": {}}))]});
    manifest::write(house.gateway.manifests.path(), "routing", &rules);
    let more = json!({"generationConfig": {"maxOutputTokens": 500, "topK": 4}});
    let refused = content("goog", "gemini-blocked:generateContent", &json!({}));
    let refused = house.ask_until(&refused, |reply| reply.status == 404);
    assert!(refused.text().contains("logit_bias"), "{}", refused.text());

    for call in ["generateContent", "streamGenerateContent?alt=sse"] {
        let call = format!("gemini-2.5-flash:{call}");
        assert_eq!(house.ask(&content("goog", &call, &more)).status, 200);
        assert_eq!(
            house.sent()["generationConfig"],
            json!({"maxOutputTokens": 9, "topK": 4, "temperature": 0.25, "stopSequences": ["END"]})
        );
    }
    let ask = |call: &str, more| house.ask(&content("goog", call, more)).status;
    assert_eq!(ask("gemini-think:generateContent", &more), 200);
    assert_eq!(house.sent()["max_tokens"], 7);
    assert_eq!(ask("gemini-2.5-flash:countTokens", &json!({})), 200);
    assert_eq!(house.sent().get("generationConfig"), None, "what is counted has no parameters");
}

#[test]
fn an_openai_client_talks_to_gemini() {
    let house = house();

    let reply = house.ask(&chat("goog/gemini-2.5-flash", json!({"top_k": 3, "user": "u1"})));

    let body = reply.json();
    assert_eq!(reply.status, 200, "{body}");
    assert_eq!(body["object"], "chat.completion");
    assert_eq!(body["choices"][0]["finish_reason"], "stop");
    assert!(body["choices"][0]["message"]["content"].as_str().is_some_and(|t| t.len() > 20));
    assert_eq!(body["usage"]["prompt_tokens_details"]["cached_tokens"], 11);
    assert_eq!(reply.header("x-weir-dropped"), Some("user"));
    let seen = house.vendor.log().pop().expect("the vendor was asked");
    assert_eq!(seen.path, "/v1beta/models/gemini-2.5-flash:generateContent");
    assert_eq!(seen.header("x-goog-api-key"), Some(manifest::VENDOR_KEY));
    assert_eq!(seen.header("authorization"), None);
    let receipt = house.receipt();
    assert_eq!(receipt.text("operation"), "chat_completions");
    assert_eq!(receipt.number("input_tokens"), body["usage"]["prompt_tokens"]);
    assert_eq!(receipt.number("output_tokens"), body["usage"]["completion_tokens"]);
    assert_eq!(receipt.number("cached_tokens"), 11);
}

#[test]
fn t041_an_openai_client_streams_gemini_and_the_receipt_has_its_tokens() {
    let house = house();
    let more = json!({"stream": true, "stream_options": {"include_usage": true},
        "reasoning_effort": "low"});

    let reply = house.ask(&chat("goog/gemini-think", &more));

    assert_eq!(reply.status, 200, "{}", reply.text());
    let events = events(&reply);
    assert_eq!(events.last().and_then(Value::as_str), Some("[DONE]"));
    let thought: String = events
        .iter()
        .filter_map(|event| event["choices"][0]["delta"]["reasoning_content"].as_str())
        .collect();
    assert_eq!(thought, "Let me think about that.");
    let usage = &events[events.len() - 2]["usage"];
    assert_eq!(usage["completion_tokens_details"]["reasoning_tokens"], 5);
    let receipt = house.receipt();
    assert_eq!(receipt.number("input_tokens"), usage["prompt_tokens"]);
    assert_eq!(receipt.number("output_tokens"), usage["completion_tokens"]);
    assert_eq!(receipt.text("ending"), "complete");
    assert_eq!(house.path(), "/v1beta/models/gemini-think:streamGenerateContent?alt=sse");
}

/// The vendor answers 400 where the proof of the first call does not come back to it.
#[test]
fn t124_an_openai_client_holds_a_conversation_with_tools_on_a_model_that_wants_its_proofs() {
    let house = house();
    let tools = json!([{"type": "function", "function": {"name": "get_weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}}}]);
    for is_streaming in [false, true] {
        let more = json!({"tools": tools, "stream": is_streaming});
        let first = house.ask(&chat("goog/gemini-think-tool", &more));
        assert_eq!(first.status, 200, "{}", first.text());
        let calls = if is_streaming {
            let events = events(&first);
            let deltas = events.iter().map(|event| &event["choices"][0]["delta"]["tool_calls"]);
            let mut pieces = deltas.filter(|calls| calls.is_array()).map(|calls| calls[0].clone());
            let mut call = pieces.next().expect("a call");
            let rest: String = pieces
                .filter_map(|piece| piece["function"]["arguments"].as_str().map(str::to_owned))
                .collect();
            call["function"]["arguments"] = rest.into();
            json!([call])
        } else {
            first.json()["choices"][0]["message"]["tool_calls"].clone()
        };
        let more = json!({"tools": tools, "messages": [{"role": "user", "content": "Hello"},
            {"role": "assistant", "content": null, "tool_calls": calls},
            {"role": "tool", "tool_call_id": calls[0]["id"], "content": "15 degrees"}]});

        let reply = house.ask(&chat("goog/gemini-think-tool", &more));

        assert_eq!(reply.status, 200, "{}", reply.text());
        assert_eq!(reply.header("x-weir-dropped"), None);
        let said = &house.sent()["contents"];
        assert_eq!(said[1]["parts"][0]["thoughtSignature"], PROOF);
        let result = &said[2]["parts"][0]["functionResponse"];
        assert_eq!(result["name"], "get_weather");
        assert_eq!(result["response"], json!({"output": "15 degrees"}));
    }
}

#[test]
fn an_anthropic_client_talks_to_gemini_with_tools_streamed_and_whole() {
    let house = house();
    let tool = json!({"name": "get_weather", "input_schema": {"type": "object",
        "properties": {"city": {"type": "string"}}}});
    let more = json!({"tools": [tool, {"name": "get_time", "input_schema": {"type": "object"}}]});

    let whole = house.ask(&messages("goog/gemini-parallel-tool", &more)).json();
    let more = with(more, json!({"stream": true}));
    let more: Value = serde_json::from_str(&more).expect("JSON");
    let streamed = house.ask(&messages("goog/gemini-parallel-tool", &more));

    assert_eq!(whole["stop_reason"], "tool_use", "{whole}");
    let ids: Vec<&Value> = (0..2).map(|at| &whole["content"][at]["id"]).collect();
    assert_ne!(ids[0], ids[1]);
    assert!(whole["content"][0]["input"]["city"].is_string());
    let events = events(&streamed);
    let starts = events.iter().filter(|event| event["type"] == "content_block_start");
    assert_eq!(starts.count(), 2, "{}", streamed.text());
    let end = &events[events.len() - 2];
    assert_eq!(end["delta"]["stop_reason"], "tool_use");
    assert_eq!(end["usage"]["cache_read_input_tokens"], 11);
    assert_eq!(house.receipts(2)[1].text("operation"), "messages");
}

#[test]
fn gemini_to_gemini_passes_byte_for_byte() {
    let house = house();
    let body = "{ \"contents\" : [],\"brand_new\":{\"n\":1.0e+2},\"generationConfig\":{\"maxOutputTokens\":7} }";
    let told = b"{ \"candidates\":[], \"odd\" : 1.0e+2,\"usageMetadata\":{\"promptTokenCount\":3,\"candidatesTokenCount\":4}}";
    house.teach("x", answer(200, "application/json; charset=UTF-8", told));
    let ask = Ask::post("/api/llm/gemini/goog/proxy/v1beta/models/raw-x:generateContent", body);

    let reply = house.ask(&ask);

    assert_eq!(reply.body, told);
    assert_eq!(house.vendor_bodies(), [body]);
    assert_eq!(house.path(), "/v1beta/models/raw%3Ax:generateContent");
    let receipt = house.receipt();
    assert_eq!((receipt.number("input_tokens"), receipt.number("output_tokens")), (3, 4));
    assert_eq!(receipt.text("operation"), "generate_content");
    assert_eq!(receipt.text("requested_model"), "goog/raw-x");
}

#[test]
fn a_gemini_stream_passes_byte_for_byte_and_as_an_array_where_nobody_asks_for_events() {
    let house = house();
    let told: &[u8] = b"data: {\"candidates\": [{\"content\": {\"parts\": [{\"text\": \"a\"}]},\
        \"index\": 0}],\"responseId\": \"r\"}\r\n\r\n: odd\n\ndata: {\"candidates\": \
        [{\"finishReason\": \"STOP\"}],\"usageMetadata\": {\"promptTokenCount\": 9,\
        \"cachedContentTokenCount\": 4,\"candidatesTokenCount\": 2}}\r\n\r\n";
    house.teach("x", stream(told, 11, 7));

    let as_events = house.ask(&content("goog", "raw-x:streamGenerateContent?alt=sse", &json!({})));
    let as_array = house.ask(&content("goog", "raw-x:streamGenerateContent", &json!({})));

    assert_eq!(as_events.text(), String::from_utf8_lossy(told));
    let receipt = house.receipts(2).remove(0);
    assert_eq!((receipt.number("input_tokens"), receipt.number("output_tokens")), (9, 2));
    assert_eq!(receipt.number("cached_tokens"), 4);
    assert_eq!(as_array.header("content-type"), Some("application/json"));
    let array = as_array.json();
    assert_eq!(array.as_array().map(Vec::len), Some(2));
    assert_eq!(array[0]["candidates"][0]["content"]["parts"][0]["text"], "a");
    assert_eq!(house.path(), "/v1beta/models/raw%3Ax:streamGenerateContent?alt=sse");
}

#[test]
fn a_gemini_client_talks_to_an_openai_vendor_and_streams_one() {
    let house = house();
    let more = json!({"systemInstruction": {"parts": [{"text": "Be brief."}]},
        "generationConfig": {"topK": 3, "maxOutputTokens": 500}});

    let reply = house.ask(&content("test", "plain:generateContent", &more));
    let said = house.sent();
    let streamed = house.ask(&content("test", "plain:streamGenerateContent?alt=sse", &more));

    let body = reply.json();
    assert_eq!(reply.status, 200, "{body}");
    assert_eq!(body["candidates"][0]["finishReason"], "STOP");
    let text = body["candidates"][0]["content"]["parts"][0]["text"].as_str().expect("a text");
    assert!(text.len() > 20);
    assert_eq!(reply.header("x-weir-dropped"), Some("top_k"));
    assert_eq!(said["messages"][0], json!({"role": "system", "content": "Be brief."}));
    assert_eq!(said["max_tokens"], 500);
    assert_eq!(house.sent()["stream"], true);
    let events = events(&streamed);
    let joined: String = events
        .iter()
        .filter_map(|event| event["candidates"][0]["content"]["parts"][0]["text"].as_str())
        .collect();
    assert_eq!(joined, text);
    let end = events.last().expect("an end");
    assert_eq!(end["candidates"][0]["finishReason"], "STOP");
    let receipt = house.receipts(2).remove(1);
    assert_eq!(receipt.number("input_tokens"), end["usageMetadata"]["promptTokenCount"]);
    assert_eq!(receipt.text("operation"), "generate_content");
}

#[test]
fn a_gemini_client_holds_a_conversation_with_tools_on_openai_and_on_claude() {
    let house = house();
    let tools = json!([{"functionDeclarations": [{"name": "get_weather", "parameters":
        {"type": "OBJECT", "properties": {"city": {"type": "STRING"}}}}]}]);
    let config = json!({"functionCallingConfig": {"mode": "ANY"}});
    for (account, model) in [("test", "tool"), ("claude", "claude-tool")] {
        let user = json!({"role": "user", "parts": [{"text": "Weather in Paris?"}]});
        let more = json!({"contents": [user], "tools": tools, "toolConfig": config});
        let call = format!("{model}:generateContent");
        let first = house.ask(&content(account, &call, &more)).json();
        let said = first["candidates"][0]["content"].clone();
        assert_eq!(said["parts"][0]["functionCall"]["name"], "get_weather", "{first}");
        assert!(said["parts"][0]["functionCall"]["args"]["city"].is_string());
        // Google's SDK answers by the name alone.
        let result = json!({"role": "user", "parts": [{"functionResponse": {"name": "get_weather",
            "response": {"result": "15 degrees"}}}]});
        let more = json!({"contents": [user, said, result], "tools": tools});

        let reply = house.ask(&content(account, &call, &more)).json();

        assert_eq!(reply["candidates"][0]["finishReason"], "STOP", "{reply}");
        assert!(reply["candidates"][0]["content"]["parts"][0]["text"].is_string(), "{reply}");
    }
}

#[test]
fn t124_claudes_thinking_survives_in_a_gemini_client() {
    let house = house();
    let first = house.ask(&content("claude", "claude-think:generateContent", &json!({
        "generationConfig": {"thinkingConfig": {"thinkingBudget": 2_000}, "maxOutputTokens": 4_000}})));
    let said = first.json()["candidates"][0]["content"].clone();
    assert_eq!(said["parts"][0]["thought"], true, "{said}");
    let more = json!({"contents": [{"role": "user", "parts": [{"text": "Hi"}]}, said,
        {"role": "user", "parts": [{"text": "Go on"}]}]});

    let reply = house.ask(&content("claude", "claude-think:generateContent", &more));

    assert_eq!(reply.status, 200, "{}", reply.text());
    let block = &house.sent()["messages"][1]["content"][0];
    assert_eq!(
        (&block["type"], &block["signature"]),
        (&json!("thinking"), &said["parts"][0]["thoughtSignature"])
    );
}

#[test]
fn tokens_are_counted_where_the_vendor_counts_and_refused_elsewhere() {
    let house = house();

    let counted = house.ask(&content("goog", "gemini-2.5-flash:countTokens", &json!({})));
    let refused = house.ask(&content("test", "plain:countTokens", &json!({})));

    assert!(counted.json()["totalTokens"].as_u64().is_some_and(|count| count > 0));
    assert_eq!(refused.status, 404, "{}", refused.text());
    assert_eq!(refused.json()["error"]["status"], "NOT_FOUND");
}

#[test]
fn errors_are_told_in_each_clients_language() {
    let house = house();

    let busy = house.ask(&chat("goog/gemini-e429", json!({})));
    let auth = house.ask(&chat("goog/gemini-e401", json!({})));
    let down = house.ask(&messages("goog/gemini-e503", json!({})));
    let unknown = house.ask(&content("goog", "none:generateContent", &json!({})));
    let keyless = house.ask(
        &content("goog", "gemini-2.5-flash:generateContent", &json!({})).without("x-goog-api-key"),
    );
    let elsewhere = house.ask(&content("goog", "gemini-2.5-flash:embedContent", &json!({})));

    assert_eq!((busy.status, &busy.json()["error"]["type"]), (429, &json!("rate_limit_error")));
    // fault 23: Google says it in the body.
    assert_eq!(busy.header("retry-after"), Some("7"));
    assert_eq!((auth.status, auth.refusal().as_str()), (502, "upstream_auth"));
    assert_eq!((down.status, &down.json()["error"]["type"]), (503, &json!("overloaded_error")));
    assert_eq!((unknown.status, &unknown.json()["error"]["status"]), (404, &json!("NOT_FOUND")));
    assert_eq!(keyless.json()["error"]["status"], "UNAUTHENTICATED");
    assert_eq!(elsewhere.status, 404);
}

#[test]
fn a_key_of_ours_that_is_not_valid_is_not_the_clients_fault() {
    let house = house();
    let told = br#"{"error":{"code":400,"message":"API key not valid.","status":"INVALID_ARGUMENT",
        "details":[{"reason":"API_KEY_INVALID"}]}}"#;
    house.teach("x", answer(400, "application/json", told));

    let translated = house.ask(&chat("goog/raw-x", json!({})));
    let straight = house.ask(&content("goog", "raw-x:generateContent", &json!({})));

    assert_eq!((translated.status, translated.refusal().as_str()), (502, "upstream_auth"));
    assert_eq!(straight.status, 502);
    assert!(!straight.text().contains("API key not valid"), "{}", straight.text());
}

#[test]
fn a_blocked_prompt_is_an_answer_that_a_filter_cut() {
    let house = house();

    let whole = house.ask(&chat("goog/gemini-blocked", json!({}))).json();
    let streamed = house.ask(&chat("goog/gemini-blocked", json!({"stream": true})));

    assert_eq!(whole["choices"][0]["finish_reason"], "content_filter", "{whole}");
    assert_eq!(whole["choices"][0]["message"]["content"], Value::Null);
    let finishes: Vec<Value> = events(&streamed)
        .iter()
        .map(|event| event["choices"][0]["finish_reason"].clone())
        .filter(|finish| !finish.is_null())
        .collect();
    assert_eq!(finishes, [json!("content_filter")]);
}

#[test]
fn fault_15_a_stream_that_fails_midway_says_so_in_each_clients_language() {
    let house = house();
    let streaming = json!({"stream": true});

    let openai = house.ask(&chat("goog/gemini-unavailable", &streaming));
    let anthropic = house.ask(&messages("goog/gemini-unavailable", &streaming));
    let cut = house.ask(&chat("goog/gemini-cut", &streaming));
    let own = "gemini-cut:streamGenerateContent?alt=sse";
    let own = house.ask(&content("goog", own, &json!({})));

    let last = events(&openai).pop().expect("an event");
    assert_eq!(last["error"]["type"], "overloaded_error", "{}", openai.text());
    assert!(anthropic.text().contains("event: error"), "{}", anthropic.text());
    let last = events(&cut).pop().expect("an event");
    assert!(last["error"]["message"].is_string(), "{}", cut.text());
    let last = events(&own).pop().expect("an event");
    assert!(last["error"]["status"].is_string(), "{}", own.text());
    let receipts = house.receipts(4);
    assert!(receipts.iter().all(|receipt| receipt.text("ending") == "broken"));
}

/// Vertex with a service account, whose tokens a cloud of the test's hands out.
fn vertex_house(cloud: &Cloud) -> House {
    let vendor = vendor();
    let folder = manifest::folder();
    manifest::write_usual(&folder, vendor.address(), &["plain"]);
    let pair = rcgen::KeyPair::generate_for(&rcgen::PKCS_RSA_SHA256).expect("a key");
    let file = json!({"type": "service_account", "client_email": "svc@p.iam",
        "private_key": pair.serialize_pem(), "token_uri": format!("{}/token", cloud.url())});
    let account = json!({
        "type": "provider-account/google-vertex", "name": "vertex",
        "project_id": "my-project", "region": "us-central1",
        "base_url": format!("http://{}/v1", vendor.address()),
        "auth_data": {"type": "key-file", "key_file_content": file},
        "integrations": models("vertex", &["gemini-2.5-flash", "claude-sonnet-4-5@20250929"]),
        "collaborators": access(),
    });
    manifest::write(folder.path(), "vertex", &account);
    House { gateway: Gateway::start_in(folder, &[]), vendor }
}

#[test]
fn vertex_is_asked_for_gemini_and_for_claude_with_a_token() {
    let token = json!({"access_token": "ya29.first", "expires_in": 3_600, "token_type": "Bearer"});
    let cloud = Cloud::open(move |_, _| (200, token.to_string()));
    let house = vertex_house(&cloud);
    let root = "/v1/projects/my-project/locations/us-central1/publishers";

    let gemini = house.ask(&chat("vertex/gemini-2.5-flash", json!({})));
    assert_eq!(gemini.status, 200, "{}", gemini.text());
    assert_eq!(house.path(), format!("{root}/google/models/gemini-2.5-flash:generateContent"));
    for (is_streaming, method) in [(false, "rawPredict"), (true, "streamRawPredict")] {
        let more = json!({"stream": is_streaming});
        for ask in [
            chat("vertex/claude-sonnet-4-5@20250929", &more),
            messages("vertex/claude-sonnet-4-5@20250929", &more),
        ] {
            let reply = house.ask(&ask.header("anthropic-beta", "context-1m-2025-08-07"));

            assert_eq!(reply.status, 200, "{}", reply.text());
            let claude = "anthropic/models/claude-sonnet-4-5%4020250929";
            assert_eq!(house.path(), format!("{root}/{claude}:{method}"));
            let said = house.sent();
            assert_eq!(said["anthropic_version"], "vertex-2023-10-16");
            assert_eq!(said.get("model"), None);
            let seen = house.vendor.log().pop().expect("the vendor was asked");
            assert_eq!(seen.header("authorization"), Some("Bearer ya29.first"));
            assert_eq!(seen.header("anthropic-beta"), Some("context-1m-2025-08-07"));
        }
    }
    assert_eq!(cloud.asked().len(), 1, "one token for all its models");
}
