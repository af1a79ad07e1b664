//! What integration tests stand on: the real binary, the scripted vendor, and a client that sends
//! and reads bytes.
//!
//! A test opens a `House` (vendor and gateway on ports of the system's choice) and asks it things.
//! Everything waits on events with a deadline; nothing sleeps until it passes. `WEIR_TEST_DRIVER`
//! (`io-uring` or `epoll`) chooses the driver, so that the suite runs on both.
//!
//! **Invariants**: uses no encoder or decoder of the gateway's own; ends only the processes that it
//! started.

#![allow(dead_code, reason = "each test file uses its own part of the harness")]

pub mod aws_frames;
pub mod client;
pub mod cloud;
pub mod faketime;
pub mod fixture;
pub mod frames;
pub mod gateway;
pub mod h2;
pub mod h2_vendor;
pub mod hook;
pub mod mail;
pub mod manifest;
pub mod receipt;
pub mod routing;
pub mod talk;
pub mod tls;

use client::{Ask, Client, Reply};
use gateway::Gateway;
use std::{
    net::TcpListener,
    time::{Duration, Instant},
};
use weir::rehearsal::{
    Vendor,
    script::{Script, Step},
};

/// Longer than anything that works takes, on two busy cores.
pub const DEADLINE: Duration = Duration::from_secs(15);

/// A gateway and the vendor behind it.
pub struct House {
    pub gateway: Gateway,
    pub vendor: Vendor,
}

impl House {
    /// Another process over what the last one kept, which is gone or is killed now.
    pub fn begin_again(&mut self) {
        self.gateway.kill();
        let data = self.gateway.take_data();
        let folder = std::mem::replace(&mut self.gateway.manifests, manifest::folder());
        self.gateway = Gateway::start_on(folder, data, &[]);
    }

    /// A house whose account has models of these names; their names say what the vendor does.
    /// `raw-X` is the model to which the bytes taught as `X` belong.
    pub fn open(models: &[&str]) -> Self {
        Self::open_with(models, &[])
    }

    /// The same with further arguments of `serve`.
    pub fn open_with(models: &[&str], arguments: &[&str]) -> Self {
        Self::open_on(vendor(), models, arguments)
    }

    /// The same before a vendor of one's own.
    pub fn open_on(vendor: Vendor, models: &[&str], arguments: &[&str]) -> Self {
        let folder = manifest::folder();
        manifest::write_usual(&folder, vendor.address(), models);
        Self { gateway: Gateway::start(folder, arguments), vendor }
    }

    /// Asks once, on a connection of its own.
    pub fn ask(&self, ask: &Ask) -> Reply {
        let mut client = self.client();
        client.send(&ask.bytes());
        client.reply()
    }

    /// Asks, each time on a new connection, until the reply is as wanted; the last reply.
    pub fn ask_until(&self, ask: &Ask, is_wanted: impl Fn(&Reply) -> bool) -> Reply {
        let until = Instant::now() + DEADLINE;
        loop {
            let reply = self.ask(ask);
            if is_wanted(&reply) {
                return reply;
            }
            assert!(Instant::now() < until, "still {}: {}", reply.status, reply.text());
            std::thread::yield_now();
        }
    }

    /// Asks until a model that was just written is known.
    pub fn ask_until_known(&self, ask: &Ask) -> Reply {
        self.ask_until(ask, |reply| reply.status != 404)
    }

    pub fn client(&self) -> Client {
        Client::connect(self.gateway.address)
    }

    /// What `raw-NAME` answers from now on.
    pub fn teach(&self, name: &str, steps: Vec<Step>) {
        self.vendor.teach(name, steps);
    }

    /// The bodies of all requests the vendor saw.
    pub fn vendor_bodies(&self) -> Vec<String> {
        let bodies = self.vendor.log().into_iter().map(|seen| seen.body);
        bodies.map(|body| String::from_utf8_lossy(&body).into_owned()).collect()
    }
}

/// A vendor that answers at once, on a port of the system's choice.
pub fn vendor() -> Vendor {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
    Vendor::start(listener, Script::instant()).expect("a vendor starts")
}

/// The same, for load: it keeps no log.
pub fn forgetful_vendor() -> Vendor {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
    let mut script = Script::instant();
    script.forgets = true;
    Vendor::start(listener, script).expect("a vendor starts")
}

/// A whole answer as a vendor writes it, in one write.
pub fn answer(status: u16, kind: &str, body: &[u8]) -> Vec<Step> {
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {status} Said\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\n\r\n"
    );
    vec![Step::Send([head.as_bytes(), body].concat())]
}

/// The answer of a vendor that says it took so many tokens.
pub fn counted(input: u64, output: u64) -> Vec<Step> {
    let body = serde_json::json!({"id": "c1", "object": "chat.completion", "choices": [{"index": 0,
        "message": {"role": "assistant", "content": "Hi"}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": input, "completion_tokens": output,
            "total_tokens": input + output}});
    answer(200, "application/json", body.to_string().as_bytes())
}

/// The head of a chunked stream.
pub const STREAM_HEAD: &[u8] =
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";

/// A whole stream in writes of `size` bytes, each chunk `chunk` bytes of the body.
pub fn stream(body: &[u8], chunk: usize, size: usize) -> Vec<Step> {
    let mut bytes = STREAM_HEAD.to_vec();
    for part in body.chunks(chunk) {
        bytes.extend_from_slice(format!("{:x}\r\n", part.len()).as_bytes());
        bytes.extend_from_slice(part);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes.extend_from_slice(b"0\r\n\r\n");
    vec![Step::Split(bytes, size)]
}

/// One chunk of a stream.
pub fn chunk(body: &[u8]) -> Vec<u8> {
    [format!("{:x}\r\n", body.len()).as_bytes(), body, b"\r\n"].concat()
}

/// What the admin port answers the owner, who must be an admin or ask for his own.
pub fn admin_post(house: &House, path: &str, body: &serde_json::Value) -> serde_json::Value {
    let mut client = Client::connect(house.gateway.admin);
    client.send(&Ask::post(path, body.to_string()).header("connection", "close").bytes());
    let reply = client.reply();
    assert_eq!(reply.status, 200, "{}", reply.text());
    reply.json()
}
