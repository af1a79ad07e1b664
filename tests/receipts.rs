//! The receipt ring: what goes in comes out once, also when the process dies between two stores.

#![allow(clippy::cast_possible_truncation, reason = "counts of a test are small")]
#![allow(clippy::cast_sign_loss, reason = "counts of a test are not negative")]

#[path = "receipts/sample.rs"]
mod sample;

use proptest::prelude::{ProptestConfig, any, prop, prop_assert, prop_assert_eq, proptest};
use sample::{opening, outcome, ring_bytes};
use std::{
    collections::{BTreeMap, HashMap},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
};
use weir::{
    bridge::receipts::{
        self,
        data_dir::DataDir,
        mapping::Memory,
        reader::Reader,
        record, recovery,
        writer::{Full, Slot, Writer},
    },
    lexicon::{
        ids::ReceiptId,
        operation::Operation,
        receipt::{Ending, Opening, Outcome, Receipt},
        time::UnixMillis,
        usage::Usage,
    },
};

/// Memory that writes down each store, so that any prefix of them can be looked at.
struct Watched {
    words: Vec<AtomicU64>,
    log: Mutex<Vec<(usize, u64)>>,
}

impl Watched {
    fn new(bytes: u64) -> Self {
        Self { words: zeros(bytes), log: Mutex::default() }
    }

    fn stores(&self) -> usize {
        self.log.lock().unwrap().len()
    }
}

fn zeros(bytes: u64) -> Vec<AtomicU64> {
    (0..bytes / 8).map(|_| AtomicU64::new(0)).collect()
}

impl Memory for Watched {
    fn len(&self) -> usize {
        self.words.len()
    }
    fn load(&self, at: usize) -> u64 {
        self.words[at].load(Ordering::Acquire)
    }
    fn store(&self, at: usize, value: u64) {
        self.log.lock().unwrap().push((at, value));
        self.words[at].store(value, Ordering::Relaxed);
    }
    fn commit(&self, at: usize, value: u64) {
        self.log.lock().unwrap().push((at, value));
        self.words[at].store(value, Ordering::Release);
    }
}

struct Plain(Vec<AtomicU64>);

impl Memory for Plain {
    fn len(&self) -> usize {
        self.0.len()
    }
    fn load(&self, at: usize) -> u64 {
        self.0[at].load(Ordering::Acquire)
    }
    fn store(&self, at: usize, value: u64) {
        self.0[at].store(value, Ordering::Relaxed);
    }
    fn commit(&self, at: usize, value: u64) {
        if value == 0 {
            // The other thread runs while a block is about to be free: it must not have it yet.
            std::thread::yield_now();
        }
        self.0[at].store(value, Ordering::Release);
    }
}

fn plain_ring(blocks: u64, cores: u16) -> (Vec<Writer<Plain>>, Reader<Plain>) {
    let memory = Arc::new(Plain(zeros(ring_bytes(blocks))));
    receipts::format(memory, ring_bytes(blocks), cores, 7).unwrap()
}

fn drain_ids<M: Memory>(reader: &mut Reader<M>) -> Vec<ReceiptId> {
    let mut ids = Vec::new();
    reader.drain(usize::MAX, &mut |record| ids.push(record::decode(record).unwrap().id));
    ids
}

#[test]
fn a_sealed_record_closes_as_it_was_sealed() {
    let (mut writers, mut reader) = plain_ring(64, 1);
    let (slot, id) = writers[0].open(&opening("r-1", &[])).unwrap();
    writers[0].seal(&slot, &outcome(5, "a/b"));
    writers[0].close_sealed(slot);
    assert_eq!(drain_ids(&mut reader), [id]);
}

#[test]
fn a_record_reads_back_as_written() {
    let (mut writers, mut reader) = plain_ring(64, 2);
    let (slot, id) = writers[1].open(&opening("r-1", &[("ticket", "T-1")])).unwrap();
    writers[1].seal(&slot, &outcome(5, "openai/gpt-5"));
    writers[1].close(slot, &outcome(6, "openai/gpt-5-mini"));

    let mut seen = 0;
    reader.drain(10, &mut |record| {
        seen += 1;
        let receipt = record::decode(record).unwrap();
        assert_eq!(receipt.id, ReceiptId { epoch: 7, core: 1, sequence: 0 });
        assert_eq!(receipt.id, id);
        assert_eq!(receipt.metadata, [("ticket", "T-1")]);
        assert_eq!(receipt.outcome, outcome(6, "openai/gpt-5-mini"));
        assert_eq!(
            record,
            record::encode(id, &opening("r-1", &[("ticket", "T-1")]), &receipt.outcome)
        );
    });

    assert_eq!(seen, 1);
    assert!(drain_ids(&mut reader).is_empty());
}

#[test]
fn a_full_ring_says_so_until_the_store_has_what_it_holds() {
    let (mut writers, mut reader) = plain_ring(32, 1);
    let writer = &mut writers[0];
    let mut opened = 0;
    let refusal = loop {
        match writer.open(&opening("r", &[])) {
            Ok((slot, _)) => writer.close(slot, &outcome(1, "a/b")),
            Err(full) => break full,
        }
        opened += 1;
    };
    assert_eq!(refusal, Full);
    assert!((14..=32).contains(&opened), "{opened}");

    assert_eq!(drain_ids(&mut reader).len(), opened);
    assert!(writer.open(&opening("r", &[])).is_err(), "drained is not released");
    reader.release();

    assert_eq!(writer.free_blocks(), 32);
    let (slot, id) = writer.open(&opening("r", &[])).unwrap();
    assert_eq!(id.sequence, opened as u64);
    writer.close(slot, &outcome(1, "a/b"));
}

#[test]
fn long_names_and_much_metadata_are_cut_and_marked() {
    let (mut writers, mut reader) = plain_ring(64, 1);
    let long = "é".repeat(2000);
    let many: Vec<(String, &str)> = (0..200).map(|at| (format!("key-{at}"), "value")).collect();
    let many: Vec<(&str, &str)> = many.iter().map(|(key, value)| (key.as_str(), *value)).collect();
    let opening = Opening { subject: &long, teams: &long, ..opening(&long, &many) };
    let (slot, _) = writers[0].open(&opening).unwrap();
    for tokens in 0..10 {
        writers[0].seal(&slot, &outcome(tokens, if tokens % 3 == 0 { "a/b" } else { &long }));
    }
    writers[0].close(slot, &outcome(11, &long));

    reader.drain(1, &mut |record| {
        let receipt = record::decode(record).unwrap();
        assert!(receipt.is_truncated && record.len() <= 4096);
        assert_eq!(receipt.subject.len(), 256);
        assert!(receipt.metadata.len() > 80, "{}", receipt.metadata.len());
        assert_eq!(receipt.outcome.usage.input_tokens, 11);
        assert_eq!(receipt.outcome.resolved_model.len(), 256);
    });
}

#[test]
fn with_no_block_left_an_outcome_keeps_its_numbers_and_loses_the_models_name() {
    let (mut writers, mut reader) = plain_ring(16, 1);
    let long = "m".repeat(256);
    let writer = &mut writers[0];
    let mut slots = Vec::new();
    while let Ok((slot, _)) = writer.open(&opening("r", &[])) {
        slots.push(slot);
    }
    for tokens in [3, 4, 5] {
        for slot in &slots {
            writer.seal(slot, &outcome(tokens, &long));
        }
    }
    assert_eq!(writer.free_blocks(), 0);
    let count = slots.len();
    for slot in slots {
        writer.close(slot, &outcome(9, &long));
    }

    let mut cut = 0;
    let seen = reader.drain(100, &mut |record| {
        let receipt = record::decode(record).unwrap();
        assert_eq!(receipt.outcome.usage.input_tokens, 9);
        cut += usize::from(receipt.is_truncated && receipt.outcome.resolved_model.is_empty());
    });
    assert_eq!(seen, count);
    assert!(cut > 0);
    reader.release();
    let (slot, _) = writer.open(&opening("r", &[])).unwrap();
    assert_eq!(writer.free_blocks(), 15);
    writer.close(slot, &outcome(1, "a/b"));
}

#[test]
fn bytes_that_are_no_record_are_corrupt_and_nothing_worse() {
    let id = ReceiptId { epoch: 1, core: 0, sequence: 0 };
    let record = record::encode(id, &opening("r", &[("a", "b")]), &outcome(1, "a/b"));
    for end in 0..record.len() - 8 {
        assert_eq!(record::decode(&record[..end]), Err(record::Corrupt));
    }
    for at in 0..record.len() {
        let mut wrong = record.clone();
        wrong[at] ^= 0xff;
        let _ = record::decode(&wrong);
    }
}

/// What should be found of a record after a death.
#[derive(Clone, Debug, PartialEq)]
enum Life {
    Open,
    Ended { tokens: u64 },
    Freed,
}

type Entry = (usize, ReceiptId, Life);

/// Runs `ops` and writes down after which store each one counts.
fn live(memory: &Arc<Watched>, bytes: u64, ops: &[(u8, u8, u16)]) -> Vec<Entry> {
    let (mut writers, mut reader) = receipts::format(Arc::clone(memory), bytes, 2, 9).unwrap();
    let mut slots: Vec<(usize, Slot, ReceiptId)> = Vec::new();
    let mut history: Vec<Entry> = Vec::new();
    let mut held = Vec::new();
    for (tokens, (kind, pick, size)) in ops.iter().enumerate() {
        let (tokens, pick) = (tokens as u64, usize::from(*pick));
        let model = "m".repeat(usize::from(*size) % 300);
        match kind % 6 {
            0 | 1 => {
                let long = "x".repeat(usize::from(*size) % 120);
                let metadata = vec![("key", long.as_str()); usize::from(*size) % 9];
                let core = pick % 2;
                if let Ok((slot, id)) = writers[core].open(&opening("r", &metadata)) {
                    slots.push((core, slot, id));
                    history.push((memory.stores(), id, Life::Open));
                }
            }
            2 if !slots.is_empty() => {
                let (core, slot, id) = &slots[pick % slots.len()];
                writers[*core].seal(slot, &outcome(tokens, &model));
                history.push((memory.stores(), *id, Life::Ended { tokens }));
            }
            3 | 4 if !slots.is_empty() => {
                let (core, slot, id) = slots.swap_remove(pick % slots.len());
                writers[core].close(slot, &outcome(tokens, &model));
                history.push((memory.stores(), id, Life::Ended { tokens }));
            }
            _ if pick % 2 == 0 => {
                let max = usize::from(*size) % 5 + 1;
                reader.drain(max, &mut |record| held.push(record::decode(record).unwrap().id));
            }
            _ => {
                let before = memory.stores();
                reader.release();
                for (nth, id) in held.drain(..).enumerate() {
                    history.push((before + nth + 1, id, Life::Freed));
                }
            }
        }
    }
    history
}

fn found<M: Memory>(memory: &M) -> BTreeMap<ReceiptId, Life> {
    let Some(recovered) = recovery::scan(memory) else { return BTreeMap::new() };
    assert_eq!(recovered.corrupt, 0);
    let mut found = BTreeMap::new();
    for record in recovered.records() {
        let receipt = record::decode(record).unwrap();
        let usage = receipt.outcome.usage;
        let life = match receipt.outcome.ending {
            Ending::Interrupted => Life::Open,
            _ => Life::Ended { tokens: usage.input_tokens },
        };
        assert_eq!(usage.output_tokens, usage.input_tokens * 2);
        assert_eq!(receipt.subject, "user:ada@example.com");
        assert!(found.insert(receipt.id, life).is_none(), "{} twice", receipt.id);
    }
    found
}

fn usage_of(
    input_tokens: u64,
    output_tokens: u64,
    cached_tokens: u64,
    reasoning_tokens: u64,
) -> Usage {
    Usage { input_tokens, output_tokens, cached_tokens, reasoning_tokens, ..Usage::NONE }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn a_death_after_any_store_leaves_each_record_once_and_true(
        ops in prop::collection::vec((any::<u8>(), any::<u8>(), any::<u16>()), 1..64),
    ) {
        let bytes = ring_bytes(48);
        let watched = Arc::new(Watched::new(bytes));
        let history = live(&watched, bytes, &ops);

        let dead = Plain(zeros(bytes));
        let mut expected = BTreeMap::new();
        let mut history = history.into_iter().peekable();
        for (stored, (at, value)) in watched.log.lock().unwrap().iter().enumerate() {
            dead.store(*at, *value);
            while let Some((_, id, life)) = history.next_if(|entry| entry.0 <= stored + 1) {
                if life == Life::Freed { expected.remove(&id) } else { expected.insert(id, life) };
            }
            prop_assert_eq!(&found(&dead), &expected, "after store {}", stored + 1);
        }
    }

    #[test]
    fn any_opening_and_outcome_survive_the_ring(
        texts in prop::collection::vec("\\PC{0,60}", 6),
        metadata in prop::collection::vec(("\\PC{0,20}", "\\PC{0,60}"), 0..12),
        numbers in prop::array::uniform6(any::<u64>()),
        micros in prop::array::uniform3(any::<u32>()),
        (ending, status, retries, operation) in (1u8..6, any::<u16>(), any::<u16>(), 0usize..4),
    ) {
        let pairs: Vec<(&str, &str)> = metadata.iter().map(|(k, v)| (&**k, &**v)).collect();
        let opening = Opening {
            started: UnixMillis(numbers[0]),
            days_ahead: retries,
            operation: Operation::ALL.get(operation).copied(),
            is_streaming: status % 2 == 0,
            request_id: &texts[0][..texts[0].floor_char_boundary(128)],
            client_address: "203.0.113.7",
            client_certificate: "CN=ci",
            subject: &texts[1],
            teams: &texts[2],
            metadata: &pairs,
            requested_model: &texts[3],
        };
        let [input, output, cached, reasoning, bytes_in, bytes_out] = numbers;
        let outcome = Outcome {
            ending: Ending::from_u8(ending).unwrap(),
            status,
            code: "model_not_found",
            fault: "idle_timeout",
            resolved_model: &texts[4],
            usage: usage_of(input, output, cached, reasoning),
            usage_is_reported: retries % 2 == 0,
            was_sent: true,
            cost_nanodollars: (retries % 3 > 0).then_some(u64::from(retries)),
            bytes_in,
            bytes_out,
            ttft_us: micros[0],
            inter_token_us: micros[1],
            total_us: micros[2],
            retries,
            rule: &texts[5][..texts[5].floor_char_boundary(76)],
            ..ROUTED
        };
        let (mut writers, mut reader) = plain_ring(16, 1);
        let (slot, id) = writers[0].open(&opening).unwrap();
        writers[0].close(slot, &outcome);

        let mut record = Vec::new();
        reader.drain(1, &mut |seen| record = seen.to_vec());
        let expected = Receipt {
            id,
            started: opening.started,
            days_ahead: opening.days_ahead,
            operation: opening.operation,
            is_streaming: opening.is_streaming,
            is_truncated: false,
            request_id: opening.request_id,
            client_address: opening.client_address,
            client_certificate: opening.client_certificate,
            subject: opening.subject,
            teams: opening.teams,
            metadata: pairs.clone(),
            requested_model: opening.requested_model,
            outcome,
        };
        let receipt = record::decode(&record).unwrap();
        if receipt.is_truncated {
            prop_assert!(receipt.metadata.len() < pairs.len());
        } else {
            prop_assert_eq!(receipt, expected);
        }
    }
}

/// What a receipt says of an exchange that did not go straight.
const ROUTED: Outcome<'_> = Outcome {
    attempts: "test/a 503 test/b connect_failed",
    request_dropped: "seed",
    reply_dropped: "citations, logprobs",
    ..Outcome::UNKNOWN
};

/// Opens, seals and closes out of order; a spin only where the ring is full.
fn work(mut writer: Writer<Plain>, count: u64) -> Writer<Plain> {
    let mut running: Vec<(Slot, u64)> = Vec::new();
    for nth in 0..count {
        let (slot, id) = loop {
            match writer.open(&opening("r", &[("nth", &nth.to_string())])) {
                Ok(opened) => break opened,
                Err(Full) => std::thread::yield_now(),
            }
        };
        assert_eq!(id.sequence, nth);
        running.push((slot, nth));
        if running.len() > 24 {
            let (slot, nth) = running.swap_remove((nth as usize * 7) % 24);
            writer.seal(&slot, &outcome(nth, "a/b"));
            writer.close(slot, &outcome(nth + 1, "a/b"));
        }
    }
    for (slot, nth) in running {
        writer.close(slot, &outcome(nth + 1, "a/b"));
    }
    writer
}

#[test]
fn two_cores_and_the_journal_at_full_speed_lose_nothing_and_repeat_nothing() {
    const COUNT: u64 = 20_000;
    let (writers, mut reader) = plain_ring(400, 2);
    let threads: Vec<_> =
        writers.into_iter().map(|writer| std::thread::spawn(move || work(writer, COUNT))).collect();

    let mut seen: HashMap<ReceiptId, u64> = HashMap::new();
    while seen.len() < 2 * COUNT as usize {
        let shown = reader.drain(64, &mut |record| {
            let receipt = record::decode(record).unwrap();
            let nth: u64 = receipt.metadata[0].1.parse().unwrap();
            assert_eq!((receipt.id.sequence, receipt.outcome.usage.input_tokens), (nth, nth + 1));
            assert_eq!(seen.insert(receipt.id, nth), None);
        });
        reader.release();
        if shown == 0 {
            std::thread::yield_now();
        }
    }

    for thread in threads {
        assert_eq!(thread.join().unwrap().free_blocks(), 200);
    }
    assert_eq!(reader.waiting(), 0);
}

#[test]
fn a_ring_of_another_size_and_fewer_cores_takes_over_what_was_left() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("data");
    let dir = DataDir::lock(&path).unwrap();
    let none = recovery::recover(&dir).unwrap();
    let (mut writers, reader) = receipts::create(&dir, none, ring_bytes(128), 4).unwrap();
    let (open, open_id) = writers[3].open(&opening("open", &[])).unwrap();
    let (sealed, sealed_id) = writers[0].open(&opening("sealed", &[])).unwrap();
    writers[0].seal(&sealed, &outcome(8, "a/b"));
    drop((open, sealed, writers, reader, dir));

    let dir = DataDir::lock(&path).unwrap();
    let left = recovery::recover(&dir).unwrap();
    let records: Vec<Vec<u8>> = left.records().map(<[u8]>::to_vec).collect();
    let (mut writers, _reader) = receipts::create(&dir, left, ring_bytes(64), 1).unwrap();

    let found: Vec<Receipt<'_>> = records.iter().map(|r| record::decode(r).unwrap()).collect();
    assert_eq!([found[0].id, found[1].id], [sealed_id, open_id]);
    assert_eq!(found[0].outcome, outcome(8, "a/b"));
    assert_eq!(found[1].outcome.ending, Ending::Interrupted);
    let (slot, id) = writers[0].open(&opening("next", &[])).unwrap();
    assert!(id.epoch > open_id.epoch);
    writers[0].close(slot, &outcome(1, "a/b"));
    drop(dir);
}
