//! What has been spent, for those who ask: on the admin port everything, on the data port one's
//! own.

mod harness;

use harness::{
    House,
    client::{Ask, Client, KEY, KEY_BILLING, KEY_OUTSIDER, Reply},
    counted,
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
    manifest::put_prices(&mut account, &[0, 1]);
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
    house.teach("priced", counted(1_000, 100));
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

fn put(house: &House, key: &str, body: &Value) -> Reply {
    let mut request = Ask::post(PATH, body.to_string()).key(key);
    request.method = "PUT".into();
    ask(house, request)
}

fn delete(house: &House, key: &str, name: &str) -> Reply {
    let mut request = Ask::get(&format!("{PATH}/{name}")).key(key);
    request.method = "DELETE".into();
    ask(house, request)
}

fn said(reply: &Reply) -> String {
    reply.json()["error"]["message"].as_str().unwrap_or_default().to_owned()
}

/// Checklist 147: a budget that is put is in force when the answer comes, is a file beside the
/// others, survives a restart, and goes when it is deleted.
#[test]
fn a_budget_that_is_put_is_obeyed_at_once_and_kept_until_it_is_deleted() {
    let mut house = house();
    let budget = |dollars: f64| {
        json!({"type": "tenant-budget-config", "name": "put here",
        "limits": {"cost_per_day": dollars}, "applies_to": {"type": "aggregate"},
        "mode": "enforce"})
    };
    let body = harness::client::chat_body("raw-priced", r#","max_tokens":1"#);
    let call = Ask::post("/v1/chat/completions", body);

    // Only thought of, it changes nothing.
    let dry = put(&house, KEY, &json!({"manifest": budget(0.0), "dryRun": true}));
    assert_eq!((dry.status, &dry.json()["dryRun"]), (200, &json!(true)));
    assert_eq!(ask(&house, Ask::get(&format!("{PATH}/put%20here")).key(KEY)).status, 404);
    assert_eq!(house.ask(&call).status, 200);

    let made = put(&house, KEY, &json!({"manifest": budget(0.0)}));
    assert_eq!((made.status, &made.json()["data"]["name"]), (200, &json!("put here")));
    let refused = house.ask_until(&call, |reply| reply.status == 429);
    assert!(refused.text().contains("put here"), "{}", refused.text());
    let one = ask(&house, Ask::get(&format!("{PATH}/put%20here")).key(KEY)).json();
    assert_eq!(one["manifest"], budget(0.0));
    assert_eq!(one["managed_here"], true);
    let config = house.gateway.manifests.path().to_str().expect("UTF-8").to_owned();
    let (code, output, _) = harness::gateway::run(&["check", "--config", &config]);
    assert_eq!(code, Some(0), "{output}");

    let more = put(&house, KEY, &json!({"manifest": budget(9.0)}));
    assert_eq!(more.status, 200);
    house.ask_until(&call, |reply| reply.status == 200);
    house.gateway.terminate();
    house.gateway.exit();
    let data = house.gateway.take_data();
    let folder = std::mem::replace(&mut house.gateway.manifests, manifest::folder());
    house.gateway = Gateway::start_on(folder, data, &[]);
    let one = ask(&house, Ask::get(&format!("{PATH}/put%20here")).key(KEY)).json();
    assert_eq!(one["manifest"]["limits"]["cost_per_day"], 9.0);

    assert_eq!(delete(&house, KEY, "put%20here").status, 204);
    assert_eq!(ask(&house, Ask::get(&format!("{PATH}/put%20here")).key(KEY)).status, 404);
    assert_eq!(delete(&house, KEY, "put%20here").status, 404);
}

#[test]
fn a_budget_that_cannot_be_obeyed_or_stands_elsewhere_is_refused_with_words() {
    let house = house();
    let each = json!({"type": "tenant-budget-config", "name": "each", "mode": "audit",
        "limits": {"cost_per_day": 1}, "applies_to": {"type": "aggregate"}});
    let mut bad = each.clone();
    (bad["name"], bad["mode"]) = (json!("bad"), json!("shout"));
    for (body, status, words) in [
        (json!({"manifest": each}), 409, "stands in budget-1.yaml"),
        (json!({"manifest": bad}), 400, "soft_enforce"),
        (json!({"manifest": {"type": "gateway-budget-config", "name": "x"}}), 400, "\"type\""),
        (json!({"manifest": {"type": "team-budget-config"}}), 400, "\"name\""),
        (json!({"budget": {}}), 400, "manifest"),
    ] {
        let refused = put(&house, KEY, &body);
        assert_eq!(refused.status, status, "{body}: {}", refused.text());
        assert!(said(&refused).contains(words), "{words}: {}", said(&refused));
    }
    assert_eq!(delete(&house, KEY, "each").status, 409);
    assert_eq!(delete(&house, KEY, "rule").status, 404, "a rule is no document");
    let one = ask(&house, Ask::get(&format!("{PATH}/each")).key(KEY)).json();
    assert_eq!((&one["mode"], &one["managed_here"]), (&json!("enforce"), &json!(false)));
}

/// Checklist 146: whoever manages a team writes its budgets, and no others.
#[test]
fn a_manager_writes_the_budgets_of_his_team_and_no_others() {
    let house = house();
    let team = json!({"type": "team", "name": "field", "members": [],
        "managers": ["outsider@example.com"]});
    manifest::write(house.gateway.manifests.path(), "field", &team);
    house.gateway.get_metrics_until("weir_config_version 2");
    let budget = |kind: &str, name: &str, team: &str| {
        let mut budget = json!({"type": kind, "name": name, "mode": "audit",
            "limits": {"cost_per_day": 1}, "applies_to": {"type": "aggregate"}});
        if !team.is_empty() {
            budget["team_name"] = team.into();
        }
        json!({"manifest": budget})
    };

    let own = budget("team-budget-config", "field-day", "field");
    assert_eq!(put(&house, KEY_OUTSIDER, &own).status, 200);
    for other in [
        budget("tenant-budget-config", "all", ""),
        budget("team-budget-config", "core-day", "core"),
        // Another's by its name.
        budget("team-budget-config", "each", "field"),
    ] {
        assert_eq!(put(&house, KEY_OUTSIDER, &other).status, 403, "{other}");
    }
    assert_eq!(put(&house, KEY_BILLING, &own).status, 403);
    assert_eq!(put(&house, "nobodys-key", &own).status, 401);
    assert_eq!(delete(&house, KEY_OUTSIDER, "each").status, 403);
    assert_eq!(delete(&house, KEY_OUTSIDER, "field-day").status, 204);
}
