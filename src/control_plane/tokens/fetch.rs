//! Fetches one token: step after step, each bounded in time and size.

use crate::{
    control_plane::load::now,
    lexicon::secret::Secret,
    provider::auth::{AuthFault, Call, Minted, Step, TokenSource},
};
use http::{Request, StatusCode, header::HOST};
use http_body_util::{BodyExt as _, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client as HttpClient, connect::HttpConnector},
    rt::TokioExecutor,
};
use std::{path::Path, time::Duration};
use tokio::{task::spawn_blocking, time::timeout};

/// How long one step may take. AWS's metadata answers in milliseconds or not at all.
const STEP_TIMEOUT: Duration = Duration::from_secs(10);
/// The longest answer, or file: tokens are a few KiB.
const TEXT_BYTES_MAX: usize = 256 << 10;
/// More steps than any source has: the instance's role before an assumed one has four.
const STEPS_MAX: usize = 8;

/// What asks hosts; one connection pool for all.
#[derive(Clone)]
pub(in crate::control_plane) struct Client(HttpClient<HttpsConnector<HttpConnector>, String>);

/// Why there is no token. Words quote nothing of what was sent, and of an answer only its status
/// and its error code.
#[derive(Debug)]
pub(in crate::control_plane) enum FetchFault {
    /// The host cannot be reached, or breaks off.
    Unreachable,
    Timeout,
    /// Another status than 200 to 299, and the code in the body where there is one.
    Status(u16, Option<String>),
    /// A file that is not there, or no text.
    File(String),
    TooLong,
    Auth(AuthFault),
}

impl std::fmt::Display for FetchFault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unreachable => f.write_str("the endpoint cannot be reached"),
            Self::Timeout => f.write_str("no answer in time"),
            Self::Status(status, None) => write!(f, "status {status}"),
            Self::Status(status, Some(code)) => write!(f, "status {status}, {code}"),
            Self::File(name) => write!(f, "{name} cannot be read"),
            Self::TooLong => f.write_str("more than 256 KiB"),
            Self::Auth(fault) => fault.fmt(f),
        }
    }
}

impl Client {
    pub(in crate::control_plane) fn new() -> Self {
        let builder = HttpsConnectorBuilder::new();
        // Without the system's certificates there is TLS to nobody, and each fetch says so.
        let connector = match builder.with_native_roots() {
            Ok(builder) => builder.https_or_http().enable_http1().build(),
            Err(error) => {
                tracing::error!(%error, "no trusted certificates: nobody can be reached by TLS");
                let config = rustls::ClientConfig::builder()
                    .with_root_certificates(rustls::RootCertStore::empty())
                    .with_no_client_auth();
                let builder = HttpsConnectorBuilder::new().with_tls_config(config);
                builder.https_or_http().enable_http1().build()
            }
        };
        Self(HttpClient::builder(TokioExecutor::new()).build(connector))
    }

    /// Asks once; however long that takes.
    pub(in crate::control_plane) async fn ask(
        &self,
        request: Request<String>,
    ) -> Result<(StatusCode, String), FetchFault> {
        let answer = self.0.request(request).await.map_err(|_| FetchFault::Unreachable)?;
        let status = answer.status();
        let body = Limited::new(answer.into_body(), TEXT_BYTES_MAX).collect().await;
        let body = body.map_err(|_| FetchFault::TooLong)?.to_bytes();
        Ok((status, String::from_utf8_lossy(&body).into_owned()))
    }
}

/// Fetches a token.
pub(super) async fn fetch(client: &Client, source: &TokenSource) -> Result<Minted, FetchFault> {
    let mut fetched = Vec::new();
    for _ in 0..STEPS_MAX {
        let text = match source.step(&fetched, now()).map_err(FetchFault::Auth)? {
            Step::Done(minted) => return Ok(minted),
            Step::Read(path) => read(&path).await?,
            Step::Ask(call) => {
                let answer = timeout(STEP_TIMEOUT, ask(client, call)).await;
                answer.map_err(|_| FetchFault::Timeout)??
            }
        };
        fetched.push(text);
    }
    Err(FetchFault::Auth(AuthFault::BadAnswer("an end")))
}

async fn read(path: &Path) -> Result<Secret, FetchFault> {
    let (path, name) = (path.to_owned(), path.display().to_string());
    let read = spawn_blocking(move || std::fs::read_to_string(path)).await;
    let text = read.ok().and_then(Result::ok).ok_or(FetchFault::File(name))?;
    if text.len() > TEXT_BYTES_MAX { Err(FetchFault::TooLong) } else { Ok(Secret::new(text)) }
}

async fn ask(client: &Client, call: Call) -> Result<Secret, FetchFault> {
    let mut request = Request::builder().method(call.method).uri(&call.url);
    for (name, value) in &call.headers {
        // The client writes it, the same as what was signed.
        if !name.eq_ignore_ascii_case(HOST.as_str()) {
            request = request.header(name, value.expose());
        }
    }
    let request =
        request.body(call.body.expose().to_owned()).map_err(|_| FetchFault::Unreachable)?;
    let (status, text) = client.ask(request).await?;
    if status.is_success() {
        return Ok(Secret::new(text));
    }
    Err(FetchFault::Status(status.as_u16(), code(&text)))
}

/// The error's code: OAuth's `error`, Google's `error.status`, AWS's `<Code>`. Codes are words;
/// what is none is not said.
pub(in crate::control_plane) fn code(text: &str) -> Option<String> {
    let value: Option<serde_json::Value> = serde_json::from_str(text).ok();
    let json =
        value.as_ref().and_then(|it| it["error"].as_str().or(it["error"]["status"].as_str()));
    let xml = || text.split_once("<Code>")?.1.split_once("</Code>").map(|(code, _)| code);
    let is_word = |code: &&str| {
        code.len() <= 64 && code.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    };
    json.or_else(xml).filter(is_word).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::code;

    #[test]
    fn of_an_error_only_its_code_is_said() {
        for (text, expected) in [
            (r#"{"error":"invalid_client","error_description":"secret"}"#, Some("invalid_client")),
            (r#"{"error":{"code":403,"status":"PERMISSION_DENIED"}}"#, Some("PERMISSION_DENIED")),
            (
                "<Error><Code>AccessDenied</Code><Message>arn</Message></Error>",
                Some("AccessDenied"),
            ),
            (r#"{"error":"key sk-live is wrong"}"#, None),
            ("<html>", None),
        ] {
            assert_eq!(code(text).as_deref(), expected, "{text}");
        }
    }
}
