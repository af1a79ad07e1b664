//! A byte stream to a client or a target: TCP or a Unix socket, with TLS or without. The seam to
//! the reactor.
//!
//! Buffers are owned by the operation that fills or empties them, as io_uring wants it; a read or a
//! write that is given up takes its bytes with it, so the connection is dead then.

use crate::data_plane::{descriptor, tls::Session};
use monoio::{
    BufResult,
    buf::IoBufMut,
    io::{AsyncReadRent, AsyncWriteRent, AsyncWriteRentExt},
    net::{TcpStream, UnixStream},
};
use pin_project_lite::pin_project;
use rustix::{
    fd::{AsRawFd, OwnedFd, RawFd},
    net::{AddressFamily, RecvFlags},
};
use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};

/// A connected socket of either family.
pub enum Socket {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Socket {
    /// A socket that was accepted, here or by another core. It blocks or not as the driver wants.
    pub fn adopt(descriptor: OwnedFd, family: AddressFamily) -> io::Result<Self> {
        if family == AddressFamily::UNIX {
            Ok(Self::Unix(UnixStream::from_std(descriptor.into())?))
        } else {
            Ok(Self::Tcp(TcpStream::from_std(descriptor.into())?))
        }
    }

    pub fn family(&self) -> AddressFamily {
        match self {
            Self::Tcp(_) => AddressFamily::INET,
            Self::Unix(_) => AddressFamily::UNIX,
        }
    }

    /// Read into what `buffer` has room for behind its bytes.
    pub async fn read_spare(&mut self, buffer: Vec<u8>) -> (io::Result<usize>, Vec<u8>) {
        debug_assert!(buffer.len() < buffer.capacity(), "a read needs room");
        let (filled, room) = (buffer.len(), buffer.capacity());
        let spare = buffer.slice_mut(filled..room);
        let reading = match self {
            Self::Tcp(tcp) => Either::Tcp { io: tcp.read(spare) },
            Self::Unix(unix) => Either::Unix { io: unix.read(spare) },
        };
        let (read, slice) = reading.await;
        (read, slice.into_inner())
    }

    /// Write all of `buffer` and give it back as it was.
    pub fn write_all(
        &mut self,
        buffer: Vec<u8>,
    ) -> impl Future<Output = BufResult<usize, Vec<u8>>> + '_ {
        match self {
            Self::Tcp(tcp) => Either::Tcp { io: tcp.write_all(buffer) },
            Self::Unix(unix) => Either::Unix { io: unix.write_all(buffer) },
        }
    }

    async fn shutdown(&mut self) -> io::Result<()> {
        match self {
            Self::Tcp(tcp) => tcp.shutdown().await,
            Self::Unix(unix) => unix.shutdown().await,
        }
    }
}

pin_project! {
    /// What one of two sockets does. **Cost**: a word more than the larger of both, where an
    /// `async fn` would hold the buffer twice.
    #[project = Projected]
    enum Either<T, U> {
        Tcp { #[pin] io: T },
        Unix { #[pin] io: U },
    }
}

impl<T: Future, U: Future<Output = T::Output>> Future for Either<T, U> {
    type Output = T::Output;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<T::Output> {
        match self.project() {
            Projected::Tcp { io } => io.poll(context),
            Projected::Unix { io } => io.poll(context),
        }
    }
}

impl AsRawFd for Socket {
    fn as_raw_fd(&self) -> RawFd {
        match self {
            Self::Tcp(tcp) => tcp.as_raw_fd(),
            Self::Unix(unix) => unix.as_raw_fd(),
        }
    }
}

/// One connection.
pub struct Link {
    socket: Socket,
    tls: Option<Box<Session>>,
}

impl Link {
    /// A plain connection; small writes leave at once.
    pub fn plain(socket: Socket) -> io::Result<Self> {
        if let Socket::Tcp(tcp) = &socket {
            tcp.set_nodelay(true)?;
        }
        Ok(Self { socket, tls: None })
    }

    /// A connection that was served before, by another core.
    pub fn resume(socket: Socket, tls: Option<Box<Session>>) -> Self {
        Self { socket, tls }
    }

    /// Shake hands over a plain connection.
    pub async fn secure(self, session: Box<Session>) -> io::Result<Self> {
        self.secure_with(session, b"").await
    }

    /// The same where the first bytes of the other side were read already.
    pub async fn secure_with(self, mut session: Box<Session>, read: &[u8]) -> io::Result<Self> {
        let mut socket = self.socket;
        session.push_ciphertext(read);
        session.handshake(&mut socket).await?;
        Ok(Self { socket, tls: Some(session) })
    }

    pub fn socket(&self) -> &Socket {
        &self.socket
    }

    pub fn session(&self) -> Option<&Session> {
        self.tls.as_deref()
    }

    /// Take the connection from its core's reactor. Nothing may be read or written just now.
    ///
    /// The descriptor is a second one of the same socket: the reactor closes its own in its own
    /// time.
    pub fn dismantle(self) -> io::Result<(OwnedFd, Option<Box<Session>>)> {
        let descriptor = rustix::io::fcntl_dupfd_cloexec(descriptor::lend(&self.socket), 0)?;
        Ok((descriptor, self.tls))
    }

    /// Does the other side say nothing and stay, as it must between two answers?
    pub fn is_quiet(&mut self) -> bool {
        let is_clear = self.tls.as_mut().is_none_or(|session| session.is_clear());
        let flags = RecvFlags::PEEK | RecvFlags::DONTWAIT;
        let waiting = rustix::net::recv(descriptor::lend(&self.socket), &mut [0_u8; 1], flags);
        is_clear && waiting.is_err_and(|error| error == rustix::io::Errno::AGAIN)
    }

    /// Read into the spare capacity of `buffer`, at least one byte unless the other side has ended.
    pub async fn read(&mut self, buffer: Vec<u8>) -> (io::Result<usize>, Vec<u8>) {
        match &mut self.tls {
            None => self.socket.read_spare(buffer).await,
            Some(session) => session.read(&mut self.socket, buffer).await,
        }
    }

    /// Write all of `buffer` and give it back as it was.
    pub async fn write(&mut self, buffer: Vec<u8>) -> (io::Result<()>, Vec<u8>) {
        match &mut self.tls {
            None => {
                let (written, buffer) = self.socket.write_all(buffer).await;
                (written.map(drop), buffer)
            }
            Some(session) => session.write(&mut self.socket, buffer).await,
        }
    }

    /// Tell the other side that nothing more comes.
    pub async fn finish(&mut self) {
        if let Some(session) = &mut self.tls {
            session.finish(&mut self.socket).await;
        }
        // Whoever is gone needs not be told.
        let _ = self.socket.shutdown().await;
    }
}
