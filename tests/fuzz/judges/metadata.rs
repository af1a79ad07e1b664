//! The metadata header: what is taken is what a full parse finds, in its order.

use serde_json::Value;
use weir::wire::json::flat::flat_strings;

pub fn judge(bytes: &[u8]) {
    let Ok(pairs) = flat_strings(bytes) else { return };
    let Ok(Value::Object(members)) = serde_json::from_slice::<Value>(bytes) else {
        panic!("{:?} was taken and is no object", String::from_utf8_lossy(bytes));
    };
    for (key, value) in &pairs {
        assert_eq!(members.get(&**key).and_then(Value::as_str), Some(&**value), "{key:?}");
    }
    assert_eq!(pairs.len(), members.len());
}
