//! Events, relayed as they come: whole ones only, those that came together in one write.
//!
//! The head leaves with the first bytes, so that what goes wrong before is told by a status. An
//! event that was cut off is dropped; how the stream ended is said in its own language, never in
//! silence.

use crate::{
    data_plane::{
        core::Core,
        exchange::Stop,
        stage::relay::{
            Reply,
            head::{self, Length},
            refuse,
        },
        trail::Trail,
        upstream::call::{Answer, Failure, Limits},
    },
    dialect::openai_chat::{
        error,
        reply::error_status,
        request::Ask,
        stream::{DONE_EVENT, Observer, Verdict, has_content},
    },
    lexicon::{fault::Fault, receipt::Ending, refusal::Refusal, time::Moment},
    wire::{
        http1::chunked::{LAST_CHUNK, push_chunk_head},
        json,
        sse::{self, Data, Event, Scanner},
    },
};
use std::ops::Range;

/// How long a stream that has said its finish reason or `[DONE]` may take to say the rest and end;
/// some vendors send keep-alives for ever instead.
const FINISH_GRACE_MS: u64 = 3_000;

/// What is held back at most until the first content.
const HELD_BYTES_MAX: usize = 64 << 10;

/// A stream on its way.
struct Relay {
    status: u16,
    length: Option<Length>,
    observer: Observer,
    scanner: Scanner,
    /// Payload that is not yet a whole event.
    pending: Vec<u8>,
    /// Events of `pending` that the client does not get; nearly always none.
    taken_out: Vec<Range<usize>>,
    finished_at: Option<Moment>,
    /// Only where another attempt may follow.
    hold: Option<Hold>,
}

/// What keeps a stream back until its first content: until then, an error is none of the client's.
#[derive(Default)]
struct Hold {
    /// Up to where whole events reach.
    end: usize,
    has_content: bool,
    /// The status that an error among the events says.
    error: Option<u16>,
}

/// Relay the stream.
pub(super) async fn relay(
    reply: &mut Reply<'_, '_, '_>,
    answer: &mut Answer,
    ask: &Ask<'_>,
) -> Result<(), Stop> {
    let mut relay = Relay {
        status: answer.head.status,
        length: None,
        observer: Observer::new(ask.wants_usage),
        scanner: Scanner::default(),
        pending: reply.core.buffers.take(),
        taken_out: Vec::new(),
        finished_at: None,
        hold: reply.again.map(|_| Hold::default()),
    };
    let ended = loop {
        let pending = &mut relay.pending;
        let taken = answer.take(|bytes| pending.extend_from_slice(bytes));
        let moved = taken.and_then(|()| relay.scan(reply.core.clock.recent(), reply.trail));
        let moved = relay.release(moved, reply)?;
        if relay.length.is_none() && moved.as_ref().is_ok_and(|end| *end > 0) {
            relay.begin(reply, answer);
        }
        match moved {
            Ok(end) => relay.push(end, reply),
            Err(fault) => break Err(Failure::Fault(fault)),
        }
        if answer.body.is_done() {
            break Ok(());
        }
        if reply.downlink.send().await.is_err() {
            break Err(Failure::ClientGone);
        }
        let (deadline, fault) = relay.until(reply.core, reply.limits);
        match answer.read(deadline, fault, reply.downlink).await {
            Ok(true) => {}
            Ok(false) => break answer.body.end().map_err(Failure::Fault),
            Err(_) if relay.is_only_late(reply.core, deadline) => break Ok(()),
            Err(failure) => break Err(failure),
        }
    };
    relay.end(ended, reply, answer).await?;
    reply.core.buffers.give(std::mem::take(&mut relay.pending));
    Ok(())
}

/// Look at an event that is held back.
fn watch(hold: &mut Option<Hold>, observer: &Observer, data: &[u8]) {
    let Some(hold) = hold.as_mut().filter(|hold| !hold.has_content) else { return };
    if observer.has_error {
        hold.error.get_or_insert_with(|| error_status(data));
    } else {
        hold.has_content = has_content(data);
    }
}

impl Relay {
    /// Look at every event that is whole; up to where they reach.
    fn scan(&mut self, now: Moment, trail: &mut Trail<'_>) -> Result<usize, Fault> {
        let mut end = 0;
        while let Some(event) = self.scanner.next(&self.pending).map_err(|_| Fault::Invalid)? {
            end = event.whole.end;
            let was_complete = self.observer.is_complete();
            if self.see(&event) == Verdict::TakeOut {
                self.taken_out.push(event.whole);
            }
            if event.data != Data::None {
                trail.content(now);
            }
            // One choice of several may finish long before the others.
            if self.observer.is_complete() && (!was_complete || self.observer.goes_on) {
                self.finished_at = Some(now);
            }
        }
        Ok(end)
    }

    fn see(&mut self, event: &Event) -> Verdict {
        match &event.data {
            Data::None => Verdict::Pass,
            Data::One(range) => {
                let data = &self.pending[range.clone()];
                let verdict = self.observer.see(data);
                watch(&mut self.hold, &self.observer, data);
                verdict
            }
            Data::Many => {
                let joined = sse::join_data(&self.pending, event.whole.clone());
                let verdict = self.observer.see(&joined);
                watch(&mut self.hold, &self.observer, &joined);
                verdict
            }
        }
    }

    /// Up to where events may be told: nowhere, while they are held back.
    fn release(
        &mut self,
        moved: Result<usize, Fault>,
        reply: &mut Reply<'_, '_, '_>,
    ) -> Result<Result<usize, Fault>, Stop> {
        let Some(hold) = &mut self.hold else { return Ok(moved) };
        let Ok(end) = moved else { return Ok(moved) };
        hold.end = hold.end.max(end);
        if let Some(status) = hold.error.take() {
            reply.give_up_on_error(status)?;
            hold.has_content = true;
        }
        if !hold.has_content && hold.end < HELD_BYTES_MAX {
            return Ok(Ok(0));
        }
        let end = hold.end;
        self.hold = None;
        Ok(Ok(end))
    }

    fn begin(&mut self, reply: &mut Reply<'_, '_, '_>, answer: &Answer) {
        let length = Length::unknown(reply.downlink);
        self.length = Some(length);
        head::push(reply, answer, self.status, b"text/event-stream", length);
        // A comment, which a client of events passes over.
        reply.downlink.probe = if length == Length::Chunked { b"3\r\n:\n\n\r\n" } else { b":\n\n" };
    }

    /// Move the events up to `end` into what is sent next, as one chunk.
    fn push(&mut self, end: usize, reply: &mut Reply<'_, '_, '_>) {
        let dropped: usize = self.taken_out.iter().map(Range::len).sum();
        reply.trail.bytes_out += (end - dropped) as u64;
        let out = &mut reply.downlink.out;
        if end > dropped {
            if self.length == Some(Length::Chunked) {
                push_chunk_head(out, end - dropped);
            }
            let mut at = 0;
            for range in &self.taken_out {
                out.extend_from_slice(&self.pending[at..range.start]);
                at = range.end;
            }
            out.extend_from_slice(&self.pending[at..end]);
            if self.length == Some(Length::Chunked) {
                out.extend_from_slice(b"\r\n");
            }
        }
        self.taken_out.clear();
        if end > 0 {
            self.pending.drain(..end);
            self.scanner.consumed(end);
        }
    }

    /// Until when the next bytes must be there.
    fn until(&self, core: &Core, limits: Limits) -> (Moment, Fault) {
        let own = core.clock.recent().plus_millis(core.settings.timeouts.idle_ms);
        let (mut deadline, mut fault) = limits.until_done(own);
        let is_silent = self.observer.events == 0 || self.hold.is_some();
        if let Some(ttft) = limits.ttft.filter(|ttft| is_silent && *ttft < deadline) {
            (deadline, fault) = (ttft, Fault::TtftTimeout);
        }
        if let Some(finished) = self.finished_at {
            deadline = deadline.min(finished.plus_millis(FINISH_GRACE_MS));
        }
        (deadline, fault)
    }

    /// The wait ended because a finished stream did not go on.
    fn is_only_late(&self, core: &Core, deadline: Moment) -> bool {
        self.finished_at.is_some_and(|at| at.plus_millis(FINISH_GRACE_MS) == deadline)
            && core.clock.now() >= deadline
    }
}

impl Relay {
    /// Say how it ended, and seal the receipt before the last bytes leave.
    async fn end(
        &mut self,
        ended: Result<(), Failure>,
        reply: &mut Reply<'_, '_, '_>,
        answer: &Answer,
    ) -> Result<(), Stop> {
        self.account(reply.trail);
        let fault = match ended {
            Err(Failure::ClientGone) => return Err(Stop::ClientGone),
            Err(Failure::Fault(fault)) if !self.observer.is_complete() => Some(fault),
            _ => {
                self.take_rest();
                let is_whole = self.observer.is_complete() || self.observer.has_error;
                (!is_whole).then_some(Fault::Truncated)
            }
        };
        if let (Some(fault), None) = (fault, self.length) {
            return Err(refuse(Failure::Fault(fault), reply.trail));
        }
        if self.length.is_none() {
            self.begin(reply, answer);
        }
        self.push_last(fault, reply);
        // Told or not, the body has ended as its framing says: the connection can go on.
        reply.downlink.send().await
    }

    fn account(&mut self, trail: &mut Trail<'_>) {
        trail.report(self.observer.usage);
        if !trail.usage_is_reported {
            // Every event is about a token.
            trail.estimate(u64::from(self.observer.events));
        }
    }

    /// What stands behind the last blank line is an event too if it is whole in itself; else it was
    /// cut off.
    fn take_rest(&mut self) {
        let rest = self.pending.trim_ascii_end();
        let data = rest.strip_prefix(b"data:").map(<[u8]>::trim_ascii);
        let is_whole = data.is_some_and(|data| {
            data == b"[DONE]" || json::object::scan_object(data, &[""; 0]).is_ok()
        });
        match data.filter(|_| is_whole && !self.observer.is_done) {
            Some(data) => {
                self.observer.see(data);
            }
            None => self.pending.clear(),
        }
    }

    fn push_last(&mut self, fault: Option<Fault>, reply: &mut Reply<'_, '_, '_>) {
        let (out, trail) = (&mut reply.downlink.out, &mut *reply.trail);
        let mut last = std::mem::take(&mut self.pending);
        let ending = if let Some(fault) = fault {
            let refusal = fault.refusal().unwrap_or(Refusal::StreamTruncated);
            trail.fault = Some(fault);
            trail.refusal = Some(refusal);
            last.clear();
            error::push_event(&mut last, &refusal.into(), trail.request_id);
            Ending::Broken
        } else if self.observer.has_error {
            trail.fault = Some(Fault::ErrorEvent);
            Ending::Broken
        } else {
            if !self.observer.is_done {
                last.extend_from_slice(DONE_EVENT);
            }
            Ending::Complete
        };
        trail.bytes_out += last.len() as u64;
        if self.length == Some(Length::Chunked) {
            if !last.is_empty() {
                push_chunk_head(out, last.len());
                out.extend_from_slice(&last);
                out.extend_from_slice(b"\r\n");
            }
            out.extend_from_slice(LAST_CHUNK);
        } else {
            out.extend_from_slice(&last);
        }
        trail.seal(ending, self.status);
        self.pending = last;
    }
}
