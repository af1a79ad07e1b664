//! Rate limits and budgets: is there room for this request?
//!
//! What it will take is reserved on every meter that decides; those that only count are held until
//! it is over. `need.rs` says how much it takes, `told.rs` what a refused client is told.
//!
//! Where a limit is strict, its answers are first bounded by what is left of it; that bound is
//! reserved, said to the vendor (`translate.rs`), and held to as the answer comes (`relay/`).

mod need;
mod told;

pub use told::push_standing;

use crate::{
    data_plane::{
        inbound,
        quota::{Charge, PassId, Quota, Standing},
        trail::Trail,
    },
    dialect::openai_chat::request::Ask,
    lexicon::{
        ids::SubjectId,
        meter::{MeterKey, MeterSpec, NodeMillis, Now},
        refusal::Refused,
        time::UnixMillis,
    },
    policy::{
        budget::{Budget, Cap, Kind, Mode},
        limit::{Counts, Limit},
    },
    snapshot::{Matter, Snapshot},
};
use need::{Need, Strict};
use told::Short;

/// How often a strict request is bounded anew because another took what it saw left.
const TRIES: usize = 16;

/// What a request is admitted by.
#[derive(Clone, Copy)]
pub struct Request<'a> {
    pub subject: SubjectId,
    pub ask: &'a Ask<'a>,
    pub body: &'a [u8],
    pub metadata: &'a [(&'a str, &'a str)],
}

/// What holds for one request.
struct Case<'a, 's> {
    snapshot: &'s Snapshot,
    matter: &'a Matter<'a>,
    limit: Option<(&'s Limit, MeterKey)>,
    now: Now,
}

/// One meter of a budget that holds for a request.
struct Capped<'s> {
    budget: &'s Budget,
    cap: Cap,
    spec: MeterSpec,
    decides: bool,
}

impl<'a> Request<'a> {
    pub fn of(
        subject: SubjectId,
        ask: &'a Ask<'a>,
        from: &inbound::Request<'a>,
        metadata: &'a [(&'a str, &'a str)],
    ) -> Self {
        Self { subject, ask, body: from.body, metadata }
    }
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
    request: &Request<'_>,
    trail: &mut Trail<'s>,
) -> Result<(), Refused> {
    if snapshot.limits.index.is_empty() && snapshot.budgets.index.is_empty() {
        return Ok(());
    }
    let matter = snapshot.matter(request.subject, &request.ask.model, request.metadata);
    let limit = snapshot.limit(&matter);
    if limit.is_none() && snapshot.budgets(&matter).next().is_none() {
        return Ok(());
    }
    let mut quota = trail.quota();
    let now = quota.now(trail.started(), trail.started_wall());
    let case = Case { snapshot, matter: &matter, limit, now };
    let pass = quota.open(matter.entities.model);
    let taken = reserve(&case, request, &mut quota, &pass);
    let is_payment = snapshot.budgets.refuses_as_payment;
    let admitted = taken.map_err(|short| {
        if let Some((kind, id)) = short.rule() {
            quota.share().refused(kind, id);
        }
        told::refuse(short, is_payment, quota.told(&pass))
    });
    drop(quota);
    trail.pass = Some(pass);
    admitted
}

fn reserve<'s>(
    case: &Case<'_, 's>,
    request: &Request<'_>,
    quota: &mut Quota,
    pass: &PassId,
) -> Result<(), Short<'s>> {
    let output_max = request.ask.max_output_tokens.map(u64::from);
    let model = case.matter.entities.model;
    let about = quota.estimate(model, request.body.len() as u64, output_max);
    let need = Need::of(case.snapshot, &case.matter.facts, about);
    let is_strict = case.limit.is_some_and(|(limit, _)| limit.is_strict)
        || (case.snapshot.budgets.has_strict
            && case.snapshot.budgets(case.matter).any(|(budget, _)| budget.is_strict));
    if is_strict {
        return reserve_strictly(case, request, need, (quota, pass));
    }
    take(case, &need, quota, pass)
}

/// Bound the answers by what is left, and reserve that; again where another was faster.
#[cold]
fn reserve_strictly<'s>(
    case: &Case<'_, 's>,
    request: &Request<'_>,
    need: Need,
    (quota, pass): (&mut Quota, &PassId),
) -> Result<(), Short<'s>> {
    let mut tries = TRIES;
    loop {
        let mut strict =
            Strict::of(case.snapshot, &case.matter.facts, request).map_err(Short::Unbounded)?;
        fit(case, &mut strict, quota)?;
        let short = match take(case, &need.at_most(strict.most()), quota, pass) {
            Ok(()) => {
                if let Some(bound) = strict.bound() {
                    quota.set_bound(pass, bound);
                }
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
    if let Some((limit, key)) = case.limit.filter(|(limit, _)| limit.is_strict) {
        let spec = limit_spec(limit, key, case.snapshot.version);
        let meter = quota.share().open(&spec, now).map_err(|_| Short::Meters)?;
        let left = u64::try_from(quota.share().meter(meter).unreserved(now.node)).unwrap_or(0);
        if !strict.fit(limit.counts, left).map_err(Short::Unbounded)? {
            return Err(limit_short(limit, &spec, strict.most().tokens, now, quota));
        }
    }
    let mut found = Ok(());
    each_cap(case, quota, |quota, capped| {
        let Capped { budget, cap, spec, .. } = capped;
        if !budget.is_strict || found.is_err() {
            return;
        }
        let Ok(meter) = quota.share().open(&spec, now) else {
            found = Err(Short::Meters);
            return;
        };
        let left = u64::try_from(quota.share().meter(meter).unreserved(now.node)).unwrap_or(0);
        match strict.fit(budget.counts, left) {
            Ok(true) => {}
            Ok(false) => {
                let wanted = Need::default().at_most(strict.most()).units(budget.counts, true);
                found = Err(budget_short(budget, cap, (left, wanted), &spec, now));
            }
            Err(refused) => found = Err(Short::Unbounded(refused)),
        }
    });
    found
}

/// Take what is needed of every meter that decides, and hold those that count.
fn take<'s>(
    case: &Case<'_, 's>,
    need: &Need,
    quota: &mut Quota,
    pass: &PassId,
) -> Result<(), Short<'s>> {
    let now = case.now;
    let (mut hard, mut soft) = (None, None);
    let mut has_room = false;
    let mut before: Option<(*const Budget, bool)> = None;
    each_cap(case, quota, |quota, capped| {
        let Capped { budget, cap, spec, decides } = capped;
        if hard.is_some() {
            return;
        }
        // A budget of several caps has room where all have.
        if before.is_none_or(|(last, _)| !std::ptr::eq(last, budget)) {
            has_room |= before.is_some_and(|(_, allows)| allows);
            before = Some((budget, decides && budget.kind != Kind::Ordered));
            quota.name_budget(pass, &budget.id_json);
        }
        let Ok(meter) = quota.share().open(&spec, now) else {
            if decides {
                hard = Some(Short::Meters);
            }
            return;
        };
        let counts = budget.counts;
        let units = if decides { need.units(counts, budget.is_strict) } else { 0 };
        let taken = if decides {
            quota.share().reserve(meter, units, now.node)
        } else {
            quota.share().watch(meter);
            Ok(())
        };
        let mut charge = Charge { meter, counts, units, at: now.node };
        if taken.is_err() {
            before = Some((budget, false));
            let left = quota.share().meter(meter).unreserved(now.node);
            let left = u64::try_from(left).unwrap_or(0);
            let short = budget_short(budget, cap, (left, units), &spec, now);
            if budget.mode != Mode::SoftEnforce {
                hard = Some(short);
                return;
            }
            soft.get_or_insert(short);
            quota.share().watch(meter);
            charge.units = 0;
        }
        quota.note(pass, charge);
    });
    has_room |= before.is_some_and(|(_, allows)| allows);
    if let Some(short) = hard.or(soft.filter(|_| !has_room)) {
        return Err(short);
    }
    let Some((limit, key)) = case.limit else { return Ok(()) };
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
    let spec = limit_spec(limit, key, case.snapshot.version);
    let meter = quota.share().open(&spec, now).map_err(|_| Short::Meters)?;
    let units = need.units(counts, limit.is_strict);
    let taken = match counts {
        Counts::Requests => quota.share().spend(meter, units, now.node),
        _ => quota.share().reserve(meter, units, now.node),
    };
    if taken.is_err() {
        return Err(limit_short(limit, &spec, units, now, quota));
    }
    let inside = limit.applied.strip_prefix('{').and_then(|text| text.strip_suffix('}'));
    quota.note_limit(
        pass,
        Charge { meter, counts, units, at: now.node },
        inside.unwrap_or_default(),
    );
    Ok(())
}

/// Every meter of every budget that matches, in their order.
fn each_cap<'s>(
    case: &Case<'_, 's>,
    quota: &mut Quota,
    mut visit: impl FnMut(&mut Quota, Capped<'s>),
) {
    let version = case.snapshot.version;
    let mut first: Option<*const Budget> = None;
    for (budget, entity) in case.snapshot.budgets(case.matter) {
        let is_first = budget.kind != Kind::Ordered
            || std::ptr::eq(*first.get_or_insert(std::ptr::from_ref(budget)), budget);
        // A strict rule is held to wherever it stands.
        let decides = budget.mode != Mode::Audit && (is_first || budget.is_strict);
        for cap in budget.caps(entity.unwrap_or_default()) {
            let span = quota.calendar(case.now).span(cap.period);
            let spec = cap.spec(entity, span, version);
            visit(quota, Capped { budget, cap: *cap, spec, decides });
        }
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
        counts: limit.counts,
        limit: limit.limit_to,
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
