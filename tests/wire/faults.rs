//! Whatever the line does to the stream, a book that is believed is the venue's book.

use std::collections::BTreeMap;

use papermaker::market::{Book, InstrumentId, Level, MarketEventKind};
use papermaker::units::{LocalTime, Lots, Nanos, Side, Ticks};
use papermaker::wire::depth_sync::{DepthSync, Snapshot, SyncLimits};
use papermaker::wire::dialect::{Change, Link, Request};
use papermaker::wire::{Action, FetchFailure, Said};
use proptest::prelude::*;

/// One update at the venue: what now rests at a price. Update `n` is the `n`-th, from 1.
type Update = (Side, i64, i64);

fn truth(updates: &[Update], up_to: usize) -> [BTreeMap<i64, i64>; 2] {
    let mut sides = [BTreeMap::new(), BTreeMap::new()];
    for &(side, price, qty) in &updates[..up_to] {
        let levels = &mut sides[side as usize];
        if qty > 0 {
            levels.insert(price, qty)
        } else {
            levels.remove(&price)
        };
    }
    sides
}

fn level(price: i64, qty: i64) -> Level {
    Level { price: Ticks(price), qty: Lots(qty) }
}

fn snapshot(updates: &[Update], up_to: usize) -> Snapshot {
    let [bids, asks] = truth(updates, up_to);
    Snapshot {
        last: up_to as u64,
        bids: bids.iter().rev().map(|(&p, &q)| level(p, q)).collect(),
        asks: asks.iter().map(|(&p, &q)| level(p, q)).collect(),
    }
}

fn diff(updates: &[Update], from: usize, to: usize) -> Change {
    let of = |side| {
        let mine = updates[from..to].iter().filter(move |u| u.0 == side);
        mine.map(|&(_, price, qty)| level(price, qty)).collect()
    };
    let (bids, asks) = (of(Side::Bid), of(Side::Ask));
    let link = Link::From(from as u64 + 1);
    Change { link, last: to as u64, seq: None, time: None, bids, asks, checksum: None }
}

#[derive(Clone, Debug)]
enum Line {
    Deliver(usize),
    Lose,
    Double,
    Swap,
    Unreadable,
    /// Answer a fetch with the state so many updates before (negative: after) the last one sent.
    Answer(i64),
    Fail,
    Wait(i64),
}

fn line() -> impl Strategy<Value = Line> {
    prop_oneof![
        8 => (1..4usize).prop_map(Line::Deliver),
        1 => Just(Line::Lose),
        1 => Just(Line::Double),
        1 => Just(Line::Swap),
        1 => Just(Line::Unreadable),
        6 => (-6..12i64).prop_map(Line::Answer),
        1 => Just(Line::Fail),
        1 => (0..15_000i64).prop_map(Line::Wait),
    ]
}

/// The session's view: it knows only what was said.
struct Listener {
    sync: DepthSync,
    book: Book,
    believed: bool,
    wanted: bool,
    at: LocalTime,
}

impl Listener {
    fn obey(&mut self, said: Vec<Said>) {
        for s in said {
            match s {
                Said::Market(event) => match event.kind {
                    MarketEventKind::Snapshot { seq, bids, asks, extent } => {
                        self.book.apply_snapshot(seq, &bids, &asks, extent);
                        self.believed = true;
                    }
                    MarketEventKind::Delta { seq, bids, asks } => {
                        assert!(self.believed, "a difference before a snapshot");
                        self.book.apply_delta(seq, &bids, &asks);
                    }
                    MarketEventKind::Gap { .. } => self.believed = false,
                    other => panic!("a synchroniser does not say {other:?}"),
                },
                Said::Feed { .. } => {}
                Said::Do(Action::Fetch { .. }) => self.wanted = true,
                Said::Do(Action::Reconnect { .. }) => {
                    self.believed = false;
                    self.wanted = false;
                    self.sync.open();
                }
                Said::Do(other) => panic!("a synchroniser does not wish {other:?}"),
            }
        }
    }

    fn hear(&mut self, diff: Change) {
        let mut said = Vec::new();
        self.sync.on_change(diff, self.at, &mut said);
        self.obey(said);
    }

    fn check(&self, updates: &[Update]) {
        assert_eq!(self.believed, self.sync.is_live());
        if self.believed {
            let expected = truth(updates, self.book.seq() as usize);
            for side in Side::BOTH {
                let ours: BTreeMap<_, _> = self.book.levels(side).map(|l| (l.price.0, l.qty.0)).collect();
                assert_eq!(ours, expected[side as usize], "{side:?} after update {}", self.book.seq());
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]
    #[test]
    fn a_believed_book_is_the_venues_book_whatever_the_line_does(
        // Bids below 100, asks above: the venue's own book is never crossed.
        updates in prop::collection::vec(
            (any::<bool>(), 1..10i64, 0..3i64).prop_map(|(bid, away, qty)| {
                if bid { (Side::Bid, 100 - away, qty) } else { (Side::Ask, 100 + away, qty) }
            }), 300),
        widths in prop::collection::vec(1..4usize, 150),
        lines in prop::collection::vec(line(), 1..80),
    ) {
        let request = Request::Get { path: "/depth".to_owned(), weight: 1 };
        let limits = SyncLimits { buffer_messages: 20, ..SyncLimits::default() };
        let mut listener = Listener {
            sync: DepthSync::new(InstrumentId(0), request, limits),
            book: Book::new(),
            believed: false,
            wanted: false,
            at: LocalTime(0),
        };
        listener.sync.open();
        let (mut sent, mut widths) = (0, widths.into_iter().cycle());
        let mut next = |sent: &mut usize| {
            let from = *sent;
            *sent = (from + widths.next().unwrap()).min(updates.len() - 4);
            (from < *sent).then(|| diff(&updates, from, *sent))
        };
        let mut last = None;
        for line in lines {
            listener.at = listener.at + Nanos::from_ms(100);
            let mut said = Vec::new();
            match line {
                Line::Deliver(n) => for _ in 0..n {
                    if let Some(diff) = next(&mut sent) {
                        last = Some(diff.clone());
                        listener.hear(diff);
                    }
                },
                Line::Lose => {
                    next(&mut sent);
                }
                Line::Double => if let Some(diff) = last.clone() {
                    listener.hear(diff);
                },
                Line::Swap => if let (Some(first), second) = (next(&mut sent), next(&mut sent)) {
                    second.into_iter().for_each(|diff| listener.hear(diff));
                    listener.hear(first);
                },
                Line::Unreadable => if next(&mut sent).is_some() {
                    listener.sync.on_unreadable(listener.at, &mut said);
                },
                Line::Answer(before) => if std::mem::take(&mut listener.wanted) {
                    let up_to = (sent as i64 - before).clamp(0, updates.len() as i64);
                    listener.sync.on_snapshot(snapshot(&updates, up_to as usize), listener.at, &mut said);
                },
                Line::Fail => if std::mem::take(&mut listener.wanted) {
                    let failure = FetchFailure::Unreachable("reset".to_owned());
                    listener.sync.on_failure(&failure, listener.at, &mut said);
                },
                Line::Wait(ms) => {
                    listener.at = listener.at + Nanos::from_ms(ms);
                    listener.sync.on_time(listener.at, &mut said);
                }
            }
            listener.obey(said);
            listener.check(&updates);
        }
        // The line is good again: a fresh answer and one more message, and the book is believed.
        let (from, to) = (sent, sent + 1);
        let mut said = Vec::new();
        if !listener.believed {
            listener.sync.on_snapshot(snapshot(&updates, to), listener.at, &mut said);
            listener.obey(said);
        }
        listener.hear(diff(&updates, from, to));
        listener.hear(diff(&updates, to, to + 1));
        for _ in 0..2 {
            if !listener.believed {
                let mut said = Vec::new();
                listener.sync.on_snapshot(snapshot(&updates, to + 1), listener.at, &mut said);
                listener.obey(said);
            }
        }
        prop_assert!(listener.believed);
        listener.check(&updates);
    }
}
