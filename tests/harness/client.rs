//! A client over a plain socket: what it sends and reads is bytes.

use super::DEADLINE;
use serde_json::Value;
use std::{
    fmt::Write as _,
    io::{ErrorKind, Read as _, Write as _},
    net::{Shutdown, SocketAddr, TcpStream},
    time::{Duration, Instant},
};

/// The key of a user who may use every model.
pub const KEY: &str = "rehearsal-key-of-the-owner";
/// The key of a virtual account that may use every model, with tags.
pub const KEY_BILLING: &str = "rehearsal-key-of-billing";
/// The key of a user who may use the model `open` only.
pub const KEY_OUTSIDER: &str = "rehearsal-key-of-an-outsider";
/// The key that expired.
pub const KEY_EXPIRED: &str = "rehearsal-key-that-expired";

/// A request.
#[derive(Clone)]
pub struct Ask {
    pub method: String,
    pub path: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Ask {
    pub fn get(path: &str) -> Self {
        let key = ("authorization".to_owned(), format!("Bearer {KEY}"));
        Self { method: "GET".into(), path: path.into(), headers: vec![key], body: Vec::new() }
    }

    /// With the owner's key, a length and a type.
    pub fn post(path: &str, body: impl Into<Vec<u8>>) -> Self {
        let body = body.into();
        let mut ask = Self::get(path);
        ask.method = "POST".into();
        ask.headers.push(("content-type".into(), "application/json".into()));
        ask.headers.push(("content-length".into(), body.len().to_string()));
        ask.body = body;
        ask
    }

    /// A plain chat with `test/MODEL`.
    pub fn chat(model: &str) -> Self {
        Self::post("/v1/chat/completions", chat_body(model, ""))
    }

    /// A streamed chat with `test/MODEL`.
    pub fn stream(model: &str) -> Self {
        Self::post("/v1/chat/completions", chat_body(model, r#","stream":true"#))
    }

    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(key, _)| !key.eq_ignore_ascii_case(name));
        self
    }

    /// With another key, or none when empty.
    pub fn key(self, key: &str) -> Self {
        let ask = self.without("authorization");
        if key.is_empty() { ask } else { ask.header("authorization", &format!("Bearer {key}")) }
    }

    pub fn bytes(&self) -> Vec<u8> {
        let mut head = format!("{} {} HTTP/1.1\r\nHost: weir.test\r\n", self.method, self.path);
        for (name, value) in &self.headers {
            let _ = write!(head, "{name}: {value}\r\n");
        }
        head.push_str("\r\n");
        [head.as_bytes(), &self.body].concat()
    }
}

/// A body with odd spacing, an unknown field and a big number: whoever re-writes it is seen.
pub fn chat_body(model: &str, more: &str) -> String {
    format!(
        r#"{{ "model" : "test/{model}","messages":[ {{"role":"user","content":"Say \u0041 – żółć 🦀"}}],
  "x_unknown":{{"n":12345678901234567890,"e":1.0e+2 }}{more} }}"#
    )
}

/// A reply as read.
#[derive(Clone, Debug)]
pub struct Reply {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    /// Without chunk framing.
    pub body: Vec<u8>,
    /// Did the body end as its framing promised?
    pub is_whole: bool,
}

impl Reply {
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut found = self.headers.iter().filter(|(key, _)| key.eq_ignore_ascii_case(name));
        found.next().map(|(_, value)| value.as_str())
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error} in {self:?}: {}", self.text()))
    }

    /// The code of a refusal; checks the whole shape that every refusal has.
    pub fn refusal(&self) -> String {
        let body = self.json();
        let error = &body["error"];
        for field in ["message", "type", "code"] {
            assert!(error[field].is_string(), "{field} is missing: {body}");
        }
        assert!(error.get("param").is_some(), "param is missing: {body}");
        let id = self.header("x-request-id").expect("every reply has a request id");
        assert_eq!(self.header("request-id"), Some(id));
        assert!(body.to_string().contains(id), "the request id {id} is not in {body}");
        assert_eq!(self.header("content-type"), Some("application/json"));
        error["code"].as_str().unwrap_or_default().to_owned()
    }

    /// The data of a stream's events.
    pub fn events(&self) -> Vec<String> {
        events(&self.body)
    }
}

/// The data of the events in these bytes.
pub fn events(body: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(body).replace("\r\n", "\n");
    let data = |event: &str| {
        let lines = event.lines().filter_map(|line| line.strip_prefix("data:"));
        lines.map(|line| line.strip_prefix(' ').unwrap_or(line)).collect::<Vec<_>>().join("\n")
    };
    text.split("\n\n").map(data).filter(|data| !data.is_empty()).collect()
}

/// A connection.
pub struct Client {
    stream: TcpStream,
    bytes: Vec<u8>,
    has_ended: bool,
}

impl Client {
    pub fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect_timeout(&address, DEADLINE).expect("the port is open");
        stream.set_nodelay(true).expect("a TCP socket");
        stream.set_read_timeout(Some(DEADLINE)).expect("not zero");
        Self { stream, bytes: Vec::new(), has_ended: false }
    }

    pub fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).expect("the gateway reads");
    }

    /// Sends; the gateway may have closed already.
    pub fn offer(&mut self, bytes: &[u8]) {
        let _ = self.stream.write_all(bytes);
    }

    /// The sending half ends; the reply is still awaited.
    pub fn half_close(&self) {
        self.stream.shutdown(Shutdown::Write).expect("the socket is open");
    }

    /// One more read; false at the end of the connection. Panics at the deadline.
    fn more(&mut self) -> bool {
        let mut buffer = [0; 16 * 1024];
        match self.stream.read(&mut buffer) {
            Ok(0) => self.has_ended = true,
            Ok(length) => self.bytes.extend_from_slice(&buffer[..length]),
            Err(error) if error.kind() == ErrorKind::ConnectionReset => self.has_ended = true,
            Err(error) => panic!("{error} after {:?}", String::from_utf8_lossy(&self.bytes)),
        }
        !self.has_ended
    }

    /// The head of the next reply; interim replies are passed over. Its body is empty yet.
    pub fn head(&mut self) -> Reply {
        loop {
            let head = self.any_head();
            if !(100..200).contains(&head.status) {
                return head;
            }
        }
    }

    /// The head of the next reply, also an interim one.
    pub fn any_head(&mut self) -> Reply {
        let end = loop {
            if let Some(at) = find(&self.bytes, b"\r\n\r\n") {
                break at + 4;
            }
            let seen = String::from_utf8_lossy(&self.bytes).into_owned();
            assert!(self.more(), "the connection ended before a reply; so far {seen:?}");
        };
        let head: Vec<u8> = self.bytes.drain(..end).collect();
        parse_head(&head)
    }

    /// Does the connection end without a reply?
    pub fn ends_silently(&mut self) -> bool {
        while self.more() {}
        self.bytes.is_empty()
    }

    /// The next whole reply.
    pub fn reply(&mut self) -> Reply {
        let mut reply = self.head();
        self.body(&mut reply, usize::MAX);
        reply
    }

    /// The next reply where all of it comes, `None` where the connection ends before.
    pub fn whole_reply(&mut self) -> Option<Reply> {
        while find(&self.bytes, b"\r\n\r\n").is_none() {
            if !self.more() {
                return None;
            }
        }
        let reply = self.reply();
        reply.is_whole.then_some(reply)
    }

    /// Reads into `reply` until it is whole, the connection ends, or so many body bytes are there.
    pub fn body(&mut self, reply: &mut Reply, bytes_min: usize) {
        let framing = framing(reply);
        let mut used = 0;
        loop {
            let (taken, is_whole) = framing.take(&self.bytes[used..], &mut reply.body);
            used += taken;
            reply.is_whole = is_whole || (framing == Framing::Close && self.has_ended);
            if reply.is_whole || reply.body.len() >= bytes_min || self.has_ended {
                break;
            }
            self.more();
        }
        self.bytes.drain(..used);
    }

    /// Waits until the body so far contains `wanted`; how long that took.
    pub fn body_until(&mut self, reply: &mut Reply, wanted: &str) -> Duration {
        let begun = Instant::now();
        while !reply.text().contains(wanted) {
            let so_far = reply.body.len();
            self.body(reply, so_far + 1);
            let is_growing = reply.body.len() > so_far;
            assert!(is_growing, "the body ended without {wanted:?}: {}", reply.text());
        }
        begun.elapsed()
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Framing {
    /// So many bytes in all.
    Length(usize),
    Chunked,
    Close,
}

impl Framing {
    /// Appends what `bytes` hold of the body: how many were used, and is that the end?
    fn take(self, bytes: &[u8], body: &mut Vec<u8>) -> (usize, bool) {
        match self {
            Self::Length(length) => {
                let taken = bytes.len().min(length - body.len());
                body.extend_from_slice(&bytes[..taken]);
                (taken, body.len() == length)
            }
            Self::Close => {
                body.extend_from_slice(bytes);
                (bytes.len(), false)
            }
            Self::Chunked => take_chunks(bytes, body),
        }
    }
}

fn take_chunks(bytes: &[u8], body: &mut Vec<u8>) -> (usize, bool) {
    let mut used = 0;
    loop {
        let rest = &bytes[used..];
        let Some(line) = find(rest, b"\r\n") else { return (used, false) };
        let size = String::from_utf8_lossy(&rest[..line]);
        let size = size.split(';').next().unwrap_or_default().trim();
        let size = usize::from_str_radix(size, 16).unwrap_or_else(|_| panic!("chunk {size:?}"));
        let Some(chunk) = rest.get(line + 2..line + 4 + size) else { return (used, false) };
        assert_eq!(&chunk[size..], b"\r\n", "a chunk ends with CRLF");
        body.extend_from_slice(&chunk[..size]);
        used += line + 4 + size;
        if size == 0 {
            return (used, true);
        }
    }
}

fn framing(reply: &Reply) -> Framing {
    let length = reply.header("content-length").map(|length| length.parse().expect("a number"));
    match (reply.header("transfer-encoding"), length) {
        (Some(coding), None) => {
            assert_eq!(coding, "chunked");
            Framing::Chunked
        }
        (Some(_), Some(_)) => panic!("two framings: {reply:?}"),
        (None, Some(length)) => Framing::Length(length),
        (None, None) if reply.status == 204 => Framing::Length(0),
        (None, None) => Framing::Close,
    }
}

fn parse_head(bytes: &[u8]) -> Reply {
    let text = String::from_utf8(bytes.to_vec()).expect("heads are ASCII");
    let mut lines = text.trim_end().split("\r\n");
    let status = lines.next().unwrap_or_default();
    let mut words = status.splitn(3, ' ');
    assert_eq!(words.next(), Some("HTTP/1.1"), "{status}");
    let status = words.next().and_then(|code| code.parse().ok()).expect("a status");
    let header = |line: &str| {
        let (name, value) = line.split_once(':').unwrap_or_else(|| panic!("no colon: {line:?}"));
        (name.to_owned(), value.trim().to_owned())
    };
    Reply { status, headers: lines.map(header).collect(), body: Vec::new(), is_whole: false }
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}
