//! What is right compiles to what it says.

use super::desk::Desk;
use std::{fs, path::Path};
use weir::{
    lexicon::operation::{ModelType, Operation},
    snapshot::{Model, Snapshot},
};

/// The fixtures, with every secret that they name.
pub fn fixtures() -> Desk {
    let desk = Desk::with(&[]);
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/manifests");
    for entry in fs::read_dir(folder).expect("the fixtures") {
        let path = entry.expect("a fixture").path();
        let name = path.file_name().expect("a name").to_str().expect("a plain name");
        desk.write(name, &fs::read_to_string(&path).expect("a fixture's text"));
    }
    for (group, key) in [
        ("SECRET_GROUP", "OPENAI_API_KEY"),
        ("SECRET_GROUP", "CUSTOM_API_KEY"),
        ("group", "NVIDIA_API_KEY"),
        ("llm", "OPENAI_API_KEY"),
        ("llm", "VLLM_PASSWORD"),
        ("llm", "ROUTE_KEY"),
        ("llm", "TEI_TOKEN"),
        ("tokens", "BILLING_TOKEN"),
        ("SECRET_GROUP", "AZURE_OPENAI_KEY"),
        ("SECRET_GROUP", "GROQ_API_KEY"),
        ("SECRET_GROUP", "TOGETHER_API_KEY"),
        ("llm", "ENTRA_SECRET"),
        ("llm", "FOUNDRY_KEY"),
        ("aws", "ACCESS_KEY_ID"),
        ("aws", "SECRET_ACCESS_KEY"),
    ] {
        desk.keep_secret(group, key, &format!("text-of-{group}-{key}\n"));
    }
    desk
}

fn model<'a>(snapshot: &'a Snapshot, name: &str) -> &'a Model {
    snapshot.model(*snapshot.model_names.get(name).expect(name))
}

fn head(model: &Model, operation: Operation) -> &str {
    std::str::from_utf8(model.target.head(operation)).expect("text")
}

fn may(snapshot: &Snapshot, subject: &str, model: &str) -> bool {
    let caller = snapshot.callers.iter().position(|caller| &*caller.subject == subject);
    let id = u32::try_from(caller.expect(subject)).expect("few callers");
    snapshot
        .allows(weir::lexicon::ids::SubjectId(id), *snapshot.model_names.get(model).expect(model))
}

#[test]
fn every_fixture_loads_and_warns_of_exactly_this() {
    let unbuilt = [
        ("reference-identity.yaml#2:20", "auto_rotate"),
        ("reference-identity.yaml#2:21", "ownedBy"),
        ("reference-openai-newest.yaml:9", "ownedBy"),
        ("reference-self-hosted.yaml:32", "integrations[1].tfy_application_id"),
        ("reference-settings.yaml#1:9", "logging_settings"),
        ("reference-settings.yaml#1:11", "semantic_cache_settings"),
        ("reference-settings.yaml#1:13", "guardrail_settings"),
    ];
    let mut expected: Vec<String> = unbuilt
        .iter()
        .map(|(place, path)| {
            format!(
                "{place}: warning: {path}: found a setting not obeyed yet, wanted none \
                 (it is kept and does nothing in this build)"
            )
        })
        .collect();
    expected.insert(
        3,
        "reference-self-hosted.yaml:31: warning: integrations[1].model_server: found \"tei\", \
         wanted openai-compatible (it is asked for embeddings as an openai-compatible server)"
            .to_owned(),
    );
    expected.push(
        "seed-nvidia-external.yaml:2: warning: collaborators: found nobody, wanted who may use \
         this account (nobody but admins may use it; `team:everyone` opens it to all)"
            .to_owned(),
    );

    assert_eq!(fixtures().said(), expected);
}

#[test]
fn a_model_is_called_as_its_manifest_says() {
    let loaded = fixtures().loaded();
    let snapshot = &loaded.compiled.snapshot;

    let older = model(snapshot, "openai-main/gpt-4o");
    let newest = model(snapshot, "openai-newest/gpt-4.1");
    let vllm = model(snapshot, "my-self-hosted/my-vllm-model");
    let llama = model(snapshot, "on-premises/llama");

    assert_eq!(
        head(older, Operation::ChatCompletions),
        "POST /v1/chat/completions HTTP/1.1\r\n\
         host: api.openai.com\r\n\
         authorization: Bearer text-of-SECRET_GROUP-OPENAI_API_KEY\r\n\
         accept-encoding: identity\r\n\
         content-type: application/json\r\n"
    );
    assert_eq!(&*older.target.model_json, b"\"gpt-4o\"");
    assert_eq!(&*newest.target.model_json, b"\"gpt-4.1-2025-04-14\"");
    assert!(newest.types.has(ModelType::Completion) && !newest.types.has(ModelType::Embedding));
    assert_eq!(
        head(vllm, Operation::Completions),
        "POST /v1/completions HTTP/1.1\r\n\
         host: my-model.my-namespace.svc.cluster.local:8000\r\n\
         accept-encoding: identity\r\n\
         content-type: application/json\r\n"
    );
    assert_eq!(
        head(llama, Operation::Embeddings),
        "POST /v1/embeddings HTTP/1.1\r\n\
         host: vllm.internal:8443\r\n\
         authorization: Basic d2Vpcjp0ZXh0LW9mLWxsbS1WTExNX1BBU1NXT1JE\r\n\
         accept-encoding: identity\r\n\
         content-type: application/json\r\n\
         x-cluster: eu-1\r\n\
         x-route-key: text-of-llm-ROUTE_KEY\r\n"
    );
    let azure = model(snapshot, "azure-openai/gpt-4o-azure");
    assert!(head(azure, Operation::ChatCompletions).starts_with(
        "POST /openai/deployments/gpt-4o-azure/chat/completions?api-version=2024-02-01 HTTP/1.1\r\n\
         host: my-resource.openai.azure.com\r\n\
         api-key: text-of-SECRET_GROUP-AZURE_OPENAI_KEY\r\n"
    ));
    assert!(azure.target.rejects_stream_options, "that version is too old for them");
    let waiting = model(snapshot, "azure-newest/gpt-4o");
    assert!(waiting.target.is_secret_missing, "its token is not fetched yet");
    assert_eq!(loaded.compiled.sources.len(), 1);
    let mantle = model(snapshot, "mantle/gpt-oss");
    assert!(mantle.target.signer.is_some());
    assert!(head(mantle, Operation::ChatCompletions).contains("openai-project: proj_2\r\n"));
    assert_eq!(
        &*snapshot.endpoints[mantle.target.endpoint as usize].host,
        "bedrock-mantle.us-east-2.api.aws"
    );
    let endpoint = &snapshot.endpoints[llama.target.endpoint as usize];
    assert_eq!((&*endpoint.host, endpoint.port), ("vllm.internal", 8443));
    assert!(endpoint.tls.as_ref().is_some_and(|tls| tls.ca_pem.is_some()));
}

#[test]
fn access_is_what_accounts_permissions_and_rules_grant_narrowed_by_the_model() {
    let loaded = fixtures().loaded();
    let snapshot = &loaded.compiled.snapshot;
    let may = |subject: &str, model: &str| may(snapshot, subject, model);

    // `team:everyone` at the account.
    assert!(may("user:linus@example.com", "openai-main/gpt-4o"));
    // A collaborator of the account, and nobody else.
    assert!(may("user:ada@example.com", "on-premises/bge"));
    assert!(!may("user:linus@example.com", "on-premises/bge"));
    // A permission on one model.
    assert!(may("virtualaccount:billing", "on-premises/llama"));
    assert!(!may("virtualaccount:billing", "on-premises/bge"));
    // A permission on an account by its FQN; a manager of a team is a member of it.
    assert!(may("virtualaccount:billing", "openai-newest/gpt-4.1"));
    assert!(may("user:linus@example.com", "openai-newest/gpt-4.1"));
    // Nobody was let in: admins only.
    assert!(!may("user:ada@example.com", "nvidia-external/nemotron-nano"));
    assert!(may("user:grace@example.com", "nvidia-external/nemotron-nano"));
}

#[test]
fn metadata_is_the_rules_in_their_order_and_then_the_tags() {
    let loaded = fixtures().loaded();
    let metadata = |subject: &str| {
        let callers = &loaded.compiled.snapshot.callers;
        let caller = callers.iter().find(|caller| &*caller.subject == subject).expect(subject);
        let pairs = caller.metadata.iter().map(|(key, value)| format!("{key}={value}"));
        (caller.teams_label.to_string(), pairs.collect::<Vec<_>>().join(" "))
    };

    assert_eq!(
        metadata("virtualaccount:billing"),
        (String::new(), "environment=production cost_center=42 tier=1".to_owned())
    );
    assert_eq!(
        metadata("user:grace@example.com"),
        ("core".to_owned(), "environment=production environment=staging team=core".to_owned())
    );
}

#[test]
fn a_token_opens_by_its_hash_however_it_was_written() {
    let loaded = fixtures().loaded();
    let snapshot = &loaded.compiled.snapshot;
    let opens = |token: &str| {
        use sha2::Digest;
        let hash: [u8; 32] = sha2::Sha256::digest(token).into();
        snapshot.tokens.get(&hash).map(|it| (&*snapshot.caller(it.subject).subject, it.expires))
    };

    assert_eq!(
        opens("text-of-tokens-BILLING_TOKEN").map(|(subject, _)| subject),
        Some("virtualaccount:billing")
    );
    // The hash in the fixture is that of "test".
    assert!(matches!(opens("test"), Some(("user:ada@example.com", Some(_)))));
    assert!(matches!(opens("test2"), Some(("user:linus@example.com", None))));
    assert_eq!(opens("other"), None);
}

#[test]
fn a_made_token_is_accepted_with_its_manifest() {
    for (subject, expires) in
        [("user:ada@example.com", Some("2099-01-01")), ("virtualaccount:batch", None)]
    {
        let mut out = Vec::new();
        let code = weir::cli::token::new(subject, expires, &mut out).expect("memory");
        let out = String::from_utf8(out).expect("text");
        let (token, manifest) = out.split_once('\n').expect("a token and a manifest");

        let desk = Desk::with(&[("token.yaml", manifest)]);
        let loaded = desk.loaded();

        assert_eq!((code, token.len()), (0, 48));
        assert!(token.starts_with("weir_") && !manifest.contains(token));
        let tokens = &loaded.compiled.snapshot.tokens;
        let caller = tokens.values().next().map(|it| loaded.compiled.snapshot.caller(it.subject));
        assert_eq!(caller.map(|it| &*it.subject), Some(subject));
        assert_eq!(loaded.compiled.warnings, []);
    }
}

#[test]
fn a_token_for_a_team_or_with_a_bad_date_is_refused() {
    for (subject, expires) in [("team:core", None), ("ada", None), ("user:a", Some("soon"))] {
        let mut out = Vec::new();
        assert_eq!(weir::cli::token::new(subject, expires, &mut out).expect("memory"), 2);
        assert!(String::from_utf8_lossy(&out).starts_with("error: "));
    }
}

#[test]
fn check_says_what_it_found_and_whether_it_would_do() {
    let desk = Desk::with(&[(
        "m.yaml",
        "type: virtual-account\nname: v\ntoken_sha256: zz\ntag: {a: b}\n",
    )]);
    let mut out = Vec::new();
    let code = weir::cli::check::run(&desk.manifests(), None, &mut out).expect("memory");

    assert_eq!(code, 1);
    assert_eq!(
        String::from_utf8_lossy(&out),
        "m.yaml:3: error: token_sha256: found text, wanted 64 hexadecimal digits\n\
         m.yaml:4: warning: tag: found an unknown key, wanted a known key \
         (did you mean tags? it does nothing as it stands)\n\
         refused: 1 error, 1 warning\n"
    );

    let desk = fixtures();
    let mut out = Vec::new();
    let code = weir::cli::check::run(&desk.manifests(), Some(&desk.secrets_folder()), &mut out)
        .expect("memory");

    assert_eq!(code, 0);
    assert!(
        String::from_utf8_lossy(&out)
            .ends_with("ok: 20 documents, 15 models, 3 tokens, 9 warnings\n"),
        "{}",
        String::from_utf8_lossy(&out)
    );
}

#[test]
fn ten_thousand_documents_and_a_model_each_take_seconds_at_most() {
    let hash = |number: usize| format!("{number:064x}");
    let many = (0..9_000).map(|number| {
        format!(
            "- {{type: pat, name: t{number}, user_fqn: 'u{number}', token_sha256: '{}'}}\n",
            hash(number)
        )
    });
    let models = (0..5_000).map(|number| {
        format!(
            "    - {{name: m{number}, type: integration/model/openai, model_types: [chat],
       authorized_subjects: ['user:u{number}']}}\n"
        )
    });
    let account = "- type: provider-account/openai
  name: many
  auth_data: {type: api-key, api_key: 'tfy-secret://t:g:K'}
  collaborators: [{subject: '*', role_id: provider-account-access}]
  integrations:\n";
    let text: String = many.chain([account.to_owned()]).chain(models).collect();
    let desk = Desk::with(&[("m.yaml", &text)]);
    desk.keep_secret("g", "K", "key");

    let begun = std::time::Instant::now();
    let loaded = desk.loaded();

    assert_eq!(loaded.compiled.snapshot.tokens.len(), 9_000);
    assert_eq!(loaded.compiled.snapshot.models.len(), 5_000);
    assert_eq!(loaded.compiled.snapshot.endpoints.len(), 1);
    // Quadratic work would take minutes; a slow machine without optimization takes a second.
    assert!(begun.elapsed() < std::time::Duration::from_secs(30), "{:?}", begun.elapsed());
}
