//! An answer that is an error, told in the client's words.

use crate::{
    data_plane::{
        exchange::Stop,
        stage::relay::{
            Reply, Talk,
            failed::{BODY_BYTES_MAX, collect, tell},
            head::{self, Length},
            invalid, refuse,
        },
        upstream::call::Answer,
    },
    dialect::{
        openai_chat::reply::{ErrorBody, judge_error},
        pivot::{
            failure::{Failure, FailureKind},
            text::Text,
        },
        translation,
    },
    lexicon::{fault::Fault, receipt::Ending, refusal::Refusal},
    wire::json::{document::Document, value::read_str},
};
use std::borrow::Cow;

/// Nobody waits longer than a day.
const RETRY_AFTER_SECONDS_MAX: u64 = 86_400;

/// Relay an answer whose status is an error, or an error that came as 200 where events were asked
/// for.
///
/// A refused credential of ours is told as `upstream_auth`, without the vendor's words.
pub async fn relay(
    reply: &mut Reply<'_, '_, '_>,
    answer: &mut Answer,
    talk: &Talk<'_>,
) -> Result<(), Stop> {
    let body = collect(reply, answer, BODY_BYTES_MAX).await;
    let body = body.map_err(|failure| refuse(failure, reply.trail))?;
    if reply.trail.fault == Some(Fault::Auth) {
        return Err(Refusal::UpstreamAuth.into());
    }
    let status = match reply.trail.fault {
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
    reply.trail.fault = Some(Fault::Status(status));
    match later.filter(|_| answer.header("retry-after").is_none()) {
        Some(seconds) => tell_later(reply, answer, (status, seconds), &told).await,
        None => tell(reply, answer, status, &told).await,
    }
}

/// Tell an error whose body says when to ask again in the head too, where clients look for it.
async fn tell_later(
    reply: &mut Reply<'_, '_, '_>,
    answer: &mut Answer,
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

/// The status and body that tell an error, which came with `status` or as 200, in the client's
/// words; `None` where there is none in it.
pub(super) fn tell_in<'b>(
    talk: &Talk<'_>,
    body: &'b [u8],
    status: Option<u16>,
    request_id: &str,
) -> Option<(u16, Cow<'b, [u8]>)> {
    let mut document = Document::default();
    let parsed = document.parse(body).ok();
    let failure = parsed
        .and_then(|root| translation::decode_failure(root, talk.call.dialect, status))
        .or_else(|| status.and_then(|status| odd(body, status)))?;
    let status = status.unwrap_or(failure.kind.status());
    if talk.call.dialect == talk.client() && judge_error(body) == ErrorBody::AsIs {
        return Some((status, Cow::Borrowed(body)));
    }
    let mut out = Vec::new();
    translation::push_failure(&mut out, &failure, talk.client(), request_id);
    Some((status, Cow::Owned(out)))
}

/// An error in a shape of no dialect; a page for browsers is none.
fn odd(body: &[u8], status: u16) -> Option<Failure<'_>> {
    let message = match judge_error(body) {
        ErrorBody::Message { start, end } => Text::Plain(read_str(body.get(start..end)?)?),
        _ if status == 429 => Text::plain("The model's vendor is rate limiting."),
        _ => return None,
    };
    Some(Failure { kind: FailureKind::of_status(status), message, code: None, param: None })
}
