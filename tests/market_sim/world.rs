//! An hour in the life of the demo market.

use papermaker::digest::{Chain, canonical_bytes};
use papermaker::market::Book;
use papermaker::market::Extent;
use papermaker::sim::{SimSpec, World, WorldEvent, WorldEventKind};
use papermaker::units::{Lots, Nanos, Side};

fn spec() -> SimSpec {
    SimSpec::default()
}

fn alone(symbol: usize) -> SimSpec {
    let mut spec = spec();
    spec.market = vec![spec.market.swap_remove(symbol)];
    spec
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
fn every_market_is_the_same_alone_on_a_thread_of_its_own() {
    // Their values are correlated all the same: each draws the common factor for itself.
    let events = |spec: &SimSpec| {
        let (mut world, mut events) = (World::new(3, spec), Vec::new());
        world.advance(Nanos::from_s(20), &mut events);
        events
    };
    let together = events(&spec());
    std::thread::scope(|threads| {
        let alone = [0, 1].map(|symbol| threads.spawn(move || events(&alone(symbol))));
        for (symbol, alone) in alone.into_iter().enumerate() {
            let mut alone = alone.join().expect("it does not panic");
            alone.iter_mut().for_each(|e| e.symbol = symbol as u16);
            let ours: Vec<_> = together.iter().copied().filter(|e| usize::from(e.symbol) == symbol).collect();
            assert!(ours.len() > 1_000);
            assert_eq!(chain(&ours), chain(&alone));
        }
    });
    assert!(together.windows(2).all(|w| (w[0].at, w[0].symbol) <= (w[1].at, w[1].symbol)), "in order of time");
}

/// What an hour adds up to.
#[derive(Debug, Default)]
struct Hour {
    trades: f64,
    takers: f64,
    spread_sum: f64,
    spread_max: i64,
    samples: f64,
    levels_min: usize,
    squares: f64,
    apart: f64,
}

#[test]
fn an_hour_has_a_spread_a_tape_and_a_book_worth_trading_on() {
    let spec = alone(0);
    let mut world = World::new(2026, &spec);
    let mut book = Book::new();
    let side = |world: &World, side| world.engine(0).levels(side).collect::<Vec<_>>();
    book.apply_snapshot(world.update(0), &side(&world, Side::Bid), &side(&world, Side::Ask), Extent::All);
    let (mut events, mut hour) = (Vec::new(), Hour { levels_min: usize::MAX, ..Hour::default() });
    let (mut update, mut trade, mut taker, mut last_mid) = (world.update(0), None, None, None);
    for second in 1..=3600 {
        world.advance(Nanos::from_s(second), &mut events);
        for change in events.chunk_by(|a, b| a.update == b.update) {
            assert_eq!(change[0].update, update + 1, "update ids have no holes");
            update += 1;
            for event in change {
                match event.kind {
                    WorldEventKind::Trade { id, qty, order, .. } => {
                        assert!(trade.is_none_or(|t| t + 1 == id) && qty > Lots::ZERO, "trade ids are consecutive");
                        trade = Some(id);
                        hour.trades += 1.0;
                        hour.takers += f64::from(u8::from(taker.replace(order) != Some(order)));
                    }
                    WorldEventKind::Level { side, price, qty } => book.set(side, price, qty),
                    WorldEventKind::Joined { .. } | WorldEventKind::Left { .. } | WorldEventKind::Metaorder { .. } => {
                        panic!("nobody asked for {event:?}")
                    }
                }
            }
            let best = |s| book.best(s).map(|l| l.price.0);
            // A change may empty a side; the next one, in the same instant, fills it.
            let (Some(bid), Some(ask)) = (best(Side::Bid), best(Side::Ask)) else { continue };
            let spread = ask - bid;
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
        let mid = (book.best(Side::Bid).unwrap().price + book.best(Side::Ask).unwrap().price).0 as f64 / 2.0;
        hour.apart += (mid - world.value(0)).abs() / 3600.0;
        if let Some(last) = last_mid.replace(mid) {
            hour.squares += (mid - last) * (mid - last) / 3599.0;
        }
    }
    let bps_per_root_s = hour.squares.sqrt() / spec.market[0].start_ticks as f64 * 1e4;
    let spread = hour.spread_sum / hour.samples;
    let (trades_per_s, takers_per_s) = (hour.trades / 3600.0, hour.takers / 3600.0);
    eprintln!(
        "an hour: spread {spread:.2} ticks (max {}), {trades_per_s:.2} trades/s of {takers_per_s:.2} takers/s, \
         {bps_per_root_s:.3} bps/√s, {:.1} updates/s, ≥ {} levels a side, mid and value {:.1} ticks apart, {:?}",
        hour.spread_max,
        hour.samples / 3600.0,
        hour.levels_min,
        hour.apart,
        world.traffic(0)
    );
    assert!((2.0..9.0).contains(&spread), "mean spread {spread} ticks");
    assert!((6.0..20.0).contains(&trades_per_s), "{trades_per_s} trades per second");
    assert!((2.0..10.0).contains(&takers_per_s), "{takers_per_s} takers per second");
    assert!((0.06..0.25).contains(&bps_per_root_s), "{bps_per_root_s} bps per √s");
    assert!(hour.levels_min >= 40, "{} levels", hour.levels_min);
    assert!(hour.apart < 60.0, "mid and value are {} ticks apart", hour.apart);
    let traffic = world.traffic(0);
    assert!(traffic.notices > traffic.orders && traffic.orders > traffic.cancels, "{traffic:?}");
    assert_eq!(traffic.trades as f64, hour.trades);
}

#[test]
fn memory_does_not_grow_with_the_hours() {
    // Orders with an owner and things due, at the end of each hour: after the first they go up and down, not up.
    let (mut world, mut events) = (World::new(5, &alone(0)), Vec::new());
    let mut loads = Vec::new();
    for minute in 1..=240 {
        world.advance(Nanos::from_s(60 * minute), &mut events);
        events.clear();
        loads.push(world.load(0));
    }
    let most = |hours: &[(usize, usize)]| hours.iter().fold((0, 0), |m, l| (m.0.max(l.0), m.1.max(l.1)));
    let (first, rest) = (most(&loads[..60]), most(&loads[60..]));
    assert!(rest.0 as f64 <= 1.25 * first.0 as f64 && rest.1 as f64 <= 1.25 * first.1 as f64, "{first:?} {rest:?}");
    assert!(rest.0 < 5_000 && rest.1 < 5_000, "{rest:?}");
}

#[test]
fn a_book_swept_again_and_again_is_never_empty() {
    // Market orders worth the whole book, fifty a second, against a crowd of a few and nobody else.
    let mut spec = alone(0);
    let market = &mut spec.market[0];
    market.market_maker.clear();
    market.deep_liquidity.clear();
    let flow = &mut market.zero_intelligence[0];
    (flow.limits.per_s, flow.markets.per_s) = (5.0, 50.0);
    flow.market_size = papermaker::sim::laws::SizeLaw::Fixed { lots: 1_000_000 };
    let (mut world, mut events) = (World::new(1, &spec), Vec::new());
    for tenth in 1..=600 {
        world.advance(Nanos::from_ms(100 * tenth), &mut events);
        events.clear();
        let best = |s| world.engine(0).best(s).expect("somebody always answers").price;
        assert!(best(Side::Bid) < best(Side::Ask));
    }
    assert!(world.traffic(0).rescues > 100, "{:?}", world.traffic(0));
}
