//! One connection: a task that reads always, so that a client that leaves is noticed at once, and
//! the writing end in the hands of `play.rs`.

use monoio::{
    io::{AsyncReadRent, AsyncWriteRentExt, OwnedReadHalf, OwnedWriteHalf, Splitable},
    net::TcpStream,
};
use std::{
    cell::RefCell,
    future::{Future, poll_fn},
    io,
    net::Shutdown,
    os::fd::{AsRawFd, BorrowedFd},
    pin::pin,
    rc::Rc,
    task::{Poll, Waker},
    time::Duration,
};

const READ_BYTES: usize = 32 * 1024;

/// The client has left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Gone;

#[derive(Default)]
struct Inbox {
    bytes: Vec<u8>,
    has_ended: bool,
    waker: Option<Waker>,
    /// Called once, the moment the client leaves.
    on_end: Option<Box<dyn FnOnce()>>,
}

/// One connection.
pub(super) struct Line {
    writer: OwnedWriteHalf<TcpStream>,
    inbox: Rc<RefCell<Inbox>>,
    /// The same socket by another descriptor: what ends it must not wait for pending reads.
    socket: Rc<std::net::TcpStream>,
}

impl Line {
    /// Takes the connection and begins to read.
    pub fn new(stream: TcpStream) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        let socket = Rc::new(duplicate(&stream)?);
        let (reader, writer) = stream.into_split();
        let inbox = Rc::new(RefCell::new(Inbox::default()));
        monoio::spawn(read_all(reader, Rc::clone(&inbox)));
        Ok(Self { writer, inbox, socket })
    }

    /// A handle by which the connection can be ended from elsewhere.
    pub fn handle(&self) -> Rc<std::net::TcpStream> {
        Rc::clone(&self.socket)
    }

    /// What has been received since; waits for something.
    pub async fn receive(&self) -> Result<Vec<u8>, Gone> {
        poll_fn(|context| {
            let mut inbox = self.inbox.borrow_mut();
            if !inbox.bytes.is_empty() {
                return Poll::Ready(Ok(std::mem::take(&mut inbox.bytes)));
            }
            if inbox.has_ended {
                return Poll::Ready(Err(Gone));
            }
            inbox.waker = Some(context.waker().clone());
            Poll::Pending
        })
        .await
    }

    pub async fn send(&mut self, bytes: Vec<u8>) -> Result<Vec<u8>, Gone> {
        let (result, bytes) = self.writer.write_all(bytes).await;
        result.map(|_| bytes).map_err(|_| Gone)
    }

    /// Lets time pass, unless the client leaves before.
    pub async fn pause(&self, length: Duration) -> Result<(), Gone> {
        let mut sleep = pin!(monoio::time::sleep(length));
        let mut end = pin!(self.end());
        poll_fn(|context| {
            if end.as_mut().poll(context).is_ready() {
                return Poll::Ready(Err(Gone));
            }
            sleep.as_mut().poll(context).map(Ok)
        })
        .await
    }

    /// Returns when the client has left.
    pub async fn end(&self) {
        poll_fn(|context| {
            let mut inbox = self.inbox.borrow_mut();
            if inbox.has_ended {
                return Poll::Ready(());
            }
            inbox.waker = Some(context.waker().clone());
            Poll::Pending
        })
        .await;
    }

    /// What to do the moment the client leaves; replaces what was to be done before.
    pub fn on_end(&self, action: impl FnOnce() + 'static) {
        let mut inbox = self.inbox.borrow_mut();
        if inbox.has_ended {
            drop(inbox);
            action();
        } else {
            inbox.on_end = Some(Box::new(action));
        }
    }

    /// Ends the connection in order. The client's leaving is ours then, and not noted.
    pub fn close(&self) {
        self.inbox.borrow_mut().on_end = None;
        let _ = self.socket.shutdown(Shutdown::Both);
    }

    /// Ends the connection at once: disconnecting an established socket sends a reset.
    pub fn reset(&self) {
        self.inbox.borrow_mut().on_end = None;
        let _ = rustix::net::connect_unspec(&self.socket);
    }
}

async fn read_all(mut reader: OwnedReadHalf<TcpStream>, inbox: Rc<RefCell<Inbox>>) {
    let mut buffer = Vec::with_capacity(READ_BYTES);
    loop {
        let (result, filled) = reader.read(buffer).await;
        buffer = filled;
        let mut inbox = inbox.borrow_mut();
        match result {
            Ok(1..) => inbox.bytes.extend_from_slice(&buffer),
            Ok(0) | Err(_) => inbox.has_ended = true,
        }
        if let Some(waker) = inbox.waker.take() {
            waker.wake();
        }
        if inbox.has_ended {
            let action = inbox.on_end.take();
            drop(inbox);
            return action.into_iter().for_each(|action| action());
        }
        buffer.clear();
    }
}

/// A second descriptor of the same socket.
#[expect(unsafe_code, reason = "monoio's stream lends its descriptor only as a raw number")]
fn duplicate(stream: &TcpStream) -> io::Result<std::net::TcpStream> {
    // SAFETY: the descriptor is open, for `stream` owns it and is borrowed through the whole call;
    // the borrowed form does not outlive this expression, and the copy owns its own descriptor.
    let borrowed = unsafe { BorrowedFd::borrow_raw(stream.as_raw_fd()) };
    borrowed.try_clone_to_owned().map(Into::into)
}
