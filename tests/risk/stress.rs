//! Shocks, told with numbers that can be followed by hand; and that no shock makes us break a limit.

use papermaker::engine::{Command, Input, LimitUse, Session, SessionSpec, Stamped};
use papermaker::market::{Book, InstrumentId, MarketEventKind};
use papermaker::risk::{Conduct, ExposureLimits, Limit};
use papermaker::rng::Stream;
use papermaker::run::rerun::{Inputs, RerunError};
use papermaker::run::stress::mirror::Mirror;
use papermaker::run::stress::survey::When;
use papermaker::run::stress::watch::Noted;
use papermaker::run::stress::{Ask, Shock, Source, Stress, stress};
use papermaker::strategy::Strategies;
use papermaker::units::{Lots, Money, Nanos, Side};

use crate::engine::invariants::{second_rules, two_markets};
use crate::engine::story::{ID, JoinBest, joining, run, sized, spec, story};
use crate::whatif::golden;

struct Given(std::vec::IntoIter<Stamped>);

impl Inputs for Given {
    fn next(&mut self, into: &mut Stamped) -> Result<bool, RerunError> {
        Ok(self.0.next().map(|next| *into = next).is_some())
    }
}

fn under(
    spec: &SessionSpec,
    inputs: &[Stamped],
    strategies: &(dyn Fn() -> Strategies + Sync),
    when: When,
    shocks: &[Shock],
) -> Stress {
    let source = Source {
        spec: spec.clone(),
        inputs: &|| Ok(Box::new(Given(Vec::from(inputs).into_iter()))),
        strategies: &|_| Ok(strategies()),
    };
    source.under(&Ask { shocks: shocks.to_vec(), when }).expect("inputs in memory")
}

/// The story of five lots a side under one shock at its worst moment.
fn five(spec: &SessionSpec, text: &str, shock: Shock) -> (Stress, Noted) {
    let found = under(spec, &story(text), &|| joining(5), When::Worst, &[shock]);
    let noted = found.sides[1].noted.clone();
    (found, noted)
}

/// Every second the mid goes 2 up or down: five changes of 2 ticks. Then 15 are sold to a bid of 1002, the 10 ahead of us
/// and our 5, at a mid of 1004: worth 5020, 10 earned.
const BOUGHT: &str = "100 book 10@1000 / 10@1004
    1100 book 10@1002 / 10@1006
    2100 book 10@1000 / 10@1004
    3100 book 10@1002 / 10@1006
    4100 book 10@1000 / 10@1004
    5100 book 10@1002 / 10@1006
    5150 tick
    5160 sell 15@1002
    5170 tick
    5300 book 10@1002 / 10@1006
    5400 tick
    5500 tick";

fn loses(max: i128, flatten_on_halt: bool) -> SessionSpec {
    let mut spec = spec(5);
    spec.risk.book.loss_max = Some(Money(max * Money::PER_QUOTE));
    spec.risk.conduct = Conduct { soft_percent: 0, clear_percent: 80, hold: Nanos::from_s(1), flatten_on_halt };
    spec
}

#[test]
fn a_gap_costs_what_was_held_times_its_size() {
    // σ of a second is 2 ticks, of a minute 2·√60 = 15.49; two of them are 31 ticks. 5 lots lose 155, which takes the 10
    // earned and 145 more: at a mid of 973, 29 below what was paid.
    let (found, noted) = five(&loses(1_000, false), BOUGHT, Shock::Gap { sigmas: 2.0 });
    assert_eq!((found.struck.seq, found.struck.position.as_str(), found.struck.worth.as_str()), (8, "5", "5020"));
    assert_eq!((found.moves[0].changes, format!("{:.2}", found.moves[0].sigma_minute_ticks)), (5, "15.49".to_owned()));
    assert_eq!(found.sides[1].done, "prices fall 31 ticks (31 USDT)");
    assert_eq!((noted.loss_after.as_str(), noted.pnl.as_str(), noted.drawdown.as_str()), ("155", "-145", "155"));
    assert_eq!((found.sides[0].noted.loss_after.as_str(), found.sides[0].noted.pnl.as_str()), ("0", "10"));
    assert_eq!((noted.trips.len(), noted.positions[0].end.as_str()), (0, "5"));
    // One input was put in.
    assert_eq!((found.sides[0].noted.inputs, noted.inputs), (12, 13));
}

#[test]
fn a_short_position_is_gapped_upwards() {
    // The same with a buyer: 5 sold at 1006, and prices that rise by 31.
    let sold = BOUGHT.replace("sell 15@1002", "buy 15@1006");
    let (found, noted) = five(&loses(1_000, false), &sold, Shock::Gap { sigmas: 2.0 });
    assert_eq!(
        (found.struck.position.as_str(), found.sides[1].done.as_str()),
        ("-5", "prices rise 31 ticks (31 USDT)")
    );
    assert_eq!((noted.loss_after.as_str(), noted.pnl.as_str()), ("155", "-145"));
}

#[test]
fn a_gap_beyond_the_loss_limit_halts_at_once_and_flattens() {
    let (_, noted) = five(&loses(100, false), BOUGHT, Shock::Gap { sigmas: 2.0 });
    assert_eq!(noted.trips[0].reason, "LOSS_EXCEEDED value=145.00 limit=100.00 unit=quote");
    assert_eq!((noted.trips[0].after_s, noted.trips[0].of.as_str(), noted.halted_after_s), (0.0, "book", Some(0.0)));
    assert_eq!((noted.end_state.as_str(), noted.rested_while_halted, noted.flat_after_s), ("halted", 0, None));
    let loss = noted.limits.iter().find(|used| used.code == "LOSS_EXCEEDED").expect("its use");
    assert_eq!((loss.value.as_str(), loss.max.as_str(), loss.share), ("145", "100", 1.45));
    // Sold across the spread, at 971: 31 below what was paid. The offer that rests is cancelled with the shock, heard of
    // 10 ms later; then five are sold.
    let (_, noted) = five(&loses(100, true), BOUGHT, Shock::Gap { sigmas: 2.0 });
    assert_eq!((noted.pnl.as_str(), noted.positions[0].end.as_str()), ("-155", "0"));
    let flat = noted.flat_after_s.expect("flat");
    assert!((0.01..0.3).contains(&flat), "{flat}");
    assert_eq!((noted.end_state.as_str(), noted.end_mode.as_str()), ("halted", "paused"));
}

#[test]
fn a_wider_spread_is_quoted_as_wide_or_not_at_all() {
    // 4 ticks are to become 12: each side 4 farther. Joined, that is 6 from the mid of 1004: 59.76 bps.
    let text = format!("{BOUGHT}\n5600 book 10@1002 / 10@1006\n7300 book 10@1002 / 10@1006\n7310 tick");
    let shock = Shock::Spread { times: 3.0, window: Some(Nanos::from_s(2)) };
    let mut spec = loses(1_000, false);
    spec.risk.instruments[0].collar_centibps = 3_000;
    let (found, noted) = five(&spec, &text, shock);
    assert_eq!(found.sides[1].done, "each side 4 ticks (4 USDT) farther from the mid");
    assert_eq!(noted.refused_after.get("PRICE_COLLAR_EXCEEDED"), Some(&1), "{:?}", noted.refused_after);
    assert_eq!(found.sides[0].noted.refused_after.len(), 0);
    // The mid is where it was: nothing is lost.
    assert_eq!((noted.loss_after.as_str(), noted.pnl.as_str()), ("0", "10"));
    // In a wide collar the highest distance tells of it.
    spec.risk.instruments[0].collar_centibps = 10_000;
    let (_, noted) = five(&spec, &text, shock);
    let collar = noted.limits.iter().find(|used| used.code == "PRICE_COLLAR_EXCEEDED").expect("its use");
    assert_eq!((collar.value.as_str(), collar.unit.as_str()), ("59.76", "bps"));
}

/// Bought as above; then a second in which the market falls by 20, and goes on.
const FALLS: &str = "100 book 10@1000 / 10@1004
    150 tick
    160 sell 15@1000
    170 tick
    400 level bid 0@1000
    410 level ask 10@984
    420 level bid 10@980
    430 level ask 0@1004
    500 tick
    1000 tick
    1150 tick
    1170 level bid 11@980
    1200 tick
    1205 buy 20@984
    1210 tick";

#[test]
fn a_lost_feed_leaves_nothing_resting_and_shows_the_loss_when_it_is_back() {
    // Lost from 160 to 1160; what rests is cancelled with the loss. The book is then 980 / 984 with a mid of 982: 5 lots
    // bought at 1000 with the mid at 1002 have lost 100.
    let (found, noted) = five(&spec(5), FALLS, Shock::FeedLoss { length: Nanos::from_s(1) });
    assert_eq!((found.struck.seq, found.struck.position.as_str()), (3, "5"));
    assert_eq!((noted.blind_s, noted.rested_while_blind), (1.0, 0));
    assert_eq!((noted.loss_after.as_str(), noted.trips.len()), ("100", 0));
    // Then it offers at the new touch, and sells there: 5 × 16 lost.
    assert_eq!((noted.positions[0].end.as_str(), noted.pnl.as_str()), ("0", "-80"));
    // Said are lost, found and the snapshot; four levels are not heard. (Of a connection that never spoke no `live`.)
    assert_eq!((found.sides[0].noted.inputs, noted.inputs), (15, 15 - 4 + 3));
    // A loss longer than the recording never ends.
    let (_, noted) = five(&spec(5), FALLS, Shock::FeedLoss { length: Nanos::from_s(60) });
    assert_eq!((format!("{:.3}", noted.blind_s), noted.rested_while_blind), ("1.050".to_owned(), 0));
    assert_eq!((noted.loss_after.as_str(), noted.positions[0].end.as_str()), ("0", "5"));
}

#[test]
fn a_silent_feed_is_found_out_by_its_age() {
    // News at 160, no more of it than 200 ms old is traded on: found out by the tick at 500, over at 1160.
    let mut spec = spec(5);
    spec.risk.instruments[0].stale_book_ms = 200;
    let (_, noted) = five(&spec, FALLS, Shock::Silence { length: Nanos::from_s(1) });
    assert_eq!(format!("{:.3}", noted.blind_s), "0.660");
    assert_eq!((noted.loss_after.as_str(), noted.rested_while_blind), ("100", 0));
    let first = (noted.trips[0].reason.as_str(), noted.trips[0].state.as_str(), noted.trips[0].after_s);
    assert_eq!(first, ("BOOK_STALE value=340 limit=200 unit=ms", "stale", 0.34));
    assert_eq!((noted.trips.len(), noted.positions[0].end.as_str(), noted.pnl.as_str()), (1, "0", "-80"));
    let age = noted.limits.iter().find(|used| used.code == "BOOK_STALE").expect("its use");
    assert_eq!((age.value.as_str(), age.share), ("990", 4.95));
}

#[test]
fn on_the_wrong_side_positions_only_grow() {
    // One lot sold at 1000 with ten ahead of us: that fills nobody, but here it fills all of ours. What is bought at 1004
    // would bring us back, and does not.
    let text = "100 book 10@1000 / 10@1004\n150 tick\n160 sell 1@1000\n170 tick\n200 buy 50@1004\n210 tick\n
        300 book 10@1006 / 10@1010\n310 tick\n320 sell 1@1006\n330 tick";
    let (found, noted) = five(&spec(12), text, Shock::WrongSide);
    // Unshocked nothing is bought; 5 are sold at 1004, and 5 more as the bid comes to 1006, through the next offer there.
    assert_eq!(found.sides[0].noted.positions[0].end, "-10");
    // 5, then 5 more at 1006 (of 12): the bid at 1000 is replaced by one at 1006 as the market rises, 2 more find room.
    assert_eq!(noted.positions[0].end, "10");
    assert_eq!((noted.fills_after, noted.breaches.len()), (2, 0));
}

#[test]
fn a_shock_of_no_size_is_the_recording() {
    let nothing = [
        Shock::Gap { sigmas: 0.0 },
        Shock::Spread { times: 1.0, window: Some(Nanos::from_s(60)) },
        Shock::Spread { times: 1.0, window: None },
        Shock::FeedLoss { length: Nanos::ZERO },
        Shock::Silence { length: Nanos::ZERO },
    ];
    let (_folder, store) = golden();
    let ask = Ask { shocks: nothing.to_vec(), when: When::Worst };
    let found = stress(&store, "demo-btcusdt", &ask).unwrap();
    assert_eq!(found.is_as_recorded, Some(true));
    let recorded = found.recorded_digest.expect("it ended");
    for side in &found.sides {
        assert_eq!(side.output_digest, recorded, "{}", side.name);
    }
    // And every real one is something else.
    let ask = Ask { shocks: Shock::DEFAULT.to_vec(), when: When::Worst };
    let shocked = stress(&store, "demo-btcusdt", &ask).unwrap();
    for side in &shocked.sides[1..] {
        assert_ne!(side.output_digest, recorded, "{}", side.name);
        assert_eq!(
            (side.noted.breaches.len(), side.noted.rested_while_halted, side.noted.rested_while_blind),
            (0, 0, 0)
        );
    }
    assert_eq!(shocked, stress(&store, "demo-btcusdt", &ask).unwrap(), "twice the same");
}

#[test]
fn an_input_or_a_time_can_be_named_instead_of_the_worst_moment() {
    let at = |when| under(&spec(5), &story(BOUGHT), &|| joining(5), when, &[]).struck;
    assert_eq!((at(When::Seq(3)).seq, at(When::Seq(3)).position.as_str()), (3, "0"));
    let time = papermaker::units::LocalTime(0) + Nanos::from_ms(5_165);
    assert_eq!((at(When::Time(time)).seq, at(When::Time(time)).position.as_str()), (8, "5"));
    assert_eq!(at(When::Seq(1_000)).seq, 12);
}

/// Steps in all; by `PAPERMAKER_TEST_SIZE=full` a hundred times as many.
fn storms() -> u64 {
    if std::env::var("PAPERMAKER_TEST_SIZE").is_ok_and(|s| s == "full") { 800 } else { 8 }
}

#[test]
fn whatever_the_shock_no_action_of_ours_breaks_a_limit() {
    let money = |quote: u64| Some(Money(i128::from(quote) * Money::PER_QUOTE));
    let (mut trips, mut halts, mut fills) = (0, 0, 0);
    for seed in 0..storms() {
        let mut draw = Stream::new(seed, "stress");
        let mut spec = spec(15);
        let mut second = spec.desks[0].clone();
        second.rules = second_rules("0.1", 0);
        spec.desks.push(second);
        for desk in &mut spec.desks {
            let us = draw.below(20_000) as u32;
            desk.paper.latency = papermaker::exchange::latency::LatencySpec::constant(2_000, us, 9_000);
        }
        let position = 1 + draw.below(20) as i64;
        spec.risk = sized(&spec.risk, &[(position, 1_000), (10 * position, 1_000)]);
        spec.risk.instruments.iter_mut().for_each(|own| own.stale_book_ms = 100 + draw.below(1_000) as u32);
        spec.risk.book.loss_max = money(20 + draw.below(200));
        spec.risk.book.exposure = ExposureLimits { gross_max: money(5_000 + draw.below(20_000)), net_max: None };
        spec.risk.conduct = Conduct {
            soft_percent: draw.below(100) as u32,
            clear_percent: 80,
            hold: Nanos::from_ms(draw.below(500) as i64),
            flatten_on_halt: draw.chance(0.5),
        };
        let mut inputs = two_markets(seed, 4_000);
        // New positions are allowed now and then; what the book may lose stays.
        for input in &mut inputs {
            if let Input::Command { command: Command::SetLimits(limits), .. } = &mut input.input {
                (limits.book, limits.conduct) = (spec.risk.book.clone(), spec.risk.conduct);
            }
        }
        let strategies = || vec![joining(5).remove(0), Some(Box::new(JoinBest { qty: 40 }) as _)];
        let when = if draw.chance(0.5) { When::Worst } else { When::Seq(draw.below(4_000)) };
        let times = 1.0 + draw.below(8) as f64;
        let shocks = [
            Shock::Gap { sigmas: draw.below(20) as f64 },
            Shock::Spread { times, window: draw.chance(0.5).then(|| Nanos::from_s(3)) },
            Shock::FeedLoss { length: Nanos::from_ms(draw.below(5_000) as i64) },
            Shock::Silence { length: Nanos::from_ms(draw.below(5_000) as i64) },
            Shock::WrongSide,
        ];
        let found = under(&spec, &inputs, &strategies, when, &shocks);
        for side in &found.sides {
            let noted = &side.noted;
            assert!(noted.breaches.is_empty(), "seed {seed}, {}: {:#?}", side.name, noted.breaches);
            assert_eq!((noted.rested_while_halted, noted.rested_while_blind), (0, 0), "seed {seed}, {}", side.name);
            trips += noted.trips.len();
            halts += usize::from(noted.halted_after_s.is_some());
            fills += noted.fills_after;
        }
        assert_eq!(found, under(&spec, &inputs, &strategies, when, &shocks), "seed {seed}: twice the same");
        let nothing = [Shock::Gap { sigmas: 0.0 }, Shock::FeedLoss { length: Nanos::ZERO }];
        let same = under(&spec, &inputs, &strategies, when, &nothing);
        assert!(same.sides.iter().all(|side| side.output_digest == found.sides[0].output_digest), "seed {seed}");
        let (session, _) = run(&spec, strategies(), &inputs);
        assert_eq!(session.digest().digest(), found.sides[0].output_digest, "seed {seed}: unshocked");
    }
    assert!(trips > 20 && halts > 20 && fills > 500, "{trips} trips, {halts} halts, {fills} fills: nothing was proved");
}

#[test]
fn what_is_shown_anew_is_the_book_the_session_has() {
    for seed in 0..4 {
        let mut spec = spec(15);
        let mut second = spec.desks[0].clone();
        second.rules = second_rules("0.1", 0);
        spec.desks.push(second);
        spec.risk = sized(&spec.risk, &[(15, 1_000), (150, 1_000)]);
        let mut mirrors = spec.desks.iter().map(|desk| Mirror::new(desk.rules.clone())).collect::<Vec<_>>();
        let (mut session, mut said, mut compared) = (Session::new(&spec), Vec::new(), 0);
        let mut strategies: Strategies = vec![None, None];
        for input in two_markets(seed, 2_000) {
            match &input.input {
                Input::Market(event) => mirrors[event.instrument.index()].hear(event),
                Input::Feed(event) => {
                    let concerned = |i: usize| event.instrument.is_none_or(|id| id.index() == i);
                    mirrors.iter_mut().enumerate().filter(|(i, _)| concerned(*i)).for_each(|(_, m)| m.hear_feed(event));
                }
                Input::Report(_) | Input::Tick | Input::Command { .. } => {}
            }
            session.step(&input, &mut strategies, &mut said);
            said.clear();
            for (i, mirror) in mirrors.iter().enumerate() {
                let mut shown = Book::new();
                for kind in mirror.anew() {
                    if let MarketEventKind::Snapshot { seq, bids, asks, extent } = kind {
                        shown.apply_snapshot(seq, &bids, &asks, extent);
                        compared += 1;
                    }
                }
                let known = session.book(InstrumentId(i as u16));
                for side in Side::BOTH {
                    assert!(shown.levels(side).eq(known.levels(side)), "seed {seed}, input {}", input.seq);
                }
            }
        }
        assert!(compared > 1_000, "{compared} books compared");
    }
}

#[test]
fn a_limit_of_nothing_is_all_used_by_anything() {
    let used = |value| LimitUse {
        limit: Limit::OpenOrders,
        whose: papermaker::risk::Whose::Instrument(ID),
        value: Some(value),
        max: 0,
        is_money: false,
    };
    assert_eq!((used(0).share(), used(1).share()), (0.0, 1.0));
    assert_eq!(used(3).in_file_units(Lots(3).0.into(), None), "3");
}
