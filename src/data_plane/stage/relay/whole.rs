//! One JSON document, relayed as it comes; its usage is seen in passing.

use crate::{
    data_plane::{
        core::Core,
        downlink::Downlink,
        exchange::Stop,
        stage::relay::{
            head::{self, Length},
            invalid, refuse,
        },
        trail::Trail,
        upstream::call::{Answer, Failure, Limits},
    },
    dialect::openai_chat::reply::{self, Observer},
    lexicon::{receipt::Ending, refusal::Refusal},
    wire::http1::chunked::{LAST_CHUNK, push_chunk_head},
};

/// Relay the answer.
pub async fn relay(
    core: &Core,
    answer: &mut Answer,
    limits: Limits,
    applied: &[u8],
    downlink: &mut Downlink<'_>,
    trail: &mut Trail<'_>,
) -> Result<(), Stop> {
    let status = answer.head.status;
    let mut observer = Observer::default();
    let mut payload = core.buffers.take();
    let mut length = None;
    loop {
        if let Err(fault) = answer.take(|bytes| payload.extend_from_slice(bytes)) {
            return Err(broken(Failure::Fault(fault), downlink, trail));
        }
        let is_done = answer.body.is_done();
        let is_all_at_once = is_done && length.is_none();
        if !is_all_at_once {
            observer.see(&payload);
        }
        if !payload.is_empty() {
            trail.content(core.clock.now());
        }
        trail.bytes_out += payload.len() as u64;
        if length.is_none() && (is_done || !payload.is_empty()) {
            let begun = begin(answer, &payload, applied, downlink, trail)?;
            length = Some(begun);
        }
        if let Some(length) = length {
            push_piece(&mut downlink.out, &payload, length, is_done);
        }
        if is_done {
            let usage = if is_all_at_once { reply::usage_of(&payload) } else { observer.usage() };
            trail.report(usage);
            trail.seal(Ending::Complete, status);
            downlink.send().await?;
            break;
        }
        payload.clear();
        downlink.send().await?;

        let own = core.clock.now().plus_millis(core.settings.timeouts.idle_ms);
        let (deadline, fault) = limits.until_done(own);
        match answer.read(deadline, fault, downlink).await {
            Ok(true) => {}
            Ok(false) => {
                if let Err(fault) = answer.body.end() {
                    return Err(broken(Failure::Fault(fault), downlink, trail));
                }
            }
            Err(failure) => return Err(broken(failure, downlink, trail)),
        }
    }
    core.buffers.give(payload);
    Ok(())
}

/// Write the head; an answer that is whole at once is told with its length, however it came.
fn begin(
    answer: &Answer,
    payload: &[u8],
    applied: &[u8],
    downlink: &mut Downlink<'_>,
    trail: &mut Trail<'_>,
) -> Result<Length, Stop> {
    if !payload.trim_ascii_start().starts_with(b"{") {
        return Err(invalid(trail));
    }
    let length = match answer.body.length() {
        _ if answer.body.is_done() => Length::Known(payload.len() as u64),
        Some(length) => Length::Known(length),
        None => Length::unknown(downlink),
    };
    let content_type = b"application/json";
    head::push(downlink, answer, answer.head.status, content_type, length, applied, trail);
    Ok(length)
}

fn push_piece(out: &mut Vec<u8>, payload: &[u8], length: Length, is_last: bool) {
    if length != Length::Chunked {
        out.extend_from_slice(payload);
        return;
    }
    if !payload.is_empty() {
        push_chunk_head(out, payload.len());
        out.extend_from_slice(payload);
        out.extend_from_slice(b"\r\n");
    }
    if is_last {
        out.extend_from_slice(LAST_CHUNK);
    }
}

/// The answer broke off. Where the client has a part of it, only a cut connection tells the truth.
#[cold]
fn broken(failure: Failure, downlink: &mut Downlink<'_>, trail: &mut Trail<'_>) -> Stop {
    if !downlink.has_replied() {
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
