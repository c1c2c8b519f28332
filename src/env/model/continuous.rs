//! Model worlds where steps get infinitely short: closed forms, and any policy's value by integrating its equation.
//!
//! Cartea, Jaimungal & Penalva (2015), section 10.2.2: with `κh = ln ω`, the value of holding q beyond `x + qS` solves a linear
//! equation, `ω(t) = exp(K·(T - t))·z`, `z_q = e^{-ακq²}`, K with `-φκq²` on its diagonal and `λ/e` beside it. Impact ξ changes no more than
//! numbers (`quant/TARGETS.md` §2.3): `λ → λe^{-κξ/2}`, `α → α + ξ/2`, quotes move out by ξ/2, `h` gains `½ξq²`.

use super::{Model, SIGNS};
use crate::numeric;
use crate::numeric::matrix::Tridiagonal;

/// `h(t, q)` with `left` to go, `[inventories]`, price · lot: the best there is. Of a world without regimes.
pub fn values(model: &Model, left: f64) -> Vec<f64> {
    let (matrix, z) = linear(model);
    let found = matrix.exp_action(left, &z);
    (0..model.inventories()).map(|i| found.ln(i) / model.k + corrected(model, i)).collect()
}

/// Best quotes `[inventories]` with `left` to go: depths of bid and ask, price. A side that inventory blocks says 1/k.
pub fn quotes(model: &Model, left: f64) -> Vec<[f64; 2]> {
    quotes_of(model, &values(model, left))
}

/// Best continuous quotes at the beginning of each step, `[steps][inventories]`.
pub fn quotes_by_step(model: &Model) -> Vec<Vec<[f64; 2]>> {
    let (matrix, mut omega) = linear(model);
    let mut rows = Vec::new();
    for _ in 0..model.steps {
        // Only differences of logarithms matter, so the common factor may go.
        omega = matrix.exp_action(model.dt(), &omega).values;
        let h: Vec<f64> =
            omega.iter().enumerate().map(|(i, w)| numeric::ln(*w) / model.k + corrected(model, i)).collect();
        rows.push(quotes_of(model, &h));
    }
    rows.reverse();
    rows
}

fn linear(model: &Model) -> (Tridiagonal, Vec<f64>) {
    let a = model.a * numeric::exp(-0.5 * model.k * model.impact);
    let terminal = model.terminal + 0.5 * model.impact;
    let square = |i| model.inventory(i) * model.inventory(i);
    let diagonal = (0..model.inventories()).map(|i| model.running * model.k * square(i)).collect();
    let off = vec![-a / std::f64::consts::E; model.inventories() - 1];
    let z = (0..model.inventories()).map(|i| numeric::exp(-terminal * model.k * square(i))).collect();
    (Tridiagonal::new(diagonal, off), z)
}

fn corrected(model: &Model, i: usize) -> f64 {
    0.5 * model.impact * model.inventory(i) * model.inventory(i)
}

/// First-order condition: `δᵇ = 1/k + ξ·(q + 1) - h(q + 1) + h(q)`, the ask with `-ξ·(q - 1)` and `h(q - 1)`.
fn quotes_of(model: &Model, h: &[f64]) -> Vec<[f64; 2]> {
    let best = |i: usize, to: Option<usize>, jump: f64| match to.and_then(|to| h.get(to)) {
        Some(there) => 1.0 / model.k + jump - there + h[i],
        None => 1.0 / model.k,
    };
    let row = |i: usize| {
        let q = model.inventory(i);
        let bid = best(i, Some(i + 1), model.impact * (q + 1.0));
        [bid, best(i, i.checked_sub(1), -model.impact * (q - 1.0))]
    };
    (0..h.len()).map(row).collect()
}

/// The value of quotes that depend on time, inventory and drift, `[drifts][inventories]`, price · lot.
///
/// `quotes(left, j)` gives depths `[inventories]` with `left` to go in the `j`-th drift. The equation of the value,
/// `-ḣ = μq - φq² + Σ λe^{-κδ}·(δ ∓ ξ(q ± 1) + h(q ± 1) - h(q)) + G·h`, is linear and stiff: quotes through the mid fill thousands of
/// times a second. So it is stepped by Euler's implicit rule in `pieces`, twice, four and eight times as many steps, and extrapolated
/// to none (Hairer & Wanner, *Solving Ordinary Differential Equations II*, section IV.9); G, which is not stiff, explicitly.
pub fn evaluate(model: &Model, pieces: u32, mut quotes: impl FnMut(f64, usize) -> Vec<[f64; 2]>) -> Vec<Vec<f64>> {
    let mut column: Vec<Vec<Vec<f64>>> =
        [1, 2, 4, 8].iter().map(|times| implicit(model, times * pieces, &mut quotes)).collect();
    // The error of a column's entries is a series in the width; each round takes its first term away.
    for weight in [1.0, 3.0, 7.0] {
        let finer = |pair: &[Vec<Vec<f64>>]| {
            let less = |coarse: &f64, fine: &f64| fine + (fine - coarse) / weight;
            let rows = pair[0].iter().zip(&pair[1]);
            rows.map(|(coarse, fine)| coarse.iter().zip(fine).map(|(c, f)| less(c, f)).collect()).collect()
        };
        column = column.windows(2).map(finer).collect();
    }
    column.remove(0)
}

fn implicit(model: &Model, pieces: u32, quotes: &mut impl FnMut(f64, usize) -> Vec<[f64; 2]>) -> Vec<Vec<f64>> {
    let drifts = model.drifts();
    let width = model.horizon / f64::from(pieces);
    let mut h = vec![ends(model); drifts.len()];
    for piece in 1..=pieces {
        let left = f64::from(piece) * width;
        let before = h.clone();
        for (j, row) in h.iter_mut().enumerate() {
            let depths = quotes(left, j);
            let rates: Vec<[f64; 2]> = depths.iter().enumerate().map(|(i, d)| rates(model, i, *d)).collect();
            let earned = |i: usize| {
                let q = model.inventory(i);
                let [bid, ask] = depths[i];
                let sides = [bid - model.impact * (q + 1.0), ask + model.impact * (q - 1.0)];
                let fills: f64 =
                    rates[i].iter().zip(sides).map(|(rate, worth)| if *rate > 0.0 { rate * worth } else { 0.0 }).sum();
                drifts[j] * q - model.running * q * q + fills + change(model, &before, i, j)
            };
            let right: Vec<f64> = (0..row.len()).map(|i| before[j][i] + width * earned(i)).collect();
            solve(width, &rates, &right, row);
        }
    }
    h
}

/// `(1 + w·(up + down))·h(q) - w·up·h(q + 1) - w·down·h(q - 1) = right(q)`, by elimination downwards and back.
fn solve(width: f64, rates: &[[f64; 2]], right: &[f64], into: &mut [f64]) {
    let mut above = vec![0.0; right.len()];
    for (i, [up, down]) in rates.iter().enumerate() {
        let (carried, known) = if i > 0 { (above[i - 1], into[i - 1]) } else { (0.0, 0.0) };
        let pivot = 1.0 + width * (up + down) - width * down * carried;
        above[i] = width * up / pivot;
        into[i] = (right[i] + width * down * known) / pivot;
    }
    for i in (1..into.len()).rev() {
        into[i - 1] += above[i - 1] * into[i];
    }
}

/// How often bid and ask fill; never where inventory blocks them.
fn rates(model: &Model, i: usize, [bid, ask]: [f64; 2]) -> [f64; 2] {
    let rate = |open: bool, depth: f64| if open { model.a * numeric::exp(-model.k * depth) } else { 0.0 };
    [rate(i + 1 < model.inventories(), bid), rate(i > 0, ask)]
}

/// What is left at the end.
fn ends(model: &Model) -> Vec<f64> {
    (0..model.inventories()).map(|i| -model.terminal * model.inventory(i) * model.inventory(i)).collect()
}

/// The best there is, `[drifts][inventories]`, of any world.
///
/// The same equation with the best quotes of each moment in it, by the classical Runge-Kutta method of order four in `pieces` steps.
/// Too few pieces for how fast the best quotes fill, and it blows up: 2,000 will do for the worlds of `quant/TARGETS.md`.
pub fn optimum(model: &Model, pieces: u32) -> Vec<Vec<f64>> {
    let drifts = model.drifts();
    let mut h = vec![ends(model); drifts.len()];
    let slope = |h: &[Vec<f64>]| -> Vec<Vec<f64>> {
        let of =
            |j: usize, i: usize, depths: [f64; 2]| gain(model, drifts[j], &h[j], i, depths) + change(model, h, i, j);
        let row =
            |j: usize| quotes_of(model, &h[j]).into_iter().enumerate().map(|(i, depths)| of(j, i, depths)).collect();
        (0..drifts.len()).map(row).collect()
    };
    let width = model.horizon / f64::from(pieces);
    for _ in 0..pieces {
        let first = slope(&h);
        let second = slope(&moved(&h, &first, 0.5 * width));
        let third = slope(&moved(&h, &second, 0.5 * width));
        let fourth = slope(&moved(&h, &third, width));
        for (j, row) in h.iter_mut().enumerate() {
            for (i, value) in row.iter_mut().enumerate() {
                *value += width / 6.0 * (first[j][i] + 2.0 * (second[j][i] + third[j][i]) + fourth[j][i]);
            }
        }
    }
    h
}

fn moved(h: &[Vec<f64>], slope: &[Vec<f64>], by: f64) -> Vec<Vec<f64>> {
    h.iter().zip(slope).map(|(h, s)| h.iter().zip(s).map(|(h, s)| h + by * s).collect()).collect()
}

fn gain(model: &Model, drift: f64, h: &[f64], i: usize, depths: [f64; 2]) -> f64 {
    let q = model.inventory(i);
    let [up, down] = rates(model, i, depths);
    let mut gain = drift * q - model.running * q * q;
    if let Some(above) = h.get(i + 1) {
        gain += up * (depths[0] - model.impact * (q + 1.0) + above - h[i]);
    }
    if let Some(below) = i.checked_sub(1).map(|below| h[below]) {
        gain += down * (depths[1] + model.impact * (q - 1.0) + below - h[i]);
    }
    gain
}

/// What a change of drift is worth, per time.
fn change(model: &Model, h: &[Vec<f64>], i: usize, j: usize) -> f64 {
    let Some(regimes) = model.regimes else { return 0.0 };
    if SIGNS[j] == 0.0 {
        regimes.begin_rate * (h[0][i] + h[2][i] - 2.0 * h[1][i])
    } else {
        regimes.end_rate * (h[1][i] - h[j][i])
    }
}
