//! How fast policies learn here, for `benches/training/run.sh`, which holds it against others.
//!
//!     training SETTING SECONDS
//!
//! Learns in market P1 for so many seconds of CPU time of its one thread, after a first share that does not count, and says
//! `{"setting", "steps", "cpu_s", "steps_per_s"}`. Settings: `ppo` (64x64, 32 copies x 512, minibatch 4096, 10 epochs), `ppo-one` (one copy x
//! 2048, minibatch 64, 10 epochs: what Stable-Baselines3 has by itself), `sac-64` and `sac-256` (batch 256, one minibatch a step).

use papermaker::env::model::{Copies, Model, Seat};
use papermaker::learn::{ppo, sac};
use rustix::time::{ClockId, clock_gettime};

/// CPU time of this thread, seconds.
fn cpu_s() -> f64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 * 1e-9
}

/// Updates until the time is up; an update says how many steps there were so far.
fn timed(seconds: f64, mut update: impl FnMut() -> u64) -> (u64, f64) {
    let warm = cpu_s();
    let mut before = update();
    while cpu_s() - warm < 0.1 * seconds {
        before = update();
    }
    let began = cpu_s();
    loop {
        let now = update();
        let took = cpu_s() - began;
        if took >= seconds {
            return (now - before, took);
        }
    }
}

fn main() {
    let mut words = std::env::args().skip(1).filter(|word| word != "--bench");
    let setting = words.next().unwrap_or_else(|| "ppo".to_owned());
    let seconds: f64 = words.next().and_then(|word| word.parse().ok()).unwrap_or(1.0);
    let world = |copies| Copies::new(Seat::new(Model::P1), copies, 1).expect("market P1");
    let (steps, took) = match setting.as_str() {
        "ppo" | "ppo-one" => {
            let (copies, rollout, minibatch) = if setting == "ppo" { (32, 512, 4_096) } else { (1, 2_048, 64) };
            let config = ppo::Config { rollout, minibatch, total_steps: u64::MAX / 2, ..ppo::Config::default() };
            let mut training = ppo::Ppo::new(config, world(copies), 1).expect("a training");
            timed(seconds, || training.update().steps)
        }
        "sac-64" | "sac-256" => {
            let width = if setting == "sac-64" { 64 } else { 256 };
            let (hidden, critic_hidden) = (vec![width; 2], vec![width; 2]);
            let config = sac::Config {
                hidden,
                critic_hidden,
                rollout: 20,
                warm_up: 300,
                memory: 100_000,
                total_steps: u64::MAX / 2,
                ..sac::Config::default()
            };
            let mut training = sac::Sac::new(config, world(1), 1).expect("a training");
            while training.update().steps < 400 {}
            timed(seconds, || training.update().steps)
        }
        other => panic!("{other}: ppo, ppo-one, sac-64 or sac-256"),
    };
    let rate = steps as f64 / took;
    println!("{{\"setting\":\"{setting}\",\"steps\":{steps},\"cpu_s\":{took:.3},\"steps_per_s\":{rate:.1}}}");
}
