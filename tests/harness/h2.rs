//! A client that speaks HTTP/2 and keeps its connection, over a runtime of its own.

use super::{
    DEADLINE,
    client::{Ask, Reply},
};
use bytes::Bytes;
use h2::{
    RecvStream, SendStream,
    client::{self, ResponseFuture, SendRequest},
};
use http::Request;
use std::{future::Future, net::SocketAddr, time::Duration};
use tokio::net::TcpStream;

/// Runs a test's own side; panics at the deadline.
pub fn run<T>(future: impl Future<Output = T>) -> T {
    run_within(DEADLINE, future)
}

/// The same with a deadline of its own.
pub fn run_within<T>(deadline: Duration, future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(async {
        let local = tokio::task::LocalSet::new();
        let done = local.run_until(tokio::time::timeout(deadline, future)).await;
        done.expect("it is done before the deadline")
    })
}

/// A connection by prior knowledge.
pub async fn connect(address: SocketAddr) -> SendRequest<Bytes> {
    connect_with(address, client::Builder::new()).await
}

pub async fn connect_with(address: SocketAddr, builder: client::Builder) -> SendRequest<Bytes> {
    let tcp = TcpStream::connect(address).await.expect("the port is open");
    tcp.set_nodelay(true).expect("a TCP socket");
    let (send, connection) = builder.handshake(tcp).await.expect("it speaks HTTP/2");
    tokio::task::spawn_local(async move {
        // How it ends is seen by its streams.
        let _ = connection.await;
    });
    send
}

/// Begins a request with all of its body.
pub async fn begin(
    send: &SendRequest<Bytes>,
    ask: &Ask,
) -> Result<(ResponseFuture, SendStream<Bytes>), h2::Error> {
    let mut request =
        Request::builder().method(ask.method.as_str()).uri(format!("http://weir.test{}", ask.path));
    for (name, value) in &ask.headers {
        request = request.header(name.to_ascii_lowercase(), value.as_str());
    }
    let request = request.body(()).expect("a request");
    let mut send = send.clone().ready().await?;
    let (response, mut stream) = send.send_request(request, ask.body.is_empty())?;
    if !ask.body.is_empty() {
        stream.send_data(ask.body.clone().into(), true)?;
    }
    Ok((response, stream))
}

/// Asks, and reads the whole reply.
pub async fn ask(send: &SendRequest<Bytes>, ask: &Ask) -> Result<Reply, h2::Error> {
    let (response, _stream) = begin(send, ask).await?;
    let (mut reply, mut body) = head(response).await?;
    read(&mut reply, &mut body).await?;
    Ok(reply)
}

/// The head of a reply; its body is still to come.
pub async fn head(response: ResponseFuture) -> Result<(Reply, RecvStream), h2::Error> {
    let (parts, body) = response.await?.into_parts();
    let text = |value: &http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let headers = parts.headers.iter().map(|(name, value)| (name.to_string(), text(value)));
    let (status, headers) = (parts.status.as_u16(), headers.collect());
    Ok((Reply { status, headers, body: Vec::new(), is_whole: false }, body))
}

/// Reads the rest of a body.
pub async fn read(reply: &mut Reply, body: &mut RecvStream) -> Result<(), h2::Error> {
    while let Some(data) = body.data().await {
        let data = data?;
        body.flow_control().release_capacity(data.len())?;
        reply.body.extend_from_slice(&data);
    }
    reply.is_whole = true;
    Ok(())
}
