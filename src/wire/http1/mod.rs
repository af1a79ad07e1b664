//! HTTP/1.1, strictly: heads by `httparse` with its leniencies closed, and chunks by hand.
//!
//! `request.rs` and `reply.rs` read a head from the front of a growing buffer, `chunked.rs` reads
//! and writes chunked bodies, `head.rs` is what both heads share. A request that two parsers could
//! read in two ways is an error here: the vendor must see what the gateway decided upon (RFC 9112,
//! rfc-editor.org/rfc/rfc9112, read 2026-11-21).
//!
//! **Invariants**: never writes to its input, never guesses a framing, never accepts a bare CR or
//! LF; in the steady state allocates nothing, for heads are reused. Knows no header but those that
//! frame a message: which may travel is `headers.rs`.

pub mod chunked;
mod head;
pub mod reply;
pub mod request;

/// The most header lines that any [`Limits`] can allow; the array for them is on the stack.
pub const HEADERS_MAX: usize = 100;

/// How the end of a body is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Framing {
    /// There is no body.
    #[default]
    None,
    /// Exactly so many bytes follow, maybe none.
    Length(u64),
    /// Chunks follow: see `chunked.rs`.
    Chunked,
    /// All until the connection closes. Replies only.
    UntilClose,
}

/// What a head may measure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// From the first byte to the blank line's end.
    pub head_bytes_max: usize,
    /// Header lines; at most [`HEADERS_MAX`] count.
    pub headers_max: usize,
    /// The request target as written; replies have none.
    pub target_bytes_max: usize,
}

/// Why a message cannot be read. The connection cannot be used after any of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HttpError {
    /// 400. The label says what was wrong, for a trail; it holds no byte of the input.
    Bad(&'static str),
    /// 431: more bytes or more lines than the limits allow.
    HeadTooLarge,
    /// 414.
    UriTooLong,
    /// 417: `Expect` asks for something other than `100-continue`.
    ExpectationFailed,
    /// 505: an HTTP version other than 1.0 and 1.1.
    VersionUnsupported,
    /// 501: CONNECT and TRACE, which are for proxies of another kind.
    MethodUnsupported,
}

impl HttpError {
    /// The label in a trail: a reason for `Bad`, else the variant's name.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Bad(reason) => reason,
            Self::HeadTooLarge => "head_too_large",
            Self::UriTooLong => "uri_too_long",
            Self::ExpectationFailed => "expectation_failed",
            Self::VersionUnsupported => "version_unsupported",
            Self::MethodUnsupported => "method_unsupported",
        }
    }
}

/// Appends a number in decimal, as `Content-Length` wants it.
pub fn push_decimal(out: &mut Vec<u8>, number: u64) {
    // As places and many counts are.
    if number < 10 {
        return out.push(PAIRS[(number % 10) as usize][1]);
    }
    // 2^64 has 20 digits.
    let mut digits = [0_u8; 20];
    let mut rest = number;
    let mut at = digits.len();
    while rest >= 10 {
        at -= 2;
        digits[at..at + 2].copy_from_slice(&PAIRS[(rest % 100) as usize]);
        rest /= 100;
    }
    if rest > 0 || at == digits.len() {
        at -= 1;
        digits[at] = PAIRS[(rest % 10) as usize][1];
    }
    out.extend_from_slice(&digits[at..]);
}

/// `00` to `99`: two digits cost one division.
pub const PAIRS: [[u8; 2]; 100] = {
    let mut pairs = [[0; 2]; 100];
    let mut number = 0;
    while number < 100 {
        pairs[number] = [b"0123456789"[number / 10], b"0123456789"[number % 10]];
        number += 1;
    }
    pairs
};

#[cfg(test)]
mod tests {
    use super::push_decimal;

    #[test]
    fn decimals_are_written_as_std_writes_them() {
        for number in [0, 7, 10, 99, 100, 101, 1_000, 12_345, 1_234_567_890, u64::MAX] {
            let mut out = b"x".to_vec();

            push_decimal(&mut out, number);

            assert_eq!(out, format!("x{number}").into_bytes());
        }
    }
}
