//! One stream as an exchange sees it: a link like any other.

use crate::data_plane::http2::{client::reply::Served, vendor::call::Asked};
use std::{
    cell::RefCell,
    io,
    rc::Rc,
    task::{Context, Poll},
};

/// One stream. A read gives HTTP/1 bytes, a write takes them.
pub enum Stream {
    /// A client's, also held by the task that watches for its end.
    Served(Rc<RefCell<Served>>),
    /// Ours, at a vendor.
    Asked(Box<Asked>),
    /// Nobody's: for what no client waits for.
    Nowhere,
}

impl Stream {
    pub fn poll_read(
        &mut self,
        context: &mut Context<'_>,
        buffer: &mut Vec<u8>,
    ) -> Poll<io::Result<usize>> {
        match self {
            Self::Served(served) => served.borrow_mut().poll_read(context, buffer),
            Self::Asked(asked) => asked.poll_read(context, buffer),
            Self::Nowhere => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    }

    /// Take `bytes`; `poll_flush` sends them.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Served(served) => served.borrow_mut().write(bytes),
            Self::Asked(asked) => asked.write(bytes),
            Self::Nowhere => Err(io::ErrorKind::NotConnected.into()),
        }
    }

    pub fn poll_flush(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Served(served) => served.borrow_mut().poll_flush(context),
            Self::Asked(asked) => asked.poll_flush(context),
            Self::Nowhere => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    }

    /// Is it the first call on its connection?
    pub fn is_first(&self) -> bool {
        matches!(self, Self::Asked(asked) if asked.is_first())
    }
}
