//! Model worlds against numbers worked out elsewhere (quant/TARGETS.md, section 2), and draws against exact values.

mod continuous;
mod draws;
mod session;
mod stepped;

/// Asserts that two numbers agree to within `tolerance`.
#[track_caller]
fn near(what: &str, found: f64, expected: f64, tolerance: f64) {
    assert!((found - expected).abs() <= tolerance, "{what}: {found} is not {expected} ± {tolerance}");
}
