//! An answer that is an error: read whole (it is small), and told in the client's words.

use crate::{
    data_plane::{
        exchange::Stop,
        stage::relay::{
            Reply, Talk,
            head::{self, Length},
            invalid, refuse,
        },
        upstream::call::{self, Answer},
    },
    dialect::{
        openai_chat::reply::{ErrorBody, error_status, judge_error},
        pivot::{
            failure::{Failure, FailureKind},
            part::Dialect,
            text::Text,
        },
        translation,
    },
    lexicon::{fault::Fault, receipt::Ending, refusal::Refusal},
    wire::json::{document::Document, value::read_str},
};
use std::borrow::Cow;

/// An error is a page of text; more is not read.
const BODY_BYTES_MAX: usize = 1 << 20;

/// Nobody waits longer than a day.
const RETRY_AFTER_SECONDS_MAX: u64 = 86_400;

/// Relay an answer whose status is an error, or an error that came as 200 where events were asked
/// for.
///
/// The vendor's words pass where they have the client's shape; a refused credential of ours is
/// told as `upstream_auth` without them; a page for browsers becomes `upstream_invalid_response`.
pub(super) async fn relay(
    reply: &mut Reply<'_, '_, '_>,
    answer: &mut Answer,
    talk: &Talk<'_>,
) -> Result<(), Stop> {
    let body = collect(reply, answer, BODY_BYTES_MAX).await;
    let body = body.map_err(|failure| refuse(failure, reply.trail))?;
    let status = match reply.trail.fault {
        Some(Fault::Auth) => return Err(Refusal::UpstreamAuth.into()),
        Some(Fault::Status(status)) => Some(status),
        Some(_) => return Err(invalid(reply.trail)),
        None => None,
    };
    let mut document = Document::default();
    let root = document.parse(&body).ok();
    let failure = root.and_then(|it| translation::decode_failure(it, talk.call.dialect, status));
    if failure.is_some_and(|failure| failure.kind == FailureKind::Authentication) {
        // A key of ours that is not valid, which not all vendors tell by their status.
        reply.trail.fault = Some(Fault::Auth);
        return Err(Refusal::UpstreamAuth.into());
    }
    let later = root.and_then(|it| translation::retry_after_seconds(it, talk.call.dialect));
    let Some((status, told)) = tell_in(talk, &body, status, reply.trail.request_id) else {
        return Err(invalid(reply.trail));
    };
    if reply.trail.fault.is_none() {
        reply.give_up_on_error(status)?;
    }
    reply.trail.fault = Some(Fault::Status(status));
    match later.filter(|_| answer.header("retry-after").is_none()) {
        Some(seconds) => tell_later(reply, answer, (status, seconds), &told).await,
        None => tell(reply, answer, status, &told).await,
    }
}

/// Tell an error whose body says when to ask again in the head too, where clients look for it.
async fn tell_later(
    reply: &mut Reply<'_, '_, '_>,
    answer: &Answer,
    (status, seconds): (u16, u64),
    body: &[u8],
) -> Result<(), Stop> {
    let at = reply.downlink.out.len();
    let length = Length::Known(body.len() as u64);
    head::push(reply, answer, status, b"application/json", length);
    let out = &mut reply.downlink.out;
    if let Some(line) = memchr::memchr(b'\n', &out[at..]) {
        let line_end = at + line + 1;
        let line = format!("retry-after: {}\r\n", seconds.min(RETRY_AFTER_SECONDS_MAX));
        out.splice(line_end..line_end, line.into_bytes());
    }
    out.extend_from_slice(body);
    reply.trail.bytes_out = body.len() as u64;
    reply.trail.seal(Ending::Complete, status);
    reply.downlink.send().await
}

/// Tell the error that the first event of a stream is: nothing was sent yet, so a status can say
/// it.
pub(super) async fn tell_early(
    reply: &mut Reply<'_, '_, '_>,
    answer: &mut Answer,
    talk: &Talk<'_>,
    data: &[u8],
) -> Result<(), Stop> {
    reply.trail.fault = Some(Fault::ErrorEvent);
    match tell_in(talk, data, None, reply.trail.request_id) {
        Some((status, told)) => {
            reply.give_up_on_error(status)?;
            tell(reply, answer, status, &told).await
        }
        None => Err(Refusal::UpstreamInvalid.into()),
    }
}

/// The status and body that tell an error, which came with `status` or as 200, in the client's
/// words; `None` where there is none in it.
pub(super) fn tell_in<'b>(
    talk: &Talk<'_>,
    body: &'b [u8],
    status: Option<u16>,
    request_id: &str,
) -> Option<(u16, Cow<'b, [u8]>)> {
    let shape = judge_error(body);
    let mut document = Document::default();
    let failure = match (shape, status) {
        // Bedrock's are all of that shape, and say more.
        (ErrorBody::Message { start, end }, Some(status))
            if talk.call.errors != Dialect::Bedrock =>
        {
            Some(odd(Text::Plain(read_str(body.get(start..end)?)?), status))
        }
        _ => document
            .parse(body)
            .ok()
            .and_then(|root| translation::decode_failure(root, talk.call.errors, status)),
    };
    let failure = failure.or_else(|| {
        let is_limit = status == Some(429);
        is_limit.then(|| odd(Text::plain("The model's vendor is rate limiting."), 429))
    });
    let kind = failure.as_ref().map_or(FailureKind::Internal, |failure| failure.kind);
    let status = status.or_else(|| error_status(body)).unwrap_or(kind.status());
    if talk.call.errors == talk.client_errors() && shape == ErrorBody::AsIs {
        return Some((status, Cow::Borrowed(body)));
    }
    let mut out = Vec::new();
    translation::push_failure(&mut out, &failure?, talk.client_errors(), request_id);
    Some((status, Cow::Owned(out)))
}

/// An error in a shape of no dialect.
const fn odd(message: Text<'_>, status: u16) -> Failure<'_> {
    Failure { kind: FailureKind::of_status(status), message, code: None, param: None }
}

/// The whole body, unless it is larger than `bytes_max`; in a buffer that is to be given back.
pub(super) async fn collect(
    reply: &mut Reply<'_, '_, '_>,
    answer: &mut Answer,
    bytes_max: usize,
) -> Result<Vec<u8>, call::Failure> {
    let mut body = reply.core.buffers.take();
    loop {
        answer.take(|bytes| body.extend_from_slice(bytes)).map_err(call::Failure::Fault)?;
        if answer.body.is_done() {
            return Ok(body);
        }
        if body.len() > bytes_max {
            return Err(call::Failure::Fault(Fault::Invalid));
        }
        if !reply.read(answer).await? {
            answer.body.end().map_err(call::Failure::Fault)?;
        }
    }
}

/// Tell a document that is all here.
pub(super) async fn tell(
    reply: &mut Reply<'_, '_, '_>,
    answer: &Answer,
    status: u16,
    body: &[u8],
) -> Result<(), Stop> {
    let length = Length::Known(body.len() as u64);
    head::push(reply, answer, status, b"application/json", length);
    reply.downlink.out.extend_from_slice(body);
    reply.trail.bytes_out = body.len() as u64;
    reply.trail.seal(Ending::Complete, status);
    reply.downlink.send().await
}
