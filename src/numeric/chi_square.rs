//! The chi-square distribution with whole degrees of freedom.

use super::{erfc, exp, sqrt};

/// The probability of a draw above `x ≥ 0`, with `k ≥ 1` degrees of freedom.
///
/// `Q₁(x) = erfc(√(x/2))`, `Q₂(x) = e^(-x/2)`, and two degrees more add `(x/2)^(k/2) e^(-x/2) / Γ(k/2 + 1)`
/// (Abramowitz & Stegun 1964, 26.4.4 and 26.4.5).
pub fn above(x: f64, k: u32) -> f64 {
    let half = 0.5 * x;
    let (mut sum, mut term, mut done) = if k.is_multiple_of(2) {
        (exp(-half), exp(-half), 2)
    } else {
        // The term before the first: (x/2)^(-1/2) e^(-x/2) / Γ(1/2); at 0 nothing is to be added.
        let before = if half > 0.0 { exp(-half) / sqrt(half * std::f64::consts::PI) } else { 0.0 };
        (erfc(sqrt(half)), before, 1)
    };
    while done < k {
        term *= half / (0.5 * f64::from(done));
        sum += term;
        done += 2;
    }
    sum.min(1.0)
}

/// What a draw exceeds with probability `p` in (0, 1], with `k ≥ 1` degrees of freedom; by halving.
pub fn exceeded_by(p: f64, k: u32) -> f64 {
    let (mut low, mut high) = (0.0, 1.0);
    while above(high, k) > p {
        high *= 2.0;
    }
    for _ in 0..200 {
        let middle = 0.5 * (low + high);
        if above(middle, k) > p {
            low = middle;
        } else {
            high = middle;
        }
    }
    high
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_table_at_the_back_of_the_book() {
        // Abramowitz & Stegun 1964, table 26.8.
        for (p, k, x) in [
            (0.05, 1, 3.841_46),
            (0.05, 2, 5.991_46),
            (0.05, 9, 16.918_98),
            (0.01, 10, 23.209_3),
            (0.95, 4, 0.710_721),
            (0.99, 3, 0.114_832),
        ] {
            assert!((exceeded_by(p, k) / x - 1.0).abs() < 5e-6, "{k} degrees, {p}: {}", exceeded_by(p, k));
            assert!((above(exceeded_by(p, k), k) - p).abs() < 1e-12);
        }
        assert_eq!((above(0.0, 1), above(0.0, 2), above(0.0, 7)), (1.0, 1.0, 1.0));
    }
}
