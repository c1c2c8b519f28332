//! Stylised facts: what real markets have in common, measured.
//!
//! Three parts. The estimators ([`tails`], [`memory`], [`arrivals`], [`hawkes`], [`impact`], [`fit`]) are pure functions of
//! a series: each says its definition, its source, and how many observations it wants before it says anything. [`tape`]
//! makes the series from what a market told, recorded or simulated. [`bands`] asks every question of a tape and holds
//! the answers against what real markets show.
//!
//! A number comes with its error and its sample size ([`Estimate`]), or with the reason why there is none
//! ([`Unmeasured`]); a market is never judged by a guess.
//!
//! Reading order: [`bands`], then whichever estimator is doubted.

pub mod arrivals;
pub mod bands;
pub mod curves;
pub mod fit;
pub mod hawkes;
pub mod impact;
pub mod memory;
pub mod tails;
pub mod tape;

use serde::Serialize;

use crate::numeric::sqrt;

/// A number, how far off it may be, and of how many observations.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Estimate {
    /// The point estimate.
    pub value: f64,
    /// One standard error.
    pub error: f64,
    /// Observations used.
    pub n: usize,
}

/// Why there is no number.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Unmeasured {
    /// The sample is too small to say anything.
    #[error("{found} {of}, at least {needed} are needed")]
    TooFew {
        /// What is counted.
        of: &'static str,
        /// How many there are.
        found: usize,
        /// How many it takes.
        needed: usize,
    },
    /// The sample has no answer, however large: it says why.
    #[error("{0}")]
    Nothing(&'static str),
}

impl Unmeasured {
    /// `Ok` if there are at least `needed`.
    pub fn unless(of: &'static str, found: usize, needed: usize) -> Result<(), Self> {
        if found < needed { Err(Self::TooFew { of, found, needed }) } else { Ok(()) }
    }
}

/// Runs of a series that are left out, one at a time, to see how much a statistic depends on them.
pub const BLOCKS: usize = 20;

/// A statistic of a series that hangs together (a wild minute follows a wild minute), with the error of the
/// delete-a-block jackknife: the statistic again without each of [`BLOCKS`] runs in turn,
/// `error² = (B-1)/B · Σ (θ_b - mean θ)²`.
///
/// H. Künsch, *The Jackknife and the Bootstrap for General Stationary Observations*, Annals of Statistics 17 (1989), with
/// runs that do not overlap. What hangs together for longer than a twentieth of the series makes it too small.
///
/// Fails as `statistic` does on the whole; a part that has none is left out.
pub fn jackknifed<T: Copy>(
    series: &[T],
    statistic: impl Fn(&[T]) -> Result<f64, Unmeasured>,
) -> Result<Estimate, Unmeasured> {
    let value = statistic(series)?;
    let n = series.len();
    let mut rest = Vec::with_capacity(n);
    let mut parts = Vec::with_capacity(BLOCKS);
    for b in 0..BLOCKS {
        let (from, to) = (n * b / BLOCKS, n * (b + 1) / BLOCKS);
        rest.clear();
        rest.extend_from_slice(&series[..from]);
        rest.extend_from_slice(&series[to..]);
        parts.extend(statistic(&rest).ok());
    }
    Ok(Estimate { value, error: jackknife_error(&parts), n })
}

/// The error that goes with the statistics of the parts.
///
/// * `parts` — the statistic without each run
pub fn jackknife_error(parts: &[f64]) -> f64 {
    let count = parts.len() as f64;
    let mean = parts.iter().sum::<f64>() / count;
    sqrt((count - 1.0) / count * parts.iter().map(|part| (part - mean) * (part - mean)).sum::<f64>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Stream;

    #[test]
    fn the_jackknife_of_a_mean_is_its_standard_error() {
        // 20 values, one per run: the mean without value i is (210 - i)/19, the jackknife of a mean is s/√n exactly,
        // s² = (n² - 1)/12 · n/(n - 1) = 35 for 1..20, so the error is √(35/20) = 1.322875655532295.
        let series: Vec<f64> = (1..=20).map(f64::from).collect();
        let mean = |part: &[f64]| Ok(part.iter().sum::<f64>() / part.len() as f64);
        let found = jackknifed(&series, mean).unwrap();
        assert_eq!((found.value, found.n), (10.5, 20));
        assert!((found.error - 1.322_875_655_532_295).abs() < 1e-12, "{found:?}");
    }

    #[test]
    fn it_knows_that_what_hangs_together_says_less() {
        // Every draw written down ten times: the mean is as sure as of the draws themselves.
        let mut stream = Stream::new(3, "facts.jackknife");
        let draws: Vec<f64> = (0..4_000).map(|_| stream.normal()).collect();
        let doubled: Vec<f64> = draws.iter().flat_map(|draw| [*draw; 10]).collect();
        let mean = |part: &[f64]| Ok(part.iter().sum::<f64>() / part.len() as f64);
        let (once, ten) = (jackknifed(&draws, mean).unwrap().error, jackknifed(&doubled, mean).unwrap().error);
        assert!((once / ten - 1.0).abs() < 1e-9, "{once} and {ten}");
        // 1/√4000 = 0.0158; the error of an error from 20 runs is a sixth of it.
        assert!((once / 0.0158 - 1.0).abs() < 0.5, "{once}");
    }
}
