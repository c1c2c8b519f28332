//! Stories of venues that do it differently. 10 @ 100 / 10 @ 104 is the market, with 20 more a tick behind.

use super::desk::{Desk, levels, spec};
use super::*;
use crate::exchange::fee::{Rates, Tier};
use crate::exchange::habit::{Pace, PostOnly, SelfTrade};
use crate::exchange::latency::{Measured, Way};
use crate::market::{Extent, PriceRule};
use crate::order::OrderKind;
use crate::units::{Money, Rate, Side, Ticks};

fn with(post_only: PostOnly, self_trade: SelfTrade) -> Desk {
    let mut settings = spec(0, 0, 0);
    settings.habits = Habits { post_only, self_trade, pace: None };
    Desk::with(settings)
}

#[test]
fn a_post_only_order_that_would_trade_is_taken_in_and_cancelled_where_the_venue_does_so() {
    let mut desk = with(PostOnly::Cancel, SelfTrade::CancelMaker);
    desk.bid(1, 1, 5, 104);
    desk.bid(1, 2, 5, 100);
    desk.until(1);
    assert_eq!(desk.life(1), ["accepted 0", "cancelled 5"]);
    // As a replacement it has ended the old one by then.
    desk.replace(2, 2, 3, 5, 105);
    desk.until(2);
    assert_eq!(desk.life(3), ["replaced 2 left 5 behind 0", "cancelled 5"]);
    assert!(desk.orders.values().all(|order| !order.is_alive()));
}

#[test]
fn a_post_only_order_that_would_trade_is_moved_to_where_it_rests_where_the_venue_does_so() {
    // Best offer 104: a bid at 107 rests at 103, alone; an offer at 99 rests at 101.
    let mut desk = with(PostOnly::Reprice, SelfTrade::CancelTaker);
    desk.bid(1, 1, 5, 107);
    desk.until(1);
    assert_eq!(desk.life(1), ["accepted 0", "amended to 5 @ 103"]);
    assert_eq!(desk.orders[&OrderId(1)].price, Ticks(103));
    desk.print(2, Side::Ask, 103, 2);
    assert_eq!(desk.life(1)[2..], ["2 @ 103 queue_front behind 0"]);
    // Our own bid at 103 is in the venue's book too: an offer at 99 faces it, and rests at 104 behind 10.
    desk.send(3, 2, Side::Ask, 4, 99, OrderKind::PostOnly);
    desk.until(3);
    assert_eq!(desk.life(2), ["accepted 10", "amended to 4 @ 104"]);
    // A replacement is moved alike, and the queue it joins is the one at its price: ours is not in it.
    desk.replace(4, 1, 3, 1, 104);
    desk.until(4);
    assert_eq!(desk.life(3), ["replaced 1 left 3 behind 0", "amended to 1 @ 103"]);
}

#[test]
fn a_moved_order_respects_the_steps_and_one_that_has_nowhere_to_go_is_cancelled() {
    // Prices in steps of 4: one below 104 is 103, and 100 is the next that is allowed.
    let mut desk = with(PostOnly::Reprice, SelfTrade::CancelTaker);
    desk.rules.price_rule = PriceRule::Steps(vec![(Ticks(90), 4)]);
    desk.bid(1, 1, 5, 108);
    desk.until(1);
    assert_eq!(desk.life(1), ["accepted 10", "amended to 5 @ 100"]);
    // Below an offer at 1 there is nothing.
    let (bids, asks) = (levels(&[]), levels(&[(1, 10)]));
    let mut desk = with(PostOnly::Reprice, SelfTrade::CancelTaker);
    desk.news(1, None, MarketEventKind::Snapshot { seq: 2, bids, asks, extent: Extent::All });
    desk.ticker(1, 3, (0, 1), (1, 10));
    desk.bid(2, 1, 5, 1);
    desk.until(2);
    assert_eq!(desk.life(1), ["accepted 0", "cancelled 5"]);
}

#[test]
fn orders_that_come_too_fast_are_refused_and_cancellations_never() {
    // Three within a second: two bids and a replacement use them up.
    let mut settings = spec(0, 0, 0);
    settings.habits.pace = Some(Pace { orders: 3, within: Nanos::from_s(1) });
    let mut desk = Desk::with(settings);
    desk.bid(1, 1, 5, 100);
    desk.bid(1, 2, 5, 99);
    desk.replace(2, 2, 3, 5, 98);
    desk.replace(3, 1, 4, 5, 97);
    desk.bid(3, 5, 5, 96);
    desk.until(4);
    assert_eq!(desk.life(3)[0], "replaced 2 left 5 behind 0");
    assert_eq!(
        (desk.life(4), desk.life(5)),
        (vec!["rejected TooManyRequests".to_owned()], vec!["rejected TooManyRequests".to_owned()])
    );
    assert!(desk.orders[&OrderId(1)].is_alive(), "what could not be replaced stays");
    desk.cancel(5, 1);
    desk.until(5);
    assert!(!desk.orders[&OrderId(1)].is_alive());
    // A second after the first two there is room for two, and the replacement still counts.
    (6..9).for_each(|id| desk.bid(1_001, id, 5, 96));
    desk.until(1_001);
    assert_eq!((desk.life(7)[0].as_str(), desk.life(8)[0].as_str()), ("accepted 0", "rejected TooManyRequests"));
}

#[test]
fn a_post_only_order_does_not_reach_our_own() {
    // Nothing is offered below 104 but our own 5 at 102.
    let mut desk = with(PostOnly::Reject, SelfTrade::CancelMaker);
    desk.send(1, 1, Side::Ask, 5, 102, OrderKind::PostOnly);
    desk.bid(1, 2, 5, 102);
    desk.bid(1, 3, 5, 101);
    desk.until(1);
    assert_eq!((desk.life(1), desk.life(2)), (vec!["accepted 0".to_owned()], vec!["rejected WouldTake".to_owned()]));
    assert_eq!(desk.life(3), ["accepted 0"]);
}

/// We offer 5 at 104 behind 10, and 3 at 103 alone; then we buy 20 at up to 104.
fn meet(self_trade: SelfTrade, kind: OrderKind) -> Desk {
    let mut desk = with(PostOnly::Reject, self_trade);
    desk.send(1, 1, Side::Ask, 5, 104, OrderKind::PostOnly);
    desk.send(1, 2, Side::Ask, 3, 103, OrderKind::PostOnly);
    desk.send(2, 3, Side::Bid, 20, 104, kind);
    desk.until(2);
    desk
}

#[test]
fn our_resting_order_gives_way_and_the_other_goes_on() {
    let desk = meet(SelfTrade::CancelMaker, OrderKind::Limit);
    assert_eq!(desk.life(1), ["accepted 10", "cancelled 5"]);
    assert_eq!(desk.life(2), ["accepted 0", "cancelled 3"]);
    // The 10 ahead of us at 104, and then nobody: 10 rest.
    assert_eq!(desk.life(3), ["accepted 0", "10 @ 104 took behind 0"]);
    assert_eq!(desk.paper.queue_ahead(OrderId(3)), Some(Lots(0)));
}

#[test]
fn our_arriving_order_gives_way_with_what_it_has_not_traded() {
    // It meets the 3 at 103 before anything else.
    let desk = meet(SelfTrade::CancelTaker, OrderKind::Limit);
    assert_eq!(desk.life(3), ["accepted 0", "cancelled 20"]);
    assert_eq!((desk.life(1).len(), desk.life(2).len()), (1, 1));
    // Without that one it takes the 10 ahead of us at 104 first.
    let mut desk = with(PostOnly::Reject, SelfTrade::CancelTaker);
    desk.send(1, 1, Side::Ask, 5, 104, OrderKind::PostOnly);
    desk.send(2, 3, Side::Bid, 20, 105, OrderKind::Ioc);
    desk.until(2);
    assert_eq!(desk.life(3), ["accepted 0", "10 @ 104 took behind 0", "cancelled 10"]);
}

#[test]
fn both_go_where_the_venue_cancels_both() {
    // They meet at 103, before anything traded; our 5 at 104 are never reached.
    let desk = meet(SelfTrade::CancelBoth, OrderKind::Limit);
    assert_eq!(desk.life(2), ["accepted 0", "cancelled 3"]);
    assert_eq!(desk.life(3), ["accepted 0", "cancelled 20"]);
    assert_eq!(desk.life(1).len(), 1);
}

#[test]
fn a_fill_or_kill_order_is_filled_whole_by_others_or_touches_nobody() {
    // Others offer 10 at 104. Our own 3 at 103 either give way or stand in the way.
    let send = |self_trade, qty| {
        let mut desk = with(PostOnly::Reject, self_trade);
        desk.send(1, 2, Side::Ask, 3, 103, OrderKind::PostOnly);
        desk.send(2, 3, Side::Bid, qty, 104, OrderKind::Fok);
        desk.until(2);
        (desk.life(2).len(), desk.life(3))
    };
    let words = |words: [&str; 2]| words.map(str::to_owned).to_vec();
    assert_eq!(send(SelfTrade::CancelMaker, 10), (2, words(["accepted 0", "10 @ 104 took behind 0"])));
    assert_eq!(send(SelfTrade::CancelMaker, 11), (1, words(["accepted 0", "cancelled 11"])));
    for self_trade in [SelfTrade::CancelTaker, SelfTrade::CancelBoth, SelfTrade::Decrement] {
        assert_eq!(send(self_trade, 1), (1, words(["accepted 0", "cancelled 1"])), "{self_trade:?}");
    }
}

#[test]
fn both_shrink_where_the_venue_decrements() {
    // 20 - 3 at 103 leave 17; 10 trade at 104: 7; our 5 there take 5 more: 2, which rest.
    let desk = meet(SelfTrade::Decrement, OrderKind::Limit);
    assert_eq!(
        (desk.life(1), desk.life(2)),
        (
            vec!["accepted 10".to_owned(), "cancelled 5".to_owned()],
            vec!["accepted 0".to_owned(), "cancelled 3".to_owned()]
        )
    );
    let ours = ["accepted 0", "amended to 17 @ 104", "10 @ 104 took behind 0", "amended to 2 @ 104"];
    assert_eq!(desk.life(3), ours);
    assert_eq!(desk.orders[&OrderId(3)].remaining, Lots(2));
    // A smaller one ends, and the larger is what is left: 3 - 2 = 1.
    let mut desk = with(PostOnly::Reject, SelfTrade::Decrement);
    desk.send(1, 1, Side::Ask, 3, 103, OrderKind::PostOnly);
    desk.send(2, 2, Side::Bid, 2, 104, OrderKind::Ioc);
    desk.until(2);
    assert_eq!(desk.life(1), ["accepted 0", "amended to 1 @ 103"]);
    assert_eq!(desk.life(2), ["accepted 0", "cancelled 2"]);
}

#[test]
fn who_trades_more_pays_less() {
    // 5 @ 104 are 520, at 20 bps 1.04; from 500 on a maker is paid 1 bps: 3 @ 100 are 300, so 0.03.
    let mut settings = spec(0, 0, 0);
    settings.fees.base = Rates { maker: Rate(10_000), taker: Rate(20_000) };
    let rates = Rates { maker: Rate(-1_000), taker: Rate(0) };
    settings.fees.tiers = vec![Tier { volume_min: Money(500 * Money::PER_QUOTE), rates }];
    let mut desk = Desk::with(settings);
    desk.send(1, 1, Side::Bid, 5, 104, OrderKind::Ioc);
    desk.bid(1, 2, 5, 100);
    desk.print(2, Side::Ask, 99, 3);
    let fees: Vec<_> = desk.fills().map(|fill| fill.fee.to_string()).collect();
    assert_eq!((fees, desk.paper.rates()), (vec!["1.04".to_owned(), "-0.03".to_owned()], rates));
}

#[test]
fn how_big_we_were_is_remembered() {
    // 5 of 15 at 100; 5 more there are 10 of 20; 2 alone at 101 beside a best level of 10 are 2 of 12.
    let mut desk = Desk::at_once();
    assert_eq!(desk.paper.level_share_max_bps(), 0);
    let mut share = |id, qty, price, kind| {
        desk.send(id as i64, id, Side::Bid, qty, price, kind);
        desk.until(id as i64);
        desk.paper.level_share_max_bps()
    };
    assert_eq!(share(1, 2, 101, OrderKind::PostOnly), 1_666);
    assert_eq!(share(2, 5, 100, OrderKind::PostOnly), 3_333);
    assert_eq!(share(3, 5, 100, OrderKind::PostOnly), 5_000);
    // 4 of the 10 at 104 are less than that; 2 more are 6 of 10.
    assert_eq!(share(4, 4, 104, OrderKind::Ioc), 5_000);
    assert_eq!(share(5, 2, 104, OrderKind::Ioc), 6_000);
}

#[test]
fn each_request_travels_its_own_way() {
    // A placement takes 5, a cancellation 1, words come back 4 later. Sent at 10, the cancellation does not overtake
    // the placement sent with it: both are there at 15, and we hear it at 19. Alone, at 30, it takes 1: heard at 35.
    let mut settings = spec(0, 5, 4);
    settings.latency.cancel = Way::Constant { us: 1_000 };
    let mut desk = Desk::with(settings);
    desk.bid(10, 1, 5, 100);
    desk.cancel(10, 1);
    desk.bid(20, 2, 5, 100);
    desk.until(29);
    desk.cancel(30, 2);
    for at in 30..40 {
        desk.until(at);
    }
    let happened: Vec<_> = desk.heard.iter().map(|(_, report)| report.happened.0 / 1_000_000).collect();
    assert_eq!(happened, [15, 15, 25, 31]);
    assert_eq!(desk.heard.last().unwrap().0, 35);
}

#[test]
fn a_request_takes_as_long_as_the_news_did_or_as_was_measured() {
    // News of 90 comes at 97: 7 old, so a request sent at 97 arrives at 104 and we hear of it at 111.
    let mut settings = spec(0, 0, 0);
    settings.latency.place = Way::Feed { factor: 1.0, us: 0 };
    settings.latency.response = settings.latency.place;
    let mut desk = Desk::with(settings);
    let bids = levels(&[(100, 10)]);
    desk.news(97, Some(90), MarketEventKind::Delta { seq: 2, bids, asks: vec![] });
    desk.bid(97, 1, 5, 100);
    assert_eq!(desk.paper.next_due(), Some(super::desk::ms(104)));
    (98..=120).for_each(|at| desk.until(at));
    assert_eq!(desk.heard[0].0, 111);
    // Measured: sent at 100 ms, 3 ms there and 2 ms back.
    let mut settings = spec(0, 9, 9);
    settings.latency.measured = Measured::parse("sent,matched,acknowledged\n100000000,103000000,105000000").unwrap();
    (settings.latency.place, settings.latency.response) = (Way::Measured, Way::Measured);
    let mut desk = Desk::with(settings);
    desk.bid(100, 1, 5, 100);
    (100..=120).for_each(|at| desk.until(at));
    assert_eq!((desk.heard[0].0, desk.heard[0].1.happened), (105, super::desk::ms(103)));
}
