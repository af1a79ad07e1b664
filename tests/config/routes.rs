//! Routing as operators write it, and what is said of what cannot be obeyed.

use super::desk::{Desk, check};
use std::fmt::Write as _;

const MODELS: &str = "type: provider-account/self-hosted-model
name: test
collaborators: [{subject: 'team:everyone', role_id: provider-account-access}]
integrations:
  - &model {name: a, type: integration/model/self-hosted-model, url: 'http://vllm:8000',
    model_types: [chat], model_server: openai-compatible}
  - {<<: *model, name: b}
---
";

/// Checks rules after the models `test/a` and `test/b`.
fn check_rules(rules: &str, expected: &str) {
    let text = format!("{MODELS}type: gateway-load-balancing-config\nname: r\nrules:\n{rules}");
    check(&text, expected);
}

#[test]
fn a_target_must_be_a_model_of_the_catalogue() {
    check_rules(
        "  - id: one
    type: weight-based-routing
    when: {models: [prod/x]}
    load_balance_targets:
      - {target: prod/x, weight: 1}
      - {model: test/zz, weight: 1}
  - {id: one, type: priority-based-routing, when: {models: [y]}, targets: []}
",
        r#"m.yaml#2:16: error: rules[0].load_balance_targets[0].target: found "prod/x", wanted a model:
    ACCOUNT/MODEL (that name stands for other models: a target is asked itself)
m.yaml#2:17: error: rules[0].load_balance_targets[1].model: found "test/zz", wanted a model:
    ACCOUNT/MODEL (no account has it)
m.yaml#2:18: error: rules[1].id: found "one" a second time, wanted it once (first in
    m.yaml#2)
m.yaml#2:18: error: rules[1].load_balance_targets: found 0 of them, wanted 1 to 16 targets"#,
    );
}

#[test]
fn what_a_strategy_needs_and_what_it_does_not_read() {
    check_rules(
        "  - id: weights
    type: weight-based-routing
    when: {models: [w]}
    load_balance_targets:
      - {target: test/a}
      - {target: test/b, weight: 0, priority: 1, tier: simple}
  - id: priorities
    type: priority-based-routing
    when: {models: [p]}
    sticky_routing: {ttl_seconds: 0, session_identifiers: []}
    load_balance_targets:
      - {target: test/a, weight: 3, fallback_status_codes: ['500']}
      - {target: test/b, priority: 1, fallback_candidate: false}
  - id: tiers
    type: complexity-based-routing
    when: {models: [c]}
    classification_strategy: {type: llm-classifier, model: test/a}
    load_balance_targets:
      - {target: test/a, tier: simple}
      - {target: test/a, tier: complex}
      - {target: test/b}
",
        r#"m.yaml#2:15: error: rules[0].load_balance_targets: found weights that sum to 0, wanted one
    weight at least that is not 0
m.yaml#2:16: error: rules[0].load_balance_targets[0].weight: found nothing, wanted this key
m.yaml#2:17: warning: rules[0].load_balance_targets[1].priority: found a key that
    weight-based-routing does not read, wanted no such key (it does nothing here)
m.yaml#2:17: warning: rules[0].load_balance_targets[1].tier: found a key that
    weight-based-routing does not read, wanted no such key (it does nothing here)
m.yaml#2:21: error: rules[1].sticky_routing.ttl_seconds: found a number, wanted 1 to
    31622400
m.yaml#2:21: error: rules[1].sticky_routing.session_identifiers: found 0 of them, wanted 1
    to 8
m.yaml#2:21: warning: rules[1].sticky_routing: found sticky_routing, wanted
    weight-based-routing beside it (it does nothing here)
m.yaml#2:23: warning: rules[1].load_balance_targets[0].weight: found a key that
    priority-based-routing does not read, wanted no such key (it does nothing here)
m.yaml#2:23: warning: rules[1].load_balance_targets[0].fallback_status_codes: found
    fallback_status_codes where no other target takes fallbacks, wanted another target with
    fallback_candidate: true (the list can never apply)
m.yaml#2:24: warning: rules[1].load_balance_targets[1].fallback_candidate: found a target
    behind others that takes no fallbacks, wanted fallback_candidate: true (it is asked only
    while those before it fail)
m.yaml#2:28: error: rules[2].classification_strategy.fallback_strategy: found nothing,
    wanted this key (e.g. {type: heuristic})
m.yaml#2:31: error: rules[2].load_balance_targets[1].target: found "test/a" a second time,
    wanted it once (first in m.yaml#2) (a model has one tier)
m.yaml#2:32: error: rules[2].load_balance_targets[2].tier: found nothing, wanted this key"#,
    );
}

#[test]
fn retries_statuses_headers_and_parameters_are_judged() {
    check_rules(
        "  - id: one
    type: priority-based-routing
    load_balance_targets:
      - target: test/a
        retry_config: {attempts: 99, delay: 100000, on_status_codes: ['200', 5xx, 429]}
        fallback_status_codes: [many]
        override_params: {model: x, temperature: 0.5, prompt_version_fqn: 'p:1'}
        headers_override: {set: {host: evil, 'bad name': x, x-key: 'tfy-secret://a:b:c'},
          remove: [content-length]}
        hedge: {after_ms: 10, quantile: 0.9}
        concurrency: {max: 0, queue_timeout_ms: 5}
      - target: test/b
        hedge: {after_ms: 0, max_extra_percent: 101}
        concurrency: {max: 3, queue: 200000}
      - target: test/b
        hedge: {quantile: 0.4}
        concurrency: {max: 4}
",
        r#"m.yaml#2:16: error: rules[0].load_balance_targets[0].retry_config.attempts: found a number,
    wanted at most 10
m.yaml#2:16: error: rules[0].load_balance_targets[0].retry_config.delay: found a number,
    wanted at most 60000
m.yaml#2:16: error: rules[0].load_balance_targets[0].retry_config.on_status_codes[0]: found
    text, wanted the status of an error: 400 to 599
m.yaml#2:16: error: rules[0].load_balance_targets[0].retry_config.on_status_codes[1]: found
    text, wanted the status of an error: 400 to 599
m.yaml#2:17: error: rules[0].load_balance_targets[0].fallback_status_codes[0]: found text,
    wanted the status of an error: 400 to 599
m.yaml#2:18: error: rules[0].load_balance_targets[0].override_params.model: found "model",
    which is not a target's to change, wanted parameters such as temperature
m.yaml#2:18: error: rules[0].load_balance_targets[0].override_params.prompt_version_fqn:
    found a prompt's version, wanted parameters (this build has no prompts yet)
m.yaml#2:19: error: rules[0].load_balance_targets[0].headers_override.set.bad name: found no
    header name, wanted letters, digits and hyphens
m.yaml#2:19: error: rules[0].load_balance_targets[0].headers_override.set.host: found a
    header that frames a call, wanted one that the gateway does not write
m.yaml#2:19: error: rules[0].load_balance_targets[0].headers_override.set.x-key: found a
    secret, wanted text (credentials belong to the account)
m.yaml#2:20: error: rules[0].load_balance_targets[0].headers_override.remove[0]: found a
    header that frames a call, wanted one that the gateway does not write
m.yaml#2:21: error: rules[0].load_balance_targets[0].hedge: found after_ms and quantile, or
    neither, wanted one of after_ms and quantile
m.yaml#2:22: error: rules[0].load_balance_targets[0].concurrency.max: found a number, wanted
    1 to 100000
m.yaml#2:22: warning: rules[0].load_balance_targets[0].concurrency.queue_timeout_ms: found a
    time to wait where nobody waits, wanted queue beside it (it does nothing here)
m.yaml#2:24: error: rules[0].load_balance_targets[1].hedge.max_extra_percent: found a
    number, wanted 1 to 100
m.yaml#2:24: error: rules[0].load_balance_targets[1].hedge.after_ms: found a number, wanted
    1 to 600000
m.yaml#2:25: error: rules[0].load_balance_targets[1].concurrency.queue: found a number,
    wanted 0 to 100000
m.yaml#2:27: error: rules[0].load_balance_targets[2].hedge.quantile: found a number, wanted
    0.5 to 0.999
m.yaml#2:28: error: rules[0].load_balance_targets[2].concurrency: found another cap than
    m.yaml#2 says, wanted one cap for a model (it counts all calls to the model, whichever
    rule makes them)"#,
    );
}

#[test]
fn a_classifier_is_a_model_for_chats_and_has_a_fallback() {
    check_rules(
        "  - id: one
    type: complexity-based-routing
    when: {models: [one]}
    classification_strategy: {type: llm-classifier, model: one, timeout_ms: 0,
      fallback_strategy: {type: static}}
    targets: [{target: test/a, tier: simple}]
  - id: two
    type: complexity-based-routing
    when: {models: [two]}
    classification_strategy: {type: llm-classifier,
      fallback_strategy: {type: heuristic, default_tier: simple}}
    targets: [{target: test/a, tier: simple}]
  - id: three
    type: complexity-based-routing
    when: {models: [three]}
    classification_strategy: {type: heuristic, model: test/a}
    targets: [{target: test/a, tier: simple}]
",
        r#"m.yaml#2:15: error: rules[0].classification_strategy.timeout_ms: found a number, wanted 1 to
    60000
m.yaml#2:15: error: rules[0].classification_strategy.model: found "one", wanted a model:
    ACCOUNT/MODEL (that name stands for other models: a classifier is asked itself)
m.yaml#2:16: error: rules[0].classification_strategy.fallback_strategy.default_tier: found
    nothing, wanted this key (simple, medium or complex)
m.yaml#2:21: error: rules[1].classification_strategy.model: found nothing, wanted this key
    (the model that is asked)
m.yaml#2:22: warning: rules[1].classification_strategy.fallback_strategy.default_tier: found
    default_tier, wanted type: static beside it (it does nothing here)
m.yaml#2:27: warning: rules[2].classification_strategy.model: found model, wanted type:
    llm-classifier beside it (it does nothing here)"#,
    );
}

#[test]
fn a_rule_that_an_earlier_one_shadows_is_told() {
    check_rules(
        "  - {id: some, type: priority-based-routing, when: {models: [x, y], metadata: {a: b}},
      targets: [{model: test/a}]}
  - {id: more, type: priority-based-routing, when: {models: [x], metadata: {a: b, c: d}},
      targets: [{model: test/a}]}
  - {id: other, type: priority-based-routing, when: {models: [x], metadata: {c: d}},
      targets: [{model: test/a}]}
  - {id: all, type: priority-based-routing, when: {}, targets: [{model: test/a}]}
  - {id: never, type: priority-based-routing, when: {subjects: ['user:u@x.y']},
      targets: [{model: test/b}]}
",
        r#"m.yaml#2:14: warning: rules[1]: found a rule behind "some", which matches all that it does,
    wanted a rule that can be reached (the first rule that matches is the only one: put this
    one before it)
m.yaml#2:19: warning: rules[4]: found a rule behind "all", which matches all that it does,
    wanted a rule that can be reached (the first rule that matches is the only one: put this
    one before it)"#,
    );
}

#[test]
fn a_virtual_model_has_names_of_its_own_and_weights_of_a_hundred() {
    check(
        &format!(
            "{MODELS}type: provider-account/virtual-model
name: test
integrations:
  - name: a
    type: integration/model/virtuel
    model_types: []
    alias: [best, test/b]
    routing_config:
      type: weight-based-routing
      load_balance_targets: [{{target: best, weight: 60}}, {{target: test/b, weight: 60}}]
"
        ),
        r#"m.yaml#2:9: warning: collaborators: found nobody, wanted who may use these models (nobody
    but admins may use it; `team:everyone` opens it to all)
m.yaml#2:10: error: name: found "test" a second time, wanted it once (first in an account)
    (accounts and groups of virtual models share their names)
m.yaml#2:12: error: integrations[0].name: found "a" a second time, wanted it once (first in
    m.yaml#2) (every model and virtual model has a name of its own)
m.yaml#2:13: error: integrations[0].type: found "integration/model/virtuel", wanted
    integration/model/virtual
m.yaml#2:14: error: integrations[0].model_types: found an empty list, wanted at least one,
    e.g. chat
m.yaml#2:15: error: integrations[0].alias: found a list a second time, wanted it once (first
    in m.yaml#2) (every model and virtual model has a name of its own)
m.yaml#2:18: error: integrations[0].routing_config.load_balance_targets[0].target: found
    "best", wanted a model: ACCOUNT/MODEL (that name stands for other models: a target is
    asked itself)
m.yaml#2:18: error: integrations[0].routing_config.load_balance_targets: found weights that
    sum to 120, wanted weights that sum to 100"#,
    );
}

#[test]
fn limits_may_be_about_logical_names() {
    let text = format!(
        "{MODELS}type: gateway-load-balancing-config
rules: [{{id: r, type: priority-based-routing, when: {{models: [prod/x]}},
  targets: [{{model: test/a}}]}}]
---
type: gateway-rate-limiting-config
rules: [{{id: l, when: {{models: [prod/x]}}, limit_to: 3, unit: requests_per_minute}}]
"
    );

    let loaded = Desk::with(&[("m.yaml", &text)]).loaded();

    assert_eq!(loaded.compiled.warnings, []);
    assert!(loaded.compiled.snapshot.routes.is_logical("prod/x"));
}

/// How targets fare is watched at places, of which there are 1,024.
#[test]
fn one_target_more_than_are_watched_is_refused() {
    let mut text = "type: provider-account/self-hosted-model
name: many
collaborators: [{subject: 'team:everyone', role_id: provider-account-access}]
integrations:
"
    .to_owned();
    let mut rules = String::from("---\ntype: gateway-load-balancing-config\nrules:\n");
    for at in 0..=1_024 {
        let _ = writeln!(
            text,
            "  - {{name: m{at}, type: integration/model/self-hosted-model, \
             url: 'http://vllm:8000', model_types: [chat], model_server: openai-compatible}}"
        );
        let _ = writeln!(
            rules,
            "  - {{id: r{at}, type: priority-based-routing, when: {{models: [prod/{at}]}}, \
             load_balance_targets: [{{target: many/m{at}, priority: 0}}]}}"
        );
    }
    let all = rules.replace("many/m1024", "many/m0");

    check(&format!("{text}{all}"), "");
    check(
        &format!("{text}{rules}"),
        "m.yaml#2:2057: error: rules[1024].load_balance_targets[0]: found target number 1025 of all \
         rules, wanted at most 1024 (how they fare is watched, and there is room for so many)",
    );
}
