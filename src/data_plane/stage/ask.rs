//! What is asked, and of which model: a header may name its account.

use crate::{
    data_plane::inbound::Request,
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
};
use std::borrow::Cow;

/// Names the account of a Responses request; what it asks of an answer that a vendor keeps has no
/// model in it.
const ACCOUNT: &str = "x-tfy-provider-name";

/// Read what is asked.
///
/// # Errors
/// As `openai_chat::request::read` says; `InvalidHeader`, `ModelUnknown` and `OperationUnsupported`
/// of an account.
pub fn read<'s>(
    snapshot: &'s Snapshot,
    subject: SubjectId,
    operation: Operation,
    request: &Request<'s>,
) -> Result<Ask<'s>, Refused> {
    if operation == Operation::StoredResponse {
        return stored(snapshot, subject, request);
    }
    let mut ask = request::read(operation, request.body)?;
    if Dialect::of(operation) == Dialect::OpenAiResponses
        && let Some(account) = account(request)?
        && !snapshot.model_names.contains_key(&*ask.model)
    {
        ask.model = Cow::Owned(format!("{account}/{}", ask.model));
    }
    Ok(ask)
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
    Ok(Ask::without_body(Operation::StoredResponse, &model.name, is_streaming))
}
