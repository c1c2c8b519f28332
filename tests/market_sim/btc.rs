//! The market of `config/sim/btc.toml`: as random as it was whatever we do, and as real as `docs/realism.md` says.

use std::collections::BTreeMap;

use papermaker::exchange::matching::Incoming;
use papermaker::metrics::facts::bands::{Judgement, judge};
use papermaker::order::OrderKind;
use papermaker::run::realism::of_market;
use papermaker::sim::{SimSpec, World, WorldEventKind};
use papermaker::units::{Lots, Nanos, Side, Ticks};

use crate::support::full_size;

fn btc() -> SimSpec {
    SimSpec::from_toml(SimSpec::built_in("btc").expect("it is")).expect("it is right")
}

fn judged(spec: &SimSpec, seed: u64, hours: f64) -> Judgement {
    judge(&of_market(spec, seed, 0, Nanos((hours * 3.6e12) as i64), |_| ()))
}

#[test]
fn activity_is_not_ours_to_change() {
    let run = |us: bool| {
        let (mut world, mut events, mut marks) = (World::new(3, &btc()), Vec::new(), Vec::new());
        for second in 1..=90 {
            if us && second > 10 {
                let order = Incoming::new(Side::Bid, OrderKind::Market, Ticks(1), Lots(50));
                world.send(0, order, Nanos::from_ms(3));
            }
            world.advance(Nanos::from_s(second), &mut events);
            marks.push(world.exogenous());
        }
        (marks, world.digest(), events)
    };
    let (quiet, again, loud) = (run(false), run(false), run(true));
    assert_eq!(quiet, again);
    assert_eq!(quiet.0, loud.0, "streams, waits and value are as they would have been");
    assert_ne!(quiet.2, loud.2, "but the market heard us");
}

#[test]
fn half_an_hour_holds_the_bands_that_it_can_judge() {
    let judgement = judged(&btc(), 1, 0.5);
    for name in ["spread", "order_sizes", "placement_depth", "lifetimes", "arrivals"] {
        let band = judgement.bands.iter().find(|band| band.name == name).expect("one of fourteen");
        assert_eq!(band.inside, Some(true), "{band:?}");
    }
    assert!(judgement.orders > 2_000, "{}", judgement.orders);
}

/// `PAPERMAKER_TEST_SIZE=full`: five days, some minutes with optimisation (`cargo test --release`).
#[test]
fn a_day_holds_twelve_of_fourteen() {
    if !full_size() {
        eprintln!("a day of five seeds takes minutes: PAPERMAKER_TEST_SIZE=full");
        return;
    }
    let held: Vec<usize> = (1..=5).map(|seed| judged(&btc(), seed, 24.0).held).collect();
    assert!(held.iter().all(|held| *held >= 12), "{held:?}");
}

#[test]
fn metaorders_are_told_from_beginning_to_end_in_pieces_or_at_once() {
    // What a splitter executed, from its beginning to its end, is what its orders traded: here he is the only taker.
    let mut spec = btc();
    let market = &mut spec.market[0];
    market.fundamental.clear();
    market.zero_intelligence[0].markets.per_s = 0.0;
    let orders = |at_once: bool| {
        let mut spec = spec.clone();
        spec.market[0].metaorder.iter_mut().for_each(|splitter| splitter.at_once = at_once);
        let (mut world, mut events) = (World::new(2, &spec), Vec::new());
        world.watch_orders(true);
        world.advance(Nanos::from_s(1200), &mut events);
        let (mut open, mut ended, mut traded) = (BTreeMap::new(), 0, 0);
        for event in &events {
            match event.kind {
                WorldEventKind::Metaorder { id, side, executed: Lots(0) } => {
                    open.insert(id, side);
                }
                WorldEventKind::Metaorder { id, side, executed } => {
                    // Of what began before the first event nobody saw the beginning.
                    if let Some(begun) = open.remove(&id) {
                        assert_eq!(begun, side);
                        ended += executed.0;
                    }
                }
                WorldEventKind::Trade { qty, .. } => traded += qty.0,
                WorldEventKind::Level { .. } | WorldEventKind::Joined { .. } | WorldEventKind::Left { .. } => {}
            }
        }
        (ended, traded)
    };
    let ((pieces, of_pieces), (whole, of_whole)) = (orders(false), orders(true));
    assert!(0 < pieces && pieces <= of_pieces, "{pieces} of {of_pieces}");
    assert!(of_whole / 2 < whole && whole <= of_whole, "{whole} of {of_whole}: only the last of each may be open");
}

#[test]
fn ablations_are_the_same_market_without_something() {
    for (text, splits, replenishes) in [
        (include_str!("../../config/sim/ablation/no-splitting.toml"), false, true),
        (include_str!("../../config/sim/ablation/no-replenishment.toml"), true, false),
    ] {
        let spec = SimSpec::from_toml(text).expect("it is right");
        let market = &spec.market[0];
        assert!(market.metaorder.iter().all(|splitter| splitter.at_once != splits));
        assert_eq!(!market.market_maker.is_empty(), replenishes);
        assert_eq!(!market.deep_liquidity.is_empty(), replenishes);
        assert_eq!(market.zero_intelligence, btc().market[0].zero_intelligence);
    }
    let wrong = |text: &str| SimSpec::from_toml(text).expect_err("it is wrong")[0].what.clone();
    assert_eq!(wrong("like = \"btc\"\nwithout = [\"nobody\"]"), "no population of \"btc\" is called \"nobody\"");
    assert_eq!(
        wrong("without = [\"maker\"]"),
        "`without` and `at_once` change the markets of `like`, and there is none"
    );
}
