//! Events, told in the client's words as they come.
//!
//! As in `relay/stream.rs`, the head leaves with the first bytes, whatever came together leaves
//! together, and how the stream ended is said in the client's own language.

use crate::{
    data_plane::{
        core::Core,
        exchange::Stop,
        stage::relay::{
            Reply, Talk,
            failed::tell,
            head::{self, Length},
            refuse,
            translated::{
                cut::{Cutter, Piece},
                error::tell_in,
                manner,
            },
        },
        trail::Trail,
        upstream::call::{Answer, Failure},
    },
    dialect::{
        bedrock::{self, chunk},
        pivot::{delta::Malformed, manner::Manner, part::Dialect},
        translation::{self, Stream},
    },
    lexicon::{
        fault::Fault, operation::Operation, receipt::Ending, refusal::Refusal, time::Moment,
    },
    wire::{
        eventstream::{self, Frame, Message},
        http1::chunked::{LAST_CHUNK, push_chunk_head},
        json,
        sse::{self, Data, Event},
    },
};
use std::borrow::Cow;

/// How long a stream that has told its finish may take to say the rest and end.
const FINISH_GRACE_MS: u64 = 3_000;
/// For vendors that report no usage: bytes of a request's body that make a token, about.
const BYTES_PER_TOKEN: u64 = 4;

/// A stream on its way.
struct Relay<'r> {
    talk: &'r Talk<'r>,
    status: u16,
    length: Option<Length>,
    stream: Stream,
    /// Both sides speak the same language: what came passes.
    is_straight: bool,
    /// They do, but one of them in frames: what came is framed anew.
    is_reframed: bool,
    /// The client gets chunks: what it is told goes here first.
    told: Option<Vec<u8>>,
    /// The data of the chunk in work.
    data: Vec<u8>,
    cutter: Cutter,
    /// What came and is not yet a whole event.
    pending: Vec<u8>,
    /// What the client gets next.
    payload: Vec<u8>,
    /// The data of an error that came before anything else.
    early_error: Option<Vec<u8>>,
    finished_at: Option<Moment>,
}

/// Relay the stream.
pub async fn relay(
    reply: &mut Reply<'_, '_, '_>,
    answer: &mut Answer,
    talk: &Talk<'_>,
) -> Result<(), Stop> {
    let (pair, operation) = ((talk.call.dialect, talk.client()), talk.ask.operation);
    let mut relay = Relay {
        talk,
        status: answer.head.status,
        length: None,
        stream: Stream::new(pair, talk.call.written, talk.manner.forwards_pings),
        is_straight: pair.0 == pair.1 && talk.call.is_framed == operation.is_framed(),
        is_reframed: pair.0 == pair.1 && talk.call.is_framed != operation.is_framed(),
        told: None,
        data: Vec::new(),
        cutter: Cutter::new(talk.call.is_framed),
        pending: reply.core.buffers.take(),
        payload: reply.core.buffers.take(),
        early_error: None,
        finished_at: None,
    };
    if operation == Operation::InvokeModelStream && !relay.is_straight {
        relay.told = Some(Vec::new());
    }
    let ended = loop {
        let pending = &mut relay.pending;
        let taken = answer.take(|bytes| pending.extend_from_slice(bytes));
        let moved = taken.and_then(|()| relay.scan(reply.core.clock.now(), reply.trail));
        if let Some(data) = relay.early_error.take() {
            return relay.tell_early(&data, reply, answer).await;
        }
        relay.push(reply, answer);
        if let Err(fault) = moved {
            break Err(Failure::Fault(fault));
        }
        if answer.body.is_done() || relay.stream.facts.has_failed {
            break Ok(());
        }
        if reply.downlink.send().await.is_err() {
            break Err(Failure::ClientGone);
        }
        let (deadline, fault) = relay.until(reply);
        match answer.read(deadline, fault, reply.downlink).await {
            Ok(true) => {}
            Ok(false) => break answer.body.end().map_err(Failure::Fault),
            Err(_) if relay.is_only_late(reply.core, deadline) => break Ok(()),
            Err(failure) => break Err(failure),
        }
    };
    relay.end(ended, reply, answer).await?;
    reply.core.buffers.give(std::mem::take(&mut relay.pending));
    reply.core.buffers.give(std::mem::take(&mut relay.payload));
    Ok(())
}

impl Relay<'_> {
    /// Tell every event that is whole.
    fn scan(&mut self, now: Moment, trail: &mut Trail<'_>) -> Result<(), Fault> {
        let manner = manner(self.talk, trail);
        let mut end = 0;
        let mut read = Ok(());
        while let (Ok(()), Some(piece)) = (read, self.cutter.next(&self.pending)?) {
            end = piece.end();
            let before = self.stream.facts;
            read = match &piece {
                Piece::Event(event) => self.see(event, &manner),
                Piece::Frame(frame) => self.see_frame(frame, &manner),
            };
            let facts = self.stream.facts;
            if facts.contents > before.contents {
                trail.content(now);
            }
            let is_news = facts.has_finished && (!before.has_finished || facts.goes_on);
            if is_news || (facts.is_done && !before.is_done) {
                self.finished_at = Some(now);
            }
            if facts.has_failed {
                break;
            }
        }
        self.pending.drain(..end);
        self.cutter.consumed(end);
        read.map_err(|Malformed| Fault::Invalid)
    }

    fn see(&mut self, event: &Event, manner: &Manner<'_>) -> Result<(), Malformed> {
        let whole = &self.pending[event.whole.clone()];
        if self.is_straight {
            self.payload.extend_from_slice(whole);
        }
        let data = match &event.data {
            Data::None => {
                // Frames have no sign of life.
                if !self.is_straight && self.told.is_none() {
                    self.stream.alive(&mut self.payload, manner);
                }
                return Ok(());
            }
            Data::One(range) => Cow::Borrowed(&self.pending[range.clone()]),
            Data::Many => sse::join_data(&self.pending, event.whole.clone()),
        };
        let out = self.told.as_mut().unwrap_or(&mut self.payload);
        let framed = if self.is_reframed { chunk::push_event(out, &data) } else { Ok(()) };
        let read = framed.and_then(|()| self.stream.event(&data, out, manner));
        if self.has_failed_early() {
            self.early_error = Some(data.into_owned());
        } else {
            drop(data);
        }
        let read = read.and_then(|()| self.wrap());
        // What passes as it came is not ours to judge.
        if self.is_straight { Ok(()) } else { read }
    }

    fn see_frame(&mut self, frame: &Frame, manner: &Manner<'_>) -> Result<(), Malformed> {
        if self.is_straight {
            self.payload.extend_from_slice(&self.pending[frame.whole.clone()]);
        }
        let message = frame.message(&self.pending);
        let payload = &self.pending[frame.payload.clone()];
        let is_chunk = message == Message::Event("chunk");
        let read = if is_chunk && self.talk.call.dialect == Dialect::Anthropic {
            chunk::unwrap(payload, &mut self.data).and_then(|()| {
                if self.is_reframed {
                    chunk::push_event(&mut self.payload, &self.data)?;
                }
                self.stream.event(&self.data, &mut self.payload, manner)
            })
        } else {
            self.stream.frame((&message, payload), &mut self.payload, manner)
        };
        if self.has_failed_early() {
            self.early_error = bedrock::error::document_of(&message, payload);
        } else if self.is_reframed && self.stream.facts.has_failed && !is_chunk {
            let (client, id) = (self.talk.client(), manner.id);
            let document = bedrock::error::document_of(&message, payload).unwrap_or_default();
            translation::push_failure_event(&mut self.payload, &document, client, id);
        }
        // What passes as it came is not ours to judge.
        if self.is_straight { Ok(()) } else { read }
    }

    /// Move what the client is told into chunks.
    fn wrap(&mut self) -> Result<(), Malformed> {
        let Some(told) = &mut self.told else { return Ok(()) };
        let wrapped = chunk::wrap(&mut self.payload, told);
        told.clear();
        wrapped
    }

    const fn has_failed_early(&self) -> bool {
        let facts = &self.stream.facts;
        facts.has_failed && self.length.is_none() && facts.contents == 0
    }

    /// Nothing was sent yet: an error can be told by its status.
    async fn tell_early(
        &mut self,
        data: &[u8],
        reply: &mut Reply<'_, '_, '_>,
        answer: &mut Answer,
    ) -> Result<(), Stop> {
        reply.trail.fault = Some(Fault::ErrorEvent);
        match tell_in(self.talk, data, None, reply.trail.request_id) {
            Some((status, told)) => tell(reply, answer, status, &told).await,
            None => Err(Refusal::UpstreamInvalid.into()),
        }
    }

    fn begin(&mut self, reply: &mut Reply<'_, '_, '_>, answer: &Answer) {
        let length = Length::unknown(reply.downlink);
        self.length = Some(length);
        if self.talk.ask.operation.is_framed() {
            let content_type = eventstream::CONTENT_TYPE.as_bytes();
            return head::push(reply, answer, self.status, content_type, length);
        }
        let content_type = b"text/event-stream";
        head::push(reply, answer, self.status, content_type, length);
        // A comment, which a client of events passes over.
        reply.downlink.probe = if length == Length::Chunked { b"3\r\n:\n\n\r\n" } else { b":\n\n" };
    }

    /// Move what was told into what is sent next, as one chunk.
    fn push(&mut self, reply: &mut Reply<'_, '_, '_>, answer: &Answer) {
        if self.payload.is_empty() {
            return;
        }
        if self.length.is_none() {
            self.begin(reply, answer);
        }
        reply.trail.bytes_out += self.payload.len() as u64;
        let out = &mut reply.downlink.out;
        if self.length == Some(Length::Chunked) {
            push_chunk_head(out, self.payload.len());
            out.extend_from_slice(&self.payload);
            out.extend_from_slice(b"\r\n");
        } else {
            out.extend_from_slice(&self.payload);
        }
        self.payload.clear();
    }

    /// Until when the next bytes must be there.
    fn until(&self, reply: &Reply<'_, '_, '_>) -> (Moment, Fault) {
        let own = reply.core.clock.now().plus_millis(reply.core.settings.timeouts.idle_ms);
        let (mut deadline, mut fault) = reply.limits.until_done(own);
        let is_silent = self.stream.facts.contents == 0 && self.length.is_none();
        if let Some(ttft) = reply.limits.ttft.filter(|ttft| is_silent && *ttft < deadline) {
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

    /// Say how it ended, and seal the receipt before the last bytes leave.
    async fn end(
        &mut self,
        ended: Result<(), Failure>,
        reply: &mut Reply<'_, '_, '_>,
        answer: &Answer,
    ) -> Result<(), Stop> {
        if ended.is_ok() && self.rest_is_whole() {
            self.pending.extend_from_slice(b"\n\n");
            let _ = self.scan(reply.core.clock.now(), reply.trail);
        }
        self.account(reply.trail);
        let facts = self.stream.facts;
        let is_complete = facts.is_done || facts.has_finished;
        let fault = match ended {
            Err(Failure::ClientGone) => return Err(Stop::ClientGone),
            Err(Failure::Fault(fault)) if !is_complete || fault == Fault::Invalid => Some(fault),
            _ => (!is_complete && !facts.has_failed).then_some(Fault::Truncated),
        };
        if let (Some(fault), None) = (fault, self.length) {
            return Err(refuse(Failure::Fault(fault), reply.trail));
        }
        let manner = manner(self.talk, reply.trail);
        let ending = if let Some(fault) = fault {
            let refusal = fault.refusal().unwrap_or(Refusal::StreamTruncated);
            reply.trail.fault = Some(fault);
            reply.trail.refusal = Some(refusal);
            let (client, id) = (self.talk.client_errors(), reply.trail.request_id);
            translation::push_refused_event(&mut self.payload, &refusal.into(), client, id);
            Ending::Broken
        } else if facts.has_failed {
            reply.trail.fault = Some(Fault::ErrorEvent);
            Ending::Broken
        } else {
            self.end_stream(&manner);
            Ending::Complete
        };
        self.push(reply, answer);
        if self.length == Some(Length::Chunked) {
            reply.downlink.out.extend_from_slice(LAST_CHUNK);
        }
        reply.trail.seal(ending, self.status);
        reply.downlink.send().await
    }

    fn end_stream(&mut self, manner: &Manner<'_>) {
        // Frames that passed have told their end, or nobody can.
        if self.is_straight && self.talk.call.is_framed {
            return;
        }
        self.stream.end(self.told.as_mut().unwrap_or(&mut self.payload), manner);
        let wrapped = self.wrap();
        debug_assert!(wrapped.is_ok(), "the end of a stream is short");
    }

    /// What stands behind the last blank line is an event too, if it is whole in itself; else it
    /// was cut off.
    fn rest_is_whole(&self) -> bool {
        if matches!(self.cutter, Cutter::Frames(_)) {
            return false;
        }
        let rest = self.pending.trim_ascii_end();
        let data = rest.split(|byte| *byte == b'\n' || *byte == b'\r').next_back();
        let data = data.and_then(|line| line.strip_prefix(b"data:")).map(<[u8]>::trim_ascii);
        data.is_some_and(|data| {
            data == b"[DONE]" || json::object::scan_object(data, &[""; 0]).is_ok()
        })
    }

    fn account(&self, trail: &mut Trail<'_>) {
        trail.report(self.stream.facts.usage.seen());
        if !trail.usage_is_reported {
            // Every piece is about a token; the receipt says that this was not reported.
            trail.usage.input_tokens = trail.bytes_in.div_ceil(BYTES_PER_TOKEN);
            trail.usage.output_tokens = u64::from(self.stream.facts.contents);
        }
    }
}
