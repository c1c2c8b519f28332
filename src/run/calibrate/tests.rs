//! Markets that are known, recorded and made again.

use super::estimate::{Leaving, Spots};
use super::*;
use crate::market::VenueId;
use crate::metrics::facts::Estimate;
use crate::metrics::facts::tape::Told;
use crate::sim::laws::{Lifetime, Placement, SizeLaw};

/// Orders without intelligence, and nobody else.
const CROWD: &str = r#"
warm_up_s = 60

[[market]]
base = "BTC"
quote = "USDT"
tick_quote = "0.10"
lot_base = "0.00001"
start_ticks = 600_000
value = { volatility_bps = 0.5, pull_back_s = 86_400, step_s = 0.1 }
rescue = { depth_ticks = 50, lots = 1_000 }

[[market.zero_intelligence]]
name = "crowd"
limits = { per_s = 6.0, branching = 0.4, decay_per_s = 5.0 }
markets = { per_s = 1.0 }
placement = { own = { inside_share = 0.3, scale_ticks = 8, exponent = 1.2, ticks_max = 5_000 } }
limit_size = { lognormal = { median_lots = 900, sigma = 0.8, min_lots = 1, max_lots = 100_000 } }
market_size = { power_law = { min_lots = 1, scale_lots = 60, exponent = 2.5, max_lots = 2_000 } }
lifetime = { power_law = { scale_s = 4, exponent = 1.5, max_s = 100_000 } }
round_share = 0.25
round_lots = 500
"#;

fn crowd() -> SimSpec {
    SimSpec::from_toml(CROWD).expect("it is a market")
}

/// What is heard of a market through a glass.
fn recorded(spec: &SimSpec, glass: Glass, s: i64, seed: u64) -> Recording {
    let ear = Lens::new(glass, (Tape::new(), Listener::default()));
    let (tape, flow) = told_by_market(spec, seed, 0, Nanos::from_s(s), ear, |_| ()).finish();
    Recording { material: tape.finish(), flow: flow.finish() }
}

const ORDERS: Glass = Glass { shows_orders: true, bundle_ns: 0, shows_tops: false };
const DEPTH_100MS: Glass = Glass { shows_orders: false, bundle_ns: 100_000_000, shows_tops: true };

fn near(what: &str, found: Estimate, truth: f64) {
    let off = (found.value - truth) / found.error;
    assert!(off.abs() < 4.0 && found.error < 0.25 * truth.abs(), "{what}: {found:?}, not {truth}");
}

#[test]
fn a_crowd_that_was_simulated_is_read_off_within_its_errors() {
    let Recording { material, flow } = recorded(&crowd(), ORDERS, 2_400, 11);
    let found = estimate(&material, &flow).unwrap();
    near("market orders", found.takers.mean, 1.0);
    assert!(!found.takers.is_excited(), "{:?}", found.takers);
    let limits = found.limits.as_ref().unwrap();
    // Six of their own, each brings 1/(1 - .4).
    near("limit orders", limits.mean, 10.0);
    assert!(limits.is_excited());
    let hawkes = limits.hawkes.unwrap();
    near("branching", hawkes.branching, 0.4);
    near("decay", hawkes.decay, 5.0);
    let sizes = found.limit_sizes.as_ref().unwrap();
    near("median", sizes.median, 900.0);
    near("sigma", sizes.sigma, 0.8);
    near("round", sizes.round_share, 0.25);
    assert_eq!(sizes.round_lots, 500);
    assert!(sizes.power_gain < 0.0 && found.taker_sizes.power_gain > 0.0, "{found:?}");
    near("tail of market orders", found.taker_sizes.exponent, 2.5);
    let Spots { inside, behind, .. } = *found.spots.as_ref().unwrap();
    near("inside", inside, 0.3);
    near("behind", behind.exponent, 1.2);
    let Ok(Leaving::Lives(lives)) = &found.leaving else { panic!("{found:?}") };
    near("lives", lives.exponent, 1.5);
    assert!((lives.scale_s / 4.0 - 1.0).abs() < 0.2, "{lives:?}");
}

#[test]
fn what_is_read_off_is_written_as_the_laws_it_came_from() {
    let Recording { material, flow } = recorded(&crowd(), ORDERS, 900, 12);
    let found = estimate(&material, &flow).unwrap();
    let mut made = SimSpec::demo().market[0].zero_intelligence[0].clone();
    found.write(&mut made, [1.0, 0.5]);
    assert_eq!(made.markets.branching, 0.0);
    assert!((made.markets.per_s / (0.5 * found.takers.mean.value) - 1.0).abs() < 1e-9, "{made:?}");
    assert!((made.limits.per_s / (1.0 - made.limits.branching) / 10.0 - 1.0).abs() < 0.1, "{made:?}");
    assert!(matches!(made.placement, Placement::Own { .. }) && matches!(made.lifetime, Lifetime::PowerLaw { .. }));
    assert!(
        matches!(made.limit_size, SizeLaw::Lognormal { .. }) && matches!(made.market_size, SizeLaw::PowerLaw { .. })
    );
    assert_eq!(made.round_lots, found.taker_sizes.round_lots);
}

#[test]
fn levels_tell_rates_of_withdrawal_and_less_of_the_rest() {
    let mut spec = crowd();
    spec.market[0].zero_intelligence[0].lifetime = Lifetime::Exponential { mean_s: 10.0 };
    let Recording { material, flow } = recorded(&spec, DEPTH_100MS, 1_200, 13);
    assert_eq!((flow.told, (flow.pace_s - 0.1).abs() < 1e-6), (Told::Levels, true), "{}", flow.pace_s);
    let found = estimate(&material, &flow).unwrap();
    let Ok(Leaving::Withdrawn(rate)) = &found.leaving else { panic!("{found:?}") };
    // A tenth of what rests leaves every second, less what others put at the same price within the tenth of a second.
    assert!((0.085..0.105).contains(&rate.value), "{rate:?}");
    // Two in a tenth of a second at one level are one.
    let limits = found.limits.unwrap().mean.value;
    assert!((7.0..10.2).contains(&limits), "{limits}");
    near("market orders", found.takers.mean, 1.0);
}

#[test]
fn a_short_recording_is_refused_with_everything_that_is_missing() {
    let Recording { material, flow } = recorded(&crowd(), ORDERS, 30, 14);
    let TooLittle { missing } = estimate(&material, &flow).unwrap_err();
    assert_eq!(missing.len(), 2, "{missing:?}");
    assert!(missing[0].ends_with("market orders, at least 200 are needed"), "{missing:?}");
    assert!(missing[1].ends_with("seconds with a mid, at least 60 are needed"), "{missing:?}");
    let nothing = Recording { material: Tape::new().finish(), flow: Listener::default().finish() };
    let error = estimate(&nothing.material, &nothing.flow).unwrap_err().to_string();
    assert!(
        error.starts_with("too little to make a market of: 0 market orders") && error.contains("no book"),
        "{error}"
    );
}

fn rules() -> Instrument {
    let step = |text| crate::units::Step::parse(text).expect("a step");
    Instrument::new(VenueId::BinanceSpot, "XBTUSD", "XBT", "USD", step("0.05"), step("0.0001")).expect("rules")
}

fn wish(threads: usize, levers: &[&str]) -> Wish {
    Wish {
        base: SimSpec::demo(),
        levers: Some(levers.iter().map(|lever| lever.parse().expect("a lever")).collect()),
        lasting: Nanos::from_s(60),
        effort: Effort { pool: 6, rounds: 1, exploit: 3, explore: 2, seed: 5, threads },
        typical: Typical::Never,
    }
}

#[test]
fn a_market_nearer_to_the_recording_is_found_the_same_on_any_number_of_threads() {
    let recording = recorded(&crowd(), DEPTH_100MS, 300, 15);
    let levers = ["noise.*.mean_wait_s=8", "market_maker.*.mean_wait_s=8", "metaorder.*.mean_wait_s=8"];
    let on = |threads| calibrate(&recording, &rules(), &wish(threads, &levers), |_, _| ()).unwrap();
    let (one, two) = (on(1), on(2));
    assert_eq!((&one.spec, &one.course), (&two.spec, &two.course));
    assert!(one.course.best.distance < one.course.start.distance, "{:?}", one.course);
    let market = &one.spec.market[0];
    assert_eq!((market.symbol().as_str(), market.tick_quote.as_str(), one.spec.market.len()), ("XBTUSD", "0.05", 1));
    assert!((market.start_ticks - 600_000).abs() < 6_000, "{}", market.start_ticks);
    // What is written is what was simulated.
    assert_eq!(SimSpec::from_toml(&write::keys(&one.spec)), Ok(one.spec.clone()));
    assert_eq!(one.pulled.len(), 3);
    assert_eq!(one.facts.len(), one.course.best.differences.len());
}

#[test]
fn bands_count_where_the_recording_is_silent() {
    let recording = recorded(&crowd(), DEPTH_100MS, 300, 16);
    let ask = |typical| {
        let effort = Effort { pool: 1, rounds: 0, ..wish(2, &[]).effort };
        let wish = Wish { typical, effort, ..wish(2, &["noise.*.mean_wait_s"]) };
        calibrate(&recording, &rules(), &wish, |_, _| ()).unwrap()
    };
    let (never, silent) = (ask(Typical::Never), ask(Typical::Silent));
    assert!(never.typical.is_empty() && silent.typical.contains(&"lifetimes"), "{:?}", silent.typical);
    assert_eq!(silent.course.best.differences.len(), silent.facts.len() + silent.typical.len());
    // In the middle of its band a band costs nothing, at its end .3 half-widths of three errors each.
    assert_eq!(amount(&[2.0, -1.0, 0.0], 2), 1.0);
    assert!((amount(&[0.0, 1.0], 1) - 0.45).abs() < 1e-12);
}

#[test]
fn a_lever_that_pulls_at_nothing_is_refused_with_those_that_do() {
    let recording = recorded(&crowd(), ORDERS, 300, 18);
    let wish = wish(1, &["noise.*.mean_wait_s", "noise.*.mean_weight_s"]);
    let error = calibrate(&recording, &rules(), &wish, |_, _| ()).unwrap_err().to_string();
    assert!(error.starts_with("noise.*.mean_weight_s leads to no number"), "{error}");
    assert!(error.contains("fundamental.*.kappa_lots_per_tick"), "{error}");
}

#[test]
fn a_base_of_another_pace_and_size_is_brought_to_the_recordings() {
    // The crowd trades once a second for some 100 lots; the demo five times for 2 000.
    let recording = recorded(&crowd(), ORDERS, 400, 17);
    let estimates = estimate(&recording.material, &recording.flow).unwrap();
    let (wish, mut notes) = (wish(1, &[]), Vec::new());
    let tree = begin(&recording, &rules(), &wish, &estimates, ORDERS, &mut notes);
    let made = keys::market(tree).unwrap();
    let demo = &wish.base.market[0];
    let slower = made.noise[0].mean_wait_s / demo.noise[0].mean_wait_s;
    assert!((3.0..8.0).contains(&slower), "{slower}: {notes:?}");
    let smaller = demo.market_maker[0].position_max_lots as f64 / made.market_maker[0].position_max_lots as f64;
    assert!((20.0..500.0).contains(&smaller), "{smaller}: {notes:?}");
    // Distances as many spreads as they were.
    let (material, _) = hear(&alone(demo, &wish.base), ORDERS, &wish);
    let wider = near_one(median_spread(&recording.material) / median_spread(&material));
    assert_eq!(made.market_maker[0].half_spread_ticks, (20.0 * wider).round() as i64, "{notes:?}");
    assert!(matches!(made.zero_intelligence[0].placement, Placement::Own { .. }));
}
