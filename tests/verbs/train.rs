//! `train`: what it leaves behind, that it can be gone on with, and what it refuses.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use papermaker::config::Sources;
use papermaker::run::train::{Found, Progress, TrainSpec, train};
use serde_json::Value;

use super::papermaker;

/// A few updates in a short P2, so that it takes a moment.
const SPEC: &str = "seeds = 2\ncopies = 64\nevaluate_every = 2\n[world]\npreset = \"p2\"\nsteps = 20\n\
                    [ppo]\nhidden = [8]\ntotal_steps = 7680\nrollout = 20\nminibatch = 320\nepochs = 2\ngamma = 1.0\n";

fn trained(here: &Path, more: &[&str]) -> Value {
    let line = [&["train", "p2.toml", "--json"], more].concat();
    serde_json::from_str(&papermaker(here, &line).exits(0).stdout()).expect("json")
}

fn weights(told: &Value) -> Vec<&str> {
    told["seeds"].as_array().expect("seeds").iter().map(|seed| seed["weights"].as_str().expect("a digest")).collect()
}

#[test]
fn a_training_leaves_policies_curves_and_a_card_the_same_on_one_thread_and_on_two() {
    let here = tempfile::tempdir().expect("a folder");
    let here = here.path();
    fs::write(here.join("p2.toml"), SPEC).expect("written");
    let told = trained(here, &["--threads", "1"]);
    let again = trained(here, &["--threads", "2", "--out", "again"]);
    assert_eq!(weights(&told), weights(&again));
    assert_ne!(weights(&told)[0], weights(&told)[1], "another seed is another policy");
    let (median, worst) = (told["median"].as_f64().unwrap(), told["worst"].as_f64().unwrap());
    assert!(told["paper"] == true && 80.0 < worst && worst <= median && median < 100.0, "{told}");

    let seed = here.join("train/p2/seed-2");
    let curve = fs::read_to_string(seed.join("curve.csv")).expect("a curve");
    let mut lines = curve.lines();
    assert!(lines.next().is_some_and(|head| head.starts_with("steps,unix_s,") && head.contains("loss/policy")));
    assert_eq!(
        lines.map(|line| line.split(',').next().unwrap()).collect::<Vec<_>>(),
        ["1280", "2560", "3840", "5120", "6400", "7680"]
    );
    let policy = fs::read(seed.join("policy.safetensors")).expect("a policy");
    let network = papermaker::strategy::mlp::Mlp::from_safetensors(&policy).expect("one that runs live");
    assert_eq!((network.inputs(), network.outputs()), (told["observation"].as_array().unwrap().len(), 2));
    assert!(fs::metadata(seed.join("events.out.tfevents.papermaker")).is_ok_and(|file| file.len() > 500));
    let card: toml::Table = fs::read_to_string(here.join("train/p2/card.toml")).expect("a card").parse().expect("toml");
    assert_eq!(card["training"]["ppo"]["minibatch"].as_integer(), Some(320));
    assert_eq!(card["worst"].as_float(), Some(worst));
}

#[test]
fn a_training_that_was_stopped_goes_on_to_the_same_bits() {
    let here = tempfile::tempdir().expect("a folder");
    let (whole, stopped) = (here.path().join("whole"), here.path().join("stopped"));
    let mut spec = TrainSpec::parse(SPEC).expect("a training");
    spec.seeds = 1;
    // As a power cut at step 5,120 would leave it: with the checkpoint of before.
    let told = |at: &Progress<'_>| {
        if at.steps.0 == 5120 {
            fs::create_dir_all(stopped.join("seed-1")).expect("a folder");
            fs::copy(whole.join("seed-1/checkpoint"), stopped.join("seed-1/checkpoint")).expect("a checkpoint");
        }
    };
    let uninterrupted = train(&spec, &Sources::default(), &whole, Found::Refuse, 1, &told).expect("trained");
    let first = AtomicU64::new(u64::MAX);
    let told = |at: &Progress<'_>| _ = first.fetch_min(at.steps.0, Ordering::Relaxed);
    let resumed = train(&spec, &Sources::default(), &stopped, Found::Resume, 1, &told).expect("resumed");
    assert_eq!(first.into_inner(), 3840, "it went on after the checkpoint at 2,560");
    assert_eq!((&uninterrupted.seeds[0].weights, uninterrupted.worst), (&resumed.seeds[0].weights, resumed.worst));
}

#[test]
fn a_folder_with_a_training_is_gone_on_with_or_begun_anew_but_never_by_accident() {
    let here = tempfile::tempdir().expect("a folder");
    let here = here.path();
    fs::write(here.join("p2.toml"), SPEC).expect("written");
    let once = trained(here, &["--seeds", "1"]);
    papermaker(here, &["train", "p2.toml", "--seeds", "1"]).exits(2).complains_of(&["--resume", "--force"]);
    let resumed = trained(here, &["--seeds", "1", "--resume"]);
    assert_eq!(weights(&once), weights(&resumed), "nothing was left to do");
    let checkpoint = here.join("train/p2/seed-1/checkpoint");
    let bytes = fs::read(&checkpoint).expect("a checkpoint");
    fs::write(&checkpoint, &bytes[..bytes.len() / 2]).expect("written");
    let line = ["train", "p2.toml", "--seeds", "1", "--resume"];
    papermaker(here, &line).exits(2).complains_of(&["checkpoint", "--force"]);
    assert_eq!(weights(&once), weights(&trained(here, &["--seeds", "1", "--force"])));
}

#[test]
fn a_seed_that_comes_to_nothing_does_not_cost_the_others_their_card() {
    let here = tempfile::tempdir().expect("a folder");
    let here = here.path();
    fs::write(here.join("p2.toml"), format!("{SPEC}[goal]\nmedian = 10\nworst = 10\n")).expect("written");
    let whole = trained(here, &[]);
    assert_eq!(whole["reached"], true);
    fs::write(here.join("train/p2/seed-2/checkpoint"), "no checkpoint").expect("written");
    papermaker(here, &["train", "p2.toml", "--resume"]).exits(2).complains_of(&["seed-2/checkpoint"]);
    let card: toml::Table = fs::read_to_string(here.join("train/p2/card.toml")).expect("a card").parse().expect("toml");
    let (seeds, failed) = (card["seeds"].as_array().expect("seeds"), card["failed"].as_array().expect("failures"));
    assert_eq!((seeds.len(), seeds[0]["weights"].as_str()), (1, Some(weights(&whole)[0])));
    assert_eq!((failed[0]["seed"].as_integer(), card["reached"].as_bool()), (Some(2), Some(false)));
}

#[test]
fn a_checkpoint_of_another_world_is_not_gone_on_with_and_what_was_before_is_forgotten() {
    let here = tempfile::tempdir().expect("a folder");
    let here = here.path();
    fs::write(here.join("p2.toml"), SPEC).expect("written");
    trained(here, &[]);
    fs::write(here.join("p2.toml"), SPEC.replace("steps = 20\n", "steps = 20\nimpact = 0.1\n")).expect("written");
    papermaker(here, &["train", "p2.toml", "--resume"]).exits(2).complains_of(&["another training", "--force"]);
    trained(here, &["--force", "--seeds", "1"]);
    assert!(!here.join("train/p2/seed-2").exists(), "a seed of the training before");
}

#[test]
fn a_missed_goal_is_an_answer_and_a_wrong_file_is_none() {
    let here = tempfile::tempdir().expect("a folder");
    let here = here.path();
    fs::write(here.join("p2.toml"), format!("{SPEC}[goal]\nmedian = 99.999\nworst = 10\n")).expect("written");
    papermaker(here, &["train", "p2.toml", "--seeds", "1"]).exits(1).complains_of(&["wanted were 99.999 and 10"]);
    assert!(here.join("train/p2/card.toml").exists(), "what was trained is there all the same");
    fs::write(here.join("bad.toml"), SPEC.replace("minibatch", "minibach")).expect("written");
    papermaker(here, &["train", "bad.toml"]).exits(2).complains_of(&["bad.toml", "minibach", "minibatch"]);
    papermaker(here, &["train", "none.toml"]).exits(2).complains_of(&["none.toml", "No such file"]);
}

/// A training in the demo's market that takes a moment: what is learnt in so few steps is next to nothing.
const IN_SESSIONS: &str = "seeds = 1\ncopies = 2\nevaluate_every = 2\n[world]\nkind = \"sim\"\nmarket = \"demo\"\nepisode_s = 20\n\
                           judge_seeds = 2\njudge_s = 20\nnormalise_looks = 60\nlessons = { count = 20 }\n\
                           observation = [{ feature = \"inventory\", orders_max = 4.0 }, { feature = \"imbalance\", levels = 1 }]\n\
                           vary = { volatility = [0.5, 2.0], latency = [1.0, 3.0], widen_steps = 40 }\n\
                           [world.quotes]\norder_amount_base = \"0.001\"\nrisk_factor = 0.5\nrisk_factor_unit = \"per-volatility\"\n\
                           sigma_fallback_ticks = 30.0\na_fallback_per_s = 1.0\nk_fallback_per_tick = 0.05\nact_every_ms = 1000\n";

const LEARNERS: [(&str, &str); 2] = [
    ("ppo", "[ppo]\nhidden = [8]\ntotal_steps = 128\nrollout = 16\nminibatch = 16\nepochs = 2\n"),
    (
        "sac",
        "[sac]\nhidden = [8]\ncritic_hidden = [8]\ntotal_steps = 128\nrollout = 16\nwarm_up = 32\nmemory = 256\nminibatch = 16\n",
    ),
];

#[test]
fn a_policy_trained_in_sessions_quotes_is_backtested_and_evaluated() {
    let here = tempfile::tempdir().expect("a folder");
    let here = here.path();
    for (name, learner) in LEARNERS {
        let (spec, file) = (format!("{name}-train.toml"), format!("{name}.toml"));
        fs::write(here.join(&spec), format!("{IN_SESSIONS}{learner}")).expect("written");
        let line = ["train", &spec, "--ship", &file, "--threads", "1", "--json"];
        let told: Value = papermaker(here, &line).exits(0).json();
        let seed = &told["seeds"][0];
        assert!(seed["percent"].is_null() && seed["above"]["episodes"] == 2, "{told}");
        assert!(told["data"].to_string().contains("simulated market demo"), "{told}");
        let folder = here.join(format!("train/{name}-train/seed-1"));
        let seen = fs::read_to_string(folder.join("seen.csv")).expect("a sample of what it saw and said");
        assert!(seen.starts_with("run,row,\"inventory, order amounts over 4\"") && seen.lines().count() == 1 + 4 * 256);
        let card = fs::read_to_string(here.join(format!("{name}.card.toml"))).expect("a card");
        let card: toml::Table = card.parse().expect("toml");
        assert_eq!(card["weights"].as_str(), seed["weights"].as_str());
        assert_eq!(card["training"]["world"]["kind"].as_str(), Some("sim"));

        // Two threads, and a checkpoint that is gone on with, make no difference.
        let again = ["train", &spec, "--out", "again", "--threads", "2", "--json", "--force"];
        assert_eq!(weights(&papermaker(here, &again).exits(0).json()), weights(&told));

        let sim = ["--sim", "demo", "--for", "2m", "--seeds", "2", "--set", "store.path=store", "--json"];
        let backtest = papermaker(here, &[&["backtest", "--strategy", &file], &sim[..]].concat()).exits(0).json();
        assert!(backtest["strategies"][0]["fills"].as_u64() > Some(0), "it quotes, and is hit: {backtest}");
        fs::write(here.join("grid.toml"), "[strategy.fixed-spread]\nhalf_spread_bps = [0.5]\n").expect("written");
        let few = ["--grid", "grid.toml", "--tune-seeds", "1", "--resamples", "100"];
        let found = papermaker(here, &[&["evaluate", &file], &sim[..], &few[..]].concat()).exits(0).json();
        assert_eq!(found["cards"], serde_json::json!([format!("{name}.card.toml")]));
        let card = fs::read_to_string(here.join(format!("{name}.card.toml"))).expect("a card");
        let card: toml::Table = card.parse().expect("toml");
        let evaluation = &card["evaluation"][0];
        assert_eq!(evaluation["trials"].as_integer(), Some(3));
        assert_eq!(evaluation["pnl"]["value"].as_float(), found["strategies"][0]["pnl"]["value"].as_f64());
        assert_eq!(evaluation["against"].as_array().map(Vec::len), Some(4), "three kinds and who does not quote");
    }
}

#[test]
fn a_policy_can_learn_quotes_instead_of_how_to_move_them() {
    let here = tempfile::tempdir().expect("a folder");
    let here = here.path();
    let (_, learner) = LEARNERS[0];
    let world = format!("{IN_SESSIONS}depths = [0.1, 2.0]\n{learner}");
    fs::write(here.join("shown.toml"), &world).expect("written");
    papermaker(here, &["train", "shown.toml"]).exits(2).complains_of(&["lessons", "depths"]);

    let spec = world.replace("lessons = { count = 20 }\n", "");
    fs::write(here.join("moves.toml"), spec.replace("depths = [0.1, 2.0]\n", "")).expect("written");
    fs::write(here.join("depths.toml"), spec).expect("written");
    let moves: Value = papermaker(here, &["train", "moves.toml", "--json"]).exits(0).json();
    let told: Value = papermaker(here, &["train", "depths.toml", "--ship", "mine.toml", "--json"]).exits(0).json();
    // Who quotes depths is held against GLFT as well.
    let beside = |told: &Value| {
        let above = &told["seeds"][0]["above"];
        above["pnl"].as_f64().expect("earned") - above["above"].as_f64().expect("more than GLFT")
    };
    assert!((beside(&told) - beside(&moves)).abs() < 1e-9, "{} {}", beside(&told), beside(&moves));
    assert_ne!(told["seeds"][0]["above"]["pnl"], moves["seeds"][0]["above"]["pnl"]);
    let read = |path: &str| fs::read_to_string(here.join(path)).expect("a file").parse::<toml::Table>().expect("toml");
    assert_eq!(read("mine.toml")["depths"], toml::Value::Array(vec![0.1.into(), 2.0.into()]));
    let action = read("mine.card.toml")["action"].as_str().expect("words").to_owned();
    assert!(action.contains("from the mid, [0.1, 2.0]/k"), "{action}");
    let line =
        ["backtest", "--strategy", "mine.toml", "--sim", "demo", "--for", "2m", "--set", "store.path=store", "--json"];
    let backtest = papermaker(here, &line).exits(0).json();
    assert!(backtest["strategies"][0]["fills"].as_u64() > Some(0), "it quotes, and is hit: {backtest}");
}

#[test]
fn a_training_on_recordings_walks_forward() {
    let here = tempfile::tempdir().expect("a folder");
    let here = here.path();
    let golden = concat!(env!("CARGO_MANIFEST_DIR"), "/replay/golden/demo-btcusdt");
    let (_, learner) = LEARNERS[0];
    let world = IN_SESSIONS
        .replace(
            "kind = \"sim\"\nmarket = \"demo\"\nepisode_s = 20",
            "kind = \"recorded\"\nepisode_s = 4\nfolds = 2\nembargo_s = 4",
        )
        .replace(
            "vary = { volatility = [0.5, 2.0], latency = [1.0, 3.0], widen_steps = 40 }",
            &format!("sessions = [\"{golden}\"]"),
        );
    fs::write(here.join("walk.toml"), format!("{world}{learner}")).expect("written");
    let told: Value = papermaker(here, &["train", "walk.toml", "--ship", "mine.toml", "--json"]).exits(0).json();
    let seeds = told["seeds"].as_array().expect("seeds");
    assert_eq!(seeds.iter().map(|seed| seed["fold"].as_u64().unwrap()).collect::<Vec<_>>(), [1, 2]);
    assert_ne!(seeds[0]["weights"], seeds[1]["weights"]);
    let card = |path: &str| fs::read_to_string(here.join(path)).expect("a card").parse::<toml::Table>().expect("toml");
    let until = |card: &toml::Table| card["learnt_until_ns"].as_integer().expect("a moment");
    let (first, second) = (card("train/walk/fold-1/seed-1/policy.card.toml"), card("mine.card.toml"));
    assert!(until(&first) < until(&second), "the second learnt from more");
    assert_eq!(second["fold"].as_integer(), Some(2), "the one that has seen most is shipped");

    fs::write(here.join("short.toml"), format!("{}{learner}", world.replace("folds = 2", "folds = 40")))
        .expect("written");
    papermaker(here, &["train", "short.toml"]).exits(2).complains_of(&["episodes of 4 s leave fold"]);
}
