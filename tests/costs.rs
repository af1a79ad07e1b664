//! What an exchange cost, in whole nano-dollars: on its receipt, and in the metrics.

mod harness;

use harness::{House, answer, client::Ask, gateway::Gateway, manifest, receipt::Receipt};
use serde_json::{Value, json};

/// A house whose models `raw-priced`, `raw-tiered` and `raw-unknown` answer with this usage.
fn house(usage: Value) -> House {
    let vendor = harness::vendor();
    let folder = manifest::folder();
    let models = ["raw-priced", "raw-tiered", "raw-unknown"];
    manifest::write_usual(&folder, vendor.address(), &models);
    let mut account = manifest::account(vendor.address(), &models);
    account["discount_percent"] = json!(12.5);
    let value = json!({"input": 0.003, "output": 0.015, "cache_read": 0.0003});
    account["integrations"][0]["cost"] = json!({"metric": "per_1000_tokens", "value": value});
    let tiers = json!([{"from": 1_000, "cost_per_token": 0.000_006}]);
    let value = json!({"input": 0.003, "output": 0, "input_tiers": tiers});
    account["integrations"][1]["cost"] = json!({"metric": "per_1000_tokens", "value": value});
    manifest::write(folder.path(), "account", &account);
    let house = House { gateway: Gateway::start(folder, &[]), vendor };
    let body = json!({"id": "c1", "object": "chat.completion", "choices": [{"index": 0,
        "message": {"role": "assistant", "content": "Hi"}, "finish_reason": "stop"}],
        "usage": usage});
    for name in ["priced", "tiered", "unknown"] {
        house.teach(name, answer(200, "application/json", body.to_string().as_bytes()));
    }
    house
}

/// T042, T044: cached tokens are part of the input, and are paid for once, at their own rate.
#[test]
fn t044_cached_tokens_are_paid_for_once_and_a_discount_is_taken_off() {
    let house = house(json!({"prompt_tokens": 1_000, "completion_tokens": 100,
        "total_tokens": 1_100, "prompt_tokens_details": {"cached_tokens": 400}}));
    assert_eq!(house.ask(&Ask::chat("raw-priced")).status, 200);

    // 600 at $3, 400 at $0.30 and 100 at $15 a million, less an eighth.
    let nanodollars = (600 * 3_000 + 400 * 300 + 100 * 15_000) * 7 / 8;
    assert_eq!(house.receipt().number("cost_nanodollars"), nanodollars);
    let metrics = house.gateway.get_metrics_until("ai_gateway_request_cost_total{");
    let line = metrics.lines().find(|line| line.starts_with("ai_gateway_request_cost_total{"));
    let line = line.expect("it was just there");
    assert!(line.ends_with(" 0.0029925") && line.contains("test/raw-priced"), "{line}");
}

/// T045: what is written to a cache, heard, spoken and thought is paid for at rates of its own.
#[test]
fn t045_each_part_of_a_usage_is_paid_for_at_its_own_rate() {
    let usage = json!({"prompt_tokens": 1_000, "completion_tokens": 100, "total_tokens": 1_100,
        "cache_creation_input_tokens": 300,
        "prompt_tokens_details": {"cached_tokens": 400, "audio_tokens": 50},
        "completion_tokens_details": {"reasoning_tokens": 40, "audio_tokens": 10}});
    let house = house(usage);
    let value = json!({"input": 0.003, "output": 0.015, "cache_read": 0.0003,
        "cache_write": 0.004, "audio_input": 0.04, "audio_output": 0.08, "reasoning": 0.02});
    let mut account = manifest::account(house.vendor.address(), &["raw-priced", "open"]);
    account["integrations"][0]["cost"] = json!({"metric": "per_1000_tokens", "value": value});
    manifest::write(house.gateway.manifests.path(), "account", &account);
    house.ask_until_known(&Ask::chat("open"));

    assert_eq!(house.ask(&Ask::chat("raw-priced")).status, 200);

    let input = 250 * 3_000 + 400 * 300 + 300 * 4_000 + 50 * 40_000;
    let output = 50 * 15_000 + 40 * 20_000 + 10 * 80_000;
    let is_asked = |one: &Receipt| one.text("requested_model") == "test/raw-priced";
    house.receipts_where(1, is_asked);
    let receipts = house.receipts_at_least(2);
    let receipt = receipts.iter().find(|one| is_asked(one)).expect("it was just there");
    assert_eq!(receipt.number("cost_nanodollars"), input + output);
    assert_eq!(receipt.number("cache_written_tokens"), 300);
    assert_eq!(receipt.number("input_audio_tokens"), 50);
    assert_eq!(receipt.number("output_audio_tokens"), 10);
}

/// Claude says what it wrote to its caches, and for how long: an hour is dearer.
#[test]
fn what_claude_keeps_for_an_hour_is_paid_for_as_that() {
    let house = house(Value::Null);
    let value = json!({"input": 0.003, "output": 0.015, "cache_read": 0.0003,
        "cache_write": 0.00375, "cache_write_hour": 0.006});
    let claude = json!({"type": "provider-account/anthropic", "name": "claude",
        "base_url": format!("http://{}/v1", house.vendor.address()),
        "auth_data": {"type": "api-key", "api_key": "k"},
        "collaborators": [{"subject": manifest::OWNER, "role_id": "provider-account-access"}],
        "integrations": [{"type": "integration/model/anthropic", "name": "sonnet",
            "model_id": "raw:claude", "model_types": ["chat"],
            "cost": {"metric": "per_1000_tokens", "value": value}}]});
    manifest::write(house.gateway.manifests.path(), "claude", &claude);
    let body = json!({"id": "msg_1", "type": "message", "role": "assistant", "model": "claude",
        "content": [{"type": "text", "text": "Hi"}], "stop_reason": "end_turn",
        "usage": {"input_tokens": 10, "output_tokens": 20, "cache_read_input_tokens": 30,
            "cache_creation_input_tokens": 100,
            "cache_creation": {"ephemeral_5m_input_tokens": 60, "ephemeral_1h_input_tokens": 40}}});
    house.teach("claude", answer(200, "application/json", body.to_string().as_bytes()));
    let body = r#"{"model":"claude/sonnet","max_tokens":99,"messages":[]}"#;
    let asked = house.ask_until_known(&Ask::post("/v1/messages", body));
    assert_eq!(asked.status, 200, "{}", asked.text());

    house.receipts_where(1, |one| one.status() == 200);
    let receipts = house.receipts_at_least(1);
    let receipt = receipts.iter().find(|one| one.status() == 200).expect("it was just there");

    let nanodollars = 10 * 3_000 + 30 * 300 + 60 * 3_750 + 40 * 6_000 + 20 * 15_000;
    assert_eq!(receipt.number("cost_nanodollars"), nanodollars);
    assert_eq!(receipt.number("input_tokens"), 140);
}

#[test]
fn a_large_prompt_is_paid_for_at_the_rate_of_its_tier() {
    let house = house(json!({"prompt_tokens": 1_000, "completion_tokens": 5}));
    assert_eq!(house.ask(&Ask::chat("raw-tiered")).status, 200);
    assert_eq!(house.receipt().number("cost_nanodollars"), 1_000 * 6_000 * 7 / 8);
}

/// T063: prices are replaced while it serves, whole or not at all.
#[test]
fn t063_a_price_table_holds_as_soon_as_it_is_written_and_a_wrong_one_changes_nothing() {
    let house = house(json!({"prompt_tokens": 1_000, "completion_tokens": 100}));
    let folder = house.gateway.manifests.path();
    let mut account = manifest::account(house.vendor.address(), &["raw-priced"]);
    account["integrations"][0]["cost"] = json!({"metric": "public_cost"});
    manifest::write(folder, "account", &account);
    let table = |dollars: Value| {
        json!({"type": "price-table", "name": "ours",
        "dollars_per_million": {"self-hosted-model": {"raw:priced": dollars}}})
    };
    manifest::write(folder, "prices", &table(json!({"input": 2, "input@500": 3, "output": 10.5})));
    let cost = || {
        house.ask(&Ask::chat("raw-priced"));
        let receipts = harness::receipt::all(house.gateway.data());
        receipts.last().map(|one| one.0["cost_nanodollars"].clone())
    };
    let until = std::time::Instant::now() + harness::DEADLINE;
    while cost() != Some(json!(1_000 * 3_000 + 100 * 10_500)) {
        assert!(std::time::Instant::now() < until, "{:?}", cost());
    }

    for (wrong, words) in [
        (json!({"input": "much"}), "number"),
        (json!({"gold": 1}), "cache_write_hour"),
        (json!({"input@x": 1}), "a number of tokens"),
        (json!({"input": -1}), "0 or more"),
    ] {
        manifest::write(folder, "prices", &table(wrong));
        let config = folder.to_str().expect("a temporary folder's name is UTF-8");
        let (code, output, _) = harness::gateway::run(&["check", "--config", config]);
        assert_eq!(code, Some(1), "{output}");
        assert!(output.contains(words), "{words}: {output}");
    }
    assert_eq!(cost(), Some(json!(1_000 * 3_000 + 100 * 10_500)), "the last good one holds");
}

/// T063: a price that nobody knows is not nothing.
#[test]
fn t063_an_unknown_price_is_counted_as_unknown_and_never_as_nothing() {
    let house = house(json!({"prompt_tokens": 1_000, "completion_tokens": 5}));
    assert_eq!(house.ask(&Ask::chat("raw-unknown")).status, 200);

    assert_eq!(house.receipt().0["cost_nanodollars"], Value::Null);
    let metrics = house.gateway.get_metrics_until("weir_requests_of_unknown_cost_total{");
    let line = metrics.lines().find(|it| it.starts_with("weir_requests_of_unknown_cost_total{"));
    assert!(line.is_some_and(|line| line.ends_with(" 1")), "{line:?}");
}

/// T060: neither is an answer whose usage nobody reported; what was refused cost nothing.
#[test]
fn t060_an_answer_without_usage_costs_its_estimate_and_a_refused_request_nothing() {
    let house = house(Value::Null);
    assert_eq!(house.ask(&Ask::chat("raw-priced")).status, 200);
    assert_eq!(house.ask(&Ask::chat("no-such-model")).status, 404);

    let receipts = house.receipts(2);
    let cost = |status: u64| {
        let found = receipts.iter().find(|one| one.status() == status);
        found.expect("one of each").0["cost_nanodollars"].clone()
    };
    assert!(cost(200).as_u64().is_some_and(|cost| cost > 0), "{:?}", cost(200));
    assert_eq!(cost(404), json!(0));
}

#[test]
fn a_price_that_cannot_be_obeyed_is_refused_with_words() {
    let house = house(Value::Null);
    let folder = house.gateway.manifests.path();
    for (cost, words) in [
        (json!({"metric": "per_1000_tokens", "value": {"input": -1, "output": 0}}), "0 or more"),
        (json!({"metric": "per_1000_tokens", "value": {"input": 1}}), "output"),
        (json!({"metric": "per_1000_pages", "value": {"pages": 1}}), "a metric of tokens"),
        (json!({"metric": "gold"}), "public_cost"),
    ] {
        let mut account = manifest::account(house.vendor.address(), &["raw-priced"]);
        account["integrations"][0]["cost"] = cost;
        manifest::write(folder, "account", &account);
        let config = folder.to_str().expect("a temporary folder's name is UTF-8");
        let (code, output, _) = harness::gateway::run(&["check", "--config", config]);
        assert_eq!(code, Some(1), "{output}");
        assert!(output.contains(words), "{words}: {output}");
    }
}
