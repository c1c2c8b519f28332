//! Random sessions, whatever happens in them: the same promises hold after every input.

use papermaker::digest::{canonical_bytes, of_state};
use papermaker::engine::{BookState, Input, Output, Session, Stamped};
use papermaker::order::{OrderState, ReportKind, Request};
use papermaker::portfolio::Balance;
use papermaker::risk::RiskState;
use papermaker::rng::Stream;
use papermaker::units::{Lots, Money, Side};

use super::story::{ID, joining, spec, story};

/// How many inputs each storm has; `PAPERMAKER_TEST_SIZE=full` makes them fifty times longer.
fn inputs() -> u64 {
    if std::env::var("PAPERMAKER_TEST_SIZE").is_ok_and(|s| s == "full") { 200_000 } else { 4_000 }
}

/// A wild but legal tape: a wandering book, prints, silence, gaps, disconnects, operators.
fn storm(seed: u64, length: u64) -> Vec<Stamped> {
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
            880..=949 => "tick".to_owned(),
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
        let latency = &mut spec.desks[0].paper.latency;
        (latency.feed_us, latency.entry_us, latency.response_us) = (3_000, 7_000 * (seed as u32 % 3), 5_000);
        latency.entry_jitter = if seed % 2 == 0 { 0.0 } else { 0.5 };
        spec.desks[0].paper.maker_fee = papermaker::units::Rate(seed as i64 * 1_000 - 2_000);
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
