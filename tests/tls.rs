//! TLS on both legs: who is trusted, and what an untrusted vendor gets.

mod harness;

use harness::{
    DEADLINE, House,
    client::{Ask, KEY},
    manifest,
};
use rcgen::{CertificateParams, KeyPair, date_time_ymd};
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection, StreamOwned,
    crypto::aws_lc_rs::default_provider,
    pki_types::{PrivateKeyDer, ServerName},
};
use serde_json::{Value, json};
use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
};

/// A certificate for `name`, signed by itself; good until `year`.
fn certificate(name: &str, year: i32) -> (rcgen::Certificate, KeyPair) {
    let key = KeyPair::generate().expect("a key");
    let mut params = CertificateParams::new(vec![name.to_owned()]).expect("a name");
    params.not_before = date_time_ymd(2019, 1, 1);
    params.not_after = date_time_ymd(year, 1, 1);
    (params.self_signed(&key).expect("signed"), key)
}

/// A vendor behind TLS that answers every request with `{}`; what it read stands in the list.
fn vendor(
    certificate: &rcgen::Certificate,
    key: &KeyPair,
) -> (SocketAddr, Arc<Mutex<Vec<String>>>) {
    let key = PrivateKeyDer::try_from(key.serialize_der()).expect("a key of rcgen's");
    let config = ServerConfig::builder_with_provider(default_provider().into())
        .with_safe_default_protocol_versions()
        .and_then(|builder| {
            builder.with_no_client_auth().with_single_cert(vec![certificate.der().clone()], key)
        })
        .expect("a certificate and its key");
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
    let address = listener.local_addr().expect("bound");
    let (config, seen) = (Arc::new(config), Arc::new(Mutex::new(Vec::new())));
    let kept = Arc::clone(&seen);
    // Ends with the test's process.
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let connection = ServerConnection::new(Arc::clone(&config)).expect("a valid config");
            let (mut tls, kept) = (StreamOwned::new(connection, stream), Arc::clone(&kept));
            thread::spawn(move || {
                while let Some(request) = request(&mut tls) {
                    kept.lock().expect("no panic holds it").push(request);
                    let reply = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\
                        content-length: 2\r\n\r\n{}";
                    if tls.write_all(reply.as_bytes()).and_then(|()| tls.flush()).is_err() {
                        return;
                    }
                }
            });
        }
    });
    (address, seen)
}

/// One request with its body, as text; `None` when the connection ends.
fn request(stream: &mut impl Read) -> Option<String> {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let head = head.to_ascii_lowercase();
            let length = head.lines().find_map(|line| line.strip_prefix("content-length:"));
            let length: usize = length.and_then(|length| length.trim().parse().ok())?;
            if body.len() >= length {
                return Some(text);
            }
        }
        let mut buffer = [0; 4096];
        let length = stream.read(&mut buffer).ok().filter(|length| *length > 0)?;
        bytes.extend_from_slice(&buffer[..length]);
    }
}

/// An account of one model behind TLS.
fn account(name: &str, address: SocketAddr, settings: Value) -> Value {
    let mut account = manifest::account(address, &["plain"]);
    account["name"] = name.into();
    let model = &mut account["integrations"][0];
    model["url"] = format!("https://localhost:{}/v1", address.port()).into();
    model["tls_settings"] = settings;
    account
}

#[test]
fn fault_28_a_vendor_is_asked_only_where_its_certificate_is_trusted() {
    let (good, good_key) = certificate("localhost", 2040);
    let (other, other_key) = certificate("elsewhere.test", 2040);
    let (expired, expired_key) = certificate("localhost", 2020);
    let trusting = |one: &rcgen::Certificate| json!({"ca_cert": one.pem()});
    let house = House::open(&["plain"]);
    let mut asked = Vec::new();
    for (name, certificate, key, settings) in [
        ("trusted", &good, &good_key, trusting(&good)),
        ("careless", &good, &good_key, json!({"reject_unauthorized": false})),
        ("unknown", &good, &good_key, json!({})),
        ("misnamed", &other, &other_key, trusting(&other)),
        ("expired", &expired, &expired_key, trusting(&expired)),
    ] {
        let (address, seen) = vendor(certificate, key);
        let document = account(name, address, settings);
        manifest::write(house.gateway.manifests.path(), name, &document);
        asked.push((name, seen));
    }

    for (name, seen) in asked {
        let body = format!(r#"{{"model":"{name}/plain","messages":[]}}"#);
        let reply = house.ask_until_known(&Ask::post("/v1/chat/completions", body));
        let seen = seen.lock().expect("no panic holds it");
        if ["trusted", "careless"].contains(&name) {
            assert_eq!((reply.status, reply.text().as_str()), (200, "{}"), "{name}");
            assert!(seen[0].contains(manifest::VENDOR_KEY));
        } else {
            let said = (reply.status, reply.refusal());
            assert_eq!(said, (502, "upstream_unreachable".to_owned()), "{name}");
            assert!(seen.is_empty(), "a credential went to whoever is not trusted");
        }
    }
    house.receipts_where(3, |one| one.text("fault") == "tls_failed");
}

#[test]
fn the_gateway_serves_over_tls() {
    let (certificate, key) = certificate("localhost", 2040);
    let folder = manifest::folder();
    let path = |name: &str| folder.path().join(name).to_str().expect("UTF-8").to_owned();
    std::fs::write(path("cert.pem"), certificate.pem()).expect("the folder is ours");
    std::fs::write(path("key.pem"), key.serialize_pem()).expect("the folder is ours");
    let house = House::open_with(
        &["plain"],
        &["--tls-cert", &path("cert.pem"), "--tls-key", &path("key.pem")],
    );

    let mut roots = RootCertStore::empty();
    roots.add(certificate.der().clone()).expect("a certificate");
    let config = ClientConfig::builder_with_provider(default_provider().into())
        .with_safe_default_protocol_versions()
        .expect("the usual versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from("localhost").expect("a name");
    let connection = ClientConnection::new(Arc::new(config), name).expect("a valid config");
    let stream = TcpStream::connect(house.gateway.address).expect("the port is open");
    stream.set_read_timeout(Some(DEADLINE)).expect("not zero");
    let mut tls = StreamOwned::new(connection, stream);
    for _ in 0..2 {
        let stream = Ask::stream("plain").key(KEY).bytes();
        tls.write_all(&stream).expect("the gateway reads");
        let mut said = Vec::new();
        while !said.ends_with(b"0\r\n\r\n") {
            let mut buffer = [0; 4096];
            let length = tls.read(&mut buffer).expect("the gateway answers");
            assert!(length > 0, "{}", String::from_utf8_lossy(&said));
            said.extend_from_slice(&buffer[..length]);
        }
        assert!(said.starts_with(b"HTTP/1.1 200"));
        assert!(String::from_utf8_lossy(&said).contains("data: [DONE]"));
    }
}
