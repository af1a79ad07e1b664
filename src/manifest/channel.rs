//! Whom budgets tell when they are nearly spent, and by which way.

use serde::Deserialize;
use serde_json::Number;

/// One way to tell people; ours, named by the `notification_channel` of a budget's alerts.
///
/// **Shape**: `{type: notification-channel, name: mail, kind: email, smtp: {host: HOST},
/// from: ADDRESS, to_emails: [ADDRESS]}`; the webhooks have `url`, `slack-bot` has `key` (a bot's
/// token) and `channels`, `pagerduty` has `key` (an integration's routing key).
#[derive(Clone, Debug, Deserialize)]
pub struct NotificationChannel {
    pub name: String,
    pub kind: ChannelKind,
    /// Of `email`.
    pub smtp: Option<SmtpServer>,
    /// Of `email`: an address, or `NAME <ADDRESS>`.
    pub from: Option<String>,
    /// Of `email`: for budgets that name nobody.
    pub to_emails: Option<Vec<String>>,
    /// Of webhooks; of `slack-bot` and `pagerduty` another place than the usual.
    pub url: Option<String>,
    /// Of `slack-bot` and `pagerduty`.
    pub key: Option<String>,
    /// Of `slack-bot`: for budgets that name none.
    pub channels: Option<Vec<String>>,
}

/// The words of the reference's `NotificationTarget.type` (A.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub enum ChannelKind {
    #[serde(rename = "email")]
    Email,
    #[serde(rename = "slack-webhook")]
    SlackWebhook,
    #[serde(rename = "slack-bot")]
    SlackBot,
    #[serde(rename = "pagerduty")]
    PagerDuty,
    #[serde(rename = "ms-teams-webhook")]
    TeamsWebhook,
}

/// What takes our mail.
#[derive(Clone, Debug, Deserialize)]
pub struct SmtpServer {
    pub host: String,
    /// That of `security` where none is said.
    pub port: Option<u16>,
    pub security: Option<SmtpSecurity>,
    pub username: Option<String>,
    pub password: Option<String>,
}

/// How a mail server is spoken to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SmtpSecurity {
    /// TLS after a greeting, and never without; port 587.
    #[default]
    StartTls,
    /// TLS from the first byte; port 465.
    Tls,
    /// In the clear; port 25. No password goes that way.
    None,
}

/// What a budget tells, and whom.
///
/// **Shape**: `BudgetAlert` and `BudgetV2Alert` of the reference (A.1).
#[derive(Clone, Debug, Deserialize)]
pub struct Alerts {
    /// Percent of the limit.
    pub thresholds: Option<Vec<Number>>,
    pub notification_target: Option<Vec<NotificationTarget>>,
}

/// A channel, and whom it tells.
#[derive(Clone, Debug, Deserialize)]
pub struct NotificationTarget {
    #[serde(rename = "type")]
    pub kind: ChannelKind,
    pub notification_channel: String,
    /// Of `email`.
    pub to_emails: Option<Vec<String>>,
    /// Of `slack-bot`.
    pub channels: Option<Vec<String>>,
}

impl ChannelKind {
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::SlackWebhook => "slack-webhook",
            Self::SlackBot => "slack-bot",
            Self::PagerDuty => "pagerduty",
            Self::TeamsWebhook => "ms-teams-webhook",
        }
    }
}
