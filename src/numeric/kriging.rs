//! What a function may be between the points it is known at: Gaussian-process regression, also called kriging.
//!
//! A believer in smoothness: values at near points are alike, `k(x, x') = exp(-½ Σ ((x_i - x'_i)/ℓ_i)²)`, and what is seen
//! carries noise of a share `ν` of the variance. Several outputs share one kernel, so that one factorisation serves all of
//! them. `ℓ` and `ν` are those that make what was seen likeliest (the logarithm of the marginal likelihood, summed over the
//! outputs), looked for on a grid, one coordinate at a time.
//!
//! C. Rasmussen & C. Williams, *Gaussian Processes for Machine Learning*, MIT Press (2006): algorithm 2.1 and eq. 2.30. Sums
//! run in a fixed order, so the bits are the same on every machine.

use ndarray::{Array1, Array2, ArrayView1, ArrayView2};

use super::{exp, ln, sqrt};

/// Lengths tried: a tenth of the unit cube to many times it, where an input hardly counts.
const LENGTHS: [f64; 7] = [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 10.0];
/// Noise tried, as a share of an output's variance.
const NOISES: [f64; 7] = [1e-6, 1e-4, 1e-2, 0.03, 0.1, 0.3, 0.8];
/// Times each coordinate is looked at.
const SWEEPS: usize = 2;

/// The belief about a function from a cube to some numbers.
#[derive(Clone, Debug)]
pub struct Kriging {
    /// `[n, d]`
    inputs: Array2<f64>,
    /// ℓ: `[d]`
    lengths: Vec<f64>,
    noise: f64,
    /// Lower triangle of `K + νI`: `[n, n]`
    factor: Array2<f64>,
    /// `(K + νI)⁻¹·y` of the standardised outputs: `[n, m]`
    weights: Array2<f64>,
    /// `[m]` each
    means: Array1<f64>,
    scales: Array1<f64>,
}

impl Kriging {
    /// Learns from what was seen.
    ///
    /// * `inputs`: `[n, d]`, best within the unit cube · `outputs`: `[n, m]`, finite
    ///
    /// Panics if there are no points, or the lengths disagree.
    pub fn learn(inputs: Array2<f64>, outputs: ArrayView2<'_, f64>) -> Self {
        let (n, m) = outputs.dim();
        assert!(n > 0 && inputs.nrows() == n, "{n} outputs of {} inputs", inputs.nrows());
        let means: Array1<f64> = outputs.columns().into_iter().map(|of| of.sum() / n as f64).collect();
        let scale = |(of, mean): (ArrayView1<'_, f64>, &f64)| {
            let square = of.iter().map(|y| (y - mean) * (y - mean)).sum::<f64>() / n as f64;
            if square > 0.0 { sqrt(square) } else { 1.0 }
        };
        let scales: Array1<f64> = outputs.columns().into_iter().zip(&means).map(scale).collect();
        let mut standard = outputs.to_owned();
        for mut row in standard.rows_mut() {
            row.iter_mut().zip(&means).zip(&scales).for_each(|((y, mean), scale)| *y = (*y - mean) / scale);
        }
        let (lengths, noise) = likeliest(&inputs, &standard);
        let factor = factor(&inputs, &lengths, noise).unwrap_or_else(|| Array2::eye(n));
        let mut weights = standard;
        for column in 0..m {
            let mut y = weights.column(column).to_vec();
            forward(&factor, &mut y);
            backward(&factor, &mut y);
            weights.column_mut(column).assign(&ArrayView1::from(&y[..]));
        }
        Self { inputs, lengths, noise, factor, weights, means, scales }
    }

    /// What is believed of a point: mean and standard deviation of each output, its noise left out.
    ///
    /// * `at`: `[d]` · returns `[m]` of `(mean, deviation)`
    pub fn believe(&self, at: &[f64]) -> Vec<(f64, f64)> {
        let alike: Vec<f64> =
            self.inputs.rows().into_iter().map(|row| kernel(row, ArrayView1::from(at), &self.lengths)).collect();
        let mean = |column: ArrayView1<'_, f64>| column.iter().zip(&alike).map(|(w, k)| w * k).sum::<f64>();
        let means: Vec<f64> = self.weights.columns().into_iter().map(mean).collect();
        let mut known = alike;
        forward(&self.factor, &mut known);
        let deviation = sqrt((1.0 - known.iter().map(|k| k * k).sum::<f64>()).max(0.0));
        let told = |((mean, centre), scale): ((f64, &f64), &f64)| (centre + scale * mean, scale * deviation);
        means.into_iter().zip(&self.means).zip(&self.scales).map(told).collect()
    }

    /// ℓ of each input: large where it hardly counts.
    pub fn lengths(&self) -> &[f64] {
        &self.lengths
    }

    /// ν, the share of the outputs' variance that is noise.
    pub fn noise(&self) -> f64 {
        self.noise
    }
}

fn kernel(a: ArrayView1<'_, f64>, b: ArrayView1<'_, f64>, lengths: &[f64]) -> f64 {
    let far = |((a, b), length): ((&f64, &f64), &f64)| {
        let step = (a - b) / length;
        step * step
    };
    exp(-0.5 * a.iter().zip(b).zip(lengths).map(far).sum::<f64>())
}

/// The Cholesky factor of `K + νI`; `None` if rounding leaves it without one.
fn factor(inputs: &Array2<f64>, lengths: &[f64], noise: f64) -> Option<Array2<f64>> {
    let n = inputs.nrows();
    // Row after row in one piece, as an array lies in memory.
    let mut lower = vec![0.0; n * n];
    for i in 0..n {
        let (above, row) = lower.split_at_mut(i * n);
        for j in 0..i {
            let before = &above[j * n..j * n + j + 1];
            let known: f64 = row[..j].iter().zip(before).map(|(a, b)| a * b).sum();
            row[j] = (kernel(inputs.row(i), inputs.row(j), lengths) - known) / before[j];
        }
        let rest = 1.0 + noise - row[..i].iter().map(|l| l * l).sum::<f64>();
        if rest <= 1e-12 {
            return None;
        }
        row[i] = sqrt(rest);
    }
    Array2::from_shape_vec((n, n), lower).ok()
}

/// `y ← L⁻¹·y`
fn forward(lower: &Array2<f64>, y: &mut [f64]) {
    let (n, lower) = (y.len(), lower.as_slice().expect("rows lie behind each other"));
    for i in 0..n {
        let row = &lower[i * n..i * n + i + 1];
        let known: f64 = row.iter().zip(&y[..i]).map(|(l, y)| l * y).sum();
        y[i] = (y[i] - known) / row[i];
    }
}

/// `y ← L⁻ᵀ·y`
fn backward(lower: &Array2<f64>, y: &mut [f64]) {
    for i in (0..y.len()).rev() {
        y[i] /= lower[[i, i]];
        let found = y[i];
        y[..i].iter_mut().zip(lower.row(i)).for_each(|(y, l)| *y -= l * found);
    }
}

/// `Σ_m -½·yᵀ(K + νI)⁻¹y - ln|L|`, constants left out.
///
/// The outputs are scaled to variance one, so the signal's own variance is taken at its likeliest value:
/// `-½·n·ln(yᵀ(K + νI)⁻¹y / n) - ln|L|` of each output (ibid., eq. 5.8 with the scale maximised out).
fn likelihood(inputs: &Array2<f64>, outputs: &Array2<f64>, lengths: &[f64], noise: f64) -> f64 {
    let Some(lower) = factor(inputs, lengths, noise) else { return f64::NEG_INFINITY };
    let (n, determinant) = (inputs.nrows() as f64, lower.diag().iter().map(|l| ln(*l)).sum::<f64>());
    let one = |of: ArrayView1<'_, f64>| {
        let mut y = of.to_vec();
        forward(&lower, &mut y);
        let square = y.iter().map(|y| y * y).sum::<f64>();
        -0.5 * n * ln((square / n).max(1e-12)) - determinant
    };
    outputs.columns().into_iter().map(one).sum()
}

fn likeliest(inputs: &Array2<f64>, outputs: &Array2<f64>) -> (Vec<f64>, f64) {
    let mut lengths = vec![0.8; inputs.ncols()];
    let mut noise = 0.03;
    let mut best = likelihood(inputs, outputs, &lengths, noise);
    for _ in 0..SWEEPS {
        for i in 0..lengths.len() {
            for length in LENGTHS {
                let before = std::mem::replace(&mut lengths[i], length);
                let found = likelihood(inputs, outputs, &lengths, noise);
                if found > best { best = found } else { lengths[i] = before }
            }
        }
        for tried in NOISES {
            let found = likelihood(inputs, outputs, &lengths, tried);
            if found > best {
                (best, noise) = (found, tried);
            }
        }
    }
    (lengths, noise)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::numeric::cos;
    use ndarray::array;

    /// A grid of `side`² points of the unit square.
    fn grid(side: usize) -> Array2<f64> {
        let at = |i: usize| (i as f64 + 0.5) / side as f64;
        Array2::from_shape_fn((side * side, 2), |(i, j)| at(if j == 0 { i / side } else { i % side }))
    }

    #[test]
    fn two_points_by_hand() {
        // k = exp(-½) of two points one length apart; K = [[1+ν, k], [k, 1+ν]], at the first point
        // mean = k*ᵀK⁻¹y and variance = 1 - k*ᵀK⁻¹k*, with k* = (1, k).
        let (noise, k) = (0.1, exp(-0.5));
        let inputs = array![[0.0], [1.0]];
        let lower = factor(&inputs, &[1.0], noise).unwrap();
        let determinant = (1.0 + noise) * (1.0 + noise) - k * k;
        let inverse =
            [[(1.0 + noise) / determinant, -k / determinant], [-k / determinant, (1.0 + noise) / determinant]];
        let y = [1.0, -1.0];
        let mut weights = y.to_vec();
        forward(&lower, &mut weights);
        backward(&lower, &mut weights);
        for i in 0..2 {
            assert!((weights[i] - inverse[i][0] * y[0] - inverse[i][1] * y[1]).abs() < 1e-12, "{weights:?}");
        }
        let told = Kriging {
            inputs,
            lengths: vec![1.0],
            noise,
            factor: lower,
            weights: Array2::from_shape_vec((2, 1), weights).unwrap(),
            means: array![0.0],
            scales: array![1.0],
        };
        let (mean, deviation) = told.believe(&[0.0])[0];
        let alike = [1.0, k];
        let with = |v: [f64; 2]| (0..2).map(|i| alike[i] * (inverse[i][0] * v[0] + inverse[i][1] * v[1])).sum::<f64>();
        assert!((mean - with(y)).abs() < 1e-12 && (deviation * deviation - (1.0 - with(alike))).abs() < 1e-12);
    }

    #[test]
    fn a_smooth_function_is_known_between_its_points_and_doubted_far_from_them() {
        let truth = |x: ArrayView1<'_, f64>| [cos(3.0 * x[0]) + x[1] * x[1], 10.0 * x[0] - 3.0];
        let inputs = grid(7);
        let outputs: Vec<f64> = inputs.rows().into_iter().flat_map(truth).collect();
        let outputs = Array2::from_shape_vec((49, 2), outputs).unwrap();
        let learnt = Kriging::learn(inputs, outputs.view());
        for x in [[0.31, 0.77], [0.5, 0.11], [0.9, 0.9]] {
            let truth = truth(ArrayView1::from(&x));
            for ((mean, deviation), truth) in learnt.believe(&x).into_iter().zip(truth) {
                assert!((mean - truth).abs() < 0.02, "{x:?}: {mean} ± {deviation}, not {truth}");
            }
        }
        let deviation = |x: [f64; 2]| learnt.believe(&x)[0].1;
        assert!(deviation([2.5, 2.5]) > 20.0 * deviation([0.5, 0.5]), "{:?}", learnt.believe(&[2.5, 2.5]));
    }

    #[test]
    fn noise_is_seen_as_noise_and_an_idle_input_as_idle() {
        // Knuth's 64-bit congruence; twelve uniform draws less six are nearly normal.
        let mut state = 1u64;
        let mut uniform = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 11) as f64 / (1u64 << 53) as f64
        };
        let mut normal = || (0..12).map(|_| uniform()).sum::<f64>() - 6.0;
        let inputs = grid(8);
        let outputs: Vec<f64> = inputs.rows().into_iter().map(|x| cos(4.0 * x[0]) + 0.4 * normal()).collect();
        let learnt = Kriging::learn(inputs, Array2::from_shape_vec((64, 1), outputs).unwrap().view());
        // The noise has variance .16 of some .6 in all.
        assert!((0.1..=0.3).contains(&learnt.noise()), "{}", learnt.noise());
        assert!(learnt.lengths()[1] > 3.0 * learnt.lengths()[0], "{:?}", learnt.lengths());
        let (mean, _) = learnt.believe(&[0.5, 0.5])[0];
        assert!((mean - cos(2.0)).abs() < 0.3, "{mean}");
    }
}
