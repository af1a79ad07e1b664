//! What requests are charged where the simple case ends: attempts that failed, calls that are not
//! made, callers who are gone, models without a price.

mod harness;

use harness::{
    House, answer,
    client::{Ask, chat_body},
    gateway::Gateway,
    manifest,
    routing::{applied, document, in_order, once},
    stream,
};
use serde_json::{Value, json};
use std::fmt::Write as _;
use weir::rehearsal::script::Step;

const KEY_GONE: &str = "a-key-that-is-revoked";
const GONE: &str = "user:gone@example.com";

/// $1 a million tokens in, $10 out.
fn cheap() -> Value {
    json!({"metric": "per_1000_tokens", "value": {"input": 0.001, "output": 0.01}})
}

/// $3 a million tokens in, $15 out.
fn dear() -> Value {
    json!({"metric": "per_1000_tokens", "value": {"input": 0.003, "output": 0.015}})
}

/// A house of `test/raw-x` and `test/raw-y`, which are cheap, `test/raw-free`, which has no price,
/// and `claude/sonnet`, which is dear and speaks Anthropic's language: `raw:claude` at the vendor.
fn house(documents: &[(&str, Value)]) -> House {
    let vendor = harness::vendor();
    let folder = manifest::folder();
    manifest::write_usual(&folder, vendor.address(), &[]);
    let mut account = manifest::account(vendor.address(), &["raw-x", "raw-y", "raw-free"]);
    for at in [0, 1] {
        account["integrations"][at]["cost"] = cheap();
    }
    for model in account["integrations"].as_array_mut().expect("a list") {
        model.as_object_mut().expect("an object").remove("authorized_subjects");
    }
    let access = json!([{"subject": "team:everyone", "role_id": "provider-account-access"}]);
    account["collaborators"].clone_from(&access);
    manifest::write(folder.path(), "account", &account);
    let claude = json!({"type": "provider-account/anthropic", "name": "claude",
        "base_url": format!("http://{}/v1", vendor.address()), "collaborators": access,
        "auth_data": {"type": "api-key", "api_key": "k"},
        "integrations": [{"type": "integration/model/anthropic", "name": "sonnet",
            "model_id": "raw:claude", "model_types": ["chat"], "cost": dear()}]});
    manifest::write(folder.path(), "claude", &claude);
    let admins = json!({"type": "gateway-global-settings", "admins": [manifest::OWNER]});
    manifest::write(folder.path(), "settings", &admins);
    for (name, document) in documents {
        manifest::write(folder.path(), name, document);
    }
    House { gateway: Gateway::start(folder, &[]), vendor }
}

/// Kill the gateway and start it on what it has stored, with its folder as it is now.
fn restart(house: &mut House) {
    house.gateway.kill();
    let data = house.gateway.take_data();
    let folder = std::mem::replace(&mut house.gateway.manifests, manifest::folder());
    house.gateway = Gateway::start_on(folder, data, &[]);
}

fn stream_of(model: &str) -> Ask {
    let body = json!({"model": model, "max_tokens": 99, "stream": true,
        "messages": [{"role": "user", "content": "Hello"}]});
    Ask::post("/v1/chat/completions", body.to_string())
}

fn counted(input: u64, output: u64) -> Vec<Step> {
    let body = json!({"id": "c1", "object": "chat.completion", "choices": [{"index": 0,
        "message": {"role": "assistant", "content": "Hi"}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": input, "completion_tokens": output,
            "total_tokens": input + output}});
    answer(200, "application/json", body.to_string().as_bytes())
}

/// The same as a stream.
fn counted_stream(input: u64, output: u64) -> Vec<Step> {
    let chunk = |choices: Value, usage: Value| {
        let chunk = json!({"id": "c1", "object": "chat.completion.chunk", "created": 5,
            "model": "m", "choices": choices, "usage": usage});
        format!("data: {chunk}\n\n")
    };
    let usage = json!({"prompt_tokens": input, "completion_tokens": output,
        "total_tokens": input + output});
    let delta = |delta: Value, finish: Value| json!([{"index": 0, "delta": delta, "finish_reason": finish}]);
    let body = [
        chunk(delta(json!({"role": "assistant", "content": "Hi"}), Value::Null), Value::Null),
        chunk(delta(json!({}), json!("stop")), Value::Null),
        chunk(json!([]), usage),
        "data: [DONE]\n\n".to_owned(),
    ];
    stream(body.concat().as_bytes(), 1 << 20, 1 << 20)
}

/// What Anthropic sends when it is overloaded after it has read the prompt.
fn overloaded(input: u64) -> Vec<Step> {
    let message = json!({"type": "message_start", "message": {"id": "m1", "type": "message",
        "role": "assistant", "model": "sonnet", "content": [], "stop_reason": null,
        "stop_sequence": null, "usage": {"input_tokens": input, "output_tokens": 1}}});
    let error = json!({"type": "error",
        "error": {"type": "overloaded_error", "message": "Overloaded"}});
    let body = format!("event: message_start\ndata: {message}\n\nevent: error\ndata: {error}\n\n");
    stream(body.as_bytes(), 1 << 20, 1 << 20)
}

fn budgets(rules: Value) -> Value {
    json!({"type": "gateway-budget-config", "name": "budgets", "rules": rules})
}

fn limits(rules: Value) -> Value {
    json!({"type": "gateway-rate-limiting-config", "name": "limits", "rules": rules})
}

/// What the admin port says of one period of a budget for all.
fn period(house: &House, id: &str, period: &str) -> Value {
    let reply = house.gateway.admin("/api/svc/v1/llm-gateway/budgets");
    let all = reply.json();
    let mut budgets = all["data"].as_array().unwrap_or_else(|| panic!("{all}")).iter();
    let budget = budgets.find(|budget| budget["id"] == id).expect("it is there");
    budget["entities"][0]["periods"][period].clone()
}

/// What was seen: a Claude that reported its prompt in `message_start` and then failed was billed
/// nothing, since the next attempt began with nothing known. (Decision 8.)
#[test]
fn what_an_attempt_reported_before_it_failed_is_billed_beside_the_answer_of_the_next() {
    let codes = json!(["500", "502", "503", "529"]);
    let mut first = once("claude/sonnet");
    first["fallback_status_codes"] = codes;
    let rules = document(json!([in_order("chat", &[first, once("test/raw-y")])]));
    let all = budgets(json!([{"id": "all", "unit": "cost_per_day", "limit_to": 5}]));
    let mut house = house(&[("routing", rules), ("budgets", all)]);
    house.teach("claude", overloaded(1_000));
    house.teach("y", counted_stream(200, 50));
    let message = r#"{"model":"prod/chat","max_tokens":99,"stream":true,
        "messages":[{"role":"user","content":"Hello"}]}"#;
    let asks = [Ask::post("/v1/chat/completions", message), Ask::post("/v1/messages", message)];

    for ask in &asks {
        let reply = house.ask(ask);
        assert_eq!(reply.status, 200, "{}", reply.text());
        let failed = &applied(&reply)["fallback"]["attempts"];
        assert_eq!(failed.as_array().map(Vec::len), Some(1), "{failed}");
    }

    let each = (1_000 * 3_000 + 15_000) + (200 * 1_000 + 50 * 10_000);
    for receipt in house.receipts(2) {
        assert_eq!(receipt.text("resolved_model"), "test/raw-y");
        assert_eq!((receipt.number("input_tokens"), receipt.number("output_tokens")), (1_200, 51));
        assert_eq!(receipt.number("cost_nanodollars"), each);
        assert_eq!(receipt.0["usage_reported"], true);
    }
    assert_eq!(period(&house, "all", "cost_per_day")["used"].to_string(), "0.00743");
    restart(&mut house);
    assert_eq!(period(&house, "all", "cost_per_day")["used"].to_string(), "0.00743");
}

/// An attempt that fails last is told to the client, and billed what it reported all the same.
#[test]
fn what_the_last_attempt_reported_before_it_failed_is_billed() {
    let house = house(&[]);
    house.teach("claude", overloaded(1_000));

    let reply = house.ask(&stream_of("claude/sonnet"));

    assert_eq!(reply.status, 503, "{}", reply.text());
    let receipt = &house.receipts(1)[0];
    assert_eq!((receipt.number("input_tokens"), receipt.number("output_tokens")), (1_000, 1));
    assert_eq!(receipt.number("cost_nanodollars"), 1_000 * 3_000 + 15_000);
}

/// What was seen: Anthropic's first event says that the answer has a token, and a client that left
/// later was billed for that one.
#[test]
fn a_client_that_leaves_a_claude_is_billed_for_what_came_and_not_for_what_its_first_event_said() {
    let house = house(&[]);
    let start = json!({"type": "message_start", "message": {"id": "m1", "type": "message",
        "role": "assistant", "model": "sonnet", "content": [], "stop_reason": null,
        "stop_sequence": null, "usage": {"input_tokens": 25, "output_tokens": 1}}});
    let block = json!({"type": "content_block_start", "index": 0,
        "content_block": {"type": "text", "text": ""}});
    let delta = json!({"type": "content_block_delta", "index": 0,
        "delta": {"type": "text_delta", "text": "word "}});
    let mut body = format!("event: message_start\ndata: {start}\n\n");
    let _ = write!(body, "event: content_block_start\ndata: {block}\n\n");
    for _ in 0..40 {
        let _ = write!(body, "event: content_block_delta\ndata: {delta}\n\n");
    }
    let sent = [harness::STREAM_HEAD, &harness::chunk(body.as_bytes())].concat();
    house.teach("claude", vec![Step::Send(sent), Step::Hang]);
    let mut client = house.client();
    client.send(&stream_of("claude/sonnet").bytes());
    let mut reply = client.head();
    client.body_until(&mut reply, "word");

    drop(client);

    let receipt = &house.receipts(1)[0];
    assert_eq!(receipt.status(), 499);
    assert_eq!((receipt.number("input_tokens"), receipt.number("output_tokens")), (25, 40));
    assert_eq!(receipt.0["usage_reported"], false);
}

/// A second call for which there is no room is not made, and refuses nobody: the rule's counter
/// counts requests.
#[test]
fn a_hedge_that_has_no_room_is_no_refused_request() {
    let mut first = once("test/raw-x");
    first["hedge"] = json!({"after_ms": 20, "max_extra_percent": 100});
    let rules = document(json!([in_order("chat", &[first, once("test/raw-y")])]));
    let one = limits(json!([{"id": "one", "when": {}, "limit_to": 1,
        "unit": "requests_per_hour"}]));
    let house = house(&[("routing", rules), ("limits", one)]);
    house.teach("x", [vec![Step::Pause(300)], counted(10, 5)].concat());
    let ask = Ask::post("/v1/chat/completions", chat_body("x", "").replace("test/x", "prod/chat"));

    let reply = house.ask(&ask);

    assert_eq!(reply.status, 200, "{}", reply.text());
    assert_eq!(house.vendor.log().len(), 1, "no room for a second call");
    house.receipts(1);
    let zero = "ai_gateway_rate_limit_applied_total{ruleId=\"one\"} 0\n";
    house.gateway.get_metrics_until(zero);
    assert_eq!(house.ask(&ask).status, 429);
    house.gateway.get_metrics_until(&zero.replace(" 0\n", " 1\n"));
}

/// What was seen: a key revoked and its caller removed, a restart, and the money of all that he had
/// spent was there again.
#[test]
fn what_a_caller_spent_who_is_gone_stays_spent_after_a_restart() {
    let all = |id: &str, more: Value| {
        let mut rule = json!({"id": id, "unit": "cost_per_day", "limit_to": 0.004});
        rule.as_object_mut().expect("it is").extend(more.as_object().expect("it is").clone());
        budgets(json!([rule]))
    };
    let requests = limits(json!([{"id": "two", "when": {}, "limit_to": 2,
        "unit": "requests_per_day"}]));
    for (name, rule, refusal) in [
        ("budgets", all("all", json!({})), "budget_exceeded"),
        ("budgets", all("core", json!({"budget_applies_per": ["team"]})), "budget_exceeded"),
        ("limits", requests, "rate_limit_exceeded"),
    ] {
        let token = manifest::token("gone-key", GONE, KEY_GONE);
        let team = json!({"type": "team", "name": "core",
            "members": ["you@example.com", "gone@example.com"]});
        let mut house = house(&[(name, rule), ("gone", token), ("team", team)]);
        house.teach("x", counted(1_000, 100));
        let ask = Ask::post("/v1/chat/completions", chat_body("raw-x", r#","max_tokens":1"#));
        for _ in 0..2 {
            assert_eq!(house.ask(&ask.clone().key(KEY_GONE)).status, 200);
        }
        house.receipts(2);

        let folder = house.gateway.manifests.path().to_owned();
        std::fs::remove_file(folder.join("gone.yaml")).expect("it was written");
        let team = json!({"type": "team", "name": "core", "members": ["you@example.com"]});
        manifest::write(&folder, "team", &team);
        restart(&mut house);

        assert_eq!(house.ask(&ask.clone().key(KEY_GONE)).status, 401);
        let refused = house.ask(&ask);
        assert_eq!(refused.refusal(), refusal, "{}", refused.text());
    }
}

/// A model without a price spends nothing: which budgets that concerns is told, also after a
/// restart.
#[test]
fn requests_of_unknown_cost_are_counted_by_the_budgets_they_come_under() {
    let both = budgets(json!([
        {"id": "money", "unit": "cost_per_day", "limit_to": 5},
        {"id": "tokens", "unit": "tokens_per_day", "limit_to": 5_000_000},
    ]));
    let mut house = house(&[("budgets", both)]);
    house.teach("x", counted(1_000, 100));
    house.teach("free", counted(1_000, 100));
    for model in ["raw-free", "raw-x", "raw-free"] {
        assert_eq!(house.ask(&Ask::chat(model)).status, 200);
    }
    house.receipts(3);

    for _ in 0..2 {
        let family = "weir_budget_requests_of_unknown_cost";
        let line = format!("{family}{{ruleId=\"money\",period=\"cost_per_day\"}} 2\n");
        let metrics = house.gateway.get_metrics_until(&line);
        assert!(!metrics.contains(&format!("{family}{{ruleId=\"tokens\"")), "it counts tokens");
        let money = period(&house, "money", "cost_per_day");
        assert_eq!((&money["unknown"], money["used"].to_string()), (&json!(2), "0.002".to_owned()));
        assert_eq!(period(&house, "tokens", "tokens_per_day")["unknown"], Value::Null);
        restart(&mut house);
    }
}

/// An error that comes as 200 in its vendor's own language was not worked for; an answer that says
/// nothing of its usage was.
#[test]
fn an_error_that_comes_as_an_answer_is_not_estimated() {
    let house = house(&[]);
    let error = r#"{"type":"error","error":{"type":"overloaded_error","message":"Busy."}}"#;
    let words = r#"{"id":"m","type":"message","role":"assistant","model":"s","content":[{"type":"text","text":"Hi"}],"stop_reason":"end_turn","stop_sequence":null}"#;
    let body =
        r#"{"model":"claude/sonnet","max_tokens":9,"messages":[{"role":"user","content":"a"}]}"#;
    for said in [error, words] {
        house.teach("claude", answer(200, "application/json", said.as_bytes()));
        assert_eq!(house.ask(&Ask::post("/v1/messages", body)).text(), said);
    }

    let receipts = house.receipts(2);

    assert_eq!(
        (receipts[0].number("output_tokens"), receipts[0].number("cost_nanodollars")),
        (0, 0)
    );
    assert_eq!(receipts[1].number("output_tokens"), words.len().div_ceil(4) as u64);
}
