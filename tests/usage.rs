//! What has been spent, for those who ask: on the admin port everything, on the data port one's
//! own.

mod harness;

use harness::{
    House, answer,
    client::{Ask, Client, KEY, KEY_BILLING, KEY_OUTSIDER, Reply},
    gateway::Gateway,
    manifest,
};
use serde_json::{Value, json};
use std::time::Instant;

const PATH: &str = "/api/svc/v1/llm-gateway/budgets";

/// A house whose calls cost $0.002, under three budgets; the owner is an admin.
fn house() -> House {
    let vendor = harness::vendor();
    let folder = manifest::folder();
    manifest::write_usual(&folder, vendor.address(), &[]);
    let mut account = manifest::account(vendor.address(), &["open", "raw-priced"]);
    let value = json!({"input": 0.001, "output": 0.01});
    for at in [0, 1] {
        account["integrations"][at]["cost"] = json!({"metric": "per_1000_tokens", "value": value});
    }
    manifest::write(folder.path(), "account", &account);
    let settings = json!({"type": "gateway-global-settings", "admins": [manifest::OWNER]});
    manifest::write(folder.path(), "settings", &settings);
    let rules = json!([{"id": "rule", "unit": "tokens_per_day", "limit_to": 1_000_000,
        "budget_applies_per": ["model"]}]);
    let rules = json!({"type": "gateway-budget-config", "name": "rules", "rules": rules});
    manifest::write(folder.path(), "budget-0", &rules);
    let each = json!({"type": "tenant-budget-config", "name": "each", "mode": "enforce",
        "limits": {"cost_per_day": 0.01, "cost_per_month": 1}, "applies_to": {"type": "per-user",
        "overrides": [{"users": ["outsider@example.com"], "limits": {"cost_per_day": 5}}]}});
    manifest::write(folder.path(), "budget-1", &each);
    let core = json!({"type": "team-budget-config", "team_name": "core", "name": "core",
        "mode": "audit", "limits": {"cost_per_lifetime": 2}, "applies_to": {"type": "aggregate"}});
    manifest::write(folder.path(), "budget-2", &core);
    let house = House { gateway: Gateway::start(folder, &[]), vendor };
    let body = json!({"id": "c1", "object": "chat.completion", "choices": [{"index": 0,
        "message": {"role": "assistant", "content": "Hi"}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 1_000, "completion_tokens": 100, "total_tokens": 1_100}});
    house.teach("priced", answer(200, "application/json", body.to_string().as_bytes()));
    house
}

fn ask(house: &House, request: Ask) -> Reply {
    let mut client = Client::connect(house.gateway.admin);
    client.send(&request.header("connection", "close").bytes());
    client.reply()
}

fn spend(house: &House, count: usize) {
    for _ in 0..count {
        let body = harness::client::chat_body("raw-priced", r#","max_tokens":1"#);
        assert_eq!(house.ask(&Ask::post("/v1/chat/completions", body)).status, 200);
    }
}

/// Asks the admin port until what is spent is stored.
fn until(house: &House, path: &str, is_there: impl Fn(&Value) -> bool) -> Value {
    let end = Instant::now() + harness::DEADLINE;
    loop {
        let reply = ask(house, Ask::get(path).key(KEY));
        assert_eq!(reply.status, 200, "{}", reply.text());
        let body = reply.json();
        if is_there(&body) {
            return body;
        }
        assert!(Instant::now() < end, "{body:#}");
        std::thread::yield_now();
    }
}

fn named<'v>(body: &'v Value, list: &str, name: &str) -> &'v Value {
    let all = body[list].as_array().expect("a list");
    all.iter().find(|one| one["name"] == name).unwrap_or_else(|| panic!("{name}: {body:#}"))
}

#[test]
fn an_admin_sees_every_budget_and_who_has_spent_what() {
    let house = house();
    spend(&house, 3);

    let body = until(&house, PATH, |body| {
        named(body, "data", "each")["entities"][0]["periods"]["cost_per_day"]["used"] == 0.006
    });

    let each = named(&body, "data", "each");
    assert_eq!(each["entities"][0]["entity"], "you@example.com");
    let day = &each["entities"][0]["periods"]["cost_per_day"];
    assert_eq!((&day["limit"], &day["percentage"]), (&json!(0.01), &json!(60.0)));
    let (start, end) = (day["start"].as_u64().expect("set"), day["end"].as_u64().expect("set"));
    assert_eq!((start % 86_400, end - start), (0, 86_399));
    let rule = named(&body, "data", "rule");
    assert_eq!(rule["entities"][0]["entity"], "test/raw-priced");
    assert_eq!(rule["entities"][0]["periods"]["tokens_per_day"]["used"], 3_300);
    let core = named(&body, "data", "core");
    assert_eq!((&core["team_name"], &core["mode"]), (&json!("core"), &json!("audit")));
    assert_eq!(core["entities"][0]["periods"]["cost_per_lifetime"]["used"], 0.006);

    let of_team = ask(&house, Ask::get(&format!("{PATH}?team_name=core")).key(KEY)).json();
    assert_eq!(of_team["data"].as_array().map(Vec::len), Some(1));
    let one = ask(&house, Ask::get(&format!("{PATH}/each")).key(KEY)).json();
    assert_eq!(one["name"], "each");
    let board = ask(&house, Ask::get(&format!("{PATH}/each/leaderboard?limit=1")).key(KEY)).json();
    assert_eq!(board["leaderboard"]["cost_per_day"][0]["entity"], "you@example.com");
    let ordered = "/api/svc/v1/llm-gateway/config/budget/usage";
    let ordered = ask(&house, Ask::get(ordered).key(KEY)).json();
    assert_eq!(ordered["data"].as_array().map(Vec::len), Some(1));
    assert_eq!(ask(&house, Ask::get(&format!("{PATH}/gone")).key(KEY)).status, 404);
    assert_eq!(ask(&house, Ask::get(PATH).key(KEY_OUTSIDER)).status, 403);
    let metrics = house.gateway.admin("/metrics").text();
    assert!(metrics.contains("weir_meters_overflows_total 0"), "{metrics}");
}

#[test]
fn what_a_request_would_meet_can_be_asked_before_it_is_sent() {
    let house = house();
    spend(&house, 2);
    until(&house, PATH, |body| {
        named(body, "data", "each")["entities"][0]["periods"]["cost_per_day"]["used"] == 0.004
    });
    let simulate = |thought: Value| {
        let path = format!("{PATH}/simulate");
        let request = Ask::post(&path, thought.to_string()).key(KEY);
        ask(&house, request.header("content-type", "application/json"))
    };

    let mine = simulate(json!({"user": "you@example.com", "model": "test/raw-priced"})).json();
    assert_eq!(mine["matched"].as_array().map(Vec::len), Some(3));
    let each = named(&mine, "matched", "each");
    assert_eq!(each["entities"][0]["periods"]["cost_per_day"]["used"], 0.004);
    let other = simulate(json!({"user": "outsider@example.com", "model": "test/open"})).json();
    let each = named(&other, "matched", "each");
    assert_eq!(each["entities"][0]["periods"]["cost_per_day"]["limit"], 5);
    assert_eq!(each["entities"][0]["periods"]["cost_per_month"]["limit"], 1);
    let robot = simulate(json!({"virtual_account": "billing", "model": "test/open"})).json();
    assert_eq!(robot["matched"].as_array().map(Vec::len), Some(1), "no user, no team");
    assert_eq!(simulate(json!({"model": "test/open"})).status, 400);
}

/// On either port, and of nobody else.
#[test]
fn my_usage_is_ones_own() {
    let house = house();
    spend(&house, 2);
    let path = format!("{PATH}/my-usage");
    until(&house, &path, |body| {
        named(body, "matched", "each")["entities"][0]["periods"]["cost_per_day"]["used"] == 0.004
    });

    for reply in [house.ask(&Ask::get(&path).key(KEY)), ask(&house, Ask::get(&path).key(KEY))] {
        let mine = reply.json();
        assert_eq!(reply.status, 200, "{mine}");
        let each = named(&mine, "matched", "each");
        assert_eq!(each["entities"].as_array().map(Vec::len), Some(1));
        assert_eq!(each["entities"][0]["entity"], "you@example.com");
        assert_eq!(each["entities"][0]["periods"]["cost_per_day"]["used"], 0.004);
        let names: Vec<_> = mine["matched"].as_array().expect("a list").iter().collect();
        assert!(names.iter().all(|one| one["name"] != "rule"), "who spends on a model is not told");
    }
    for reply in [
        house.ask(&Ask::get(&path).key(KEY_OUTSIDER)),
        ask(&house, Ask::get(&path).key(KEY_OUTSIDER)),
    ] {
        let text = reply.text();
        assert!(!text.contains("you@example.com") && !text.contains("core"), "{text}");
        let other = reply.json();
        let each = named(&other, "matched", "each");
        assert_eq!(each["entities"][0]["periods"]["cost_per_day"]["used"], 0);
    }
    let robot = house.ask(&Ask::get(&path).key(KEY_BILLING)).json();
    assert_eq!(robot["matched"], json!([]));
    assert_eq!(house.ask(&Ask::get(&path).key("no-such-key")).status, 401);
}
