//! What an operator may set about serving: bounds and timeouts, each with its default.

use ipnet::IpNet;
use std::net::IpAddr;

/// Times allowed. **Units**: milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// For a request's head, from its first byte; then 408.
    pub head_ms: u64,
    /// Between two bytes of a request's body; then 408.
    pub body_idle_ms: u64,
    /// For a connection without a request; then it is closed.
    pub keep_alive_ms: u64,
    /// For a client that does not read its reply; then it is gone (499).
    pub write_idle_ms: u64,
    /// To connect to a target, TLS included; then 504 `connect_timeout`.
    pub connect_ms: u64,
    /// From the request's last byte to the answer's first; then 504 `first_byte_timeout`.
    pub first_byte_ms: u64,
    /// Between two bytes of an answer; then 504 `idle_timeout`, or an error event.
    pub idle_ms: u64,
    /// For an exchange as a whole; then 504 `request_deadline`. None is no deadline.
    pub total_ms: Option<u64>,
    /// How long an unused upstream connection is kept.
    pub pool_idle_ms: u64,
    /// How old a client connection may become; then a reply says that it is the last.
    pub connection_age_ms: u64,
}

/// Sizes and counts allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// A request's head; then 431.
    pub head_bytes_max: usize,
    /// A request's target; then 414.
    pub target_bytes_max: usize,
    /// A request's body, also when decoded; then 413.
    pub body_bytes_max: usize,
    /// All bodies of all cores together; then 503 `body_memory_full`.
    pub body_memory_bytes_max: usize,
    /// Client connections of one core; then 503 `connections_full`.
    pub connections_max: usize,
    /// Requests on one client connection; the last one's reply says so.
    pub connection_requests_max: u64,
    /// Unused upstream connections kept for one endpoint on one core.
    pub pool_idle_max: usize,
}

/// What becomes of a request that cannot be recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReceiptsFull {
    /// 503 `receipts_full`.
    Refuse,
    /// It is served and its receipt is counted as dropped.
    Drop,
}

/// Whether clients must show a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientAuth {
    /// None is asked for.
    Off,
    /// One that is shown must be good.
    Optional,
    Required,
}

/// Which version of the PROXY protocol begins a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProxyProtocol {
    V1,
    V2,
    Any,
}

/// Which header of trusted proxies names the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ForwardedHeader {
    XForwardedFor,
    /// **Source**: RFC 7239.
    Forwarded,
}

/// What proxies in front may say about a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proxies {
    /// Nobody else is believed.
    pub trusted: Vec<IpNet>,
    /// Connections must begin with this; then those of others are closed. None is not expected.
    pub protocol: Option<ProxyProtocol>,
    pub header: ForwardedHeader,
}

impl Proxies {
    #[must_use]
    pub fn trust(&self, address: IpAddr) -> bool {
        self.trusted.iter().any(|network| network.contains(&address))
    }
}

/// Which I/O driver a core shall run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Driver {
    /// `io_uring` where the kernel allows it, else epoll.
    Auto,
    IoUring,
    Epoll,
}

/// Everything a core is told once, at its start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    pub timeouts: Timeouts,
    pub bounds: Bounds,
    pub receipts_full: ReceiptsFull,
    /// Do clients get HTTP/2 where they ask for it?
    pub http2: bool,
    pub proxies: Proxies,
    /// For rehearsals: an exchange that names this model panics.
    pub panic_on_model: Option<String>,
    /// For rehearsals: an exchange that names this model blocks its core.
    pub stall_on_model: Option<String>,
}

/// The most headers that a request may have.
pub const HEADERS_MAX: usize = 100;

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            head_ms: 15_000,
            body_idle_ms: 30_000,
            keep_alive_ms: 75_000,
            write_idle_ms: 60_000,
            connect_ms: 5_000,
            first_byte_ms: 300_000,
            idle_ms: 60_000,
            total_ms: None,
            pool_idle_ms: 30_000,
            connection_age_ms: 60 * 60 * 1_000,
        }
    }
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            head_bytes_max: 64 << 10,
            target_bytes_max: 8 << 10,
            body_bytes_max: 64 << 20,
            body_memory_bytes_max: 512 << 20,
            connections_max: 20_000,
            connection_requests_max: 1_000_000,
            pool_idle_max: 256,
        }
    }
}

impl Default for Proxies {
    fn default() -> Self {
        let header = ForwardedHeader::XForwardedFor;
        Self { trusted: Vec::new(), protocol: None, header }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            timeouts: Timeouts::default(),
            bounds: Bounds::default(),
            receipts_full: ReceiptsFull::Refuse,
            http2: true,
            proxies: Proxies::default(),
            panic_on_model: None,
            stall_on_model: None,
        }
    }
}
