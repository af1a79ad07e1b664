//! The certificates that clients see: read from files, watched, and replaced whole.
//!
//! A core looks at the lane at each handshake, so a new pair is used at once by all of them, and
//! connections that are open go on as they are. A pair that is no pair changes nothing and is
//! reported where problems are.
//!
//! Tickets of one key are good on every core and outlive a new pair; the key is replaced every six
//! hours. New rules for client certificates make a new one, for a resumed session shows none again.

use crate::{
    bridge::lane::{self, Receiver, Sender},
    control_plane::{
        publisher::Trigger,
        status::ConfigStatus,
        watch::{RESCAN, SETTLE, Watch},
    },
    lexicon::{
        problem::{Problem, Severity},
        settings::ClientAuth,
    },
};
use rustls::{
    RootCertStore, ServerConfig,
    client::verify_server_name,
    crypto::{CryptoProvider, aws_lc_rs},
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject},
    server::{
        ClientHello, NoServerSessionStorage, ParsedCertificate, ProducesTickets,
        ResolvesServerCert, WebPkiClientVerifier, danger::ClientCertVerifier,
    },
    sign::CertifiedKey,
};
use std::{
    fs,
    path::{Path, PathBuf},
    pin::pin,
    sync::Arc,
};
use tokio::time::{MissedTickBehavior, interval, sleep};

/// Where certificates are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Files {
    /// Chain and key; the first is for clients that name no host, or another.
    pub pairs: Vec<(PathBuf, PathBuf)>,
    pub client_ca: Option<PathBuf>,
    pub client_auth: ClientAuth,
    pub offers_http2: bool,
}

/// What the files held.
#[derive(PartialEq, Eq)]
struct Texts {
    pairs: Vec<(Vec<u8>, Vec<u8>)>,
    client_ca: Option<Vec<u8>>,
}

/// Owns the certificates in force, and the lane down.
pub struct Certificates {
    files: Files,
    texts: Texts,
    /// The change that was refused last, so that it is said (and counted) once.
    refused: Option<Texts>,
    ticketer: Arc<dyn ProducesTickets>,
    configs: Sender<ServerConfig>,
    trigger: Trigger,
}

impl Certificates {
    /// Reads them for the first time.
    ///
    /// **Errors**: every file that is not what it should be.
    pub fn start(files: Files) -> Result<Self, Vec<Problem>> {
        let texts = read(&files)?;
        let ticketer = new_ticketer().map_err(|problem| vec![*problem])?;
        let config = build(&files, &texts, &ticketer)?;
        let (configs, _) = lane::lane(Arc::new(config));
        let trigger = Trigger::default();
        Ok(Self { files, texts, refused: None, ticketer, configs, trigger })
    }

    /// The end of the lane for one more core.
    #[must_use]
    pub fn subscribe(&self) -> Receiver<ServerConfig> {
        self.configs.subscribe()
    }

    #[must_use]
    pub fn trigger(&self) -> Trigger {
        self.trigger.clone()
    }

    /// Follows the files until `shutdown` is ready.
    pub async fn run(mut self, status: Arc<ConfigStatus>, shutdown: impl Future<Output = ()>) {
        let mut shutdown = pin!(shutdown);
        let watch = Watch::of_files(self.files.all());
        let mut rescan = interval(RESCAN);
        rescan.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = &mut shutdown => return,
                () = watch.changed() => {
                    watch.quiet().await;
                    self.reload(&status);
                }
                () = self.trigger.asked() => {
                    self.refused = None;
                    self.reload(&status);
                }
                _ = rescan.tick() => {
                    if read(&self.files).is_ok_and(|texts| texts != self.texts) {
                        // It may be half written.
                        sleep(SETTLE).await;
                        self.reload(&status);
                    }
                }
            }
        }
    }

    fn reload(&mut self, status: &ConfigStatus) {
        let texts = match read(&self.files) {
            Ok(texts) => texts,
            Err(problems) => return refuse(status, &problems),
        };
        if texts == self.texts {
            self.refused = None;
            return status.certificates_loaded();
        }
        if self.refused.as_ref() == Some(&texts) {
            return;
        }
        let built = if texts.client_ca == self.texts.client_ca {
            Ok(Arc::clone(&self.ticketer))
        } else {
            new_ticketer().map_err(|problem| vec![*problem])
        };
        let built = built.and_then(|ticketer| {
            build(&self.files, &texts, &ticketer).map(|config| (config, ticketer))
        });
        match built {
            Ok((config, ticketer)) => {
                self.configs.publish(Arc::new(config));
                (self.texts, self.ticketer, self.refused) = (texts, ticketer, None);
                status.certificates_loaded();
                tracing::info!("the certificates have changed");
            }
            Err(problems) => {
                self.refused = Some(texts);
                refuse(status, &problems);
            }
        }
    }
}

fn refuse(status: &ConfigStatus, problems: &[Problem]) {
    tracing::error!("the certificates are refused, those before them stay in force");
    for problem in problems {
        tracing::error!("{problem}");
    }
    status.certificates_refused(problems);
}

impl Files {
    fn all(&self) -> impl Iterator<Item = &Path> {
        let pairs = self.pairs.iter().flat_map(|(chain, key)| [chain, key]);
        pairs.chain(&self.client_ca).map(PathBuf::as_path)
    }
}

fn read(files: &Files) -> Result<Texts, Vec<Problem>> {
    let mut problems = Vec::new();
    let mut text = |path: &Path| {
        fs::read(path).unwrap_or_else(|error| {
            problems.push(*problem(path, &format!("`{error}`"), "a file that can be read", ""));
            Vec::new()
        })
    };
    let pairs = files.pairs.iter().map(|(chain, key)| (text(chain), text(key))).collect();
    let client_ca = files.client_ca.as_deref().map(text);
    if problems.is_empty() { Ok(Texts { pairs, client_ca }) } else { Err(problems) }
}

fn build(
    files: &Files,
    texts: &Texts,
    ticketer: &Arc<dyn ProducesTickets>,
) -> Result<ServerConfig, Vec<Problem>> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let mut problems = Vec::new();
    let mut pairs = Vec::with_capacity(texts.pairs.len());
    for ((chain_path, key_path), (chain, key)) in files.pairs.iter().zip(&texts.pairs) {
        match pair((chain_path, chain), (key_path, key), &provider) {
            Ok(pair) => pairs.push(Arc::new(pair)),
            Err(problem) => problems.push(*problem),
        }
    }
    let verifier = match (&files.client_ca, &texts.client_ca, files.client_auth) {
        (Some(path), Some(text), ClientAuth::Optional | ClientAuth::Required) => {
            let is_required = files.client_auth == ClientAuth::Required;
            verifier(path, text, is_required, &provider).map(Some)
        }
        _ => Ok(None),
    };
    let verifier = verifier.unwrap_or_else(|problem| {
        problems.push(*problem);
        None
    });
    if !problems.is_empty() {
        return Err(problems);
    }
    let builder = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("the provider has suites for both versions");
    let builder = match verifier {
        Some(verifier) => builder.with_client_cert_verifier(verifier),
        None => builder.with_no_client_auth(),
    };
    let mut config = builder.with_cert_resolver(Arc::new(ByName(pairs)));
    config.ticketer = Arc::clone(ticketer);
    // Tickets carry sessions; a store of them would be a lock between the cores.
    config.session_storage = Arc::new(NoServerSessionStorage {});
    if files.offers_http2 {
        config.alpn_protocols.push(b"h2".to_vec());
    }
    config.alpn_protocols.push(b"http/1.1".to_vec());
    Ok(config)
}

fn pair(
    (chain_path, chain): (&Path, &[u8]),
    (key_path, key): (&Path, &[u8]),
    provider: &CryptoProvider,
) -> Result<CertifiedKey, Box<Problem>> {
    let wanted = "a certificate chain in PEM";
    let chain = certificates(chain).map_err(|found| problem(chain_path, &found, wanted, ""))?;
    let key = PrivateKeyDer::from_pem_slice(key)
        .map_err(|error| problem(key_path, &format!("`{error}`"), "a private key in PEM", ""))?;
    let hint = format!("it must belong to {}", chain_path.display());
    CertifiedKey::from_der(chain, key, provider).map_err(|error| {
        problem(key_path, &format!("`{error}`"), "the private key of the certificate", &hint)
    })
}

fn verifier(
    path: &Path,
    text: &[u8],
    is_required: bool,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<dyn ClientCertVerifier>, Box<Problem>> {
    let refused = |found: &str| problem(path, found, "certificates of authorities in PEM", "");
    let mut roots = RootCertStore::empty();
    for certificate in certificates(text).map_err(|found| refused(&found))? {
        roots.add(certificate).map_err(|error| refused(&format!("`{error}`")))?;
    }
    let builder =
        WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider));
    let builder = if is_required { builder } else { builder.allow_unauthenticated() };
    builder.build().map_err(|error| refused(&format!("`{error}`")))
}

fn certificates(text: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(text).collect();
    let all = all.map_err(|error| format!("`{error}`"))?;
    if all.is_empty() { Err("no certificate".to_owned()) } else { Ok(all) }
}

fn new_ticketer() -> Result<Arc<dyn ProducesTickets>, Box<Problem>> {
    aws_lc_rs::Ticketer::new().map_err(|error| {
        let found = format!("`{error}`");
        problem(Path::new("the system"), &found, "randomness for the keys of sessions", "")
    })
}

#[expect(clippy::unnecessary_box_returns, reason = "it is the error of results, small so")]
fn problem(path: &Path, found: &str, wanted: &str, hint: &str) -> Box<Problem> {
    Box::new(Problem {
        severity: Severity::Error,
        document: path.display().to_string(),
        line: 0,
        path: String::new(),
        found: found.to_owned(),
        wanted: wanted.to_owned(),
        hint: hint.to_owned(),
    })
}

/// The pair whose certificate is for the host that a client names.
#[derive(Debug)]
struct ByName(Vec<Arc<CertifiedKey>>);

impl ResolvesServerCert for ByName {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let [first, others @ ..] = &self.0[..] else { return None };
        let name = hello.server_name().filter(|_| !others.is_empty());
        let Some(name) = name.and_then(|name| ServerName::try_from(name).ok()) else {
            return Some(Arc::clone(first));
        };
        let suits = |pair: &&Arc<CertifiedKey>| {
            pair.key.choose_scheme(hello.signature_schemes()).is_some() && is_for(pair, &name)
        };
        Some(Arc::clone(self.0.iter().find(suits).unwrap_or(first)))
    }
}

fn is_for(pair: &CertifiedKey, name: &ServerName<'_>) -> bool {
    let parsed = pair.end_entity_cert().and_then(ParsedCertificate::try_from);
    parsed.is_ok_and(|certificate| verify_server_name(&certificate, name).is_ok())
}
