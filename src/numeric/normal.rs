//! The standard normal distribution: how likely below, and below where.

/// `Φ(x)`, the probability of a standard normal draw below `x`; accurate in the lower tail.
pub fn cdf(x: f64) -> f64 {
    0.5 * super::erfc(-x * std::f64::consts::FRAC_1_SQRT_2)
}

/// `Φ⁻¹(p)`, what a draw is below with probability `p`; infinite at 0 and 1, NaN outside.
///
/// By halving: a hundred `erfc`s, which nobody calls often enough to notice, and no table of constants to mistype. The
/// upper half is the lower one mirrored, as `Φ` has no digits to spare near 1.
pub fn quantile(p: f64) -> f64 {
    if !(0.0..=1.0).contains(&p) {
        return f64::NAN;
    }
    if p > 0.5 {
        return -quantile(1.0 - p);
    }
    if p == 0.0 {
        return f64::NEG_INFINITY;
    }
    // Φ(-40) is below the smallest double.
    let (mut low, mut high) = (-40.0, 0.0);
    for _ in 0..100 {
        let middle = 0.5 * (low + high);
        if cdf(middle) < p {
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
        // Abramowitz & Stegun 1964, tables 26.1 and 26.5.
        for (x, p) in
            [(0.0, 0.5), (1.0, 0.841_344_746_068_543), (-2.0, 0.022_750_131_948_179), (3.0, 0.998_650_101_968)]
        {
            assert!((cdf(x) - p).abs() < 1e-12, "Φ({x}) = {}", cdf(x));
        }
        for (p, x) in [(0.5, 0.0), (0.975, 1.959_963_984_540_054), (0.001, -3.090_232_306_167_813)] {
            assert!((quantile(p) - x).abs() < 1e-12, "Φ⁻¹({p}) = {}", quantile(p));
        }
        assert_eq!((quantile(0.0), quantile(1.0)), (f64::NEG_INFINITY, f64::INFINITY));
        assert!(quantile(1.1).is_nan() && quantile(f64::NAN).is_nan());
    }
}
