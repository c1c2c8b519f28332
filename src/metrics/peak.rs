//! Where a likelihood of one or two parameters is highest, and how sure that is.

use crate::numeric::sqrt;

const GOLDEN: f64 = 0.618_033_988_749_894_8;
/// A range shrinks to a ten-millionth.
const CUTS: usize = 34;

/// Where a function with one hill is highest between two ends, by the golden section.
pub fn highest(low: f64, high: f64, of: impl Fn(f64) -> f64) -> f64 {
    let (mut low, mut high) = (low, high);
    let (mut a, mut b) = (high - GOLDEN * (high - low), low + GOLDEN * (high - low));
    let (mut at_a, mut at_b) = (of(a), of(b));
    for _ in 0..CUTS {
        if at_a > at_b {
            (high, b, at_b) = (b, a, at_a);
            a = high - GOLDEN * (high - low);
            at_a = of(a);
        } else {
            (low, a, at_a) = (a, b, at_b);
            b = low + GOLDEN * (high - low);
            at_b = of(b);
        }
    }
    0.5 * (low + high)
}

/// A hilltop in the plane.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Hilltop {
    /// Where.
    pub at: [f64; 2],
    /// Standard errors: the inverse of the curvature there, if the function is a logarithm of a likelihood. NaN where it does
    /// not bend down.
    pub errors: [f64; 2],
    /// How high.
    pub value: f64,
}

/// Where a function with one hill is highest in a rectangle: for each first coordinate the best second.
pub fn hilltop(ranges: [(f64, f64); 2], of: impl Fn(f64, f64) -> f64) -> Hilltop {
    let [(low, high), (left, right)] = ranges;
    let second = |x: f64| highest(left, right, |y| of(x, y));
    let x = highest(low, high, |x| of(x, second(x)));
    let y = second(x);
    let value = of(x, y);
    let (dx, dy) = (1e-3 * (1.0 + x.abs()), 1e-3 * (1.0 + y.abs()));
    let xx = -(of(x + dx, y) - 2.0 * value + of(x - dx, y)) / (dx * dx);
    let yy = -(of(x, y + dy) - 2.0 * value + of(x, y - dy)) / (dy * dy);
    let mixed = of(x + dx, y + dy) - of(x + dx, y - dy) - of(x - dx, y + dy) + of(x - dx, y - dy);
    let xy = -mixed / (4.0 * dx * dy);
    let determinant = xx * yy - xy * xy;
    let error = |other: f64| if determinant > 0.0 && other > 0.0 { sqrt(other / determinant) } else { f64::NAN };
    Hilltop { at: [x, y], errors: [error(yy), error(xx)], value }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tilted_hill_by_hand() {
        // -(2x² + 2xy + y²)/2 about (1, -2): curvature [[2, 1], [1, 1]], inverse [[1, -1], [-1, 2]].
        let top = hilltop([(-5.0, 5.0), (-9.0, 9.0)], |x, y| {
            let (x, y) = (x - 1.0, y + 2.0);
            7.0 - 0.5 * (2.0 * x * x + 2.0 * x * y + y * y)
        });
        assert!((top.at[0] - 1.0).abs() < 1e-5 && (top.at[1] + 2.0).abs() < 1e-5, "{top:?}");
        assert!((top.errors[0] - 1.0).abs() < 1e-5 && (top.errors[1] - 2f64.sqrt()).abs() < 1e-5, "{top:?}");
        assert!((top.value - 7.0).abs() < 1e-9);
    }
}
