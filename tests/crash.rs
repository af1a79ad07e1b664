//! A process that is killed under load, and a disk that is full: what was said stays true.

mod harness;

use harness::{
    DEADLINE, House,
    client::{Ask, Client},
    gateway::{self, Gateway},
    manifest, receipt, vendor,
};
use std::{
    collections::{HashMap, HashSet},
    net::SocketAddr,
    path::PathBuf,
    process::Command,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Instant,
};
use tempfile::TempDir;
use weir::rehearsal::Vendor;

const MODELS: [&str; 3] = ["plain", "events30", "e429"];

/// How often the gateway is killed: `WEIR_TEST_KILLS`, which `tests/long` sets to a hundred.
fn kills() -> usize {
    std::env::var("WEIR_TEST_KILLS").map_or(10, |count| count.parse().expect("a number"))
}

fn folder_for(vendor: &Vendor) -> TempDir {
    let folder = manifest::folder();
    manifest::write_usual(&folder, vendor.address(), &MODELS);
    folder
}

/// A client that asks until its gateway is gone, and keeps the id of each reply whose last byte it
/// has.
fn load(address: SocketAddr, name: &str, whole: &Mutex<HashSet<String>>, count: &AtomicUsize) {
    let mut client = Client::connect(address);
    for nth in 0.. {
        let id = format!("{name}-{nth}");
        let ask = match nth % 4 {
            0 => Ask::chat("plain"),
            1 => Ask::stream("events30"),
            2 => Ask::chat("e429"),
            _ => Ask::stream("plain"),
        };
        client.offer(&ask.header("x-request-id", &id).bytes());
        let Some(reply) = client.whole_reply() else { return };
        assert_eq!(reply.header("x-request-id"), Some(id.as_str()));
        whole.lock().expect("no client panicked").insert(id);
        count.fetch_add(1, Ordering::Relaxed);
    }
}

/// Row 59, decisions 1: `kill -9` under load on several connections, again and again over one data
/// directory: each reply whose last byte a client has, has one receipt that says how it ended; no
/// receipt is there twice, and none without a request.
#[test]
fn fault_59_each_reply_whose_last_byte_was_sent_before_a_kill_has_one_receipt() {
    const CLIENTS: usize = 6;
    let vendor = vendor();
    let mut data = manifest::folder();
    let (whole, count) = (Mutex::new(HashSet::new()), AtomicUsize::new(0));
    let mut asked = 0;
    for round in 0..kills() {
        let ring = ["--receipts-ring", "1MiB", "--cores", "2"];
        let mut gateway = Gateway::start_on(folder_for(&vendor), data, &ring);
        let address = gateway.address;
        let enough = count.load(Ordering::Relaxed) + 80 + round % 10 * 19;
        thread::scope(|scope| {
            for client in 0..CLIENTS {
                let (whole, count) = (&whole, &count);
                scope.spawn(move || load(address, &format!("{round}-{client}"), whole, count));
            }
            let until = Instant::now() + 4 * DEADLINE;
            while count.load(Ordering::Relaxed) < enough && Instant::now() < until {
                thread::yield_now();
            }
            // Whatever the count: the clients ask until it is gone.
            gateway.kill();
        });
        assert!(count.load(Ordering::Relaxed) >= enough, "the load makes no progress");
        data = gateway.take_data();
        asked += 1;
    }

    let mut last = Gateway::start_on(folder_for(&vendor), data, &["--receipts-ring", "1MiB"]);
    last.terminate();
    last.exit();
    let mut found: HashMap<String, String> = HashMap::new();
    let mut ids = HashSet::new();
    for one in receipt::all(last.data()) {
        assert!(ids.insert(one.text("id")), "one receipt twice: {one:?}");
        let (id, ending) = (one.text("request_id"), one.text("ending"));
        assert!(found.insert(id, ending).is_none(), "one request billed twice: {one:?}");
    }
    let whole = whole.into_inner().expect("no client panicked");
    for id in &whole {
        assert_eq!(found.get(id).map(String::as_str), Some("complete"), "{id}");
    }
    // One request of each client was under way at each kill, and may have got as far as it did.
    let others = found.len() - whole.len();
    assert!(others <= asked * CLIENTS, "{others} receipts of nobody's requests");
    let of_known_rounds = |id: &String| {
        let mut parts = id.split('-').map(str::parse::<usize>);
        matches!(parts.next(), Some(Ok(round)) if round < asked)
            && matches!(parts.next(), Some(Ok(client)) if client < CLIENTS)
    };
    assert!(found.keys().all(of_known_rounds), "a receipt of a request that nobody made");
}

/// A data directory on a disk of its own, of so many MiB, as only the gateway sees it; `None`, said
/// in one line, where this machine does not allow it.
fn on_small_disk(data: &TempDir, mebibytes: u32) -> Option<Command> {
    let allowed = Command::new("unshare").args(["-rm", "true"]).status();
    if !allowed.is_ok_and(|status| status.success()) {
        use std::io::Write as _;
        // Not by a macro, whose output a passing test hides.
        let _ = writeln!(std::io::stderr(), "skipped: a small disk, for unshare -rm is forbidden");
        return None;
    }
    let mut command = Command::new("unshare");
    let mount = format!("mount -t tmpfs -o size={mebibytes}m small \"$0\" && exec \"$@\"");
    command.args(["-rm", "sh", "-c", &mount]).arg(data.path());
    command.arg(gateway::binary().get_program());
    Some(command)
}

/// The data directory as the gateway on its small disk sees it.
fn seen_by(gateway: &Gateway) -> PathBuf {
    let inside = gateway.data().strip_prefix("/").expect("absolute");
    PathBuf::from(format!("/proc/{}/root", gateway.pid())).join(inside)
}

/// Asks with long metadata, for that fills a disk, until the reply is not 200; its status.
fn ask_until_refused(house: &House, asks_max: usize) -> Option<harness::client::Reply> {
    let metadata: Vec<String> =
        (0..16).map(|nth| format!(r#""key-{nth}":"{}""#, "v".repeat(120))).collect();
    let ask = Ask::chat("plain").header("x-tfy-metadata", &format!("{{{}}}", metadata.join(",")));
    let mut client = house.client();
    for _ in 0..asks_max {
        client.send(&ask.bytes());
        let reply = client.reply();
        if reply.status != 200 {
            return Some(reply);
        }
    }
    None
}

/// Row 58, decisions 4: no room for the ring: said, and not started.
#[test]
fn fault_58_a_disk_without_room_for_the_ring_stops_the_start() {
    let (folder, data) = (manifest::folder(), manifest::folder());
    let Some(mut command) = on_small_disk(&data, 1) else { return };
    command.args(["serve", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"]);
    command.args(["--cores", "1", "--config"]).arg(folder.path());
    command.arg("--data-dir").arg(data.path());
    manifest::write_usual(&folder, ([127, 0, 0, 1], 9).into(), &["plain"]);

    let output = command.output().expect("util-linux has unshare");

    let log = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{log}");
    assert!(log.to_lowercase().contains("space"), "{log}");
}

/// Row 58, decisions 4: the disk fills under load: what is in the ring stays, then requests that
/// cannot be recorded are refused, and counted; nothing panics, and the metrics ring the alarm.
#[test]
fn fault_58_a_disk_that_fills_is_a_503_and_an_alarm() {
    let (vendor, data) = (vendor(), manifest::folder());
    let Some(command) = on_small_disk(&data, 2) else { return };
    let arguments = ["--receipts-ring", "1MiB"];
    let gateway = Gateway::start_by(command, folder_for(&vendor), data, &arguments);
    let mut house = House { gateway, vendor };

    let refused = ask_until_refused(&house, 20_000).expect("2 MiB are not endless");

    assert_eq!((refused.status, refused.refusal().as_str()), (503, "receipts_full"));
    let is_set = |name: &str| {
        let page = house.gateway.admin("/metrics").text();
        page.lines().any(|line| line.starts_with(name) && !line.ends_with(" 0"))
    };
    let until = Instant::now() + DEADLINE;
    for alarm in
        ["weir_journal_failing", "weir_journal_write_errors_total", "weir_receipts_refused_total"]
    {
        // What a core counted is told a moment later; each look asks.
        while !is_set(alarm) {
            assert!(Instant::now() < until, "{alarm} is silent");
        }
    }
    assert!(!is_set("weir_panics_total"));
    assert_eq!(house.ask(&Ask::get("/v1/models")).status, 200, "what needs no receipt is served");
    let stored = receipt::all(&seen_by(&house.gateway));
    let ids: HashSet<String> = stored.iter().map(|one| one.text("id")).collect();
    assert!(ids.len() == stored.len() && ids.len() > 100, "{} of {}", ids.len(), stored.len());
    let log = house.gateway.log();
    assert!(log.to_lowercase().contains("space"), "it is loud: {log}");
}

/// Row 58: told to drop instead, it serves on, and counts what it could not record.
#[test]
fn fault_58_told_to_drop_it_serves_on_and_counts() {
    let (vendor, data) = (vendor(), manifest::folder());
    let Some(command) = on_small_disk(&data, 2) else { return };
    let arguments = ["--receipts-ring", "1MiB", "--receipts-full", "drop"];
    let gateway = Gateway::start_by(command, folder_for(&vendor), data, &arguments);
    let house = House { gateway, vendor };

    assert!(ask_until_refused(&house, 4_000).is_none());

    let page = house.gateway.admin("/metrics").text();
    let dropped = page.lines().filter(|line| line.starts_with("weir_receipts_dropped_total"));
    assert!(dropped.into_iter().any(|line| !line.ends_with(" 0")), "{page}");
}

/// Row 58: a data directory that cannot be written is said, and nothing is served.
#[test]
fn fault_58_a_data_directory_that_cannot_be_written_stops_the_start() {
    let folder = manifest::folder();
    manifest::write_usual(&folder, ([127, 0, 0, 1], 9).into(), &["plain"]);
    let file = folder.path().join("no-folder");
    std::fs::write(&file, "a file").expect("the folder is ours");
    let config = folder.path().join("account.yaml");
    let config = config.to_str().expect("UTF-8");

    for data in [file.to_str().expect("UTF-8"), "/proc/weir"] {
        let listen = ["--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"];
        let serve = ["serve", "--config", config, "--data-dir", data];
        let (code, output, log) = gateway::run(&[&serve[..], &listen[..]].concat());

        assert_eq!(code, Some(1), "{log}");
        assert!(log.contains(data), "it says which: {log}");
        assert!(!output.contains("listening"), "{output}");
    }
}
