//! rustls over owned buffers: one read feeds one record layer, one write carries all records.
//!
//! Our own adapter, because it is a third cheaper than the published one: ciphertext is read into
//! one kept buffer and written from one (measured 2026-11-21, see the project's performance
//! notes).

use crate::{data_plane::link::Socket, provider::target::TlsTrust};
use rustls::{
    ClientConfig, ClientConnection, Connection, DigitallySignedStruct, RootCertStore, ServerConfig,
    ServerConnection, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::CryptoProvider,
    pki_types::{CertificateDer, ServerName, UnixTime, pem::PemObject},
};
use std::{
    io::{self, BufRead, Write},
    sync::Arc,
};

/// Room for two records of ciphertext.
const CIPHERTEXT_BYTES: usize = 34 << 10;
/// With more plaintext than this in hand the record layer takes no more ciphertext.
/// **Source**: rustls 0.23, `DEFAULT_RECEIVED_PLAINTEXT_LIMIT`.
const PLAINTEXT_BYTES: usize = 16 << 10;

/// How HTTP/2 is called while hands are shaken. **Source**: RFC 9113 §3.2.
pub const ALPN_HTTP2: &[u8] = b"h2";

/// One TLS connection's state.
pub struct Session {
    tls: Connection,
    /// Ciphertext as it was read; the record layer has it up to `fed`.
    incoming: Vec<u8>,
    fed: usize,
    outgoing: Vec<u8>,
}

impl Session {
    /// Our side of a connection to a target.
    pub fn client(config: Arc<ClientConfig>, host: &str) -> io::Result<Box<Self>> {
        let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
        let tls = ClientConnection::new(config, name).map_err(io::Error::other)?;
        Ok(Self::new(Connection::Client(tls)))
    }

    /// Our side of a connection from a client.
    pub fn server(config: Arc<ServerConfig>) -> io::Result<Box<Self>> {
        let tls = ServerConnection::new(config).map_err(io::Error::other)?;
        Ok(Self::new(Connection::Server(tls)))
    }

    /// Boxed at once: a session is a kilobyte, and futures that hold it would be so too.
    fn new(mut tls: Connection) -> Box<Self> {
        tls.set_buffer_limit(None);
        Box::new(Self { tls, incoming: Vec::new(), fed: 0, outgoing: Vec::new() })
    }

    pub async fn handshake(&mut self, socket: &mut Socket) -> io::Result<()> {
        while self.tls.is_handshaking() {
            self.flush(socket).await?;
            if self.tls.is_handshaking() && self.receive(socket).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        self.flush(socket).await
    }

    /// Ciphertext that was read before this session began.
    pub fn push_ciphertext(&mut self, read: &[u8]) {
        self.incoming.extend_from_slice(read);
    }

    /// Did both sides choose HTTP/2?
    #[must_use]
    pub fn chose_http2(&self) -> bool {
        self.tls.alpn_protocol() == Some(ALPN_HTTP2)
    }

    /// The record layer, and the ciphertext that it has not seen yet.
    #[must_use]
    pub fn into_parts(mut self) -> (Connection, Vec<u8>) {
        self.incoming.drain(..self.fed);
        (self.tls, self.incoming)
    }

    /// Was everything taken that came?
    pub fn is_clear(&mut self) -> bool {
        let taken = self.tls.reader().fill_buf().map(<[u8]>::len);
        let is_open = taken.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock);
        is_open && self.fed == self.incoming.len()
    }

    pub async fn read(
        &mut self,
        socket: &mut Socket,
        mut buffer: Vec<u8>,
    ) -> (io::Result<usize>, Vec<u8>) {
        loop {
            match self.take_plaintext(&mut buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                taken => return (taken, buffer),
            }
            match self.receive(socket).await {
                // Without close_notify this is a truncation, and rustls says so above.
                Ok(_) => {}
                Err(error) => return (Err(error), buffer),
            }
            if self.tls.wants_write()
                && let Err(error) = self.flush(socket).await
            {
                return (Err(error), buffer);
            }
        }
    }

    pub async fn write(
        &mut self,
        socket: &mut Socket,
        buffer: Vec<u8>,
    ) -> (io::Result<()>, Vec<u8>) {
        if let Err(error) = self.tls.writer().write_all(&buffer) {
            return (Err(error), buffer);
        }
        (self.flush(socket).await, buffer)
    }

    pub async fn finish(&mut self, socket: &mut Socket) {
        self.tls.send_close_notify();
        // Whoever is gone needs not be told.
        let _ = self.flush(socket).await;
    }

    /// Copy what is decrypted into the room of `buffer`: all records that fit.
    fn take_plaintext(&mut self, buffer: &mut Vec<u8>) -> io::Result<usize> {
        let before = buffer.len();
        let mut reader = self.tls.reader();
        loop {
            let chunk = match reader.fill_buf() {
                Ok(chunk) => chunk,
                Err(error) if buffer.len() == before => return Err(error),
                // What was taken comes first; the error is told by the next call.
                Err(_) => break,
            };
            let taken = chunk.len().min(buffer.capacity() - buffer.len());
            if taken == 0 {
                break;
            }
            buffer.extend_from_slice(&chunk[..taken]);
            reader.consume(taken);
        }
        Ok(buffer.len() - before)
    }

    /// Feed the record layer with what is left of the last read of ciphertext, else with one more
    /// read; 0 where nothing more comes.
    async fn receive(&mut self, socket: &mut Socket) -> io::Result<usize> {
        if self.fed == self.incoming.len() && self.read_ciphertext(socket).await? == 0 {
            self.tls.read_tls(&mut io::empty())?; // Tells it of the end.
            return Ok(0);
        }
        let from = self.fed;
        loop {
            let taken = self.tls.read_tls(&mut &self.incoming[self.fed..])?;
            self.fed += taken;
            let state = match self.tls.process_new_packets() {
                Ok(state) => state,
                Err(error) => {
                    // The alert that tells the other side why.
                    let _ = self.flush(socket).await;
                    return Err(io::Error::new(io::ErrorKind::InvalidData, error));
                }
            };
            if taken == 0 {
                // What stands behind a close_notify is nobody's.
                self.fed = self.incoming.len();
            }
            let is_full = state.plaintext_bytes_to_read() > PLAINTEXT_BYTES;
            if is_full || self.fed == self.incoming.len() {
                return Ok(self.fed - from);
            }
        }
    }

    async fn read_ciphertext(&mut self, socket: &mut Socket) -> io::Result<usize> {
        let mut incoming = std::mem::take(&mut self.incoming);
        incoming.clear();
        incoming.reserve(CIPHERTEXT_BYTES);
        self.fed = 0;
        let (read, incoming) = socket.read_spare(incoming).await;
        self.incoming = incoming;
        read
    }

    /// One write of all records that wait.
    async fn flush(&mut self, socket: &mut Socket) -> io::Result<()> {
        let mut outgoing = std::mem::take(&mut self.outgoing);
        while self.tls.wants_write() {
            self.tls.write_tls(&mut outgoing)?;
        }
        if outgoing.is_empty() {
            self.outgoing = outgoing;
            return Ok(());
        }
        let (written, mut outgoing) = socket.write_all(outgoing).await;
        outgoing.clear();
        self.outgoing = outgoing;
        written.map(drop)
    }

    /// Whose certificate the other side has proved to hold: its subject, or empty.
    ///
    /// **Shape**: RFC 4514, as `CN=billing, O=Example`.
    pub fn peer_subject(&self) -> String {
        let first = self.tls.peer_certificates().and_then(<[_]>::first);
        let parsed = first.and_then(|der| x509_parser::parse_x509_certificate(der).ok());
        parsed.map_or_else(String::new, |(_, certificate)| certificate.subject().to_string())
    }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

/// How we judge targets of this trust. The system's roots are read once, by the caller.
pub fn client_config(trust: &TlsTrust, roots: &RootCertStore) -> Result<ClientConfig, String> {
    let builder = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?;
    if trust.accepts_any_certificate {
        let verifier = Arc::new(AnyCertificate(provider()));
        let config = builder.dangerous().with_custom_certificate_verifier(verifier);
        return Ok(config.with_no_client_auth());
    }
    let mut roots = roots.clone();
    if let Some(pem) = &trust.ca_pem {
        for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
            let certificate = certificate.map_err(|error| error.to_string())?;
            roots.add(certificate).map_err(|error| error.to_string())?;
        }
    }
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

/// The system's roots.
#[must_use]
pub fn system_roots() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    roots
}

/// `tls_settings.reject_unauthorized: false`: whoever answers is believed, signatures still
/// checked.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
