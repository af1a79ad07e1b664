//! What is sent for a chat: the client's document with another model, and usage asked for where it
//! is streamed; read by a parser, nothing else has changed.

use serde_json::{Value, json};
use weir::{dialect::openai_chat::request, lexicon::operation::Operation};

pub fn judge(bytes: &[u8]) {
    let Ok(ask) = request::read(Operation::ChatCompletions, bytes) else { return };
    let Ok(mut wanted) = serde_json::from_slice::<Value>(bytes) else { return };
    assert_eq!(wanted["model"].as_str(), Some(&*ask.model));
    assert_eq!(wanted["stream"].as_bool().unwrap_or_default(), ask.is_streaming);
    for rejects_stream_options in [true, false] {
        let mut sent = Vec::new();
        request::splice(&mut sent, bytes, &ask, b"\"other\"", rejects_stream_options);
        let sent: Value = serde_json::from_slice(&sent).expect("what is sent is JSON");
        wanted["model"] = "other".into();
        if ask.is_streaming && !rejects_stream_options {
            if wanted["stream_options"].is_null() {
                wanted["stream_options"] = json!({});
            }
            wanted["stream_options"]["include_usage"] = true.into();
        }
        assert_eq!(sent, wanted);
    }
}
