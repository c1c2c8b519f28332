//! What is known of a trained policy, written by the program that trained it.

use serde::Serialize;

use super::spec::{Goal, TrainSpec};
use super::stage::Stage;
use crate::run::card::JudgedAt;

/// A training and what came of it.
#[derive(Clone, Debug, Serialize)]
pub struct Card {
    /// Always: nothing here was ever traded with money.
    pub paper: bool,
    /// `ppo` or `sac`.
    pub algorithm: String,
    /// The version of this program.
    pub papermaker: String,
    /// What median, worst and seeds count: percent of the optimum, or quote currency an episode above the quotes that are moved.
    pub measure: &'static str,
    /// The median over the seeds, and folds if there are any.
    pub median: f64,
    /// And the worst.
    pub worst: f64,
    /// Whether that is what was wanted, if anything was; not where a seed failed.
    pub reached: Option<bool>,
    /// Where it was trained and judged: names of the numbers it sees, in order.
    pub observation: Vec<String>,
    /// What it was trained on, where that is no formula: names and digests.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub data: Vec<String>,
    /// Seed by seed.
    pub seeds: Vec<SeedResult>,
    /// Seeds that came to nothing; median and worst are of the others.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub failed: Vec<FailedSeed>,
    /// What was trained, completely.
    pub training: TrainSpec,
}

/// A seed that came to nothing.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FailedSeed {
    /// Which.
    pub seed: u64,
    /// Its fold.
    pub fold: usize,
    /// Why.
    pub why: String,
}

/// What one seed came to.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SeedResult {
    /// Which.
    pub seed: u64,
    /// Fold of a walk forward, from 1; always 1 where there is none.
    pub fold: usize,
    /// Steps of all copies it took.
    pub steps: u64,
    /// What its policy is worth, exactly: percent of the optimum, in the worst world it is judged in. `None` of sessions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub percent: Option<f64>,
    /// Fingerprint of `policy.safetensors`.
    pub weights: String,
    /// What its answers go through to be actions: `cut` or `tanh`.
    pub squash: String,
    /// Seconds its updates took by the wall clock, judging not counted, this call's and those it resumed.
    pub seconds: f64,
    /// What it earned above the quotes it moves in episodes it has not learnt from; of sessions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub above: Option<JudgedAt>,
}

const PERCENT: &str = "percent of the optimum";
const ABOVE: &str = "quote currency an episode above the quotes it moves";

impl SeedResult {
    /// The number it is judged by.
    pub fn worth(&self) -> f64 {
        self.percent.or(self.above.as_ref().map(|above| above.above)).unwrap_or(f64::NAN)
    }
}

impl Card {
    pub(super) fn new(spec: &TrainSpec, stages: &[Stage], seeds: Vec<SeedResult>, failed: Vec<FailedSeed>) -> Self {
        let mut worths: Vec<f64> = seeds.iter().map(SeedResult::worth).collect();
        worths.sort_unstable_by(f64::total_cmp);
        let (median, worst) = (median(&worths), worths.first().copied().unwrap_or(f64::NAN));
        let reached = spec.goal.map(|Goal { median: m, worst: w }| failed.is_empty() && median >= m && worst >= w);
        let algorithm = spec.algorithm().map_or(String::new(), |a| a.name().to_owned());
        let papermaker = env!("CARGO_PKG_VERSION").to_owned();
        let (measure, observation, data) = match (spec.world.exact(), stages.first()) {
            (Some(world), _) => {
                (PERCENT, world.seat().fields().iter().map(|field| (*field).to_owned()).collect(), Vec::new())
            }
            (None, Some(stage)) => {
                (ABOVE, stage.terms.schema.features().iter().map(ToString::to_string).collect(), stage.data.clone())
            }
            (None, None) => (ABOVE, Vec::new(), Vec::new()),
        };
        let training = spec.clone();
        Self {
            paper: true,
            algorithm,
            papermaker,
            measure,
            median,
            worst,
            reached,
            observation,
            data,
            seeds,
            failed,
            training,
        }
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
