//! What a fault counts as, for whoever judges attempts.

use crate::lexicon::fault::Fault;

/// The status that a fault counts as.
pub const fn status_of(fault: Fault) -> u16 {
    match fault {
        Fault::Status(status) => status,
        Fault::Auth => 401,
        Fault::TtftTimeout => 408,
        Fault::ConnectTimeout
        | Fault::FirstByteTimeout
        | Fault::IdleTimeout
        | Fault::TotalTimeout => 504,
        Fault::SecretUnavailable | Fault::Busy => 503,
        Fault::NameUnresolved
        | Fault::ConnectFailed
        | Fault::TlsFailed
        | Fault::ClosedEarly
        | Fault::Invalid
        | Fault::Truncated
        | Fault::ErrorEvent => 502,
    }
}

/// Was nobody reached?
pub const fn is_unconnected(fault: Fault) -> bool {
    matches!(fault, Fault::NameUnresolved | Fault::ConnectFailed | Fault::TlsFailed)
}

/// Did the time run out, or is the target closed for now? Then the next one is asked.
pub const fn is_late(fault: Fault) -> bool {
    matches!(
        fault,
        Fault::ConnectTimeout
            | Fault::FirstByteTimeout
            | Fault::TtftTimeout
            | Fault::IdleTimeout
            | Fault::TotalTimeout
            | Fault::SecretUnavailable
            | Fault::Busy
    )
}

/// Does it say something about the target? **Source**: the reference, §8.6: 5xx, 429, 401, 403.
pub fn is_targets_own(status: u16, fault: Option<Fault>) -> bool {
    let is_ours = matches!(
        fault,
        Some(Fault::TtftTimeout | Fault::TotalTimeout | Fault::SecretUnavailable | Fault::Busy)
    );
    !is_ours && matches!(status, 401 | 403 | 429 | 500..=599)
}
