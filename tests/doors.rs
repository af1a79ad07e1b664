//! Doors: Unix sockets on both sides, proxies in front, and how long a connection may last.

mod harness;

use harness::{
    DEADLINE, House, answer,
    client::{Ask, Client},
    manifest,
};
use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    os::{
        fd::OwnedFd,
        unix::net::{UnixListener, UnixStream},
    },
    path::Path,
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    thread,
    time::{Duration, Instant},
};
use weir::rehearsal::script::Step;

fn text(path: &Path) -> String {
    path.to_str().expect("UTF-8").to_owned()
}

fn metric(house: &House, name: &str) -> u64 {
    let page = house.gateway.admin("/metrics").text();
    let samples = page.lines().filter(|line| !line.starts_with('#'));
    let samples = samples.filter(|line| line.split(['{', ' ']).next() == Some(name));
    samples.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).sum()
}

/// Sends bytes over a Unix socket and reads until the other side ends.
fn converse(path: &Path, bytes: &[u8]) -> String {
    let mut stream = UnixStream::connect(path).expect("it listens");
    stream.set_read_timeout(Some(DEADLINE)).expect("not zero");
    stream.write_all(bytes).expect("the gateway reads");
    let mut said = String::new();
    stream.read_to_string(&mut said).expect("the gateway answers and closes");
    said
}

#[test]
fn a_unix_socket_is_a_door() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("weir.sock");
    let listen = format!("unix:{}", text(&path));
    let mut house = House::open_with(&["plain"], &["--cores", "2", "--listen", &listen]);

    for _ in 0..8 {
        let ask = Ask::chat("plain").header("connection", "close");
        let said = converse(&path, &ask.bytes());
        assert!(said.starts_with("HTTP/1.1 200"), "{said}");
    }

    let receipts = house.receipts(8);
    assert!(receipts.iter().all(|one| one.text("client_address").starts_with("unix:")));
    house.gateway.terminate();
    assert_eq!(house.gateway.exit().code(), Some(0));
    assert!(!path.exists(), "its file is removed");
}

/// A client of a Unix socket that leaves is noticed, as one of TCP is.
#[test]
fn a_client_of_a_unix_socket_that_leaves_ends_the_call() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("weir.sock");
    let listen = format!("unix:{}", text(&path));
    let house = House::open_with(&["stall"], &["--listen", &listen]);
    let mut stream = UnixStream::connect(&path).expect("it listens");
    stream.write_all(&Ask::stream("stall").bytes()).expect("the gateway reads");
    let mut first = [0; 16];
    stream.read_exact(&mut first).expect("the answer begins");

    drop(stream);

    assert_eq!(house.receipt().status(), 499);
}

/// A server that listens on a Unix socket: what comes is passed to `target` and back.
fn serve_on_socket(path: &Path, target: SocketAddr) {
    let listener = UnixListener::bind(path).expect("a free path");
    // Ends with the test's process.
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let server = TcpStream::connect(target).expect("the vendor listens");
            let (from, to) = (client.try_clone(), server.try_clone());
            let (mut from, mut to) = (from.expect("descriptors"), to.expect("descriptors"));
            thread::spawn(move || {
                let _ = std::io::copy(&mut from, &mut to);
                let _ = to.shutdown(std::net::Shutdown::Write);
            });
            let (mut from, mut to) = (server, client);
            thread::spawn(move || std::io::copy(&mut from, &mut to));
        }
    });
}

#[test]
fn a_model_may_live_behind_a_unix_socket() {
    let house = House::open(&["plain"]);
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("model.sock");
    serve_on_socket(&path, house.vendor.address());
    let mut account = manifest::account(house.vendor.address(), &["plain"]);
    account["name"] = "local".into();
    let escaped = text(&path).replace('/', "%2F");
    account["integrations"][0]["url"] = format!("http+unix://{escaped}/v1").into();
    manifest::write(house.gateway.manifests.path(), "local", &account);

    let ask = Ask::post("/v1/chat/completions", r#"{"model":"local/plain","messages":[]}"#);
    let reply = house.ask_until_known(&ask);
    assert_eq!(reply.status, 200, "{}", reply.text());

    account["name"] = "nowhere".into();
    account["integrations"][0]["url"] = format!("http+unix://{escaped}.none/v1").into();
    manifest::write(house.gateway.manifests.path(), "nowhere", &account);
    let ask = Ask::post("/v1/chat/completions", r#"{"model":"nowhere/plain","messages":[]}"#);
    let gone = house.ask_until_known(&ask);
    assert_eq!((gone.status, gone.refusal().as_str()), (502, "upstream_unreachable"));
}

const V2: &[u8] = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xcb\0\x71\x08\x0a\0\0\x01\xdc\x04\x01\xbb";

#[test]
fn a_trusted_proxy_says_whose_connection_it_is() {
    let arguments = ["--proxy-protocol", "any", "--trusted-proxies", "127.0.0.0/8,10.0.0.0/8"];
    let house = House::open_with(&["plain"], &arguments);
    let v1 = b"PROXY TCP4 203.0.113.7 10.0.0.1 56324 443\r\n";

    // In one write with the request, byte by byte, and with a list behind it.
    let ask = |id: &str| Ask::chat("plain").header("x-request-id", id);
    let mut client = house.client();
    client.send(&[&v1[..], &ask("v1").bytes()].concat());
    assert_eq!(client.reply().status, 200);
    let mut client = house.client();
    for byte in V2 {
        client.send(&[*byte]);
    }
    client.send(&ask("v2").bytes());
    assert_eq!(client.reply().status, 200);
    let mut client = house.client();
    client.send(b"PROXY TCP4 10.0.0.9 10.0.0.1 1 2\r\n");
    let listed = ask("list").header("x-forwarded-for", "6.6.6.6, 198.51.100.4, 10.0.0.3");
    client.send(&listed.bytes());
    assert_eq!(client.reply().status, 200);

    for one in house.receipts(3) {
        let expected = match one.text("request_id").as_str() {
            "v1" => "203.0.113.7",
            "v2" => "203.0.113.8",
            _ => "198.51.100.4",
        };
        assert_eq!(one.text("client_address"), expected);
    }
}

#[test]
fn what_is_no_proxy_header_or_comes_from_elsewhere_is_closed_and_counted() {
    let arguments = ["--proxy-protocol", "v2", "--trusted-proxies", "127.0.0.1"];
    let house = House::open_with(&["plain"], &arguments);
    for bytes in [&b"GET /ready HTTP/1.1\r\nhost: x\r\n\r\n"[..], b"PROXY UNKNOWN\r\n", &V2[..13]] {
        let mut client = house.client();
        client.send(bytes);
        client.half_close();
        assert!(client.ends_silently(), "{}", String::from_utf8_lossy(bytes));
    }
    assert_eq!(metric(&house, "weir_proxy_headers_refused_total"), 3);

    let arguments = ["--proxy-protocol", "v2", "--trusted-proxies", "10.0.0.0/8"];
    let house = House::open_with(&["plain"], &arguments);
    let mut client = house.client();
    client.offer(&[V2, &Ask::chat("plain").bytes()].concat());
    assert!(client.ends_silently(), "it is not trusted");
    assert_eq!(metric(&house, "weir_proxy_headers_refused_total"), 1);
}

#[test]
fn only_trusted_proxies_are_believed_about_a_client() {
    for (trusted, header, value, expected) in [
        ("10.0.0.0/8", "x-forwarded-for", "203.0.113.7", "127.0.0.1"),
        ("127.0.0.1", "x-forwarded-for", "203.0.113.7", "203.0.113.7"),
        ("127.0.0.1", "forwarded", "for=203.0.113.7", "127.0.0.1"),
    ] {
        let house = House::open_with(&["plain"], &["--trusted-proxies", trusted]);
        assert_eq!(house.ask(&Ask::chat("plain").header(header, value)).status, 200);
        assert_eq!(house.receipt().text("client_address"), expected, "{trusted} {header}");
    }
    let arguments = ["--trusted-proxies", "127.0.0.1", "--forwarded-header", "forwarded"];
    let house = House::open_with(&["plain"], &arguments);
    let ask = Ask::chat("plain").header("forwarded", "for=\"[2001:db8::1]:80\", for=127.0.0.1");
    assert_eq!(house.ask(&ask.header("x-forwarded-for", "6.6.6.6")).status, 200);
    assert_eq!(house.receipt().text("client_address"), "2001:db8::1");
}

#[test]
fn the_last_request_of_a_connection_is_told_so() {
    let house = House::open_with(&["plain"], &["--connection-requests-max", "3"]);
    let mut client = house.client();
    for left in [2, 1, 0] {
        client.send(&Ask::chat("plain").bytes());
        let reply = client.reply();
        assert_eq!(reply.status, 200);
        assert_eq!(reply.header("connection") == Some("close"), left == 0, "{left} left");
    }
    assert!(client.ends_silently());
}

/// Sends one request on a connection of its own; true where it was served to its end.
fn is_served_once(address: SocketAddr) -> bool {
    let mut client = Client::connect(address);
    client.send(&Ask::chat("plain").header("connection", "close").bytes());
    client.reply().status == 200
}

/// Row 60: with a socket that outlives the process, a restart refuses and loses nobody.
#[test]
fn fault_60_a_hot_restart_refuses_no_connection() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
    let address = listener.local_addr().expect("bound");
    let vendor = harness::vendor();
    let (folder, data) = (manifest::folder(), manifest::folder());
    manifest::write_usual(&folder, vendor.address(), &["plain"]);
    // As a service manager starts it: the socket is descriptor 3.
    let script = "exec 3<&0 </dev/null; LISTEN_PID=$$ LISTEN_FDS=1 exec \"$@\"";
    let start = || {
        let mut command = Command::new("sh");
        command.args(["-c", script, "sh"]).arg(harness::gateway::binary().get_program());
        command.args(["serve", "--listen", "inherited", "--admin-listen", "127.0.0.1:0"]);
        command.args(["--cores", "2", "--config"]).arg(folder.path());
        command.arg("--data-dir").arg(data.path());
        let socket = OwnedFd::from(listener.try_clone().expect("a descriptor"));
        command.stdin(Stdio::from(socket)).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = Ended(command.spawn().expect("there is a shell"));
        let output = harness::gateway::lines(child.0.stdout.take().expect("piped"));
        let line = output.recv_timeout(DEADLINE).expect("it starts");
        assert_eq!(line, "weir: listening on inherited");
        child
    };
    let (is_over, served) = (AtomicBool::new(false), AtomicU64::new(0));
    let mut gateway = start();

    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                while !is_over.load(Ordering::Relaxed) {
                    assert!(is_served_once(address));
                    served.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        let _over = Over(&is_over);
        for _ in 0..3 {
            let before = served.load(Ordering::Relaxed);
            let terminated = Command::new("kill").arg(gateway.0.id().to_string()).status();
            assert!(terminated.expect("kill(1) is everywhere").success());
            assert_eq!(gateway.0.wait().expect("it is ours").code(), Some(0));
            gateway = start();
            let begun = Instant::now();
            while served.load(Ordering::Relaxed) < before + 20 {
                assert!(begun.elapsed() < DEADLINE, "nobody is served");
                thread::yield_now();
            }
        }
    });
}

struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// A process that ends with its test.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn an_old_connection_is_told_to_go() {
    let house = House::open_with(&["plain"], &["--connection-age", "300ms"]);
    let mut client = house.client();
    let begun = Instant::now();
    loop {
        client.send(&Ask::get("/ready").bytes());
        let reply = client.reply();
        assert_eq!(reply.status, 200);
        if reply.header("connection") == Some("close") {
            break;
        }
        assert!(begun.elapsed() < DEADLINE, "it may stay for ever");
    }
    // A tenth less at most, and clocks that are not quite the same.
    assert!(begun.elapsed() >= Duration::from_millis(250), "{:?}", begun.elapsed());
    assert!(client.ends_silently());
}

/// Row 60: a drain that begins while a model thinks is told in the reply.
#[test]
fn fault_60_a_drain_during_an_exchange_is_told_in_its_reply() {
    let mut house = House::open(&["raw-slow"]);
    let mut steps = vec![Step::Pause(1_500)];
    steps.extend(answer(200, "application/json", b"{}"));
    house.teach("slow", steps);
    let mut client = house.client();
    client.send(&Ask::chat("raw-slow").bytes());
    assert!(house.vendor.wait_until(DEADLINE, |log| log.len() == 1), "the model thinks");

    house.gateway.terminate();
    let reply = client.reply();

    assert_eq!((reply.status, reply.header("connection")), (200, Some("close")));
    assert!(client.ends_silently());
    assert_eq!(house.gateway.exit().code(), Some(0));
}

/// Two gateways do not share a socket either.
#[test]
fn a_door_that_is_taken_is_said_at_the_start() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("weir.sock");
    let listen = format!("unix:{}", text(&path));
    let house = House::open_with(&["plain"], &["--listen", &listen]);
    let data = manifest::folder();

    let (code, _, log) = harness::gateway::run(&[
        "serve",
        "--listen",
        &listen,
        "--admin-listen",
        "127.0.0.1:0",
        "--config",
        &text(house.gateway.manifests.path()),
        "--data-dir",
        &text(data.path()),
    ]);

    assert_eq!(code, Some(1));
    assert!(log.contains(&format!("cannot listen on {listen}")), "{log}");
    let said = converse(&path, &Ask::get("/ready").header("connection", "close").bytes());
    assert!(said.starts_with("HTTP/1.1 200"), "the first goes on: {said}");
    let mut client = Client::connect(house.gateway.address);
    client.send(&Ask::get("/ready").bytes());
    assert_eq!(client.reply().status, 200);
}
