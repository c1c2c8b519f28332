//! Learners in worlds whose optimum is known, judged without a single draw.
//!
//! By default one small network learns a little, so that a learner that learns nothing is caught. `PAPERMAKER_TEST_SIZE=full` trains
//! ten seeds of PPO and SAC in P1, P2 and P3 with `ppo.toml` and `sac.toml` and prints what share of the stepped optimum each reaches:
//!
//! ```text
//! PAPERMAKER_TEST_SIZE=full cargo test --release --test tests learn:: -- --nocapture
//! ```

use papermaker::env::model::{Copies, Model, Seat, Start, exact};
use papermaker::learn::apprentice::Pupil;
use papermaker::learn::{ppo, sac};

const WORLDS: [(&str, Model, u64); 3] =
    [("P1", Model::P1, 20_000_000), ("P2", Model::P2, 20_000_000), ("P3", Model::P3, 40_000_000)];

/// The default seat, from anywhere: residuals on the quotes of Avellaneda and Stoikov.
fn seat(model: Model) -> Seat {
    Seat { start: Start::Anywhere, ..Seat::new(model) }
}

fn copies(seat: Seat, count: usize, seed: u64) -> Copies {
    Copies::new(seat, count, seed).expect("a seat that can be").spread()
}

/// What a policy is worth, in percent of the stepped optimum.
fn share(seat: &Seat, pupil: &Pupil) -> f64 {
    let network = pupil.network().expect("finite weights");
    let mut work = vec![0.0; network.work_len()];
    let worth = exact::evaluate(seat, |seen| {
        let mut action = [0.0; 2];
        network.forward(seen, &mut work, &mut action);
        action.map(|a| pupil.squash.apply(a))
    });
    100.0 * worth / exact::optimum(&seat.model).value()
}

fn full() -> bool {
    std::env::var("PAPERMAKER_TEST_SIZE").is_ok_and(|size| size == "full")
}

/// Trains ten seeds in each world and prints their shares, sorted.
fn table(name: &str, train: impl Fn(Seat, u64, u64) -> Pupil) {
    for (world, model, steps) in WORLDS {
        let seat = seat(model);
        let mut shares: Vec<f64> = (1..=10).map(|seed| share(&seat, &train(seat, steps, seed))).collect();
        shares.sort_by(f64::total_cmp);
        let median = (shares[4] + shares[5]) / 2.0;
        println!("{name} in {world}: median {median:.3} %, worst {:.3} %, all {shares:.3?}", shares[0]);
        let baseline = share_of_base(&seat);
        assert!(
            shares[0] > baseline,
            "{name} in {world}, worst {:.3} %: not better than A-S, {baseline:.3} %",
            shares[0]
        );
    }
}

/// The share of action 0, Avellaneda and Stoikov's own quotes.
fn share_of_base(seat: &Seat) -> f64 {
    100.0 * exact::evaluate(seat, |_| [0.0; 2]) / exact::optimum(&seat.model).value()
}

#[test]
fn ppo_learns_to_quote_better_than_avellaneda_and_stoikov() {
    if full() {
        let config: ppo::Config = toml::from_str(include_str!("ppo.toml")).expect("keys that exist");
        return table("PPO", |seat, steps, seed| {
            let config = ppo::Config { total_steps: steps, ..config.clone() };
            let mut training = ppo::Ppo::new(config, copies(seat, 1024, seed), seed).expect("can be");
            while !training.done() {
                training.update();
            }
            training.actor()
        });
    }
    let config = ppo::Config {
        hidden: vec![16, 16],
        total_steps: 65_536,
        rollout: 16,
        minibatch: 512,
        epochs: 4,
        learning_rate: 8e-3,
        gamma: 1.0,
        lambda: 0.7,
        kl_max: Some(0.1),
        deviation: 0.4,
        deviation_min: 0.2,
        deviation_min_end: 0.1,
        averaging: Some(4.0),
        ..ppo::Config::default()
    };
    let seat = seat(Model::P2);
    let mut training = ppo::Ppo::new(config, copies(seat, 128, 1), 1).expect("can be");
    while !training.done() {
        training.update();
    }
    // 32 updates: 86.78 % before, 95.4, 95.4 and 94.9 % after with the first three seeds.
    let (before, after) = (share_of_base(&seat), share(&seat, &training.actor()));
    assert!((before - 86.78).abs() < 0.01 && after > 93.0, "{before} % became {after} %");
}

#[test]
fn sac_learns_to_quote_better_than_avellaneda_and_stoikov() {
    if !full() {
        // It needs minutes of a debug build to get there; that it learns, `learn::trials` shows in seconds.
        return eprintln!("SKIPPED: SAC in exact worlds runs with PAPERMAKER_TEST_SIZE=full");
    }
    let config: sac::Config = toml::from_str(include_str!("sac.toml")).expect("keys that exist");
    table("SAC", |seat, steps, seed| {
        let config = sac::Config { total_steps: steps.min(6_000_000), ..config.clone() };
        let mut training = sac::Sac::new(config, copies(seat, 256, seed), seed).expect("can be");
        while !training.done() {
            training.update();
        }
        training.actor()
    });
}
