//! Random tapes against what must hold whatever the tape.

use super::desk::{Desk, level, spec};
use super::*;
use crate::digest;
use crate::exchange::queue::QueueModel;
use crate::market::{Extent, Level, PrintFlags};
use crate::order::{FillWhy, Liquidity, OrderKind};
use crate::units::{Side, Ticks};

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
            let kinds = [OrderKind::Limit, OrderKind::PostOnly, OrderKind::Ioc, OrderKind::Market];
            let old = draws.below(*next_id).max(1);
            let old_is_there = desk.orders.get(&OrderId(old)).is_some_and(|order| order.kind.may_rest());
            if draws.chance(0.3) && old_is_there {
                desk.replace(at, old, *next_id, qty + 1, price);
            } else {
                desk.send(at, *next_id, side, qty + 1, price, kinds[draws.below(4) as usize]);
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
    let fills: Vec<_> = desk.paper.said.reports.iter().skip(before).cloned().collect();
    let mut made = Lots::ZERO;
    for report in &fills {
        let ReportKind::Filled(fill) = &report.kind else { continue };
        let order = &desk.orders[&report.id];
        match fill.liquidity {
            Liquidity::Maker => assert_eq!(fill.price, order.price, "a maker trades at its own price"),
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
        | MarketEventKind::Mark(_) => Lots::ZERO,
    };
    assert!(made <= most, "{} lots made of {kind:?}", made.0);
}

#[test]
fn whatever_the_tape_does_we_get_no_more_than_it_left_for_us() {
    let models = [QueueModel::RiskAverse, QueueModel::Power { n: 2.0 }, QueueModel::Log, QueueModel::Power3 { n: 3.0 }];
    let mut fills = 0;
    for seed in 0..60u64 {
        let mut draws = Stream::new(seed, "storm");
        // A way back longer than the tape: everything said stays where `check` can read it.
        let mut settings = spec(draws.below(3) as u32, draws.below(4) as u32, 1_000_000);
        settings.queue = models[seed as usize % models.len()];
        settings.latency.entry_jitter = if seed % 2 == 0 { 0.0 } else { 0.7 };
        let mut desk = Desk::with(settings);
        let mut next_id = 0;
        for at in 1..600 {
            let before = desk.paper.said.reports.len();
            if let Some(kind) = happen(&mut desk, &mut draws, at, &mut next_id) {
                check(&desk, before, &kind);
            }
        }
        // Heard in the order it happened, and legal for every order (the desk holds them against it).
        desk.until(2_000_000);
        assert!(desk.heard.is_sorted_by_key(|(_, report)| report.happened));
        fills += desk.fills().count();
    }
    assert!(fills > 1_000, "a storm that fills only {fills} times proves nothing");
}

#[test]
fn a_copy_from_its_bytes_has_the_same_future() {
    let run = |cut: i64| {
        let mut settings = spec(1, 2, 3);
        settings.queue = QueueModel::Power { n: 2.0 };
        settings.latency.entry_jitter = 0.5;
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
    let uncut = run(0);
    for cut in [1, 100, 250, 499] {
        assert_eq!(run(cut), uncut);
    }
}
