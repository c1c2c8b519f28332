//! Recording and reading back: events a second in, nanoseconds a level out, bytes a level on disk.
//!
//! On the real BTCUSDT recording where `PAPERMAKER_DATA` (or `../shared/data`) has it, else on a random walk; its
//! name says which.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;

use criterion::{Criterion, Throughput};
use papermaker::digest::Digest;
use papermaker::engine::{Input, SessionSpec, Stamped};
use papermaker::journal::{Ending, InputBlock, InputRows, Manifest, Options, Reader, Store};
use papermaker::market::{InstrumentId, Level, MarketEvent, MarketEventKind, PrintFlags};
use papermaker::risk::RiskLimits;
use papermaker::units::{LocalTime, Lots, Money, Nanos, Side, Ticks, VenueTime};

/// Groups `journal/…`.
pub fn benches(c: &mut Criterion) {
    let (name, rounds, events) = events();
    let levels: u64 = events.iter().map(levels).sum();
    let depth: Vec<&Stamped> = events.iter().filter(|e| levels_only(e)).collect();
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
    SessionSpec {
        seed: 0,
        desks: Vec::new(),
        risk: RiskLimits {
            position_max: Vec::new(),
            order_qty_max: Vec::new(),
            order_notional_max: Money(0),
            open_orders_max: 0,
            order_rate_max_per_s: 0,
            collar_centibps: 0,
            stale_book_ms: 0,
            loss_max: None,
        },
        equity_every: Nanos(0),
    }
}

fn levels(event: &Stamped) -> u64 {
    match &event.input {
        Input::Market(MarketEvent {
            kind: MarketEventKind::Snapshot { bids, asks, .. } | MarketEventKind::Delta { bids, asks, .. },
            ..
        }) => (bids.len() + asks.len()) as u64,
        Input::Market(_) | Input::Feed(_) | Input::Tick | Input::Command { .. } => 0,
    }
}

fn levels_only(event: &Stamped) -> bool {
    levels(event) > 0
}

/// About 300,000 events: the recording over and over, time and ids going on.
fn events() -> (&'static str, usize, Vec<Stamped>) {
    let once = recording();
    let (name, once) = if once.is_empty() { ("random-walk", random_walk()) } else { ("btcusdt", once) };
    let span = once.last().map_or(0, |e| e.at.0) - once.first().map_or(0, |e| e.at.0) + 1;
    let mut events = Vec::new();
    for round in 0.. {
        for event in &once {
            let seq = events.len() as u64 + 1;
            events.push(Stamped { seq, at: event.at + Nanos(round * span), input: event.input.clone() });
        }
        if events.len() >= 300_000 {
            break;
        }
    }
    (name, events.len() / once.len(), events)
}

fn recording() -> Vec<Stamped> {
    let home = std::env::var_os("PAPERMAKER_DATA")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/data"), PathBuf::from);
    let Ok(file) = std::fs::File::open(home.join("binance-spot/hftbacktest_spot_btcusdt_20240809.gz")) else {
        return Vec::new();
    };
    let lines = BufReader::new(flate2::read::GzDecoder::new(file)).lines();
    lines.map_while(Result::ok).filter_map(|line| event_of(&line)).collect()
}

fn event_of(line: &str) -> Option<Stamped> {
    let (time, json) = line.split_once(' ')?;
    let json: serde_json::Value = serde_json::from_str(json).ok()?;
    let data = json.get("data")?;
    let count = |text: &serde_json::Value, decimals: usize| -> Option<i64> {
        let (whole, part) = text.as_str()?.split_once('.')?;
        format!("{whole}{}", &part[..decimals]).parse().ok()
    };
    let level = |pair: &serde_json::Value| {
        Some(Level { price: Ticks(count(pair.get(0)?, 2)?), qty: Lots(count(pair.get(1)?, 5)?) })
    };
    let side = |name: &str| data.get(name)?.as_array()?.iter().map(level).collect::<Option<Vec<_>>>();
    let top = |price: &str, qty: &str| {
        Some(Level { price: Ticks(count(data.get(price)?, 2)?), qty: Lots(count(data.get(qty)?, 5)?) })
    };
    let venue_time = data.get("E").and_then(|t| t.as_i64()).map(|ms| VenueTime(ms * 1_000_000));
    let kind = match data.get("e").and_then(|e| e.as_str()) {
        Some("depthUpdate") => {
            MarketEventKind::Delta { seq: data.get("u")?.as_u64()?, bids: side("b")?, asks: side("a")? }
        }
        Some("trade") => MarketEventKind::Trade {
            id: data.get("t")?.as_u64()?,
            taker: if data.get("m")?.as_bool()? { Side::Ask } else { Side::Bid },
            price: Ticks(count(data.get("p")?, 2)?),
            qty: Lots(count(data.get("q")?, 5)?),
            flags: PrintFlags::NONE,
        },
        Some(_) => return None,
        None => MarketEventKind::Bbo { seq: data.get("u")?.as_u64()?, bid: top("b", "B"), ask: top("a", "A") },
    };
    let input = Input::Market(MarketEvent { instrument: InstrumentId(0), venue_time, kind });
    Some(Stamped { seq: 0, at: LocalTime(time.parse().ok()?), input })
}

fn random_walk() -> Vec<Stamped> {
    let mut state = 1u64;
    let mut below = |n: u64| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % n) as i64
    };
    let mut mid = 6_183_763;
    (1..=50_000)
        .map(|seq| {
            mid += below(21) - 10;
            let mut side = |sign: i64| {
                (0..10)
                    .map(|i| Level { price: Ticks(mid + sign * (i * 20 + below(20))), qty: Lots(below(200_000)) })
                    .collect()
            };
            let kind = MarketEventKind::Delta { seq, bids: side(-1), asks: side(1) };
            let at = seq as i64 * 1_000_000;
            let venue_time = Some(VenueTime(at));
            let input = Input::Market(MarketEvent { instrument: InstrumentId(0), venue_time, kind });
            Stamped { seq, at: LocalTime(at), input }
        })
        .collect()
}
