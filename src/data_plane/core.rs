//! One core: a thread, a reactor, and all that its connections share.

use crate::{
    bridge::{
        handover::Desk,
        health::Board,
        lane,
        phase::{self, Phase},
        pulse::Pulse,
        quota::node::Node,
        receipts::writer::Writer,
        weather::Weather,
    },
    data_plane::{
        accept::{self, Door},
        alarm::{Alarm, Bell, Ring, Wheel},
        body_memory::BodyMemory,
        clock::Clock,
        departures::Departures,
        descriptor,
        handover::{self, Mark, Parcel, Sharing},
        hedges::Hedges,
        http2::vendor::Uplinks,
        newest::Newest,
        peer::Peer,
        queues::Queues,
        quota::Quota,
        request_id::RequestId,
        targets::Targets,
        trail::Ledger,
        upstream::{buffers::Buffers, connect::Connector, pool::Pools},
        verdicts::Verdicts,
    },
    dialect::mold::answer::Answers,
    lexicon::{
        settings::{Driver, Settings},
        time::{Moment, UnixMillis},
    },
    snapshot::Snapshot,
};
use monoio::{IoUringDriver, LegacyDriver, RuntimeBuilder};
use rustls::{RootCertStore, ServerConfig};
use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    io,
    rc::Rc,
    sync::Arc,
    task::{Poll, Waker},
    time::{Duration, Instant},
};

/// How long a new connection may take to ask something when its core drains: longer than what a
/// client has sent already is on its way.
const FRESH_MS: u64 = 500;
/// How long after a drain begins another core may still give connections away.
const PARTING_MS: u64 = 100;
/// How long a rehearsed stall blocks its core: longer than others take to see it.
const REHEARSED_STALL: Duration = Duration::from_secs(3);

/// All that a core is given at its start.
pub struct Setup {
    pub driver: Driver,
    pub settings: Settings,
    /// By core, all of them: what waits at the doors of a stuck core is accepted by another.
    pub doors: Arc<Vec<Vec<Door>>>,
    /// What clients of TCP doors see; none is plain.
    pub tls: Option<lane::Receiver<ServerConfig>>,
    pub desk: Desk<Parcel>,
    /// By core.
    pub pulses: Arc<[Arc<Pulse>]>,
    pub began: Instant,
    pub roots: Arc<RootCertStore>,
    pub body_memory: BodyMemory,
    pub snapshots: lane::Receiver<Snapshot>,
    pub weather: lane::Receiver<Weather>,
    pub receipts: Writer,
    /// The number of this core, and what all cores spend from.
    pub quota: (usize, Arc<Node>),
    /// How targets fare.
    pub board: Arc<Board>,
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
    /// The last plain answers, by which those that are like them are read.
    pub answers: RefCell<Answers>,
    pub body_memory: BodyMemory,
    pub sharing: Sharing,
    pub targets: Targets,
    pub queues: Queues,
    pub hedges: Hedges,
    pub verdicts: RefCell<Verdicts>,
    pub doors: Arc<Vec<Vec<Door>>>,
    /// Connections that are being told that they are too many.
    pub refused: Cell<usize>,
    snapshots: RefCell<Newest<Snapshot>>,
    weather: RefCell<Newest<Weather>>,
    tls: Option<RefCell<Certificates>>,
    wheel: Rc<Wheel>,
    presences: RefCell<HashMap<u64, Known>>,
    /// How many of them are streams of a connection.
    streams: Cell<usize>,
    arrivals: Cell<u64>,
    request_ids: Cell<[u64; 2]>,
    is_draining: Cell<bool>,
    last_one_out: RefCell<Option<Waker>>,
}

/// The certificates that this core showed last.
struct Certificates {
    receiver: lane::Receiver<ServerConfig>,
    config: Option<Arc<ServerConfig>>,
}

/// What the core keeps of a connection: how to interrupt it, and whether it only waits.
struct Known {
    bell: Rc<Bell>,
    stage: Rc<Cell<Stage>>,
}

/// What a connection does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// It has not asked anything yet.
    Fresh,
    /// It waits between two requests.
    Idle,
    Busy,
}

impl Stage {
    /// Where the next request is awaited; `has_more` says that some of it is here.
    #[must_use]
    pub const fn of(has_more: bool, has_served: bool) -> Self {
        match (has_more, has_served) {
            (true, _) => Self::Busy,
            (false, true) => Self::Idle,
            (false, false) => Self::Fresh,
        }
    }
}

/// One connection, to itself.
pub struct Presence {
    pub alarm: Alarm,
    pub stage: Rc<Cell<Stage>>,
    /// Bytes of the present reply have left.
    pub has_replied: Cell<bool>,
    pub peer: Peer,
    pub mark: Mark,
    /// Requests that it may still send.
    pub requests_left: Cell<u64>,
    pub closes_at: Moment,
    number: u64,
    is_stream: bool,
}

impl Presence {
    pub fn count_request(&self) {
        self.requests_left.set(self.requests_left.get().saturating_sub(1));
    }

    /// May the connection carry another request after this one?
    pub fn may_go_on(&self, now: Moment) -> bool {
        self.requests_left.get() > 0 && now < self.closes_at
    }
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
            // Completions need not interrupt a core that will enter the kernel soon anyway.
            // Kernels before 5.19 do not know it.
            let mut quiet = io_uring::IoUring::builder();
            quiet.setup_coop_taskrun();
            let quiet = RuntimeBuilder::<IoUringDriver>::new().uring_builder(quiet);
            let plain = || RuntimeBuilder::<IoUringDriver>::new().enable_timer().build();
            quiet.enable_timer().build().or_else(|_| plain())
        } else {
            Err(io::Error::other("the kernel or a seccomp profile forbids io_uring"))
        };
        match built {
            Ok(mut runtime) => {
                setup.pulses[setup.desk.index()].driver.set(1);
                started("io_uring", "the kernel allows it");
                return runtime.block_on(live(setup));
            }
            Err(error) if setup.driver == Driver::IoUring => return Err(error),
            Err(error) => started("epoll", &error.to_string()),
        }
    }
    setup.pulses[setup.desk.index()].driver.set(2);
    let mut runtime = RuntimeBuilder::<LegacyDriver>::new().enable_timer().build()?;
    runtime.block_on(live(setup))
}

async fn live(setup: Setup) -> io::Result<()> {
    let changed = descriptor::watchable(setup.phase.descriptor()?)?;
    let (core, phase) = Core::new(setup)?;
    let core = Rc::new(core);

    // Others see it from now on, not from its first tick.
    core.sharing.turn();
    monoio::spawn(tick(Rc::clone(&core)));
    monoio::spawn(Rc::clone(&core.departures).run());
    monoio::spawn(handover::run(Rc::clone(&core)));
    for door in 0..core.doors[core.sharing.index()].len() {
        monoio::spawn(accept::run(Rc::clone(&core), door));
    }
    while phase.get() == Phase::Serving {
        changed.readable(false).await?;
        phase.take();
    }
    core.is_draining.set(true);
    monoio::spawn(Rc::clone(&core).drain());
    let mut closing = std::pin::pin!(async {
        while phase.get() != Phase::Closing {
            changed.readable(false).await?;
            phase.take();
        }
        core.close();
        std::future::pending::<io::Result<()>>().await
    });
    // What others gave before they knew comes in first.
    monoio::time::sleep(Duration::from_millis(PARTING_MS)).await;
    handover::take_own(&core);
    let mut alone = std::pin::pin!(core.alone());
    std::future::poll_fn(|context| match alone.as_mut().poll(context) {
        Poll::Ready(()) => Poll::Ready(Ok(())),
        Poll::Pending => closing.as_mut().poll(context),
    })
    .await
}

/// Turn the wheel: finely while exchanges run, else when something is due.
async fn tick(core: Rc<Core>) {
    loop {
        let is_busy = core.pulse.exchanges_in_flight.get() > 0;
        core.wheel.pause(is_busy, core.clock.now()).await;
        let now = core.clock.turn();
        core.wheel.turn(now);
        core.ledger.quota.borrow_mut().tidy(&core.clock);
        core.pulse.ring_free_blocks.set(core.ledger.writer.borrow().free_blocks() as u64);
        core.pulse.upstream_connections_idle.set(core.pools.sweep(now, &core.settings) as u64);
        core.sharing.turn();
        core.queues.turn(&core);
        handover::relieve(&core);
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
        let uplinks = Rc::<Uplinks>::default();
        let pulse = Arc::clone(&setup.pulses[setup.desk.index()]);
        let certificates = |receiver| RefCell::new(Certificates { receiver, config: None });
        let queues = Queues::new(setup.quota.0, Arc::clone(&setup.board));
        let targets = Targets::new(setup.quota.0, setup.board, low.rotate_left(32) ^ high);
        let core = Self {
            targets,
            queues,
            hedges: Hedges::default(),
            verdicts: RefCell::default(),
            departures: Rc::new(Departures::new()?),
            pulse,
            ledger: Ledger {
                writer: RefCell::new(setup.receipts),
                when_full: setup.settings.receipts_full,
                quota: RefCell::new(Quota::new(setup.quota.0, setup.quota.1, &clock)),
                panicked: RefCell::default(),
            },
            clock,
            settings: setup.settings,
            pools: Pools::new(Rc::clone(&uplinks)),
            connector: Connector::new(setup.roots, uplinks),
            buffers: Buffers::default(),
            answers: RefCell::default(),
            body_memory: setup.body_memory,
            sharing: Sharing::new(setup.desk, setup.pulses, setup.began),
            doors: setup.doors,
            refused: Cell::new(0),
            snapshots: RefCell::new(Newest::new(setup.snapshots)),
            weather: RefCell::new(Newest::new(setup.weather)),
            tls: setup.tls.map(certificates),
            wheel,
            presences: RefCell::new(HashMap::new()),
            streams: Cell::new(0),
            arrivals: Cell::new(0),
            request_ids: Cell::new([low, high]),
            is_draining: Cell::new(false),
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

    /// The node's clock at the last reading of this core's.
    pub fn node_ms(&self) -> u64 {
        let mut quota = self.ledger.quota.borrow_mut();
        quota.now(self.clock.recent(), self.clock.wall()).node.0
    }

    pub fn weather(&self) -> Rc<Arc<Weather>> {
        self.weather.borrow_mut().look()
    }

    /// What a client that shakes hands now shall see. **Cost**: one atomic load, and one count.
    pub fn tls(&self) -> Option<Arc<ServerConfig>> {
        let mut certificates = self.tls.as_ref()?.borrow_mut();
        if let Some(newest) = certificates.receiver.changed() {
            certificates.config = Some(newest);
        }
        certificates.config.clone()
    }

    /// Does it poll for readiness (epoll), so that its sockets must not block?
    pub fn is_polled(&self) -> bool {
        self.pulse.driver.get() == 2
    }

    /// How many connections are here, without the streams of those that have some.
    pub fn connections(&self) -> usize {
        self.presences.borrow().len() - self.streams.get()
    }

    pub fn is_draining(&self) -> bool {
        self.is_draining.get()
    }

    pub fn draining(&self) -> &Cell<bool> {
        &self.is_draining
    }

    /// An alarm of one's own, for what no client waits for by itself.
    pub fn alarm(&self) -> Alarm {
        Alarm::new(Rc::clone(&self.wheel))
    }

    /// An exchange begins: timeouts must be seen to.
    pub fn wake_ticker(&self) {
        self.wheel.wake_ticker();
    }

    /// For rehearsals (`--panic-on-model`, `--stall-on-model`): fail as a bug of ours would, or
    /// hang.
    pub fn rehearse(&self, model: &str) {
        assert!(
            self.settings.panic_on_model.as_deref() != Some(model),
            "a rehearsed panic: an exchange named this model"
        );
        if self.settings.stall_on_model.as_deref() == Some(model) {
            std::thread::sleep(REHEARSED_STALL);
        }
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
        RequestId::of(id)
    }

    /// A connection is here.
    pub fn arrive(&self, parcel: &Parcel) -> Presence {
        // What it waits for first is counted from here on.
        self.clock.now();
        let presence = self.welcome(Peer::default(), false);
        self.pulse.connections.set(self.connections() as u64);
        let (requests_left, age_ms) = if let Some(kept) = &parcel.kept {
            (kept.requests_left, kept.closes_in_ms)
        } else {
            self.pulse.connections_total.add(1);
            let most = self.settings.bounds.connection_requests_max;
            (most, self.jittered(self.settings.timeouts.connection_age_ms, presence.number))
        };
        presence.requests_left.set(requests_left);
        Presence { closes_at: self.clock.now().plus_millis(age_ms), ..presence }
    }

    /// A stream of a connection is here. `None` where there are as many as connections may be.
    pub fn attend(&self, connection: &Presence) -> Option<Presence> {
        let streams = self.streams.get();
        (streams < self.settings.bounds.connections_max).then(|| {
            self.streams.set(streams + 1);
            self.welcome(connection.peer.clone(), true)
        })
    }

    fn welcome(&self, peer: Peer, is_stream: bool) -> Presence {
        let number = self.arrivals.get();
        self.arrivals.set(number + 1);
        let alarm = Alarm::new(Rc::clone(&self.wheel));
        let stage = Rc::new(Cell::new(Stage::Busy));
        let known = Known { bell: Rc::clone(alarm.bell()), stage: Rc::clone(&stage) };
        self.presences.borrow_mut().insert(number, known);
        Presence {
            alarm,
            stage,
            has_replied: Cell::new(false),
            peer,
            mark: Mark::default(),
            requests_left: Cell::new(u64::MAX),
            closes_at: Moment(u64::MAX),
            number,
            is_stream,
        }
    }

    /// Up to a tenth less, so that connections that came together do not leave together.
    fn jittered(&self, millis: u64, number: u64) -> u64 {
        let mixed = (number ^ self.request_ids.get()[1]).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        millis - millis / 10 / 256 * (mixed >> 56)
    }

    /// A connection, or a stream, is no more.
    pub fn depart(&self, presence: &Presence) {
        self.presences.borrow_mut().remove(&presence.number);
        if presence.is_stream {
            self.streams.set(self.streams.get() - 1);
        } else {
            self.pulse.connections.set(self.connections() as u64);
        }
        if self.presences.borrow().is_empty()
            && let Some(waker) = self.last_one_out.borrow_mut().take()
        {
            waker.wake();
        }
    }

    /// Take no more, and let go of those who wait for nothing.
    async fn drain(self: Rc<Self>) {
        self.is_draining.set(true);
        accept::close(&self);
        self.let_go(Stage::Idle);
        self.pools.clear();
        monoio::time::sleep(Duration::from_millis(FRESH_MS)).await;
        self.let_go(Stage::Fresh);
    }

    fn let_go(&self, stage: Stage) {
        for known in self.presences.borrow().values().filter(|it| it.stage.get() == stage) {
            known.bell.ring(Ring::Closing);
        }
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
