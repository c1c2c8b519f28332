//! How sure a number is: the same history, shuffled in blocks and lived again.
//!
//! Profits hang together (a bad minute follows a bad minute), so they are drawn in runs: the stationary bootstrap of
//! D. Politis & J. Romano, *The Stationary Bootstrap*, Journal of the American Statistical Association 89 (1994). A run
//! starts anywhere, ends after each period with probability `1/block`, and wraps around. The interval is Efron's BCa
//! (B. Efron & R. Tibshirani, *An Introduction to the Bootstrap* (1993), eq. 14.9 to 14.15), which corrects for bias and
//! skew.
//!
//! How long runs are is estimated from the series ([`super::block_length`]) unless the plan says it.
//!
//! Where there are several histories (recordings of other days, training seeds), periods of one tell little of the
//! next. So histories are drawn too, before the runs inside each: a hierarchical bootstrap (A. Davison & D. Hinkley, *Bootstrap Methods and
//! their Application* (1997), §3.8). Of two or three histories it still promises too much: two draws of two are often twice the same.
//!
//! Where one strategy has several versions (a policy's training seeds), all of which have lived all of the histories, versions are
//! drawn as well, whatever histories are: A. Owen, *The pigeonhole bootstrap*, Annals of Applied Statistics 1 (2007).
//!
//! Draws come from one named stream of the caller's seed: the same series and seed give the same interval anywhere.

use serde::Serialize;

use super::block_length::block_length;
use super::returns::mean;
use crate::numeric::normal::{cdf, quantile};
use crate::numeric::{ln_1p, pow};
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

/// Confidence interval of a statistic of one series. `None` if the statistic of the series itself is.
///
/// A resample that has none (a Sharpe ratio of identical periods) is left out.
pub fn interval(series: &[f64], plan: &Plan, statistic: impl Fn(&[f64]) -> Option<f64>) -> Option<Interval> {
    interval_of_groups(&[series], plan, statistic)
}

/// Confidence interval of a statistic of all periods of several histories together; the hierarchical bootstrap if there
/// are two or more.
///
/// * `groups` — one per recording or seed, of any lengths
pub fn interval_of_groups(
    groups: &[&[f64]],
    plan: &Plan,
    statistic: impl Fn(&[f64]) -> Option<f64>,
) -> Option<Interval> {
    resampled(&[groups], plan, |drawn| statistic(&drawn[0])).map(|r| r.interval(plan.level))
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
    compare_groups(&[first], &[second], plan, statistic)
}

/// The same over several histories that both have lived.
pub fn compare_groups(
    first: &[&[f64]],
    second: &[&[f64]],
    plan: &Plan,
    statistic: impl Fn(&[f64]) -> Option<f64>,
) -> Option<Comparison> {
    let is_paired = first.len() == second.len() && first.iter().zip(second).all(|(a, b)| a.len() == b.len());
    assert!(is_paired, "a paired comparison is of the same periods");
    let found = resampled(&[first, second], plan, |drawn| Some(statistic(&drawn[0])? - statistic(&drawn[1])?))?;
    Some(found.comparison(plan.level))
}

/// Confidence interval of a statistic of what several versions of one strategy earn on average, versions and histories both drawn.
///
/// * `versions` — `[versions][groups]`, all of which have lived the same periods
///
/// Panics if they have not, or if there is no version.
pub fn interval_of_versions(
    versions: &[&[&[f64]]],
    plan: &Plan,
    statistic: impl Fn(&[f64]) -> Option<f64>,
) -> Option<Interval> {
    resampled_versions(versions, None, plan, |drawn| statistic(&drawn[0])).map(|r| r.interval(plan.level))
}

/// Whether the versions of a strategy have on average the higher number than another one; as [`compare_groups`].
pub fn compare_versions(
    versions: &[&[&[f64]]],
    second: &[&[f64]],
    plan: &Plan,
    statistic: impl Fn(&[f64]) -> Option<f64>,
) -> Option<Comparison> {
    let difference = |drawn: &[Vec<f64>]| Some(statistic(&drawn[0])? - statistic(&drawn[1])?);
    Some(resampled_versions(versions, Some(second), plan, difference)?.comparison(plan.level))
}

/// What resampling gave.
struct Resampled {
    value: f64,
    /// Sorted.
    draws: Vec<f64>,
    acceleration: f64,
    n: usize,
}

/// * `series`: `[strategies][groups]`, the groups of all as long as those of the first
fn resampled(series: &[&[&[f64]]], plan: &Plan, statistic: impl Fn(&[Vec<f64>]) -> Option<f64>) -> Option<Resampled> {
    let lengths: Vec<usize> = series[0].iter().map(|group| group.len()).collect();
    let mut drawn: Vec<Vec<f64>> = series.iter().map(|groups| groups.concat()).collect();
    let value = statistic(&drawn)?;
    let block = plan.block.unwrap_or_else(|| estimated_block(series)).max(1.0);
    let mut stream = Stream::new(plan.seed, "metrics.bootstrap");
    let mut draws = Vec::with_capacity(plan.resamples);
    for _ in 0..plan.resamples {
        live_again(series, block, &mut stream, &mut drawn);
        draws.extend(statistic(&drawn));
    }
    draws.sort_by(f64::total_cmp);
    let acceleration = acceleration(series, block, &statistic);
    (!draws.is_empty()).then_some(Resampled { value, draws, acceleration, n: lengths.iter().sum() })
}

/// The same of the mean of as many versions as there are, drawn like histories; beside another strategy or alone.
fn resampled_versions(
    versions: &[&[&[f64]]],
    other: Option<&[&[f64]]>,
    plan: &Plan,
    statistic: impl Fn(&[Vec<f64>]) -> Option<f64>,
) -> Option<Resampled> {
    let lengths: Vec<usize> = versions[0].iter().map(|group| group.len()).collect();
    let is_same = |groups: &[&[f64]]| groups.iter().map(|group| group.len()).eq(lengths.iter().copied());
    assert!(versions.iter().copied().chain(other).all(is_same), "all versions live the same periods");
    // [groups][periods] of the mean of some versions, each as often as it was drawn.
    let mean_of = |chosen: &[usize]| -> Vec<Vec<f64>> {
        let share = 1.0 / chosen.len() as f64;
        let period = |g: usize, t: usize| share * chosen.iter().map(|v| versions[*v][g][t]).sum::<f64>();
        lengths.iter().enumerate().map(|(g, n)| (0..*n).map(|t| period(g, t)).collect()).collect()
    };
    let every: Vec<usize> = (0..versions.len()).collect();
    let mean = mean_of(&every);
    let mean: Vec<&[f64]> = mean.iter().map(Vec::as_slice).collect();
    let series: Vec<&[&[f64]]> = [&mean[..]].into_iter().chain(other).collect();
    let mut drawn: Vec<Vec<f64>> = series.iter().map(|groups| groups.concat()).collect();
    let value = statistic(&drawn)?;
    let block = plan.block.unwrap_or_else(|| estimated_block(&series)).max(1.0);
    // Of histories alone.
    let acceleration = acceleration(&series, block, &statistic);
    let mut stream = Stream::new(plan.seed, "metrics.bootstrap.versions");
    let mut draws = Vec::with_capacity(plan.resamples);
    for _ in 0..plan.resamples {
        let chosen: Vec<usize> = every.iter().map(|_| stream.below(versions.len() as u64) as usize).collect();
        let mean = mean_of(&chosen);
        let mean: Vec<&[f64]> = mean.iter().map(Vec::as_slice).collect();
        let series: Vec<&[&[f64]]> = [&mean[..]].into_iter().chain(other).collect();
        live_again(&series, block, &mut stream, &mut drawn);
        draws.extend(statistic(&drawn));
    }
    draws.sort_by(f64::total_cmp);
    let n = lengths.iter().sum();
    (!draws.is_empty()).then_some(Resampled { value, draws, acceleration, n })
}

/// One resample: groups are drawn if there are two or more, and runs inside each, the same for all strategies.
fn live_again(series: &[&[&[f64]]], block: f64, stream: &mut Stream, drawn: &mut [Vec<f64>]) {
    drawn.iter_mut().for_each(Vec::clear);
    let groups = series[0].len();
    for g in 0..groups {
        let g = if groups > 1 { stream.below(groups as u64) as usize } else { g };
        let length = series[0][g].len();
        let mut left = length;
        while left > 0 {
            let at = stream.below(length as u64) as usize;
            let run = run_length(block, stream.uniform()).min(left);
            for (into, groups) in drawn.iter_mut().zip(series) {
                wrapped(groups[g], at, run, into);
            }
            left -= run;
        }
    }
}

/// A run that ends after each period with probability `1/block`, of one uniform draw: geometric, by inversion.
fn run_length(block: f64, uniform: f64) -> usize {
    if block <= 1.0 { 1 } else { 1 + (ln_1p(-uniform) / ln_1p(-1.0 / block)) as usize }
}

/// `run` periods from `at` on, the first following the last.
fn wrapped(from: &[f64], at: usize, run: usize, into: &mut Vec<f64>) {
    let until = (at + run).min(from.len());
    into.extend_from_slice(&from[at..until]);
    into.extend_from_slice(&from[..run - (until - at)]);
}

/// Of the one series, or of what differs between two; the mean over groups, the longer the more.
fn estimated_block(series: &[&[&[f64]]]) -> f64 {
    let of_group = |g: usize| match series {
        [one] => block_length(one[g]),
        [first, second, ..] => block_length(&first[g].iter().zip(second[g]).map(|(a, b)| a - b).collect::<Vec<_>>()),
        [] => 1.0,
    };
    let lengths = series[0].iter().map(|group| group.len() as f64);
    let (sum, all) = lengths.enumerate().fold((0.0, 0.0), |(sum, all), (g, n)| (sum + n * of_group(g), all + n));
    if all > 0.0 { sum / all } else { 1.0 }
}

/// How fast the standard error changes with the value: `Σd³ / (6·(Σd²)^{3/2})` of the jackknife's `d = mean - value`
/// (Efron & Tibshirani, eq. 14.15), leaving out one group at a time, or of a single one a block of periods.
fn acceleration(series: &[&[&[f64]]], block: f64, statistic: &impl Fn(&[Vec<f64>]) -> Option<f64>) -> f64 {
    let without_group = |left_out: usize| {
        let rest = |groups: &&[&[f64]]| [&groups[..left_out], &groups[left_out + 1..]].concat().concat();
        statistic(&series.iter().map(rest).collect::<Vec<_>>())
    };
    let (n, length) = (series[0].first().map_or(0, |group| group.len()), block.ceil() as usize);
    let without_block = |from: usize| {
        let left = |groups: &&[&[f64]]| [&groups[0][..from], &groups[0][(from + length).min(n)..]].concat();
        statistic(&series.iter().map(left).collect::<Vec<_>>())
    };
    let values: Vec<f64> = match series[0].len() {
        0 | 1 => (0..n).step_by(length).filter_map(without_block).collect(),
        groups => (0..groups).filter_map(without_group).collect(),
    };
    let middle = mean(&values).unwrap_or_default();
    let (squares, cubes) = values.iter().fold((0.0, 0.0), |(squares, cubes), value| {
        let d = middle - value;
        (squares + d * d, cubes + d * d * d)
    });
    if squares > 0.0 { cubes / (6.0 * pow(squares, 1.5)) } else { 0.0 }
}

impl Resampled {
    /// Of a difference.
    fn comparison(&self, level: f64) -> Comparison {
        let beyond = self.draws.iter().filter(|draw| (**draw - self.value).abs() >= self.value.abs()).count();
        let p_value = (beyond + 1) as f64 / (self.draws.len() + 1) as f64;
        Comparison { difference: self.interval(level), p_value }
    }

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
    fn runs_are_as_long_on_average_as_asked_for_and_wrap_around() {
        let mut draw = Stream::new(8, "test.runs");
        let mean = (0..20_000).map(|_| run_length(7.0, draw.uniform()) as f64).sum::<f64>() / 20_000.0;
        // Geometric of mean 7: deviation √42 = 6.5, of 20 000 of them 0.046.
        assert!((mean - 7.0).abs() < 0.2, "{mean}");
        assert_eq!((run_length(1.0, 0.99), run_length(7.0, 0.0)), (1, 1));
        let mut into = Vec::new();
        wrapped(&[1.0, 2.0, 3.0], 1, 3, &mut into);
        wrapped(&[1.0, 2.0, 3.0], 0, 2, &mut into);
        assert_eq!(into, [2.0, 3.0, 1.0, 1.0, 2.0]);
    }

    #[test]
    fn histories_that_differ_from_each_other_make_a_mean_less_sure() {
        // Twenty histories of 50 periods, each around a level of its own (deviation 1) with noise of 1. The mean of all
        // has variance 1/20 + 1/1000 = 0.051: a half-width of 0.443. Pooled as if all were one: 0.088 with runs of one.
        let mut draw = Stream::new(4, "test.groups");
        let groups: Vec<Vec<f64>> = (0..20)
            .map(|_| {
                let level = draw.normal();
                (0..50).map(|_| level + draw.normal()).collect()
            })
            .collect();
        let groups: Vec<&[f64]> = groups.iter().map(Vec::as_slice).collect();
        let plan = Plan { block: Some(1.0), ..plan(2_000, 1) };
        let outer = interval_of_groups(&groups, &plan, mean).expect("a mean");
        let pooled = interval(&groups.concat(), &plan, mean).expect("a mean");
        let half = |i: Interval| 0.5 * (i.high - i.low);
        assert!((0.3..0.6).contains(&half(outer)) && half(pooled) < 0.12, "{outer:?} {pooled:?}");
        assert_eq!((outer.n, outer.value), (1_000, pooled.value));
    }

    #[test]
    fn a_pair_is_paired_within_every_history() {
        // The first earns 0.5 more in every period of every history, whatever that history was like.
        let mut draw = Stream::new(6, "test.groups");
        let second: Vec<Vec<f64>> =
            (0..5).map(|i| (0..30).map(|_| 10.0 * f64::from(i) + draw.normal()).collect()).collect();
        let first: Vec<Vec<f64>> = second.iter().map(|g| g.iter().map(|x| x + 0.5).collect()).collect();
        let [first, second] = [&first, &second].map(|groups| groups.iter().map(Vec::as_slice).collect::<Vec<_>>());
        let found = compare_groups(&first, &second, &plan(500, 1), mean).expect("means");
        assert!((found.difference.low - 0.5).abs() < 1e-9 && (found.difference.high - 0.5).abs() < 1e-9, "{found:?}");
        assert!(found.p_value < 0.01);
    }

    #[test]
    fn versions_that_differ_make_their_mean_less_sure() {
        // Sixteen versions, each better than the other strategy by a constant of its own (deviation 1), in four histories that are
        // the same for all: the mean of 16 constants has deviation 1/4, a half-width of 0.49; of one version alone there is none.
        let mut draw = Stream::new(11, "test.versions");
        let other: Vec<Vec<f64>> = (0..4).map(|_| noise(40, &mut draw)).collect();
        let better: Vec<f64> = (0..16).map(|_| draw.normal()).collect();
        let lives = |by: f64| other.iter().map(|g| g.iter().map(|x| x + by).collect()).collect::<Vec<Vec<f64>>>();
        let versions: Vec<Vec<Vec<f64>>> = better.iter().map(|by| lives(*by)).collect();
        fn seen(groups: &[Vec<f64>]) -> Vec<&[f64]> {
            groups.iter().map(Vec::as_slice).collect()
        }
        let (versions, other): (Vec<Vec<&[f64]>>, _) = (versions.iter().map(|v| seen(v)).collect(), seen(&other));
        let versions: Vec<&[&[f64]]> = versions.iter().map(Vec::as_slice).collect();
        let all = compare_versions(&versions, &other, &plan(2_000, 1), mean).expect("means");
        let middle = better.iter().sum::<f64>() / 16.0;
        assert!((all.difference.value - middle).abs() < 1e-9, "{all:?}");
        let half = 0.5 * (all.difference.high - all.difference.low);
        assert!((0.3..0.7).contains(&half), "{all:?}");
        let one = compare_versions(&versions[..1], &other, &plan(200, 1), mean).expect("means");
        assert!((one.difference.high - one.difference.low).abs() < 1e-9, "{one:?}");
        // What they earn themselves is as unsure as versions and histories together: 1/4 and 1/√160.
        let own = interval_of_versions(&versions, &plan(2_000, 1), mean).expect("a mean");
        assert!(own.high - own.low > 2.0 * half && own.n == 160, "{own:?}, {half}");
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
