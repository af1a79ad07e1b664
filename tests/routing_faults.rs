//! What goes wrong upstream, and who is asked then: faults 11, 14, 18, 23 to 29, 32 and 34, and the
//! retry pains of other gateways.

mod harness;

use harness::{
    STREAM_HEAD, answer, chunk,
    client::{Ask, Reply},
    routing::{applied, house, house_with, in_order, once},
};
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use weir::rehearsal::script::Step;

fn chat(model: &str) -> Ask {
    let body = json!({"model": model, "messages": [{"role": "user", "content": "Hello"}]});
    Ask::post("/v1/chat/completions", body.to_string())
}

fn stream(model: &str) -> Ask {
    let body = json!({"model": model, "stream": true,
        "messages": [{"role": "user", "content": "Hello"}]});
    Ask::post("/v1/chat/completions", body.to_string())
}

fn resolved(reply: &Reply) -> String {
    assert_eq!(reply.status, 200, "{}", reply.text());
    assert!(reply.is_whole);
    reply.header("x-tfy-resolved-model").expect("it is always there").to_owned()
}

/// The events of one answer, each a chunk in a write of its own.
fn events(parts: &[&str], end: Step) -> Vec<Step> {
    let mut steps = vec![Step::Send(STREAM_HEAD.to_vec())];
    steps.extend(parts.iter().map(|part| Step::Send(chunk(part.as_bytes()))));
    steps.push(end);
    steps
}

const LAST: &[u8] = b"0\r\n\r\n";
const ROLE: &str = "data: {\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\
    \"content\":\"\",\"refusal\":null},\"finish_reason\":null}]}\n\n";
const HALF: &str = "data: {\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Half\"},\
    \"finish_reason\":null}]}\n\n";
const ERROR: &str = "data: {\"error\":{\"message\":\"Too busy.\",\"type\":\"server_error\",\
    \"code\":503}}\n\n";

/// T130, T132, 122: every way to fail before the first content falls back, streamed or not, and the
/// client sees one clean answer.
#[test]
fn t130_what_fails_before_its_first_content_falls_back() {
    let failing = [
        "test/e503",
        "test/e429",
        "test/drop",
        "test/html",
        "test/empty",
        "test/nocontent",
        "test/redirect",
        "test/errforstream",
        "down/refused",
    ];
    let rules: Vec<Value> =
        failing.iter().map(|name| in_order(name, &[once(name), once("test/plain")])).collect();
    let house = house(rules.into());
    for name in failing {
        let name = format!("prod/{name}");
        for ask in [chat(&name), stream(&name)] {
            let reply = house.ask(&ask);
            assert_eq!(resolved(&reply), "test/plain", "{name}");
            let fallback = &applied(&reply)["fallback"]["attempts"];
            assert_eq!(fallback.as_array().map(Vec::len), Some(1), "{name}: {fallback}");
        }
    }
    let receipts = house.receipts(2 * failing.len());
    assert!(receipts.iter().all(|one| one.number("retries") >= 1 && one.text("fault").is_empty()));
}

/// Fault 11 and 122: Anthropic's `overloaded_error` after `message_start` and before any content,
/// in both client languages; behind the first content it passes to the client.
#[test]
fn fault_11_an_overloaded_stream_falls_back_before_its_first_content() {
    const START: &str = "event: message_start\ndata: {\"type\":\"message_start\",\"message\":\
        {\"id\":\"m\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"x\",\"content\":[],\
        \"usage\":{\"input_tokens\":9,\"output_tokens\":1}}}\n\n";
    const PING: &str = "event: ping\ndata: {\"type\":\"ping\"}\n\n";
    const OVERLOADED: &str = "event: error\ndata: {\"type\":\"error\",\"error\":\
        {\"type\":\"overloaded_error\",\"message\":\"Overloaded\"}}\n\n";
    let house = house(json!([in_order("claude", &[once("claude/raw-x"), once("claude/sonnet")])]));
    house.teach("x", events(&[START, PING, OVERLOADED], Step::Send(LAST.to_vec())));

    let openai = house.ask(&stream("prod/claude"));
    let body = json!({"model": "prod/claude", "stream": true, "max_tokens": 50,
        "messages": [{"role": "user", "content": "Hello"}]});
    let own = house.ask(&Ask::post("/v1/messages", body.to_string()));

    for reply in [&openai, &own] {
        assert_eq!(resolved(reply), "claude/sonnet");
        assert!(!reply.text().contains("verloaded"), "{}", reply.text());
        let failed = &applied(reply)["fallback"]["attempts"][0];
        assert_eq!(failed, &json!({"target": "claude/raw-x", "failed": "error_event"}));
    }
    assert_eq!(openai.events().last().map(String::as_str), Some("[DONE]"));
    assert_eq!(own.text().matches("message_start").count(), 2, "its event and its data, once");
}

/// T131 and 123: no fallback once a byte of content has left, so nothing is said twice.
#[test]
fn t131_nothing_is_asked_again_once_content_has_left() {
    let house = house(json!([in_order("chat", &[once("test/raw-x"), once("test/plain")])]));
    house.teach("x", events(&[ROLE, HALF, ERROR], Step::Send(LAST.to_vec())));

    let reply = house.ask(&stream("prod/chat"));

    assert_eq!(resolved(&reply), "test/raw-x");
    assert_eq!(reply.text().matches("Half").count(), 1);
    assert!(reply.text().contains("Too busy."), "{}", reply.text());
    assert_eq!(house.vendor.log().len(), 1);
    let receipt = house.receipt();
    assert_eq!(
        (receipt.text("ending").as_str(), receipt.text("fault").as_str()),
        ("broken", "error_event"),
        "never logged as a success"
    );
}

/// T130, its OpenAI form: a role, then an error; and a stream that is cut before any content.
#[test]
fn t130_a_stream_that_only_named_its_role_falls_back() {
    let house = house(json!([
        in_order("error", &[once("test/raw-x"), once("test/plain")]),
        in_order("cut", &[once("test/raw-y"), once("test/plain")]),
        in_order("whole", &[once("test/plain")]),
    ]));
    house.teach("x", events(&[ROLE, ERROR], Step::Send(LAST.to_vec())));
    house.teach("y", events(&[ROLE], Step::Close));

    let whole = house.ask(&stream("prod/whole"));
    for name in ["prod/error", "prod/cut"] {
        let reply = house.ask(&stream(name));
        assert_eq!(resolved(&reply), "test/plain");
        assert_eq!(reply.events().len(), whole.events().len(), "one answer: {}", reply.text());
    }
}

/// A held stream is told whole: the role comes before the content, byte for byte.
#[test]
fn what_was_held_back_is_told_with_the_first_content() {
    const REST: &str = "data: {\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{},\
        \"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n";
    let house = house(json!([in_order("chat", &[once("test/raw-x"), once("test/plain")])]));
    house.teach("x", events(&[": hi\n\n", ROLE, HALF, REST], Step::Send(LAST.to_vec())));

    let reply = house.ask(&stream("prod/chat"));

    assert_eq!(resolved(&reply), "test/raw-x");
    assert_eq!(reply.text(), format!(": hi\n\n{ROLE}{HALF}{REST}"));
}

/// An error that came with 200 where no stream was asked for.
#[test]
fn t130_a_200_that_carries_an_error_falls_back_and_is_told_where_nobody_is_left() {
    let house = house(json!([
        in_order("chat", &[once("test/raw-x"), once("test/plain")]),
        in_order("last", &[once("test/raw-x")]),
    ]));
    let body = br#"{"error":{"message":"Quota.","type":"x","code":429}}"#;
    house.teach("x", answer(200, "application/json", body));

    assert_eq!(resolved(&house.ask(&chat("prod/chat"))), "test/plain");
    let last = house.ask(&chat("prod/last"));
    assert_eq!((last.status, last.body.as_slice()), (200, &body[..]), "its own words pass");
}

/// Fault 18: a first byte that never comes, in time to try the next; by the client's deadline for
/// an attempt, and by its deadline for the first token even where no status says so.
#[test]
fn fault_18_a_target_that_never_begins_is_left_in_time() {
    let mut patient = once("test/never");
    patient["fallback_status_codes"] = json!(["500"]);
    let house = house_with(
        json!([in_order("chat", &[patient, once("test/plain")])]),
        &[],
        &["--first-byte-timeout", "300ms"],
    );
    let begun = Instant::now();

    assert_eq!(resolved(&house.ask(&chat("prod/chat"))), "test/plain");
    let by_attempt = house.ask(&chat("prod/chat").header("x-tfy-request-timeout", "50"));
    assert_eq!(resolved(&by_attempt), "test/plain");
    let by_token = house.ask(&stream("prod/chat").header("x-tfy-ttft-timeout-ms", "50"));
    assert_eq!(resolved(&by_token), "test/plain");
    assert_eq!(applied(&by_token)["fallback"]["attempts"][0]["failed"], "ttft_timeout");

    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
}

/// The client's own impatience says nothing about a target: it stays where it was.
#[test]
fn a_client_without_patience_does_not_make_a_target_fail() {
    let house = house(json!([in_order("chat", &[once("test/slow2000"), once("test/plain")])]));
    for _ in 0..4 {
        let reply = house.ask(&chat("prod/chat").header("x-tfy-request-timeout", "30"));
        assert_eq!(resolved(&reply), "test/plain");
    }
    let first = house.ask(&chat("prod/chat").header("x-tfy-request-timeout", "30"));
    let attempts = applied(&first)["fallback"]["attempts"].clone();
    assert_eq!(attempts[0]["target"], "test/slow2000", "it is still asked first: {attempts}");
}

/// Fault 23: what a vendor says of when to come back is obeyed where it is asked to be, clamped,
/// and told to the client.
#[test]
fn fault_23_retry_after_is_obeyed_clamped_and_passed() {
    let house = house(json!([in_order(
        "date",
        &[json!({"target": "test/e429-date"}), once("test/plain")]
    ),]));
    let config = r#"{"attempts":1,"delay":1,"useRetryAfterHeader":true}"#;

    let begun = Instant::now();
    let reply = house.ask(&chat("test/e429").header("x-tfy-retry-config", config));
    assert!(begun.elapsed() >= Duration::from_millis(200), "{:?}", begun.elapsed());
    assert_eq!((reply.status, reply.header("retry-after")), (429, Some("1")));
    assert_eq!(reply.header("retry-after-ms"), Some("200"));

    // Until 2049: where another target stands by, nobody waits for it.
    let begun = Instant::now();
    let reply = house.ask(&chat("prod/date").header("x-tfy-retry-config", config));
    assert_eq!(resolved(&reply), "test/plain");
    assert!(begun.elapsed() < Duration::from_secs(2));

    let begun = Instant::now();
    let past = chat("test/e429").header("x-tfy-retry-config", r#"{"attempts":1,"delay":1}"#);
    assert_eq!(house.ask(&past).status, 429);
    assert!(begun.elapsed() < Duration::from_millis(190), "unasked, the delay holds");
}

/// Fault 23: seconds, and a date that is near, are waited for where the client asks for it.
#[test]
fn fault_23_retry_after_in_seconds_and_as_a_near_date_is_waited_for() {
    let house = house(Value::Null);
    let config = r#"{"attempts":1,"delay":1,"useRetryAfterHeader":true}"#;
    let body = r#"{"error":{"message":"Slow down","type":"requests","code":"rate_limit"}}"#;
    let busy = |when: &str| {
        let head = format!(
            "HTTP/1.1 429 Said\r\ncontent-type: application/json\r\nretry-after: {when}\r\n\
             content-length: {}\r\n\r\n",
            body.len()
        );
        vec![Step::Send([head.as_bytes(), body.as_bytes()].concat())]
    };
    // Whole seconds: a date in two of them is more than one away.
    let soon = || {
        let soon = jiff::Timestamp::now() + jiff::SignedDuration::from_secs(2);
        soon.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
    };
    for model in ["x", "y"] {
        let when = &if model == "x" { "1".to_owned() } else { soon() };
        house.teach(model, busy(when));
        let begun = Instant::now();

        let reply =
            house.ask(&chat(&format!("test/raw-{model}")).header("x-tfy-retry-config", config));

        assert_eq!((reply.status, reply.header("retry-after")), (429, Some(&**when)));
        assert!(begun.elapsed() >= Duration::from_millis(900), "{when}: {:?}", begun.elapsed());
        assert_eq!(house.receipts_at_least(1).last().map(|one| one.number("retries")), Some(1));
    }
    assert_eq!(house.vendor.log().len(), 4);
}

/// Fault 24: the gateway's own credential is refused: the client is told so without its words where
/// nobody is left, and the target moves last.
#[test]
fn fault_24_a_target_that_refuses_our_credential_moves_last() {
    let house = house(json!([
        in_order("chat", &[once("test/e401"), once("test/plain")]),
        in_order("lone", &[once("test/e401")]),
    ]));

    let lone = house.ask(&chat("prod/lone"));
    assert_eq!((lone.status, lone.refusal().as_str()), (502, "upstream_auth"));
    assert!(!lone.text().contains(harness::manifest::VENDOR_KEY));
    let second = house.ask(&chat("prod/chat"));
    assert_eq!(resolved(&second), "test/plain");
    let third = house.ask(&chat("prod/chat"));
    assert_eq!(resolved(&third), "test/plain");
    assert_eq!(applied(&third)["loadBalancing"]["reason"], "priority");
    assert_eq!(house.asked(), ["e401", "e401", "plain", "plain"], "after two it is not first");
}

/// Fault 25: a request that is too long for the model is not asked again.
#[test]
fn fault_25_what_is_the_clients_fault_is_not_asked_again() {
    let house = house(json!([in_order(
        "chat",
        &[json!({"target": "test/e400-ctxlen"}), once("test/plain")]
    ),]));
    let reply = house.ask(&chat("prod/chat"));
    assert_eq!(reply.status, 400);
    assert_eq!(reply.json()["error"]["code"], "context_length_exceeded");
    assert_eq!(house.asked(), ["e400-ctxlen"]);
}

/// Fault 26: 500, 503 and 529 are retried with a delay, then the next; and the whole request ends
/// by its deadline.
#[test]
fn fault_26_retries_then_fallback_within_the_deadline() {
    let twice =
        |target: &str| json!({"target": target, "retry_config": {"attempts": 1, "delay": 20}});
    let slow = json!({"target": "test/e503", "retry_config": {"attempts": 5, "delay": 400}});
    let house = house_with(
        json!([
            in_order("chat", &[twice("test/e500"), twice("test/e529"), once("test/plain")]),
            in_order("slow", &[slow]),
        ]),
        &[],
        &["--total-timeout", "1s"],
    );

    assert_eq!(resolved(&house.ask(&chat("prod/chat"))), "test/plain");
    assert_eq!(house.asked(), ["e500", "e500", "e529", "e529", "plain"]);
    let hopeless = r#"{"attempts":2,"delay":5000}"#;
    let told = house.ask(&chat("test/e503").header("x-tfy-retry-config", hopeless));
    assert_eq!(told.status, 503, "the vendor's own words, for no retry is in time");
    let begun = Instant::now();
    let late = house.ask(&chat("prod/slow"));
    assert!(matches!(late.status, 503 | 504), "{}", late.status);
    assert!(begun.elapsed() < Duration::from_millis(1_200), "{:?}", begun.elapsed());
}

/// Fault 27: pages, empty bodies, 204 and redirects where nobody is left.
#[test]
fn fault_27_no_answer_at_all_is_a_502() {
    let house = house(json!([
        in_order("html", &[once("test/html")]),
        in_order("empty", &[once("test/empty"), once("test/redirect")]),
    ]));
    for name in ["prod/html", "prod/empty"] {
        let reply = house.ask(&chat(name));
        assert_eq!((reply.status, reply.refusal().as_str()), (502, "upstream_invalid_response"));
        assert!(reply.header("x-tfy-applied-configurations").is_some(), "its rule is told");
    }
}

/// Faults 28 and 32: nobody listens anywhere: 503 with `retry-after`, at once, also the first time.
#[test]
fn fault_32_all_targets_down_is_told_at_once() {
    let retried = |target: &str| json!({"target": target});
    let house = house(json!([
        in_order("down", &[retried("down/refused"), retried("down/lost")]),
        in_order("one", &[once("down/refused")]),
    ]));
    let mut client = house.client();
    for round in 0..3 {
        let begun = Instant::now();
        client.send(&chat("prod/down").bytes());
        let reply = client.reply();
        let elapsed = begun.elapsed();
        assert_eq!((reply.status, reply.refusal().as_str()), (503, "all_targets_down"));
        assert_eq!(reply.header("retry-after"), Some("1"));
        assert!(elapsed < Duration::from_millis(50), "round {round}: {elapsed:?}");
    }
    let one = house.ask(&chat("prod/one"));
    assert_eq!((one.status, one.refusal().as_str()), (502, "upstream_unreachable"));
}

/// Fault 29: a kept connection that the vendor closed is no failed attempt.
#[test]
fn fault_29_a_keep_alive_race_is_no_failure_of_the_target() {
    let house = house(json!([in_order("chat", &[once("test/race"), once("test/second")])]));
    for _ in 0..4 {
        let reply = house.ask(&chat("prod/chat"));

        assert_eq!(resolved(&reply), "test/race");
        assert_eq!(applied(&reply).get("fallback"), None);
    }
    assert_eq!(house.asked().len(), 7, "three were sent again on a fresh connection");
}

/// Fault 34 and 124: a client that leaves while a retry waits is the end of it.
#[test]
fn fault_34_no_retry_for_a_client_that_has_left() {
    let slow = json!({"target": "test/e503", "retry_config": {"attempts": 3, "delay": 600}});
    let house = house(json!([in_order("chat", &[slow, once("test/plain")])]));
    let mut client = house.client();
    client.send(&chat("prod/chat").bytes());
    assert!(house.vendor.wait_until(harness::DEADLINE, |seen| !seen.is_empty()));
    drop(client);

    let receipt = house.receipt();

    assert_eq!(receipt.status(), 499);
    assert_eq!(house.asked(), ["e503"]);
}

/// Retries never storm: of a target that only fails, a fifth more is asked, not three times as
/// much.
#[test]
fn a_failing_target_gets_no_storm_of_retries() {
    let retried = json!({"target": "test/e503", "retry_config": {"attempts": 2, "delay": 0}});
    let house = house(json!([in_order("chat", &[retried])]));
    let mut client = house.client();
    let begun = Instant::now();
    for _ in 0..300 {
        client.send(&chat("prod/chat").bytes());
        assert_eq!(client.reply().status, 503);
    }
    let asked = u64::try_from(house.asked().len()).expect("few");
    // Ten saved, ten a second, and a fifth of three hundred.
    let allowed = 300 + 10 + 60 + 10 * (begun.elapsed().as_secs() + 1);
    assert!(asked <= allowed, "{asked} of {allowed}");
    assert!(asked > 300, "some were retried");
}

/// Multi-core health: what one core saw moves the target last on the other within a moment.
#[test]
fn one_cores_bad_news_reaches_all() {
    let house = house_with(
        json!([in_order("chat", &[once("test/e503"), once("test/plain")])]),
        &[],
        &["--cores", "2"],
    );
    // Two failures, on whichever core takes the connection.
    for _ in 0..2 {
        assert_eq!(resolved(&house.ask(&chat("prod/chat"))), "test/plain");
    }
    // Connections of their own: both cores are asked. Until a core has looked, it may add its own.
    let mut in_a_row = 0;
    while in_a_row < 24 {
        let reply = house.ask(&chat("prod/chat"));
        assert_eq!(resolved(&reply), "test/plain");
        in_a_row = if applied(&reply).get("fallback").is_none() { in_a_row + 1 } else { 0 };
    }
    let asked = house.asked();
    let of_failing = asked.iter().filter(|it| *it == "e503").count();
    assert!((2..=3).contains(&of_failing), "{of_failing}: a core alone would need two of its own");
}

/// How targets fare is in `/metrics`, and for admins as JSON.
#[test]
fn operators_see_how_targets_fare() {
    let settings = json!({"type": "gateway-global-settings", "admins": [harness::manifest::OWNER]});
    let house = house_with(
        json!([in_order("chat", &[once("test/e503"), once("test/plain")])]),
        &[("settings", settings)],
        &[],
    );
    for _ in 0..4 {
        assert_eq!(resolved(&house.ask(&stream("prod/chat"))), "test/plain");
    }

    // An attempt is noted once its answer has left.
    let last = "weir_target_attempts_total{target=\"test/plain\"} 4";
    let metrics = house.gateway.get_metrics_until(last);
    let ask = Ask::get("/api/svc/v1/llm-gateway/health").header("connection", "close");
    let asked_with = |ask: &Ask| {
        let mut client = harness::client::Client::connect(house.gateway.admin);
        client.send(&ask.bytes());
        client.reply()
    };
    let health = asked_with(&ask).json();

    for line in [
        "weir_target_failing{target=\"test/e503\"} 1",
        "weir_target_failing{target=\"test/plain\"} 0",
        "weir_target_failures_total{target=\"test/e503\"} 2",
        "weir_target_attempts_total{target=\"test/plain\"} 4",
        "weir_target_token_milliseconds{target=\"test/plain\",window=\"20m\"}",
        "weir_target_first_token_milliseconds{target=\"test/plain\",window=\"3m\"}",
    ] {
        assert!(metrics.contains(line), "{line} is not in {metrics}");
    }
    let targets = health["targets"].as_array().expect("a list");
    let failing = targets.iter().find(|it| it["target"] == "test/e503").expect("it is there");
    assert_eq!(failing["healthy"], false);
    let left = failing["failing_for_ms"].as_u64().expect("a number");
    assert!((60_000..=120_000).contains(&left), "{left}");
    let well = targets.iter().find(|it| it["target"] == "test/plain").expect("it is there");
    assert_eq!(well["time_per_output_token_ms"]["3m"]["readings"], 4);
    assert_eq!(asked_with(&ask.key("")).status, 401);
}
