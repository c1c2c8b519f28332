//! What a policy is worth in a model world, without a single draw.
//!
//! A world in steps has few states: step, inventory, drift. So the value of any policy is a sum, from the last step back to the first,
//! and the best policy one maximum a state. Both are exact to rounding, and a policy's share of the optimum is a number, not an estimate
//! with an interval. `quant/TARGETS.md` §2.2; the dynamic programme was checked there against brute force.

use super::seat::{Judged, Seat};
use super::{Fills, Model};
use crate::numeric;

/// Values and quotes of the best policy.
#[derive(Clone, Debug, PartialEq)]
pub struct Optimum {
    /// What is expected at the start, `[drifts][inventories]`, price · lot.
    pub values: Vec<Vec<f64>>,
    /// Depths of bid and ask, `[steps][drifts][inventories]`, price. A side that inventory blocks says 0.
    pub quotes: Vec<Vec<Vec<[f64; 2]>>>,
}

impl Optimum {
    /// From no inventory and no drift.
    pub fn value(&self) -> f64 {
        flat(&self.values)
    }
}

/// The value at no inventory and no drift of `[drifts][inventories]`.
pub fn flat(values: &[Vec<f64>]) -> f64 {
    let row = &values[values.len() / 2];
    row[row.len() / 2]
}

/// What a policy is worth from no inventory and no drift, in the seat's own world, price · lot.
///
/// `policy` is told an observation and answers with an action, as it would be in [`super::Copies`].
pub fn evaluate(seat: &Seat, mut policy: impl FnMut(&[f32]) -> [f32; 2]) -> f64 {
    evaluate_rows(&seat.at(seat.model.a, seat.model.k), |observations, actions| {
        let len = observations.len() / (actions.len() / 2);
        for (observation, action) in observations.chunks_exact(len).zip(actions.chunks_exact_mut(2)) {
            action.copy_from_slice(&policy(observation));
        }
    })
}

/// As [`evaluate`], in a world of choice and all states of a step at once: for networks.
///
/// `policy(observations, actions)`: `[states][observation_len]`, `[states][2]`.
pub fn evaluate_rows(judged: &Judged, mut policy: impl FnMut(&[f32], &mut [f32])) -> f64 {
    let model = judged.model();
    let (width, drifts, len) = (model.inventories(), model.drifts().len(), judged.observation_len());
    let mut observations = vec![0.0; drifts * width * len];
    let mut actions = vec![0.0; drifts * width * 2];
    let values = backward(model, |step, _| {
        for (state, into) in observations.chunks_exact_mut(len).enumerate() {
            judged.observe(step, state % width, state / width, into);
        }
        policy(&observations, &mut actions);
        let depths = |state: usize| judged.depths(step, state % width, [actions[2 * state], actions[2 * state + 1]]);
        (0..drifts).map(|j| (0..width).map(|i| depths(j * width + i)).collect()).collect()
    });
    flat(&values)
}

/// What quotes are worth from no inventory and no drift. `quotes(step, inventory, drift)` gives depths of bid and ask.
pub fn evaluate_quotes(model: &Model, mut quotes: impl FnMut(u32, f64, f64) -> [f64; 2]) -> f64 {
    let drifts = model.drifts();
    let values = backward(model, |step, _| {
        let row = |drift: &f64| (0..model.inventories()).map(|i| quotes(step, model.inventory(i), *drift)).collect();
        drifts.iter().map(row).collect()
    });
    flat(&values)
}

/// The best there is.
pub fn optimum(model: &Model) -> Optimum {
    let mut quotes = Vec::new();
    let values = backward(model, |_, next: &[Vec<Next>]| {
        let found: Vec<Vec<[f64; 2]>> =
            next.iter().map(|row| row.iter().map(|next| best(model, next)).collect()).collect();
        quotes.push(found.clone());
        found
    });
    quotes.reverse();
    Optimum { values, quotes }
}

/// What is worth what after a step's fills, for one state before them.
#[derive(Clone, Copy, Debug)]
struct Next {
    /// Neither fills, or both do.
    stays: f64,
    /// The bid fills, without its depth; none at the upper limit.
    bought: Option<f64>,
    /// The ask fills, without its depth; none at the lower limit.
    sold: Option<f64>,
}

/// From the last step to the first; `quotes` is asked for depths of all states of a step.
fn backward(model: &Model, mut quotes: impl FnMut(u32, &[Vec<Next>]) -> Vec<Vec<[f64; 2]>>) -> Vec<Vec<f64>> {
    let (width, dt, drifts) = (model.inventories(), model.dt(), model.drifts());
    let moves = model.regimes.map_or(vec![vec![1.0]], |r| r.transition(dt).iter().map(|row| row.to_vec()).collect());
    let square = |i| model.inventory(i) * model.inventory(i);
    let mut h = vec![(0..width).map(|i| -model.terminal * square(i)).collect::<Vec<f64>>(); drifts.len()];
    for step in (0..model.steps).rev() {
        let next: Vec<Vec<Next>> = (0..drifts.len())
            .map(|j| {
                let kept = |i: usize| -> f64 {
                    let later: f64 = moves[j].iter().zip(&h).map(|(p, h)| p * h[i]).sum();
                    later - model.running * dt * square(i) + drifts[j] * dt * model.inventory(i)
                };
                let after: Vec<f64> = (0..width).map(kept).collect();
                let jump = |i: usize| model.impact * model.inventory(i);
                let one = |i: usize| Next {
                    stays: after[i],
                    bought: after.get(i + 1).map(|value| value - jump(i + 1)),
                    sold: i.checked_sub(1).map(|below| after[below] + jump(below)),
                };
                (0..width).map(one).collect()
            })
            .collect();
        let depths = quotes(step, &next);
        for (row, (next, depths)) in h.iter_mut().zip(next.iter().zip(&depths)) {
            for (value, (next, depths)) in row.iter_mut().zip(next.iter().zip(depths)) {
                *value = worth(model, next, *depths);
            }
        }
    }
    h
}

fn worth(model: &Model, next: &Next, [bid, ask]: [f64; 2]) -> f64 {
    let p = |side: Option<f64>, depth: f64| match side {
        Some(_) => (chance(model, depth), depth),
        None => (0.0, 0.0),
    };
    let ((buys, bid), (sells, ask)) = (p(next.bought, bid), p(next.sold, ask));
    let (bought, sold) = (next.bought.unwrap_or(0.0), next.sold.unwrap_or(0.0));
    let both_or_none = buys * sells + (1.0 - buys) * (1.0 - sells);
    buys * bid + sells * ask + buys * (1.0 - sells) * bought + sells * (1.0 - buys) * sold + both_or_none * next.stays
}

/// The probability of a fill within a step.
fn chance(model: &Model, depth: f64) -> f64 {
    model.fills.probability(model.a * model.dt() * numeric::exp(-model.k * depth))
}

/// The best depths of one state: each side in turn given the other, until neither moves.
///
/// A bid's fill is worth `δ + G` with `G` the gain of being one lot longer; while the ask may fill as well that gain is counted from
/// where the ask leads with its probability.
fn best(model: &Model, next: &Next) -> [f64; 2] {
    let (mut bid, mut ask): (f64, f64) = (1.0 / model.k, 1.0 / model.k);
    let (mut buys, mut sells) = (0.0, 0.0);
    let up = next.bought.map(|bought| bought - next.stays);
    let down = next.sold.map(|sold| sold - next.stays);
    for _ in 0..200 {
        let (bid_before, ask_before) = (bid, ask);
        let gain_up = up.map(|up| (1.0 - sells) * up - sells * down.unwrap_or(0.0));
        let gain_down = down.map(|down| (1.0 - buys) * down - buys * up.unwrap_or(0.0));
        bid = gain_up.map_or(0.0, |gain| best_alone(model, gain));
        ask = gain_down.map_or(0.0, |gain| best_alone(model, gain));
        buys = up.map_or(0.0, |_| chance(model, bid));
        sells = down.map_or(0.0, |_| chance(model, ask));
        if (bid - bid_before).abs().max((ask - ask_before).abs()) < 1e-13 {
            break;
        }
    }
    [bid, ask]
}

/// The depth that maximises `p(δ)·(δ + gain)`.
fn best_alone(model: &Model, gain: f64) -> f64 {
    let arrivals = model.a * model.dt();
    let free = 1.0 / model.k - gain;
    match model.fills {
        // p = x until x is 1, and a quote that is sure to fill need not be closer.
        Fills::Literal => free.max(numeric::ln(arrivals) / model.k),
        // (1 - e^{-x}) = k·x·e^{-x}·(δ + gain), so δ = (e^x - 1)/(k·x) - gain. The right side falls with δ and is convex, and at
        // `free` it is too great: Newton's steps go up to the root and never past it.
        Fills::Poisson => {
            let mut depth = free.max((numeric::ln(arrivals) - 3.0) / model.k);
            for _ in 0..200 {
                let x = arrivals * numeric::exp(-model.k * depth);
                let ratio = numeric::exp_m1(x) / x;
                let step = (ratio / model.k - gain - depth) / (1.0 + numeric::exp(x) - ratio);
                depth += step;
                if step.abs() < 1e-14 {
                    break;
                }
            }
            depth
        }
    }
}
