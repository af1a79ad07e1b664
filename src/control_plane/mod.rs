//! Ordinary threads that know the world outside: files, secrets, names, disks, operators.
//!
//! Down: `source/folder.rs` reads what operators wrote, `secrets.rs` finds what is kept elsewhere,
//! `load.rs` makes both a snapshot, `tokens/` keeps the clouds' tokens fresh, `watch.rs` hears of
//! changes, `resolver.rs` asks for addresses, and `publisher.rs` sends the outcome down the lanes;
//! `edit.rs` writes budgets for those who ask the admin port;
//! `certificates.rs` does all that for the pairs that clients see; `status.rs` is what both can be
//! asked.
//! Up: `journal/` stores what the receipt ring brings, `telemetry/` counts it for Prometheus,
//! `admin.rs` answers operators, `targets.rs` how targets fare. `quota.rs` reads back from the
//! store what limits have counted, by ages of which `clocks.rs` knows, `usage/` what budgets have,
//! and goes on; `alerts/` tells people when little is left. `token.rs` makes what they hand out.
//!
//! **Invariants**: the data plane serves on without anything here. A change takes effect whole or
//! not at all; a refused change leaves the last good snapshot where it is.

pub mod admin;
pub mod alerts;
pub mod certificates;
pub mod clocks;
pub mod edit;
pub mod journal;
pub mod load;
pub mod publisher;
pub mod quota;
pub mod resolver;
pub mod secrets;
pub mod source;
pub mod status;
pub mod targets;
pub mod telemetry;
pub mod token;
pub mod tokens;
pub mod usage;
pub mod watch;
