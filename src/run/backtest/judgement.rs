//! What choosing the best of several strategies is worth: walking forward, cross-validation, overfitting.
//!
//! Every strategy has lived all recordings already, each recording from its beginning and with nothing but its past. So a
//! choice needs no run of its own: it is a look at the returns of the training periods, and its judgement a look at those of
//! the test. A strategy comes to a test warm, with the inventory it had, as it would live.

use std::collections::BTreeSet;
use std::ops::Range;

use super::candidates::Candidate;
use super::recordings::Recording;
use super::{Ask, BacktestError, CrossValidation, Fold, Overfitted, WalkForward};
use crate::metrics::cross_validation::{
    Criterion, Gaps, Judged, Returns, Split, combinatorial, judge as judge_split, overfitting, paths, walk_forward,
};
use crate::metrics::returns::{mean, sharpe};
use crate::metrics::score::Series;

/// Most parts that time is halved by: 12 870 ways.
const PARTS_MAX: usize = 16;

/// All that was asked for.
#[derive(Default)]
pub struct Judgement {
    pub overfitting: Option<Overfitted>,
    pub walk_forward: Option<WalkForward>,
    pub cross_validation: Option<CrossValidation>,
    pub notes: Vec<String>,
}

/// Whether a choice that was asked for can be made at all, before anything is run for it.
pub fn check(ask: &Ask, candidates: &[Candidate], recordings: &[Recording]) -> Result<(), BacktestError> {
    if ask.walk_forward.is_none() && ask.cross_validate.is_none() {
        return Ok(());
    }
    if candidates.len() < 2 {
        return Err(BacktestError::Asked("there is nothing to choose from: name strategies, or a sweep".to_owned()));
    }
    let settle: BTreeSet<&str> = recordings.iter().flat_map(|r| &r.instruments).map(|rules| rules.settle()).collect();
    if settle.len() > 1 {
        let all = settle.into_iter().collect::<Vec<_>>().join(" and ");
        let what = format!("profits are in {all}: a choice by them needs recordings of one currency");
        return Err(BacktestError::Asked(what));
    }
    Ok(())
}

/// Judges the choice among these candidates; `series` are their returns, empty where there are several currencies. What cannot be
/// judged after all, because the recordings are too short, is a note: the runs are not lost for it.
pub fn judge(ask: &Ask, candidates: &[Candidate], series: &[&Series], recordings: &[Recording]) -> Judgement {
    let mut found = Judgement::default();
    if (2..5).contains(&recordings.len()) {
        found.notes.push(format!(
            "intervals rest on {} recordings: too few to tell how much recordings differ, so they promise too much",
            recordings.len()
        ));
    }
    if series.len() < candidates.len() {
        found.notes.push("profits are in several currencies and are not added up".to_owned());
        return found;
    }
    if candidates.len() < 2 {
        return found;
    }
    let room = Room::new(ask, candidates, series);
    found.overfitting = room.overfitting();
    let mut noted = |why: BacktestError| found.notes.push(why.to_string());
    found.walk_forward = ask.walk_forward.and_then(|folds| room.walk_forward(folds).map_err(&mut noted).ok());
    found.cross_validation = ask.cross_validate.and_then(|(n, k)| room.cross_validate(n, k).map_err(&mut noted).ok());
    found
}

/// Everything a choice is made from.
struct Room<'a> {
    candidates: &'a [Candidate],
    series: Vec<Vec<f64>>,
    returns: Vec<Returns>,
    period_s: f64,
    periods: usize,
    gaps: Gaps,
    criterion: Criterion,
}

impl<'a> Room<'a> {
    fn new(ask: &Ask, candidates: &'a [Candidate], series: &[&Series]) -> Self {
        let period_s = series.first().map_or(1.0, |series| series.period_s);
        let series: Vec<Vec<f64>> = series.iter().map(|series| series.concat()).collect();
        let periods = series.first().map_or(0, Vec::len);
        let in_periods = |seconds: f64| (seconds / period_s).ceil() as usize;
        let memory_s = candidates.iter().map(Candidate::memory_s).fold(0.0, f64::max);
        let embargo = || in_periods(memory_s).max(periods.div_ceil(100));
        let asked = |time: crate::units::Nanos| in_periods(time.0 as f64 / 1e9);
        let gaps = Gaps { purge: ask.purge.map_or(1, asked), embargo: ask.embargo.map_or_else(embargo, asked) };
        let returns = series.iter().map(|series| Returns::new(series)).collect();
        Self { candidates, series, returns, period_s, periods, gaps, criterion: ask.criterion }
    }

    fn judged(&self, splits: &[Split], by: Criterion) -> Vec<Judged> {
        splits.iter().map(|split| judge_split(&self.returns, split, by)).collect()
    }

    /// The paper's way: halves, Sharpe ratios, no gaps; of fewer than four periods nothing.
    fn overfitting(&self) -> Option<Overfitted> {
        let parts = PARTS_MAX.min(self.periods / 2 / 2 * 2);
        if parts < 2 {
            return None;
        }
        let splits = combinatorial(self.periods, parts, parts / 2, Gaps::default());
        let found = overfitting(&self.judged(&splits, Criterion::Sharpe), self.candidates.len());
        Some(Overfitted { probability: found.probability, parts, splits: splits.len() })
    }

    fn walk_forward(&self, folds: usize) -> Result<WalkForward, BacktestError> {
        let splits = walk_forward(self.periods, folds, self.gaps);
        self.check(&splits, "--walk-forward")?;
        let judged = self.judged(&splits, self.criterion);
        let fold = |(split, judged): (&Split, &Judged)| {
            let (train, test) = (&split.train[0], &split.test[0]);
            let of = &self.candidates[judged.chosen];
            Fold {
                chosen: of.name.clone(),
                changed: of.changed.clone(),
                train: [train.start, train.end],
                test: [test.start, test.end],
                in_sample: finite(judged.inside),
                out_of_sample: finite(judged.outside),
                pnl: self.series[judged.chosen][test.clone()].iter().sum(),
                rank: judged.better + 1,
            }
        };
        let folds: Vec<Fold> = splits.iter().zip(&judged).map(fold).collect();
        let tests = splits.iter().zip(&judged).map(|(split, judged)| (judged.chosen, split.test[0].clone()));
        let lived = self.lived(tests);
        let inside: Vec<f64> =
            splits.iter().zip(&judged).filter_map(|(split, judged)| self.sharpe_in(split, judged)).collect();
        Ok(WalkForward {
            chosen_by: self.criterion.word(),
            gap_s: (self.gaps.purge + self.gaps.embargo) as f64 * self.period_s,
            pnl_out_of_sample: lived.iter().sum(),
            sharpe_out_of_sample: sharpe(&lived),
            sharpe_in_sample: mean(&inside),
            folds,
        })
    }

    fn sharpe_in(&self, split: &Split, judged: &Judged) -> Option<f64> {
        let series = &self.series[judged.chosen];
        sharpe(&split.train.iter().flat_map(|range| series[range.clone()].to_vec()).collect::<Vec<_>>())
    }

    fn cross_validate(&self, groups: usize, tested: usize) -> Result<CrossValidation, BacktestError> {
        let splits = combinatorial(self.periods, groups, tested, self.gaps);
        self.check(&splits, "--cpcv")?;
        let judged = self.judged(&splits, self.criterion);
        let lived: Vec<Vec<f64>> =
            paths(groups, &splits).iter().map(|path| self.along(path, &splits, &judged)).collect();
        Ok(CrossValidation {
            chosen_by: self.criterion.word(),
            groups,
            tested,
            purge_s: self.gaps.purge as f64 * self.period_s,
            embargo_s: self.gaps.embargo as f64 * self.period_s,
            splits: splits.len(),
            probability_of_overfitting: overfitting(&judged, self.candidates.len()).probability,
            path_sharpes: lived.iter().map(|returns| sharpe(returns)).collect(),
            path_pnls: lived.iter().map(|returns| returns.iter().sum()).collect(),
        })
    }

    /// What the choices of these splits earned, each on the group it is to judge.
    fn along(&self, path: &[usize], splits: &[Split], judged: &[Judged]) -> Vec<f64> {
        self.lived(path.iter().enumerate().map(|(group, split)| {
            let at = splits[*split].tested.iter().position(|g| *g == group).expect("a path uses splits that test it");
            (judged[*split].chosen, splits[*split].test[at].clone())
        }))
    }

    fn lived(&self, parts: impl Iterator<Item = (usize, Range<usize>)>) -> Vec<f64> {
        parts.flat_map(|(chosen, test)| self.series[chosen][test].to_vec()).collect()
    }

    /// Whether there is enough on both sides of every split.
    fn check(&self, splits: &[Split], option: &str) -> Result<(), BacktestError> {
        let short = splits.iter().find(|split| {
            let length = |ranges: &[Range<usize>]| ranges.iter().map(Range::len).sum::<usize>();
            length(&split.train) < 2 || split.test.iter().any(Range::is_empty)
        });
        match short {
            None if !splits.is_empty() => Ok(()),
            _ => Err(BacktestError::Asked(format!(
                "{option}: {} periods of {} s leave a split without two to learn from or one to judge by, with {} purged \
                 and an embargo of {}; take fewer parts, longer recordings, or a shorter --purge and --embargo",
                self.periods, self.period_s, self.gaps.purge, self.gaps.embargo
            ))),
        }
    }
}

/// JSON has no infinity.
fn finite(number: f64) -> Option<f64> {
    Some(number).filter(|number| number.is_finite())
}
