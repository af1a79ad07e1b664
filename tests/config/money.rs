//! What `weir check` says of limits and budgets that would not do what was meant.

use super::desk::check;

const MODELS: &str = "type: provider-account/self-hosted-model
name: test
collaborators: [{subject: 'team:everyone', role_id: provider-account-access}]
integrations:
  - &model {name: a, type: integration/model/self-hosted-model, url: 'http://vllm:8000',
    model_types: [chat], model_server: openai-compatible,
    cost: {metric: per_1000_tokens, value: {input: 0.001, output: 0.002}}}
  - {<<: *model, name: b}
---
";

#[test]
fn a_limit_that_an_earlier_one_shadows_is_told() {
    let rules = "type: gateway-rate-limiting-config
rules:
  - {id: some, when: {models: [test/a], metadata: {k: v}}, limit_to: 5, unit: requests_per_day}
  - {id: never, when: {models: [test/a], metadata: {k: v, l: w}}, limit_to: 5,
    unit: tokens_per_day}
  - {id: users, when: {}, limit_to: 5, unit: requests_per_day, rate_limit_applies_per: [user]}
  - {id: robots, when: {}, limit_to: 5, unit: requests_per_day}
  - {id: late, when: {models: [test/b]}, limit_to: 5, unit: requests_per_day}
";
    check(
        &format!("{MODELS}{rules}"),
        r#"m.yaml#2:13: warning: rules[1]: found a rule behind "some", which matches all that it does,
    wanted a rule that can be reached (the first rule that matches is the only one: put this
    one before it)
m.yaml#2:17: warning: rules[4]: found a rule behind "robots", which matches all that it does,
    wanted a rule that can be reached (the first rule that matches is the only one: put this
    one before it)"#,
    );
}

#[test]
fn a_budget_that_an_earlier_one_shadows_is_told_unless_it_only_counts_or_is_strict() {
    let rules = "type: gateway-budget-config
rules:
  - {id: all, limit_to: 5, unit: cost_per_day}
  - {id: never, when: {models: [test/a]}, limit_to: 5, unit: cost_per_day}
  - {id: counts, limit_to: 5, unit: cost_per_month, audit_mode: true}
  - {id: holds, limit_to: 5, unit: tokens_per_day, strict: true}
";
    check(
        &format!("{MODELS}{rules}"),
        r#"m.yaml#2:13: warning: rules[1]: found a rule behind "all", which matches all that it does,
    wanted a rule that can decide, or audit_mode: true (it counts and never refuses: the first
    rule that matches decides)"#,
    );
}

#[test]
fn a_target_without_a_price_under_a_budget_is_told() {
    let unpriced = MODELS.replace("name: b", "name: b, cost: null");
    let budget = |strict| {
        format!(
            "type: tenant-budget-config\nname: all\nmode: enforce\nstrict: {strict}
limits: {{cost_per_day: 5}}\napplies_to: {{type: aggregate}}\n"
        )
    };
    check(
        &format!("{unpriced}{}", budget(false)),
        r#"m.yaml#1:8: warning: integrations[1].cost: found no price, under the budget "all", wanted a price
    (what it spends is counted as unknown: give it a cost)"#,
    );
    check(
        &format!("{unpriced}{}", budget(true)),
        r#"m.yaml#1:8: warning: integrations[1].cost: found no price, under the budget "all", wanted a price
    (a strict budget refuses it: give it a cost)"#,
    );
}

#[test]
fn a_weight_sum_of_a_virtual_model_that_is_not_a_hundred_is_refused() {
    let group = "type: provider-account/virtual-model
name: group
collaborators: [{subject: 'team:everyone', role_id: provider-account-access}]
integrations:
  - name: both
    type: integration/model/virtual
    model_types: [chat]
    routing_config:
      type: weight-based-routing
      load_balance_targets: [{target: test/a, weight: 60}, {target: test/b, weight: 60}]
";
    check(
        &format!("{MODELS}{group}"),
        "m.yaml#2:19: error: integrations[0].routing_config.load_balance_targets: found weights that
    sum to 120, wanted weights that sum to 100",
    );
}

#[test]
fn a_list_of_statuses_to_fall_back_on_that_cannot_apply_is_told() {
    let routes = "type: gateway-load-balancing-config
name: r
rules:
  - id: alone
    type: priority-based-routing
    when: {models: [test/b]}
    load_balance_targets:
      - {target: test/a, priority: 0, fallback_status_codes: ['500']}
";
    check(
        &format!("{MODELS}{routes}"),
        "m.yaml#2:17: warning: rules[0].load_balance_targets[0].fallback_status_codes: found
    fallback_status_codes where no other target takes fallbacks, wanted another target with
    fallback_candidate: true (the list can never apply)",
    );
}

#[test]
fn a_rule_that_names_a_model_which_others_reach_by_routing_is_told() {
    let documents = "type: gateway-load-balancing-config
rules:
  - {id: r, type: priority-based-routing, when: {models: [prod/x]},
    load_balance_targets: [{target: test/a, priority: 0}, {target: test/b, priority: 1}]}
---
type: gateway-rate-limiting-config
rules:
  - {id: a, when: {models: [test/a]}, limit_to: 5, unit: requests_per_day}
  - {id: both, when: {models: [test/a, prod/x]}, limit_to: 5, unit: requests_per_day}
---
{type: tenant-budget-config, name: b, mode: enforce, limits: {cost_per_day: 5},
applies_to: {type: aggregate}, when: {provider_accounts: {in: [test]}}}
";
    check(
        &format!("{MODELS}{documents}"),
        r#"m.yaml#3:17: warning: rules[0].when: found "test/a", which the rule "r" gives to requests for
    "prod/x", wanted those names too (a rule sees the model that is asked for, not the one that
    answers)
m.yaml#4:21: warning: when: found "test/a", which the rule "r" gives to requests for "prod/x",
    wanted those names too (a rule sees the model that is asked for, not the one that answers)"#,
    );
}

#[test]
fn a_target_without_a_price_that_a_budget_holds_by_another_name_is_told() {
    let unpriced = MODELS.replace("name: b", "name: b, cost: null");
    let documents = "type: gateway-load-balancing-config
rules:
  - {id: r, type: priority-based-routing, when: {models: [prod/x]},
    load_balance_targets: [{target: test/b, priority: 0}]}
---
type: gateway-budget-config
rules:
  - {id: x, when: {models: [prod/x]}, limit_to: 5, unit: cost_per_day}
";
    check(
        &format!("{unpriced}{documents}"),
        r#"m.yaml#1:8: warning: integrations[1].cost: found no price, under the budget "x", by the name
    "prod/x", wanted a price (what it spends is counted as unknown: give it a cost)"#,
    );
}

#[test]
fn a_rule_of_budgets_and_a_budget_of_its_own_share_no_name() {
    let documents = "type: gateway-budget-config
rules:
  - {id: one, limit_to: 5, unit: cost_per_day}
---
{type: tenant-budget-config, name: one, mode: enforce, limits: {cost_per_day: 5},
applies_to: {type: aggregate}}
";
    check(
        &format!("{MODELS}{documents}"),
        r#"m.yaml#3:14: error: name: found "one" a second time, wanted it once (first in m.yaml#2) (a
    budget's name is its own among all)"#,
    );
}

#[test]
fn rates_of_a_price_table_that_are_never_charged_are_told() {
    let table = "type: price-table
name: ours
dollars_per_million:
  openai: {gpt-x: {input: 1, output: 2, image: 3, batch_input: 1, cache_write_hour: 4}}
";
    check(
        &format!("{MODELS}{table}"),
        r#"m.yaml#2:13: warning: dollars_per_million.openai.gpt-x.batch_input: found "batch_input", wanted a
    rate of tokens (kept, and charged for nothing: what is sent through is no batch, and images
    count as tokens)
m.yaml#2:13: warning: dollars_per_million.openai.gpt-x.image: found "image", wanted a rate of tokens
    (kept, and charged for nothing: what is sent through is no batch, and images count as
    tokens)"#,
    );
}
