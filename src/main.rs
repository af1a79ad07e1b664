//! Flags in, exit code out.

use clap::Parser;
use std::{
    io::{IsTerminal, Write},
    process::ExitCode,
};
use weir::{
    cli::{
        check, explain,
        flags::{Command, Flags, Serve, Token},
        receipts, token,
    },
    gateway::{self, Ended, Options, quickstart},
    lexicon::listen::Listen,
};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // The allocator asks for huge pages: a gateway at rest would hold 16 MiB of which it uses one.
    // Where the kernel knows no such request, there is nothing to do without.
    let _ = rustix::thread::disable_transparent_huge_pages(true);
    let flags = Flags::parse();
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false)
        .with_max_level(tracing::Level::INFO)
        .init();
    match run(flags.command) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            // Whoever closed our stderr does not want to know.
            let _ = writeln!(std::io::stderr(), "weir: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> anyhow::Result<u8> {
    let mut out = std::io::stdout().lock();
    match command {
        Command::Check(flags) => {
            Ok(check::run(&flags.config, flags.secrets_dir.as_deref(), &mut out)?)
        }
        Command::Explain(flags) => Ok(explain::run(&flags, &mut out)?),
        Command::Token(Token::New { subject, expires }) => {
            Ok(token::new(&subject, expires.as_deref(), &mut out)?)
        }
        Command::Receipts(flags) => {
            receipts::run(&flags.data_dir, flags.follow, &mut out)?;
            Ok(0)
        }
        Command::Serve(flags) => {
            drop(out);
            serve(&options(*flags)?)
        }
        Command::Quickstart(flags) => {
            drop(out);
            let scene =
                quickstart::set(flags.listen, flags.admin_listen, usize::from(flags.cores))?;
            ended(gateway::serve(&scene.options, |listen, admin| {
                scene.introduce(&listen[0], admin);
            })?)
        }
    }
}

fn serve(options: &Options) -> anyhow::Result<u8> {
    let scheme = if options.tls.is_some() { "https" } else { "http" };
    ended(gateway::serve(options, |listen, admin| {
        let mut out = std::io::stdout().lock();
        // Whoever does not listen needs not be told.
        for listen in listen {
            let _ = match listen {
                Listen::Tcp(address) => writeln!(out, "weir: listening on {scheme}://{address}"),
                Listen::Unix(_) | Listen::Inherited => writeln!(out, "weir: listening on {listen}"),
            };
        }
        let _ = writeln!(out, "weir: admin on http://{admin}");
        let _ = out.flush();
    })?)
}

fn ended(ended: Ended) -> anyhow::Result<u8> {
    match ended {
        Ended::Drained => Ok(0),
        Ended::Hurried => Ok(1),
        Ended::Problems(problems) => {
            let mut out = std::io::stderr().lock();
            for problem in problems {
                writeln!(out, "{problem}")?;
            }
            writeln!(out, "weir: the configuration cannot be obeyed; nothing was started")?;
            Ok(1)
        }
    }
}

fn options(flags: Serve) -> anyhow::Result<Options> {
    Ok(Options {
        settings: flags.settings(),
        store: flags.store(),
        driver: flags.driver(),
        data_dir: flags.data_dir()?,
        cores: flags.cores()?,
        tls: flags.tls()?,
        unix_mode: flags.unix_mode.0,
        config: flags.config,
        secrets_dir: flags.secrets_dir,
        listen: flags.listen,
        admin_listen: flags.admin_listen,
        drain_timeout: flags.drain_timeout.duration(),
        ring_bytes: flags.receipts.receipts_ring.0 as u64,
        meters_max: flags.bounds.meters_max,
        access_log: flags.receipts.access_log,
    })
}
