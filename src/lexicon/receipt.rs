//! The bill: what one exchange was, as it stands in the receipt store.
//!
//! A receipt is written in two parts. The opening is known at admission; the outcome when the last
//! bytes are about to leave. Both are self-contained: names, not numbers of a snapshot.

use crate::lexicon::{
    ids::ReceiptId,
    operation::Operation,
    time::{DAY_MS, UnixMillis},
    usage::Usage,
};

/// How an exchange ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Ending {
    /// Still running; in the store only as `Interrupted`.
    Open = 0,
    /// The client got a whole answer (of whatever status the vendor gave).
    Complete = 1,
    /// The gateway refused, before or after asking the vendor.
    Refused = 2,
    /// The answer had begun and the vendor broke it off; the client was told so.
    Broken = 3,
    /// The client left.
    ClientGone = 4,
    /// The exchange panicked.
    Panicked = 5,
    /// The process died; found open in the ring afterwards.
    Interrupted = 6,
    /// No exchange, but a call beside one, with its id: of two calls that were made for it, the one
    /// whose answer was not told.
    Hedged = 7,
    /// No exchange, but a call beside one, with its id: a model was asked how hard it is.
    Classified = 8,
}

impl Ending {
    /// The name in JSON.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Complete => "complete",
            Self::Refused => "refused",
            Self::Broken => "broken",
            Self::ClientGone => "client_gone",
            Self::Panicked => "panicked",
            Self::Interrupted => "interrupted",
            Self::Hedged => "hedged",
            Self::Classified => "classified",
        }
    }

    /// Is it the line of a call beside an exchange, and not of the exchange itself?
    #[must_use]
    pub const fn is_beside(self) -> bool {
        matches!(self, Self::Hedged | Self::Classified)
    }

    #[must_use]
    pub const fn from_u8(value: u8) -> Option<Self> {
        Some(match value {
            0 => Self::Open,
            1 => Self::Complete,
            2 => Self::Refused,
            3 => Self::Broken,
            4 => Self::ClientGone,
            5 => Self::Panicked,
            6 => Self::Interrupted,
            7 => Self::Hedged,
            8 => Self::Classified,
            _ => return None,
        })
    }
}

/// What is known when an exchange is admitted (or refused before that).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Opening<'a> {
    pub started: UnixMillis,
    /// So many days later than it was then is the day that budgets count it in: periods that were
    /// left do not come back where a clock is set back.
    pub days_ahead: u16,
    /// None where the request never got as far as a known API.
    pub operation: Option<Operation>,
    pub is_streaming: bool,
    pub request_id: &'a str,
    /// An IP address, or `unix:UID`; what a trusted proxy says counts.
    pub client_address: &'a str,
    /// The subject of the client's certificate; empty when it showed none.
    pub client_certificate: &'a str,
    /// `user:…` or `virtualaccount:…`; empty when not authenticated.
    pub subject: &'a str,
    /// Teams of the subject, joined by commas.
    pub teams: &'a str,
    /// After overrides; keys and values as strings.
    pub metadata: &'a [(&'a str, &'a str)],
    /// As the client wrote it; empty when none was read.
    pub requested_model: &'a str,
}

/// What is known when an exchange ends.
///
/// **Units**: `_us` are microseconds, 0 when it never came to that; bytes are of bodies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome<'a> {
    pub ending: Ending,
    /// What the client saw, or 499 when it had left before.
    pub status: u16,
    /// A `Refusal`'s code, or empty.
    pub code: &'a str,
    /// A `Fault`'s label, or empty.
    pub fault: &'a str,
    /// `ACCOUNT/MODEL` that served, or empty.
    pub resolved_model: &'a str,
    pub usage: Usage,
    /// False where the vendor reported no usage (the tokens are then 0).
    pub usage_is_reported: bool,
    /// It left for a model: so it counts against limits, whatever came of it.
    pub was_sent: bool,
    /// In nano-dollars; none where the model's price or its usage is unknown.
    pub cost_nanodollars: Option<u64>,
    pub bytes_in: u64,
    pub bytes_out: u64,
    /// From the request's first byte to the answer's first content byte.
    pub ttft_us: u32,
    /// Mean time between streamed events after the first.
    pub inter_token_us: u32,
    pub total_us: u32,
    /// Attempts after the first.
    pub retries: u16,
    /// The id of the rule that routed it, or empty.
    pub rule: &'a str,
    /// Those attempts that failed, in their order: target, space, a status or a `Fault`'s label,
    /// space, and so on.
    pub attempts: &'a str,
    /// What of the request its target was not told, and what of the answer the client was not, for
    /// their APIs have no word for it: names with a comma and a space between, or empty.
    pub request_dropped: &'a str,
    pub reply_dropped: &'a str,
}

/// The most that is told of failed attempts.
pub const ATTEMPTS_BYTES_MAX: usize = 240;
/// The most that is told of what one side was not told: names that no longer fit are counted, as in
/// `logit_bias, seed, +3`. The header `x-weir-dropped` has room for more.
pub const DROPPED_BYTES_MAX: usize = 62;

impl Outcome<'_> {
    /// The outcome of an exchange about which nothing is known yet.
    pub const UNKNOWN: Self = Self {
        ending: Ending::Open,
        status: 0,
        code: "",
        fault: "",
        resolved_model: "",
        usage: Usage::NONE,
        usage_is_reported: false,
        was_sent: false,
        cost_nanodollars: None,
        bytes_in: 0,
        bytes_out: 0,
        ttft_us: 0,
        inter_token_us: 0,
        total_us: 0,
        retries: 0,
        rule: "",
        attempts: "",
        request_dropped: "",
        reply_dropped: "",
    };
}

/// A whole receipt, read back; it borrows from the record it was decoded from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt<'a> {
    pub id: ReceiptId,
    pub started: UnixMillis,
    /// As [`Opening::days_ahead`].
    pub days_ahead: u16,
    pub operation: Option<Operation>,
    pub is_streaming: bool,
    /// A text was cut or metadata left out, for want of room in the ring.
    pub is_truncated: bool,
    pub request_id: &'a str,
    pub client_address: &'a str,
    pub client_certificate: &'a str,
    pub subject: &'a str,
    pub teams: &'a str,
    pub metadata: Vec<(&'a str, &'a str)>,
    pub requested_model: &'a str,
    pub outcome: Outcome<'a>,
}

impl Receipt<'_> {
    /// A moment of the periods that budgets count it in.
    #[must_use]
    pub fn counted_at(&self) -> UnixMillis {
        let midnight = (self.started.day() + u64::from(self.days_ahead)).saturating_mul(DAY_MS);
        UnixMillis(self.started.0.max(midnight))
    }
}
