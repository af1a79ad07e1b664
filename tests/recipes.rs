//! The recipes of `tests/recipes`: each is obeyed without a warning, and does what its first line
//! says.

mod harness;

use harness::{
    House,
    client::{Ask, KEY, Reply},
    gateway::{self, Gateway},
    manifest, vendor,
};
use serde_json::json;
use std::{collections::HashSet, fs, path::Path};

/// A house that obeys a recipe, where the vendor knows models by these other names.
fn house(recipe: &str, renamed: &[(&str, &str)]) -> House {
    let vendor = vendor();
    let folder = manifest::folder();
    let recipes = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recipes");
    // Hidden, so that it is not read for manifests.
    let secrets = folder.path().join(".secrets");
    let mut accounts = fs::read_to_string(recipes.join("accounts.yaml")).expect("it is there");
    for (name, other) in renamed {
        assert!(accounts.contains(name), "{name}");
        accounts = accounts.replace(name, other);
    }
    let accounts = accounts
        .replace("VENDOR", &vendor.address().to_string())
        .replace("TOKEN", &manifest::sha256(KEY));
    fs::write(folder.path().join("accounts.yaml"), accounts).expect("the folder is ours");
    let text = fs::read_to_string(recipes.join(recipe)).expect("it is there");
    fs::write(folder.path().join("recipe.yaml"), text).expect("the folder is ours");
    for group in ["openai", "anthropic", "on-prem"] {
        fs::create_dir_all(secrets.join(group)).expect("the folder is ours");
        fs::write(secrets.join(group).join("key"), "a-vendors-key").expect("it is ours");
    }
    let at = |folder: &Path| folder.to_str().expect("a temporary folder is UTF-8").to_owned();
    let (config, secrets_dir) = (at(folder.path()), at(&secrets));
    let arguments = ["check", "--config", &config, "--secrets-dir", &secrets_dir];
    let (code, output, _) = gateway::run(&arguments);
    assert!(code == Some(0) && output.contains("0 warnings"), "{recipe}: {output}");
    House { gateway: Gateway::start(folder, &["--secrets-dir", &secrets_dir]), vendor }
}

fn chat(model: &str, metadata: &str) -> Ask {
    let body = json!({"model": model, "messages": [{"role": "user", "content": "Hello"}]});
    Ask::post("/v1/chat/completions", body.to_string()).header("x-tfy-metadata", metadata)
}

fn resolved(reply: &Reply) -> String {
    assert_eq!(reply.status, 200, "{}", reply.text());
    reply.header("x-tfy-resolved-model").expect("it is always there").to_owned()
}

#[test]
fn canary() {
    let house = house("canary.yaml", &[]);
    let ask = |user: usize| {
        resolved(&house.ask(&chat("prod/chat", "{}").header("x-user-id", &user.to_string())))
    };

    let first: Vec<String> = (0..60).map(ask).collect();
    let again: Vec<String> = (0..60).map(ask).collect();

    assert_eq!(first, again, "a user stays");
    let new = first.iter().filter(|target| *target == "openai-main/gpt-4-1").count();
    assert!((1..=15).contains(&new), "about a tenth: {new}");
}

#[test]
fn regional_preference() {
    let house = house("regional.yaml", &[]);
    let ask = |metadata: &str| resolved(&house.ask(&chat("prod/chat", metadata)));

    assert_eq!(ask(r#"{"tfy_gateway_region":"eu-west-1"}"#), "on-prem/llama-3-1-70b");
    assert_eq!(ask(r#"{"tfy_gateway_region":"us-east-1"}"#), "openai-main/gpt-4o");
    assert_eq!(ask("{}"), "openai-main/gpt-4-1");
}

#[test]
fn cheap_first_with_a_frontier_fallback() {
    let repository = chat("prod/engineering-assistant", r#"{"workflow":"repo-understanding"}"#);

    let well = house("cheap-first.yaml", &[]);
    assert_eq!(resolved(&well.ask(&repository)), "openai-main/gpt-4o-mini");
    let busy = house("cheap-first.yaml", &[("model_id: gpt-4o-mini", "model_id: e429")]);
    assert_eq!(resolved(&busy.ask(&repository)), "anthropic-main/claude-sonnet");
    assert_eq!(busy.vendor.log().len(), 4, "twice again, then the next");
    let other = chat("prod/engineering-assistant", r#"{"workflow":"other"}"#);
    assert_eq!(well.ask(&other).status, 404, "no rule is about it");
}

#[test]
fn security_critical_first() {
    let house = house("security-first.yaml", &[]);
    let review = r#"{"workflow":"security-review","more":"x"}"#;
    let targets: HashSet<String> = ["openai-main/gpt-4o-mini", "whatever/was-named"]
        .map(|model| resolved(&house.ask(&chat(model, review))))
        .into();

    assert_eq!(targets, HashSet::from(["anthropic-main/claude-opus".to_owned()]));
    let plain = house.ask(&chat("openai-main/gpt-4o-mini", "{}"));
    assert_eq!(resolved(&plain), "openai-main/gpt-4o-mini");
}

#[test]
fn on_prem_first_with_cloud_overflow() {
    let batch = chat("on-prem/llama-3-1-70b", r#"{"surface":"batch-pipeline"}"#);

    let well = house("on-prem-first.yaml", &[]);
    assert_eq!(resolved(&well.ask(&batch)), "on-prem/llama-3-1-70b");
    let full = house(
        "on-prem-first.yaml",
        &[("hosted_model_name: llama-3.1-70b", "hosted_model_name: e503")],
    );
    assert_eq!(resolved(&full.ask(&batch)), "openai-main/gpt-4o-mini");
}

#[test]
fn by_difficulty() {
    let asked = chat("prod/assistant", "{}");

    // What the rehearsed vendor says is no tier, so the heuristic decides.
    let house = house("by-difficulty.yaml", &[]);
    assert_eq!(resolved(&house.ask(&asked)), "openai-main/gpt-4o-mini");
    assert_eq!(house.vendor.log().len(), 2, "the classifier, and the target");
}

/// The recipes, told by `weir explain`, as a table and as JSON.
#[test]
fn explain_says_what_a_recipe_does_with_a_request() {
    let recipes = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recipes");
    let folder = manifest::folder();
    let accounts = fs::read_to_string(recipes.join("accounts.yaml")).expect("it is there");
    let accounts = accounts
        .replace("VENDOR", "127.0.0.1:9")
        .replace("TOKEN", &manifest::sha256(KEY))
        .replace("tfy-secret://acme:", "key-of-");
    fs::write(folder.path().join("accounts.yaml"), accounts).expect("the folder is ours");
    for recipe in ["security-first.yaml", "canary.yaml", "on-prem-first.yaml", "by-difficulty.yaml"]
    {
        fs::copy(recipes.join(recipe), folder.path().join(recipe)).expect("the folder is ours");
    }
    let limits = json!({"type": "gateway-rate-limiting-config", "rules": [
        {"id": "reviews", "when": {"metadata": {"workflow": "security-review"}},
            "limit_to": 5, "unit": "requests_per_minute"},
        {"id": "all", "limit_to": 9, "unit": "tokens_per_day"}]});
    manifest::write(folder.path(), "limits", &limits);
    let explain = |more: &[&str]| {
        let config = folder.path().to_str().expect("UTF-8").to_owned();
        let arguments =
            ["explain", "--config", &config, "--subject", manifest::OWNER, "--model", more[0]];
        let (code, output, log) = gateway::run(&[&arguments[..], &more[1..]].concat());
        assert_eq!(code, Some(0), "{output}{log}");
        output
    };

    assert_eq!(
        explain(&["openai-main/gpt-4o", "--metadata", "workflow=security-review"]),
        "routing: rule \"security-critical-review\", priority-based-routing
  1  anthropic-main/claude-opus  priority 0
  2  openai-main/gpt-4-1         priority 1
limits:
  reviews  5 requests per minute  holds
  all      9 tokens per day       comes too late
budgets: none
"
    );
    let canary = explain(&["prod/chat"]);
    assert!(
        canary.contains("openai-main/gpt-4o   weight 90, first of 90 % of requests"),
        "{canary}"
    );
    let session = explain(&["prod/chat", "--header", "X-User-Id=ada", "--json"]);
    let session: serde_json::Value = serde_json::from_str(&session).expect("JSON");
    assert_eq!(session["routing"]["rule"], "chat-canary");
    assert_eq!(session["routing"]["targets"][0]["why"], "its session is there");
    assert_eq!(session["limits"][0]["rule"], "all");
    let batch = explain(&["openai-main/gpt-4o", "--metadata", "surface=batch-pipeline"]);
    assert!(
        batch.contains("  priority 0; 32 calls at once, 8 wait up to 1000 ms\n"),
        "a cap is told: {batch}"
    );
    let tiers = explain(&["prod/assistant"]);
    assert!(tiers.contains("  on-prem/llama-3-1-70b says the tier"), "{tiers}");
    assert!(
        tiers.contains("; a second call after what 95.0 % of calls take, 5 % at most"),
        "{tiers}"
    );
    let tiers = explain(&["prod/assistant", "--json"]);
    let tiers: serde_json::Value = serde_json::from_str(&tiers).expect("JSON");
    assert_eq!(tiers["routing"]["classifier"], "on-prem/llama-3-1-70b");
    let hedges: Vec<_> = tiers["routing"]["targets"].as_array().expect("a list").iter().collect();
    assert!(hedges.iter().any(|one| one["hedge"]["max_extra_percent"] == 5), "{tiers}");
}
