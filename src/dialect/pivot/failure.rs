//! An error that a vendor tells, in no API's words.

use crate::dialect::pivot::text::Text;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure<'b> {
    pub kind: FailureKind,
    /// For a person to read.
    pub message: Text<'b>,
    /// The vendor's machine-readable code, where it has one.
    pub code: Option<Text<'b>>,
    /// The field at fault, where it says one.
    pub param: Option<Text<'b>>,
}

/// The classes of error that the dialects share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureKind {
    Invalid,
    Authentication,
    Permission,
    NotFound,
    TooLarge,
    RateLimit,
    Overloaded,
    Timeout,
    Internal,
}

impl FailureKind {
    /// The class of a status that is an error.
    #[must_use]
    pub const fn of_status(status: u16) -> Self {
        match status {
            401 => Self::Authentication,
            403 => Self::Permission,
            404 => Self::NotFound,
            413 => Self::TooLarge,
            429 => Self::RateLimit,
            503 | 529 => Self::Overloaded,
            408 | 504 => Self::Timeout,
            400..=499 => Self::Invalid,
            _ => Self::Internal,
        }
    }

    /// The status that says the same.
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::Invalid => 400,
            Self::Authentication => 401,
            Self::Permission => 403,
            Self::NotFound => 404,
            Self::TooLarge => 413,
            Self::RateLimit => 429,
            Self::Overloaded => 503,
            Self::Timeout => 504,
            Self::Internal => 502,
        }
    }
}
