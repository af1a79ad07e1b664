//! No problem shows a credential, wherever it was put.

use super::{desk::Desk, good::fixtures};
use serde_json::{Value, json};
use std::{fs, path::Path};
use weir::manifest::yaml;

const MARKER: &str = "sk-live-0123456789abcdef";

/// Under these keys stand names and choices, which problems quote.
const NAMES: &[&str] = &[
    "type",
    "name",
    "subject",
    "user_fqn",
    "role_id",
    "resource_fqn",
    "resource_type",
    "model_types",
    "model_server",
    "model_id",
    "hosted_model_name",
    "members",
    "managers",
    "admins",
    "models",
    "users",
    "subjects",
    "authorized_subjects",
    "expiration_date",
    "id",
    "reject_unauthorized",
    "token_type",
];

/// Every place in `value`, as a JSON pointer, with the nearest key above it.
fn places(value: &Value, pointer: &str, key: &str, found: &mut Vec<(String, String)>) {
    found.push((pointer.to_owned(), key.to_owned()));
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                let escaped = key.replace('~', "~0").replace('/', "~1");
                places(value, &format!("{pointer}/{escaped}"), key, found);
            }
        }
        Value::Array(list) => {
            for (index, value) in list.iter().enumerate() {
                places(value, &format!("{pointer}/{index}"), key, found);
            }
        }
        _ => {}
    }
}

fn documents() -> Vec<Value> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/manifests");
    let files = fs::read_dir(folder).expect("the fixtures").map(|entry| entry.expect("one").path());
    let texts = files
        .filter(|path| path.extension().is_some_and(|it| it != "md"))
        .map(|path| fs::read_to_string(path).expect("text"));
    let sources = texts.flat_map(|text| yaml::parse("m.yaml", &text).expect("a fixture is YAML"));
    sources.map(|source| source.tree.to_json()).collect()
}

#[test]
fn a_credential_in_the_wrong_place_is_not_shown() {
    let desk = Desk::with(&[]);
    let mut tried = 0;
    for document in documents() {
        let mut found = Vec::new();
        places(&document, "", "", &mut found);
        for (pointer, key) in found {
            if NAMES.contains(&key.as_str()) {
                continue;
            }
            let url = format!("https://user:{MARKER}@host/v1");
            let line_end = format!("{MARKER}\r\nx: 1");
            for wrong in
                [json!(MARKER), json!([MARKER]), json!(url), json!({"a": MARKER}), json!(line_end)]
            {
                let mut document = document.clone();
                *document.pointer_mut(&pointer).expect("a place that is there") = wrong;
                desk.write("m.json", &document.to_string());

                let said = desk.said().join("\n");

                assert!(!said.contains(MARKER), "{pointer}: {said}");
                assert!(!said.contains('\r'), "{pointer}: {said}");
                tried += 1;
            }
        }
    }
    assert!(tried > 300, "{tried} places");
}

#[test]
fn a_secret_that_cannot_be_sent_is_refused_without_being_shown() {
    let desk = fixtures();
    desk.keep_secret("llm", "OPENAI_API_KEY", &format!("{MARKER}\r\nx-evil: 1\n"));
    desk.keep_secret("llm", "ROUTE_KEY", &format!("{MARKER}\0"));
    desk.keep_secret("llm", "TEI_TOKEN", "\n");

    let said = desk.said();
    let errors: Vec<_> = said.iter().filter(|line| line.contains(": error: ")).collect();

    assert!(said.iter().all(|line| !line.contains(MARKER)));
    let control = "found a control character in the value, wanted one line of text";
    assert_eq!(
        errors,
        [
            &format!("reference-openai-newest.yaml:6: error: auth_data.api_key: {control}"),
            &format!(
                "reference-self-hosted.yaml:26: error: \
                 integrations[0].headers.x-route-key: {control}"
            ),
            "reference-self-hosted.yaml:36: error: integrations[1].auth_data.bearer_token: \
             found an empty secret, wanted its text (tfy-secret://acme:llm:TEI_TOKEN)",
        ]
    );
}

#[test]
fn a_reference_that_points_out_of_the_folder_is_malformed() {
    let desk = Desk::with(&[(
        "m.yaml",
        "type: virtual-account\nname: v\ntoken: tfy-secret://t:..:passwd\n",
    )]);

    assert_eq!(
        desk.said(),
        ["m.yaml:3: error: token: found a malformed secret reference, \
          wanted tfy-secret://TENANT:GROUP:KEY"]
    );
}
