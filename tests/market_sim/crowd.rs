//! The crowd alone: a book of unit orders without intelligence, against the reference simulation of quant/TARGETS.md
//! §6.4 (unit orders, limit rate α, market rate μ, cancel rate δ; Daniels, Farmer, Gillemot, Iori & Smith 2003), and
//! the memory of those who split their orders (Lillo, Mike & Farmer 2005).

use papermaker::sim::{SimSpec, World, WorldEventKind};
use papermaker::units::{Nanos, Side};

/// A market with nobody in it yet.
const EMPTY: &str = r#"
    warm_up_s = 60
    [[market]]
    base = "ZI"
    quote = "USDT"
    tick_quote = "0.1"
    lot_base = "1"
    start_ticks = 1_000_000
    value = { volatility_bps = 0.0, pull_back_s = 1.0, step_s = 60.0 }
    rescue = { depth_ticks = 300, lots = 1 }
"#;

/// Unit orders; limit rate α = 1 per unit of price and time on each side, within 60 units of the opposite best;
/// market rate μ = 10; each order cancelled at rate δ. A unit of price is ten ticks, a unit of time a second.
fn unit_market(delta: f64) -> SimSpec {
    // α · 60 units · 2 sides = 120
    let flow = format!(
        r#"
        [[market.zero_intelligence]]
        name = "flow"
        limits = {{ per_s = 120.0 }}
        markets = {{ per_s = 10.0 }}
        placement = {{ uniform = {{ ticks = 600 }} }}
        limit_size = {{ fixed = {{ lots = 1 }} }}
        market_size = {{ fixed = {{ lots = 1 }} }}
        lifetime = {{ exponential = {{ mean_s = {:?} }} }}
        "#,
        1.0 / delta
    );
    SimSpec::from_toml(&format!("{EMPTY}{flow}")).unwrap()
}

/// Mean spread and variance of the mid over one unit of time, in units of price.
fn spread_and_variance(delta: f64, units: i64) -> (f64, f64) {
    const PER_UNIT: i64 = 20;
    let mut world = World::new(11, &unit_market(delta));
    let (mut events, mut spread, mut last, mut squares) = (Vec::new(), 0.0, None, 0.0);
    for i in 1..=units * PER_UNIT {
        world.advance(Nanos::from_ms(i * 1000 / PER_UNIT), &mut events);
        events.clear();
        let best = |side| world.engine(0).best(side).expect("no side is ever empty").price.0 as f64 / 10.0;
        let (bid, ask) = (best(Side::Bid), best(Side::Ask));
        spread += (ask - bid) / (units * PER_UNIT) as f64;
        if i % PER_UNIT == 0 {
            let mid = (bid + ask) / 2.0;
            squares += last.replace(mid).map_or(0.0, |l: f64| (mid - l) * (mid - l)) / (units - 1) as f64;
        }
    }
    (spread, squares)
}

#[test]
fn its_spread_and_its_wandering_are_those_of_the_reference_simulation() {
    // quant/TARGETS.md §6.4: mean spread 3.823 ± .006 (δ = 1) and 2.495 ± .007 (δ = .1), variance of the mid over one
    // unit of time 25.67 ± .12 and 4.19 ± .05 (s11_zi.c with tau = 1; over longer times it is smaller, the mid reverts).
    // A sampled variance of n = 4 000 increments with kurtosis 3.4 has a standard error of √(2.4/n) = 2.4 %; that of the
    // mean spread is one to two percent, as orders live for 1/δ units.
    for (delta, spread, variance) in [(1.0, 3.823, 25.67), (0.1, 2.495, 4.19)] {
        let (s, v) = spread_and_variance(delta, 4_000);
        eprintln!(
            "zero-intelligence book, δ = {delta}: mean spread {s:.3} ({spread}), mid variance {v:.2} ({variance})"
        );
        assert!((s / spread - 1.0).abs() < 0.06, "δ = {delta}: mean spread {s} instead of {spread}");
        assert!((v / variance - 1.0).abs() < 0.12, "δ = {delta}: mid variance {v} instead of {variance}");
    }
}

/// Signs of all takers, one per order.
fn signs(spec: &SimSpec, seconds: i64) -> Vec<f64> {
    let (mut world, mut events, mut signs, mut last) = (World::new(3, spec), Vec::new(), Vec::new(), None);
    for minute in 1..=seconds / 60 {
        world.advance(Nanos::from_s(60 * minute), &mut events);
        for event in events.drain(..) {
            if let WorldEventKind::Trade { order, taker, .. } = event.kind
                && last.replace(order) != Some(order)
            {
                signs.push(taker.sign() as f64);
            }
        }
    }
    signs
}

fn correlation(signs: &[f64], lag: usize) -> f64 {
    let n = signs.len() - lag;
    signs[..n].iter().zip(&signs[lag..]).map(|(a, b)| a * b).sum::<f64>() / n as f64
}

#[test]
fn who_splits_his_orders_makes_signs_remember_and_who_does_not_does_not() {
    let market = |pieces_max: u32| {
        let splitters = format!(
            r#"
            [[market.deep_liquidity]]
            name = "deep"
            count = 60
            mean_wait_s = 10
            from_ticks = 5
            to_ticks = 500
            size = {{ fixed = {{ lots = 1000 }} }}

            [[market.metaorder]]
            name = "splitter"
            count = 5
            mean_wait_s = 5
            exponent = 1.5
            pieces_max = {pieces_max}
            taking_share = 1.0
            lifetime = {{ exponential = {{ mean_s = 10 }} }}
            size = {{ fixed = {{ lots = 1 }} }}
            "#
        );
        SimSpec::from_toml(&format!("{EMPTY}{splitters}")).unwrap()
    };
    let split = signs(&market(100_000), 40_000);
    let whole = signs(&market(1), 40_000);
    assert!(split.len() > 35_000 && whole.len() > 35_000, "{} {}", split.len(), whole.len());
    // The theory's τ^-(α-1) = τ^-½ falls by √10 from lag 10 to lag 100; five traders share the tape, so single lags
    // hold a fifth of the memory. Independent signs have 1/√40 000 = .005 of noise.
    let (ten, hundred) = (correlation(&split, 10), correlation(&split, 100));
    eprintln!("correlation of signs: {ten:.3} at lag 10, {hundred:.3} at lag 100");
    assert!((0.06..0.3).contains(&ten), "{ten}");
    assert!((1.7..6.0).contains(&(ten / hundred)), "{ten} {hundred}");
    for lag in [1, 10, 100] {
        assert!(correlation(&whole, lag).abs() < 0.025, "lag {lag}: {}", correlation(&whole, lag));
    }
}
