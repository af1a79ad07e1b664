//! The threads of the data plane, from here.

use crate::{
    bridge::{
        handover, health::Board, phase, pulse::Pulse, quota::node::Node, receipts::writer::Writer,
    },
    control_plane::{certificates::Certificates, publisher::Publisher},
    data_plane::{
        self,
        accept::Door,
        body_memory::BodyMemory,
        core::{self, Setup},
        listener::SocketFile,
        tls,
    },
    gateway::{Options, descriptors},
    lexicon::listen::Listen,
};
use anyhow::{Context, anyhow};
use std::{sync::Arc, thread, time::Instant};
use tokio::sync::mpsc;

/// Where clients come in.
pub struct Doors {
    /// With the ports that the kernel chose where 0 was asked for.
    listens: Vec<Listen>,
    /// Removed when the gateway ends.
    files: Vec<SocketFile>,
    by_core: Vec<Vec<Door>>,
}

/// What the cores are given from the control plane.
pub struct Supply<'a> {
    pub publisher: &'a Publisher,
    pub certificates: Option<&'a Certificates>,
    pub writers: Vec<Writer>,
    pub pulses: Vec<Arc<Pulse>>,
    pub phases: Vec<phase::Receiver>,
    /// What all cores spend from.
    pub quota: &'a Arc<Node>,
    pub board: &'a Arc<Board>,
}

/// The cores that run.
pub struct Running {
    threads: Vec<thread::JoinHandle<()>>,
    ended: mpsc::UnboundedReceiver<(usize, std::io::Result<()>)>,
    left: usize,
}

/// Bind every address, once for each core.
pub fn open_doors(options: &Options) -> anyhow::Result<Doors> {
    let mut by_core: Vec<_> = (0..options.cores).map(|_| Vec::new()).collect();
    let (mut listens, mut files) = (Vec::with_capacity(options.listen.len()), Vec::new());
    for listen in &options.listen {
        let bound = data_plane::listener::bind(listen, options.cores, options.unix_mode)
            .with_context(|| format!("cannot listen on {listen}"))?;
        listens.push(bound.listen);
        files.extend(bound.file);
        for (core, doors) in by_core.iter_mut().zip(bound.by_core) {
            core.extend(doors);
        }
    }
    Ok(Doors { listens, files, by_core })
}

/// Start every core.
pub fn start(
    options: &Options,
    doors: Vec<Vec<Door>>,
    supply: Supply<'_>,
) -> anyhow::Result<Running> {
    let (sender, ended) = mpsc::unbounded_channel();
    let body_memory = BodyMemory::new(options.settings.bounds.body_memory_bytes_max);
    let roots = Arc::new(tls::system_roots());
    let mut settings = options.settings.clone();
    let wanted = settings.bounds.connections_max;
    settings.bounds.connections_max = descriptors::connections_max(wanted, options.cores);
    let (doors, pulses, began) = (Arc::new(doors), Arc::from(supply.pulses), Instant::now());
    let desks = handover::desks(options.cores)?;
    let parts = desks.into_iter().zip(supply.writers).zip(supply.phases).enumerate();
    let mut threads = Vec::with_capacity(options.cores);
    for (index, ((desk, receipts), phase)) in parts {
        let (snapshots, weather) = supply.publisher.subscribe();
        let setup = Setup {
            driver: options.driver,
            settings: settings.clone(),
            doors: Arc::clone(&doors),
            tls: supply.certificates.map(Certificates::subscribe),
            desk,
            pulses: Arc::clone(&pulses),
            began,
            roots: Arc::clone(&roots),
            body_memory: body_memory.clone(),
            snapshots,
            weather,
            receipts,
            quota: (index, Arc::clone(supply.quota)),
            board: Arc::clone(supply.board),
            phase,
        };
        let sender = sender.clone();
        let run = move || {
            let result = core::run(setup, |driver, why| {
                tracing::info!(core = index, driver, why, "a core serves");
            });
            // Nobody listens any more only while the process ends.
            let _ = sender.send((index, result));
        };
        threads.push(thread::Builder::new().name(format!("core-{index}")).spawn(run)?);
    }
    let left = threads.len();
    Ok(Running { threads, ended, left })
}

impl Doors {
    /// The places, the files behind them, and what the cores take.
    pub fn split(self) -> (Vec<Listen>, Vec<SocketFile>, Vec<Vec<Door>>) {
        (self.listens, self.files, self.by_core)
    }
}

impl Running {
    /// The next core that ends; `None` once all have.
    pub async fn next(&mut self) -> Option<(usize, std::io::Result<()>)> {
        if self.left == 0 {
            return None;
        }
        let ended = self.ended.recv().await;
        self.left = if ended.is_some() { self.left - 1 } else { 0 };
        ended
    }

    /// Wait for all.
    ///
    /// # Errors
    /// A core failed or panicked outside an exchange.
    pub async fn join(mut self) -> anyhow::Result<()> {
        while let Some((index, result)) = self.next().await {
            result.with_context(|| format!("core {index}"))?;
        }
        for thread in self.threads {
            thread.join().map_err(|_| anyhow!("a core panicked"))?;
        }
        Ok(())
    }
}
