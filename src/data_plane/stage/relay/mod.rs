//! The Reply: what came back, relayed as it comes.
//!
//! `stream.rs` relays events, which `array.rs` turns into elements where the client wants an array,
//! and `passage.rs` says what becomes of each; `whole.rs` relays one
//! JSON document as it comes, `told.rs` one that must be read first; `error.rs` an answer that is
//! none; `frames.rs` knows AWS's frames. All write their head, and frame what follows, by
//! `head.rs`; `cut.rs` ends a stream at a strict limit.

mod array;
mod cut;
mod error;
mod frames;
mod head;
mod passage;
mod stream;
mod told;
mod whole;

use crate::{
    data_plane::{
        core::Core,
        downlink::Downlink,
        exchange::Stop,
        stage::{directives::Manner, translate::Said},
        trail::Trail,
        upstream::call::{Answer, Failure, Limits},
    },
    dialect::{
        openai_chat::{reply, request::Ask},
        pivot::{self, part::Dialect},
    },
    lexicon::{fault::Fault, refusal::Refusal},
    policy::route::retry::Codes,
    wire::eventstream,
};

/// What an answer's body claims to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Events,
    /// AWS's frames.
    Frames,
    Json,
    Other,
}

/// What was asked, what the vendor was told, and how its answer is to be told.
#[derive(Clone, Copy)]
pub struct Talk<'t> {
    pub ask: &'t Ask<'t>,
    pub call: Said,
    pub manner: Manner,
}

impl Talk<'_> {
    /// The client's language.
    const fn client(&self) -> Dialect {
        Dialect::of(self.ask.operation)
    }

    /// In which the client is told errors.
    const fn client_errors(&self) -> Dialect {
        Dialect::of_errors(self.ask.operation)
    }

    /// How this client is told.
    fn manner_of<'m>(&self, trail: &Trail<'m>) -> pivot::manner::Manner<'m> {
        pivot::manner::Manner {
            now_seconds: trail.started_wall().0 / 1_000,
            id: trail.request_id,
            model: trail.resolved_model(),
            is_strict_openai: self.manner.is_strict_openai,
            wants_usage: self.ask.wants_usage,
        }
    }
}

/// What every way of relaying needs.
pub struct Reply<'r, 'd, 't> {
    pub core: &'r Core,
    pub limits: &'r Limits,
    /// The value of `x-tfy-applied-configurations`.
    pub applied: &'r [u8],
    /// The statuses that are not told, because another attempt follows; none is the last attempt.
    pub again: Option<&'r Codes>,
    pub downlink: &'r mut Downlink<'d>,
    pub trail: &'r mut Trail<'t>,
}

impl Reply<'_, '_, '_> {
    /// Relay an answer to the client.
    pub async fn relay(mut self, answer: &mut Answer, talk: Talk<'_>) -> Result<(), Stop> {
        let status = answer.head.status;
        if let Some(fault) = reply::fault_of(status) {
            self.trail.fault = Some(fault);
            if self.gives_up_on(status) {
                // What is here is let go, so that the connection can be kept.
                let _ = answer.take(|_| {});
                return Err(Stop::Again(status));
            }
            return Box::pin(error::relay(&mut self, answer, &talk)).await;
        }
        let is_encoded = answer
            .header("content-encoding")
            .is_some_and(|name| !name.is_empty() && !name.eq_ignore_ascii_case(b"identity"));
        if is_encoded || answer.head.status == 204 {
            return Err(invalid(self.trail));
        }
        let is_openai =
            (talk.call.dialect, talk.client()) == (Dialect::OpenAiChat, Dialect::OpenAiChat);
        // Boxed but for the one that most answers take, for an exchange has room for its largest
        // part.
        match (talk.ask.is_streaming, kind(answer)) {
            (true, Kind::Events) if !talk.call.is_framed => {
                Box::pin(stream::relay(&mut self, answer, &talk)).await
            }
            (true, Kind::Frames) if talk.call.is_framed => {
                Box::pin(stream::relay(&mut self, answer, &talk)).await
            }
            // No event was sent yet: an error that came as 200 can still be told as what it is.
            (true, Kind::Json) => Box::pin(error::relay(&mut self, answer, &talk)).await,
            (false, Kind::Json) if is_openai => whole::relay(&mut self, answer).await,
            (false, Kind::Json) => Box::pin(told::relay(&mut self, answer, &talk)).await,
            _ => Err(invalid(self.trail)),
        }
    }

    /// Is an answer of this status not told, because another attempt follows?
    fn gives_up_on(&self, status: u16) -> bool {
        self.again.is_some_and(|codes| codes.has(status))
    }

    /// The same of an error that came with 200, before anything was told.
    fn give_up_on_error(&mut self, status: u16) -> Result<(), Stop> {
        if !self.gives_up_on(status) {
            return Ok(());
        }
        self.trail.fault = Some(Fault::ErrorEvent);
        Err(Stop::Again(status))
    }

    /// Read on, in the time that is allowed; false where the other side has ended.
    async fn read(&mut self, answer: &mut Answer) -> Result<bool, Failure> {
        let own = self.core.clock.recent().plus_millis(self.core.settings.timeouts.idle_ms);
        let (deadline, fault) = self.limits.until_done(own);
        answer.read(deadline, fault, self.downlink).await
    }
}

/// By its header, and where that is silent or odd by its first byte.
fn kind(answer: &Answer) -> Kind {
    let body = answer.read_last();
    let content_type = answer.header("content-type").unwrap_or_default();
    // As nearly all say it; a body that begins as a document is no events.
    if content_type == b"application/json" && body.first() == Some(&b'{') {
        return Kind::Json;
    }
    let looks_like_events =
        [&b"data:"[..], b"event:", b": ", b"id:"].iter().any(|start| body.starts_with(start));
    let essence = content_type.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
    if essence.eq_ignore_ascii_case(b"text/event-stream") || looks_like_events {
        Kind::Events
    } else if essence.eq_ignore_ascii_case(eventstream::CONTENT_TYPE.as_bytes()) {
        Kind::Frames
    } else if essence.is_empty() || essence.eq_ignore_ascii_case(b"text/plain") {
        if body.trim_ascii_start().starts_with(b"{") { Kind::Json } else { Kind::Other }
    } else {
        let suffix = essence.len().saturating_sub(b"json".len());
        if essence[suffix..].eq_ignore_ascii_case(b"json") { Kind::Json } else { Kind::Other }
    }
}

#[cold]
fn invalid(trail: &mut Trail<'_>) -> Stop {
    trail.fault = Some(Fault::Invalid);
    Refusal::UpstreamInvalid.into()
}

/// A failure before the client was told anything.
pub fn refuse(failure: Failure, trail: &mut Trail<'_>) -> Stop {
    match failure {
        Failure::ClientGone => Stop::ClientGone,
        Failure::Fault(fault) => {
            trail.fault = Some(fault);
            fault.refusal().unwrap_or(Refusal::UpstreamInvalid).into()
        }
    }
}
