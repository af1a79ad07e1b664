//! Heads of replies, and replies that are ours alone.

use crate::{
    data_plane::connection::Next,
    dialect::{pivot::part::Dialect, translation},
    lexicon::refusal::{Refusal, Refused},
    wire::http1,
};

/// How a refusal is told, and with what.
pub struct Told<'a> {
    pub request_id: &'a str,
    pub dialect: Dialect,
    /// Header lines of ours.
    pub lines: &'a [u8],
}

/// Append a whole refusal; where in `out` its body starts.
pub fn push_refusal(out: &mut Vec<u8>, refused: &Refused, told: &Told<'_>, next: Next) -> usize {
    let row = refused.refusal.row();
    let mut body = Vec::with_capacity(256);
    translation::push_refused(&mut body, refused, told.dialect, told.request_id);
    push_status(out, row.status);
    if let Some(seconds) = row.retry_after_seconds {
        out.extend_from_slice(b"retry-after: ");
        http1::push_decimal(out, u64::from(seconds));
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(told.lines);
    match refused.refusal {
        Refusal::MethodNotAllowed => {
            push_header(out, "allow", refused.param.as_deref().unwrap_or("GET, HEAD, POST"));
        }
        Refusal::MissingKey | Refusal::InvalidKey | Refusal::ExpiredKey => {
            push_header(out, "www-authenticate", "Bearer");
        }
        // Asking again with the same broken credential upstream helps no one.
        Refusal::UpstreamAuth => push_header(out, "x-should-retry", "false"),
        _ => {}
    }
    push_own(out, body.len(), told.request_id, next);
    let body_at = out.len();
    out.extend_from_slice(&body);
    body_at
}

/// Append the head of a JSON reply of our own.
pub fn push_local(out: &mut Vec<u8>, status: u16, length: usize, request_id: &str, next: Next) {
    push_status(out, status);
    push_own(out, length, request_id, next);
}

fn push_own(out: &mut Vec<u8>, length: usize, request_id: &str, next: Next) {
    push_header(out, "content-type", "application/json");
    push_request_id(out, request_id);
    push_length(out, length as u64);
    push_end(out, next);
}

/// Append `HTTP/1.1 200 OK`.
pub fn push_status(out: &mut Vec<u8>, status: u16) {
    if status == 200 {
        return out.extend_from_slice(b"HTTP/1.1 200 OK\r\n");
    }
    out.extend_from_slice(b"HTTP/1.1 ");
    http1::push_decimal(out, u64::from(status));
    out.push(b' ');
    out.extend_from_slice(reason(status).as_bytes());
    out.extend_from_slice(b"\r\n");
}

/// Append a header whose value is known to be clean.
pub fn push_header(out: &mut Vec<u8>, name: &str, value: &str) {
    push_raw(out, name.as_bytes(), value.as_bytes());
}

/// Append a header of bytes that came through a codec that refuses CR, LF and NUL.
pub fn push_raw(out: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    out.extend_from_slice(name);
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

pub fn push_request_id(out: &mut Vec<u8>, request_id: &str) {
    // OpenAI's clients read the first name, Anthropic's the second.
    push_header(out, "x-request-id", request_id);
    push_header(out, "request-id", request_id);
}

pub fn push_length(out: &mut Vec<u8>, length: u64) {
    out.extend_from_slice(b"content-length: ");
    http1::push_decimal(out, length);
    out.extend_from_slice(b"\r\n");
}

/// Append the last header and the empty line.
pub fn push_end(out: &mut Vec<u8>, next: Next) {
    match next {
        Next::KeepAlive => out.extend_from_slice(b"\r\n"),
        Next::Close | Next::Reset => out.extend_from_slice(b"connection: close\r\n\r\n"),
    }
}

/// **Source**: IANA HTTP status code registry, read 2026-11-21.
const fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        201 => "Created",
        202 => "Accepted",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        409 => "Conflict",
        411 => "Length Required",
        413 => "Content Too Large",
        414 => "URI Too Long",
        415 => "Unsupported Media Type",
        417 => "Expectation Failed",
        422 => "Unprocessable Content",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        499 => "Client Closed Request",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        529 => "Overloaded",
        _ => "Status",
    }
}
