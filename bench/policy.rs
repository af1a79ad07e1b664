//! What a request of a gateway with 50 routing rules, 50 limits and 20 budgets is matched, ordered
//! and counted by.
//!
//! Admission as a whole is the data plane's own, and is measured by `perf/gate`.

use allocations::measure;
use criterion::{Criterion, criterion_group, criterion_main};
use std::{
    collections::{HashMap, HashSet},
    fmt::Write as _,
};
use weir::{
    bridge::quota::{node::Node, share::Share},
    control_plane::token::sha256_hex,
    lexicon::{
        health::Health,
        ids::SubjectId,
        meter::{MeterKey, MeterSpec, NodeMillis, SLIDING_UNITS_MAX, Window},
        time::UnixMillis,
    },
    manifest::{read, yaml},
    policy::route::{
        Asked,
        complexity::Tier,
        order::{self, Moment},
    },
    provider::auth::{Credentials, surroundings::Surroundings},
    snapshot::{
        Snapshot,
        compile::{CompileOptions, compile},
        verdict::Verdict,
    },
};

const METADATA: [(&str, &str); 2] = [("env", "prod"), ("team", "search")];
const MODEL: &str = "test/m0";

/// Rules of which all but the last fail: by subject, by model, by metadata.
fn rules(count: usize, what: impl Fn(usize) -> String) -> String {
    let mut text = String::new();
    for number in 0..count {
        let when = match number % 3 {
            _ if number + 1 == count => {
                "{subjects: [\"user:u@example.com\"], models: [test/m0], metadata: {env: prod}}"
                    .to_owned()
            }
            0 => format!("{{subjects: [\"user:v@example.com\"], metadata: {{lane: l{number}}}}}"),
            1 => format!("{{models: [test/m1], metadata: {{lane: l{number}}}}}"),
            _ => format!("{{models: [test/m0], metadata: {{env: stage-{number}}}}}"),
        };
        let _ = writeln!(text, "  - {{id: r{number}, when: {when}, {}}}", what(number));
    }
    text
}

fn snapshot() -> Snapshot {
    let mut text = "name: test\ntype: provider-account/self-hosted-model\ncollaborators:\n\
        \x20 - {subject: \"user:u@example.com\", role_id: provider-account-access}\nintegrations:\n"
        .to_owned();
    for number in 0..2 {
        let _ = writeln!(
            text,
            "  - {{name: m{number}, type: integration/model/self-hosted-model, \
             hosted_model_name: m{number}, url: \"http://127.0.0.1:9/v1\", \
             model_server: openai-compatible, model_types: [chat]}}"
        );
    }
    for name in ["u", "v"] {
        let hash = sha256_hex(name);
        let _ = writeln!(
            text,
            "---\nname: {name}\ntype: personal-access-token\nsubject: user:{name}@example.com\n\
             token_sha256: \"{hash}\""
        );
    }
    let targets = "type: weight-based-routing, load_balance_targets: \
        [{target: test/m0, weight: 90}, {target: test/m1, weight: 10}]";
    let limit = "limit_to: 1000, unit: requests_per_minute, rate_limit_applies_per: [user]";
    let budget = "limit_to: 1000, unit: tokens_per_day, budget_applies_per: [model]";
    for (kind, count, what) in [
        ("gateway-load-balancing-config", 50, targets),
        ("gateway-rate-limiting-config", 50, limit),
        ("gateway-budget-config", 20, budget),
    ] {
        let rules = rules(count, |_| what.to_owned());
        let _ = write!(text, "---\nname: {kind}\ntype: {kind}\nrules:\n{rules}");
    }
    let documents = yaml::parse("all.yaml", &text).expect("it is YAML").into_iter();
    let documents: Vec<_> = documents.filter_map(|source| read::read(source).0).collect();
    let options = CompileOptions {
        now: UnixMillis(1),
        version: 1,
        known_secrets: &HashSet::new(),
        tokens: &Credentials::default(),
        surroundings: &Surroundings::read(|_| None),
    };
    let compiled = compile(&documents, &HashMap::new(), &options);
    let Ok(compiled) = compiled else { panic!("the manifests are sound") };
    compiled.snapshot
}

fn subject(snapshot: &Snapshot) -> SubjectId {
    let mut ids = snapshot.tokens.values().map(|token| token.subject);
    let found = ids.find(|id| &*snapshot.caller(*id).subject == "user:u@example.com");
    found.expect("there is one")
}

fn conditions(criterion: &mut Criterion) {
    let snapshot = snapshot();
    let subject = subject(&snapshot);
    measure(criterion, "condition: the last of 50 routing rules", 0, || {
        let routing = snapshot.routing(subject, MODEL, &METADATA);
        assert!(routing.rule.is_some_and(|rule| &*rule.id == "r49"));
    });
    let matter = snapshot.matter(subject, MODEL, &METADATA);
    measure(criterion, "condition: the last of 50 limits", 0, || {
        assert!(snapshot.limit(&matter).is_some_and(|(limit, _)| &*limit.id == "r49"));
    });
    measure(criterion, "condition: those of 20 budgets", 0, || {
        assert_eq!(snapshot.budgets(&matter).count(), 1);
    });
    let mut verdict = Verdict::default();
    measure(criterion, "condition: the verdict of all of them", 0, || {
        verdict.set(&snapshot, &snapshot.matter(subject, MODEL, &METADATA));
        assert_eq!((verdict.caps.len(), verdict.is_free()), (1, false));
    });
}

fn plans(criterion: &mut Criterion) {
    let snapshot = snapshot();
    let subject = subject(&snapshot);
    let rule = snapshot.routing(subject, MODEL, &METADATA).rule.expect("one matches");
    let caller = snapshot.caller(subject).key;
    let asked =
        Asked { subject, caller, metadata: &METADATA, session: None, tier: Tier::default() };
    let health = [Health::default(); 2];
    let mut random = 0;
    measure(criterion, "routing: a plan of two targets by weight", 0, || {
        random += 1;
        let moment = Moment { health: &health, node_ms: 1, wall_ms: 1, random };
        let plan = order::plan(rule, &asked, &moment, |_| true);
        assert_eq!(plan.len(), 2);
    });
}

fn quota(criterion: &mut Criterion) {
    let mut share = Share::new(0, Node::new(2, 1_000, HashMap::new()));
    let now = share.now(NodeMillis(1_000), UnixMillis(1_000));
    let of = |name: &str, window, limit| MeterSpec {
        key: MeterKey::of(&[name]),
        window,
        limit,
        until: None,
        version: 1,
    };
    let sliding = of("requests", Window::Sliding { bucket_ms: 5_000 }, SLIDING_UNITS_MAX);
    measure(criterion, "quota: a request spent, and kept", 0, || {
        let meter = share.open(&sliding, now).expect("there is room");
        share.spend(meter, 1, now.node).expect("there is plenty");
        share.keep(meter);
    });
    let whole = of("money", Window::Whole, 1 << 60);
    measure(criterion, "quota: units reserved, and settled with fewer", 0, || {
        let meter = share.open(&whole, now).expect("there is room");
        share.reserve(meter, 10, now.node).expect("there is plenty");
        share.settle(meter, 10, 7, now.node);
    });
}

criterion_group!(benches, conditions, plans, quota);
criterion_main!(benches);
