//! A client's connection: its streams begin here, and what it may not do ends it.

mod exchange;
pub mod reply;
mod request;

use crate::data_plane::{
    alarm::Ring,
    core::{Core, Presence, Stage},
    http2::{
        CLIENT_WINDOW_BYTES, PENDING_RESETS_MAX, PING_AFTER_MS, PONG_MS, PREMATURE_RESETS_MAX,
        STREAM_QUEUE_BYTES, STREAM_WINDOW_BYTES, STREAMS_MAX, USELESS_BYTES_MAX, USELESS_FACTOR,
        outgoing::Piece,
        transport::{Traffic, Transport},
    },
    link::Link,
};
use crate::lexicon::{settings::HEADERS_MAX, time::Moment};
use h2::{
    Ping, PingPong, Reason, RecvStream,
    server::{Builder, Connection, SendResponse},
};
use http::Request;
use std::{
    cell::Cell,
    future::poll_fn,
    rc::Rc,
    task::{Context, Poll},
};

/// How the connection is looked at while something runs.
const LOOK_MS: u64 = 1_000;
/// How long a client that was told to go may keep a connection on which nothing runs.
const FAREWELL_MS: u64 = 1_000;
/// How long it may go on sending after our last word.
const LINGER_MS: u64 = 2_000;
/// What a name and a value count beyond their bytes. **Source**: RFC 9113 §6.5.2.
const HEADER_OVERHEAD_BYTES: usize = 32;

type Accepted = (Request<RecvStream>, SendResponse<Piece>);

/// What happened on a connection.
enum Event {
    Stream(Box<Accepted>),
    /// It must be looked at sooner now, or may be later.
    Change,
    End,
}

/// What the streams of one connection tell it.
#[derive(Default)]
struct Streams {
    live: Cell<usize>,
    begun: Cell<u64>,
    /// Reset by the client before a byte of the reply left.
    premature: Cell<u64>,
}

struct Client<'a> {
    core: &'a Rc<Core>,
    presence: &'a Presence,
    connection: Connection<Transport, Piece>,
    pings: Option<PingPong>,
    traffic: Rc<Traffic>,
    streams: Rc<Streams>,
    /// When bytes came last, as far as the looks have seen; and how many there were.
    heard: (Moment, u64),
    /// When bytes left last, or nothing waited to.
    sent: (Moment, u64),
    /// When the last stream ran, and how many had begun by then.
    idle_since: Moment,
    begun: u64,
    /// Was there a reason to look soon?
    was_urgent: bool,
    pinged: Option<Moment>,
    told_to_go: Option<Moment>,
    closing: Option<Moment>,
    is_flooding: bool,
}

/// Serve a connection to its end; `first` are bytes that were read of it already.
pub async fn serve(core: &Rc<Core>, presence: &Presence, link: Link, first: Vec<u8>) {
    presence.stage.set(Stage::Idle); // A core that drains rings for it, and streams finish.
    let Some((socket, tls)) = link.into_socket() else { return };
    let Ok(transport) = Transport::new(socket, tls, first, true) else { return };
    let traffic = Rc::clone(transport.traffic());
    let now = core.clock.now();
    let deadline = now.plus_millis(core.settings.timeouts.head_ms);
    let handshake = builder(core).handshake(transport);
    let Ok(Ok(mut connection)) = presence.alarm.guard(deadline, handshake).await else { return };
    let pings = connection.ping_pong();
    let client = Client {
        core,
        presence,
        connection,
        pings,
        traffic,
        streams: Rc::default(),
        heard: (now, 0),
        sent: (now, 0),
        idle_since: now,
        begun: 0,
        was_urgent: false,
        pinged: None,
        told_to_go: None,
        closing: None,
        is_flooding: false,
    };
    client.run().await;
}

fn builder(core: &Core) -> Builder {
    // Our own refusal (431, with a receipt) comes first; beyond this the frames themselves refuse.
    let head_bytes = core.settings.bounds.head_bytes_max + HEADERS_MAX * HEADER_OVERHEAD_BYTES;
    let mut builder = Builder::new();
    builder
        .initial_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CLIENT_WINDOW_BYTES)
        .max_concurrent_streams(STREAMS_MAX)
        .max_header_list_size(u32::try_from(head_bytes).unwrap_or(u32::MAX))
        .max_pending_accept_reset_streams(PENDING_RESETS_MAX)
        .max_send_buffer_size(STREAM_QUEUE_BYTES);
    builder
}

impl Client<'_> {
    async fn run(mut self) {
        if self.core.is_draining() {
            self.tell_to_go();
        }
        loop {
            let alarm = &self.presence.alarm;
            let deadline = self.deadline();
            match alarm.guard(deadline, poll_fn(|context| self.poll(context))).await {
                Ok(Event::Stream(accepted)) => self.begin(*accepted),
                Ok(Event::Change) => self.sent.0 = self.core.clock.now(),
                Ok(Event::End) | Err(Ring::Departed) => break,
                Err(Ring::Deadline) => {
                    if self.look().is_break() {
                        break;
                    }
                }
                Err(Ring::Closing) => {
                    // Streams are rung for themselves, and say their last words.
                    alarm.allow_last_words();
                    if self.told_to_go.is_some() {
                        self.closing.get_or_insert(self.core.clock.now());
                    }
                    self.tell_to_go();
                }
            }
        }
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Event> {
        self.traffic.begin_turn();
        if let Some(pings) = &mut self.pings {
            // Any byte is a sign of life; this only makes room for the next question.
            let _ = pings.poll_pong(context);
        }
        let polled = self.connection.poll_accept(context);
        let useful = self.traffic.useful.get() * USELESS_FACTOR;
        let is_useless = self.traffic.read.get() > useful + USELESS_BYTES_MAX;
        let premature = self.streams.premature.get();
        let is_resetting =
            premature >= PREMATURE_RESETS_MAX && premature * 2 > self.streams.begun.get();
        if (is_useless || is_resetting) && !self.is_flooding {
            self.is_flooding = true;
            self.connection.abrupt_shutdown(Reason::ENHANCE_YOUR_CALM);
            return self.connection.poll_accept(context).map(|_| Event::End);
        }
        match polled {
            Poll::Ready(Some(Ok(accepted))) => Poll::Ready(Event::Stream(Box::new(accepted))),
            Poll::Ready(_) => Poll::Ready(Event::End),
            Poll::Pending => {
                let is_urgent = self.is_urgent();
                let has_changed = std::mem::replace(&mut self.was_urgent, is_urgent) != is_urgent;
                if has_changed { Poll::Ready(Event::Change) } else { Poll::Pending }
            }
        }
    }

    /// Does something run or end that must not take too long?
    fn is_urgent(&self) -> bool {
        self.streams.live.get() > 0
            || self.told_to_go.is_some()
            || self.traffic.is_stalled.get()
            || self.traffic.is_closing.get()
            || self.is_flooding
    }

    fn begin(&mut self, (request, mut respond): Accepted) {
        self.streams.begun.set(self.streams.begun.get() + 1);
        self.presence.count_request();
        if self.presence.requests_left.get() == 0 {
            self.tell_to_go();
        }
        // Streams that a client reset are counted here until their exchange has ended too.
        let is_full = self.streams.live.get() >= 2 * STREAMS_MAX as usize;
        let presence = if is_full { None } else { self.core.attend(self.presence) };
        let Some(presence) = presence else {
            respond.send_reset(Reason::REFUSED_STREAM);
            return;
        };
        let live = exchange::Live::new(&self.streams);
        let core = Rc::clone(self.core);
        let stream = exchange::stream(request, respond, &self.traffic);
        monoio::spawn(exchange::serve(core, presence, stream, live));
    }

    fn tell_to_go(&mut self) {
        if self.told_to_go.is_none() {
            self.told_to_go = Some(self.core.clock.now());
            self.connection.graceful_shutdown();
        }
    }

    /// When to look next. While nothing runs that is when the connection has been idle too long.
    fn deadline(&self) -> Moment {
        let now = self.core.clock.now();
        if !self.is_urgent() && self.begun == self.streams.begun.get() {
            self.idle_since.plus_millis(self.core.settings.timeouts.keep_alive_ms)
        } else {
            now.plus_millis(LOOK_MS)
        }
    }

    /// Is there a reason to end it?
    fn look(&mut self) -> std::ops::ControlFlow<()> {
        use std::ops::ControlFlow::{Break, Continue};
        let now = self.core.clock.now();
        let timeouts = &self.core.settings.timeouts;
        let is_over = |since: Moment, millis: u64| now >= since.plus_millis(millis);
        let read = self.traffic.read.get();
        if read != self.heard.1 {
            self.heard = (now, read);
            self.pinged = None;
        }
        let written = self.traffic.written.get();
        if written != self.sent.1 || !self.traffic.is_stalled.get() {
            self.sent = (now, written);
        }
        let is_live = self.streams.live.get() > 0;
        if is_live || self.begun != self.streams.begun.get() {
            self.idle_since = now;
            self.begun = self.streams.begun.get();
        }
        let is_ended = self.traffic.is_closing.get() || self.is_flooding;
        if is_ended || self.closing.is_some() {
            let since = *self.closing.get_or_insert(now);
            return if is_over(since, LINGER_MS) { Break(()) } else { Continue(()) };
        }
        if is_over(self.sent.0, timeouts.write_idle_ms) {
            return Break(());
        }
        match self.told_to_go {
            Some(since) if !is_live && is_over(since.max(self.idle_since), FAREWELL_MS) => {
                return Break(());
            }
            None if !is_live && is_over(self.idle_since, timeouts.keep_alive_ms) => {
                self.tell_to_go();
            }
            None if !self.presence.may_go_on(now) => self.tell_to_go(),
            _ => {}
        }
        match self.pinged {
            Some(since) if is_over(since, PONG_MS) => return Break(()),
            None if is_live && is_over(self.heard.0, PING_AFTER_MS) => {
                self.pinged = Some(now);
                if let Some(pings) = &mut self.pings {
                    // It can only fail where one is on its way.
                    let _ = pings.send_ping(Ping::opaque());
                }
            }
            _ => {}
        }
        Continue(())
    }
}
