//! Bad days, each against the same days without them.

use papermaker::sim::{SimSpec, World, WorldEvent, WorldEventKind};
use papermaker::units::{Nanos, Side};

fn calm() -> SimSpec {
    let mut spec = SimSpec::default();
    spec.market.truncate(1);
    spec
}

/// The demo with scenarios in TOML.
fn with(scenarios: &str) -> SimSpec {
    let mut spec = SimSpec::from_toml(&format!("like = \"demo\"\n{scenarios}")).unwrap();
    spec.market.truncate(1);
    spec
}

/// What a second looks like.
#[derive(Clone, Copy, Debug, Default)]
struct Second {
    mid: f64,
    spread: f64,
    lots_near: f64,
    value: f64,
    trades: f64,
    events: f64,
}

fn seconds(spec: &SimSpec, seed: u64, to: i64) -> (Vec<Second>, Vec<WorldEvent>) {
    let (mut world, mut events, mut all) = (World::new(seed, spec), Vec::new(), Vec::new());
    let mut seconds = Vec::new();
    for s in 1..=to {
        world.advance(Nanos::from_s(s), &mut events);
        let side = |side| world.engine(0).levels(side).collect::<Vec<_>>();
        let (bids, asks) = (side(Side::Bid), side(Side::Ask));
        let (bid, ask) = (bids[0].price.0 as f64, asks[0].price.0 as f64);
        let near = |l: &&papermaker::market::Level| (l.price.0 as f64 - (bid + ask) / 2.0).abs() < 150.0;
        seconds.push(Second {
            mid: (bid + ask) / 2.0,
            spread: ask - bid,
            lots_near: bids.iter().chain(&asks).filter(near).map(|l| l.qty.0 as f64).sum(),
            value: world.value(0),
            trades: events.iter().filter(|e| matches!(e.kind, WorldEventKind::Trade { .. })).count() as f64,
            events: events.len() as f64,
        });
        all.append(&mut events);
    }
    (seconds, all)
}

fn mean(seconds: &[Second], of: impl Fn(&Second) -> f64) -> f64 {
    seconds.iter().map(of).sum::<f64>() / seconds.len() as f64
}

#[test]
fn a_flash_crash_falls_and_comes_back() {
    let bad = with(
        "[[scenario]]\nname = \"crash\"\nfrom_s = 60\nlasting_s = 20\nliquidity_factor = 0.1\n\
         forced = { sell = true, lots = 3_000_000, children = 40 }",
    );
    let (crash, control) = (seconds(&bad, 1, 240).0, seconds(&calm(), 1, 240).0);
    let apart = |s: usize| crash[s].mid - control[s].mid;
    assert!((0..59).all(|s| apart(s) == 0.0), "nothing happens before it");
    let low = (59..80).map(apart).fold(0.0, f64::min);
    let back = apart(239);
    eprintln!("flash crash: {low:.0} ticks at the lowest, {back:.0} after it");
    assert!(low < -150.0, "{low}");
    assert!(back.abs() < 0.3 * low.abs(), "{back} of {low}");
    assert!(crash.iter().zip(&control).all(|(a, b)| a.value == b.value), "the value knows nothing of it");
}

#[test]
fn a_drought_takes_the_liquidity_and_a_blow_out_the_spread() {
    let window = 60..120;
    let control = mean(&seconds(&calm(), 2, 180).0[window.clone()], |s| s.lots_near);
    let drought =
        seconds(&with("[[scenario]]\nname = \"drought\"\nfrom_s = 50\nlasting_s = 70\nliquidity_factor = 0.2"), 2, 180)
            .0;
    let dry = mean(&drought[window.clone()], |s| s.lots_near);
    assert!(dry < 0.5 * control, "{dry} lots instead of {control}");
    assert!(mean(&drought[150..], |s| s.lots_near) > 0.6 * control, "and it rains again");

    let control = mean(&seconds(&calm(), 2, 120).0[window.clone()], |s| s.spread);
    let wide =
        seconds(&with("[[scenario]]\nname = \"wide\"\nfrom_s = 50\nlasting_s = 70\nspread_factor = 4"), 2, 120).0;
    let wide = mean(&wide[window], |s| s.spread);
    assert!(wide > 2.0 * control, "spread {wide} instead of {control}");
}

#[test]
fn another_regime_moves_the_value_and_nothing_else_before_it() {
    let bad = with("[[scenario]]\nname = \"storm\"\nfrom_s = 100\nlasting_s = 300\nvolatility_factor = 5");
    let (storm, control) = (seconds(&bad, 3, 400).0, seconds(&calm(), 3, 400).0);
    assert!(storm[..99].iter().zip(&control).all(|(a, b)| (a.mid, a.value) == (b.mid, b.value)));
    let squares = |seconds: &[Second], of: fn(&Second) -> f64| {
        seconds.windows(2).map(|w| (of(&w[1]) - of(&w[0])) * (of(&w[1]) - of(&w[0]))).sum::<f64>()
    };
    let ratio = squares(&storm[100..], |s| s.value) / squares(&control[100..], |s| s.value);
    assert!((ratio / 25.0 - 1.0).abs() < 0.01, "the same draws, five times as large: {ratio}");
    assert!(squares(&storm[100..], |s| s.mid) > 4.0 * squares(&control[100..], |s| s.mid), "and the price follows");
}

#[test]
fn toxic_flow_is_what_makers_lose_to() {
    // What the resting side has lost half a minute after each print, in ticks per lot; signed by the taker.
    let loss = |spec: &SimSpec, seed: u64| {
        let (seconds, events) = seconds(spec, seed, 900);
        let (mut lost, mut lots) = (0.0, 0.0);
        for e in &events {
            let WorldEventKind::Trade { taker, price, qty, .. } = e.kind else { continue };
            let Some(then) = seconds.get((e.at.0 / 1_000_000_000) as usize + 30) else { continue };
            lost += taker.sign() as f64 * (then.mid - price.0 as f64) * qty.0 as f64;
            lots += qty.0 as f64;
        }
        lost / lots
    };
    let toxic = with(
        "[[scenario]]\nname = \"toxic\"\nfrom_s = 0\nlasting_s = 900\n\
         informed = { looks_per_s = 5, ahead_s = 60, edge_ticks = 5, size = { fixed = { lots = 20_000 } } }",
    );
    let of = |spec: &SimSpec| (4..8).map(|seed| loss(spec, seed) / 4.0).sum::<f64>();
    let (toxic, normal) = (of(&toxic), of(&calm()));
    eprintln!("makers lose {toxic:.2} ticks a lot to informed traders, {normal:.2} without them");
    assert!(toxic > normal + 3.0, "{toxic} and {normal}");
}

#[test]
fn an_outage_is_silence_and_everything_is_still_there_after_it() {
    let bad = with("[[scenario]]\nname = \"outage\"\nfrom_s = 30\nlasting_s = 30\nevery_s = 90");
    let closed = SimSpec {
        scenario: bad
            .scenario
            .iter()
            .cloned()
            .map(|s| papermaker::sim::scenario::ScenarioSpec { closed: true, ..s })
            .collect(),
        ..bad
    };
    let (seconds, events) = seconds(&closed, 5, 200);
    let silent =
        |e: &WorldEvent| (30..60).contains(&(e.at.0 / 1_000_000_000)) || (120..150).contains(&(e.at.0 / 1_000_000_000));
    assert!(!events.iter().any(silent), "{:?}", events.iter().find(|e| silent(e)));
    assert!(mean(&seconds[..30], |s| s.events) > 50.0 && mean(&seconds[70..110], |s| s.events) > 50.0);
    assert!(mean(&seconds[160..], |s| s.trades) > 3.0);
    assert_eq!(seconds[35].mid, seconds[58].mid);
}
