//! Strict limits and budgets, to the unit, over real sockets: what is left is what a vendor is
//! asked for at most, and a stream that would cross it ends before it does.

mod harness;

use harness::{
    House, answer,
    client::{Ask, Client, Reply, chat_body},
    counted,
    gateway::Gateway,
    manifest, stream,
};
use serde_json::{Value, json};
use std::thread;
use weir::rehearsal::{script::Step, seen::Seen};

/// A house of priced models under these documents: $1 a million tokens in, $10 out.
fn house(documents: &[Value]) -> House {
    let vendor = harness::vendor();
    let folder = manifest::folder();
    manifest::write_usual(&folder, vendor.address(), &[]);
    let models = ["raw-priced", "raw-free", "raw-pictures"];
    let mut account = manifest::account(vendor.address(), &models);
    let value = json!({"input": 0.001, "output": 0.01});
    account["integrations"][0]["cost"] = json!({"metric": "per_1000_tokens", "value": value});
    manifest::write(folder.path(), "account", &account);
    let claude = json!({"type": "provider-account/anthropic", "name": "claude",
        "base_url": format!("http://{}/v1", vendor.address()),
        "auth_data": {"type": "api-key", "api_key": "k"},
        "collaborators": [{"subject": manifest::OWNER, "role_id": "provider-account-access"}],
        "integrations": [{"type": "integration/model/anthropic", "name": "sonnet",
            "model_id": "raw:claude", "model_types": ["chat"],
            "cost": {"metric": "per_1000_tokens", "value": value}}]});
    manifest::write(folder.path(), "claude", &claude);
    for (index, document) in documents.iter().enumerate() {
        manifest::write(folder.path(), &format!("strict-{index}"), document);
    }
    House { gateway: Gateway::start(folder, &[]), vendor }
}

fn tokens(limit: u64) -> Value {
    json!({"type": "gateway-rate-limiting-config", "name": "limits", "rules": [
        {"id": "tokens", "limit_to": limit, "unit": "tokens_per_day", "strict": true}]})
}

fn money(dollars: f64) -> Value {
    json!({"type": "gateway-budget-config", "name": "budgets", "rules": [
        {"id": "money", "limit_to": dollars, "unit": "cost_per_day", "strict": true}]})
}

fn ask(model: &str, more: &str) -> Ask {
    Ask::post("/v1/chat/completions", chat_body(model, more))
}

/// What a strict request of these bytes can take of a prompt.
fn prompt_max(ask: &Ask) -> u64 {
    let bytes = ask.bytes();
    let at = bytes.windows(4).position(|four| four == b"\r\n\r\n").expect("it has a head");
    (bytes.len() - at - 4) as u64 + 1_024
}

/// A stream of so many tokens, one an event, from a vendor that heeds no bound.
fn heedless(count: usize) -> Vec<u8> {
    let chunk = |delta: &str, finish: &str| {
        format!(
            "data: {{\"id\":\"c1\",\"object\":\"chat.completion.chunk\",\"created\":5,\
             \"model\":\"m\",\"choices\":[{{\"index\":0,\"delta\":{delta},\
             \"finish_reason\":{finish}}}]}}\n\n"
        )
    };
    let mut body = chunk(r#"{"role":"assistant","content":""}"#, "null");
    for index in 0..count {
        body.push_str(&chunk(&format!(r#"{{"content":"t{index} "}}"#), "null"));
    }
    body.push_str(&chunk("{}", "\"stop\""));
    body.push_str("data: [DONE]\n\n");
    body.into_bytes()
}

fn asked_for(house: &House) -> Value {
    let bodies = house.vendor_bodies();
    serde_json::from_str(bodies.last().expect("it was asked")).expect("it is JSON")
}

fn content(reply: &Reply) -> Vec<String> {
    let events = reply.events();
    let deltas = events.iter().filter_map(|event| serde_json::from_str::<Value>(event).ok());
    let texts = deltas
        .filter_map(|delta| delta["choices"][0]["delta"]["content"].as_str().map(str::to_owned));
    texts.filter(|text| !text.is_empty()).collect()
}

/// The bound that is sent is what is left, to the token; what was not used comes back.
#[test]
fn a_vendor_is_asked_for_no_more_than_what_is_left() {
    let plain = ask("raw-priced", "");
    let prompt = prompt_max(&plain);
    let house = house(&[tokens(prompt + 70)]);
    house.teach("priced", counted(20, 30));

    // The client asks for no bound: all that is left.
    assert_eq!(house.ask(&plain).status, 200);
    assert_eq!(asked_for(&house)["max_tokens"], 70);
    // 50 are spent; a bound of its own that fits is not touched.
    let small = ask("raw-priced", r#","max_tokens":3"#);
    assert_eq!(house.ask(&small).status, 200);
    assert_eq!(asked_for(&house)["max_tokens"], 3);

    // Fewer are left now than the prompt alone may take.
    let refused = house.ask(&plain);
    assert_eq!((refused.status, refused.refusal().as_str()), (429, "rate_limit_exceeded"));
    assert_eq!(house.vendor.log().len(), 2);
}

/// A vendor that heeds no bound: its stream ends with exactly what was left, and says so.
#[test]
fn a_stream_that_would_cross_the_cap_ends_cleanly_at_the_cap() {
    let streamed = ask("raw-priced", r#","stream":true,"stream_options":{"include_usage":true}"#);
    for (chunk, size) in [(1 << 20, 1 << 20), (7, 3), (1, 64)] {
        let house = house(&[tokens(prompt_max(&streamed) + 5)]);
        house.teach("priced", stream(&heedless(40), chunk, size));

        let reply = house.ask(&streamed);

        assert_eq!(reply.status, 200);
        assert_eq!(content(&reply), ["t0 ", "t1 ", "t2 ", "t3 ", "t4 "]);
        let events = reply.events();
        assert_eq!(events.last().map(String::as_str), Some("[DONE]"));
        let last: Value = serde_json::from_str(&events[events.len() - 2]).expect("it is JSON");
        assert_eq!(last["choices"][0]["finish_reason"], "length");
        assert_eq!((last["id"].as_str(), last["model"].as_str()), (Some("c1"), Some("m")));
        let marker = ": weir-cut {\"reason\":\"strict_cut\",\"tokens\":5}\n\n";
        assert!(reply.text().contains(marker), "{}", reply.text());
        assert_eq!(asked_for(&house)["max_tokens"], 5);
        let receipt = house.receipt();
        assert_eq!(receipt.number("output_tokens"), 5);
        assert_eq!(
            (receipt.text("code"), receipt.text("ending")),
            ("strict_cut".into(), "complete".into())
        );
    }
}

/// The token that reaches the cap is relayed, and a stream that ends there by itself is not cut.
#[test]
fn a_stream_that_just_reaches_the_cap_passes_as_it_came() {
    let streamed = ask("raw-priced", r#","stream":true"#);
    let house = house(&[tokens(prompt_max(&streamed) + 5)]);
    let body = heedless(5);
    house.teach("priced", stream(&body, 1 << 20, 1 << 20));

    let reply = house.ask(&streamed);

    assert_eq!(reply.text().as_bytes(), body);
    assert_eq!(house.receipt().text("code"), "");
}

/// A stream of Anthropic's of so many tokens, one an event.
fn heedless_claude(count: usize) -> Vec<u8> {
    let mut body = String::new();
    let mut event = |data: Value| {
        let kind = data["type"].as_str().unwrap_or_default().to_owned();
        body.extend(["event: ", &kind, "\ndata: ", &data.to_string(), "\n\n"]);
    };
    event(json!({"type": "message_start", "message": {"id": "msg_1", "type": "message",
        "role": "assistant", "model": "claude", "content": [], "stop_reason": null,
        "stop_sequence": null, "usage": {"input_tokens": 9, "output_tokens": 1}}}));
    event(json!({"type": "content_block_start", "index": 0,
        "content_block": {"type": "text", "text": ""}}));
    for index in 0..count {
        event(json!({"type": "content_block_delta", "index": 0,
            "delta": {"type": "text_delta", "text": format!("t{index} ")}}));
    }
    event(json!({"type": "content_block_stop", "index": 0}));
    event(json!({"type": "message_delta", "delta": {"stop_reason": "end_turn",
        "stop_sequence": null}, "usage": {"output_tokens": count}}));
    event(json!({"type": "message_stop"}));
    body.into_bytes()
}

#[test]
fn a_translated_stream_ends_at_the_cap_too() {
    let body =
        r#"{"model":"claude/sonnet","stream":true,"messages":[{"role":"user","content":"Hi"}]}"#;
    let streamed = Ask::post("/v1/chat/completions", body);
    let house = house(&[tokens(prompt_max(&streamed) + 4)]);
    house.teach("claude", stream(&heedless_claude(40), 1 << 20, 11));

    let reply = house.ask(&streamed);

    assert_eq!(content(&reply), ["t0 ", "t1 ", "t2 ", "t3 "]);
    let events = reply.events();
    assert_eq!(events.last().map(String::as_str), Some("[DONE]"));
    let last: Value = serde_json::from_str(&events[events.len() - 2]).expect("it is JSON");
    assert_eq!(last["choices"][0]["finish_reason"], "length");
    assert_eq!(asked_for(&house)["max_tokens"], 4);
    let receipt = house.receipt();
    assert_eq!((receipt.number("input_tokens"), receipt.number("output_tokens")), (9, 4));
}

#[test]
fn a_stream_of_anthropics_ends_at_the_cap_in_its_own_language() {
    let body = r#"{"model":"claude/sonnet","stream":true,"max_tokens":900,"messages":[{"role":"user","content":"Hi"}]}"#;
    let streamed = Ask::post("/v1/messages", body);
    let house = house(&[tokens(prompt_max(&streamed) + 4)]);
    house.teach("claude", stream(&heedless_claude(40), 1 << 20, 11));

    let reply = house.ask(&streamed);

    let events: Vec<Value> =
        reply.events().iter().map(|it| serde_json::from_str(it).expect("it is JSON")).collect();
    let kinds: Vec<&str> = events.iter().filter_map(|event| event["type"].as_str()).collect();
    let deltas = kinds.iter().filter(|kind| **kind == "content_block_delta").count();
    assert_eq!(deltas, 4);
    let end = ["content_block_stop", "message_delta", "message_stop"];
    assert_eq!(kinds[kinds.len() - 3..], end);
    let last = &events[events.len() - 2];
    assert_eq!(last["delta"]["stop_reason"], "max_tokens");
    assert_eq!(last["usage"]["output_tokens"], 4);
    assert_eq!(asked_for(&house)["max_tokens"], 4);
    assert_eq!(house.receipt().number("output_tokens"), 4);
}

/// Money is bounded as tokens are: by the dearest that they can be.
#[test]
fn money_that_is_left_bounds_the_answer_to_the_nano_dollar() {
    let plain = ask("raw-priced", r#","max_tokens":900"#);
    let prompt = prompt_max(&plain);
    // Seven tokens out at $10 a million, and nearly an eighth.
    let nanodollars = prompt * 1_000 + 7 * 10_000 + 9_999;
    let dollars = format!("0.{nanodollars:09}").parse().expect("it is a number");
    let house = house(&[money(dollars)]);
    house.teach("priced", counted(prompt, 7));

    assert_eq!(house.ask(&plain).status, 200);
    assert_eq!(asked_for(&house)["max_tokens"], 7);
    let refused = house.ask(&plain);
    assert_eq!((refused.status, refused.refusal().as_str()), (429, "budget_exceeded"));
    let message = refused.json()["error"]["message"].as_str().unwrap_or_default().to_owned();
    assert!(message.contains("$0.000009999 is left"), "{message}");
    let spent = house.receipts(2).iter().map(|one| one.number("cost_nanodollars")).sum::<u64>();
    assert_eq!(spent, nanodollars - 9_999);
}

/// What was seen: where no usage was reported, a strict cap was charged a quarter of the bytes, and
/// vendors who bill more than that took more than the cap.
#[test]
fn where_nobody_says_what_was_used_a_strict_cap_is_charged_all_that_was_reserved() {
    let told = r#"{"id":"c1","object":"chat.completion","choices":[{"index":0,
        "message":{"role":"assistant","content":"Hi"},"finish_reason":"stop"}]}"#;
    let begun = [harness::STREAM_HEAD, &harness::chunk(&heedless(2)[..200])].concat();
    let streamed = r#","stream":true"#;
    let cases = [
        ("whole", "", answer(200, "application/json", told.as_bytes()), false),
        ("a stream", streamed, stream(&heedless(3), 1 << 20, 1 << 20), false),
        ("a cut", streamed, vec![Step::Send(begun.clone()), Step::Close], false),
        ("a client that leaves", streamed, vec![Step::Send(begun), Step::Hang], true),
        ("a client that leaves early", "", vec![Step::Hang], true),
    ];
    for (name, more, steps, leaves) in cases {
        let ask = ask("raw-priced", more);
        let prompt = prompt_max(&ask);
        // A dollar for a million tokens of the prompt, ten for those of the answer.
        let nanodollars = prompt * 1_000 + 70 * 10_000;
        let dollars: f64 = format!("0.{nanodollars:09}").parse().expect("it is a number");
        for rule in [tokens(prompt + 70), money(dollars)] {
            let mut house = house(&[rule]);
            house.teach("priced", steps.clone());
            let mut client = house.client();
            client.send(&ask.bytes());
            if leaves {
                let is_asked = |log: &[Seen]| log.len() == 1;
                assert!(house.vendor.wait_until(harness::DEADLINE, is_asked), "{name}");
                drop(client);
            } else {
                assert_eq!(client.reply().status, 200, "{name}");
            }

            let receipt = house.receipts(1).remove(0);

            let charged = (receipt.number("input_tokens"), receipt.number("output_tokens"));
            assert_eq!(charged, (prompt, 70), "{name}");
            assert_eq!(receipt.number("cost_nanodollars"), nanodollars, "{name}");
            assert_eq!(receipt.0["usage_reported"], false, "{name}");
            assert_eq!(house.ask(&ask).status, 429, "{name}");
            house.gateway.kill();
            let data = house.gateway.take_data();
            let folder = std::mem::replace(&mut house.gateway.manifests, manifest::folder());
            house.gateway = Gateway::start_on(folder, data, &[]);
            assert_eq!(house.ask(&ask).status, 429, "{name}, after a restart");
        }
    }
}

/// An attempt that failed without a word of usage has used nothing, as far as anyone knows: what
/// was reserved comes back. (Decision 8.)
#[test]
fn an_error_without_usage_gives_back_what_was_reserved_of_a_strict_cap() {
    let plain = ask("raw-priced", "");
    let house = house(&[tokens(prompt_max(&plain) + 70)]);
    house.teach("priced", answer(503, "application/json", b"{\"error\":{\"message\":\"no\"}}"));
    for _ in 0..3 {
        assert_eq!(house.ask(&plain).status, 503);
    }

    house.teach("priced", counted(20, 30));

    assert_eq!(house.ask(&plain).status, 200);
    assert_eq!(asked_for(&house)["max_tokens"], 70);
}

#[test]
fn what_has_no_bound_or_no_price_is_refused_and_not_sent() {
    let house = house(&[money(1.0)]);
    let file = r#"{"model":"test/raw-priced","messages":[{"role":"user","content":[
        {"type":"file","file":{"file_id":"f"}}]}]}"#;
    for (asked, words) in [
        (ask("raw-free", ""), "It has no price here."),
        (Ask::post("/v1/chat/completions", file), "\"file\" has no bound."),
        (ask("raw-priced", r#","prediction":{"type":"content","content":"x"}"#), "prediction"),
    ] {
        let refused = house.ask(&asked);
        assert_eq!((refused.status, refused.refusal().as_str()), (400, "unbounded_request"));
        let message = refused.json()["error"]["message"].to_string().replace('\\', "");
        assert!(message.contains(words), "{words}: {message}");
    }
    assert!(house.vendor.log().is_empty());
}

/// T065, T077: whoever asks at once, all of them together never take more than the cap.
#[test]
fn t077_many_at_once_never_exceed_a_strict_cap() {
    const CLIENTS: usize = 16;
    let bounded = ask("raw-priced", r#","max_tokens":30"#);
    let limit = 20 * (prompt_max(&bounded) + 30);
    let house = house(&[tokens(limit)]);
    // The worst that a vendor can do within its bound.
    let used = prompt_max(&bounded) + 30;
    house.teach("priced", counted(used - 30, 30));
    let (bytes, address) = (bounded.bytes(), house.gateway.address);

    let passed: usize = thread::scope(|scope| {
        let live = || {
            let mut client = Client::connect(address);
            let statuses = (0..20).map(|_| {
                client.send(&bytes);
                client.reply().status
            });
            statuses.filter(|status| *status == 200).count()
        };
        let threads: Vec<_> = (0..CLIENTS).map(|_| scope.spawn(live)).collect();
        threads.into_iter().map(|one| one.join().expect("no panic")).sum()
    });

    assert_eq!(passed, 20, "each took what it reserved");
    let refused = house.ask(&bounded);
    assert_eq!(refused.header("x-ratelimit-remaining-tokens"), Some("0"));
}
