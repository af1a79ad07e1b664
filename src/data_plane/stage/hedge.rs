//! A second call beside the first, where that is not answered soon.
//!
//! It goes to the next target in the plan that is well, else to the same one, and is made only
//! where its share, every limit and budget, and a cap leave room: what it may use is reserved
//! by itself. The first good answer is told; of a stream, the first whose body has begun. The other
//! call is given up, which ends its connection, and is a line of its own among the receipts
//! (`Ending::Hedged`), settled by itself. A vendor reports nothing of a call that was given up, so
//! its usage is estimated as that of a client that left.

use crate::{
    data_plane::{
        core::Core,
        downlink::Downlink,
        link::Link,
        queues::Seat,
        stage::{
            admit,
            attempt::{Attempt, Tries},
            judge::status_of,
            send::{Matter, Terms, write},
            translate::Said,
        },
        trail::{Beside, Trail},
        upstream::call::{self, Answer, Failure, Limits, interrupted},
    },
    dialect::{openai_chat::reply, pivot::dropped::Dropped},
    lexicon::{fault::Fault, receipt::Ending, refusal::Refusal, time::Moment},
    policy::route::{hedge::Hedge, retry::Codes},
    provider::target::Endpoint,
};
use std::{
    cell::Cell,
    future::poll_fn,
    task::Poll::{Pending, Ready},
};

/// No deadline: what is waited for has its own.
const NEVER: Moment = Moment(u64::MAX);

/// The call that is made first.
pub struct First<'s> {
    pub attempt: Attempt<'s>,
    pub hedge: &'s Hedge,
    pub bytes: Vec<u8>,
}

/// The call beside it, ready to be sent.
struct Second<'m, 's> {
    attempt: Attempt<'s>,
    /// Its place in the plan.
    at: u8,
    bytes: Vec<u8>,
    said: Said,
    dropped: Dropped,
    limits: Limits,
    seat: Option<Box<Seat<'m>>>,
    trail: Trail<'s>,
}

/// How a call is sent, and what its time is learned by.
struct How {
    limits: Limits,
    streams: bool,
    key: Option<u64>,
}

/// What came first of two calls.
enum Ended {
    First(Result<Answer, Failure>),
    Second(Result<Answer, Failure>),
}

/// Send a call, and another one beside it where it is not answered soon.
pub async fn race<'m, 's>(
    matter: &Matter<'m, 's>,
    first: First<'s>,
    tries: &mut Tries<'s, '_>,
    terms: &mut Terms<'m>,
    (downlink, trail): (&mut Downlink<'_>, &mut Trail<'s>),
) -> Result<Answer, Failure> {
    let First { attempt, hedge, bytes } = first;
    let (core, key) = (matter.core, tries.key());
    core.hedges.obey(matter.snapshot.version);
    let after_ms = core.hedges.begin(key, hedge);
    let due = after_ms.map_or(NEVER, |millis| core.clock.recent().plus_millis(millis));
    let (beside, codes) = (trail.beside(), tries.gives_up_on(tries.at()));
    let how = How { limits: terms.limits, streams: matter.ask.is_streaming, key: Some(key) };
    let to = (core, matter.endpoint(&attempt));
    let mut calling = Box::pin(begin(to, bytes, how, downlink, trail));
    let alarm = core.alarm();
    if let Ok(sent) = alarm.guard(due, calling.as_mut()).await {
        return sent;
    }
    let Some(mut second) = Second::of(matter, tries, beside) else {
        return calling.await;
    };
    let second_codes = tries.gives_up_on(second.at);
    let (mut link, has_replied) = (Link::nowhere(), Cell::new(false));
    let mut aside = Downlink::aside(core, &alarm, (&mut link, &has_replied));
    let mut other = Box::pin(second.begin(matter, &mut aside));
    let ended = poll_fn(|context| match calling.as_mut().poll(context) {
        Ready(sent) => Ready(Ended::First(sent)),
        Pending => other.as_mut().poll(context).map(Ended::Second),
    });
    let answer = match ended.await {
        Ended::First(sent) => {
            drop(calling);
            if is_over(&sent, codes, downlink) {
                drop(other);
                second.give_up();
                return sent;
            }
            let waited = downlink.wait(NEVER, other.as_mut()).await;
            drop(other);
            match waited {
                Ok(Ok(answer)) if is_good(&answer, second_codes) => {
                    tries.pass_over(core, &sent, trail);
                    answer
                }
                Ok(failed) => {
                    second.fail(core, &failed);
                    return sent;
                }
                Err(why) => {
                    second.give_up();
                    return Err(interrupted(why));
                }
            }
        }
        Ended::Second(Ok(answer)) if is_good(&answer, second_codes) => {
            drop((calling, other));
            core.hedges.learn(key, millis_since_sent(trail, trail.recent_us()));
            answer
        }
        Ended::Second(failed) => {
            drop(other);
            second.fail(core, &failed);
            return calling.await;
        }
    };
    second.win(tries, terms, downlink, trail);
    Ok(answer)
}

/// Has a target answered, or said what no other would say otherwise?
fn is_good(answer: &Answer, codes: Codes) -> bool {
    !codes.has(answer.head.status)
}

/// Is a first call that has ended the last word?
fn is_over(sent: &Result<Answer, Failure>, codes: Codes, downlink: &Downlink<'_>) -> bool {
    match sent {
        Ok(answer) => is_good(answer, codes),
        Err(failure) => *failure == Failure::ClientGone || downlink.is_closing(),
    }
}

fn millis_since_sent(trail: &Trail<'_>, at_us: u32) -> u64 {
    u64::from(at_us.saturating_sub(trail.sent_us)) / 1_000
}

/// Send a call, and await the answer's head; of a stream, the beginning of its body too. How long
/// that took is learned of a first call.
async fn begin(
    (core, endpoint): (&Core, &Endpoint),
    bytes: Vec<u8>,
    how: How,
    downlink: &mut Downlink<'_>,
    trail: &mut Trail<'_>,
) -> Result<Answer, Failure> {
    let How { limits, streams, key } = how;
    let mut answer = call::send(core, endpoint, bytes, &limits, downlink, trail).await?;
    if streams && reply::fault_of(answer.head.status).is_none() {
        while answer.read_last().is_empty() && !answer.body.is_done() {
            let own = core.clock.recent().plus_millis(core.settings.timeouts.idle_ms);
            let (deadline, fault) = limits.until_begun(own, Fault::IdleTimeout);
            if !answer.read(deadline, fault, downlink).await? {
                break;
            }
        }
        trail.answered_us = trail.recent_us();
    }
    if let Some(key) = key {
        core.hedges.learn(key, millis_since_sent(trail, trail.answered_us));
    }
    Ok(answer)
}

impl<'m, 's> Second<'m, 's> {
    /// The second call, where there is room for one everywhere.
    fn of(matter: &Matter<'m, 's>, tries: &Tries<'s, '_>, beside: Beside<'s>) -> Option<Self> {
        let Matter { core, snapshot, ask, request, directives, .. } = *matter;
        if !core.hedges.may_call(tries.key()) {
            return None;
        }
        let (at, attempt) = tries.second(core);
        let seat = Seat::take(core, attempt.model).ok()?.map(Box::new);
        let mut trail = beside.begin();
        // No receipt, as long as it is not made.
        trail.forgo();
        trail.model = Some(attempt.model);
        let known = matter.known(&ask.model);
        if let Some(known) = &known {
            let asked = admit::Asked { ask, body: request.body, plan: tries.plan(), known };
            admit::admit(snapshot, &asked, &mut trail).ok()?;
        }
        let mut dropped = Dropped::default();
        let written = write(matter, &attempt, &mut dropped, &trail).ok()?.ok()?;
        trail.admit_beside(known.as_ref().map(|known| &known.encoded)).ok()?;
        core.hedges.spend(tries.key());
        let limits = Limits::of(core, directives, ask, &trail);
        let (bytes, said) = (written.bytes, written.said);
        Some(Self { attempt, at, bytes, said, dropped, limits, seat, trail })
    }

    async fn begin(
        &mut self,
        matter: &Matter<'m, 's>,
        aside: &mut Downlink<'_>,
    ) -> Result<Answer, Failure> {
        let to = (matter.core, matter.endpoint(&self.attempt));
        let bytes = std::mem::take(&mut self.bytes);
        let how = How { limits: self.limits, streams: matter.ask.is_streaming, key: None };
        begin(to, bytes, how, aside, &mut self.trail).await
    }

    /// It was not good: its line says why.
    fn fail(mut self, core: &Core, failed: &Result<Answer, Failure>) {
        let fault = match failed {
            Ok(answer) => reply::fault_of(answer.head.status),
            Err(Failure::Fault(fault)) => Some(*fault),
            Err(Failure::ClientGone) => None,
        };
        self.trail.fault = fault;
        let status = fault.map_or(Refusal::ClientGone.row().status, status_of);
        Tries::note_failed(core, self.attempt.model, status, fault);
        self.trail.file_beside(Ending::Hedged, status);
    }

    /// The first call's answer is told, or nobody waits any more.
    fn give_up(mut self) {
        self.trail.file_beside(Ending::Hedged, Refusal::ClientGone.row().status);
    }

    /// Its answer is told: what is known of the first call becomes the line beside.
    fn win(
        mut self,
        tries: &mut Tries<'s, '_>,
        terms: &mut Terms<'m>,
        downlink: &mut Downlink<'_>,
        trail: &mut Trail<'s>,
    ) {
        trail.trade(&mut self.trail);
        tries.turn_to(self.at);
        *terms = Terms { limits: self.limits, said: self.said, seat: self.seat.take() };
        downlink.dropped = std::mem::take(&mut self.dropped);
        let fault = self.trail.fault;
        let status = fault.map_or(Refusal::ClientGone.row().status, status_of);
        self.trail.file_beside(Ending::Hedged, status);
    }
}
