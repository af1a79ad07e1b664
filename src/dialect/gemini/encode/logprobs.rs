//! How likely each token was: OpenAI's words for it, as Google writes them.

use crate::{
    dialect::pivot::text::Text,
    wire::json::{
        document::{Document, Value},
        write::{Array, Object},
    },
};

/// Append the member `logprobsResult`, if the JSON tells of any token.
pub fn push(candidate: &mut Object<'_>, json: &str) {
    let mut document = Document::default();
    let Ok(told) = document.parse(json.as_bytes()) else { return };
    let Some(content) = told.get("content") else { return };
    let mut result = candidate.object("logprobsResult");
    let mut chosen = result.array("chosenCandidates");
    content.items().for_each(|token| push_token(&mut chosen, token));
    chosen.close();
    let mut all = result.array("topCandidates");
    for token in content.items() {
        let mut top = all.object();
        let mut candidates = top.array("candidates");
        let others = token.get("top_logprobs").into_iter().flat_map(Value::items);
        others.for_each(|other| push_token(&mut candidates, other));
        candidates.close();
        top.close();
    }
    all.close();
    result.close();
}

fn push_token(array: &mut Array<'_>, token: Value<'_, '_>) {
    let mut object = array.object();
    token.get("token").and_then(Text::of).unwrap_or_default().push(object.key("token"));
    let logprob = token.get("logprob").and_then(Value::as_number);
    object.raw("logProbability", logprob.unwrap_or("0"));
    object.close();
}
