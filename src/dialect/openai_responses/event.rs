//! How every event of a stream begins.

use crate::wire::json::write::Object;

/// Begin an event, which bears the next number; whoever closes it ends it with a blank line.
pub fn begin<'o>(out: &'o mut Vec<u8>, name: &str, sequence: &mut u64) -> Object<'o> {
    out.extend_from_slice(b"event: ");
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\ndata: ");
    let mut event = Object::open(out);
    event.text("type", name);
    event.number("sequence_number", *sequence);
    *sequence += 1;
    event
}
