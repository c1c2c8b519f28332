//! What is known of a trained policy, written by the program that trained it.

use serde::Serialize;

use super::spec::{Goal, TrainSpec};

/// A training and what came of it.
#[derive(Clone, Debug, Serialize)]
pub struct Card {
    /// Always: nothing here was ever traded with money.
    pub paper: bool,
    /// `ppo` or `sac`.
    pub algorithm: String,
    /// The version of this program.
    pub papermaker: String,
    /// Percent of the optimum: the median over the seeds.
    pub median: f64,
    /// And the worst.
    pub worst: f64,
    /// Whether that is what was wanted, if anything was.
    pub reached: Option<bool>,
    /// Where it was trained and judged: names of the numbers it sees, in order.
    pub observation: Vec<&'static str>,
    /// Seed by seed.
    pub seeds: Vec<SeedResult>,
    /// What was trained, completely.
    pub training: TrainSpec,
}

/// What one seed came to.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SeedResult {
    /// Which.
    pub seed: u64,
    /// Steps of all copies it took.
    pub steps: u64,
    /// What its policy is worth, exactly: percent of the optimum, in the worst world it is judged in.
    pub percent: f64,
    /// Fingerprint of `policy.safetensors`.
    pub weights: String,
    /// What its answers go through to be actions: `cut` or `tanh`.
    pub squash: String,
    /// Seconds its updates took by the wall clock, this call's and those it resumed.
    pub seconds: f64,
}

impl Card {
    pub(super) fn new(spec: &TrainSpec, seeds: Vec<SeedResult>) -> Self {
        let mut percents: Vec<f64> = seeds.iter().map(|seed| seed.percent).collect();
        percents.sort_unstable_by(f64::total_cmp);
        let (median, worst) = (median(&percents), percents.first().copied().unwrap_or(f64::NAN));
        let reached = spec.goal.map(|Goal { median: m, worst: w }| median >= m && worst >= w);
        let algorithm = spec.algorithm().map_or(String::new(), |a| a.name().to_owned());
        let (papermaker, observation) = (env!("CARGO_PKG_VERSION").to_owned(), spec.world.seat().fields());
        Self { paper: true, algorithm, papermaker, median, worst, reached, observation, seeds, training: spec.clone() }
    }

    /// As a file.
    pub fn to_toml(&self) -> String {
        let text = toml::to_string(self).expect("a card is plain numbers and names");
        format!("# PAPER: a policy's card, written by `papermaker train`.\n{text}")
    }
}

/// Of sorted numbers; NaN of none.
fn median(sorted: &[f64]) -> f64 {
    match sorted.len() {
        0 => f64::NAN,
        n if n.is_multiple_of(2) => 0.5 * (sorted[n / 2 - 1] + sorted[n / 2]),
        n => sorted[n / 2],
    }
}
