//! How sure a number is: the same history, shuffled in blocks and lived again.
//!
//! Profits hang together (a bad minute follows a bad minute), so they are drawn in runs: the stationary bootstrap of
//! D. Politis & J. Romano, *The Stationary Bootstrap*, Journal of the American Statistical Association 89 (1994). A run
//! starts anywhere, ends after each period with probability `1/block`, and wraps around. The interval is Efron's BCa
//! (B. Efron & R. Tibshirani, *An Introduction to the Bootstrap* (1993), eq. 14.9 to 14.15), which corrects for bias and
//! skew.
//!
//! Draws come from one named stream of the caller's seed: the same series and seed give the same interval anywhere.

use serde::Serialize;

use super::returns::mean;
use crate::numeric::normal::{cdf, quantile};
use crate::numeric::pow;
use crate::rng::Stream;

/// How the bootstrap is done.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Plan {
    /// Histories lived again.
    pub resamples: usize,
    /// Mean length of a run, periods; `None` takes [`block_length`].
    pub block: Option<f64>,
    /// Probability that the interval covers the truth.
    pub level: f64,
    /// Seeds the draws.
    pub seed: u64,
}

impl Default for Plan {
    fn default() -> Self {
        Self { resamples: 10_000, block: None, level: 0.95, seed: 0 }
    }
}

/// A number, how sure it is, and of how much history.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Interval {
    /// Of the history as it was.
    pub value: f64,
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
    /// Periods it was computed from.
    pub n: usize,
}

/// Two strategies on the same periods.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Comparison {
    /// The first one's number minus the second one's.
    pub difference: Interval,
    /// Probability of a difference this far from zero, either way, between strategies that are the same.
    pub p_value: f64,
}

/// Mean length of a run for `n` periods: `n^{1/3}`, at least 1. At this rate the error of a bootstrapped variance is least
/// (D. Politis & H. White, *Automatic Block-Length Selection for the Dependent Bootstrap*, Econometric Reviews 23 (2004));
/// their constant is estimated from the series, ours is one.
pub fn block_length(n: usize) -> f64 {
    pow(n as f64, 1.0 / 3.0).max(1.0)
}

/// Confidence interval of a statistic of one series. `None` if the statistic of the series itself is.
///
/// A resample that has none (a Sharpe ratio of identical periods) is left out.
pub fn interval(series: &[f64], plan: &Plan, statistic: impl Fn(&[f64]) -> Option<f64>) -> Option<Interval> {
    resampled(&[series], plan, |drawn| statistic(&drawn[0])).map(|r| r.interval(plan.level))
}

/// Whether the first of two strategies has the higher number, both having lived the same periods: they are resampled
/// together, so what moves both moves neither. The p-value counts resampled differences, centred, beyond the one found:
/// P. Hall & S. Wilson, *Two Guidelines for Bootstrap Hypothesis Testing*, Biometrics 47 (1991).
///
/// `None` if either has no such number. Panics if the lengths differ.
pub fn compare(
    first: &[f64],
    second: &[f64],
    plan: &Plan,
    statistic: impl Fn(&[f64]) -> Option<f64>,
) -> Option<Comparison> {
    assert_eq!(first.len(), second.len(), "a paired comparison is of the same periods");
    let found = resampled(&[first, second], plan, |drawn| Some(statistic(&drawn[0])? - statistic(&drawn[1])?))?;
    let beyond = found.draws.iter().filter(|draw| (**draw - found.value).abs() >= found.value.abs()).count();
    let p_value = (beyond + 1) as f64 / (found.draws.len() + 1) as f64;
    Some(Comparison { difference: found.interval(plan.level), p_value })
}

/// What resampling gave.
struct Resampled {
    value: f64,
    /// Sorted.
    draws: Vec<f64>,
    acceleration: f64,
    n: usize,
}

fn resampled(series: &[&[f64]], plan: &Plan, statistic: impl Fn(&[Vec<f64>]) -> Option<f64>) -> Option<Resampled> {
    let n = series[0].len();
    let mut drawn: Vec<Vec<f64>> = series.iter().map(|s| s.to_vec()).collect();
    let value = statistic(&drawn)?;
    let block = plan.block.unwrap_or_else(|| block_length(n)).max(1.0);
    let mut stream = Stream::new(plan.seed, "metrics.bootstrap");
    let mut draws = Vec::with_capacity(plan.resamples);
    for _ in 0..plan.resamples {
        let mut at = 0;
        for i in 0..n {
            at = if i == 0 || stream.chance(1.0 / block) { stream.below(n as u64) as usize } else { (at + 1) % n };
            for (into, from) in drawn.iter_mut().zip(series) {
                into[i] = from[at];
            }
        }
        draws.extend(statistic(&drawn));
    }
    draws.sort_by(f64::total_cmp);
    let acceleration = acceleration(series, block, &statistic);
    (!draws.is_empty()).then_some(Resampled { value, draws, acceleration, n })
}

/// How fast the standard error changes with the value: `Σd³ / (6·(Σd²)^{3/2})` of the jackknife's `d = mean - value`
/// (Efron & Tibshirani, eq. 14.15), leaving out one block of periods at a time as they hang together.
fn acceleration(series: &[&[f64]], block: f64, statistic: &impl Fn(&[Vec<f64>]) -> Option<f64>) -> f64 {
    let (n, length) = (series[0].len(), block.ceil() as usize);
    let without = |from: usize| {
        let left = |s: &&[f64]| [&s[..from], &s[(from + length).min(n)..]].concat();
        statistic(&series.iter().map(left).collect::<Vec<_>>())
    };
    let values: Vec<f64> = (0..n).step_by(length).filter_map(without).collect();
    let middle = mean(&values).unwrap_or_default();
    let (squares, cubes) = values.iter().fold((0.0, 0.0), |(squares, cubes), value| {
        let d = middle - value;
        (squares + d * d, cubes + d * d * d)
    });
    if squares > 0.0 { cubes / (6.0 * pow(squares, 1.5)) } else { 0.0 }
}

impl Resampled {
    fn interval(&self, level: f64) -> Interval {
        let [low, high] = [0.5 * (1.0 - level), 0.5 * (1.0 + level)].map(|p| self.at(self.corrected(p)));
        Interval { value: self.value, low, high, n: self.n }
    }

    /// The share of resamples that a corrected `p` of them comes to.
    fn corrected(&self, p: f64) -> f64 {
        let below = self.draws.partition_point(|draw| *draw < self.value);
        let ties = self.draws.partition_point(|draw| *draw <= self.value) - below;
        // Half of the ties are below, and never none or all: a bias without end corrects nothing.
        let share =
            (below as f64 + 0.5 * ties as f64).clamp(0.5, self.draws.len() as f64 - 0.5) / self.draws.len() as f64;
        let bias = quantile(share);
        let z = bias + quantile(p);
        let slack = 1.0 - self.acceleration * z;
        if slack > 0.0 { cdf(bias + z / slack) } else { p }
    }

    fn at(&self, p: f64) -> f64 {
        let last = self.draws.len() - 1;
        self.draws[((p * self.draws.len() as f64) as usize).min(last)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::returns::sharpe;

    fn plan(resamples: usize, seed: u64) -> Plan {
        Plan { resamples, seed, ..Plan::default() }
    }

    fn noise(n: usize, draw: &mut Stream) -> Vec<f64> {
        (0..n).map(|_| draw.normal()).collect()
    }

    #[test]
    fn runs_grow_with_the_cube_root() {
        assert!((block_length(1_000) - 10.0).abs() < 1e-9);
        assert_eq!((block_length(0), block_length(1)), (1.0, 1.0));
    }

    #[test]
    fn the_same_seed_gives_the_same_interval_and_another_nearly() {
        let series = noise(100, &mut Stream::new(1, "test"));
        let of = |seed| interval(&series, &plan(2_000, seed), mean).expect("a mean");
        assert_eq!(of(1), of(1));
        assert_ne!(of(1), of(2));
        // The end's error at 2 000 resamples is about 3.6 % of a width of 0.4.
        assert!((of(1).low - of(2).low).abs() < 0.06, "{:?} {:?}", of(1), of(2));
        assert_eq!((of(1).n, Some(of(1).value)), (100, mean(&series)));
    }

    #[test]
    fn ninety_five_of_a_hundred_intervals_cover_the_mean() {
        // 200 means of 60 normal draws with runs of one: binomial(200, 0.95) has deviation 3.1; the bootstrap of 60 values
        // itself covers some 94 %. With PAPERMAKER_TEST_SIZE=full, 2 000 of them.
        let runs = if std::env::var("PAPERMAKER_TEST_SIZE").is_ok_and(|s| s == "full") { 2_000 } else { 200 };
        let mut draw = Stream::new(42, "test.coverage");
        let covered = (0..runs).filter(|seed| {
            let series = noise(60, &mut draw);
            let plan = Plan { block: Some(1.0), ..plan(400, *seed) };
            let found = interval(&series, &plan, mean).expect("a mean");
            found.low <= 0.0 && 0.0 <= found.high
        });
        let share = covered.count() as f64 / runs as f64;
        assert!((0.89..=0.99).contains(&share), "{share} of the intervals cover the mean");
    }

    #[test]
    fn what_hangs_together_is_less_sure_than_it_looks() {
        // An AR(1) with correlation 0.8 has (1 + 0.8)/(1 - 0.8) = 9 times the variance of the mean: 3 times the width.
        let mut draw = Stream::new(3, "test.ar");
        let mut last = 0.0;
        let series: Vec<f64> = (0..4_000)
            .map(|_| {
                last = 0.8 * last + draw.normal();
                last
            })
            .collect();
        let width = |block| {
            let found = interval(&series, &Plan { block: Some(block), ..plan(300, 1) }, mean).expect("a mean");
            found.high - found.low
        };
        let ratio = width(60.0) / width(1.0);
        assert!((2.2..3.6).contains(&ratio), "{ratio} times as wide");
    }

    #[test]
    fn a_pair_is_judged_by_what_differs() {
        // Both ride the same market; the first earns 0.1 more a period, with noise of a tenth of the market's.
        let mut draw = Stream::new(9, "test.pair");
        let market = noise(250, &mut draw);
        let second: Vec<f64> = market.iter().map(|m| m + 0.1 * draw.normal()).collect();
        let first: Vec<f64> = market.iter().map(|m| m + 0.1 + 0.1 * draw.normal()).collect();
        let better = compare(&first, &second, &plan(1_000, 1), mean).expect("means");
        assert!(better.difference.low > 0.05 && better.difference.high < 0.15 && better.p_value < 0.002, "{better:?}");
        let ratio = compare(&first, &second, &plan(1_000, 1), sharpe).expect("ratios");
        assert!(ratio.difference.low > 0.0 && ratio.p_value < 0.01, "{ratio:?}");
        // A strategy against itself: no difference in any resample, so nothing speaks against their being the same.
        let same = compare(&first, &first, &plan(100, 1), mean).expect("means");
        assert_eq!((same.difference.low, same.difference.high, same.p_value), (0.0, 0.0, 1.0));
    }

    #[test]
    fn a_number_that_is_not_there_has_no_interval() {
        assert_eq!(interval(&[], &plan(10, 1), mean), None);
        assert_eq!(interval(&[1.0, 1.0, 1.0], &plan(10, 1), sharpe), None);
        let certain = interval(&[2.0, 2.0], &plan(10, 1), mean).expect("a mean");
        assert_eq!((certain.low, certain.high), (2.0, 2.0));
    }
}
