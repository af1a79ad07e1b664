//! What is wrong is said, all of it, where it stands.

use super::desk::check;

#[test]
fn every_error_of_a_document_is_a_problem_of_its_own() {
    check(
        "type: provider-account/self-hosted-model
name: 7
integrations:
  - name: llama
    type: integration/model/openai
    url: ftp://vllm:8000
    model_types: [chatt, 3]
    model_server: vllm
    auth_data:
      type: bearer
      bearer_token: [sk-live-1234567890]
",
        r#"m.yaml:1: warning: collaborators: found nobody, wanted who may use this account
    (nobody but admins may use it; `team:everyone` opens it to all)
m.yaml:2: error: name: found the number 7, wanted text
m.yaml:5: error: integrations[0].type: found "integration/model/openai", wanted
    integration/model/self-hosted-model (the type of the account's models)
m.yaml:6: error: integrations[0].url: found a scheme other than http, https or
    http+unix, wanted a URL such as https://api.example.com/v1
m.yaml:7: error: integrations[0].model_types[0]: found "chatt", wanted one of
    `chat`, `completion`, `embedding`, `realtime`, `rerank`, `audio_transcription`,
    `audio_translation`, `text_to_speech`, `moderation`, `image`, `responses`, `ocr`
    (did you mean chat?)
m.yaml:7: error: integrations[0].model_types[1]: found the number 3, wanted text
m.yaml:8: error: integrations[0].model_server: found "vllm", wanted one of
    `openai-compatible`, `vllm-openai`, `tei`, `infinity`, `nemo-retriever`,
    `cohere-rerank-v2` (did you mean vllm-openai?)
m.yaml:10: error: integrations[0].auth_data.type: found "bearer", wanted one of
    `api-key`, `bearer-auth`, `basic-auth`, `certificate`, `client-secret`,
    `workload-identity`, `access-key-based`, `assumed-role-based`, `key-file`,
    `workload-identity-federation-file`, `aws-irsa-auth`, `gcp-service-account-auth`,
    `azure-auth` (did you mean bearer-auth?)
m.yaml:11: error: integrations[0].auth_data.bearer_token: found a list, wanted text"#,
    );
}

#[test]
fn an_unknown_key_is_kept_and_the_known_one_that_was_meant_is_named() {
    check(
        "type: provider-account/custom
name: lab
colaborators: []
integrations:
  - name: m
    type: integration/model/custom
    url: http://lab:8000
    model_type: [chat]
    model_types: [chat]
    auth_data: {type: api-key, apikey: x, api_key: tfy-secret://a:b}
    zzz: 1
",
        r"m.yaml:1: warning: collaborators: found nobody, wanted who may use this account
    (nobody but admins may use it; `team:everyone` opens it to all)
m.yaml:3: warning: colaborators: found an unknown key, wanted a known key (did you
    mean collaborators? it does nothing as it stands)
m.yaml:8: warning: integrations[0].model_type: found an unknown key, wanted a known
    key (did you mean model_types? it does nothing as it stands)
m.yaml:10: error: integrations[0].auth_data.api_key: found a malformed secret
    reference, wanted tfy-secret://TENANT:GROUP:KEY
m.yaml:10: warning: integrations[0].auth_data.apikey: found an unknown key, wanted a
    known key (did you mean api_key? it does nothing as it stands)
m.yaml:11: warning: integrations[0].zzz: found an unknown key, wanted type, name,
    hosted_model_name, model_id, model_types, auth_data, base_url, url,
    model_server, headers, tls_settings, http_version, region, project,
    azure_endpoint, api_version, foundation_model, deployment_type, publisher,
    authorized_subjects, cost, tfy_application_id (it is kept and does nothing)",
    );
}

/// `OBEYED` in a text is the list of all types that are.
fn named(text: &str) -> String {
    let names: Vec<&str> = weir::manifest::kind::OBEYED.iter().map(|(name, _)| *name).collect();
    text.replace("OBEYED", &names.join(", "))
}

#[test]
fn a_type_that_is_not_obeyed_says_so_and_names_those_that_are() {
    check(
        "{name: x, type: provider-account/ai21}",
        &named(
            r#"m.yaml:1: error: type: found "provider-account/ai21", wanted
    OBEYED (this build does
    not obey that type yet)"#,
        ),
    );
    check(
        "{name: x, type: gateway-guardrails-config}",
        &named(
            r#"m.yaml:1: error: type: found "gateway-guardrails-config", wanted
    OBEYED (this build does
    not obey that type yet)"#,
        ),
    );
    check(
        "{name: x, type: provider-account/opena}",
        &named(
            r#"m.yaml:1: error: type: found "provider-account/opena", wanted
    OBEYED (did you mean
    provider-account/openai?)"#,
        ),
    );
    check(
        "{name: x, type: banana}",
        &named(r#"m.yaml:1: error: type: found "banana", wanted OBEYED"#),
    );
    check("{name: x}", &named(r"m.yaml:1: error: type: found nothing, wanted OBEYED"));
    check("{name: x, type: [team]}", &named(r"m.yaml:1: error: type: found a list, wanted OBEYED"));
}

#[test]
fn a_type_that_cannot_be_here_names_what_to_use_instead() {
    check(
        "{name: x, type: provider-account/truefoundry}",
        r#"m.yaml:1: error: type: found "provider-account/truefoundry", wanted a type that
    exists here (models of a hosted platform: name each as
    provider-account/self-hosted-model with its url)"#,
    );
    check(
        "{name: x, type: provider-account/gcp}",
        r#"m.yaml:1: error: type: found "provider-account/gcp", wanted a type that exists here
    (use provider-account/google-vertex with the key file of a service account)"#,
    );
    check(
        "{name: x, type: provider-account/nvidia-nim}",
        r#"m.yaml:1: error: type: found "provider-account/nvidia-nim", wanted a type that
    exists here (use provider-account/self-hosted-model with url and auth_data)"#,
    );
}

#[test]
fn an_account_that_cannot_be_called_is_refused() {
    check(
        "type: provider-account/openai
name: openai/main
collaborators: [{subject: '*', role_id: provider-account-access}]
integrations:
  - {name: a, type: integration/model/openai, model_types: [chat]}
  - {name: a, type: integration/model/openai, model_types: [], url: 'https://h/v1/chat/completions'}
  - name: b c
    type: integration/model/openai
    model_types: [image]
    url: localhost:8000
    auth_data: {type: basic-auth, username: u, api_key: tfy-secret://t:g:K}
",
        r#"m.yaml:2: error: name: found "openai/main", wanted a name without spaces, slashes
    and colons (models are called ACCOUNT/MODEL)
m.yaml:5: error: integrations[0].auth_data: found nothing, wanted auth_data for
    api.openai.com (api_key: tfy-secret://TENANT:GROUP:KEY)
m.yaml:6: error: integrations[1].model_types: found an empty list, wanted at least
    one, e.g. chat
m.yaml:6: error: integrations[1].url: found a URL that ends in /chat/completions,
    wanted the base URL, without it
m.yaml:6: error: integrations[1].name: found "a" a second time, wanted it once
    (first in m.yaml) (one name, one model)
m.yaml:7: error: integrations[2].name: found "b c", wanted a name without spaces
m.yaml:9: warning: integrations[2].model_types[0]: found "image", wanted chat,
    completion, embedding, responses (not obeyed yet)
m.yaml:10: error: integrations[2].url: found no http:// or https://, wanted a URL
    such as https://api.example.com/v1
m.yaml:11: error: integrations[2].auth_data.password: found nothing, wanted this key
m.yaml:11: warning: integrations[2].auth_data.api_key: found a key of another auth
    type, wanted no such key"#,
    );
}

#[test]
fn a_model_that_cannot_be_called_is_refused() {
    check(
        "type: provider-account/self-hosted-model
name: lab
collaborators: [{subject: '*', role_id: provider-account-access}]
integrations:
  - {name: a, type: integration/model/self-hosted-model, model_types: [chat]}
  - name: b
    type: integration/model/self-hosted-model
    model_types: [chat]
    url: http://lab
    base_url: http://lab
  - name: c
    type: integration/model/self-hosted-model
    model_types: [chat]
    url: http://lab
    model_server: cohere-rerank-v2
    tls_settings: {reject_unauthorized: false, ca_cert: none}
    headers: {Host: evil, 'x y': '1', Authorization: Bearer abc, x-a: \"1\\r\\nx: 2\"}
    auth_data: {type: api-key, api_key: sk-raw}
",
        r#"m.yaml:5: error: integrations[0].url: found nothing, wanted this key (where the
    server's API begins, e.g. http://my-model:8000)
m.yaml:9: error: integrations[1].url: found the same thing under two names, wanted
    one of them
m.yaml:15: warning: integrations[2].model_server: found "cohere-rerank-v2", wanted
    openai-compatible (not obeyed yet)
m.yaml:16: error: integrations[2].tls_settings.ca_cert: found no certificate, wanted
    a certificate in PEM
m.yaml:16: warning: integrations[2].tls_settings: found tls_settings for http://,
    wanted https:// (they do nothing)
m.yaml:16: warning: integrations[2].tls_settings.reject_unauthorized: found false:
    any certificate is taken, wanted true (whoever sits between can read and change
    everything)
m.yaml:17: error: integrations[2].headers.Host: found a header that frames a call,
    wanted one that the gateway does not write
m.yaml:17: error: integrations[2].headers.x y: found no header name, wanted letters,
    digits and hyphens
m.yaml:17: error: integrations[2].headers.x-a: found a control character in the
    value, wanted one line of text
m.yaml:18: error: integrations[2].auth_data: found auth_data beside an authorization
    header, wanted one of them"#,
    );
}

#[test]
fn a_name_or_a_token_that_exists_already_is_refused() {
    let hash = "0".repeat(64);
    check(
        &format!(
            "- {{type: provider-account/custom, name: acc, integrations: []}}
- {{type: provider-account/custom, name: acc, integrations: []}}
- {{type: team, name: core, members: []}}
- {{type: team, name: core, members: []}}
- {{type: virtual-account, name: bot, token_sha256: {hash:?}}}
- {{type: virtual-account, name: bot, token_sha256: {hash:?}}}
- {{type: pat, name: ada, user_fqn: ada, token_sha256: {hash:?}}}
- {{type: gateway-global-settings}}
- {{type: gateway-global-settings}}
- {{type: gateway-metadata-config, name: m, rules: []}}
- type: gateway-metadata-config
  name: m
  rules:
    - {{id: r, when: {{}}, metadata_override: {{}}}}
    - {{id: r, when: {{}}, metadata_override: {{}}}}
"
        ),
        r#"m.yaml#2:2: error: name: found "acc" a second time, wanted it once (first in
    m.yaml#1) (an account of this name exists: change that one or use another name)
m.yaml#4:4: error: name: found "core" a second time, wanted it once (first in
    m.yaml#3)
m.yaml#6:6: error: name: found "bot" a second time, wanted it once (first in
    m.yaml#5)
m.yaml#6:6: error: token_sha256: found the token of m.yaml#5 again, wanted a token
    of its own
m.yaml#7:7: error: token_sha256: found the token of m.yaml#6 again, wanted a token
    of its own
m.yaml#9:9: error: type: found "gateway-global-settings" a second time, wanted it
    once (first in m.yaml#8)
m.yaml#11:12: error: name: found "m" a second time, wanted it once (first in
    m.yaml#10)
m.yaml#11:15: error: rules[1].id: found "r" a second time, wanted it once (first in
    m.yaml#11)"#,
    );
}

#[test]
fn a_subject_that_is_nobody_is_told_apart_from_one_that_is_none() {
    check(
        "- type: team
  name: core
  members: ['user:', 'robot:x', 'team:core', '*', 'a b']
- {type: team, name: everyone, members: []}
- type: provider-account/custom
  name: acc
  integrations: []
  collaborators:
    - {subject: ada, role_id: provider-account-access}
    - {subject: 'team:nobody', role_id: provider-account-access}
    - {subject: 'virtualaccount:none', role_id: provider-account-access}
    - {subject: 'external-identity:x', role_id: provider-account-access}
    - {subject: 'user:ada', role_id: admin}
",
        r#"m.yaml#1:3: error: members[0]: found "user:", wanted KIND:NAME (the name after the
    colon is empty or has spaces in it)
m.yaml#1:3: error: members[1]: found "robot:x", wanted KIND:NAME (unknown kind
    "robot": use user, virtualaccount or team)
m.yaml#1:3: error: members[2]: found "team:core", wanted a user or a virtual account
m.yaml#1:3: error: members[3]: found "*", wanted a user or a virtual account
m.yaml#1:3: error: members[4]: found "a b", wanted KIND:NAME (the name after the
    colon is empty or has spaces in it)
m.yaml#2:4: error: name: found "everyone", wanted another name (team:everyone is the
    whole organisation)
m.yaml#3:9: error: collaborators[0].subject: found "ada", wanted KIND:NAME (a
    subject is KIND:NAME, e.g. user:you@example.com or virtualaccount:billing)
m.yaml#3:10: warning: collaborators[1].subject: found "team:nobody", wanted a team
    that has a document
m.yaml#3:11: warning: collaborators[2].subject: found "virtualaccount:none", wanted
    a virtual account that has a document
m.yaml#3:12: warning: collaborators[3].subject: found "external-identity:x", wanted
    user, team or virtualaccount (not obeyed yet)
m.yaml#3:13: warning: collaborators[4].role_id: found "admin", wanted
    provider-account-access or provider-account-manager (it grants nothing here)"#,
    );
}

#[test]
fn a_token_that_could_not_work_is_said() {
    let hash = "0".repeat(64);
    check(
        &format!(
            "- {{type: virtual-account, name: a, token_sha256: {hash:?}, token: tfy-secret://t:g:K}}
- {{type: virtual-account, name: b}}
- {{type: virtual-account, name: c, token_sha256: abc}}
- {{type: virtual-account, name: d, token: tfy-secret://t:g:WEIR_NO_SUCH}}
- {{type: virtual-account, name: e, token: short}}
- {{type: virtual-account, name: f, token: ''}}
- {{type: virtual-account, name: g, token_sha256: {hash:?}, expiration_date: tomorrow}}
- {{type: virtual-account, name: h, token_sha256: '{}', expiration_date: 2020-01-01,
     token_type: jwt}}
- {{type: personal-access-token, name: i, subject: 'team:core', token_sha256: {hash:?}}}
",
            "1".repeat(64)
        ),
        r#"m.yaml#1:1: error: token: found token and token_sha256, wanted one of them
m.yaml#2:2: warning: token_sha256: found nothing, wanted a token (nobody can come in
    as this subject; `weir token new` makes one)
m.yaml#3:3: error: token_sha256: found text, wanted 64 hexadecimal digits
m.yaml#4:4: error: token: found tfy-secret://t:g:WEIR_NO_SUCH, which cannot be read,
    wanted a secret that can be read (a file g/WEIR_NO_SUCH in the secrets folder,
    or $WEIR_NO_SUCH)
m.yaml#5:5: warning: token: found a raw key, wanted tfy-secret://TENANT:GROUP:KEY (a
    key in a file is a key in every copy of that file)
m.yaml#5:5: warning: token: found a short token, wanted at least 16 characters
m.yaml#6:6: error: token: found an empty credential, wanted tfy-secret://…
m.yaml#7:7: error: expiration_date: found "tomorrow", wanted a date: yyyy-mm-dd, or
    ISO-8601 with time
m.yaml#8:8: warning: expiration_date: found "2020-01-01", wanted a day to come (the
    token no longer works)
m.yaml#8:9: warning: token_type: found "jwt", wanted opaque (not obeyed yet)
m.yaml#9:10: warning: subject: found "team:core", wanted a team that has a document"#,
    );
}

#[test]
fn a_permission_for_nothing_is_said() {
    check(
        "- type: virtual-account
  name: bot
  token_sha256: '0000000000000000000000000000000000000000000000000000000000000000'
  tags: {a: [1], b: null}
  permissions:
    - {resource_fqn: 't:openai:none', resource_type: provider-account,
       role_id: provider-account-access}
    - {resource_fqn: lab, resource_type: provider-account, role_id: viewer}
    - {resource_fqn: tools, resource_type: mcp-server, role_id: mcp-server-user}
- authz_rules:
    - {models: [none/none], users: [ada]}
    - {models: [], user: [ada]}
",
        r#"m.yaml#1:4: warning: tags.a: found a list, wanted text (it is no metadata)
m.yaml#1:6: warning: permissions[0].resource_fqn: found "t:openai:none", wanted
    ACCOUNT/MODEL, ACCOUNT or TENANT:VENDOR:ACCOUNT that has a document
m.yaml#1:8: warning: permissions[1].role_id: found "viewer", wanted
    provider-account-access or provider-account-manager (it grants nothing here)
m.yaml#1:9: warning: permissions[2].resource_type: found "mcp-server", wanted
    provider-account (not obeyed yet)
m.yaml#2:11: warning: authz_rules[0].models[0]: found "none/none", wanted
    ACCOUNT/MODEL, ACCOUNT or TENANT:VENDOR:ACCOUNT that has a document
m.yaml#2:12: error: authz_rules[1].users: found nothing, wanted this key
m.yaml#2:12: warning: authz_rules[1].user: found an unknown key, wanted a known key
    (did you mean users? it does nothing as it stands)"#,
    );
}

#[test]
fn problems_end_somewhere() {
    let members = vec!["1"; 150].join(", ");
    let said = super::desk::Desk::with(&[(
        "m.yaml",
        &format!("{{type: team, name: t, members: [{members}]}}"),
    )])
    .said();

    assert_eq!(said.len(), 100);
}
