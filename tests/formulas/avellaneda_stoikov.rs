//! Section 3.3 of the paper, without its Monte-Carlo error.
//!
//! s₀ = 100, T = 1, σ = 2, Δt = 0.005, k = 1.5, A = 140. In each step a quote δ away fills with probability λ(δ)·Δt,
//! the two sides independently; then the mid moves ±σ√Δt. Inventory is Markov and independent of the mid, and
//! `profit = Σδ of fills + Σ q_{n+1}·ΔS`, so carrying `P`, `E[Y·1]`, `E[Y²·1]` forward over q gives exact moments.

use papermaker::numeric::{exp, exp_m1, sqrt};
use papermaker::rng::Stream;
use papermaker::strategy::avellaneda_stoikov::{reservation_price, risk_neutral_half_spread, spread};

use super::near;

const A: f64 = 140.0;
const K: f64 = 1.5;
const SIGMA: f64 = 2.0;
const DT: f64 = 0.005;
const STEPS: usize = 200;
const START: f64 = 100.0;

/// Who quotes.
#[derive(Clone, Copy, Debug)]
enum Policy {
    /// Equations (29) and (30).
    Inventory,
    /// The time average of the inventory strategy's spread, round the mid.
    Symmetric,
    /// Equation (29) with the constant spread `(2/γ)·ln(1 + γ/k)`: the working paper.
    InventoryConstant,
    /// That constant spread round the mid.
    SymmetricConstant,
}

/// How a rate becomes a probability.
#[derive(Clone, Copy, Debug)]
enum Convention {
    /// `min(1, λΔt)`, as the paper is written.
    Literal,
    /// `1 - e^{-λΔt}`.
    Poisson,
}

impl Convention {
    fn fill_probability(self, distance: f64) -> f64 {
        let expected = A * exp(-K * distance) * DT;
        match self {
            Convention::Literal => expected.min(1.0),
            Convention::Poisson => -exp_m1(-expected),
        }
    }
}

impl Policy {
    /// Distances of bid and ask from the mid in step `n` with inventory `q`.
    fn distances(self, gamma: f64, average: f64, n: usize, q: f64) -> (f64, f64) {
        let left_s = 1.0 - n as f64 * DT;
        let r = reservation_price(START, q, gamma, SIGMA, left_s);
        let constant = risk_neutral_half_spread(gamma, K);
        let (centre, half) = match self {
            Policy::Inventory => (r, 0.5 * spread(gamma, SIGMA, K, left_s)),
            Policy::Symmetric => (START, 0.5 * average),
            Policy::InventoryConstant => (r, constant),
            Policy::SymmetricConstant => (START, constant),
        };
        (START - (centre - half), (centre + half) - START)
    }
}

fn average_spread(gamma: f64) -> f64 {
    (0..STEPS).map(|n| spread(gamma, SIGMA, K, 1.0 - n as f64 * DT)).sum::<f64>() / STEPS as f64
}

#[derive(Debug, Default)]
struct Moments {
    spread: f64,
    profit: f64,
    sd_profit: f64,
    sd_q: f64,
    fills: f64,
}

fn exact(policy: Policy, gamma: f64, convention: Convention) -> Moments {
    const MOST: usize = 120;
    let width = 2 * MOST + 1;
    let average = average_spread(gamma);
    let q_of = |i: usize| i as f64 - MOST as f64;
    let (mut p, mut m1, mut m2) = (vec![0.0; width], vec![0.0; width], vec![0.0; width]);
    p[MOST] = 1.0;
    let (mut moments, mut held) = (Moments::default(), 0.0);
    for n in 0..STEPS {
        let (mut np, mut n1, mut n2) = (vec![0.0; width], vec![0.0; width], vec![0.0; width]);
        for i in 0..width {
            if p[i] == 0.0 {
                continue;
            }
            let (bid, ask) = policy.distances(gamma, average, n, q_of(i));
            let (pb, pa) = (convention.fill_probability(bid), convention.fill_probability(ask));
            moments.spread += p[i] * (bid + ask) / STEPS as f64;
            moments.fills += p[i] * (pb + pa);
            for (bought, sold) in [(false, false), (true, false), (false, true), (true, true)] {
                let w = if bought { pb } else { 1.0 - pb } * if sold { pa } else { 1.0 - pa };
                let y = if bought { bid } else { 0.0 } + if sold { ask } else { 0.0 };
                let to = (i + usize::from(bought)).saturating_sub(usize::from(sold)).min(width - 1);
                np[to] += w * p[i];
                n1[to] += w * (m1[i] + p[i] * y);
                n2[to] += w * (m2[i] + 2.0 * y * m1[i] + y * y * p[i]);
            }
            if i == 0 || i == width - 1 {
                assert!(p[i] < 1e-12, "the lattice is wide enough");
            }
        }
        (p, m1, m2) = (np, n1, n2);
        held += p.iter().enumerate().map(|(i, p)| p * q_of(i) * q_of(i)).sum::<f64>();
    }
    moments.profit = m1.iter().sum();
    let variance = m2.iter().sum::<f64>() - moments.profit * moments.profit + SIGMA * SIGMA * DT * held;
    moments.sd_profit = sqrt(variance);
    moments.sd_q = sqrt(p.iter().enumerate().map(|(i, p)| p * q_of(i) * q_of(i)).sum());
    moments
}

/// γ, policy, average spread, E profit, sd profit, sd q, E fills.
const LITERAL: [(f64, Policy, f64, f64, f64, f64, f64); 16] = [
    (0.01, Policy::Inventory, 1.3490, 68.3996, 8.9606, 5.2125, 102.206),
    (0.01, Policy::Symmetric, 1.3490, 68.6661, 13.6775, 8.7117, 101.802),
    (0.01, Policy::InventoryConstant, 1.3289, 68.3960, 8.9196, 5.2125, 103.757),
    (0.01, Policy::SymmetricConstant, 1.3289, 68.6705, 13.7076, 8.7548, 103.349),
    (0.1, Policy::Inventory, 1.4918, 64.8925, 6.5432, 2.9268, 96.963),
    (0.1, Policy::Symmetric, 1.4918, 68.2228, 13.4558, 8.3994, 91.465),
    (0.1, Policy::InventoryConstant, 1.2908, 64.2203, 6.0480, 2.9263, 112.327),
    (0.1, Policy::SymmetricConstant, 1.2908, 68.6351, 13.7639, 8.8359, 106.347),
    (0.5, Policy::Inventory, 2.1557, 48.5681, 5.8981, 1.9558, 78.138),
    (0.5, Policy::Symmetric, 2.1557, 59.9179, 12.3213, 6.9184, 55.589),
    (0.5, Policy::InventoryConstant, 1.1507, 23.9007, 5.0686, 1.9533, 139.917),
    (0.5, Policy::SymmetricConstant, 1.1507, 67.9649, 13.9596, 9.1237, 118.125),
    (1.0, Policy::Inventory, 3.0317, 31.4545, 4.8379, 1.6414, 56.059),
    (1.0, Policy::Symmetric, 3.0317, 43.6853, 10.7332, 5.1714, 28.819),
    (1.0, Policy::InventoryConstant, 1.0217, -43.2766, 8.2816, 1.6361, 151.244),
    (1.0, Policy::SymmetricConstant, 1.0217, 66.4749, 14.1202, 9.3700, 130.132),
];

const POISSON: [(f64, Policy, f64, f64, f64, f64, f64); 8] = [
    (0.01, Policy::Inventory, 1.3490, 60.3420, 9.0367, 5.3226, 90.134),
    (0.01, Policy::Symmetric, 1.3490, 60.6246, 13.1060, 8.3477, 89.880),
    (0.1, Policy::Inventory, 1.4918, 57.1717, 6.3616, 2.9952, 85.538),
    (0.1, Policy::Symmetric, 1.4918, 60.9848, 12.9205, 8.0653, 81.762),
    (0.5, Policy::Inventory, 2.1557, 42.8847, 5.5369, 2.0135, 69.064),
    (0.5, Policy::Symmetric, 2.1557, 55.9407, 11.9690, 6.7205, 51.900),
    (1.0, Policy::Inventory, 3.0317, 28.2398, 4.6019, 1.7014, 50.334),
    (1.0, Policy::Symmetric, 3.0317, 42.1487, 10.5571, 5.0865, 27.806),
];

fn assert_cells(cells: &[(f64, Policy, f64, f64, f64, f64, f64)], convention: Convention) {
    for &(gamma, policy, spread, profit, sd_profit, sd_q, fills) in cells {
        let found = exact(policy, gamma, convention);
        let label = format!("γ = {gamma} {policy:?} {convention:?}: {found:?}");
        for (value, target, tolerance) in [
            (found.spread, spread, 1e-4),
            (found.profit, profit, 1e-4),
            (found.sd_profit, sd_profit, 1e-4),
            (found.sd_q, sd_q, 1e-4),
            // Printed to three places.
            (found.fills, fills, 1e-3),
        ] {
            assert!((value - target).abs() < tolerance, "{value} is not {target} in {label}");
        }
    }
}

#[test]
fn the_paper_s_experiment_has_its_exact_moments() {
    assert_cells(&LITERAL, Convention::Literal);
}

#[test]
fn with_poisson_fills_it_has_the_other_exact_moments() {
    assert_cells(&POISSON, Convention::Poisson);
}

/// One path: final wealth and inventory.
fn path(policy: Policy, gamma: f64, average: f64, stream: &mut Stream) -> (f64, f64) {
    let (mut mid, mut cash, mut q) = (START, 0.0, 0.0);
    for n in 0..STEPS {
        let (bid, ask) = policy.distances(gamma, average, n, q);
        let sold = stream.chance(Convention::Literal.fill_probability(ask));
        let bought = stream.chance(Convention::Literal.fill_probability(bid));
        if sold {
            cash += mid + ask;
            q -= 1.0;
        }
        if bought {
            cash -= mid - bid;
            q += 1.0;
        }
        mid += if stream.chance(0.5) { SIGMA } else { -SIGMA } * sqrt(DT);
    }
    (cash + q * mid, q)
}

#[test]
fn simulated_paths_agree_within_three_standard_errors() {
    let full = std::env::var("PAPERMAKER_TEST_SIZE").is_ok_and(|size| size == "full");
    let paths = if full { 100_000 } else { 1_500 };
    for &(gamma, policy, _, profit, sd_profit, sd_q, _) in &LITERAL {
        if matches!(policy, Policy::InventoryConstant | Policy::SymmetricConstant) {
            continue;
        }
        let mut stream = Stream::new(2008, &format!("{gamma} {policy:?}"));
        let average = average_spread(gamma);
        let ends: Vec<(f64, f64)> = (0..paths).map(|_| path(policy, gamma, average, &mut stream)).collect();
        let n = f64::from(paths);
        let mean = ends.iter().map(|e| e.0).sum::<f64>() / n;
        let sd = sqrt(ends.iter().map(|e| (e.0 - mean) * (e.0 - mean)).sum::<f64>() / (n - 1.0));
        let q = ends.iter().map(|e| e.1).sum::<f64>() / n;
        near(mean, profit, 3.0 * sd_profit / sqrt(n));
        // The standard error of a standard deviation; profits here have tails a little fatter than normal.
        near(sd, sd_profit, 3.0 * 1.1 * sd_profit / sqrt(2.0 * n));
        near(q, 0.0, 3.0 * sd_q / sqrt(n));
    }
}
