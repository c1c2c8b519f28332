//! What a `depth@100ms` frame costs: bytes in, events out, book right.
//!
//! On the frames of the real recording where it is present (`PAPERMAKER_DATA` or `../shared/data`), else on frames
//! made up to be 1.4 kB like them. The JSON parser reads the same frames with one blank more, which the scanner
//! declines.

use std::hint::black_box;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;

use criterion::{BatchSize, Criterion, Throughput};
use flate2::read::MultiGzDecoder;
use papermaker::market::{Book, Instrument, InstrumentId, MarketEventKind, VenueId};
use papermaker::units::{LocalTime, Side, Step};
use papermaker::wire::binance_spot::{BinanceSpot, Settings};
use papermaker::wire::{Protocol, Said};

const BTC: InstrumentId = InstrumentId(0);

struct Tape {
    snapshot: String,
    /// The differences around and after the snapshot.
    frames: Vec<String>,
}

fn recorded() -> Option<Tape> {
    let dir = std::env::var_os("PAPERMAKER_DATA")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/data"), PathBuf::from);
    let mut tape = Tape { snapshot: String::new(), frames: Vec::new() };
    for name in ["hftbacktest_spot_btcusdt_20240808.gz", "hftbacktest_spot_btcusdt_20240809.gz"] {
        let file = std::fs::File::open(dir.join("binance-spot").join(name)).ok()?;
        for line in BufReader::new(MultiGzDecoder::new(file)).lines() {
            let (_, json) = line.ok()?.split_once(' ').map(|(t, json)| (t.to_owned(), json.to_owned()))?;
            if json.starts_with("{\"lastUpdateId\"") {
                tape.snapshot = json;
            } else if json.contains("\"depthUpdate\"") {
                tape.frames.push(json);
            }
        }
    }
    Some(tape)
}

/// Twenty levels a side, some of them emptied, walking up and down.
fn made_up() -> Tape {
    let levels = |n: u64, sign: i64| {
        let level = |k: u64| {
            let price = 6_000_000 + sign * (1 + k as i64 * 7) + (n % 400) as i64 - 200;
            format!(
                "[\"{}.{:02}000000\",\"{}.{:05}000\"]",
                price / 100,
                price % 100,
                (n + k) % 3,
                (n * 7 + k) % 100_000
            )
        };
        (0..20).map(level).collect::<Vec<_>>().join(",")
    };
    let frame = |n: u64| {
        let (bids, asks) = (levels(n, -1), levels(n, 1));
        format!(
            r#"{{"stream":"btcusdt@depth@100ms","data":{{"e":"depthUpdate","E":1700000000000,"s":"BTCUSDT","U":{0},"u":{0},"b":[{bids}],"a":[{asks}]}}}}"#,
            n + 1
        )
    };
    let snapshot =
        r#"{"lastUpdateId":1,"bids":[["50000.00000000","1.00000000"]],"asks":[["70000.00000000","1.00000000"]]}"#;
    Tape { snapshot: snapshot.to_owned(), frames: (0..5_000).map(frame).collect() }
}

/// A conversation with a book in step, and how many of the frames it has heard for that.
fn in_step(tape: &Tape) -> (BinanceSpot, usize) {
    let step = |text| Step::parse(text).expect("a step");
    let btc = Instrument::new(VenueId::BinanceSpot, "BTCUSDT", "BTC", "USDT", step("0.01"), step("0.00001"));
    let mut venue = BinanceSpot::new(vec![(BTC, btc.expect("an instrument"))], Settings::default());
    let mut said = Vec::new();
    venue.on_open(LocalTime(0), &mut said);
    venue.on_fetched(BTC, Ok(tape.snapshot.as_bytes()), LocalTime(0), &mut said);
    let heard = tape.frames.iter().position(|frame| {
        venue.on_text(frame.as_bytes(), LocalTime(0), &mut said);
        venue.book(BTC).is_some()
    });
    (venue, heard.expect("the snapshot is bridged") + 1)
}

/// Every way a depth frame can be read and a book be kept.
pub fn depth(c: &mut Criterion) {
    let (tape, kind) = match recorded() {
        Some(tape) => (tape, "recorded"),
        None => (made_up(), "made_up"),
    };
    let heard = in_step(&tape).1;
    let frames = &tape.frames[heard..];
    let with_a_blank: Vec<_> = frames.iter().map(|f| f.replacen('{', "{ ", 1)).collect();
    let bytes: usize = frames.iter().map(String::len).sum();
    eprintln!("depth: {} {kind} frames of {} bytes on average", frames.len(), bytes / frames.len());

    let mut group = c.benchmark_group("depth");
    group.throughput(Throughput::Elements(frames.len() as u64)).sample_size(20);
    for (name, frames) in [("scan_sync_book", frames), ("serde_json_sync_book", &with_a_blank)] {
        group.bench_function(format!("{name}/{kind}"), |b| {
            b.iter_batched_ref(
                || (in_step(&tape).0, Vec::new()),
                |(venue, said)| {
                    for frame in frames {
                        venue.on_text(frame.as_bytes(), LocalTime(0), said);
                        black_box(&said);
                        said.clear();
                    }
                },
                BatchSize::LargeInput,
            );
        });
    }

    let mut venue = in_step(&tape).0;
    let start = venue.book(BTC).expect("in step").clone();
    let mut said = Vec::new();
    for frame in frames {
        venue.on_text(frame.as_bytes(), LocalTime(0), &mut said);
    }
    let deltas: Vec<_> = said
        .iter()
        .filter_map(|s| match s {
            Said::Market(event) => match &event.kind {
                MarketEventKind::Delta { seq, bids, asks } => Some((*seq, bids, asks)),
                _ => None,
            },
            _ => None,
        })
        .collect();
    let updates: usize = deltas.iter().map(|(_, bids, asks)| bids.len() + asks.len()).sum();
    group.throughput(Throughput::Elements(updates as u64));
    group.bench_function(format!("book_per_level/{kind}"), |b| {
        b.iter_batched_ref(
            || start.clone(),
            |book: &mut Book| {
                for (seq, bids, asks) in &deltas {
                    book.apply_delta(*seq, bids, asks);
                    black_box((book.best(Side::Bid), book.best(Side::Ask)));
                }
            },
            BatchSize::LargeInput,
        );
    });
    group.finish();
}
