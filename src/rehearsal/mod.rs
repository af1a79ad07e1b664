//! The scripted vendor: a small server that answers as told, in the languages of OpenAI,
//! Anthropic, AWS, Google and Cohere.
//!
//! `quickstart` puts it behind a gateway so that a fresh machine has something to talk to; tests
//! and load measurements use it as the far side of the wire. What it does is chosen by the model's
//! name: any plain name gets a believable, paced answer; words in the name (`trick.rs`) bend that
//! answer; `raw:NAME` answers with bytes registered beforehand. Whatever it is, an answer is a list
//! of `script::Step`s, and `play.rs` plays it.
//!
//! **Invariants**: knows no word of the gateway but its lexicon, and shares no encoder or decoder
//! with it: a mock built from our own encoder must not judge our own decoder. One thread serves all
//! connections. Nothing here is fit to face the open network.

mod bedrock;
mod canned;
mod chat;
mod cohere;
mod completion;
mod embedding;
mod endpoint;
mod frame;
mod gemini;
mod incoming;
mod line;
mod messages;
mod odd;
mod play;
mod responses;
pub mod script;
pub mod seen;
mod tool;
mod trick;
mod words;

use script::{Script, Step};
use seen::{Log, Seen};
use std::{
    collections::HashMap,
    io,
    net::{SocketAddr, TcpListener},
    os::unix::net::UnixStream,
    sync::{Arc, Mutex, PoisonError},
    thread::JoinHandle,
    time::Duration,
};

/// A running vendor; it stops, and its connections close, when this is dropped.
pub struct Vendor {
    address: SocketAddr,
    shared: Arc<Shared>,
    /// Its closing is what tells the thread to stop.
    stop: Option<UnixStream>,
    thread: Option<JoinHandle<()>>,
}

/// What the serving thread and the handle both see.
struct Shared {
    script: Script,
    raws: Mutex<HashMap<String, Arc<[Step]>>>,
    log: Log,
    /// The answers of a vendor under load.
    canned: Option<canned::Canned>,
}

impl Vendor {
    /// Serves on `listener` from a thread of its own.
    pub fn start(listener: TcpListener, script: Script) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let (stop, stopped) = UnixStream::pair()?;
        stopped.set_nonblocking(true)?;
        let raws = Mutex::new(script.raws.clone());
        let canned = script.canned_bytes.map(canned::Canned::of);
        let shared = Arc::new(Shared { script, raws, log: Log::default(), canned });
        let serving = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name("rehearsal".to_owned())
            .spawn(move || play::serve(listener, stopped, serving))?;
        Ok(Self { address, shared, stop: Some(stop), thread: Some(thread) })
    }

    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// From now on `raw:NAME` answers with these steps.
    pub fn teach(&self, name: &str, steps: Vec<Step>) {
        let mut raws = self.shared.raws.lock().unwrap_or_else(PoisonError::into_inner);
        raws.insert(name.to_owned(), steps.into());
    }

    /// Every request seen so far, in the order of arrival.
    #[must_use]
    pub fn log(&self) -> Vec<Seen> {
        self.shared.log.all()
    }

    /// Waits until `predicate` holds of the log; false when `within` passed first.
    pub fn wait_until(&self, within: Duration, predicate: impl FnMut(&[Seen]) -> bool) -> bool {
        self.shared.log.wait_until(within, predicate)
    }

    /// Does not return while the vendor serves.
    pub fn join(mut self) {
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Drop for Vendor {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
