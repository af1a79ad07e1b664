//! Exact counting over sockets where it is hardest: a thousand requests at once on all cores, rules
//! that come later, and processes that are killed while answers are on their way.

mod harness;

use harness::{
    House,
    client::{Ask, Client, Reply, chat_body},
    counted,
    gateway::Gateway,
    manifest,
    receipt::assert_all_cores_served,
};
use serde_json::{Value, json};

/// Requests that are under way at once, each on a connection of its own.
const AT_ONCE: usize = 1_000;
/// Of each model here: $1 a million tokens in, $10 out.
const NANODOLLARS: (u64, u64) = (1_000, 10_000);

/// A house on two cores with these documents; a model of it is priced.
fn house(documents: &[Value]) -> House {
    let vendor = harness::vendor();
    let folder = manifest::folder();
    manifest::write_usual(&folder, vendor.address(), &[]);
    let mut account = manifest::account(vendor.address(), &["raw-priced", "open", "never"]);
    manifest::put_prices(&mut account, &[0]);
    manifest::write(folder.path(), "account", &account);
    let settings = json!({"type": "gateway-global-settings", "admins": [manifest::OWNER]});
    manifest::write(folder.path(), "settings", &settings);
    manifest::write_each(&folder, documents);
    House { gateway: Gateway::start(folder, &["--cores", "2"]), vendor }
}

fn limits(rule: Value) -> Value {
    json!({"type": "gateway-rate-limiting-config", "name": "limits", "rules": [rule]})
}

fn budgets(rule: Value) -> Value {
    json!({"type": "gateway-budget-config", "name": "budgets", "rules": [rule]})
}

fn ask(model: &str, more: &str) -> Ask {
    Ask::post("/v1/chat/completions", chat_body(model, more))
}

/// Sends it a thousand times at once; how often it was answered with 200 and with 429.
fn storm(house: &House, ask: &Ask) -> (usize, usize) {
    let mut clients: Vec<Client> =
        (0..AT_ONCE).map(|_| Client::connect(house.gateway.address)).collect();
    let bytes = ask.bytes();
    for client in &mut clients {
        client.send(&bytes);
    }
    let statuses: Vec<u16> = clients.iter_mut().map(|client| client.reply().status).collect();
    let count = |wanted| statuses.iter().filter(|status| **status == wanted).count();
    (count(200), count(429))
}

/// Used by everything that spends so much: dollars as they are written, with nine digits.
fn dollars(nanodollars: u64) -> Value {
    let (whole, rest) = (nanodollars / 1_000_000_000, nanodollars % 1_000_000_000);
    serde_json::from_str(&format!("{whole}.{rest:09}")).expect("it is a number")
}

#[test]
fn fault_50_of_a_thousand_concurrent_requests_on_all_cores_exactly_100_pass() {
    let house = house(&[limits(json!({"id": "a", "limit_to": 100, "unit": "requests_per_hour"}))]);

    let passed = storm(&house, &Ask::chat("open"));

    assert_eq!(passed, (100, 900));
    assert_eq!(house.vendor.log().len(), 100);
    assert_all_cores_served(2, &house.receipts(AT_ONCE));
}

/// A token limit of a hundred estimates, each of which comes true: none is falsely refused below
/// it, and what is spent is at most the limit.
#[test]
fn fault_50_of_a_thousand_concurrent_requests_tokens_are_kept_within_the_estimate() {
    let ask = ask("raw-priced", r#","max_tokens":60"#);
    // What a request is thought to take: a quarter of its bytes, and its answer's bound.
    let input = (ask.body.len() as u64).div_ceil(4);
    let each = input + 60;
    let limit = 100 * each;
    let house = house(&[limits(json!({"id": "a", "limit_to": limit, "unit": "tokens_per_day"}))]);
    house.teach("priced", counted(input, 60));

    let (passed, refused) = storm(&house, &ask);

    assert_eq!((passed, refused), (100, 900));
    let receipts = house.receipts(AT_ONCE);
    assert_all_cores_served(2, &receipts);
    let tokens =
        |one: &harness::receipt::Receipt| one.number("input_tokens") + one.number("output_tokens");
    assert_eq!(receipts.iter().map(tokens).sum::<u64>(), limit);
}

#[test]
fn fault_50_of_a_thousand_concurrent_requests_dollars_are_kept_within_the_estimate() {
    let ask = ask("raw-priced", r#","max_tokens":60"#);
    let input = (ask.body.len() as u64).div_ceil(4);
    let cap = 100 * (input * NANODOLLARS.0 + 60 * NANODOLLARS.1);
    let rule = json!({"id": "a", "limit_to": dollars(cap), "unit": "cost_per_day"});
    let house = house(&[budgets(rule)]);
    house.teach("priced", counted(input, 60));

    let (passed, refused) = storm(&house, &ask);

    assert_eq!((passed, refused), (100, 900));
    let receipts = house.receipts(AT_ONCE);
    let spent: u64 = receipts.iter().map(|one| one.number("cost_nanodollars")).sum();
    assert_eq!(spent, cap);
}

/// Whatever the vendor does within its bound, `strict` is never exceeded: here it does the worst.
#[test]
fn t077_of_a_thousand_concurrent_requests_strict_tokens_and_dollars_are_never_exceeded() {
    let ask = ask("raw-priced", r#","max_tokens":30"#);
    let prompt = ask.body.len() as u64 + 1_024;
    let tokens = 100 * (prompt + 30);
    let nanodollars = 100 * (prompt * NANODOLLARS.0 + 30 * NANODOLLARS.1);
    for document in [
        limits(json!({"id": "a", "limit_to": tokens, "unit": "tokens_per_day", "strict": true})),
        budgets(json!({"id": "a", "limit_to": dollars(nanodollars), "unit": "cost_per_day",
            "strict": true})),
    ] {
        let house = house(&[document]);
        house.teach("priced", counted(prompt, 30));

        let (passed, refused) = storm(&house, &ask);

        assert_eq!((passed, refused), (100, 900));
        let receipts = house.receipts(AT_ONCE);
        let sum = |name: &str| receipts.iter().map(|one| one.number(name)).sum::<u64>();
        assert_eq!(sum("input_tokens") + sum("output_tokens"), tokens);
        assert_eq!(sum("cost_nanodollars"), nanodollars);
    }
}

fn remaining(reply: &Reply) -> u64 {
    let left = reply.header("x-ratelimit-remaining-requests");
    left.expect("a limit holds").parse().expect("a number")
}

/// A rule counts from when it is first in force (`usage/births.rs`); and a restart, which counts
/// the receipts anew, comes to the same.
#[test]
fn a_rule_that_is_added_counts_what_is_sent_from_then_on_also_after_a_restart() {
    let mut house = house(&[]);
    house.teach("priced", counted(1_000, 100));
    let priced = ask("raw-priced", r#","max_tokens":1"#);
    for _ in 0..3 {
        assert_eq!(house.ask(&Ask::chat("open")).status, 200);
        assert_eq!(house.ask(&priced).status, 200);
    }
    house.receipts(6);
    let of_open = json!({"id": "a", "limit_to": 5, "unit": "requests_per_hour",
        "when": {"models": ["test/open"]}});
    let spent = json!({"id": "b", "limit_to": 3_310, "unit": "tokens_per_day",
        "when": {"models": ["test/raw-priced"]}});
    manifest::write_each(&house.gateway.manifests, &[limits(of_open), budgets(spent)]);
    house.gateway.get_metrics_until("weir_config_version 2");

    assert_eq!(remaining(&house.ask(&Ask::chat("open"))), 4);
    assert_eq!(house.ask(&priced).status, 200);
    house.receipts(8);
    house.begin_again();

    assert_eq!(remaining(&house.ask(&Ask::chat("open"))), 3);
    // 1,100 are spent; before there was a budget there were 3,300 more.
    assert_eq!(house.ask(&priced).status, 200);
    assert_eq!(house.ask(&priced).status, 200);
    assert_eq!(house.ask(&priced).status, 429);
}

/// Answers that are on their way when the process dies are settled once, however often it is
/// started again: the requests that were sent count, and nothing stays reserved.
#[test]
fn what_is_under_way_at_a_kill_is_settled_exactly_once_however_often_it_is_started() {
    let when = |model: &str| json!({"models": [model]});
    let mut house = house(&[
        limits(json!({"id": "a", "when": when("test/never"), "limit_to": 10,
            "unit": "requests_per_hour"})),
        budgets(json!({"id": "b", "when": when("test/never"), "limit_to": 5_000,
            "unit": "tokens_per_day"})),
    ]);
    let waiting = |house: &House, count: usize| {
        let mut clients = Vec::new();
        for _ in 0..count {
            let mut client = house.client();
            client.send(&ask("never", r#","max_tokens":1500"#).bytes());
            clients.push(client);
        }
        clients
    };
    let before = house.vendor.log().len();
    let clients = waiting(&house, 3);
    assert!(house.vendor.wait_until(harness::DEADLINE, |log| log.len() == before + 3));
    let refused = house.ask(&ask("never", r#","max_tokens":1500"#));
    assert_eq!((refused.status, refused.refusal().as_str()), (429, "budget_exceeded"));

    for _ in 0..3 {
        house.begin_again();
        let receipts = house.receipts(4);
        let interrupted = receipts.iter().filter(|one| one.text("ending") == "interrupted");
        assert_eq!(interrupted.count(), 3);
    }
    drop(clients);

    // Three are counted of ten, once; and three times 1,500 tokens are free again.
    let before = house.vendor.log().len();
    let _clients = waiting(&house, 3);
    assert!(house.vendor.wait_until(harness::DEADLINE, |log| log.len() == before + 3));
    let standing = harness::admin_post(
        &house,
        "/api/svc/v1/llm-gateway/standing",
        &json!({"subject": manifest::OWNER, "model": "test/never", "metadata": {}}),
    );
    assert_eq!(standing["limits"][0]["used"], 6, "{standing:#}");
    assert_eq!(standing["limits"][0]["left"], 4, "{standing:#}");
}

/// Decisions 5: what a strict limit let an answer take that a kill cut off counts, for nobody can
/// know that less was used; once, however often the gateway is started again.
#[test]
fn what_a_strict_limit_let_an_answer_take_counts_when_a_kill_cuts_it_off() {
    let when = json!({"models": ["test/never"]});
    let rule = json!({"id": "a", "when": when, "limit_to": 10_000, "unit": "tokens_per_day",
        "strict": true});
    let mut house = house(&[limits(rule.clone()), budgets(rule)]);
    let standing = |house: &House| {
        let asked = json!({"subject": manifest::OWNER, "model": "test/never", "metadata": {}});
        let found = harness::admin_post(house, "/api/svc/v1/llm-gateway/standing", &asked);
        let budget = &found["budgets"][0]["entities"][0]["periods"]["tokens_per_day"];
        let number = |value: &Value| value.as_u64().expect("a number");
        (number(&found["limits"][0]["left"]), number(&budget["left"]))
    };
    let asked = ask("never", r#","max_tokens":1500"#);
    let most = asked.body.len() as u64 + 1_024 + 1_500;
    let before = house.vendor.log().len();
    let mut client = house.client();
    client.send(&asked.bytes());
    assert!(house.vendor.wait_until(harness::DEADLINE, |log| log.len() == before + 1));
    assert_eq!(standing(&house), (10_000 - most, 10_000), "it is reserved, and not spent yet");

    for _ in 0..2 {
        house.begin_again();
        let receipts = house.receipts(1);
        assert_eq!(receipts[0].text("ending"), "interrupted");
        let tokens = receipts[0].number("input_tokens") + receipts[0].number("output_tokens");
        assert_eq!(tokens, most);
        assert_eq!(standing(&house), (10_000 - most, 10_000 - most));
    }
    drop(client);
}
