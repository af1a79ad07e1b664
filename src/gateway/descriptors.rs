//! Descriptors: as many as the system grants, and no more connections than they carry.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// What is open beside connections: ring, store, manifests, admin port, log.
const OWN: u64 = 32;
/// What each core opens for itself: its reactor, its doors, its lanes, its watch.
const OWN_OF_A_CORE: u64 = 12;

/// The connections that one of `cores` may have, `wanted` at most.
///
/// Many systems grant 1,024 descriptors at first and far more to whoever asks, so we ask. Beyond
/// this bound a client is told so; out of descriptors nobody can be told anything.
pub fn connections_max(wanted: usize, cores: usize) -> usize {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    let granted = match setrlimit(Resource::Nofile, raised) {
        Ok(()) => limit.maximum,
        Err(_) => limit.current,
    };
    let Some(granted) = granted else { return wanted };
    let cores = cores.max(1) as u64;
    // Each client may need another one, to its model.
    let carried = granted.saturating_sub(OWN + OWN_OF_A_CORE * cores) / 2 / cores;
    let connections = usize::try_from(carried.max(1)).unwrap_or(wanted).min(wanted);
    if connections < wanted {
        tracing::warn!(wanted, connections, "too few descriptors for --connections-max");
    }
    connections
}
