//! Runs the scripted vendor by itself and prints its address.
//!
//! `vendor [--human | --load BYTES] [--listen ADDRESS]`; without arguments it answers at once, on a
//! port of the system's choice. It serves until it is ended.

use std::io::Write as _;
use weir::rehearsal::{Vendor, script::Script};

fn main() -> std::io::Result<()> {
    let mut script = Script::instant();
    let mut listen = "127.0.0.1:0".to_owned();
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().expect("a value follows the flag");
        match argument.as_str() {
            "--human" => script = Script::human(),
            "--load" => script = Script::load(value().parse().expect("--load BYTES")),
            "--listen" => listen = value(),
            other => panic!("unknown argument {other:?}"),
        }
    }
    let vendor = Vendor::start(std::net::TcpListener::bind(listen)?, script)?;
    println!("vendor: listening on http://{}", vendor.address());
    std::io::stdout().flush()?;
    vendor.join();
    Ok(())
}
