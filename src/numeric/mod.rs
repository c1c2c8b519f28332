//! Elementary functions with the same bits on every machine.
//!
//! `f64::ln` and friends call whatever libm the platform links; these call the `libm` crate, plain Rust compiled
//! with us. Addition, multiplication, division and square root are exact by IEEE 754 and need no wrapper.

pub mod chi_square;
pub mod kriging;
pub mod matrix;
pub mod normal;

/// Natural logarithm.
pub fn ln(x: f64) -> f64 {
    libm::log(x)
}

/// `ln(1 + x)`, accurate near zero.
pub fn ln_1p(x: f64) -> f64 {
    libm::log1p(x)
}

/// `e^x`.
pub fn exp(x: f64) -> f64 {
    libm::exp(x)
}

/// `e^x - 1`, accurate near zero.
pub fn exp_m1(x: f64) -> f64 {
    libm::expm1(x)
}

/// `x^y`.
pub fn pow(x: f64, y: f64) -> f64 {
    libm::pow(x, y)
}

/// Hyperbolic tangent.
pub fn tanh(x: f64) -> f64 {
    libm::tanh(x)
}

/// Hyperbolic tangent in single precision, for the hidden layers of a policy network: off by at most 2.1e-7, in
/// under 1 ns instead of the 18 ns of `libm::tanhf`, because the compiler does four at once.
///
/// With `y = x/2`, Lambert's continued fraction of tanh (*Mémoires de l'Académie de Berlin*, 1761), cut after its
/// seventh term, is `tanh y ≈ P/Q` with `P = y·(135135 + 17325y² + 378y⁴ + y⁶)` and
/// `Q = 135135 + 62370y² + 3150y⁴ + 28y⁶`. Doubling the angle, `tanh 2t = 2·tanh t/(1 + tanh² t)`, gives
/// `tanh x ≈ 2PQ/(P² + Q²)`: one division, and an error in `P/Q` near one hardly counts. Beyond ±9.1 single precision
/// cannot tell tanh from ±1. Odd, never beyond ±1, NaN for NaN; nothing but additions, multiplications and one
/// division, so the bits are the same everywhere.
#[inline]
pub fn tanh_f32(x: f32) -> f32 {
    let y = 0.5 * x.clamp(-9.1, 9.1);
    let y2 = y * y;
    let p = y * (135_135.0 + y2 * (17_325.0 + y2 * (378.0 + y2)));
    let q = 135_135.0 + y2 * (62_370.0 + y2 * (3_150.0 + y2 * 28.0));
    (2.0 * p * q / (p * p + q * q)).clamp(-1.0, 1.0)
}

/// `e^x` in single precision, for worlds that take millions of steps a second: off by at most 1.2e-7 of itself where the
/// answer is a normal number (-87 to 88; beyond, it stays at the answer for the bound).
///
/// `e^x = 2^n·e^r` with `n` the integer nearest to `x/ln 2` and `|r| ≤ ½·ln 2`, found with ln 2 in two parts, the first so
/// short that `n` times it is exact (Cody & Waite, *Software Manual for the Elementary Functions*, 1980, chapter 6); `e^r` by
/// its Taylor polynomial of degree 7, whose rest is 5e-9. Nothing but additions and multiplications: the compiler does
/// several at once, and the bits are the same everywhere. NaN for NaN.
#[inline]
pub fn exp_f32(x: f32) -> f32 {
    // Adding 1.5·2²³ leaves the integer in the lowest bits, rounded to nearest.
    const ROUND: f32 = 12_582_912.0;
    const LN_2_SHORT: f32 = 355.0 / 512.0;
    const LN_2_REST: f32 = -2.121_944_4e-4;
    let x = x.clamp(-87.0, 88.0);
    let shifted = x * std::f32::consts::LOG2_E + ROUND;
    let n = shifted - ROUND;
    let r = (x - n * LN_2_SHORT) - n * LN_2_REST;
    let p = 1.0 / 5040.0;
    let p = p * r + 1.0 / 720.0;
    let p = p * r + 1.0 / 120.0;
    let p = p * r + 1.0 / 24.0;
    let p = p * r + 1.0 / 6.0;
    let p = p * r + 0.5;
    let p = p * r + 1.0;
    let p = p * r + 1.0;
    p * f32::from_bits((shifted.to_bits() << 23).wrapping_add(127 << 23))
}

/// Natural logarithm in single precision, of a normal number above zero: off by at most 1.2e-7 of itself or of 1.
///
/// `x = 2^n·m` with m within √½ and √2, and `ln m = 2·artanh s`, `s = (m - 1)/(m + 1)`, |s| ≤ 0.172, by its series to s⁹, whose rest
/// is 8e-10. Nothing but integer shifts, additions, multiplications and one division: the compiler does several at once.
#[inline]
pub fn ln_f32(x: f32) -> f32 {
    // Bits of √½: what is below it within an octave belongs to the one before.
    const ROOT_HALF: u32 = 0x3f35_04f3;
    let shifted = x.to_bits().wrapping_sub(ROOT_HALF);
    let n = (shifted as i32) >> 23;
    let m = f32::from_bits((shifted & 0x007f_ffff) + ROOT_HALF);
    let s = (m - 1.0) / (m + 1.0);
    let s2 = s * s;
    let series = 2.0 * s * (1.0 + s2 * (1.0 / 3.0 + s2 * (0.2 + s2 * (1.0 / 7.0 + s2 * (1.0 / 9.0)))));
    n as f32 * std::f32::consts::LN_2 + series
}

/// Sine of so many turns, -1 to 1 of them, in single precision: off by at most 2.5e-7.
///
/// Folded to a quarter turn either way, then the Taylor polynomial of degree 11, whose rest is 6e-8.
#[inline]
pub fn sin_turns_f32(turns: f32) -> f32 {
    // Adding 1.5·2²³ rounds to the nearest integer.
    const ROUND: f32 = 12_582_912.0;
    let h = turns - ((turns + ROUND) - ROUND);
    let h = if h > 0.25 { 0.5 - h } else { h };
    let h = if h < -0.25 { -0.5 - h } else { h };
    let x = h * std::f32::consts::TAU;
    let x2 = x * x;
    let p = -1.0 / 39_916_800.0;
    let p = p * x2 + 1.0 / 362_880.0;
    let p = p * x2 - 1.0 / 5040.0;
    let p = p * x2 + 1.0 / 120.0;
    let p = p * x2 - 1.0 / 6.0;
    x + x * x2 * p
}

/// `1 - erf(x)`, accurate where it is tiny.
pub fn erfc(x: f64) -> f64 {
    libm::erfc(x)
}

/// Cosine, for the normal draws of [`crate::rng`].
pub fn cos(x: f64) -> f64 {
    libm::cos(x)
}

/// Square root (exact by IEEE 754, here for a uniform spelling).
pub fn sqrt(x: f64) -> f64 {
    x.sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fast_tanh_is_the_tanh_to_single_precision() {
        // Every 997th float from 1e-10 to 1e6, against the double one.
        for bits in (1e-10f32.to_bits()..1e6f32.to_bits()).step_by(997) {
            let x = f32::from_bits(bits);
            let (fast, exact) = (tanh_f32(x), tanh(f64::from(x)));
            let error = (f64::from(fast) - exact).abs();
            assert!(error < 2.1e-7 && error < 3.6e-7 * exact, "tanh {x} = {exact}, not {fast}");
            assert!(fast <= 1.0, "tanh {x} = {fast}");
            assert_eq!(tanh_f32(-x).to_bits(), (-fast).to_bits(), "odd");
        }
    }

    #[test]
    fn the_fast_exponential_is_the_exponential_to_single_precision() {
        // Every 997th float from 1e-10 to 87, either sign, against the double one.
        for bits in (1e-10f32.to_bits()..87f32.to_bits()).step_by(997) {
            for x in [f32::from_bits(bits), -f32::from_bits(bits)] {
                let (fast, exact) = (f64::from(exp_f32(x)), exp(f64::from(x)));
                assert!((fast - exact).abs() < 1.2e-7 * exact, "exp {x} = {exact}, not {fast}");
            }
        }
        assert_eq!(exp_f32(0.0), 1.0);
        assert_eq!(exp_f32(f32::INFINITY), exp_f32(88.0));
        assert_eq!(exp_f32(f32::MIN), exp_f32(-87.0));
        assert!(exp_f32(f32::NAN).is_nan());
    }

    #[test]
    fn the_fast_tanh_ends_where_numbers_end() {
        assert_eq!(tanh_f32(0.0).to_bits(), 0.0f32.to_bits());
        assert!((tanh_f32(f32::INFINITY) - 1.0).abs() < 2.1e-7);
        assert!((tanh_f32(f32::MIN) + 1.0).abs() < 2.1e-7);
        assert!(tanh_f32(f32::NAN).is_nan());
        // y = 1/2: P = (135135 + 4331.25 + 23.625 + 0.015625)/2 = 69744.9453125, Q = 135135 + 15592.5 + 196.875
        // + 0.4375 = 150924.8125; 2PQ/(P² + Q²) = 21052485588.22/27642656424.80 = 0.761594156, as is tanh 1.
        assert!((tanh_f32(1.0) - 0.761_594_2).abs() < 2.1e-7);
    }

    #[test]
    fn the_fast_logarithm_and_sine_are_those_to_single_precision() {
        for bits in (f32::MIN_POSITIVE.to_bits()..1e30f32.to_bits()).step_by(9973) {
            let x = f32::from_bits(bits);
            let (fast, exact) = (f64::from(ln_f32(x)), ln(f64::from(x)));
            assert!((fast - exact).abs() < 1.2e-7 * exact.abs().max(1.0), "ln {x} = {exact}, not {fast}");
        }
        for i in -100_000..=100_000 {
            let turns = i as f32 / 100_000.0;
            let (fast, exact) = (f64::from(sin_turns_f32(turns)), libm::sin(std::f64::consts::TAU * f64::from(turns)));
            assert!((fast - exact).abs() < 2.5e-7, "sin of {turns} turns = {exact}, not {fast}");
        }
    }
}
