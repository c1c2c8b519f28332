//! How heavy tails are.

use std::collections::BTreeMap;

use super::{Estimate, Unmeasured, jackknifed};
use crate::metrics::peak::highest;
use crate::numeric::{exp, ln, ln_1p, pow, sqrt};

/// Fewest observations in a tail.
pub const TAIL_MIN: usize = 20;

/// Tail index of the `k` largest magnitudes: `α = 1 / mean ln(x_i / x_{k+1})`, so that `P(|X| > x) ~ x^-α`.
///
/// B. Hill, *A Simple General Approach to Inference about the Tail of a Distribution*, Annals of Statistics 3 (1975).
/// The error is `α/√k`, of independent draws. It is biased where the tail has not begun yet: of a Student's t with three
/// degrees of freedom the largest 5 % give 2.68, the largest 0.2 % 2.97.
///
/// At least `k + 1` values, and the `k + 1`-th may not be zero. In the density the exponent is `α + 1`.
pub fn hill(values: &[f64], k: usize) -> Result<Estimate, Unmeasured> {
    Unmeasured::unless("values in the tail", k, 1)?;
    Unmeasured::unless("values", values.len(), k + 1)?;
    let mut sizes: Vec<f64> = values.iter().map(|value| value.abs()).collect();
    let (tail, threshold, _) = sizes.select_nth_unstable_by(k, |a, b| b.total_cmp(a));
    let threshold = *threshold;
    if threshold <= 0.0 {
        return Err(Unmeasured::Nothing("the tail reaches down to zero"));
    }
    let excess = tail.iter().map(|size| ln(size / threshold)).sum::<f64>() / k as f64;
    if excess <= 0.0 {
        return Err(Unmeasured::Nothing("all values of the tail are equal"));
    }
    let value = 1.0 / excess;
    Ok(Estimate { value, error: value / sqrt(k as f64), n: values.len() })
}

/// [`hill`] of the largest `share` of a series, with an error that knows that large values come together. At least
/// [`TAIL_MIN`] in the tail.
pub fn tail(values: &[f64], share: f64) -> Result<Estimate, Unmeasured> {
    let count = |n: usize| (n as f64 * share) as usize;
    Unmeasured::unless("values in the tail", count(values.len()), TAIL_MIN)?;
    jackknifed(values, |part| Ok(hill(part, count(part.len()))?.value))
}

/// `E|r|/σ` about the mean: 0.7979 of a normal distribution, less the heavier the tails. At least 100 returns.
///
/// Takaishi (2021) has 0.697 for Bitcoin; Student's t of 3 to 5 degrees of freedom has .637 to .735.
pub fn mean_abs_over_sigma(returns: &[f64]) -> Result<Estimate, Unmeasured> {
    Unmeasured::unless("returns", returns.len(), 100)?;
    jackknifed(returns, |part| {
        let mean = mean(part);
        let absolute = part.iter().map(|r| (r - mean).abs()).sum::<f64>() / part.len() as f64;
        let sigma = sqrt(moments(part).0);
        if sigma > 0.0 { Ok(absolute / sigma) } else { Err(Unmeasured::Nothing("the price never moved")) }
    })
}

/// `m₄/m₂²`: 3 of a normal distribution. At least 100 returns.
pub fn kurtosis(returns: &[f64]) -> Result<Estimate, Unmeasured> {
    Unmeasured::unless("returns", returns.len(), 100)?;
    jackknifed(returns, |part| match moments(part) {
        (square, fourth) if square > 0.0 => Ok(fourth / (square * square)),
        _ => Err(Unmeasured::Nothing("the price never moved")),
    })
}

fn mean(of: &[f64]) -> f64 {
    of.iter().sum::<f64>() / of.len() as f64
}

/// Mean square, and mean of the squares' squares, about the mean.
fn moments(of: &[f64]) -> (f64, f64) {
    let (mean, n) = (mean(of), of.len() as f64);
    let squares = || of.iter().map(|r| (r - mean) * (r - mean));
    (squares().sum::<f64>() / n, squares().map(|square| square * square).sum::<f64>() / n)
}

/// A power law from zero on: `P(X ≥ x) = (1 + x/scale)^-exponent` (Lomax, or Pareto of the second kind); the density
/// falls as `x^-(1 + exponent)` beyond `scale`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Lomax {
    /// μ, of the survival function.
    pub exponent: Estimate,
    /// Where the power law begins, in units of `x`.
    pub scale: f64,
}

/// The likeliest [`Lomax`] of whole numbers, each of which stands for `x ≤ X < x + 1`.
///
/// This is the form of J.-P. Bouchaud, M. Mézard & M. Potters, *Statistical Properties of Stock Order Books*, Quantitative
/// Finance 2 (2002), eq. 2, for how far from the best price orders are placed. Values above 64 are taken together in cells of
/// 4 % width, of which the likelihood is exact too. The error is that of the Fisher information, `μ(μ + 1)/√n`.
///
/// * `counts` — how many of each value, from zero up
///
/// At least 100 values of three kinds; a tail no heavier than exponential has no exponent.
pub fn lomax(counts: &BTreeMap<i64, u64>) -> Result<Lomax, Unmeasured> {
    let n = counts.values().sum::<u64>() as usize;
    Unmeasured::unless("values", n, 100)?;
    Unmeasured::unless("different values", counts.len(), 3)?;
    let cells = cells(counts);
    let largest = cells.last().expect("three kinds of values").1;
    let likelihood = |scale: f64, exponent: f64| {
        let survive = |x: f64| if x.is_infinite() { 0.0 } else { exp(-exponent * ln_1p(x / scale)) };
        cells.iter().map(|(low, high, count)| count * ln((survive(*low) - survive(*high)).max(1e-300))).sum::<f64>()
    };
    let exponent_of = |scale: f64| highest(ln(0.02), ln(50.0), |log| likelihood(scale, exp(log)));
    let (low, high) = (ln(0.02), ln(100.0 * largest));
    let log_scale = highest(low, high, |log| likelihood(exp(log), exp(exponent_of(exp(log)))));
    let exponent = exp(exponent_of(exp(log_scale)));
    if high - log_scale < 0.01 || exponent > 49.0 {
        return Err(Unmeasured::Nothing("no power law: the tail is no heavier than an exponential's"));
    }
    let error = exponent * (exponent + 1.0) / sqrt(n as f64);
    Ok(Lomax { exponent: Estimate { value: exponent, error, n }, scale: exp(log_scale) })
}

/// `(low, high, count)`: values one by one up to 64, then in cells that grow by 4 %.
fn cells(counts: &BTreeMap<i64, u64>) -> Vec<(f64, f64, f64)> {
    let mut cells: Vec<(f64, f64, f64)> = Vec::new();
    for (&value, &count) in counts {
        let (value, count) = (value.max(0) as f64, count as f64);
        match cells.last_mut() {
            Some((_, high, sum)) if value < *high => *sum += count,
            Some(_) | None => {
                let low = if value < 64.0 { value } else { pow(1.04, (ln(value) / ln(1.04)).floor()).ceil() };
                let low = low.min(value);
                let high = if value < 64.0 { value + 1.0 } else { (low * 1.04).ceil() };
                cells.push((low, high.max(value + 1.0), count));
            }
        }
    }
    cells
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Stream;

    /// Student's t with three degrees of freedom: `z/√(χ²/3)`.
    fn student_3(stream: &mut Stream) -> f64 {
        let square: f64 = (0..3).map(|_| stream.normal()).map(|z| z * z).sum();
        stream.normal() / sqrt(square / 3.0)
    }

    #[test]
    fn the_tail_of_an_exact_pareto_sample_is_the_published_one() {
        // quant/TARGETS.md §6.5: x_i = (1 - (i - .5)/1000)^(-1/3).
        let sample: Vec<f64> = (1..=1000).map(|i| pow(1.0 - (f64::from(i) - 0.5) / 1000.0, -1.0 / 3.0)).collect();
        for (k, index) in [(50, 2.990_920_98), (100, 2.995_429_06)] {
            let found = hill(&sample, k).unwrap();
            assert!((found.value - index).abs() < 6e-9, "{found:?}");
            assert_eq!((found.error, found.n), (found.value / sqrt(k as f64), 1000));
        }
    }

    #[test]
    fn a_student_tail_is_lighter_far_out_than_near() {
        // The targets' draws: 2.684, 2.816 and 2.965 at 5, 1 and 0.2 % of 100 000. Ours are others, so each may be off by
        // four of its errors, α/√k.
        let mut stream = Stream::new(5, "facts.student");
        let draws: Vec<f64> = (0..100_000).map(|_| student_3(&mut stream)).collect();
        for (k, index) in [(5_000, 2.684), (1_000, 2.816), (200, 2.965)] {
            let found = hill(&draws, k).unwrap();
            assert!((found.value - index).abs() < 4.0 * found.error, "{k}: {found:?}, not {index}");
        }
        let shared = tail(&draws, 0.05).unwrap();
        assert_eq!(shared.value, hill(&draws, 5_000).unwrap().value);
        // Independent draws: the jackknife agrees with α/√k, as well as twenty runs can tell.
        assert!((0.5..2.0).contains(&(shared.error / (shared.value / sqrt(5_000.0)))), "{shared:?}");
    }

    #[test]
    fn there_is_no_tail_where_there_are_no_values() {
        assert!(hill(&[1.0, 2.0], 2).is_err() && hill(&[1.0; 9], 3).is_err() && hill(&[0.0; 9], 3).is_err());
        let Err(Unmeasured::TooFew { found: 19, needed: TAIL_MIN, .. }) = tail(&[1.0; 399], 0.05) else {
            panic!("399 returns have 19 in their tail");
        };
    }

    #[test]
    fn a_normal_and_a_student_sample_are_told_apart() {
        let mut stream = Stream::new(6, "facts.moments");
        let normal: Vec<f64> = (0..40_000).map(|_| stream.normal()).collect();
        let student: Vec<f64> = (0..40_000).map(|_| student_3(&mut stream)).collect();
        let found = mean_abs_over_sigma(&normal).unwrap();
        assert!((found.value - 0.797_885).abs() < 4.0 * found.error && found.error < 0.003, "{found:?}");
        // E|t₃|/σ = (2√3/π)/√3 = 2/π.
        let found = mean_abs_over_sigma(&student).unwrap();
        assert!((found.value - std::f64::consts::FRAC_2_PI).abs() < 4.0 * found.error.max(0.01), "{found:?}");
        let found = kurtosis(&normal).unwrap();
        assert!((found.value - 3.0).abs() < 4.0 * found.error && found.error < 0.1, "{found:?}");
        assert!(kurtosis(&student).unwrap().value > 6.0);
        // By hand, of 50 ones and 50 minus ones: |r| = σ = 1, m₄ = m₂² = 1.
        let coin: Vec<f64> = (0..100).map(|i| if i % 2 == 0 { 1.0 } else { -1.0 }).collect();
        assert_eq!((mean_abs_over_sigma(&coin).unwrap().value, kurtosis(&coin).unwrap().value), (1.0, 1.0));
        assert!(kurtosis(&coin[1..]).is_err() && kurtosis(&[2.0; 100]).is_err());
    }

    #[test]
    fn the_power_law_that_made_the_placements_is_found() {
        // Placement as the simulated crowd draws it: ⌊scale·(u^(-1/μ) - 1)⌋.
        let mut stream = Stream::new(7, "facts.lomax");
        for (exponent, scale) in [(0.6, 5.0), (1.5, 120.0), (2.5, 1.0)] {
            let mut counts = BTreeMap::new();
            for _ in 0..20_000 {
                let depth = (scale * (pow(1.0 - stream.uniform(), -1.0 / exponent) - 1.0)) as i64;
                *counts.entry(depth).or_insert(0) += 1;
            }
            let found = lomax(&counts).unwrap();
            let far = (found.exponent.value - exponent).abs();
            assert!(far < 4.0 * found.exponent.error && found.exponent.error < 0.08, "{exponent}: {found:?}");
            assert!((found.scale / scale - 1.0).abs() < 0.2, "{scale}: {found:?}");
        }
        // Everything within two ticks has no tail.
        assert!(lomax(&BTreeMap::from([(0, 100), (1, 100)])).is_err());
        let geometric: BTreeMap<i64, u64> = (0..12).map(|x| (x, 4096 >> x)).collect();
        assert!(lomax(&geometric).is_err(), "{:?}", lomax(&geometric));
    }
}
