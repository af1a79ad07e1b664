//! Routing over real sockets: which target is asked, how often, what it is told, and what the
//! client is told of it.

mod harness;

use harness::{
    House,
    client::{Ask, KEY_OUTSIDER, Reply},
    manifest,
    routing::{applied, document, house, house_with, in_order, once},
};
use serde_json::{Value, json};
use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

/// A chat with a model by its whole name.
fn chat(model: &str, more: Value) -> Ask {
    let mut body = json!({"model": model, "messages": [{"role": "user", "content": "Hello"}]});
    body.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
    Ask::post("/v1/chat/completions", body.to_string())
}

fn plain(model: &str) -> Ask {
    chat(model, json!({}))
}

fn resolved(reply: &Reply) -> String {
    assert_eq!(reply.status, 200, "{}", reply.text());
    reply.header("x-tfy-resolved-model").expect("it is always there").to_owned()
}

/// 95, 96, 97: the first rule that matches, by subject, model and metadata.
#[test]
fn the_first_rule_that_matches_routes_the_request() {
    let rule = |id: &str, when: Value, target: &str| {
        json!({"id": id, "type": "weight-based-routing", "when": when,
            "load_balance_targets": [{"target": target, "weight": 100}]})
    };
    let house = house(json!([
        rule("batch", json!({"metadata": {"surface": "batch"}}), "test/third"),
        rule(
            "outsider",
            json!({"subjects": [manifest::OUTSIDER], "models": ["test/open", "x/y"]}),
            "test/open"
        ),
        rule("both", json!({"subjects": ["*"], "models": ["test/plain"]}), "test/second"),
        rule("late", json!({"models": ["test/plain"]}), "test/open"),
    ]));
    let tagged = |ask: Ask, metadata: &str| ask.header("x-tfy-metadata", metadata);

    assert_eq!(resolved(&house.ask(&plain("test/plain"))), "test/second");
    // The house's metadata config decides the owner's surface, so billing asks for a batch.
    let billing = tagged(
        plain("test/plain").key(harness::client::KEY_BILLING),
        r#"{"surface":"batch","x":"y"}"#,
    );
    let batch = house.ask(&billing);
    assert_eq!(resolved(&batch), "test/third");
    assert_eq!(
        applied(&batch)["loadBalancing"],
        json!({"ruleId": "batch", "type": "weight-based-routing", "target": "test/third",
            "reason": "weight"})
    );
    assert_eq!(resolved(&house.ask(&plain("x/y").key(KEY_OUTSIDER))), "test/open");
    assert_eq!(resolved(&house.ask(&plain("test/open"))), "test/open");
    assert_eq!(applied(&house.ask(&plain("test/open"))).get("loadBalancing"), None);
    assert_eq!(house.ask(&plain("x/y")).status, 404, "no rule names it for this caller");
    let receipts = house.receipts_at_least(6);
    assert!(receipts.iter().any(|one| one.text("rule") == "batch"
        && one.text("requested_model") == "test/plain"
        && one.text("resolved_model") == "test/third"));
}

/// 98 and decision 20: a logical name is listed and callable for whoever may use a target; targets
/// that the caller may not use are passed over.
#[test]
fn a_logical_name_is_for_whoever_may_use_one_of_its_targets() {
    let house = house(json!([
        in_order("mixed", &[once("test/plain"), once("test/open")]),
        in_order("closed", &[once("test/plain")]),
    ]));
    let names = |key: &str| {
        let listed = house.ask(&Ask::get("/v1/models").key(key)).json();
        let data = listed["data"].as_array().expect("a list").clone();
        data.into_iter().map(|it| it["id"].as_str().unwrap_or_default().to_owned()).collect()
    };
    let (owner, outsider): (Vec<String>, Vec<String>) =
        (names(harness::client::KEY), names(KEY_OUTSIDER));

    assert!(owner.contains(&"prod/mixed".into()) && owner.contains(&"prod/closed".into()));
    assert_eq!(outsider, ["test/open", "prod/mixed"]);
    assert_eq!(resolved(&house.ask(&plain("prod/mixed"))), "test/plain");
    assert_eq!(resolved(&house.ask(&plain("prod/mixed").key(KEY_OUTSIDER))), "test/open");
    let closed = house.ask(&plain("prod/closed").key(KEY_OUTSIDER));
    assert_eq!((closed.status, closed.refusal().as_str()), (404, "model_not_found"));
    let one = house.ask(&Ask::get("/v1/models/prod%2Fmixed").key(KEY_OUTSIDER));
    assert_eq!(one.json()["id"], "prod/mixed");
}

/// Retargeting needs no application change, and no restart.
#[test]
fn a_rule_that_changes_moves_the_next_request() {
    let house = house(json!([in_order("chat", &[once("test/plain")])]));
    assert_eq!(resolved(&house.ask(&plain("prod/chat"))), "test/plain");

    let changed = document(json!([in_order("chat", &[once("test/second")])]));
    manifest::write(house.gateway.manifests.path(), "routing", &changed);

    let moved = |reply: &Reply| reply.header("x-tfy-resolved-model") == Some("test/second");
    assert_eq!(house.ask_until(&plain("prod/chat"), moved).status, 200);
}

/// 99 over sockets: 300 requests at 80 to 20.
#[test]
fn weights_share_real_requests() {
    let house = house(json!([{"id": "canary", "type": "weight-based-routing",
        "when": {"models": ["prod/chat"]}, "targets": [
            {"model": "test/plain", "weight": 80}, {"model": "test/second", "weight": 20}]}]));
    let mut client = house.client();
    let mut counts: HashMap<String, u32> = HashMap::new();
    for _ in 0..300 {
        client.send(&plain("prod/chat").bytes());
        *counts.entry(resolved(&client.reply())).or_default() += 1;
    }
    // Five standard deviations of seven requests each.
    assert!((205..=275).contains(&counts["test/plain"]), "{counts:?}");
}

/// 106, 107: a session stays, by headers and metadata together; without one of them it does not.
#[test]
fn a_session_stays_at_its_target_on_every_core() {
    let target = |name: &str| json!({"target": name, "weight": 1});
    let rules = json!([{"id": "sticky", "type": "weight-based-routing",
        "when": {"models": ["prod/chat"]},
        "sticky_routing": {"ttl_seconds": 3600, "session_identifiers": [
            {"key": "X-User-Id", "source": "headers"}, {"key": "chat", "source": "metadata"}]},
        "load_balance_targets": [target("test/plain"), target("test/second"),
            target("test/third"), target("test/open")]}]);
    let house = house_with(rules, &[], &["--cores", "2"]);
    let ask = |user: &str, chat: &str| {
        let metadata = format!(r#"{{"chat":"{chat}"}}"#);
        plain("prod/chat").header("x-user-id", user).header("x-tfy-metadata", &metadata)
    };
    let mut seen = HashMap::new();
    for round in 0..4 {
        for session in 0..12 {
            let reply = house.ask(&ask(&format!("u{session}"), "c"));
            assert_eq!(applied(&reply)["loadBalancing"]["reason"], "sticky");
            let target = resolved(&reply);
            let first = seen.entry(session).or_insert(target.clone());
            assert_eq!(*first, target, "round {round}, session {session}");
        }
    }
    let targets: std::collections::HashSet<_> = seen.into_values().collect();
    assert!(targets.len() >= 2, "sessions are spread: {targets:?}");
    let without = house.ask(&plain("prod/chat").header("x-user-id", "u1"));
    assert_eq!(applied(&without)["loadBalancing"]["reason"], "weight");
}

/// 108, 109: the same target again, after the delay, on the usual statuses, twice.
#[test]
fn a_target_is_asked_again_after_its_delay() {
    let house = house(json!([
        in_order("flaky", &[json!({"target": "test/flaky"})]),
        in_order("failing", &[json!({"target": "test/e503"})]),
        in_order(
            "quick",
            &[json!({"target": "test/e500",
            "retry_config": {"attempts": 1, "delay": 1, "on_status_codes": ["500"]}})]
        ),
        in_order("teapot", &[json!({"target": "test/e418"})]),
    ]));
    let begun = Instant::now();
    assert_eq!(resolved(&house.ask(&plain("prod/flaky"))), "test/flaky");
    assert!(begun.elapsed() >= Duration::from_millis(100), "{:?}", begun.elapsed());
    assert_eq!(house.asked(), ["flaky", "flaky"]);

    let begun = Instant::now();
    let failed = house.ask(&plain("prod/failing"));
    assert_eq!(failed.status, 503);
    assert!(failed.text().contains("The vendor says 503."), "the last answer passes");
    assert!(begun.elapsed() >= Duration::from_millis(200));
    assert_eq!(house.ask(&plain("prod/quick")).status, 500);
    assert_eq!(house.ask(&plain("prod/teapot")).status, 418);
    let asked = house.asked();
    let count = |model: &str| asked.iter().filter(|it| *it == model).count();
    assert_eq!([count("e503"), count("e500"), count("e418")], [3, 2, 1], "{asked:?}");
    let receipts = house.receipts(4);
    assert_eq!(receipts[1].number("retries"), 2);
    let attempts = json!([{"target": "test/e503", "failed": "503"},
        {"target": "test/e503", "failed": "503"}]);
    assert_eq!(receipts[1].0["failed_attempts"], attempts);
    assert_eq!(applied(&failed)["fallback"]["attempts"], attempts);
}

/// 110, 111, 112: the next target on the listed statuses, others pass, and who takes no fallback is
/// not asked.
#[test]
fn the_next_target_is_asked_on_the_listed_statuses_only() {
    let mut listed = once("test/e418");
    listed["fallback_status_codes"] = json!(["418"]);
    let mut unlisted = once("test/e503");
    unlisted["fallback_status_codes"] = json!([429]);
    let mut shy = once("test/second");
    shy["fallback_candidate"] = false.into();
    let house = house(json!([
        in_order("usual", &[once("test/e401"), once("test/e429"), once("test/plain")]),
        in_order("listed", &[listed, once("test/plain")]),
        in_order("unlisted", &[unlisted, once("test/plain")]),
        in_order("bad", &[once("test/e400-ctxlen"), once("test/plain")]),
        in_order("shy", &[once("test/e500"), shy, once("test/third")]),
    ]));

    let usual = house.ask(&plain("prod/usual"));
    assert_eq!(resolved(&usual), "test/plain");
    assert_eq!(
        applied(&usual),
        json!({"loadBalancing": {"ruleId": "order-usual", "type": "priority-based-routing",
                "target": "test/plain", "reason": "fallback"},
            "fallback": {"attempts": [{"target": "test/e401", "failed": "401"},
                {"target": "test/e429", "failed": "429"}]},
            "metadata": {"overrides": ["surface"]}})
    );
    assert_eq!(resolved(&house.ask(&plain("prod/listed"))), "test/plain");
    assert_eq!(house.ask(&plain("prod/unlisted")).status, 503);
    let bad = house.ask(&plain("prod/bad"));
    assert_eq!(
        (bad.status, &bad.json()["error"]["code"]),
        (400, &json!("context_length_exceeded"))
    );
    assert_eq!(resolved(&house.ask(&plain("prod/shy"))), "test/third");
}

/// 113, 114: what is said differently to one target, and that each starts from the client's body.
#[test]
fn a_target_is_told_its_own_parameters_and_headers() {
    let mut first = once("test/e500");
    first["override_params"] = json!({"temperature": 0.1, "top_p": 0.5});
    first["headers_override"] = json!({"set": {"X-Region": "us"}, "remove": ["x-account-header"]});
    let mut second = once("claude/sonnet");
    second["override_params"] = json!({"max_tokens": 77});
    let house = house(json!([in_order("chat", &[first, second])]));

    let reply = house.ask(&chat("prod/chat", json!({"temperature": 0.9})));

    assert_eq!(resolved(&reply), "claude/sonnet");
    assert_eq!(reply.json()["object"], "chat.completion");
    let seen = house.vendor.log();
    let bodies: Vec<Value> =
        seen.iter().map(|it| serde_json::from_slice(&it.body).expect("JSON")).collect();
    assert_eq!(bodies[0]["temperature"], 0.1);
    assert_eq!(bodies[0]["top_p"], 0.5);
    assert_eq!(seen[0].header("x-region"), Some("us"));
    assert_eq!(seen[0].header("x-account-header"), None);
    assert_eq!(bodies[1]["temperature"], 0.9, "each attempt begins with the client's body");
    assert_eq!((&bodies[1]["max_tokens"], bodies[1].get("top_p")), (&json!(77), None));
    assert_eq!(seen[1].header("x-region"), None);
}

/// 116: regions by metadata.
#[test]
fn a_target_of_another_region_is_left_out() {
    let regional = |target: &str, region: &str| {
        let mut target = once(target);
        target["metadata_match"] = json!({"tfy_gateway_region": region});
        target
    };
    let house = house(json!([in_order(
        "chat",
        &[regional("test/plain", "eu"), regional("test/second", "us")]
    )]));
    let in_region = |region: &str| {
        let metadata = format!(r#"{{"tfy_gateway_region":"{region}"}}"#);
        house.ask(&plain("prod/chat").header("x-tfy-metadata", &metadata))
    };

    assert_eq!(resolved(&in_region("us")), "test/second");
    assert_eq!(resolved(&in_region("eu")), "test/plain");
    let nowhere = in_region("mars");
    assert_eq!((nowhere.status, nowhere.refusal().as_str()), (404, "no_target_fits"));
}

/// 119: virtual models, by name, slug and alias; their collaborators decide.
#[test]
fn a_virtual_model_is_called_by_any_of_its_names() {
    let group = json!({"type": "provider-account/virtual-model", "name": "virtual",
        "collaborators": [{"subject": manifest::OUTSIDER, "role_id": "provider-account-access"}],
        "integrations": [{"type": "integration/model/virtual", "name": "best",
            "model_types": ["chat"], "slug": "best-chat", "aliases": ["prod/best", "legacy/gpt"],
            "routing_config": {"type": "weight-based-routing", "load_balance_targets": [
                {"target": "test/plain", "weight": 100},
                {"target": "test/second", "weight": 0}]}}]});
    let house = house_with(json!([]), &[("virtual", group)], &[]);
    for name in ["virtual/best", "best-chat", "prod/best", "legacy/gpt"] {
        let reply = house.ask(&plain(name).key(KEY_OUTSIDER));
        assert_eq!(resolved(&reply), "test/plain", "{name}");
        assert_eq!(applied(&reply)["loadBalancing"]["ruleId"], "virtual/best");
    }
    let listed = house.ask(&Ask::get("/v1/models").key(KEY_OUTSIDER)).text();
    assert!(listed.contains("virtual/best") && listed.contains("legacy/gpt"), "{listed}");
    assert!(!listed.contains("test/plain"), "its targets stay hidden: {listed}");
    assert_eq!(house.ask(&plain("virtual/best")).status, 403, "the owner is no collaborator");
    let wrong = Ask::post("/v1/embeddings", r#"{"model":"virtual/best","input":"x"}"#);
    assert_eq!(house.ask(&wrong.key(KEY_OUTSIDER)).refusal(), "operation_not_supported");
}

/// 120: a greeting and a proof go to different models.
#[test]
fn a_hard_request_goes_to_the_model_for_hard_ones() {
    let tier = |target: &str, tier: &str| json!({"target": target, "tier": tier});
    let house = house(json!([{"id": "auto", "type": "complexity-based-routing",
        "when": {"models": ["prod/auto"]}, "classification_strategy": {"type": "heuristic"},
        "load_balance_targets": [tier("test/plain", "simple"), tier("test/second", "medium"),
            tier("test/third", "complex")]}]));
    let say = |text: &str| {
        let body = json!({"model": "prod/auto", "messages": [{"role": "user", "content": text}]});
        house.ask(&Ask::post("/v1/chat/completions", body.to_string()))
    };

    let hello = say("Hello!");
    assert_eq!(resolved(&hello), "test/plain");
    assert_eq!(applied(&hello)["loadBalancing"]["reason"], "complexity-simple");
    let hard = say("Design a distributed queue, prove its invariants and analyze the trade offs.");
    assert_eq!(resolved(&hard), "test/third");
}

/// The keys that clients are told, and the reasons, are those that the documents name.
#[test]
fn what_was_applied_is_told_in_documented_keys() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/choices.md");
    let choices = std::fs::read_to_string(path);
    let choices = choices.expect("it is there");
    let limits = json!({"type": "gateway-rate-limiting-config", "name": "l", "rules": [
        {"id": "hourly", "when": {}, "limit_to": 9, "unit": "requests_per_hour"}]});
    let budget = json!({"type": "tenant-budget-config", "name": "all", "mode": "enforce",
        "limits": {"cost_per_month": 500}, "applies_to": {"type": "aggregate"}});
    let rules = json!([in_order("chat", &[once("test/e503"), once("test/plain")])]);
    let house = house_with(rules, &[("limits", limits), ("budget", budget)], &[]);

    let told = applied(&house.ask(&plain("prod/chat")));

    let mut words = Vec::new();
    for (key, value) in told.as_object().expect("an object") {
        words.push(key.clone());
        words.extend(value.as_object().expect("an object").keys().cloned());
    }
    words.sort_unstable();
    let expected = [
        "attempts",
        "budget",
        "fallback",
        "loadBalancing",
        "metadata",
        "overrides",
        "rateLimit",
        "reason",
        "ruleId",
        "ruleId",
        "ruleIds",
        "target",
        "type",
    ];
    assert_eq!(words, expected, "{told}");
    let reasons = [
        "weight",
        "sticky",
        "latency",
        "exploration",
        "priority",
        "complexity-simple",
        "complexity-medium",
        "complexity-complex",
        "fallback",
        "hedge",
        "busy",
    ];
    for word in words.iter().map(String::as_str).chain(reasons) {
        assert!(choices.contains(&format!("`{word}`")), "{word} is not in docs/choices.md");
    }
}

/// 125: settings of the whole gateway hold where no rule does, the header over all.
#[test]
fn retries_without_a_rule_and_by_the_header() {
    let settings = json!({"type": "gateway-global-settings",
        "retry_settings": {"attempts": 1, "delay": 1}});
    let house = house_with(Value::Null, &[("settings", settings)], &[]);
    let count = |house: &House, model: &str| house.asked().iter().filter(|it| *it == model).count();

    assert_eq!(house.ask(&plain("test/e503")).status, 503);
    assert_eq!(count(&house, "e503"), 2);
    let config = r#"{"attempts":3,"onStatusCodes":[500],"delay":1}"#;
    assert_eq!(house.ask(&plain("test/e500").header("x-tfy-retry-config", config)).status, 500);
    assert_eq!(count(&house, "e500"), 4);
    let none = plain("test/e529").header("x-tfy-retry-config", r#"{"attempts":0}"#);
    assert_eq!(house.ask(&none).status, 529);
    assert_eq!(count(&house, "e529"), 1);
    let bad = house.ask(&plain("test/open").header("x-tfy-retry-config", "3 times"));
    assert_eq!((bad.status, bad.refusal().as_str()), (400, "invalid_header"));
}

/// What is asked once stays as it was: nothing is asked again where nobody said so.
#[test]
fn a_model_without_rule_and_settings_is_asked_once() {
    let house = house(Value::Null);

    let reply = house.ask(&plain("test/e503"));

    assert_eq!(reply.status, 503);
    assert_eq!(applied(&reply), json!({"metadata": {"overrides": ["surface"]}}));
    assert_eq!(house.asked(), ["e503"]);
    assert_eq!(house.receipt().0.get("rule"), None);
}
