//! Whom a budget tells, and when; and the ways by which it does.

use crate::{lexicon::secret::Secret, manifest::channel::SmtpSecurity};

/// What a budget tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alert {
    /// Hundredths of a percent of a limit, from the least to the greatest.
    pub thresholds: Box<[u64]>,
    pub addresses: Box<[Address]>,
}

/// Who is told: each of them once for each threshold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// The name of a channel.
    pub channel: Box<str>,
    /// A mail address or a channel of Slack; empty where the channel itself says who.
    pub to: Box<str>,
}

/// A way to tell people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Channel {
    Email(Box<Smtp>),
    SlackWebhook {
        url: Secret,
    },
    SlackBot {
        url: Secret,
        key: Secret,
    },
    PagerDuty {
        url: Secret,
        key: Secret,
    },
    TeamsWebhook {
        url: Secret,
    },
    /// Its secret was there once: what it should tell waits until the secret is back.
    Lost,
}

/// A mail server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Smtp {
    pub host: Box<str>,
    pub port: u16,
    pub security: SmtpSecurity,
    /// Whom mail is from.
    pub from: Box<str>,
    /// Name and password.
    pub login: Option<(Secret, Secret)>,
}

impl Channel {
    /// The kind, as its document says it.
    #[must_use]
    pub const fn label(&self) -> &'static str {
        match self {
            Self::Email(_) => "email",
            Self::SlackWebhook { .. } => "slack-webhook",
            Self::SlackBot { .. } => "slack-bot",
            Self::PagerDuty { .. } => "pagerduty",
            Self::TeamsWebhook { .. } => "ms-teams-webhook",
            Self::Lost => "secret-lost",
        }
    }
}

impl Alert {
    /// The thresholds that are reached where so much of the limit is spent.
    ///
    /// A limit of nothing is reached by the first unit.
    pub fn reached(&self, used: u64, limit: u64) -> impl Iterator<Item = u64> {
        let spent = u128::from(used) * 10_000;
        let limit = u128::from(limit);
        let is_reached = move |threshold: &u64| used > 0 && spent >= u128::from(*threshold) * limit;
        self.thresholds.iter().copied().filter(is_reached)
    }
}

#[cfg(test)]
mod tests {
    use super::Alert;

    #[test]
    fn a_threshold_is_reached_by_the_unit_that_reaches_it() {
        let alert = Alert { thresholds: [7_550, 10_000].into(), addresses: [].into() };
        let reached = |used, limit| alert.reached(used, limit).collect::<Vec<_>>();

        assert_eq!(reached(754, 1_000), [0; 0]);
        assert_eq!(reached(755, 1_000), [7_550]);
        assert_eq!(reached(1_000, 1_000), [7_550, 10_000]);
        assert_eq!(reached(u64::MAX, u64::MAX), [7_550, 10_000]);
        assert_eq!(reached(0, 0), [0; 0]);
        assert_eq!(reached(1, 0), [7_550, 10_000]);
    }
}
