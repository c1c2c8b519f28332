//! The strategies against numbers worked out elsewhere (quant/TARGETS.md, sections 1 to 3).

mod avellaneda_stoikov;
mod decisions;
mod glft;
pub mod policy;
mod real_market;

/// Asserts that two numbers agree to within `tolerance`.
#[track_caller]
fn near(found: f64, expected: f64, tolerance: f64) {
    assert!((found - expected).abs() <= tolerance, "{found} is not {expected} ± {tolerance}");
}
