//! HTTP/2 frames by hand, over a plain socket: one peer of a connection, client or vendor.
//!
//! Headers are written as literals without index or Huffman code (RFC 7541 §6.2.2), so nothing of
//! the gateway's own HPACK is used; those that come are only told apart by their first byte.

use super::DEADLINE;
use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

pub const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

pub const DATA: u8 = 0;
pub const HEADERS: u8 = 1;
pub const PRIORITY: u8 = 2;
pub const RST_STREAM: u8 = 3;
pub const SETTINGS: u8 = 4;
pub const PUSH_PROMISE: u8 = 5;
pub const PING: u8 = 6;
pub const GOAWAY: u8 = 7;
pub const WINDOW_UPDATE: u8 = 8;
pub const CONTINUATION: u8 = 9;

pub const END_STREAM: u8 = 1;
pub const ACK: u8 = 1;
pub const END_HEADERS: u8 = 4;
pub const PADDED: u8 = 8;
pub const PRIORITIZED: u8 = 32;

pub const NO_ERROR: u32 = 0;
pub const PROTOCOL_ERROR: u32 = 1;
pub const INTERNAL_ERROR: u32 = 2;
pub const FLOW_CONTROL_ERROR: u32 = 3;
pub const STREAM_CLOSED: u32 = 5;
pub const FRAME_SIZE_ERROR: u32 = 6;
pub const REFUSED_STREAM: u32 = 7;
pub const CANCEL: u32 = 8;
pub const COMPRESSION_ERROR: u32 = 9;
pub const ENHANCE_YOUR_CALM: u32 = 11;

/// One frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    pub kind: u8,
    pub flags: u8,
    pub stream: u32,
    pub payload: Vec<u8>,
}

impl Frame {
    pub fn new(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Self {
        Self { kind, flags, stream, payload: payload.to_vec() }
    }

    pub fn bytes(&self) -> Vec<u8> {
        let length = u32::try_from(self.payload.len()).expect("a frame").to_be_bytes();
        let mut bytes = length[1..].to_vec();
        bytes.extend([self.kind, self.flags]);
        bytes.extend(self.stream.to_be_bytes());
        bytes.extend(&self.payload);
        bytes
    }

    /// The code of a reset or a farewell.
    pub fn code(&self) -> u32 {
        let at = if self.kind == GOAWAY { 4 } else { 0 };
        u32::from_be_bytes(self.payload[at..at + 4].try_into().expect("four bytes"))
    }

    pub fn is_last(&self) -> bool {
        [DATA, HEADERS].contains(&self.kind) && self.flags & END_STREAM != 0
    }
}

/// One header as a literal.
pub fn literal(name: &str, value: &str) -> Vec<u8> {
    let mut bytes = vec![0];
    for text in [name, value] {
        let length = u8::try_from(text.len()).ok().filter(|length| *length < 127);
        bytes.push(length.expect("a short text"));
        bytes.extend(text.as_bytes());
    }
    bytes
}

/// A block of headers.
pub fn block(headers: &[(&str, &str)]) -> Vec<u8> {
    headers.iter().flat_map(|(name, value)| literal(name, value)).collect()
}

/// One setting.
pub fn setting(id: u16, value: u32) -> Vec<u8> {
    [&id.to_be_bytes()[..], &value.to_be_bytes()].concat()
}

/// Bytes both ways, plain or through TLS.
pub trait Line: Read + Write + Send {}

impl<T: Read + Write + Send> Line for T {}

/// One side of a connection.
pub struct Peer {
    line: Box<dyn Line>,
    /// The socket under it.
    stream: TcpStream,
    bytes: Vec<u8>,
}

impl Peer {
    pub fn new(stream: TcpStream) -> Self {
        let line = Box::new(stream.try_clone().expect("a descriptor"));
        Self::over(line, stream)
    }

    /// The same over `line`, under which is `stream`.
    pub fn over(line: Box<dyn Line>, stream: TcpStream) -> Self {
        stream.set_nodelay(true).expect("a TCP socket");
        stream.set_read_timeout(Some(DEADLINE)).expect("not zero");
        stream.set_write_timeout(Some(DEADLINE)).expect("not zero");
        Self { line, stream, bytes: Vec::new() }
    }

    /// A client that has said hello, and heard it.
    pub fn greet(address: SocketAddr) -> Self {
        let mut peer = Self::new(TcpStream::connect(address).expect("the port is open"));
        peer.hello();
        peer
    }

    /// Says hello, and hears it.
    pub fn hello(&mut self) {
        self.raw(PREFACE);
        self.send(SETTINGS, 0, 0, &[]);
        let hello = self.next().expect("the gateway answers");
        assert_eq!((hello.kind, hello.flags), (SETTINGS, 0));
        self.send(SETTINGS, ACK, 0, &[]);
    }

    /// Sends bytes; the other side may have closed already.
    pub fn raw(&mut self, bytes: &[u8]) {
        let _ = self.line.write_all(bytes).and_then(|()| self.line.flush());
    }

    pub fn send(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
        self.raw(&Frame::new(kind, flags, stream, payload).bytes());
    }

    /// The next frame; `None` at the end of the connection. Panics at the deadline.
    pub fn next(&mut self) -> Option<Frame> {
        loop {
            if let Some(length) = self.bytes.first_chunk::<3>() {
                let length = u32::from_be_bytes([0, length[0], length[1], length[2]]) as usize;
                if self.bytes.len() >= 9 + length {
                    let payload = self.bytes[9..9 + length].to_vec();
                    let stream = self.bytes[5..9].try_into().expect("four bytes");
                    let frame = Frame {
                        kind: self.bytes[3],
                        flags: self.bytes[4],
                        stream: u32::from_be_bytes(stream),
                        payload,
                    };
                    self.bytes.drain(..9 + length);
                    return Some(frame);
                }
            }
            if !self.more() {
                return None;
            }
        }
    }

    /// How long the next reads wait before they panic.
    pub fn be_patient(&self, patience: Duration) {
        self.stream.set_read_timeout(Some(patience)).expect("not zero");
    }

    /// Does nothing come while it is patient? What comes is left for `next`.
    pub fn is_silent(&mut self) -> bool {
        use std::io::ErrorKind::{TimedOut, WouldBlock};
        let peeked = self.stream.peek(&mut [0]);
        self.bytes.is_empty()
            && peeked.is_err_and(|error| [TimedOut, WouldBlock].contains(&error.kind()))
    }

    /// Is nothing here to be read, just now?
    pub fn is_empty_now(&mut self) -> bool {
        if !self.bytes.is_empty() {
            return false;
        }
        self.stream.set_nonblocking(true).expect("a socket");
        let peeked = self.stream.peek(&mut [0]);
        self.stream.set_nonblocking(false).expect("a socket");
        peeked.is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock)
    }

    /// Reads once; false at the end.
    pub fn more(&mut self) -> bool {
        use std::io::ErrorKind::{ConnectionReset, UnexpectedEof};
        let mut buffer = [0; 16 << 10];
        match self.line.read(&mut buffer) {
            Ok(0) => false,
            Ok(length) => {
                self.bytes.extend_from_slice(&buffer[..length]);
                true
            }
            Err(error) if [ConnectionReset, UnexpectedEof].contains(&error.kind()) => false,
            Err(error) => panic!("{error} with {} bytes unread", self.bytes.len()),
        }
    }

    /// Reads past a client's preface.
    pub fn expect_preface(&mut self) {
        while self.bytes.len() < PREFACE.len() {
            assert!(self.more(), "the connection ended before its preface");
        }
        assert_eq!(&self.bytes[..PREFACE.len()], PREFACE);
        self.bytes.drain(..PREFACE.len());
    }

    /// The next frame that is as wanted; `None` at the end.
    pub fn until(&mut self, is_wanted: impl Fn(&Frame) -> bool) -> Option<Frame> {
        loop {
            let frame = self.next()?;
            if is_wanted(&frame) {
                return Some(frame);
            }
        }
    }

    /// The sending half ends.
    pub fn half_close(&self) {
        let _ = self.stream.shutdown(std::net::Shutdown::Write);
    }
}
