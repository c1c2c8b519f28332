//! What a book message of about 1.4 kB costs at every venue: bytes in, events out, book right.
//!
//! `ours` is what a live bot does with the frame before it thinks: the conversation reads it, checks that it continues
//! the book (sequence, checksum, window, crossed), and the session's book takes its levels. `serde_json` is what one would
//! write instead in an afternoon: the frame into a typed struct with borrowed strings, each number a `Decimal`, each
//! `Decimal` a count of steps, into the same book, and nothing checked. [`super::chains`] says where frames are from.

use std::fmt::Write;
use std::time::{Duration, Instant};

use criterion::Criterion;
use papermaker::market::Book;
use papermaker::units::Side;

use super::by_serde;
use super::chains::{AT, Chain, take};

/// Rounds of the table: each runs every venue once by either way.
const ROUNDS: usize = 21;

/// Group `venues`: nanoseconds a frame, and a table of medians from alternating runs.
pub fn frames(c: &mut Criterion) {
    let wanted = std::env::args().skip(1).filter(|arg| !arg.starts_with('-')).all(|arg| "venues".contains(&arg));
    if !wanted {
        return;
    }
    let chains = Chain::all();
    eprintln!("{}", table(&chains));
    let mut group = c.benchmark_group("venues");
    group.sample_size(10);
    for chain in &chains {
        for (way, time) in WAYS {
            group.bench_function(format!("{way}/{}", chain.name), |b| {
                b.iter_custom(|times| (0..times).map(|_| time(chain).0).sum::<Duration>() / chain.timed().len() as u32);
            });
        }
    }
    group.finish();
}

type Way = (&'static str, fn(&Chain) -> (Duration, Book));

const WAYS: [Way; 2] = [("ours", ours), ("serde_json", serde_json)];

/// One way through the whole chain.
#[expect(clippy::disallowed_methods, reason = "a bench measures time")]
fn ours(chain: &Chain) -> (Duration, Book) {
    let (mut venue, mut book) = chain.start();
    let mut said = Vec::new();
    let begin = Instant::now();
    for frame in chain.timed() {
        venue.on_text(frame.as_bytes(), AT, &mut said);
        for said in said.drain(..) {
            take(&mut book, &said);
        }
    }
    (begin.elapsed(), book)
}

#[expect(clippy::disallowed_methods, reason = "a bench measures time")]
fn serde_json(chain: &Chain) -> (Duration, Book) {
    let mut book: Book = chain.start().1;
    let begin = Instant::now();
    for frame in chain.timed() {
        by_serde::read(chain.venue, frame, &chain.rules, &mut book)
            .unwrap_or_else(|| panic!("{}: no frame of the venue: {frame}", chain.name));
    }
    (begin.elapsed(), book)
}

fn table(chains: &[Chain]) -> String {
    let mut times = vec![[Vec::new(), Vec::new()]; chains.len()];
    chains.iter().for_each(agree);
    for _ in 0..ROUNDS {
        for (chain, times) in chains.iter().zip(&mut times) {
            for ((_, time), times) in WAYS.into_iter().zip(times) {
                times.push(time(chain).0.as_nanos() as f64 / chain.timed().len() as f64);
            }
        }
    }
    let mut text =
        "| venue | bytes | levels | ours, ns | serde_json, ns | ratio |\n|---|---|---|---|---|---|\n".to_owned();
    for (chain, times) in chains.iter().zip(&mut times) {
        let [ours, theirs] = times.each_mut().map(|times| {
            times.sort_by(f64::total_cmp);
            times[ROUNDS / 2]
        });
        let bytes = chain.timed().iter().map(String::len).sum::<usize>() / chain.timed().len();
        let (name, levels, ratio) = (chain.name, chain.levels, theirs / ours);
        writeln!(text, "| {name} | {bytes} | {levels} | {ours:.0} | {theirs:.0} | {ratio:.1} |").expect("to a string");
    }
    text
}

/// Both ways end with the same best levels. Deeper ones may differ: a window is kept by one of them only.
fn agree(chain: &Chain) {
    let [ours, theirs] = WAYS.map(|(_, way)| way(chain).1);
    for side in Side::BOTH {
        let best = |book: &Book| book.levels(side).take(10).collect::<Vec<_>>();
        assert_eq!(best(&ours), best(&theirs), "{}", chain.name);
    }
}
