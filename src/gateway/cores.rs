//! The threads of the data plane, from here.

use crate::{
    bridge::{phase, pulse::Pulse, quota::node::Node, receipts::writer::Writer},
    control_plane::publisher::Publisher,
    data_plane::{
        self,
        body_memory::BodyMemory,
        core::{self, Setup},
        tls,
    },
    gateway::{Options, descriptors},
};
use anyhow::{Context, anyhow};
use rustls::ServerConfig;
use std::{
    net::{SocketAddr, TcpListener},
    sync::Arc,
    thread,
};
use tokio::sync::mpsc;

/// Where clients come in.
pub struct Doors {
    /// With the ports that the kernel chose where 0 was asked for.
    pub addresses: Vec<SocketAddr>,
    /// By core.
    listeners: Vec<Vec<TcpListener>>,
    tls: Option<Arc<ServerConfig>>,
}

/// The cores that run.
pub struct Running {
    threads: Vec<thread::JoinHandle<()>>,
    ended: mpsc::UnboundedReceiver<(usize, std::io::Result<()>)>,
    left: usize,
}

/// Bind every address, once for each core.
pub fn open_doors(options: &Options) -> anyhow::Result<Doors> {
    let tls = match &options.tls {
        Some((certificate, key)) => {
            Some(Arc::new(tls::server_config(certificate, key).map_err(|error| anyhow!(error))?))
        }
        None => None,
    };
    let mut listeners: Vec<_> = (0..options.cores).map(|_| Vec::new()).collect();
    let mut addresses = Vec::with_capacity(options.listen.len());
    for address in &options.listen {
        let bound = data_plane::listener::bind(*address, options.cores)
            .with_context(|| format!("cannot listen on {address}"))?;
        addresses.push(bound.first().context("--cores 0")?.local_addr()?);
        for (core, listener) in listeners.iter_mut().zip(bound) {
            core.push(listener);
        }
    }
    Ok(Doors { addresses, listeners, tls })
}

/// Start every core.
pub fn start(
    options: &Options,
    doors: Doors,
    publisher: &Publisher,
    writers: Vec<Writer>,
    pulses: &[Arc<Pulse>],
    phases: Vec<phase::Receiver>,
    quota: &Arc<Node>,
) -> anyhow::Result<Running> {
    let (sender, ended) = mpsc::unbounded_channel();
    let body_memory = BodyMemory::new(options.settings.bounds.body_memory_bytes_max);
    let roots = Arc::new(tls::system_roots());
    let mut settings = options.settings.clone();
    let wanted = settings.bounds.connections_max;
    settings.bounds.connections_max = descriptors::connections_max(wanted, options.cores);
    let parts = doors.listeners.into_iter().zip(writers).zip(phases).zip(pulses).enumerate();
    let mut threads = Vec::with_capacity(options.cores);
    for (index, (((listeners, receipts), phase), pulse)) in parts {
        let (snapshots, weather) = publisher.subscribe();
        let setup = Setup {
            driver: options.driver,
            settings: settings.clone(),
            listeners,
            tls: doors.tls.clone(),
            roots: Arc::clone(&roots),
            body_memory: body_memory.clone(),
            snapshots,
            weather,
            receipts,
            quota: (index, Arc::clone(quota)),
            pulse: Arc::clone(pulse),
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
