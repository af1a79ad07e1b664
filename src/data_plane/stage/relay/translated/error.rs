//! An answer that is an error, told in the client's words.

use crate::{
    data_plane::{
        exchange::Stop,
        stage::relay::{
            Reply, Talk,
            failed::{BODY_BYTES_MAX, collect, tell},
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
    lexicon::{fault::Fault, refusal::Refusal},
    wire::json::{document::Document, value::read_str},
};
use std::borrow::Cow;

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
    let Some((status, told)) = tell_in(talk, &body, status, reply.trail.request_id) else {
        return Err(invalid(reply.trail));
    };
    reply.trail.fault = Some(Fault::Status(status));
    tell(reply, answer, status, &told).await
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
        .and_then(|root| translation::decode_failure(root, talk.call.errors, status))
        .or_else(|| status.and_then(|status| odd(body, status)))?;
    let status = status.unwrap_or(failure.kind.status());
    if talk.call.errors == talk.client_errors() && judge_error(body) == ErrorBody::AsIs {
        return Some((status, Cow::Borrowed(body)));
    }
    let mut out = Vec::new();
    translation::push_failure(&mut out, &failure, talk.client_errors(), request_id);
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
