//! One JSON document, relayed as it comes; its usage is seen in passing.

use crate::{
    data_plane::{
        exchange::Stop,
        stage::relay::{
            Reply,
            head::{self, Length},
            invalid, refuse,
        },
        trail::Trail,
        upstream::call::{Answer, Failure},
    },
    dialect::openai_chat::reply::{Observer, Seen, error_status, seen},
    lexicon::{fault::Fault, receipt::Ending, refusal::Refusal},
};

/// Where another attempt may follow, a document is not told before it is known to be no error, or
/// is longer than an error is.
const HELD_BYTES_MAX: usize = 4 << 10;
/// More blank lines than these before a document are no answer.
const BLANK_BYTES_MAX: usize = 64 << 10;

/// Relay the answer.
pub(super) async fn relay(reply: &mut Reply<'_, '_, '_>, answer: &mut Answer) -> Result<(), Stop> {
    match answer.body.length().and_then(|length| usize::try_from(length).ok()) {
        Some(length) if length <= answer.read_last().len() => {
            push_at_once(reply, answer, length)?;
            reply.downlink.send().await
        }
        // Boxed, for an exchange has room for its largest part.
        _ => Box::pin(relay_pieces(reply, answer)).await,
    }
}

/// Tell an answer that is here with the head: it is copied once.
fn push_at_once(
    reply: &mut Reply<'_, '_, '_>,
    answer: &mut Answer,
    length: usize,
) -> Result<(), Stop> {
    if let Err(fault) = answer.take(|_| ()) {
        return Err(broken(Failure::Fault(fault), reply));
    }
    let payload = &answer.read_last()[..length];
    let seen = seen(payload);
    if reply.again.is_some() && seen.is_error && length < HELD_BYTES_MAX {
        reply.trail.report(seen.usage);
        reply.give_up_on_error(error_status(payload).unwrap_or(502))?;
    }
    reply.trail.bytes_out = length as u64;
    begin(reply, answer, payload)?;
    reply.trail.content(reply.core.clock.recent());
    reply.downlink.out.extend_from_slice(payload);
    account(reply.trail, seen);
    reply.trail.seal(Ending::Complete, answer.head.status);
    Ok(())
}

/// Note what an answer said of itself.
fn account(trail: &mut Trail<'_>, seen: Seen) {
    trail.report(seen.usage);
    if seen.is_error {
        trail.fault = Some(Fault::ErrorEvent);
    } else if seen.usage.is_none() {
        trail.estimate_by_bytes();
    }
}

async fn relay_pieces(reply: &mut Reply<'_, '_, '_>, answer: &mut Answer) -> Result<(), Stop> {
    let status = answer.head.status;
    // Nearly all answers are whole at once, and need none.
    let mut observer: Option<Box<Observer>> = None;
    let mut payload = reply.core.buffers.take();
    let mut length = None;
    loop {
        let held = payload.len();
        if let Err(fault) = answer.take(|bytes| payload.extend_from_slice(bytes)) {
            return Err(broken(Failure::Fault(fault), reply));
        }
        reply.trail.bytes_out += (payload.len() - held) as u64;
        let is_done = answer.body.is_done();
        let is_all_at_once = is_done && held == 0 && length.is_none();
        if !is_all_at_once {
            observer.get_or_insert_default().see(&payload[held..]);
        }
        let is_held = reply.again.is_some() && payload.len() < HELD_BYTES_MAX;
        if is_done && is_held && length.is_none() && seen(&payload).is_error {
            reply.trail.report(seen(&payload).usage);
            reply.give_up_on_error(error_status(&payload).unwrap_or(502))?;
        }
        if length.is_none() && (is_done || !(is_held || is_blank(&payload))) {
            length = Some(begin(reply, answer, &payload)?);
        }
        if length.is_some() && payload.len() > held {
            reply.trail.content(reply.core.clock.recent());
        }
        if let Some(length) = length {
            length.push_piece(&mut reply.downlink.out, [&payload]);
            if is_done {
                length.push_end(&mut reply.downlink.out);
            }
        }
        if is_done {
            let seen = observer.map_or_else(|| seen(&payload), |observer| observer.seen());
            account(reply.trail, seen);
            reply.trail.seal(Ending::Complete, status);
            reply.downlink.send().await?;
            break;
        }
        if length.is_some() {
            payload.clear();
        }
        reply.downlink.send().await?;

        let read = reply.read(answer).await;
        if let Err(failure) = go_on(read, answer, observer.as_deref(), length.is_some()) {
            return Err(broken(failure, reply));
        }
    }
    reply.core.buffers.give(payload);
    Ok(())
}

/// Has the document not begun yet? Some vendors send blank lines while the model thinks.
fn is_blank(payload: &[u8]) -> bool {
    payload.len() <= BLANK_BYTES_MAX && payload.trim_ascii_start().is_empty()
}

/// What a read, or the end of the connection, means for the answer.
fn go_on(
    read: Result<bool, Failure>,
    answer: &mut Answer,
    observer: Option<&Observer>,
    has_begun: bool,
) -> Result<(), Failure> {
    let is_whole = observer.is_some_and(Observer::is_whole);
    match read {
        Ok(true) => return Ok(()),
        // A connection that breaks behind the whole document took nothing along.
        Err(Failure::Fault(Fault::Truncated)) if is_whole => {}
        Ok(false) => {}
        Err(failure) => return Err(failure),
    }
    answer.body.end().map_err(Failure::Fault)?;
    // Where only the connection's end ends the body, the document itself must say that it is whole.
    let is_cut = has_begun && !is_whole;
    if is_cut { Err(Failure::Fault(Fault::Truncated)) } else { Ok(()) }
}

/// Write the head; an answer that is whole at once is told with its length, however it came.
fn begin(reply: &mut Reply<'_, '_, '_>, answer: &Answer, payload: &[u8]) -> Result<Length, Stop> {
    if !payload.trim_ascii_start().starts_with(b"{") {
        return Err(invalid(reply.trail));
    }
    let length = match answer.body.length() {
        _ if answer.body.is_done() => Length::Known(payload.len() as u64),
        Some(length) => Length::Known(length),
        None => Length::unknown(reply.downlink),
    };
    head::push(reply, answer, answer.head.status, b"application/json", length);
    Ok(length)
}

/// The answer broke off. Where the client has a part of it, only a cut connection tells the truth.
#[cold]
fn broken(failure: Failure, reply: &mut Reply<'_, '_, '_>) -> Stop {
    let trail = &mut *reply.trail;
    if !reply.downlink.has_replied() {
        return refuse(failure, trail);
    }
    match failure {
        Failure::ClientGone => Stop::ClientGone,
        Failure::Fault(fault) => {
            trail.fault = Some(fault);
            trail.refusal = Some(fault.refusal().unwrap_or(Refusal::StreamTruncated));
            trail.seal(Ending::Broken, 200);
            Stop::Broken
        }
    }
}
