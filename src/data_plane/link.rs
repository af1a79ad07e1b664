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
use rustix::net::RecvFlags;
use std::io;

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

    /// Was everything taken that has come so far?
    pub fn is_clear(&mut self) -> bool {
        self.tls.as_mut().is_none_or(|session| session.is_clear())
    }

    /// Does the other side say nothing and stay, as it must between two answers?
    pub fn is_quiet(&self) -> bool {
        let flags = RecvFlags::PEEK | RecvFlags::DONTWAIT;
        let waiting = rustix::net::recv(descriptor::lend(&self.tcp), &mut [0_u8; 1], flags);
        waiting.is_err_and(|error| error == rustix::io::Errno::AGAIN)
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

    /// Tell the other side that nothing more comes.
    pub async fn finish(&mut self) {
        if let Some(session) = &mut self.tls {
            session.finish(&mut self.tcp).await;
        }
        // Whoever is gone needs not be told.
        let _ = self.tcp.shutdown().await;
    }
}

/// Read into what `buffer` has room for behind its bytes.
pub async fn read_spare(tcp: &mut TcpStream, buffer: Vec<u8>) -> (io::Result<usize>, Vec<u8>) {
    debug_assert!(buffer.len() < buffer.capacity(), "a read needs room");
    let (filled, room) = (buffer.len(), buffer.capacity());
    let (read, slice) = tcp.read(buffer.slice_mut(filled..room)).await;
    (read, slice.into_inner())
}
