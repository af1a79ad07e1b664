//! The receipt ring as a core meets it: open, seal, close; the journal's end drained beside.

use allocations::measure;
use criterion::{Criterion, criterion_group, criterion_main};
use weir::{
    bridge::receipts::{self, data_dir::DataDir, recovery},
    lexicon::{
        operation::Operation,
        receipt::{Ending, Opening, Outcome},
        time::UnixMillis,
        usage::Usage,
    },
};

fn receipt(criterion: &mut Criterion) {
    let folder = tempfile::tempdir().expect("there is a temporary folder");
    let dir = DataDir::lock(folder.path()).expect("nobody else has it");
    let recovered = recovery::recover(&dir).expect("it is empty");
    let (mut writers, mut reader) =
        receipts::create(&dir, recovered, 8 << 20, 1).expect("there is room");
    let mut writer = writers.remove(0);
    let metadata = [("team", "search"), ("env", "prod")];
    let opening = Opening {
        started: UnixMillis(1_760_000_000_000),
        days_ahead: 0,
        operation: Some(Operation::ChatCompletions),
        is_streaming: true,
        request_id: "req_0123456789abcdef",
        subject: "user:you@example.com",
        teams: "search,platform",
        client_address: "203.0.113.7",
        client_certificate: "",
        metadata: &metadata,
        requested_model: "test/plain",
    };
    let outcome = Outcome {
        ending: Ending::Complete,
        status: 200,
        resolved_model: "test/plain",
        usage: Usage { input_tokens: 10, output_tokens: 20, ..Usage::default() },
        usage_is_reported: true,
        bytes_in: 1024,
        bytes_out: 1024,
        total_us: 900,
        ..Outcome::UNKNOWN
    };
    measure(criterion, "open, seal, close, drain", 0, || {
        let (slot, id) = writer.open(&opening).expect("there is room");
        writer.seal(&slot, &outcome);
        writer.close(slot, &outcome);
        let drained = reader.drain(8, &mut |record| {
            assert!(!record.is_empty());
        });
        reader.release();
        (id, drained)
    });
    assert!(writer.free_blocks() > 1_000, "what is drained is free again");
}

criterion_group!(benches, receipt);
criterion_main!(benches);
