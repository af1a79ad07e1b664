//! One stream of a client: one exchange, in a task of its own.

use crate::data_plane::{
    alarm::Ring,
    catch::catch,
    connection::{self, Next},
    core::{Core, Presence},
    exchange,
    http2::{
        client::{Streams, reply::Served, request},
        incoming::Incoming,
        outgoing::Piece,
        stream::Stream,
        transport::Traffic,
    },
    inbound::{Intake, Missed},
    keys::Memo,
    link::Link,
};
use h2::{RecvStream, server::SendResponse};
use http::{Method, Request};
use std::{cell::RefCell, future::poll_fn, pin::pin, rc::Rc, task::Poll};

/// A stream that counts while it lives.
pub struct Live(Rc<Streams>);

impl Live {
    pub fn new(streams: &Rc<Streams>) -> Self {
        streams.live.set(streams.live.get() + 1);
        Self(Rc::clone(streams))
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.0.live.set(self.0.live.get() - 1);
    }
}

/// A request and the way back, as one stream.
pub fn stream(
    request: Request<RecvStream>,
    respond: SendResponse<Piece>,
    traffic: &Rc<Traffic>,
) -> Rc<RefCell<Served>> {
    let (parts, body) = request.into_parts();
    let has_body = !body.is_end_stream();
    let (head, is_chunked) = request::write(&parts, has_body);
    let incoming = Incoming::new(head, has_body.then_some(body), is_chunked, traffic);
    let is_head = parts.method == Method::HEAD;
    Rc::new(RefCell::new(Served::new(incoming, respond, is_head, traffic)))
}

/// Serve a stream to its end, watching whether the client still wants it.
pub async fn serve(core: Rc<Core>, presence: Presence, stream: Rc<RefCell<Served>>, live: Live) {
    let link = Link::stream(Stream::Served(Rc::clone(&stream)));
    let mut answering = pin!(catch(answer(&core, &presence, link)));
    let mut is_gone = false;
    poll_fn(|context| {
        if let Poll::Ready(answered) = answering.as_mut().poll(context) {
            core.pulse.panics_total.add(u64::from(answered.is_err()));
            return Poll::Ready(());
        }
        // After the exchange has looked, for its beginning forgets earlier departures.
        if !is_gone && stream.borrow_mut().poll_gone(context).is_ready() {
            is_gone = true;
            presence.alarm.bell().ring(Ring::Departed);
        }
        Poll::Pending
    })
    .await;
    if is_gone && !stream.borrow().has_replied() {
        live.0.premature.set(live.0.premature.get() + 1);
    }
    stream.borrow_mut().finish();
    core.depart(&presence);
}

async fn answer(core: &Core, presence: &Presence, mut link: Link) {
    let mut intake = Intake::new(&core.body_memory, Vec::new());
    let arrived = intake.read_head(&mut link, &presence.alarm, &core.clock, &core.settings).await;
    match arrived {
        Ok(()) => {}
        Err(Missed::Closed) => return,
        Err(Missed::Refused(refused)) => {
            connection::refuse_bytes(core, presence, &mut link, refused).await;
            return;
        }
    }
    let mut memo = Memo::default();
    let exchange = exchange::serve(core, presence, &mut intake, &mut link, &mut memo);
    match catch(exchange).await {
        Ok(Next::KeepAlive | Next::Close | Next::Reset) => {}
        Err(_) => connection::tell_of_panic(core, presence, &mut link).await,
    }
}
