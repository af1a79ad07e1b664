//! Calls beside the client's own, each a line of its own among the receipts: the second one of a
//! hedge, and the question to a model how hard a request is.

mod harness;

use harness::{
    DEADLINE, House, STREAM_HEAD, answer, chunk,
    client::{Ask, Reply},
    manifest,
    receipt::Receipt,
    routing::{MODELS, applied, document, house_with, in_order, once},
};
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use weir::rehearsal::{script::Step, seen::Seen};

/// A whole answer that says so much.
fn said(text: &str) -> Vec<Step> {
    let body = json!({"id": "c1", "object": "chat.completion", "choices": [{"index": 0,
        "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}});
    answer(200, "application/json", body.to_string().as_bytes())
}

fn after(millis: u64, steps: Vec<Step>) -> Vec<Step> {
    [vec![Step::Pause(millis)], steps].concat()
}

fn hedged(target: &str, hedge: Value) -> Value {
    let mut target = once(target);
    target["hedge"] = hedge;
    target
}

fn say(model: &str, text: &str) -> Ask {
    let body = json!({"model": model, "messages": [{"role": "user", "content": text}]});
    Ask::post("/v1/chat/completions", body.to_string())
}

fn stream(model: &str) -> Ask {
    let body = json!({"model": model, "stream": true,
        "messages": [{"role": "user", "content": "Hello"}]});
    Ask::post("/v1/chat/completions", body.to_string())
}

fn resolved(reply: &Reply) -> &str {
    assert_eq!(reply.status, 200, "{}", reply.text());
    reply.header("x-tfy-resolved-model").expect("it is always there")
}

/// A house whose `prod/chat` asks `test/raw-x`, hedged so, and then `test/raw-y`.
fn hedging(hedge: Value, more: &[(&str, Value)]) -> House {
    let targets = [hedged("test/raw-x", hedge), once("test/raw-y")];
    let house = house_with(json!([in_order("chat", &targets)]), more, &[]);
    house.teach("y", said("second"));
    house
}

/// The exchange's own line, and those beside it.
fn lines(receipts: Vec<Receipt>) -> (Vec<Receipt>, Vec<Receipt>) {
    let is_beside = |one: &Receipt| ["hedged", "classified"].contains(&&*one.text("ending"));
    receipts.into_iter().partition(|one| !is_beside(one))
}

/// Hedged requests: the second call answers first and is told; the first one is cancelled, and what
/// it used is billed on a line of its own.
#[test]
fn the_first_good_answer_wins_and_the_loser_has_a_line_of_its_own() {
    let mut account = Value::Null;
    let house = hedging(json!({"after_ms": 40, "max_extra_percent": 100}), &[]);
    account.clone_from(&manifest::account(house.vendor.address(), MODELS));
    for model in account["integrations"].as_array_mut().expect("a list") {
        model["cost"] = json!({"metric": "per_1000_tokens",
            "value": {"input": 0.003, "output": 0.015}});
    }
    manifest::write(house.gateway.manifests.path(), "account", &account);
    house.teach("x", vec![Step::Hang]);
    let ask = say("prod/chat", "Hello");
    let priced = || house.receipts_at_least(2).iter().any(|one| one.number("cost_nanodollars") > 0);
    let until = Instant::now() + DEADLINE;
    let mut asked = 0;

    let reply = loop {
        let reply = house.ask(&ask);
        asked += 1;
        if priced() {
            break reply;
        }
        assert!(Instant::now() < until, "the prices are not obeyed");
    };

    assert_eq!(resolved(&reply), "test/raw-y");
    assert!(reply.text().contains("second"));
    assert_eq!(applied(&reply)["loadBalancing"]["reason"], "hedge");
    let cancelled = |log: &[Seen]| log.iter().filter(|seen| seen.was_abandoned()).count() == asked;
    assert!(house.vendor.wait_until(DEADLINE, cancelled), "the loser is cancelled");
    let receipts = house.receipts(2 * asked);
    let (own, beside) = lines(receipts);
    let (own, beside) = (own.last().expect("one each"), beside.last().expect("one each"));
    assert_eq!(own.text("request_id"), beside.text("request_id"));
    assert_eq!((own.text("ending").as_str(), own.status()), ("complete", 200));
    assert_eq!((own.number("input_tokens"), own.number("output_tokens")), (10, 5));
    assert_eq!(own.number("cost_nanodollars"), 10 * 3_000 + 5 * 15_000);
    assert_eq!(beside.text("resolved_model"), "test/raw-x");
    assert_eq!((beside.text("ending").as_str(), beside.status()), ("hedged", 499));
    // Nobody reports what a call used that was given up: its prompt, by its bytes.
    let input = (ask.body.len() as u64).div_ceil(4);
    assert_eq!((beside.number("input_tokens"), beside.number("output_tokens")), (input, 0));
    assert_eq!(beside.0["usage_reported"], false);
    assert_eq!(beside.number("cost_nanodollars"), input * 3_000);
    let metrics = house.gateway.get_metrics_until("ai_gateway_requests_total{");
    assert!(!metrics.contains("status=\"499\""), "a loser is no request: {metrics}");
}

/// Where the first call answers in time, no second one is made; where it answers after it, but
/// before the second, it is told.
#[test]
fn a_first_call_that_answers_first_is_told() {
    let house = hedging(json!({"after_ms": 60, "max_extra_percent": 100}), &[]);
    house.teach("x", said("first"));

    let soon = house.ask(&say("prod/chat", "Hello"));

    assert_eq!(resolved(&soon), "test/raw-x");
    assert_eq!(house.vendor.log().len(), 1);
    house.teach("x", after(200, said("first")));
    house.teach("y", vec![Step::Hang]);
    let late = house.ask(&say("prod/chat", "Hello"));
    assert_eq!(resolved(&late), "test/raw-x");
    assert_eq!(applied(&late)["loadBalancing"]["reason"], "priority");
    assert_eq!(house.vendor.log().len(), 3);
    let (own, beside) = lines(house.receipts(3));
    assert_eq!((own.len(), beside.len()), (2, 1));
    assert_eq!(beside[0].text("resolved_model"), "test/raw-y");
}

/// `max_extra_percent` is held, counted from the first call on.
#[test]
fn second_calls_are_never_more_than_their_percentage() {
    let house = hedging(json!({"after_ms": 10, "max_extra_percent": 20}), &[]);
    house.teach("x", after(80, said("first")));
    let counts = |house: &House| {
        let asked = house.asked();
        let of = |name: &str| asked.iter().filter(|model| *model == name).count();
        (of("raw:x"), of("raw:y"))
    };

    for _ in 0..12 {
        assert_eq!(house.ask(&say("prod/chat", "Hello")).status, 200);
        let (firsts, seconds) = counts(&house);
        assert!(seconds * 100 <= firsts * 20, "{seconds} of {firsts}");
    }

    assert_eq!(counts(&house), (12, 2));
}

/// `quantile`: nobody hedges before it is known how long calls take; then the slow ones are.
#[test]
fn a_quantile_hedges_what_is_slower_than_usual() {
    let house = hedging(json!({"quantile": 0.9, "max_extra_percent": 100}), &[]);
    house.teach("x", after(30, said("first")));
    for _ in 0..20 {
        assert_eq!(resolved(&house.ask(&say("prod/chat", "Hello"))), "test/raw-x");
    }
    house.teach("x", after(5_000, said("first")));
    let begun = Instant::now();

    let reply = house.ask(&say("prod/chat", "Hello"));

    assert_eq!(resolved(&reply), "test/raw-y");
    assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
}

/// Streams: hedged until the first byte of the body, never after.
#[test]
fn a_stream_is_hedged_until_its_first_byte() {
    const EVENT: &str = "data: {\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\
        \"first\"},\"finish_reason\":null}]}\n\n";
    const LAST: &str = "data: {\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{},\
        \"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n";
    let mut targets = vec![hedged("test/raw-x", json!({"after_ms": 50, "max_extra_percent": 100}))];
    targets.push(once("test/plain"));
    let house = house_with(json!([in_order("chat", &targets)]), &[], &[]);
    // A head says nothing of how long the words take.
    house.teach("x", vec![Step::Send(STREAM_HEAD.to_vec()), Step::Hang]);

    let silent = house.ask(&stream("prod/chat"));

    assert_eq!(resolved(&silent), "test/plain");
    assert_eq!(silent.events().last().map(String::as_str), Some("[DONE]"));
    house.teach(
        "x",
        vec![
            Step::Send([STREAM_HEAD, &chunk(EVENT.as_bytes())[..]].concat()),
            Step::Pause(300),
            Step::Send([&chunk(LAST.as_bytes())[..], b"0\r\n\r\n"].concat()),
        ],
    );
    let spoken = house.ask(&stream("prod/chat"));
    assert_eq!(resolved(&spoken), "test/raw-x");
    assert_eq!(spoken.text().matches("first").count(), 1);
    assert_eq!(house.vendor.log().len(), 3, "no second call beside one that speaks");
}

/// A first call that fails while the second one runs is an attempt that failed; a second one that
/// fails leaves the first alone.
#[test]
fn a_call_that_fails_is_not_told_while_the_other_may_answer() {
    let house = hedging(json!({"after_ms": 30, "max_extra_percent": 100}), &[]);
    house.teach("x", after(120, answer(503, "application/json", b"{\"error\":{}}")));
    house.teach("y", after(300, said("second")));

    let reply = house.ask(&say("prod/chat", "Hello"));

    assert_eq!(resolved(&reply), "test/raw-y");
    let attempts = &applied(&reply)["fallback"]["attempts"];
    assert_eq!(attempts, &json!([{"target": "test/raw-x", "failed": "503"}]));
    house.teach("x", after(300, said("first")));
    house.teach("y", answer(500, "application/json", b"{\"error\":{}}"));
    let first = house.ask(&say("prod/chat", "Hello"));
    assert_eq!(resolved(&first), "test/raw-x");
    let (own, beside) = lines(house.receipts(4));
    assert!(own.iter().all(|one| one.status() == 200 && one.text("fault").is_empty()));
    let faults: Vec<_> = beside.iter().map(|one| (one.status(), one.text("fault"))).collect();
    assert_eq!(faults, [(503, "status".to_owned()), (500, "status".to_owned())]);
    assert!(beside.iter().all(|one| one.number("input_tokens") == 0), "nothing was used");
}

/// A hedge reserves twice, and is settled twice; where a limit has room for one only, it is not
/// made, and the client is none the worse.
#[test]
fn a_hedge_reserves_by_itself_and_is_not_made_where_there_is_no_room() {
    let limits = json!({"type": "gateway-rate-limiting-config", "name": "l", "rules": [
        {"id": "three", "when": {}, "limit_to": 3, "unit": "requests_per_hour"}]});
    let house = hedging(json!({"after_ms": 30, "max_extra_percent": 100}), &[("limits", limits)]);
    house.teach("x", after(250, said("first")));

    let two = house.ask(&say("prod/chat", "Hello"));
    let one = house.ask(&say("prod/chat", "Hello"));

    assert_eq!(resolved(&two), "test/raw-y");
    assert_eq!(resolved(&one), "test/raw-x", "no room for a second call");
    assert_eq!(house.ask(&say("prod/chat", "Hello")).refusal(), "rate_limit_exceeded");
    assert_eq!(house.vendor.log().len(), 3);
    house.receipts(4);
}

/// A client that leaves while both calls run ends both, and each settles once.
#[test]
fn a_client_that_leaves_a_hedge_ends_both_calls() {
    let house = hedging(json!({"after_ms": 30, "max_extra_percent": 100}), &[]);
    house.teach("x", vec![Step::Hang]);
    house.teach("y", vec![Step::Hang]);
    let mut leaving = house.client();
    leaving.send(&say("prod/chat", "Hello").bytes());
    assert!(house.vendor.wait_until(DEADLINE, |log| log.len() == 2));

    drop(leaving);

    let gone = |log: &[Seen]| log.iter().all(Seen::was_abandoned);
    assert!(house.vendor.wait_until(DEADLINE, gone));
    let (own, beside) = lines(house.receipts(2));
    assert_eq!(own[0].text("ending"), "client_gone");
    assert_eq!(beside[0].text("ending"), "hedged");
    assert!(own[0].number("input_tokens") > 0 && beside[0].number("input_tokens") > 0);
}

/// A house whose `prod/auto` asks `test/raw-x` how hard a request is.
fn classifying(more: Value, others: &[(&str, Value)]) -> House {
    let tier = |target: &str, tier: &str| json!({"target": target, "tier": tier});
    let mut strategy = json!({"type": "llm-classifier", "model": "test/raw-x",
        "fallback_strategy": {"type": "heuristic"}});
    strategy.as_object_mut().expect("an object").extend(
        more.as_object().expect("an object").iter().map(|(key, it)| (key.clone(), it.clone())),
    );
    let rule = json!({"id": "auto", "type": "complexity-based-routing",
        "when": {"models": ["prod/auto"]}, "classification_strategy": strategy,
        "load_balance_targets": [tier("test/plain", "simple"), tier("test/second", "medium"),
            tier("test/third", "complex")]});
    house_with(json!([rule]), others, &[])
}

/// 121: a model says how hard a request is; its usage is billed on a line of its own.
#[test]
fn a_model_says_how_hard_a_request_is_and_is_billed_by_itself() {
    let house = classifying(json!({}), &[]);
    house.teach("x", said("complex"));

    let reply = house.ask(&say("prod/auto", "Hello! \"}]"));

    assert_eq!(resolved(&reply), "test/third");
    assert_eq!(applied(&reply)["loadBalancing"]["reason"], "complexity-complex");
    let bodies = house.vendor_bodies();
    let question: Value = serde_json::from_str(&bodies[0]).expect("it is JSON");
    let asked = question["messages"][1]["content"].as_str().unwrap_or_default();
    assert!(asked.contains("Hello! \"}]"), "{asked}");
    let (own, beside) = lines(house.receipts(2));
    assert_eq!(beside[0].text("ending"), "classified");
    assert_eq!(beside[0].text("resolved_model"), "test/raw-x");
    assert_eq!((beside[0].number("input_tokens"), beside[0].number("output_tokens")), (10, 5));
    assert_eq!(beside[0].text("request_id"), own[0].text("request_id"));
    assert_eq!(own[0].text("resolved_model"), "test/third");
}

/// 121: a classifier of another dialect is asked in its own words.
#[test]
fn a_classifier_is_asked_in_its_own_words() {
    let house = classifying(json!({"model": "claude/raw-x"}), &[]);
    let body = json!({"id": "m", "type": "message", "role": "assistant", "model": "x",
        "content": [{"type": "text", "text": "Medium."}], "stop_reason": "end_turn",
        "usage": {"input_tokens": 40, "output_tokens": 3}});
    house.teach("x", answer(200, "application/json", body.to_string().as_bytes()));

    let reply = house.ask(&say("prod/auto", "Hello!"));

    assert_eq!(resolved(&reply), "test/second");
    assert!(house.vendor.log()[0].path.ends_with("/messages"));
    let (_, beside) = lines(house.receipts(2));
    assert_eq!((beside[0].number("input_tokens"), beside[0].number("output_tokens")), (40, 3));
}

/// 121: whatever goes wrong with the classifier, in its time, the fallback decides.
#[test]
fn a_classifier_that_fails_or_is_late_falls_back() {
    let late = json!({"timeout_ms": 80, "fallback_strategy":
        {"type": "static", "default_tier": "medium"}});
    let house = classifying(late, &[]);
    for steps in [
        vec![Step::Hang],
        answer(500, "application/json", b"{\"error\":{\"message\":\"no\"}}"),
        answer(200, "text/html", b"<html>"),
        said("I would say simple, or complex."),
        vec![Step::Close],
    ] {
        house.teach("x", steps.clone());
        let begun = Instant::now();

        let reply = house.ask(&say("prod/auto", "Hello!"));

        assert_eq!(resolved(&reply), "test/second", "{steps:?}");
        assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
    }
    let (own, beside) = lines(house.receipts(10));
    assert!(own.iter().all(|one| one.status() == 200));
    let statuses: Vec<u64> = beside.iter().map(Receipt::status).collect();
    assert_eq!(statuses, [504, 500, 502, 200, 502]);

    let heuristic = classifying(json!({"timeout_ms": 80}), &[]);
    heuristic.teach("x", vec![Step::Hang]);
    assert_eq!(resolved(&heuristic.ask(&say("prod/auto", "Hello!"))), "test/plain");
    let hard = "Design a distributed queue, prove its invariants and analyze the trade offs.";
    assert_eq!(resolved(&heuristic.ask(&say("prod/auto", hard))), "test/third");
}

/// A refused request asks no classifier; a classifier that has no room in a limit is not asked.
#[test]
fn a_classifier_reserves_by_itself_and_is_not_asked_for_nothing() {
    let limits = json!({"type": "gateway-rate-limiting-config", "name": "l", "rules": [
        {"id": "own", "when": {"models": ["test/raw-x"]}, "limit_to": 1,
            "unit": "requests_per_hour"},
        {"id": "all", "when": {"models": ["prod/auto"]}, "limit_to": 2,
            "unit": "requests_per_hour"}]});
    let house = classifying(json!({}), &[("limits", limits)]);
    house.teach("x", said("complex"));
    let ask = say("prod/auto", "Hello!");

    assert_eq!(resolved(&house.ask(&ask)), "test/third");
    assert_eq!(resolved(&house.ask(&ask)), "test/plain", "the heuristic's word");
    assert_eq!(house.ask(&ask).refusal(), "rate_limit_exceeded");

    assert_eq!(house.asked(), ["raw:x", "third", "plain"]);
    house.receipts(4);
}

/// A client that leaves while the classifier thinks ends it all.
#[test]
fn a_client_that_leaves_while_the_classifier_thinks_is_gone() {
    let house = classifying(json!({"timeout_ms": 20_000}), &[]);
    house.teach("x", vec![Step::Hang]);
    let mut leaving = house.client();
    leaving.send(&say("prod/auto", "Hello!").bytes());
    assert!(house.vendor.wait_until(DEADLINE, |log| log.len() == 1));

    drop(leaving);

    let (own, beside) = lines(house.receipts(2));
    assert_eq!((own[0].text("ending").as_str(), own[0].status()), ("client_gone", 499));
    assert_eq!((beside[0].text("ending").as_str(), beside[0].status()), ("classified", 499));
    assert_eq!(house.vendor.log().len(), 1, "no target was asked");
}

/// A cap that is raised while a request waits: it is served, and so are those that come.
#[test]
fn a_rule_may_change_while_calls_wait() {
    let mut target = hedged("test/raw-x", json!({"after_ms": 30, "max_extra_percent": 100}));
    target["concurrency"] = json!({"max": 1, "queue": 1, "queue_timeout_ms": 20_000});
    let house = house_with(json!([in_order("chat", &[target.clone()])]), &[], &[]);
    house.teach("x", after(600, said("first")));
    let ask = say("prod/chat", "Hello");
    let mut first = house.client();
    first.send(&ask.bytes());
    assert!(house.vendor.wait_until(DEADLINE, |log| log.len() == 1));
    let mut second = house.client();
    second.send(&ask.bytes());

    // More seats: whoever waits keeps what was promised, whoever comes finds more.
    target["concurrency"] = json!({"max": 3, "queue": 1, "queue_timeout_ms": 20_000});
    let changed = document(json!([in_order("chat", &[target])]));
    manifest::write(house.gateway.manifests.path(), "routing", &changed);

    assert_eq!((first.reply().status, second.reply().status), (200, 200));
}
