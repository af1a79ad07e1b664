//! One call on a shared connection: our HTTP/1 bytes as frames, the answer as HTTP/1 bytes.
//!
//! What goes wrong looks as it would there. Where the vendor promises that it did nothing (it
//! refused the stream, or said farewell before it), the connection just ends: the call may be sent
//! again. Else it breaks off in its status line, for the vendor may have done the work.

use crate::data_plane::http2::{
    incoming::Incoming,
    outgoing::Outgoing,
    vendor::{request, uplink::Uplink},
};
use h2::{Reason, client::ResponseFuture};
use std::{
    future::Future as _,
    io,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, ready},
};

/// What stands for an answer of which nothing came, but which may have been begun.
const BROKEN_OFF: &[u8] = b"HTTP/1.1 ";

/// One call.
pub struct Asked {
    uplink: Rc<Uplink>,
    is_first: bool,
    /// Nothing else ran on the connection when this call began on it.
    was_idle: bool,
    outgoing: Option<Outgoing>,
    answer: Option<ResponseFuture>,
    incoming: Option<Incoming>,
    failed: Option<h2::Error>,
}

impl Asked {
    pub fn new(uplink: &Rc<Uplink>) -> Self {
        let (calls, live) = uplink.begin();
        Self {
            uplink: Rc::clone(uplink),
            is_first: calls == 0,
            was_idle: live == 0,
            outgoing: None,
            answer: None,
            incoming: None,
            failed: None,
        }
    }

    pub fn is_first(&self) -> bool {
        self.is_first
    }

    /// Take the whole call: its head, and its body behind it.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let end = memchr::memmem::find(bytes, b"\r\n\r\n").ok_or(io::ErrorKind::InvalidInput)? + 4;
        let request = request::read(&bytes[..end], self.uplink.scheme)?;
        let body = &bytes[end..];
        let sent = self.uplink.sender().send_request(request, body.is_empty());
        let (answer, stream) = match sent {
            Ok(sent) => sent,
            Err(error) => return self.fail(error),
        };
        let mut outgoing = Outgoing::new(stream, body.is_empty(), &self.uplink.traffic);
        if !body.is_empty() {
            outgoing.stage(body.to_vec(), true);
        }
        self.outgoing = Some(outgoing);
        self.answer = Some(answer);
        Ok(())
    }

    fn fail(&mut self, error: h2::Error) -> io::Result<()> {
        self.failed = Some(error);
        Err(io::ErrorKind::ConnectionReset.into())
    }

    /// Send on; also done when the vendor answers before it has read all.
    pub fn poll_flush(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.poll_head(context).is_ready() {
            return Poll::Ready(Ok(()));
        }
        match &mut self.outgoing {
            Some(outgoing) => outgoing.poll_flush(context),
            None => Poll::Ready(Ok(())),
        }
    }

    /// Ready when the answer's head is here, or there will be none.
    fn poll_head(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let Some(answer) = &mut self.answer else { return Poll::Ready(()) };
        match ready!(Pin::new(answer).poll(context)) {
            Ok(answer) => {
                let (parts, body) = answer.into_parts();
                let has_body = !body.is_end_stream();
                let answer = http::Response::from_parts(parts, ());
                let (head, is_chunked) = request::write(&answer, has_body);
                let body = has_body.then_some(body);
                self.incoming = Some(Incoming::new(head, body, is_chunked, &self.uplink.traffic));
            }
            Err(error) => self.failed = Some(error),
        }
        self.answer = None;
        Poll::Ready(())
    }

    pub fn poll_read(
        &mut self,
        context: &mut Context<'_>,
        buffer: &mut Vec<u8>,
    ) -> Poll<io::Result<usize>> {
        if let Some(outgoing) = &mut self.outgoing {
            // Some vendors answer while they read; whether this gets through, the answer will tell.
            let _ = outgoing.poll_flush(context);
        }
        ready!(self.poll_head(context));
        let Some(incoming) = &mut self.incoming else {
            return Poll::Ready(self.say_failed(buffer));
        };
        incoming.poll_read(context, buffer).map_err(io::Error::other)
    }

    /// No answer came. Nothing at all is read where the vendor promises that nothing was done.
    fn say_failed(&self, buffer: &mut Vec<u8>) -> io::Result<usize> {
        let is_safe = self.failed.as_ref().is_none_or(|error| {
            let is_refused = error.reason() == Some(Reason::REFUSED_STREAM);
            // The race that every kept connection knows: it ended as we began.
            let is_race = (error.is_io() || error.is_library()) && self.was_idle;
            (error.is_remote() && (error.is_go_away() || is_refused)) || is_race
        });
        if !self.failed.as_ref().is_some_and(h2::Error::is_reset) || is_safe {
            // It ended, or refuses: others shall not try it.
            self.uplink.shut();
        }
        if !is_safe {
            buffer.extend_from_slice(BROKEN_OFF);
        }
        Err(io::ErrorKind::ConnectionReset.into())
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        self.uplink.end();
    }
}
