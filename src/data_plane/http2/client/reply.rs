//! A client's stream: its request read as HTTP/1, our HTTP/1 reply written as frames.

use crate::{
    data_plane::{
        http2::{
            incoming::Incoming,
            outgoing::{Outgoing, Piece},
            transport::Traffic,
        },
        upstream::body::Body,
    },
    lexicon::settings::HEADERS_MAX,
    wire::{
        headers,
        http1::{Limits, reply::ReplyHead},
    },
};
use h2::{Reason, server::SendResponse};
use http::{HeaderName, HeaderValue, Response, StatusCode};
use std::{
    io,
    rc::Rc,
    task::{Context, Poll},
};

/// Our own heads are short; the vendor's headers that pass are bounded by their own codec.
const HEAD_LIMITS: Limits =
    Limits { head_bytes_max: 128 << 10, headers_max: HEADERS_MAX, target_bytes_max: 0 };

/// One stream of a client.
pub struct Served {
    incoming: Incoming,
    respond: SendResponse<Piece>,
    is_head: bool,
    /// A head that is not whole yet. Heads mostly come in one write.
    held: Vec<u8>,
    head: ReplyHead,
    /// What of the reply's body is still to come; none before its head.
    body: Option<Body>,
    outgoing: Option<Outgoing>,
    traffic: Rc<Traffic>,
}

impl Served {
    pub fn new(
        incoming: Incoming,
        respond: SendResponse<Piece>,
        is_head: bool,
        traffic: &Rc<Traffic>,
    ) -> Self {
        Self {
            incoming,
            respond,
            is_head,
            held: Vec::new(),
            head: ReplyHead::default(),
            body: None,
            outgoing: None,
            traffic: Rc::clone(traffic),
        }
    }

    /// Has the client reset the stream, or left altogether?
    pub fn poll_gone(&mut self, context: &mut Context<'_>) -> Poll<()> {
        match &mut self.outgoing {
            Some(outgoing) => outgoing.poll_reset(context),
            None => self.respond.poll_reset(context).map(drop),
        }
    }

    /// Has the head of the reply left?
    pub fn has_replied(&self) -> bool {
        self.outgoing.is_some()
    }

    /// The exchange is over. A reply that is not whole must not look like one.
    pub fn finish(&mut self) {
        match &mut self.outgoing {
            Some(outgoing) if outgoing.is_ended() => {}
            Some(outgoing) => outgoing.reset(Reason::INTERNAL_ERROR),
            None => self.respond.send_reset(Reason::INTERNAL_ERROR),
        }
    }

    pub fn poll_read(
        &mut self,
        context: &mut Context<'_>,
        buffer: &mut Vec<u8>,
    ) -> Poll<io::Result<usize>> {
        self.incoming.poll_read(context, buffer).map_err(io::Error::other)
    }

    /// Read a part of our own reply.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut payload = Vec::new();
        if self.body.is_some() {
            return self.write_body(bytes, payload);
        }
        let mut head = std::mem::take(&mut self.held);
        head.extend_from_slice(bytes);
        while !head.is_empty() {
            let is_whole = self.head.parse(&head, &HEAD_LIMITS, self.is_head);
            if !is_whole.map_err(|_| io::ErrorKind::InvalidData)? {
                break;
            }
            let rest = head.split_off(self.head.head_len);
            if self.head.status < 200 {
                self.respond.send_informational(self.response(&head)).map_err(io::Error::other)?;
                head = rest;
                continue;
            }
            let mut body = Body::new(self.head.framing);
            body.take(&rest, |part| payload.extend_from_slice(part))
                .map_err(|_| io::ErrorKind::InvalidData)?;
            self.traffic.count_useful(head.len());
            let is_empty = body.is_done() && payload.is_empty();
            let response = self.response(&head);
            let stream =
                self.respond.send_response(response, is_empty).map_err(io::Error::other)?;
            let mut outgoing = Outgoing::new(stream, is_empty, &self.traffic);
            if !is_empty {
                outgoing.stage(payload, body.is_done());
            }
            self.outgoing = Some(outgoing);
            self.body = Some(body);
            return Ok(());
        }
        self.held = head;
        Ok(())
    }

    fn write_body(&mut self, bytes: &[u8], mut payload: Vec<u8>) -> io::Result<()> {
        let (Some(body), Some(outgoing)) = (&mut self.body, &mut self.outgoing) else {
            return Ok(());
        };
        if outgoing.is_ended() {
            return Ok(());
        }
        payload.reserve(bytes.len());
        body.take(bytes, |part| payload.extend_from_slice(part))
            .map_err(|_| io::ErrorKind::InvalidData)?;
        outgoing.stage(payload, body.is_done());
        Ok(())
    }

    pub fn poll_flush(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.outgoing {
            Some(outgoing) => outgoing.poll_flush(context),
            None => Poll::Ready(Ok(())),
        }
    }

    /// The head without what belongs to one hop of HTTP/1.
    fn response(&self, head: &[u8]) -> Response<()> {
        let mut response = Response::new(());
        *response.status_mut() =
            StatusCode::from_u16(self.head.status).unwrap_or(StatusCode::BAD_GATEWAY);
        for (name, value) in self.head.iter(head) {
            if headers::is_hop_by_hop(name) {
                continue;
            }
            if let (Ok(name), Ok(value)) =
                (HeaderName::from_bytes(name), HeaderValue::from_bytes(value))
            {
                response.headers_mut().append(name, value);
            }
        }
        response
    }
}
