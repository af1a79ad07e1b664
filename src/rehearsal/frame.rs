//! Answers as HTTP/1.1 bytes, server-sent events and chunks.

use super::script::Step;
use serde_json::Value;

/// `HTTP/1.1 STATUS` with these headers, without the empty line's end of a length.
pub(super) fn head(status: u16, headers: &[(&str, &str)]) -> Vec<u8> {
    let mut head = format!("HTTP/1.1 {status} {}\r\n", reason(status)).into_bytes();
    for (name, value) in headers {
        head.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
    }
    head.extend_from_slice(b"\r\n");
    head
}

/// A whole answer in one buffer.
pub(super) fn whole(status: u16, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let length = body.len().to_string();
    let mut all = headers.to_vec();
    all.push(("content-length", &length));
    let mut bytes = head(status, &all);
    bytes.extend_from_slice(body);
    bytes
}

/// A JSON answer with the vendor's usual headers.
pub(super) fn json(status: u16, extra: &[(&str, &str)], body: &Value) -> Step {
    let mut headers = vec![("content-type", "application/json")];
    headers.extend_from_slice(extra);
    Step::Send(whole(status, &headers, body.to_string().as_bytes()))
}

/// An error as OpenAI words it.
pub(super) fn error(kind: &str, code: Option<&str>, message: &str) -> Value {
    serde_json::json!({
        "error": {"message": message, "type": kind, "param": null, "code": code}
    })
}

pub(super) fn chunk(bytes: &[u8]) -> Vec<u8> {
    let mut chunk = format!("{:x}\r\n", bytes.len()).into_bytes();
    chunk.extend_from_slice(bytes);
    chunk.extend_from_slice(b"\r\n");
    chunk
}

pub(super) const LAST_CHUNK: &[u8] = b"0\r\n\r\n";

/// One event of a stream.
#[derive(Clone, Debug)]
pub(super) enum Event {
    Data(Value),
    Named(&'static str, Value),
    Verbatim(&'static str),
    /// Of an answer that is no server-sent events.
    Frame(Vec<u8>),
}

/// How a stream's lines are written.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Manner {
    pub crlf: bool,
    pub no_space: bool,
    pub multi_line: bool,
}

impl Event {
    pub fn is_data(&self) -> bool {
        matches!(self, Self::Data(_))
    }

    pub fn bytes(&self, manner: Manner) -> Vec<u8> {
        let (name, text) = match self {
            Self::Verbatim(text) => return lines(text, manner),
            Self::Frame(bytes) => return bytes.clone(),
            Self::Data(value) => (None, data(value, manner)),
            Self::Named(name, value) => (Some(name), data(value, manner)),
        };
        let name = name.map(|name| format!("event: {name}\n")).unwrap_or_default();
        lines(&format!("{name}{text}\n"), manner)
    }
}

fn data(value: &Value, manner: Manner) -> String {
    let text = if manner.multi_line { format!("{value:#}") } else { value.to_string() };
    let prefix = if manner.no_space { "data:" } else { "data: " };
    let lines: Vec<&str> = text.split('\n').collect();
    format!("{prefix}{}\n", lines.join(&format!("\n{prefix}")))
}

fn lines(text: &str, manner: Manner) -> Vec<u8> {
    if manner.crlf { text.replace('\n', "\r\n").into_bytes() } else { text.as_bytes().to_vec() }
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        204 => "No Content",
        302 => "Found",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        429 => "Too Many Requests",
        500 => "Internal Server Error",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        _ => "Status",
    }
}

#[cfg(test)]
mod tests {
    use super::{Event, Manner};
    use serde_json::json;

    #[test]
    fn an_event_is_written_in_the_manner_asked_for() {
        let event = Event::Named("error", json!({"a": 1}));
        let plain = Manner::default();
        let odd = Manner { crlf: true, no_space: true, multi_line: true };
        assert_eq!(event.bytes(plain), b"event: error\ndata: {\"a\":1}\n\n");
        let expected = b"event: error\r\ndata:{\r\ndata:  \"a\": 1\r\ndata:}\r\n\r\n";
        assert_eq!(event.bytes(odd), expected);
    }
}
