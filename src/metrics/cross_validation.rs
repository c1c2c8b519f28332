//! Which periods a choice may learn from when others are to judge it.
//!
//! What was chosen on some periods looks good on them. So time is cut into parts, and what was best on some is judged on the
//! rest: walking forward ([`walk_forward`]: the past chooses, what comes next judges), or over every combination of parts
//! ([`combinatorial`]), which gives many judgements, whole paths through time, and how often the choice was worthless.
//!
//! Periods next to each other share news, so between the two some belong to neither ([`Gaps`]): those whose profit is
//! only known inside the test (purging), and those after it that still remember it (embargo). M. López de Prado,
//! *Advances in Financial Machine Learning* (2018), §7.4 and §12.3.
//!
//! Reading order: [`Split`] is one such division, [`Returns`] a strategy to be judged, [`Judged`] what came of a choice.

use std::ops::Range;

use super::selection::Overfitting;
use crate::numeric::{ln, sqrt};

/// Periods that neither choose nor judge.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Gaps {
    /// How long it takes until a period's profit is known: left out on both sides of a test.
    pub purge: usize,
    /// At least the latency, what the estimators look back on, and 1 % of all periods: left out after a test, and walking
    /// forward before it.
    pub embargo: usize,
}

/// A division of the periods.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Split {
    /// Parts that judge, by number.
    pub tested: Vec<usize>,
    /// Periods to choose by, in order.
    pub train: Vec<Range<usize>>,
    /// Periods to judge by, one range per part.
    pub test: Vec<Range<usize>>,
}

/// Part `part` of `parts`, as even as whole periods allow.
fn part(periods: usize, parts: usize, part: usize) -> Range<usize> {
    part * periods / parts..(part + 1) * periods / parts
}

/// `folds + 1` parts; each but the first is a test, all before it less the gap are the training.
pub fn walk_forward(periods: usize, folds: usize, gaps: Gaps) -> Vec<Split> {
    let fold = |tested: usize| {
        let test = part(periods, folds + 1, tested);
        let end = test.start.saturating_sub(gaps.purge.saturating_add(gaps.embargo));
        Split { tested: vec![tested], train: some(std::iter::once(0..end)), test: vec![test] }
    };
    (1..=folds).map(fold).collect()
}

/// Every way to test on `tested` of `groups` parts: combinatorial purged cross-validation.
pub fn combinatorial(periods: usize, groups: usize, tested: usize, gaps: Gaps) -> Vec<Split> {
    let split = |tested: Vec<usize>| {
        let test: Vec<Range<usize>> = tested.iter().map(|g| part(periods, groups, *g)).collect();
        let mut train = Vec::new();
        let mut from = 0;
        for test in &test {
            train.push(from..test.start.saturating_sub(gaps.purge).max(from));
            // A test part that follows right after starts before the gap is over: then nothing is left between.
            from = (test.end + gaps.purge + gaps.embargo).min(periods);
        }
        train.push(from..periods);
        Split { tested, train: some(train), test }
    };
    combinations(groups, tested).into_iter().map(split).collect()
}

fn some(ranges: impl IntoIterator<Item = Range<usize>>) -> Vec<Range<usize>> {
    ranges.into_iter().filter(|range| !range.is_empty()).collect()
}

/// Every `k` of the numbers below `n`, in order.
fn combinations(n: usize, k: usize) -> Vec<Vec<usize>> {
    if k > n {
        return Vec::new();
    }
    let mut all = Vec::new();
    let mut chosen: Vec<usize> = (0..k).collect();
    loop {
        all.push(chosen.clone());
        // The last that can still move up does, and those behind it follow close.
        let Some(at) = (0..k).rev().find(|at| chosen[*at] < n - k + at) else { return all };
        chosen[at] += 1;
        (at + 1..k).for_each(|behind| chosen[behind] = chosen[behind - 1] + 1);
    }
}

/// Whole paths through all parts, each part judged by a choice that has not seen it. Of each path, by part, which split is
/// to be used: the j-th of those that test it. There are `tested/groups` times as many as splits.
pub fn paths(groups: usize, splits: &[Split]) -> Vec<Vec<usize>> {
    let testing = |group: usize| (0..splits.len()).filter(move |s| splits[*s].tested.contains(&group));
    let count = (0..groups).map(|group| testing(group).count()).min().unwrap_or(0);
    let path = |j: usize| (0..groups).filter_map(|group| testing(group).nth(j)).collect();
    (0..count).map(path).collect()
}

/// What makes a strategy the best.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Criterion {
    /// Mean by deviation of the profit per period; of one that never varied 0.
    #[default]
    Sharpe,
    /// Mean by downside deviation; of one that never lost 0 if it did not earn either, else without bound.
    Sortino,
    /// Profit.
    Pnl,
}

impl Criterion {
    /// All of them.
    pub const ALL: [Criterion; 3] = [Criterion::Sharpe, Criterion::Sortino, Criterion::Pnl];

    /// The word on the command line.
    pub fn word(self) -> &'static str {
        match self {
            Criterion::Sharpe => "sharpe",
            Criterion::Sortino => "sortino",
            Criterion::Pnl => "pnl",
        }
    }
}

/// A strategy's profits per period, added up so that any part of them is judged at once.
#[derive(Clone, Debug)]
pub struct Returns {
    /// Of the periods before each, and of all: `n + 1` long.
    sums: Vec<[f64; 3]>,
}

impl Returns {
    /// Of a series of profits.
    pub fn new(series: &[f64]) -> Self {
        let mut sums = vec![[0.0; 3]];
        let mut all = [0.0; 3];
        for profit in series {
            let loss = profit.min(0.0);
            all = [all[0] + profit, all[1] + profit * profit, all[2] + loss * loss];
            sums.push(all);
        }
        Self { sums }
    }

    /// How good it was on these periods.
    pub fn judge(&self, by: Criterion, on: &[Range<usize>]) -> f64 {
        let mut of = [0.0; 3];
        for range in on {
            let (from, to) = (self.sums[range.start], self.sums[range.end]);
            (0..3).for_each(|i| of[i] += to[i] - from[i]);
        }
        let n = on.iter().map(Range::len).sum::<usize>() as f64;
        let [sum, squares, losses] = of;
        // Sums that cancel leave some dust: a variance below a billionth of the mean square is none.
        match by {
            Criterion::Pnl => sum,
            Criterion::Sharpe => {
                let variance = (squares - sum * sum / n) / (n - 1.0);
                if variance > 1e-9 * squares / n { sum / n / sqrt(variance) } else { 0.0 }
            }
            Criterion::Sortino if losses > 1e-15 * squares => sum / n / sqrt(losses / n),
            Criterion::Sortino if sum > 0.0 => f64::INFINITY,
            Criterion::Sortino => 0.0,
        }
    }
}

/// What a choice was worth.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Judged {
    /// The best in training; of equals the first.
    pub chosen: usize,
    /// How good it was there.
    pub inside: f64,
    /// How good it was in the test.
    pub outside: f64,
    /// How many were better there.
    pub better: usize,
    /// How many were worse.
    pub worse: usize,
}

/// Chooses among strategies of the same periods by a split's training, and judges by its test. Panics without a
/// strategy.
pub fn judge(strategies: &[Returns], split: &Split, by: Criterion) -> Judged {
    let inside: Vec<f64> = strategies.iter().map(|s| s.judge(by, &split.train)).collect();
    let outside: Vec<f64> = strategies.iter().map(|s| s.judge(by, &split.test)).collect();
    let chosen = (1..inside.len()).fold(0, |best, i| if inside[i] > inside[best] { i } else { best });
    let found = outside[chosen];
    Judged {
        chosen,
        inside: inside[chosen],
        outside: found,
        better: outside.iter().filter(|o| **o > found).count(),
        worse: outside.iter().filter(|o| **o < found).count(),
    }
}

/// How often the chosen one was no better than the median: D. Bailey, J. Borwein, M. López de Prado & Q. Zhu, *The
/// Probability of Backtest Overfitting*, Journal of Computational Finance 20 (2017), §3. With half of the groups tested and
/// no gaps it is [`super::selection::overfitting`].
///
/// * `judged` — one per split · `strategies` — how many there were to choose from
pub fn overfitting(judged: &[Judged], strategies: usize) -> Overfitting {
    let logit = |j: &Judged| {
        let rank = (j.worse + 1) as f64 / (strategies + 1) as f64;
        ln(rank / (1.0 - rank))
    };
    let logits: Vec<f64> = judged.iter().map(logit).collect();
    let poor = logits.iter().filter(|l| **l <= 1e-12).count();
    Overfitting { probability: poor as f64 / logits.len().max(1) as f64, logits }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::returns::{sharpe, sortino};
    use crate::metrics::selection;
    use crate::rng::Stream;

    const NONE: Gaps = Gaps { purge: 0, embargo: 0 };

    #[test]
    fn six_groups_by_two_are_fifteen_splits_and_five_paths() {
        // shared/quant/TARGETS.md §5.3.
        for (groups, tested, splits, ways) in [(6, 2, 15, 5), (10, 2, 45, 9), (4, 2, 6, 3), (5, 1, 5, 1)] {
            let found = combinatorial(600, groups, tested, NONE);
            let paths = paths(groups, &found);
            assert_eq!((found.len(), paths.len()), (splits, ways), "{groups} by {tested}");
            // Every part of a path is out of sample, and no split judges the same part on two paths.
            for (group, column) in (0..groups).map(|g| (g, paths.iter().map(|p| p[g]).collect::<Vec<_>>())) {
                assert!(column.iter().all(|s| found[*s].tested.contains(&group)), "{group}");
                assert!(column.windows(2).all(|pair| pair[0] < pair[1]), "{column:?}");
            }
        }
    }

    #[test]
    fn what_is_near_a_test_is_in_neither() {
        // 60 periods in 6 groups of 10, tests are groups 1 and 4: 10..20 and 40..50. Purge 2, embargo 3: left of a test 2 are
        // missing, right of it 5.
        let gaps = Gaps { purge: 2, embargo: 3 };
        let all = combinatorial(60, 6, 2, gaps);
        let split = all.iter().find(|s| s.tested == [1, 4]).expect("it is one of fifteen");
        assert_eq!(split.train, [0..8, 25..38, 55..60]);
        assert_eq!(split.test, [10..20, 40..50]);
        // Neighbours leave nothing between them.
        let split = all.iter().find(|s| s.tested == [2, 3]).expect("it is one of fifteen");
        assert_eq!((split.train.clone(), split.test.clone()), (vec![0..18, 45..60], vec![20..30, 30..40]));
        // Walking forward in three steps of 15 periods each, the gap of 5 before every test.
        let steps = walk_forward(60, 3, gaps);
        let shown: Vec<_> = steps.iter().map(|s| (s.train[0].clone(), s.test[0].clone())).collect();
        assert_eq!(shown, [(0..10, 15..30), (0..25, 30..45), (0..40, 45..60)]);
        // A gap longer than the past leaves nothing to learn from.
        assert!(walk_forward(60, 3, Gaps { purge: 2, embargo: 20 })[0].train.is_empty());
    }

    #[test]
    fn no_training_period_is_ever_within_a_gap_of_a_test() {
        let mut draw = Stream::new(1, "test.gaps");
        for _ in 0..200 {
            let groups = 2 + draw.below(7) as usize;
            let tested = 1 + draw.below(groups as u64 - 1) as usize;
            let periods = groups + draw.below(80) as usize;
            let gaps = Gaps { purge: draw.below(4) as usize, embargo: draw.below(5) as usize };
            for split in combinatorial(periods, groups, tested, gaps) {
                let is_tested = |p: usize| split.test.iter().any(|t| t.contains(&p));
                let is_near = |p: usize| {
                    split.test.iter().any(|t| p + gaps.purge >= t.start && p < t.end + gaps.purge + gaps.embargo)
                };
                for p in 0..periods {
                    let is_training = split.train.iter().any(|t| t.contains(&p));
                    assert_eq!(is_training, !is_near(p), "period {p} of {periods}: {split:?} {gaps:?}");
                    assert!(!(is_training && is_tested(p)));
                }
            }
        }
    }

    #[test]
    fn judging_by_sums_is_judging_by_the_series() {
        let mut draw = Stream::new(2, "test.judge");
        let series: Vec<f64> = (0..50).map(|_| 0.2 + draw.normal()).collect();
        let returns = Returns::new(&series);
        let picked = [3..10, 20..41];
        let part: Vec<f64> = picked.iter().flat_map(|r| series[r.clone()].to_vec()).collect();
        let near = |found: f64, expected: f64| assert!((found - expected).abs() < 1e-12, "{found}, not {expected}");
        near(returns.judge(Criterion::Sharpe, &picked), sharpe(&part).expect("it varies"));
        near(returns.judge(Criterion::Sortino, &picked), sortino(&part).expect("it lost"));
        near(returns.judge(Criterion::Pnl, &picked), part.iter().sum());
        let flat = Returns::new(&[0.1; 30]);
        let judged = Criterion::ALL.map(|by| flat.judge(by, std::slice::from_ref(&(5..25))));
        assert_eq!((judged[0], judged[1]), (0.0, f64::INFINITY));
        assert_eq!(Returns::new(&[0.0; 4]).judge(Criterion::Sortino, std::slice::from_ref(&(0..4))), 0.0);
    }

    #[test]
    fn half_of_the_parts_without_gaps_are_the_papers_halvings() {
        // s6_stats, as in `selection`: 8 periods × 3 strategies in 4 parts, PBO 2/3.
        let strategies = [
            vec![1.0, 2.0, 0.0, 1.0, -1.0, 2.0, 0.0, 1.0],
            vec![2.0, -1.0, 1.0, 3.0, 2.0, -2.0, -1.0, -3.0],
            vec![0.0, 1.0, 1.0, 0.0, 1.0, 1.0, 1.0, 2.0],
        ];
        let returns: Vec<Returns> = strategies.iter().map(|s| Returns::new(s)).collect();
        let splits = combinatorial(8, 4, 2, NONE);
        let judged: Vec<Judged> = splits.iter().map(|s| judge(&returns, s, Criterion::Sharpe)).collect();
        let found = overfitting(&judged, 3);
        assert_eq!(format!("{:.6}", found.probability), "0.666667");
        let sorted = |mut logits: Vec<f64>| {
            logits.sort_by(f64::total_cmp);
            logits.iter().map(|l| format!("{:.6}", l + 0.0)).collect::<Vec<_>>()
        };
        assert_eq!(sorted(found.logits), sorted(selection::overfitting(&strategies, 4).logits));
    }
}
