//! Our connections to vendors that speak HTTP/2: one an endpoint and core while it has room.

pub mod call;
mod request;
mod uplink;

use crate::{
    data_plane::{http2::stream::Stream, link::Link},
    lexicon::{ids::EndpointKey, settings::Settings, time::Moment},
    provider::target::Endpoint,
};
use call::Asked;
use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    future::poll_fn,
    rc::Rc,
    task::{Poll, Waker},
};
use uplink::Uplink;

/// A core's shared connections, by endpoint.
#[derive(Default)]
pub struct Uplinks(RefCell<HashMap<EndpointKey, Rc<Place>>>);

/// What is known of one endpoint.
#[derive(Default)]
struct Place {
    uplinks: RefCell<Vec<Rc<Uplink>>>,
    /// Someone connects; who else wants to may share it.
    is_connecting: Cell<bool>,
    waiting: RefCell<Vec<Waker>>,
    /// It was asked for HTTP/2 and chose HTTP/1.1: nothing will be shared, and nobody waits.
    prefers_http1: Cell<bool>,
}

/// The right to connect to an endpoint, until it is dropped.
pub struct Turn(Option<Rc<Place>>);

impl Uplinks {
    /// A stream of an open connection, where one has room.
    pub fn take(&self, key: EndpointKey) -> Option<Link> {
        let place = Rc::clone(self.0.borrow().get(&key)?);
        let mut uplinks = place.uplinks.borrow_mut();
        uplinks.retain(|uplink| uplink.is_open());
        let uplink = uplinks.iter().find(|uplink| uplink.has_room())?;
        Some(Link::stream(Stream::Asked(Box::new(Asked::new(uplink)))))
    }

    /// Wait until nobody else connects to this endpoint.
    pub async fn turn(&self, key: EndpointKey) -> Turn {
        let place = Rc::clone(self.0.borrow_mut().entry(key).or_default());
        poll_fn(|context| {
            if place.prefers_http1.get() {
                return Poll::Ready(Turn(None));
            }
            if !place.is_connecting.replace(true) {
                return Poll::Ready(Turn(Some(Rc::clone(&place))));
            }
            let mut waiting = place.waiting.borrow_mut();
            if !waiting.iter().any(|known| known.will_wake(context.waker())) {
                waiting.push(context.waker().clone());
            }
            Poll::Pending
        })
        .await
    }

    /// Make of a fresh connection what the vendor chose: a shared one, or as it is.
    pub async fn adopt(&self, link: Link, endpoint: &Endpoint) -> std::io::Result<Link> {
        let place = Rc::clone(self.0.borrow_mut().entry(endpoint.key).or_default());
        let speaks_http2 = endpoint.tls.is_none() || link.negotiated_http2();
        place.prefers_http1.set(!speaks_http2);
        if !speaks_http2 {
            return Ok(link);
        }
        let uplink = uplink::open(link, endpoint).await?;
        let stream = Stream::Asked(Box::new(Asked::new(&uplink)));
        place.uplinks.borrow_mut().push(uplink);
        Ok(Link::stream(stream))
    }

    /// Let go of those on which nothing ran for too long; how many wait for their next call.
    pub fn sweep(&self, now: Moment, settings: &Settings) -> usize {
        let mut idle = 0;
        self.0.borrow_mut().retain(|_, place| {
            let mut uplinks = place.uplinks.borrow_mut();
            uplinks.retain(|uplink| {
                let is_kept = uplink.is_open() && uplink.is_wanted(now, settings);
                idle += usize::from(is_kept && uplink.is_idle());
                is_kept
            });
            !uplinks.is_empty() || Rc::strong_count(place) > 1 || place.prefers_http1.get()
        });
        idle
    }

    /// Let go of all; calls that run go on.
    pub fn clear(&self) {
        self.0.borrow_mut().clear();
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if let Some(place) = self.0.take() {
            place.is_connecting.set(false);
            place.waiting.borrow_mut().drain(..).for_each(Waker::wake);
        }
    }
}
