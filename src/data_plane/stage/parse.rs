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
    /// One model; where its name stands in the head, percent-encoded.
    Model(Span),
    Call(Operation),
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

impl Route {
    pub const fn operation(self) -> Option<Operation> {
        match self {
            Self::Call(operation) => Some(operation),
            Self::Stored(_) => Some(Operation::StoredResponse),
            _ => None,
        }
    }

    pub const fn needs_key(self) -> bool {
        !matches!(self, Self::Health | Self::Ready)
    }

    const fn allows(self, method: Method) -> bool {
        match self {
            Self::Call(_) | Self::Stored(Stored::Cancel) => matches!(method, Method::Post),
            Self::Stored(Stored::Response) => matches!(method, Method::Get | Method::Delete),
            Self::Stored(Stored::InputItems) => matches!(method, Method::Get),
            _ => matches!(method, Method::Get | Method::Head),
        }
    }

    const fn methods(self) -> &'static str {
        match self {
            Self::Call(_) | Self::Stored(Stored::Cancel) => "POST",
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
        b"/chat/completions" => Route::Call(Operation::ChatCompletions),
        b"/completions" => Route::Call(Operation::Completions),
        b"/embeddings" => Route::Call(Operation::Embeddings),
        b"/messages" => Route::Call(Operation::Messages),
        b"/messages/count_tokens" => Route::Call(Operation::CountTokens),
        b"/responses" => Route::Call(Operation::Responses),
        b"/responses/compact" => Route::Call(Operation::CompactResponse),
        _ if rest.starts_with(b"/responses/") => Route::Stored(stored(rest)?),
        _ => match rest.strip_prefix(b"/models/").filter(|name| !name.is_empty()) {
            Some(name) => {
                let end = head.target.start + u32::try_from(path.len()).unwrap_or_default();
                let start = end - u32::try_from(name.len()).unwrap_or_default();
                Route::Model(Span { start, end })
            }
            None => return Err(Refusal::RouteUnknown.into()),
        },
    };
    if !route.allows(head.method) {
        return Err(Refusal::MethodNotAllowed.about(route.methods(), ""));
    }
    if matches!(route, Route::Call(_)) && head.framing == Framing::None {
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

fn starts_anew(rest: &[u8]) -> bool {
    rest.is_empty() || rest.starts_with(b"/")
}
