//! Random sessions, whatever happens in them: the same promises hold after every input.

use papermaker::digest::{canonical_bytes, of_state};
use papermaker::engine::{BookState, Command, Input, Mode, Output, Session, Stamped};
use papermaker::exchange::habit::Habits;
use papermaker::exchange::latency::{LatencySpec, Way};
use papermaker::market::{Instrument, InstrumentId, Kind, MarketEvent, MarketEventKind, Status, VenueId};
use papermaker::order::{OrderState, ReportKind, Request};
use papermaker::portfolio::Balance;
use papermaker::risk::RiskState;
use papermaker::rng::Stream;
use papermaker::strategy::Strategy;
use papermaker::units::{LocalTime, Lots, Money, Nanos, Side, Step};

use super::contracts::contract;
use super::story::{ID, JoinBest, joining, sized, spec, story};

/// How many inputs each storm has; `PAPERMAKER_TEST_SIZE=full` makes them fifty times longer.
fn inputs() -> u64 {
    if std::env::var("PAPERMAKER_TEST_SIZE").is_ok_and(|s| s == "full") { 200_000 } else { 4_000 }
}

/// A wild but legal tape: a wandering book, prints, silence, gaps, disconnects, operators.
pub fn storm(seed: u64, length: u64) -> Vec<Stamped> {
    let mut draw = Stream::new(seed, "storm");
    let (mut ms, mut bid) = (100i64, 1_000i64);
    let mut text = String::new();
    for _ in 0..length {
        ms += draw.below(40) as i64;
        // Now and then the clock leaps, forwards or back.
        if draw.chance(0.002) {
            ms = (ms + draw.below(20_000) as i64 - 6_000).max(1);
        }
        bid = (bid + draw.below(5) as i64 - 2).clamp(200, 5_000);
        let ask = bid + 1 + draw.below(4) as i64;
        let qty = 1 + draw.below(20);
        let line = match draw.below(1_000) {
            0..=399 => format!("book {qty}@{bid} 9@{} / {}@{ask} 9@{}", bid - 1, 1 + draw.below(20), ask + 1),
            400..=499 => format!("level bid {}@{}", draw.below(12), bid - draw.below(3) as i64),
            500..=599 => format!("level ask {}@{}", draw.below(12), ask + draw.below(3) as i64 - 1),
            600..=699 => format!("bbo {qty}@{bid} / {qty}@{ask}"),
            700..=789 => format!("sell {qty}@{}", bid - draw.below(4) as i64),
            790..=879 => format!("buy {qty}@{}", ask + draw.below(4) as i64),
            880..=939 => "tick".to_owned(),
            940..=944 => {
                format!("mark {bid} rate {} due {}", ["-0.002", "0.001", "0.003"][draw.below(3) as usize], ms + 20)
            }
            945..=949 => format!("mark {bid}"),
            950..=959 => "gap".to_owned(),
            960..=964 => "lost".to_owned(),
            965..=969 => "stale".to_owned(),
            970..=979 => "live".to_owned(),
            980..=984 => "pause".to_owned(),
            985..=987 => "halt".to_owned(),
            988..=989 => "reduce".to_owned(),
            990..=992 => "flatten".to_owned(),
            _ => "resume".to_owned(),
        };
        text.push_str(&format!("{ms} {line}\n"));
    }
    story(&text)
}

#[test]
fn no_storm_breaks_a_promise() {
    for seed in 0..8 {
        let limit = 3 + (seed as i64 % 4) * 7;
        let mut spec = spec(limit);
        spec.seed = seed;
        let kind = if seed % 2 == 0 { Kind::Linear } else { Kind::Inverse };
        spec.desks[0].rules = contract(kind).desks.remove(0).rules;
        let paper = &mut spec.desks[0].paper;
        let us = 7_000 * (seed as u32 % 3);
        paper.latency = LatencySpec::constant(3_000, us, 5_000);
        if seed % 2 == 1 {
            paper.latency.place = Way::Lognormal { us, sigma: 0.5 };
            (paper.latency.cancel, paper.latency.replace) = (paper.latency.place, Way::Feed { factor: 0.5, us });
        }
        paper.fees.base.maker = papermaker::units::Rate(seed as i64 * 1_000 - 2_000);
        let habits = [VenueId::BinanceSpot, VenueId::Okx, VenueId::Deribit, VenueId::Coinbase];
        paper.habits = Habits::of(habits[seed as usize % 4]);
        let mut strategies = joining(5);
        let mut session = Session::new(&spec);
        let mut out = Vec::new();
        let (mut position, mut fills) = (0i64, 0u32);
        let mut halted_since = None;
        for input in storm(seed, inputs()) {
            session.step(&input, &mut strategies, &mut out);
            let at = format!("seed {seed}, input {}: {:?}", input.seq, input.input);
            let resumed = matches!(&input.input, Input::Command { .. });
            for output in out.drain(..) {
                match &output {
                    Output::Heard(report) => {
                        if let ReportKind::Filled(fill) = &report.kind {
                            position += fill.side.sign() * fill.qty.0;
                            fills += 1;
                        }
                    }
                    Output::Sent(Request::Place { kind, .. }) => {
                        assert_eq!(session.book_state(ID), BookState::Live, "{at}: placed on a book not to be trusted");
                        assert!(
                            session.risk_state() != RiskState::Halted || !kind.may_rest() || resumed,
                            "{at}: {output:?} while halted"
                        );
                    }
                    _ => {}
                }
                assert!(position.abs() <= limit, "{at}: position {position}, limit {limit}");
            }
            assert_eq!(session.equity(ID).position, Lots(position), "{at}");
            assert_eq!(session.balance(ID), Balance { base: Lots::ZERO, quote: Money::ZERO }, "{at}");
            let reducible = |side: Side| (-position * side.sign()).max(0);
            if session.risk_state() == RiskState::Reducing {
                for side in Side::BOTH {
                    let resting: i64 = session
                        .orders(ID)
                        .iter()
                        .filter(|o| o.side == side && o.state != OrderState::Leaving)
                        .map(|o| o.remaining.0)
                        .sum();
                    assert!(resting <= reducible(side), "{at}: {resting} {side:?} while reducing from {position}");
                }
            }
            let mark = session.equity(ID);
            let gross = mark.realised + mark.unrealised;
            assert_eq!(gross, mark.spread + mark.inventory, "{at}: the two splits of profit differ");
            // Cancellations need one way in and one back; nothing may rest after that.
            halted_since = match (session.risk_state(), halted_since) {
                (RiskState::Halted, None) => Some(session.now()),
                (RiskState::Halted, since) => since,
                (RiskState::Active | RiskState::Reducing, _) => None,
            };
            if halted_since.is_some_and(|since| session.now().since(since).ms() > 500) {
                assert!(session.orders(ID).iter().all(|o| !o.kind.may_rest()), "{at}: rests while halted");
            }
        }
        assert!(session.equity(ID).funding != Money::ZERO, "seed {seed}: nothing was ever due");
        assert!(fills > 20, "seed {seed}: a storm without trades proves nothing ({fills} fills)");
    }
}

#[test]
fn the_same_inputs_make_the_same_session_bit_for_bit() {
    let spec = spec(17);
    let inputs = storm(99, inputs());
    let whole = super::story::run(&spec, joining(5), &inputs);
    let again = super::story::run(&spec, joining(5), &inputs);
    assert_eq!(whole.0.digest(), again.0.digest());
    assert_eq!(whole.0.state_digest(), again.0.state_digest());
    // Saved in the middle and resumed from its bytes, it goes on as if nothing had happened.
    let (mut first, _) = super::story::run(&spec, joining(5), &inputs[..inputs.len() / 2]);
    let mut resumed: Session = postcard::from_bytes(&canonical_bytes(&first)).expect("a session reads back");
    assert_eq!(of_state(&first), of_state(&resumed));
    let mut out = Vec::new();
    for input in &inputs[inputs.len() / 2..] {
        first.step(input, &mut joining(5), &mut out);
        resumed.step(input, &mut joining(5), &mut out);
    }
    assert_eq!(first.digest(), whole.0.digest());
    assert_eq!(resumed.digest(), whole.0.digest());
    assert_eq!(resumed.state_digest(), whole.0.state_digest());
}

/// Two tapes as one session's inputs, the second one's instrument being number 1, with new limits, rules and closures
/// strewn in.
pub fn two_markets(seed: u64, length: u64) -> Vec<Stamped> {
    let mut draw = Stream::new(seed, "two markets");
    let (first, second) = (storm(seed, length / 2), storm(seed + 1_000, length / 2));
    let (mut inputs, mut at) = (Vec::new(), LocalTime(0));
    for (a, mut b) in first.into_iter().zip(second) {
        if let Input::Market(event) = &mut b.input {
            event.instrument = InstrumentId(1);
        }
        if let Input::Feed(event) = &mut b.input {
            event.instrument = if draw.chance(0.5) { None } else { Some(InstrumentId(1)) };
        }
        inputs.extend([a.input, b.input]);
        let market = |instrument, kind| Input::Market(MarketEvent { instrument, venue_time: None, kind });
        let one = InstrumentId(draw.below(2) as u16);
        match draw.below(400) {
            0..=3 => inputs.push(new_limits(&mut draw)),
            4..=5 => inputs.push(market(one, MarketEventKind::Status(Status::Halted))),
            6..=12 => inputs.push(market(one, MarketEventKind::Status(Status::Trading))),
            _ => {}
        }
    }
    let finer = MarketEventKind::Rules(Box::new(second_rules("0.01", 1)));
    let finer = MarketEvent { instrument: InstrumentId(1), venue_time: None, kind: finer };
    inputs.insert(inputs.len() * 2 / 3, Input::Market(finer));
    let mut stamp = |(seq, input)| {
        at = at + Nanos::from_ms(draw.below(20) as i64);
        Stamped { seq, at, input }
    };
    (1..).zip(inputs).map(&mut stamp).collect()
}

fn new_limits(draw: &mut Stream) -> Input {
    let positions = [draw.below(25), draw.below(250)].map(|n| n as i64);
    let orders = [1 + draw.below(10), 1 + draw.below(100)].map(|n| n as i64);
    let limits = sized(&spec(0).risk, &[(positions[0], orders[0]), (positions[1], orders[1])]);
    Input::Command { by: "risk".to_owned(), command: Command::SetLimits(Box::new(limits)) }
}

pub fn second_rules(lot: &str, revision: u32) -> Instrument {
    let step = |text| Step::parse(text).expect("a step");
    let rules = Instrument::new(VenueId::BinanceSpot, "OTHERUSDT", "OTHER", "USDT", step("0.5"), step(lot));
    Instrument { revision, ..rules.expect("rules") }
}

#[test]
fn no_storm_over_two_markets_and_through_restarts_breaks_a_promise() {
    for seed in 20..24 {
        let mut spec = spec(15);
        let mut second = spec.desks[0].clone();
        second.rules = second_rules("0.1", 0);
        second.paper.queue = papermaker::exchange::queue::QueueModel::Power { n: 2.0 };
        spec.desks.push(second);
        for desk in &mut spec.desks {
            let jittered = Way::Lognormal { us: 6_000, sigma: 0.7 };
            let latency = &mut desk.paper.latency;
            *latency = LatencySpec::constant(2_000, 6_000, 9_000);
            (latency.place, latency.cancel, latency.replace) = (jittered, jittered, jittered);
        }
        spec.risk = sized(&spec.risk, &[(15, 1_000), (150, 1_000)]);
        let strategies = || vec![Some(Box::new(JoinBest { qty: 5 }) as Box<dyn Strategy>), joining(40).remove(0)];
        let mut guests = strategies();
        let mut session = Session::new(&spec);
        let (mut out, mut fills) = (Vec::new(), [0u32; 2]);
        let ids = [ID, InstrumentId(1)];
        // What was allowed, or could not be undone any more, when the limits last changed.
        let mut most = [15i64, 150];
        let all = two_markets(seed, inputs());
        let restarts = [all.len() / 4, all.len() / 2, all.len() * 5 / 6];
        for (i, input) in all.iter().enumerate() {
            let at = format!("seed {seed}, input {}: {:?}", input.seq, input.input);
            let finer = matches!(&input.input, Input::Market(e) if matches!(e.kind, MarketEventKind::Rules(_)));
            session.step(input, &mut guests, &mut out);
            for output in out.drain(..) {
                if let Output::Heard(report) = &output
                    && let ReportKind::Filled(_) = report.kind
                {
                    fills[report.instrument.index()] += 1;
                }
                let placed = matches!(&output, Output::Sent(Request::Place { .. } | Request::Replace { .. }));
                let paused_now = matches!(&input.input, Input::Command { .. });
                assert!(!placed || paused_now || session.mode() != Mode::Paused, "{at}: {output:?} while paused");
            }
            for (id, most) in ids.into_iter().zip(&mut most) {
                let limit = session.limits().instruments[id.index()].long_max.0;
                let position = session.equity(id).position;
                let could = |side: Side| {
                    let resting = session.orders(id).iter().filter(|o| o.side == side).map(|o| o.remaining.0);
                    position.0 * side.sign() + resting.sum::<i64>()
                };
                if finer && id == ids[1] {
                    *most *= 10;
                }
                if matches!(&input.input, Input::Command { command: Command::SetLimits(_), .. }) {
                    *most = limit.max(could(Side::Bid)).max(could(Side::Ask));
                }
                assert!(position.abs().0 <= *most, "{at}: {id:?} holds {position:?}, at most {most} was possible");
                let staying = session.orders(id).iter().filter(|o| o.state != OrderState::Leaving && o.kind.may_rest());
                let trusted = session.book_state(id) == BookState::Live;
                assert!(trusted || staying.count() == 0, "{at}: {id:?} rests on a book not to be trusted");
                let mark = session.equity(id);
                assert_eq!(mark.realised + mark.unrealised, mark.spread + mark.inventory, "{at}: two splits differ");
                assert_eq!(session.balance(id), Balance { base: Lots::ZERO, quote: Money::ZERO }, "{at}");
            }
            if restarts.contains(&i) {
                let carried = session.carried("before");
                let state = session.risk_state();
                for (desk, id) in spec.desks.iter_mut().zip(ids) {
                    desk.rules = session.rules(id).clone();
                }
                spec.risk = session.limits().clone();
                session = Session::new(&spec);
                guests = strategies();
                let command = Command::Restore(Box::new(carried.clone()));
                let restore = Input::Command { by: "account".to_owned(), command };
                session.step(&Stamped { seq: input.seq, at: input.at, input: restore }, &mut guests, &mut out);
                assert_eq!(ids.map(|id| session.equity(id).position).to_vec(), carried.positions, "{at}");
                assert_eq!(session.risk_state(), state, "{at}: a halt survives a restart");
            }
        }
        assert!(fills[0] > 10 && fills[1] > 10, "seed {seed}: a storm without trades proves nothing {fills:?}");
    }
}
