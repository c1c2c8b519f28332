//! The book of ticks against the book anyone would write.

use std::collections::BTreeMap;

use papermaker::market::book::{LEVELS_MAX, WINDOW};
use papermaker::market::{Book, Extent, Level, Outline};
use papermaker::units::{Lots, Side, Ticks};
use proptest::prelude::*;

/// What the book is supposed to be.
#[derive(Default)]
struct Naive {
    seq: u64,
    sides: [BTreeMap<i64, i64>; 2],
    horizons: [Option<i64>; 2],
}

impl Naive {
    fn set(&mut self, side: Side, level: Level) {
        let levels = &mut self.sides[side as usize];
        if level.qty.0 > 0 {
            levels.insert(level.price.0, level.qty.0);
        } else {
            levels.remove(&level.price.0);
        }
    }

    fn levels(&self, side: Side) -> Vec<Level> {
        let level = |(&price, &qty): (&i64, &i64)| Level { price: Ticks(price), qty: Lots(qty) };
        match side {
            Side::Bid => self.sides[0].iter().rev().map(level).collect(),
            Side::Ask => self.sides[1].iter().map(level).collect(),
        }
    }

    fn worst(levels: &[Level], side: Side) -> Option<i64> {
        let prices = levels.iter().map(|l| l.price.0);
        match side {
            Side::Bid => prices.min(),
            Side::Ask => prices.max(),
        }
    }
}

#[derive(Clone, Debug)]
enum Act {
    Set(Side, Level),
    Delta(Vec<Level>, Vec<Level>),
    Snapshot {
        bids: Vec<Level>,
        asks: Vec<Level>,
        extent: Extent,
    },
    /// Everything better than the third level goes: the touch moves away from us.
    Sweep(Side),
    Clear,
}

/// Near the touch, a window away, absurdly far.
fn price() -> impl Strategy<Value = Ticks> {
    let window = WINDOW as i64;
    prop_oneof![
        12 => 900..1_100i64,
        4 => -200..200i64,
        4 => -3 * window..3 * window,
        2 => (0..4i64, -3..3i64).prop_map(move |(n, d)| n * window / 4 + d),
        1 => -1_000_000_000_000..1_000_000_000_000i64,
        1 => (0..100i64).prop_map(|d| i64::MAX - d),
        1 => (0..100i64).prop_map(|d| i64::MIN + d),
    ]
    .prop_map(Ticks)
}

fn level() -> impl Strategy<Value = Level> {
    (price(), prop_oneof![1 => Just(0), 2 => 1..1_000_000i64]).prop_map(|(price, qty)| Level { price, qty: Lots(qty) })
}

fn side() -> impl Strategy<Value = Side> {
    prop_oneof![Just(Side::Bid), Just(Side::Ask)]
}

fn act() -> impl Strategy<Value = Act> {
    let some = |n| prop::collection::vec(level(), 0..n);
    prop_oneof![
        10 => (side(), level()).prop_map(|(s, l)| Act::Set(s, l)),
        5 => (some(12), some(12)).prop_map(|(b, a)| Act::Delta(b, a)),
        1 => (some(60), some(60), prop_oneof![Just(Extent::All), Just(Extent::ToLast)])
            .prop_map(|(bids, asks, extent)| Act::Snapshot { bids, asks, extent }),
        3 => side().prop_map(Act::Sweep),
        1 => Just(Act::Clear),
    ]
}

fn same(book: &Book, outline: &Outline, naive: &Naive) -> Result<(), TestCaseError> {
    prop_assert_eq!(book.seq(), naive.seq);
    for side in Side::BOTH {
        let expected = naive.levels(side);
        prop_assert_eq!(book.levels(side).len(), expected.len());
        prop_assert_eq!(&book.levels(side).collect::<Vec<_>>(), &expected);
        prop_assert_eq!(book.best(side), expected.first().copied());
        prop_assert_eq!(book.depth(side), expected.len());
        for l in &expected {
            prop_assert_eq!(book.qty_at(side, l.price), l.qty);
            let beside = Ticks(l.price.0.wrapping_add(1));
            let there = naive.sides[side as usize].get(&beside.0).copied().unwrap_or(0);
            prop_assert_eq!(book.qty_at(side, beside), Lots(there));
        }
        let horizon = naive.horizons[side as usize].map(Ticks);
        prop_assert_eq!(book.horizon(side), horizon);
        let beyond = horizon.is_some_and(|h| expected.first().is_none_or(|best| side.is_better(h, best.price)));
        prop_assert_eq!(book.best_is_beyond_horizon(side), beyond);
    }
    let crossed = match (naive.levels(Side::Bid).first(), naive.levels(Side::Ask).first()) {
        (Some(bid), Some(ask)) => bid.price >= ask.price,
        _ => false,
    };
    prop_assert_eq!((book.is_crossed(), outline.is_crossed()), (crossed, crossed));
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn the_book_is_the_naive_book(acts in prop::collection::vec(act(), 1..60)) {
        let (mut book, mut outline, mut naive) = (Book::new(), Outline::default(), Naive::default());
        for (n, act) in acts.into_iter().enumerate() {
            let seq = n as u64;
            match act {
                Act::Set(side, level) => {
                    book.set(side, level.price, level.qty);
                    outline.set(side, level.price, level.qty);
                    naive.set(side, level);
                }
                Act::Delta(bids, asks) => {
                    book.apply_delta(seq, &bids, &asks);
                    outline.apply(&bids, &asks);
                    naive.seq = seq;
                    bids.into_iter().for_each(|l| naive.set(Side::Bid, l));
                    asks.into_iter().for_each(|l| naive.set(Side::Ask, l));
                }
                Act::Snapshot { bids, asks, extent } => {
                    book.apply_snapshot(seq, &bids, &asks, extent);
                    outline.clear();
                    outline.apply(&bids, &asks);
                    let horizon = |levels: &[Level], side| if extent == Extent::All { None } else { Naive::worst(levels, side) };
                    naive = Naive { seq, sides: Default::default(),
                        horizons: [horizon(&bids, Side::Bid), horizon(&asks, Side::Ask)] };
                    bids.into_iter().for_each(|l| naive.set(Side::Bid, l));
                    asks.into_iter().for_each(|l| naive.set(Side::Ask, l));
                }
                Act::Sweep(side) => {
                    let gone: Vec<_> = book.levels(side).take(3).collect();
                    for l in gone {
                        book.set(side, l.price, Lots::ZERO);
                        outline.set(side, l.price, Lots::ZERO);
                        naive.set(side, Level { qty: Lots::ZERO, ..l });
                    }
                }
                Act::Clear => {
                    book.clear();
                    outline.clear();
                    naive = Naive::default();
                }
            }
            same(&book, &outline, &naive)?;
        }
        // Written down and read back, the window stands elsewhere; the book is the same in every answer.
        let bytes = postcard::to_stdvec(&book).unwrap();
        let read: Book = postcard::from_bytes(&bytes).unwrap();
        prop_assert_eq!(&read, &book);
        prop_assert_eq!(postcard::to_stdvec(&read).unwrap(), bytes);
        same(&read, &outline, &naive)?;
    }
}

fn at(price: i64, qty: i64) -> Level {
    Level { price: Ticks(price), qty: Lots(qty) }
}

#[test]
fn of_a_price_named_twice_in_one_message_the_last_counts() {
    let mut book = Book::new();
    book.apply_delta(1, &[at(100, 5), at(100, 0), at(99, 2), at(99, 7)], &[]);
    assert_eq!(book.levels(Side::Bid).collect::<Vec<_>>(), [at(99, 7)]);
}

#[test]
fn a_level_beyond_the_snapshot_is_never_mistaken_for_the_best() {
    // The snapshot ends at 98. 90 is real, but when 100..98 are gone there may be bids at 97..91 we never saw.
    let mut book = Book::new();
    book.apply_snapshot(1, &[at(100, 1), at(99, 1), at(98, 1)], &[at(101, 1)], Extent::ToLast);
    book.set(Side::Bid, Ticks(90), Lots(4));
    assert!(!book.best_is_beyond_horizon(Side::Bid));
    book.apply_delta(2, &[at(100, 0), at(99, 0), at(98, 0)], &[]);
    assert_eq!(book.best(Side::Bid), Some(at(90, 4)));
    assert!(book.best_is_beyond_horizon(Side::Bid));
    assert!(!book.best_is_beyond_horizon(Side::Ask));
}

#[test]
fn a_book_keeps_its_best_levels_and_knows_where_its_knowledge_ends() {
    // A complete book of 40,000 asks gets 500 more, two ticks apart: the 500 worst go, and the horizon comes.
    let mut book = Book::new();
    let asks: Vec<_> = (0..LEVELS_MAX as i64 + 500).map(|n| at(1_000 + 2 * n, 1)).collect();
    book.apply_snapshot(1, &[], &asks[..LEVELS_MAX], Extent::All);
    assert_eq!((book.depth(Side::Ask), book.horizon(Side::Ask)), (LEVELS_MAX, None));
    book.apply_delta(2, &[], &asks[LEVELS_MAX..]);
    assert_eq!(book.depth(Side::Ask), LEVELS_MAX);
    assert_eq!(book.horizon(Side::Ask), Some(asks[LEVELS_MAX - 1].price));
    // Better ones push out the worst.
    book.apply_delta(3, &[], &[at(998, 1), at(996, 1)]);
    assert_eq!(book.best(Side::Ask), Some(at(996, 1)));
    assert_eq!(book.horizon(Side::Ask), Some(asks[LEVELS_MAX - 3].price));
    assert_eq!(book.levels(Side::Ask).last().map(|l| l.price), book.horizon(Side::Ask));
}

#[test]
fn a_deep_snapshot_over_a_huge_range_is_kept_whole() {
    // 5,000 levels, growing further apart up to 25 million ticks away.
    let mut book = Book::new();
    let bids: Vec<_> = (0..5_000i64).map(|n| at(30_000_000 - n * n, n + 1)).collect();
    book.apply_snapshot(1, &bids, &[at(30_000_001, 1)], Extent::ToLast);
    assert_eq!(book.levels(Side::Bid).collect::<Vec<_>>(), bids);
    assert_eq!(book.horizon(Side::Bid), Some(bids[4_999].price));
}

#[test]
fn levels_are_skipped_as_they_are_counted() {
    // Ten of every hundred ticks near the best price, some an hour's walk away, and a hole between.
    let prices = (0..4_000).filter(|p| p % 100 < 10).chain([90_000, 90_064, 200_000]).map(|p| 1_000_000 - p);
    let mut book = Book::new();
    prices.for_each(|p| book.set(Side::Bid, Ticks(p), Lots(p)));
    let all: Vec<_> = book.levels(Side::Bid).collect();
    assert_eq!(all.len(), 403);
    for n in 0..410 {
        assert_eq!(book.levels(Side::Bid).nth(n), all.get(n).copied(), "{n}");
        assert!(book.levels(Side::Bid).skip(n).eq(all.iter().skip(n).copied()), "{n}");
        // Twice, from the middle of a word.
        let mut levels = book.levels(Side::Bid);
        assert_eq!((levels.nth(3), levels.nth(n)), (all.get(3).copied(), all.get(n + 4).copied()), "{n}");
        assert_eq!(levels.len(), all.len().saturating_sub(n + 5));
    }
}
