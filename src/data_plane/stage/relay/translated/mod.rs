//! Answers where one side does not speak OpenAI's language: told in the client's words, or, where
//! both sides speak the same, passed as they came.
//!
//! `whole.rs` is one JSON document, `stream.rs` events, `error.rs` what is neither.

mod error;
mod stream;
mod whole;

use crate::{
    data_plane::{
        core::Core,
        downlink::Downlink,
        exchange::Stop,
        stage::relay::{Kind, Talk, invalid, kind},
        trail::Trail,
        upstream::call::{Answer, Limits},
    },
    dialect::{openai_chat::reply::fault_of, pivot},
};

/// Relay an answer.
pub async fn relay(
    core: &Core,
    answer: &mut Answer,
    talk: Talk<'_>,
    limits: Limits,
    applied: &[u8],
    downlink: &mut Downlink<'_>,
    trail: &mut Trail<'_>,
) -> Result<(), Stop> {
    let talk = &talk;
    if let Some(fault) = fault_of(answer.head.status) {
        trail.fault = Some(fault);
        return error::relay(core, answer, talk, limits, applied, downlink, trail).await;
    }
    let is_encoded = answer
        .header("content-encoding")
        .is_some_and(|name| !name.is_empty() && !name.eq_ignore_ascii_case(b"identity"));
    if is_encoded || answer.head.status == 204 {
        return Err(invalid(trail));
    }
    match (talk.ask.is_streaming, kind(answer)) {
        (true, Kind::Events) => {
            stream::relay(core, answer, talk, limits, applied, downlink, trail).await
        }
        // No event was sent yet: an error that came as 200 can still be told as what it is.
        (true, Kind::Json) => {
            error::relay(core, answer, talk, limits, applied, downlink, trail).await
        }
        (false, Kind::Json) => {
            whole::relay(core, answer, talk, limits, applied, downlink, trail).await
        }
        (true, Kind::Other) | (false, Kind::Events | Kind::Other) => Err(invalid(trail)),
    }
}

/// How this client is told.
fn manner<'m>(talk: &Talk<'_>, trail: &Trail<'m>) -> pivot::manner::Manner<'m> {
    pivot::manner::Manner {
        now_seconds: trail.started_wall().0 / 1_000,
        id: trail.request_id,
        model: trail.resolved_model,
        is_strict_openai: talk.manner.is_strict_openai,
        wants_usage: talk.ask.wants_usage,
    }
}
