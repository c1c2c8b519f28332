//! Exact optima by the matrix exponential and the Perron eigenvector.

use papermaker::numeric::matrix::Tridiagonal;
use papermaker::numeric::{exp, ln_1p};
use papermaker::strategy::avellaneda_stoikov::{reservation_price, risk_neutral_half_spread, spread};
use papermaker::strategy::glft::{Exact, closed_form};

use super::near;

/// Eight decimals as printed.
const PRINTED: f64 = 6e-9;
/// Six decimals as printed.
const PRINTED_6: f64 = 6e-7;

#[test]
fn g1_the_figures_of_the_paper() {
    let (gamma, sigma, a, k) = (0.01, 0.3, 0.9, 0.3);
    let exact = Exact::finite(gamma, sigma, a, k, 30, 600.0);
    let far = Exact::stationary(gamma, sigma, a, k, 30);
    let (half, skew) = closed_form(gamma, sigma, a, k, 1.0);
    near(risk_neutral_half_spread(gamma, k), 3.27898228, PRINTED);
    near(skew, 0.06786583, PRINTED);
    near(2.0 * half, 6.62583040, PRINTED);
    near(far.lambda_min.unwrap(), -0.64473443, PRINTED);
    for (q, value, bid, ask, bid_far, bid_approx) in [
        (-30.0, 1258.99395440, Some(0.427056), None, Some(0.427056), 1.276940),
        (-10.0, 1287.22173602, Some(2.632802), Some(3.992933), Some(2.632802), 2.634257),
        (0.0, 1290.62509525, Some(3.313045), Some(3.313045), Some(3.313045), 3.312915),
        (10.0, 1287.22173602, Some(3.992933), Some(2.632802), Some(3.992933), 3.991574),
    ] {
        near(exact.certainty_equivalent(q).unwrap(), value, PRINTED);
        for (found, expected) in
            [(exact.bid_distance(q), bid), (exact.ask_distance(q), ask), (far.bid_distance(q), bid_far)]
        {
            assert_eq!(found.is_some(), expected.is_some(), "at {q}");
            near(found.unwrap_or(0.0), expected.unwrap_or(0.0), PRINTED_6);
        }
        near(half + q * skew, bid_approx, PRINTED_6);
    }
}

#[test]
fn g2_the_market_of_avellaneda_and_stoikov() {
    let (gamma, sigma, a, k) = (0.1, 2.0, 140.0, 1.5);
    let exact = Exact::finite(gamma, sigma, a, k, 10, 1.0);
    let far = Exact::stationary(gamma, sigma, a, k, 10);
    let (half, skew) = closed_form(gamma, sigma, a, k, 1.0);
    near(skew, 0.05171722, PRINTED);
    near(far.lambda_min.unwrap(), -95.85011796, PRINTED);
    for (q, value, bid, ask, ask_far, ask_approx) in [
        (-10.0, 61.36588418, 0.028008, None, None, 1.188416),
        (-5.0, 63.47365919, 0.410001, Some(0.932813), Some(0.932813), 0.929830),
        (-1.0, 64.10222179, 0.619127, Some(0.724123), Some(0.724124), 0.722961),
        (0.0, 64.12848016, 0.671644, Some(0.671644), Some(0.671644), 0.671244),
        (2.0, 64.02348350, 0.776497, Some(0.566647), Some(0.566647), 0.567809),
    ] {
        near(exact.certainty_equivalent(q).unwrap(), value, PRINTED);
        near(exact.bid_distance(q).unwrap(), bid, PRINTED_6);
        near(exact.ask_distance(q).unwrap_or(0.0), ask.unwrap_or(0.0), PRINTED_6);
        near(far.ask_distance(q).unwrap_or(0.0), ask_far.unwrap_or(0.0), PRINTED_6);
        near(half - q * skew, ask_approx, PRINTED_6);
    }
    // u(0, 0, 0, 0) = -v₀^{-γ/k} = -e^{-γ·CE}.
    near(-exp(-gamma * exact.certainty_equivalent(0.0).unwrap()), -1.6403461120e-3, 6e-14);
}

#[test]
fn g3_can_be_checked_by_hand() {
    let exact = Exact::finite(0.5, 1.0, 1.0, 1.0, 2, 2.0);
    // η = (1 + ½)^{-3} = 8/27.
    near(exp(-3.0 * ln_1p(0.5)), 8.0 / 27.0, 1e-15);
    near(risk_neutral_half_spread(0.5, 1.0), 0.81093022, PRINTED);
    for (q, value) in [(0.0, 0.95104324), (1.0, 0.54955812), (-1.0, 0.54955812), (2.0, -0.67771706)] {
        near(exact.certainty_equivalent(q).unwrap(), value, PRINTED);
    }
    for (q, bid) in [(-2.0, -0.416345), (-1.0, 0.409445), (0.0, 1.212415), (1.0, 2.038205)] {
        near(exact.bid_distance(q).unwrap(), bid, PRINTED_6);
        near(exact.ask_distance(-q).unwrap(), bid, PRINTED_6);
    }
    assert_eq!(exact.bid_distance(2.0), None);
    near(Exact::stationary(0.5, 1.0, 1.0, 1.0, 2).bid_distance(-2.0).unwrap(), -0.695801, PRINTED_6);
}

#[test]
fn near_the_end_avellaneda_and_stoikov_is_its_first_order() {
    // q = 3 in G2's market, a ten-thousandth of a second before the end: exact 0.6455252113, A-S 0.6455252114.
    let (gamma, sigma, a, k, left_s, q) = (0.1, 2.0, 140.0, 1.5, 1e-4, 3.0);
    let exact = Exact::finite(gamma, sigma, a, k, 10, left_s).bid_distance(q).unwrap();
    let r = reservation_price(0.0, q, gamma, sigma, left_s);
    let first_order = 0.5 * spread(gamma, sigma, k, left_s) - r;
    near(exact, 0.6455252113, 6e-11);
    near(first_order, 0.6455252114, 6e-11);
    // ln v_q = -(αq² - 2η)·τ - ηα·τ² + …: the second order is the same for every q away from the bound and drops out
    // of the quotes, so a tenth of the time leaves a thousandth of the difference.
    let difference = |left_s: f64| {
        let r = reservation_price(0.0, q, gamma, sigma, left_s);
        0.5 * spread(gamma, sigma, k, left_s)
            - r
            - Exact::finite(gamma, sigma, a, k, 10, left_s).bid_distance(q).unwrap()
    };
    near(difference(1e-3) / difference(1e-4), 1000.0, 10.0);
}

#[test]
fn cartea_jaimungal_and_penalva_s_values_come_from_the_same_exponential() {
    // ω(t) = exp(K(T - t))·z, z_q = e^{-ακq²}, K: diagonal -φκq², off-diagonal λ/e; h = ln ω / κ. Columns: λ, κ, φ, α,
    // Q, T and h(0, q).
    type Set = (f64, f64, f64, f64, usize, f64, &'static [(usize, f64)]);
    let sets: [Set; 3] = [
        (140.0, 1.5, 0.2, 0.001, 10, 1.0, &[(0, 66.27700217), (2, 66.17371756), (4, 65.86436852), (10, 63.55094458)]),
        (
            10.0,
            1.0,
            0.5,
            0.001,
            4,
            1.0,
            &[(0, 6.37283653), (1, 6.17664731), (2, 5.59598714), (3, 4.64887889), (4, 3.31852153)],
        ),
        (50.0, 1.0, 2.0, 0.5, 3, 1.0, &[(0, 30.38883425), (1, 30.20788060), (2, 29.66197984), (3, 28.68835288)]),
    ];
    for (lambda, kappa, phi, alpha, limit, horizon, table) in sets {
        let q = |i: usize| i as f64 - limit as f64;
        let n = 2 * limit + 1;
        let k = Tridiagonal::new((0..n).map(|i| phi * kappa * q(i) * q(i)).collect(), vec![-lambda * exp(-1.0); n - 1]);
        let end: Vec<f64> = (0..n).map(|i| exp(-alpha * kappa * q(i) * q(i))).collect();
        let omega = k.exp_action(horizon, &end);
        for &(q, h) in table {
            near(omega.ln(limit + q) / kappa, h, PRINTED);
            near(omega.ln(limit - q) / kappa, h, PRINTED);
        }
    }
}
