//! How far each model's answers are from the truth, and how sure that is.
//!
//! A model of this kind does not say how likely a fill is, it fills or does not. So its forecast is 0 or 1, and the Brier
//! score `mean (forecast - outcome)²` (G. Brier, *Verification of forecasts expressed in terms of probability*, Monthly
//! Weather Review 78 (1950)) is the share of orders it gets wrong. Its calibration is the line through the two points there
//! are, `outcome = intercept + slope · forecast`: the intercept is the share of the orders it did not fill that traded
//! after all, intercept + slope the share of those it filled that did. 0 and 1 are perfect.
//!
//! Two finer questions. Where in line did it believe the order to be at a later moment, against where it was? And, read as
//! a probability, how good is the part of the line that is gone by then, `1 - ahead / joined`, at foretelling a fill?
//!
//! Orders of one moment see the same market, and so do those of neighbouring moments as long as they live. So what is
//! resampled is moments, in runs whose mean length is `horizon / spacing + n^{1/3}`: the first is how long orders overlap,
//! the second the rate at which runs should grow (D. Politis & H. White, Econometric Reviews 23 (2004)). Models are compared
//! on the same resamples.

use serde::Serialize;

use super::{Fate, MODELS, Plan, Watched};
use crate::metrics::bootstrap::{self, Interval};
use crate::numeric;
use crate::units::{LocalTime, Lots, Nanos};

/// The verdict.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// How it was done.
    pub plan: Plan,
    /// Orders watched, from placement to a known end.
    pub orders: usize,
    /// Moments at which they were placed.
    pub moments: usize,
    /// Prices at which nobody was placed: the orders there did not add up to the level.
    pub unnamed: u64,
    /// Orders whose book was lost.
    pub lost: u64,
    /// Did it trade?
    pub questions: Vec<Question>,
    /// Where in line was it?
    pub places: Places,
    /// When did it trade?
    pub times: Vec<Times>,
}

/// One question asked of every order that lived long enough to answer it.
#[derive(Clone, Debug, Serialize)]
pub struct Question {
    /// `1 s`, `10 s`, …, `until away`.
    pub asked: String,
    /// Orders.
    pub n: usize,
    /// Moments.
    pub moments: usize,
    /// Mean length of the bootstrap's runs, moments.
    pub run: f64,
    /// Share that traded in truth.
    pub traded: f64,
    /// Per model, in the order of [`MODELS`].
    pub scores: Vec<Score>,
}

/// One model's answers to one question.
#[derive(Clone, Debug, Serialize)]
pub struct Score {
    /// Which.
    pub model: &'static str,
    /// Share of wrong answers.
    pub brier: Option<Interval>,
    /// Brier score minus that of the best model of this question; `None` for that one.
    pub to_best: Option<Interval>,
    /// Share of orders it filled.
    pub filled: f64,
    /// Filled, and the truth did not.
    pub too_early: f64,
    /// Not filled, and the truth did.
    pub too_late: f64,
    /// Of the calibration line; `None` if it answered the same to all.
    pub intercept: Option<f64>,
    /// As `intercept`.
    pub slope: Option<f64>,
    /// Share of wrong answers at the best price, one behind it, …
    pub brier_by_level: Vec<Option<f64>>,
}

/// Places believed against places held, of orders that had not traded by the checkpoint.
#[derive(Clone, Debug, Serialize)]
pub struct Places {
    /// After placement, seconds.
    pub after_s: f64,
    /// Orders.
    pub n: usize,
    /// Lots ahead as they joined, on average.
    pub joined: f64,
    /// Lots ahead at the checkpoint, on average.
    pub ahead: f64,
    /// The same orders' fills are foretold for this long after placement, seconds.
    pub horizon_s: f64,
    /// The truth's own place as a forecast, then the models'.
    pub scores: Vec<Placed>,
}

/// One model's places.
#[derive(Clone, Debug, Serialize)]
pub struct Placed {
    /// Which.
    pub model: &'static str,
    /// Believed minus true, lots.
    pub bias: f64,
    /// Mean distance from the truth, lots.
    pub distance: Option<Interval>,
    /// Distance minus that of the best model; `None` for that one and for the truth.
    pub to_best: Option<Interval>,
    /// Brier score of `1 - ahead / joined` as the probability of a fill.
    pub brier: Option<f64>,
    /// Of the least-squares line `outcome = intercept + slope · forecast`.
    pub intercept: Option<f64>,
    /// As `intercept`.
    pub slope: Option<f64>,
}

/// One model's times of fills, of orders that traded under it and in truth before the market moved away.
#[derive(Clone, Debug, Serialize)]
pub struct Times {
    /// Which.
    pub model: &'static str,
    /// Orders.
    pub n: usize,
    /// Share of those whose time is exactly right.
    pub exact: f64,
    /// Half of them are off by less, seconds.
    pub median_off_s: f64,
    /// Mean of the time it is off, seconds.
    pub mean_off_s: Option<Interval>,
    /// Mean of `|ln(believed / true)|`, each time since placement and at least a millisecond.
    pub mean_log_ratio: f64,
}

/// Judges.
pub fn judge(watched: &Watched, plan: &Plan) -> Report {
    let jury = Jury { watched, plan };
    Report {
        plan: plan.clone(),
        orders: watched.fates.len(),
        moments: watched.batches,
        unnamed: watched.unnamed,
        lost: watched.lost,
        questions: jury.questions(),
        places: jury.places(),
        times: (0..MODELS.len()).map(|model| jury.times(model)).collect(),
    }
}

/// What is asked of an order.
#[derive(Clone, Copy)]
enum Ask {
    Within(Nanos),
    UntilAway,
}

impl Ask {
    /// Whether it traded in a world: 0 is the truth, then the models.
    fn traded(self, fate: &Fate, world: usize, plan: &Plan) -> bool {
        let Some(at) = fate.traded[world] else { return false };
        match self {
            Ask::Within(horizon) => at.since(fate.placed) <= horizon,
            Ask::UntilAway => at.since(fate.placed) <= plan.longest && fate.away.is_none_or(|away| at <= away),
        }
    }

    fn horizon(self, plan: &Plan) -> Nanos {
        match self {
            Ask::Within(horizon) => horizon,
            Ask::UntilAway => plan.longest,
        }
    }
}

/// An order that reached its checkpoint, and the lots ahead of it in every world.
type Checked<'a> = (&'a Fate, &'a [Lots; MODELS.len() + 1]);

struct Jury<'a> {
    watched: &'a Watched,
    plan: &'a Plan,
}

/// Sums and counts of one number, by moment.
struct Tally {
    of: Vec<(f64, f64)>,
}

impl Tally {
    fn mean_of(&self, moments: &[f64]) -> Option<f64> {
        let (sum, count) = moments.iter().fold((0.0, 0.0), |(sum, count), moment| {
            let (s, c) = self.of[*moment as usize];
            (sum + s, count + c)
        });
        (count > 0.0).then(|| sum / count)
    }
}

impl Jury<'_> {
    /// Orders that were watched for `horizon` before the recording ended.
    fn that_lived(&self, horizon: Nanos) -> impl Iterator<Item = &Fate> {
        let end = self.watched.ended.unwrap_or(LocalTime(i64::MIN));
        self.watched.fates.iter().filter(move |fate| fate.placed + horizon <= end)
    }

    /// A number of every order, by moment; moments without orders are left out of the resampling.
    fn tally<'b>(&self, numbers: impl Iterator<Item = (&'b Fate, f64)>) -> Tally {
        let mut of = vec![(0.0, 0.0); self.watched.batches];
        for (fate, number) in numbers {
            let (sum, count) = &mut of[fate.batch];
            (*sum, *count) = (*sum + number, *count + 1.0);
        }
        of.retain(|(_, count)| *count > 0.0);
        Tally { of }
    }

    fn run(&self, moments: usize, horizon: Nanos) -> f64 {
        let fates = &self.watched.fates;
        let first = fates.iter().map(|fate| fate.placed).min();
        let last = fates.iter().map(|fate| fate.placed).max();
        let span = first.zip(last).map_or(Nanos::ZERO, |(first, last)| last.since(first));
        let overlap = moments as f64 * horizon.0 as f64 / span.0.max(1) as f64;
        (overlap + numeric::pow(moments as f64, 1.0 / 3.0)).min(moments as f64 / 4.0).max(1.0)
    }

    /// The mean of a tally, or its difference to another's of the same moments.
    fn interval(&self, first: &Tally, minus: Option<&Tally>, run: f64) -> Option<Interval> {
        let moments: Vec<f64> = (0..first.of.len()).map(|n| n as f64).collect();
        let bootstrap = bootstrap::Plan {
            resamples: self.plan.resamples,
            block: Some(run),
            seed: self.plan.seed,
            ..bootstrap::Plan::default()
        };
        bootstrap::interval(&moments, &bootstrap, |drawn| {
            let other = minus.map_or(Some(0.0), |tally| tally.mean_of(drawn))?;
            Some(first.mean_of(drawn)? - other)
        })
    }

    /// Each tally with its interval, and that of its difference to the one with the least mean.
    fn ranked(&self, tallies: &[Tally], run: f64) -> Vec<(Option<Interval>, Option<Interval>)> {
        let means: Vec<Option<Interval>> = tallies.iter().map(|tally| self.interval(tally, None, run)).collect();
        let value = |n: &usize| means[*n].map_or(f64::INFINITY, |mean| mean.value);
        let best = (0..tallies.len()).min_by(|a, b| value(a).total_cmp(&value(b))).unwrap_or(0);
        let to_best = |n: usize| (n != best).then(|| self.interval(&tallies[n], Some(&tallies[best]), run)).flatten();
        means.iter().enumerate().map(|(n, mean)| (*mean, to_best(n))).collect()
    }

    fn questions(&self) -> Vec<Question> {
        let within = self.plan.horizons.iter().map(|horizon| Ask::Within(*horizon));
        within.chain([Ask::UntilAway]).map(|ask| self.question(ask)).collect()
    }

    fn question(&self, ask: Ask) -> Question {
        let horizon = ask.horizon(self.plan);
        let fates: Vec<&Fate> = self.that_lived(horizon).collect();
        let answers: Vec<Vec<bool>> = (0..=MODELS.len())
            .map(|world| fates.iter().map(|fate| ask.traded(fate, world, self.plan)).collect())
            .collect();
        let truth = &answers[0];
        let wrong = |world: usize| {
            let numbers = fates.iter().zip(answers[world].iter().zip(truth));
            self.tally(numbers.map(|(fate, (said, was))| (*fate, f64::from(u8::from(said != was)))))
        };
        let tallies: Vec<Tally> = (1..=MODELS.len()).map(wrong).collect();
        let moments = tallies.first().map_or(0, |tally| tally.of.len());
        let run = self.run(moments, horizon);
        let share = |count: usize, of: usize| if of > 0 { Some(count as f64 / of as f64) } else { None };
        let of_all = |count: usize| share(count, fates.len()).unwrap_or_default();
        let score = |(n, (brier, to_best)): (usize, (Option<Interval>, Option<Interval>))| {
            let said = &answers[n + 1];
            let count = |said_so: bool, was_so: bool| {
                said.iter().zip(truth).filter(|(said, was)| (**said, **was) == (said_so, was_so)).count()
            };
            let (both, early, late, none) =
                (count(true, true), count(true, false), count(false, true), count(false, false));
            let intercept = share(late, late + none);
            let slope = share(both, both + early).zip(intercept).map(|(filled, intercept)| filled - intercept);
            let at_level = |level: usize| {
                let here = || (0..fates.len()).filter(|i| fates[*i].level == level);
                share(here().filter(|i| said[*i] != truth[*i]).count(), here().count())
            };
            Score {
                model: MODELS[n].0,
                brier,
                to_best,
                filled: of_all(both + early),
                too_early: of_all(early),
                too_late: of_all(late),
                intercept,
                slope,
                brier_by_level: (0..self.plan.levels).map(at_level).collect(),
            }
        };
        let asked = match ask {
            Ask::Within(horizon) => format!("{} s", seconds(horizon)),
            Ask::UntilAway => "until away".to_owned(),
        };
        let traded = of_all(truth.iter().filter(|traded| **traded).count());
        let scores = self.ranked(&tallies, run).into_iter().enumerate().map(score).collect();
        Question { asked, n: fates.len(), moments, run, traded, scores }
    }

    fn places(&self) -> Places {
        let horizon = self.plan.horizons.last().copied().unwrap_or(self.plan.longest);
        let fates: Vec<Checked<'_>> =
            self.that_lived(horizon).filter_map(|fate| Some((fate, fate.ahead.as_ref()?))).collect();
        let off = |world: usize| {
            let off = fates.iter().map(|(fate, ahead)| (*fate, (ahead[world] - ahead[0]).abs().0 as f64));
            self.tally(off)
        };
        let tallies: Vec<Tally> = (1..=MODELS.len()).map(off).collect();
        let run = self.run(tallies.first().map_or(0, |tally| tally.of.len()), horizon);
        let mut ranked = vec![(None, None)];
        ranked.extend(self.ranked(&tallies, run));
        let mean = |number: &dyn Fn(&Checked<'_>) -> f64| {
            if fates.is_empty() { 0.0 } else { fates.iter().map(number).sum::<f64>() / fates.len() as f64 }
        };
        let score = |(world, (distance, to_best)): (usize, (Option<Interval>, Option<Interval>))| {
            let pairs: Vec<(f64, f64)> = fates
                .iter()
                .filter(|(fate, _)| fate.joined.0 > 0)
                .map(|(fate, ahead)| {
                    let gone = 1.0 - (ahead[world].0 as f64 / fate.joined.0 as f64).min(1.0);
                    (gone, f64::from(u8::from(Ask::Within(horizon).traded(fate, 0, self.plan))))
                })
                .collect();
            let brier = pairs.iter().map(|(p, y)| (p - y) * (p - y)).sum::<f64>() / pairs.len() as f64;
            let line = least_squares(&pairs);
            Placed {
                model: if world == 0 { "truth" } else { MODELS[world - 1].0 },
                bias: mean(&|(_, ahead)| (ahead[world] - ahead[0]).0 as f64),
                distance,
                to_best,
                brier: (!pairs.is_empty()).then_some(brier),
                intercept: line.map(|line| line.0),
                slope: line.map(|line| line.1),
            }
        };
        Places {
            after_s: seconds(self.plan.checkpoint),
            n: fates.len(),
            joined: mean(&|(fate, _)| fate.joined.0 as f64),
            ahead: mean(&|(_, ahead)| ahead[0].0 as f64),
            horizon_s: seconds(horizon),
            scores: ranked.into_iter().enumerate().map(score).collect(),
        }
    }

    fn times(&self, model: usize) -> Times {
        let ask = Ask::UntilAway;
        let in_both = |fate: &&Fate| ask.traded(fate, 0, self.plan) && ask.traded(fate, model + 1, self.plan);
        let pairs: Vec<(&Fate, f64, f64)> = self
            .that_lived(self.plan.longest)
            .filter(in_both)
            .filter_map(|fate| {
                let since = |at: Option<LocalTime>| at.map(|at| seconds(at.since(fate.placed)));
                Some((fate, since(fate.traded[0])?, since(fate.traded[model + 1])?))
            })
            .collect();
        let mut off: Vec<f64> = pairs.iter().map(|(_, was, said)| (said - was).abs()).collect();
        let tally = self.tally(pairs.iter().map(|(fate, was, said)| (*fate, (said - was).abs())));
        let run = self.run(tally.of.len(), self.plan.longest);
        off.sort_by(f64::total_cmp);
        let n = pairs.len();
        let of_all = |sum: f64| if n > 0 { sum / n as f64 } else { 0.0 };
        let log = |(_, was, said): &(&Fate, f64, f64)| numeric::ln(said.max(1e-3) / was.max(1e-3)).abs();
        Times {
            model: MODELS[model].0,
            n,
            exact: of_all(off.iter().filter(|off| **off == 0.0).count() as f64),
            median_off_s: off.get(n / 2).copied().unwrap_or_default(),
            mean_off_s: self.interval(&tally, None, run),
            mean_log_ratio: of_all(pairs.iter().map(log).sum()),
        }
    }
}

fn seconds(time: Nanos) -> f64 {
    time.0 as f64 / 1e9
}

/// Intercept and slope of the line with the least squared distance from `(x, y)`; `None` if all `x` are the same.
fn least_squares(pairs: &[(f64, f64)]) -> Option<(f64, f64)> {
    let n = pairs.len() as f64;
    let (x, y) = pairs.iter().fold((0.0, 0.0), |(sx, sy), (x, y)| (sx + x / n, sy + y / n));
    let (xy, xx) =
        pairs.iter().fold((0.0, 0.0), |(xy, xx), (px, py)| (xy + (px - x) * (py - y), xx + (px - x) * (px - x)));
    (xx > 0.0).then(|| (y - xy / xx * x, xy / xx))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::{Side, Ticks};

    /// An order of moment `batch` (seconds), trading after so many milliseconds in truth and under every model.
    fn fate(batch: usize, truth: Option<i64>, models: Option<i64>) -> Fate {
        let placed = LocalTime(batch as i64 * 1_000_000_000);
        let at = |ms: Option<i64>| ms.map(|ms| placed + Nanos::from_ms(ms));
        let mut traded = [at(models); MODELS.len() + 1];
        traded[0] = at(truth);
        let ahead = Some([Lots(4); MODELS.len() + 1]);
        let (side, price) = (Side::Bid, Ticks(100));
        Fate { batch, placed, side, price, level: 0, joined: Lots(8), traded, away: None, ahead }
    }

    fn verdict(fates: Vec<Fate>) -> Report {
        let batches = fates.iter().map(|fate| fate.batch + 1).max().unwrap();
        let plan = Plan { resamples: 50, ..Plan::default() };
        let watched = Watched { fates, batches, unnamed: 0, lost: 0, ended: Some(LocalTime(1_000_000_000_000)) };
        judge(&watched, &plan)
    }

    #[test]
    fn a_score_is_the_share_of_wrong_answers_and_calibration_the_line_through_two_points() {
        // Within a second: filled and true 3, filled and false 1, not filled and true 2, not filled and false 4.
        let (soon, late) = (Some(400), None);
        let cases = [(soon, soon, 3), (late, soon, 1), (soon, late, 2), (late, late, 4)];
        let fates = cases.iter().flat_map(|(truth, model, n)| (0..*n).map(|_| fate(0, *truth, *model))).collect();
        let found = verdict(fates);
        let (question, score) = (&found.questions[0], &found.questions[0].scores[0]);
        assert_eq!((question.asked.as_str(), question.n, question.traded), ("1 s", 10, 0.5));
        assert_eq!(score.brier.unwrap().value, 0.3);
        assert_eq!((score.filled, score.too_early, score.too_late), (0.4, 0.1, 0.2));
        // 2 of the 6 it left traded; 3 of the 4 it filled did: 3/4 - 2/6.
        assert!((score.intercept.unwrap() - 2.0 / 6.0).abs() < 1e-12);
        assert!((score.slope.unwrap() - (0.75 - 2.0 / 6.0)).abs() < 1e-12);
        assert_eq!(score.brier_by_level, [Some(0.3), None, None, None]);
    }

    #[test]
    fn an_order_answers_only_what_it_lived_for_and_leaves_when_the_market_has() {
        let mut fates: Vec<Fate> = (0..9).map(|batch| fate(batch, Some(30_000), Some(20_000))).collect();
        fates[8] = Fate { placed: LocalTime(999_000_000_000), ..fate(8, None, None) };
        fates[0].away = Some(fates[0].placed + Nanos::from_s(25));
        let found = verdict(fates);
        // The last was placed a second before the end.
        assert_eq!(found.questions.iter().map(|q| q.n).collect::<Vec<_>>(), [9, 8, 8, 8]);
        assert_eq!(found.questions.iter().map(|q| q.traded).collect::<Vec<_>>(), [0.0, 0.0, 1.0, 7.0 / 8.0]);
        // Off by 10 s; ln(20/30). The one that left is not among them.
        let times = &found.times[0];
        assert_eq!((times.n, times.exact, times.median_off_s), (7, 0.0, 10.0));
        assert!((times.mean_log_ratio - 0.405_465_108).abs() < 1e-9);
    }

    #[test]
    fn a_line_is_fitted_to_forecasts() {
        // Through (0, 1) and (2, 5).
        assert_eq!(least_squares(&[(0.0, 1.0), (1.0, 3.0), (2.0, 5.0)]), Some((1.0, 2.0)));
        assert_eq!(least_squares(&[(1.0, 1.0), (1.0, 3.0)]), None);
        assert_eq!(least_squares(&[]), None);
        // Half of the line is gone for all, and all trade: the forecast 0.5 is off by 0.25.
        let found = verdict((0..4).map(|batch| fate(batch, Some(30_000), Some(20_000))).collect());
        assert_eq!((found.places.n, found.places.joined, found.places.ahead), (4, 8.0, 4.0));
        assert_eq!((found.places.scores[1].brier, found.places.scores[1].slope), (Some(0.25), None));
    }

    #[test]
    fn the_best_is_compared_with_nobody_and_the_others_with_it() {
        // Every model is wrong of every other order but one, which is right of all.
        let fates: Vec<Fate> = (0..64)
            .map(|batch| {
                let mut fate = fate(batch, Some(400), if batch % 2 == 0 { Some(300) } else { None });
                fate.traded[3] = fate.traded[0];
                fate
            })
            .collect();
        let scores = &verdict(fates).questions[0].scores;
        assert_eq!((scores[2].brier.unwrap().value, scores[2].to_best), (0.0, None));
        let worse = scores[0].to_best.unwrap();
        assert_eq!(worse.value, 0.5);
        assert!(worse.low > 0.2 && worse.high < 0.8, "{worse:?}");
    }
}
