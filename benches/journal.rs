//! Recording and reading back: events a second in, nanoseconds a level out, bytes a level on disk.

use criterion::{Criterion, Throughput};
use papermaker::digest::Digest;
use papermaker::engine::{SessionSpec, Stamped};
use papermaker::journal::{Ending, InputBlock, InputRows, Manifest, Options, Reader, Store};
use papermaker::risk::RiskLimits;
use papermaker::units::{LocalTime, Nanos};

use super::tape::{TAPE, levels, stamped};

/// Groups `journal/…`.
pub fn benches(c: &mut Criterion) {
    let name = TAPE.name;
    let (rounds, events) = events();
    let depth: Vec<&Stamped> = events.iter().filter(is_depth).collect();
    let levels: u64 = depth.iter().map(|event| levels(&event.input)).sum();
    eprintln!("journal: {} events, {levels} levels in {} depth messages ({name})", events.len(), depth.len());

    let mut group = c.benchmark_group("journal");
    group.sample_size(10);
    group.throughput(Throughput::Elements(events.len() as u64));
    let folder = tempfile::tempdir().expect("a temporary folder");
    let store = Store::open(folder.path());
    // Durable: every block is synced, as live; the age limit would close a block per 100 ms of the recording's time.
    let options = Options { block_age: None, ..Options::LIVE };
    let record = |id: &str| {
        let mut writer = store.create(id, Manifest::new(id, spec(), LocalTime(0)), options).expect("begins");
        events.iter().for_each(|e| writer.input(e).expect("recorded"));
        writer.finish(ENDING).expect("ends");
    };
    group.bench_function(format!("append/{name}"), |b| {
        b.iter(|| {
            record("round");
            store.delete("round").expect("just recorded");
        });
    });

    record("all");
    let bytes = store.summary("all").bytes;
    eprintln!("journal: {:.2} bytes an event on disk ({bytes} bytes)", bytes as f64 / events.len() as f64);
    group.bench_function(format!("read/{name}"), |b| {
        b.iter(|| {
            let mut reader = store.reader("all").expect("there");
            let mut row = Reader::blank();
            while reader.next_input(&mut row).expect("whole") {}
            row.seq
        });
    });

    // Depth alone, so that a level's share is not mixed with trades and tops of book. Size on one round only: the
    // repetition would be found by the compressor.
    let keep = |id: &str, depth: &[&Stamped]| {
        let mut writer = store.create(id, Manifest::new(id, spec(), LocalTime(0)), options).expect("begins");
        for (event, seq) in depth.iter().zip(1..) {
            writer.input(&Stamped { seq, ..(*event).clone() }).expect("recorded");
        }
        let counts = writer.counts();
        writer.finish(ENDING).expect("ends");
        store.summary(id).bytes as f64 / counts.levels as f64
    };
    let once = keep("once", &depth[..depth.len() / rounds]);
    eprintln!("journal: {once:.2} bytes a level on disk, messages included");
    keep("depth", &depth);
    group.throughput(Throughput::Elements(levels));
    group.bench_function(format!("read-levels/{name}"), |b| {
        b.iter(|| {
            let mut reader = store.reader("depth").expect("there");
            let mut row = Reader::blank();
            while reader.next_input(&mut row).expect("whole") {}
            row.seq
        });
    });

    let mut blocks = vec![InputBlock::default()];
    for event in &depth {
        if blocks.last().is_some_and(|b| b.bytes().len() > 512 << 10) {
            blocks.push(InputBlock::default());
        }
        blocks.last_mut().expect("one").push(event);
    }
    let bytes: usize = blocks.iter().map(|b| b.bytes().len()).sum();
    eprintln!("journal: {:.2} bytes a level before compression", bytes as f64 / levels as f64);
    group.bench_function(format!("decode-levels/{name}"), |b| {
        let (mut rows, mut row) = (InputRows::default(), Reader::blank());
        b.iter(|| {
            for block in &blocks {
                rows.begin(block.first_seq(), block.count());
                while rows.next(block.bytes(), &mut row).expect("whole") {}
            }
        });
    });
    group.finish();
}

const ENDING: Ending = Ending { at: LocalTime(0), output_digest: Digest([0; 32]), state_digest: Digest([0; 32]) };

fn spec() -> SessionSpec {
    SessionSpec { seed: 0, desks: Vec::new(), risk: RiskLimits::default(), equity_every: Nanos(0) }
}

fn is_depth(event: &&Stamped) -> bool {
    levels(&event.input) > 0
}

/// About 300,000 events: the recording over and over, time and ids going on.
fn events() -> (usize, Vec<Stamped>) {
    let rounds = 300_000usize.div_ceil(TAPE.inputs.len());
    (rounds, stamped(TAPE.tiled(rounds)))
}
