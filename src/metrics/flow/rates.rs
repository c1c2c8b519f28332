//! How often something comes: a Poisson process, or arrivals that bring others.

use crate::metrics::facts::{Estimate, Unmeasured, hawkes};
use crate::numeric::{ln, sqrt};
use crate::sim::arrivals::ArrivalSpec;

/// Fewest arrivals of a rate.
const FEWEST: usize = 100;
/// Arrivals the Hawkes process is fitted to.
const HAWKES_MAX: usize = 100_000;
/// A simulated process may not bring more than this.
const BRANCHING_MAX: f64 = 0.95;

/// A rate, and what the arrivals' memory is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rate {
    /// All arrivals, 1 / second; if they bring others its error is `√(λ/T)/(1 - n)`.
    pub mean: Estimate,
    /// The likeliest Hawkes process, if there are arrivals enough for one.
    pub hawkes: Option<hawkes::Hawkes>,
    /// By how much Akaike's criterion prefers it to the Poisson process: twice the gain in ln-likelihood less 2 for each of two
    /// parameters more.
    pub aic_gain: f64,
    /// The same by Schwarz's criterion: less ln n for each.
    pub bic_gain: f64,
}

impl Rate {
    /// Both criteria prefer arrivals that bring others.
    pub fn is_excited(&self) -> bool {
        self.hawkes.is_some() && self.aic_gain > 0.0 && self.bic_gain > 0.0
    }

    /// The likelier process, as a simulated flow wants it, with `share` of these arrivals: a part of them has the same
    /// excitement.
    pub fn process(&self, share: f64) -> ArrivalSpec {
        match self.hawkes.filter(|_| self.is_excited()) {
            Some(found) => {
                let branching = found.branching.value.min(BRANCHING_MAX);
                ArrivalSpec {
                    per_s: share * self.mean.value * (1.0 - branching),
                    branching,
                    decay_per_s: found.decay.value,
                    day: Vec::new(),
                }
            }
            None => ArrivalSpec::poisson(share * self.mean.value),
        }
    }
}

/// The rate of arrivals observed for `length_s`.
///
/// * `times_s` — ascending, since the beginning of the observation
/// * `clock_s` — what the clock, or the feed that bundles news, can tell apart; times within it are spread over it
pub fn rate(times_s: &[f64], length_s: f64, clock_s: f64) -> Result<Rate, Unmeasured> {
    Unmeasured::unless("arrivals", times_s.len(), FEWEST)?;
    let n = times_s.len() as f64;
    let mean = n / length_s;
    let mut part = times_s[..times_s.len().min(HAWKES_MAX)].to_vec();
    let observed = if part.len() < times_s.len() { part[part.len() - 1] } else { length_s };
    if clock_s > 1e-6 {
        hawkes::spread(&mut part, clock_s, 1);
    }
    let observed = part.last().map_or(observed, |last| last.max(observed));
    let found = hawkes::fit(&part, observed, clock_s.max(1e-9)).ok();
    let gain = found.map_or(0.0, |found| found.gain);
    let (aic_gain, bic_gain) = (2.0 * gain - 4.0, 2.0 * gain - 2.0 * ln(part.len() as f64));
    let excited = found.filter(|_| aic_gain > 0.0 && bic_gain > 0.0);
    let family = excited.map_or(1.0, |found| 1.0 / (1.0 - found.branching.value.min(BRANCHING_MAX)));
    let error = sqrt(n) / length_s * family;
    Ok(Rate { mean: Estimate { value: mean, error, n: times_s.len() }, hawkes: found, aic_gain, bic_gain })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Stream;

    /// Arrivals of a Poisson process.
    fn poisson(per_s: f64, length_s: f64) -> Vec<f64> {
        let mut stream = Stream::new(1, "flow.rates");
        let mut now = 0.0;
        std::iter::from_fn(|| {
            now += stream.exponential(1.0 / per_s);
            (now < length_s).then_some(now)
        })
        .collect()
    }

    #[test]
    fn independent_arrivals_are_called_so() {
        let found = rate(&poisson(4.0, 1_000.0), 1_000.0, 1e-9).unwrap();
        // √4000/1000 = .063.
        assert!((found.mean.value - 4.0).abs() < 3.0 * found.mean.error && found.mean.error < 0.065, "{found:?}");
        assert!(!found.is_excited() && found.process(0.5).branching == 0.0, "{found:?}");
        assert!((found.process(0.5).per_s - 0.5 * found.mean.value).abs() < 1e-12);
        assert!(rate(&[1.0; 99], 10.0, 1e-9).is_err());
    }

    #[test]
    fn pairs_are_arrivals_that_bring_others() {
        // Every arrival brings exactly one more, soon: half of all were brought.
        let mut stream = Stream::new(2, "flow.pairs");
        let mut times: Vec<f64> =
            poisson(2.0, 1_000.0).into_iter().flat_map(|time| [time, time + stream.exponential(0.05)]).collect();
        times.sort_by(f64::total_cmp);
        let found = rate(&times, 1_001.0, 1e-9).unwrap();
        assert!(found.is_excited() && found.aic_gain > found.bic_gain, "{found:?}");
        let process = found.process(1.0);
        assert!((0.35..0.6).contains(&process.branching), "{process:?}");
        // Base over (1 - n) is the rate that was seen.
        assert!((process.per_s / (1.0 - process.branching) - found.mean.value).abs() < 1e-9, "{process:?}");
    }
}
