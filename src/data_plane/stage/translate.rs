//! The Call: what we send to a target, head and body in one buffer.

use crate::{
    data_plane::{inbound::Request, stage::finish},
    dialect::{
        bedrock::encode::request::BETAS,
        openai_chat::request::{self, Ask},
        pivot::{
            dropped::Dropped,
            part::Dialect,
            request::Other,
            target::{Addressee, Written},
            text::Json,
        },
        translation,
    },
    lexicon::{
        fault::Fault,
        refusal::{Refusal, Refused},
        time::UnixMillis,
    },
    provider::target::Target,
    wire::{
        headers, http1,
        json::{document::Document, value::push_json_string, write::Array},
    },
};
use std::borrow::Cow;

/// Room for the length, which is known only when the body is there.
const LENGTH_DIGITS: usize = 10;

/// The version of Anthropic's API that is asked for where the client asks for none.
/// **Source**: docs.claude.com/en/api/versioning, read 2026-11-21: the only one since 2023.
const ANTHROPIC_VERSION: &[u8] = b"anthropic-version: 2023-06-01\r\n";

/// A call, and what must be remembered to read its answer.
pub struct Call {
    pub bytes: Vec<u8>,
    pub said: Said,
}

/// What the vendor was told, and in which language.
#[derive(Clone, Copy)]
pub struct Said {
    pub dialect: Dialect,
    pub written: Written,
}

/// Why there is no call.
#[derive(Debug)]
pub enum Unsaid {
    /// The client asks what this target cannot be told.
    Refused(Refused),
    /// Another target may be told.
    Fault(Fault),
}

impl From<Refused> for Unsaid {
    fn from(refused: Refused) -> Self {
        Self::Refused(refused)
    }
}

impl From<Fault> for Unsaid {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

/// Write the call into `out`, which is empty; `dropped` then names what the target does not see.
///
/// Where both sides speak the same language, the body is the client's own bytes, spliced; else it
/// is parsed in full, and written anew. A target that is signed is signed as of `now`.
///
/// # Errors
/// `OperationUnsupported` where the target's language has no word for it; of a translation,
/// `InvalidJson`, `InvalidField` and `DuplicateField`; the fault `SecretUnavailable` where the call
/// cannot be signed.
pub fn call(
    mut out: Vec<u8>,
    target: &Target,
    ask: &Ask<'_>,
    from: &Request<'_>,
    (now, dropped): (UnixMillis, &mut Dropped),
) -> Result<Call, Unsaid> {
    debug_assert!(out.is_empty());
    *dropped = Dropped::default();
    let client = Dialect::of(ask.operation);
    let is_translated = client != target.dialect;
    if is_translated && ask.operation != client.chat(ask.is_streaming) {
        let detail = "Only chats are translated for that model's vendor.";
        return Err(Refusal::OperationUnsupported.about("model", detail).into());
    }
    let operation =
        if is_translated { target.dialect.chat(ask.is_streaming) } else { ask.operation };
    let head = target.head(operation);
    out.reserve(head.len() + from.body.len() + 512);
    out.extend_from_slice(head);
    push_headers(&mut out, target.dialect, is_translated, from);
    out.extend_from_slice(b"content-length: ");
    let length_at = out.len();
    out.extend_from_slice(&[b' '; LENGTH_DIGITS]);
    out.extend_from_slice(b"\r\n\r\n");

    let body_at = out.len();
    let written = if is_translated {
        let to = Addressee { model_json: &target.model_json, abilities: &target.abilities };
        let mut notes = Document::default();
        let mut request = translation::read_request(&mut notes, from.body, client, dropped)?;
        request.is_streaming = ask.is_streaming;
        if let (Dialect::Bedrock, Some(betas)) = (target.dialect, from.header("anthropic-beta")) {
            request.others.push(betas_field(betas));
        }
        translation::encode_request(&mut out, &request, target.dialect, &to, dropped)
    } else {
        let rejects_stream_options = target.rejects_stream_options;
        request::splice(&mut out, from.body, ask, &target.model_json, rejects_stream_options);
        Written::default()
    };
    finish::fit(&mut out, body_at, &target.fit, dropped);
    let length = out.len() - body_at;

    // Spaces before a value are part of the grammar; so the digits are set at the right.
    let digits_at = out.len();
    http1::push_decimal(&mut out, length as u64);
    let digits = out.len() - digits_at;
    out.copy_within(digits_at.., length_at + LENGTH_DIGITS - digits);
    out.truncate(digits_at);
    if let Some(signer) = &target.signer {
        finish::sign(&mut out, body_at, signer, now)?;
    }
    Ok(Call { bytes: out, said: Said { dialect: target.dialect, written } })
}

/// Betas that a client asks for in a header, as Bedrock wants them: names in the body.
fn betas_field(header: &[u8]) -> Other<'static> {
    let header = String::from_utf8_lossy(header);
    let names: Vec<&str> = header.split(',').map(str::trim).filter(|it| !it.is_empty()).collect();
    let mut json = Vec::new();
    let mut array = Array::open(&mut json);
    names.iter().for_each(|name| push_json_string(array.item(), name));
    array.close();
    let json = String::from_utf8(json).unwrap_or_default();
    Other { name: Cow::Borrowed(BETAS), value: Json(Cow::Owned(json)) }
}

/// The client's headers that pass, but those for a vendor of another language than is spoken to.
fn push_headers(out: &mut Vec<u8>, to: Dialect, is_translated: bool, from: &Request<'_>) {
    let vendors = [(&b"openai-"[..], Dialect::OpenAiChat), (b"anthropic-", Dialect::Anthropic)];
    // A version is a header's to Anthropic, and the body's to others that speak its words.
    let is_anothers = |name: &[u8]| {
        let begins = |prefix: &[u8]| {
            name.get(..prefix.len()).is_some_and(|it| it.eq_ignore_ascii_case(prefix))
        };
        vendors.iter().any(|(prefix, dialect)| *dialect != to && begins(prefix))
    };
    for (name, value) in from.head.iter(from.bytes) {
        let is_foreign = is_translated && is_anothers(name);
        if headers::passes_upstream(name) && !is_foreign {
            out.extend_from_slice(name);
            out.extend_from_slice(b": ");
            out.extend_from_slice(value);
            out.extend_from_slice(b"\r\n");
        }
    }
    if to == Dialect::Anthropic && from.header("anthropic-version").is_none() {
        out.extend_from_slice(ANTHROPIC_VERSION);
    }
}
