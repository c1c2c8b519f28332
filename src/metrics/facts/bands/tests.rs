use std::collections::BTreeMap;

use super::*;
use crate::metrics::facts::tape::{Metaorder, Tape, Told};
use crate::numeric::{pow, sqrt};
use crate::rng::Stream;

/// A market that told nothing.
fn silent() -> Material {
    Tape::new().finish()
}

fn band(material: &Material, name: &str) -> Band {
    judge(material).bands.into_iter().find(|band| band.name == name).expect("one of fourteen")
}

/// A market of these prices in which nobody trades.
fn priced(mids: Vec<f64>) -> Material {
    let still = vec![0.0; mids.len() - 1];
    Material { mids, volumes: still.clone(), nets: still, ..silent() }
}

/// Prices that make these returns, a second apart, from 100 000 ticks.
fn walk(returns: impl IntoIterator<Item = f64>) -> Vec<f64> {
    let mut price = 1e5;
    let steps = returns.into_iter().map(|r| {
        price *= 1.0 + r;
        price
    });
    std::iter::once(1e5).chain(steps).collect()
}

#[test]
fn of_a_silent_market_nothing_is_said() {
    let judged = judge(&silent());
    assert_eq!((judged.held, judged.missed, judged.unmeasured), (0, 0, 14));
    assert!(judged.bands.iter().all(|band| band.value.is_none() && !band.note.is_empty()), "{judged:#?}");
}

#[test]
fn a_market_of_one_tick_is_judged_by_its_share_and_another_by_its_skew() {
    // Seconds at each spread: 98 of 100 at one tick. Then 50 at 2, 44 at 4, 6 at 6: median 2, 95 % 6, quotient 3. Then 6 at 7.
    let cases = [
        (vec![(1, 98), (2, 2)], 0.98, true),
        (vec![(1, 96), (2, 4)], 0.96, false),
        (vec![(2, 50), (4, 44), (6, 6)], 3.0, true),
        (vec![(2, 50), (4, 44), (7, 6)], 3.5, false),
    ];
    for (spreads, value, inside) in cases {
        let spreads = BTreeMap::from_iter(spreads.into_iter().map(|(ticks, s)| (ticks, s * 1_000_000_000)));
        let found = band(&Material { has_book: true, spreads, spread_changes: 100, ..silent() }, "spread");
        assert_eq!((found.value, found.inside), (Some(value), Some(inside)), "{found:?}");
    }
}

#[test]
fn lives_are_judged_by_their_tail_and_by_how_many_were_cancelled() {
    // Index 1.1 makes a density of 2.1; one in twenty is executed, or one in five.
    let mut stream = Stream::new(1, "facts.lives");
    let mut draw = |index: f64| pow(1.0 - stream.uniform(), -1.0 / index);
    let cancelled: Vec<f64> = (0..20_000).map(|_| draw(1.1)).collect();
    let executed: Vec<f64> = (0..1_000).map(|_| draw(0.5)).collect();
    let made =
        |ends, told| Material { cancelled: cancelled.clone(), executed: executed.clone(), ends, told, ..silent() };
    let found = band(&made([19_000, 1_000], Told::Orders), "lifetimes");
    assert!(found.value.is_some_and(|value| (value - 2.1).abs() < 0.1) && found.inside == Some(true), "{found:?}");
    assert!(found.note.contains("95.0 % were cancelled") && found.note.contains("executed 1."), "{}", found.note);
    assert_eq!(band(&made([16_000, 4_000], Told::Orders), "lifetimes").inside, Some(false));
    assert_eq!(band(&made([19_000, 1_000], Told::Levels), "lifetimes").inside, None);
}

#[test]
fn a_tail_at_a_second_is_shown_and_not_judged_and_one_of_ticks_is_not_even_shown() {
    // Returns of a second with P(|r| > x) ~ x^-3, of one basis point; ten ticks or a hundredth of a tick.
    let mut stream = Stream::new(2, "facts.tail");
    let returns: Vec<f64> = (0..4_050)
        .map(|_| (stream.uniform() - 0.5).signum() * 1e-4 * pow(1.0 - stream.uniform(), -1.0 / 3.0))
        .collect();
    let fine = priced(walk(returns[..2_000].iter().copied()));
    let found = band(&fine, "return_tail");
    assert!(found.value.is_some() && found.inside.is_none(), "{found:?}");
    assert!(found.note.contains("at 5 s") && found.note.contains("too short a horizon"), "{found:?}");
    // Twice as long there are 405 returns of ten seconds.
    let longer = priced(walk(returns.iter().copied()));
    let found = band(&longer, "return_tail");
    assert!(found.inside.is_some() && found.note.contains("at 10 s"), "{found:?}");
    let coarse = priced(longer.mids.iter().map(|mid| mid / 1e3).collect());
    let found = band(&coarse, "return_tail");
    assert!(found.value.is_none() && found.note.contains("too coarse a step"), "{found:?}");
}

#[test]
fn arrivals_on_a_grid_are_no_arrivals() {
    // Each parent at a rate of 1 has a child after some 50 ms with probability .6, and so has every child: n = .6.
    let mut stream = Stream::new(3, "facts.families");
    let (mut now, mut times) = (0.0, Vec::new());
    while times.len() < 6_000 {
        now += stream.exponential(1.0);
        let mut born = now;
        loop {
            times.push((born * 1e9) as i64);
            if !stream.chance(0.6) {
                break;
            }
            born += stream.exponential(0.05);
        }
    }
    times.sort();
    let found = band(&Material { times: times.clone(), ..silent() }, "arrivals");
    assert!(found.inside == Some(true) && found.value.is_some_and(|n| (n - 0.6).abs() < 0.06), "{found:?}");
    let grid: Vec<i64> = times.iter().map(|time| time / 50_000_000 * 50_000_000).collect();
    let found = band(&Material { times: grid, ..silent() }, "arrivals");
    assert!(found.inside == Some(false) && found.note.contains("on a grid of 50 ms"), "{found:?}");
}

#[test]
fn metaorders_are_measured_where_they_are_known() {
    // A quiet price and one lot a second; metaorders move it by the root of their size, with noise.
    let mut stream = Stream::new(4, "facts.metaorders");
    let mids = walk((0..2_000).map(|_| 1e-5 * stream.normal()));
    let volumes = vec![1.0; mids.len() - 1];
    let order = |stream: &mut Stream| {
        let executed = pow(1.0 - stream.uniform(), -1.0);
        Metaorder { executed, moved: 2.0 * sqrt(executed) + stream.normal() }
    };
    let metaorders = (0..4_000).map(|_| order(&mut stream)).collect();
    let found = band(&Material { volumes, metaorders, ..priced(mids) }, "impact");
    assert!(found.inside == Some(true) && found.value.is_some_and(|e| (e - 0.5).abs() < 0.05), "{found:?}");
    assert!(found.note.contains("of metaorders"), "{}", found.note);
}

#[test]
fn volume_that_moves_the_price_is_correlated_with_its_moves() {
    let mut stream = Stream::new(5, "facts.volume");
    let returns: Vec<f64> = (0..1_200).map(|_| 1e-4 * stream.normal()).collect();
    let volumes: Vec<f64> = returns.iter().map(|r| 1e5 * r.abs()).collect();
    let material = Material { volumes, ..priced(walk(returns)) };
    let found = band(&material, "volume_volatility");
    // Over ten seconds moves cancel and volumes add up: what is left of the correlation is some .2 to .4; at a second all of it.
    assert!(found.value.is_some_and(|value| value > 0.1), "{found:?}");
    let still = Material { volumes: vec![1.0; material.volumes.len()], ..material };
    assert_eq!(band(&still, "volume_volatility").inside, None);
}
