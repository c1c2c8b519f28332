//! Lines and power laws through points.

use super::{Estimate, Unmeasured};
use crate::numeric::{ln, pow, sqrt};

/// A line through points by least squares: `y = level + slope·x`, errors as if residuals were independent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Line {
    /// At `x = 0`.
    pub level: f64,
    /// Per unit of `x`.
    pub slope: Estimate,
}

/// The line through `points`, `(x, y)`. At least three, at more than one `x`.
pub fn line(points: &[(f64, f64)]) -> Result<Line, Unmeasured> {
    Unmeasured::unless("points of a line", points.len(), 3)?;
    let n = points.len() as f64;
    let (mean_x, mean_y) = (points.iter().map(|p| p.0).sum::<f64>() / n, points.iter().map(|p| p.1).sum::<f64>() / n);
    let spread: f64 = points.iter().map(|(x, _)| (x - mean_x) * (x - mean_x)).sum();
    if spread <= 0.0 {
        return Err(Unmeasured::Nothing("all points of the line are at one place"));
    }
    let slope = points.iter().map(|(x, y)| (x - mean_x) * (y - mean_y)).sum::<f64>() / spread;
    let level = mean_y - slope * mean_x;
    let rest: f64 = points.iter().map(|(x, y)| (y - level - slope * x) * (y - level - slope * x)).sum();
    let error = sqrt(rest / (n - 2.0) / spread);
    Ok(Line { level, slope: Estimate { value: slope, error, n: points.len() } })
}

/// `y = level·x^exponent` through points with positive `x` and `y`, by a line through their logarithms.
pub fn log_log(points: &[(f64, f64)]) -> Result<Line, Unmeasured> {
    let logs: Vec<_> = points.iter().map(|&(x, y)| (ln(x), ln(y))).collect();
    line(&logs)
}

/// A power law `y = factor·x^exponent`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PowerLaw {
    /// λ, in units of `y`.
    pub factor: Estimate,
    /// γ.
    pub exponent: Estimate,
}

/// One observation of a curve.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Weighted {
    /// Positive.
    pub x: f64,
    /// Of either sign.
    pub y: f64,
    /// Of the squared residual; the aggregate impact of arXiv 2510.22206 takes the root of the number of
    /// observations.
    pub weight: f64,
}

/// Exponents that are looked at.
const EXPONENTS: (f64, f64) = (-3.0, 3.0);

/// The power law with the least `Σ w·(λ·x^γ - y)²`. Not through logarithms, so noise may make a `y` negative.
///
/// For a given γ the best λ is `Σ w·x^γ·y / Σ w·x^2γ`; of what then remains the derivative
/// `Σ w·(λ·x^γ - y)·λ·x^γ·ln x` is brought to zero by halving, in the lowest of the valleys that a scan of γ in
/// -3…3 finds. Errors by Gauss and Newton: `s²·(JᵀWJ)⁻¹` with `s² = Σ w·r²/(n - 2)`.
///
/// At least four points.
pub fn power_law(points: &[Weighted]) -> Result<PowerLaw, Unmeasured> {
    Unmeasured::unless("points of a power law", points.len(), 4)?;
    if points.iter().any(|p| p.x <= 0.0 || p.weight < 0.0) {
        return Err(Unmeasured::Nothing("a power law is of positive numbers"));
    }
    let factor = |exponent: f64| {
        let (mut with, mut square) = (0.0, 0.0);
        for p in points {
            let curve = pow(p.x, exponent);
            with += p.weight * curve * p.y;
            square += p.weight * curve * curve;
        }
        with / square
    };
    let rest = |exponent: f64| {
        let factor = factor(exponent);
        points
            .iter()
            .map(|p| p.weight * (factor * pow(p.x, exponent) - p.y) * (factor * pow(p.x, exponent) - p.y))
            .sum()
    };
    let pull = |exponent: f64| {
        let factor = factor(exponent);
        let one = |p: &Weighted| {
            let curve = factor * pow(p.x, exponent);
            p.weight * (curve - p.y) * curve * ln(p.x)
        };
        points.iter().map(one).sum::<f64>()
    };
    let steps = 240;
    let at = |i: usize| EXPONENTS.0 + (EXPONENTS.1 - EXPONENTS.0) * i as f64 / steps as f64;
    let scanned: Vec<f64> = (0..=steps).map(|i| rest(at(i))).collect();
    let lowest = (0..=steps).min_by(|&a, &b| scanned[a].total_cmp(&scanned[b])).expect("a scan has points");
    if lowest == 0 || lowest == steps {
        return Err(Unmeasured::Nothing("no power law between x^-3 and x^3 fits"));
    }
    let (mut low, mut high) = (at(lowest - 1), at(lowest + 1));
    for _ in 0..80 {
        let middle = 0.5 * (low + high);
        if pull(middle) > 0.0 {
            high = middle;
        } else {
            low = middle;
        }
    }
    let exponent = 0.5 * (low + high);
    let factor = factor(exponent);
    // JᵀWJ of (λ, γ).
    let (mut ll, mut lg, mut gg) = (0.0, 0.0, 0.0);
    for p in points {
        let by_factor = pow(p.x, exponent);
        let by_exponent = factor * by_factor * ln(p.x);
        ll += p.weight * by_factor * by_factor;
        lg += p.weight * by_factor * by_exponent;
        gg += p.weight * by_exponent * by_exponent;
    }
    let (n, rest): (usize, f64) = (points.len(), rest(exponent));
    let variance = rest / (n as f64 - 2.0) / (ll * gg - lg * lg);
    Ok(PowerLaw {
        factor: Estimate { value: factor, error: sqrt(variance * gg), n },
        exponent: Estimate { value: exponent, error: sqrt(variance * ll), n },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_through_three_points() {
        // (0, 1), (1, 2), (2, 6): means 1 and 3, Σ dx·dy = 5, Σ dx² = 2, slope 2.5, level 0.5; residuals 0.5, -1, 0.5,
        // s² = 1.5, error √(1.5/2) = 0.8660254.
        let found = line(&[(0.0, 1.0), (1.0, 2.0), (2.0, 6.0)]).unwrap();
        assert_eq!((found.level, found.slope.value), (0.5, 2.5));
        assert!((found.slope.error - 0.866_025_403_784).abs() < 1e-9);
        assert!(line(&[(1.0, 1.0), (1.0, 2.0), (1.0, 6.0)]).is_err());
        assert!(line(&[(0.0, 1.0), (1.0, 2.0)]).is_err());
    }

    #[test]
    fn aggregate_impact_is_fitted_as_the_targets_say() {
        // quant/TARGETS.md §6.4 and s9_abm.py: three weightings of one set of means.
        let sizes = [1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0];
        let moves = [0.28, 0.41, 0.62, 0.93, 1.28, 2.15, 2.85];
        let counts = [4000.0, 2500.0, 1500.0, 800.0, 300.0, 60.0, 12.0];
        let fitted = |weight: &dyn Fn(f64) -> f64| {
            let point = |i: usize| Weighted { x: sizes[i], y: moves[i], weight: weight(counts[i]) };
            power_law(&(0..7).map(point).collect::<Vec<_>>()).unwrap()
        };
        for (law, factor, exponent) in [
            (fitted(&|n| sqrt(n)), 0.283_209_40, 0.508_149_66),
            (fitted(&|n| n), 0.280_881_79, 0.511_482_42),
            (fitted(&|_| 1.0), 0.294_693_42, 0.496_400_01),
        ] {
            assert!((law.factor.value - factor).abs() < 6e-9, "{law:?}, not {factor}");
            assert!((law.exponent.value - exponent).abs() < 6e-9, "{law:?}, not {exponent}");
        }
    }

    #[test]
    fn an_exact_law_is_found_without_error_and_nonsense_is_not_found() {
        let law = |y: &dyn Fn(f64) -> f64| {
            let point = |i: i32| Weighted { x: f64::from(i), y: y(f64::from(i)), weight: 1.0 };
            power_law(&(1..10).map(point).collect::<Vec<_>>())
        };
        let found = law(&|x| -3.0 * pow(x, 0.7)).unwrap();
        assert!((found.factor.value + 3.0).abs() < 1e-12 && (found.exponent.value - 0.7).abs() < 1e-12, "{found:?}");
        assert!(found.exponent.error < 1e-9, "{found:?}");
        assert!(law(&|x| pow(x, 5.0)).is_err());
        assert!(power_law(&[Weighted { x: -1.0, y: 1.0, weight: 1.0 }; 5]).is_err());
    }
}
