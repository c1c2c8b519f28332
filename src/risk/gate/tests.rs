//! Every rule of the gate, told as a refusal with its numbers.

use super::*;
use crate::market::{Level, VenueId};
use crate::order::OrderId;
use crate::risk::{BookLimits, InstrumentLimits};
use crate::units::Step;

const ID: InstrumentId = InstrumentId(0);

fn rules() -> Instrument {
    let step = |s| Step::parse(s).expect("a step");
    Instrument::new(VenueId::BinanceSpot, "BTCUSDT", "BTC", "USDT", step("1"), step("1")).expect("rules")
}

fn limits() -> RiskLimits {
    RiskLimits {
        instruments: vec![InstrumentLimits {
            long_max: Lots(40),
            short_max: Lots(40),
            order_qty_max: Lots(10),
            order_notional_max: Money(9_000 * Money::PER_QUOTE),
            open_orders_max: 3,
            collar_centibps: 10_000,
            stale_book_ms: 1_000,
            ..InstrumentLimits::nothing()
        }],
        book: BookLimits {
            order_rate_max_per_s: 2,
            loss_max: Some(Money(500 * Money::PER_QUOTE)),
            ..BookLimits::default()
        },
        ..RiskLimits::default()
    }
}

fn exposure(rules: &Instrument) -> Exposure<'_> {
    let level = |p| Level { price: Ticks(p), qty: Lots(1) };
    Exposure {
        now: LocalTime(0),
        instrument: ID,
        rules,
        position: Lots(0),
        buying: Lots(0),
        selling: Lots(0),
        alive: 0,
        replaced_side: None,
        own_best: [None; 2],
        top: Some(Top { bid: level(999), ask: level(1_001) }),
        news_age: Nanos::ZERO,
        flattening: false,
        others: Others::default(),
    }
}

fn order(side: Side, price: i64, qty: i64, kind: OrderKind) -> Request {
    Request::Place { id: OrderId(1), instrument: ID, side, price: Ticks(price), qty: Lots(qty), kind }
}

fn answer(change: impl FnOnce(&mut Exposure<'_>), request: Request) -> String {
    judged_in(RiskState::Active, change, request)
}

fn judged_in(state: RiskState, change: impl FnOnce(&mut Exposure<'_>), request: Request) -> String {
    let rules = rules();
    let mut exposure = exposure(&rules);
    change(&mut exposure);
    let mut gate = Gate::new(limits());
    gate.ask(state);
    gate.approve(request, &exposure).map_or_else(|r| r.to_string(), |_| "approved".to_owned())
}

#[test]
fn each_limit_refuses_with_its_code_and_by_how_much() {
    let bid = |qty| order(Side::Bid, 999, qty, OrderKind::PostOnly);
    assert_eq!(answer(|_| (), bid(9)), "approved");
    assert_eq!(answer(|_| (), bid(11)), "ORDER_QTY_EXCEEDED value=11 limit=10 unit=lots");
    // 10 × 999 = 9 990 quote
    assert_eq!(answer(|_| (), bid(10)), "ORDER_NOTIONAL_EXCEEDED value=9990 limit=9000 unit=quote");
    // long 30, 5 resting, 6 more: 41
    let long = |e: &mut Exposure<'_>| (e.position, e.buying) = (Lots(30), Lots(5));
    assert_eq!(answer(long, bid(6)), "POSITION_LIMIT_EXCEEDED value=41 limit=40 unit=lots");
    assert_eq!(answer(long, bid(5)), "approved");
    assert_eq!(answer(|e| e.alive = 3, bid(1)), "OPEN_ORDERS_EXCEEDED value=4 limit=3 unit=orders");
    assert_eq!(answer(|e| e.news_age = Nanos::from_ms(1_500), bid(1)), "BOOK_STALE value=1500 limit=1000 unit=ms");
    assert_eq!(answer(|e| e.top = None, bid(1)), "BOOK_NOT_LIVE");
    // 985 is 1.5 % = 150 bps from 1000, 100 bps allowed
    assert_eq!(
        answer(|_| (), order(Side::Bid, 985, 1, OrderKind::PostOnly)),
        "PRICE_COLLAR_EXCEEDED value=15000 limit=10000 unit=0.01bps"
    );
}

#[test]
fn the_order_rate_is_a_bucket_that_refills() {
    // Two a second: two at once, the third waits half a second.
    let rules = rules();
    let mut gate = Gate::new(limits());
    let mut ask = |now_ms: i64| {
        let e = Exposure { now: LocalTime(0) + Nanos::from_ms(now_ms), ..exposure(&rules) };
        gate.approve(order(Side::Ask, 1_001, 1, OrderKind::PostOnly), &e).map_err(|r| r.code)
    };
    assert!(ask(0).is_ok() && ask(0).is_ok());
    assert_eq!(ask(400).map(|_| ()), Err(RefusalCode::Limit(Limit::OrderRate)));
    assert!(ask(500).is_ok());
}

#[test]
fn reducing_lets_only_the_smaller_position_through() {
    let sell = |qty| order(Side::Ask, 1_001, qty, OrderKind::PostOnly);
    let long = |e: &mut Exposure<'_>| (e.position, e.selling) = (Lots(5), Lots(2));
    assert_eq!(judged_in(RiskState::Reducing, long, sell(3)), "approved");
    // 2 already offered: selling 4 more of 5 would turn the position round.
    assert_eq!(judged_in(RiskState::Reducing, long, sell(4)), "STATE_REDUCING value=4 limit=3 unit=lots");
    assert_eq!(
        judged_in(RiskState::Reducing, long, order(Side::Bid, 999, 1, OrderKind::PostOnly)),
        "STATE_REDUCING value=1 limit=0 unit=lots"
    );
}

#[test]
fn a_halt_lets_through_cancellations_and_an_operators_flattening_only() {
    let cancel = Request::Cancel { id: OrderId(1), instrument: ID };
    assert_eq!(judged_in(RiskState::Halted, |_| (), cancel), "approved");
    assert_eq!(judged_in(RiskState::Halted, |_| (), order(Side::Bid, 999, 1, OrderKind::PostOnly)), "STATE_HALTED");
    let flattening = |e: &mut Exposure<'_>| (e.position, e.flattening) = (Lots(5), true);
    assert_eq!(judged_in(RiskState::Halted, flattening, order(Side::Ask, 998, 5, OrderKind::Ioc)), "approved");
    assert_eq!(judged_in(RiskState::Halted, flattening, order(Side::Ask, 998, 6, OrderKind::Ioc)), "STATE_HALTED");
    assert_eq!(judged_in(RiskState::Halted, flattening, order(Side::Ask, 1_001, 5, OrderKind::Limit)), "STATE_HALTED");
}

#[test]
fn room_is_what_the_position_leaves() {
    let gate = Gate::new(limits());
    assert_eq!(gate.room(ID, VenueId::BinanceSpot, Lots(30), Side::Bid), Lots(10));
    assert_eq!(gate.room(ID, VenueId::BinanceSpot, Lots(30), Side::Ask), Lots(70));
    assert_eq!(gate.room(ID, VenueId::BinanceSpot, Lots(50), Side::Bid), Lots(0));
}

#[test]
fn absurd_prices_and_sizes_are_refused_not_fatal() {
    let absurd = order(Side::Ask, i64::MAX, 10, OrderKind::PostOnly);
    assert!(answer(|_| {}, absurd).starts_with("ORDER_NOTIONAL_EXCEEDED"));
    assert!(answer(|_| {}, order(Side::Bid, 1_000, i64::MAX, OrderKind::PostOnly)).starts_with("ORDER_QTY_EXCEEDED"));
}

#[test]
fn the_first_limit_that_is_broken_when_weighed_is_the_one_that_refuses() {
    let (rules, mut draws, mut refused) = (rules(), crate::rng::Stream::new(7, "weighed"), 0);
    for n in 0..5_000 {
        let mut gate = Gate::new(limits());
        gate.ask(if draws.chance(0.2) { RiskState::Reducing } else { RiskState::Active });
        let mut exposure = exposure(&rules);
        let mut some = |most: u64| draws.below(most) as i64;
        (exposure.position, exposure.buying, exposure.selling) = (Lots(some(60) - 30), Lots(some(9)), Lots(some(9)));
        (exposure.alive, exposure.news_age) = (some(5) as u32, Nanos(some(1_100_000_000)));
        let side = if some(2) == 0 { Side::Bid } else { Side::Ask };
        let request = order(side, 988 + some(24), 1 + some(11), OrderKind::PostOnly);
        for _ in 0..some(4) {
            gate.orders.take(2, exposure.now);
        }
        let weighed = gate.weigh(&request, &exposure);
        let first = weighed.iter().find(|w| w.is_broken).map(|w| (w.code, w.value, w.limit));
        let judged = gate.approve(request, &exposure).err().map(|r| (r.code, r.value, r.limit));
        assert_eq!(first, judged, "case {n}: {weighed:?}");
        refused += usize::from(judged.is_some());
    }
    assert!((1_000..4_900).contains(&refused), "{refused} of 5000 refused");
}
