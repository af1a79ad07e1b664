//! The Call is sent: at once, or, where its target has a cap or a hedge, as these allow.
//!
//! A cap first: who gets no seat waits for one, as long as the cap says (`queues.rs`). A hedge
//! then: where there is no answer in time, a second call is made (`hedge.rs`).

use crate::{
    data_plane::{
        core::Core,
        downlink::Downlink,
        exchange::Stop,
        inbound::Request,
        queues::{Seat, Taken},
        stage::{
            attempt::{Attempt, Tries},
            directives::Directives,
            hedge,
            relay::Talk,
            translate::{self, Call, Said, Unsaid},
        },
        trail::Trail,
        upstream::call::{self, Answer, Failure, Limits},
        verdicts::Known,
    },
    dialect::{openai_chat::request::Ask, pivot::dropped::Dropped},
    lexicon::ids::SubjectId,
    provider::target::Endpoint,
    snapshot::Snapshot,
};
use std::rc::Rc;

/// What a call is made for.
#[derive(Clone, Copy)]
pub struct Matter<'m, 's> {
    pub core: &'m Core,
    pub snapshot: &'s Snapshot,
    pub subject: SubjectId,
    pub ask: &'m Ask<'m>,
    pub request: &'m Request<'m>,
    pub directives: &'m Directives<'m>,
}

/// What holds of the call whose answer is told.
pub struct Terms<'c> {
    pub limits: Limits,
    pub said: Said,
    /// Boxed, for it is rare.
    pub seat: Option<Box<Seat<'c>>>,
}

impl Terms<'_> {
    /// Those of a call that is made now.
    pub fn new(matter: &Matter<'_, '_>, trail: &Trail<'_>) -> Self {
        let Matter { core, ask, directives, .. } = *matter;
        let limits = Limits::of(core, directives, ask, trail);
        Self { limits, said: Said::as_asked(ask.operation), seat: None }
    }
}

/// Write the call of an attempt.
///
/// # Errors
/// The client asks what the target cannot be told; inside, what speaks for asking another target.
pub fn write(
    matter: &Matter<'_, '_>,
    attempt: &Attempt<'_>,
    dropped: &mut Dropped,
    trail: &Trail<'_>,
) -> Result<Result<Call, Failure>, Stop> {
    let Matter { core, ask, request, directives, .. } = *matter;
    let told = (trail.started_wall(), trail.answer_max(), &mut *dropped);
    match translate::call(&core.buffers, attempt.addressee(), ask, request, told) {
        Ok(call) => {
            directives.check(dropped)?;
            Ok(Ok(call))
        }
        Err(Unsaid::Fault(fault)) => Ok(Err(fault.into())),
        Err(Unsaid::Refused(refused)) => Err(refused.into()),
    }
}

impl<'m, 's> Matter<'m, 's> {
    /// Send the call of an attempt whose target has a cap or a hedge.
    ///
    /// # Errors
    /// As [`write()`].
    pub async fn send(
        &self,
        attempt: Attempt<'s>,
        tries: &mut Tries<'s, '_>,
        terms: &mut Terms<'m>,
        downlink: &mut Downlink<'_>,
        trail: &mut Trail<'s>,
    ) -> Result<Result<Answer, Failure>, Stop> {
        let Self { core, ask, directives, .. } = *self;
        let seat = match Seat::take(core, attempt.model) {
            Ok(seat) => Ok(seat),
            Err(Taken) => Seat::wait(core, attempt.model, downlink, trail).await,
        };
        match seat {
            Ok(seat) => terms.seat = seat.map(Box::new),
            Err(failure) => return Ok(Err(failure)),
        }
        // Waiting for a turn is not the target's time.
        terms.limits = Limits::of(core, directives, ask, trail);
        let call = match write(self, &attempt, &mut downlink.dropped, trail)? {
            Ok(call) => call,
            Err(failure) => return Ok(Err(failure)),
        };
        terms.said = call.said;
        let endpoint = self.endpoint(&attempt);
        let Some(hedge) = attempt.hedge else {
            let limits = terms.limits;
            return Ok(call::send(core, endpoint, call.bytes, &limits, downlink, trail).await);
        };
        let first = hedge::First { attempt, hedge, bytes: call.bytes };
        Ok(hedge::race(self, first, tries, terms, (downlink, trail)).await)
    }

    /// What is known of requests as this one for a model of this name; none where there is no
    /// metadata and no rule.
    pub fn known(&self, model: &str) -> Option<Rc<Known>> {
        let mut verdicts = self.core.verdicts.borrow_mut();
        let known = verdicts.look(self.snapshot, self.subject, model, self.directives.metadata);
        // The request's own metadata was read before: there is nothing to refuse.
        known.ok().flatten()
    }

    /// How the answer to what was said so is to be told.
    pub const fn talk(&self, said: Said) -> Talk<'m> {
        Talk { ask: self.ask, call: said, manner: self.directives.manner }
    }

    /// Where an attempt goes.
    pub fn endpoint(&self, attempt: &Attempt<'_>) -> &'s Endpoint {
        &self.snapshot.endpoints[attempt.model.target.endpoint as usize]
    }
}
