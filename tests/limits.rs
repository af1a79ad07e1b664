//! Rate limits over real sockets: who is refused, what a client is told, and that every ending of
//! an exchange gives back what it did not use.

mod harness;

use harness::{
    House, answer,
    client::{Ask, Client, KEY_BILLING, KEY_OUTSIDER, Reply, chat_body},
    counted,
    gateway::Gateway,
    manifest,
    receipt::assert_all_cores_served,
};
use serde_json::{Value, json};
use std::{net::TcpListener, sync::Barrier, thread, time::Instant};
use weir::rehearsal::{script::Step, seen::Seen};

/// A house with these rules; everyone may use its model `open`.
fn house(rules: Value, arguments: &[&str]) -> House {
    let vendor = harness::vendor();
    let folder = manifest::folder();
    manifest::write_usual(&folder, vendor.address(), &["open", "plain", "raw-counted", "raw-free"]);
    write_rules(&folder, rules);
    House { gateway: Gateway::start(folder, arguments), vendor }
}

fn write_rules(folder: &tempfile::TempDir, rules: Value) {
    let limits = json!({"type": "gateway-rate-limiting-config", "name": "limits", "rules": rules});
    manifest::write(folder.path(), "limits", &limits);
}

fn tagged(model: &str, metadata: &str) -> Ask {
    Ask::chat(model).header("x-tfy-metadata", metadata)
}

fn header(reply: &Reply, name: &str) -> u64 {
    let value = reply.header(name).unwrap_or_else(|| panic!("{name} is missing: {reply:?}"));
    value.parse().unwrap_or_else(|_| panic!("{name}: {value}"))
}

/// T086: a refused client is told the rule, what is left and when to ask again.
#[test]
fn t086_a_client_over_its_limit_is_told_the_rule_what_is_left_and_when_to_ask_again() {
    let house = house(
        json!([{"id": "two-a-minute-ż", "when": {}, "limit_to": 2, "unit": "requests_per_minute"}]),
        &[],
    );
    let first = house.ask(&Ask::chat("open"));
    assert_eq!(first.status, 200);
    assert_eq!(header(&first, "x-ratelimit-limit-requests"), 2);
    assert_eq!(header(&first, "x-ratelimit-remaining-requests"), 1);
    let reset = first.header("x-ratelimit-reset-requests");
    assert!(matches!(reset, Some(text) if text.starts_with("1m")), "{reset:?}");
    let applied = first.header("x-tfy-applied-configurations").expect("it is always there");
    assert!(applied.contains(r#""rateLimit":{"ruleId":"two-a-minute-\u017c"}"#), "{applied}");
    assert_eq!(house.ask(&Ask::stream("open")).status, 200);

    let refused = house.ask(&Ask::chat("open"));

    assert_eq!(refused.status, 429);
    assert_eq!(refused.refusal(), "rate_limit_exceeded");
    let message = refused.json()["error"]["message"].as_str().unwrap_or_default().to_owned();
    assert!(message.contains("two-a-minute") && message.contains("2 requests per minute"));
    let seconds = header(&refused, "retry-after");
    assert!((55..=65).contains(&seconds), "{seconds}");
    assert_eq!(header(&refused, "x-ratelimit-remaining-requests"), 0);
    assert_eq!(house.vendor.log().len(), 2, "a refused request is not sent");
    let receipts = house.receipts(3);
    let refused: Vec<_> = receipts.iter().filter(|one| one.status() == 429).collect();
    assert_eq!(refused.len(), 1);
    assert_eq!(refused[0].text("code"), "rate_limit_exceeded");
}

#[test]
fn the_first_rule_that_matches_is_the_only_one() {
    let house = house(
        json!([
            {"id": "billing", "when": {"subjects": ["virtual-account:billing"]}, "limit_to": 3,
                "unit": "requests_per_hour"},
            {"id": "production", "when": {"metadata": {"env": "prod"}, "models": ["test/open"]},
                "limit_to": 1, "unit": "requests_per_hour"},
            {"id": "team", "when": {"subjects": ["team:core"], "models": ["test/plain"]},
                "limit_to": 2, "unit": "requests_per_hour"},
        ]),
        &[],
    );
    let statuses = |ask: &Ask, count: usize| -> Vec<u16> {
        (0..count).map(|_| house.ask(ask).status).collect()
    };

    let production = tagged("open", r#"{"env":"prod","more":"x"}"#);
    assert_eq!(statuses(&production, 2), [200, 429]);
    let billing = production.clone().key(KEY_BILLING);
    assert_eq!(statuses(&billing, 4), [200, 200, 200, 429]);
    assert_eq!(statuses(&Ask::chat("plain"), 3), [200, 200, 429]);
    let free = house.ask(&Ask::chat("open"));
    assert_eq!((free.status, free.header("x-ratelimit-limit-requests")), (200, None));
    assert_eq!(statuses(&Ask::chat("open").key(KEY_OUTSIDER), 4), [200; 4]);
}

#[test]
fn each_user_and_each_project_has_a_meter_of_its_own_and_who_has_none_is_not_limited() {
    let house = house(
        json!([{"id": "each", "when": {}, "limit_to": 1, "unit": "requests_per_day",
            "rate_limit_applies_per": ["user", "metadata.project"]}]),
        &[],
    );
    let status = |key: &str, metadata: &str| {
        let ask = tagged("open", metadata);
        house.ask(&if key.is_empty() { ask } else { ask.key(key) }).status
    };
    for (key, project, expected) in [
        ("", r#"{"project":"a"}"#, 200),
        ("", r#"{"project":"a"}"#, 429),
        ("", r#"{"project":"b"}"#, 200),
        (KEY_OUTSIDER, r#"{"project":"a"}"#, 200),
        (KEY_OUTSIDER, r#"{"project":"a","more":"1"}"#, 429),
        // No project, and a virtual account is no user: the rule does not match.
        ("", "{}", 200),
        ("", "{}", 200),
        (KEY_BILLING, r#"{"project":"a"}"#, 200),
        (KEY_BILLING, r#"{"project":"a"}"#, 200),
    ] {
        assert_eq!(status(key, project), expected, "{key} {project}");
    }
}

/// Fault 50, T071 and T072 over sockets: 1,000 requests at once on two cores against a limit of
/// 100; it is one limit, whichever core looks.
#[test]
fn fault_50_and_t071_and_t072_of_a_thousand_requests_at_once_exactly_100_pass() {
    const CLIENTS: usize = 40;
    let house = house(
        json!([{"id": "hundred", "when": {}, "limit_to": 100, "unit": "requests_per_hour"}]),
        &["--cores", "2"],
    );
    let (start, address) = (Barrier::new(CLIENTS), house.gateway.address);
    let statuses: Vec<u16> = thread::scope(|scope| {
        let live = || {
            let mut client = Client::connect(address);
            start.wait();
            (0..1_000 / CLIENTS).map(|_| ask(&mut client)).collect::<Vec<_>>()
        };
        let threads: Vec<_> = (0..CLIENTS).map(|_| scope.spawn(live)).collect();
        threads.into_iter().flat_map(|one| one.join().expect("no panic")).collect()
    });

    let passed = statuses.iter().filter(|status| **status == 200).count();
    let refused = statuses.iter().filter(|status| **status == 429).count();
    assert_eq!((passed, refused), (100, 900));
    assert_eq!(house.vendor.log().len(), 100);
    assert_all_cores_served(2, &house.receipts(1_000));
}

fn ask(client: &mut Client) -> u16 {
    client.send(&Ask::chat("open").bytes());
    client.reply().status
}

fn bounded(model: &str, max_tokens: u64) -> Ask {
    let more = format!(r#","max_tokens":{max_tokens}"#);
    Ask::post("/v1/chat/completions", chat_body(model, &more))
}

/// T074: tokens are limited, by what the vendor says was used; what was reserved beyond that comes
/// back.
#[test]
fn t074_a_token_limit_reserves_what_may_be_used_and_settles_with_what_was() {
    let house = house(
        json!([{"id": "tokens", "when": {}, "limit_to": 1000, "unit": "tokens_per_hour"}]),
        &[],
    );
    house.teach("counted", counted(300, 250));

    let first = house.ask(&bounded("raw-counted", 800));
    assert_eq!(first.status, 200);
    assert!(header(&first, "x-ratelimit-remaining-tokens") < 200, "it is reserved meanwhile");
    let second = house.ask(&bounded("raw-counted", 800));
    assert_eq!(second.status, 429, "450 are left");
    assert_eq!(header(&second, "x-ratelimit-remaining-tokens"), 450);
    assert_eq!(house.ask(&bounded("raw-counted", 10)).status, 200, "these fit");

    // The second answer took more than was thought: it is owed.
    let third = house.ask(&bounded("raw-counted", 1));
    assert_eq!(third.status, 429);
    assert_eq!(header(&third, "x-ratelimit-remaining-tokens"), 0);
    let never = house.ask(&bounded("raw-counted", 5_000));
    assert_eq!((never.status, never.header("retry-after")), (429, None));
    assert_eq!(never.header("x-should-retry"), Some("false"));
}

/// Checklist 127 to 131: the metrics say how often each rule held, and how often it refused.
#[test]
fn the_metrics_say_how_often_each_rule_held_and_refused() {
    let house = house(
        json!([{"id": "two", "when": {"models": ["test/open"]}, "limit_to": 2,
            "unit": "requests_per_hour"}]),
        &[],
    );
    let budget = json!({"type": "gateway-budget-config", "rules": [
        {"id": "tokens", "limit_to": 100, "unit": "tokens_per_day",
            "when": {"models": ["test/raw-counted"]}}]});
    manifest::write(house.gateway.manifests.path(), "budget", &budget);
    house.gateway.get_metrics_until("weir_config_version 2");
    house.teach("counted", counted(60, 40));
    let counted = bounded("raw-counted", 1);

    let statuses = [Ask::chat("open"), Ask::chat("open"), Ask::chat("open"), Ask::chat("plain")]
        .map(|ask| house.ask(&ask).status);
    assert_eq!(statuses, [200, 200, 429, 200]);
    assert_eq!((house.ask(&counted).status, house.ask(&counted).status), (200, 429));
    house.receipts(6);

    let last = "ai_gateway_budget_usage{ruleId=\"tokens\",period=\"tokens_per_day\"} 100";
    let metrics = house.gateway.get_metrics_until(last);
    for row in [
        "ai_gateway_rate_limit_nominated_total{ruleId=\"two\"} 3",
        "ai_gateway_rate_limit_applied_total{ruleId=\"two\"} 1",
        "ai_gateway_budget_nominated_total{ruleId=\"tokens\"} 2",
        "ai_gateway_budget_applied_total{ruleId=\"tokens\"} 1",
    ] {
        assert!(metrics.contains(row), "{row}: {metrics}");
    }
}

/// T060: a vendor that reports nothing is no way around a limit.
#[test]
fn t060_where_no_usage_is_reported_an_estimate_counts() {
    let house = house(
        json!([{"id": "tokens", "when": {}, "limit_to": 1000, "unit": "tokens_per_hour"}]),
        &[],
    );
    let body = br#"{"id":"c1","object":"chat.completion","choices":[]}"#;
    house.teach("counted", answer(200, "application/json", body));

    assert_eq!(house.ask(&bounded("raw-counted", 600)).status, 200);
    let second = house.ask(&bounded("raw-counted", 600));

    // What came was counted by its bytes: more than nothing, and less than what was reserved.
    assert_eq!(second.status, 200);
    assert!((1..400).contains(&header(&second, "x-ratelimit-remaining-tokens")));
}

/// T036, T065: whatever ends an exchange, what it reserved is given back, once.
#[test]
fn every_ending_gives_back_what_was_reserved() {
    let rule = |id: &str, model: &str, limit: u64, unit: &str| {
        let when = json!({"models": [model]});
        json!({"id": id, "when": when, "limit_to": limit, "unit": unit})
    };
    let vendor = harness::vendor();
    let folder = manifest::folder();
    let models = ["plain", "never", "e500"];
    manifest::write_usual(&folder, vendor.address(), &models);
    let closed = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
    let nowhere = closed.local_addr().expect("it is bound");
    drop(closed);
    let mut dead = manifest::account(nowhere, &["gone"]);
    dead["name"] = "dead".into();
    manifest::write(folder.path(), "dead", &dead);
    let admins = json!({"type": "gateway-global-settings", "admins": [manifest::OWNER]});
    manifest::write(folder.path(), "settings", &admins);
    write_rules(
        &folder,
        json!([
            rule("panic", "test/plain", 1_000, "tokens_per_hour"),
            rule("silent", "test/never", 1_200, "tokens_per_hour"),
            rule("dead", "dead/gone", 1, "requests_per_hour"),
            rule("error", "test/e500", 1_000, "tokens_per_hour"),
        ]),
    );
    let arguments = ["--panic-on-model", "test/plain"];
    let house = House { gateway: Gateway::start(folder, &arguments), vendor };

    // A panic, three times: each reserves nearly all.
    for _ in 0..3 {
        assert_eq!(house.ask(&bounded("plain", 900)).status, 500);
        wait_until_left(&house, "test/plain", 1_000);
    }
    // A target that cannot be reached: the request does not count.
    let gone = Ask::post("/v1/chat/completions", r#"{"model":"dead/gone","messages":[]}"#);
    for _ in 0..3 {
        assert_eq!(house.ask(&gone).status, 502);
        wait_until_left(&house, "dead/gone", 1);
    }
    // An error of the vendor's: the tokens come back.
    for _ in 0..3 {
        assert_eq!(house.ask(&bounded("e500", 900)).status, 500);
        wait_until_left(&house, "test/e500", 1_000);
    }
    // A vendor that does not answer in time: nobody says that it used anything.
    for _ in 0..3 {
        let late = bounded("never", 900).header("x-tfy-request-timeout", "60");
        assert_eq!(house.ask(&late).status, 504);
        wait_until_left(&house, "test/never", 1_200);
    }
    // A client that leaves before the answer: its prompt was read, as far as one can tell.
    for turn in 1..=3 {
        let more = r#","max_tokens":900,"stream":true"#;
        let body = chat_body("never", more);
        let mut client = house.client();
        client.send(&Ask::post("/v1/chat/completions", body.clone()).bytes());
        let is_asked = |log: &[Seen]| count(log, "never") == 3 + turn;
        assert!(house.vendor.wait_until(harness::DEADLINE, is_asked), "turn {turn}");
        drop(client);
        house.receipts_where(turn, |one| one.status() == 499);
        let prompt = (body.len() as u64).div_ceil(4);
        wait_until_left(&house, "test/never", 1_200 - turn as u64 * prompt);
    }
}

/// Waits until so much is left of the limit of this model: an exchange settles behind its reply.
fn wait_until_left(house: &House, model: &str, wanted: u64) {
    let until = Instant::now() + harness::DEADLINE;
    let thought = json!({"subject": manifest::OWNER, "model": model, "metadata": {}});
    loop {
        let standing = harness::admin_post(house, "/api/svc/v1/llm-gateway/standing", &thought);
        let left = standing["limits"][0]["left"].as_u64();
        if left == Some(wanted) {
            return;
        }
        assert!(Instant::now() < until, "{model}: {left:?} of {wanted}");
    }
}

/// Fault 59: a process that is killed forgets nothing that it counted, and what was reserved for
/// requests on their way is free again.
#[test]
fn fault_59_a_killed_gateway_counts_on_where_it_ended_and_lets_go_of_reservations() {
    let vendor = harness::vendor();
    let folder = manifest::folder();
    manifest::write_usual(&folder, vendor.address(), &["raw-counted", "never", "open"]);
    let rule = |model: &str, limit: u64, unit: &str| {
        let when = json!({"models": [model]});
        json!({"id": model, "when": when, "limit_to": limit, "unit": unit,
            "rate_limit_applies_per": ["user"]})
    };
    let rules = [
        rule("test/open", 5, "requests_per_hour"),
        rule("test/raw-counted", 2_000, "tokens_per_day"),
        rule("test/never", 1_000, "tokens_per_day"),
    ];
    write_rules(&folder, json!(rules));
    let mut house = House { gateway: Gateway::start(folder, &[]), vendor };
    house.teach("counted", counted(300, 250));
    for _ in 0..3 {
        assert_eq!(house.ask(&Ask::chat("open")).status, 200);
    }
    assert_eq!(house.ask(&bounded("raw-counted", 900)).status, 200);
    let mut waiting = house.client();
    waiting.send(&bounded("never", 900).bytes());
    let is_asked = |log: &[Seen]| count(log, "never") == 1;
    assert!(house.vendor.wait_until(harness::DEADLINE, is_asked));
    assert_eq!(house.ask(&bounded("never", 900)).status, 429, "it is reserved");

    house.gateway.kill();
    let data = house.gateway.take_data();
    let folder = std::mem::replace(&mut house.gateway.manifests, manifest::folder());
    house.gateway = Gateway::start_on(folder, data, &[]);

    let open = house.ask(&Ask::chat("open"));
    assert_eq!((open.status, header(&open, "x-ratelimit-remaining-requests")), (200, 1));
    let refused = house.ask(&bounded("raw-counted", 1_900));
    assert_eq!(header(&refused, "x-ratelimit-remaining-tokens"), 1_450);
    let mut waiting = house.client();
    waiting.send(&bounded("never", 900).bytes());
    let is_asked = |log: &[Seen]| count(log, "never") == 2;
    assert!(house.vendor.wait_until(harness::DEADLINE, is_asked), "it is free again");
}

fn count(log: &[Seen], model: &str) -> usize {
    let wanted = format!("\"{model}\"");
    log.iter().filter(|one| String::from_utf8_lossy(&one.body).contains(&wanted)).count()
}

/// A lower limit holds at once, a higher one too, and what was spent is not forgotten.
#[test]
fn a_limit_can_be_changed_while_it_serves() {
    let rule = |limit: u64| json!([{"id": "changing", "when": {}, "limit_to": limit, "unit": "requests_per_hour"}]);
    let house = house(rule(1_000_000), &[]);
    for _ in 0..5 {
        assert_eq!(house.ask(&Ask::chat("open")).status, 200);
    }

    write_rules(&house.gateway.manifests, rule(3));
    let refused = house.ask_until(&Ask::chat("open"), |reply| reply.status == 429);
    assert_eq!(header(&refused, "x-ratelimit-limit-requests"), 3);

    write_rules(&house.gateway.manifests, rule(2_000_000));
    let passed = house.ask_until(&Ask::chat("open"), |reply| reply.status == 200);
    assert_eq!(header(&passed, "x-ratelimit-limit-requests"), 2_000_000);
    assert!(header(&passed, "x-ratelimit-remaining-requests") < 1_999_995);
}

#[test]
fn a_limit_that_cannot_be_obeyed_is_refused_with_words() {
    let house = house(json!([]), &[]);
    let folder = &house.gateway.manifests;
    for (rule, words) in [
        (json!({"id": "a", "limit_to": 1, "unit": "requests_per_second"}), "requests_per_minute"),
        (json!({"id": "a", "limit_to": -1, "unit": "tokens_per_day"}), "limit_to"),
        (json!({"id": "a", "limit_to": 1_u64 << 40, "unit": "tokens_per_day"}), "at most"),
        (
            json!({"id": "a", "limit_to": 1, "unit": "tokens_per_day",
                "rate_limit_applies_per": ["user", "model", "metadata.x"]}),
            "at most 2",
        ),
        (
            json!({"id": "a", "limit_to": 1, "unit": "tokens_per_day",
                "rate_limit_applies_per": ["team"]}),
            "metadata.KEY",
        ),
    ] {
        write_rules(folder, json!([rule]));
        let config = folder.path().to_str().expect("a temporary folder's name is UTF-8");
        let (code, output, _) = harness::gateway::run(&["check", "--config", config]);
        assert_eq!(code, Some(1), "{output}");
        assert!(output.contains(words), "{words}: {output}");
    }

    let all = json!({"id": "all", "limit_to": 5, "unit": "tokens_per_day"});
    let late = json!({"id": "late", "when": {"subjects": ["team:core"], "models": ["test/gone"]},
        "limit_to": 5, "unit": "tokens_per_day"});
    write_rules(folder, json!([all, late]));
    let config = folder.path().to_str().expect("a temporary folder's name is UTF-8");
    let (code, output, _) = harness::gateway::run(&["check", "--config", config]);
    assert_eq!(code, Some(0), "{output}");
    assert!(output.contains("a rule behind \"all\"") && output.contains("it never matches"));
}

/// What a vendor says of the limits of our key is nobody's here: told is the rule that holds, or
/// nothing; of whole answers, of streams and of refusals.
#[test]
fn what_a_vendor_says_of_its_own_limits_is_not_passed() {
    let house = house(
        json!([{"id": "a", "when": {"models": ["test/raw-counted"]}, "limit_to": 9,
            "unit": "requests_per_hour"}]),
        &[],
    );
    let said = "x-ratelimit-limit-requests: 7\r\nX-RateLimit-Remaining-Tokens: 7\r\n\
        anthropic-ratelimit-requests-remaining: 7\r\nretry-after: 3\r\n";
    let body = r#"{"id":"c","object":"chat.completion","choices":[]}"#;
    let whole = |status: u16| {
        let length = body.len();
        format!(
            "HTTP/1.1 {status} Said\r\n{said}content-type: application/json\r\n\
            content-length: {length}\r\n\r\n{body}"
        )
    };
    let stream = format!(
        "HTTP/1.1 200 OK\r\n{said}content-type: text/event-stream\r\n\
        content-length: 14\r\n\r\ndata: [DONE]\n\n"
    );
    for (answer, more) in [(whole(200), ""), (whole(429), ""), (stream, r#","stream":true"#)] {
        for (model, own) in [("raw-counted", Some(9)), ("raw-free", None)] {
            house.teach(model.trim_start_matches("raw-"), vec![Step::Send(answer.clone().into())]);
            let reply = house.ask(&Ask::post("/v1/chat/completions", chat_body(model, more)));

            let limit = reply.header("x-ratelimit-limit-requests").map(str::to_owned);
            assert_eq!(limit, own.map(|it: u64| it.to_string()), "{model}: {reply:?}");
            assert_eq!(reply.header("x-ratelimit-remaining-tokens"), None, "{reply:?}");
            assert_eq!(reply.header("anthropic-ratelimit-requests-remaining"), None);
            assert_eq!(reply.header("retry-after"), Some("3"), "{reply:?}");
        }
    }
}
