//! The scan of JSON against parsers that read everything: what they take as an object, it takes,
//! and finds the same values in; in pieces as in one. What it takes beside that is sound still.

use serde_json::Value;
use weir::wire::json::{JsonError, finder::Finder, object::scan_object};

const KEYS: [&str; 4] = ["model", "stream", "é", ""];
/// Deeper than this the scan refuses, by its own bound.
const DEPTH_MAX: usize = 120;

pub fn judge(bytes: &[u8]) {
    let found = scan_object(bytes, &KEYS);
    let mut finder = Finder::new(KEYS);
    bytes.chunks(1 + bytes.len() % 7).for_each(|piece| finder.feed(piece));

    assert!(found.is_err() || is_sound(bytes), "it took what is not sound");
    let is_deep = bytes.iter().filter(|byte| b"[{".contains(byte)).count() > DEPTH_MAX;
    let is_json = simd_json::to_owned_value(&mut bytes.to_vec()).is_ok();
    let Ok(Value::Object(members)) = serde_json::from_slice::<Value>(bytes) else { return };
    if !is_json || is_deep {
        return;
    }
    match found {
        Ok(found) => {
            for (nth, key) in KEYS.iter().enumerate() {
                let raw = found.values[nth].map(|span| span.of(bytes));
                let read: Option<Value> =
                    raw.map(|raw| serde_json::from_slice(raw).expect("a part of JSON is JSON"));
                assert_eq!(read.as_ref(), members.get(*key), "{key:?}");
                if let (Some(raw), Some(seen)) = (raw, finder.value(nth)) {
                    assert_eq!(raw, seen, "{key:?} in pieces");
                }
            }
            assert_eq!(found.is_empty, members.is_empty());
            assert!(finder.is_complete() && finder.starts_with_object());
        }
        Err(error) => assert!(matches!(error, JsonError::Duplicate(_)), "{error:?}"),
    }
}

/// What the scan promises of values that it does not read: UTF-8, brackets that match, strings that
/// end and have no control characters.
fn is_sound(bytes: &[u8]) -> bool {
    let (mut open, mut is_inside, mut is_escaped) = (Vec::new(), false, false);
    for &byte in bytes {
        match byte {
            0..b' ' if is_inside => return false,
            _ if is_escaped => is_escaped = false,
            b'\\' if is_inside => is_escaped = true,
            b'"' => is_inside = !is_inside,
            b'{' | b'[' if !is_inside => open.push(byte),
            b'}' | b']' if !is_inside && open.pop() != Some(byte - 2) => return false,
            _ => {}
        }
    }
    !is_inside && open.is_empty() && str::from_utf8(bytes).is_ok()
}
