//! One JSON document, told in the client's words, or, where both sides speak the same language but
//! not OpenAI's, read and passed.

use crate::{
    data_plane::{
        exchange::Stop,
        stage::relay::{
            Reply, Talk,
            error::{collect, tell, tell_in},
            invalid, refuse,
        },
        trail::Trail,
        upstream::call::Answer,
    },
    dialect::{bedrock, pivot::dropped::Dropped, translation},
    lexicon::{fault::Fault, usage::Usage},
    wire::json::value::read_u64,
};

/// Relay the answer. It is read whole, for no part of it can be told before all is known.
pub(super) async fn relay(
    reply: &mut Reply<'_, '_, '_>,
    answer: &mut Answer,
    talk: &Talk<'_>,
) -> Result<(), Stop> {
    let bytes_max = reply.core.settings.bounds.body_bytes_max;
    let body = collect(reply, answer, bytes_max).await;
    let body = body.map_err(|failure| refuse(failure, reply.trail))?;
    let pair = (talk.call.dialect, talk.client());
    let status = answer.head.status;
    if pair.0 == pair.1 {
        if reply.again.is_some()
            && let Some((status, _)) = tell_in(talk, &body, None, reply.trail.request_id)
        {
            reply.give_up_on_error(status)?;
        }
        let mut document = reply.core.buffers.take_document();
        let usage = document.parse(&body).ok().and_then(|it| translation::usage(it, pair.0));
        reply.core.buffers.give_document(document);
        let usage = usage.or_else(|| counted(answer));
        if usage.is_none() && tell_in(talk, &body, None, reply.trail.request_id).is_some() {
            // An answer that is an error was not worked for.
            reply.trail.fault = Some(Fault::ErrorEvent);
        } else {
            account(reply.trail, usage, body.len());
        }
        reply.trail.content(reply.core.clock.recent());
        tell(reply, answer, status, &body).await?;
        reply.core.buffers.give(body);
        return Ok(());
    }
    let (manner, written) = (talk.manner_of(reply.trail), talk.call.written);
    // What the client is not told of the answer, as the receipt says.
    let mut dropped = Dropped::default();
    let mut out = reply.core.buffers.take();
    let mut document = reply.core.buffers.take_document();
    let read = {
        let mut answers = reply.core.answers.borrow_mut();
        translation::read_reply(&mut answers, &mut document, (&body, pair.0), &mut dropped)
    };
    let read = read.and_then(|read| {
        translation::tell_reply(&mut out, read, (pair.1, written), &manner, &mut dropped)
    });
    reply.core.buffers.give_document(document);
    if let Ok(usage) = read {
        account(reply.trail, usage.seen(), out.len());
        reply.trail.notes.drop_of_reply(&dropped);
        reply.trail.content(reply.core.clock.recent());
        tell(reply, answer, status, &out).await?;
    } else {
        let told = tell_in(talk, &body, None, reply.trail.request_id);
        let Some((status, told)) = told else { return Err(invalid(reply.trail)) };
        reply.give_up_on_error(status)?;
        reply.trail.fault = Some(Fault::ErrorEvent);
        tell(reply, answer, status, &told).await?;
    }
    reply.core.buffers.give(out);
    reply.core.buffers.give(body);
    Ok(())
}

/// Note what was used: what the vendor reported of it, or about what an answer of so many bytes
/// takes.
fn account(trail: &mut Trail<'_>, usage: Option<Usage>, bytes: usize) {
    trail.report(usage);
    if usage.is_none() {
        trail.bytes_out = bytes as u64;
        trail.estimate_by_bytes();
    }
}

/// What the vendor's head says was used, where the body is in words that nobody here reads.
fn counted(answer: &Answer) -> Option<Usage> {
    let count = |name: &str| {
        let header = bedrock::usage::header_of(name)?;
        read_u64(answer.header(header)?)
    };
    bedrock::usage::invoked(count).seen()
}
