//! TLS as bytes: records in whatever sizes and groups, and what stands behind a goodbye.

mod harness;

use harness::{
    DEADLINE, House,
    client::{Ask, chat_body},
    manifest,
};
use rcgen::{CertificateParams, KeyPair};
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, crypto::aws_lc_rs::default_provider,
    pki_types::ServerName,
};
use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    sync::Arc,
};
use tempfile::TempDir;

/// A house behind TLS, and how to trust it.
struct Secured {
    house: House,
    config: Arc<ClientConfig>,
    _folder: TempDir,
}

/// A client's side of a connection whose records are written by hand.
struct Line {
    tls: ClientConnection,
    tcp: TcpStream,
}

impl Secured {
    fn open(models: &[&str], arguments: &[&str]) -> Self {
        let key = KeyPair::generate().expect("a key");
        let params = CertificateParams::new(vec!["localhost".to_owned()]).expect("a name");
        let certificate = params.self_signed(&key).expect("signed");
        let folder = manifest::folder();
        let path = |name: &str| folder.path().join(name).to_str().expect("UTF-8").to_owned();
        std::fs::write(path("cert.pem"), certificate.pem()).expect("the folder is ours");
        std::fs::write(path("key.pem"), key.serialize_pem()).expect("the folder is ours");
        let (cert, key) = (path("cert.pem"), path("key.pem"));
        let arguments = [&["--tls-cert", &cert, "--tls-key", &key], arguments].concat();
        let house = House::open_with(models, &arguments);
        let mut roots = RootCertStore::empty();
        roots.add(certificate.der().clone()).expect("a certificate");
        let config = ClientConfig::builder_with_provider(default_provider().into())
            .with_safe_default_protocol_versions()
            .expect("the usual versions")
            .with_root_certificates(roots)
            .with_no_client_auth();
        Self { house, config: Arc::new(config), _folder: folder }
    }

    fn connect(&self) -> Line {
        let name = ServerName::try_from("localhost").expect("a name");
        let mut tls = ClientConnection::new(Arc::clone(&self.config), name).expect("valid");
        tls.set_buffer_limit(None);
        let mut tcp = TcpStream::connect(self.house.gateway.address).expect("the port is open");
        tcp.set_read_timeout(Some(DEADLINE)).expect("not zero");
        while tls.is_handshaking() {
            tls.complete_io(&mut tcp).expect("hands are shaken");
        }
        Line { tls, tcp }
    }
}

impl Line {
    /// The records of `plaintext`, each of at most `size` bytes of it.
    fn records(&mut self, plaintext: &[u8], size: usize) -> Vec<u8> {
        let mut out = Vec::new();
        for part in plaintext.chunks(size) {
            self.tls.writer().write_all(part).expect("memory");
            self.tls.write_tls(&mut out).expect("memory");
        }
        while self.tls.wants_write() {
            self.tls.write_tls(&mut out).expect("memory");
        }
        out
    }

    /// What is said until `end`.
    fn read_until(&mut self, end: &str) -> String {
        let mut said = Vec::new();
        while !String::from_utf8_lossy(&said).contains(end) {
            let mut buffer = [0; 4096];
            match self.tls.reader().read(&mut buffer) {
                Ok(0) => break,
                Ok(length) => said.extend_from_slice(&buffer[..length]),
                Err(_) => {
                    let read = self.tls.read_tls(&mut self.tcp).expect("an answer comes");
                    assert!(read > 0, "it ended: {}", String::from_utf8_lossy(&said));
                    self.tls.process_new_packets().expect("good records");
                }
            }
        }
        String::from_utf8_lossy(&said).into_owned()
    }
}

/// Many small records that arrive together are one request, whatever the record layer can hold.
#[test]
fn a_request_in_many_small_records_is_read() {
    let secured = Secured::open(&["plain"], &[]);
    let mut line = secured.connect();
    let body = format!("{}{}", chat_body("plain", ""), " ".repeat(200_000));
    let request = Ask::post("/v1/chat/completions", body).bytes();

    for size in [1_000, 100, 5_000, 16_384] {
        let records = line.records(&request, size);
        line.tcp.write_all(&records).expect("the gateway reads");
        let said = line.read_until("\"usage\"");
        assert!(said.starts_with("HTTP/1.1 200 "), "records of {size}: {said}");
    }
}

/// Bytes behind a goodbye cost nothing: the core serves others.
#[test]
fn bytes_behind_a_goodbye_do_not_stop_the_core() {
    let secured = Secured::open(&["plain"], &[]);
    let mut rude = secured.connect();
    rude.tls.send_close_notify();
    let mut bytes = rude.records(&[], 1);
    bytes.extend_from_slice(&[0x17, 3, 3, 0, 32]);
    bytes.resize(bytes.len() + 20_000, 7);

    rude.tcp.write_all(&bytes).expect("the gateway reads");

    let mut polite = secured.connect();
    let records = polite.records(&Ask::chat("plain").bytes(), 16_384);
    polite.tcp.write_all(&records).expect("the gateway reads");
    assert!(polite.read_until("\"usage\"").starts_with("HTTP/1.1 200 "));
}

/// Row 35, with TLS: to say goodbye to one who does not read must not take for ever.
#[test]
fn fault_35_a_client_that_never_reads_is_let_go_over_tls() {
    let secured = Secured::open(&["plain", "huge40"], &["--write-timeout", "1s"]);
    let mut polite = secured.connect();
    let records = polite.records(&Ask::chat("plain").bytes(), 16_384);
    polite.tcp.write_all(&records).expect("the gateway reads");
    assert!(polite.read_until("\"usage\"").starts_with("HTTP/1.1 200 "));
    secured.house.receipt();
    let before = secured.house.gateway.descriptors();
    let mut deaf = secured.connect();
    let records = deaf.records(&Ask::chat("huge40").bytes(), 16_384);

    deaf.tcp.write_all(&records).expect("the gateway reads");

    let receipt = secured.house.receipts(2).pop().expect("the second");
    assert_eq!((receipt.status(), receipt.text("ending").as_str()), (499, "client_gone"));
    let until = std::time::Instant::now() + DEADLINE;
    while secured.house.gateway.descriptors() > before {
        assert!(std::time::Instant::now() < until, "its connection is still open");
        std::thread::yield_now();
    }
    let records = polite.records(&Ask::chat("plain").bytes(), 16_384);
    polite.tcp.write_all(&records).expect("the gateway reads");
    assert!(polite.read_until("\"usage\"").starts_with("HTTP/1.1 200 "));
}
