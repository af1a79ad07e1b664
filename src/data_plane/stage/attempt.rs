//! Which target is asked next, what came of it, and whether another is asked.
//!
//! A target is asked again on its own statuses and as often as its `retry_config` says (the
//! request's `x-tfy-retry-config` holds over that); then the next target is asked, on the statuses
//! of `fallback_status_codes`. Beside statuses:
//!
//! - no connection (refused, no name, no TLS): as 502, but where there are other targets, nobody
//!   waits for this one;
//! - no answer in time, or no turn at a target that has a cap: the next target is asked, whatever
//!   the statuses say;
//! - an answer that breaks off, says nothing valid, or says an error with 200 before its first
//!   content: as 502, or as the status that the error says.
//!
//! A target that fails already is not asked again where there are others, and no target is given
//! more retries than a fifth of its requests (`targets.rs`). What a client's own deadline ends says
//! nothing about a target. Nothing is asked again once a byte of the reply has left, or when the
//! time of the whole request is over.

use crate::{
    bridge::health::Seen,
    data_plane::{
        alarm::Ring,
        core::Core,
        downlink::Downlink,
        exchange::Stop,
        stage::{
            directives::{self, Directives},
            judge::{is_late, is_targets_own, is_unconnected, status_of},
            retry_after,
            route::Plan,
        },
        trail::Trail,
        upstream::call::{Answer, Failure},
    },
    dialect::openai_chat::reply,
    lexicon::{fault::Fault, refusal::Refusal, time::Moment},
    policy::route::{
        self, Candidate, Changes,
        hedge::Hedge,
        order::{self, Reason},
        retry::{Codes, PATIENCE_MS, Retry},
    },
    provider::target::Target,
    snapshot::{Caller, Model, Snapshot},
};
use std::{borrow::Cow, pin::pin};

/// What is tried for one request.
pub struct Tries<'s, 'd> {
    snapshot: &'s Snapshot,
    plan: Plan<'s>,
    /// Over what targets say.
    directed: Option<&'d Retry>,
    /// The place in the plan.
    at: u8,
    retries_left: u8,
    is_fresh: bool,
    /// The present target was asked beside the one before it.
    is_hedged: bool,
    /// What the vendor said of when to come back.
    told_ms: Option<u32>,
    /// The statuses on which nothing is told to the client, because another attempt follows.
    again: Codes,
}

/// One target, asked once.
#[derive(Clone, Copy)]
pub struct Attempt<'s> {
    pub model: &'s Model,
    pub changes: Option<&'s Changes>,
    /// When a second call is made beside this one.
    pub hedge: Option<&'s Hedge>,
}

impl<'s> Attempt<'s> {
    /// Whom a call is for, and what is said differently to it.
    pub const fn addressee(&self) -> (&'s Target, Option<&'s Changes>) {
        (&self.model.target, self.changes)
    }

    /// Is the call sent at once, and alone?
    pub const fn is_plain(&self) -> bool {
        self.hedge.is_none() && self.model.concurrency.is_none()
    }
}

/// What becomes of a request after an attempt.
pub enum Judged {
    Over(Result<(), Stop>),
    /// Another attempt follows, at once or after this moment.
    Again(Option<Moment>),
}

static NEVER: Retry = Retry::NONE;

impl<'s, 'd> Tries<'s, 'd> {
    pub fn new(snapshot: &'s Snapshot, plan: Plan<'s>, directives: &'d Directives<'_>) -> Self {
        let directed = directives.retry.as_deref();
        let mut tries = Self {
            snapshot,
            plan,
            directed,
            at: 0,
            retries_left: 0,
            is_fresh: true,
            is_hedged: false,
            told_ms: None,
            again: Codes::default(),
        };
        tries.retries_left = tries.retry().attempts;
        tries
    }

    /// Is the model asked once, whatever comes?
    fn is_single(&self) -> bool {
        matches!(self.plan, Plan::Lone(_)) && self.retry().attempts == 0
    }

    /// The present target, as its rule has it.
    fn candidate(&self) -> Option<&'s Candidate> {
        match &self.plan {
            Plan::Lone(_) => None,
            Plan::Ruled(plan) => plan.candidate(usize::from(self.at)),
        }
    }

    fn is_one_of_many(&self) -> bool {
        matches!(&self.plan, Plan::Ruled(plan) if plan.len() > 1)
    }

    fn model(&self) -> &'s Model {
        match &self.plan {
            Plan::Lone(model) => model,
            Plan::Ruled(plan) => {
                let candidate = plan.candidate(usize::from(self.at));
                self.snapshot.model(candidate.expect("a plan is asked within its length").model)
            }
        }
    }

    /// The retries in force for the present target.
    fn retry(&self) -> &Retry {
        self.retry_of(self.candidate())
    }

    fn retry_of(&self, candidate: Option<&'s Candidate>) -> &Retry {
        let of_all = self.snapshot.routes.retry.as_ref().unwrap_or(&NEVER);
        let own = candidate.map_or(of_all, |candidate| &candidate.retry);
        self.directed.unwrap_or(own)
    }

    /// The statuses on which the next target is asked; none where there is no next.
    fn falls_back_on(&self) -> Option<Codes> {
        let Plan::Ruled(plan) = &self.plan else { return None };
        let has_next = usize::from(self.at) + 1 < plan.len();
        let candidate = plan.candidate(usize::from(self.at)).filter(|_| has_next)?;
        Some(candidate.falls_back_on)
    }

    /// The attempt that is due.
    ///
    /// **Cost**: next to nothing where a model is asked once.
    pub fn next(&mut self, core: &Core, trail: &mut Trail<'s>) -> Attempt<'s> {
        let candidate = self.candidate();
        let model = match (&self.plan, candidate) {
            (Plan::Lone(model), _) => *model,
            (Plan::Ruled(_), Some(candidate)) => self.snapshot.model(candidate.model),
            (Plan::Ruled(_), None) => self.model(),
        };
        trail.model = Some(model);
        let retry = *self.retry_of(candidate);
        if candidate.is_none() && retry.attempts == 0 {
            return Attempt { model, changes: None, hedge: None };
        }
        let now_ms = core.node_ms();
        let has_savings = if self.is_fresh {
            core.targets.earn(model, now_ms)
        } else {
            core.targets.may_retry(model, now_ms)
        };
        if let Plan::Ruled(plan) = &self.plan {
            trail.rule = Some(plan.rule);
        }
        let falls_back_on = self.falls_back_on();
        let is_failing = || match &self.plan {
            // The plan was made a moment ago, and puts those last.
            Plan::Ruled(plan) if self.at == 0 => plan.is_failing,
            _ => candidate.is_some_and(|it| self.is_failing(core, it)),
        };
        if self.is_one_of_many() && self.is_fresh && is_failing() {
            self.retries_left = 0;
        }
        // A retry that could not be made in time must not cost the client the vendor's own words.
        let retried_at = core.clock.recent().plus_millis(u64::from(retry.delay_ms));
        let may_retry = has_savings && self.retries_left > 0 && is_in_time(core, trail, retried_at);
        if !may_retry {
            self.retries_left = 0;
        }
        self.is_fresh = false;
        let retried_on = may_retry.then_some(retry.codes);
        self.again = retried_on.unwrap_or_default().or(falls_back_on.unwrap_or_default());
        Attempt {
            model,
            changes: candidate.map(|it| &it.changes),
            hedge: candidate.and_then(|it| it.hedge.as_ref()),
        }
    }

    pub const fn plan(&self) -> &Plan<'s> {
        &self.plan
    }

    /// The place of the present target in the plan.
    pub const fn at(&self) -> u8 {
        self.at
    }

    /// What second calls to the present target are counted by.
    pub fn key(&self) -> u64 {
        match &self.plan {
            Plan::Lone(model) => model.board_key(),
            Plan::Ruled(plan) => {
                let candidate = plan.candidate(usize::from(self.at));
                route::mix(plan.rule.key, candidate.map_or(0, |candidate| candidate.key))
            }
        }
    }

    /// The statuses with which the target at this place has not answered well.
    pub fn gives_up_on(&self, at: u8) -> Codes {
        let Plan::Ruled(plan) = &self.plan else { return Codes::default() };
        let candidate = plan.candidate(usize::from(at));
        candidate.map_or(Codes::default(), |it| it.falls_back_on.or(it.retry.codes))
    }

    /// Who is asked beside the present target, and its place in the plan: the next one where it is
    /// well, else the same one.
    pub fn second(&self, core: &Core) -> (u8, Attempt<'s>) {
        let candidate = |at: u8| match &self.plan {
            Plan::Lone(_) => None,
            Plan::Ruled(plan) => plan.candidate(usize::from(at)),
        };
        let next = self.at + 1;
        let has_next = candidate(next).is_some_and(|it| {
            !self.is_failing(core, it) && !self.snapshot.model(it.model).target.is_secret_missing
        });
        let at = if has_next { next } else { self.at };
        let model = candidate(at).map_or_else(|| self.model(), |it| self.snapshot.model(it.model));
        (at, Attempt { model, changes: candidate(at).map(|it| &it.changes), hedge: None })
    }

    /// The present target failed, and the one that was asked beside it has answered well.
    pub fn pass_over(&self, core: &Core, sent: &Result<Answer, Failure>, trail: &mut Trail<'s>) {
        let fault = match sent {
            Ok(answer) => reply::fault_of(answer.head.status),
            Err(Failure::Fault(fault)) => Some(*fault),
            Err(Failure::ClientGone) => return,
        };
        let status = fault.map_or(502, status_of);
        Self::note_failed(core, self.model(), status, fault);
        trail.notes.fail(&self.model().name, status, fault);
        trail.begin_attempt();
        trail.fault = fault;
    }

    /// A call failed that is not judged: another one stood beside it.
    pub fn note_failed(core: &Core, model: &Model, status: u16, fault: Option<Fault>) {
        if is_targets_own(status, fault) {
            core.targets.note(model, Seen::Failed, core.node_ms());
        }
    }

    /// The target at this place was asked beside the present one, and is told.
    pub fn turn_to(&mut self, at: u8) {
        self.at = at;
        self.is_hedged = true;
        self.retries_left = 0;
        self.again = self.falls_back_on().unwrap_or_default();
    }

    /// The statuses of the present attempt that are not told; none where it is the last.
    pub fn again(&self) -> Option<&Codes> {
        (self.again != Codes::default()).then_some(&self.again)
    }

    /// Does the plan move this target to the end by now?
    fn is_failing(&self, core: &Core, candidate: &Candidate) -> bool {
        let Plan::Ruled(plan) = &self.plan else { return false };
        let node_ms = core.node_ms();
        let health = core.targets.look(self.snapshot, node_ms);
        // Nothing is drawn here.
        let (wall_ms, random) = (core.clock.wall().0, 0);
        order::Moment { health: &health, node_ms, wall_ms, random }.is_failing(plan.rule, candidate)
    }

    /// The vendor may have said when to come back. What was `applied` is told.
    pub fn hear(
        &mut self,
        ended: &Result<(), Stop>,
        answer: &Answer,
        applied: Cow<'_, [u8]>,
        core: &Core,
    ) {
        if let Cow::Owned(written) = applied {
            core.buffers.give(written);
        }
        if matches!(ended, Err(Stop::Again(_))) {
            let told_ms = retry_after::read(answer, core.clock.wall());
            self.told_ms = told_ms.map(|millis| u32::try_from(millis).unwrap_or(u32::MAX));
        }
    }

    /// What becomes of the request.
    pub fn judge(
        &mut self,
        core: &Core,
        ended: Result<(), Stop>,
        downlink: &Downlink<'_>,
        trail: &mut Trail<'s>,
    ) -> Judged {
        if self.is_single() {
            return Judged::Over(ended);
        }
        let fault = trail.fault;
        let status = match (&ended, fault) {
            (Err(Stop::Again(status)), _) => *status,
            (Err(Stop::Refused(_)), Some(fault)) if !downlink.has_replied() => status_of(fault),
            _ => {
                self.note(core, &ended, trail);
                return Judged::Over(ended);
            }
        };
        let now_ms = core.node_ms();
        if is_targets_own(status, fault) {
            core.targets.note(self.model(), Seen::Failed, now_ms);
        }
        trail.notes.fail(&self.model().name, status, fault);
        let next = self.next_after(core, status, fault, downlink, trail);
        match next {
            Some(moment) => {
                trail.begin_attempt();
                Judged::Again((moment > core.clock.recent()).then_some(moment))
            }
            None => Judged::Over(self.last_words(ended, fault)),
        }
    }

    /// When the next attempt is made, if one is.
    fn next_after(
        &mut self,
        core: &Core,
        status: u16,
        fault: Option<Fault>,
        downlink: &Downlink<'_>,
        trail: &Trail<'_>,
    ) -> Option<Moment> {
        let now = core.clock.now();
        if downlink.is_closing() || !is_in_time(core, trail, now) {
            return None;
        }
        let falls_back_on = self.falls_back_on();
        let may_fall_back =
            falls_back_on.is_some_and(|codes| codes.has(status) || fault.is_some_and(is_late));
        let is_unconnected = fault.is_some_and(is_unconnected);
        let may_retry = self.retries_left > 0
            && self.retry().codes.has(status)
            && !matches!(fault, Some(Fault::SecretUnavailable | Fault::Busy))
            && !(is_unconnected && self.is_one_of_many());
        if may_retry {
            let told_ms = self.told_ms.take().map(u64::from);
            let wait_ms = self.retry().wait_ms(told_ms, core.targets.random());
            let moment = now.plus_millis(wait_ms);
            if is_in_time(core, trail, moment) && !(may_fall_back && wait_ms > PATIENCE_MS) {
                self.retries_left -= 1;
                core.targets.spend(self.model(), core.node_ms());
                return Some(moment);
            }
        }
        if !may_fall_back {
            return None;
        }
        self.at += 1;
        self.retries_left = self.retry().attempts;
        self.is_fresh = true;
        self.is_hedged = false;
        Some(now)
    }

    /// What the client is told when nobody is left to ask.
    fn last_words(&self, ended: Result<(), Stop>, fault: Option<Fault>) -> Result<(), Stop> {
        let is_down = fault.is_some_and(|fault| {
            is_unconnected(fault) || matches!(fault, Fault::ConnectTimeout | Fault::ClosedEarly)
        });
        match ended {
            // The time ran out while another attempt was due.
            Err(Stop::Again(_)) => Err(Refusal::TotalTimeout.into()),
            Err(Stop::Refused(_)) if is_down && self.is_one_of_many() => {
                Err(Refusal::TargetsDown.into())
            }
            ended => ended,
        }
    }

    /// Note how an attempt went that is the last.
    fn note(&self, core: &Core, ended: &Result<(), Stop>, trail: &Trail<'_>) {
        let seen = match (ended, trail.fault) {
            (Ok(()), None) => {
                let (per_token_us, first_us) = trail.pace();
                Seen::Answered { per_token_us, first_us }
            }
            (Ok(()) | Err(Stop::Broken | Stop::Refused(_)), Some(fault)) => {
                let status = status_of(fault);
                if is_targets_own(status, Some(fault)) {
                    Seen::Failed
                } else {
                    Seen::Answered { per_token_us: None, first_us: None }
                }
            }
            // Who left, and what we refused ourselves, says nothing about the target.
            _ => return,
        };
        core.targets.note(self.model(), seen, core.node_ms());
    }

    /// The value of `x-tfy-applied-configurations`, with what the rule did.
    ///
    /// **Shape**: `{"loadBalancing":{"ruleId":"…","type":"…","target":"…","reason":"…"},
    /// "fallback":{"attempts":[{"target":"…","failed":"503"}]},…}`; `fallback` only where an
    /// attempt failed.
    pub fn applied(&self, core: &Core, caller: &Caller, trail: &Trail<'_>) -> Cow<'s, [u8]> {
        let value = directives::applied(caller);
        let Plan::Ruled(plan) = &self.plan else { return value };
        let Some(candidate) = plan.candidate(usize::from(self.at)) else { return value };
        let is_first = self.at == 0 && !self.is_hedged && trail.notes.attempts().is_empty();
        let usual = Reason::usual(&plan.rule.strategy, candidate.tier);
        if is_first && plan.reason == usual && value.len() == b"{}".len() {
            return Cow::Borrowed(candidate.told.as_bytes());
        }
        let mut out = core.buffers.take();
        out.extend_from_slice(candidate.told_to_reason(&plan.rule.strategy).as_bytes());
        let reason = match self.at {
            _ if self.is_hedged => "hedge",
            0 => plan.reason.label(),
            _ => "fallback",
        };
        out.extend_from_slice(reason.as_bytes());
        out.extend_from_slice(b"\"}");
        trail.notes.push_failed(&mut out);
        if value.len() > b"{}".len() {
            out.push(b',');
            out.extend_from_slice(&value[1..]);
        } else {
            out.push(b'}');
        }
        Cow::Owned(out)
    }
}

/// Is the whole request still in time at `moment`?
fn is_in_time(core: &Core, trail: &Trail<'_>, moment: Moment) -> bool {
    let total = core.settings.timeouts.total_ms;
    total.is_none_or(|millis| moment < trail.started().plus_millis(millis))
}

/// Wait until `moment`, or until the client leaves.
pub async fn pause(moment: Moment, downlink: &mut Downlink<'_>) -> Result<(), Stop> {
    match downlink.wait(moment, pin!(std::future::pending::<()>())).await {
        Ok(()) | Err(Ring::Deadline) => Ok(()),
        Err(Ring::Departed) => Err(Stop::ClientGone),
        Err(Ring::Closing) => Err(Refusal::TotalTimeout.into()),
    }
}
