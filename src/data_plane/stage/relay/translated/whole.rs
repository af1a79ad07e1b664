//! One JSON document, told in the client's words.

use crate::{
    data_plane::{
        core::Core,
        downlink::Downlink,
        exchange::Stop,
        stage::relay::{
            Talk,
            failed::{collect, tell},
            head::{self, Length},
            invalid, refuse,
            translated::{error::tell_in, manner},
        },
        trail::Trail,
        upstream::call::{Answer, Limits},
    },
    dialect::{pivot::dropped::Dropped, translation},
    lexicon::{fault::Fault, receipt::Ending},
    wire::json::document::Document,
};

/// Relay the answer. It is read whole, for no part of it can be told before all is known.
pub async fn relay(
    core: &Core,
    answer: &mut Answer,
    talk: &Talk<'_>,
    limits: Limits,
    applied: &[u8],
    downlink: &mut Downlink<'_>,
    trail: &mut Trail<'_>,
) -> Result<(), Stop> {
    let bytes_max = core.settings.bounds.body_bytes_max;
    let body = collect(core, answer, limits, bytes_max, downlink)
        .await
        .map_err(|failure| refuse(failure, trail))?;
    let pair = (talk.call.dialect, talk.client());
    let mut out = core.buffers.take();
    if pair.0 == pair.1 {
        let mut document = Document::default();
        let usage = document.parse(&body).ok().and_then(|it| translation::usage(it, pair.0));
        trail.report(usage);
        out.extend_from_slice(&body);
    } else {
        let (manner, written) = (manner(talk, trail), talk.call.written);
        // What the client is not told of the answer: its head has no place for it.
        let mut dropped = Dropped::default();
        let read = translation::reply(&mut out, &body, pair, written, &manner, &mut dropped);
        let Ok(usage) = read else {
            let told = tell_in(talk, &body, None, trail.request_id);
            let Some((status, told)) = told else { return Err(invalid(trail)) };
            trail.fault = Some(Fault::ErrorEvent);
            return tell(answer, status, &told, applied, downlink, trail).await;
        };
        trail.report(usage.seen());
    }
    trail.content(core.clock.now());
    trail.bytes_out = out.len() as u64;
    let (status, length) = (answer.head.status, Length::Known(out.len() as u64));
    head::push(downlink, answer, status, b"application/json", length, applied, trail);
    downlink.out.extend_from_slice(&out);
    trail.seal(Ending::Complete, status);
    core.buffers.give(out);
    downlink.send().await
}
