use super::*;

const MS: i64 = 1_000_000;
const SETTLED: News = News::Settled { top_is_newer: false };

fn level(side: Side, price: i64, qty: i64) -> News {
    News::Level(side, Level { price: Ticks(price), qty: Lots(qty) })
}

fn print(ms: i64, taker: Side, qty: i64) -> News {
    News::Print { instant: ms * MS, taker: Some(taker), price: Ticks(100), qty: Lots(qty) }
}

fn order(id: u64, side: Side, price: i64, qty: i64, step: OrderStep) -> News {
    News::Order(OrderNews { id, side, price: Ticks(price), qty: Lots(qty), step })
}

fn told(story: &[(i64, News)]) -> Material {
    let mut tape = Tape::new();
    story.iter().for_each(|(ms, news)| tape.hear(ms * MS, *news));
    tape.finish()
}

#[test]
fn a_sweep_is_one_order_and_the_mid_is_sampled_every_second() {
    let made = told(&[
        (0, News::Lost),
        (0, level(Side::Bid, 99, 5)),
        (0, level(Side::Ask, 101, 5)),
        (0, SETTLED),
        // One buyer of 7 in two prints, and a seller of 2 between them, all of one millisecond.
        (400, print(390, Side::Bid, 5)),
        (400, print(390, Side::Ask, 2)),
        (400, print(390, Side::Bid, 2)),
        (400, level(Side::Ask, 101, 0)),
        (400, level(Side::Ask, 103, 1)),
        (400, SETTLED),
        (2_500, print(2_490, Side::Ask, 3)),
    ]);
    assert_eq!((made.orders, made.prints), (3, 4));
    assert_eq!(made.times, [390 * MS, 390 * MS, 2_490 * MS]);
    assert_eq!((made.signs, made.sizes), (vec![1.0, -1.0, -1.0], vec![7.0, 2.0, 3.0]));
    // At 0 s nothing was known; from then on 99/101 until 400 ms, 99/103 after.
    assert!(made.mids[0].is_nan());
    assert_eq!(made.mids[1..], [101.0, 101.0]);
    assert_eq!((made.volumes, made.nets), (vec![9.0, 0.0], vec![5.0, 0.0]));
    // 2 ticks for 400 ms, 4 ticks for 2.1 s.
    assert_eq!(made.spreads, BTreeMap::from([(2, 400 * MS), (4, 2_100 * MS)]));
    // The ask at 103 stood two ticks behind the best ask of before, and nothing else grew.
    assert_eq!((made.depths, made.inside, made.told), (BTreeMap::from([(2, 1)]), 0, Told::Levels));
    assert_eq!(made.seconds, 2.5);
}

#[test]
fn a_book_that_is_lost_has_no_mid_and_no_spread() {
    let made = told(&[
        (0, level(Side::Bid, 99, 5)),
        (0, level(Side::Ask, 101, 5)),
        (0, SETTLED),
        (1_500, News::Lost),
        (3_500, level(Side::Bid, 9, 5)),
        (3_500, level(Side::Ask, 11, 5)),
        (3_500, SETTLED),
        (4_500, News::Top { bid: Some(Ticks(10)), ask: Some(Ticks(11)) }),
        (5_500, News::Settled { top_is_newer: true }),
        (6_500, News::Blind),
        (7_500, SETTLED),
        (8_500, SETTLED),
    ]);
    assert_eq!(made.mids[1], 100.0);
    assert!(made.mids[2].is_nan() && made.mids[3].is_nan());
    // The best prices are told ahead of the book at 4.5 s.
    assert_eq!((&made.mids[4..7], made.mids[8]), (&[10.0, 10.5, 10.5][..], 10.0));
    assert!(made.mids[7].is_nan(), "stale from 6.5 to 7.5 s");
    assert_eq!(made.spreads, BTreeMap::from([(1, 2_000 * MS), (2, 3_500 * MS)]));
    assert!(made.depths.is_empty(), "a snapshot places nothing: {:?}", made.depths);
}

#[test]
fn lives_of_orders_are_told_by_their_ends() {
    let made = told(&[
        (0, level(Side::Bid, 99, 5)),
        (0, level(Side::Ask, 101, 5)),
        (0, SETTLED),
        (100, order(1, Side::Bid, 97, 4, OrderStep::Joined)),
        (100, order(2, Side::Ask, 100, 3, OrderStep::Joined)),
        (300, order(2, Side::Ask, 100, 1, OrderStep::Filled)),
        (400, order(2, Side::Ask, 100, 0, OrderStep::Filled)),
        // Amended so that it loses its place: a cancellation after 1 s, and a new life.
        (1_100, order(1, Side::Bid, 98, 4, OrderStep::Joined)),
        (1_600, order(1, Side::Bid, 98, 0, OrderStep::Left)),
        // Older than the recording.
        (1_700, order(9, Side::Bid, 98, 0, OrderStep::Left)),
    ]);
    assert_eq!((made.cancelled, made.executed, made.ends), (vec![1.0, 0.5], vec![0.3], [2, 1]));
    assert_eq!((made.depths, made.inside, made.told), (BTreeMap::from([(1, 1), (2, 1)]), 1, Told::Orders));
    assert_eq!(made.limit_sizes, [4.0, 3.0, 4.0]);
}

#[test]
fn without_a_book_prints_are_the_price() {
    let made = told(&[(0, print(0, Side::Bid, 1)), (1_000, SETTLED), (2_000, SETTLED)]);
    assert_eq!(made.mids[1..], [100.0, 100.0]);
    assert!(!made.has_book);
}

#[test]
fn a_bar_is_a_price_and_a_volume() {
    let bar = |price, qty| News::Bar { price: Ticks(price), qty: Lots(qty) };
    let made =
        told(&[(0, bar(99, 0)), (0, bar(100, 7)), (2_000, bar(104, 0)), (2_000, bar(103, 5)), (4_000, bar(101, 1))]);
    assert_eq!((&made.mids[1..], &made.volumes[..]), (&[100.0, 100.0, 103.0, 103.0][..], &[7.0, 0.0, 5.0, 0.0][..]));
    assert_eq!((made.bar_s, made.prints, made.orders), (Some(2), 0, 0));
}

#[test]
fn a_metaorder_is_measured_from_its_beginning() {
    let quotes = |bid: i64| News::Top { bid: Some(Ticks(bid)), ask: Some(Ticks(bid + 2)) };
    let sells = |executed| News::Metaorder { id: 7, side: Side::Ask, executed: Lots(executed) };
    let made = told(&[(0, quotes(100)), (5, sells(0)), (10, quotes(96)), (20, sells(30))]);
    assert_eq!(made.metaorders, [Metaorder { executed: 30.0, moved: 4.0 }]);
}

#[test]
fn a_sample_that_is_full_is_thinned_evenly() {
    let mut sample = Sample::default();
    (0..3 * SAMPLE_MAX as u64).for_each(|i| sample.add(i as f64));
    assert!(sample.values.len() <= SAMPLE_MAX && sample.values.len() > SAMPLE_MAX / 2);
    assert!(sample.values.windows(2).all(|pair| pair[1] - pair[0] == 4.0), "{:?}", &sample.values[..5]);
}
