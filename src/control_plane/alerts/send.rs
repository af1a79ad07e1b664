//! Sends one message by one channel.

use crate::{
    control_plane::{
        alerts::notice::Notice,
        tokens::fetch::{Client, FetchFault, code},
    },
    lexicon::secret::Secret,
    manifest::channel::SmtpSecurity,
    policy::alert::{Channel, Smtp},
};
use http::{Request, StatusCode, header};
use lettre::{
    AsyncSmtpTransport, AsyncTransport as _, Message, Tokio1Executor,
    message::{Mailbox, header::ContentType},
    transport::smtp::{
        authentication::Credentials,
        client::{Tls, TlsParameters},
    },
};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::timeout;

/// How long one message may take: mail servers make strangers wait.
const SEND_TIMEOUT: Duration = Duration::from_secs(20);

/// Why a message did not go. Words quote nothing that was sent.
#[derive(Debug)]
pub(super) enum SendFault {
    /// The budget's channel is no longer written.
    NoChannel,
    /// Its secret cannot be read.
    NoSecret,
    Timeout,
    Fetch(FetchFault),
    /// What is no address, or no text for a mail.
    BadMail,
    Mail(lettre::transport::smtp::Error),
}

impl std::fmt::Display for SendFault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NoChannel => f.write_str("there is no such channel"),
            Self::NoSecret => f.write_str("its secret cannot be read"),
            Self::Timeout => f.write_str("no answer in time"),
            Self::Fetch(fault) => fault.fmt(f),
            Self::BadMail => f.write_str("no mail can be made of it"),
            Self::Mail(error) => match error.status() {
                Some(status) => write!(f, "the mail server said {status}"),
                None if error.is_tls() || is_of_tls(error) => {
                    f.write_str("no TLS with the mail server")
                }
                None if error.is_timeout() => f.write_str("no answer of the mail server in time"),
                None if error.is_client() => f.write_str("the mail server cannot do what is asked"),
                None => f.write_str("the mail server cannot be reached"),
            },
        }
    }
}

/// A handshake that fails is told as a connection that does, for a reason of its own.
fn is_of_tls(error: &dyn std::error::Error) -> bool {
    let mut cause = error.source();
    while let Some(error) = cause {
        let within = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        if let Some(within) = within
            && within.is::<rustls::Error>()
        {
            return true;
        }
        if error.is::<rustls::Error>() {
            return true;
        }
        cause = error.source();
    }
    false
}

/// Sends; once.
pub(super) async fn send(
    client: &Client,
    channel: &Channel,
    notice: &Notice,
) -> Result<(), SendFault> {
    let sent = async {
        match channel {
            Channel::Email(smtp) => mail(smtp, notice).await,
            Channel::SlackWebhook { url } => post(client, url, None, &slack(notice)).await,
            Channel::SlackBot { url, key } => {
                let mut body = slack(notice);
                body["channel"] = (*notice.address.to).into();
                post(client, url, Some(key), &body).await
            }
            Channel::PagerDuty { url, key } => {
                post(client, url, None, &pagerduty(notice, key)).await
            }
            Channel::TeamsWebhook { url } => post(client, url, None, &teams(notice)).await,
            Channel::Lost => Err(SendFault::NoSecret),
        }
    };
    timeout(SEND_TIMEOUT, sent).await.unwrap_or(Err(SendFault::Timeout))
}

async fn post(
    client: &Client,
    url: &Secret,
    key: Option<&Secret>,
    body: &Value,
) -> Result<(), SendFault> {
    let mut request = Request::post(url.expose());
    request = request.header(header::CONTENT_TYPE, "application/json; charset=utf-8");
    if let Some(key) = key {
        request = request.header(header::AUTHORIZATION, format!("Bearer {}", key.expose()));
    }
    let unreachable = SendFault::Fetch(FetchFault::Unreachable);
    let request = request.body(body.to_string()).map_err(|_| unreachable)?;
    let (status, text) = client.ask(request).await.map_err(SendFault::Fetch)?;
    // Slack's API says 200 and `"ok": false` where it refuses.
    let answer: Option<Value> = serde_json::from_str(&text).ok();
    let is_refused = answer.is_some_and(|answer| answer["ok"] == false);
    if status.is_success() && !is_refused {
        return Ok(());
    }
    let status = if status.is_success() { StatusCode::OK } else { status };
    Err(SendFault::Fetch(FetchFault::Status(status.as_u16(), code(&text))))
}

/// Text of Slack, in which names mention nobody and link nowhere.
///
/// **Source**: `docs.slack.dev/messaging/formatting-message-text` (escaping), read 2026-11-21.
fn slack(notice: &Notice) -> Value {
    let escaped =
        |text: String| text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let (title, text) = (escaped(notice.facts.title()), escaped(notice.facts.text()));
    json!({"text": format!("{title}\n{text}"), "unfurl_links": false})
}

/// An event; its key makes one incident of what is sent twice.
///
/// **Source**: `developer.pagerduty.com/docs/send-alert-event` (Events API v2), read 2026-11-21.
fn pagerduty(notice: &Notice, key: &Secret) -> Value {
    /// The longest summary that is taken.
    const SUMMARY_CHARS_MAX: usize = 1_024;
    let summary: String = notice.facts.title().chars().take(SUMMARY_CHARS_MAX).collect();
    let severity = if notice.facts.is_spent { "critical" } else { "warning" };
    json!({"routing_key": key.expose(), "event_action": "trigger",
        "dedup_key": format!("weir.{}", notice.id),
        "payload": {"summary": summary, "source": "weir", "severity": severity,
            "custom_details": {"text": notice.facts.text(), "facts": notice.facts}}})
}

/// An adaptive card, whose rich text knows no markup: names link nowhere.
///
/// **Source**: `adaptivecards.io/explorer/RichTextBlock.html`, and of Teams' own documentation
/// `platform/webhooks-and-connectors/how-to/connectors-using`.
fn teams(notice: &Notice) -> Value {
    let block = |text: String, weight: &str| {
        json!({"type": "RichTextBlock",
            "inlines": [{"type": "TextRun", "text": text, "weight": weight}]})
    };
    let body = [block(notice.facts.title(), "bolder"), block(notice.facts.text(), "default")];
    let card = json!({"$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard", "version": "1.2", "body": body});
    json!({"type": "message", "attachments": [{"contentUrl": null, "content": card,
        "contentType": "application/vnd.microsoft.card.adaptive"}]})
}

async fn mail(smtp: &Smtp, notice: &Notice) -> Result<(), SendFault> {
    let from: Mailbox = smtp.from.parse().map_err(|_| SendFault::BadMail)?;
    let to: Mailbox = notice.address.to.parse().map_err(|_| SendFault::BadMail)?;
    // The same whenever it is sent: servers may drop the second.
    let id = format!("<{}.{}@{}>", notice.id, notice.since_ms, from.email.domain());
    let text = format!("{}\n{}\n", notice.facts.title(), notice.facts.text());
    let message = Message::builder()
        .from(from)
        .to(to)
        .message_id(Some(id))
        .subject(notice.facts.title())
        .header(ContentType::TEXT_PLAIN)
        .body(text)
        .map_err(|_| SendFault::BadMail)?;
    let parameters = || TlsParameters::new(smtp.host.to_string()).map_err(SendFault::Mail);
    let tls = match smtp.security {
        SmtpSecurity::StartTls => Tls::Required(parameters()?),
        SmtpSecurity::Tls => Tls::Wrapper(parameters()?),
        SmtpSecurity::None => Tls::None,
    };
    let mut server = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&*smtp.host)
        .port(smtp.port)
        .tls(tls)
        .timeout(Some(SEND_TIMEOUT));
    if let Some((name, password)) = &smtp.login {
        let (name, password) = (name.expose().to_owned(), password.expose().to_owned());
        server = server.credentials(Credentials::new(name, password));
    }
    server.build().send(message).await.map(drop).map_err(SendFault::Mail)
}
