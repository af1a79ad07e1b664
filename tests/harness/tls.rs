//! Certificates made for a test, and a client that shakes hands.

use super::{DEADLINE, client::Ask};
use rcgen::{
    BasicConstraints, Certificate, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd,
};
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned,
    crypto::aws_lc_rs::default_provider,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName},
};
use std::{
    io::{self, Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    path::{Path, PathBuf},
    sync::Arc,
};

/// A certificate and its key.
pub struct Pair {
    pub certificate: Certificate,
    pub key: KeyPair,
}

impl Pair {
    /// For these hosts, signed by itself.
    pub fn of(names: &[&str]) -> Self {
        let key = KeyPair::generate().expect("a key");
        let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).expect("names");
        params.not_after = date_time_ymd(2040, 1, 1);
        Self { certificate: params.self_signed(&key).expect("signed"), key }
    }

    /// For a client of this common name, signed by `authority`.
    pub fn client(name: &str, authority: &Issuer<'_, KeyPair>) -> Self {
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        params.distinguished_name.push(DnType::CommonName, name);
        params.not_after = date_time_ymd(2040, 1, 1);
        Self { certificate: params.signed_by(&key, authority).expect("signed"), key }
    }

    /// Writes both as a person would renew them: each whole, one after the other.
    pub fn write(&self, folder: &Path, name: &str) -> (PathBuf, PathBuf) {
        let paths = (folder.join(format!("{name}.pem")), folder.join(format!("{name}.key")));
        replace(&paths.0, &self.certificate.pem());
        replace(&paths.1, &self.key.serialize_pem());
        paths
    }
}

/// Puts a file in place by rename.
pub fn replace(path: &Path, text: &str) {
    let hidden = path.with_extension("new");
    std::fs::write(&hidden, text).expect("the folder is ours");
    std::fs::rename(&hidden, path).expect("the same folder");
}

/// An authority, and its certificate in PEM.
pub fn authority() -> (Issuer<'static, KeyPair>, String) {
    let key = KeyPair::generate().expect("a key");
    let mut params = CertificateParams::new(Vec::new()).expect("no names");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.not_after = date_time_ymd(2040, 1, 1);
    let pem = params.self_signed(&key).expect("signed").pem();
    (Issuer::new(params, key), pem)
}

/// A client that trusts these, and shows `own`.
pub fn config(trusted: &[&Pair], own: Option<&Pair>) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    for pair in trusted {
        roots.add(pair.certificate.der().clone()).expect("a certificate");
    }
    let builder = ClientConfig::builder_with_provider(default_provider().into())
        .with_safe_default_protocol_versions()
        .expect("the usual versions")
        .with_root_certificates(roots);
    let config = match own {
        None => builder.with_no_client_auth(),
        Some(pair) => {
            let key = PrivateKeyDer::try_from(pair.key.serialize_der()).expect("a key");
            builder.with_client_auth_cert(vec![pair.certificate.der().clone()], key).expect("both")
        }
    };
    Arc::new(config)
}

/// A connection with TLS.
pub struct TlsClient(pub StreamOwned<ClientConnection, TcpStream>);

impl TlsClient {
    /// Connects, and shakes hands as far as this side can tell.
    pub fn connect(
        address: SocketAddr,
        config: &Arc<ClientConfig>,
        host: &'static str,
    ) -> io::Result<Self> {
        let name = ServerName::try_from(host).expect("a name");
        let connection = ClientConnection::new(Arc::clone(config), name).expect("a valid config");
        let stream = TcpStream::connect_timeout(&address, DEADLINE)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(DEADLINE))?;
        let mut tls = StreamOwned::new(connection, stream);
        while tls.conn.is_handshaking() {
            tls.conn.complete_io(&mut tls.sock)?;
        }
        Ok(Self(tls))
    }

    /// What the gateway showed.
    pub fn shown(&self) -> CertificateDer<'static> {
        let shown = self.0.conn.peer_certificates().and_then(<[_]>::first);
        shown.expect("there is no handshake without").clone().into_owned()
    }

    /// Asks, and reads a reply that has a length.
    pub fn ask(&mut self, ask: &Ask) -> io::Result<String> {
        self.0.write_all(&ask.bytes())?;
        self.reply()
    }

    /// The next reply, which has a length.
    pub fn reply(&mut self) -> io::Result<String> {
        let mut bytes = Vec::new();
        loop {
            let text = String::from_utf8_lossy(&bytes).into_owned();
            if let Some((head, body)) = text.split_once("\r\n\r\n") {
                let length = head.to_ascii_lowercase();
                let length = length.lines().find_map(|line| line.strip_prefix("content-length:"));
                let length: usize = length.and_then(|it| it.trim().parse().ok()).expect("a length");
                if body.len() >= length {
                    return Ok(text);
                }
            }
            let mut buffer = [0; 4096];
            let length = self.0.read(&mut buffer)?;
            if length == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            bytes.extend_from_slice(&buffer[..length]);
        }
    }
}
