//! A policy that knows what it was trained on, in the market it was trained in and in another.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use papermaker::config::{Sources, load};
use papermaker::digest::Digest;
use papermaker::engine::{Output, Session, SessionSpec, Stamped};
use papermaker::exchange::place::Answers;
use papermaker::run::prepare;
use papermaker::run::simulate::Inside;
use papermaker::signal::drift::{DriftRules, Reference};
use papermaker::signal::observation::{Feature, Schema};
use papermaker::sim::SimSpec;
use papermaker::sim::scenario::ScenarioSpec;
use papermaker::strategy::glft::closed_form;
use papermaker::strategy::policy::{Columns, with_reference, with_weights};
use papermaker::strategy::{DriftLook, Policy, Strategies, Strategy, Wanted, mlp};
use papermaker::units::{LocalTime, Nanos, Side};

use super::{TICK, bitcoin, inside, live};

fn features() -> Vec<Feature> {
    vec![
        Feature::Inventory { orders_max: 10.0 },
        Feature::Spread,
        Feature::Imbalance { levels: 1 },
        Feature::VolatilityRatio { half_life_s: 10.0 },
        Feature::Distance { side: Side::Bid },
    ]
}

/// One layer: it leans against its inventory and with the imbalance, and quotes a little wider.
fn weights() -> Vec<u8> {
    let by_input: [[f32; 2]; 5] = [[0.2, -0.2], [0.0, 0.0], [-0.1, 0.1], [0.1, 0.1], [0.0, 0.0]];
    let (key, value) = mlp::METADATA;
    let header = format!(
        "{{\"__metadata__\":{{\"{key}\":\"{value}\"}},\
         \"layers.0.bias\":{{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}},\
         \"layers.0.weight\":{{\"dtype\":\"F32\",\"shape\":[5,2],\"data_offsets\":[8,48]}}}}"
    );
    let data: Vec<u8> = [0.1f32, 0.1].iter().chain(by_input.as_flattened()).flat_map(|x| x.to_le_bytes()).collect();
    [&(header.len() as u64).to_le_bytes(), header.as_bytes(), &data[..]].concat()
}

fn card(bytes: &[u8], more: &str) -> String {
    let schema = Schema::new(features()).expect("a schema");
    let observation = BTreeMap::from([("observation", features())]);
    let text = format!(
        "kind = \"policy\"\norder_amount_base = \"0.001\"\nrisk_factor = 0.01\nrisk_factor_unit = \"per-volatility\"\nreach = 0.5\n\
         weights = \"w.safetensors\"\nweights_blake3 = \"{}\"\nobservation_blake3 = \"{}\"\n\
         observation_mean = [0.0, 1.0, 0.0, 0.0, 1.0]\nobservation_spread = [0.5, 1.0, 0.5, 0.5, 1.0]\n{more}\n{}",
        Digest::of(bytes),
        schema.digest(),
        toml::to_string(&observation).expect("TOML"),
    );
    with_weights(&text, bytes)
}

fn spec(sim: &SimSpec, text: &str) -> SessionSpec {
    let rules = sim.market.iter().map(|market| market.rules().expect("rules")).collect();
    prepare::session_spec(&super::settings(&[]), rules, Some(text)).expect("a session")
}

/// What the policy meets, a row a second.
fn training(sim: &SimSpec, seed: u64, seconds: i64) -> Vec<f32> {
    let text = card(&weights(), "");
    let spec = spec(sim, &text);
    let mut policy = Policy::read(&text, &spec.desks[0].rules).expect("a policy");
    let mut inside = Inside::new(sim, seed, &spec, vec![None], TICK).expect("it can live there");
    let (mut rows, mut last) = (Vec::new(), 0);
    while let Some(id) = inside.advance(Nanos::from_s(seconds)) {
        let now = inside.view(id).now;
        let decision = policy.decide(&inside.view(id));
        if let Some(row) = policy.met().filter(|_| now.0 - last >= 1_000_000_000) {
            rows.extend(row);
            last = now.0;
        }
        inside.answer(decision);
    }
    rows
}

fn looks(told: &[(Stamped, Vec<Output>)]) -> Vec<DriftLook> {
    let said = told.iter().flat_map(|(_, said)| said);
    said.filter_map(|it| if let Output::Drift { look, .. } = it { Some((**look).clone()) } else { None }).collect()
}

fn rules() -> DriftRules {
    DriftRules { window_rows: 120, block_rows: 20, ..DriftRules::default() }
}

/// The policy with what it met in three sessions of an hour, and the rules above.
fn trained() -> &'static str {
    static TEXT: LazyLock<String> = LazyLock::new(|| {
        let runs = [100, 101, 102].map(|seed| training(&bitcoin(), seed, 3_600));
        let columns = Columns::of(&Schema::new(features()).expect("a schema"));
        let reference = Reference::new(&runs, &rules(), columns.is_market()).expect("a reference");
        let bytes = with_reference(&weights(), &reference).expect("weights");
        card(&bytes, "[drift]\nwindow_rows = 120\nblock_rows = 20")
    });
    &TEXT
}

/// The same market with three times the volatility for ten minutes.
fn wild(sim: &SimSpec) -> SimSpec {
    let mut wild = sim.clone();
    wild.scenario.push(ScenarioSpec {
        name: "wild".to_owned(),
        from_s: 600.0,
        lasting_s: 600.0,
        every_s: 0.0,
        symbols: Vec::new(),
        liquidity_factor: 1.0,
        spread_factor: 1.0,
        volatility_factor: 3.0,
        closed: false,
        forced: None,
        informed: None,
    });
    wild
}

#[test]
fn an_hour_of_the_market_it_was_trained_in_never_trips_it() {
    let sim = bitcoin();
    let mut inside = inside(&sim, 1, &spec(&sim, trained()));
    let looks = looks(&live(&mut inside, Nanos::from_s(3_600)));
    assert!(looks.len() >= 29, "one every two minutes: {}", looks.len());
    assert!(looks.iter().all(|look| !look.score.is_tripped), "{looks:#?}");
}

#[test]
fn at_three_times_the_volatility_glft_quotes_until_it_is_over_and_a_replay_says_the_same() {
    let sim = wild(&bitcoin());
    let mut inside = inside(&sim, 2, &spec(&sim, trained()));
    let told = live(&mut inside, Nanos::from_s(2_400));
    let minute = |at: LocalTime| (at.0 - told[0].0.at.0) / 60_000_000_000;
    let mut turns = Vec::new();
    let (mut is_off, mut off, mut on) = (false, 0, 0);
    for (input, said) in &told {
        for output in said {
            match output {
                Output::Drift { look, .. } => {
                    is_off = look.score.is_tripped;
                    if look.score.turned {
                        turns.push((is_off, minute(input.at), look.to_string()));
                    }
                }
                Output::Decided { decision, .. } if matches!(decision.wanted, Wanted::Quotes(_)) => {
                    let why = &decision.why;
                    let (half, _) = closed_form(why.gamma * 100.0, why.sigma, why.a, why.k, 1.0);
                    let is_glft = (why.bid_distance - half).abs() < 1e-9 && (why.ask_distance - half).abs() < 1e-9;
                    assert_eq!(
                        (why.action.is_none(), is_glft),
                        (is_off, is_off),
                        "minute {}: {why:?}",
                        minute(input.at)
                    );
                    *if is_off { &mut off } else { &mut on } += 1;
                }
                _ => {}
            }
        }
    }
    assert!(off > 100 && on > 100, "{off} {on}");
    let [(true, trip, why), (false, back, _)] = &turns[..] else { panic!("off once and on again: {turns:?}") };
    // The estimate of volatility has a half-life of a minute, a window takes two, and it is back after two calm ones.
    assert!((11..=16).contains(trip) && (22..=32).contains(back), "{turns:?}");
    assert!(why.starts_with("policy off, GLFT quotes: ln σ has PSI"), "{why}");

    // The recording alone: the same words. And from a checkpoint in the midst of it.
    let spec = inside.spec();
    let replayed = |from: usize, mut session: Session, mut strategies: Strategies| {
        let mut said = Vec::new();
        let mut saved = None;
        for (n, (input, recorded)) in told.iter().enumerate().skip(from) {
            said.clear();
            session.step(input, &mut strategies, &mut said);
            assert_eq!(&said, recorded, "input {}", input.seq);
            if minute(input.at) == trip + 2 && saved.is_none() {
                saved = Some((n + 1, session.clone(), strategies[0].as_ref().expect("a policy").save()));
            }
        }
        (session.digest().digest(), saved)
    };
    let begin = || prepare::strategies(spec).expect("strategies");
    let (digest, saved) = replayed(0, Session::new(spec), begin());
    assert_eq!(digest, inside.session().digest().digest());
    let (from, session, state) = saved.expect("a checkpoint while it was off");
    let mut strategies = begin();
    strategies[0].as_mut().expect("a policy").restore(&state).expect("its own state");
    assert_eq!(replayed(from, session, strategies).0, digest);
}

#[test]
fn rules_and_reference_need_each_other_and_fit() {
    let text = trained();
    let refused = |text: &str| papermaker::strategy::check(text).expect_err("refused").to_string();
    let bare = card(&weights(), "[drift]");
    assert!(refused(&bare).contains("no reference of the training to judge by"), "{}", refused(&bare));
    let unruled = text.replace("[drift]\nwindow_rows = 120\nblock_rows = 20", "");
    assert!(refused(&unruled).contains("[drift] says nothing"), "{}", refused(&unruled));
    let other = text.replace("window_rows = 120", "window_rows = 128");
    assert!(refused(&other).contains("windows of 120 rows in blocks of 20; the rules say 1000 ms, 128 and 20"));
    for (wrong, said) in [
        ("psi_max = -1.0", "[drift] psi_max = -1 is not allowed: must be 0 to 100"),
        ("calm_windows = 0", "[drift] calm_windows = 0 is not allowed: must be 1 to 1000 windows"),
        ("window = 3", "[drift]: unknown field `window`, expected one of `every_ms`, `window_rows`"),
    ] {
        let found = refused(&text.replace("[drift]", &format!("[drift]\n{wrong}")));
        assert!(found.contains(said), "{found}");
    }
}

#[test]
fn the_policies_that_come_with_us_are_at_home_on_paper() {
    // They learnt where the market answers. The demo's paper session must look like that to them, though no book has their orders in it.
    let sim = bitcoin();
    let demo = load(&Sources { profile: "demo".to_owned(), ..Sources::default() }).expect("settings");
    let rules: Vec<_> = sim.market.iter().map(|market| market.rules().expect("rules")).collect();
    let of = |strategy: Option<&str>| {
        let text = strategy.map(|name| {
            let path = format!("{}/strategies/{name}", env!("CARGO_MANIFEST_DIR"));
            prepare::strategy_text(&path, None).expect("a strategy")
        });
        let mut spec = prepare::session_spec(&demo, rules.clone(), text.as_deref()).expect("a session");
        spec.desks.iter_mut().for_each(|desk| desk.answers = Answers::Modelled);
        spec
    };
    let heard = live(&mut inside(&sim, 7, &of(None)), Nanos::from_s(1_200));
    for name in ["ppo.toml", "sac.toml"] {
        let spec = of(Some(name));
        let (mut session, mut strategies) = (Session::new(&spec), prepare::strategies(&spec).expect("strategies"));
        let (mut said, mut looks) = (Vec::new(), Vec::new());
        for (input, _) in &heard {
            session.step(input, &mut strategies, &mut said);
            looks.extend(said.drain(..).filter_map(|it| match it {
                Output::Drift { look, .. } => Some(look),
                _ => None,
            }));
        }
        assert!(looks.len() >= 3, "{name}: {} looks", looks.len());
        assert!(looks.iter().all(|look| !look.score.is_tripped), "{name}: {looks:?}");
    }
}
