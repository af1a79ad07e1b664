//! The receipt store: each record once, by id, through torn ends, full disks and `kill -9`.

#![allow(clippy::cast_possible_truncation, reason = "counts of a test are small")]
#![allow(clippy::cast_sign_loss, reason = "counts of a test are not negative")]

use std::{
    collections::{HashMap, HashSet},
    fs,
    io::{self, BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant, SystemTime},
};
use weir::{
    bridge::receipts::{
        self,
        data_dir::DataDir,
        record, recovery,
        writer::{Full, Slot, Writer},
    },
    cli,
    control_plane::journal::{
        self, Journal, Observer,
        access_log::AccessLog,
        disk::{Disk, Files, Output},
        segment::{self, Segment},
        store::{Limits, Replayed, Store},
    },
    lexicon::{
        ids::ReceiptId,
        operation::Operation,
        receipt::{Ending, Opening, Outcome, Receipt},
        time::UnixMillis,
        usage::Usage,
    },
};

const RING_BYTES: u64 = 4096 + 256 * 512;
const PATIENCE: Duration = Duration::from_secs(20);

fn opening<'a>(request_id: &'a str, metadata: &'a [(&'a str, &'a str)]) -> Opening<'a> {
    Opening {
        started: UnixMillis(1_700_000_000_007),
        days_ahead: 0,
        operation: Some(Operation::ChatCompletions),
        is_streaming: true,
        request_id,
        client_address: "203.0.113.7",
        client_certificate: "CN=ci",
        subject: "user:ada@example.com",
        teams: "core,billing",
        metadata,
        requested_model: "openai/gpt-5",
    }
}

fn outcome(tokens: u64) -> Outcome<'static> {
    Outcome {
        ending: Ending::Complete,
        status: 200,
        resolved_model: "openai/gpt-5",
        usage: Usage { input_tokens: tokens, output_tokens: tokens * 2, ..Usage::default() },
        usage_is_reported: true,
        was_sent: true,
        cost_nanodollars: None,
        ttft_us: 12_345,
        total_us: 1_500_000,
        ..Outcome::UNKNOWN
    }
}

fn serve(writer: &mut Writer, tokens: u64) -> ReceiptId {
    let (slot, id) = open(writer);
    writer.close(slot, &outcome(tokens));
    id
}

/// Waits for room in the ring by giving the processor to whoever makes it.
fn open(writer: &mut Writer) -> (Slot, ReceiptId) {
    loop {
        match writer.open(&opening("r-1", &[("ticket", "T-1")])) {
            Ok(opened) => return opened,
            Err(Full) => std::thread::yield_now(),
        }
    }
}

fn begin(path: &Path, limits: Limits) -> (DataDir, Vec<Writer>, Journal) {
    let dir = DataDir::lock(path).unwrap();
    let (writers, journal) = journal::begin(&dir, (RING_BYTES, 2), limits, Vec::new()).unwrap();
    (dir, writers, journal)
}

/// Every id in the store with its outcome; fails where one is there twice.
fn stored(path: &Path) -> HashMap<ReceiptId, (Ending, u64)> {
    let mut found = HashMap::new();
    for (_, path) in segment::list(&path.join("receipts")).unwrap() {
        let mut segment = Segment::open(&path).unwrap();
        while let Some(record) = segment.read().unwrap() {
            let receipt = record::decode(record).unwrap();
            let about = (receipt.outcome.ending, receipt.outcome.usage.input_tokens);
            assert_eq!(found.insert(receipt.id, about), None, "{} twice", receipt.id);
        }
    }
    found
}

fn segments(path: &Path) -> Vec<PathBuf> {
    segment::list(&path.join("receipts")).unwrap().into_iter().map(|(_, path)| path).collect()
}

#[test]
fn what_is_closed_is_in_the_store_after_a_stop() {
    let home = tempfile::tempdir().unwrap();
    let (_dir, mut writers, journal) = begin(home.path(), Limits::default());
    let health = journal.health();
    let ids: Vec<_> = (0..1000).map(|nth| serve(&mut writers[nth as usize % 2], nth)).collect();

    assert_eq!(journal.stop(PATIENCE), 0);

    let found = stored(home.path());
    assert_eq!(found.len(), ids.len());
    for (nth, id) in ids.iter().enumerate() {
        assert_eq!(found[id], (Ending::Complete, nth as u64));
    }
    assert_eq!(health.stored_total.load(Ordering::Relaxed), 1000);
}

#[test]
fn a_torn_end_is_cut_off_and_written_on_from_there() {
    let home = tempfile::tempdir().unwrap();
    let (dir, mut writers, journal) = begin(home.path(), Limits::default());
    let ids = [serve(&mut writers[0], 1), serve(&mut writers[0], 2)];
    assert_eq!(journal.stop(PATIENCE), 0);
    drop((dir, writers));
    let path = segments(home.path()).remove(0);
    let whole = path.metadata().unwrap().len();
    for torn in [whole - 1, whole - 100] {
        fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(torn).unwrap();

        let (dir, mut writers, journal) = begin(home.path(), Limits::default());
        let id = serve(&mut writers[1], 3);
        assert_eq!(journal.stop(PATIENCE), 0);
        drop((dir, writers));

        let found = stored(home.path());
        assert_eq!(found.len(), 2);
        assert!(found.contains_key(&ids[0]) && found.contains_key(&id));
        assert_eq!(path.metadata().unwrap().len(), whole);
    }
}

#[test]
fn segments_are_closed_at_their_size_and_the_oldest_go_first() {
    let home = tempfile::tempdir().unwrap();
    let limits = Limits { segment_bytes: 4096, total_bytes: 12_000, age: Duration::from_hours(1) };
    let (dir, mut writers, journal) = begin(home.path(), limits);
    let mut last = serve(&mut writers[0], 0);
    let health = journal.health();
    for nth in 1..100 {
        last = serve(&mut writers[0], nth);
        // One batch each, so that segments fill record by record.
        while health.stored_total.load(Ordering::Relaxed) <= nth {
            std::thread::yield_now();
        }
        if nth == 60 {
            break;
        }
    }
    assert_eq!(journal.stop(PATIENCE), 0);
    let before = segments(home.path());
    assert!(before.len() > 3, "{before:?}");
    assert!(before.iter().all(|path| path.metadata().unwrap().len() <= 4096));
    drop((dir, writers));

    let mut store = Store::open(home.path(), limits, Box::new(Files)).unwrap();
    store.retain(SystemTime::now(), &mut |_, _| Ok(())).unwrap();
    let kept = segments(home.path());
    assert!(kept.len() < before.len() && before.ends_with(&kept), "{kept:?}");
    assert!(stored(home.path()).contains_key(&last));

    store.retain(SystemTime::now() + Duration::from_hours(2), &mut |_, _| Ok(())).unwrap();
    assert_eq!(segments(home.path()), before[before.len() - 1..], "never the one being written");
}

#[test]
fn a_death_between_append_and_release_does_not_store_twice() {
    let home = tempfile::tempdir().unwrap();
    let dir = DataDir::lock(home.path()).unwrap();
    let none = recovery::recover(&dir).unwrap();
    let (mut writers, _reader) = receipts::create(&dir, none, RING_BYTES, 2).unwrap();
    let closed: Vec<_> = (0..40).map(|nth| serve(&mut writers[nth as usize % 2], nth)).collect();
    let (slot, open_id) = open(&mut writers[0]);
    let mut store = Store::open(home.path(), Limits::default(), Box::new(Files)).unwrap();

    let left = recovery::recover(&dir).unwrap();
    assert_eq!(store.replay(&left).unwrap(), Replayed { stored: 41, known: 0 });
    let mut again = Store::open(home.path(), Limits::default(), Box::new(Files)).unwrap();
    assert_eq!(again.replay(&left).unwrap(), Replayed { stored: 0, known: 41 });

    let found = stored(home.path());
    assert!(closed.iter().all(|id| found[id].0 == Ending::Complete));
    assert_eq!(found[&open_id].0, Ending::Interrupted);
    writers[0].close(slot, &outcome(0));
}

/// A disk that takes half of a write and then says that it is full, for as long as it is.
struct Filling {
    is_full: Arc<AtomicBool>,
    refused: Arc<AtomicBool>,
}

struct FillingFile {
    file: Box<dyn Output>,
    is_full: Arc<AtomicBool>,
    refused: Arc<AtomicBool>,
}

fn full() -> io::Error {
    io::Error::from_raw_os_error(28)
}

impl Disk for Filling {
    fn append(&mut self, path: &Path) -> io::Result<Box<dyn Output>> {
        let file = Files.append(path)?;
        let (is_full, refused) = (Arc::clone(&self.is_full), Arc::clone(&self.refused));
        Ok(Box::new(FillingFile { file, is_full, refused }))
    }

    fn shorten(&mut self, path: &Path, bytes: u64) -> io::Result<()> {
        Files.shorten(path, bytes)
    }
}

impl Output for FillingFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.is_full.load(Ordering::SeqCst) {
            self.file.write(&bytes[..bytes.len() / 2])?;
            self.refused.store(true, Ordering::SeqCst);
            return Err(full());
        }
        self.file.write(bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        if self.is_full.load(Ordering::SeqCst) { Err(full()) } else { self.file.sync() }
    }
}

#[test]
fn a_full_disk_fills_the_ring_and_loses_and_repeats_nothing() {
    let home = tempfile::tempdir().unwrap();
    let dir = DataDir::lock(home.path()).unwrap();
    let none = recovery::recover(&dir).unwrap();
    let (mut writers, reader) = receipts::create(&dir, none, RING_BYTES, 1).unwrap();
    let is_full = Arc::new(AtomicBool::new(false));
    let refused = Arc::new(AtomicBool::new(false));
    let disk = Filling { is_full: Arc::clone(&is_full), refused: Arc::clone(&refused) };
    let store = Store::open(home.path(), Limits::default(), Box::new(disk)).unwrap();
    let journal = Journal::start(store, reader, Vec::new()).unwrap();
    let health = journal.health();
    let mut ids: HashSet<_> = (0..10).map(|nth| serve(&mut writers[0], nth)).collect();

    is_full.store(true, Ordering::SeqCst);
    let began = Instant::now();
    loop {
        match writers[0].open(&opening("r", &[])) {
            Ok((slot, id)) => {
                writers[0].close(slot, &outcome(5));
                ids.insert(id);
            }
            Err(Full) if refused.load(Ordering::SeqCst) => break,
            Err(Full) => std::thread::yield_now(),
        }
        assert!(began.elapsed() < PATIENCE);
    }
    while !health.is_failing.load(Ordering::SeqCst) {
        std::thread::yield_now();
    }
    assert!(health.write_errors_total.load(Ordering::SeqCst) > 0);
    is_full.store(false, Ordering::SeqCst);
    ids.insert(serve(&mut writers[0], 6));

    assert_eq!(journal.stop(PATIENCE), 0);
    assert_eq!(stored(home.path()).into_keys().collect::<HashSet<_>>(), ids);
}

#[test]
fn a_disk_that_stays_full_keeps_the_receipts_for_the_next_start() {
    let home = tempfile::tempdir().unwrap();
    let dir = DataDir::lock(home.path()).unwrap();
    let none = recovery::recover(&dir).unwrap();
    let (mut writers, reader) = receipts::create(&dir, none, RING_BYTES, 1).unwrap();
    let disk = Filling { is_full: Arc::new(AtomicBool::new(true)), refused: Arc::default() };
    let store = Store::open(home.path(), Limits::default(), Box::new(disk)).unwrap();
    let journal = Journal::start(store, reader, Vec::new()).unwrap();
    let ids: HashSet<_> = (0..30).map(|nth| serve(&mut writers[0], nth)).collect();

    assert_eq!(journal.stop(Duration::from_millis(100)), 30);
    drop((writers, dir));

    let (_dir, _writers, journal) = begin(home.path(), Limits::default());
    assert_eq!(journal.stop(PATIENCE), 0);
    assert_eq!(stored(home.path()).into_keys().collect::<HashSet<_>>(), ids);
}

const CHILD: &str = "WEIR_TEST_RECEIPTS_CHILD";

/// Not a test by itself: the process that the next one kills. It says each id when it would have
/// sent the last byte: after the seal.
#[test]
fn the_process_that_is_killed() {
    let Ok(path) = std::env::var(CHILD) else { return };
    let (_dir, mut writers, _journal) = begin(Path::new(&path), Limits::default());
    let mut out = io::stdout().lock();
    let mut running: Vec<(usize, Slot, u64)> = Vec::new();
    for nth in 0.. {
        let core = nth as usize % 2;
        let (slot, id) = open(&mut writers[core]);
        running.push((core, slot, id.sequence));
        if running.len() < 12 {
            continue;
        }
        let (core, slot, sequence) = running.swap_remove((nth as usize * 5) % 12);
        let id = ReceiptId { core: core as u16, sequence, ..id };
        writers[core].seal(&slot, &outcome(sequence + 1));
        writeln!(out, "sent {id}").unwrap();
        writers[core].close(slot, &outcome(sequence + 1));
    }
}

#[test]
fn fault_59_each_reply_sent_before_a_kill_under_load_has_exactly_one_receipt() {
    let home = tempfile::tempdir().unwrap();
    let mut sent = HashSet::new();
    for round in 0..6 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "the_process_that_is_killed", "--nocapture"])
            .env(CHILD, home.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let kill_at = sent.len() + 700 + round * 511;
        let mut killed = false;
        let mut lines = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        while lines.read_line(&mut line).unwrap() > 0 {
            // The harness prints its own words before the first line.
            if let (true, Some((_, id))) = (line.ends_with('\n'), line.rsplit_once("sent ")) {
                assert!(sent.insert(id.trim_end().parse::<ReceiptId>().unwrap()), "{id}");
            }
            if !killed && sent.len() >= kill_at {
                child.kill().unwrap();
                killed = true;
            }
            line.clear();
        }
        child.wait().unwrap();
        assert!(killed, "the child ended by itself");
    }

    let (_dir, _writers, journal) = begin(home.path(), Limits::default());
    assert_eq!(journal.stop(PATIENCE), 0);

    let found = stored(home.path());
    for id in &sent {
        assert_eq!(found.get(id), Some(&(Ending::Complete, id.sequence + 1)), "{id}");
    }
    let unsent = found.iter().filter(|(id, _)| !sent.contains(id));
    let interrupted = unsent.filter(|(_, about)| about.0 == Ending::Interrupted).count();
    assert!(interrupted >= 6, "{interrupted} were running when the process died");
}

#[test]
fn the_store_is_printed_as_lines_of_json_while_a_gateway_holds_it() {
    let home = tempfile::tempdir().unwrap();
    let (_dir, mut writers, journal) = begin(home.path(), Limits::default());
    let (slot, id) = open(&mut writers[1]);
    let ending = Outcome { code: "ttft_timeout", retries: 1, ..outcome(7) };
    writers[1].close(slot, &ending);
    assert_eq!(journal.stop(PATIENCE), 0);

    let mut out = Vec::new();
    cli::receipts::run(home.path(), false, &mut out).unwrap();

    let expected = concat!(
        r#"{"id":"ID","request_id":"r-1","started_at":"2023-11-14T22:13:20.007Z","#,
        r#""operation":"chat_completions","stream":true,"client_address":"203.0.113.7","#,
        r#""client_certificate":"CN=ci","subject":"user:ada@example.com","#,
        r#""teams":["core","billing"],"metadata":{"ticket":"T-1"},"#,
        r#""requested_model":"openai/gpt-5","resolved_model":"openai/gpt-5","status":200,"#,
        r#""code":"ttft_timeout","fault":null,"ending":"complete","bytes_in":0,"bytes_out":0,"#,
        r#""input_tokens":7,"output_tokens":14,"cached_tokens":0,"reasoning_tokens":0,"#,
        r#""usage_reported":true,"cost_nanodollars":null,"ttft_ms":12.345,"inter_token_ms":0.0,"total_ms":1500.0,"#,
        r#""retries":1}"#,
        "\n"
    );
    assert_eq!(String::from_utf8(out).unwrap(), expected.replace("ID", &id.to_string()));
}

/// Takes so many lines, then is closed.
struct Reader {
    lines: Vec<u8>,
    lines_max: usize,
    seen: crossbeam_channel::Sender<usize>,
}

impl Write for Reader {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.lines.split(|byte| *byte == b'\n').count() - 1;
        if count >= self.lines_max {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        self.lines.extend_from_slice(bytes);
        let _ = self.seen.send(count + 1);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn following_shows_what_comes_through_rotation_and_ends_with_its_reader() {
    let home = tempfile::tempdir().unwrap();
    let limits = Limits { segment_bytes: 2048, ..Limits::default() };
    let (_dir, mut writers, journal) = begin(home.path(), limits);
    let path = home.path().to_owned();
    let (seen, told) = crossbeam_channel::unbounded();
    let follower = std::thread::spawn(move || {
        let mut reader = Reader { lines: Vec::new(), lines_max: 50, seen };
        cli::receipts::run(&path, true, &mut reader).map(|()| reader.lines)
    });
    let mut ids = Vec::new();
    for nth in 0..50 {
        ids.push(serve(&mut writers[0], nth));
        if nth % 10 == 0 {
            // Each ten are shown before the next come, so segments end while they are followed.
            while told.recv_timeout(PATIENCE).unwrap() <= nth as usize {}
        }
    }
    while told.recv_timeout(PATIENCE).unwrap() < 50 {}
    serve(&mut writers[0], 50);

    let lines = follower.join().unwrap().unwrap();
    let lines = String::from_utf8(lines).unwrap();
    for (line, id) in lines.lines().zip(&ids) {
        assert!(line.starts_with(&format!("{{\"id\":\"{id}\"")), "{line}");
    }
    assert_eq!(lines.lines().count(), 50);
    assert!(segments(home.path()).len() > 1);
    assert_eq!(journal.stop(PATIENCE), 0);
}

#[test]
fn a_directory_without_a_store_is_an_error_that_names_the_flag() {
    let home = tempfile::tempdir().unwrap();
    let error = cli::receipts::run(home.path(), false, &mut Vec::new()).unwrap_err();
    assert!(error.to_string().contains("--data-dir"), "{error}");
}

/// A reader that never reads.
struct Stuck(crossbeam_channel::Receiver<()>);

impl Write for Stuck {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        let _ = self.0.recv();
        Err(io::ErrorKind::BrokenPipe.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn an_access_log_that_nobody_reads_is_counted_and_stops_nothing() {
    let id = ReceiptId { epoch: 1, core: 0, sequence: 0 };
    let record = record::encode(id, &opening("r", &[]), &outcome(1));
    let receipt: Receipt<'_> = record::decode(&record).unwrap();
    let (end, stuck) = crossbeam_channel::bounded(0);
    let mut log = AccessLog::start(Stuck(stuck)).unwrap();
    let dropped = log.dropped_total();

    for _ in 0..9000 {
        log.see(&receipt);
    }

    assert!((800..=9000 - 8192).contains(&dropped.load(Ordering::Relaxed)));
    drop(end);
}
