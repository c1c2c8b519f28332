//! The population stability index.

use crate::numeric;

/// A share that is counted as this where nothing fell into a bin: the index is infinite otherwise.
const LEAST: f64 = 1e-4;

/// `Σ (aᵢ - eᵢ) ln(aᵢ/eᵢ)` of the shares `actual` found in bins where `expected` were; 0 where they are the same.
/// Below 0.1 counts as stable and above 0.25 as another population, whatever the sample size: see [`psi_by_chance`].
///
/// Shares below 0.0001 count as that.
pub fn psi(expected: &[f64], actual: &[f64]) -> f64 {
    let term = |(e, a): (&f64, &f64)| {
        let (e, a) = (e.max(LEAST), a.max(LEAST));
        (a - e) * numeric::ln(a / e)
    };
    expected.iter().zip(actual).map(term).sum()
}

/// What chance alone exceeds with probability `p` when samples of `n` and `m` independent draws of one population are held
/// against each other in `bins ≥ 2`: `(1/n + 1/m)` times a chi-square of one degree less than there are bins
/// (Yurdakul & Naranjo, *Statistical properties of the population stability index*, Journal of Risk Model Validation 2020).
pub fn psi_by_chance(n: usize, m: usize, bins: u32, p: f64) -> f64 {
    (1.0 / n as f64 + 1.0 / m as f64) * numeric::chi_square::exceeded_by(p, bins - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_goldens_of_targets_8() {
        let even = [0.1; 10];
        let near = [0.05, 0.08, 0.09, 0.1, 0.1, 0.11, 0.12, 0.12, 0.11, 0.12];
        let far = [0.02, 0.05, 0.08, 0.09, 0.1, 0.11, 0.12, 0.13, 0.14, 0.16];
        assert!((psi(&even, &near) - 0.053_019_332_2).abs() < 1e-10, "{}", psi(&even, &near));
        assert!((psi(&even, &far) - 0.223_058_436_3).abs() < 1e-10);
        assert_eq!(psi(&even, &even), 0.0);
        assert!((psi_by_chance(1_000, 1_000, 10, 0.05) - 0.033_838).abs() < 5e-7);
        assert!((psi_by_chance(10_000, 10_000, 10, 0.05) - 0.003_384).abs() < 5e-7);
    }

    #[test]
    fn an_empty_bin_is_much_and_not_infinite() {
        // (0 as 0.0001 - 0.5) ln 0.0002 + (1 - 0.5) ln 2
        let by_hand = -0.499_9 * -8.517_193_191_416_238 + 0.5 * std::f64::consts::LN_2;
        assert!((psi(&[0.5, 0.5], &[0.0, 1.0]) - by_hand).abs() < 1e-12);
    }
}
