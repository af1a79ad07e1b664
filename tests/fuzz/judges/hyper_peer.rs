//! hyper over memory: what it makes of the same bytes.

use hyper::{
    Request, Response,
    body::{Body, Bytes, Frame, Incoming, SizeHint},
    rt::{Read, ReadBufCursor, Write},
    service::service_fn,
};
use std::{
    cell::{Cell, RefCell},
    convert::Infallible,
    io,
    pin::{Pin, pin},
    rc::Rc,
    task::{Context, Poll, Waker},
};

/// Polls without progress after which nothing more will come.
const IDLE_POLLS_MAX: usize = 6;

/// A message as hyper reads it.
#[derive(Debug, Default)]
pub struct Message {
    pub method: String,
    pub target: String,
    pub status: u16,
    pub body: Vec<u8>,
    /// The body ended as its framing says.
    pub is_whole: bool,
}

/// What hyper made of a connection's bytes.
pub struct Heard {
    pub messages: Vec<Message>,
    /// It ended the connection, or refused what came next.
    pub has_ended: bool,
}

/// A connection whose other side has said `bytes`, and stays or closes.
struct Memory {
    bytes: Vec<u8>,
    at: usize,
    closes: bool,
    /// Nothing is said before so much was written.
    waits_for_write: bool,
    progress: Rc<Cell<u64>>,
}

impl Read for Memory {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        mut buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let rest = &self.bytes[self.at..];
        if self.waits_for_write || (rest.is_empty() && !self.closes) {
            return Poll::Pending;
        }
        let length = rest.len().min(buffer.remaining());
        buffer.put_slice(&rest[..length]);
        self.at += length;
        self.progress.set(self.progress.get() + 1);
        Poll::Ready(Ok(()))
    }
}

impl Write for Memory {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.waits_for_write = false;
        self.progress.set(self.progress.get() + 1);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// A body without a byte.
struct Empty;

impl Body for Empty {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(None)
    }

    fn is_end_stream(&self) -> bool {
        true
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(0)
    }
}

/// Reads a body into the last message.
async fn gather(mut body: Incoming, messages: &RefCell<Vec<Message>>, nth: usize) {
    loop {
        let frame = std::future::poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await;
        let message = &mut messages.borrow_mut()[nth];
        match frame {
            Some(Ok(frame)) => {
                if let Ok(data) = frame.into_data() {
                    message.body.extend_from_slice(&data);
                }
            }
            Some(Err(_)) => return,
            None => {
                message.is_whole = true;
                return;
            }
        }
    }
}

/// Polls until it is ready, or makes no more progress; was it ready?
fn drive(mut future: Pin<&mut dyn Future<Output = ()>>, progress: &Cell<u64>) -> bool {
    let mut context = Context::from_waker(Waker::noop());
    let mut idle = 0;
    while idle < IDLE_POLLS_MAX {
        let before = progress.get();
        if future.as_mut().poll(&mut context).is_ready() {
            return true;
        }
        idle = if progress.get() == before { idle + 1 } else { 0 };
    }
    false
}

/// The requests that hyper's server reads from `bytes`, on a connection that stays open.
pub fn requests(bytes: &[u8]) -> Heard {
    let messages = RefCell::new(Vec::new());
    let progress = Rc::new(Cell::new(0));
    let memory = Memory {
        bytes: bytes.to_vec(),
        at: 0,
        closes: false,
        waits_for_write: false,
        progress: Rc::clone(&progress),
    };
    let serve = |request: Request<Incoming>| {
        let nth = messages.borrow().len();
        messages.borrow_mut().push(Message {
            method: request.method().to_string(),
            target: request.uri().path_and_query().map_or_else(String::new, ToString::to_string),
            ..Message::default()
        });
        let messages = &messages;
        async move {
            gather(request.into_body(), messages, nth).await;
            Ok::<_, Infallible>(Response::new(Empty))
        }
    };
    let serving =
        hyper::server::conn::http1::Builder::new().serve_connection(memory, service_fn(serve));
    let mut serving = pin!(async { drop(serving.await) });
    let has_ended = drive(serving.as_mut(), &progress);
    Heard { messages: messages.take(), has_ended }
}

/// The reply that hyper's client reads from `bytes`, behind which the connection closes; `None`
/// where it takes it for none.
pub fn reply(bytes: &[u8]) -> Option<Message> {
    let messages = RefCell::new(Vec::new());
    let progress = Rc::new(Cell::new(0));
    let memory = Memory {
        bytes: bytes.to_vec(),
        at: 0,
        closes: true,
        waits_for_write: true,
        progress: Rc::clone(&progress),
    };
    let mut asking = pin!(async {
        let Ok((mut sender, connection)) = hyper::client::conn::http1::handshake(memory).await
        else {
            return;
        };
        let request = Request::post("/").header("host", "weir.test").body(Empty);
        let answered = sender.send_request(request.expect("a request"));
        let mut connection = pin!(connection);
        let mut hearing = pin!(async {
            let Ok(reply) = answered.await else { return };
            let status = reply.status().as_u16();
            messages.borrow_mut().push(Message { status, ..Message::default() });
            gather(reply.into_body(), &messages, 0).await;
        });
        let mut has_ended = false;
        std::future::poll_fn(|context| {
            has_ended = has_ended || connection.as_mut().poll(context).is_ready();
            hearing.as_mut().poll(context)
        })
        .await;
    });
    drive(asking.as_mut(), &progress);
    messages.take().pop()
}
