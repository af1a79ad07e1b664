//! Events, relayed as they come: whole ones only, those that came together in one write.
//!
//! The head leaves with the first bytes, so that what goes wrong before is told by a status. An
//! event that was cut off is dropped; how the stream ended is said in the client's own language,
//! never in silence. What becomes of an event is `passage.rs`'s to say.

use crate::{
    data_plane::{
        core::Core,
        exchange::Stop,
        stage::relay::{
            Reply, Talk,
            array::Array,
            cut::Cutter,
            error,
            frames::{self, Piece, Splitter},
            head::{self, Length},
            passage::{Passage, Share, error_of, told_by},
            refuse,
        },
        trail::Trail,
        upstream::call::{Answer, Failure, Limits},
    },
    dialect::{openai_chat::reply::error_status, pivot::delta::Malformed},
    lexicon::{fault::Fault, receipt::Ending, refusal::Refusal, time::Moment},
    wire::{eventstream, json},
};

/// How long a stream that has said its finish reason, or that it is done, may take to say the rest
/// and end; some vendors send keep-alives for ever instead.
const FINISH_GRACE_MS: u64 = 3_000;

/// What is held back at most until the first content.
const HELD_BYTES_MAX: usize = 64 << 10;

/// What keeps a stream back until its first content, where another attempt may follow: until then,
/// an error is none of the client's.
#[derive(Default)]
struct Hold {
    has_content: bool,
    /// The status that an error among the events says.
    error: Option<u16>,
}

impl Hold {
    /// Look at an event that is held back.
    fn watch(&mut self, passage: &Passage<'_>, bytes: &[u8], piece: &Piece) {
        if self.has_content {
            return;
        }
        let Some(data) = told_by(bytes, piece) else { return };
        if passage.has_failed() {
            let status = || match piece {
                Piece::Frame(frame) => frames::status_of(bytes, frame),
                Piece::Event(_) => error_status(&data).unwrap_or(502),
            };
            self.error.get_or_insert_with(status);
        } else {
            self.has_content = passage.has_content(&data);
        }
    }
}

/// A stream on its way.
struct Relay<'t> {
    status: u16,
    length: Option<Length>,
    passage: Passage<'t>,
    splitter: Splitter,
    /// The client gets frames.
    is_framed: bool,
    /// What came and was not sent yet.
    pending: Vec<u8>,
    /// What the client gets instead of `pending[..from]`.
    told: Vec<u8>,
    from: usize,
    /// Where the whole events of `pending` end.
    end: usize,
    /// The client wants elements of an array.
    array: Option<Array>,
    /// The data of an error that came before anything else.
    early_error: Option<Vec<u8>>,
    finished_at: Option<Moment>,
    /// Where a strict limit holds.
    cutter: Option<Box<Cutter<'t>>>,
    hold: Option<Hold>,
}

/// Relay the stream.
pub(super) async fn relay<'t>(
    reply: &mut Reply<'_, '_, 't>,
    answer: &mut Answer,
    talk: &Talk<'_>,
) -> Result<(), Stop> {
    let mut relay = Relay {
        status: answer.head.status,
        length: None,
        passage: Passage::<'t>::new(talk, reply.trail, &reply.core.buffers),
        splitter: Splitter::new(talk.call.is_framed),
        is_framed: talk.ask.operation.is_framed(),
        pending: reply.core.buffers.take(),
        told: reply.core.buffers.take(),
        from: 0,
        end: 0,
        array: talk.ask.is_array.then(Array::default),
        early_error: None,
        finished_at: None,
        cutter: Cutter::of(talk, reply.trail),
        hold: reply.again.map(|_| Hold::default()),
    };
    let ended = loop {
        let pending = &mut relay.pending;
        let taken = answer.take(|bytes| pending.extend_from_slice(bytes));
        let moved = relay.scan(reply.core.clock.recent(), reply.trail).and(taken);
        if let Some(data) = relay.early_error.take() {
            // Some say what the prompt took before they fail, and bill it.
            reply.trail.report(relay.passage.usage());
            return error::tell_early(reply, answer, talk, &data).await;
        }
        if !relay.is_held(reply)? {
            relay.push(reply, answer);
        }
        if let Err(fault) = moved {
            break Err(Failure::Fault(fault));
        }
        if answer.body.is_done() || relay.passage.is_over() || relay.is_cut() {
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
    relay.passage.give_back(&reply.core.buffers);
    reply.core.buffers.give(relay.pending);
    reply.core.buffers.give(relay.told);
    Ok(())
}

impl Relay<'_> {
    /// Look at every event that is whole.
    fn scan(&mut self, now: Moment, trail: &mut Trail<'_>) -> Result<(), Fault> {
        while let Some(piece) = self.splitter.next(&self.pending)? {
            let crosses = |cutter: &mut Box<Cutter<'_>>| cutter.crosses(&self.pending, &piece);
            if self.cutter.as_mut().is_some_and(crosses) {
                break;
            }
            let (tokens, was_complete) = (self.passage.tokens(), self.passage.is_complete());
            let seen = self.passage.see(&self.pending, &piece, &mut self.told);
            if let Some(hold) = &mut self.hold {
                hold.watch(&self.passage, &self.pending, &piece);
            }
            if self.passage.tokens() > tokens {
                trail.content(now);
            }
            // One choice of several may finish long before the others.
            if !self.passage.is_complete() {
                self.finished_at = None;
            } else if !was_complete || self.passage.goes_on() {
                self.finished_at = Some(now);
            }
            self.end = piece.end();
            if seen != Ok(Share::Whole) {
                self.told.extend_from_slice(&self.pending[self.from..piece.start()]);
                self.from = piece.end();
            }
            if self.passage.is_over() {
                let is_early = self.length.is_none() && self.passage.tokens() == 0;
                self.early_error = error_of(&self.pending, &piece).filter(|_| is_early);
                break;
            }
            seen.map_err(|Malformed| Fault::Invalid)?;
        }
        Ok(())
    }

    /// Does what comes next cross a strict limit?
    fn is_cut(&self) -> bool {
        self.cutter.as_ref().is_some_and(|cutter| cutter.has_crossed)
    }

    /// Is nothing told yet, for another attempt may follow?
    fn is_held(&mut self, reply: &mut Reply<'_, '_, '_>) -> Result<bool, Stop> {
        let Some(hold) = &mut self.hold else { return Ok(false) };
        if let Some(status) = hold.error.take() {
            reply.trail.report(self.passage.usage());
            reply.give_up_on_error(status)?;
            hold.has_content = true;
        }
        if !hold.has_content && self.pending.len() + self.told.len() < HELD_BYTES_MAX {
            return Ok(true);
        }
        self.hold = None;
        Ok(false)
    }

    fn begin(&mut self, reply: &mut Reply<'_, '_, '_>, answer: &Answer) -> Length {
        let length = Length::unknown(reply.downlink);
        self.length = Some(length);
        if self.is_framed {
            // Frames have no sign of life.
            let content_type = eventstream::CONTENT_TYPE.as_bytes();
            head::push(reply, answer, self.status, content_type, length);
            return length;
        }
        if self.array.is_some() {
            head::push(reply, answer, self.status, b"application/json", length);
            // A space, which may stand between elements.
            let is_chunked = length == Length::Chunked;
            reply.downlink.probe = if is_chunked { b"1\r\n \r\n" } else { b" " };
            return length;
        }
        head::push(reply, answer, self.status, b"text/event-stream", length);
        // A comment, which a client of events passes over.
        reply.downlink.probe = if length == Length::Chunked { b"3\r\n:\n\n\r\n" } else { b":\n\n" };
        length
    }

    /// Move what the client gets of the whole events into what is sent next, as one chunk.
    fn push(&mut self, reply: &mut Reply<'_, '_, '_>, answer: &Answer) {
        if let Some(array) = &mut self.array {
            self.told.extend_from_slice(&self.pending[self.from..self.end]);
            self.from = self.end;
            array.frame(&mut self.told);
        }
        let bytes = self.told.len() + (self.end - self.from);
        if bytes > 0 {
            let length = self.length.unwrap_or_else(|| self.begin(reply, answer));
            reply.trail.bytes_out += bytes as u64;
            let passed = &self.pending[self.from..self.end];
            length.push_piece(&mut reply.downlink.out, [&self.told, passed]);
            self.told.clear();
        }
        if self.end > 0 {
            self.pending.drain(..self.end);
            self.splitter.consumed(self.end);
            (self.from, self.end) = (0, 0);
        }
    }

    /// Until when the next bytes must be there.
    fn until(&self, core: &Core, limits: &Limits) -> (Moment, Fault) {
        let own = core.clock.recent().plus_millis(core.settings.timeouts.idle_ms);
        let (mut deadline, mut fault) = limits.until_done(own);
        let is_awaited = self.passage.is_awaited(self.length.is_some()) || self.hold.is_some();
        if let Some(ttft) = limits.ttft.filter(|ttft| is_awaited && *ttft < deadline) {
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

impl Relay<'_> {
    /// Say how it ended, and seal the receipt before the last bytes leave.
    async fn end(
        &mut self,
        ended: Result<(), Failure>,
        reply: &mut Reply<'_, '_, '_>,
        answer: &Answer,
    ) -> Result<(), Stop> {
        let fault = match ended {
            Err(Failure::ClientGone) => {
                self.account(reply.trail);
                return Err(Stop::ClientGone);
            }
            Err(Failure::Fault(fault)) if !self.passage.outlives(fault) => Some(fault),
            _ if self.is_cut() => None,
            _ => {
                self.take_rest(reply);
                let is_whole = self.passage.is_complete() || self.passage.has_failed();
                (!is_whole).then_some(Fault::Truncated)
            }
        };
        self.account(reply.trail);
        if let (Some(fault), None) = (fault, self.length) {
            return Err(refuse(Failure::Fault(fault), reply.trail));
        }
        self.push(reply, answer);
        let length = self.length.unwrap_or_else(|| self.begin(reply, answer));
        let ending = self.close(fault, reply.trail);
        if let Some(array) = &mut self.array {
            array.close(&mut self.told);
        }
        self.push(reply, answer);
        length.push_end(&mut reply.downlink.out);
        reply.trail.seal(ending, self.status);
        // Told or not, the body has ended as its framing says: the connection can go on.
        reply.downlink.send().await
    }

    fn account(&self, trail: &mut Trail<'_>) {
        trail.report(self.passage.usage());
        // Every event is about a token.
        let tokens = u64::from(self.passage.tokens());
        if !trail.usage_is_reported {
            trail.estimate(tokens);
        } else if !self.passage.is_complete() && !self.is_cut() {
            trail.report_less(tokens);
        }
        if let Some(dropped) = self.passage.dropped() {
            trail.notes.drop_of_reply(dropped);
        }
    }

    /// What stands behind the last blank line is an event too, if it is whole in itself; else it
    /// was cut off.
    fn take_rest(&mut self, reply: &mut Reply<'_, '_, '_>) {
        if matches!(self.splitter, Splitter::Frames(_)) {
            return;
        }
        let rest = self.pending.trim_ascii_end();
        let data = rest.split(|byte| *byte == b'\n' || *byte == b'\r').next_back();
        let data = data.and_then(|line| line.strip_prefix(b"data:")).map(<[u8]>::trim_ascii);
        let is_whole = data.is_some_and(|data| {
            data == b"[DONE]" || json::object::scan_object(data, &[""; 0]).is_ok()
        });
        if is_whole && !self.passage.is_done() {
            self.pending.extend_from_slice(b"\n\n");
            // What is malformed here ends the stream no more than its end does.
            let _ = self.scan(reply.core.clock.recent(), reply.trail);
        }
    }

    /// Write what the client is told of the end.
    fn close(&mut self, fault: Option<Fault>, trail: &mut Trail<'_>) -> Ending {
        if let Some(cutter) = self.cutter.as_deref_mut().filter(|cutter| cutter.has_crossed) {
            cutter.account(trail);
            self.passage.cut(cutter, &mut self.told);
            Ending::Complete
        } else if let Some(fault) = fault {
            let refusal = fault.refusal().unwrap_or(Refusal::StreamTruncated);
            trail.fault = Some(fault);
            trail.refusal = Some(refusal);
            self.passage.break_off(refusal, trail.request_id, &mut self.told);
            Ending::Broken
        } else if self.passage.has_failed() {
            trail.fault = Some(Fault::ErrorEvent);
            Ending::Broken
        } else {
            self.passage.end(&mut self.told);
            Ending::Complete
        }
    }
}
