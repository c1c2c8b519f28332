//! A market small enough to work every number out by hand.

use super::*;
use crate::market::Extent;
use crate::signal::SignalSpec;

fn level(price: i64, qty: i64) -> Level {
    Level { price: Ticks(price), qty: Lots(qty) }
}

fn book(bids: &[(i64, i64)], asks: &[(i64, i64)]) -> Book {
    let levels = |side: &[(i64, i64)]| side.iter().map(|(price, qty)| level(*price, *qty)).collect::<Vec<_>>();
    let mut book = Book::new();
    book.apply_snapshot(1, &levels(bids), &levels(asks), Extent::All);
    book
}

fn signals() -> Signals {
    Signals::new(SignalSpec {
        volatility_grid_ms: 1000,
        volatility_half_life_s: 60.0,
        volatility_samples_min: 10,
        intensity_window_s: 600.0,
        intensity_orders_min: 50,
        intensity_refit_s: 5.0,
        intensity_k_min: 0.001,
        intensity_k_max: 10.0,
    })
}

fn seen<'a>(book: &'a Book, signals: &'a Signals, at_s: i64) -> Seen<'a> {
    let best = |side| book.best(side).expect("a level");
    Seen {
        now: LocalTime(at_s * 1_000_000_000),
        book,
        top: Top { bid: best(Side::Bid), ask: best(Side::Ask) },
        signals,
        k: 0.5,
        sigma: 2.0,
        inventory: -3.0,
        left_s: Some(7200.0),
        latency: Some(Nanos::from_ms(10)),
    }
}

fn look(observation: &mut Observation, seen: &Seen<'_>, own: &Own) -> Vec<f32> {
    let mut row = vec![f32::NAN; observation.len()];
    observation.look(seen, own, &mut row);
    row
}

#[track_caller]
fn same(found: &[f32], expected: &[f64]) {
    assert_eq!(found.len(), expected.len());
    for (i, (found, expected)) in found.iter().zip(expected).enumerate() {
        assert!((f64::from(*found) - expected).abs() < 1e-6, "number {i}: {found} is not {expected}");
    }
}

#[test]
fn every_number_by_hand() {
    let market = book(&[(100, 30), (99, 10)], &[(104, 10), (105, 20)]);
    let mut signals = signals();
    let top = Top { bid: level(100, 30), ask: level(104, 10) };
    signals.on_top(&top, LocalTime(0));
    signals.on_trade(Side::Bid, Ticks(104), Lots(3), &top, LocalTime(1));
    signals.on_trade(Side::Ask, Ticks(100), Lots(1), &top, LocalTime(2));
    let mut observation = Observation::new(Schema::standard(10.0).unwrap());
    let own = Own {
        bid: Some(Resting { price: Ticks(99), ahead: Some(Lots(4)), shown: Lots(0), since: LocalTime(0) }),
        ask: Some(Resting { price: Ticks(104), ahead: None, shown: Lots(0), since: LocalTime(7_000_000_000) }),
    };
    let found = look(&mut observation, &seen(&market, &signals, 7), &own);
    let expected = [
        -0.3,        // -3 of 10 order amounts
        0.25,        // 7,200 of 28,800 s
        2.0,         // 4 ticks at k = 1/2
        0.5,         // (30 - 10)/40
        10.0 / 70.0, // (40 - 30)/70
        10.0 / 70.0, // no more levels than two
        0.0,         // a first look has seen no flow,
        0.0,
        0.0,
        0.0,              // and no move
        0.5,              // (3 - 1)/4
        0.4,              // 4 of 10 lots at 99 are ahead of our bid,
        numeric::ln(8.0), // which is 7 s old,
        1.5,              // 3 ticks below the mid of 102
        1.0,              // nobody told us who is ahead of our ask,
        0.0,              // which is new,
        1.0,              // 2 ticks above the mid
        numeric::ln(2.0), // 10 ms of 10
    ];
    same(&found, &expected);
}

#[test]
fn without_orders_a_clock_or_a_latency_numbers_say_so() {
    let (market, signals) = (book(&[(100, 30)], &[(104, 10)]), signals());
    let mut observation = Observation::new(Schema::standard(10.0).unwrap());
    let found =
        look(&mut observation, &Seen { left_s: None, latency: None, ..seen(&market, &signals, 1) }, &Own::default());
    same(&found[1..2], &[1.0]);
    same(&found[11..], &[1.0, 0.0, 5.0, 1.0, 0.0, 5.0, 0.0]);
}

#[test]
fn a_place_in_line_is_the_same_whether_the_book_has_ours_or_not() {
    let signals = signals();
    let mut observation = Observation::new(Schema::new(vec![Feature::QueueAhead { side: Side::Bid }]).unwrap());
    let mut share = |rests: i64, ahead: i64, shown: i64| {
        let market = book(&[(100, rests)], &[(104, 10)]);
        let bid = Resting { price: Ticks(100), ahead: Some(Lots(ahead)), shown: Lots(shown), since: LocalTime(0) };
        look(&mut observation, &seen(&market, &signals, 1), &Own { bid: Some(bid), ask: None })[0]
    };
    // Six of the others' eight are ahead; all of five are; nobody else is there; the book has not heard of our two yet.
    assert_eq!([share(8, 6, 0), share(10, 6, 2)], [0.75; 2]);
    assert_eq!([share(5, 6, 0), share(7, 6, 2)], [1.0; 2]);
    assert_eq!([share(2, 0, 2), share(1, 0, 2)], [0.0; 2]);
}

#[test]
fn flow_is_counted_level_by_level_and_fades() {
    let features =
        vec![Feature::OrderFlow { levels: 1, half_life_s: 2.0 }, Feature::OrderFlow { levels: 2, half_life_s: 2.0 }];
    let (signals, own) = (signals(), Own::default());
    let mut observation = Observation::new(Schema::new(features).unwrap());
    let first = book(&[(100, 30), (99, 10)], &[(104, 10), (105, 20)]);
    same(&look(&mut observation, &seen(&first, &signals, 0), &own), &[0.0, 0.0]);
    // Bids: the best improves to 101 with 6 lots (+6), the second is now 100 with 30, better than 99 was (+30). Asks: the best has 4
    // lots less (-4), the second at 107 is worse than 105 was (-20). Flow 6 + 4 = 10 of one level and 60 of two; depth
    // (6 + 6)/2 = 6 and (36 + 21)/2 = 28.5.
    let second = book(&[(101, 6), (100, 30), (99, 10)], &[(104, 6), (107, 15)]);
    same(&look(&mut observation, &seen(&second, &signals, 0), &own), &[10.0 / 6.0, 60.0 / 28.5]);
    // Two seconds and nothing new: half.
    same(&look(&mut observation, &seen(&second, &signals, 2), &own), &[5.0 / 6.0, 30.0 / 28.5]);
    // The second ask goes: -(-15) on top of 21.2 that is left of 30 after a second, √½ of it; 3.54 of 5.
    let third = book(&[(101, 6), (100, 30), (99, 10)], &[(104, 6)]);
    let root = 0.5f64.sqrt();
    same(&look(&mut observation, &seen(&third, &signals, 3), &own), &[5.0 * root / 6.0, (30.0 * root + 15.0) / 21.0]);
}

#[test]
fn fast_volatility_is_held_against_the_slow_one() {
    let features = vec![Feature::VolatilityRatio { half_life_s: 1.0 }];
    let (signals, own) = (signals(), Own::default());
    let mut observation = Observation::new(Schema::new(features).unwrap());
    // Mids 102, 105, 105 a second apart: squares 9 then 9/2; seconds 1 then 3/2. σ² = 9, then 3; against 4: ½·ln(9/4), ½·ln(3/4).
    let (before, after) = (book(&[(100, 1)], &[(104, 1)]), book(&[(103, 1)], &[(107, 1)]));
    same(&look(&mut observation, &seen(&before, &signals, 0), &own), &[0.0]);
    same(&look(&mut observation, &seen(&after, &signals, 1), &own), &[0.5 * numeric::ln(2.25)]);
    same(&look(&mut observation, &seen(&after, &signals, 2), &own), &[0.5 * numeric::ln(0.75)]);
    // Half a minute of silence and more: what ran before is over.
    same(&look(&mut observation, &seen(&before, &signals, 33), &own), &[0.0]);
    let still = Seen { sigma: 0.0, ..seen(&after, &signals, 34) };
    same(&look(&mut observation, &still, &own), &[0.0]);
}

#[test]
fn a_saved_observation_goes_on_to_the_same_bits() {
    let (signals, own) = (signals(), Own::default());
    let books = [book(&[(100, 30)], &[(104, 10)]), book(&[(101, 3)], &[(104, 7)]), book(&[(99, 5)], &[(103, 8)])];
    let run = |interrupted: bool| {
        let mut observation = Observation::new(Schema::standard(10.0).unwrap());
        let mut rows = Vec::new();
        for step in 0..12 {
            if interrupted && step == 5 {
                let saved = observation.save();
                observation = Observation::new(Schema::standard(10.0).unwrap());
                observation.restore(&saved).expect("its own state");
            }
            rows.push(look(&mut observation, &seen(&books[step % 3], &signals, step as i64), &own));
        }
        rows
    };
    assert_eq!(run(false), run(true));
    let other = Observation::new(Schema::standard(11.0).unwrap()).save();
    let mut ours = Observation::new(Schema::standard(10.0).unwrap());
    assert!(ours.restore(&other).unwrap_err().contains("of schema"), "another schema's state");
    assert!(ours.restore(&[1]).unwrap_err().starts_with("1 bytes are no saved observation"));
    let mut observation = Observation::new(Schema::standard(10.0).unwrap());
    let first = look(&mut observation, &seen(&books[0], &signals, 0), &own);
    look(&mut observation, &seen(&books[1], &signals, 1), &own);
    observation.forget();
    assert_eq!(look(&mut observation, &seen(&books[0], &signals, 2), &own), first, "nothing runs across");
}

#[test]
fn the_digest_is_of_what_numbers_mean() {
    let schema = Schema::standard(10.0).unwrap();
    assert_eq!(schema.digest(), Schema::standard(10.0).unwrap().digest());
    assert_ne!(schema.digest(), Schema::standard(20.0).unwrap().digest(), "a parameter");
    let mut turned = schema.features().to_vec();
    turned.swap(3, 4);
    let turned = Schema::new(turned).unwrap();
    assert_ne!(schema.digest(), turned.digest(), "an order");
    assert_ne!(schema.digest(), Schema::new(schema.features()[1..].to_vec()).unwrap().digest(), "a length");
    assert_eq!(schema.require(&schema, &schema.digest()), Ok(()));
    let refused = schema.require(&turned, &turned.digest()).unwrap_err().to_string();
    for part in [schema.digest().short(), turned.digest().short(), "inventory, order amounts over 10".to_owned()] {
        assert!(refused.contains(&part), "{refused}");
    }
}

#[test]
fn a_schema_is_written_and_read_and_checked() {
    let schema = Schema::standard(5.0).unwrap();
    #[derive(serde::Serialize, serde::Deserialize, PartialEq, Debug)]
    struct Card {
        observation: Schema,
    }
    let card = Card { observation: schema };
    let text = toml::to_string(&card).unwrap();
    assert!(text.contains("feature = \"order-flow\""), "{text}");
    assert_eq!(toml::from_str::<Card>(&text).unwrap(), card);
    assert_eq!(Schema::new(vec![]).unwrap_err().to_string(), "an observation needs a feature at least");
    let wrong = Schema::new(vec![Feature::Spread, Feature::OrderFlow { levels: 11, half_life_s: 1.0 }]);
    assert!(wrong.unwrap_err().to_string().starts_with("feature 1 of the observation (order flow of 11 levels"));
    assert!(toml::from_str::<Card>("observation = [{feature = \"latency\", scale_ms = 0.0}]").is_err());
}

#[test]
fn numbers_of_earlier_looks_stand_behind_those_of_now() {
    let schema = Schema::new(vec![Feature::Inventory { orders_max: 10.0 }, Feature::Imbalance { levels: 1 }]).unwrap();
    let stacked = schema.stacked(3).unwrap();
    assert_eq!(stacked.features().len(), 6);
    assert_eq!(schema.stacked(1).unwrap(), schema);
    assert_ne!(stacked.digest(), schema.digest());
    assert_ne!(stacked.digest(), schema.stacked(2).unwrap().digest());
    assert_eq!((0..6).map(|n| stacked.is_market(n)).collect::<Vec<_>>(), [false, true, false, true, false, true]);
    let (book, signals) = (book(&[(100, 3)], &[(101, 1)]), signals());
    let mut observation = Observation::new(stacked);
    let at = |observation: &mut Observation, at_s: i64, inventory: f64| {
        look(observation, &Seen { inventory, ..seen(&book, &signals, at_s) }, &Own::default())
    };
    // Inventory of ten is one; (3 - 1)/(3 + 1) is a half. The first look is all there is.
    same(&at(&mut observation, 1, 1.0), &[0.1, 0.5, 0.1, 0.5, 0.1, 0.5]);
    same(&at(&mut observation, 2, 2.0), &[0.2, 0.5, 0.1, 0.5, 0.1, 0.5]);
    same(&at(&mut observation, 3, 3.0), &[0.3, 0.5, 0.2, 0.5, 0.1, 0.5]);
    let mut resumed = Observation::new(observation.schema().clone());
    resumed.restore(&observation.save()).expect("its own");
    for observation in [&mut observation, &mut resumed] {
        same(&at(observation, 4, 4.0), &[0.4, 0.5, 0.3, 0.5, 0.2, 0.5]);
    }
    // After a hole nothing is remembered.
    same(&at(&mut observation, 100, 5.0), &[0.5, 0.5, 0.5, 0.5, 0.5, 0.5]);
    let wrong = |number, looks| {
        let features =
            vec![Feature::Spread, Feature::Before { number: 0, looks: 1 }, Feature::Before { number, looks }];
        Schema::new(features).unwrap_err().to_string()
    };
    for (number, looks) in [(0, 0), (0, 65), (1, 1), (2, 1)] {
        assert!(wrong(number, looks).contains("feature 2 of the observation"), "{number} {looks}");
    }
}
