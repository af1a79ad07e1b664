//! A vendor that speaks HTTP/2: what it does stands in the model's name.

use super::frames::{Frame, HEADERS, Peer, SETTINGS};
use bytes::Bytes;
use h2::{Reason, RecvStream, SendStream, server};
use http::{HeaderMap, HeaderValue, Request, Response};
use std::{
    net::{SocketAddr, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc::{Receiver, Sender, channel},
    },
    thread,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpListener,
};

/// What a chat gets.
pub const COMPLETION: &str = r#"{"id":"c","object":"chat.completion","choices":[{"index":0,"message":{"role":"assistant","content":"Hi"},"finish_reason":"stop"}],"usage":{"prompt_tokens":3,"completion_tokens":1,"total_tokens":4}}"#;

/// The events of a stream; `[DONE]` is one of them.
pub const EVENTS: [&str; 4] = [
    r#"{"id":"c","object":"chat.completion.chunk","choices":[{"index":0,"delta":{"role":"assistant","content":"Hi"},"finish_reason":null}]}"#,
    r#"{"id":"c","object":"chat.completion.chunk","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#,
    r#"{"id":"c","object":"chat.completion.chunk","choices":[],"usage":{"prompt_tokens":3,"completion_tokens":1,"total_tokens":4}}"#,
    "[DONE]",
];

/// What the vendor tells of.
#[derive(Debug)]
pub enum Told {
    /// A whole request, and the number of its connection.
    Asked { connection: usize, request: Box<Request<()>>, body: Vec<u8> },
    /// A call was taken back, with this code.
    Reset(u32),
}

/// A running vendor; it ends with the test's process.
pub struct H2Vendor {
    pub address: SocketAddr,
    pub told: Receiver<Told>,
    pub connections: Arc<AtomicUsize>,
}

/// How a vendor greets.
#[derive(Clone, Default)]
pub struct Manner {
    /// The window of each stream that it opens to us.
    pub window: Option<u32>,
    pub streams_max: Option<u32>,
}

pub fn start(manner: Manner) -> H2Vendor {
    let (teller, told) = channel();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
    listener.set_nonblocking(true).expect("a socket");
    let address = listener.local_addr().expect("bound");
    let connections = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&connections);
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let local = tokio::task::LocalSet::new();
        local.block_on(&runtime.expect("a runtime"), async move {
            let listener = TcpListener::from_std(listener).expect("a listener");
            while let Ok((tcp, _)) = listener.accept().await {
                let number = counted.fetch_add(1, Ordering::SeqCst);
                tcp.set_nodelay(true).expect("a TCP socket");
                let (teller, manner) = (teller.clone(), manner.clone());
                tokio::task::spawn_local(converse(tcp, number, manner, teller));
            }
        });
    });
    H2Vendor { address, told, connections }
}

async fn converse<T: AsyncRead + AsyncWrite + Unpin + 'static>(
    tcp: T,
    number: usize,
    manner: Manner,
    teller: Sender<Told>,
) {
    let mut builder = server::Builder::new();
    if let Some(window) = manner.window {
        builder.initial_window_size(window);
    }
    if let Some(streams) = manner.streams_max {
        builder.max_concurrent_streams(streams);
    }
    let Ok(mut connection) = builder.handshake::<_, Bytes>(tcp).await else { return };
    while let Some(Ok((request, respond))) = connection.accept().await {
        let teller = teller.clone();
        tokio::task::spawn_local(async move {
            // A call that is taken back ends this in its midst.
            let _ = answer(request, respond, number, teller).await;
        });
    }
}

async fn answer(
    request: Request<RecvStream>,
    mut respond: server::SendResponse<Bytes>,
    connection: usize,
    teller: Sender<Told>,
) -> Result<(), h2::Error> {
    let (parts, mut incoming) = request.into_parts();
    let mut body = Vec::new();
    while let Some(data) = incoming.data().await {
        let data = data?;
        incoming.flow_control().release_capacity(data.len())?;
        body.extend_from_slice(&data);
    }
    let text = String::from_utf8_lossy(&body).into_owned();
    let has = |word: &str| text.contains(word);
    let request = Box::new(Request::from_parts(parts, ()));
    let _ = teller.send(Told::Asked { connection, request, body });
    if has("refuse-first") && connection == 0 {
        respond.send_reset(Reason::REFUSED_STREAM);
        return Ok(());
    }
    if has("refuse-always") {
        respond.send_reset(Reason::REFUSED_STREAM);
        return Ok(());
    }
    if has("fail-before") {
        respond.send_reset(Reason::INTERNAL_ERROR);
        return Ok(());
    }
    if has("hang") {
        let code = std::future::poll_fn(|context| respond.poll_reset(context)).await?;
        let _ = teller.send(Told::Reset(code.into()));
        return Ok(());
    }
    let is_stream = text.contains(r#""stream":true"#);
    let kind = if is_stream { "text/event-stream" } else { "application/json" };
    let response = Response::builder().status(200).header("content-type", kind);
    let mut stream = respond.send_response(response.body(()).expect("a head"), false)?;
    if is_stream {
        return speak(&mut stream, &has, teller).await;
    }
    let body = if has("large") { large() } else { COMPLETION.as_bytes().to_vec() };
    if has("cut") {
        stream.send_data(body[..20].to_vec().into(), false)?;
        stream.send_reset(Reason::INTERNAL_ERROR);
        return Ok(());
    }
    let has_trailers = has("trailers");
    stream.send_data(body.into(), !has_trailers)?;
    if has_trailers {
        let mut trailers = HeaderMap::new();
        trailers.insert("x-check", HeaderValue::from_static("1"));
        stream.send_trailers(trailers)?;
    }
    Ok(())
}

async fn speak(
    stream: &mut SendStream<Bytes>,
    has: &impl Fn(&str) -> bool,
    teller: Sender<Told>,
) -> Result<(), h2::Error> {
    let event = |data: &str| Bytes::from(format!("data: {data}\n\n"));
    stream.send_data(event(EVENTS[0]), false)?;
    if has("cut") {
        // A moment for the event to leave before the reset overtakes it.
        tokio::task::yield_now().await;
        let room = std::future::poll_fn(|context| {
            stream.reserve_capacity(1);
            stream.poll_capacity(context)
        });
        room.await;
        stream.send_reset(Reason::INTERNAL_ERROR);
        return Ok(());
    }
    if has("linger") {
        let code = std::future::poll_fn(|context| stream.poll_reset(context)).await?;
        let _ = teller.send(Told::Reset(code.into()));
        return Ok(());
    }
    if has("endless") {
        // Until the other side takes no more, and then for as long as it stays.
        let more = event(EVENTS[0]);
        loop {
            stream.reserve_capacity(more.len());
            match std::future::poll_fn(|context| stream.poll_capacity(context)).await {
                Some(Ok(room)) if room >= more.len() => stream.send_data(more.clone(), false)?,
                Some(Ok(_)) => {}
                _ => return Ok(()),
            }
        }
    }
    for data in &EVENTS[1..] {
        stream.send_data(event(data), false)?;
    }
    stream.send_data(Bytes::new(), true)
}

/// A completion of half a mebibyte.
pub fn large() -> Vec<u8> {
    COMPLETION.replace("Hi", &"x".repeat(512 << 10)).into_bytes()
}

/// A vendor of hand-written frames: `script` plays each connection, with its number.
pub fn by_hand(script: impl Fn(usize, Peer) + Send + Sync + 'static) -> SocketAddr {
    by_hand_over(|tcp| Some(Peer::new(tcp)), script)
}

/// The same over what `secure` makes of a socket; `None` where that says it all.
pub fn by_hand_over(
    secure: impl Fn(TcpStream) -> Option<Peer> + Send + Sync + 'static,
    script: impl Fn(usize, Peer) + Send + Sync + 'static,
) -> SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
    let address = listener.local_addr().expect("bound");
    let script = Arc::new((secure, script));
    // Ends with the test's process.
    thread::spawn(move || {
        for (number, tcp) in listener.incoming().flatten().enumerate() {
            let script = Arc::clone(&script);
            thread::spawn(move || {
                let (secure, script) = &*script;
                let Some(mut peer) = secure(tcp) else { return };
                peer.expect_preface();
                script(number, peer);
            });
        }
    });
    address
}

/// Greets as a server, and awaits the next call's HEADERS and its end.
pub fn next_call(peer: &mut Peer, settings: &[u8]) -> Option<Frame> {
    peer.send(SETTINGS, 0, 0, settings);
    let head = peer.until(|frame| frame.kind == HEADERS)?;
    if !head.is_last() {
        peer.until(Frame::is_last)?;
    }
    Some(head)
}

/// Answers a call by hand: HEADERS, DATA.
pub fn complete(peer: &mut Peer, stream: u32) {
    use super::frames::{DATA, END_HEADERS, END_STREAM, block};
    let head = block(&[(":status", "200"), ("content-type", "application/json")]);
    peer.send(HEADERS, END_HEADERS, stream, &head);
    peer.send(DATA, END_STREAM, stream, COMPLETION.as_bytes());
}
