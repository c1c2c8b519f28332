//! Where the venue shows its best levels only and sends its book in the stream: whatever the line does, a book that is
//! believed is what the venue shows.

use std::collections::BTreeMap;

use papermaker::market::{Book, Level, MarketEventKind};
use papermaker::units::{LocalTime, Lots, Nanos, Side, Ticks};
use papermaker::wire::depth_sync::SyncLimits;
use papermaker::wire::dialect::{Change, Link};
use papermaker::wire::stream_sync::{StreamSync, Whole};
use papermaker::wire::{Action, Said};
use proptest::prelude::*;

use super::{BTC, instrument};

/// Levels a side the venue shows.
const SHOWN: usize = 4;

/// The venue's whole book, of which we see the best levels, and the number of its last change.
#[derive(Clone, Default)]
struct Venue {
    sides: [BTreeMap<i64, i64>; 2],
    seq: u64,
}

impl Venue {
    /// Best first.
    fn shown(&self, side: Side) -> Vec<Level> {
        let level = |(&price, &qty): (&i64, &i64)| Level { price: Ticks(price), qty: Lots(qty) };
        let all = &self.sides[side as usize];
        match side {
            Side::Bid => all.iter().rev().take(SHOWN).map(level).collect(),
            Side::Ask => all.iter().take(SHOWN).map(level).collect(),
        }
    }

    fn whole(&self) -> Whole {
        let [bids, asks] = Side::BOTH.map(|side| self.shown(side));
        Whole { last: self.seq, seq: None, time: None, bids, asks, complete: false, checksum: Some(self.sum()) }
    }

    /// Applies one update and says what changed of what is shown. As at Kraken, what falls out of sight is not said;
    /// what comes into sight is.
    fn change(&mut self, side: Side, price: i64, qty: i64) -> Change {
        let before = self.shown(side);
        if qty > 0 {
            self.sides[side as usize].insert(price, qty);
        } else {
            self.sides[side as usize].remove(&price);
        }
        let after = self.shown(side);
        let mut levels: Vec<Level> = after.iter().filter(|l| !before.contains(l)).copied().collect();
        if qty == 0 && before.iter().any(|l| l.price.0 == price) {
            levels.push(Level { price: Ticks(price), qty: Lots::ZERO });
        }
        let (bids, asks) = if side == Side::Bid { (levels, Vec::new()) } else { (Vec::new(), levels) };
        let link = Link::After(self.seq);
        self.seq += 1;
        Change { link, last: self.seq, seq: None, time: None, bids, asks, checksum: Some(self.sum()) }
    }

    fn sum(&self) -> u32 {
        Side::BOTH.iter().flat_map(|side| self.shown(*side)).fold(7, fold)
    }
}

fn fold(sum: u32, level: Level) -> u32 {
    sum.wrapping_mul(31).wrapping_add((level.price.0 * 1_000 + level.qty.0) as u32)
}

fn sum_of(book: &Book, _: &papermaker::market::Instrument) -> u32 {
    Side::BOTH.iter().flat_map(|side| book.levels(*side)).fold(7, fold)
}

#[derive(Clone, Copy, Debug)]
enum Line {
    Deliver,
    Lose,
    Double,
    /// One quantity of the message arrives wrong; nothing but a checksum can tell.
    Garble,
    Unreadable,
    /// The venue obeys our wish for a new book.
    Answer,
    Wait,
}

fn line() -> impl Strategy<Value = Line> {
    prop_oneof![
        12 => Just(Line::Deliver),
        1 => Just(Line::Lose),
        1 => Just(Line::Double),
        1 => Just(Line::Garble),
        1 => Just(Line::Unreadable),
        4 => Just(Line::Answer),
        1 => Just(Line::Wait),
    ]
}

struct Listener {
    sync: StreamSync,
    book: Option<Book>,
    wanted: bool,
    at: LocalTime,
}

impl Listener {
    fn obey(&mut self, said: Vec<Said>) {
        for one in said {
            match one {
                Said::Market(event) => match event.kind {
                    MarketEventKind::Snapshot { seq, bids, asks, extent } => {
                        self.book.insert(Book::new()).apply_snapshot(seq, &bids, &asks, extent);
                        self.wanted = false;
                    }
                    MarketEventKind::Delta { seq, bids, asks } => {
                        self.book.as_mut().expect("no change before a snapshot").apply_delta(seq, &bids, &asks);
                    }
                    MarketEventKind::Gap { .. } => self.book = None,
                    other => panic!("a synchroniser does not say {other:?}"),
                },
                Said::Feed { .. } => {}
                Said::Do(Action::Reconnect { .. }) => {
                    self.book = None;
                    self.sync.open(self.at);
                    self.wanted = true;
                }
                Said::Do(other) => panic!("a synchroniser does not wish {other:?}"),
            }
        }
        self.wanted |= self.sync.take_wish();
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]
    #[test]
    fn a_believed_window_is_what_the_venue_shows_whatever_the_line_does(
        steps in prop::collection::vec((line(), any::<bool>(), 1..12i64, 0..4i64), 1..200),
        checked in any::<bool>(),
    ) {
        let rules = instrument("BTCUSDT", "0.01", "0.00001");
        let mut venue = Venue::default();
        let checksum = checked.then_some(sum_of as fn(&Book, &_) -> u32);
        let mut listener = Listener {
            sync: StreamSync::new(BTC, Some(SHOWN), checksum, SyncLimits::default()),
            book: None,
            wanted: true,
            at: LocalTime(0),
        };
        listener.sync.open(listener.at);
        // Of the state after each change.
        let mut states = vec![venue.clone()];
        for (line, bid, away, qty) in steps {
            listener.at = listener.at + Nanos::from_ms(500);
            let (side, price) = if bid { (Side::Bid, 100 - away) } else { (Side::Ask, 100 + away) };
            let (at, mut said) = (listener.at, Vec::new());
            match line {
                Line::Answer if listener.wanted => listener.sync.on_snapshot(venue.whole(), &rules, at, &mut said),
                Line::Wait => {
                    listener.at = at + Nanos::from_s(11);
                    listener.sync.on_time(listener.at, &mut said);
                }
                Line::Unreadable => {
                    venue.change(side, price, qty);
                    states.push(venue.clone());
                    listener.sync.on_unreadable(at, &mut said);
                }
                Line::Deliver | Line::Answer | Line::Lose | Line::Double | Line::Garble => {
                    let mut change = venue.change(side, price, qty);
                    states.push(venue.clone());
                    let times = match line {
                        Line::Lose => 0,
                        Line::Double => 2,
                        _ => 1,
                    };
                    if let (Line::Garble, true, Some(level)) = (line, checked, change.bids.first_mut()) {
                        level.qty = Lots(level.qty.0 + 1);
                    }
                    for _ in 0..times {
                        listener.sync.on_change(change.clone(), &rules, at, &mut said);
                    }
                }
            }
            listener.obey(said);
            prop_assert_eq!(listener.book.is_some(), listener.sync.is_live());
            if let Some(book) = &listener.book {
                let truth = &states[book.seq() as usize];
                for side in Side::BOTH {
                    prop_assert_eq!(book.levels(side).collect::<Vec<_>>(), truth.shown(side), "after {}", book.seq());
                }
            }
        }
    }
}

#[test]
fn a_market_that_does_not_trade_may_have_no_book_to_show() {
    let mut said = Vec::new();
    let mut sync = StreamSync::new(BTC, None, None, SyncLimits::default());
    sync.set_trading(false);
    sync.open(LocalTime(0));
    for s in 0..600 {
        sync.on_time(LocalTime(0) + Nanos::from_s(s), &mut said);
    }
    assert_eq!((said.len(), sync.take_wish()), (0, false));
    // Open again, it has ten seconds as any other.
    sync.set_trading(true);
    sync.on_time(LocalTime(0) + Nanos::from_s(620), &mut said);
    assert!(sync.take_wish());
}
