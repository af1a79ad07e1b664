//! What went wrong upstream: what, whose fault, may we try again.

use crate::lexicon::refusal::Refusal;

/// A failure between the gateway and a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fault {
    NameUnresolved,
    ConnectFailed,
    ConnectTimeout,
    TlsFailed,
    /// The connection ended before a byte of the answer.
    ClosedEarly,
    /// The answer is not HTTP, not framed as it says, or not what its status promises.
    Invalid,
    FirstByteTimeout,
    TtftTimeout,
    IdleTimeout,
    TotalTimeout,
    /// The connection ended in the middle of the answer.
    Truncated,
    /// The vendor refused our credential (401 or 403).
    Auth,
    /// The vendor answered with this error status.
    Status(u16),
    /// The vendor put an error object into an answer it had begun with 200.
    ErrorEvent,
    SecretUnavailable,
    /// It has as many calls as it may, and no turn came in time.
    Busy,
}

impl Fault {
    /// The label in receipts and metrics; low cardinality.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::NameUnresolved => "name_unresolved",
            Self::ConnectFailed => "connect_failed",
            Self::ConnectTimeout => "connect_timeout",
            Self::TlsFailed => "tls_failed",
            Self::ClosedEarly => "closed_early",
            Self::Invalid => "invalid_response",
            Self::FirstByteTimeout => "first_byte_timeout",
            Self::TtftTimeout => "ttft_timeout",
            Self::IdleTimeout => "idle_timeout",
            Self::TotalTimeout => "total_timeout",
            Self::Truncated => "truncated",
            Self::Auth => "auth",
            Self::Status(_) => "status",
            Self::ErrorEvent => "error_event",
            Self::SecretUnavailable => "secret_unavailable",
            Self::Busy => "busy",
        }
    }

    /// What the client is told when no other target remains; `None` where the vendor's own answer
    /// is passed on.
    #[must_use]
    pub const fn refusal(self) -> Option<Refusal> {
        match self {
            Self::NameUnresolved | Self::ConnectFailed | Self::TlsFailed | Self::ClosedEarly => {
                Some(Refusal::UpstreamUnreachable)
            }
            Self::ConnectTimeout => Some(Refusal::ConnectTimeout),
            Self::Invalid => Some(Refusal::UpstreamInvalid),
            Self::FirstByteTimeout => Some(Refusal::FirstByteTimeout),
            Self::TtftTimeout => Some(Refusal::TtftTimeout),
            Self::IdleTimeout => Some(Refusal::IdleTimeout),
            Self::TotalTimeout => Some(Refusal::TotalTimeout),
            Self::Truncated => Some(Refusal::StreamTruncated),
            Self::Auth => Some(Refusal::UpstreamAuth),
            Self::SecretUnavailable => Some(Refusal::SecretUnavailable),
            Self::Busy => Some(Refusal::TargetBusy),
            Self::Status(_) | Self::ErrorEvent => None,
        }
    }
}
