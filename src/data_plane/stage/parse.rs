//! Which API a request is for, by its head alone.

use crate::{
    lexicon::{
        operation::Operation,
        refusal::{Refusal, Refused},
    },
    wire::{
        http1::{
            Framing,
            request::{Method, RequestHead},
        },
        span::Span,
    },
};

/// What is behind a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route {
    Health,
    Ready,
    Models,
    /// What the caller has spent of budgets.
    MyUsage,
    /// One model; where its name stands in the head, percent-encoded.
    Model(Span),
    Call(Operation),
    /// A call whose path names the model; where, percent-encoded.
    CallOf(Operation, Span),
    /// A call whose model is named in the path, apart from its account.
    Native(Native),
    /// An answer that its vendor keeps.
    Stored(Stored),
}

/// What is wanted of an answer that its vendor keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stored {
    /// `/responses/ID`
    Response,
    /// `/responses/ID/input_items`
    InputItems,
    /// `/responses/ID/cancel`
    Cancel,
}

/// A call in a vendor's own paths.
///
/// **Shape**: `/gemini/ACCOUNT/proxy/v1beta/models/MODEL:generateContent`, with any version, and
/// with Vertex's path in front of `models`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Native {
    pub operation: Operation,
    /// Percent-encoded, as the next.
    pub account: Span,
    pub model: Span,
    pub is_streaming: bool,
    /// The stream is one array, as Google's are where nobody says `alt=sse`.
    pub is_array: bool,
}

impl Route {
    pub const fn operation(self) -> Option<Operation> {
        match self {
            Self::Call(operation)
            | Self::CallOf(operation, _)
            | Self::Native(Native { operation, .. }) => Some(operation),
            Self::Stored(_) => Some(Operation::StoredResponse),
            _ => None,
        }
    }

    pub const fn needs_key(self) -> bool {
        !matches!(self, Self::Health | Self::Ready)
    }

    const fn allows(self, method: Method) -> bool {
        match self {
            Self::Call(_) | Self::CallOf(..) | Self::Native(_) | Self::Stored(Stored::Cancel) => {
                matches!(method, Method::Post)
            }
            Self::Stored(Stored::Response) => matches!(method, Method::Get | Method::Delete),
            Self::Stored(Stored::InputItems) => matches!(method, Method::Get),
            _ => matches!(method, Method::Get | Method::Head),
        }
    }

    const fn methods(self) -> &'static str {
        match self {
            Self::Call(_) | Self::CallOf(..) | Self::Native(_) | Self::Stored(Stored::Cancel) => {
                "POST"
            }
            Self::Stored(Stored::Response) => "GET, DELETE",
            Self::Stored(Stored::InputItems) => "GET",
            _ => "GET, HEAD",
        }
    }
}

/// Each route is at `/`, `/v1`, `/api/llm` and `/api/llm/v1`; a query is allowed and ignored.
///
/// # Errors
/// `RouteUnknown`, `MethodNotAllowed` (its param names the methods), `LengthRequired`.
pub fn route(head: &RequestHead, bytes: &[u8]) -> Result<Route, Refused> {
    let target = head.target.of(bytes);
    let path = target.split(|byte| *byte == b'?').next().unwrap_or_default();
    let mut rest = path;
    for prefix in [&b"/api/llm"[..], b"/v1"] {
        rest = rest.strip_prefix(prefix).filter(|rest| starts_anew(rest)).unwrap_or(rest);
    }
    let route = match rest {
        b"/" | b"" => Route::Health,
        b"/ready" => Route::Ready,
        b"/models" => Route::Models,
        b"/api/svc/v1/llm-gateway/budgets/my-usage" => Route::MyUsage,
        b"/chat/completions" => Route::Call(Operation::ChatCompletions),
        b"/completions" => Route::Call(Operation::Completions),
        b"/embeddings" => Route::Call(Operation::Embeddings),
        b"/messages" => Route::Call(Operation::Messages),
        b"/messages/count_tokens" => Route::Call(Operation::CountTokens),
        b"/responses" => Route::Call(Operation::Responses),
        b"/responses/compact" => Route::Call(Operation::CompactResponse),
        _ if rest.starts_with(b"/responses/") => Route::Stored(stored(rest)?),
        _ => elsewhere(rest, target, head.target.start)?,
    };
    if !route.allows(head.method) {
        return Err(Refusal::MethodNotAllowed.about(route.methods(), ""));
    }
    let has_body = matches!(route, Route::Call(_) | Route::CallOf(..) | Route::Native(_));
    if has_body && head.framing == Framing::None {
        return Err(Refusal::LengthRequired.into());
    }
    Ok(route)
}

/// The longest id of an answer; vendors' have about 60 bytes.
const ID_BYTES_MAX: usize = 256;

/// What is behind `/responses/`: nothing passes on but what is known.
fn stored(path: &[u8]) -> Result<Stored, Refusal> {
    let mut steps = path.split(|byte| *byte == b'/').skip(2);
    let id = steps.next().unwrap_or_default();
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    if id.is_empty() || id.len() > ID_BYTES_MAX || !id.iter().all(is_plain) {
        return Err(Refusal::RouteUnknown);
    }
    match (steps.next(), steps.next()) {
        (None, _) => Ok(Stored::Response),
        (Some(b"input_items"), None) => Ok(Stored::InputItems),
        (Some(b"cancel"), None) => Ok(Stored::Cancel),
        _ => Err(Refusal::RouteUnknown),
    }
}

/// Paths with a name in them. `target` starts at `start` in the head, and `rest` is a part of it.
fn elsewhere(rest: &[u8], target: &[u8], start: u32) -> Result<Route, Refused> {
    let span = |part: &[u8]| {
        let at = part.as_ptr().addr() - target.as_ptr().addr();
        let at = start + u32::try_from(at).unwrap_or_default();
        Span { start: at, end: at + u32::try_from(part.len()).unwrap_or_default() }
    };
    if let Some(name) = rest.strip_prefix(b"/models/").filter(|name| !name.is_empty()) {
        return Ok(Route::Model(span(name)));
    }
    let unknown = || Refused::from(Refusal::RouteUnknown);
    // As AWS's SDKs call it, where this is their endpoint.
    if let Some(rest) = rest.strip_prefix(b"/bedrock/proxy/model/") {
        let mut operations = Operation::ALL.into_iter().filter(|it| it.names_model_in_path());
        let found = operations.find_map(|operation| {
            let name = rest.strip_suffix(operation.path().as_bytes())?;
            (!name.is_empty()).then(|| Route::CallOf(operation, span(name)))
        });
        return found.ok_or_else(|| not_served(rest, AWS_SERVED));
    }
    if rest.starts_with(b"/bedrock/proxy/") {
        return Err(not_served(rest, AWS_SERVED));
    }
    let rest = rest.strip_prefix(b"/gemini/").ok_or_else(unknown)?;
    let slash = memchr::memchr(b'/', rest).ok_or_else(unknown)?;
    let (account, rest) = rest.split_at(slash);
    let rest = rest.strip_prefix(b"/proxy/").ok_or_else(unknown)?;
    let other = || not_served(rest, GOOGLE_SERVED);
    let models = memchr::memmem::find(rest, b"models/").ok_or_else(other)?;
    let rest = &rest[models + b"models/".len()..];
    let colon = memchr::memrchr(b':', rest).ok_or_else(other)?;
    let (model, method) = rest.split_at(colon);
    let (operation, is_streaming) = match method {
        b":generateContent" => (Operation::GenerateContent, false),
        b":streamGenerateContent" => (Operation::GenerateContent, true),
        b":countTokens" => (Operation::CountContent, false),
        _ => return Err(other()),
    };
    if account.is_empty() || model.is_empty() {
        return Err(unknown());
    }
    let query = target.split(|byte| *byte == b'?').nth(1).unwrap_or_default();
    let is_events = query.split(|byte| *byte == b'&').any(|pair| pair == b"alt=sse");
    Ok(Route::Native(Native {
        operation,
        account: span(account),
        model: span(model),
        is_streaming,
        is_array: is_streaming && !is_events,
    }))
}

/// What of AWS's and of Google's own APIs is served; the rest is not passed on, for nobody would
/// know what it costs, and who may see what other callers keep there.
const AWS_SERVED: &str = "converse, converse-stream, invoke, invoke-with-response-stream and \
    count-tokens of a model; models are listed at /v1/models";
const GOOGLE_SERVED: &str = "generateContent, streamGenerateContent and countTokens of a model; \
    embeddings are asked for at /v1/embeddings, models are listed at /v1/models, and files, caches, \
    batches and predictions are not served: send data inline, or by its URL";

#[cold]
fn not_served(path: &[u8], served: &str) -> Refused {
    let path = String::from_utf8_lossy(&path[..path.len().min(80)]).into_owned();
    Refusal::RouteUnknown.about("path", format!("{path:?} is not served here: only {served}."))
}

fn starts_anew(rest: &[u8]) -> bool {
    rest.is_empty() || rest.starts_with(b"/")
}
