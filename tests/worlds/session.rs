//! The session that trades live, as a world to learn in: it is the same session, and it pays what it earns.

use std::sync::Arc;

use papermaker::digest::Digest;
use papermaker::engine::{Output, SessionSpec, Stamped};
use papermaker::env::inside::{BEGINS, Inside, Next};
use papermaker::env::reward::RewardSpec;
use papermaker::env::session::{Chair, Episode, Ground, NoChair, Tape, Terms, Varied};
use papermaker::env::{Came, Ended, Environments};
use papermaker::journal::{Reader, Store};
use papermaker::run::crowd::Crowd;
use papermaker::run::rerun::{Inputs, rerun};
use papermaker::signal::observation::{Feature, Scale, Schema};
use papermaker::sim::SimSpec;
use papermaker::strategy::mlp::Mlp;
use papermaker::strategy::policy::with_weights;
use papermaker::units::Nanos;

use crate::formulas::policy::file;
use crate::market_sim::inside::{TICK, bitcoin, session};

/// Beliefs stand still, so that the first decision is soon.
const QUOTES: &str = "order_amount_base = \"0.001\"\nsigma_fallback_ticks = 30.0\na_fallback_per_s = 1.0\n\
                      k_fallback_per_tick = 0.03\nrisk_factor = 0.3\nrisk_factor_unit = \"per-volatility\"\nreach = 1.0\n\
                      act_every_ms = 700\n";

fn schema() -> Schema {
    let inventory = Feature::Inventory { orders_max: 4.0 };
    let flow = Feature::OrderFlow { levels: 3, half_life_s: 2.0 };
    Schema::new(vec![inventory, flow, Feature::Latency { scale_ms: 10.0 }]).expect("a schema")
}

/// Leans against its inventory and with the flow, and shies away at a fast line; of four numbers the third holds and the fourth flattens.
fn weights() -> Vec<u8> {
    file(&[&[0.4, -0.4, 0.0, 0.1], &[-0.3, 0.3, 0.2, 0.0], &[0.1, 0.1, 0.0, 0.0]], &[0.05, -0.1, -0.4, -0.35])
}

fn scale() -> Scale {
    Scale { mean: vec![0.1, 0.0, 0.2], spread: vec![0.5, 2.0, 1.0] }
}

/// The policy as a strategy file.
fn strategy(quotes: &str) -> String {
    let bytes = weights();
    let listed = toml::to_string(&std::collections::BTreeMap::from([("observation", schema())])).expect("toml");
    let text = format!(
        "kind = \"policy\"\n{quotes}weights = \"some.safetensors\"\nweights_blake3 = \"{}\"\nobservation_blake3 = \"{}\"\n\
         observation_mean = [0.1, 0.0, 0.2]\nobservation_spread = [0.5, 2.0, 1.0]\n{listed}",
        Digest::of(&bytes),
        schema().digest(),
    );
    with_weights(&text, &bytes)
}

/// The same policy as a learner holds it: numbers in, numbers out.
fn network() -> impl FnMut(&[f32], &mut [f32]) {
    let network = Mlp::from_safetensors(&weights()).expect("a network");
    let (mut work, mut row) = (vec![0.0; network.work_len()], vec![0.0; 3]);
    move |seen, said| {
        row.copy_from_slice(seen);
        scale().apply(&mut row);
        network.forward(&row, &mut work, said);
    }
}

fn terms(session: SessionSpec, ground: Ground) -> Terms {
    Terms {
        session,
        ground,
        quotes: QUOTES.to_owned(),
        schema: schema(),
        outputs: 4,
        reward: RewardSpec { dampening: 0.0, ..RewardSpec::default() },
        episode: Nanos::from_s(20),
        is_over: false,
        varied: Varied::default(),
    }
}

fn demo(more: impl FnOnce(&mut SessionSpec)) -> (SimSpec, Terms) {
    let market = bitcoin();
    let mut spec = session(&market, Some("glft"), &[]);
    more(&mut spec);
    let ground = Ground::Market { market: market.clone(), tick_every: TICK };
    (market, terms(spec, ground))
}

fn golden() -> (Reader, Vec<Stamped>) {
    let open = || {
        let store = Store::open(concat!(env!("CARGO_MANIFEST_DIR"), "/replay/golden"));
        store.reader("demo-btcusdt").expect("the golden")
    };
    let (mut reader, mut inputs, mut input) = (open(), Vec::new(), Reader::blank());
    while Inputs::next(&mut reader, &mut input).expect("whole") {
        inputs.push(input.clone());
    }
    (open(), inputs)
}

#[test]
fn live_policy_and_training_policy_are_the_same_session_in_a_market_that_reacts() {
    same_session(QUOTES);
    // Not GLFT's quotes moved, but quotes.
    same_session(&QUOTES.replace("reach = 1.0", "depths = [0.3, 2.5]"));
}

fn same_session(quotes: &str) {
    let (market, terms) = demo(|_| {});
    let terms = Terms { quotes: quotes.to_owned(), ..terms };
    let mut row = vec![0.0; 3];
    let mut chair = Chair::new(&Arc::new(terms.clone()), 1, 0).expect("a chair");
    chair.begin_in(Episode::Seed(5), &mut row).expect("asked");
    let minutes = Nanos::from_s(180);
    let trained = chair.outlive(BEGINS + minutes, &mut row, network());

    let mut spec = terms.session;
    spec.desks[0].strategy = Some(strategy(quotes));
    let chairs = papermaker::run::prepare::strategies(&spec).expect("a strategy");
    let mut inside = Inside::new(&market, 5, &spec, chairs, TICK).expect("it lives there");
    let (mut decisions, mut flattened, mut fills) = (0, 0, 0);
    while inside.step(minutes) == Next::Took {
        for output in inside.said() {
            match output {
                Output::Decided { decision, .. } => {
                    decisions += 1;
                    flattened += usize::from(decision.wanted == papermaker::strategy::Wanted::Flatten);
                }
                Output::Heard(report) => {
                    fills += usize::from(matches!(report.kind, papermaker::order::ReportKind::Filled(_)));
                }
                _ => {}
            }
        }
    }
    assert!(decisions > 200 && fills > 10, "{decisions} decisions, {flattened} to flatten, {fills} fills");
    assert_eq!(trained, inside.session().digest().digest());
}

#[test]
fn live_policy_and_training_policy_are_the_same_session_on_a_recording() {
    let (reader, inputs) = golden();
    let mut spec = reader.manifest().spec.clone();
    spec.desks[0].strategy = Some(strategy(QUOTES));
    let tape = Tape::new(inputs);
    let window = tape.whole().expect("not empty");
    let end = window.to;
    let terms = terms(spec.clone(), Ground::Tapes { windows: vec![(0, window)], tapes: vec![tape] });
    let mut row = vec![0.0; 3];
    let mut chair = Chair::new(&Arc::new(terms), 1, 0).expect("a chair");
    chair.begin_in(Episode::Window(0), &mut row).expect("asked");
    let trained = chair.outlive(end, &mut row, network());

    /// What operators did is left out, as in backtests.
    struct WithoutCommands(Reader);
    impl Inputs for WithoutCommands {
        fn next(&mut self, into: &mut Stamped) -> Result<bool, papermaker::run::rerun::RerunError> {
            let found = Inputs::next(&mut self.0, into)?;
            if matches!(into.input, papermaker::engine::Input::Command { .. }) {
                into.input = papermaker::engine::Input::Tick;
            }
            Ok(found)
        }
    }
    let mut acted = 0;
    let ended = rerun(&mut WithoutCommands(reader), &spec, |_, _, said| {
        acted += said.iter().filter(|output| matches!(output, Output::Sent(_))).count();
        true
    });
    let ended = ended.expect("it runs");
    assert!(acted > 20, "{acted} requests");
    assert_eq!(trained, ended.output_digest());
}

#[test]
fn an_episode_on_a_recording_stands_in_line_as_was_drawn_for_it() {
    let (reader, inputs) = golden();
    let tape = Tape::new(inputs);
    let window = tape.whole().expect("not empty");
    let end = window.to;
    let terms = terms(reader.manifest().spec.clone(), Ground::Tapes { windows: vec![(0, window)], tapes: vec![tape] });
    let lived = |queue: &[&str]| {
        let queue = queue.iter().map(|name| (*name).to_owned()).collect();
        let terms = Terms { varied: Varied { queue, ..Varied::default() }, ..terms.clone() };
        let (mut chair, mut row) = (Chair::new(&Arc::new(terms), 1, 0).expect("a chair"), vec![0.0; 3]);
        chair.begin(&mut row).expect("asked");
        chair.outlive(end, &mut row, network())
    };
    let as_recorded = lived(&[]);
    assert_eq!(as_recorded, lived(&["risk-averse"]));
    assert_ne!(as_recorded, lived(&["optimistic"]));
    assert!([lived(&["optimistic"]), as_recorded].contains(&lived(&["risk-averse", "optimistic"])));
}

#[test]
fn what_a_learner_sees_is_as_far_off_as_was_drawn() {
    let blurred = |noise: Option<[f64; 2]>| {
        let (_, mut terms) = demo(|_| {});
        terms.varied.observation_noise = noise;
        let (mut chair, mut row, mut last) = (Chair::new(&Arc::new(terms), 1, 0).expect("a chair"), [0.0; 3], [0.0; 3]);
        chair.begin(&mut row).expect("asked");
        let mut sights = Vec::new();
        for _ in 0..200 {
            let mut sight = [0.0; 3];
            chair.blur(&mut sight);
            sights.push(sight);
            let mut again = [0.0; 3];
            chair.blur(&mut again);
            assert_eq!(sight, again, "the same however often it is asked");
            chair.step(&[0.0, 0.0, -1.0, -1.0], &mut row, &mut last);
        }
        sights
    };
    assert!(blurred(None).iter().flatten().all(|x| *x == 0.0));
    let seen = blurred(Some([0.05, 0.05]));
    // Of 600 draws the variance is off by √(2/600) = 0.06 of itself.
    let variance = seen.iter().flatten().map(|x| f64::from(x * x)).sum::<f64>() / 600.0;
    assert!((variance / 0.0025 - 1.0).abs() < 0.3, "{variance}");
    assert_ne!(seen[0], seen[1]);
}

#[test]
fn a_window_in_the_middle_begins_warm_and_flat() {
    let (reader, inputs) = golden();
    let tape = Tape::new(inputs);
    let spec = SessionSpec { ..reader.manifest().spec.clone() };
    let windows = tape.windows(Nanos::from_s(5), &spec);
    assert!(windows.len() > 2, "{}", windows.len());
    let (from, to) = (windows[2].from, windows[2].to);
    let ground = Ground::Tapes { windows: windows.into_iter().map(|window| (0, window)).collect(), tapes: vec![tape] };
    let mut chair = Chair::new(&Arc::new(terms(spec, ground)), 1, 0).expect("a chair");
    let mut row = vec![0.0; 3];
    chair.begin_in(Episode::Window(2), &mut row).expect("asked");
    assert!((from..to).contains(&chair.session().now()), "asked within its window");
    assert_eq!(row[0], 0.0, "no inventory");
    let mut steps = 0;
    while chair.step_only(&[0.0, 0.0, -1.0, -1.0], &mut row).ended == Ended::No {
        steps += 1;
    }
    // Five seconds and a question every 0.7 of them.
    assert!((4..=8).contains(&steps), "{steps}");
    assert!(chair.session().now() <= to);
}

#[test]
fn rewards_add_up_to_what_the_session_earned() {
    let (_, terms) = demo(|_| {});
    let mut chair = Chair::new(&Arc::new(terms), 1, 0).expect("a chair");
    let mut row = vec![0.0; 3];
    chair.begin_in(Episode::Seed(9), &mut row).expect("asked");
    let mut answer = network();
    let (mut paid, mut said) = (0.0, [0.0; 4]);
    loop {
        answer(&row, &mut said);
        let stepped = chair.step_only(&said, &mut row);
        paid += stepped.reward.profit;
        assert_eq!(stepped.reward.total, stepped.reward.profit, "nothing is damped or charged here");
        if stepped.ended != Ended::No {
            break;
        }
    }
    let mark = chair.session().equity(papermaker::market::InstrumentId(0));
    let equity = (mark.spread + mark.inventory - mark.fees - mark.funding).to_f64();
    assert!(mark.fees.0 != 0 || mark.position.0 != 0, "something was traded");
    assert!((paid - equity).abs() < 1e-6, "{paid} paid, {equity} earned");
}

#[test]
fn an_episode_that_is_cut_between_two_questions_is_seen_as_it_is_then() {
    let (_, terms) = demo(|_| {});
    let mut chair = Chair::new(&Arc::new(terms), 1, 0).expect("a chair");
    let mut changed = 0;
    for seed in 1..=6 {
        let (mut row, mut before) = (vec![0.0; 3], 0.0);
        chair.begin_in(Episode::Seed(seed), &mut row).expect("asked");
        while chair.step_only(&[-0.9, -0.9, -1.0, -1.0], &mut row).ended == Ended::No {
            before = row[0];
        }
        // 100 lots are an order amount, four of them count as 1.
        let held = chair.session().equity(papermaker::market::InstrumentId(0)).position.0 as f32 / 400.0;
        assert!((row[0] - held).abs() < 1e-6, "seed {seed}: seen {}, held {held}", row[0]);
        changed += u32::from(before != row[0]);
    }
    assert!(changed > 0, "nothing was filled after any last question");
}

#[test]
fn a_refusal_in_training_is_a_refusal() {
    // Room for one order amount of 100 lots a side.
    let (_, terms) = demo(|spec| {
        spec.risk.instruments[0].order_qty_max = papermaker::units::Lots(10);
    });
    let mut chair = Chair::new(&Arc::new(terms), 1, 0).expect("a chair");
    let mut row = vec![0.0; 3];
    chair.begin_in(Episode::Seed(2), &mut row).expect("asked");
    for _ in 0..10 {
        chair.step_only(&[0.0, 0.0, -1.0, -1.0], &mut row);
    }
    let refused = chair.session().standing_refusals(papermaker::market::InstrumentId(0));
    assert!(refused.iter().all(Option::is_some), "an order of 100 lots, and 10 are allowed: {refused:?}");
    assert_eq!(chair.session().orders(papermaker::market::InstrumentId(0)).len(), 0);
}

/// A crowd's numbers over some steps: what it was shown, what it was paid.
fn lived(crowd: &mut Crowd, steps: usize) -> Vec<u32> {
    let copies = crowd.copies();
    let (mut seen, mut rewards) = (vec![0.0; copies * 3], vec![0.0; copies]);
    let (mut ended, mut finals) = (vec![Ended::No; copies], vec![0.0; copies * 3]);
    let mut all = Vec::new();
    for step in 0..steps {
        let actions: Vec<f32> =
            (0..copies).flat_map(|n| [((step + n) % 5) as f32 / 4.0 - 0.5, 0.2, -1.0, -1.0]).collect();
        let came = Came { observations: &mut seen, rewards: &mut rewards, ended: &mut ended, finals: &mut finals };
        crowd.step(&actions, came);
        all.extend(seen.iter().chain(&rewards).map(|x| x.to_bits()));
        all.extend(ended.iter().map(|end| u32::from(*end != Ended::No)));
        let over = finals.chunks_exact(3).zip(&ended).filter(|(_, end)| **end != Ended::No);
        all.extend(over.flat_map(|(last, _)| last).map(|x| x.to_bits()));
    }
    all
}

fn crowd(seed: u64, threads: usize) -> Crowd {
    let (_, mut terms) = demo(|_| {});
    terms.episode = Nanos::from_s(6);
    terms.varied = Varied {
        volatility: Some([0.5, 2.0]),
        latency: Some([0.5, 4.0]),
        latency_tail: Some([3.0, 10.0]),
        observation_noise: Some([0.01, 0.05]),
        branching: Some([0.0, 0.8]),
        informed: Some([0.5, 2.0]),
        drift: Some([0.0, 0.5]),
        message_loss: Some([0.0, 0.01]),
        stalls_per_min: Some([0.0, 10.0]),
        ..Varied::default()
    };
    Crowd::new(&Arc::new(terms), 3, seed, 40, threads).expect("a crowd")
}

#[test]
fn a_crowd_does_not_depend_on_its_threads_and_goes_on_where_it_was_saved() {
    let mut one = crowd(7, 1);
    let first = lived(&mut one, 12);
    assert_eq!(first, lived(&mut crowd(7, 3), 12));
    assert_ne!(first, lived(&mut crowd(8, 1), 12));
    let saved = one.save();
    let rest = lived(&mut one, 10);
    let mut other = crowd(11, 2);
    other.restore(&saved).expect("restores");
    assert_eq!(other.save(), saved);
    assert_eq!(lived(&mut other, 10), rest);
    // Six seconds end between the ninth question and the tenth: also from just before, and from just after.
    for steps in 7..11 {
        let mut one = crowd(7, 1);
        lived(&mut one, steps);
        let mut other = crowd(11, 1);
        other.restore(&one.save()).expect("restores");
        assert_eq!(lived(&mut other, 3), lived(&mut one, 3), "from step {steps} on");
    }
    // Forty looks are fourteen steps of three: then the scale stands.
    assert!((40..43).contains(&one.looks()), "{}", one.looks());
    assert!(other.restore(&[1, 2]).unwrap_err().starts_with("not a saved crowd"));
}

#[test]
fn terms_that_cannot_be_say_why() {
    let said = |change: &dyn Fn(&mut Terms)| {
        let (_, mut terms) = demo(|_| {});
        change(&mut terms);
        match Chair::new(&Arc::new(terms), 1, 0) {
            Err(NoChair::Wrong(why)) => why,
            Err(silent) => silent.to_string(),
            Ok(_) => panic!("refused"),
        }
    };
    assert!(said(&|terms| terms.quotes = "order_amount_base = \"0\"".to_owned()).contains("order_amount_base"));
    assert!(said(&|terms| terms.reward.terminal = 1.0).contains("set over = true"));
    assert!(said(&|terms| terms.varied.depth = Some([2.0, 1.0])).contains("vary.depth"));
    assert!(said(&|terms| terms.outputs = 3).contains("3 outputs for 2 or 4"));
    assert!(
        said(&|terms| terms.ground = Ground::Tapes { tapes: Vec::new(), windows: Vec::new() }).contains("no window")
    );
}
