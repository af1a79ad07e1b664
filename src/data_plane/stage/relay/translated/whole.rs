//! One JSON document, told in the client's words.

use crate::{
    data_plane::{
        exchange::Stop,
        stage::relay::{
            Reply, Talk,
            failed::{collect, tell},
            head::{self, Length},
            invalid, refuse,
            translated::{error::tell_in, manner},
        },
        upstream::call::Answer,
    },
    dialect::{pivot::dropped::Dropped, translation},
    lexicon::{fault::Fault, receipt::Ending},
    wire::json::document::Document,
};

/// Relay the answer. It is read whole, for no part of it can be told before all is known.
pub async fn relay(
    reply: &mut Reply<'_, '_, '_>,
    answer: &mut Answer,
    talk: &Talk<'_>,
) -> Result<(), Stop> {
    let bytes_max = reply.core.settings.bounds.body_bytes_max;
    let body = collect(reply, answer, bytes_max).await;
    let body = body.map_err(|failure| refuse(failure, reply.trail))?;
    let pair = (talk.call.dialect, talk.client());
    let mut out = reply.core.buffers.take();
    if pair.0 == pair.1 {
        let mut document = Document::default();
        let usage = document.parse(&body).ok().and_then(|it| translation::usage(it, pair.0));
        reply.trail.report(usage);
        out.extend_from_slice(&body);
    } else {
        let (manner, written) = (manner(talk, reply.trail), talk.call.written);
        // What the client is not told of the answer: its head has no place for it.
        let mut dropped = Dropped::default();
        let read = translation::reply(&mut out, &body, pair, written, &manner, &mut dropped);
        let Ok(usage) = read else {
            let told = tell_in(talk, &body, None, reply.trail.request_id);
            let Some((status, told)) = told else { return Err(invalid(reply.trail)) };
            reply.give_up_on_error(status)?;
            reply.trail.fault = Some(Fault::ErrorEvent);
            return tell(reply, answer, status, &told).await;
        };
        reply.trail.report(usage.seen());
    }
    reply.trail.content(reply.core.clock.now());
    reply.trail.bytes_out = out.len() as u64;
    let (status, length) = (answer.head.status, Length::Known(out.len() as u64));
    head::push(reply, answer, status, b"application/json", length);
    reply.downlink.out.extend_from_slice(&out);
    reply.trail.seal(Ending::Complete, status);
    reply.core.buffers.give(out);
    reply.downlink.send().await
}
