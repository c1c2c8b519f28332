//! How busy the market is: a clock that runs now fast, now slow.
//!
//! Markets have wild hours and dull ones, and in a wild hour everything is more: orders, cancellations, trades, and the
//! moves of the value. So everybody's waits, and the variance of the value, are counted on one clock of business time,
//! which passes `a(t)` seconds in a second of ours (P. Clark, *A Subordinated Stochastic Process Model with Finite
//! Variance for Speculative Prices*, Econometrica 41, 1973). What is the same for everybody needs no message, and the book
//! looks the same in both hours.
//!
//! `ln a` is a sum of Ornstein-Uhlenbeck waves, each with its own memory. Memories from seconds to hours together make
//! correlations that fall slowly, like a power of time (the cascade of volatilities of E. Bacry, J. Delour & J.-F. Muzy,
//! *Multifractal Random Walk*, Physical Review E 64, 2001, in so many steps). It comes from outside like the value: a
//! stream of its own, drawn step by step whoever looks.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::laws;
use super::spec::Check;
use crate::numeric;
use crate::rng::Stream;
use crate::units::Nanos;

/// How activity changes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ActivitySpec {
    /// It changes every this many seconds.
    pub step_s: f64,
    /// The value's volatility goes with this power of activity; ½, if left out, is the same clock for the value too.
    #[serde(default = "half")]
    pub volatility_exponent: f64,
    /// What its logarithm is the sum of.
    pub waves: Vec<Wave>,
}

fn half() -> f64 {
    0.5
}

/// One part of the logarithm of activity.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wave {
    /// Its standard deviation.
    pub sigma: f64,
    /// Its correlation falls to 1/e in this time, seconds.
    pub memory_s: f64,
}

impl ActivitySpec {
    pub(super) fn check(&self, key: &str, check: &mut Check) {
        check.number(&format!("{key}.step_s"), self.step_s, 0.01..=3_600.0);
        check.number(&format!("{key}.volatility_exponent"), self.volatility_exponent, 0.0..=2.0);
        check.whole(&format!("{key}.waves"), self.waves.len() as i64, 1..=16);
        for (i, wave) in self.waves.iter().enumerate() {
            check.number(&format!("{key}.waves[{i}].sigma"), wave.sigma, 0.0..=3.0);
            check.number(&format!("{key}.waves[{i}].memory_s"), wave.memory_s, 0.01..=1e9);
        }
    }
}

/// Activity, step by step; on average one.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Activity {
    stream: Stream,
    /// Of each wave: σ, what is kept in a step, and where it is in units of σ.
    waves: Vec<[f64; 3]>,
    /// `-Σσ²/2`, so that the mean of the exponential is one.
    level: f64,
}

impl Activity {
    pub fn new(seed: u64, symbol: &str, spec: &ActivitySpec) -> Self {
        let mut stream = Stream::new(seed, &format!("sim.{symbol}.activity"));
        let begin = |wave: &Wave| [wave.sigma, numeric::exp(-spec.step_s / wave.memory_s), stream.normal()];
        let waves: Vec<_> = spec.waves.iter().map(begin).collect();
        let level = -0.5 * waves.iter().map(|[sigma, ..]| sigma * sigma).sum::<f64>();
        Self { stream, waves, level }
    }

    /// Activity during the next step, business seconds per second. One normal draw a wave.
    pub fn next(&mut self) -> f64 {
        let mut log = self.level;
        for [sigma, keep, at] in &mut self.waves {
            log += *sigma * *at;
            *at = *at * *keep + numeric::sqrt(1.0 - *keep * *keep) * self.stream.normal();
        }
        numeric::exp(log)
    }
}

/// The clock of business time.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Pace {
    activity: Activity,
    step: Nanos,
    /// When the first step in `marks` begins.
    first: Nanos,
    /// Business time at the beginnings of steps; as far as anybody has looked ahead.
    marks: VecDeque<Nanos>,
}

/// Nobody looks further ahead than so many steps; from there on business time is time.
const FAR: usize = 1 << 18;

impl Pace {
    pub fn new(activity: Activity, step_s: f64, birth: Nanos) -> Self {
        Self { activity, step: laws::seconds(step_s), first: birth, marks: VecDeque::from([Nanos::ZERO]) }
    }

    /// When so much business time will have passed since `now`, which never goes back.
    pub fn after(&mut self, now: Nanos, wait: Nanos) -> Nanos {
        while self.first + self.step <= now {
            if self.marks.len() == 1 {
                self.draw();
            }
            self.marks.pop_front();
            self.first += self.step;
        }
        if self.marks.len() == 1 {
            self.draw();
        }
        let part = (now - self.first).0 as f64 / self.step.0 as f64;
        let until = self.marks[0] + Nanos(((self.marks[1] - self.marks[0]).0 as f64 * part) as i64) + wait;
        while self.marks.back().is_some_and(|last| *last <= until) && self.marks.len() <= FAR {
            self.draw();
        }
        let next = self.marks.partition_point(|mark| *mark <= until);
        let began = self.first + Nanos(self.step.0 * (next as i64 - 1));
        let over = (until - self.marks[next - 1]).0;
        let at = match self.marks.get(next) {
            Some(mark) => {
                began + Nanos((over as f64 / (*mark - self.marks[next - 1]).0 as f64 * self.step.0 as f64) as i64)
            }
            None => began + Nanos(over),
        };
        at.max(now)
    }

    /// Without what was drawn ahead.
    pub fn exogenous(&self) -> impl Serialize + '_ {
        (self.first, self.marks[0])
    }

    fn draw(&mut self) {
        let passes = (self.step.0 as f64 * self.activity.next()).min(1e15) as i64;
        let last = self.marks.back().copied().expect("there is always a mark");
        self.marks.push_back(last + Nanos(passes.max(1)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(waves: &[(f64, f64)]) -> ActivitySpec {
        let wave = |&(sigma, memory_s): &(f64, f64)| Wave { sigma, memory_s };
        ActivitySpec { step_s: 1.0, volatility_exponent: 0.5, waves: waves.iter().map(wave).collect() }
    }

    #[test]
    fn its_logarithm_has_the_variance_and_the_memory_that_were_asked_for() {
        // Two waves of σ .5 and .3 that forget in 5 and 20 s: variance .25 + .09, correlation after 10 s
        // (.25·e^-2 + .09·e^-.5)/.34 = .2601; the mean of activity is one.
        let mut activity = Activity::new(1, "A", &spec(&[(0.5, 5.0), (0.3, 20.0)]));
        let n = 200_000;
        let path: Vec<f64> = (0..n).map(|_| activity.next()).collect();
        let mean = path.iter().sum::<f64>() / n as f64;
        let logs: Vec<f64> = path.iter().map(|a| numeric::ln(*a) + 0.17).collect();
        let product = |lag: usize| logs.iter().zip(&logs[lag..]).map(|(a, b)| a * b).sum::<f64>() / (n - lag) as f64;
        // Of some 200 000/20 independent values: errors of 1 % of a variance, of .6 % of the mean.
        assert!((mean - 1.0).abs() < 0.025, "{mean}");
        assert!((product(0) / 0.34 - 1.0).abs() < 0.05, "{}", product(0));
        assert!((product(10) / product(0) - 0.2601).abs() < 0.04, "{}", product(10) / product(0));
    }

    #[test]
    fn business_time_is_counted_exactly_and_whoever_looks_finds_the_same() {
        let pace = || Pace::new(Activity::new(7, "A", &spec(&[(1.0, 10.0)])), 1.0, Nanos::ZERO);
        // Naive: the activity of each second, added up.
        let mut activity = Activity::new(7, "A", &spec(&[(1.0, 10.0)]));
        let rates: Vec<f64> = (0..1_000).map(|_| activity.next()).collect();
        let passed = |from_s: f64, to_s: f64| {
            let overlap = |i: usize| (to_s.min(i as f64 + 1.0) - from_s.max(i as f64)).max(0.0);
            (0..1_000).map(|i| rates[i] * overlap(i)).sum::<f64>()
        };
        let (mut seer, mut plain) = (pace(), pace());
        for i in 0..200 {
            let now_s = 2.3 * f64::from(i);
            let (now, wait) = (laws::seconds(now_s), laws::seconds(0.17 * f64::from(i)));
            seer.after(now, Nanos::from_s(300));
            let at = plain.after(now, wait);
            assert_eq!(at, seer.after(now, wait), "a look ahead changes nothing");
            assert!((passed(now_s, at.seconds()) - wait.seconds()).abs() < 1e-6, "{now_s} {at:?}");
        }
    }

    #[test]
    fn nobody_looks_further_than_there_is_memory_for() {
        let mut pace = Pace::new(Activity::new(7, "A", &spec(&[(0.1, 10.0)])), 1.0, Nanos::ZERO);
        let year = Nanos::from_s(31_536_000);
        let at = pace.after(Nanos::ZERO, year);
        assert!(pace.marks.len() <= FAR + 1 && (at.seconds() / year.seconds() - 1.0).abs() < 0.01, "{at:?}");
    }
}
