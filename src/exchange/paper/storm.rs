//! Random tapes against what must hold whatever the tape.

use super::desk::{Desk, level, spec};
use super::*;
use crate::digest;
use crate::exchange::habit::{PostOnly, SelfTrade};
use crate::exchange::latency::{Measured, Way};
use crate::exchange::queue::QueueModel;
use crate::market::{Extent, Level, PrintFlags};
use crate::order::{FillWhy, Liquidity, OrderKind};
use crate::units::{Side, Ticks};

const MODELS: [QueueModel; 8] = [
    QueueModel::RiskAverse,
    QueueModel::Power { n: 1.0 },
    QueueModel::Power { n: 2.0 },
    QueueModel::Log,
    QueueModel::Power2 { n: 0.5 },
    QueueModel::Power3 { n: 3.0 },
    QueueModel::Log2,
    QueueModel::Optimistic,
];

/// Ways of every kind, in and out, about as long as they were.
fn jitter(settings: &mut PaperSpec, seed: u64) {
    let latency = &mut settings.latency;
    let rows = "sent,matched,acknowledged\n1000000,3000000,3500000\n90000000,91000000,99000000\n";
    latency.measured = Measured::parse(rows).unwrap();
    let us = if let Way::Constant { us } = latency.place { us } else { 0 };
    let ways = [latency.place, Way::Lognormal { us, sigma: 0.7 }, Way::Feed { factor: 1.0 / 3.0, us }, Way::Measured];
    latency.place = ways[seed as usize % 4];
    latency.cancel = ways[(seed as usize + 1) % 4];
    latency.replace = ways[(seed as usize + 2) % 4];
}

/// One random thing happens to the desk.
fn happen(desk: &mut Desk, draws: &mut Stream, at: i64, next_id: &mut u64) -> Option<MarketEventKind> {
    let side = if draws.chance(0.5) { Side::Bid } else { Side::Ask };
    let price = 96 + draws.below(9) as i64;
    let qty = draws.below(12) as i64;
    let seq = desk.book.seq() + draws.below(3);
    let some_levels = |draws: &mut Stream| -> Vec<Level> {
        let n = draws.below(4);
        (0..n).map(|_| level((96 + draws.below(9) as i64, draws.below(12) as i64))).collect()
    };
    let kind = match draws.below(12) {
        0..=3 => {
            let flags = if draws.chance(0.1) { PrintFlags::RPI } else { PrintFlags::NONE };
            MarketEventKind::Trade { id: 1, taker: side, price: Ticks(price), qty: Lots(qty + 1), flags }
        }
        4..=6 => MarketEventKind::Delta { seq, bids: some_levels(draws), asks: some_levels(draws) },
        7 => {
            let (bid, ask) = (level((price, qty + 1)), level((price + 1 + draws.below(3) as i64, qty + 1)));
            MarketEventKind::Bbo { seq, bid: Some(bid), ask: Some(ask) }
        }
        8 if draws.chance(0.2) => MarketEventKind::Gap { expected: 1, found: 2 },
        8 => {
            let (bids, asks) = (vec![level((price, qty + 1))], vec![level((price + 2, qty + 1))]);
            MarketEventKind::Snapshot {
                seq,
                bids,
                asks,
                extent: if draws.chance(0.5) { Extent::All } else { Extent::ToLast },
            }
        }
        9 | 10 => {
            *next_id += 1;
            let kinds = [OrderKind::Limit, OrderKind::PostOnly, OrderKind::Ioc, OrderKind::Market, OrderKind::Fok];
            let old = draws.below(*next_id).max(1);
            let old_is_there = desk.orders.get(&OrderId(old)).is_some_and(|order| order.kind.may_rest());
            if draws.chance(0.3) && old_is_there {
                desk.replace(at, old, *next_id, qty + 1, price);
            } else {
                desk.send(at, *next_id, side, qty + 1, price, kinds[draws.below(5) as usize]);
            }
            return None;
        }
        _ => {
            let id = draws.below(*next_id + 1);
            if desk.orders.contains_key(&OrderId(id)) {
                desk.cancel(at, id);
            }
            return None;
        }
    };
    desk.news(at, draws.chance(0.5).then_some(at), kind.clone());
    Some(kind)
}

/// What one piece of news may have given us at most, and that it gave it for a reason.
fn check(desk: &Desk, before: usize, kind: &MarketEventKind) {
    let fills: Vec<_> = desk.paper.said.reports.iter().skip(before).map(|word| word.report.clone()).collect();
    let mut made = Lots::ZERO;
    for report in &fills {
        let ReportKind::Filled(fill) = &report.kind else { continue };
        let order = &desk.orders[&report.id];
        match fill.liquidity {
            Liquidity::Maker => {
                // Unless the venue moved it to where it rests, which never costs us.
                let was_moved = desk.paper.habits.post_only == PostOnly::Reprice && order.kind == OrderKind::PostOnly;
                let is_at_worst = !order.side.is_better(fill.price, order.price) && was_moved;
                assert!(fill.price == order.price || is_at_worst, "a maker trades at its own price");
            }
            Liquidity::Taker => {
                assert!(order.kind == OrderKind::Market || !order.side.is_better(fill.price, order.price));
                continue;
            }
        }
        made += fill.qty;
        match (kind, fill.why) {
            (MarketEventKind::Trade { price, .. }, FillWhy::TradedThrough) => {
                assert!(order.side.is_better(fill.price, *price));
            }
            (MarketEventKind::Trade { price, qty, .. }, FillWhy::QueueFront) => {
                assert!(*price == fill.price && fill.qty + fill.queue_ahead <= *qty, "{fill:?} of {kind:?}");
            }
            (MarketEventKind::Delta { bids, asks, .. } | MarketEventKind::Snapshot { bids, asks, .. }, why) => {
                assert_eq!(why, FillWhy::Crossed);
                let other = if fill.side == Side::Bid { asks } else { bids };
                assert!(other.iter().any(|level| !fill.side.is_better(level.price, fill.price)));
            }
            (MarketEventKind::Bbo { bid, ask, .. }, why) => {
                assert_eq!(why, FillWhy::Crossed);
                let other = if fill.side == Side::Bid { ask } else { bid };
                assert!(other.is_some_and(|level| !fill.side.is_better(level.price, fill.price)));
            }
            other => panic!("a maker was filled by {other:?}"),
        }
    }
    let most = match kind {
        MarketEventKind::Trade { qty, flags, .. } if flags.took_from_the_book() => *qty,
        MarketEventKind::Delta { bids, asks, .. } | MarketEventKind::Snapshot { bids, asks, .. } => {
            bids.iter().chain(asks).map(|level| level.qty).sum()
        }
        MarketEventKind::Bbo { bid, ask, .. } => bid.iter().chain(ask).map(|level| level.qty).sum(),
        MarketEventKind::Trade { .. }
        | MarketEventKind::Gap { .. }
        | MarketEventKind::Rules(_)
        | MarketEventKind::Status(_)
        | MarketEventKind::Mark(_)
        | MarketEventKind::Order(_) => Lots::ZERO,
    };
    assert!(made <= most, "{} lots made of {kind:?}", made.0);
}

#[test]
fn whatever_the_tape_does_we_get_no_more_than_it_left_for_us() {
    let mut fills = 0;
    for seed in 0..126u64 {
        let mut draws = Stream::new(seed, "storm");
        // A way back longer than the tape: everything said stays where `check` can read it.
        let mut settings = spec(draws.below(3) as u32, draws.below(4) as u32, 1_000_000);
        settings.queue = MODELS[seed as usize % MODELS.len()];
        let post_only = [PostOnly::Reject, PostOnly::Cancel, PostOnly::Reprice][seed as usize / 7 % 3];
        let self_trade = [SelfTrade::CancelMaker, SelfTrade::CancelTaker, SelfTrade::Decrement][seed as usize / 21 % 3];
        settings.habits = Habits { post_only, self_trade, pace: None };
        jitter(&mut settings, seed);
        let mut desk = Desk::with(settings);
        let mut next_id = 0;
        for at in 1..600 {
            let before = desk.paper.said.reports.len();
            if let Some(kind) = happen(&mut desk, &mut draws, at, &mut next_id) {
                check(&desk, before, &kind);
            }
            let best = |side| desk.paper.own.side(side).first().map(|order| order.price);
            let are_apart = best(Side::Bid).zip(best(Side::Ask)).is_none_or(|(bid, ask)| bid < ask);
            assert!(are_apart, "seed {seed}, {at}: we bid and offer at one price");
        }
        // Heard in the order it happened, and legal for every order (the desk holds them against it).
        desk.until(2_000_000);
        assert!(desk.heard.is_sorted_by_key(|(_, report)| report.happened));
        fills += desk.fills().count();
    }
    assert!(fills > 1_000, "a storm that fills only {fills} times proves nothing");
}

/// What each of two orders had traded after each of many random pieces of news, under a queue model.
fn traded(model: QueueModel, seed: u64) -> Vec<[Lots; 2]> {
    let mut settings = spec(0, 0, 0);
    settings.queue = model;
    let mut desk = Desk::with(settings);
    let mut draws = Stream::new(seed, "optimism");
    let mut depth = [(99, 10), (100, 20), (104, 20), (105, 10)].map(level);
    let levels_of =
        |depth: &[Level; 4], side| if side == Side::Bid { depth[..2].to_vec() } else { depth[2..].to_vec() };
    desk.snapshot(1, &[(100, 20), (99, 10)], &[(104, 20), (105, 10)]);
    for (id, side, price) in [(1, Side::Bid, 100), (2, Side::Ask, 105)] {
        desk.send(1, id, side, 30, price, OrderKind::PostOnly);
    }
    (2..150)
        .map(|at| {
            let which = draws.below(4) as usize;
            let side = if which < 2 { Side::Bid } else { Side::Ask };
            let level = &mut depth[which];
            if draws.chance(0.3) {
                let qty = 1 + draws.below(6) as i64;
                level.qty = Lots((level.qty.0 - qty).max(1));
                desk.print(at, side.opposite(), level.price.0, qty);
            } else {
                level.qty = Lots(1 + draws.below(30) as i64);
                let levels = levels_of(&depth, side);
                let (bids, asks) = if side == Side::Bid { (levels, vec![]) } else { (vec![], levels) };
                let seq = desk.book.seq() + 1;
                desk.news(at, None, MarketEventKind::Delta { seq, bids, asks });
            }
            [1, 2].map(|id| Lots(30) - desk.orders[&OrderId(id)].remaining)
        })
        .collect()
}

#[test]
fn every_model_fills_between_the_pessimist_and_the_optimist_on_the_same_tape() {
    let (mut earlier, mut filled) = (0, 0);
    for seed in 0..40 {
        let (pessimist, optimist) = (traded(QueueModel::RiskAverse, seed), traded(QueueModel::Optimistic, seed));
        for model in MODELS {
            let found = traded(model, seed);
            for (at, (f, (p, o))) in found.iter().zip(pessimist.iter().zip(&optimist)).enumerate() {
                let within = |i: usize| (p[i]..=o[i]).contains(&f[i]);
                assert!(within(0) && within(1), "{model:?}, seed {seed}, step {at}: {f:?}, not from {p:?} to {o:?}");
                earlier += usize::from(f != p);
            }
            filled += found.last().map_or(0, |last| last[0].0 + last[1].0);
        }
    }
    assert!(earlier > 1_000 && filled > 1_000, "{earlier} times earlier, {filled} lots: the tape proves nothing");
}

#[test]
fn a_copy_from_its_bytes_has_the_same_future() {
    let run = |cut: i64, cut_seed: u64| {
        let mut settings = spec(1, 2, 3);
        settings.queue = QueueModel::Power { n: 2.0 };
        jitter(&mut settings, cut_seed);
        let mut desk = Desk::with(settings);
        let (mut draws, mut next_id) = (Stream::new(9, "storm"), 0);
        for at in 1..500 {
            if at == cut {
                desk.paper = postcard::from_bytes(&digest::canonical_bytes(&desk.paper)).unwrap();
            }
            happen(&mut desk, &mut draws, at, &mut next_id);
        }
        let heard: Vec<_> = desk.heard.into_iter().map(|(_, report)| report).collect();
        (digest::of_state(&desk.paper), heard)
    };
    for seed in 0..4 {
        let uncut = run(0, seed);
        for cut in [1, 100, 250, 499] {
            assert_eq!(run(cut, seed), uncut);
        }
    }
}
