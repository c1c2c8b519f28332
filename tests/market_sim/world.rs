//! An hour in the life of the default market.

use papermaker::digest::{Chain, canonical_bytes};
use papermaker::market::Book;
use papermaker::market::Extent;
use papermaker::sim::{SimSpec, World, WorldEvent, WorldEventKind};
use papermaker::units::{Lots, Nanos, Side};

fn spec() -> SimSpec {
    SimSpec::default()
}

fn chain(events: &[WorldEvent]) -> Chain {
    let mut chain = Chain::default();
    events.iter().for_each(|e| chain.extend(0, &canonical_bytes(e)));
    chain
}

#[test]
fn the_same_seed_is_the_same_world_however_it_is_cut_into_pieces() {
    let run = |seed: u64, steps: &[i64]| {
        let (mut world, mut events) = (World::new(seed, &spec()), Vec::new());
        steps.iter().for_each(|&ms| world.advance(Nanos::from_ms(ms), &mut events));
        (chain(&events), world.digest())
    };
    let whole = run(3, &[30_000]);
    let pieces: Vec<i64> = (1..=30_000).step_by(7).chain([30_000]).collect();
    assert_eq!(whole, run(3, &pieces));
    assert_ne!(whole.0, run(4, &[30_000]).0);
}

#[test]
fn a_second_market_does_not_disturb_the_first() {
    let first = |spec: &SimSpec| {
        let (mut world, mut events) = (World::new(3, spec), Vec::new());
        world.advance(Nanos::from_s(20), &mut events);
        events.retain(|e| e.symbol == 0);
        chain(&events)
    };
    let mut alone = spec();
    alone.markets.truncate(1);
    assert_eq!(first(&spec()), first(&alone));
}

/// What an hour adds up to.
#[derive(Debug, Default)]
struct Hour {
    trades: f64,
    spread_sum: f64,
    spread_max: i64,
    samples: f64,
    levels_min: usize,
    crowd_mean: f64,
    squares: f64,
    resting_max: usize,
}

#[test]
fn an_hour_has_a_spread_a_tape_and_a_book_worth_trading_on() {
    let spec = spec();
    let mut one = spec.clone();
    one.markets.truncate(1);
    let mut world = World::new(2026, &one);
    let mut book = Book::new();
    let side = |world: &World, side| world.engine(0).levels(side).collect::<Vec<_>>();
    book.apply_snapshot(world.update(0), &side(&world, Side::Bid), &side(&world, Side::Ask), Extent::All);
    let (mut events, mut hour) = (Vec::new(), Hour { levels_min: usize::MAX, ..Hour::default() });
    let (mut update, mut trade, mut last_mid) = (world.update(0), None, None);
    for second in 1..=3600 {
        world.advance(Nanos::from_s(second), &mut events);
        for change in events.chunk_by(|a, b| a.update == b.update) {
            assert_eq!(change[0].update, update + 1, "update ids have no holes");
            update += 1;
            for event in change {
                match event.kind {
                    WorldEventKind::Trade { id, qty, .. } => {
                        assert!(trade.is_none_or(|t| t + 1 == id) && qty > Lots::ZERO, "trade ids are consecutive");
                        trade = Some(id);
                        hour.trades += 1.0;
                    }
                    WorldEventKind::Level { side, price, qty } => book.set(side, price, qty),
                }
            }
            // Never empty, never crossed, whatever just happened.
            let (bid, ask) = (book.best(Side::Bid).unwrap().price, book.best(Side::Ask).unwrap().price);
            let spread = ask.0 - bid.0;
            assert!(spread >= 1, "spread {spread} at update {update}");
            hour.spread_sum += spread as f64;
            hour.spread_max = hour.spread_max.max(spread);
            hour.samples += 1.0;
        }
        events.clear();
        for s in Side::BOTH {
            assert_eq!(side(&world, s), book.levels(s).collect::<Vec<_>>(), "the events tell the whole book");
            hour.levels_min = hour.levels_min.min(book.depth(s));
        }
        hour.crowd_mean += world.crowd_size(0) as f64 / 3600.0;
        hour.resting_max = hour.resting_max.max(world.engine(0).resting());
        let mid = (book.best(Side::Bid).unwrap().price + book.best(Side::Ask).unwrap().price).0 as f64 / 2.0;
        if let Some(last) = last_mid.replace(mid) {
            hour.squares += (mid - last) * (mid - last) / 3599.0;
        }
    }
    let bps_per_root_s = hour.squares.sqrt() / one.markets[0].start.0 as f64 * 1e4;
    let spread = hour.spread_sum / hour.samples;
    let trades_per_s = hour.trades / 3600.0;
    eprintln!(
        "an hour: spread {spread:.2} ticks (max {}), {trades_per_s:.2} trades/s, {bps_per_root_s:.3} bps/√s, {:.1} updates/s, \
         ≥ {} levels a side, {:.0} crowd orders, ≤ {} resting, {:?}",
        hour.spread_max,
        hour.samples / 3600.0,
        hour.levels_min,
        hour.crowd_mean,
        hour.resting_max,
        world.arrivals(0)
    );
    assert!((3.0..9.0).contains(&spread), "mean spread {spread} ticks");
    assert!((8.0..15.0).contains(&trades_per_s), "{trades_per_s} trades per second");
    assert!((0.1..0.2).contains(&bps_per_root_s), "{bps_per_root_s} bps per √s");
    assert!(hour.levels_min >= 24, "{} levels", hour.levels_min);
    assert!(hour.resting_max < one.markets[0].flow.orders_max + 24);

    // Arrivals are Poisson: within four standard deviations of their mean.
    let (flow, maker) = (&one.markets[0].flow, one.markets[0].maker.as_ref().unwrap());
    let a = world.arrivals(0);
    for (what, count, mean) in [
        ("limit orders", a.limits, flow.limits_per_s * 3600.0),
        ("market orders", a.markets, flow.markets_per_s * 3600.0),
        ("looks", a.looks, maker.looks_per_s * 3600.0),
        // Their rate follows the crowd's size, sampled once a second: half a percent on top.
        ("cancellations", a.cancels, flow.cancels_per_order_s * hour.crowd_mean * 3600.0),
    ] {
        let slack = 4.0 * mean.sqrt() + if what == "cancellations" { 0.005 * mean } else { 0.0 };
        assert!((count as f64 - mean).abs() < slack, "{what}: {count} instead of {mean:.0} ± {slack:.0}");
    }
}

#[test]
fn a_crowd_that_never_loses_patience_is_still_bounded() {
    let mut spec = spec();
    spec.markets.truncate(1);
    spec.markets[0].flow.cancels_per_order_s = 0.0;
    spec.markets[0].flow.orders_max = 300;
    let (mut world, mut events) = (World::new(1, &spec), Vec::new());
    for second in 1..=300 {
        world.advance(Nanos::from_s(second), &mut events);
        events.clear();
        assert!(world.crowd_size(0) <= 301, "{} orders", world.crowd_size(0));
    }
    assert!(world.arrivals(0).evictions > 1000, "{:?}", world.arrivals(0));
}

#[test]
fn a_book_swept_again_and_again_is_never_empty() {
    // Market orders worth the whole book, fifty a second, against a crowd of a few.
    let mut spec = spec();
    spec.markets.truncate(1);
    let flow = &mut spec.markets[0].flow;
    (flow.limits_per_s, flow.markets_per_s) = (5.0, 50.0);
    flow.market_size.median = flow.market_size.max.0 as f64;
    flow.market_size.sigma = 0.0;
    let (mut world, mut events) = (World::new(1, &spec), Vec::new());
    for second in 1..=60 {
        world.advance(Nanos::from_s(second), &mut events);
        events.clear();
        let best = |s| world.engine(0).best(s).expect("somebody always answers").price;
        assert!(best(Side::Bid) < best(Side::Ask));
    }
    assert!(world.arrivals(0).rescues > 0);
}
