//! Routing by how long targets take, as it was measured over sockets.

mod harness;

use harness::{
    DEADLINE, House, STREAM_HEAD, answer, chunk,
    client::{Ask, Reply},
    manifest,
    routing::{applied, document, house, house_with, in_order, once},
};
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use weir::rehearsal::script::Step;

/// A core looks at what all cores measured ten times a second; this is longer.
const VIEW: Duration = Duration::from_millis(150);

/// A whole answer of so many tokens, after so long.
fn said(after_ms: u64, tokens: u64) -> Vec<Step> {
    let body = json!({"id": "c1", "object": "chat.completion", "choices": [{"index": 0,
        "message": {"role": "assistant", "content": "Hi"}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 10, "completion_tokens": tokens, "total_tokens": 10 + tokens}});
    let told = answer(200, "application/json", body.to_string().as_bytes());
    [vec![Step::Pause(after_ms)], told].concat()
}

/// A stream whose first token comes after so long.
fn streamed(after_ms: u64) -> Vec<Step> {
    let delta = "data: {\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Hi\"},\
        \"finish_reason\":null}]}\n\n";
    let end = "data: {\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{},\
        \"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n";
    let rest = [&chunk(delta.as_bytes())[..], &chunk(end.as_bytes()), b"0\r\n\r\n"].concat();
    vec![Step::Send(STREAM_HEAD.to_vec()), Step::Pause(after_ms), Step::Send(rest)]
}

fn ask(model: &str, is_streaming: bool) -> Ask {
    let body = json!({"model": model, "stream": is_streaming,
        "messages": [{"role": "user", "content": "Hello"}]});
    Ask::post("/v1/chat/completions", body.to_string())
}

fn resolved(reply: &Reply) -> &str {
    assert_eq!(reply.status, 200, "{}", reply.text());
    reply.header("x-tfy-resolved-model").expect("it is always there")
}

fn reason(reply: &Reply) -> Value {
    applied(reply)["loadBalancing"]["reason"].clone()
}

/// How often the time per token of this target was measured.
fn readings(house: &House, target: &str) -> u64 {
    let health = house.gateway.admin("/api/svc/v1/llm-gateway/health").json();
    let rows = health["targets"].as_array().expect("a list");
    let row = rows.iter().find(|row| row["target"] == target).expect("a rule names it");
    row["time_per_output_token_ms"]["20m"]["readings"].as_u64().expect("a number")
}

/// Ask until every core has looked at what is known now.
fn ask_until_seen(house: &House, asked: &Ask) {
    let known = Instant::now();
    while known.elapsed() < VIEW {
        house.ask(asked);
    }
}

#[test]
fn latency_explores_each_target_and_then_asks_the_one_that_was_measured_to_be_fast() {
    let targets = [once("test/raw-x"), once("test/raw-y")];
    let rules = json!([{"id": "pace", "type": "latency-based-routing",
        "when": {"models": ["prod/pace"]}, "load_balance_targets": targets}]);
    let admins = json!({"type": "gateway-global-settings", "admins": [manifest::OWNER]});
    let house = house_with(rules, &[("settings", admins)], &[]);
    // 30 ms a token, and far less.
    house.teach("x", said(120, 4));
    house.teach("y", said(0, 400));
    let asked = ask("prod/pace", false);
    let until = Instant::now() + DEADLINE;

    let is_known = |target: &str| readings(&house, target) >= 3;
    while !(is_known("test/raw-x") && is_known("test/raw-y")) {
        let reply = house.ask(&asked);
        assert!(["latency", "exploration"].contains(&reason(&reply).as_str().unwrap_or_default()));
        assert!(Instant::now() < until, "each is explored");
    }
    ask_until_seen(&house, &asked);

    for _ in 0..20 {
        let reply = house.ask(&asked);
        assert_eq!((resolved(&reply), reason(&reply)), ("test/raw-y", json!("latency")));
    }
}

#[test]
fn a_target_beyond_its_sla_cutoff_is_asked_last_once_three_readings_say_so() {
    for (cutoff, steps, is_streaming) in [
        (json!({"time_per_output_token_ms": 20}), said(120, 4), false),
        (json!({"time_to_first_token_ms": 60}), streamed(120), true),
    ] {
        let mut first = once("test/raw-x");
        first["sla_cutoff"].clone_from(&cutoff);
        let house = house(json!([in_order("chat", &[first, once("test/raw-y")])]));
        house.teach("x", steps);
        house.teach("y", if is_streaming { streamed(0) } else { said(0, 4) });
        let asked = ask("prod/chat", is_streaming);
        for _ in 0..3 {
            assert_eq!(resolved(&house.ask(&asked)), "test/raw-x", "{cutoff}: too few readings");
        }

        let reply = house.ask_until(&asked, |reply| resolved(reply) == "test/raw-y");

        assert_eq!(reason(&reply), "priority");
        for _ in 0..5 {
            assert_eq!(resolved(&house.ask(&asked)), "test/raw-y", "{cutoff}");
        }
    }
}

/// What was seen: a hedge looked at failures alone, and went to a target that its plan had moved to
/// the end for being slow.
#[test]
fn a_hedge_does_not_go_to_a_target_beyond_its_sla_cutoff() {
    let mut first = once("test/raw-y");
    first["hedge"] = json!({"after_ms": 30, "max_extra_percent": 100});
    let mut slow = once("test/raw-x");
    slow["sla_cutoff"] = json!({"time_per_output_token_ms": 20});
    let house =
        house(json!([in_order("slow", &[slow.clone()]), in_order("chat", &[first, slow]),]));
    house.teach("x", said(120, 4));
    house.teach("y", said(250, 4));
    let slow = ask("prod/slow", false);
    for _ in 0..3 {
        house.ask(&slow);
    }
    ask_until_seen(&house, &slow);
    let before = house.asked().len();

    let reply = house.ask(&ask("prod/chat", false));

    assert_eq!(resolved(&reply), "test/raw-y");
    assert_eq!(house.asked()[before..], ["raw:y", "raw:y"], "the second call goes to the same");
}

/// What was seen: places were never freed, and behind the 1,024th name no target was watched.
#[test]
fn a_target_that_is_gone_leaves_its_place_to_others() {
    let house = house(json!([in_order("chat", &[once("test/raw-x"), once("test/second")])]));
    house.teach("x", said(0, 4));
    house.teach("y", said(0, 4));
    let asked = ask("prod/chat", false);
    assert_eq!(resolved(&house.ask(&asked)), "test/raw-x");
    house.gateway.get_metrics_until("weir_target_places 2\n");

    let folder = house.gateway.manifests.path();
    let account = manifest::account(house.vendor.address(), &["raw-y"]);
    manifest::write(folder, "account", &account);
    manifest::write(folder, "routing", &document(json!([in_order("chat", &[once("test/raw-y")])])));
    house.ask_until(&asked, |reply| reply.header("x-tfy-resolved-model") == Some("test/raw-y"));

    house.gateway.get_metrics_until("weir_target_places 1\n");
}
