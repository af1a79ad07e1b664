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
    /// A call whose path names the model; where, percent-encoded.
    CallOf(Operation, Span),
}

impl Route {
    pub const fn operation(self) -> Option<Operation> {
        match self {
            Self::Call(operation) | Self::CallOf(operation, _) => Some(operation),
            _ => None,
        }
    }

    /// Where the path of a call names the model.
    pub const fn model(self) -> Option<Span> {
        match self {
            Self::CallOf(_, name) => Some(name),
            _ => None,
        }
    }

    pub const fn needs_key(self) -> bool {
        !matches!(self, Self::Health | Self::Ready)
    }

    const fn allows(self, method: Method) -> bool {
        match self {
            Self::Call(_) | Self::CallOf(..) => matches!(method, Method::Post),
            _ => matches!(method, Method::Get | Method::Head),
        }
    }

    const fn methods(self) -> &'static str {
        match self {
            Self::Call(_) | Self::CallOf(..) => "POST",
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
        _ => named(rest, head.target.start, path.len()).ok_or(Refusal::RouteUnknown)?,
    };
    if !route.allows(head.method) {
        return Err(Refusal::MethodNotAllowed.about(route.methods(), ""));
    }
    if route.operation().is_some() && head.framing == Framing::None {
        return Err(Refusal::LengthRequired.into());
    }
    Ok(route)
}

/// A path that names a model; `rest` is the end of a path of `length` that starts at `start`.
fn named(rest: &[u8], start: u32, length: usize) -> Option<Route> {
    let span = |name: &[u8], behind: usize| {
        let end = start + u32::try_from(length - behind).unwrap_or_default();
        let start = end - u32::try_from(name.len()).unwrap_or_default();
        (!name.is_empty()).then_some(Span { start, end })
    };
    if let Some(name) = rest.strip_prefix(b"/models/") {
        return span(name, 0).map(Route::Model);
    }
    // As AWS's SDKs call it, where this is their endpoint.
    let rest = rest.strip_prefix(b"/bedrock/proxy/model/")?;
    let operations = Operation::ALL.into_iter().filter(|it| it.names_model_in_path());
    operations.into_iter().find_map(|operation| {
        let end = operation.path().as_bytes();
        let name = rest.strip_suffix(end)?;
        span(name, end.len()).map(|name| Route::CallOf(operation, name))
    })
}

fn starts_anew(rest: &[u8]) -> bool {
    rest.is_empty() || rest.starts_with(b"/")
}
