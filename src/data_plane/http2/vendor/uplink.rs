//! One shared connection to a vendor, and the task that keeps it.

use crate::{
    data_plane::{
        catch::catch,
        http2::{
            CALLS_MAX, PING_AFTER_MS, PONG_MS, STREAM_QUEUE_BYTES, STREAM_WINDOW_BYTES,
            VENDOR_WINDOW_BYTES,
            outgoing::Piece,
            transport::{Traffic, Transport},
        },
        link::Link,
    },
    lexicon::{settings::Settings, time::Moment},
    provider::target::Endpoint,
};
use h2::{
    Ping, PingPong,
    client::{Builder, Connection, SendRequest},
};
use std::{
    cell::Cell,
    future::{Future as _, poll_fn},
    io,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, Waker},
    time::Duration,
};

/// What a vendor's head may hold. **Source**: as `HEAD_BYTES_MAX` of `upstream/call.rs`.
const HEADERS_BYTES_MAX: u32 = 64 << 10;
/// How often a connection is looked at: finer than what is looked for.
const LOOK: Duration = Duration::from_secs(5);
/// How many looks make a silence in which the vendor is asked whether it lives, and how many more
/// until it is given up.
const PING_AFTER_LOOKS: u64 = PING_AFTER_MS / 5_000;
const PONG_LOOKS: u64 = PONG_MS / 5_000;

/// One shared connection.
pub struct Uplink {
    send: SendRequest<Piece>,
    pub scheme: &'static str,
    pub traffic: Rc<Traffic>,
    shared: Rc<Shared>,
    idle_since: Cell<Moment>,
}

/// What its task and its calls tell each other.
#[derive(Default)]
struct Shared {
    live: Cell<usize>,
    calls: Cell<u64>,
    /// No more calls: it ended, or the vendor refuses more.
    is_shut: Cell<bool>,
}

/// The task of one connection.
struct Keeper {
    connection: Connection<Transport, Piece>,
    pings: Option<PingPong>,
    traffic: Rc<Traffic>,
    shared: Rc<Shared>,
    heard: u64,
    silent_looks: u64,
}

/// Begin to speak HTTP/2. It waits for nothing from the vendor.
pub async fn open(link: Link, endpoint: &Endpoint) -> io::Result<Rc<Uplink>> {
    let Some((socket, tls)) = link.into_socket() else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    let transport = Transport::new(socket, tls, Vec::new(), false)?;
    let traffic = Rc::clone(transport.traffic());
    let mut builder = Builder::new();
    builder
        .enable_push(false)
        .initial_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(VENDOR_WINDOW_BYTES)
        .max_header_list_size(HEADERS_BYTES_MAX)
        .max_send_buffer_size(STREAM_QUEUE_BYTES);
    let (send, mut connection) = builder.handshake(transport).await.map_err(io::Error::other)?;
    let shared = Rc::<Shared>::default();
    let keeper = Keeper {
        pings: connection.ping_pong(),
        connection,
        traffic: Rc::clone(&traffic),
        shared: Rc::clone(&shared),
        heard: 0,
        silent_looks: 0,
    };
    let kept = Rc::clone(&shared);
    monoio::spawn(async move {
        // Its calls learn of a panic as of any other end.
        let _ = catch(keeper.keep()).await;
        kept.is_shut.set(true);
    });
    let scheme = if endpoint.tls.is_some() { "https" } else { "http" };
    Ok(Rc::new(Uplink { send, scheme, traffic, shared, idle_since: Cell::new(Moment(0)) }))
}

impl Uplink {
    /// Does it take calls?
    pub fn is_open(&self) -> bool {
        let mut context = Context::from_waker(Waker::noop());
        // A farewell of the vendor is told here.
        let is_ready = matches!(self.send.clone().poll_ready(&mut context), Poll::Ready(Ok(())));
        is_ready && !self.shared.is_shut.get()
    }

    pub fn has_room(&self) -> bool {
        self.shared.live.get() < self.send.current_max_send_streams().min(CALLS_MAX)
    }

    pub fn is_idle(&self) -> bool {
        self.shared.live.get() == 0
    }

    /// Was it used of late?
    pub fn is_wanted(&self, now: Moment, settings: &Settings) -> bool {
        if !self.is_idle() || self.idle_since.get() == Moment(0) {
            self.idle_since.set(now);
        }
        now < self.idle_since.get().plus_millis(settings.timeouts.pool_idle_ms)
    }

    /// No more calls here.
    pub fn shut(&self) {
        self.shared.is_shut.set(true);
    }

    /// A call begins; how many there were before it, and run.
    pub fn begin(&self) -> (u64, usize) {
        let before = (self.shared.calls.get(), self.shared.live.get());
        self.shared.calls.set(before.0 + 1);
        self.shared.live.set(before.1 + 1);
        before
    }

    /// A call ended.
    pub fn end(&self) {
        self.shared.live.set(self.shared.live.get() - 1);
        // The next sweep sees when that was, nearly.
        self.idle_since.set(Moment(0));
    }

    pub fn sender(&self) -> SendRequest<Piece> {
        self.send.clone()
    }
}

impl Keeper {
    async fn keep(mut self) {
        let mut look = Box::pin(monoio::time::sleep(LOOK));
        poll_fn(|context| {
            self.traffic.begin_turn();
            if let Some(pings) = &mut self.pings {
                // Any byte is a sign of life; this only makes room for the next question.
                let _ = pings.poll_pong(context);
            }
            if Pin::new(&mut self.connection).poll(context).is_ready() {
                return Poll::Ready(());
            }
            while look.as_mut().poll(context).is_ready() {
                look = Box::pin(monoio::time::sleep(LOOK));
                if !self.is_alive() {
                    return Poll::Ready(());
                }
            }
            Poll::Pending
        })
        .await;
    }

    /// Does the vendor say anything while it has calls of ours?
    fn is_alive(&mut self) -> bool {
        let read = self.traffic.read.get();
        if read != self.heard || self.shared.live.get() == 0 {
            self.heard = read;
            self.silent_looks = 0;
            return true;
        }
        self.silent_looks += 1;
        if self.silent_looks == PING_AFTER_LOOKS
            && let Some(pings) = &mut self.pings
        {
            // It can only fail where one is on its way.
            let _ = pings.send_ping(Ping::opaque());
        }
        self.silent_looks < PING_AFTER_LOOKS + PONG_LOOKS
    }
}
