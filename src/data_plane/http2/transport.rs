//! Bytes of one connection as polls, plain or through TLS, and what is known of their flow.
//!
//! A poll of a ready socket costs what an owned read costs, and idle connections own no buffer.

use crate::data_plane::{
    http2::{outgoing::Queue, polled::Polled},
    link::Socket,
    tls::Session,
};
use monoio::{
    io::poll_io::{AsyncRead, AsyncWrite, ReadBuf},
    time::Sleep,
};
use rustls::Connection;
use std::{
    cell::Cell,
    io::{self, Read as _, Write as _},
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, ready},
    time::Duration,
};

/// What one turn of a connection may read before the others of the core have theirs.
const TURN_BYTES_MAX: usize = 256 << 10;
/// The pause after that. A timer, for a task that wakes itself runs before all others (monoio
/// 0.2.4, fixed behind it by 9ad6702).
const TURN_PAUSE: Duration = Duration::from_millis(1);
/// Ciphertext that waits for the socket before more is made.
const CIPHERTEXT_BYTES_MAX: usize = 64 << 10;
/// Room for one read of ciphertext: a record and its neighbour's head.
const CIPHERTEXT_ROOM: usize = 18 << 10;

/// What a connection's own task wants to know of its bytes.
#[derive(Default)]
pub struct Traffic {
    pub read: Cell<u64>,
    pub written: Cell<u64>,
    /// Bytes of heads, bodies and replies.
    pub useful: Cell<u64>,
    /// The last write waits for the socket.
    pub is_stalled: Cell<bool>,
    /// Nothing more is sent; the other side may still be reading.
    pub is_closing: Cell<bool>,
    /// What was read in the present turn.
    turn: Cell<usize>,
    /// What waits to be sent.
    pub queue: Queue,
}

impl Traffic {
    /// The connection's task begins a turn.
    pub fn begin_turn(&self) {
        self.turn.set(0);
    }

    pub fn count_useful(&self, bytes: usize) {
        self.useful.set(self.useful.get() + bytes as u64);
    }

    fn count_read(&self, bytes: usize) {
        self.read.set(self.read.get() + bytes as u64);
        self.turn.set(self.turn.get() + bytes);
    }
}

/// One connection.
pub struct Transport {
    socket: Polled,
    tls: Option<Box<Layer>>,
    /// What was read before it was known to be HTTP/2.
    first: Vec<u8>,
    traffic: Rc<Traffic>,
    pause: Option<Pin<Box<Sleep>>>,
    /// Is what still comes read and forgotten at the end, so that our last words arrive?
    lingers: bool,
}

/// TLS over polls.
struct Layer {
    tls: Connection,
    incoming: Vec<u8>,
    outgoing: Vec<u8>,
}

impl Transport {
    pub fn new(
        socket: Socket,
        session: Option<Box<Session>>,
        first: Vec<u8>,
        lingers: bool,
    ) -> io::Result<Self> {
        let tls = session.map(|session| {
            let (tls, incoming) = session.into_parts();
            Box::new(Layer { tls, incoming, outgoing: Vec::new() })
        });
        let traffic = Rc::new(Traffic::default());
        Ok(Self { socket: Polled::new(socket)?, tls, first, traffic, pause: None, lingers })
    }

    pub fn traffic(&self) -> &Rc<Traffic> {
        &self.traffic
    }

    /// Wait where this turn has read enough.
    fn poll_turn(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if self.traffic.turn.get() >= TURN_BYTES_MAX {
            let pause = self.pause.get_or_insert_with(|| Box::pin(monoio::time::sleep(TURN_PAUSE)));
            ready!(pause.as_mut().poll(context));
            self.pause = None;
            self.traffic.begin_turn();
        }
        Poll::Ready(())
    }

    fn poll_read_any(
        &mut self,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let Some(layer) = &mut self.tls else {
            return Pin::new(&mut self.socket).poll_read(context, into);
        };
        loop {
            match layer.tls.reader().read(into.initialize_unfilled()) {
                Ok(read) => {
                    into.advance(read);
                    return Poll::Ready(Ok(()));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
            let fed = ready!(layer.poll_feed(&mut self.socket, context));
            if layer.tls.wants_write() {
                // Alerts, key updates. They leave now or with what is written next.
                let _ = layer.poll_send(&mut self.socket, context);
            }
            fed?;
        }
    }

    fn poll_flush_any(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.tls {
            Some(layer) => layer.poll_send(&mut self.socket, context),
            None => Pin::new(&mut self.socket).poll_flush(context),
        }
    }

    fn note<T>(
        &self,
        written: Poll<io::Result<T>>,
        bytes: impl FnOnce(&T) -> usize,
    ) -> Poll<io::Result<T>> {
        self.traffic.is_stalled.set(written.is_pending());
        if let Poll::Ready(Ok(done)) = &written {
            self.traffic.written.set(self.traffic.written.get() + bytes(done) as u64);
        }
        written
    }
}

impl Layer {
    /// Give the record layer what the socket has; at the end it is told of that.
    fn poll_feed(
        &mut self,
        socket: &mut Polled,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        if self.incoming.is_empty() {
            let mut incoming = vec![0; CIPHERTEXT_ROOM];
            let mut room = ReadBuf::new(&mut incoming);
            ready!(Pin::new(socket).poll_read(context, &mut room))?;
            let read = room.filled().len();
            incoming.truncate(read);
            self.incoming = incoming;
        }
        if self.incoming.is_empty() {
            self.tls.read_tls(&mut io::empty())?;
        }
        while !self.incoming.is_empty() {
            let taken = self.tls.read_tls(&mut self.incoming.as_slice())?;
            let processed = self.tls.process_new_packets();
            let state =
                processed.map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
            if taken == 0 {
                // What stands behind a close_notify is nobody's.
                self.incoming.clear();
            }
            self.incoming.drain(..taken);
            if state.plaintext_bytes_to_read() > 0 {
                break;
            }
        }
        if self.incoming.is_empty() {
            self.incoming = Vec::new();
        }
        Poll::Ready(Ok(()))
    }

    fn poll_send(
        &mut self,
        socket: &mut Polled,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        while self.tls.wants_write() {
            self.tls.write_tls(&mut self.outgoing)?;
        }
        let mut sent = 0;
        while sent < self.outgoing.len() {
            match Pin::new(&mut *socket).poll_write(context, &self.outgoing[sent..]) {
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Poll::Ready(Ok(written)) => sent += written,
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => {
                    self.outgoing.drain(..sent);
                    return Poll::Pending;
                }
            }
        }
        self.outgoing.clear();
        Poll::Ready(Ok(()))
    }
}

impl AsyncRead for Transport {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        ready!(self.poll_turn(context));
        let before = into.filled().len();
        if self.first.is_empty() {
            ready!(self.poll_read_any(context, into))?;
        } else {
            let taken = self.first.len().min(into.remaining());
            into.put_slice(&self.first[..taken]);
            self.first.drain(..taken);
        }
        self.traffic.count_read(into.filled().len() - before);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Transport {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        let written = match &mut this.tls {
            None => Pin::new(&mut this.socket).poll_write(context, bytes),
            Some(layer) if layer.outgoing.len() > CIPHERTEXT_BYTES_MAX => {
                match layer.poll_send(&mut this.socket, context) {
                    Poll::Ready(Ok(())) => Poll::Ready(layer.tls.writer().write(bytes)),
                    Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
                    Poll::Pending => Poll::Pending,
                }
            }
            Some(layer) => {
                let taken = layer.tls.writer().write(bytes);
                // What the socket does not take now, the flush or the next write sends.
                match layer.poll_send(&mut this.socket, context) {
                    Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
                    _ => Poll::Ready(taken),
                }
            }
        };
        self.note(written, |bytes| *bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if self.tls.is_none() {
            let written = Pin::new(&mut self.socket).poll_write_vectored(context, slices);
            return self.note(written, |bytes| *bytes);
        }
        let first = slices.iter().find(|slice| !slice.is_empty());
        let first = first.map_or(&[][..], |slice| slice);
        self.poll_write(context, first)
    }

    fn is_write_vectored(&self) -> bool {
        self.tls.is_none()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = self.poll_flush_any(context);
        self.note(flushed, |()| 0)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if !this.traffic.is_closing.get() {
            if let Some(layer) = &mut this.tls {
                layer.tls.send_close_notify();
            }
            ready!(this.poll_flush_any(context))?;
            ready!(Pin::new(&mut this.socket).poll_shutdown(context))?;
            this.traffic.is_closing.set(true);
        }
        // A close with bytes unread would reset the connection and take our words with it.
        let mut forgotten = [0; 4 << 10];
        while this.lingers {
            ready!(this.poll_turn(context));
            let mut room = ReadBuf::new(&mut forgotten);
            match ready!(Pin::new(&mut this.socket).poll_read(context, &mut room)) {
                Ok(()) if !room.filled().is_empty() => {
                    this.traffic.count_read(room.filled().len());
                }
                _ => break,
            }
        }
        Poll::Ready(Ok(()))
    }
}
