//! Stories of the engine.

use super::*;

fn order(side: Side, kind: OrderKind, price: i64, qty: i64) -> Incoming {
    Incoming::new(side, kind, Ticks(price), Lots(qty))
}

/// Submits and returns `(ticket, trades as (maker, price, qty))`.
fn send(engine: &mut Engine, incoming: Incoming) -> (Ticket, Vec<(Ticket, i64, i64)>) {
    let mut records = Vec::new();
    let ticket = engine.submit(incoming, &mut records).expect("the story's orders are legal");
    let trades = records.iter().filter_map(|r| match r {
        Record::Trade { maker, price, qty, .. } => Some((*maker, price.0, qty.0)),
        Record::Rested { .. }
        | Record::Removed { .. }
        | Record::Dropped { .. }
        | Record::Level { .. }
        | Record::Reduced { .. } => None,
    });
    (ticket, trades.collect())
}

#[test]
fn the_better_price_trades_first_then_the_older_order_and_always_at_the_resting_price() {
    let mut e = Engine::new();
    let (old, _) = send(&mut e, order(Side::Ask, OrderKind::Limit, 101, 5));
    let (young, _) = send(&mut e, order(Side::Ask, OrderKind::Limit, 101, 5));
    let (cheap, _) = send(&mut e, order(Side::Ask, OrderKind::Limit, 100, 2));
    // 8 lots at up to 103: 2 at 100, then 5 of the older and 1 of the younger at 101.
    let (_, trades) = send(&mut e, order(Side::Bid, OrderKind::Limit, 103, 8));
    assert_eq!(trades, [(cheap, 100, 2), (old, 101, 5), (young, 101, 1)]);
    assert_eq!(e.best(Side::Ask), Some(Level { price: Ticks(101), qty: Lots(4) }));
    assert_eq!(e.order(young), Some((Side::Ask, Ticks(101), Lots(4))));
    assert_eq!(e.best(Side::Bid), None, "nothing of the buyer was left to rest");
}

#[test]
fn what_a_limit_order_cannot_trade_rests_and_what_an_immediate_one_cannot_is_dropped() {
    let mut e = Engine::new();
    send(&mut e, order(Side::Ask, OrderKind::Limit, 100, 3));
    let (buyer, trades) = send(&mut e, order(Side::Bid, OrderKind::Limit, 100, 5));
    assert_eq!((trades.len(), e.order(buyer)), (1, Some((Side::Bid, Ticks(100), Lots(2)))));
    let mut records = Vec::new();
    let seller = e.submit(order(Side::Ask, OrderKind::Ioc, 100, 7), &mut records).unwrap();
    assert_eq!(records.last(), Some(&Record::Dropped { ticket: seller, qty: Lots(5) }));
    assert_eq!(e.resting(), 0);
    assert_eq!(e.submit(order(Side::Ask, OrderKind::Market, 0, 1), &mut records), Err(RejectReason::NoLiquidity));
}

#[test]
fn a_post_only_order_never_takes_and_a_spent_ticket_cancels_nothing() {
    let mut e = Engine::new();
    let mut records = Vec::new();
    let (ask, _) = send(&mut e, order(Side::Ask, OrderKind::PostOnly, 100, 3));
    let crossing = order(Side::Bid, OrderKind::PostOnly, 100, 1);
    assert_eq!(e.submit(crossing, &mut records), Err(RejectReason::WouldTake));
    assert_eq!(e.cancel(ask, &mut records), Ok(Lots(3)));
    assert_eq!(e.cancel(ask, &mut records), Err(RejectReason::UnknownOrder));
    // The slot is used again; the old ticket must not reach the new order.
    let (next, _) = send(&mut e, order(Side::Ask, OrderKind::Limit, 100, 1));
    assert_eq!((next.slot(), e.cancel(ask, &mut records)), (ask.slot(), Err(RejectReason::UnknownOrder)));
    assert_eq!(e.order(next), Some((Side::Ask, Ticks(100), Lots(1))));
}

#[test]
fn the_touch_may_leap_across_the_window_without_losing_a_level() {
    let mut e = Engine::new();
    for p in [10, 100_000, 5_000_000] {
        send(&mut e, order(Side::Bid, OrderKind::Limit, p, 1));
    }
    send(&mut e, order(Side::Ask, OrderKind::Limit, 9_000_000, 1));
    let (_, trades) = send(&mut e, order(Side::Ask, OrderKind::Market, 0, 2));
    assert_eq!(trades.iter().map(|t| t.1).collect::<Vec<_>>(), [5_000_000, 100_000]);
    assert_eq!(e.best(Side::Bid).map(|l| l.price), Some(Ticks(10)));
    assert_eq!(e.best(Side::Ask).map(|l| l.price), Some(Ticks(9_000_000)));
}

/// What an engine told of one command.
fn told<T>(command: impl FnOnce(&mut Vec<Record>) -> T) -> (T, Vec<Record>) {
    let mut records = Vec::new();
    let result = command(&mut records);
    (result, records)
}

#[test]
fn a_fill_or_kill_order_trades_whole_across_levels_or_touches_nobody() {
    let mut e = Engine::new();
    send(&mut e, order(Side::Ask, OrderKind::Limit, 100, 3));
    send(&mut e, order(Side::Ask, OrderKind::Limit, 101, 4));
    // Up to 101 there are 7 lots: 8 are too many, and up to 100 even 4 are.
    for (price, qty) in [(101, 8), (100, 4)] {
        let (ticket, records) = told(|r| e.submit(order(Side::Bid, OrderKind::Fok, price, qty), r).unwrap());
        assert_eq!(records, [Record::Dropped { ticket, qty: Lots(qty) }]);
    }
    let (_, trades) = send(&mut e, order(Side::Bid, OrderKind::Fok, 101, 7));
    assert_eq!(trades.iter().map(|t| (t.1, t.2)).collect::<Vec<_>>(), [(100, 3), (101, 4)]);
    assert_eq!(e.resting(), 0);
}

#[test]
fn a_smaller_order_keeps_its_place_and_its_ticket_and_any_other_goes_to_the_back_with_a_new_one() {
    let mut e = Engine::new();
    let (first, _) = send(&mut e, order(Side::Bid, OrderKind::Limit, 100, 5));
    let (second, _) = send(&mut e, order(Side::Bid, OrderKind::Limit, 100, 5));
    let queue = |e: &Engine| e.queue(Ticks(100)).map(|(ticket, qty)| (ticket, qty.0)).collect::<Vec<_>>();
    let change = |e: &mut Engine, ticket, price, qty| {
        told(|r| e.replace(ticket, OrderKind::Limit, Ticks(price), Lots(qty), r).unwrap())
    };
    let (same, records) = change(&mut e, first, 100, 2);
    assert_eq!((same, queue(&e)), (first, vec![(first, 2), (second, 5)]));
    let (side, price) = (Side::Bid, Ticks(100));
    assert_eq!(
        records,
        [
            Record::Reduced { ticket: first, side, price, qty: Lots(3), left: Lots(2) },
            Record::Level { side, price, qty: Lots(7) }
        ]
    );
    // Larger again: behind the second, and the level is told once, 5 + 3.
    let (larger, records) = change(&mut e, first, 100, 3);
    assert_eq!(queue(&e), [(second, 5), (larger, 3)]);
    assert!(larger > second && e.order(first).is_none());
    assert_eq!(
        records,
        [
            Record::Removed { ticket: first, side, price, qty: Lots(2) },
            Record::Rested { ticket: larger, side, price, qty: Lots(3) },
            Record::Level { side, price, qty: Lots(8) }
        ]
    );
    // The same again is no change and costs nothing.
    assert_eq!(change(&mut e, second, 100, 5), (second, Vec::new()));
}

#[test]
fn a_replacement_that_crosses_trades_unless_it_is_post_only_and_a_refused_one_leaves_the_old_order_alone() {
    let mut e = Engine::new();
    let (ask, _) = send(&mut e, order(Side::Ask, OrderKind::Limit, 102, 2));
    let (bid, _) = send(&mut e, order(Side::Bid, OrderKind::Limit, 100, 5));
    let mut records = Vec::new();
    let mut change = |e: &mut Engine, kind, price, qty| e.replace(bid, kind, Ticks(price), Lots(qty), &mut records);
    assert_eq!(change(&mut e, OrderKind::PostOnly, 102, 5), Err(RejectReason::WouldTake));
    assert_eq!(change(&mut e, OrderKind::Limit, 0, 5), Err(RejectReason::PriceFilter));
    assert_eq!(change(&mut e, OrderKind::Limit, 101, 0), Err(RejectReason::LotSize));
    assert_eq!(e.order(bid), Some((Side::Bid, Ticks(100), Lots(5))));
    // It buys the 2 lots at 102 and rests there with the other 3.
    let new = change(&mut e, OrderKind::Limit, 102, 5).unwrap();
    assert_eq!((e.order(ask), e.order(bid)), (None, None));
    assert_eq!(e.order(new), Some((Side::Bid, Ticks(102), Lots(3))));
    assert_eq!(change(&mut e, OrderKind::Limit, 99, 5), Err(RejectReason::UnknownOrder));
}

/// What is left of two resting sell orders, ours (5 lots, first in line) and another's (5 lots), and what we bought,
/// after we have bought up to `qty` of them.
fn meeting(habit: Option<SelfTrade>, kind: OrderKind, qty: i64) -> (i64, i64, i64) {
    let mut e = habit.map_or_else(Engine::new, Engine::preventing);
    let sell = order(Side::Ask, OrderKind::Limit, 100, 5);
    let (ours, _) = send(&mut e, sell.by(Owner(7)));
    let (other, _) = send(&mut e, sell.by(Owner(8)));
    let (_, trades) = send(&mut e, order(Side::Bid, kind, 100, qty).by(Owner(7)));
    let left = |ticket| e.order(ticket).map_or(0, |o| o.2.0);
    (left(ours), left(other), trades.iter().map(|t| t.2).sum())
}

#[test]
fn two_orders_of_one_owner_do_not_trade_where_that_is_prevented() {
    use SelfTrade::{CancelBoth, CancelMaker, CancelTaker, Decrement};
    // (ours, the other's, bought) after buying 7 of 5 + 5 at once.
    for (habit, after) in [
        (None, (0, 3, 7)),
        (Some(CancelMaker), (0, 0, 5)),
        (Some(CancelTaker), (5, 5, 0)),
        (Some(CancelBoth), (0, 5, 0)),
        // 5 of both are gone, 2 are bought of the other.
        (Some(Decrement), (0, 3, 2)),
    ] {
        assert_eq!(meeting(habit, OrderKind::Ioc, 7), after, "{habit:?}");
    }
    // Buying 3: our resting 5 shrink to 2.
    assert_eq!(meeting(Some(Decrement), OrderKind::Ioc, 3), (2, 5, 0));
}

#[test]
fn a_fill_or_kill_order_counts_on_others_only() {
    use SelfTrade::{CancelBoth, CancelMaker, CancelTaker, Decrement};
    // Others have 5: with our own order cancelled 5 can be had and 6 cannot; elsewhere our own stands in the way.
    assert_eq!(meeting(Some(CancelMaker), OrderKind::Fok, 5), (0, 0, 5));
    assert_eq!(meeting(Some(CancelMaker), OrderKind::Fok, 6), (5, 5, 0));
    for habit in [CancelTaker, CancelBoth, Decrement] {
        assert_eq!(meeting(Some(habit), OrderKind::Fok, 1), (5, 5, 0), "{habit:?}");
    }
    assert_eq!(meeting(None, OrderKind::Fok, 10), (0, 0, 10));
}

#[test]
fn nobody_is_not_one_owner() {
    let mut e = Engine::preventing(SelfTrade::CancelBoth);
    send(&mut e, order(Side::Ask, OrderKind::Limit, 100, 5));
    assert_eq!(send(&mut e, order(Side::Bid, OrderKind::Limit, 100, 5)).1.len(), 1);
}
