//! What a client is told when it does not get what it asked for: a closed list, one table.
//!
//! A dialect renders these in its own words of shape; status, code and sentence are here only.

/// The reason of a refusal.
///
/// **Cost**: `Copy`, two bytes. **Source** of the type names: OpenAI error objects
/// (platform.openai.com/docs/guides/error-codes, read 2026-11-21).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u16)]
pub enum Refusal {
    BadHttp,
    InvalidJson,
    DuplicateField,
    InvalidField,
    MissingModel,
    Unbounded,
    InvalidMetadata,
    InvalidHeader,
    MissingKey,
    InvalidKey,
    ExpiredKey,
    BudgetExceededPayment,
    ModelForbidden,
    ModelUnknown,
    OperationUnsupported,
    TargetsUnfit,
    RouteUnknown,
    MethodNotAllowed,
    RequestTimeout,
    TtftTimeout,
    LengthRequired,
    BodyTooLarge,
    UriTooLong,
    EncodingUnsupported,
    ExpectationFailed,
    RateLimited,
    BudgetExceeded,
    StrictCut,
    HeadersTooLarge,
    ClientGone,
    Internal,
    UpstreamUnreachable,
    UpstreamAuth,
    UpstreamInvalid,
    StreamTruncated,
    SecretUnavailable,
    TargetsDown,
    TargetBusy,
    ReceiptsFull,
    MetersFull,
    BodyMemoryFull,
    ConnectionsFull,
    ConnectTimeout,
    FirstByteTimeout,
    IdleTimeout,
    TotalTimeout,
}

/// One row of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    pub status: u16,
    /// Stable, machine readable.
    pub code: &'static str,
    /// The class of error, as OpenAI's clients know it.
    pub kind: &'static str,
    /// What happened and what to do, complete without a detail.
    pub sentence: &'static str,
    /// Seconds after which asking again makes sense.
    pub retry_after_seconds: Option<u32>,
}

const fn row(status: u16, code: &'static str, kind: &'static str, sentence: &'static str) -> Row {
    Row { status, code, kind, sentence, retry_after_seconds: None }
}

const fn busy(code: &'static str, sentence: &'static str) -> Row {
    Row { retry_after_seconds: Some(1), ..row(503, code, "server_error", sentence) }
}

const REQUEST: &str = "invalid_request_error";
const AUTHENTICATION: &str = "authentication_error";
const TIMEOUT: &str = "timeout_error";
const BUDGET: &str = "budget_exceeded";
const OVER_BUDGET: &str = "A budget of this gateway has no money or tokens left for this request.";
const UPSTREAM: &str = "upstream_error";

impl Refusal {
    /// Every refusal, in the order of its statuses.
    pub const ALL: [Self; 46] = [
        Self::BadHttp,
        Self::InvalidJson,
        Self::DuplicateField,
        Self::InvalidField,
        Self::MissingModel,
        Self::Unbounded,
        Self::InvalidMetadata,
        Self::InvalidHeader,
        Self::MissingKey,
        Self::InvalidKey,
        Self::ExpiredKey,
        Self::BudgetExceededPayment,
        Self::ModelForbidden,
        Self::ModelUnknown,
        Self::OperationUnsupported,
        Self::TargetsUnfit,
        Self::RouteUnknown,
        Self::MethodNotAllowed,
        Self::RequestTimeout,
        Self::TtftTimeout,
        Self::LengthRequired,
        Self::BodyTooLarge,
        Self::UriTooLong,
        Self::EncodingUnsupported,
        Self::ExpectationFailed,
        Self::RateLimited,
        Self::BudgetExceeded,
        Self::StrictCut,
        Self::HeadersTooLarge,
        Self::ClientGone,
        Self::Internal,
        Self::UpstreamUnreachable,
        Self::UpstreamAuth,
        Self::UpstreamInvalid,
        Self::StreamTruncated,
        Self::SecretUnavailable,
        Self::TargetsDown,
        Self::TargetBusy,
        Self::ReceiptsFull,
        Self::MetersFull,
        Self::BodyMemoryFull,
        Self::ConnectionsFull,
        Self::ConnectTimeout,
        Self::FirstByteTimeout,
        Self::IdleTimeout,
        Self::TotalTimeout,
    ];

    /// The table.
    #[must_use]
    #[rustfmt::skip] // One row a line reads as the table it is.
    pub const fn row(self) -> Row {
        match self {
            Self::BadHttp => row(400, "bad_http", REQUEST, "The bytes received are not a valid HTTP/1.1 request; the connection is closed."),
            Self::InvalidJson => row(400, "invalid_json", REQUEST, "The body is not a valid JSON object in UTF-8, nested at most 128 deep."),
            Self::DuplicateField => row(400, "duplicate_field", REQUEST, "A field that the gateway reads appears twice; send it once."),
            Self::InvalidField => row(400, "invalid_field", REQUEST, "A field has a value of the wrong kind or out of its range."),
            Self::MissingModel => row(400, "missing_model", REQUEST, "The body names no model; set \"model\" to ACCOUNT/MODEL, as listed at /v1/models."),
            Self::Unbounded => row(400, "unbounded_request", REQUEST, "A strict limit holds for this request, and what it may use at most cannot be known."),
            Self::InvalidMetadata => row(400, "invalid_metadata", REQUEST, "The header x-tfy-metadata must be a JSON object whose values are strings of at most 128 characters."),
            Self::InvalidHeader => row(400, "invalid_header", REQUEST, "A gateway header has a value that cannot be obeyed."),
            Self::MissingKey => row(401, "missing_api_key", AUTHENTICATION, "No API key was sent; send it as \"Authorization: Bearer KEY\" or \"x-api-key: KEY\"."),
            Self::InvalidKey => row(401, "invalid_api_key", AUTHENTICATION, "This API key is not known here; it may have been revoked. Ask for a new one."),
            Self::ExpiredKey => row(401, "expired_api_key", AUTHENTICATION, "This API key has expired. Ask for a new one."),
            Self::BudgetExceededPayment => row(402, BUDGET, BUDGET, OVER_BUDGET),
            Self::ModelForbidden => row(403, "model_access_denied", "permission_error", "This key may not use that model; ask whoever manages its account for access."),
            Self::ModelUnknown => row(404, "model_not_found", "not_found_error", "No such model here; GET /v1/models lists those that this key may use."),
            Self::OperationUnsupported => row(404, "operation_not_supported", "not_found_error", "That model does not serve this API; its model_types do not include it."),
            Self::TargetsUnfit => row(404, "no_target_fits", "not_found_error", "A rule routes this model, and none of its targets is meant for a request with this metadata."),
            Self::RouteUnknown => row(404, "route_not_found", "not_found_error", "No such path here; the API lives under /v1, e.g. POST /v1/chat/completions."),
            Self::MethodNotAllowed => row(405, "method_not_allowed", REQUEST, "That path exists, but not for this method; see the Allow header."),
            Self::RequestTimeout => row(408, "request_timeout", TIMEOUT, "The request did not arrive in time; send it faster or in fewer bytes."),
            Self::TtftTimeout => row(408, "ttft_timeout", TIMEOUT, "The model sent no first byte within x-tfy-ttft-timeout-ms."),
            Self::LengthRequired => row(411, "length_required", REQUEST, "This request needs a body: send Content-Length or Transfer-Encoding: chunked."),
            Self::BodyTooLarge => row(413, "body_too_large", REQUEST, "The body is larger than this gateway accepts."),
            Self::UriTooLong => row(414, "uri_too_long", REQUEST, "The request target is longer than this gateway accepts."),
            Self::EncodingUnsupported => row(415, "unsupported_content_encoding", REQUEST, "The Content-Encoding is not supported; use identity, gzip, deflate, br or zstd."),
            Self::ExpectationFailed => row(417, "expectation_failed", REQUEST, "The only expectation supported is 100-continue."),
            Self::RateLimited => row(429, "rate_limit_exceeded", "rate_limit_exceeded", "A rate limit of this gateway is reached."),
            Self::BudgetExceeded => row(429, BUDGET, BUDGET, OVER_BUDGET),
            Self::StrictCut => row(429, "strict_cut", BUDGET, "The answer was ended where a strict limit of this gateway had nothing left."),
            Self::HeadersTooLarge => row(431, "headers_too_large", REQUEST, "The request's header is larger than this gateway accepts."),
            Self::ClientGone => row(499, "client_closed_request", REQUEST, "The client closed the connection before the answer was complete."),
            Self::Internal => row(500, "internal_error", "server_error", "The gateway failed on this request; the request id names it in the log."),
            Self::UpstreamUnreachable => row(502, "upstream_unreachable", UPSTREAM, "The model's server could not be reached; try again, or use another model."),
            Self::UpstreamAuth => row(502, "upstream_auth", UPSTREAM, "The model's vendor refused the gateway's own credential; your key is fine. Tell whoever runs the gateway."),
            Self::UpstreamInvalid => row(502, "upstream_invalid_response", UPSTREAM, "The model's server sent an answer that is not valid; try again, or use another model."),
            Self::StreamTruncated => row(502, "stream_truncated", UPSTREAM, "The model's server ended the stream before it was complete."),
            Self::SecretUnavailable => busy("secret_unavailable", "The credential of this model cannot be read just now. Tell whoever runs the gateway."),
            Self::TargetsDown => busy("all_targets_down", "None of the servers that serve this model can be reached just now; try again shortly."),
            Self::TargetBusy => row(503, "target_busy", "server_error", "That model has as many calls at once as it may, and no turn came in time; try again when Retry-After says."),
            Self::ReceiptsFull => busy("receipts_full", "The gateway cannot record this request just now and does not serve what it cannot record."),
            Self::MetersFull => busy("meters_full", "The gateway counts as many limits as it may and does not serve what it cannot count."),
            Self::BodyMemoryFull => busy("body_memory_full", "Too many large requests are in flight; try again shortly."),
            Self::ConnectionsFull => busy("connections_full", "Too many connections are open; try again shortly."),
            Self::ConnectTimeout => row(504, "connect_timeout", TIMEOUT, "The model's server did not accept a connection in time."),
            Self::FirstByteTimeout => row(504, "first_byte_timeout", TIMEOUT, "The model's server did not begin its answer in time."),
            Self::IdleTimeout => row(504, "idle_timeout", TIMEOUT, "The model's server fell silent in the middle of its answer."),
            Self::TotalTimeout => row(504, "request_deadline", TIMEOUT, "The answer was not complete within the time allowed."),
        }
    }
}

/// A refusal with what makes it particular: text of ours or of the same client, never from inside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    pub refusal: Refusal,
    /// Follows the row's sentence, e.g. the nearest model names; may be empty.
    pub detail: Box<str>,
    /// The field or header at fault, where there is one.
    pub param: Option<Box<str>>,
}

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Self {
        Self { refusal, detail: "".into(), param: None }
    }
}

impl Refusal {
    /// This refusal, about `param`, with `detail` after its sentence.
    #[must_use]
    #[cold]
    pub fn about(self, param: &str, detail: impl Into<Box<str>>) -> Refused {
        Refused { refusal: self, detail: detail.into(), param: Some(param.into()) }
    }
}

#[cfg(test)]
mod tests {
    use super::Refusal;
    use std::collections::HashSet;

    #[test]
    fn every_refusal_has_its_own_code_and_a_sentence_to_act_on() {
        // A spent budget is told by the status that the operator chose.
        let mut codes = HashSet::new();
        let both = [Refusal::BudgetExceeded, Refusal::BudgetExceededPayment];
        assert_eq!(both.map(|it| it.row().code), ["budget_exceeded"; 2]);
        for (index, refusal) in Refusal::ALL.into_iter().enumerate() {
            let row = refusal.row();
            assert_eq!(refusal as usize, index, "ALL is in the order of the enum");
            assert!(codes.insert((row.status, row.code)), "{} twice", row.code);
            assert!(row.sentence.ends_with('.') && row.sentence.len() > 30, "{}", row.code);
            assert!((400..600).contains(&row.status));
        }
    }
}
