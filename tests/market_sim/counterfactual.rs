//! The same world with and without us.

use papermaker::digest::Digest;
use papermaker::exchange::matching::Incoming;
use papermaker::order::OrderKind;
use papermaker::sim::{News, SimSpec, World, WorldEvent};
use papermaker::units::{Lots, Nanos, Side, Ticks};

fn spec() -> SimSpec {
    let mut spec = SimSpec::default();
    spec.market.truncate(1);
    spec
}

fn market(side: Side, lots: i64) -> Incoming {
    Incoming::new(side, OrderKind::Market, Ticks(1), Lots(lots))
}

fn run(seed: u64, seconds: i64, mut us: impl FnMut(i64, &mut World)) -> (Vec<WorldEvent>, World) {
    let (mut world, mut events) = (World::new(seed, &spec()), Vec::new());
    for second in 1..=seconds {
        us(second, &mut world);
        world.advance(Nanos::from_s(second), &mut events);
    }
    (events, world)
}

fn mid(world: &World) -> f64 {
    let best = |side| world.engine(0).best(side).expect("never empty").price.0 as f64;
    (best(Side::Bid) + best(Side::Ask)) / 2.0
}

#[test]
fn who_only_watches_changes_no_message() {
    let (baseline, empty) = run(9, 120, |_, _| {});
    let (watched, world) = run(9, 120, |second, world| {
        assert_eq!(world.notices(0).count(), 0);
        let _ = (world.digest(), world.exogenous(), world.value(0), world.next_at());
        // A cancellation of what never was is not even sent.
        if second == 7 {
            let key = serde_json::from_str(r#"{"slot":99999999,"generation":0}"#).unwrap();
            world.take_back(0, key);
        }
    });
    assert!(baseline.len() > 5_000);
    assert_eq!(baseline, watched);
    assert_eq!((empty.digest(), empty.traffic(0)), (world.digest(), world.traffic(0)));
}

#[test]
fn whatever_we_do_everything_random_stays_as_it_was() {
    let marks = |us: &mut dyn FnMut(i64, &mut World)| {
        let mut marks: Vec<Digest> = Vec::new();
        let (events, world) = run(4, 300, |second, world| {
            us(second, world);
            if second % 30 == 0 {
                marks.push(world.exogenous());
            }
        });
        (marks, events, world)
    };
    let (without, quiet, _) = marks(&mut |_, _| {});
    let (with, loud, mut world) = marks(&mut |second, world| match second {
        // We buy one bitcoin a second for half a minute, try to move the market, and change our mind.
        20..=50 => {
            world.send(0, market(Side::Bid, 100_000), Nanos::from_ms(3));
        }
        60 => {
            let far = Incoming { price: Ticks(590_000), kind: OrderKind::Limit, ..market(Side::Bid, 500_000) };
            let key = world.send(0, far, Nanos::from_ms(3));
            world.take_back(0, key);
        }
        _ => {}
    });
    assert_eq!(without, with);
    assert_eq!(without.len(), 10);
    let common = quiet.iter().zip(&loud).take_while(|(a, b)| a == b).count();
    assert!(common > 100 && common < loud.len(), "the same until we came: {common}");
    assert!(loud[common].at >= Nanos::from_s(19) + Nanos::from_ms(3), "{:?}", loud[common]);
    assert!(world.notices(0).count() > 30);
}

#[test]
fn who_buys_much_moves_the_price_and_the_same_world_without_him_says_how_far() {
    // 31 bitcoins within half a minute, in a market that trades about one in that time. Ten worlds, each its own control.
    let (mut impact, mut later) = (0.0, 0.0);
    for seed in 1..=10 {
        let mid_of = |buys: bool, seconds: i64| {
            let (_, world) = run(seed, seconds, |second, world| {
                if buys && (20..=50).contains(&second) {
                    world.send(0, market(Side::Bid, 100_000), Nanos::from_ms(3));
                }
            });
            mid(&world)
        };
        impact += (mid_of(true, 51) - mid_of(false, 51)) / 10.0;
        later += (mid_of(true, 110) - mid_of(false, 110)) / 10.0;
    }
    eprintln!("31 BTC bought in 31 s: {impact:.1} ticks at the end, {later:.1} a minute later");
    assert!(impact > 20.0, "{impact}");
    assert!(later < impact, "{later} after {impact}");
}

#[test]
fn our_order_rests_in_the_book_itself_and_we_hear_of_it_late() {
    let (mut world, mut events) = (World::new(2, &spec()), Vec::new());
    let ms = Nanos::from_ms;
    let touch = world.engine(0).best(Side::Bid).unwrap();
    let join = Incoming::new(Side::Bid, OrderKind::PostOnly, touch.price, Lots(1_234_567));
    let key = world.send(0, join, ms(5));
    world.watch_orders(true);
    world.advance(ms(9), &mut events);
    assert_eq!(world.notices(0).count(), 0, "it arrives after 5 ms and the news of it after 10");
    let mine = world.engine(0).queue(touch.price).find(|(_, qty)| qty.0 == 1_234_567);
    assert!(mine.is_some(), "it rests where it joined");
    world.advance(ms(10), &mut events);
    let heard: Vec<_> = world.notices(0).collect();
    assert_eq!(
        (heard.len(), heard[0].key, heard[0].news, heard[0].at),
        (1, key, News::Rests { ahead: touch.qty }, ms(10))
    );
    // Somebody sells more than we bid for: all of it trades at our price.
    let level: i64 = world.engine(0).queue(touch.price).map(|(_, qty)| qty.0).sum();
    assert!(level >= 1_234_567);
    let seller = world.send(0, market(Side::Ask, 50_000_000), Nanos::ZERO);
    world.advance(ms(10), &mut events);
    let sold: Vec<_> = world.notices(0).collect();
    assert!(sold.iter().all(|n| n.key == seller), "our buyer hears of it 5 ms later: {sold:?}");
    assert!(matches!(sold.last().unwrap().news, News::Filled | News::Ended { .. }), "{sold:?}");
    world.advance(ms(15), &mut events);
    let bought: Vec<_> = world.notices(0).filter(|n| n.key == key).collect();
    assert_eq!(bought[0].news, News::Trades { qty: Lots(1_234_567), price: touch.price });
    assert_eq!(bought[1].news, News::Filled);
    // Its name is good no more.
    let before = world.traffic(0);
    world.take_back(0, key);
    world.advance(ms(21), &mut events);
    assert_eq!(world.notices(0).filter(|n| n.key == key).count(), 0);
    assert!(world.traffic(0).cancels >= before.cancels);
}
