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
}

impl Route {
    pub const fn operation(self) -> Option<Operation> {
        match self {
            Self::Call(operation) => Some(operation),
            _ => None,
        }
    }

    pub const fn needs_key(self) -> bool {
        !matches!(self, Self::Health | Self::Ready)
    }

    const fn allows(self, method: Method) -> bool {
        match self {
            Self::Call(_) => matches!(method, Method::Post),
            _ => matches!(method, Method::Get | Method::Head),
        }
    }

    const fn methods(self) -> &'static str {
        match self {
            Self::Call(_) => "POST",
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

fn starts_anew(rest: &[u8]) -> bool {
    rest.is_empty() || rest.starts_with(b"/")
}
