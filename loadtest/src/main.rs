//! `loadtest SCENARIO… --target URL`: sends what the scenario says and prints what came of it.
//!
//! Exit: 0 where every answer was good; 1 where some were not; 2 for a wrong command line; 3 where
//! the client or the vendor was the bottleneck, so that the figures are not the target's.

use anyhow::{Context, ensure};
use clap::Parser;
use loadtest::{
    drive::{self, Orders},
    report::Report,
    scenario::{Rate, Scenario},
    tally::Tally,
    verdict,
};
use std::{
    net::{SocketAddr, TcpListener, ToSocketAddrs as _},
    path::PathBuf,
    process::ExitCode,
    time::{Duration, Instant},
};
use weir::rehearsal::{Vendor, script::Script};

/// Open-loop load from a scenario; its figures count from when each request was due.
#[derive(Debug, Parser)]
struct Flags {
    /// A scenario: see loadtest/scenarios
    scenario: PathBuf,
    /// `http://HOST:PORT`; without it, a scripted vendor inside this process
    #[arg(long)]
    target: Option<String>,
    #[arg(long, default_value = "/v1/chat/completions")]
    path: String,
    /// Sent as a bearer token
    #[arg(long, default_value = "")]
    key: String,
    /// Put before each model's name
    #[arg(long, default_value = "")]
    model_prefix: String,
    /// Instead of the scenario's: requests a second
    #[arg(long)]
    rate: Option<u32>,
    /// Instead of the scenario's
    #[arg(long)]
    seconds: Option<u32>,
    /// Instead of the scenario's
    #[arg(long)]
    connections: Option<usize>,
    /// The process behind the target, to tell when that was the bottleneck
    #[arg(long)]
    vendor_pid: Option<u32>,
    /// Print JSON instead of a table
    #[arg(long)]
    json: bool,
}

fn main() -> ExitCode {
    match run(&Flags::parse()) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("loadtest: {error:#}");
            ExitCode::from(2)
        }
    }
}

fn run(flags: &Flags) -> anyhow::Result<ExitCode> {
    let scenario = scenario(flags)?;
    let mut vendor = None;
    let target = if let Some(target) = &flags.target {
        resolve(target)?
    } else {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        vendor.insert(Vendor::start(listener, Script::load(1024))?).address()
    };
    let vendor_pid = flags.vendor_pid.or(vendor.is_some().then(std::process::id));
    // The threads that are there now are the vendor's, if it is in this process: ours come later.
    let before = vendor_pid.map(verdict::threads_of);
    let begun = Instant::now();
    let tally = drive_all(flags, &scenario, target)?;
    let vendor_permille = before.map(|it| verdict::busiest_permille(&it, begun.elapsed()));
    let late_max = Duration::from_millis(scenario.lateness_max_ms);
    let bottlenecks = verdict::bottlenecks(&tally, vendor_permille, late_max);
    let seconds = scenario.seconds - scenario.warmup_seconds;
    let report = Report { tally, seconds, vendor_permille, bottlenecks };
    if flags.json {
        println!("{}", report.json());
    } else {
        print!("{}", report.table());
    }
    Ok(match (report.bottlenecks.is_empty(), report.tally.failed()) {
        (false, _) => ExitCode::from(3),
        (true, 0) => ExitCode::SUCCESS,
        (true, _) => ExitCode::FAILURE,
    })
}

fn scenario(flags: &Flags) -> anyhow::Result<Scenario> {
    let name = flags.scenario.display().to_string();
    let text = std::fs::read_to_string(&flags.scenario).with_context(|| name.clone())?;
    let mut scenario = Scenario::read(&name, &text)?;
    scenario.rate = flags.rate.map_or(scenario.rate, Rate::Fixed);
    scenario.seconds = flags.seconds.unwrap_or(scenario.seconds);
    scenario.connections = flags.connections.unwrap_or(scenario.connections);
    scenario.check()?;
    Ok(scenario)
}

fn resolve(target: &str) -> anyhow::Result<SocketAddr> {
    let authority = target.strip_prefix("http://").context("--target: only http:// is spoken")?;
    let authority = authority.trim_end_matches('/');
    ensure!(!authority.contains('/'), "--target: the path goes to --path");
    let mut found = authority.to_socket_addrs().with_context(|| authority.to_owned())?;
    found.next().with_context(|| format!("{authority}: no address"))
}

fn drive_all(flags: &Flags, scenario: &Scenario, target: SocketAddr) -> anyhow::Result<Tally> {
    let host = target.to_string();
    let threads = scenario.threads;
    let wires: Vec<_> = scenario
        .requests
        .iter()
        .map(|it| (it.wire(&host, &flags.path, &flags.key, &flags.model_prefix), it.events))
        .collect();
    // Time for all threads to be there when the first request is due.
    let start = Instant::now() + Duration::from_millis(20);
    let drivers = (0..threads).map(|first| {
        let orders = Orders {
            target,
            schedule: scenario.schedule(),
            wires: wires.clone(),
            warmup: Duration::from_secs(scenario.warmup_seconds.into()),
            patience: Duration::from_millis(scenario.patience_ms),
            timeout: Duration::from_millis(scenario.timeout_ms),
            connections_max: scenario.connections.div_ceil(threads),
            stride: threads as u64,
            first: first as u64,
        };
        std::thread::spawn(move || drive::run(&orders, start))
    });
    // All are started before the first is waited for.
    let drivers: Vec<_> = drivers.collect();
    let mut all = Tally::default();
    for driver in drivers {
        let tally = driver.join().map_err(|_| anyhow::anyhow!("a thread panicked"))??;
        all.merge(&tally);
    }
    Ok(all)
}
