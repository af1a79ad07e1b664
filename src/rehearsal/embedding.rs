//! `/embeddings`: a vector of unit length for each text, the same for the same text.

use super::{
    chat::request_id,
    endpoint::Ask,
    frame,
    script::Step,
    words::{self, Dice},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

const DIMENSIONS: u64 = 64;
const DIMENSIONS_MAX: u64 = 4096;

pub(super) fn answer(ask: &Ask) -> Step {
    let inputs: Vec<String> = match &ask.body["input"] {
        Value::String(text) => vec![text.clone()],
        // A list of token numbers is one text.
        Value::Array(list) if list.first().is_some_and(Value::is_u64) => {
            vec![ask.body["input"].to_string()]
        }
        Value::Array(list) => list
            .iter()
            .map(|one| one.as_str().map_or_else(|| one.to_string(), Into::into))
            .collect(),
        _ => {
            let message = "'input' must be a string or a list.";
            return frame::json(400, &[], &frame::error("invalid_request_error", None, message));
        }
    };
    let dimensions = ask.body["dimensions"].as_u64().unwrap_or(DIMENSIONS).min(DIMENSIONS_MAX);
    let in_base64 = ask.body["encoding_format"] == "base64";
    let data: Vec<Value> = inputs
        .iter()
        .enumerate()
        .map(|(index, text)| {
            let vector = vector(text, dimensions);
            let embedding = if in_base64 { encode(&vector).into() } else { json!(vector) };
            json!({"object": "embedding", "index": index, "embedding": embedding})
        })
        .collect();
    let tokens: usize = inputs.iter().map(|text| words::pieces(text).len()).sum();
    let body = json!({"object": "list", "data": data, "model": ask.model,
        "usage": {"prompt_tokens": tokens, "total_tokens": tokens}});
    frame::json(200, &[("x-request-id", &request_id(ask))], &body)
}

/// Little-endian 32-bit floats, as OpenAI's clients unpack them.
fn encode(vector: &[f32]) -> String {
    let bytes: Vec<u8> = vector.iter().flat_map(|number| number.to_le_bytes()).collect();
    STANDARD.encode(bytes)
}

fn vector(text: &str, dimensions: u64) -> Vec<f32> {
    let mut dice = Dice::new(words::seed_of(text));
    let throw = |_| f32::from(u16::try_from(dice.throw() & 0xffff).unwrap_or(0)) / 65_536.0 - 0.5;
    let vector: Vec<f32> = (0..dimensions).map(throw).collect();
    let length = vector.iter().map(|number| number * number).sum::<f32>().sqrt().max(f32::EPSILON);
    vector.into_iter().map(|number| number / length).collect()
}
