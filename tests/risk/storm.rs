//! Random limits, markets, reloads and operators: whatever happens, no action of ours breaks a limit.
//!
//! What is compared is not the gate's own arithmetic but what can be counted from outside after every input: orders, positions,
//! prices. Prices may carry us beyond a limit; then the same input that did it must be answered.

use papermaker::engine::{Command, Input, Output, Session, SessionSpec, Stamped};
use papermaker::exchange::latency::{LatencySpec, Way};
use papermaker::market::{InstrumentId, VenueId};
use papermaker::order::{Order, OrderState, Request};
use papermaker::portfolio::Balance;
use papermaker::risk::{BookLimits, Conduct, ExposureLimits, MarkoutLimit, RiskLimits, RiskState};
use papermaker::rng::Stream;
use papermaker::strategy::{Strategies, Strategy};
use papermaker::units::{LocalTime, Lots, Money, Nanos, Rate, Side, Ticks};

use crate::engine::invariants::{second_rules, two_markets};
use crate::engine::story::{ID, JoinBest, spec};

const IDS: [InstrumentId; 2] = [ID, InstrumentId(1)];

/// Steps in all; a hundred million by `PAPERMAKER_TEST_SIZE=full`.
fn steps() -> u64 {
    if std::env::var("PAPERMAKER_TEST_SIZE").is_ok_and(|s| s == "full") { 100_000_000 } else { 1_000_000 }
}

/// Each storm is so long, then another begins.
const STORM: u64 = 20_000;

fn money(quote: u64) -> Money {
    Money(i128::from(quote) * Money::PER_QUOTE)
}

/// Every limit there is, each there half of the time, near what this market and these strategies come to.
fn limits(draw: &mut Stream) -> RiskLimits {
    let mut limits = spec(0).risk;
    let own = limits.instruments.remove(0);
    let some = |draw: &mut Stream, most: u64| draw.chance(0.5).then(|| 1 + draw.below(most));
    for scale in [1, 10] {
        let mut own = own.clone();
        own.long_max = Lots(draw.below(25) as i64 * scale);
        own.short_max = Lots(draw.below(25) as i64 * scale);
        own.order_qty_max = Lots((1 + draw.below(10) as i64) * scale);
        own.order_notional_max = money(1_000 + draw.below(20_000));
        own.open_orders_max = draw.below(4) as u32;
        own.collar_centibps = 1_000 + draw.below(100_000) as u32;
        own.spread_min_centibps = if draw.chance(0.3) { draw.below(5_000) as u32 } else { 0 };
        own.stale_book_ms = 50 + draw.below(2_000) as u32;
        own.inventory_age_max = some(draw, 30).map(|s| Nanos::from_s(s as i64));
        own.volatility_max_centibps = some(draw, 20_000).map(|v| v as u32);
        own.markout = some(draw, 3_000).map(|loss| MarkoutLimit {
            horizon: Nanos::from_ms(1 + draw.below(2_000) as i64),
            fills: 1 + draw.below(10) as u32,
            loss_max_centibps: loss as u32,
        });
        limits.instruments.push(own);
    }
    let exposure = |draw: &mut Stream| ExposureLimits {
        gross_max: some(draw, 40_000).map(money),
        net_max: some(draw, 30_000).map(money),
    };
    for venue in [VenueId::BinanceSpot, VenueId::Kraken] {
        if draw.chance(0.5) {
            limits.venues.insert(venue, exposure(draw));
        }
    }
    limits.book = BookLimits {
        exposure: exposure(draw),
        capital: some(draw, 20_000).map(money),
        leverage_max_centi: some(draw, 500).map(|v| v as u32),
        loss_max: some(draw, 3_000).map(money),
        daily_loss_max: some(draw, 3_000).map(money),
        hourly_loss_max: some(draw, 3_000).map(money),
        drawdown_max: some(draw, 3_000).map(money),
        daily_fees_max: some(draw, 2_000).map(money),
        funding_max: some(draw, 50).map(money),
        order_rate_max_per_s: 1 + draw.below(50) as u32,
        cancel_rate_max_per_s: some(draw, 50).map(|v| v as u32),
    };
    limits.conduct = Conduct {
        soft_percent: draw.below(100) as u32,
        clear_percent: 1 + draw.below(100) as u32,
        hold: Nanos::from_ms(draw.below(3_000) as i64),
        flatten_on_halt: draw.chance(0.5),
    };
    limits
}

fn storm_spec(draw: &mut Stream, seed: u64) -> SessionSpec {
    let mut spec = spec(15);
    spec.seed = seed;
    let mut second = spec.desks[0].clone();
    second.rules = second_rules("0.1", 0);
    second.rules.venue = VenueId::Kraken;
    spec.desks.push(second);
    for desk in &mut spec.desks {
        let us = draw.below(20_000) as u32;
        desk.paper.latency = LatencySpec::constant(2_000, us, 9_000);
        desk.paper.latency.cancel = Way::Lognormal { us, sigma: 0.7 };
        desk.paper.fees.base.maker = Rate(draw.below(3_000) as i64 - 1_000);
    }
    spec.risk = limits(draw);
    spec
}

fn strategies() -> Strategies {
    vec![Some(Box::new(JoinBest { qty: 5 }) as Box<dyn Strategy>), Some(Box::new(JoinBest { qty: 40 }))]
}

/// Markets, operators, and in between new limits of all kinds.
fn inputs(draw: &mut Stream, seed: u64) -> Vec<Stamped> {
    let mut all = two_markets(seed, STORM);
    let reload = |limits| Input::Command { by: "risk".to_owned(), command: Command::SetLimits(Box::new(limits)) };
    for input in &mut all {
        match &input.input {
            // Those of the storm know fewer limits.
            Input::Command { command: Command::SetLimits(_), .. } => input.input = reload(limits(draw)),
            Input::Tick if draw.chance(0.02) => input.input = reload(limits(draw)),
            _ => {}
        }
    }
    all
}

/// What could be held on a side: position and everything that may still trade.
fn worst(session: &Session, id: InstrumentId, side: Side, orders: &[&Order]) -> i64 {
    let resting: i64 = orders.iter().filter(|o| o.instrument == id && o.side == side).map(|o| o.remaining.0).sum();
    session.equity(id).position.0 * side.sign() + resting
}

/// Gross and net worth at the mids, every order of the worse side filled; `None` while a mid is missing.
fn exposure(session: &Session, of: impl Fn(VenueId) -> bool, orders: &[&Order]) -> Option<(Money, Money)> {
    let (mut gross, mut all) = (Money::ZERO, [Money::ZERO; 2]);
    for id in IDS {
        let rules = session.rules(id);
        if !of(rules.venue) {
            continue;
        }
        let mid = Ticks(session.top(id)?.twice_mid() / 2);
        let sides = Side::BOTH.map(|side| {
            let lots = worst(session, id, side, orders);
            let worth = rules.notional_quote(mid, Lots(lots.abs()));
            if lots < 0 { -worth } else { worth }
        });
        gross += sides[0].abs().max(sides[1].abs());
        all = [all[0] + sides[0], all[1] + sides[1]];
    }
    Some((gross, all[0].abs().max(all[1].abs())))
}

/// Everything that must hold after one input.
struct Watch {
    before: [[i64; 2]; 2],
    sent: Vec<LocalTime>,
}

impl Watch {
    fn check(&mut self, session: &Session, input: &Stamped, said: &[Output], at: &str) {
        let limits = session.limits();
        let orders: Vec<&Order> = session.all_orders().collect();
        let new: Vec<_> = said
            .iter()
            .filter_map(|o| match o {
                Output::Sent(Request::Place { id, .. } | Request::Replace { new: id, .. }) => Some(*id),
                _ => None,
            })
            .collect();
        let (fresh, old): (Vec<&Order>, Vec<&Order>) = orders.iter().partition(|o| new.contains(&o.id));
        let finer =
            matches!(&input.input, Input::Market(e) if matches!(e.kind, papermaker::market::MarketEventKind::Rules(_)));
        for id in IDS {
            let own = &limits.instruments[id.index()];
            for side in Side::BOTH {
                let (now, max) = (worst(session, id, side, &orders), own.position_max(side).0);
                let allowed = max.max(self.before[id.index()][side as usize]);
                assert!(finer || now <= allowed, "{at}: {now} {side:?} of {id:?}, {allowed} allowed");
                self.before[id.index()][side as usize] = now;
            }
            let state = session.risk_state_of(id);
            let stays = |o: &&&Order| o.instrument == id && o.kind.may_rest() && o.state != OrderState::Leaving;
            if state == RiskState::Halted {
                assert_eq!(orders.iter().filter(stays).count(), 0, "{at}: rests while halted");
            }
            for order in fresh.iter().filter(|o| o.instrument == id) {
                assert!(order.qty <= own.order_qty_max, "{at}: {order:?}");
                assert!(state != RiskState::Halted || !order.kind.may_rest(), "{at}: {order:?} while halted");
            }
            if state == RiskState::Reducing {
                let position = session.equity(id).position.0;
                for side in Side::BOTH {
                    let may: i64 = orders.iter().filter(stays).filter(|o| o.side == side).map(|o| o.remaining.0).sum();
                    assert!(may <= (-position * side.sign()).max(0), "{at}: {may} {side:?} while reducing {position}");
                }
            }
            assert_eq!(session.balance(id), Balance { base: Lots::ZERO, quote: Money::ZERO }, "{at}");
        }
        if !new.is_empty() {
            // Not counted is what flattens: a leg of a hedged book may leave the rest leaning farther for a moment.
            let [orders, old] =
                [orders, old].map(|list| list.into_iter().filter(|o| o.kind.may_rest()).collect::<Vec<&Order>>());
            let book = &limits.book.exposure;
            let scopes = limits.venues.iter().map(|(venue, own)| (Some(*venue), own)).chain([(None, book)]);
            for (venue, own) in scopes {
                let of = |v: VenueId| venue.is_none_or(|venue| venue == v);
                let (Some(now), Some(without)) = (exposure(session, of, &orders), exposure(session, of, &old)) else {
                    continue;
                };
                for (now, without, max) in [(now.0, without.0, own.gross_max), (now.1, without.1, own.net_max)] {
                    let fine = max.is_none_or(|max| now <= max || now <= without);
                    assert!(fine, "{at}: {venue:?} {now} at stake, {without} without the new orders, {max:?} allowed");
                }
            }
            self.sent.retain(|then| session.now().since(*then) < Nanos::from_s(1));
            self.sent.extend(new.iter().map(|_| session.now()));
        }
    }
}

#[test]
fn no_action_of_ours_breaks_a_limit() {
    let (mut done, mut seed) = (0, 0);
    let (mut fills, mut states) = (0u64, [0u64; 3]);
    while done < steps() {
        seed += 1;
        let mut draw = Stream::new(seed, "risk storm");
        let spec = storm_spec(&mut draw, seed);
        let all = inputs(&mut draw, seed);
        let (mut session, mut guests, mut out) = (Session::new(&spec), strategies(), Vec::new());
        let mut watch = Watch { before: [[0; 2]; 2], sent: Vec::new() };
        for input in &all {
            session.step(input, &mut guests, &mut out);
            let at = format!("seed {seed}, input {}: {:?}", input.seq, input.input);
            watch.check(&session, input, &out, &at);
            states[session.risk_state() as usize] += 1;
            fills += out
                .iter()
                .filter(|o| matches!(o, Output::Heard(r) if matches!(r.kind, papermaker::order::ReportKind::Filled(_))))
                .count() as u64;
            out.clear();
        }
        // Once more: the same, bit for bit.
        if seed % 10 == 1 {
            let (mut again, mut guests) = (Session::new(&spec), strategies());
            for input in &all {
                again.step(input, &mut guests, &mut out);
                out.clear();
            }
            assert_eq!(
                (again.digest(), again.state_digest()),
                (session.digest(), session.state_digest()),
                "seed {seed}"
            );
        }
        done += all.len() as u64;
    }
    assert!(fills * 1_000 > done, "{fills} fills in {done} steps: a storm without trades proves nothing");
    assert!(states.iter().all(|n| n * 100 > done), "{states:?}: every state is seen");
}
