//! Rate limits and budgets: is there room for this request?
//!
//! What it will take is reserved on every meter that decides; those that only count are held until
//! it is over. `need.rs` says how much it takes, `told.rs` what a refused client is told.
//!
//! Where a limit is strict, its answers are first bounded by what is left of it; that bound is
//! reserved, said to the vendor (`translate.rs`), and held to as the answer comes (`relay/`).

mod need;
mod told;

pub use told::Told;

use crate::{
    data_plane::{
        quota::{Charge, PassId, Quota, Standing},
        stage::route::Plan,
        trail::Trail,
        verdicts::Known,
    },
    dialect::openai_chat::request::Ask,
    lexicon::{
        meter::{MeterKey, MeterSpec, NodeMillis, Now},
        refusal::Refused,
        time::UnixMillis,
    },
    policy::{
        budget::{Budget, Cap, Mode},
        limit::{Counts, Limit},
    },
    snapshot::{Snapshot, verdict::Held},
};
use need::{Need, Strict};
use std::rc::Rc;
use told::Short;

/// How often a strict request is bounded anew because another took what it saw left.
const TRIES: usize = 16;

/// What a request is admitted by.
#[derive(Clone, Copy)]
pub struct Asked<'a, 's> {
    pub ask: &'a Ask<'a>,
    pub body: &'a [u8],
    pub plan: &'a Plan<'s>,
    pub known: &'a Rc<Known>,
}

/// What holds for one request.
struct Case<'a, 's> {
    snapshot: &'s Snapshot,
    asked: &'a Asked<'a, 's>,
    now: Now,
}

/// Take what the request will need; the Trail gives it back.
///
/// # Errors
/// `RateLimited`, `BudgetExceeded` naming the rule and when to ask again; `Unbounded` where a
/// strict limit holds and there is no bound to hold it to; `MetersFull`.
///
/// **Cost**: nothing where there are no limits; else no allocation and no lock once the meters are
/// known to this core, but where a strict limit holds.
pub fn admit<'s>(
    snapshot: &'s Snapshot,
    asked: &Asked<'_, 's>,
    trail: &mut Trail<'s>,
) -> Result<(), Refused> {
    if asked.known.verdict.is_free() {
        return Ok(());
    }
    let mut quota = trail.quota();
    let now = quota.now(trail.started(), trail.started_wall());
    let case = Case { snapshot, asked, now };
    let pass = quota.open(asked.known, now);
    let taken = reserve(&case, &mut quota, &pass);
    let is_payment = snapshot.budgets.refuses_as_payment;
    let admitted = taken.map_err(|short| {
        // A call beside that is not made refuses no request.
        if let (Some((kind, id)), false) = (short.rule(), trail.is_forgone()) {
            quota.share().refused(kind, id);
        }
        told::refuse(short, is_payment, quota.told(&pass))
    });
    drop(quota);
    trail.pass = Some(pass);
    trail.seal_most();
    admitted
}

fn reserve<'s>(case: &Case<'_, 's>, quota: &mut Quota, pass: &PassId) -> Result<(), Short<'s>> {
    let Asked { ask, body, plan, known } = *case.asked;
    let output_max = ask.max_output_tokens.map(u64::from);
    let about = quota.estimate(pass, body.len() as u64, output_max);
    let need = Need::of(case.snapshot, plan, about);
    if known.verdict.is_strict {
        return reserve_strictly(case, need, quota, pass);
    }
    take(case, &need, quota, pass)
}

/// Bound the answers by what is left, and reserve that; again where another was faster.
#[cold]
fn reserve_strictly<'s>(
    case: &Case<'_, 's>,
    need: Need,
    quota: &mut Quota,
    pass: &PassId,
) -> Result<(), Short<'s>> {
    let mut tries = TRIES;
    loop {
        let mut strict = Strict::of(case.snapshot, case.asked).map_err(Short::Unbounded)?;
        fit(case, &mut strict, quota)?;
        let most = strict.most();
        let short = match take(case, &need.at_most(&most), quota, pass) {
            Ok(()) => {
                quota.set_bound(pass, most, strict.bound());
                return Ok(());
            }
            Err(short) => short,
        };
        tries -= 1;
        if tries == 0 || !short.is_strict() {
            return Err(short);
        }
        quota.give_back(pass, case.now.node);
    }
}

/// Let the answers fit into every strict meter.
fn fit<'s>(
    case: &Case<'_, 's>,
    strict: &mut Strict<'s>,
    quota: &mut Quota,
) -> Result<(), Short<'s>> {
    let now = case.now;
    if let Some((limit, key)) = case.limit().filter(|(limit, _)| limit.is_strict) {
        let spec = limit_spec(limit, key, case.snapshot.version);
        let meter = quota.share().open(&spec, now).map_err(|_| Short::Meters)?;
        let left = u64::try_from(quota.share().meter(meter).unreserved(now.node)).unwrap_or(0);
        if !strict.fit(limit.counts, left).map_err(Short::Unbounded)? {
            let wanted = Need::default().at_most(&strict.most()).units(limit.counts, true);
            return Err(limit_short(limit, &spec, wanted, now, quota));
        }
    }
    for held in &case.asked.known.verdict.caps {
        let (budget, spec) = case.budget(held, quota);
        if !budget.is_strict {
            continue;
        }
        let meter = quota.share().open(&spec, now).map_err(|_| Short::Meters)?;
        let left = u64::try_from(quota.share().meter(meter).unreserved(now.node)).unwrap_or(0);
        if !strict.fit(budget.counts, left).map_err(Short::Unbounded)? {
            let wanted = Need::default().at_most(&strict.most()).units(budget.counts, true);
            return Err(budget_short(budget, held.cap, (left, wanted), &spec, now));
        }
    }
    Ok(())
}

/// Take what is needed of every meter that decides, and hold those that count.
fn take<'s>(
    case: &Case<'_, 's>,
    need: &Need,
    quota: &mut Quota,
    pass: &PassId,
) -> Result<(), Short<'s>> {
    let now = case.now;
    let mut soft = None;
    // A budget of several caps has room where all have.
    let (mut has_room, mut has_own_room) = (false, false);
    let known = case.asked.known;
    let version = case.snapshot.version;
    for (held, place) in known.verdict.caps.iter().zip(&known.meters) {
        if held.is_first {
            has_room |= has_own_room;
            has_own_room = held.gives_room;
        }
        let opened = quota.meter(place, now, |calendar| held.spec(calendar, version));
        let Ok(meter) = opened else {
            if held.decides {
                return Err(Short::Meters);
            }
            continue;
        };
        let mut charge = Charge { meter, counts: held.counts, units: 0 };
        if held.decides {
            charge.units = need.units(held.counts, held.is_strict);
        }
        if !held.decides {
            quota.share().watch(meter);
        } else if quota.share().reserve(meter, charge.units, now.node).is_err() {
            has_own_room = false;
            let left = quota.share().meter(meter).unreserved(now.node);
            let left = u64::try_from(left).unwrap_or(0);
            let (budget, spec) = case.budget(held, quota);
            let short = budget_short(budget, held.cap, (left, charge.units), &spec, now);
            if held.mode != Mode::SoftEnforce {
                return Err(short);
            }
            soft.get_or_insert(short);
            quota.share().watch(meter);
            charge.units = 0;
        }
        quota.note(pass, charge);
    }
    has_room |= has_own_room;
    if let Some(short) = soft.filter(|_| !has_room) {
        return Err(short);
    }
    let Some((limit, key)) = case.limit() else { return Ok(()) };
    take_limit(case, limit, key, need, (quota, pass))
}

fn take_limit<'s>(
    case: &Case<'_, 's>,
    limit: &'s Limit,
    key: MeterKey,
    need: &Need,
    (quota, pass): (&mut Quota, &PassId),
) -> Result<(), Short<'s>> {
    let (now, counts) = (case.now, limit.counts);
    let spec = || limit_spec(limit, key, case.snapshot.version);
    let Some(place) = case.asked.known.meters.last() else { return Err(Short::Meters) };
    let meter = quota.meter(place, now, |_| spec()).map_err(|_| Short::Meters)?;
    let units = need.units(counts, limit.is_strict);
    let taken = match counts {
        Counts::Requests => quota.share().spend(meter, units, now.node),
        _ => quota.share().reserve(meter, units, now.node),
    };
    if taken.is_err() {
        return Err(limit_short(limit, &spec(), units, now, quota));
    }
    quota.note_limit(pass, Charge { meter, counts, units });
    Ok(())
}

impl<'s> Case<'_, 's> {
    fn limit(&self) -> Option<(&'s Limit, MeterKey)> {
        self.asked.known.verdict.limit(self.snapshot)
    }

    fn budget(&self, held: &Held, quota: &mut Quota) -> (&'s Budget, MeterSpec) {
        let spec = held.spec(quota.calendar(self.now), self.snapshot.version);
        (held.budget(self.snapshot), spec)
    }
}

const fn limit_spec(limit: &Limit, key: MeterKey, version: u64) -> MeterSpec {
    MeterSpec { key, window: limit.window, limit: limit.limit_to, until: None, version }
}

#[cold]
fn limit_short<'s>(
    limit: &'s Limit,
    spec: &MeterSpec,
    wanted: u64,
    now: Now,
    quota: &mut Quota,
) -> Short<'s> {
    let node = now.node;
    let window = limit.window;
    let until = |frees: NodeMillis| frees.0.saturating_sub(node.0);
    let Ok(meter) = quota.share().open(spec, now) else { return Short::Meters };
    let standing = Standing {
        left: quota.share().left(meter).min(limit.limit_to),
        reset_ms: window.frees_at(window.bucket(node)).map_or(0, until),
    };
    let frees_in_ms = quota.share().meter(meter).frees_at(wanted, node).map(until);
    Short::Limit { limit, standing, wanted, frees_in_ms }
}

#[cold]
fn budget_short<'s>(
    budget: &'s Budget,
    cap: Cap,
    (left, wanted): (u64, u64),
    spec: &MeterSpec,
    now: Now,
) -> Short<'s> {
    let until = |end: UnixMillis| end.0.saturating_sub(now.wall.0);
    Short::Budget { budget, cap, left, wanted, frees_in_ms: spec.until.map(until) }
}
