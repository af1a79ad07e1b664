//! Budgets over real sockets: which of them counts and which decides, what a client is told, and
//! that what was spent is not forgotten.

mod harness;

use harness::{
    House,
    client::{Ask, Client, KEY_BILLING, KEY_OUTSIDER, Reply},
    counted,
    gateway::Gateway,
    manifest,
    receipt::assert_all_cores_served,
};
use serde_json::{Value, json};
use std::thread;

/// What one call of `raw-priced` costs: 1,000 tokens in at $1 and 100 out at $10 a million.
const CALL_DOLLARS: f64 = 0.002;

fn priced(vendor: std::net::SocketAddr) -> Value {
    let mut account = manifest::account(vendor, &["raw-priced", "raw-free", "open"]);
    manifest::put_prices(&mut account, &[0, 2]);
    account
}

/// A house with these budgets; a call of its model `raw-priced` costs `CALL_DOLLARS`.
fn house(budgets: &[Value]) -> House {
    house_on(budgets, &[])
}

fn house_on(budgets: &[Value], arguments: &[&str]) -> House {
    let vendor = harness::vendor();
    let folder = manifest::folder();
    manifest::write_usual(&folder, vendor.address(), &[]);
    manifest::write(folder.path(), "account", &priced(vendor.address()));
    write_budgets(&folder, budgets);
    let house = House { gateway: Gateway::start(folder, arguments), vendor };
    house.teach("priced", counted(1_000, 100));
    house.teach("free", counted(1_000, 100));
    house
}

fn write_budgets(folder: &tempfile::TempDir, budgets: &[Value]) {
    for (index, budget) in budgets.iter().enumerate() {
        manifest::write(folder.path(), &format!("budget-{index}"), budget);
    }
}

fn rules(rules: Value) -> Value {
    json!({"type": "gateway-budget-config", "name": "budgets", "rules": rules})
}

fn tenant(name: &str, limits: Value, applies_to: Value, mode: &str) -> Value {
    json!({"type": "tenant-budget-config", "name": name, "limits": limits,
        "applies_to": applies_to, "mode": mode})
}

/// A request whose estimate is far below what it takes.
fn ask() -> Ask {
    bounded(1)
}

fn bounded(max_tokens: u64) -> Ask {
    let more = format!(r#","max_tokens":{max_tokens}"#);
    Ask::post("/v1/chat/completions", harness::client::chat_body("raw-priced", &more))
}

fn statuses(house: &House, ask: &Ask, count: usize) -> Vec<u16> {
    (0..count).map(|_| house.ask(ask).status).collect()
}

fn applied(reply: &Reply) -> Value {
    let text = reply.header("x-tfy-applied-configurations").expect("it is always there");
    serde_json::from_str(text).expect("it is JSON")
}

fn check(house: &House) -> (Option<i32>, String) {
    let config = house.gateway.manifests.path().to_str().expect("a temporary folder is UTF-8");
    let (code, output, _) = harness::gateway::run(&["check", "--config", config]);
    (code, output)
}

/// Checklist 136, 138: a budget of money holds each user by himself, and says what it is.
#[test]
fn a_spent_budget_refuses_with_its_rule_what_is_left_and_when_it_begins_anew() {
    let house = house(&[rules(json!([{"id": "two-calls-ż", "when": {}, "unit": "cost_per_day",
        "limit_to": 2.0 * CALL_DOLLARS, "budget_applies_per": ["user"]}]))]);

    let first = house.ask(&ask());
    assert_eq!(first.status, 200);
    assert_eq!(applied(&first)["budget"], json!({"ruleIds": ["two-calls-ż"]}));
    assert_eq!(house.ask(&ask()).status, 200);
    let refused = house.ask(&ask());

    assert_eq!(refused.status, 429);
    assert_eq!(refused.refusal(), "budget_exceeded");
    assert_eq!(refused.json()["error"]["type"], "budget_exceeded");
    let message = refused.json()["error"]["message"].as_str().unwrap_or_default().to_owned();
    assert!(message.contains("two-calls") && message.contains("$0.004 per day"), "{message}");
    assert_eq!(applied(&refused)["budget"]["exceeded"], "two-calls-ż");
    let seconds: u64 = refused.header("retry-after").and_then(|it| it.parse().ok()).unwrap_or(0);
    assert!((1..=86_400).contains(&seconds), "until midnight: {seconds}");
    assert_eq!(house.vendor.log().len(), 2, "a refused request is not sent");
    // A virtual account is no user.
    assert_eq!(statuses(&house, &ask().key(KEY_BILLING), 4), [200; 4]);
    let receipts = house.receipts(7);
    let refused: Vec<_> = receipts.iter().filter(|one| one.status() == 429).collect();
    assert_eq!(refused.len(), 1);
    assert_eq!(refused[0].text("code"), "budget_exceeded");
}

/// Checklist 139: every rule that matches counts, the first alone decides.
#[test]
fn of_ordered_rules_all_count_and_the_first_decides() {
    let house = house(&[rules(json!([
        {"id": "billing", "when": {"subjects": ["virtual-account:billing"]},
            "unit": "tokens_per_day", "limit_to": 10_000},
        {"id": "audited", "when": {"subjects": ["team:core"], "metadata": {"env": "dev"}},
            "unit": "cost_per_day", "limit_to": 0, "audit_mode": true},
        {"id": "all", "when": {}, "unit": "cost_per_month", "limit_to": 4.0 * CALL_DOLLARS},
    ]))]);

    // Audited first: never refused, and counted by the last rule too.
    let dev = ask().header("x-tfy-metadata", r#"{"env":"dev"}"#);
    let first = house.ask(&dev);
    assert_eq!(applied(&first)["budget"]["ruleIds"], json!(["audited", "all"]));
    assert_eq!(statuses(&house, &dev, 5), [200; 5]);
    // For whom the last rule is the first: it is spent.
    assert_eq!(house.ask(&ask()).status, 429);
    // Billing's own rule decides, whatever the last one says: nine calls of 1,100 tokens fit.
    assert_eq!(statuses(&house, &ask().key(KEY_BILLING), 9), [200; 9]);
    let refused = house.ask(&ask().key(KEY_BILLING));
    assert_eq!(refused.status, 429);
    assert_eq!(applied(&refused)["budget"]["exceeded"], "billing");
}

/// Checklist 138: a user of several teams spends from the budget of each.
#[test]
fn each_team_has_a_meter_of_its_own_and_who_is_in_none_is_not_held() {
    let ads = json!({"type": "team", "name": "ads",
        "members": ["you@example.com", "virtualaccount:billing"]});
    let house = house(&[
        rules(json!([{"id": "team", "when": {}, "unit": "tokens_per_month",
            "limit_to": 2_200, "budget_applies_per": ["team"]}])),
        ads,
    ]);
    let open = Ask::chat("open").key(KEY_OUTSIDER);

    // Billing spends half of what its team has, the owner the rest, though his other team has more.
    assert_eq!(house.ask(&ask().key(KEY_BILLING)).status, 200);
    assert_eq!(statuses(&house, &ask(), 2), [200, 429]);
    assert_eq!(house.ask(&ask().key(KEY_BILLING)).status, 429);
    assert_eq!(statuses(&house, &open, 5), [200; 5]);
}

/// Checklist 143: of budgets that are documents of their own, all must allow.
#[test]
fn of_joint_budgets_all_must_allow() {
    let aggregate = || json!({"type": "aggregate"});
    let house = house(&[
        tenant("wide", json!({"cost_per_month": 1}), aggregate(), "enforce"),
        tenant(
            "narrow",
            json!({"cost_per_day": CALL_DOLLARS, "cost_per_week": 1}),
            json!({"type": "per-user"}),
            "enforce",
        ),
        tenant("watched", json!({"cost_per_lifetime": 0}), aggregate(), "audit"),
    ]);

    let first = house.ask(&ask());
    assert_eq!(first.status, 200);
    assert_eq!(applied(&first)["budget"]["ruleIds"], json!(["wide", "narrow", "watched"]));
    let refused = house.ask(&ask());
    assert_eq!(refused.status, 429);
    assert_eq!(applied(&refused)["budget"]["exceeded"], "narrow");
    assert_eq!(house.ask(&ask().key(KEY_BILLING)).status, 200);
}

/// Checklist 144: a soft budget refuses where no other that matches has room.
#[test]
fn a_soft_budget_refuses_only_where_no_other_allows() {
    let soft =
        || tenant("soft", json!({"cost_per_day": 0}), json!({"type": "aggregate"}), "soft_enforce");
    let mut project = tenant(
        "project",
        json!({"cost_per_day": 2.0 * CALL_DOLLARS}),
        json!({"type": "metadata", "metadata": "project"}),
        "enforce",
    );
    project["when"] = json!({"metadata": {"project": {"not_in": ["secret"]}}});
    let house = house(&[soft(), project]);

    assert_eq!(house.ask(&ask()).status, 429, "nothing else matches");
    let tagged = ask().header("x-tfy-metadata", r#"{"project":"a"}"#);
    assert_eq!(statuses(&house, &tagged, 3), [200, 200, 429]);
    let secret = ask().header("x-tfy-metadata", r#"{"project":"secret"}"#);
    assert_eq!(house.ask(&secret).status, 429);
}

/// Checklist 145, 146: an override holds for whom it names; a team's budget for its members.
#[test]
fn an_override_holds_for_whom_it_names_and_a_teams_budget_for_its_members() {
    let each = json!({"type": "per-virtual-account", "overrides": [
        {"virtual_accounts": ["billing"], "limits": {"cost_per_day": 3.0 * CALL_DOLLARS}}]});
    let mut team = tenant(
        "core-day",
        json!({"cost_per_day": CALL_DOLLARS}),
        json!({"type": "aggregate"}),
        "enforce",
    );
    team["type"] = "team-budget-config".into();
    team["team_name"] = "core".into();
    team["when"] = json!({"subjects": {"users": {"in": ["you@example.com"]}}});
    let house = house(&[tenant("each", json!({"cost_per_day": 0}), each, "enforce"), team]);

    assert_eq!(statuses(&house, &ask().key(KEY_BILLING), 4), [200, 200, 200, 429]);
    assert_eq!(statuses(&house, &ask(), 2), [200, 429]);
    assert_eq!(statuses(&house, &Ask::chat("open").key(KEY_OUTSIDER), 3), [200; 3]);
}

/// Fault 50 for money: of a thousand requests at once, as many are served as there is money for.
#[test]
fn fault_50_a_thousand_requests_with_money_for_ten() {
    const CLIENTS: usize = 40;
    let rule = json!([{"id": "ten", "when": {}, "unit": "cost_per_day",
        "limit_to": 10.0 * CALL_DOLLARS}]);
    let house = house_on(&[rules(rule)], &["--cores", "2"]);
    // Here an estimate is what a call takes: 1,000 tokens in, four bytes each, and 100 out.
    let body = |padding: &str| {
        format!(
            r#"{{"model":"test/raw-priced","max_tokens":100,"messages":[{{"role":"user","content":"{padding}"}}]}}"#
        )
    };
    let body = body(&"x".repeat(4_000 - body("").len()));
    let bytes = Ask::post("/v1/chat/completions", body).bytes();
    let address = house.gateway.address;

    let passed: usize = thread::scope(|scope| {
        let live = || {
            let mut client = Client::connect(address);
            let statuses = (0..1_000 / CLIENTS).map(|_| {
                client.send(&bytes);
                client.reply().status
            });
            statuses.filter(|status| *status == 200).count()
        };
        let threads: Vec<_> = (0..CLIENTS).map(|_| scope.spawn(live)).collect();
        threads.into_iter().map(|one| one.join().expect("no panic")).sum()
    });

    assert_eq!(passed, 10);
    assert_eq!(house.vendor.log().len(), 10);
    assert_all_cores_served(2, &house.receipts(1_000));
}

/// T067: many first requests at once of one whom nobody has seen yet meet his budget all the same.
#[test]
fn t067_concurrent_first_requests_of_a_new_user_do_not_pass_his_budget_by() {
    const CLIENTS: usize = 12;
    let per = json!({"type": "metadata", "metadata": "end_user"});
    let each = json!({"cost_per_day": 3.0 * CALL_DOLLARS});
    let house = house_on(&[tenant("each", each, per, "enforce")], &["--cores", "2"]);
    let body = |padding: &str| {
        format!(
            r#"{{"model":"test/raw-priced","max_tokens":100,"messages":[{{"role":"user","content":"{padding}"}}]}}"#
        )
    };
    let body = body(&"x".repeat(4_000 - body("").len()));
    for user in ["new", "newer"] {
        let tag = json!({"end_user": user}).to_string();
        let bytes =
            Ask::post("/v1/chat/completions", &*body).header("x-tfy-metadata", &tag).bytes();
        let mut clients: Vec<Client> =
            (0..CLIENTS).map(|_| Client::connect(house.gateway.address)).collect();

        for client in &mut clients {
            client.send(&bytes);
        }

        let statuses = clients.iter_mut().map(|client| client.reply().status);
        assert_eq!(statuses.filter(|status| *status == 200).count(), 3, "{user}");
    }
}

/// T068 and T069: under load nobody is refused while there is room, and what an estimate reserved
/// too much is room again at once: a thousand calls of a budget for exactly a thousand.
#[test]
fn t068_and_t069_nobody_is_refused_while_the_budget_has_room_however_many_ask() {
    const CLIENTS: usize = 20;
    const CALLS: usize = 1_000;
    let rule = json!([{"id": "all", "when": {}, "unit": "cost_per_day",
        "limit_to": 1_000.0 * CALL_DOLLARS}]);
    let house = house_on(&[rules(rule)], &["--cores", "2"]);
    let bytes = bounded(100).bytes();
    let address = house.gateway.address;

    let passed: usize = thread::scope(|scope| {
        let live = || {
            let mut client = Client::connect(address);
            let statuses = (0..CALLS / CLIENTS).map(|_| {
                client.send(&bytes);
                client.reply().status
            });
            statuses.filter(|status| *status == 200).count()
        };
        let threads: Vec<_> = (0..CLIENTS).map(|_| scope.spawn(live)).collect();
        threads.into_iter().map(|one| one.join().expect("no panic")).sum()
    });

    assert_eq!(passed, CALLS);
    assert_all_cores_served(2, &house.receipts(CALLS));
    assert_eq!(house.ask(&ask()).status, 429, "and not one more");
}

/// Fault 59: a killed gateway has forgotten nothing that was spent.
#[test]
fn fault_59_what_was_spent_is_counted_on_after_a_kill() {
    let per = json!({"type": "metadata", "metadata": "project"});
    let mut house = house(&[
        rules(json!([{"id": "user", "when": {}, "unit": "cost_per_quarter",
            "limit_to": 3.0 * CALL_DOLLARS, "budget_applies_per": ["user"]}])),
        tenant("project", json!({"cost_per_lifetime": 2.0 * CALL_DOLLARS}), per, "enforce"),
    ]);
    let tagged = ask().header("x-tfy-metadata", r#"{"project":"a"}"#);
    assert_eq!(statuses(&house, &tagged, 2), [200; 2]);
    house.receipts(2);

    house.gateway.kill();
    let data = house.gateway.take_data();
    let folder = std::mem::replace(&mut house.gateway.manifests, manifest::folder());
    house.gateway = Gateway::start_on(folder, data, &[]);

    assert_eq!(house.ask(&tagged).status, 429, "the project has spent all");
    assert_eq!(statuses(&house, &ask(), 2), [200, 429], "the user has one call left");
}

#[test]
fn a_budget_can_be_told_as_a_payment_that_is_due() {
    let house = house(&[
        json!({"type": "gateway-global-settings", "budget_exceeded_status": 402}),
        rules(json!([{"id": "none", "when": {}, "unit": "cost_per_week", "limit_to": 0}])),
    ]);

    let refused = house.ask(&ask());

    assert_eq!((refused.status, refused.refusal().as_str()), (402, "budget_exceeded"));
}

#[test]
fn a_budget_that_cannot_be_obeyed_is_refused_with_words() {
    let house = house(&[]);
    let folder = &house.gateway.manifests;
    let rule = |more: Value| {
        let mut rule = json!({"id": "a", "unit": "cost_per_day", "limit_to": 1});
        rule.as_object_mut().expect("it is").extend(more.as_object().expect("it is").clone());
        rules(json!([rule]))
    };
    let joint = |more: Value| {
        let mut budget =
            tenant("a", json!({"cost_per_day": 1}), json!({"type": "aggregate"}), "enforce");
        budget.as_object_mut().expect("it is").extend(more.as_object().expect("it is").clone());
        budget
    };
    for (budget, words) in [
        (rule(json!({"unit": "cost_per_hour"})), "cost_per_day"),
        (rule(json!({"limit_to": -1})), "dollars: 0 or more"),
        (rule(json!({"unit": "tokens_per_day", "limit_to": 1.5})), "a whole number of tokens"),
        (rule(json!({"budget_applies_per": ["team", "user"]})), "team alone"),
        (rule(json!({"budget_applies_per": ["galaxy"]})), "metadata.KEY"),
        (rule(json!({"strict": true, "audit_mode": true})), "audit_mode refuses nothing"),
        (joint(json!({"limits": {}})), "cost_per_lifetime alone"),
        (joint(json!({"limits": {"cost_per_day": 1, "cost_per_lifetime": 1}})), "lifetime alone"),
        (joint(json!({"mode": "loud"})), "soft_enforce"),
        (joint(json!({"mode": "audit", "strict": true})), "mode: enforce"),
        (joint(json!({"applies_to": {"type": "metadata"}})), "a key"),
        (
            joint(json!({"applies_to": {"type": "per-user", "overrides": [
            {"models": ["x"], "limits": {"cost_per_day": 1}}]}})),
            "whom it is for",
        ),
        (joint(json!({"type": "team-budget-config", "team_name": "gone"})), "a team that has"),
        (json!({"type": "gateway-global-settings", "budget_exceeded_status": 500}), "429 or 402"),
    ] {
        write_budgets(folder, &[budget]);
        let (code, output) = check(&house);
        assert_eq!(code, Some(1), "{output}");
        assert!(output.contains(words), "{words}: {output}");
    }

    let late = json!({"id": "late", "unit": "cost_per_day", "limit_to": 5});
    let all = json!({"id": "all", "unit": "cost_per_day", "limit_to": 5});
    write_budgets(folder, &[rules(json!([all, late]))]);
    let (code, output) = check(&house);
    assert_eq!(code, Some(0), "{output}");
    assert!(output.contains("a rule behind \"all\""), "{output}");
    assert!(output.contains("no price, under the budget \"all\""), "{output}");
}
