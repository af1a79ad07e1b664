//! One connection: what is being sent, and what has come of the answer.

use crate::reply::{Malformed, Progress, Reply};
use rustix::net::{AddressFamily, SocketFlags, SocketType, connect, ipproto, socket_with};
use std::{
    io::{self, Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    time::Instant,
};

/// The exchange that a connection is in.
#[derive(Clone, Copy, Debug)]
pub struct Exchange {
    /// Which of the scenario's requests.
    pub kind: usize,
    pub due: Instant,
    /// Does it count, or is it of the warm-up?
    pub counts: bool,
    written: usize,
    /// When the latest events came.
    pub latest: Option<Instant>,
}

impl Exchange {
    #[must_use]
    pub fn new(kind: usize, due: Instant, counts: bool) -> Self {
        Self { kind, due, counts, written: 0, latest: None }
    }
}

/// How an exchange ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    Answered,
    Failed(&'static str),
}

/// One connection, idle where it is in no exchange.
#[derive(Debug)]
pub struct Connection {
    pub socket: TcpStream,
    pub reply: Reply,
    pub exchange: Option<Exchange>,
    /// Has it been used before?
    pub is_used: bool,
}

impl Connection {
    /// Begins to connect; what is sent at once waits until that is done.
    ///
    /// # Errors
    /// No descriptor, or no address, to be had.
    pub fn open(target: SocketAddr) -> io::Result<Self> {
        let family = if target.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        let socket = socket_with(family, SocketType::STREAM, flags, Some(ipproto::TCP))?;
        match connect(&socket, &target) {
            Ok(()) | Err(rustix::io::Errno::INPROGRESS) => {}
            Err(error) => return Err(error.into()),
        }
        let socket = TcpStream::from(socket);
        socket.set_nodelay(true)?;
        Ok(Self { socket, reply: Reply::default(), exchange: None, is_used: false })
    }

    /// Sends what is left of the request.
    pub fn send(&mut self, wire: &[u8]) -> Option<End> {
        let exchange = self.exchange.as_mut()?;
        while exchange.written < wire.len() {
            match self.socket.write(&wire[exchange.written..]) {
                Ok(written) => exchange.written += written,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return None,
                Err(error) if error.kind() == io::ErrorKind::NotConnected => return None,
                Err(error) => return Some(End::Failed(self.label(&error))),
            }
        }
        None
    }

    /// Reads what is there, calling `on_events` with how many events each read brought.
    pub fn receive(
        &mut self,
        scratch: &mut [u8],
        is_closing: bool,
        mut on_events: impl FnMut(&mut Exchange, u64),
    ) -> Option<End> {
        loop {
            let length = match self.socket.read(scratch) {
                Ok(0) => return Some(self.at_end()),
                Ok(length) => length,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return None,
                Err(error) => return Some(End::Failed(self.label(&error))),
            };
            let Some(exchange) = &mut self.exchange else {
                return Some(End::Failed("surplus_bytes"));
            };
            let before = self.reply.events;
            match self.reply.feed(&scratch[..length]) {
                Err(Malformed(kind)) => return Some(End::Failed(kind)),
                Ok(progress) => {
                    if self.reply.events > before {
                        on_events(exchange, self.reply.events - before);
                    }
                    if progress == Progress::Whole {
                        return Some(End::Answered);
                    }
                }
            }
            // A read that did not fill its buffer has taken all there is, but for an end.
            if length < scratch.len() && !is_closing {
                return None;
            }
        }
    }

    fn at_end(&self) -> End {
        match &self.exchange {
            Some(_) if self.reply.ends_here() => End::Answered,
            Some(_) => End::Failed("closed_early"),
            None => End::Failed("closed_idle"),
        }
    }

    fn label(&self, error: &io::Error) -> &'static str {
        match error.kind() {
            io::ErrorKind::ConnectionRefused => "connection_refused",
            io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe if self.is_used => "reset",
            io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => "reset_at_once",
            _ => "io",
        }
    }
}
