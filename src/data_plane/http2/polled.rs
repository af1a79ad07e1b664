//! A connected socket of either family, as polls.

use crate::data_plane::link::Socket;
use monoio::{
    io::{
        IntoPollIo,
        poll_io::{AsyncRead, AsyncWrite, ReadBuf},
    },
    net::{tcp::stream_poll::TcpStreamPoll, unix::stream_poll::UnixStreamPoll},
};
use std::{
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll},
};

pub enum Polled {
    Tcp(TcpStreamPoll),
    Unix(UnixStreamPoll),
}

impl Polled {
    pub fn new(socket: Socket) -> io::Result<Self> {
        match socket {
            Socket::Tcp(tcp) => tcp.into_poll_io().map(Self::Tcp),
            Socket::Unix(unix) => unix.into_poll_io().map(Self::Unix),
        }
    }
}

impl AsyncRead for Polled {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match &mut *self {
            Self::Tcp(tcp) => Pin::new(tcp).poll_read(context, into),
            Self::Unix(unix) => Pin::new(unix).poll_read(context, into),
        }
    }
}

impl AsyncWrite for Polled {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match &mut *self {
            Self::Tcp(tcp) => Pin::new(tcp).poll_write(context, bytes),
            Self::Unix(unix) => Pin::new(unix).poll_write(context, bytes),
        }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match &mut *self {
            Self::Tcp(tcp) => Pin::new(tcp).poll_write_vectored(context, slices),
            Self::Unix(unix) => Pin::new(unix).poll_write_vectored(context, slices),
        }
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut *self {
            Self::Tcp(tcp) => Pin::new(tcp).poll_flush(context),
            Self::Unix(unix) => Pin::new(unix).poll_flush(context),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut *self {
            Self::Tcp(tcp) => Pin::new(tcp).poll_shutdown(context),
            Self::Unix(unix) => Pin::new(unix).poll_shutdown(context),
        }
    }
}
