//! One call and the beginning of its answer.
//!
//! A connection that was kept may have been closed by the vendor while our bytes were on their
//! way: if it ends without a byte of an answer, the call is sent again on another. A fresh one is
//! not retried here; that is policy.

use crate::{
    data_plane::{
        alarm::Ring, core::Core, downlink::Downlink, link::Link, stage::directives::Directives,
        trail::Trail, upstream::body::Body,
    },
    dialect::openai_chat::request::Ask,
    lexicon::{fault::Fault, ids::EndpointKey, settings::HEADERS_MAX, time::Moment},
    provider::target::Endpoint,
    wire::http1::{self, reply::ReplyHead},
};
use std::pin::pin;

/// An answer's head beyond this is not an answer.
const HEAD_BYTES_MAX: usize = 64 << 10;

/// The least room that a read of a body is given.
const READ_BYTES_MIN: usize = 4 << 10;
/// The room that a vendor gets who fills what he is given: each read less is a write less too.
const READ_BYTES_MAX: usize = 64 << 10;

/// A call larger than what sockets take at once: a vendor may answer before it has read all of it.
const CALL_BYTES_LARGE: usize = 256 << 10;

/// Why there is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    Fault(Fault),
    ClientGone,
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

/// The beginning of an answer, and the connection on which the rest comes.
pub struct Answer {
    pub link: Link,
    pub endpoint: EndpointKey,
    pub head: ReplyHead,
    pub body: Body,
    /// The head, and behind it what was read of the body last.
    bytes: Vec<u8>,
}

/// Until when what must have happened.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// `x-tfy-request-timeout`, for the attempt that begins now.
    pub attempt: Option<Moment>,
    /// `x-tfy-ttft-timeout-ms`, for the first token.
    pub ttft: Option<Moment>,
    /// `--total-timeout`, for the exchange.
    pub total: Option<Moment>,
    is_streaming: bool,
}

impl Limits {
    pub fn of(core: &Core, directives: &Directives<'_>, ask: &Ask<'_>, trail: &Trail<'_>) -> Self {
        let now = core.clock.recent();
        let total = core.settings.timeouts.total_ms;
        Self {
            attempt: directives.attempt_ms.map(|millis| now.plus_millis(millis.get())),
            ttft: directives
                .ttft_ms
                .filter(|_| ask.is_streaming)
                .map(|ms| now.plus_millis(ms.get())),
            total: total.map(|millis| trail.started().plus_millis(millis)),
            is_streaming: ask.is_streaming,
        }
    }

    /// Those of a call of the gateway's own, which may take so long.
    pub fn within(core: &Core, millis: u64, trail: &Trail<'_>) -> Self {
        let total = core.settings.timeouts.total_ms;
        Self {
            attempt: Some(core.clock.recent().plus_millis(millis)),
            ttft: None,
            total: total.map(|millis| trail.started().plus_millis(millis)),
            is_streaming: false,
        }
    }

    /// The earliest of what ends a wait for the answer to begin, and the fault that it is.
    pub fn until_begun(&self, own: Moment, fault: Fault) -> (Moment, Fault) {
        earliest(
            (own, fault),
            [
                (self.ttft, Fault::TtftTimeout),
                (self.attempt, Fault::TotalTimeout),
                (self.total, Fault::TotalTimeout),
            ],
        )
    }

    /// The same for the rest of an answer that has begun; a stream that flows is not cut by
    /// `x-tfy-request-timeout`.
    pub fn until_done(&self, own: Moment) -> (Moment, Fault) {
        let attempt = self.attempt.filter(|_| !self.is_streaming);
        earliest(
            (own, Fault::IdleTimeout),
            [(attempt, Fault::TotalTimeout), (self.total, Fault::TotalTimeout)],
        )
    }
}

fn earliest<const N: usize>(
    own: (Moment, Fault),
    others: [(Option<Moment>, Fault); N],
) -> (Moment, Fault) {
    others.into_iter().fold(own, |first, (moment, fault)| match moment {
        Some(moment) if moment < first.0 => (moment, fault),
        _ => first,
    })
}

/// Send `bytes`, and await the head of the answer.
pub async fn send(
    core: &Core,
    endpoint: &Endpoint,
    bytes: Vec<u8>,
    limits: &Limits,
    downlink: &mut Downlink<'_>,
    trail: &mut Trail<'_>,
) -> Result<Answer, Failure> {
    let (mut bytes, mut is_again) = (bytes, false);
    let answered = loop {
        // One kept connection that turned out to be closed speaks for the others.
        let kept = if is_again { None } else { core.pools.take(endpoint.key) };
        let was_kept = kept.is_some();
        let mut link = match kept {
            Some(link) => link,
            // Boxed, for it is large and rare, and an exchange has room for its largest part.
            None => match Box::pin(connect(core, endpoint, limits, downlink)).await {
                Ok(link) => link,
                Err(failure) => break Err(failure),
            },
        };
        // A vendor may close what it kept as a call comes, and says of a stream that a call may be
        // sent again; believed once.
        let may_resend = !is_again && (was_kept || link.is_stream());
        match attempt(core, &mut link, &mut bytes, limits, downlink, trail).await {
            Ok((head, read)) => {
                let body = Body::new(head.framing);
                break Ok(Answer { link, endpoint: endpoint.key, head, body, bytes: read });
            }
            Err(Failure::Fault(Fault::ClosedEarly)) if may_resend => {
                is_again = true;
                trail.retries = trail.retries.saturating_add(1);
            }
            Err(failure) => break Err(failure),
        }
    };
    core.buffers.give(bytes);
    answered
}

async fn connect(
    core: &Core,
    endpoint: &Endpoint,
    limits: &Limits,
    downlink: &mut Downlink<'_>,
) -> Result<Link, Failure> {
    let weather = core.weather();
    let addresses = weather.addresses.get(&endpoint.key).map_or(&[][..], |found| found);
    let own = core.clock.now().plus_millis(core.settings.timeouts.connect_ms);
    let (deadline, fault) = limits.until_begun(own, Fault::ConnectTimeout);
    // Boxed: once a connection it costs nothing, in every exchange's future it would.
    let connector = &core.connector;
    let connecting =
        Box::pin(connector.connect(endpoint, addresses, deadline, &core.clock, downlink));
    match connecting.await {
        Ok(link) => {
            core.pulse.upstream_connections_opened_total.add(u64::from(link.is_new_connection()));
            Ok(link)
        }
        Err(Failure::Fault(Fault::ConnectTimeout)) => Err(Failure::Fault(fault)),
        Err(failure) => Err(failure),
    }
}

/// One try on one connection: the answer's head, and what was read with it. The bytes stay for
/// another try. All is lent, for what an `async fn` is given it holds twice.
async fn attempt(
    core: &Core,
    link: &mut Link,
    bytes: &mut Vec<u8>,
    limits: &Limits,
    downlink: &mut Downlink<'_>,
    trail: &mut Trail<'_>,
) -> Result<(ReplyHead, Vec<u8>), Failure> {
    let timeouts = &core.settings.timeouts;
    let own = core.clock.recent().plus_millis(timeouts.first_byte_ms);
    let (deadline, fault) = limits.until_begun(own, Fault::FirstByteTimeout);
    let sent = std::mem::take(bytes);
    let written = if sent.len() < CALL_BYTES_LARGE {
        downlink.wait(deadline, pin!(link.write(sent))).await.map(Some)
    } else {
        downlink.wait(deadline, pin!(link.write_unless_answered(sent))).await
    };
    let is_cut_short = match written {
        // A vendor may answer and close before it has read all: what it said is still to be read.
        Ok(Some((_, back))) => {
            *bytes = back;
            false
        }
        // Or answer and leave the rest unread.
        Ok(None) => true,
        Err(Ring::Deadline) => return Err(Failure::Fault(fault)),
        Err(why) => return Err(interrupted(why)),
    };
    trail.sent_us = trail.recent_us();

    let own = core.clock.recent().plus_millis(timeouts.first_byte_ms);
    let (deadline, fault) = limits.until_begun(own, Fault::FirstByteTimeout);
    let mut head = core.buffers.take_head();
    let mut buffer = core.buffers.take();
    let answered = loop {
        let (read, back) = match downlink.wait(deadline, pin!(link.read(buffer))).await {
            Ok(done) => done,
            Err(Ring::Deadline) => return Err(Failure::Fault(fault)),
            Err(why) => return Err(interrupted(why)),
        };
        buffer = back;
        match read {
            Ok(read) if read > 0 => {}
            _ if buffer.is_empty() && !is_cut_short => break Err(Fault::ClosedEarly),
            _ => break Err(Fault::Truncated),
        }
        match parse(&mut head, &mut buffer) {
            Ok(true) => break Ok(()),
            Ok(false) => buffer.reserve(1_024),
            Err(fault) => break Err(fault),
        }
    };
    if let Err(fault) = answered {
        core.buffers.give(buffer);
        return Err(Failure::Fault(fault));
    }
    trail.answered_us = trail.recent_us();
    head.keep_alive &= !is_cut_short;
    Ok((head, buffer))
}

/// What it is to be interrupted by other than a deadline of one's own.
pub fn interrupted(why: Ring) -> Failure {
    match why {
        Ring::Departed => Failure::ClientGone,
        // The time that draining allows is over.
        Ring::Closing | Ring::Deadline => Failure::Fault(Fault::TotalTimeout),
    }
}

/// Is the head there? Interim answers (1xx) are dropped.
fn parse(head: &mut ReplyHead, buffer: &mut Vec<u8>) -> Result<bool, Fault> {
    let limits = http1::Limits {
        head_bytes_max: HEAD_BYTES_MAX,
        headers_max: HEADERS_MAX,
        target_bytes_max: 0,
    };
    loop {
        if buffer.is_empty() || !head.parse(buffer, &limits, false).map_err(|_| Fault::Invalid)? {
            return Ok(false);
        }
        match head.status {
            // A tunnel was not asked for.
            101 => return Err(Fault::Invalid),
            100..=199 => {
                buffer.drain(..head.head_len);
                head.forget();
            }
            _ => return Ok(true),
        }
    }
}

impl Answer {
    /// Hand what was read last to `payload`, without its framing.
    pub fn take(&mut self, payload: impl FnMut(&[u8])) -> Result<(), Fault> {
        let read = self.bytes.get(self.head.head_len..).unwrap_or_default();
        self.body.take(read, payload)
    }

    /// What was read last, as it came.
    pub fn read_last(&self) -> &[u8] {
        self.bytes.get(self.head.head_len..).unwrap_or_default()
    }

    /// Read on, over what was read last; false where the other side has ended.
    pub async fn read(
        &mut self,
        deadline: Moment,
        fault: Fault,
        downlink: &mut Downlink<'_>,
    ) -> Result<bool, Failure> {
        let buffer = self.emptied();
        match downlink.wait(deadline, pin!(self.link.read(buffer))).await {
            Ok((read, back)) => {
                self.bytes = back;
                // A reset is no end, not even where the body ends with its connection.
                read.map(|read| read > 0).map_err(|_| Failure::Fault(Fault::Truncated))
            }
            Err(Ring::Deadline) => Err(Failure::Fault(fault)),
            Err(why) => Err(interrupted(why)),
        }
    }

    /// The buffer with nothing but the head in it, and room to read.
    fn emptied(&mut self) -> Vec<u8> {
        let mut buffer = std::mem::take(&mut self.bytes);
        let was_filled = buffer.len() == buffer.capacity();
        buffer.truncate(self.head.head_len);
        let room = if was_filled { 2 * buffer.capacity() } else { READ_BYTES_MIN };
        buffer.reserve(room.min(READ_BYTES_MAX));
        buffer
    }

    /// The vendor's headers.
    pub fn headers(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.head.iter(&self.bytes)
    }

    /// The vendor's header of this name.
    pub fn header(&self, name: &str) -> Option<&[u8]> {
        self.head.header(&self.bytes, name)
    }

    /// Keep the connection where the answer ended cleanly.
    pub fn release(self, core: &Core) {
        if self.body.is_clean() && self.head.keep_alive && !core.is_draining() {
            core.pools.give(self.endpoint, self.link, core.clock.recent(), &core.settings);
        }
        core.buffers.give(self.bytes);
        core.buffers.give_head(self.head);
    }
}
