//! The receipt ring over plain memory that dies after any store, or loses one: every short history,
//! not a sample of them. Runs under Miri, too (`tests/long`).

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
};
use weir::{
    bridge::receipts::{self, mapping::Memory, reader::Reader, record, recovery, writer::Writer},
    lexicon::{
        ids::ReceiptId,
        operation::Operation,
        receipt::{Ending, Opening, Outcome},
        time::UnixMillis,
        usage::Usage,
    },
};

/// The fewest blocks that a core may have, behind the header's page.
const RING_BYTES: u64 = 4096 + 16 * 512;
/// How long the histories are: `WEIR_TEST_RING_STEPS`, of which `tests/long` asks for more. Miri is
/// some hundred times slower.
fn steps() -> u32 {
    let steps = std::env::var("WEIR_TEST_RING_STEPS").ok().and_then(|steps| steps.parse().ok());
    steps.unwrap_or(if cfg!(miri) { 2 } else { 4 })
}

/// What a core and the journal do.
#[derive(Clone, Copy, Debug)]
enum Op {
    OpenSmall,
    /// Over several blocks.
    OpenLarge,
    SealOldest,
    CloseOldest,
    CloseNewest,
    DrainAndRelease,
}

const OPS: [Op; 6] = [
    Op::OpenSmall,
    Op::OpenLarge,
    Op::SealOldest,
    Op::CloseOldest,
    Op::CloseNewest,
    Op::DrainAndRelease,
];

/// What a receipt says: `None` is interrupted, else the tokens it was sealed with.
type Said = Option<u64>;

/// Memory that writes down each store.
#[derive(Default)]
struct Watched {
    words: Vec<AtomicU64>,
    stores: Mutex<Vec<(usize, u64)>>,
}

impl Watched {
    fn zeros() -> Self {
        let words = (0..RING_BYTES / 8).map(|_| AtomicU64::new(0)).collect();
        Self { words, stores: Mutex::default() }
    }

    fn stores(&self) -> usize {
        self.stores.lock().expect("one thread").len()
    }

    fn set(&self, (at, value): (usize, u64)) {
        self.words[at].store(value, Ordering::Relaxed);
    }
}

impl Memory for Watched {
    fn len(&self) -> usize {
        self.words.len()
    }
    fn load(&self, at: usize) -> u64 {
        self.words[at].load(Ordering::Acquire)
    }
    fn store(&self, at: usize, value: u64) {
        self.stores.lock().expect("one thread").push((at, value));
        self.set((at, value));
    }
    fn commit(&self, at: usize, value: u64) {
        self.store(at, value);
    }
}

fn opening<'a>(metadata: &'a [(&'a str, &'a str)]) -> Opening<'a> {
    Opening {
        client_address: "127.0.0.1",
        client_certificate: "",
        started: UnixMillis(1_700_000_000_123),
        days_ahead: 0,
        operation: Some(Operation::ChatCompletions),
        is_streaming: true,
        request_id: "r",
        subject: "user:you@example.com",
        teams: "core",
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
        ..Outcome::UNKNOWN
    }
}

/// After which store a receipt says what; `Err` is that it needs not be there any more.
type Entry = (usize, ReceiptId, Result<Said, ()>);

/// What one history stores, and what it promises.
fn live(history: &[Op]) -> (Vec<(usize, u64)>, Vec<Entry>) {
    let memory = Arc::new(Watched::zeros());
    let (mut writers, mut reader): (Vec<Writer<Watched>>, Reader<Watched>) =
        receipts::format(Arc::clone(&memory), RING_BYTES, 1, 7).expect("it fits");
    let writer = &mut writers[0];
    let long = "x".repeat(120);
    let large = vec![("key", long.as_str()); 8];
    let (mut open, mut entries) = (Vec::new(), Vec::new());
    for (op, tokens) in history.iter().zip(1_u64..) {
        match op {
            Op::OpenSmall | Op::OpenLarge => {
                let metadata = if matches!(op, Op::OpenLarge) { &large[..] } else { &[] };
                if let Ok((slot, id)) = writer.open(&opening(metadata)) {
                    open.push((slot, id));
                    entries.push((memory.stores(), id, Ok(None)));
                }
            }
            Op::SealOldest => {
                if let Some((slot, id)) = open.first() {
                    writer.seal(slot, &outcome(tokens));
                    entries.push((memory.stores(), *id, Ok(Some(tokens))));
                }
            }
            Op::CloseOldest | Op::CloseNewest if !open.is_empty() => {
                let at = if matches!(op, Op::CloseOldest) { 0 } else { open.len() - 1 };
                let (slot, id) = open.remove(at);
                writer.close(slot, &outcome(tokens));
                entries.push((memory.stores(), id, Ok(Some(tokens))));
            }
            Op::CloseOldest | Op::CloseNewest => {}
            Op::DrainAndRelease => {
                let mut shown = Vec::new();
                reader.drain(usize::MAX, &mut |bytes| {
                    shown.push(record::decode(bytes).expect("ours").id);
                });
                let before = memory.stores();
                reader.release();
                for (nth, id) in shown.into_iter().enumerate() {
                    entries.push((before + nth + 1, id, Err(())));
                }
            }
        }
    }
    let stores = memory.stores.lock().expect("one thread").clone();
    (stores, entries)
}

/// What the next process finds, and how many records that are none.
fn found(memory: &Watched) -> (BTreeMap<ReceiptId, Said>, usize) {
    let Some(recovered) = recovery::scan(memory) else { return (BTreeMap::new(), 0) };
    let mut found = BTreeMap::new();
    for bytes in recovered.records() {
        let receipt = record::decode(bytes).expect("what is recovered can be read");
        let usage = receipt.outcome.usage;
        assert_eq!(usage.output_tokens, usage.input_tokens * 2);
        assert_eq!(receipt.requested_model, "openai/gpt-5");
        let is_interrupted = receipt.outcome.ending == Ending::Interrupted;
        let said = (!is_interrupted).then_some(usage.input_tokens);
        assert!(found.insert(receipt.id, said).is_none(), "{} twice", receipt.id);
    }
    (found, recovered.corrupt)
}

/// Every history of so many steps.
fn histories(steps: u32) -> impl Iterator<Item = Vec<Op>> {
    let count = OPS.len().pow(steps);
    (0..count).map(move |number| {
        (0..steps).map(|step| OPS[number / OPS.len().pow(step) % OPS.len()]).collect()
    })
}

/// Process death (decisions 1): whatever was stored last, each reply that was sealed has its one
/// receipt, each that was only opened is interrupted, and there is no other.
#[test]
fn every_short_history_dies_well_after_each_of_its_stores() {
    let mut deaths = 0_u64;
    for history in histories(steps()) {
        let (stores, entries) = live(&history);
        let dead = Watched::zeros();
        let (mut expected, mut entries) = (BTreeMap::new(), entries.into_iter().peekable());
        for (stored, store) in (1..).zip(stores) {
            dead.set(store);
            while let Some((_, id, said)) = entries.next_if(|entry| entry.0 <= stored) {
                match said {
                    Ok(said) => drop(expected.insert(id, said)),
                    Err(()) => drop(expected.remove(&id)),
                }
            }
            assert_eq!(found(&dead), (expected.clone(), 0), "{history:?} after {stored} stores");
            deaths += 1;
        }
    }
    println!("{deaths} deaths");
    assert!(deaths > 0, "nothing was stored");
}

/// A disk that lost one store (a torn write of a power cut): the CRC tells. Receipts may be
/// missing, or as old as they once were, but none says what was never said.
#[test]
fn a_store_that_is_lost_leaves_no_receipt_that_was_never_true() {
    let (mut losses, mut told) = (0_u64, 0_usize);
    for history in histories(steps().min(4) - 1) {
        let (stores, entries) = live(&history);
        let true_once: BTreeSet<(ReceiptId, Said)> =
            entries.iter().filter_map(|(_, id, said)| Some((*id, (*said).ok()?))).collect();
        for lost in 0..stores.len() {
            let torn = Watched::zeros();
            let kept = stores.iter().enumerate().filter(|(nth, _)| *nth != lost);
            kept.for_each(|(_, store)| torn.set(*store));
            let (found, corrupt) = found(&torn);
            for (id, said) in found {
                assert!(
                    true_once.contains(&(id, said)),
                    "{history:?} without {lost}: {id} {said:?}"
                );
            }
            told += corrupt;
            losses += 1;
        }
    }
    println!("{losses} losses, {told} records told as corrupt");
    assert!(told > 0, "no loss was told");
}
