//! What a client wants, by its path and its body.

use crate::{
    data_plane::{
        inbound::Request,
        local::percent_decode,
        stage::parse::{Native, Route},
    },
    dialect::openai_chat::request::{self, Ask},
    lexicon::{
        operation::Operation,
        refusal::{Refusal, Refused},
    },
    wire::{json, span::Span},
};
use std::borrow::Cow;

/// Read the Ask.
///
/// # Errors
/// As `openai_chat::request::read` says; of a path that names the model, `ModelUnknown` where it
/// is no text, `InvalidJson` where the body is no object.
pub fn read<'b>(
    route: Route,
    operation: Operation,
    from: &Request<'b>,
) -> Result<Ask<'b>, Refused> {
    if let Some(name) = route.model() {
        let name = String::from_utf8_lossy(&percent_decode(name.of(from.bytes))).into_owned();
        return request::read_of(operation, name, from.body);
    }
    let Route::Native(native) = route else { return request::read(operation, from.body) };
    let model = name(&native, from.bytes).ok_or(Refusal::ModelUnknown)?;
    let object = json::object::scan_object(from.body, &["generationConfig"]);
    let object = object.map_err(|_| Refused::from(Refusal::InvalidJson))?;
    let mut ask = Ask::of_path(operation, Cow::Owned(model), native.is_streaming);
    ask.is_array = native.is_array;
    ask.max_output_tokens = object.values[0].and_then(|span| bound(span.of(from.body)));
    Ok(ask)
}

/// ACCOUNT/MODEL.
fn name(native: &Native, head: &[u8]) -> Option<String> {
    let plain = |span: Span| {
        let text = String::from_utf8(percent_decode(span.of(head))).ok();
        text.filter(|text| !text.contains(char::is_control))
    };
    Some(format!("{}/{}", plain(native.account)?, plain(native.model)?))
}

/// The most tokens that the answer may have.
fn bound(config: &[u8]) -> Option<u32> {
    let object = json::object::scan_nested(config, &["maxOutputTokens"]).ok()?;
    let max = json::value::read_u64(object.values[0]?.of(config))?;
    Some(u32::try_from(max).unwrap_or(u32::MAX))
}
