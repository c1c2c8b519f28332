//! Elementary functions with the same bits on every machine.
//!
//! `f64::ln` and friends call whatever libm the platform links; these call the `libm` crate, plain Rust compiled
//! with us. Addition, multiplication, division and square root are exact by IEEE 754 and need no wrapper.

pub mod matrix;

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

/// Cosine, for the normal draws of [`crate::rng`].
pub fn cos(x: f64) -> f64 {
    libm::cos(x)
}

/// Square root (exact by IEEE 754, here for a uniform spelling).
pub fn sqrt(x: f64) -> f64 {
    x.sqrt()
}
