//! What a core has reserved for the exchanges that run on it.
//!
//! A Pass is what admission took for one exchange; the Trail holds its number and gives it back
//! once, when it is dropped, so every ending settles it: done, refused, broken, client gone, panic.

use crate::{
    bridge::quota::{
        node::{Full, Node},
        share::{Handle, Share},
    },
    data_plane::{clock::Clock, verdicts::Known},
    lexicon::{
        meter::{ByKey, MeterKey, MeterSpec, NodeMillis, Now, Window},
        time::{Moment, UnixMillis},
        usage::Usage,
    },
    policy::{calendar::Calendar, limit::Counts},
};
use std::{cell::Cell, num::NonZero, rc::Rc, sync::Arc};

/// Bytes of a body that make a token, about, until a model's own reports say better.
const BYTES_PER_TOKEN: u64 = 4;
/// Tokens of an answer whose bound nobody gave, until a model's own answers say better.
const OUTPUT_TOKENS: u64 = 256;
/// A model's newest report weighs one part in so many.
const REPORTS: u64 = 8;
/// Models whose reports are remembered; a catalogue has some hundred in use.
const MODELS_MAX: u32 = 10_000;
/// Ratios are kept in parts of this.
const UNIT: u64 = 1 << 16;

/// One core's end of all limits.
pub struct Quota {
    share: Share,
    node: Arc<Node>,
    /// Nanoseconds from the core's clock to the node's.
    ahead_ns: i64,
    passes: Vec<Pass>,
    free: Vec<usize>,
    /// By model, indexes into `estimates`.
    models: ByKey<u32>,
    estimates: Vec<Estimate>,
    calendar: Calendar,
}

/// The number of a Pass of this core.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "what was taken is settled"]
pub struct PassId(NonZero<u32>);

impl PassId {
    fn of(place: usize) -> Self {
        let number = u32::try_from(place + 1).ok().and_then(NonZero::new);
        Self(number.expect("connections are bounded"))
    }

    const fn place(&self) -> usize {
        self.0.get() as usize - 1
    }
}

/// What was taken for one exchange.
#[derive(Default)]
struct Pass {
    charges: Vec<Charge>,
    /// When.
    at: NodeMillis,
    /// Which of them is the rate limit's.
    limit_at: Option<usize>,
    /// What it was taken by.
    known: Option<Rc<Known>>,
    /// What its model has taught.
    estimate_at: Option<u32>,
    /// Headers that a refused client is told.
    told: Vec<u8>,
    bound: Option<Bound>,
    most: Option<Most>,
}

/// The most that a request can take, where a strict limit holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Most {
    pub input_tokens: u64,
    /// Of all answers together.
    pub output_tokens: u64,
    /// None where no model of the plan has a price.
    pub cost_nanodollars: Option<u64>,
}

/// How long the answers to a request may be, where a strict limit holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bound {
    /// Tokens of each.
    pub answer: u32,
    /// Tokens of all together.
    pub all: u64,
}

/// What was taken of one meter.
#[derive(Clone, Copy, Debug)]
pub struct Charge {
    pub meter: Handle,
    pub counts: Counts,
    pub units: u64,
}

/// How an exchange ended, as far as its limits are concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spent {
    /// It was sent to a model: it counts.
    pub was_sent: bool,
    /// By all attempts.
    pub usage: Usage,
    /// In nano-dollars; none where nobody knows it.
    pub cost: Option<u64>,
    /// What the last attempt used, where its vendor reported it.
    pub last: Option<Usage>,
    /// It was answered in full, and nobody said what was used: the estimate stands.
    pub is_unknown: bool,
    pub bytes_in: u64,
}

/// How a client stands with its rate limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    pub left: u64,
    /// Until all of it is free again, if nobody asks.
    pub reset_ms: u64,
}

/// Tokens that a request will take, as far as one can tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tokens {
    pub input: u64,
    pub output: u64,
}

/// What a model's answers have taught.
#[derive(Clone, Copy, Debug)]
struct Estimate {
    /// Tokens for each byte of a request's body, in parts of `UNIT`.
    tokens_per_byte: u64,
    output_tokens: u64,
}

impl Quota {
    pub fn new(core: usize, node: Arc<Node>, clock: &Clock) -> Self {
        let mut quota = Self {
            share: Share::new(core, Arc::clone(&node)),
            node,
            ahead_ns: 0,
            passes: Vec::new(),
            free: Vec::new(),
            models: ByKey::default(),
            estimates: Vec::new(),
            calendar: Calendar::at(clock.wall()),
        };
        quota.keep_time(clock);
        quota
    }

    /// What is to be done now and then: clocks drift apart, and meters fall out of use.
    pub fn tidy(&mut self, clock: &Clock) {
        self.keep_time(clock);
        let now = self.now(clock.now(), clock.wall());
        self.share.tidy(now.node);
    }

    fn keep_time(&mut self, clock: &Clock) {
        let node = i64::try_from(self.node.now_ns()).unwrap_or(i64::MAX);
        self.ahead_ns = node.saturating_sub_unsigned(clock.now().0);
    }

    /// Both clocks at this moment of the core's.
    pub fn now(&mut self, at: Moment, wall: UnixMillis) -> Now {
        self.share.now(NodeMillis(at.0.saturating_add_signed(self.ahead_ns) / 1_000_000), wall)
    }

    /// By so many days the calendar of budgets is ahead of `wall`: the clock was set back.
    #[inline]
    pub fn days_ahead(&self, wall: UnixMillis) -> u16 {
        let seen = self.share.wall();
        if seen <= wall {
            return 0;
        }
        u16::try_from(seen.day() - wall.day()).unwrap_or(u16::MAX)
    }

    pub const fn share(&mut self) -> &mut Share {
        &mut self.share
    }

    /// Tokens that a request will take: of its body by what this model's reports say of bytes, of
    /// its answer by what it asks for at most, else by the model's recent answers.
    pub fn estimate(&self, pass: &PassId, body_bytes: u64, output_max: Option<u64>) -> Tokens {
        let at = self.passes[pass.place()].estimate_at;
        let learned = at.and_then(|at| self.estimates.get(at as usize));
        let input = learned.map_or(body_bytes.div_ceil(BYTES_PER_TOKEN), |learned| {
            body_bytes.saturating_mul(learned.tokens_per_byte).div_ceil(UNIT)
        });
        let recent = learned.map_or(OUTPUT_TOKENS, |learned| learned.output_tokens);
        Tokens { input, output: output_max.unwrap_or(recent) }
    }

    /// The periods of budgets that hold now.
    pub fn calendar(&mut self, now: Now) -> &Calendar {
        self.calendar.turn(now.wall);
        &self.calendar
    }

    /// The meter of `spec`, which `known_at` says the place of where it was found before in the
    /// periods that hold now; and says from now on.
    ///
    /// # Errors
    /// As [`Share::open`].
    ///
    /// **Cost**: a comparison where it was found before.
    #[inline]
    pub fn meter(
        &mut self,
        known_at: &Cell<Handle>,
        now: Now,
        spec: impl FnOnce(&Calendar) -> MeterSpec,
    ) -> Result<Handle, Full> {
        let found = known_at.get();
        if self.share.finds(found, now.node) {
            return Ok(found);
        }
        let found = self.share.open(&spec(&self.calendar), now)?;
        known_at.set(found);
        Ok(found)
    }

    /// An empty Pass for a request of which this is known.
    pub fn open(&mut self, known: &Rc<Known>, now: Now) -> PassId {
        self.calendar.turn(now.wall);
        known.hold_until(self.calendar.until());
        let id = self.free.pop().unwrap_or_else(|| {
            self.passes.push(Pass::default());
            self.passes.len() - 1
        });
        let pass = &mut self.passes[id];
        debug_assert!(pass.charges.is_empty());
        (pass.at, pass.limit_at) = (now.node, None);
        (pass.bound, pass.most) = (None, None);
        pass.told.clear();
        pass.estimate_at = self.models.get(&known.verdict.model_key).copied();
        pass.known = Some(Rc::clone(known));
        PassId::of(id)
    }

    /// The headers that a refused client is told, to be written or read.
    pub fn told(&mut self, pass: &PassId) -> &mut Vec<u8> {
        &mut self.passes[pass.place()].told
    }

    /// Remember what was taken.
    pub fn note(&mut self, pass: &PassId, charge: Charge) {
        self.passes[pass.place()].charges.push(charge);
    }

    /// The same of the rate limit's.
    pub fn note_limit(&mut self, pass: &PassId, charge: Charge) {
        let pass = &mut self.passes[pass.place()];
        pass.limit_at = Some(pass.charges.len());
        pass.charges.push(charge);
    }

    /// What clients are told of its limit and budgets: members of an object.
    pub fn applied(&self, pass: &PassId) -> &[u8] {
        self.passes[pass.place()].known.as_ref().map_or(&[], |known| &known.verdict.applied)
    }

    /// How long its answers may be; none where nothing holds them.
    pub fn bound(&self, pass: &PassId) -> Option<Bound> {
        self.passes[pass.place()].bound
    }

    /// A strict limit holds: what was reserved, and how long the answers may be.
    pub fn set_bound(&mut self, pass: &PassId, most: Most, bound: Option<Bound>) {
        let pass = &mut self.passes[pass.place()];
        (pass.most, pass.bound) = (Some(most), bound);
    }

    /// All that was reserved for it, where a strict limit holds.
    pub fn most(&self, pass: &PassId) -> Option<Most> {
        self.passes[pass.place()].most
    }

    /// What was taken is given back: the request is admitted anew, or not at all.
    pub fn give_back(&mut self, pass: &PassId, now: NodeMillis) {
        let pass = &mut self.passes[pass.place()];
        for charge in pass.charges.drain(..) {
            charge.refund(&mut self.share, pass.at, now);
        }
        pass.limit_at = None;
    }

    /// Append how the client stands with the rate limit of its Pass, where one holds.
    pub fn push_standing(&self, pass: &PassId, out: &mut Vec<u8>) {
        let pass = &self.passes[pass.place()];
        let (Some(known), Some(at)) = (&pass.known, pass.limit_at) else { return };
        let of = pass.charges[at].meter;
        let meter = self.share.meter(of);
        let standing = Standing {
            left: self.share.left(of).min(meter.limit()),
            reset_ms: reset_ms(meter.window(), pass.at),
        };
        known.told.borrow_mut().push(out, &known.verdict.lines, standing);
    }

    /// The exchange is over: what it used is spent, the rest comes back.
    pub fn settle(&mut self, pass: PassId, spent: &Spent, now: NodeMillis) {
        let own = &mut self.passes[pass.place()];
        let (known, estimate_at) = (own.known.take(), own.estimate_at);
        let tokens = spent.usage.input_tokens.saturating_add(spent.usage.output_tokens);
        for charge in own.charges.drain(..) {
            // A window's word has room for so many; no answer is as long.
            let used = match charge.counts {
                _ if !spent.was_sent => {
                    charge.refund(&mut self.share, own.at, now);
                    continue;
                }
                Counts::Requests => {
                    self.share.keep(charge.meter);
                    continue;
                }
                _ if spent.is_unknown => charge.units,
                Counts::Tokens => tokens.min(TOKENS_MAX),
                Counts::Cost => spent.cost.unwrap_or(0).min(COST_MAX),
            };
            self.share.settle(charge.meter, charge.units, used, now);
        }
        self.free.push(pass.place());
        if let (Some(known), Some(usage)) = (known, &spent.last) {
            self.learn(known.verdict.model_key, estimate_at, (usage, spent.bytes_in));
        }
    }

    fn learn(
        &mut self,
        model: MeterKey,
        estimate_at: Option<u32>,
        (usage, bytes_in): (&Usage, u64),
    ) {
        let seen = Estimate {
            tokens_per_byte: usage.input_tokens.saturating_mul(UNIT) / bytes_in.max(1),
            output_tokens: usage.output_tokens,
        };
        let at = estimate_at.or_else(|| self.models.get(&model).copied());
        let known = at.and_then(|at| self.estimates.get_mut(at as usize));
        let Some(known) = known else { return self.meet(model, seen) };
        let blend =
            |old: u64, new: u64| (old.saturating_mul(REPORTS - 1).saturating_add(new)) / REPORTS;
        known.tokens_per_byte = blend(known.tokens_per_byte, seen.tokens_per_byte).max(1);
        known.output_tokens = blend(known.output_tokens, seen.output_tokens).max(1);
    }

    /// A model has answered for the first time.
    #[cold]
    fn meet(&mut self, model: MeterKey, seen: Estimate) {
        if let Some(at) = u32::try_from(self.estimates.len()).ok().filter(|at| *at < MODELS_MAX) {
            self.models.insert(model, at);
            self.estimates.push(Estimate {
                tokens_per_byte: seen.tokens_per_byte.max(1),
                output_tokens: seen.output_tokens.max(1),
            });
        }
    }
}

impl Charge {
    /// What was taken at `then` comes back.
    fn refund(&self, share: &mut Share, then: NodeMillis, now: NodeMillis) {
        match self.counts {
            Counts::Requests => share.unspend(self.meter, self.units, then),
            Counts::Tokens | Counts::Cost => share.settle(self.meter, self.units, 0, now),
        }
    }
}

/// The most tokens that one exchange can have spent: far more than any model writes, and few enough
/// that a window's word holds hundreds of them.
const TOKENS_MAX: u64 = 1 << 32;

/// The most nano-dollars that one exchange can have cost: far more than any does, and few enough
/// that a board's word holds many.
const COST_MAX: u64 = 1 << 55;

/// Until what is spent at `at` no longer counts.
fn reset_ms(window: Window, at: NodeMillis) -> u64 {
    window.frees_at(window.bucket(at)).map_or(0, |frees| frees.0.saturating_sub(at.0))
}
