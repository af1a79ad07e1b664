//! An answer that is an error: read whole (it is small), and told in the client's shape.

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
    dialect::openai_chat::{
        error,
        reply::{self, ErrorBody},
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
pub async fn relay(
    core: &Core,
    answer: &mut Answer,
    limits: Limits,
    applied: &[u8],
    downlink: &mut Downlink<'_>,
    trail: &mut Trail<'_>,
) -> Result<(), Stop> {
    let status = answer.head.status;
    let body = collect(core, answer, limits, BODY_BYTES_MAX, downlink)
        .await
        .map_err(|failure| refuse(failure, trail))?;
    match trail.fault {
        Some(Fault::Auth) => Err(Refusal::UpstreamAuth.into()),
        Some(Fault::Status(_)) => {
            let reply = match reply::judge_error(&body) {
                ErrorBody::AsIs => body,
                ErrorBody::Message { start, end } => {
                    let text = value::read_str(&body[start..end]).unwrap_or_default();
                    foreign(&text, status, trail.request_id)
                }
                ErrorBody::Unfit if status == 429 => {
                    foreign("The model's vendor is rate limiting.", status, trail.request_id)
                }
                ErrorBody::Unfit => return Err(invalid(trail)),
            };
            tell(answer, status, &reply, applied, downlink, trail).await
        }
        _ => Err(invalid(trail)),
    }
}

/// Relay JSON that came where a stream was asked for: an error as what it says it is.
pub async fn relay_disguised(
    core: &Core,
    answer: &mut Answer,
    limits: Limits,
    applied: &[u8],
    downlink: &mut Downlink<'_>,
    trail: &mut Trail<'_>,
) -> Result<(), Stop> {
    let body = collect(core, answer, limits, BODY_BYTES_MAX, downlink)
        .await
        .map_err(|failure| refuse(failure, trail))?;
    if reply::judge_error(&body) != ErrorBody::AsIs {
        return Err(invalid(trail));
    }
    let status = reply::error_status(&body);
    trail.fault = Some(Fault::Status(status));
    tell(answer, status, &body, applied, downlink, trail).await
}

/// The whole body, unless it is larger than `bytes_max`.
pub(super) async fn collect(
    core: &Core,
    answer: &mut Answer,
    limits: Limits,
    bytes_max: usize,
    downlink: &mut Downlink<'_>,
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
        let own = core.clock.now().plus_millis(core.settings.timeouts.idle_ms);
        let (deadline, fault) = limits.until_done(own);
        if !answer.read(deadline, fault, downlink).await? {
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
    answer: &mut Answer,
    status: u16,
    body: &[u8],
    applied: &[u8],
    downlink: &mut Downlink<'_>,
    trail: &mut Trail<'_>,
) -> Result<(), Stop> {
    let length = Length::Known(body.len() as u64);
    head::push(downlink, answer, status, b"application/json", length, applied, trail);
    downlink.out.extend_from_slice(body);
    trail.bytes_out = body.len() as u64;
    trail.seal(Ending::Complete, status);
    downlink.send().await?;
    Ok(())
}
