//! What the flags of `weir serve` say, as values.

use crate::{
    cli::flags::{self, BoundFlags, Serve, TimeoutFlags},
    control_plane::journal::store::Limits,
    lexicon::settings::{Bounds, Driver, ReceiptsFull, Settings, Timeouts},
};
use anyhow::Context;
use std::{ffi::OsString, path::PathBuf, thread::available_parallelism};

impl Serve {
    #[must_use]
    pub fn settings(&self) -> Settings {
        Settings {
            timeouts: timeouts(&self.timeouts),
            bounds: bounds(&self.bounds),
            receipts_full: match self.receipts.receipts_full {
                flags::ReceiptsFull::Refuse => ReceiptsFull::Refuse,
                flags::ReceiptsFull::Drop => ReceiptsFull::Drop,
            },
            http2: self.http2 == flags::Switch::On,
            panic_on_model: self.panic_on_model.clone(),
        }
    }

    /// Bounds of the receipt store.
    #[must_use]
    pub fn store(&self) -> Limits {
        Limits {
            total_bytes: self.receipts.receipts_keep_bytes.0 as u64,
            age: self.receipts.receipts_keep_time.duration(),
            ..Limits::default()
        }
    }

    #[must_use]
    pub fn driver(&self) -> Driver {
        match self.driver {
            flags::Driver::Auto => Driver::Auto,
            flags::Driver::IoUring => Driver::IoUring,
            flags::Driver::Epoll => Driver::Epoll,
        }
    }

    /// # Errors
    /// Nobody says how many cores there are.
    pub fn cores(&self) -> anyhow::Result<usize> {
        match self.cores {
            Some(cores) => Ok(usize::from(cores)),
            None => Ok(available_parallelism().context("give --cores")?.get()),
        }
    }

    /// `--data-dir`, else `$XDG_STATE_HOME/weir`, else where that is when it is not set.
    ///
    /// # Errors
    /// Neither `XDG_STATE_HOME` nor `HOME` is set.
    pub fn data_dir(&self) -> anyhow::Result<PathBuf> {
        if let Some(dir) = &self.data_dir {
            return Ok(dir.clone());
        }
        let variable = |name| std::env::var_os(name).filter(|value: &OsString| !value.is_empty());
        if let Some(state) = variable("XDG_STATE_HOME") {
            return Ok(PathBuf::from(state).join("weir"));
        }
        let home = variable("HOME");
        let home = home.context("neither XDG_STATE_HOME nor HOME is set: give --data-dir")?;
        Ok(PathBuf::from(home).join(".local/state/weir"))
    }
}

fn timeouts(flags: &TimeoutFlags) -> Timeouts {
    Timeouts {
        head_ms: flags.head_timeout.millis(),
        body_idle_ms: flags.body_timeout.millis(),
        keep_alive_ms: flags.keep_alive.millis(),
        write_idle_ms: flags.write_timeout.millis(),
        connect_ms: flags.connect_timeout.millis(),
        first_byte_ms: flags.first_byte_timeout.millis(),
        idle_ms: flags.idle_timeout.millis(),
        total_ms: flags.total_timeout.0.map(|_| flags.total_timeout.millis()),
        pool_idle_ms: flags.pool_idle.millis(),
    }
}

fn bounds(flags: &BoundFlags) -> Bounds {
    Bounds {
        head_bytes_max: flags.head_max.0,
        target_bytes_max: flags.target_max.0,
        body_bytes_max: flags.body_max.0,
        body_memory_bytes_max: flags.body_memory.0,
        connections_max: flags.connections_max,
        pool_idle_max: flags.pool_max,
    }
}
