//! What takes posted messages: a server that answers as it is told and shows what it got.

use super::DEADLINE;
use serde_json::Value;
use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::mpsc::{Receiver, Sender, channel},
    thread,
};

/// A server; every request on a connection of its own.
pub struct Hook {
    pub address: SocketAddr,
    posts: Receiver<Post>,
    answers: Sender<(u16, &'static str)>,
}

/// One request.
#[derive(Debug)]
pub struct Post {
    pub path: String,
    pub authorization: Option<String>,
    pub body: Value,
}

impl Hook {
    /// Answers 200 and `ok` but for what it is told to.
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
        let address = listener.local_addr().expect("it is bound");
        let (sender, posts) = channel();
        let (answers, told) = channel();
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let answer = || told.try_recv().unwrap_or((200, "ok"));
                let Some(post) = take(stream, answer) else { continue };
                if sender.send(post).is_err() {
                    return;
                }
            }
        });
        Self { address, posts, answers }
    }

    /// What it answers next, once.
    pub fn answer(&self, status: u16, body: &'static str) {
        self.answers.send((status, body)).expect("it serves");
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// The next request.
    pub fn next(&self) -> Post {
        self.posts.recv_timeout(DEADLINE).expect("a message comes")
    }

    /// All that it got beyond what was asked for.
    pub fn rest(&self) -> Vec<Post> {
        self.posts.try_iter().collect()
    }
}

fn take(stream: TcpStream, answer: impl Fn() -> (u16, &'static str)) -> Option<Post> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let path = line.strip_prefix("POST ")?.split(' ').next()?.to_owned();
    let (mut length, mut authorization) = (0, None);
    loop {
        line.clear();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(": ") else { break };
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.parse().ok()?,
            "authorization" => authorization = Some(value.to_owned()),
            _ => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let body = serde_json::from_slice(&body).ok()?;
    let (status, text) = answer();
    let head = format!("HTTP/1.1 {status} Said\r\ncontent-length: {}\r\n", text.len());
    let reply = format!("{head}connection: close\r\n\r\n{text}");
    reader.get_mut().write_all(reply.as_bytes()).ok()?;
    Some(Post { path, authorization, body })
}
