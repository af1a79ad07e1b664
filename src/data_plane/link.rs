//! A byte stream to a client or a target: TCP, with TLS or without, or one stream of HTTP/2. The
//! seam to the reactor.
//!
//! Buffers are owned by the operation that fills or empties them, as io_uring wants it; a read or a
//! write that is given up takes its bytes with it, so the connection is dead then.

use crate::data_plane::{descriptor, http2::stream::Stream, tls::Session};
use monoio::{
    buf::IoBufMut,
    io::{AsyncReadRent, AsyncWriteRent, AsyncWriteRentExt},
    net::TcpStream,
};
use rustix::net::RecvFlags;
use std::{future::poll_fn, io};

/// One connection, or one stream of one.
pub struct Link(Line);

enum Line {
    Socket {
        tcp: TcpStream,
        tls: Option<Box<Session>>,
    },
    /// Boxed, so that a link stays two words.
    Stream(Box<Stream>),
}

impl Link {
    /// A plain connection; small writes leave at once.
    pub fn plain(tcp: TcpStream) -> io::Result<Self> {
        tcp.set_nodelay(true)?;
        Ok(Self(Line::Socket { tcp, tls: None }))
    }

    /// Shake hands over a plain connection.
    pub async fn secure(self, mut session: Box<Session>) -> io::Result<Self> {
        let Line::Socket { mut tcp, .. } = self.0 else {
            return Err(io::ErrorKind::InvalidInput.into());
        };
        session.handshake(&mut tcp).await?;
        Ok(Self(Line::Socket { tcp, tls: Some(session) }))
    }

    /// One stream of a connection that others share.
    pub fn stream(stream: Stream) -> Self {
        Self(Line::Stream(Box::new(stream)))
    }

    /// The connection, where it is not shared.
    pub fn tcp(&self) -> Option<&TcpStream> {
        match &self.0 {
            Line::Socket { tcp, .. } => Some(tcp),
            Line::Stream(_) => None,
        }
    }

    /// The same to keep, with its TLS.
    pub fn into_socket(self) -> Option<(TcpStream, Option<Box<Session>>)> {
        match self.0 {
            Line::Socket { tcp, tls } => Some((tcp, tls)),
            Line::Stream(_) => None,
        }
    }

    /// Did both sides choose HTTP/2 while they shook hands?
    pub fn negotiated_http2(&self) -> bool {
        matches!(&self.0, Line::Socket { tls: Some(session), .. } if session.chose_http2())
    }

    /// Is it one of the streams of a connection?
    pub fn is_stream(&self) -> bool {
        matches!(self.0, Line::Stream(_))
    }

    /// Is it a connection of its own, or the first stream of one?
    pub fn is_new_connection(&self) -> bool {
        match &self.0 {
            Line::Socket { .. } => true,
            Line::Stream(stream) => stream.is_first(),
        }
    }

    /// Does the other side say nothing and stay, as it must between two answers?
    pub fn is_quiet(&mut self) -> bool {
        let Line::Socket { tcp, tls } = &mut self.0 else { return false };
        let is_clear = tls.as_mut().is_none_or(|session| session.is_clear());
        let flags = RecvFlags::PEEK | RecvFlags::DONTWAIT;
        let waiting = rustix::net::recv(descriptor::lend(tcp), &mut [0_u8; 1], flags);
        is_clear && waiting.is_err_and(|error| error == rustix::io::Errno::AGAIN)
    }

    /// Read into the spare capacity of `buffer`, at least one byte unless the other side has ended.
    pub async fn read(&mut self, mut buffer: Vec<u8>) -> (io::Result<usize>, Vec<u8>) {
        match &mut self.0 {
            Line::Socket { tcp, tls: None } => read_spare(tcp, buffer).await,
            Line::Socket { tcp, tls: Some(session) } => session.read(tcp, buffer).await,
            Line::Stream(stream) => {
                let read = poll_fn(|context| stream.poll_read(context, &mut buffer)).await;
                (read, buffer)
            }
        }
    }

    /// Write all of `buffer` and give it back as it was.
    pub async fn write(&mut self, buffer: Vec<u8>) -> (io::Result<()>, Vec<u8>) {
        match &mut self.0 {
            Line::Socket { tcp, tls: None } => {
                let (written, buffer) = tcp.write_all(buffer).await;
                (written.map(drop), buffer)
            }
            Line::Socket { tcp, tls: Some(session) } => session.write(tcp, buffer).await,
            Line::Stream(stream) => {
                if let Err(error) = stream.write(&buffer) {
                    return (Err(error), buffer);
                }
                (poll_fn(|context| stream.poll_flush(context)).await, buffer)
            }
        }
    }

    /// Tell the other side that nothing more comes.
    pub async fn finish(&mut self) {
        // A stream ends where its exchange does.
        let Line::Socket { tcp, tls } = &mut self.0 else { return };
        if let Some(session) = tls {
            session.finish(tcp).await;
        }
        // Whoever is gone needs not be told.
        let _ = tcp.shutdown().await;
    }
}

/// Read into what `buffer` has room for behind its bytes.
pub async fn read_spare(tcp: &mut TcpStream, buffer: Vec<u8>) -> (io::Result<usize>, Vec<u8>) {
    debug_assert!(buffer.len() < buffer.capacity(), "a read needs room");
    let (filled, room) = (buffer.len(), buffer.capacity());
    let (read, slice) = tcp.read(buffer.slice_mut(filled..room)).await;
    (read, slice.into_inner())
}

// Links live in the futures of exchanges, several times over: a stream adds nothing to them.
const _: () = assert!(size_of::<Link>() <= size_of::<(TcpStream, Option<Box<Session>>)>());
