//! The built-in strategies, as they come, on a real recording: BTCUSDT on Binance spot, August 2024.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;

use papermaker::market::Level;
use papermaker::signal::{SignalSpec, Signals, Top};
use papermaker::strategy::{BUILT_IN, Wanted, build};
use papermaker::units::{LocalTime, Lots, Side, Step, Ticks};

use super::decisions::Scene;

const RECORDING: &str = "binance-spot/hftbacktest_spot_btcusdt_20240808.gz";

fn recording() -> Option<PathBuf> {
    let beside = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/data");
    let folder = std::env::var_os("PAPERMAKER_DATA").map_or(beside, PathBuf::from);
    let path = folder.join(RECORDING);
    path.exists().then_some(path)
}

fn spec() -> SignalSpec {
    SignalSpec {
        volatility_grid_ms: 1000,
        volatility_half_life_s: 60.0,
        volatility_samples_min: 10,
        intensity_window_s: 300.0,
        intensity_orders_min: 20,
        intensity_refit_s: 5.0,
        intensity_k_min: 1e-4,
        intensity_k_max: 2.0,
    }
}

#[test]
fn on_a_real_market_the_defaults_quote_both_sides_near_the_touch() {
    let Some(path) = recording() else {
        eprintln!("SKIPPED on_a_real_market_the_defaults_quote_both_sides_near_the_touch: no {RECORDING}");
        return;
    };
    let (tick, lot) = (Step::parse("0.01").unwrap(), Step::parse("0.00001").unwrap());
    let mut signals = Signals::new(spec());
    let mut strategies: Vec<_> =
        BUILT_IN.iter().map(|(_, text)| build(text, &super::decisions::btcusdt()).unwrap()).collect();
    let mut top: Option<Top> = None;
    let (mut first, mut next_ask, mut warm_after_s) = (None, 0i64, None);
    let (mut asked, mut furthest) = (0u32, [0.0f64; 3]);
    let file = std::fs::File::open(path).unwrap();
    for line in BufReader::new(flate2::bufread::GzDecoder::new(BufReader::new(file))).lines() {
        let line = line.unwrap();
        let (stamp, json) = line.split_once(' ').unwrap();
        if json.contains("depthUpdate") || !json.contains("\"stream\"") {
            continue;
        }
        let at = LocalTime(stamp.parse().unwrap());
        let start = *first.get_or_insert(at);
        let frame: serde_json::Value = serde_json::from_str(json).unwrap();
        let data = &frame["data"];
        let ticks = |key: &str| Ticks(tick.count(data[key].as_str().unwrap().parse().unwrap()).unwrap());
        let lots = |key: &str| Lots(lot.count(data[key].as_str().unwrap().parse().unwrap()).unwrap());
        match (frame["stream"].as_str().unwrap(), top) {
            (stream, _) if stream.ends_with("bookTicker") => {
                let now = Top {
                    bid: Level { price: ticks("b"), qty: lots("B") },
                    ask: Level { price: ticks("a"), qty: lots("A") },
                };
                signals.on_top(&now, at);
                top = Some(now);
            }
            (stream, Some(top)) if stream.ends_with("trade") => {
                let taker = if data["m"].as_bool().unwrap() { Side::Ask } else { Side::Bid };
                signals.on_trade(taker, ticks("p"), lots("q"), &top, at);
            }
            _ => {}
        }
        let (Some(now), true) = (top, at.0 >= next_ask) else { continue };
        next_ask = at.0 + 1_000_000_000;
        for position in [-300, 0, 100] {
            let mut scene = Scene::new(now.bid.price.0, now.ask.price.0).holding(position);
            scene.signals = signals.clone();
            for (i, strategy) in strategies.iter_mut().enumerate() {
                let decision = strategy.decide(&scene.view());
                let Wanted::Quotes(quotes) = &decision.wanted else { continue };
                if i < 2 {
                    warm_after_s.get_or_insert(at.since(start).seconds());
                }
                assert_eq!(quotes.len(), 2, "{}: {decision:?}", strategy.name());
                assert!(quotes[0].price < now.ask.price && quotes[1].price > now.bid.price, "{decision:?}");
                if position == 0 {
                    asked += 1;
                    let near = (now.mid() - quotes[0].price.0 as f64).min(quotes[1].price.0 as f64 - now.mid());
                    furthest[i] = furthest[i].max(near);
                }
            }
        }
    }
    // Some 330 s: asked every second, warm within the minute. One basis point is about 617 ticks; the book is mostly one
    // tick wide, σ 400 to 1100 ticks/√s.
    assert!(warm_after_s.unwrap() < 60.0, "{warm_after_s:?}");
    assert!(asked > 800, "{asked}");
    assert!(furthest.iter().all(|ticks| *ticks < 200.0), "{furthest:?} ticks from the mid");
}
