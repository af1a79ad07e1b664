//! The scan against a parser that reads everything.

use proptest::prelude::{
    Just, ProptestConfig, Strategy, any, prop, prop_assert, prop_assert_eq, prop_oneof, proptest,
};
use serde::de::IgnoredAny;
use serde_json::Value;

use weir::wire::json::JsonError;
use weir::wire::json::finder::Finder;
use weir::wire::json::object::scan_object;
use weir::wire::json::value::{push_json_string, read_str};

const KEYS: [&str; 4] = ["model", "stream", "é", ""];

fn value() -> impl Strategy<Value = Value> {
    let text = prop_oneof![any::<String>(), "[\\\\\"{}\\[\\]a\n]{0,80}"];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        text.prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 40, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::vec(("[a\"\\\\é]{0,3}", inner), 0..6)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

fn object() -> impl Strategy<Value = Value> {
    let key = prop_oneof![prop::sample::select(&KEYS[..]).prop_map(String::from), any::<String>()];
    prop::collection::vec((key, value()), 0..8)
        .prop_map(|members| Value::Object(members.into_iter().collect()))
}

fn written(document: &Value, is_pretty: bool) -> Vec<u8> {
    let write = if is_pretty { serde_json::to_vec_pretty } else { serde_json::to_vec };
    write(document).expect("a value can be written")
}

/// If the whole is JSON by `serde_json`, the scan takes it too and finds the same members.
fn agree(body: &[u8]) {
    let scanned = scan_object(body, &KEYS);
    if let Ok(found) = &scanned {
        for raw in found.values.iter().flatten().map(|span| span.of(body)) {
            let is_scalar = !matches!(raw.first(), Some(b'{' | b'['));
            let is_json = serde_json::from_slice::<IgnoredAny>(raw).is_ok();
            assert!(is_json || !is_scalar, "{}", String::from_utf8_lossy(raw));
        }
    }
    let Ok(Value::Object(members)) = serde_json::from_slice::<Value>(body) else { return };
    match scanned {
        Ok(found) => {
            for (key, span) in KEYS.iter().zip(found.values) {
                let raw = span.map(|span| span.of(body));
                let read: Option<Value> =
                    raw.map(|raw| serde_json::from_slice(raw).expect("a part of JSON is JSON"));
                assert_eq!(read.as_ref(), members.get(*key), "{}", String::from_utf8_lossy(body));
            }
            assert_eq!(found.is_empty, members.is_empty());
        }
        Err(error) => assert!(matches!(error, JsonError::Duplicate(_)), "{error:?}"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn the_scan_finds_what_a_full_parse_finds(document in object(), is_pretty: bool) {
        agree(&written(&document, is_pretty));
    }

    #[test]
    fn the_scan_agrees_on_damaged_documents(
        document in object(),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..3),
        is_pretty: bool,
    ) {
        let mut body = written(&document, is_pretty);
        let tokens = b"\"\\{}[],: 0\n";
        for (at, byte) in damage {
            let at = at.index(body.len());
            match byte {
                0..100 => body[at] = tokens[usize::from(byte) % tokens.len()],
                100..150 => { body.remove(at); }
                150..200 => body.insert(at, tokens[usize::from(byte) % tokens.len()]),
                _ => body[at] = byte,
            }
            if body.is_empty() {
                break;
            }
        }
        agree(&body);
    }

    #[test]
    fn the_finder_finds_what_a_full_parse_finds(
        document in object(),
        is_pretty: bool,
        cut in 1_usize..50,
    ) {
        let body = written(&document, is_pretty);
        // Read once more, for the last digit of a float may change on the way.
        let whole: Value = serde_json::from_slice(&body).expect("JSON");
        let mut finder = Finder::new(KEYS);
        body.chunks(cut).for_each(|piece| finder.feed(piece));

        prop_assert!(finder.is_complete() && finder.starts_with_object());
        for (index, key) in KEYS.iter().enumerate() {
            let read: Option<Value> =
                finder.value(index).map(|raw| serde_json::from_slice(raw).expect("JSON"));
            prop_assert_eq!(read.as_ref(), whole.get(*key));
        }
    }

    #[test]
    fn texts_are_written_and_read_as_serde_json_does(text: String) {
        let mut out = Vec::new();
        push_json_string(&mut out, &text);
        prop_assert_eq!(serde_json::from_slice::<String>(&out).ok(), Some(text.clone()));
        let theirs = serde_json::to_vec(&text).expect("text can be written");
        let read = read_str(&theirs);
        prop_assert_eq!(read.as_deref(), Some(text.as_str()));
    }
}

#[test]
fn simd_json_agrees_on_a_large_prompt() {
    let content = "She said: \"it's a \\ or a {brace}\"\n\tété 😀 ".repeat(6000);
    let document = serde_json::json!({
        "model": "m",
        "messages": [{"role": "user", "content": content}],
        "stream": true,
    });
    let mut body = serde_json::to_vec(&document).expect("a value can be written");
    let found = scan_object(&body, &["model", "messages", "stream"]).expect("an object");

    let raws = found.values.map(|span| span.expect("it is there").of(&body).to_vec());
    assert_eq!(raws[0], b"\"m\"");
    assert_eq!(raws[2], b"true");
    let mut messages = raws[1].clone();
    assert!(simd_json::to_tape(&mut messages).is_ok());
    assert!(simd_json::to_tape(&mut body).is_ok());
}
