//! Every rule of the gate, told as a refusal with its numbers.

use super::*;
use crate::market::{Level, VenueId};
use crate::order::OrderId;
use crate::risk::{BookLimits, InstrumentLimits, Kept, Own, Unit};
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
        elsewhere: Elsewhere::Nothing,
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

/// Steps of real instruments and of absurd ones; rates that leave nothing to cut and rates that do.
fn any_instrument(draws: &mut crate::rng::Stream) -> (Instrument, u64) {
    let step = |text| Step::parse(text).expect("a step");
    let steps = [("1", "1"), ("0.01", "0.00001"), ("0.1", "0.001"), ("0.0000001", "0.0000000001"), ("1000", "1000000")];
    let (tick, lot) = steps[draws.below(5) as usize];
    let rules = Instrument::new(VenueId::Kraken, "AB", "A", "B", step(tick), step(lot)).expect("rules");
    (rules, [1_000_000, 1_080_000, 7, 1_000_000_000_000_000][draws.below(4) as usize])
}

#[test]
fn kept_sums_come_to_the_same_as_sums_worked_out_in_full() {
    let mut draws = crate::rng::Stream::new(11, "kept");
    let (mut refused, mut kept_used, mut kept_left) = (0, 0, 0);
    for n in 0..20_000 {
        let (rules, rate) = any_instrument(&mut draws);
        // Every length in bits is as likely as any other.
        let mut long = |bits: u64| (draws.below(1 << bits) >> draws.below(bits)) as i64;
        let mid = 1 + long(54);
        let (position, buying, selling, qty) = (long(62) - long(62), long(62), long(62), 1 + long(62));
        let level = |price| Level { price: Ticks(price), qty: Lots(1) };
        let top = Top { bid: level(mid), ask: level(mid + 1) };
        let mut limits = limits();
        let own_limits = &mut limits.instruments[0];
        (own_limits.long_max, own_limits.short_max) = (Lots(i64::MAX), Lots(i64::MAX));
        (own_limits.order_qty_max, own_limits.order_notional_max) = (Lots(i64::MAX), Money(i128::MAX));
        (own_limits.collar_centibps, own_limits.account_rate_ppm) = (u32::MAX, rate);
        let worth = |lots| own_limits.in_account(rules.notional_quote(Ticks(mid), Lots(lots)));
        let signed = Money(worth(position).0 * i128::from(position.signum()));
        let own = Own {
            basis: Some(Basis {
                twice_mid: Some(top.twice_mid()),
                position: Lots(position),
                resting: [Lots(buying), Lots(selling)],
            }),
            stake: Stake::of(signed, worth(buying), worth(selling)),
            unit: Unit::of(&rules, own_limits),
        };
        let mut stake = || {
            let mut amount = || Money(i128::from(long(62)) << (long(6).min(60)));
            let (position, buying, selling) = (amount() - amount(), amount(), amount());
            Stake::of(position, buying, selling)
        };
        let of_venue = stake();
        let others =
            Others { venue: of_venue, book: of_venue.and(stake()), worth: Some(Money(i128::from(long(62)) << 40)) };
        let (venue, book) = (others.venue.and(own.stake), others.book.and(own.stake));
        let mut near = |amount: Money| Some(Money((amount.0 / 100).saturating_mul(60 + i128::from(long(7)))));
        limits.book.exposure = ExposureLimits { gross_max: near(book.gross), net_max: near(book.net_worst()) };
        let of_venue = ExposureLimits { gross_max: near(venue.gross), net_max: near(venue.net_worst()) };
        limits.venues = [(VenueId::Kraken, of_venue)].into_iter().collect();
        limits.book.leverage_max_centi = Some(long(32) as u32);
        let Some(kept) = Kept::new(&own, &venue, &book, others.worth) else {
            kept_left += 1;
            continue;
        };
        let side = if long(1) == 0 { Side::Bid } else { Side::Ask };
        let in_full = Exposure {
            rules: &rules,
            position: Lots(position),
            buying: Lots(buying),
            selling: Lots(selling),
            top: Some(top),
            elsewhere: Elsewhere::Sums(others),
            ..exposure(&rules)
        };
        let by_kept = Exposure { elsewhere: Elsewhere::Kept(kept), ..in_full };
        let request = order(side, mid, qty, OrderKind::PostOnly);
        let gate = Gate::new(limits);
        assert_eq!(gate.weigh(&request, &in_full), gate.weigh(&request, &by_kept), "case {n}");
        let judged = [in_full, by_kept].map(|exposure| gate.clone().approve(request.clone(), &exposure));
        assert_eq!(judged[0], judged[1], "case {n}");
        refused += usize::from(judged[0].is_err());
        kept_used += usize::from(kept.grown(&own.basis.unwrap(), side, Ticks(mid), Lots(qty)).is_some());
        // Sums of before an order that rests by now are not used.
        let moved = Exposure { buying: Lots(buying + 1), ..by_kept };
        let anew = Exposure { buying: Lots(buying + 1), ..in_full };
        assert_eq!(gate.weigh(&request, &anew), gate.weigh(&request, &moved), "case {n}");
    }
    assert!(refused > 2_000 && kept_used > 2_000 && kept_left > 100, "{refused} {kept_used} {kept_left}");
}

#[test]
fn a_unit_of_worth_is_what_the_conversion_says_or_nothing() {
    let mut draws = crate::rng::Stream::new(12, "unit");
    let mut said = 0;
    for n in 0..20_000 {
        let (rules, rate) = any_instrument(&mut draws);
        let limits = InstrumentLimits { account_rate_ppm: rate, ..InstrumentLimits::nothing() };
        let mut long = || (draws.below(1 << 63) >> draws.below(63)) as i64;
        let (price, qty) = (Ticks(long()), Lots(if n % 2 == 0 { long() } else { -long() }));
        if let Some(worth) = Unit::of(&rules, &limits).worth(price, qty) {
            said += 1;
            assert_eq!(worth, limits.in_account(rules.notional_quote(price, qty)), "case {n}");
        }
    }
    assert!(said > 2_000, "{said}");
}

#[test]
fn leverage_is_compared_as_it_is_said() {
    let mut draws = crate::rng::Stream::new(13, "leverage");
    let mut beyond = 0;
    for n in 0..20_000 {
        let mut long = || i128::from(draws.below(1 << 63) >> draws.below(63)) << draws.below(48);
        let (gross, worth) = (Money(long()), Money(long() - long() / 3 * 4));
        let max = draws.below(1 << 32) as u32 >> draws.below(32);
        let is_beyond = leverage(gross, worth) > i64::from(max);
        assert_eq!(leverage_is_beyond(gross, worth, max), is_beyond, "case {n}: {gross:?} {worth:?} {max}");
        beyond += usize::from(is_beyond);
    }
    assert!((2_000..18_000).contains(&beyond), "{beyond}");
}
