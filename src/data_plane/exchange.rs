//! The page: one request, from a client's bytes to a model's answer and back.
//!
//! Running order is reading order. A stage that cannot go on returns a `Stop` and `?` ends the
//! exchange; the `Trail` that walks beside files the receipt when it is dropped, whatever happens.

use crate::{
    data_plane::{
        connection::Next,
        core::{Core, Presence},
        decode,
        downlink::Downlink,
        inbound::{Intake, Missed, Request},
        keys::Memo,
        link::Link,
        local,
        request_id::RequestId,
        stage::{
            admit, ask,
            attempt::{self, Judged, Tries},
            classifier,
            directives::{self, Directives},
            parse, relay, respond, route,
            send::{self, Matter, Terms},
        },
        trail::Trail,
        upstream::call,
    },
    dialect::{openai_chat::request::Ask, pivot::part::Dialect},
    lexicon::{
        ids::SubjectId,
        receipt::Ending,
        refusal::{Refusal, Refused},
    },
    snapshot::Snapshot,
    wire::headers,
};

/// Why an exchange goes no further.
#[derive(Debug, PartialEq, Eq)]
pub enum Stop {
    /// Nothing was said yet: the client is told.
    Refused(Refused),
    /// The answer had begun; the client was told in its midst, and the connection ends.
    Broken,
    ClientGone,
    /// Nothing was said, and what counts as this status is not told, for another attempt follows.
    Again(u16),
}

/// What is known once the whole request is here.
#[derive(Clone, Copy)]
struct Received {
    route: parse::Route,
    subject: Option<SubjectId>,
}

/// Serve the request whose head has come in.
pub async fn serve(
    core: &Core,
    presence: &Presence,
    intake: &mut Intake,
    link: &mut Link,
    memo: &mut Memo,
) -> Next {
    let snapshot = core.snapshot();
    // Before the trail, which borrows it to the end.
    let own_id: RequestId;
    let mut trail = Trail::begin(&core.ledger, &core.clock, &core.pulse);
    core.wake_ticker();
    let mut downlink = Downlink::begin(core, presence, link, &intake.head, trail.started());

    let received = receive(core, &snapshot, intake, memo, &mut downlink, &mut trail).await;
    let is_drained = intake.is_drained();
    let request = intake.request();
    trail.request_id = if let Some(id) = sane_id(&request) {
        id
    } else {
        own_id = core.new_request_id(trail.started_wall());
        own_id.as_str()
    };
    trail.client_address = presence.peer.client_address(&core.settings.proxies, &request);
    trail.peer = Some(&presence.peer);
    let ended = match received {
        Ok(received) => {
            converse(core, &snapshot, &request, received, &mut downlink, &mut trail).await
        }
        Err(stop) => Err(stop),
    };
    downlink.keep_alive &= is_drained;
    conclude(ended, &mut downlink, &mut trail).await
}

/// Route by the head, know the caller, and only then take the body in.
async fn receive<'s>(
    core: &Core,
    snapshot: &'s Snapshot,
    intake: &mut Intake,
    memo: &mut Memo,
    downlink: &mut Downlink<'_>,
    trail: &mut Trail<'s>,
) -> Result<Received, Stop> {
    let route = parse::route(&intake.head, intake.head_bytes())?;
    trail.operation = route.operation();
    let mut subject = None;
    if route.needs_key() {
        let (head, bytes) = (&intake.head, intake.head_bytes());
        let known = memo.authenticate(head, bytes, snapshot, trail.started_wall())?;
        trail.caller = Some(snapshot.caller(known));
        trail.authenticated_us = trail.elapsed_us();
        subject = Some(known);
    }
    let encoding = decode::encoding(&intake.head, intake.head_bytes())?;
    downlink.receive(core, intake).await?;
    if let Some(encoding) = encoding {
        let bytes_max = core.settings.bounds.body_bytes_max;
        // Boxed, for it is large and rare.
        Box::pin(intake.decode_body(encoding, bytes_max)).await?;
    }
    trail.bytes_in = intake.request().body.len() as u64;
    Ok(Received { route, subject })
}

/// Ask a model, and relay what it says.
async fn converse<'s>(
    core: &Core,
    snapshot: &'s Snapshot,
    request: &Request<'s>,
    received: Received,
    downlink: &mut Downlink<'_>,
    trail: &mut Trail<'s>,
) -> Result<(), Stop> {
    let Received { route, subject } = received;
    let (Some(operation), Some(subject)) = (route.operation(), subject) else {
        return local::answer(core, snapshot, request, route, subject, downlink, trail).await;
    };
    let ask = ask::read((snapshot, subject), route, operation, request)?;
    trail.is_streaming = ask.is_streaming;
    trail.requested_model.clone_from(&ask.model);
    let directives = directives::read(request)?;
    let (ask, directives) = (&ask, &directives);
    let mut plan = decide(core, (snapshot, subject), (ask, request), directives, trail)?;
    core.rehearse(&ask.model);

    let matter = Matter { core, snapshot, subject, ask, request, directives };
    if let Some(it) = plan.classifier() {
        plan = Box::pin(classifier::plan(&matter, it, downlink, trail)).await?;
    }

    let mut tries = Tries::new(snapshot, plan, directives);
    loop {
        let attempt = tries.next(core, trail);
        let mut terms = Terms::new(&matter, trail);
        // Lent from here on, for an answer is large, and each hand it goes through copies it.
        let mut sent = if attempt.is_plain() {
            match send::write(&matter, &attempt, &mut downlink.dropped, trail)? {
                Ok(call) => {
                    terms.said = call.said;
                    let to = matter.endpoint(&attempt);
                    call::send(core, to, call.bytes, &terms.limits, downlink, trail).await
                }
                Err(failure) => Err(failure),
            }
        } else {
            Box::pin(matter.send(attempt, &mut tries, &mut terms, downlink, trail)).await?
        };
        let ended = match &mut sent {
            Ok(answer) => {
                let applied = tries.applied(core, snapshot.caller(subject), trail);
                let talk = matter.talk(terms.said);
                let (limits, again) = (&terms.limits, tries.again());
                let reply =
                    relay::Reply { core, limits, applied: &applied, again, downlink, trail };
                let ended = reply.relay(answer, talk).await;
                tries.hear(&ended, answer, applied, core);
                ended
            }
            Err(failure) => Err(relay::refuse(*failure, trail)),
        };
        if let Ok(answer) = sent {
            answer.release(core);
        }
        drop(terms.seat);
        match tries.judge(core, ended, downlink, trail) {
            Judged::Over(ended) => return ended,
            Judged::Again(None) => {}
            Judged::Again(Some(moment)) => Box::pin(attempt::pause(moment, downlink)).await?,
        }
    }
}

/// What policy decides: which targets answer, once there is room for the request.
fn decide<'s>(
    core: &Core,
    (snapshot, subject): (&'s Snapshot, SubjectId),
    (ask, from): (&Ask<'_>, &Request<'_>),
    directives: &Directives<'_>,
    trail: &mut Trail<'s>,
) -> Result<route::Plan<'s>, Refused> {
    let mut verdicts = core.verdicts.borrow_mut();
    let known = verdicts.look(snapshot, subject, &ask.model, directives.metadata)?;
    let known = known.as_ref();
    trail.admit(known.map(|known| &known.encoded))?;
    let rules = known.map(|known| &**known);
    let routed = route::Routed { subject, ask, from, known: rules, tier: None };
    let plan = route::plan(core, snapshot, &routed)?;
    if let Some(known) = known {
        let asked = admit::Asked { ask, body: from.body, plan: &plan, known };
        admit::admit(snapshot, &asked, trail)?;
    }
    Ok(plan)
}

/// Say no where nothing was said, and decide what becomes of the connection.
async fn conclude(
    ended: Result<(), Stop>,
    downlink: &mut Downlink<'_>,
    trail: &mut Trail<'_>,
) -> Next {
    match ended {
        Ok(()) => downlink.next(),
        // Where the end of the connection ends the body, only a reset tells that it broke off.
        Err(Stop::Broken) if downlink.is_http10 => Next::Reset,
        // Whoever judges attempts leaves none of these: it would be a mistake of ours.
        Err(Stop::Broken | Stop::Again(_)) => Next::Close,
        Err(Stop::ClientGone) => {
            if trail.owes_usage() {
                trail.estimate_by_bytes();
            }
            trail.refusal = Some(Refusal::ClientGone);
            trail.seal(Ending::ClientGone, Refusal::ClientGone.row().status);
            Next::Close
        }
        Err(Stop::Refused(refused)) => {
            trail.refusal = Some(refused.refusal);
            let next = downlink.next();
            downlink.out.clear();
            let out = &mut downlink.out;
            let told = respond::Told {
                request_id: trail.request_id,
                dialect: trail.operation.map_or(Dialect::OpenAiChat, Dialect::of_errors),
                lines: &trail.told(),
            };
            let body_at = respond::push_refusal(out, &refused, &told, next);
            if downlink.is_head {
                // Its length is told; the body itself would be read as the next reply.
                downlink.out.truncate(body_at);
            }
            trail.bytes_out = downlink.out.len().saturating_sub(body_at) as u64;
            trail.seal(Ending::Refused, refused.refusal.row().status);
            match downlink.send().await {
                Ok(()) => next,
                Err(_) => Next::Close,
            }
        }
    }
}

/// The client's own request id where it is sane; else it gets one of ours.
fn sane_id<'b>(request: &Request<'b>) -> Option<&'b str> {
    let id = request.header("x-request-id").filter(|id| headers::is_sane_request_id(id))?;
    std::str::from_utf8(id).ok()
}

/// The receipt of bytes that never became a request.
pub fn record_refusal(core: &Core, presence: &Presence, request_id: &str, refusal: Refusal) {
    let mut trail = Trail::begin(&core.ledger, &core.clock, &core.pulse);
    trail.client_address = &presence.peer.address;
    trail.peer = Some(&presence.peer);
    trail.request_id = request_id;
    trail.refusal = Some(refusal);
    trail.ending = Ending::Refused;
    trail.status = refusal.row().status;
}

impl<R: Into<Refused>> From<R> for Stop {
    fn from(refused: R) -> Self {
        Self::Refused(refused.into())
    }
}

impl From<Missed> for Stop {
    fn from(missed: Missed) -> Self {
        match missed {
            Missed::Closed => Self::ClientGone,
            Missed::Refused(refused) => Self::Refused(refused),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Core, Intake, Link, Memo, Presence, serve};

    /// The size of what `f` returns, without calling it.
    fn size<A, B, C, D, E, F>(_: impl FnOnce(A, B, C, D, E) -> F) -> usize {
        size_of::<F>()
    }

    #[test]
    fn the_future_of_an_exchange_stays_small() {
        let bytes = size(
            |core: &'static Core,
             presence: &'static Presence,
             intake: &'static mut Intake,
             link: &'static mut Link,
             memo: &'static mut Memo| serve(core, presence, intake, link, memo),
        );

        assert!(bytes <= 3_060, "{bytes} bytes");
    }
}
