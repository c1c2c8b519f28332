//! Stories of orders at the paper venue. Times are milliseconds; 10 @ 100 / 10 @ 104 is the market unless told.

use super::desk::{Desk, levels, ms, spec};
use super::*;
use crate::market::{Extent, Instrument, PriceRule, PrintFlags};
use crate::order::{FillWhy, Liquidity, OrderKind, RejectReason};
use crate::units::{Money, Rate, Side, Step, Ticks};

#[test]
fn an_order_waits_for_the_queue_it_joined() {
    // We join 10 lots; 4 trade, 6 are ahead; 8 trade: 2 are left for us; then we are first.
    let mut desk = Desk::at_once();
    desk.bid(1, 1, 5, 100);
    desk.print(2, Side::Ask, 100, 4);
    desk.print(3, Side::Ask, 100, 8);
    desk.print(4, Side::Ask, 100, 9);
    assert_eq!(desk.life(1), ["accepted 10", "2 @ 100 queue_front behind 6", "3 @ 100 queue_front behind 0"]);
}

#[test]
fn a_level_that_shrinks_by_what_was_printed_moves_the_queue_once() {
    // 4 print, then the level shows 6: the same 4. 10 - 4 = 6 are ahead, so a print of 6 is all theirs.
    let mut desk = Desk::at_once();
    desk.bid(1, 1, 5, 100);
    desk.print(2, Side::Ask, 100, 4);
    desk.depth(3, &[(100, 6)], &[]);
    assert_eq!(desk.paper.queue_ahead(OrderId(1)), Some(Lots(6)));
    desk.print(4, Side::Ask, 100, 6);
    assert_eq!(desk.life(1), ["accepted 10"]);
}

#[test]
fn a_print_that_the_known_depth_already_shows_moves_no_queue() {
    // The depth of venue time 20 arrives before the print of venue time 15 that made it: 10 → 3 happened once.
    let mut desk = Desk::at_once();
    desk.bid(1, 1, 5, 100);
    let bids = levels(&[(100, 3)]);
    desk.news(2, Some(20), MarketEventKind::Delta { seq: 2, bids, asks: vec![] });
    let late =
        MarketEventKind::Trade { id: 1, taker: Side::Ask, price: Ticks(100), qty: Lots(7), flags: PrintFlags::NONE };
    desk.news(3, Some(15), late.clone());
    assert_eq!(desk.paper.queue_ahead(OrderId(1)), Some(Lots(3)));
    // The same print stamped later than the depth is news: 3 are theirs, 4 ours.
    desk.news(4, Some(21), late);
    assert_eq!(desk.life(1), ["accepted 10", "4 @ 100 queue_front behind 3"]);
}

#[test]
fn a_print_older_than_the_depth_we_joined_on_never_met_us() {
    // The fall to 98 is known (stamp 20) when our bid joins at 99; the print that caused it (stamp 15) comes later.
    // An order that was there before the fall has to take it.
    let mut desk = Desk::at_once();
    desk.bid(1, 1, 5, 99);
    let bids = levels(&[(100, 0), (99, 0), (97, 5)]);
    desk.news(2, Some(20), MarketEventKind::Delta { seq: 2, bids, asks: vec![] });
    desk.bid(2, 2, 5, 99);
    let (price, qty, flags) = (Ticks(98), Lots(9), PrintFlags::NONE);
    desk.news(3, Some(15), MarketEventKind::Trade { id: 1, taker: Side::Ask, price, qty, flags });
    assert_eq!(desk.life(1), ["accepted 20", "5 @ 99 traded_through behind 0"]);
    assert_eq!(desk.life(2), ["accepted 0"]);
}

#[test]
fn our_orders_share_a_print_best_price_first_then_first_come() {
    // 7 print at 99: 3 for our bid at 100, whatever was ahead of it; 4 go on to 99, where 20 others stand.
    let mut desk = Desk::at_once();
    desk.bid(1, 1, 2, 99);
    desk.bid(1, 2, 2, 99);
    desk.bid(1, 3, 3, 100);
    desk.print(2, Side::Ask, 99, 7);
    assert_eq!(desk.life(3), ["accepted 10", "3 @ 100 traded_through behind 10"]);
    // 16 ahead; 19 print: 3 are left, 2 for the first and 1 for the second.
    desk.print(3, Side::Ask, 99, 19);
    assert_eq!(desk.life(1), ["accepted 20", "2 @ 99 queue_front behind 16"]);
    assert_eq!(desk.life(2), ["accepted 20", "1 @ 99 queue_front behind 16"]);
}

#[test]
fn a_print_through_us_fills_at_our_price_and_no_more_than_it_carried() {
    // Sold at 97 while we bid 100: we pay 100, and get 3 of our 5. The rebate is 1 bps of 300.
    let mut desk = Desk::at_once();
    desk.bid(1, 1, 5, 100);
    desk.print(2, Side::Ask, 97, 3);
    assert_eq!(desk.life(1), ["accepted 10", "3 @ 100 traded_through behind 10"]);
    let fill = desk.fills().next().unwrap();
    assert_eq!((fill.fee.to_string().as_str(), fill.liquidity), ("-0.03", Liquidity::Maker));
    // A buyer at 97 lifted somebody's offer: nothing for a bid.
    desk.print(3, Side::Bid, 97, 3);
    assert_eq!(desk.orders[&OrderId(1)].remaining, Lots(2));
}

#[test]
fn flagged_prints_never_fill_nor_move_a_queue() {
    let mut desk = Desk::at_once();
    desk.bid(1, 1, 5, 100);
    let of_the_venue = [PrintFlags::BLOCK, PrintFlags::RPI, PrintFlags::INSURANCE, PrintFlags::AUCTION];
    let of_a_file = [PrintFlags::BAR, PrintFlags::UNSIDED, PrintFlags::HIDDEN];
    for flag in of_the_venue.into_iter().chain(of_a_file) {
        desk.flagged(2, Side::Ask, 100, 50, flag);
        desk.flagged(2, Side::Ask, 90, 50, flag);
    }
    assert_eq!(desk.life(1), ["accepted 10"]);
    assert_eq!(desk.paper.queue_ahead(OrderId(1)), Some(Lots(10)));
}

#[test]
fn an_offer_at_our_price_had_to_trade_with_us_first() {
    // 4 are offered at 100 without a print we saw: 4 for us. Said again by the book, they are the same 4; 6 are
    // two more.
    let mut desk = Desk::at_once();
    desk.bid(1, 1, 7, 100);
    desk.ticker(2, 2, (99, 20), (100, 4));
    desk.depth(3, &[(100, 0)], &[(100, 4)]);
    assert_eq!(desk.life(1), ["accepted 10", "4 @ 100 crossed behind 10"]);
    desk.depth(4, &[], &[(100, 6)]);
    assert_eq!(desk.life(1)[2..], ["2 @ 100 crossed behind 0"]);
}

#[test]
fn news_older_than_what_we_know_crosses_nobody() {
    // The ticker of update 10 offers at 104, so the 103 of update 5 is history; 102 is ours to bid.
    let mut desk = Desk::at_once();
    desk.ticker(1, 10, (101, 3), (104, 10));
    desk.bid(1, 1, 5, 103);
    desk.depth_as_of(2, 5, &[], &[(103, 4)]);
    desk.depth_as_of(3, 20, &[], &[(103, 0)]);
    // A ticker the book has overtaken; then a level that is gone by the end of its own message.
    desk.ticker(4, 19, (101, 3), (103, 4));
    desk.depth(5, &[], &[(103, 4), (103, 0)]);
    // After a gap nothing counts until the snapshot.
    desk.news(6, None, MarketEventKind::Gap { expected: 22, found: 30 });
    desk.depth(7, &[], &[(103, 4)]);
    desk.ticker(7, 99, (101, 3), (103, 4));
    assert_eq!(desk.life(1), ["accepted 0"]);
    // The ticker of update 5 is ahead of depth 2; a snapshot starts the count anew, and then depth 2 is news.
    desk.snapshot(8, &[(101, 3)], &[(104, 4)]);
    desk.ticker(9, 5, (101, 3), (104, 4));
    desk.depth(10, &[], &[(103, 4)]);
    desk.snapshot(11, &[(101, 3)], &[(104, 4)]);
    desk.depth(12, &[], &[(103, 1)]);
    assert_eq!(desk.life(1), ["accepted 0", "1 @ 103 crossed behind 0"]);
}

#[test]
fn lots_we_ate_do_not_come_back_with_older_news() {
    // The ticker of update 10 offers 4 at 103 and we take them. Depth of update 5 and a ticker of update 6 know
    // nothing of them yet; update 11 shows the same 4 again. A snapshot without them is proof that they are gone.
    let mut desk = Desk::at_once();
    desk.ticker(1, 10, (100, 10), (103, 4));
    desk.send(1, 1, Side::Bid, 4, 103, OrderKind::Ioc);
    desk.depth_as_of(2, 5, &[], &[(103, 0)]);
    desk.ticker(3, 6, (100, 10), (104, 10));
    desk.depth_as_of(4, 11, &[], &[(103, 4)]);
    desk.send(4, 2, Side::Bid, 4, 103, OrderKind::Ioc);
    desk.snapshot(5, &[(100, 10)], &[(104, 10)]);
    desk.depth(6, &[], &[(103, 4)]);
    desk.send(6, 3, Side::Bid, 4, 103, OrderKind::Ioc);
    desk.until(6);
    assert_eq!(desk.life(1), ["accepted 0", "4 @ 103 took behind 0"]);
    assert_eq!(desk.life(2), ["accepted 0", "cancelled 4"]);
    assert_eq!(desk.life(3), ["accepted 0", "4 @ 103 took behind 0"]);
}

#[test]
fn an_order_meets_nothing_that_happened_before_it_arrived() {
    // Sent at 10, at the venue at 15. News is 3 old when we hear it: what we hear at 17 happened at 14, before us;
    // what we hear at 18 happened as we arrived. At the door the level shows 2.
    let mut desk = Desk::with(spec(3, 5, 4));
    desk.bid(10, 1, 5, 100);
    desk.print(17, Side::Ask, 90, 99);
    desk.depth(17, &[(100, 2)], &[]);
    desk.print(18, Side::Ask, 100, 4);
    desk.until(30);
    assert_eq!(desk.life(1), ["accepted 2", "2 @ 100 queue_front behind 2"]);
    assert!(desk.heard.iter().all(|(_, report)| report.happened == ms(15)));
}

#[test]
fn the_venues_word_travels_and_never_outruns_the_news_it_came_from() {
    // Accepted at 15, heard 4 later; known only once our news has caught up with the venue, at 15 + 3.
    let mut desk = Desk::with(spec(3, 5, 4));
    desk.bid(10, 1, 5, 100);
    assert_eq!(desk.paper.next_due(), Some(ms(18)));
    desk.until(18);
    assert_eq!(desk.paper.next_due(), Some(ms(19)));
    desk.until(19);
    assert_eq!(desk.heard.last().map(|(at, report)| (*at, report.happened)), Some((19, ms(15))));
    assert_eq!(desk.paper.next_due(), None);

    // With a quick way back the fill of 20 - 3 is heard with the print itself.
    let mut desk = Desk::with(spec(3, 5, 0));
    desk.bid(10, 1, 5, 100);
    desk.print(20, Side::Ask, 90, 5);
    assert_eq!(desk.heard.last().map(|(at, report)| (*at, report.happened)), Some((20, ms(17))));
}

#[test]
fn a_fill_at_the_venue_before_the_cancellation_arrives_wins_the_race() {
    // The cancellation sent at 20 arrives at 25. A print at 24, or at 25 itself, fills; one at 26 is too late.
    let race = |print_at| {
        let mut desk = Desk::with(spec(0, 5, 5));
        desk.bid(0, 1, 5, 100);
        desk.cancel(20, 1);
        desk.print(print_at, Side::Ask, 99, 5);
        desk.until(40);
        desk.life(1)
    };
    let filled = ["accepted 10", "5 @ 100 traded_through behind 10", "cancel rejected UnknownOrder"];
    assert_eq!(race(24), filled);
    assert_eq!(race(25), filled);
    assert_eq!(race(26), ["accepted 10", "cancelled 5"]);
}

#[test]
fn a_post_only_order_that_would_trade_is_refused_even_if_only_the_ticker_knows() {
    let mut desk = Desk::at_once();
    desk.bid(1, 1, 5, 104);
    desk.bid(1, 2, 5, 103);
    // The ticker is ahead of the book: 103 is offered now.
    desk.ticker(2, 5, (101, 3), (103, 1));
    desk.bid(2, 3, 5, 103);
    desk.bid(2, 4, 5, 101);
    desk.until(3);
    assert_eq!(desk.life(1), ["rejected WouldTake"]);
    assert_eq!(desk.life(2), ["accepted 0", "1 @ 103 crossed behind 0"]);
    assert_eq!(desk.life(3), ["rejected WouldTake"]);
    assert_eq!(desk.life(4), ["accepted 3"]);
}

#[test]
fn a_taker_walks_the_displayed_levels_and_cannot_eat_the_same_lots_twice() {
    // 15 at up to 105: 10 at 104, 5 at 105. Then 15 of the 20 at 105 are left, and 104 shows 12, so 2 are new.
    let mut desk = Desk::at_once();
    desk.send(1, 1, Side::Bid, 15, 105, OrderKind::Ioc);
    desk.until(1);
    assert_eq!(desk.life(1), ["accepted 0", "10 @ 104 took behind 0", "5 @ 105 took behind 0"]);
    // 10 bps of 1040 and of 525.
    assert_eq!(desk.fills().map(|fill| fill.fee).sum::<Money>().to_string(), "1.565");
    desk.depth(2, &[], &[(104, 12)]);
    desk.send(3, 2, Side::Bid, 30, 105, OrderKind::Ioc);
    desk.until(3);
    assert_eq!(desk.life(2), ["accepted 0", "2 @ 104 took behind 0", "15 @ 105 took behind 0", "cancelled 13"]);
    // Nothing is left at any price; after the level was emptied and filled again there is.
    desk.send(4, 3, Side::Bid, 1, 1, OrderKind::Market);
    desk.depth(5, &[], &[(104, 0)]);
    desk.depth(5, &[], &[(104, 4)]);
    desk.send(6, 4, Side::Bid, 1, 1, OrderKind::Market);
    desk.until(6);
    assert_eq!(desk.life(3), ["rejected NoLiquidity"]);
    assert_eq!(desk.life(4), ["accepted 0", "1 @ 104 took behind 0"]);
}

#[test]
fn an_ioc_takes_what_its_price_allows_and_a_limit_order_rests_with_the_rest() {
    let mut desk = Desk::at_once();
    desk.send(1, 1, Side::Ask, 15, 101, OrderKind::Ioc);
    desk.send(1, 2, Side::Ask, 15, 100, OrderKind::Limit);
    desk.until(1);
    assert_eq!(desk.life(1), ["accepted 0", "cancelled 15"]);
    assert_eq!(desk.life(2), ["accepted 0", "10 @ 100 took behind 0"]);
    // 5 are left and stand first at 100.
    desk.print(2, Side::Bid, 100, 3);
    assert_eq!(desk.life(2)[2..], ["3 @ 100 queue_front behind 0"]);
}

#[test]
fn a_taker_without_a_book_is_refused_and_a_quote_without_a_book_is_last_in_line() {
    let mut desk = Desk::at_once();
    desk.news(1, None, MarketEventKind::Gap { expected: 2, found: 9 });
    desk.send(2, 1, Side::Bid, 1, 200, OrderKind::Market);
    desk.bid(2, 2, 5, 100);
    // Nothing at our price reaches us, for we do not know who is ahead; a print through us does.
    desk.print(3, Side::Ask, 100, 500);
    desk.print(4, Side::Ask, 99, 1);
    desk.snapshot(5, &[(100, 30)], &[(104, 1)]);
    desk.print(6, Side::Ask, 100, 31);
    assert_eq!(desk.life(1), ["rejected NoLiquidity"]);
    assert_eq!(desk.life(2), ["accepted 10", "1 @ 100 traded_through behind 10", "1 @ 100 queue_front behind 30"]);
}

#[test]
fn a_gap_leaves_our_place_in_line_and_the_snapshot_after_it_may_cross_us() {
    let mut desk = Desk::at_once();
    desk.bid(1, 1, 5, 100);
    desk.bid(1, 2, 5, 99);
    desk.news(2, None, MarketEventKind::Gap { expected: 2, found: 9 });
    // 100 is offered now, 3 lots; at 99 stand 12, so at most 12 of our 20 are still ahead.
    desk.snapshot(3, &[(99, 12)], &[(100, 3)]);
    assert_eq!(desk.life(1), ["accepted 10", "3 @ 100 crossed behind 0"]);
    assert_eq!(desk.paper.queue_ahead(OrderId(2)), Some(Lots(12)));
}

#[test]
fn at_a_price_deeper_than_the_snapshot_we_wait_for_the_level_to_show() {
    let mut desk = Desk::at_once();
    let (bids, asks) = (levels(&[(100, 10)]), levels(&[(104, 10)]));
    desk.news(1, None, MarketEventKind::Snapshot { seq: 3, bids, asks, extent: Extent::ToLast });
    desk.bid(2, 1, 5, 90);
    desk.print(3, Side::Ask, 90, 50);
    assert_eq!(desk.life(1), ["accepted 0"]);
    desk.depth(4, &[(90, 8)], &[]);
    assert_eq!(desk.paper.queue_ahead(OrderId(1)), Some(Lots(8)));
}

#[test]
fn a_level_pushed_out_of_sight_keeps_its_queue() {
    for (better, ahead) in [(Some((101, 7)), 20), (None, 0)] {
        let mut desk = Desk::at_once();
        let (bids, asks) = (levels(&[(100, 10), (99, 20)]), levels(&[(104, 10), (105, 20)]));
        desk.news(1, None, MarketEventKind::Snapshot { seq: 3, bids, asks, extent: Extent::Window(2) });
        desk.bid(2, 1, 5, 99);
        // Two levels are shown. With a third one above ours, ours falls out of sight; without it, it is really empty.
        let bids: Vec<_> = better.into_iter().chain([(99, 0)]).collect();
        desk.depth(3, &bids, &[]);
        assert_eq!(desk.paper.queue_ahead(OrderId(1)), Some(Lots(ahead)), "{better:?}");
    }
}

#[test]
fn a_replacement_ends_the_old_order_and_joins_the_back() {
    let mut desk = Desk::at_once();
    desk.bid(1, 1, 5, 100);
    desk.replace(2, 1, 2, 4, 99);
    desk.until(2);
    assert_eq!(desk.life(2), ["replaced 1 left 5 behind 20"]);
    desk.cancel(3, 2);
    desk.until(3);
    assert_eq!(desk.life(2)[1..], ["cancelled 4"]);
}

#[test]
fn a_replacement_of_an_order_that_is_gone_places_nothing() {
    let mut desk = Desk::with(spec(0, 5, 0));
    desk.bid(0, 1, 5, 100);
    desk.replace(10, 1, 2, 4, 99);
    desk.print(12, Side::Ask, 98, 5);
    desk.until(20);
    assert_eq!(desk.life(1), ["accepted 10", "5 @ 100 traded_through behind 10", "cancel rejected UnknownOrder"]);
    assert_eq!(desk.life(2), ["rejected UnknownOrder"]);
}

#[test]
fn a_replacement_against_the_rules_leaves_the_old_order_and_one_that_would_take_does_not() {
    let mut desk = Desk::at_once();
    desk.bid(1, 1, 5, 100);
    desk.replace(2, 1, 2, 0, 99);
    desk.until(2);
    assert_eq!(
        (desk.life(1).last().unwrap().as_str(), desk.life(2)),
        ("cancel rejected LotSize", vec!["rejected LotSize".to_owned()])
    );
    desk.replace(3, 1, 3, 5, 104);
    desk.until(3);
    assert_eq!(
        (desk.life(1).last().unwrap().as_str(), desk.life(3)),
        ("cancelled 5", vec!["rejected WouldTake".to_owned()])
    );
}

#[test]
fn the_venue_refuses_in_its_own_words() {
    // Mid 102; the band 0.5× to 2× is 51 to 204.
    let why = |change: &dyn Fn(&mut Instrument), qty, price, kind| {
        let mut desk = Desk::at_once();
        change(&mut desk.rules);
        desk.send(1, 1, Side::Bid, qty, price, kind);
        desk.until(1);
        match &desk.heard[0].1.kind {
            ReportKind::Rejected(reason) => Some(*reason),
            ReportKind::Accepted { .. } => None,
            other => panic!("{other:?}"),
        }
    };
    let band = |rules: &mut Instrument| rules.price_band = Some((Rate(5_000_000), Rate(20_000_000)));
    let limit = OrderKind::Limit;
    let cases: [(Option<RejectReason>, Option<RejectReason>); 11] = [
        (why(&|r| r.min_qty = Lots(5), 4, 100, limit), Some(RejectReason::LotSize)),
        (why(&|r| r.max_qty = Lots(5), 6, 100, limit), Some(RejectReason::LotSize)),
        (why(&|_| (), 1, 0, limit), Some(RejectReason::PriceFilter)),
        (
            why(&|r| r.price_rule = PriceRule::Steps(vec![(Ticks(90), 4)]), 1, 98, limit),
            Some(RejectReason::PriceFilter),
        ),
        (why(&|r| r.price_rule = PriceRule::Steps(vec![(Ticks(90), 4)]), 1, 96, limit), None),
        (why(&|r| r.min_notional = Money(501 * Money::PER_QUOTE), 5, 100, limit), Some(RejectReason::Notional)),
        (why(&|r| r.min_notional = Money(500 * Money::PER_QUOTE), 5, 100, limit), None),
        (why(&band, 1, 50, limit), Some(RejectReason::PercentPrice)),
        (why(&band, 1, 51, limit), None),
        (why(&band, 1, 205, limit), Some(RejectReason::PercentPrice)),
        (why(&band, 1, 205, OrderKind::Market), None),
    ];
    for (i, (found, expected)) in cases.into_iter().enumerate() {
        assert_eq!(found, expected, "case {i}");
    }
    for status in [Status::CancelOnly, Status::Halted, Status::Delisted, Status::Unknown] {
        assert_eq!(why(&|r| r.status = status, 1, 100, OrderKind::PostOnly), Some(RejectReason::NotTrading));
    }
    assert_eq!(why(&|r| r.status = Status::PostOnly, 1, 100, OrderKind::PostOnly), None);
    assert_eq!(why(&|r| r.status = Status::PostOnly, 1, 100, limit), Some(RejectReason::NotTrading));
}

#[test]
fn a_new_tick_size_ends_every_order_even_those_on_their_way() {
    let mut desk = Desk::with(spec(0, 5, 0));
    desk.bid(0, 1, 5, 100);
    desk.until(5);
    desk.bid(8, 2, 5, 100);
    desk.replace(8, 1, 3, 5, 99);
    let mut rules = desk.rules.clone();
    rules.revision += 1;
    rules.min_qty = Lots(2);
    desk.news(9, None, MarketEventKind::Rules(Box::new(rules.clone())));
    assert_eq!(desk.life(1), ["accepted 10"], "rules that leave the steps alone end nothing");
    rules.tick = Step::parse("0.5").unwrap();
    desk.news(10, None, MarketEventKind::Rules(Box::new(rules)));
    desk.until(20);
    assert_eq!(desk.life(1), ["accepted 10", "cancelled 5", "cancel rejected UnknownOrder"]);
    assert_eq!(desk.life(2), ["rejected PriceFilter"]);
    assert_eq!(desk.life(3), ["rejected UnknownOrder"]);
}

#[test]
fn a_delisting_ends_every_order_and_a_halt_does_not() {
    let mut desk = Desk::at_once();
    desk.bid(1, 1, 5, 100);
    desk.news(2, None, MarketEventKind::Status(Status::Halted));
    assert_eq!(desk.life(1), ["accepted 10"]);
    desk.news(3, None, MarketEventKind::Status(Status::Delisted));
    assert_eq!(desk.life(1), ["accepted 10", "cancelled 5"]);
    assert!(desk.fills().all(|fill| fill.why != FillWhy::Crossed));
}
