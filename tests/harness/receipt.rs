//! Receipts, read by the product's own command.

use super::{DEADLINE, House, gateway};
use serde_json::Value;
use std::{path::Path, time::Instant};

/// One receipt.
#[derive(Clone, Debug)]
pub struct Receipt(pub Value);

impl Receipt {
    pub fn status(&self) -> u64 {
        self.number("status")
    }

    /// A field, on its own or inside `usage`; absent reads as empty.
    pub fn text(&self, field: &str) -> String {
        self.field(field).as_str().unwrap_or_default().to_owned()
    }

    pub fn number(&self, field: &str) -> u64 {
        self.field(field).as_u64().unwrap_or_default()
    }

    /// The core that served it: the middle of its id.
    pub fn core(&self) -> u64 {
        let id = self.text("id");
        let core = id.split('-').nth(1).and_then(|core| core.parse().ok());
        core.unwrap_or_else(|| panic!("{id:?} names a core"))
    }

    fn field(&self, field: &str) -> &Value {
        match &self.0[field] {
            Value::Null => &self.0["usage"][field],
            found => found,
        }
    }
}

/// All receipts of a data directory.
pub fn all(data: &Path) -> Vec<Receipt> {
    let folder = data.to_str().expect("a temporary folder's name is UTF-8");
    let (code, output, log) = gateway::run(&["receipts", "--data-dir", folder]);
    assert_eq!(code, Some(0), "{log}");
    let read = |line: &str| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line:?}"));
    output.lines().map(|line| Receipt(read(line))).collect()
}

/// Did every one of so many cores serve some of these, so that their cells met?
pub fn assert_all_cores_served(cores: u64, receipts: &[Receipt]) {
    for core in 0..cores {
        assert!(receipts.iter().any(|one| one.core() == core), "core {core} served nothing");
    }
}

impl House {
    /// Waits for `count` receipts, in the order in which their exchanges ended; panics when there
    /// are more, or fewer at the deadline.
    pub fn receipts(&self, count: usize) -> Vec<Receipt> {
        let until = Instant::now() + DEADLINE;
        loop {
            // Each look runs a process, which paces the loop.
            let found = all(self.gateway.data());
            assert!(found.len() <= count, "more than {count} receipts: {found:#?}");
            if found.len() == count {
                return found;
            }
            assert!(Instant::now() < until, "fewer than {count} receipts: {found:#?}");
        }
    }

    /// Waits for `count` receipts or more, where a test asks until something is so.
    pub fn receipts_at_least(&self, count: usize) -> Vec<Receipt> {
        let until = Instant::now() + DEADLINE;
        loop {
            let found = all(self.gateway.data());
            if found.len() >= count {
                return found;
            }
            assert!(Instant::now() < until, "fewer than {count} receipts: {found:#?}");
        }
    }

    /// Waits until `count` receipts are as wanted, where others may come before and between.
    pub fn receipts_where(&self, count: usize, is_wanted: impl Fn(&Receipt) -> bool) {
        let until = Instant::now() + DEADLINE;
        loop {
            let found = all(self.gateway.data()).iter().filter(|one| is_wanted(one)).count();
            if found == count {
                return;
            }
            assert!(found < count && Instant::now() < until, "{found} of {count} are as wanted");
        }
    }

    /// The one receipt of a test that made one exchange.
    pub fn receipt(&self) -> Receipt {
        self.receipts(1).remove(0)
    }
}
