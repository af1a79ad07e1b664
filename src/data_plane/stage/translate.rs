//! The Call: what we send to a target, head and body in one buffer.

use crate::{
    data_plane::{
        inbound::Request,
        stage::{alter, finish},
        upstream::buffers::Buffers,
    },
    dialect::{
        bedrock::{chunk, encode::request::BETAS},
        bound,
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
        operation::Operation,
        refusal::{Refusal, Refused},
        time::UnixMillis,
    },
    policy::route::Changes,
    provider::target::{Invoking, Target},
    wire::{
        headers,
        http1::{self, request::Method},
    },
};
use std::borrow::Cow;

/// Room for the length, which is known only when the body is there.
const LENGTH_DIGITS: usize = 10;

/// The version of Anthropic's API that is asked for where the client asks for none.
/// **Source**: docs.claude.com/en/api/versioning, read 2026-11-21: the only one since 2023.
const ANTHROPIC_VERSION: &[u8] = b"anthropic-version: 2023-06-01\r\n";

/// Headers by which a client asks for what a vendor does not do for all.
const BETA_HEADERS: [&str; 2] = ["anthropic-beta", "openai-beta"];

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
    /// In which it tells errors.
    pub errors: Dialect,
    /// Its stream is frames of AWS's.
    pub is_framed: bool,
}

/// How a target is spoken to.
struct Speech {
    /// The language of its vendor's API.
    to: Dialect,
    dialect: Dialect,
    operation: Operation,
    mend: Mend,
}

/// What becomes of the client's body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mend {
    /// It passes, spliced.
    Splice,
    /// It is written anew.
    Translate,
    /// It is Anthropic's, for Anthropic's models at Bedrock.
    ToInvoke,
    /// The other way round.
    FromInvoke,
}

impl Speech {
    /// How this target is asked for that.
    fn of(ask: &Ask<'_>, target: &Target) -> Result<Self, Refused> {
        let (client, streams) = (Dialect::of(ask.operation), ask.is_streaming);
        let is_invoking =
            matches!(ask.operation, Operation::InvokeModel | Operation::InvokeModelStream);
        let vendor = target.dialect_for(client);
        let (dialect, operation, mend) = match vendor {
            _ if is_invoking && target.invoking != Invoking::Never => {
                (client, ask.operation, Mend::Splice)
            }
            _ if target.invoking == Invoking::AsAnthropic
                && ask.operation == Operation::Messages =>
            {
                let stream = [Operation::InvokeModel, Operation::InvokeModelStream];
                (client, stream[usize::from(streams)], Mend::ToInvoke)
            }
            Dialect::Anthropic if is_invoking => (client, Operation::Messages, Mend::FromInvoke),
            to if to == client => (client, ask.operation, Mend::Splice),
            to if is_invoking || ask.operation == client.chat_of(streams) => {
                (to, to.chat_of(streams), Mend::Translate)
            }
            _ => {
                let detail = "Only chats are translated for that model's vendor.";
                return Err(Refusal::OperationUnsupported.about("model", detail));
            }
        };
        Ok(Self { to: vendor, dialect, operation, mend })
    }
}

impl Said {
    /// The client's own words, as long as no others were found.
    pub fn as_asked(operation: Operation) -> Self {
        Self {
            dialect: Dialect::of(operation),
            written: Written::default(),
            errors: Dialect::of_errors(operation),
            is_framed: operation.is_framed(),
        }
    }
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

/// Write the call, into one of `buffers`; `dropped` then names what the target does not see.
///
/// Where both sides speak the same language, the body is the client's own bytes, spliced; else it
/// is parsed in full, and written anew. Where the answer may have at most so many tokens, the body
/// says so. A target that is signed is signed as of `now`.
///
/// # Errors
/// `OperationUnsupported` where the target's language has no word for it; of a translation,
/// `InvalidJson`, `InvalidField` and `DuplicateField`; the fault `SecretUnavailable` where the
/// target's secret is missing, or the call cannot be signed.
pub fn call(
    buffers: &Buffers,
    to: (&Target, Option<&Changes>),
    ask: &Ask<'_>,
    from: &Request<'_>,
    told: (UnixMillis, Option<u32>, &mut Dropped),
) -> Result<Call, Unsaid> {
    if to.0.is_secret_missing {
        return Err(Fault::SecretUnavailable.into());
    }
    if ask.operation == Operation::StoredResponse {
        *told.2 = Dropped::default();
        return stored(buffers.take(), to.0, from, told.0);
    }
    match to.1.filter(|changes| !changes.params.is_empty()) {
        None => write(buffers, to, ask, from, told),
        // What is only counted has no parameters.
        Some(_) if ask.operation == Operation::CountContent => write(buffers, to, ask, from, told),
        Some(changes) => {
            let mut body = Vec::with_capacity(from.body.len() + 256);
            if ask.operation == Operation::GenerateContent {
                alter::google_params(&mut body, from.body, changes)?;
            } else {
                alter::params(&mut body, from.body, changes)?;
            }
            let from = Request { body: &body, ..*from };
            if ask.is_of_path() {
                return write(buffers, to, ask, &from, told);
            }
            let ask = request::read(ask.operation, &body)?;
            write(buffers, to, &ask, &from, told)
        }
    }
}

fn write(
    buffers: &Buffers,
    (target, changes): (&Target, Option<&Changes>),
    ask: &Ask<'_>,
    from: &Request<'_>,
    (now, most, dropped): (UnixMillis, Option<u32>, &mut Dropped),
) -> Result<Call, Unsaid> {
    let mut out = buffers.take();
    *dropped = Dropped::default();
    if target.claude_version.is_some() && ask.operation == Operation::CountTokens {
        let detail = "That model's vendor is asked for chats only.";
        return Err(Refusal::OperationUnsupported.about("model", detail).into());
    }
    let speech = Speech::of(ask, target)?;
    let says_max_tokens = target.abilities.says_max_tokens;
    let held = most.map(|most| bound::hold(from.body, ask.operation, most, says_max_tokens));
    let body = held.as_deref().unwrap_or(from.body);
    let head = target.head_of(speech.operation, ask.is_streaming);
    out.reserve(head.len() + body.len() + 512);
    out.extend_from_slice(head);
    push_headers(&mut out, speech.to, speech.mend, from, dropped);
    if let Some(changes) = changes.filter(|it| it.touch_headers()) {
        alter::headers(&mut out, changes);
    }
    out.extend_from_slice(b"content-length: ");
    let length_at = out.len();
    out.extend_from_slice(&[b' '; LENGTH_DIGITS]);
    out.extend_from_slice(b"\r\n\r\n");

    let body_at = out.len();
    // Where the path names the model, nothing is known by its place in the body.
    let reread = held.as_deref().filter(|_| !ask.is_of_path());
    let read = reread.map(|body| request::read(ask.operation, body)).transpose()?;
    let betas = from.header("anthropic-beta");
    let said = (read.as_ref().unwrap_or(ask), body, betas);
    let written = push_body(&mut out, speech.mend, target, said, (dropped, buffers))?;
    finish::fit(&mut out, body_at, &target.fit, dropped);
    if let Some(version) = target.claude_version {
        finish::say_version(&mut out, body_at, version);
    }
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
    let said = Said {
        dialect: speech.dialect,
        written,
        errors: match target.invoking {
            Invoking::Never => speech.dialect,
            // What is asked in a maker's words is answered so, but refused in the vendor's.
            _ => target.dialect,
        },
        is_framed: speech.operation.is_framed(),
    };
    Ok(Call { bytes: out, said })
}

/// Write the body at the end of `out`.
fn push_body(
    out: &mut Vec<u8>,
    mend: Mend,
    target: &Target,
    (ask, body, betas): (&Ask<'_>, &[u8], Option<&[u8]>),
    (dropped, buffers): (&mut Dropped, &Buffers),
) -> Result<Written, Refused> {
    let at = out.len();
    match mend {
        Mend::Splice => {
            let rejects_stream_options = target.rejects_stream_options;
            request::splice(out, body, ask, &target.model_json, rejects_stream_options);
        }
        Mend::ToInvoke => {
            out.extend_from_slice(body);
            chunk::to_invoke(out, at, betas, dropped);
        }
        Mend::FromInvoke => {
            out.extend_from_slice(body);
            chunk::from_invoke(out, at, &target.model_json, ask.is_streaming);
        }
        Mend::Translate => {
            let to = Addressee { model_json: &target.model_json, abilities: &target.abilities };
            let to_dialect = target.dialect_for(Dialect::of(ask.operation));
            let (mut notes, client) = (buffers.take_document(), Dialect::of(ask.operation));
            let mut request = translation::read_request(&mut notes, body, client, dropped)?;
            request.is_streaming = ask.is_streaming;
            if let Some(betas) = betas.filter(|_| target.invoking != Invoking::Never) {
                request.others.extend(betas_field(betas, dropped));
            }
            let written = translation::encode_request(out, &request, to_dialect, &to, dropped);
            buffers.give_document(notes);
            return Ok(written);
        }
    }
    Ok(Written::default())
}

/// Betas that a client asks for in a header, as Bedrock wants them: names in the body.
fn betas_field(header: &[u8], dropped: &mut Dropped) -> Option<Other<'static>> {
    let json = String::from_utf8(chunk::betas_json(header, dropped)?).ok()?;
    Some(Other { name: Cow::Borrowed(BETAS), value: Json(Cow::Owned(json)) })
}

/// The call for an answer that its vendor keeps: the client's method, and what its path says behind
/// `/responses`.
fn stored(
    mut out: Vec<u8>,
    target: &Target,
    from: &Request<'_>,
    now: UnixMillis,
) -> Result<Call, Unsaid> {
    let head = target.head(Operation::StoredResponse);
    let line_end = memchr::memchr(b'\r', head).unwrap_or_default();
    let (line, rest) = head.split_at(line_end);
    let address = line.split(|byte| *byte == b' ').nth(1).unwrap_or_default();
    let (path, query) = cut(address);
    let asked = from.head.target.of(from.bytes);
    let at = memchr::memmem::find(asked, b"/responses/").unwrap_or_default();
    let (behind, wanted) = cut(asked.get(at + b"/responses".len()..).unwrap_or_default());
    let method: &[u8] = match from.head.method {
        Method::Delete => b"DELETE ",
        Method::Post => b"POST ",
        _ => b"GET ",
    };
    for piece in [method, path, behind] {
        out.extend_from_slice(piece);
    }
    for (index, query) in [query, wanted].into_iter().filter(|it| !it.is_empty()).enumerate() {
        out.push(if index == 0 { b'?' } else { b'&' });
        out.extend_from_slice(query);
    }
    out.extend_from_slice(b" HTTP/1.1");
    out.extend_from_slice(rest);
    let dialect = Dialect::OpenAiResponses;
    push_headers(&mut out, dialect, Mend::Splice, from, &mut Dropped::default());
    if from.head.method == Method::Post {
        out.extend_from_slice(b"content-length: 0\r\n");
    }
    out.extend_from_slice(b"\r\n");
    let body_at = out.len();
    if let Some(signer) = &target.signer {
        finish::sign(&mut out, body_at, signer, now)?;
    }
    let written = Written::default();
    Ok(Call { bytes: out, said: Said { dialect, written, errors: dialect, is_framed: false } })
}

/// A path, and its query without the question mark.
fn cut(target: &[u8]) -> (&[u8], &[u8]) {
    let at = memchr::memchr(b'?', target).unwrap_or(target.len());
    (&target[..at], target.get(at + 1..).unwrap_or_default())
}

/// The client's headers that pass, but those for a vendor of another language than is spoken to, of
/// which those that ask for something are named.
fn push_headers(
    out: &mut Vec<u8>,
    to: Dialect,
    mend: Mend,
    from: &Request<'_>,
    dropped: &mut Dropped,
) {
    // Both of OpenAI's languages are one vendor's.
    let family = if to == Dialect::OpenAiResponses { Dialect::OpenAiChat } else { to };
    let vendors = [(&b"openai-"[..], Dialect::OpenAiChat), (b"anthropic-", Dialect::Anthropic)];
    // A version is a header's to Anthropic, and the body's to others that speak its words.
    let is_anothers = |name: &[u8]| {
        let begins = |prefix: &[u8]| {
            name.get(..prefix.len()).is_some_and(|it| it.eq_ignore_ascii_case(prefix))
        };
        vendors.iter().any(|(prefix, dialect)| *dialect != family && begins(prefix))
    };
    for (name, value) in from.head.iter(from.bytes) {
        let is_foreign = mend != Mend::Splice && is_anothers(name);
        if headers::passes_upstream(name) && !is_foreign {
            out.extend_from_slice(name);
            out.extend_from_slice(b": ");
            out.extend_from_slice(value);
            out.extend_from_slice(b"\r\n");
        } else if is_foreign {
            // Bedrock is told Anthropic's betas in the body.
            let asking = if to == Dialect::Bedrock { &BETA_HEADERS[1..] } else { &BETA_HEADERS };
            let is_it = |asking: &&&str| name.eq_ignore_ascii_case(asking.as_bytes());
            asking.iter().filter(is_it).for_each(|name| dropped.name(*name));
        }
    }
    if to == Dialect::Anthropic && from.header("anthropic-version").is_none() {
        out.extend_from_slice(ANTHROPIC_VERSION);
    }
    if mend == Mend::FromInvoke {
        let betas = chunk::betas_of(from.body);
        if !betas.is_empty() {
            out.extend_from_slice(b"anthropic-beta: ");
            out.extend_from_slice(betas.as_bytes());
            out.extend_from_slice(b"\r\n");
        }
    }
}
