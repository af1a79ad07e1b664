//! A rate limit: so many requests or tokens in a window, for each of what it is told apart by.

use crate::{
    lexicon::{
        ids::TeamId,
        meter::{MeterKey, Window},
    },
    policy::condition::Index,
};
use std::fmt::Write as _;

/// The most things that one rate limit is told apart by.
/// **Source**: `rate_limit_applies_per` of the reference (§9).
pub const ENTITIES_MAX: usize = 2;

/// All rate limits, in their order; the first that matches a request holds for it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    pub index: Index,
    pub limits: Vec<Limit>,
}

/// One rate limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limit {
    pub id: Box<str>,
    /// What clients are told of it: `{"rateLimit":{"ruleId":"…"}}`, in ASCII.
    pub applied: Box<str>,
    pub key: MeterKey,
    pub counts: Counts,
    pub window: Window,
    pub limit_to: u64,
    /// Not one unit is spent beyond it.
    pub is_strict: bool,
    pub applies_per: Box<[Entity]>,
}

/// Headers that tell a client how it stands with a limit, as OpenAI's clients know them.
///
/// **Source**: platform.openai.com/docs/guides/rate-limits, "Rate limits in headers", read
/// 2026-11-21: `x-ratelimit-limit-requests: 60`, `…-remaining-requests: 59`,
/// `…-reset-requests: 1m0s`, and the same for tokens.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lines {
    /// Up to what is left.
    pub to_left: String,
    /// From there up to the time until all is free again.
    pub to_reset: String,
}

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counts {
    Requests,
    Tokens,
    /// Nano-dollars.
    Cost,
}

/// What a rule is told apart by: each has a meter of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entity {
    User,
    VirtualAccount,
    Model,
    Metadata(Box<str>),
    /// Of budgets alone: each team of the caller, of which there may be several.
    Team,
}

/// What a request is told apart by.
#[derive(Clone, Copy, Debug)]
pub struct Entities<'a> {
    pub caller: MeterKey,
    /// False for virtual accounts.
    pub is_user: bool,
    /// The model as the request names it.
    pub model: MeterKey,
    pub metadata: &'a [(&'a str, &'a str)],
    /// By `TeamId`: all teams there are.
    pub teams: &'a [Team],
    /// The caller's.
    pub caller_teams: &'a [TeamId],
}

/// A team, by what it is called and by what meters know it by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Team {
    pub name: Box<str>,
    pub key: MeterKey,
}

impl Team {
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self { name: name.into(), key: MeterKey::of(&["team", name]) }
    }
}

impl Counts {
    /// What clients call them.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Requests => "requests",
            Self::Tokens => "tokens",
            Self::Cost => "nanodollars",
        }
    }
}

impl Limit {
    /// `requests_per_minute`: its unit in manifests.
    #[must_use]
    pub fn unit(&self) -> String {
        format!("{}_per_{}", self.counts.label(), self.window.label())
    }
}

impl Lines {
    pub fn clear(&mut self) {
        self.to_left.clear();
        self.to_reset.clear();
    }

    /// Make them those of this limit.
    pub fn set(&mut self, limit: &Limit) {
        let counts = limit.counts.label();
        self.clear();
        let _ = write!(
            self.to_left,
            "x-ratelimit-limit-{counts}: {}\r\nx-ratelimit-remaining-{counts}: ",
            limit.limit_to
        );
        let _ = write!(self.to_reset, "\r\nx-ratelimit-reset-{counts}: ");
    }
}

impl<'a> Entities<'a> {
    /// The key of a rule's meter for this request; none where the request lacks what the rule is
    /// told apart by: then the rule does not match.
    #[must_use]
    pub fn meter(&self, rule: MeterKey, applies_per: &[Entity]) -> Option<MeterKey> {
        applies_per.iter().try_fold(rule, |key, entity| Some(key.with(self.key(entity)?)))
    }

    /// The keys of all that a budget is told apart by for this request: one for each team where
    /// that is it, else one or none. They are not yet joined with the budget's own.
    pub fn each(&self, applies_per: &'a [Entity]) -> impl Iterator<Item = Option<MeterKey>> + 'a {
        let entities = *self;
        let by_team = matches!(applies_per, [Entity::Team]);
        let teams = if by_team { self.caller_teams } else { &[] };
        let of_teams = teams.iter().filter_map(move |team| entities.teams.get(team.0 as usize));
        let others = (!by_team).then(|| match applies_per {
            [] => Some(None),
            [one] => self.key(one).map(Some),
            several => self.meter(MeterKey::default(), several).map(Some),
        });
        of_teams.map(|team| Some(team.key)).chain(others.flatten())
    }

    fn key(&self, entity: &Entity) -> Option<MeterKey> {
        match entity {
            Entity::Team => None,
            Entity::User => self.is_user.then_some(self.caller),
            Entity::VirtualAccount => (!self.is_user).then_some(self.caller),
            Entity::Model => Some(self.model),
            Entity::Metadata(key) => {
                let found = self.metadata.iter().find(|(name, _)| *name == &**key);
                found.map(|(_, value)| MeterKey::of(&["metadata", key, value]))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Entities, Entity, Team};
    use crate::lexicon::{ids::TeamId, meter::MeterKey};

    #[test]
    fn a_rule_told_apart_by_what_a_request_lacks_does_not_match() {
        let metadata = [("project", "a")];
        let (caller, model) = (MeterKey::of(&["ada"]), MeterKey::of(&["a/x"]));
        let teams = [Team::new("core"), Team::new("ads")];
        let caller_teams = [TeamId(0), TeamId(1)];
        let ada = Entities {
            caller,
            is_user: true,
            model,
            metadata: &metadata,
            teams: &teams,
            caller_teams: &caller_teams,
        };
        let robot = Entities { is_user: false, ..ada };
        let rule = MeterKey::of(&["rule"]);
        let project = Entity::Metadata("project".into());
        let other = Entity::Metadata("other".into());

        assert!(ada.meter(rule, &[Entity::User]).is_some());
        assert!(robot.meter(rule, &[Entity::User]).is_none());
        assert!(robot.meter(rule, &[Entity::VirtualAccount, project.clone()]).is_some());
        assert!(ada.meter(rule, &[other]).is_none());
        assert_eq!(ada.meter(rule, &[]), Some(rule));
        let one = ada.meter(rule, &[Entity::Model, project.clone()]);
        let metadata = [("project", "b")];
        let two = Entities { metadata: &metadata, ..ada }.meter(rule, &[Entity::Model, project]);
        assert_ne!(one, two);
        let each = |entities: &Entities<'_>, per: &'static [Entity]| {
            entities.each(per).collect::<Vec<_>>()
        };
        assert_eq!(each(&ada, &[Entity::Team]), [Some(teams[0].key), Some(teams[1].key)]);
        assert_eq!(each(&Entities { caller_teams: &[], ..ada }, &[Entity::Team]), []);
        assert_eq!(each(&ada, &[]), [None]);
        assert_eq!(each(&robot, &[Entity::User]), []);
    }
}
