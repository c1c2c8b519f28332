//! Tridiagonal systems, the matrix exponential, and the Perron eigenvector.
//!
//! The exact market-making problems (Guéant–Lehalle–Fernandez-Tapia, Cartea–Jaimungal–Penalva) are linear in
//! disguise: `v̇ = M·v` with a symmetric tridiagonal `M` whose off-diagonal is negative. So `c·I - M` has no negative
//! entry for `c = max diagonal`, and `exp(-M·t)·v = e^{-ct}·exp((c·I - M)·t)·v` is a sum of positive terms: nothing
//! cancels, every component keeps its relative accuracy, however small it is next to the others. That is why a
//! plain Taylor series is the right tool here, where it is a bad one for matrices in general.
//!
//! Sums run in a fixed order, so results are the same bits on every machine.

use ndarray::{Array1, Array2};

use super::{exp, ln};

/// The longest piece of `‖c·I - M‖·t` one Taylor series is used for.
const PIECE: f64 = 8.0;

/// Beyond this many pieces, squaring is cheaper.
const PIECES_MAX: f64 = 256.0;

/// A symmetric tridiagonal matrix with no positive entry off the diagonal.
#[derive(Clone, Debug)]
pub struct Tridiagonal {
    /// `[n]`
    diagonal: Array1<f64>,
    /// `[n - 1]`, entry `i` couples `i` and `i + 1`.
    off: Array1<f64>,
}

/// Positive numbers `values[i]·e^{ln_scale}`, which may be far outside what an `f64` holds.
#[derive(Clone, Debug, PartialEq)]
pub struct Scaled {
    /// `[n]`, the largest is about one.
    pub values: Vec<f64>,
    /// Natural logarithm of the common factor.
    pub ln_scale: f64,
}

impl Scaled {
    /// Natural logarithm of component `i`.
    pub fn ln(&self, i: usize) -> f64 {
        self.ln_scale + ln(self.values[i])
    }

    /// Component `i` as a plain number; infinite or zero where an `f64` ends.
    pub fn value(&self, i: usize) -> f64 {
        self.values[i] * exp(self.ln_scale)
    }
}

impl Tridiagonal {
    /// * `diagonal`: `[n]` · `off`: `[n - 1]`
    ///
    /// Panics if the lengths disagree, `n` is zero, or an off-diagonal entry is positive or not finite.
    pub fn new(diagonal: Vec<f64>, off: Vec<f64>) -> Self {
        assert!(!diagonal.is_empty() && off.len() + 1 == diagonal.len(), "a tridiagonal matrix is n and n - 1 long");
        assert!(off.iter().all(|e| *e <= 0.0 && e.is_finite()), "the off-diagonal is negative here: {off:?}");
        Self { diagonal: diagonal.into(), off: off.into() }
    }

    /// `exp(-M·t)·v` for `t ≥ 0` and `v > 0`, each component to about `1e-16·‖M‖·t` of itself (no worse than what
    /// rounding the entries of M does), or 1e-14 if that is more.
    ///
    /// Short times step the vector forward; for long ones the exponential itself is squared, `n³` products a doubling.
    /// Panics if `v` has another length or is not positive.
    pub fn exp_action(&self, t: f64, v: &[f64]) -> Scaled {
        assert_eq!(v.len(), self.diagonal.len(), "the vector is as long as the matrix");
        assert!(v.iter().all(|x| *x > 0.0) && t >= 0.0, "positive vectors, forward in time");
        let shift = self.diagonal.iter().fold(f64::NEG_INFINITY, |a, b| a.max(*b));
        let lowest = self.diagonal.iter().fold(f64::INFINITY, |a, b| a.min(*b));
        let coupling = self.off.iter().fold(0.0, |a: f64, e| a.max(-e));
        let norm = (shift - lowest) + 2.0 * coupling;
        let pieces = (norm * t / PIECE).ceil().max(1.0);
        if pieces > PIECES_MAX {
            return self.exp_squared(t, v, shift, norm);
        }
        let dt = t / pieces;
        let mut found = Scaled { values: v.to_vec(), ln_scale: 0.0 };
        for _ in 0..pieces as u64 {
            self.taylor(shift, dt, norm, &mut found.values);
            // Piece by piece, so that two large exponents never meet.
            found.ln_scale += ln(rescale(&mut found.values)) - shift * dt;
        }
        found
    }

    /// `exp((shift·I - M)·dt)·x`, in place.
    fn taylor(&self, shift: f64, dt: f64, norm: f64, x: &mut [f64]) {
        let mut term = x.to_vec();
        let mut next = x.to_vec();
        let mut order = 1.0;
        loop {
            self.positive_product(shift, &term, &mut next);
            let factor = dt / order;
            let mut negligible = true;
            for i in 0..x.len() {
                term[i] = next[i] * factor;
                x[i] += term[i];
                negligible &= term[i] <= x[i] * 1e-18;
            }
            // Terms shrink from here on only once the order is past the norm of the piece.
            if negligible && order > norm * dt {
                return;
            }
            order += 1.0;
        }
    }

    /// As [`Self::exp_action`], by squaring the exponential of a short time until it is that of the long one.
    fn exp_squared(&self, t: f64, v: &[f64], shift: f64, norm: f64) -> Scaled {
        let n = v.len();
        let (mut dt, mut doublings) = (t, 0);
        while norm * dt > PIECE {
            dt *= 0.5;
            doublings += 1;
        }
        let mut power = Array2::<f64>::zeros((n, n));
        for (i, mut column) in power.columns_mut().into_iter().enumerate() {
            let mut unit = vec![0.0; n];
            unit[i] = 1.0;
            self.taylor(shift, dt, norm, &mut unit);
            column.assign(&Array1::from(unit));
        }
        let mut ln_scale = ln(rescale(power.as_slice_mut().expect("a fresh array is contiguous"))) - shift * dt;
        for _ in 0..doublings {
            // Our own loops: ndarray's product may sum in another order on another machine. Symmetric, so rows serve.
            let mut square = Array2::<f64>::zeros((n, n));
            for i in 0..n {
                for j in i..n {
                    let mut sum = 0.0;
                    for l in 0..n {
                        sum += power[[i, l]] * power[[j, l]];
                    }
                    square[[i, j]] = sum;
                    square[[j, i]] = sum;
                }
            }
            power = square;
            ln_scale = 2.0 * ln_scale + ln(rescale(power.as_slice_mut().expect("a fresh array is contiguous")));
        }
        let mut values: Vec<f64> =
            power.rows().into_iter().map(|row| row.iter().zip(v).fold(0.0, |sum, (p, x)| sum + p * x)).collect();
        ln_scale += ln(rescale(&mut values));
        Scaled { values, ln_scale }
    }

    /// `(shift·I - M)·x`, all terms positive.
    fn positive_product(&self, shift: f64, x: &[f64], out: &mut [f64]) {
        let n = x.len();
        for i in 0..n {
            let mut sum = (shift - self.diagonal[i]) * x[i];
            if i > 0 {
                sum -= self.off[i - 1] * x[i - 1];
            }
            if i + 1 < n {
                sum -= self.off[i] * x[i + 1];
            }
            out[i] = sum;
        }
    }

    /// The lowest eigenvalue and its eigenvector, which has no zero and no change of sign (Perron–Frobenius);
    /// given positive, its largest component one.
    ///
    /// The value by bisection on the number of negative pivots (Sturm), to the last bits; the vector by inverse
    /// iteration from just below it, where every pivot is positive.
    pub fn lowest_eigenpair(&self) -> (f64, Vec<f64>) {
        let n = self.diagonal.len();
        // Gershgorin: no eigenvalue lies outside.
        let coupling = |i: usize| if i < n - 1 { self.off[i].abs() } else { 0.0 };
        let radius = |i: usize| coupling(i) + if i > 0 { coupling(i - 1) } else { 0.0 };
        let (mut low, mut high) = (f64::INFINITY, f64::INFINITY);
        for i in 0..n {
            low = low.min(self.diagonal[i] - radius(i));
            high = high.min(self.diagonal[i] + radius(i));
        }
        let spread = (high - low).max(f64::MIN_POSITIVE);
        low -= spread * 1e-12;
        loop {
            let middle = low + 0.5 * (high - low);
            if middle <= low || middle >= high {
                break;
            }
            if self.pivots_positive(middle) { low = middle } else { high = middle }
        }
        let mut vector = vec![1.0; n];
        // One step leaves the error of the next eigenvector multiplied by the tiny ratio of distances to `low`.
        for _ in 0..4 {
            self.solve_shifted(low, &mut vector);
            rescale(&mut vector);
        }
        (low, vector)
    }

    /// Whether `M - shift·I` is positive definite.
    fn pivots_positive(&self, shift: f64) -> bool {
        let mut pivot = self.diagonal[0] - shift;
        for i in 1..self.diagonal.len() {
            if pivot <= 0.0 {
                return false;
            }
            pivot = self.diagonal[i] - shift - self.off[i - 1] * self.off[i - 1] / pivot;
        }
        pivot > 0.0
    }

    /// `x ← (M - shift·I)⁻¹·x` for a shift below the spectrum.
    fn solve_shifted(&self, shift: f64, x: &mut [f64]) {
        let n = x.len();
        let mut pivots = vec![0.0; n];
        pivots[0] = self.diagonal[0] - shift;
        for i in 1..n {
            let ratio = self.off[i - 1] / pivots[i - 1];
            pivots[i] = self.diagonal[i] - shift - self.off[i - 1] * ratio;
            x[i] -= ratio * x[i - 1];
        }
        x[n - 1] /= pivots[n - 1];
        for i in (0..n - 1).rev() {
            x[i] = (x[i] - self.off[i] * x[i + 1]) / pivots[i];
        }
    }
}

/// Divides by the largest and returns it.
fn rescale(x: &mut [f64]) -> f64 {
    let top = x.iter().fold(0.0, |a: f64, x| a.max(*x));
    x.iter_mut().for_each(|x| *x /= top);
    top
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(found: f64, expected: f64, relative: f64) {
        assert!((found - expected).abs() <= relative * expected.abs(), "{found} is not {expected}");
    }

    #[test]
    fn two_states_decay_as_the_book_says() {
        // M = [[1, -2], [-2, 1]] has eigenvalues -1 on (1, 1) and 3 on (1, -1). From (3, 1) = 2·(1, 1) + 1·(1, -1):
        // exp(-M·t) (3, 1) = (2·e^t + e^{-3t}, 2·e^t - e^{-3t}).
        let m = Tridiagonal::new(vec![1.0, 1.0], vec![-2.0]);
        for t in [0.0, 0.3, 2.0, 7.0] {
            let v = m.exp_action(t, &[3.0, 1.0]);
            close(v.value(0), 2.0 * exp(t) + exp(-3.0 * t), 1e-13);
            close(v.value(1), 2.0 * exp(t) - exp(-3.0 * t), 1e-13);
        }
        let (low, vector) = m.lowest_eigenpair();
        close(low, -1.0, 1e-14);
        close(vector[0], vector[1], 1e-13);
    }

    #[test]
    fn a_chain_has_the_spectrum_of_a_string() {
        // Diagonal 0, off-diagonal -1, n = 9: eigenvalues -2·cos(jπ/10), lowest vector sin(iπ/10), i = 1..9.
        let m = Tridiagonal::new(vec![0.0; 9], vec![-1.0; 8]);
        let (low, vector) = m.lowest_eigenpair();
        let tenth = std::f64::consts::PI / 10.0;
        let sin = |x: f64| crate::numeric::cos(x - std::f64::consts::FRAC_PI_2);
        close(low, -2.0 * crate::numeric::cos(tenth), 1e-14);
        for (i, found) in vector.iter().enumerate() {
            close(*found, sin((i + 1) as f64 * tenth), 1e-12);
        }
        // And exp(-M·t) on that vector only multiplies it.
        let v = m.exp_action(30.0, &vector);
        for (i, before) in vector.iter().enumerate() {
            close(v.ln(i), -low * 30.0 + ln(*before), 1e-13);
        }
    }

    #[test]
    fn long_times_by_squaring_are_short_times_in_a_row() {
        // Norm about 10: a thousand seconds need squaring, a hundred steps of ten do not.
        let q = |i: usize| i as f64 - 5.0;
        let m = Tridiagonal::new((0..11).map(|i| 0.3 * q(i) * q(i)).collect(), vec![-1.2; 10]);
        let whole = m.exp_action(1000.0, &[1.0; 11]);
        let mut steps = Scaled { values: vec![1.0; 11], ln_scale: 0.0 };
        for _ in 0..100 {
            let next = m.exp_action(10.0, &steps.values);
            steps = Scaled { values: next.values, ln_scale: steps.ln_scale + next.ln_scale };
        }
        let (low, _) = m.lowest_eigenpair();
        for i in 0..11 {
            assert!((whole.ln(i) - steps.ln(i)).abs() < 1e-11, "{} {}", whole.ln(i), steps.ln(i));
            assert!((whole.ln(i) + low * 1000.0).abs() < 10.0);
        }
    }

    #[test]
    fn nothing_is_lost_where_components_differ_by_hundreds_of_orders() {
        // A steep well: the outer components are tiny, and halving the time twice must give the same as once.
        let q = |i: usize| i as f64 - 10.0;
        let m = Tridiagonal::new((0..21).map(|i| 40.0 * q(i) * q(i)).collect(), vec![-0.01; 20]);
        let once = m.exp_action(1.0, &[1.0; 21]);
        let half = m.exp_action(0.5, &[1.0; 21]);
        let twice = m.exp_action(0.5, &half.values);
        for i in 0..21 {
            // A difference of logarithms is a relative difference.
            let difference = twice.ln(i) + half.ln_scale - once.ln(i);
            assert!(difference.abs() < 1e-12, "component {i}: {difference}");
        }
    }
}
