//! How long a series remembers, as the mean length of the runs it is resampled in.
//!
//! D. Politis & H. White, *Automatic Block-Length Selection for the Dependent Bootstrap*, Econometric Reviews 23 (2004),
//! §3.2, with the constant corrected by A. Patton, D. Politis & H. White, Econometric Reviews 28 (2009), 372–375: of the
//! stationary bootstrap
//!
//! `b = (2·G²/D)^{1/3}·n^{1/3}`, `G = Σ_k λ(k/M)·|k|·R(k)`, `D = 2·g²`, `g = Σ_k λ(k/M)·R(k)`, sums over `-M … M`,
//!
//! with `R` the autocovariance, `λ` flat to a half and then falling to zero at one, and `M` twice the last lag that matters:
//! the next `max(5, ⌈√log₁₀ n⌉)` autocorrelations are all below `2·√(log₁₀ n / n)`.
//!
//! Of an AR(1) with correlation ρ that is `(2ρ/(1 - ρ²))^{2/3}·n^{1/3}`.

use super::returns::mean;
use crate::numeric::{ln, pow, sqrt};

/// Mean run length for the stationary bootstrap of a series, periods; 1 where nothing hangs together, at most
/// `min(3·√n, n/3)`.
pub fn block_length(series: &[f64]) -> f64 {
    let n = series.len() as f64;
    let Some(middle) = mean(series) else { return 1.0 };
    let off: Vec<f64> = series.iter().map(|x| x - middle).collect();
    let covariance = |lag: usize| off.iter().zip(&off[lag..]).map(|(a, b)| a * b).sum::<f64>() / n;
    let variance = covariance(0);
    // A handful of values says nothing of how they follow each other.
    if series.len() < 9 || variance <= 0.0 {
        return 1.0;
    }
    let digits = ln(n) / std::f64::consts::LN_10;
    let quiet = sqrt(digits).ceil().max(5.0) as usize;
    let lags = (sqrt(n).ceil() as usize + quiet).min(series.len() - 1);
    let r: Vec<f64> = (0..=lags).map(covariance).collect();
    let matters = |lag: usize| (r[lag] / variance).abs() >= 2.0 * sqrt(digits / n);
    let is_last = |lag: &usize| (lag + 1..=lag + quiet).all(|next| !matters(next));
    let last = (0..=lags.saturating_sub(quiet)).find(is_last);
    let last = last.unwrap_or_else(|| (1..=lags).rev().find(|lag| matters(*lag)).unwrap_or(0));
    let m = (2 * last).min(lags);
    let (mut g, mut big_g) = (variance, 0.0);
    for (lag, covariance) in r.iter().enumerate().take(m + 1).skip(1) {
        let weight = (2.0 * (1.0 - lag as f64 / m as f64)).min(1.0);
        g += 2.0 * weight * covariance;
        big_g += 2.0 * weight * lag as f64 * covariance;
    }
    let most = (3.0 * sqrt(n)).min(n / 3.0).ceil();
    let length = pow(big_g * big_g / (g * g), 1.0 / 3.0) * pow(n, 1.0 / 3.0);
    // Spectra of what swings to and fro come out near zero: then as short as any.
    if length.is_finite() { length.clamp(1.0, most) } else { 1.0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Stream;

    /// `x_t = rho·x_{t-1} + e_t + theta·e_{t-1}`.
    fn arma(rho: f64, theta: f64, n: usize, seed: u64) -> Vec<f64> {
        let mut draw = Stream::new(seed, "test.block_length");
        let (mut x, mut before) = (0.0, 0.0);
        let mut next = || {
            let e = draw.normal();
            x = rho * x + e + theta * before;
            before = e;
            x
        };
        (0..n).map(|_| next()).collect()
    }

    #[test]
    fn an_ar1_needs_runs_as_long_as_its_formula_says() {
        // (2ρ/(1 - ρ²))^{2/3}·n^{1/3}; at n = 20 000 the cube root is 27.14. 0.5: (4/3)^{2/3} = 1.211, 32.9.
        // 0.8: (1.6/0.36)^{2/3} = 2.703, 73.4. The estimate varies by some tenth.
        for (rho, expected) in [(0.5, 32.9), (0.8, 73.4)] {
            let found: Vec<f64> = (0..5).map(|seed| block_length(&arma(rho, 0.0, 20_000, seed))).collect();
            let middle = mean(&found).expect("five");
            assert!((middle / expected - 1.0).abs() < 0.2, "ρ {rho}: {found:?}, not {expected}");
        }
    }

    #[test]
    fn the_estimate_is_what_numpy_says() {
        // x_t = ρ·x_{t-1} + u_t, with u from Knuth's MMIX generator, seed 7. The formula written in numpy gives the lengths;
        // Python's arch 8.0, which doubles the first lag that does not matter instead of the last that does, 14.14 and 29.37.
        for (rho, expected) in [(0.5, 13.320_012_565_865_333), (0.8, 28.499_080_473_657_55)] {
            let (mut state, mut x) = (7u64, 0.0);
            let mut next = || {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                x = rho * x + (state >> 11) as f64 / (1u64 << 53) as f64 - 0.5;
                x
            };
            let series: Vec<f64> = (0..2_000).map(|_| next()).collect();
            assert!((block_length(&series) - expected).abs() < 1e-9, "ρ {rho}: {}", block_length(&series));
        }
    }

    #[test]
    fn an_ma1_needs_shorter_ones() {
        // θ = 1: R(1) = R(0)/2 and no more, so G = R(0), g = 2·R(0): (1/2)^{2/3} = 0.630, times 27.14 is 17.1.
        let found: Vec<f64> = (0..5).map(|seed| block_length(&arma(0.0, 1.0, 20_000, seed))).collect();
        assert!((mean(&found).expect("five") / 17.1 - 1.0).abs() < 0.2, "{found:?}");
    }

    #[test]
    fn what_does_not_hang_together_is_drawn_one_by_one() {
        let found: Vec<f64> = (0..20).map(|seed| block_length(&arma(0.0, 0.0, 1_000, seed))).collect();
        let single = found.iter().filter(|b| **b == 1.0).count();
        assert!(single >= 15, "{found:?}");
    }

    #[test]
    fn a_series_without_a_shape_has_runs_of_one() {
        for flat in [&[][..], &[1.0; 100], &[1.0, 2.0, 3.0]] {
            assert_eq!(block_length(flat), 1.0);
        }
        // A straight line remembers for ever: as long as is allowed, min(3·√300, 300/3) = 51.96.
        let line: Vec<f64> = (0..300).map(f64::from).collect();
        assert!(block_length(&line) <= 52.0 && block_length(&line) > 20.0, "{}", block_length(&line));
    }
}
