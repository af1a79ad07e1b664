//! A body on its way out: as the windows open, and never more queued than the bounds say.

use crate::data_plane::http2::{CONNECTION_QUEUE_BYTES, transport::Traffic};
use bytes::{Buf, Bytes};
use h2::{Reason, SendStream};
use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    io,
    rc::Rc,
    task::{Context, Poll, Waker, ready},
};

/// What all streams of a connection have queued.
#[derive(Default)]
pub struct Queue {
    bytes: Cell<usize>,
    waiting: RefCell<VecDeque<Waker>>,
}

impl Queue {
    fn poll_room(&self, context: &Context<'_>) -> Poll<()> {
        if self.bytes.get() < CONNECTION_QUEUE_BYTES {
            return Poll::Ready(());
        }
        let mut waiting = self.waiting.borrow_mut();
        if !waiting.iter().any(|known| known.will_wake(context.waker())) {
            waiting.push_back(context.waker().clone());
        }
        Poll::Pending
    }

    /// Bytes left, or will never leave.
    fn release(&self, bytes: usize) {
        let left = self.bytes.get() - bytes;
        self.bytes.set(left);
        if left < CONNECTION_QUEUE_BYTES {
            // Whoever is woken may be gone already, so all are where nothing else will wake them.
            let mut waiting = self.waiting.borrow_mut();
            let woken = if left == 0 { waiting.len() } else { 1.min(waiting.len()) };
            waiting.drain(..woken).for_each(Waker::wake);
        }
    }
}

/// Bytes in the connection's queue, counted there until they have left it.
pub struct Piece {
    bytes: Bytes,
    counted: usize,
    traffic: Option<Rc<Traffic>>,
}

impl Piece {
    fn new(bytes: Bytes, traffic: &Rc<Traffic>) -> Self {
        let counted = bytes.len();
        traffic.queue.bytes.set(traffic.queue.bytes.get() + counted);
        traffic.count_useful(counted);
        Self { bytes, counted, traffic: Some(Rc::clone(traffic)) }
    }

    fn empty() -> Self {
        Self { bytes: Bytes::new(), counted: 0, traffic: None }
    }
}

impl Buf for Piece {
    fn remaining(&self) -> usize {
        self.bytes.len()
    }

    fn chunk(&self) -> &[u8] {
        &self.bytes
    }

    fn advance(&mut self, count: usize) {
        self.bytes.advance(count);
    }
}

impl Drop for Piece {
    fn drop(&mut self) {
        if let Some(traffic) = &self.traffic {
            traffic.queue.release(self.counted);
        }
    }
}

/// The sending half of a stream whose head has left.
pub struct Outgoing {
    stream: SendStream<Piece>,
    staged: Bytes,
    /// The stream ends behind what is staged.
    ends: bool,
    is_ended: bool,
    traffic: Rc<Traffic>,
}

impl Outgoing {
    pub fn new(stream: SendStream<Piece>, is_ended: bool, traffic: &Rc<Traffic>) -> Self {
        let traffic = Rc::clone(traffic);
        Self { stream, staged: Bytes::new(), ends: is_ended, is_ended, traffic }
    }

    /// What `poll_flush` sends next; everything staged before has been flushed.
    pub fn stage(&mut self, payload: Vec<u8>, ends: bool) {
        debug_assert!(self.staged.is_empty() && !self.ends);
        self.staged = payload.into();
        self.ends = ends;
    }

    /// Was the stream ended in order?
    pub fn is_ended(&self) -> bool {
        self.is_ended
    }

    pub fn reset(&mut self, reason: Reason) {
        self.stream.send_reset(reason);
    }

    pub fn poll_reset(&mut self, context: &mut Context<'_>) -> Poll<()> {
        self.stream.poll_reset(context).map(drop)
    }

    /// Queue what is staged, as far as windows and bounds allow.
    pub fn poll_flush(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.staged.is_empty() {
            if self.traffic.queue.poll_room(context).is_pending() {
                ready!(self.poll_reset(context));
                return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
            }
            self.stream.reserve_capacity(self.staged.len());
            let room = match self.stream.capacity() {
                0 => match ready!(self.stream.poll_capacity(context)) {
                    Some(Ok(room)) => room,
                    _ => return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into())),
                },
                room => room,
            };
            let part = self.staged.split_to(room.min(self.staged.len()));
            let is_last = self.ends && self.staged.is_empty();
            self.is_ended |= is_last;
            let piece = Piece::new(part, &self.traffic);
            self.stream.send_data(piece, is_last).map_err(io::Error::other)?;
        }
        if self.ends && !self.is_ended {
            self.is_ended = true;
            self.stream.send_data(Piece::empty(), true).map_err(io::Error::other)?;
        }
        Poll::Ready(Ok(()))
    }
}
