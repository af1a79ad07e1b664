//! The order in which a rule's targets are asked.
//!
//! 1. Those that the request may not use, or whose `metadata_match` it does not meet, are left out.
//! 2. The strategy orders the rest:
//!    - *weight*: the first is drawn by weight, the second by weight among the others, and so on.
//!      Of a sticky session each target draws `-ln(u) / weight`, the smallest is first, which comes
//!      to the same (Efraimidis and Spirakis, 2006); its `u` is a hash of rule, session, target and
//!      epoch: a rendezvous, the same on every core and node without anybody remembering. An epoch
//!      is one `ttl_seconds`, and begins for each session at a moment of its own.
//!    - *latency*: targets whose mean time per output token of 20 minutes is within 1.2 times the
//!      best share the requests, faster ones more, by the same rendezvous of the caller in epochs
//!      of ten minutes: so a caller stays (prompt caches stay warm) and nothing flaps. One request
//!      in eight goes to a target with fewer than three readings, while there is one. The slower
//!      ones follow by their means. (Of the reference's two published algorithms the first gives
//!      the band and the three readings, the second the weights and epochs: weights alone would
//!      send a lone caller to a slow target for ten minutes.)
//!    - *priority*: the smallest number first, as written among equals.
//!    - *complexity*: the request's tier, then the nearest, the harder one first.
//! 3. Those that fail move to the end and are never left out: two failures in two minutes, or,
//!    where `sla_cutoff` says so, a mean beyond it of at least three readings in three minutes.
//! 4. Behind the first stand only those that take fallbacks.

use crate::{
    lexicon::health::{Health, Readings},
    policy::route::{
        self, Asked, CANDIDATES_MAX, Candidate, Cutoff, Rule, Strategy, complexity::Tier, mix,
    },
};

/// Fewer readings than these say nothing.
/// **Source**: the reference, §8.3, for latency and for `sla_cutoff`.
pub const READINGS_MIN: u64 = 3;
/// How much slower than the fastest still counts as fast, in tenths.
const BAND_TENTHS: u64 = 12;
/// How long a caller stays at its target in routing by latency.
const LATENCY_EPOCH_MS: u64 = 10 * 60 * 1_000;
/// One request in so many goes to a target that is not known yet.
const EXPLORED_ONE_IN: u64 = 8;

/// A rule's targets in order.
#[derive(Clone, Copy, Debug)]
pub struct Plan<'s> {
    pub rule: &'s Rule,
    pub reason: Reason,
    /// All of them fail.
    pub is_failing: bool,
    order: [u8; CANDIDATES_MAX],
    len: u8,
}

/// Why the first target is the first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    Weight,
    Sticky,
    Latency,
    Exploration,
    Priority,
    Complexity(Tier),
}

/// What the order depends on besides rule and request.
#[derive(Clone, Copy, Debug)]
pub struct Moment<'h> {
    /// By `Candidate::place`; what is not there is well.
    pub health: &'h [Health],
    /// The clock of the node, that `health` speaks of.
    pub node_ms: u64,
    /// The time of day, for epochs.
    pub wall_ms: u64,
    pub random: u64,
}

impl Reason {
    /// That of a rule's choice of a target of this tier, mostly.
    #[must_use]
    pub const fn usual(strategy: &Strategy, tier: Tier) -> Self {
        match strategy {
            Strategy::Weight { sticky: None } => Self::Weight,
            Strategy::Weight { sticky: Some(_) } => Self::Sticky,
            Strategy::Latency => Self::Latency,
            Strategy::Priority => Self::Priority,
            Strategy::Complexity { .. } => Self::Complexity(tier),
        }
    }

    /// The name that clients are told.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Weight => "weight",
            Self::Sticky => "sticky",
            Self::Latency => "latency",
            Self::Exploration => "exploration",
            Self::Priority => "priority",
            Self::Complexity(Tier::Simple) => "complexity-simple",
            Self::Complexity(Tier::Medium) => "complexity-medium",
            Self::Complexity(Tier::Complex) => "complexity-complex",
        }
    }
}

impl<'s> Plan<'s> {
    #[must_use]
    pub fn len(&self) -> usize {
        usize::from(self.len)
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Whoever takes no fallbacks is asked first or never.
    fn follow(&mut self, index: u8, candidate: &Candidate) {
        if self.len == 0 || candidate.takes_fallback {
            self.order[self.len()] = index;
            self.len += 1;
        }
    }

    /// The targets in the order in which they are asked.
    pub fn candidates(&self) -> impl Iterator<Item = &'s Candidate> {
        let order = &self.order[..self.len()];
        order.iter().filter_map(|index| self.rule.candidates.get(usize::from(*index)))
    }

    /// The target that is asked at this place.
    #[must_use]
    pub fn candidate(&self, at: usize) -> Option<&'s Candidate> {
        let index = self.order[..self.len()].get(at)?;
        self.rule.candidates.get(usize::from(*index))
    }
}

impl Moment<'_> {
    fn health(&self, candidate: &Candidate) -> &Health {
        self.health.get(usize::from(candidate.place)).unwrap_or(&Health::WELL)
    }

    /// Does it move to the end?
    #[must_use]
    pub fn is_failing(&self, rule: &Rule, candidate: &Candidate) -> bool {
        let health = self.health(candidate);
        let is_slow =
            matches!(rule.strategy, Strategy::Priority) && candidate.cutoff.is_missed(health);
        health.is_failing(self.node_ms) || is_slow
    }
}

impl Cutoff {
    fn is_missed(self, health: &Health) -> bool {
        let beyond = |bound: Option<u64>, seen: Readings| {
            bound.zip(known(seen)).is_some_and(|(bound, mean)| mean > bound)
        };
        beyond(self.token_us, health.token_recent) || beyond(self.first_us, health.first_recent)
    }
}

/// The mean of readings that are enough to say something.
fn known(readings: Readings) -> Option<u64> {
    readings.mean_us().filter(|_| readings.count >= READINGS_MIN)
}

/// The plan of a rule for a request.
///
/// **Cost**: no allocation; a few dozen nanoseconds a target.
#[must_use]
pub fn plan<'s>(
    rule: &'s Rule,
    asked: &Asked<'_>,
    moment: &Moment<'_>,
    may_use: impl Fn(&Candidate) -> bool,
) -> Plan<'s> {
    let is_eligible = |candidate: &Candidate| {
        candidate.metadata.iter().all(|tag| tag.holds(asked.metadata)) && may_use(candidate)
    };
    let candidates = rule.candidates.iter().zip(0..CANDIDATES_MAX);
    let eligible = candidates
        .fold(0, |eligible, (candidate, at)| eligible | u32::from(is_eligible(candidate)) << at);
    plan_among(rule, asked, moment, eligible)
}

/// The same, of those whose bit is set.
#[must_use]
pub fn plan_among<'s>(
    rule: &'s Rule,
    asked: &Asked<'_>,
    moment: &Moment<'_>,
    eligible: u32,
) -> Plan<'s> {
    let mut chosen = [0; CANDIDATES_MAX];
    let mut len = 0;
    for (place, index) in chosen.iter_mut().zip(route::places(eligible)) {
        *place = index;
        len += 1;
    }
    let chosen = &mut chosen[..len];
    let session = match &rule.strategy {
        Strategy::Weight { sticky } => sticky.as_ref().zip(asked.session),
        _ => None,
    };
    let reason = match &rule.strategy {
        Strategy::Weight { .. } if session.is_none() => {
            draw_in_turn(rule, moment.random, chosen);
            Reason::Weight
        }
        _ => rank(rule, asked, moment, chosen),
    };

    let mut plan = Plan { rule, reason, is_failing: false, order: [0; CANDIDATES_MAX], len: 0 };
    let mut failing: u32 = 0;
    for (at, index) in chosen.iter().enumerate() {
        let candidate = &rule.candidates[usize::from(*index)];
        if moment.is_failing(rule, candidate) {
            failing |= 1 << at;
        } else {
            plan.follow(*index, candidate);
        }
    }
    plan.is_failing = plan.is_empty();
    for at in route::places(failing) {
        let index = chosen[usize::from(at)];
        plan.follow(index, &rule.candidates[usize::from(index)]);
    }
    plan
}

/// Order them by their scores; the smallest is asked first.
fn rank(rule: &Rule, asked: &Asked<'_>, moment: &Moment<'_>, chosen: &mut [u8]) -> Reason {
    let mut scored = [(0.0_f64, 0_u8); CANDIDATES_MAX];
    let scored = &mut scored[..chosen.len()];
    for ((_, place), index) in scored.iter_mut().zip(&*chosen) {
        *place = *index;
    }
    let reason = score(rule, asked, moment, scored);
    scored.sort_unstable_by(|one, other| one.0.total_cmp(&other.0).then(one.1.cmp(&other.1)));
    for (place, (_, index)) in chosen.iter_mut().zip(&*scored) {
        *place = *index;
    }
    reason
}

/// Give each its score.
fn score(rule: &Rule, asked: &Asked<'_>, moment: &Moment<'_>, chosen: &mut [(f64, u8)]) -> Reason {
    let candidate = |index: u8| &rule.candidates[usize::from(index)];
    match &rule.strategy {
        Strategy::Weight { sticky } => {
            let session = asked.session.unwrap_or_default();
            let ttl_ms = sticky.as_ref().map_or(0, |sticky| sticky.ttl_ms);
            let seed = seed(rule, session, ttl_ms, moment.wall_ms);
            for (score, index) in chosen {
                let candidate = candidate(*index);
                *score = draw(seed, candidate) / f64::from(candidate.weight);
            }
            Reason::Sticky
        }
        Strategy::Latency => score_latency(rule, asked, moment, chosen),
        Strategy::Priority => {
            for (score, index) in chosen {
                *score = f64::from(candidate(*index).priority);
            }
            Reason::Priority
        }
        Strategy::Complexity { .. } => {
            for (score, index) in chosen {
                *score = f64::from(asked.tier.distance(candidate(*index).tier));
            }
            Reason::Complexity(asked.tier)
        }
    }
}

/// Put the next by weight among those that are left into each place. Those of no weight come last,
/// in their order.
fn draw_in_turn(rule: &Rule, random: u64, chosen: &mut [u8]) {
    let weight = |index: u8| u64::from(rule.candidates[usize::from(index)].weight);
    let mut left: u64 = chosen.iter().map(|index| weight(*index)).sum();
    // Of one that is left nothing is to be drawn.
    for place in 0..chosen.len().saturating_sub(1) {
        // A point on the line of what is left, of which each has as much as it weighs.
        let point = u128::from(mix(random, place as u64)) * u128::from(left);
        let mut point = (point >> 64) as u64;
        let hit = |index: &u8| {
            let weight = weight(*index);
            let is_hit = point < weight;
            point = point.saturating_sub(weight);
            is_hit
        };
        let drawn = place + chosen[place..].iter().position(hit).unwrap_or(0);
        if drawn > place {
            chosen[place..=drawn].rotate_right(1);
        }
        left -= weight(chosen[place]);
    }
}

/// The seed of a session in its epoch.
fn seed(rule: &Rule, session: u64, epoch_ms: u64, wall_ms: u64) -> u64 {
    let epoch_ms = epoch_ms.max(1);
    let own = mix(rule.key, session);
    mix(own, (wall_ms + own % epoch_ms) / epoch_ms)
}

/// `-ln(u)` of this target's `u`, which lies in (0, 1].
#[expect(clippy::cast_precision_loss, reason = "53 bits are what a float holds")]
fn draw(seed: u64, candidate: &Candidate) -> f64 {
    let bits = (mix(seed, candidate.key) >> 11) + 1;
    -(bits as f64 / (1_u64 << 53) as f64).ln()
}

/// Scores of fast targets lie between 0 and 1e12; what is explored stands before them, what is not
/// known behind them, what is slow at the end. Each leaves room for the digits that tell its own
/// apart.
const EXPLORED: f64 = -1e6;
const UNKNOWN: f64 = 1e30;
const SLOW: f64 = 1e40;

#[expect(clippy::cast_precision_loss, reason = "means are compared, not kept")]
#[expect(clippy::cast_possible_truncation, reason = "a caller's key is a uniform hash")]
fn score_latency(
    rule: &Rule,
    asked: &Asked<'_>,
    moment: &Moment<'_>,
    chosen: &mut [(f64, u8)],
) -> Reason {
    let candidate = |index: u8| &rule.candidates[usize::from(index)];
    let mean = |index: u8| known(moment.health(candidate(index)).token_long);
    let is_sound = |index: u8| !moment.is_failing(rule, candidate(index));
    let fastest = chosen.iter().filter(|(_, it)| is_sound(*it)).filter_map(|(_, it)| mean(*it));
    let fastest = fastest.min();
    let has_unknown = chosen.iter().any(|(_, it)| is_sound(*it) && mean(*it).is_none());
    let explores =
        has_unknown && fastest.is_some() && moment.random.is_multiple_of(EXPLORED_ONE_IN);
    let seed = seed(rule, asked.caller.0 as u64, LATENCY_EPOCH_MS, moment.wall_ms);
    for (score, index) in chosen {
        let candidate = candidate(*index);
        *score = match (mean(*index), fastest) {
            (Some(mean), Some(fastest)) if mean.saturating_mul(10) <= fastest * BAND_TENTHS => {
                draw(seed, candidate) * (mean.max(1) as f64)
            }
            (Some(mean), _) => SLOW + SLOW * 1e-6 * (mean as f64),
            (None, None) => draw(seed, candidate),
            // Which of the unknown is explored is chance: no caller is bound to one.
            (None, Some(_)) if explores => EXPLORED + draw(moment.random, candidate),
            (None, Some(_)) => UNKNOWN * (1.0 + draw(moment.random, candidate) * 1e-3),
        };
    }
    if explores { Reason::Exploration } else { Reason::Latency }
}
