//! ALPN: who chooses HTTP/2 while hands are shaken, and what becomes of those who do not.

use crate::{
    harness::{
        House,
        client::{Ask, KEY},
        frames::{DATA, Peer},
        h2_vendor::{COMPLETION, by_hand_over, complete, next_call},
        manifest,
    },
    http2::{flow, safe_again::chat},
};
use rcgen::{CertificateParams, KeyPair};
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection, StreamOwned,
    crypto::aws_lc_rs::default_provider,
    pki_types::{PrivateKeyDer, ServerName},
};
use serde_json::json;
use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    process::{Command, Stdio},
    sync::Arc,
};
use tempfile::TempDir;

fn certificate() -> (rcgen::Certificate, KeyPair) {
    let key = KeyPair::generate().expect("a key");
    let params = CertificateParams::new(vec!["localhost".to_owned()]).expect("a name");
    (params.self_signed(&key).expect("signed"), key)
}

/// A gateway that serves TLS; the folder holds its certificate as `cert.pem`.
fn secured_house(arguments: &[&str]) -> (House, TempDir, rcgen::Certificate) {
    let (certificate, key) = certificate();
    let folder = manifest::folder();
    let path = |name: &str| folder.path().join(name).to_str().expect("UTF-8").to_owned();
    std::fs::write(path("cert.pem"), certificate.pem()).expect("the folder is ours");
    std::fs::write(path("key.pem"), key.serialize_pem()).expect("the folder is ours");
    let (cert, key) = (path("cert.pem"), path("key.pem"));
    let tls = ["--tls-cert", &cert, "--tls-key", &key];
    let house = House::open_with(&["plain", "raw-large"], &[&tls[..], arguments].concat());
    (house, folder, certificate)
}

/// Shakes hands, offering these protocols; the connection, and which was chosen.
fn shake_hands(
    address: SocketAddr,
    certificate: &rcgen::Certificate,
    offered: &[&str],
) -> (StreamOwned<ClientConnection, TcpStream>, String) {
    let mut roots = RootCertStore::empty();
    roots.add(certificate.der().clone()).expect("a certificate");
    let mut config = ClientConfig::builder_with_provider(default_provider().into())
        .with_safe_default_protocol_versions()
        .expect("the usual versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = offered.iter().map(|name| name.as_bytes().to_vec()).collect();
    let name = ServerName::try_from("localhost").expect("a name");
    let mut connection = ClientConnection::new(Arc::new(config), name).expect("a valid config");
    let mut tcp = TcpStream::connect(address).expect("the port is open");
    connection.complete_io(&mut tcp).expect("hands are shaken");
    let chosen = connection.alpn_protocol().map(String::from_utf8_lossy);
    let chosen = chosen.unwrap_or_default().into_owned();
    (StreamOwned::new(connection, tcp), chosen)
}

#[test]
fn a_client_that_offers_http2_gets_it_and_one_that_does_not_gets_http1() {
    let (house, _folder, certificate) = secured_house(&[]);
    let address = house.gateway.address;
    for (offered, chosen) in [
        (&["h2", "http/1.1"][..], "h2"),
        (&["http/1.1", "h2"], "h2"),
        (&["http/1.1"], "http/1.1"),
        (&[], ""),
    ] {
        assert_eq!(shake_hands(address, &certificate, offered).1, chosen, "{offered:?}");
    }

    let (tls, _) = shake_hands(address, &certificate, &["h2"]);
    let tcp = tls.sock.try_clone().expect("a descriptor");
    let mut peer = Peer::over(Box::new(tls), tcp);
    peer.hello();
    flow::ask(&mut peer, 1, &Ask::stream("plain"));
    let mut text = Vec::new();
    while let Some(frame) = peer.until(|frame| frame.kind == DATA) {
        text.extend(&frame.payload);
        if frame.is_last() {
            break;
        }
    }
    assert!(String::from_utf8_lossy(&text).ends_with("data: [DONE]\n\n"));
}

#[test]
fn an_operator_who_turned_it_off_does_not_offer_it() {
    let (house, _folder, certificate) = secured_house(&["--http2", "off"]);

    let (mut tls, chosen) = shake_hands(house.gateway.address, &certificate, &["h2", "http/1.1"]);

    assert_eq!(chosen, "http/1.1");
    tls.write_all(b"GET /ready HTTP/1.1\r\nhost: a\r\n\r\n").expect("it reads");
    let mut said = [0; 12];
    tls.read_exact(&mut said).expect("it answers");
    assert_eq!(&said, b"HTTP/1.1 200");
}

#[test]
fn curl_chooses_http2_over_tls_for_large_bodies_both_ways() {
    let (house, folder, _certificate) = secured_house(&[]);
    let body = format!(r#"{{"choices":[],"x":"{}"}}"#, "y".repeat(3 << 20));
    house.teach("large", crate::harness::answer(200, "application/json", body.as_bytes()));
    let asked = folder.path().join("ask.json");
    let prompt = "z".repeat(2 << 20);
    let ask = format!(r#"{{"model":"test/raw-large","messages":[{{"content":"{prompt}"}}]}}"#);
    std::fs::write(&asked, &ask).expect("the folder is ours");

    let output = Command::new("curl")
        .args(["-sS", "--max-time", "15", "--http2", "-w", " %{http_version}", "--cacert"])
        .arg(folder.path().join("cert.pem"))
        .args(["-H", &format!("authorization: Bearer {KEY}"), "--data-binary"])
        .arg(format!("@{}", asked.display()))
        .arg(format!("https://localhost:{}/v1/chat/completions", house.gateway.address.port()))
        .stderr(Stdio::inherit())
        .output()
        .expect("curl is here");

    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said == format!("{body} 2"), "{} bytes", said.len());
    assert!(house.vendor_bodies()[0].contains(&prompt));
}

/// What the vendor under test chooses of what it is offered.
fn vendor_config(certificate: &rcgen::Certificate, key: &KeyPair, chosen: &str) -> ServerConfig {
    let key = PrivateKeyDer::try_from(key.serialize_der()).expect("a key of rcgen's");
    let mut config = ServerConfig::builder_with_provider(default_provider().into())
        .with_safe_default_protocol_versions()
        .and_then(|builder| {
            builder.with_no_client_auth().with_single_cert(vec![certificate.der().clone()], key)
        })
        .expect("a certificate and its key");
    config.alpn_protocols = vec![chosen.as_bytes().to_vec()];
    config
}

/// A vendor behind TLS that speaks what it chooses; what is asked there gets `COMPLETION`.
fn vendor(chosen: &'static str, certificate: &rcgen::Certificate, key: &KeyPair) -> SocketAddr {
    let config = Arc::new(vendor_config(certificate, key, chosen));
    let secure = move |mut tcp: TcpStream| {
        let mut connection = ServerConnection::new(Arc::clone(&config)).expect("a valid config");
        connection.complete_io(&mut tcp).ok()?;
        let chosen_is_http2 = connection.alpn_protocol() == Some(b"h2");
        let socket = tcp.try_clone().expect("a descriptor");
        let mut tls = StreamOwned::new(connection, tcp);
        if chosen_is_http2 {
            return Some(Peer::over(Box::new(tls), socket));
        }
        let mut asked = Vec::new();
        let mut buffer = [0; 4_096];
        while !asked.ends_with(b"]}") {
            let length = tls.read(&mut buffer).ok().filter(|length| *length > 0)?;
            asked.extend_from_slice(&buffer[..length]);
        }
        assert!(asked.starts_with(b"POST /v1/chat/completions HTTP/1.1\r\n"));
        let length = COMPLETION.len();
        let head = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n"
        );
        tls.write_all(&[head.as_bytes(), COMPLETION.as_bytes()].concat()).ok()?;
        tls.flush().ok()?;
        None
    };
    by_hand_over(secure, |_, mut peer| {
        while let Some(call) = next_call(&mut peer, &[]) {
            complete(&mut peer, call.stream);
        }
    })
}

#[test]
fn a_vendor_chooses_between_what_it_is_offered() {
    let (certificate, key) = certificate();
    for chosen in ["h2", "http/1.1"] {
        let address = vendor(chosen, &certificate, &key);
        let house = House::open(&["plain"]);
        let mut account = manifest::account(address, &["plain"]);
        account["name"] = "two".into();
        account["http_version"] = "2".into();
        let model = &mut account["integrations"][0];
        model["url"] = format!("https://localhost:{}/v1", address.port()).into();
        model["tls_settings"] = json!({"ca_cert": certificate.pem()});
        manifest::write(house.gateway.manifests.path(), "two", &account);

        let first = house.ask_until_known(&chat("hello", ""));
        let second = house.ask(&chat("hello", ""));

        for reply in [first, second] {
            assert_eq!((reply.status, reply.text().as_str()), (200, COMPLETION), "{chosen}");
        }
    }
}
