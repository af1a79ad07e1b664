//! What each request looks up in the snapshot: whose key it is, and which model is meant.

use allocations::measure;
use criterion::{Criterion, criterion_group, criterion_main};
use std::{
    collections::{HashMap, HashSet},
    fmt::Write as _,
};
use weir::{
    control_plane::token::sha256_hex,
    lexicon::time::UnixMillis,
    manifest::{read, yaml},
    provider::auth::{Credentials, surroundings::Surroundings},
    snapshot::{
        Snapshot,
        compile::{CompileOptions, compile},
    },
};

const KEYS: usize = 1_000;
const MODELS: usize = 1_000;

/// As large as a company's, from manifests as operators write them.
fn snapshot() -> Snapshot {
    let mut text = "name: test\ntype: provider-account/self-hosted-model\ncollaborators:\n\
        \x20 - {subject: \"user:u500@example.com\", role_id: provider-account-access}\n\
        integrations:\n"
        .to_owned();
    for number in 0..MODELS {
        let _ = writeln!(
            text,
            "  - {{name: m{number}, type: integration/model/self-hosted-model, \
             hosted_model_name: m{number}, url: \"http://127.0.0.1:9/v1\", \
             model_server: openai-compatible, model_types: [chat]}}"
        );
    }
    for number in 0..KEYS {
        let hash = sha256_hex(&format!("key-{number}"));
        let _ = writeln!(
            text,
            "---\nname: u{number}\ntype: personal-access-token\n\
             subject: user:u{number}@example.com\ntoken_sha256: \"{hash}\""
        );
    }
    let documents = yaml::parse("all.yaml", &text).expect("it is YAML").into_iter();
    let documents: Vec<_> = documents.filter_map(|source| read::read(source).0).collect();
    let known_secrets = HashSet::new();
    let options = CompileOptions {
        now: UnixMillis(1),
        version: 1,
        known_secrets: &known_secrets,
        tokens: &Credentials::default(),
        surroundings: &Surroundings::read(|_| None),
    };
    let compiled = compile(&documents, &HashMap::new(), &options);
    let Ok(compiled) = compiled else { panic!("the manifests are sound") };
    compiled.snapshot
}

fn lookups(criterion: &mut Criterion) {
    let snapshot = snapshot();
    let key: [u8; 32] = *snapshot.tokens.keys().next().expect("there are keys");
    measure(criterion, "a key among a thousand", 0, || snapshot.tokens.get(&key).copied());
    measure(criterion, "a key that is none", 0, || snapshot.tokens.get(&[7; 32]).copied());
    measure(criterion, "a model among a thousand", 0, || {
        snapshot.model_names.get("test/m500").copied()
    });
    let model = snapshot.model_names["test/m500"];
    let find = |name: &str| {
        let of = |id: u32| &*snapshot.callers[id as usize].subject;
        let tokens = snapshot.tokens.values();
        tokens.map(|token| token.subject).find(|id| of(id.0) == name).expect("there is one")
    };
    let (may, may_not) = (find("user:u500@example.com"), find("user:u7@example.com"));
    assert!(snapshot.allows(may, model) && !snapshot.allows(may_not, model));
    measure(criterion, "may this caller use it", 0, || {
        (snapshot.allows(may, model), snapshot.allows(may_not, model))
    });
}

criterion_group!(benches, lookups);
criterion_main!(benches);
