//! What a `depth@100ms` frame costs: bytes in, events out, book right.
//!
//! `decode_sync_book` is what a live bot does with a frame before it thinks: the conversation reads it, checks that it
//! continues the book, and the session's book takes its levels. The same frames with one blank more are declined by
//! the scanner and read by the JSON parser. `serde_json_only` and `btree_map` are what one would otherwise have: the
//! frame into borrowed strings, nothing converted, and a book of two maps.

use std::collections::BTreeMap;
use std::hint::black_box;

use criterion::{BatchSize, Criterion, Throughput};
use papermaker::market::{Book, Level, MarketEventKind};
use papermaker::units::{LocalTime, Lots, Side};
use papermaker::wire::binance_spot::Spot;
use papermaker::wire::conversation::Conversation;
use papermaker::wire::{Protocol, Said};
use serde::Deserialize;

use super::tape::TAPE;

/// Group `depth`: every way a depth frame can be read and a book be kept.
pub fn depth(c: &mut Criterion) {
    let mut group = c.benchmark_group("depth");
    let frames = frames();
    let with_a_blank: Vec<_> = frames.iter().map(|(at, f)| (*at, f.replacen('{', "{ ", 1))).collect();
    let bytes: usize = frames.iter().map(|(_, f)| f.len()).sum();
    eprintln!("depth: {} frames of {} bytes on average ({})", frames.len(), bytes / frames.len(), TAPE.name);
    group.throughput(Throughput::Elements(frames.len() as u64)).sample_size(20);
    for (what, frames, with_book) in [
        ("decode_sync_book", &frames, true),
        ("decode_sync", &frames, false),
        ("decode_sync_book_by_serde_json", &with_a_blank, true),
    ] {
        group.bench_function(format!("{what}/{}", TAPE.name), |b| {
            b.iter_batched_ref(
                || (TAPE.in_step().0, Vec::new(), start()),
                |(venue, said, book)| read(venue, frames, said, with_book.then_some(book)),
                BatchSize::LargeInput,
            );
        });
    }
    group.bench_function(format!("serde_json_only/{}", TAPE.name), |b| {
        b.iter(|| {
            for (_, frame) in &frames {
                black_box(serde_json::from_str::<Combined<'_>>(frame).expect("a depth frame"));
            }
        });
    });

    let deltas = deltas(&frames);
    let updates: usize = deltas.iter().map(|(_, bids, asks)| bids.len() + asks.len()).sum();
    eprintln!("depth: {updates} levels in them, {:.1} a frame", updates as f64 / frames.len() as f64);
    group.throughput(Throughput::Elements(updates as u64));
    group.bench_function(format!("book_per_level/{}", TAPE.name), |b| {
        b.iter_batched_ref(
            start,
            |book| {
                for (seq, bids, asks) in &deltas {
                    book.apply_delta(*seq, bids, asks);
                    black_box((book.best(Side::Bid), book.best(Side::Ask)));
                }
            },
            BatchSize::LargeInput,
        );
    });
    group.bench_function(format!("btree_map_per_level/{}", TAPE.name), |b| {
        let start = start();
        b.iter_batched_ref(
            || Side::BOTH.map(|side| start.levels(side).map(|l| (l.price, l.qty)).collect::<BTreeMap<_, _>>()),
            |book| {
                for (_, bids, asks) in &deltas {
                    for (half, levels) in book.iter_mut().zip([bids, asks]) {
                        for level in levels {
                            match level.qty {
                                Lots(0) => half.remove(&level.price),
                                qty => half.insert(level.price, qty),
                            };
                        }
                    }
                    black_box((book[0].last_key_value(), book[1].first_key_value()));
                }
            },
            BatchSize::LargeInput,
        );
    });
    group.finish();
}

/// The depth frames after the book is in step.
fn frames() -> Vec<(LocalTime, String)> {
    let heard = TAPE.in_step().1;
    TAPE.frames[heard..].iter().filter(|(_, frame)| frame.contains("\"depthUpdate\"")).cloned().collect()
}

/// The book right after it came into step.
fn start() -> Book {
    let (mut said, mut book) = (Vec::new(), Book::new());
    let mut venue = TAPE.conversation(&mut said);
    for (at, frame) in &TAPE.frames[..TAPE.in_step().1] {
        venue.on_text(frame.as_bytes(), *at, &mut said);
    }
    said.drain(..).for_each(|said| take(&mut book, &said));
    book
}

fn read(
    venue: &mut Conversation<Spot>,
    frames: &[(LocalTime, String)],
    said: &mut Vec<Said>,
    mut book: Option<&mut Book>,
) {
    for (at, frame) in frames {
        venue.on_text(frame.as_bytes(), *at, said);
        for said in said.drain(..) {
            if let Some(book) = &mut book {
                take(book, &said);
            }
            black_box(&said);
        }
    }
}

fn take(book: &mut Book, said: &Said) {
    let Said::Market(event) = said else { return };
    match &event.kind {
        MarketEventKind::Snapshot { seq, bids, asks, extent } => book.apply_snapshot(*seq, bids, asks, *extent),
        MarketEventKind::Delta { seq, bids, asks } => book.apply_delta(*seq, bids, asks),
        MarketEventKind::Trade { .. }
        | MarketEventKind::Bbo { .. }
        | MarketEventKind::Gap { .. }
        | MarketEventKind::Rules(_)
        | MarketEventKind::Status(_)
        | MarketEventKind::Mark(_)
        | MarketEventKind::Order(_) => {}
    }
}

fn deltas(frames: &[(LocalTime, String)]) -> Vec<(u64, Vec<Level>, Vec<Level>)> {
    let (mut venue, mut said) = (TAPE.in_step().0, Vec::new());
    for (at, frame) in frames {
        venue.on_text(frame.as_bytes(), *at, &mut said);
    }
    let delta = |said| match said {
        Said::Market(event) => match event.kind {
            MarketEventKind::Delta { seq, bids, asks } => Some((seq, bids, asks)),
            _ => None,
        },
        Said::Feed { .. } | Said::Do(_) => None,
    };
    said.into_iter().filter_map(delta).collect()
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "only read")]
struct Combined<'a> {
    stream: &'a str,
    #[serde(borrow)]
    data: DepthUpdate<'a>,
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "only read")]
struct DepthUpdate<'a> {
    e: &'a str,
    #[serde(rename = "E")]
    time: u64,
    s: &'a str,
    #[serde(rename = "U")]
    first: u64,
    u: u64,
    #[serde(borrow)]
    b: Vec<(&'a str, &'a str)>,
    #[serde(borrow)]
    a: Vec<(&'a str, &'a str)>,
}
