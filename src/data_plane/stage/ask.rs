//! What a client wants, by its path, its body and where a header names the account.

use crate::{
    data_plane::{
        inbound::Request,
        local::percent_decode,
        stage::parse::{Native, Route},
    },
    dialect::{
        openai_chat::request::{self, Ask},
        pivot::part::Dialect,
    },
    lexicon::{
        ids::{ModelId, SubjectId},
        operation::Operation,
        refusal::{Refusal, Refused},
    },
    provider::target::ResponsesApi,
    snapshot::Snapshot,
    wire::{json, span::Span},
};
use std::borrow::Cow;

/// Names the account of a Responses request; what it asks of an answer that a vendor keeps has no
/// model in it.
const ACCOUNT: &str = "x-tfy-provider-name";

/// Read the Ask.
///
/// # Errors
/// As `openai_chat::request::read` says; of a path that names the model, `ModelUnknown` where it
/// is no text, `InvalidJson` where the body is no object; of an account, `InvalidHeader`,
/// `ModelUnknown` and `OperationUnsupported`.
pub fn read<'s>(
    (snapshot, subject): (&'s Snapshot, SubjectId),
    route: Route,
    operation: Operation,
    from: &Request<'s>,
) -> Result<Ask<'s>, Refused> {
    match route {
        Route::Native(native) => of_path(&native, operation, from),
        Route::Stored(_) => stored(snapshot, subject, from),
        Route::CallOf(operation, name) => {
            let name = String::from_utf8_lossy(&percent_decode(name.of(from.bytes))).into_owned();
            request::read_of(operation, name, from.body)
        }
        _ => {
            let mut ask = request::read(operation, from.body)?;
            if Dialect::of(operation) == Dialect::OpenAiResponses
                && let Some(account) = account(from)?
                && !snapshot.model_names.contains_key(&*ask.model)
            {
                ask.model = Cow::Owned(format!("{account}/{}", ask.model));
            }
            Ok(ask)
        }
    }
}

fn of_path<'b>(
    native: &Native,
    operation: Operation,
    from: &Request<'b>,
) -> Result<Ask<'b>, Refused> {
    let model = name(native, from.bytes).ok_or(Refusal::ModelUnknown)?;
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

fn account<'s>(request: &Request<'s>) -> Result<Option<&'s str>, Refused> {
    let Some(value) = request.header(ACCOUNT) else { return Ok(None) };
    match std::str::from_utf8(value) {
        Ok(account) if !account.is_empty() => Ok(Some(account)),
        _ => Err(Refusal::InvalidHeader.about(ACCOUNT, "It must name an account.")),
    }
}

/// Any model of the account knows the way to its vendor.
fn stored<'s>(
    snapshot: &'s Snapshot,
    subject: SubjectId,
    request: &Request<'s>,
) -> Result<Ask<'s>, Refused> {
    let Some(account) = account(request)? else {
        let detail = format!("Name the account that keeps the response in {ACCOUNT}.");
        return Err(Refusal::InvalidHeader.about(ACCOUNT, detail));
    };
    let ids = (0_u32..).map(ModelId);
    let mut own = snapshot
        .models
        .iter()
        .zip(ids)
        .filter(|(model, id)| &*model.account == account && snapshot.allows(subject, *id))
        .map(|(model, _)| model)
        .peekable();
    if own.peek().is_none() {
        let detail = format!("No account {account:?} has a model for this key.");
        return Err(Refusal::ModelUnknown.about(ACCOUNT, detail));
    }
    let Some(model) = own.find(|model| model.target.responses != ResponsesApi::No) else {
        let detail = "The account's vendor keeps no responses.";
        return Err(Refusal::OperationUnsupported.about(ACCOUNT, detail));
    };
    let target = request.head.target.of(request.bytes);
    let is_streaming =
        target.split(|byte| matches!(byte, b'?' | b'&')).skip(1).any(|pair| pair == b"stream=true");
    let name = Cow::Borrowed(&*model.name);
    Ok(Ask::of_path(Operation::StoredResponse, name, is_streaming))
}
