//! A byte stream to a client or a target: TCP or a Unix socket, with TLS or without, or one stream
//! of HTTP/2. The seam to the reactor.
//!
//! Buffers are owned by the operation that fills or empties them, as io_uring wants it; a read or a
//! write that is given up takes its bytes with it, so the connection is dead then.

use crate::data_plane::{descriptor, http2::stream::Stream, tls::Session};
use monoio::{
    BufResult,
    buf::{IoBuf, IoBufMut, Slice, SliceMut},
    io::{AsyncReadRent, AsyncWriteRent, AsyncWriteRentExt},
    net::{TcpStream, UnixStream},
};
use pin_project_lite::pin_project;
use rustix::{
    fd::{AsRawFd, OwnedFd, RawFd},
    net::{AddressFamily, RecvFlags, SendFlags},
};
use std::{
    future::{pending, poll_fn},
    io,
    pin::{Pin, pin},
    task::{Context, Poll, Waker},
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
        let (read, slice) = match self {
            Self::Tcp(tcp) => tcp.read(spare(buffer)).await,
            Self::Unix(unix) => unix.read(spare(buffer)).await,
        };
        (read, slice.into_inner())
    }

    /// Write all of `buffer` and give it back as it was.
    ///
    /// **Cost**: where the reactor polls for readiness, one system call and nothing of the reactor
    /// as long as the kernel has room, which it nearly always has.
    pub fn write_all(
        &mut self,
        buffer: Vec<u8>,
    ) -> impl Future<Output = BufResult<usize, Vec<u8>>> + '_ {
        let sent = self.send_at_once(&buffer);
        if sent == buffer.len() {
            return Writing::Done { buffer: Some(buffer) };
        }
        let rest = buffer.slice(sent..);
        match self {
            Self::Tcp(tcp) => Writing::Tcp { io: tcp.write_all(rest) },
            Self::Unix(unix) => Writing::Unix { io: unix.write_all(rest) },
        }
    }

    /// How much of `bytes` the kernel takes without a wait; what is wrong is for the reactor to
    /// find out.
    fn send_at_once(&self, bytes: &[u8]) -> usize {
        if !monoio::utils::is_legacy() {
            return 0;
        }
        let flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
        rustix::net::send(descriptor::lend(self), bytes, flags).unwrap_or(0)
    }

    /// Is there nothing to read, not even an end?
    ///
    /// **Cost**: one system call. Where the reactor polls for readiness, it is one that the next
    /// read is spared: a read of no bytes tells the reactor that the socket is empty.
    fn is_quiet(&mut self) -> bool {
        if !monoio::utils::is_legacy() {
            let flags = RecvFlags::PEEK | RecvFlags::DONTWAIT;
            let waiting = rustix::net::recv(descriptor::lend(self), &mut [0_u8; 1], flags);
            return waiting.is_err_and(|error| error == rustix::io::Errno::AGAIN);
        }
        let mut context = Context::from_waker(Waker::noop());
        match self {
            Self::Tcp(tcp) => pin!(tcp.read(Vec::new())).poll(&mut context).is_pending(),
            Self::Unix(unix) => pin!(unix.read(Vec::new())).poll(&mut context).is_pending(),
        }
    }

    async fn shutdown(&mut self) -> io::Result<()> {
        match self {
            Self::Tcp(tcp) => tcp.shutdown().await,
            Self::Unix(unix) => unix.shutdown().await,
        }
    }
}

/// What `buffer` has room for behind its bytes.
fn spare(buffer: Vec<u8>) -> SliceMut<Vec<u8>> {
    debug_assert!(buffer.len() < buffer.capacity(), "a read needs room");
    let (filled, room) = (buffer.len(), buffer.capacity());
    buffer.slice_mut(filled..room)
}

pin_project! {
    /// A read of one of the lines there are. **Cost**: a word more than the largest of them; as an
    /// `async fn` it would hold the buffer twice, and be polled through.
    #[project = ProjectedReading]
    enum Reading<'l, T, U, V> {
        Tcp { #[pin] io: T },
        Unix { #[pin] io: U },
        Secure { #[pin] io: V },
        Stream { stream: &'l mut Stream, buffer: Vec<u8> },
    }
}

impl<T, U, V> Future for Reading<'_, T, U, V>
where
    T: Future<Output = BufResult<usize, SliceMut<Vec<u8>>>>,
    U: Future<Output = T::Output>,
    V: Future<Output = (io::Result<usize>, Vec<u8>)>,
{
    type Output = (io::Result<usize>, Vec<u8>);

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let read = match self.project() {
            ProjectedReading::Tcp { io } => io.poll(context),
            ProjectedReading::Unix { io } => io.poll(context),
            ProjectedReading::Secure { io } => return io.poll(context),
            ProjectedReading::Stream { stream, buffer } => {
                let read = stream.poll_read(context, buffer);
                return read.map(|read| (read, std::mem::take(buffer)));
            }
        };
        read.map(|(read, slice)| (read, slice.into_inner()))
    }
}

pin_project! {
    /// A write that is done, or what one of two sockets has still to write.
    #[project = ProjectedWriting]
    enum Writing<T, U> {
        Done { buffer: Option<Vec<u8>> },
        Tcp { #[pin] io: T },
        Unix { #[pin] io: U },
    }
}

impl<T, U> Future for Writing<T, U>
where
    T: Future<Output = BufResult<usize, Slice<Vec<u8>>>>,
    U: Future<Output = T::Output>,
{
    type Output = BufResult<usize, Vec<u8>>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let written = match self.project() {
            ProjectedWriting::Done { buffer } => {
                let buffer = buffer.take().expect("a future is not polled once it is done");
                return Poll::Ready((Ok(buffer.len()), buffer));
            }
            ProjectedWriting::Tcp { io } => io.poll(context),
            ProjectedWriting::Unix { io } => io.poll(context),
        };
        written.map(|(written, rest)| (written, rest.into_inner()))
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

/// A second descriptor of a socket, for another core.
///
/// The reactor that has the socket closes its own in its own time; nothing may be read or written
/// just now.
pub fn duplicate(socket: &Socket) -> io::Result<OwnedFd> {
    Ok(rustix::io::fcntl_dupfd_cloexec(descriptor::lend(socket), 0)?)
}

/// One connection, or one stream of one.
pub struct Link(Line);

enum Line {
    Own {
        socket: Socket,
        tls: Option<Box<Session>>,
    },
    /// Boxed: links live in the futures of exchanges, several times over.
    Stream(Box<Stream>),
}

impl Link {
    /// A plain connection; small writes leave at once.
    pub fn plain(socket: Socket) -> io::Result<Self> {
        if let Socket::Tcp(tcp) = &socket {
            tcp.set_nodelay(true)?;
        }
        Ok(Self::resume(socket, None))
    }

    /// A connection that was served before, by another core.
    pub fn resume(socket: Socket, tls: Option<Box<Session>>) -> Self {
        Self(Line::Own { socket, tls })
    }

    /// One stream of a connection that others share.
    pub fn stream(stream: Stream) -> Self {
        Self(Line::Stream(Box::new(stream)))
    }

    /// No connection: what is read or written fails.
    pub fn nowhere() -> Self {
        Self::stream(Stream::Nowhere)
    }

    /// Shake hands over a plain connection.
    pub async fn secure(self, session: Box<Session>) -> io::Result<Self> {
        self.secure_with(session, b"").await
    }

    /// The same where the first bytes of the other side were read already.
    pub async fn secure_with(self, mut session: Box<Session>, read: &[u8]) -> io::Result<Self> {
        let (mut socket, _) = self.into_socket().ok_or(io::ErrorKind::InvalidInput)?;
        session.push_ciphertext(read);
        session.handshake(&mut socket).await?;
        Ok(Self::resume(socket, Some(session)))
    }

    /// The connection, where it is not shared.
    pub fn socket(&self) -> Option<&Socket> {
        match &self.0 {
            Line::Own { socket, .. } => Some(socket),
            Line::Stream(_) => None,
        }
    }

    pub fn session(&self) -> Option<&Session> {
        match &self.0 {
            Line::Own { tls, .. } => tls.as_deref(),
            Line::Stream(_) => None,
        }
    }

    /// The same to keep, with its TLS.
    pub fn into_socket(self) -> Option<(Socket, Option<Box<Session>>)> {
        match self.0 {
            Line::Own { socket, tls } => Some((socket, tls)),
            Line::Stream(_) => None,
        }
    }

    /// Did both sides choose HTTP/2 while they shook hands?
    pub fn negotiated_http2(&self) -> bool {
        self.session().is_some_and(Session::chose_http2)
    }

    /// Is it one of the streams of a connection?
    pub fn is_stream(&self) -> bool {
        matches!(self.0, Line::Stream(_))
    }

    /// Is it a connection of its own, or the first stream of one?
    pub fn is_new_connection(&self) -> bool {
        match &self.0 {
            Line::Own { .. } => true,
            Line::Stream(stream) => stream.is_first(),
        }
    }

    /// Does the other side say nothing and stay, as it must between two answers?
    pub fn is_quiet(&mut self) -> bool {
        let Line::Own { socket, tls } = &mut self.0 else { return false };
        tls.as_mut().is_none_or(|session| session.is_clear()) && socket.is_quiet()
    }

    /// Read into the spare capacity of `buffer`, at least one byte unless the other side has ended.
    pub fn read(
        &mut self,
        buffer: Vec<u8>,
    ) -> impl Future<Output = (io::Result<usize>, Vec<u8>)> + '_ {
        match &mut self.0 {
            Line::Own { socket: Socket::Tcp(tcp), tls: None } => {
                Reading::Tcp { io: tcp.read(spare(buffer)) }
            }
            Line::Own { socket: Socket::Unix(unix), tls: None } => {
                Reading::Unix { io: unix.read(spare(buffer)) }
            }
            Line::Own { socket, tls: Some(session) } => {
                Reading::Secure { io: session.read(socket, buffer) }
            }
            Line::Stream(stream) => Reading::Stream { stream, buffer },
        }
    }

    /// Write all of `buffer` and give it back as it was.
    pub async fn write(&mut self, buffer: Vec<u8>) -> (io::Result<()>, Vec<u8>) {
        match &mut self.0 {
            Line::Own { socket, tls: None } => {
                let (written, buffer) = socket.write_all(buffer).await;
                (written.map(drop), buffer)
            }
            Line::Own { socket, tls: Some(session) } => session.write(socket, buffer).await,
            Line::Stream(stream) => {
                if let Err(error) = stream.write(&buffer) {
                    return (Err(error), buffer);
                }
                (poll_fn(|context| stream.poll_flush(context)).await, buffer)
            }
        }
    }

    /// The same for what may take the other side long to read: `None` where it speaks before it has
    /// read all. Then it is to be heard, and the connection is good for nothing else.
    pub async fn write_unless_answered(
        &mut self,
        buffer: Vec<u8>,
    ) -> Option<(io::Result<()>, Vec<u8>)> {
        // That it speaks in TLS does not say that it answers: tickets come unasked, too.
        let ears = match &self.0 {
            Line::Own { socket, tls: None } => descriptor::lend(socket).try_clone_to_owned().ok(),
            _ => None,
        };
        let mut hearing = pin!(hear(ears));
        let mut writing = pin!(self.write(buffer));
        poll_fn(|context| match writing.as_mut().poll(context) {
            Poll::Ready(written) => Poll::Ready(Some(written)),
            Poll::Pending => hearing.as_mut().poll(context).map(|()| None),
        })
        .await
    }

    /// End it so that the other side cannot take what it has for all.
    pub fn reset(self) {
        let Some(socket) = self.socket() else { return };
        let linger = Some(std::time::Duration::ZERO);
        // Where this fails, it ends in order.
        let _ = rustix::net::sockopt::set_socket_linger(descriptor::lend(socket), linger);
    }

    /// Tell the other side that nothing more comes.
    pub async fn finish(&mut self) {
        // A stream ends where its exchange does.
        let Line::Own { socket, tls } = &mut self.0 else { return };
        if let Some(session) = tls {
            session.finish(socket).await;
        }
        // Whoever is gone needs not be told.
        let _ = socket.shutdown().await;
    }
}

/// Until there is something to read. That the other side has ended is nothing: the write will tell.
async fn hear(ears: Option<OwnedFd>) {
    let flags = RecvFlags::PEEK | RecvFlags::DONTWAIT;
    if let Some(Ok(ready)) = ears.map(descriptor::watchable) {
        while ready.readable(false).await.is_ok() {
            match rustix::net::recv(descriptor::lend(&ready), &mut [0_u8; 1], flags) {
                Ok((length, _)) if length > 0 => return,
                Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => {}
                _ => break,
            }
        }
    }
    pending::<()>().await;
}
