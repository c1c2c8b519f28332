//! When somebody comes: Poisson, by the hour, or in bursts.
//!
//! A Hawkes process with an exponential kernel excites itself: every arrival raises the rate by `n·β`, which decays
//! at rate `β`; `n` is how many children an arrival has. It is drawn exactly and without rejections (Dassios & Zhao,
//! *Exact simulation of Hawkes process with exponentially decaying intensity*, Electronic Communications in
//! Probability 18, 2013): the wait is the shorter of an exponential one for the base rate and one for what is left of
//! the excitement. Only its own arrivals excite it, so that its times depend on nothing in the market.
//!
//! The day's profile thins: an arrival of the base process counts with a probability. Each wait takes three uniform
//! draws, whatever the process.

use serde::{Deserialize, Serialize};

use super::laws;
use super::spec::Check;
use crate::numeric;
use crate::rng::Stream;
use crate::units::Nanos;

/// How arrivals come.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ArrivalSpec {
    /// Arrivals without excitement, at the busiest hour, per second.
    pub per_s: f64,
    /// Children of one arrival on average; 0 is a Poisson process, and from 1 on it would explode.
    #[serde(default)]
    pub branching: f64,
    /// How fast excitement decays, per second.
    #[serde(default = "one")]
    pub decay_per_s: f64,
    /// Activity through the day in equal parts from midnight, relative to its busiest one. Empty: always the same.
    #[serde(default)]
    pub day: Vec<f64>,
}

fn one() -> f64 {
    1.0
}

impl ArrivalSpec {
    /// A Poisson process.
    pub fn poisson(per_s: f64) -> Self {
        Self { per_s, branching: 0.0, decay_per_s: 1.0, day: Vec::new() }
    }

    pub(super) fn check(&self, key: &str, check: &mut Check) {
        check.number(&format!("{key}.per_s"), self.per_s, 0.0..=1e6);
        check.number(&format!("{key}.branching"), self.branching, 0.0..=0.99);
        check.number(&format!("{key}.decay_per_s"), self.decay_per_s, 1e-6..=1e6);
        for (i, share) in self.day.iter().enumerate() {
            check.number(&format!("{key}.day[{i}]"), *share, 0.0..=1.0);
        }
    }
}

const DAY: i64 = 86_400_000_000_000;

/// The process, running.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Arrivals {
    spec: ArrivalSpec,
    /// Rate above the base at the last arrival, just after it; per second.
    excitement: f64,
}

impl Arrivals {
    pub fn new(spec: &ArrivalSpec) -> Self {
        Self { spec: spec.clone(), excitement: 0.0 }
    }

    /// The next arrival, and whether the hour lets it count.
    ///
    /// * `later` — when a wait is over, at least a nanosecond from the last arrival, so that an instant has an end
    #[inline]
    pub fn next(&mut self, stream: &mut Stream, later: impl FnOnce(Nanos) -> Nanos) -> (Nanos, bool) {
        let (base, excited, thin) = (stream.uniform(), stream.uniform(), stream.uniform());
        let ArrivalSpec { per_s, branching, decay_per_s, ref day } = self.spec;
        let mut wait_s = -numeric::ln(1.0 - base) / per_s;
        if branching > 0.0 {
            if self.excitement > 0.0 {
                let d = 1.0 + decay_per_s * numeric::ln(1.0 - excited) / self.excitement;
                if d > 0.0 {
                    wait_s = wait_s.min(-numeric::ln(d) / decay_per_s);
                }
            }
            self.excitement = self.excitement * numeric::exp(-decay_per_s * wait_s) + branching * decay_per_s;
        }
        let at = later(laws::seconds(wait_s));
        let part = |at: Nanos| day[(at.0.rem_euclid(DAY) as f64 / DAY as f64 * day.len() as f64) as usize];
        (at, day.is_empty() || thin < part(at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Counts in windows of a second, over `s` seconds.
    fn counts(spec: &ArrivalSpec, s: usize) -> Vec<f64> {
        let (mut process, mut stream) = (Arrivals::new(spec), Stream::new(5, "arrivals"));
        let (mut counts, mut now) = (vec![0.0; s], Nanos::ZERO);
        loop {
            let (at, counts_now) = process.next(&mut stream, |wait| now + wait.max(Nanos(1)));
            now = at;
            match counts.get_mut((at.0 / 1_000_000_000) as usize) {
                Some(count) if counts_now => *count += 1.0,
                Some(_) => {}
                None => return counts,
            }
        }
    }

    fn mean_and_fano(counts: &[f64]) -> (f64, f64) {
        let n = counts.len() as f64;
        let mean = counts.iter().sum::<f64>() / n;
        (mean, counts.iter().map(|c| (c - mean) * (c - mean)).sum::<f64>() / n / mean)
    }

    #[test]
    fn excitement_multiplies_the_rate_and_the_bursts_as_the_formulas_say() {
        // A stationary Hawkes process has the rate μ/(1-n), and over long windows the Fano factor 1/(1-n)²; over
        // windows of T seconds with c = β(1-n): 1/(1-n)² - (1/(1-n)² - 1)·(1-e^(-cT))/(cT) (Hawkes 1971).
        let (mean, fano) = mean_and_fano(&counts(&ArrivalSpec::poisson(5.0), 20_000));
        assert!((mean - 5.0).abs() < 0.08 && (fano - 1.0).abs() < 0.05, "{mean} {fano}");
        let spec = ArrivalSpec { per_s: 2.0, branching: 0.6, decay_per_s: 10.0, day: Vec::new() };
        let (mean, fano) = mean_and_fano(&counts(&spec, 20_000));
        // 2/.4 = 5; c = 4, 1/(1-n)² = 6.25: 6.25 - 5.25·(1-e^-4)/4 = 4.962.
        assert!((mean - 5.0).abs() < 0.2, "{mean}");
        assert!((fano - 4.962).abs() < 0.35, "{fano}");
    }

    #[test]
    fn a_quiet_hour_is_quiet() {
        let spec = ArrivalSpec { day: vec![1.0, 0.25], ..ArrivalSpec::poisson(0.5) };
        let counts = counts(&spec, 86_400);
        let half = |part: &[f64]| part.iter().sum::<f64>();
        // 21 600 before noon and 5 400 after it, give or take five standard deviations.
        assert!((half(&counts[..43_200]) - 21_600.0).abs() < 735.0);
        assert!((half(&counts[43_200..]) - 5_400.0).abs() < 368.0);
    }
}
