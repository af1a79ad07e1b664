//! Alerts of budgets and the channels they name, compiled.

use crate::{
    lexicon::secret::Secret,
    manifest::{
        channel::{
            Alerts, ChannelKind, NotificationChannel, NotificationTarget, SmtpSecurity, SmtpServer,
        },
        path::Path,
        read::{Document, Manifest, describe},
    },
    policy::{
        alert::{Address, Alert, Channel, Smtp},
        price::scaled,
    },
    snapshot::{
        findings::Findings,
        vault::{Resolved, Vault},
    },
};
use serde_json::Number;
use std::collections::HashMap;

/// What the reference tells of where a budget names no thresholds.
const THRESHOLDS: [u64; 4] = [7_500, 9_000, 9_500, 10_000];
/// Percent to hundredths of it.
const PER_PERCENT: i32 = 2;
/// Ten times a limit: what is only counted may go beyond it.
const THRESHOLD_MAX: u64 = 100_000;
/// More steps than anyone reads.
const THRESHOLDS_MAX: usize = 20;
/// Whom one budget tells: each gets a message of his own.
const ADDRESSES_MAX: usize = 50;
/// **Source**: `docs.slack.dev/reference/methods/chat.postMessage`, read 2026-11-21.
const SLACK_URL: &str = "https://slack.com/api/chat.postMessage";
/// **Source**: `developer.pagerduty.com/docs/send-alert-event` (Events API v2), read 2026-11-21.
const PAGERDUTY_URL: &str = "https://events.pagerduty.com/v2/enqueue";

/// A channel, and whom it tells where a budget names nobody.
pub(super) struct Known {
    kind: ChannelKind,
    to: Vec<Box<str>>,
    pub(super) channel: Channel,
}

/// By name.
pub(super) type Channels = HashMap<Box<str>, Known>;

/// All channels that are written.
pub(super) fn channels(
    documents: &[Document],
    vault: &Vault<'_>,
    findings: &mut Findings,
) -> Channels {
    let mut channels = Channels::new();
    let mut first: HashMap<&str, &Document> = HashMap::new();
    for document in documents {
        let Manifest::NotificationChannel(written) = &document.manifest else { continue };
        if let Some(first) = first.insert(&written.name, document) {
            findings.twice(document, &Path::top().key("name"), &first.origin, "");
        }
        check_keys(document, written, findings);
        let mut draft = Draft { document, vault, findings };
        // What has a problem is known all the same: its budgets have none on that account.
        let channel = draft.channel(written).unwrap_or(Channel::Lost);
        let names = match written.kind {
            ChannelKind::Email => (Path::top().key("to_emails"), &written.to_emails),
            _ => (Path::top().key("channels"), &written.channels),
        };
        let to = addresses(document, &names.0, written.kind, names.1.as_deref(), findings);
        channels.insert(written.name.as_str().into(), Known { kind: written.kind, to, channel });
    }
    channels
}

/// What a budget tells; none where it tells nothing.
pub(super) fn alert(
    document: &Document,
    path: &Path,
    written: Option<&Alerts>,
    channels: &Channels,
    findings: &mut Findings,
) -> Option<Alert> {
    let written = written?;
    let at = path.key("thresholds");
    let thresholds = match &written.thresholds {
        Some(written) => thresholds(document, &at, written, findings),
        None => THRESHOLDS.into(),
    };
    let at = path.key("notification_target");
    let mut told: Vec<Address> = Vec::new();
    for (index, target) in written.notification_target.iter().flatten().enumerate() {
        let path = at.index(index);
        let named = path.key("notification_channel");
        let Some(known) = channels.get(target.notification_channel.as_str()) else {
            let found = describe(&document.tree, &named);
            let hint = "write it as type: notification-channel";
            findings.error(document, &named, found, "the name of a channel", hint);
            continue;
        };
        if known.kind != target.kind {
            let (found, wanted) = (target.kind.label(), known.kind.label());
            let hint = "the channel of that name is of another kind";
            findings.error(document, &path.key("type"), found, wanted, hint);
            continue;
        }
        refuse_others(document, &path, target.kind, &lists(target), findings);
        let (key, own) = match target.kind {
            ChannelKind::Email => ("to_emails", &target.to_emails),
            _ => ("channels", &target.channels),
        };
        let own = addresses(document, &path.key(key), target.kind, own.as_deref(), findings);
        let has_list = matches!(target.kind, ChannelKind::Email | ChannelKind::SlackBot);
        let to = match (own.is_empty(), has_list) {
            (_, false) => vec!["".into()],
            (true, true) => known.to.clone(),
            (false, true) => own,
        };
        if to.is_empty() {
            let hint = "neither the budget nor its channel says who is told";
            findings.error(document, &path.key(key), "nobody", "a list", hint);
        }
        for to in to {
            let address = Address { channel: target.notification_channel.as_str().into(), to };
            if !told.contains(&address) {
                told.push(address);
            }
        }
    }
    if written.notification_target.as_ref().is_none_or(Vec::is_empty) || told.len() > ADDRESSES_MAX
    {
        let wanted = format!("1 to {ADDRESSES_MAX} who are told");
        findings.error(document, &at, format!("{} of them", told.len()), wanted, "");
    }
    Some(Alert { thresholds, addresses: told.into() })
}

fn thresholds(
    document: &Document,
    path: &Path,
    written: &[Number],
    findings: &mut Findings,
) -> Box<[u64]> {
    let mut thresholds = Vec::new();
    for (index, number) in written.iter().enumerate() {
        let hundredths = scaled(&number.to_string(), PER_PERCENT);
        if let Some(threshold) = hundredths.filter(|it| (1..=THRESHOLD_MAX).contains(it)) {
            thresholds.push(threshold);
        } else {
            let path = path.index(index);
            let found = describe(&document.tree, &path);
            findings.error(document, &path, found, "percent: 0.01 to 1000", "");
        }
    }
    thresholds.sort_unstable();
    let count = thresholds.len();
    thresholds.dedup();
    if written.is_empty() || written.len() > THRESHOLDS_MAX || thresholds.len() < count {
        let wanted = format!("1 to {THRESHOLDS_MAX} thresholds, each once");
        findings.error(document, path, format!("{} of them", written.len()), wanted, "");
    }
    thresholds.into()
}

/// Keys, whether they are there, and the kinds that have them.
type Keys<'a> = [(&'a str, bool, &'a [ChannelKind])];

fn lists(target: &NotificationTarget) -> [(&'static str, bool, &'static [ChannelKind]); 2] {
    [
        ("to_emails", target.to_emails.is_some(), &[ChannelKind::Email]),
        ("channels", target.channels.is_some(), &[ChannelKind::SlackBot]),
    ]
}

/// A key that this kind has not would do nothing.
fn refuse_others(
    document: &Document,
    path: &Path,
    kind: ChannelKind,
    keys: &Keys<'_>,
    findings: &mut Findings,
) {
    for (key, is_there, kinds) in keys {
        if *is_there && !kinds.contains(&kind) {
            let found = format!("a key that {} has not", kind.label());
            findings.error(document, &path.key(key), found, "none", "");
        }
    }
}

fn check_keys(document: &Document, written: &NotificationChannel, findings: &mut Findings) {
    const EMAIL: &[ChannelKind] = &[ChannelKind::Email];
    const POSTED: &[ChannelKind] = &[
        ChannelKind::SlackWebhook,
        ChannelKind::SlackBot,
        ChannelKind::PagerDuty,
        ChannelKind::TeamsWebhook,
    ];
    const KEYED: &[ChannelKind] = &[ChannelKind::SlackBot, ChannelKind::PagerDuty];
    let keys: [(&str, bool, &[ChannelKind]); 6] = [
        ("smtp", written.smtp.is_some(), EMAIL),
        ("from", written.from.is_some(), EMAIL),
        ("to_emails", written.to_emails.is_some(), EMAIL),
        ("url", written.url.is_some(), POSTED),
        ("key", written.key.is_some(), KEYED),
        ("channels", written.channels.is_some(), &[ChannelKind::SlackBot]),
    ];
    refuse_others(document, &Path::top(), written.kind, &keys, findings);
    if written.name.is_empty() || written.name.contains(char::is_control) {
        let path = Path::top().key("name");
        findings.error(document, &path, describe(&document.tree, &path), "a name", "");
    }
}

fn addresses(
    document: &Document,
    path: &Path,
    kind: ChannelKind,
    written: Option<&[String]>,
    findings: &mut Findings,
) -> Vec<Box<str>> {
    let mut addresses = Vec::new();
    for (index, text) in written.unwrap_or_default().iter().enumerate() {
        let is_good = match kind {
            ChannelKind::Email => text.parse::<lettre::Address>().is_ok(),
            _ => !text.is_empty() && !text.contains(|c: char| c.is_control() || c == ' '),
        };
        if !is_good {
            let path = path.index(index);
            let wanted =
                if kind == ChannelKind::Email { "a mail address" } else { "a channel of Slack" };
            findings.error(document, &path, describe(&document.tree, &path), wanted, "");
        }
        addresses.push(text.as_str().into());
    }
    addresses
}

/// A channel that is being compiled.
struct Draft<'a, 'v> {
    document: &'a Document,
    vault: &'a Vault<'v>,
    findings: &'a mut Findings,
}

impl Draft<'_, '_> {
    /// None where there is a problem, or a secret is lost.
    fn channel(&mut self, written: &NotificationChannel) -> Option<Channel> {
        let key = |own: &mut Self| own.credential(&Path::top().key("key"), written.key.as_deref());
        match written.kind {
            ChannelKind::Email => {
                let (smtp, from) = (written.smtp.as_ref(), written.from.as_deref());
                self.email(smtp, from)
            }
            ChannelKind::SlackWebhook => {
                Some(Channel::SlackWebhook { url: self.url(written, None)? })
            }
            ChannelKind::TeamsWebhook => {
                Some(Channel::TeamsWebhook { url: self.url(written, None)? })
            }
            ChannelKind::SlackBot => {
                let (url, key) = (self.url(written, Some(SLACK_URL)), key(self));
                Some(Channel::SlackBot { url: url?, key: key? })
            }
            ChannelKind::PagerDuty => {
                let (url, key) = (self.url(written, Some(PAGERDUTY_URL)), key(self));
                Some(Channel::PagerDuty { url: url?, key: key? })
            }
        }
    }

    fn email(&mut self, smtp: Option<&SmtpServer>, from: Option<&str>) -> Option<Channel> {
        let (at, sender) = (Path::top().key("smtp"), Path::top().key("from"));
        if from.is_none_or(|from| from.parse::<lettre::message::Mailbox>().is_err()) {
            self.missing(&sender, "a mail address, or NAME <ADDRESS>");
        }
        let Some(server) = smtp else {
            self.missing(&at, "a mail server");
            return None;
        };
        if server.host.is_empty() || server.host.contains(|c: char| !c.is_ascii_graphic()) {
            self.missing(&at.key("host"), "the name of a mail server");
        }
        let security = server.security.unwrap_or_default();
        let port = server.port.unwrap_or(match security {
            SmtpSecurity::StartTls => 587,
            SmtpSecurity::Tls => 465,
            SmtpSecurity::None => 25,
        });
        let login = match (&server.username, &server.password) {
            (None, None) => None,
            (Some(name), Some(password)) if security != SmtpSecurity::None => {
                let name =
                    self.vault.open_text(self.findings, self.document, &at.key("username"), name);
                let password = self.credential(&at.key("password"), Some(password));
                Some((taken(name)?, password?))
            }
            (Some(_), Some(_)) => {
                let hint = "a password never goes in the clear: starttls or tls";
                let path = at.key("security");
                self.findings.error(self.document, &path, "none", "another", hint);
                return None;
            }
            _ => {
                self.findings.error(self.document, &at, "one", "username and password", "");
                return None;
            }
        };
        let (host, from) = (server.host.as_str().into(), from?.into());
        Some(Channel::Email(Box::new(Smtp { host, port, security, from, login })))
    }

    /// Where messages are posted. That of a webhook is a credential.
    fn url(&mut self, written: &NotificationChannel, usual: Option<&str>) -> Option<Secret> {
        let path = Path::top().key("url");
        let opened = match (written.url.as_deref(), usual) {
            (Some(text), Some(_)) => {
                taken(self.vault.open_text(self.findings, self.document, &path, text))?
            }
            (None, Some(usual)) => return Some(Secret::new(usual)),
            (text, None) => self.credential(&path, text)?,
        };
        let uri: Option<http::Uri> = opened.expose().parse().ok();
        let host = uri.as_ref().and_then(http::Uri::host).unwrap_or_default();
        let scheme = uri.as_ref().and_then(http::Uri::scheme_str).unwrap_or_default();
        let has_user = uri.as_ref().and_then(http::Uri::authority);
        let has_user = has_user.is_some_and(|authority| authority.as_str().contains('@'));
        if host.is_empty() || has_user || !["http", "https"].contains(&scheme) {
            self.findings.error(self.document, &path, "no URL", "https://HOST/PATH", "");
            return None;
        }
        let is_near = host == "localhost" || host == "[::1]" || host.starts_with("127.");
        if scheme == "http" && !is_near {
            let hint = "whoever is on the way reads it, and can tell you anything";
            self.findings.warn(self.document, &path, "http to another host", "https", hint);
        }
        Some(opened)
    }

    fn credential(&mut self, path: &Path, written: Option<&str>) -> Option<Secret> {
        let Some(written) = written else {
            self.missing(path, "tfy-secret://TENANT:GROUP:KEY");
            return None;
        };
        taken(self.vault.open(self.findings, self.document, path, written))
    }

    fn missing(&mut self, path: &Path, wanted: &str) {
        let found = describe(&self.document.tree, path);
        self.findings.error(self.document, path, found, wanted, "");
    }
}

fn taken(resolved: Resolved) -> Option<Secret> {
    match resolved {
        Resolved::Secret(secret) => Some(secret),
        Resolved::Lost | Resolved::Bad => None,
    }
}
