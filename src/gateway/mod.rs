//! Builds the bridge, starts both planes, waits, drains.
//!
//! `serve` is `weir serve`; `quickstart.rs` makes the configuration and the vendor that `weir
//! quickstart` needs, and serves the same way; `surroundings.rs` finds vendors in the environment.
//!
//! **Invariants**: nothing is decided here about a request. What fails at start-up fails before the
//! first connection is accepted, with words for a person.

mod cores;
mod descriptors;
pub mod quickstart;
mod shutdown;
mod surroundings;

use crate::{
    bridge::{
        health::Board,
        phase::{self, Phase},
        pulse::Pulse,
        quota::node::Node,
        receipts::{data_dir::DataDir, writer::Writer},
    },
    control_plane::{
        admin,
        alerts::Alerts,
        certificates::{self, Certificates},
        clocks::{self, Marks, Reading},
        journal::{self, Journal, access_log::AccessLog, store::Limits},
        load::{load, now},
        publisher::Publisher,
        quota,
        secrets::SecretSource,
        targets::{self, Targets},
        telemetry::{self, Telemetry},
        usage::Book,
    },
    lexicon::{
        listen::Listen,
        problem::Problem,
        settings::{Driver, Settings},
    },
};
use anyhow::{Context, anyhow};
use std::{
    net::SocketAddr,
    path::PathBuf,
    sync::{Arc, atomic::AtomicU64},
    time::Duration,
};

/// The last receipts may take this long to reach the store.
const LAST_RECEIPTS: Duration = Duration::from_secs(5);

/// Everything an operator may say to `weir serve`.
#[derive(Clone, Debug)]
pub struct Options {
    pub config: PathBuf,
    pub secrets_dir: Option<PathBuf>,
    pub data_dir: PathBuf,
    pub listen: Vec<Listen>,
    /// Permissions of the files of Unix sockets.
    pub unix_mode: u32,
    pub admin_listen: SocketAddr,
    pub cores: usize,
    pub driver: Driver,
    pub tls: Option<certificates::Files>,
    pub drain_timeout: Duration,
    pub ring_bytes: u64,
    pub meters_max: usize,
    pub store: Limits,
    pub access_log: bool,
    pub settings: Settings,
}

/// How serving ended.
#[derive(Debug)]
pub enum Ended {
    /// Asked to, and everything is in order.
    Drained,
    /// Asked twice.
    Hurried,
    /// The configuration cannot be obeyed: nothing was started.
    Problems(Vec<Problem>),
}

/// What carries receipts, and what counts them.
struct Books {
    writers: Vec<Writer>,
    journal: Journal,
    telemetry: Arc<Telemetry>,
    book: Arc<Book>,
    access_log_dropped: Option<Arc<AtomicU64>>,
}

/// Serve until told to stop. `ready` hears where.
///
/// # Errors
/// Whatever keeps the gateway from starting, or a core that fails.
pub fn serve(
    options: &Options,
    ready: impl FnOnce(&[Listen], SocketAddr),
) -> anyhow::Result<Ended> {
    let secrets = SecretSource { folder: options.secrets_dir.clone() };
    let loaded = match load(&options.config, &secrets, now()) {
        Ok(loaded) => loaded,
        Err(problems) => return Ok(Ended::Problems(problems)),
    };
    let certificates = match options.tls.clone().map(Certificates::start).transpose() {
        Ok(certificates) => certificates,
        Err(problems) => return Ok(Ended::Problems(problems)),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let publisher = Publisher::start(options.config.clone(), secrets, loaded).await;
        live(options, publisher, certificates, ready).await
    })
}

async fn live(
    options: &Options,
    publisher: Publisher,
    certificates: Option<Certificates>,
    ready: impl FnOnce(&[Listen], SocketAddr),
) -> anyhow::Result<Ended> {
    // Listen first: of two gateways on one port the second must leave everything alone.
    let (listens, socket_files, doors) = cores::open_doors(options)?.split();
    let (admin_listener, admin_listen) = open_admin_door(options).await?;
    let dir = DataDir::lock(&options.data_dir)
        .with_context(|| format!("the data directory {}", options.data_dir.display()))?;
    let books = open_books(options, &dir, &publisher)?;
    let epoch = books.writers.first().map_or(0, Writer::epoch);

    let pulses: Vec<_> = (0..options.cores).map(|_| Arc::new(Pulse::default())).collect();
    let (phases, receivers) = phase::lane(options.cores)?;
    let phases = Arc::new(phases);
    let (quota, board, clocks) = open_shared(options, &dir, &publisher, (&books.book, epoch))?;
    let supply = cores::Supply {
        publisher: &publisher,
        certificates: certificates.as_ref(),
        writers: books.writers,
        pulses: pulses.clone(),
        phases: receivers,
        quota: &quota,
        board: &board,
    };
    let mut running = cores::start(options, doors, supply)?;
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let alerts = Alerts::open(dir.path(), Arc::clone(&books.book), publisher.subscribe().0);
    let shared = (Arc::clone(&board), Arc::clone(&quota));
    let sources = sources((&books.journal, &books.book), &alerts, shared, &publisher);
    let access_log_dropped = books.access_log_dropped;
    let sources = telemetry::Sources { pulses, access_log_dropped, ..sources };
    let state = admin::AdminState {
        readiness: readiness(&phases),
        config_report: report(&publisher),
        callers: admin::Callers::new(publisher.subscribe().0, None),
        telemetry: books.telemetry,
        sources,
        book: books.book,
        edits: publisher.edits(),
    };
    let watching = tokio::spawn(watch(publisher, certificates, (alerts, clocks), stopped.clone()));
    let serving = tokio::spawn(admin::serve(admin_listener, state, told(stopped)));
    // Whoever hears that it is ready may stop it at once.
    let signals = shutdown::Signals::new()?;
    ready(&listens, admin_listen);

    let ended = shutdown::wait(signals, &phases, &mut running, options.drain_timeout).await;
    if matches!(ended, Ok(Ended::Hurried)) {
        // What is open is found in the ring by the next start.
        return ended;
    }
    phases.set(Phase::Closing);
    drop(socket_files);
    running.join().await?;
    // Every core has filed what it had: what the ring holds now is all there is.
    let left = books.journal.stop(LAST_RECEIPTS);
    if left > 0 {
        tracing::error!(left, "receipts stay in the ring until the next start");
    }
    stop.send_replace(true);
    let (watched, served) = tokio::join!(watching, serving);
    watched?;
    served??;
    ended
}

/// Where the metrics come from, but for the cores' pulses and the access log.
fn sources(
    (journal, book): (&Journal, &Arc<Book>),
    alerts: &Alerts,
    (board, quota): (Arc<Board>, Arc<Node>),
    publisher: &Publisher,
) -> telemetry::Sources {
    telemetry::Sources {
        pulses: Vec::new(),
        journal: journal.health(),
        access_log_dropped: None,
        book: Arc::clone(book),
        config: numbers(publisher),
        quota: Some(Arc::clone(&quota)),
        alerts: alerts.counts(),
        targets: targets(board, quota, publisher),
    }
}

async fn open_admin_door(
    options: &Options,
) -> anyhow::Result<(tokio::net::TcpListener, SocketAddr)> {
    let listener = admin::bind(options.admin_listen)
        .await
        .with_context(|| format!("cannot listen on {}", options.admin_listen))?;
    let address = listener.local_addr()?;
    Ok((listener, address))
}

fn open_books(options: &Options, dir: &DataDir, publisher: &Publisher) -> anyhow::Result<Books> {
    let book = Book::new(dir.path(), publisher.subscribe().0);
    let keys = std::env::var("LLM_GATEWAY_METADATA_LOGGING_KEYS").ok();
    let keys = keys.map_or(Ok(Vec::new()), |keys| telemetry::metadata_keys(&keys));
    let telemetry = Telemetry::new(keys.map_err(|error| anyhow!(error))?);
    let mut observers = vec![telemetry.observer(), book.observer()];
    let mut access_log_dropped = None;
    if options.access_log {
        let log = AccessLog::start(std::io::stdout())?;
        access_log_dropped = Some(log.dropped_total());
        observers.push(Box::new(log));
    }
    let ring = (options.ring_bytes, u16::try_from(options.cores).context("--cores")?);
    let (writers, journal) = journal::begin(dir, ring, options.store, observers)
        .with_context(|| format!("the receipts in {}", dir.path().display()))?;
    Ok(Books { writers, journal, telemetry, book, access_log_dropped })
}

/// What all cores share: the limits, with what the last process counted of them (the ring is in the
/// store by now), and how targets fare.
fn open_shared(
    options: &Options,
    dir: &DataDir,
    publisher: &Publisher,
    (book, epoch): (&Book, u64),
) -> anyhow::Result<(Arc<Node>, Arc<Board>, clocks::Keeper)> {
    let snapshot = publisher.subscribe().0.changed().context("there is a snapshot")?;
    let place = || format!("the receipts in {}", dir.path().display());
    let mut pasts = book.open(epoch, now()).with_context(place)?;
    let (marks, births, now) = (Marks::read(dir.path()), book.births(), Reading::now());
    let recall = quota::Recall { snapshot: &snapshot, marks: &marks, births: &births, now: &now };
    pasts.extend(recall.read(dir.path()).with_context(place)?);
    let quota = Node::new(options.cores, options.meters_max, pasts);
    let clocks = clocks::Keeper::begin(dir.path(), marks, epoch).with_context(place)?;
    Ok((quota, Arc::new(Board::new(options.cores)), clocks))
}

fn readiness(phases: &Arc<phase::Sender>) -> Arc<dyn Fn() -> Option<String> + Send + Sync> {
    let phases = Arc::clone(phases);
    Arc::new(move || (phases.get() != Phase::Serving).then(|| "draining".to_owned()))
}

fn report(publisher: &Publisher) -> Arc<dyn Fn() -> serde_json::Value + Send + Sync> {
    let status = publisher.status();
    Arc::new(move || serde_json::to_value(status.report()).unwrap_or_default())
}

fn numbers(publisher: &Publisher) -> Arc<dyn Fn() -> telemetry::ConfigNumbers + Send + Sync> {
    let status = publisher.status();
    Arc::new(move || {
        let report = status.report();
        telemetry::ConfigNumbers { version: report.version, failures_total: report.failures_total }
    })
}

fn targets(
    board: Arc<Board>,
    node: Arc<Node>,
    publisher: &Publisher,
) -> Arc<dyn Fn() -> targets::Table + Send + Sync> {
    let targets = Targets::new(board, node, publisher.subscribe().0);
    Arc::new(move || targets.table())
}

async fn watch(
    publisher: Publisher,
    certificates: Option<Certificates>,
    (alerts, clocks): (Alerts, clocks::Keeper),
    stopped: tokio::sync::watch::Receiver<bool>,
) {
    let mut triggers = vec![publisher.trigger()];
    triggers.extend(certificates.as_ref().map(Certificates::trigger));
    let status = publisher.status();
    let stop = told(stopped.clone());
    let certified = async {
        match certificates {
            Some(certificates) => certificates.run(status, stop).await,
            None => stop.await,
        }
    };
    let published = publisher.run(told(stopped.clone()));
    let alerted = alerts.run(told(stopped.clone()));
    let kept = clocks.run(told(stopped));
    tokio::select! {
        ((), (), (), ()) = async { tokio::join!(published, certified, alerted, kept) } => {}
        () = shutdown::reload_on_hangup(triggers) => {}
    }
}

async fn told(mut stopped: tokio::sync::watch::Receiver<bool>) {
    // An error means that the sender is gone: that is a stop too.
    let _ = stopped.wait_for(|stopped| *stopped).await;
}
