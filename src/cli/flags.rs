//! The command line: every flag is an environment variable `WEIR_…` too.

use crate::lexicon::listen::Listen;
use clap::{Args, Parser, Subcommand, ValueEnum};
use ipnet::IpNet;
use std::{
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

/// An AI gateway: one door between applications and every model they call.
#[derive(Debug, Parser)]
#[command(name = "weir", version, max_term_width = 100)]
pub struct Flags {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve at once, offline: a scripted vendor, a gateway in front, a key to use
    Quickstart(Quickstart),
    /// Serve what a configuration says
    Serve(Box<Serve>),
    /// Print every problem with a configuration
    Check(Check),
    /// Say what becomes of a request: which rules match, which targets are asked, and why
    Explain(Explain),
    /// Make tokens
    #[command(subcommand)]
    Token(Token),
    /// Print the receipt store as JSON lines
    Receipts(Receipts),
}

#[derive(Debug, Args)]
pub struct Quickstart {
    /// Where to listen
    #[arg(long, env = "WEIR_LISTEN", value_name = "ADDR", default_value = "127.0.0.1:8787")]
    pub listen: SocketAddr,
    /// Where metrics and the admin API listen
    #[arg(long, env = "WEIR_ADMIN_LISTEN", value_name = "ADDR", default_value = "127.0.0.1:8788")]
    pub admin_listen: SocketAddr,
    /// Threads of the data plane
    #[arg(long, env = "WEIR_CORES", value_name = "N", default_value_t = 1)]
    pub cores: u16,
}

#[derive(Debug, Args)]
pub struct Check {
    /// A YAML file of one or many documents, or a folder of them
    #[arg(long, env = "WEIR_CONFIG", value_name = "PATH")]
    pub config: PathBuf,
    /// Where tfy-secret://TENANT:GROUP:KEY is looked for, as GROUP/KEY
    #[arg(long, env = "WEIR_SECRETS_DIR", value_name = "DIR")]
    pub secrets_dir: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct Explain {
    /// A YAML file of one or many documents, or a folder of them
    #[arg(long, env = "WEIR_CONFIG", value_name = "PATH")]
    pub config: PathBuf,
    /// Where tfy-secret://TENANT:GROUP:KEY is looked for, as GROUP/KEY
    #[arg(long, env = "WEIR_SECRETS_DIR", value_name = "DIR")]
    pub secrets_dir: Option<PathBuf>,
    /// Who asks: user:you@example.com or virtualaccount:billing
    #[arg(long, value_name = "SUBJECT")]
    pub subject: String,
    /// The model as the request names it
    #[arg(long, value_name = "NAME")]
    pub model: String,
    /// Metadata of the request; may be given again
    #[arg(long, value_name = "KEY=VALUE", value_parser = pair)]
    pub metadata: Vec<(String, String)>,
    /// A header of the request, for sessions; may be given again
    #[arg(long, value_name = "NAME=VALUE", value_parser = pair)]
    pub header: Vec<(String, String)>,
    /// Say what is left of limits and budgets, by the receipts that a gateway keeps here
    #[arg(long, value_name = "DIR", conflicts_with = "admin")]
    pub data_dir: Option<PathBuf>,
    /// Say what is left of them at a running gateway, by its admin port, e.g.
    /// `http://127.0.0.1:8788`
    #[arg(long, value_name = "URL")]
    pub admin: Option<String>,
    /// An admin's token for it
    #[arg(long, env = "WEIR_ADMIN_TOKEN", hide_env_values = true, value_name = "TOKEN")]
    pub admin_token: Option<String>,
    /// As JSON
    #[arg(long)]
    pub json: bool,
}

/// `KEY=VALUE`.
fn pair(text: &str) -> Result<(String, String), String> {
    let pair = text.split_once('=').filter(|(key, _)| !key.is_empty());
    let (key, value) = pair.ok_or_else(|| "it is not KEY=VALUE".to_owned())?;
    Ok((key.to_owned(), value.to_owned()))
}

#[derive(Debug, Subcommand)]
pub enum Token {
    /// Print a new token, once, and the manifest that holds only its SHA-256
    New {
        /// user:you@example.com or virtualaccount:billing
        #[arg(long, value_name = "SUBJECT")]
        subject: String,
        /// The first day on which it no longer works, e.g. 2027-01-31
        #[arg(long, value_name = "DATE")]
        expires: Option<String>,
    },
}

#[derive(Debug, Args)]
pub struct Receipts {
    /// The data directory of the gateway
    #[arg(long, env = "WEIR_DATA_DIR", value_name = "DIR")]
    pub data_dir: PathBuf,
    /// Go on as more come in
    #[arg(long)]
    pub follow: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Driver {
    /// io_uring where the kernel allows it, else epoll
    Auto,
    IoUring,
    Epoll,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ReceiptsFull {
    /// 503 to requests that cannot be recorded
    Refuse,
    /// Serve them, and count what was not recorded
    Drop,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Switch {
    On,
    Off,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ClientAuth {
    /// None is asked for
    Off,
    /// One that is shown must be good
    Optional,
    Required,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ProxyProtocol {
    Off,
    V1,
    V2,
    Any,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ForwardedHeader {
    XForwardedFor,
    Forwarded,
}

/// Permissions of a file, in octal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mode(pub u32);

/// A number of bytes, as `512MiB`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bytes(pub usize);

/// A time, as `30s`, `1m 30s` or `250ms`; `none` where there may be none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span(pub Option<Duration>);

#[derive(Debug, Args)]
pub struct Serve {
    /// A YAML file of one or many documents, or a folder of them; watched for changes
    #[arg(long, env = "WEIR_CONFIG", value_name = "PATH")]
    pub config: PathBuf,
    /// Where to listen: `HOST:PORT`, `unix:/PATH`, or `inherited` for the sockets of `LISTEN_FDS`;
    /// may be given more than once
    #[arg(
        long,
        env = "WEIR_LISTEN",
        value_name = "ADDR",
        value_delimiter = ',',
        default_value = "127.0.0.1:8787"
    )]
    pub listen: Vec<Listen>,
    /// The permissions of a unix: socket's file, in octal
    #[arg(long, env = "WEIR_UNIX_MODE", value_name = "MODE", default_value = "660")]
    pub unix_mode: Mode,
    /// Where metrics and the admin API listen; loopback only
    #[arg(long, env = "WEIR_ADMIN_LISTEN", value_name = "ADDR", default_value = "127.0.0.1:8788")]
    pub admin_listen: SocketAddr,
    /// Receipts and state; made for its owner only, and locked [default: `$XDG_STATE_HOME/weir`]
    #[arg(long, env = "WEIR_DATA_DIR", value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// Where tfy-secret://TENANT:GROUP:KEY is looked for, as GROUP/KEY
    #[arg(long, env = "WEIR_SECRETS_DIR", value_name = "DIR")]
    pub secrets_dir: Option<PathBuf>,
    /// Threads of the data plane [default: all cores]
    #[arg(long, env = "WEIR_CORES", value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub cores: Option<u16>,
    /// Whether clients may speak HTTP/2: by ALPN with TLS, by prior knowledge without
    #[arg(long, env = "WEIR_HTTP2", value_enum, value_name = "SWITCH", default_value = "on")]
    pub http2: Switch,
    /// How the cores do I/O
    #[arg(long, env = "WEIR_DRIVER", value_enum, default_value = "auto")]
    pub driver: Driver,
    /// How long running exchanges may take to finish after SIGTERM
    #[arg(long, env = "WEIR_DRAIN_TIMEOUT", value_name = "TIME", default_value = "30s")]
    pub drain_timeout: Span,
    #[command(flatten)]
    pub tls: TlsFlags,
    #[command(flatten)]
    pub proxies: ProxyFlags,
    #[command(flatten)]
    pub receipts: ReceiptFlags,
    #[command(flatten)]
    pub timeouts: TimeoutFlags,
    #[command(flatten)]
    pub bounds: BoundFlags,
    /// For rehearsals: an exchange that names this model panics
    #[arg(long, env = "WEIR_PANIC_ON_MODEL", value_name = "MODEL", hide = true)]
    pub panic_on_model: Option<String>,
    /// For rehearsals: an exchange that names this model blocks its core for three seconds
    #[arg(long, env = "WEIR_STALL_ON_MODEL", value_name = "MODEL", hide = true)]
    pub stall_on_model: Option<String>,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "TLS")]
pub struct TlsFlags {
    /// Serve TLS with this certificate chain (PEM), watched for changes; more, each with its key,
    /// are chosen by the host that a client names
    #[arg(
        long,
        env = "WEIR_TLS_CERT",
        value_name = "FILE",
        value_delimiter = ',',
        requires = "tls_key"
    )]
    pub tls_cert: Vec<PathBuf>,
    /// The private keys of --tls-cert (PEM), in their order
    #[arg(
        long,
        env = "WEIR_TLS_KEY",
        value_name = "FILE",
        value_delimiter = ',',
        requires = "tls_cert"
    )]
    pub tls_key: Vec<PathBuf>,
    /// Whose certificates clients may show (PEM), watched for changes
    #[arg(long, env = "WEIR_TLS_CLIENT_CA", value_name = "FILE", requires = "tls_cert")]
    pub tls_client_ca: Option<PathBuf>,
    /// Whether clients must show one [default: required with --tls-client-ca]
    #[arg(
        long,
        env = "WEIR_TLS_CLIENT_AUTH",
        value_name = "WHETHER",
        value_enum,
        requires = "tls_client_ca"
    )]
    pub tls_client_auth: Option<ClientAuth>,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Proxies in front")]
pub struct ProxyFlags {
    /// Networks whose word is taken for who a client is, as 10.0.0.0/8 or one address
    #[arg(long, env = "WEIR_TRUSTED_PROXIES", value_name = "CIDR", value_delimiter = ',', value_parser = network)]
    pub trusted_proxies: Vec<IpNet>,
    /// Connections begin with a PROXY header; those that do not, or come from elsewhere than
    /// --trusted-proxies, are closed
    #[arg(
        long,
        env = "WEIR_PROXY_PROTOCOL",
        value_name = "VERSION",
        value_enum,
        default_value = "off"
    )]
    pub proxy_protocol: ProxyProtocol,
    /// Which header of --trusted-proxies names the client
    #[arg(
        long,
        env = "WEIR_FORWARDED_HEADER",
        value_name = "HEADER",
        value_enum,
        default_value = "x-forwarded-for"
    )]
    pub forwarded_header: ForwardedHeader,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Receipts")]
pub struct ReceiptFlags {
    /// Print each receipt to stdout as a JSON line
    #[arg(long, env = "WEIR_ACCESS_LOG")]
    pub access_log: bool,
    /// What becomes of requests while receipts cannot be stored
    #[arg(long, env = "WEIR_RECEIPTS_FULL", value_enum, default_value = "refuse")]
    pub receipts_full: ReceiptsFull,
    /// The ring between cores and store, preallocated in the data directory
    #[arg(long, env = "WEIR_RECEIPTS_RING", value_name = "BYTES", default_value = "64MiB")]
    pub receipts_ring: Bytes,
    /// The most that the store may take; the oldest receipts go first
    #[arg(long, env = "WEIR_RECEIPTS_KEEP_BYTES", value_name = "BYTES", default_value = "4GiB")]
    pub receipts_keep_bytes: Bytes,
    /// How long receipts are kept
    #[arg(long, env = "WEIR_RECEIPTS_KEEP_TIME", value_name = "TIME", default_value = "30d")]
    pub receipts_keep_time: Span,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Timeouts")]
pub struct TimeoutFlags {
    /// For a request's head from its first byte; then 408
    #[arg(long, env = "WEIR_HEAD_TIMEOUT", value_name = "TIME", default_value = "15s")]
    pub head_timeout: Span,
    /// Between two bytes of a request's body, and for all of it at 500 bytes a second; then 408
    #[arg(long, env = "WEIR_BODY_TIMEOUT", value_name = "TIME", default_value = "30s")]
    pub body_timeout: Span,
    /// For a client connection without a request; then it is closed
    #[arg(long, env = "WEIR_KEEP_ALIVE", value_name = "TIME", default_value = "75s")]
    pub keep_alive: Span,
    /// For a client that does not read its reply; then it is gone (499)
    #[arg(long, env = "WEIR_WRITE_TIMEOUT", value_name = "TIME", default_value = "60s")]
    pub write_timeout: Span,
    /// To connect to a target, with TLS; then 504 `connect_timeout`
    #[arg(long, env = "WEIR_CONNECT_TIMEOUT", value_name = "TIME", default_value = "5s")]
    pub connect_timeout: Span,
    /// Until the first byte of an answer; then 504 `first_byte_timeout`
    #[arg(long, env = "WEIR_FIRST_BYTE_TIMEOUT", value_name = "TIME", default_value = "300s")]
    pub first_byte_timeout: Span,
    /// Between two bytes of an answer; then 504 `idle_timeout`, or an error event
    #[arg(long, env = "WEIR_IDLE_TIMEOUT", value_name = "TIME", default_value = "60s")]
    pub idle_timeout: Span,
    /// For an exchange as a whole; then 504 `request_deadline`
    #[arg(long, env = "WEIR_TOTAL_TIMEOUT", value_name = "TIME", default_value = "none")]
    pub total_timeout: Span,
    /// How long an unused upstream connection is kept
    #[arg(long, env = "WEIR_POOL_IDLE", value_name = "TIME", default_value = "30s")]
    pub pool_idle: Span,
    /// How old a client connection may become, less up to a tenth; then a reply says that it is the
    /// last
    #[arg(long, env = "WEIR_CONNECTION_AGE", value_name = "TIME", default_value = "1h")]
    pub connection_age: Span,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Bounds")]
pub struct BoundFlags {
    /// A request's head; then 431
    #[arg(long, env = "WEIR_HEAD_MAX", value_name = "BYTES", default_value = "64KiB")]
    pub head_max: Bytes,
    /// A request's target; then 414
    #[arg(long, env = "WEIR_TARGET_MAX", value_name = "BYTES", default_value = "8KiB")]
    pub target_max: Bytes,
    /// A request's body, also when decoded; then 413
    #[arg(long, env = "WEIR_BODY_MAX", value_name = "BYTES", default_value = "64MiB")]
    pub body_max: Bytes,
    /// All bodies of all cores together; then 503 `body_memory_full`
    #[arg(long, env = "WEIR_BODY_MEMORY", value_name = "BYTES", default_value = "512MiB")]
    pub body_memory: Bytes,
    /// Client connections of one core; then 503 `connections_full`. As many streams of HTTP/2
    #[arg(long, env = "WEIR_CONNECTIONS_MAX", value_name = "N", default_value_t = 20_000)]
    pub connections_max: usize,
    /// Requests on one client connection; the reply to the last one says so
    #[arg(
        long,
        env = "WEIR_CONNECTION_REQUESTS_MAX",
        value_name = "N",
        default_value_t = 1_000_000,
        value_parser = clap::value_parser!(u64).range(1..)
    )]
    pub connection_requests_max: u64,
    /// Counted limits, one a rule and a thing it is told apart by; then 503 `meters_full`
    #[arg(long, env = "WEIR_METERS_MAX", value_name = "N", default_value_t = 1_000_000)]
    pub meters_max: usize,
    /// Unused upstream connections kept for one endpoint on one core
    #[arg(long, env = "WEIR_POOL_MAX", value_name = "N", default_value_t = 256)]
    pub pool_max: usize,
}

impl std::str::FromStr for Bytes {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let size: bytesize::ByteSize = text.parse().map_err(|_| "wanted a size, e.g. 512MiB")?;
        usize::try_from(size.as_u64()).map(Self).map_err(|error| error.to_string())
    }
}

impl std::str::FromStr for Mode {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mode = u32::from_str_radix(text, 8).ok().filter(|mode| *mode <= 0o777);
        mode.map(Self).ok_or_else(|| "wanted permissions in octal, e.g. 660".to_owned())
    }
}

/// A network, or one address.
fn network(text: &str) -> Result<IpNet, String> {
    let address = || text.parse::<IpAddr>().map(IpNet::from);
    let network = text.parse::<IpNet>().or_else(|_| address());
    network.map_err(|_| "wanted a network as 10.0.0.0/8, or one address".to_owned())
}

impl std::str::FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "none" {
            return Ok(Self(None));
        }
        let wanted = || "wanted a time, e.g. 30s or 250ms".to_owned();
        // Days are not of one length in calendars; here they are.
        let days = text.strip_suffix('d').and_then(|days| days.parse::<u64>().ok());
        if let Some(days) = days {
            return Ok(Self(Some(Duration::from_secs(days * 24 * 60 * 60))));
        }
        let span: jiff::SignedDuration = text.parse().map_err(|_| wanted())?;
        Duration::try_from(span).map(|span| Self(Some(span))).map_err(|_| wanted())
    }
}

impl Span {
    /// `none` is as good as for ever.
    #[must_use]
    pub fn duration(self) -> Duration {
        self.0.unwrap_or(FOREVER)
    }

    /// The same in milliseconds.
    #[must_use]
    pub fn millis(self) -> u64 {
        u64::try_from(self.duration().as_millis()).unwrap_or(u64::MAX)
    }
}

/// A hundred years.
const FOREVER: Duration = Duration::from_hours(100 * 365 * 24);

#[cfg(test)]
mod tests {
    use super::{Bytes, Flags, Mode, Span, network};
    use clap::CommandFactory;
    use std::time::Duration;

    #[test]
    fn the_command_line_is_consistent_and_every_flag_of_serve_has_its_variable() {
        let command = Flags::command();
        command.clone().debug_assert();
        let serve = command.find_subcommand("serve").expect("there is serve");
        for flag in serve.get_arguments().filter(|flag| flag.get_id() != "help") {
            let long = flag.get_long().expect("flags have names");
            let variable = flag.get_env().unwrap_or_else(|| panic!("--{long}")).to_string_lossy();
            assert_eq!(variable, format!("WEIR_{}", long.replace('-', "_").to_uppercase()));
        }
    }

    #[test]
    fn times_and_sizes_are_read_as_people_write_them() {
        assert_eq!("30s".parse(), Ok(Span(Some(Duration::from_secs(30)))));
        assert_eq!("250ms".parse(), Ok(Span(Some(Duration::from_millis(250)))));
        assert_eq!("30d".parse(), Ok(Span(Some(Duration::from_hours(30 * 24)))));
        assert_eq!("none".parse(), Ok(Span(None)));
        assert!("soon".parse::<Span>().is_err());
        assert!("-1s".parse::<Span>().is_err());
        assert_eq!("512MiB".parse(), Ok(Bytes(512 << 20)));
        assert!("many".parse::<Bytes>().is_err());
        assert_eq!("660".parse(), Ok(Mode(0o660)));
        assert!("rw".parse::<Mode>().is_err() && "7777".parse::<Mode>().is_err());
        assert_eq!(network("10.1.2.3").map(|it| it.to_string()), Ok("10.1.2.3/32".to_owned()));
        assert!(network("10.0.0.0/33").is_err());
    }
}
