//! Answers where one side does not speak OpenAI's language: told in the client's words, or, where
//! both sides speak the same, passed as they came.
//!
//! `whole.rs` is one JSON document, `stream.rs` events, `error.rs` what is neither.

mod cut;
mod error;
mod stream;
mod whole;

use crate::{
    data_plane::{
        exchange::Stop,
        stage::relay::{Kind, Reply, Talk, invalid, kind},
        trail::Trail,
        upstream::call::Answer,
    },
    dialect::{openai_chat::reply::fault_of, pivot},
};

/// Relay an answer.
pub(super) async fn relay(
    reply: &mut Reply<'_, '_, '_>,
    answer: &mut Answer,
    talk: &Talk<'_>,
) -> Result<(), Stop> {
    if let Some(fault) = fault_of(answer.head.status) {
        reply.trail.fault = Some(fault);
        return error::relay(reply, answer, talk).await;
    }
    let is_encoded = answer
        .header("content-encoding")
        .is_some_and(|name| !name.is_empty() && !name.eq_ignore_ascii_case(b"identity"));
    if is_encoded || answer.head.status == 204 {
        return Err(invalid(reply.trail));
    }
    match (talk.ask.is_streaming, kind(answer)) {
        (true, kind @ (Kind::Events | Kind::Frames)) => {
            let is_framed = kind == Kind::Frames;
            if is_framed != talk.call.is_framed {
                return Err(invalid(reply.trail));
            }
            stream::relay(reply, answer, talk).await
        }
        // No event was sent yet: an error that came as 200 can still be told as what it is.
        (true, Kind::Json) => error::relay(reply, answer, talk).await,
        (false, Kind::Json) => whole::relay(reply, answer, talk).await,
        (true, Kind::Other) | (false, Kind::Events | Kind::Frames | Kind::Other) => {
            Err(invalid(reply.trail))
        }
    }
}

/// How this client is told.
fn manner<'m>(talk: &Talk<'_>, trail: &Trail<'m>) -> pivot::manner::Manner<'m> {
    pivot::manner::Manner {
        now_seconds: trail.started_wall().0 / 1_000,
        id: trail.request_id,
        model: trail.resolved_model(),
        is_strict_openai: talk.manner.is_strict_openai,
        wants_usage: talk.ask.wants_usage,
    }
}
