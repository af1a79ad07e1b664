//! A message on its way in: a head and DATA frames, read as HTTP/1 bytes.

use crate::{
    data_plane::http2::transport::Traffic,
    wire::http1::chunked::{LAST_CHUNK, push_chunk_head},
};
use bytes::{Buf, Bytes};
use h2::RecvStream;
use http::HeaderMap;
use std::{
    collections::VecDeque,
    rc::Rc,
    task::{Context, Poll},
};

/// What one message says, read from its front.
pub struct Incoming {
    ready: VecDeque<Bytes>,
    /// None once all of it is in `ready`.
    body: Option<RecvStream>,
    is_chunked: bool,
    traffic: Rc<Traffic>,
}

impl Incoming {
    /// `head` ends with its blank line and says the framing.
    pub fn new(
        head: Vec<u8>,
        body: Option<RecvStream>,
        is_chunked: bool,
        traffic: &Rc<Traffic>,
    ) -> Self {
        traffic.count_useful(head.len());
        let ready = VecDeque::from([Bytes::from(head)]);
        Self { ready, body, is_chunked, traffic: Rc::clone(traffic) }
    }

    /// Read into the spare capacity of `buffer` all that is here; 0 at the end.
    pub fn poll_read(
        &mut self,
        context: &mut Context<'_>,
        buffer: &mut Vec<u8>,
    ) -> Poll<Result<usize, h2::Error>> {
        let before = buffer.len();
        loop {
            self.take_ready(buffer);
            let read = buffer.len() - before;
            if buffer.len() == buffer.capacity() {
                return Poll::Ready(Ok(read));
            }
            let Some(body) = &mut self.body else { return Poll::Ready(Ok(read)) };
            match body.poll_data(context) {
                Poll::Ready(Some(Ok(data))) => self.take_data(data),
                // Trailers are nobody's concern behind a body that is whole.
                Poll::Ready(None) => self.end(),
                // What is here comes first; an error is told again by the next read.
                _ if read > 0 => return Poll::Ready(Ok(read)),
                Poll::Ready(Some(Err(error))) => return Poll::Ready(Err(error)),
                Poll::Pending => return Poll::Pending,
            }
        }
    }

    fn take_ready(&mut self, buffer: &mut Vec<u8>) {
        while let Some(front) = self.ready.front_mut() {
            let taken = front.len().min(buffer.capacity() - buffer.len());
            buffer.extend_from_slice(&front[..taken]);
            front.advance(taken);
            if front.has_remaining() {
                return;
            }
            self.ready.pop_front();
        }
    }

    fn take_data(&mut self, data: Bytes) {
        let Some(body) = &mut self.body else { return };
        // A stream that was reset meanwhile has no window to open.
        let _ = body.flow_control().release_capacity(data.len());
        let is_end = body.is_end_stream();
        self.traffic.count_useful(data.len());
        if self.is_chunked && !data.is_empty() {
            let mut head = Vec::with_capacity(18);
            push_chunk_head(&mut head, data.len());
            self.ready.extend([head.into(), data, Bytes::from_static(b"\r\n")]);
        } else if !data.is_empty() {
            self.ready.push_back(data);
        }
        if is_end {
            self.end();
        }
    }

    fn end(&mut self) {
        self.body = None;
        if self.is_chunked {
            self.ready.push_back(Bytes::from_static(LAST_CHUNK));
        }
    }
}

/// Append a line for each header that `passes`.
pub fn push_headers(head: &mut Vec<u8>, headers: &HeaderMap, passes: impl Fn(&str) -> bool) {
    for (name, value) in headers {
        if passes(name.as_str()) {
            push_header(head, name.as_str(), value.as_bytes());
        }
    }
}

/// Append one line.
pub fn push_header(head: &mut Vec<u8>, name: &str, value: &[u8]) {
    head.extend_from_slice(name.as_bytes());
    head.extend_from_slice(b": ");
    head.extend_from_slice(value);
    head.extend_from_slice(b"\r\n");
}
