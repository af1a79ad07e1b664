//! A byte stream to a client or a target: TCP, with TLS or without. The seam to the reactor.
//!
//! Buffers are owned by the operation that fills or empties them, as io_uring wants it; a read or a
//! write that is given up takes its bytes with it, so the connection is dead then.

use crate::data_plane::{descriptor, tls::Session};
use monoio::{
    buf::IoBufMut,
    io::{AsyncReadRent, AsyncWriteRent, AsyncWriteRentExt},
    net::TcpStream,
};
use rustix::{fd::OwnedFd, net::RecvFlags};
use std::{
    future::{pending, poll_fn},
    io,
    pin::pin,
    task::Poll,
};

/// One connection.
pub struct Link {
    tcp: TcpStream,
    tls: Option<Box<Session>>,
}

impl Link {
    /// A plain connection; small writes leave at once.
    pub fn plain(tcp: TcpStream) -> io::Result<Self> {
        tcp.set_nodelay(true)?;
        Ok(Self { tcp, tls: None })
    }

    /// Shake hands over a plain connection.
    pub async fn secure(self, mut session: Box<Session>) -> io::Result<Self> {
        let mut tcp = self.tcp;
        session.handshake(&mut tcp).await?;
        Ok(Self { tcp, tls: Some(session) })
    }

    pub fn tcp(&self) -> &TcpStream {
        &self.tcp
    }

    /// Does the other side say nothing and stay, as it must between two answers?
    pub fn is_quiet(&mut self) -> bool {
        let is_clear = self.tls.as_mut().is_none_or(|session| session.is_clear());
        let flags = RecvFlags::PEEK | RecvFlags::DONTWAIT;
        let waiting = rustix::net::recv(descriptor::lend(&self.tcp), &mut [0_u8; 1], flags);
        is_clear && waiting.is_err_and(|error| error == rustix::io::Errno::AGAIN)
    }

    /// Read into the spare capacity of `buffer`, at least one byte unless the other side has ended.
    pub async fn read(&mut self, buffer: Vec<u8>) -> (io::Result<usize>, Vec<u8>) {
        match &mut self.tls {
            None => read_spare(&mut self.tcp, buffer).await,
            Some(session) => session.read(&mut self.tcp, buffer).await,
        }
    }

    /// Write all of `buffer` and give it back as it was.
    pub async fn write(&mut self, buffer: Vec<u8>) -> (io::Result<()>, Vec<u8>) {
        match &mut self.tls {
            None => {
                let (written, buffer) = self.tcp.write_all(buffer).await;
                (written.map(drop), buffer)
            }
            Some(session) => session.write(&mut self.tcp, buffer).await,
        }
    }

    /// The same for what may take the other side long to read: `None` where it speaks before it has
    /// read all. Then it is to be heard, and the connection is good for nothing else.
    pub async fn write_unless_answered(
        &mut self,
        buffer: Vec<u8>,
    ) -> Option<(io::Result<()>, Vec<u8>)> {
        if self.tls.is_some() {
            // That it speaks in TLS does not say that it answers: tickets come unasked, too.
            return Some(self.write(buffer).await);
        }
        let Ok(ears) = descriptor::lend(&self.tcp).try_clone_to_owned() else {
            return Some(self.write(buffer).await);
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
        let linger = Some(std::time::Duration::ZERO);
        // Where this fails, it ends in order.
        let _ = rustix::net::sockopt::set_socket_linger(descriptor::lend(&self.tcp), linger);
    }

    /// Tell the other side that nothing more comes.
    pub async fn finish(&mut self) {
        if let Some(session) = &mut self.tls {
            session.finish(&mut self.tcp).await;
        }
        // Whoever is gone needs not be told.
        let _ = self.tcp.shutdown().await;
    }
}

/// Until there is something to read. That the other side has ended is nothing: the write will tell.
async fn hear(ears: OwnedFd) {
    let flags = RecvFlags::PEEK | RecvFlags::DONTWAIT;
    if let Ok(ready) = descriptor::watchable(ears) {
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

/// Read into what `buffer` has room for behind its bytes.
pub async fn read_spare(tcp: &mut TcpStream, buffer: Vec<u8>) -> (io::Result<usize>, Vec<u8>) {
    debug_assert!(buffer.len() < buffer.capacity(), "a read needs room");
    let (filled, room) = (buffer.len(), buffer.capacity());
    let (read, slice) = tcp.read(buffer.slice_mut(filled..room)).await;
    (read, slice.into_inner())
}
