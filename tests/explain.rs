//! `weir explain`: which limits and budgets a request meets, and what is left of them, by the
//! configuration alone, by what a gateway stored, and by a gateway that runs.

mod harness;

use harness::{
    House,
    client::{Ask, KEY, KEY_OUTSIDER, chat_body},
    counted,
    gateway::{self, Gateway},
    manifest,
};
use serde_json::{Value, json};

/// A house in which a call costs $0.002 and 1,100 tokens.
fn house() -> House {
    let vendor = harness::vendor();
    let folder = manifest::folder();
    manifest::write_usual(&folder, vendor.address(), &[]);
    let mut account = manifest::account(vendor.address(), &["raw-priced"]);
    manifest::put_prices(&mut account, &[0]);
    manifest::write(folder.path(), "account", &account);
    let settings = json!({"type": "gateway-global-settings", "admins": [manifest::OWNER]});
    manifest::write(folder.path(), "settings", &settings);
    let limits = json!({"type": "gateway-rate-limiting-config", "rules": [
        {"id": "each", "rate_limit_applies_per": ["metadata.project"], "limit_to": 9,
            "unit": "requests_per_hour"},
        {"id": "all", "limit_to": 100_000, "unit": "tokens_per_day"}]});
    manifest::write(folder.path(), "limits", &limits);
    let budgets = json!({"type": "gateway-budget-config", "rules": [
        {"id": "first", "limit_to": 5_000, "unit": "tokens_per_day"},
        {"id": "second", "limit_to": 1, "unit": "cost_per_month", "audit_mode": true},
        {"id": "third", "limit_to": 7, "unit": "cost_per_week"}]});
    manifest::write(folder.path(), "budgets", &budgets);
    let joint = json!({"type": "tenant-budget-config", "name": "people", "mode": "soft_enforce",
        "limits": {"cost_per_day": 0.01}, "applies_to": {"type": "per-user"}});
    manifest::write(folder.path(), "joint", &joint);
    let house = House { gateway: Gateway::start(folder, &[]), vendor };
    house.teach("priced", counted(1_000, 100));
    house
}

fn explain(house: &House, more: &[&str]) -> (Option<i32>, String) {
    let config = house.gateway.manifests.path().to_str().expect("UTF-8").to_owned();
    let usual = ["explain", "--config", &config, "--subject", manifest::OWNER, "--model"];
    let model = ["test/raw-priced", "--metadata", "project=a"];
    let (code, output, _) = gateway::run(&[&usual[..], &model[..], more].concat());
    (code, output)
}

fn spend(house: &House, count: usize) {
    for _ in 0..count {
        let body = chat_body("raw-priced", r#","max_tokens":1"#);
        let ask = Ask::post("/v1/chat/completions", body);
        let ask = ask.header("x-tfy-metadata", r#"{"project":"a"}"#);
        assert_eq!(house.ask(&ask).status, 200);
    }
    house.receipts(count);
}

#[test]
fn explain_says_which_limits_and_budgets_a_request_meets_by_the_configuration_alone() {
    let house = house();

    let (code, output) = explain(&house, &[]);

    assert_eq!(code, Some(0), "{output}");
    let expected = "\
limits:
  each  9 requests per hour    holds
  all   100000 tokens per day  comes too late
budgets:
  first   5000 tokens per day                      decides
  second  $1 per month                             counts, and refuses nothing
  third   $7 per week                              counts; an earlier rule decides
  people  $0.01 per day        of you@example.com  refuses unless another allows
";
    assert!(output.ends_with(expected), "{output}");
}

#[test]
fn explain_says_what_is_left_by_what_a_gateway_has_stored_and_by_one_that_runs() {
    let house = house();
    spend(&house, 2);
    let data = house.gateway.data().to_str().expect("UTF-8").to_owned();
    let admin = format!("http://{}/", house.gateway.admin);
    for from in [&["--data-dir", &data][..], &["--admin", &admin, "--admin-token", KEY][..]] {
        let (code, output) = explain(&house, from);

        assert_eq!(code, Some(0), "{output}");
        let expected = "\
limits:
  each  9 requests per hour    7 left       holds
  all   100000 tokens per day  100000 left  comes too late
";
        assert!(output.contains(expected), "{output}");
        let expected = "\
budgets:
  first   5000 tokens per day                      2800 left    decides
  second  $1 per month                             $0.996 left  counts, and refuses nothing
  third   $7 per week                              $6.996 left  counts; an earlier rule decides
  people  $0.01 per day        of you@example.com  $0.006 left  refuses unless another allows
";
        assert!(output.ends_with(expected), "{output}");

        let (_, json) = explain(&house, &[from, &["--json"]].concat());
        let json: Value = serde_json::from_str(&json).expect("JSON");
        let limit = &json["limits"][0];
        assert_eq!((&limit["used"], &limit["left"]), (&json!(2), &json!(7)), "{json:#}");
        let budget = &json["budgets"][0];
        assert_eq!((&budget["left"], &budget["decides"]), (&json!(2_800), &json!(true)));
        let budget = &json["budgets"][3];
        assert_eq!(
            (&budget["entity"], &budget["used"]),
            (&json!("you@example.com"), &json!(0.004))
        );
    }
}

#[test]
fn explain_says_why_what_is_left_is_not_known() {
    let house = house();
    let admin = format!("http://{}", house.gateway.admin);
    for (from, words) in [
        (&["--admin", &admin, "--admin-token", KEY_OUTSIDER][..], "status 403"),
        (&["--admin", &admin][..], "status 401"),
        (&["--admin", "http://127.0.0.1:1", "--admin-token", KEY][..], "cannot be reached"),
        (&["--data-dir", "/nowhere/at/all"][..], "/nowhere/at/all"),
    ] {
        let (code, output) = explain(&house, from);
        assert_eq!(code, Some(1), "{output}");
        assert!(output.contains(words), "{words}: {output}");
    }
}
