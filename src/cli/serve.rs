//! What the flags of `weir serve` say, as values.

use crate::{
    cli::flags::{self, BoundFlags, ProxyFlags, Serve, TimeoutFlags},
    control_plane::{certificates::Files, journal::store::Limits},
    lexicon::settings::{
        Bounds, ClientAuth, Driver, ForwardedHeader, Proxies, ProxyProtocol, ReceiptsFull,
        Settings, Timeouts,
    },
};
use anyhow::{Context, ensure};
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
            proxies: proxies(&self.proxies),
            panic_on_model: self.panic_on_model.clone(),
            stall_on_model: self.stall_on_model.clone(),
        }
    }

    /// The certificates that clients see; None is no TLS.
    ///
    /// # Errors
    /// There are not as many keys as certificates.
    pub fn tls(&self) -> anyhow::Result<Option<Files>> {
        let (chains, keys) = (&self.tls.tls_cert, &self.tls.tls_key);
        ensure!(
            chains.len() == keys.len(),
            "--tls-cert names {} files and --tls-key {}: give each certificate its key, in the \
             same order",
            chains.len(),
            keys.len()
        );
        if chains.is_empty() {
            return Ok(None);
        }
        let client_auth = match (&self.tls.tls_client_ca, self.tls.tls_client_auth) {
            (None, _) | (_, Some(flags::ClientAuth::Off)) => ClientAuth::Off,
            (_, Some(flags::ClientAuth::Optional)) => ClientAuth::Optional,
            (_, Some(flags::ClientAuth::Required) | None) => ClientAuth::Required,
        };
        Ok(Some(Files {
            pairs: chains.iter().cloned().zip(keys.iter().cloned()).collect(),
            client_ca: self.tls.tls_client_ca.clone(),
            client_auth,
            offers_http2: self.http2 == flags::Switch::On,
        }))
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
        connection_age_ms: flags.connection_age.millis(),
    }
}

fn proxies(flags: &ProxyFlags) -> Proxies {
    Proxies {
        trusted: flags.trusted_proxies.clone(),
        protocol: match flags.proxy_protocol {
            flags::ProxyProtocol::Off => None,
            flags::ProxyProtocol::V1 => Some(ProxyProtocol::V1),
            flags::ProxyProtocol::V2 => Some(ProxyProtocol::V2),
            flags::ProxyProtocol::Any => Some(ProxyProtocol::Any),
        },
        header: match flags.forwarded_header {
            flags::ForwardedHeader::XForwardedFor => ForwardedHeader::XForwardedFor,
            flags::ForwardedHeader::Forwarded => ForwardedHeader::Forwarded,
        },
    }
}

fn bounds(flags: &BoundFlags) -> Bounds {
    Bounds {
        head_bytes_max: flags.head_max.0,
        target_bytes_max: flags.target_max.0,
        body_bytes_max: flags.body_max.0,
        body_memory_bytes_max: flags.body_memory.0,
        connections_max: flags.connections_max,
        connection_requests_max: flags.connection_requests_max,
        pool_idle_max: flags.pool_max,
    }
}
