//! Signals, and the order in which things end.

use crate::{
    bridge::phase::{Phase, Sender},
    control_plane::publisher::Trigger,
    gateway::{Ended, cores::Running},
};
use anyhow::{Context, bail};
use std::time::Duration;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Wait until told to stop, then let what runs finish within `drain_timeout`.
///
/// # Errors
/// A core ended by itself.
pub async fn wait(
    mut signals: Signals,
    phases: &Sender,
    running: &mut Running,
    drain_timeout: Duration,
) -> anyhow::Result<Ended> {
    tokio::select! {
        () = signals.next() => {}
        Some((index, result)) = running.next() => {
            result.with_context(|| format!("core {index}"))?;
            bail!("core {index} ended by itself");
        }
    }
    tracing::info!(timeout = ?drain_timeout, "draining");
    phases.set(Phase::Draining);
    let drained = async {
        while let Some((index, result)) = running.next().await {
            result.with_context(|| format!("core {index}"))?;
        }
        anyhow::Ok(())
    };
    tokio::select! {
        () = signals.next() => return Ok(Ended::Hurried),
        drained = drained => drained?,
        () = tokio::time::sleep(drain_timeout) => {
            tracing::warn!("the drain timeout is over; what still runs is broken off");
        }
    }
    Ok(Ended::Drained)
}

/// Look at configuration and certificates again on each SIGHUP.
pub async fn reload_on_hangup(triggers: Vec<Trigger>) {
    let Ok(mut hangups) = signal(SignalKind::hangup()) else {
        return std::future::pending().await;
    };
    while hangups.recv().await.is_some() {
        triggers.iter().for_each(Trigger::reload);
    }
}

/// SIGTERM or SIGINT.
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// From now on they are heard here, and no longer end the process by themselves.
    pub fn new() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
