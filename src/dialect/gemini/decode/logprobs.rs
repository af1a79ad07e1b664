//! How likely each token was: Google's words for it, as OpenAI writes them.
//!
//! ```text
//! {"chosenCandidates":[{"token":"a","tokenId":1,"logProbability":-0.1}],
//!  "topCandidates":[{"candidates":[{"token":"a","logProbability":-0.1},…]}]}
//! {"content":[{"token":"a","logprob":-0.1,"bytes":[97],"top_logprobs":[…]}],"refusal":null}
//! ```

use crate::{
    dialect::pivot::text::Json,
    wire::json::{
        document::Value,
        write::{Array, Object},
    },
};
use std::borrow::Cow;

/// `None` where nothing is told of any token.
pub fn decode<'b>(result: Value<'_, '_>) -> Option<Json<'b>> {
    let chosen = result.get("chosenCandidates")?;
    let top: Vec<_> = result.get("topCandidates").into_iter().flat_map(Value::items).collect();
    let mut out = Vec::new();
    let mut object = Object::open(&mut out);
    let mut content = object.array("content");
    for (index, token) in chosen.items().enumerate() {
        let mut one = open(&mut content, token);
        let mut others = one.array("top_logprobs");
        let candidates = top.get(index).and_then(|top| top.get("candidates"));
        for other in candidates.into_iter().flat_map(Value::items) {
            open(&mut others, other).close();
        }
        others.close();
        one.close();
    }
    content.close();
    object.raw("refusal", "null");
    object.close();
    String::from_utf8(out).ok().map(|json| Json(Cow::Owned(json)))
}

fn open<'a>(array: &'a mut Array<'_>, token: Value<'_, '_>) -> Object<'a> {
    let text = token.get("token").and_then(Value::plain).unwrap_or_default();
    let mut object = array.object();
    object.text("token", &text);
    let logprob = token.get("logProbability").and_then(Value::as_number);
    // What is certain is not written: it is zero.
    object.raw("logprob", logprob.unwrap_or("0"));
    let mut bytes = object.array("bytes");
    for byte in text.bytes() {
        crate::wire::http1::push_decimal(bytes.item(), u64::from(byte));
    }
    bytes.close();
    object
}
