//! What a backtest answers, as its JSON has it. Amounts are in the currency named beside them, ratios per period, `null` is
//! "cannot be said"; nothing in it depends on who asked or how many threads worked.

use serde::Serialize;

use crate::metrics::Summary;
use crate::metrics::score::{Difference, Score};

/// The answer.
#[derive(Clone, Debug, Serialize)]
pub struct Backtest {
    /// Always true.
    pub paper: bool,
    /// In the order of their beginning.
    pub recordings: Vec<Recorded>,
    /// In the order asked for.
    pub strategies: Vec<Contender>,
    /// Every pair of up to five strategies; of more, each against the first.
    pub pairs: Vec<Pair>,
    /// What was tried on these recordings, this time included.
    pub trials: Trials,
    /// Whether choosing the best of them by the past is any good; of one strategy nothing can be said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub overfitting: Option<Overfitted>,
    /// Chosen on one part of time, judged on the next.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub walk_forward: Option<WalkForward>,
    /// Chosen and judged on every combination of parts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cross_validation: Option<CrossValidation>,
    /// What people should know of it.
    pub notes: Vec<String>,
}

impl Backtest {
    /// What strategies were run over, one and many of them, in a word for people.
    pub fn noun(&self) -> [&'static str; 2] {
        let is_simulated = self.recordings.iter().any(|recorded| recorded.is_simulated);
        if is_simulated { ["simulated market", "simulated markets"] } else { ["recording", "recordings"] }
    }
}

/// A recording that strategies were run over.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Recorded {
    /// As it was named; of files, their names.
    pub name: String,
    /// Fingerprint of what it holds, whatever it is called.
    pub fingerprint: String,
    /// `VENUE:SYMBOL` of each.
    pub instruments: Vec<String>,
    /// First input, nanoseconds since the epoch.
    pub started_ns: i64,
    /// From there to the last, on the recorder's clock.
    pub seconds: f64,
    /// How many.
    pub inputs: u64,
    /// Of them, commands that were not obeyed, as they were that day's: pauses, halts, other limits.
    pub commands_left_out: u64,
    /// Not recorded at all, but a simulated market's; each strategy has lived its own.
    pub is_simulated: bool,
}

/// A strategy with the settings it ran under, and what came of it.
#[derive(Clone, Debug, Serialize)]
pub struct Contender {
    /// Stable: the file's name or the built-in's, and what a sweep changed, as `glft risk_factor=0.1`.
    pub name: String,
    /// What a sweep changed, dotted keys to values.
    pub changed: Vec<(String, String)>,
    /// Its text.
    #[serde(skip)]
    pub text: String,
    /// Of the strategy's text.
    pub strategy_digest: String,
    /// Of everything else that shapes a run, seed included.
    pub settings_digest: String,
    /// Totals over instruments and recordings; without amounts if there are several currencies.
    #[serde(flatten)]
    pub score: Score,
    /// Probability that its true Sharpe ratio is above what the best of all trials would show by chance.
    pub deflated_sharpe: Option<f64>,
    /// The same above zero: had nothing else been tried.
    pub probabilistic_sharpe: Option<f64>,
    /// Totals of each currency, where there are several.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub by_currency: Vec<Score>,
    /// One per recording, in their order.
    pub runs: Vec<Run>,
}

/// One strategy on one recording.
#[derive(Clone, Debug, Serialize)]
pub struct Run {
    /// Its name.
    pub recording: String,
    /// Last link of everything the session said.
    pub output_digest: String,
    /// Whether that is what the recording itself ended in; `None` if it has no such digest.
    pub is_as_recorded: Option<bool>,
    /// Per instrument; equity curves are in `risk.equity`, every `risk.period_s` from the start.
    #[serde(flatten)]
    pub summary: Summary,
}

/// Two strategies on the same recordings.
#[derive(Clone, Debug, Serialize)]
pub struct Pair {
    /// Name of the one.
    pub first: String,
    /// Name of the one it is compared with.
    pub second: String,
    /// First less second.
    #[serde(flatten)]
    pub difference: Difference,
}

/// Of all that was ever tried on any of these recordings.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Trials {
    /// The log.
    pub log: String,
    /// Distinct strategies and settings, this time's included: N of the deflated Sharpe ratio.
    pub distinct: usize,
    /// Of them, this time's that were never tried before.
    pub new: usize,
    /// Variance of their Sharpe ratios per period, of this backtest's length.
    pub sharpe_variance: Option<f64>,
    /// Sharpe ratio per period that the best of so many worthless ones would show.
    pub best_by_chance: Option<f64>,
}

/// Combinatorially symmetric cross-validation over the strategies of this backtest.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Overfitted {
    /// PBO: how often the best on one half of time was no better than the median on the other.
    pub probability: f64,
    /// Parts that time was cut into.
    pub parts: usize,
    /// Ways to halve them.
    pub splits: usize,
}

/// Chosen on the past, judged on what came next, again and again.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct WalkForward {
    /// What was chosen by.
    pub chosen_by: &'static str,
    /// Periods left out between training and test, seconds: label horizon and embargo.
    pub gap_s: f64,
    /// One per test part.
    pub folds: Vec<Fold>,
    /// Profit of the chosen ones on the test parts.
    pub pnl_out_of_sample: f64,
    /// Sharpe ratio per period of the same.
    pub sharpe_out_of_sample: Option<f64>,
    /// Mean over folds of the chosen one's Sharpe ratio on its training part.
    pub sharpe_in_sample: Option<f64>,
}

/// One step of it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Fold {
    /// Name of the one that was best in training.
    pub chosen: String,
    /// What a sweep changed of it.
    pub changed: Vec<(String, String)>,
    /// Periods of training.
    pub train: [usize; 2],
    /// Periods of the test, end excluded.
    pub test: [usize; 2],
    /// What it was chosen by, in training.
    pub in_sample: Option<f64>,
    /// The same in the test.
    pub out_of_sample: Option<f64>,
    /// Its profit in the test.
    pub pnl: f64,
    /// Its rank in the test, 1 the best, among as many as there are.
    pub rank: usize,
}

/// Combinatorial purged cross-validation.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CrossValidation {
    /// What was chosen by.
    pub chosen_by: &'static str,
    /// Parts of time.
    pub groups: usize,
    /// Of them, in each test.
    pub tested: usize,
    /// Label horizon, seconds.
    pub purge_s: f64,
    /// Left out after each test part, seconds.
    pub embargo_s: f64,
    /// Ways to choose the tested ones.
    pub splits: usize,
    /// Share of splits after which the chosen one was no better than the median.
    pub probability_of_overfitting: f64,
    /// Sharpe ratio per period along every path through all parts, always out of sample.
    pub path_sharpes: Vec<Option<f64>>,
    /// Profit along every path.
    pub path_pnls: Vec<f64>,
}
