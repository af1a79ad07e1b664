//! The client's side of an exchange: what is sent to it, and whether it is still there.

use crate::{
    data_plane::{
        alarm::{Alarm, Ring},
        clock::Clock,
        connection::Next,
        core::{Core, Presence},
        departures::{Departures, WATCH_AFTER_MS, Watch},
        exchange::Stop,
        inbound::{Intake, Missed},
        link::Link,
        upstream::buffers::Buffers,
    },
    dialect::pivot::dropped::Dropped,
    lexicon::time::Moment,
    wire::http1::request::{Method, RequestHead},
};
use std::{
    cell::Cell,
    pin::{Pin, pin},
};

/// An interim reply, which every client of HTTP/1.1 must take at any time before the final one.
/// **Source**: RFC 9110 §15.2.
pub const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

/// How long a client may take to read why the core closes on it.
const LAST_WORDS_MS: u64 = 500;

/// The client of one exchange.
#[expect(clippy::struct_excessive_bools, reason = "facts of one client, independent of each other")]
pub struct Downlink<'a> {
    link: &'a mut Link,
    alarm: &'a Alarm,
    clock: &'a Clock,
    departures: &'a Departures,
    buffers: &'a Buffers,
    has_replied: &'a Cell<bool>,
    is_draining: &'a Cell<bool>,
    watch: Option<Watch>,
    /// When the exchange is old enough for a watch; `None` once that was tried.
    watch_from: Option<Moment>,
    /// What may be sent at any time to see whether the client is still there; empty is nothing.
    pub probe: &'static [u8],
    was_probed: bool,
    /// The core closes: only last words are said.
    is_closing: bool,
    write_idle_ms: u64,
    pub is_http10: bool,
    /// The request was HEAD: the reply has no body.
    pub is_head: bool,
    pub keep_alive: bool,
    /// What the target that was called last did not see of the request.
    pub dropped: Dropped,
    /// What the next `send` sends.
    pub out: Vec<u8>,
}

impl<'a> Downlink<'a> {
    pub fn begin(
        core: &'a Core,
        presence: &'a Presence,
        link: &'a mut Link,
        head: &RequestHead,
        now: Moment,
    ) -> Self {
        presence.has_replied.set(false);
        presence.alarm.hush();
        Self {
            link,
            alarm: &presence.alarm,
            clock: &core.clock,
            departures: &core.departures,
            buffers: &core.buffers,
            has_replied: &presence.has_replied,
            is_draining: core.draining(),
            watch: None,
            watch_from: Some(now.plus_millis(WATCH_AFTER_MS)),
            probe: if head.is_http10 { b"" } else { CONTINUE },
            was_probed: false,
            is_closing: false,
            write_idle_ms: core.settings.timeouts.write_idle_ms,
            is_http10: head.is_http10,
            is_head: head.method == Method::Head,
            // A client of HTTP/1.0 would have to be told that we keep it, and few still ask.
            keep_alive: head.keep_alive && !head.is_http10 && presence.may_go_on(now),
            dropped: Dropped::default(),
            out: core.buffers.take(),
        }
    }

    /// Nobody's: for a call that no client waits for by itself.
    pub fn aside(
        core: &'a Core,
        alarm: &'a Alarm,
        (link, has_replied): (&'a mut Link, &'a Cell<bool>),
    ) -> Self {
        Self {
            link,
            alarm,
            clock: &core.clock,
            departures: &core.departures,
            buffers: &core.buffers,
            has_replied,
            is_draining: core.draining(),
            watch: None,
            watch_from: None,
            probe: b"",
            was_probed: true,
            is_closing: false,
            write_idle_ms: core.settings.timeouts.write_idle_ms,
            is_http10: false,
            is_head: false,
            keep_alive: false,
            dropped: Dropped::default(),
            out: Vec::new(),
        }
    }

    /// Take the rest of the request's body in.
    pub async fn receive(&mut self, core: &Core, intake: &mut Intake) -> Result<(), Missed> {
        intake.read_body(self.link, self.alarm, self.clock, &core.settings).await
    }

    /// Send what is in `out`, and empty it.
    pub async fn send(&mut self) -> Result<(), Stop> {
        if self.out.is_empty() {
            return Ok(());
        }
        self.has_replied.set(true);
        let out = std::mem::take(&mut self.out);
        let deadline = self.clock.recent().plus_millis(self.write_idle_ms);
        // Pinned here: handed over, it would be moved.
        let writing = pin!(self.link.write(out));
        match self.alarm.guard_write(deadline, writing).await {
            Ok((Ok(()), out)) => {
                self.out = out;
                self.out.clear();
                Ok(())
            }
            Ok((Err(_), _)) | Err(_) => Err(Stop::ClientGone),
        }
    }

    /// Does the core close, so that only last words are said?
    pub fn is_closing(&self) -> bool {
        self.is_closing
    }

    /// Has a byte of the reply left?
    pub fn has_replied(&self) -> bool {
        self.has_replied.get()
    }

    /// Await the upstream until `deadline`, or until the client leaves.
    ///
    /// The future is pinned by the caller, for it must live on when the watch begins.
    pub async fn wait<F: Future>(
        &mut self,
        deadline: Moment,
        io: Pin<&mut F>,
    ) -> Result<F::Output, Ring> {
        if self.is_closing {
            return Err(Ring::Closing);
        }
        let mut io = io;
        let waited = loop {
            // An exchange that is old enough is watched from then on.
            let watch_from = self.watch_from.filter(|from| *from < deadline);
            match self.alarm.guard(watch_from.unwrap_or(deadline), io.as_mut()).await {
                Err(Ring::Deadline) if watch_from.is_some() => self.begin_watch(),
                // Boxed, for it is rare, and every wait would have room for it.
                Err(Ring::Departed)
                    if watch_from.is_none() && Box::pin(self.is_still_there()).await => {}
                other => break other,
            }
        };
        // What came has come now; whoever asks next gets this reading.
        self.clock.now();
        if matches!(waited, Err(Ring::Closing)) {
            self.is_closing = true;
            self.keep_alive = false;
            self.write_idle_ms = self.write_idle_ms.min(LAST_WORDS_MS);
            self.alarm.allow_last_words();
        }
        waited
    }

    /// The client sends no more. Does it still read?
    async fn is_still_there(&mut self) -> bool {
        self.alarm.hush();
        let Some(watch) = self.watch.as_ref().filter(|_| !self.was_probed) else { return false };
        self.was_probed = true;
        let Some(socket) = self.link.socket() else { return false };
        self.departures.expect_reset(socket, watch);
        if self.probe.is_empty() {
            return true;
        }
        let deadline = self.clock.recent().plus_millis(self.write_idle_ms);
        let probing = self.link.write(self.probe.to_vec());
        matches!(self.alarm.guard_write(deadline, probing).await, Ok((Ok(()), _)))
    }

    fn begin_watch(&mut self) {
        self.watch_from = None;
        // A stream's own task watches for its end.
        let socket = self.link.socket();
        self.watch = socket.and_then(|socket| self.departures.watch(socket, self.alarm.bell()));
    }

    /// What becomes of the connection. A drain that has begun is told as long as nothing of the
    /// reply has left; what was promised is kept.
    pub fn next(&mut self) -> Next {
        if self.is_draining.get() && !self.has_replied.get() {
            self.keep_alive = false;
        }
        if self.keep_alive { Next::KeepAlive } else { Next::Close }
    }
}

impl Drop for Downlink<'_> {
    fn drop(&mut self) {
        self.buffers.give(std::mem::take(&mut self.out));
        if let (Some(watch), Some(socket)) = (self.watch.take(), self.link.socket()) {
            self.departures.unwatch(socket, watch);
        }
        // It rang for this exchange; whoever half-closed may have sent the next one already.
        self.alarm.hush();
    }
}
