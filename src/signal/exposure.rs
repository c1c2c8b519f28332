//! A and k from quotes that stood: seconds of exposure and fills per distance.
//!
//! The other way to measure what [`super::ReachDepth`] estimates on-line, for calibration from recordings and
//! simulations: quotes (real or virtual) stood `exposure_s` seconds at distance δ and were filled `fills` times.

use super::Intensity;
use crate::numeric;

/// What happened at one distance.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ExposureBin {
    /// δ, ticks from the mid.
    pub distance: f64,
    /// How long a quote stood there, seconds.
    pub exposure_s: f64,
    /// How often it was filled.
    pub fills: f64,
}

/// `ln(N/E) = ln A - k·δ` by least squares, each bin weighing one or its fills. Bins without fills say nothing here.
///
/// `None` with fewer than two distances that saw fills.
pub fn fit_least_squares(bins: &[ExposureBin], weigh_by_fills: bool) -> Option<Intensity> {
    let (mut w, mut wx, mut wy, mut wxx, mut wxy) = (0.0, 0.0, 0.0, 0.0, 0.0);
    for b in bins.iter().filter(|b| b.fills > 0.0 && b.exposure_s > 0.0) {
        let weight = if weigh_by_fills { b.fills } else { 1.0 };
        let y = numeric::ln(b.fills / b.exposure_s);
        w += weight;
        wx += weight * b.distance;
        wy += weight * y;
        wxx += weight * b.distance * b.distance;
        wxy += weight * b.distance * y;
    }
    let determinant = w * wxx - wx * wx;
    if determinant <= 1e-12 * w * wxx {
        return None;
    }
    let slope = (w * wxy - wx * wy) / determinant;
    Some(Intensity { a: numeric::exp((wy - slope * wx) / w), k: -slope })
}

/// The fit that makes the fills most likely, and its standard errors `(se ln A, se k)`.
///
/// Fills are Poisson with mean `E_j·A·e^{-kδ_j}`: Newton's method on `Σ(N - μ) = 0`, `Σδ(N - μ) = 0`, started from
/// the weighted least squares. `None` where that has no answer or the iteration finds none.
pub fn fit_poisson(bins: &[ExposureBin]) -> Option<(Intensity, [f64; 2])> {
    let start = fit_least_squares(bins, true)?;
    let (mut ln_a, mut k) = (numeric::ln(start.a), start.k);
    for _ in 0..100 {
        let (mut g0, mut g1, mut h00, mut h01, mut h11) = (0.0, 0.0, 0.0, 0.0, 0.0);
        for b in bins {
            let expected = b.exposure_s * numeric::exp(ln_a - k * b.distance);
            g0 += b.fills - expected;
            g1 -= b.distance * (b.fills - expected);
            h00 += expected;
            h01 -= b.distance * expected;
            h11 += b.distance * b.distance * expected;
        }
        let determinant = h00 * h11 - h01 * h01;
        if !(determinant > 0.0 && determinant.is_finite()) {
            return None;
        }
        let (d0, d1) = ((h11 * g0 - h01 * g1) / determinant, (h00 * g1 - h01 * g0) / determinant);
        ln_a += d0;
        k += d1;
        if d0.abs() + d1.abs() < 1e-13 {
            let errors = [numeric::sqrt(h11 / determinant), numeric::sqrt(h00 / determinant)];
            return Some((Intensity { a: numeric::exp(ln_a), k }, errors));
        }
    }
    None
}

/// The rate behind a share of intervals that were hit: `λ = -ln(1 - p)/Δt`.
///
/// Counting intervals in which a distance was reached, instead of how often it was, reads low by exactly this.
pub fn rate_from_hit_share(share: f64, interval_s: f64) -> f64 {
    -numeric::ln_1p(-share) / interval_s
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Vec<ExposureBin> {
        [402.0, 190.0, 88.0, 47.0, 19.0, 11.0]
            .iter()
            .enumerate()
            .map(|(i, &fills)| ExposureBin { distance: 0.5 * (i + 1) as f64, exposure_s: 600.0, fills })
            .collect()
    }

    fn is(fit: Intensity, a: f64, k: f64) {
        assert!((fit.a - a).abs() < 5e-9 && (fit.k - k).abs() < 5e-9, "{fit:?} is not A = {a}, k = {k}");
    }

    #[test]
    fn three_regressions_agree_with_the_reference() {
        // quant/TARGETS.md section 3.2.
        is(fit_least_squares(&table(), false).unwrap(), 1.36078128, 1.45872735);
        is(fit_least_squares(&table(), true).unwrap(), 1.39387684, 1.47537636);
        let (fit, [se_ln_a, se_k]) = fit_poisson(&table()).unwrap();
        is(fit, 1.39536818, 1.47701415);
        assert!((se_ln_a - 0.06881954).abs() < 5e-9 && (se_k - 0.06342420).abs() < 5e-9, "{se_ln_a} {se_k}");
    }

    #[test]
    fn one_distance_fits_nothing() {
        assert_eq!(fit_least_squares(&table()[..1], true), None);
        assert_eq!(fit_poisson(&[]), None);
    }

    #[test]
    fn counting_hit_intervals_is_biased_and_the_correction_is_exact() {
        // True A = 1.5, k = 1.2; one-second intervals read (1.0235, 1.0623) (TARGETS section 3.3).
        let bins = |rate: &dyn Fn(f64) -> f64| {
            let bin = |i: i32| {
                let distance = 0.5 * f64::from(i);
                let hit = -numeric::exp_m1(-1.5 * numeric::exp(-1.2 * distance));
                ExposureBin { distance, exposure_s: 1.0, fills: rate(hit) }
            };
            (1..=6).map(bin).collect::<Vec<_>>()
        };
        let naive = fit_least_squares(&bins(&|hit| hit), false).unwrap();
        assert!((naive.a - 1.02349).abs() < 5e-6 && (naive.k - 1.06225).abs() < 5e-6, "{naive:?}");
        is(fit_least_squares(&bins(&|hit| rate_from_hit_share(hit, 1.0)), false).unwrap(), 1.5, 1.2);
    }
}
