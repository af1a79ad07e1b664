//! An answer that is an error: read whole (it is small), and told in the client's shape.

use crate::{
    data_plane::{
        exchange::Stop,
        stage::relay::{
            Reply,
            head::{self, Length},
            invalid, refuse,
        },
        upstream::call::{Answer, Failure},
    },
    dialect::openai_chat::{
        error,
        reply::{ErrorBody, error_status, judge_error},
    },
    lexicon::{fault::Fault, receipt::Ending, refusal::Refusal},
    wire::json::value,
};

/// An error is a page of text; more is not read.
pub(super) const BODY_BYTES_MAX: usize = 1 << 20;

/// Relay an answer whose status is an error.
///
/// The vendor's words pass where they have the client's shape; a refused credential of ours is
/// told as `upstream_auth` without them; a page for browsers becomes `upstream_invalid_response`.
pub(super) async fn relay(reply: &mut Reply<'_, '_, '_>, answer: &mut Answer) -> Result<(), Stop> {
    let status = answer.head.status;
    let body = collect(reply, answer, BODY_BYTES_MAX).await;
    let body = body.map_err(|failure| refuse(failure, reply.trail))?;
    match reply.trail.fault {
        Some(Fault::Auth) => Err(Refusal::UpstreamAuth.into()),
        Some(Fault::Status(_)) => {
            let body = match judge_error(&body) {
                ErrorBody::AsIs => body,
                ErrorBody::Message { start, end } => {
                    let text = value::read_str(&body[start..end]).unwrap_or_default();
                    foreign(&text, status, reply.trail.request_id)
                }
                ErrorBody::Unfit if status == 429 => {
                    foreign("The model's vendor is rate limiting.", status, reply.trail.request_id)
                }
                ErrorBody::Unfit => return Err(invalid(reply.trail)),
            };
            tell(reply, answer, status, &body).await
        }
        _ => Err(invalid(reply.trail)),
    }
}

/// Relay JSON that came where a stream was asked for: an error as what it says it is.
pub(super) async fn relay_disguised(
    reply: &mut Reply<'_, '_, '_>,
    answer: &mut Answer,
) -> Result<(), Stop> {
    let body = collect(reply, answer, BODY_BYTES_MAX).await;
    let body = body.map_err(|failure| refuse(failure, reply.trail))?;
    if judge_error(&body) != ErrorBody::AsIs {
        return Err(invalid(reply.trail));
    }
    let status = error_status(&body);
    reply.give_up_on_error(status)?;
    reply.trail.fault = Some(Fault::Status(status));
    tell(reply, answer, status, &body).await
}

/// The whole body, unless it is larger than `bytes_max`.
pub(super) async fn collect(
    reply: &mut Reply<'_, '_, '_>,
    answer: &mut Answer,
    bytes_max: usize,
) -> Result<Vec<u8>, Failure> {
    let mut body = Vec::new();
    loop {
        answer.take(|bytes| body.extend_from_slice(bytes)).map_err(Failure::Fault)?;
        if answer.body.is_done() {
            return Ok(body);
        }
        if body.len() > bytes_max {
            return Err(Failure::Fault(Fault::Invalid));
        }
        if !reply.read(answer).await? {
            answer.body.end().map_err(Failure::Fault)?;
        }
    }
}

fn foreign(message: &str, status: u16, request_id: &str) -> Vec<u8> {
    let mut out = Vec::new();
    error::push_foreign(&mut out, message, status, request_id);
    out
}

pub(super) async fn tell(
    reply: &mut Reply<'_, '_, '_>,
    answer: &mut Answer,
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
