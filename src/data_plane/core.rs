//! One core: a thread, a reactor, and all that its connections share.

use crate::{
    bridge::{
        lane,
        phase::{self, Phase},
        pulse::Pulse,
        quota::node::Node,
        receipts::writer::Writer,
        weather::Weather,
    },
    data_plane::{
        alarm::{Alarm, Bell, Ring, TICK_MS, Wheel},
        body_memory::BodyMemory,
        clock::Clock,
        connection,
        departures::Departures,
        descriptor,
        quota::Quota,
        trail::Ledger,
        upstream::{buffers::Buffers, connect::Connector, pool::Pools},
    },
    lexicon::{
        settings::{Driver, Settings},
        time::UnixMillis,
    },
    snapshot::Snapshot,
};
use monoio::{IoUringDriver, LegacyDriver, RuntimeBuilder, net::TcpListener};
use rustls::{RootCertStore, ServerConfig};
use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    io, net,
    rc::Rc,
    sync::Arc,
    task::{Poll, Waker},
    time::Duration,
};

/// The ticker's pace while nothing runs: coarse enough to cost nothing.
const IDLE_TICK_MS: u64 = 250;
/// How many connections that are too many are told so at one time; others are just closed.
const REFUSED_MAX: usize = 64;
/// How long an accept that failed (no descriptors left) waits before the next.
const ACCEPT_PAUSE_MS: u64 = 20;

/// All that a core is given at its start.
pub struct Setup {
    pub driver: Driver,
    pub settings: Settings,
    pub listeners: Vec<net::TcpListener>,
    pub tls: Option<Arc<ServerConfig>>,
    pub roots: Arc<RootCertStore>,
    pub body_memory: BodyMemory,
    pub snapshots: lane::Receiver<Snapshot>,
    pub weather: lane::Receiver<Weather>,
    pub receipts: Writer,
    /// The number of this core, and what all cores spend from.
    pub quota: (usize, Arc<Node>),
    pub pulse: Arc<Pulse>,
    pub phase: phase::Receiver,
}

/// What the connections of one core share.
pub struct Core {
    pub settings: Settings,
    pub clock: Clock,
    pub departures: Rc<Departures>,
    pub pulse: Arc<Pulse>,
    pub ledger: Ledger,
    pub pools: Pools,
    pub connector: Connector,
    pub buffers: Buffers,
    pub body_memory: BodyMemory,
    /// Connections that are being told that they are too many.
    pub refused: Cell<usize>,
    snapshots: RefCell<Newest<Snapshot>>,
    weather: RefCell<Newest<Weather>>,
    wheel: Rc<Wheel>,
    presences: RefCell<HashMap<u64, Known>>,
    arrivals: Cell<u64>,
    request_ids: Cell<[u64; 2]>,
    is_draining: Cell<bool>,
    ticker: RefCell<Option<Waker>>,
    last_one_out: RefCell<Option<Waker>>,
}

/// The newest value of a lane, as this core adopted it. It is counted by the core alone: an
/// exchange that holds it touches no cache line of another core.
#[expect(clippy::redundant_allocation, reason = "the Rc spares an atomic count a request")]
struct Newest<T> {
    receiver: lane::Receiver<T>,
    value: Rc<Arc<T>>,
}

/// A request id of ours: 32 hexadecimal digits.
#[derive(Clone, Copy)]
pub struct RequestId([u8; 32]);

impl RequestId {
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("digits are ASCII")
    }
}

/// What the core keeps of a connection: how to interrupt it, and whether it only waits.
struct Known {
    bell: Rc<Bell>,
    is_idle: Rc<Cell<bool>>,
}

/// One connection, to itself.
pub struct Presence {
    pub alarm: Alarm,
    pub is_idle: Rc<Cell<bool>>,
    /// Bytes of the present reply have left.
    pub has_replied: Cell<bool>,
    number: u64,
}

/// Run a core until it is told to close. `started` hears which driver runs, and why.
///
/// # Errors
/// No reactor can be built, or a listener cannot be watched.
pub fn run(setup: Setup, started: impl FnOnce(&'static str, &str)) -> io::Result<()> {
    if setup.driver == Driver::Epoll {
        started("epoll", "it was asked for");
    } else {
        let built = if monoio::utils::detect_uring() {
            RuntimeBuilder::<IoUringDriver>::new().enable_timer().build()
        } else {
            Err(io::Error::other("the kernel or a seccomp profile forbids io_uring"))
        };
        match built {
            Ok(mut runtime) => {
                setup.pulse.driver.set(1);
                started("io_uring", "the kernel allows it");
                return runtime.block_on(live(setup));
            }
            Err(error) if setup.driver == Driver::IoUring => return Err(error),
            Err(error) => started("epoll", &error.to_string()),
        }
    }
    setup.pulse.driver.set(2);
    let mut runtime = RuntimeBuilder::<LegacyDriver>::new().enable_timer().build()?;
    runtime.block_on(live(setup))
}

async fn live(setup: Setup) -> io::Result<()> {
    let Setup { listeners, tls, phase, .. } = &setup;
    let listeners = listeners
        .iter()
        .map(|listener| TcpListener::from_std(listener.try_clone()?).map(Rc::new))
        .collect::<io::Result<Vec<_>>>()?;
    let (tls, changed) = (tls.clone(), descriptor::watchable(phase.descriptor()?)?);
    let (core, phase) = Core::new(setup)?;
    let core = Rc::new(core);

    monoio::spawn(tick(Rc::clone(&core)));
    monoio::spawn(Rc::clone(&core.departures).run());
    for listener in &listeners {
        monoio::spawn(accept(Rc::clone(&core), Rc::clone(listener), tls.clone()));
    }
    while phase.get() == Phase::Serving {
        changed.readable(false).await?;
        phase.take();
    }
    core.drain(&listeners);
    drop(listeners);
    let mut closing = std::pin::pin!(async {
        while phase.get() != Phase::Closing {
            changed.readable(false).await?;
            phase.take();
        }
        core.close();
        std::future::pending::<io::Result<()>>().await
    });
    let mut alone = std::pin::pin!(core.alone());
    std::future::poll_fn(|context| match alone.as_mut().poll(context) {
        Poll::Ready(()) => Poll::Ready(Ok(())),
        Poll::Pending => closing.as_mut().poll(context),
    })
    .await
}

async fn accept(core: Rc<Core>, listener: Rc<TcpListener>, tls: Option<Arc<ServerConfig>>) {
    while !core.is_draining() {
        match listener.accept().await {
            Ok((tcp, _)) => {
                let refused = core.refused.get();
                let served = core.presences.borrow().len() - refused;
                if served < core.settings.bounds.connections_max {
                    monoio::spawn(connection::serve(Rc::clone(&core), tcp, tls.clone()));
                } else if refused < REFUSED_MAX && tls.is_none() {
                    core.refused.set(refused + 1);
                    monoio::spawn(connection::refuse(Rc::clone(&core), tcp));
                }
            }
            Err(_) if core.is_draining() => break,
            // No descriptors are left: those who leave make room.
            Err(_) => monoio::time::sleep(Duration::from_millis(ACCEPT_PAUSE_MS)).await,
        }
    }
}

/// Turn the wheel: finely while exchanges run, coarsely while none does.
async fn tick(core: Rc<Core>) {
    loop {
        let is_busy = core.pulse.exchanges_in_flight.get() > 0;
        let pause = Duration::from_millis(if is_busy { TICK_MS } else { IDLE_TICK_MS });
        let mut sleep = std::pin::pin!(monoio::time::sleep(pause));
        let mut was_polled = false;
        std::future::poll_fn(|context| {
            if !is_busy && !was_polled {
                *core.ticker.borrow_mut() = Some(context.waker().clone());
            }
            let is_woken = was_polled && !is_busy && core.ticker.borrow().is_none();
            was_polled = true;
            if is_woken { Poll::Ready(()) } else { sleep.as_mut().poll(context) }
        })
        .await;
        core.ticker.borrow_mut().take();
        let now = core.clock.now();
        core.wheel.turn(now);
        core.ledger.quota.borrow_mut().tidy(&core.clock);
        core.pulse.ring_free_blocks.set(core.ledger.writer.borrow().free_blocks() as u64);
        core.pulse.upstream_connections_idle.set(core.pools.sweep(now, &core.settings) as u64);
    }
}

impl Core {
    fn new(setup: Setup) -> io::Result<(Self, phase::Receiver)> {
        let clock = Clock::new();
        let wheel = Rc::new(Wheel::new(clock.now()));
        let mut seed = [0_u8; 16];
        getrandom::fill(&mut seed).map_err(|error| io::Error::other(error.to_string()))?;
        let [low, high] =
            [0, 8].map(|at| u64::from_le_bytes(*seed[at..].first_chunk().expect("16 bytes")));
        let core = Self {
            departures: Rc::new(Departures::new()?),
            pulse: setup.pulse,
            ledger: Ledger {
                writer: RefCell::new(setup.receipts),
                when_full: setup.settings.receipts_full,
                quota: RefCell::new(Quota::new(setup.quota.0, setup.quota.1, &clock)),
                panicked: RefCell::default(),
            },
            clock,
            settings: setup.settings,
            pools: Pools::default(),
            connector: Connector::new(setup.roots),
            buffers: Buffers::default(),
            body_memory: setup.body_memory,
            refused: Cell::new(0),
            snapshots: RefCell::new(Newest::new(setup.snapshots)),
            weather: RefCell::new(Newest::new(setup.weather)),
            wheel,
            presences: RefCell::new(HashMap::new()),
            arrivals: Cell::new(0),
            request_ids: Cell::new([low, high]),
            is_draining: Cell::new(false),
            ticker: RefCell::new(None),
            last_one_out: RefCell::new(None),
        };
        Ok((core, setup.phase))
    }

    /// What to obey from now on. An exchange keeps the snapshot it began with.
    pub fn snapshot(&self) -> Rc<Arc<Snapshot>> {
        let snapshot = self.snapshots.borrow_mut().look();
        self.pulse.snapshot_version.set(snapshot.version);
        snapshot
    }

    pub fn weather(&self) -> Rc<Arc<Weather>> {
        self.weather.borrow_mut().look()
    }

    pub fn is_draining(&self) -> bool {
        self.is_draining.get()
    }

    /// An exchange begins: timeouts must be seen to.
    pub fn wake_ticker(&self) {
        if let Some(waker) = self.ticker.borrow_mut().take() {
            waker.wake();
        }
    }

    /// For rehearsals (`--panic-on-model`): fail as a bug of ours would.
    pub fn rehearse_panic(&self, model: &str) {
        assert!(
            self.settings.panic_on_model.as_deref() != Some(model),
            "a rehearsed panic: an exchange named this model"
        );
    }

    /// Not to be guessed from outside, unique.
    pub fn new_request_id(&self, now: UnixMillis) -> RequestId {
        let [mut counter, key] = self.request_ids.get();
        counter = counter.wrapping_add(0x9e37_79b9_7f4a_7c15);
        self.request_ids.set([counter, key]);
        let mut mixed = counter ^ key;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let id = u128::from(mixed ^ (mixed >> 31)) << 64 | u128::from(now.0 ^ key);
        let nibbles = |byte: u8| [byte >> 4, byte & 15].map(usize::from);
        let mut digits = [0; 32];
        for (pair, byte) in digits.chunks_exact_mut(2).zip(id.to_be_bytes()) {
            pair.copy_from_slice(&nibbles(byte).map(|nibble| b"0123456789abcdef"[nibble]));
        }
        RequestId(digits)
    }

    /// A connection is here.
    pub fn arrive(&self) -> Presence {
        let number = self.arrivals.get();
        self.arrivals.set(number + 1);
        let alarm = Alarm::new(Rc::clone(&self.wheel));
        let is_idle = Rc::new(Cell::new(false));
        let known = Known { bell: Rc::clone(alarm.bell()), is_idle: Rc::clone(&is_idle) };
        let mut presences = self.presences.borrow_mut();
        presences.insert(number, known);
        self.pulse.connections_total.add(1);
        self.pulse.connections.set(presences.len() as u64);
        Presence { alarm, is_idle, has_replied: Cell::new(false), number }
    }

    /// A connection is no more.
    pub fn depart(&self, presence: &Presence) {
        let mut presences = self.presences.borrow_mut();
        presences.remove(&presence.number);
        self.pulse.connections.set(presences.len() as u64);
        if presences.is_empty()
            && let Some(waker) = self.last_one_out.borrow_mut().take()
        {
            waker.wake();
        }
    }

    /// Take no more, and let go of those who wait for nothing.
    fn drain(&self, listeners: &[Rc<TcpListener>]) {
        self.is_draining.set(true);
        for listener in listeners {
            // Wakes the pending accept; a listener that is gone needs no shutdown.
            let _ =
                rustix::net::shutdown(descriptor::lend(&**listener), rustix::net::Shutdown::Read);
        }
        for known in self.presences.borrow().values().filter(|known| known.is_idle.get()) {
            known.bell.ring(Ring::Closing);
        }
        self.pools.clear();
    }

    /// Break off what still runs.
    fn close(&self) {
        for known in self.presences.borrow().values() {
            known.bell.ring(Ring::Closing);
        }
    }

    /// Wait until no connection is left.
    async fn alone(&self) {
        std::future::poll_fn(|context| {
            if self.presences.borrow().is_empty() {
                return Poll::Ready(());
            }
            *self.last_one_out.borrow_mut() = Some(context.waker().clone());
            Poll::Pending
        })
        .await;
    }
}

impl<T: Default> Newest<T> {
    fn new(receiver: lane::Receiver<T>) -> Self {
        Self { receiver, value: Rc::new(Arc::new(T::default())) }
    }
}

impl<T> Newest<T> {
    #[expect(clippy::redundant_allocation, reason = "the Rc spares an atomic count a request")]
    fn look(&mut self) -> Rc<Arc<T>> {
        if let Some(newest) = self.receiver.changed() {
            self.value = Rc::new(newest);
        }
        Rc::clone(&self.value)
    }
}
