//! Arrivals that bring others: the Hawkes process with an exponential kernel, fitted by maximum likelihood.
//!
//! The rate is `λ(t) = μ + Σ_{t_i < t} nβ·e^{-β(t - t_i)}`: each arrival brings `n` others on average, which come after `1/β`
//! seconds on average. `n` is the branching ratio; 0 is a Poisson process, and at 1 it never dies out.
//!
//! Y. Ogata, *On Lewis' Simulation Method for Point Processes*, IEEE Transactions on Information Theory 27 (1981): with
//! `A_i = e^{-β(t_i - t_{i-1})}·(1 + A_{i-1})` the likelihood takes one pass.
//!
//! For a given β the likelihood is concave in `(μ, n)`, so those two are found by Newton's method; β by a scan and the golden
//! section. What the estimate cannot know: a rate that changes by the hour looks like excitation (V. Filimonov & D. Sornette,
//! *Apparent Criticality and Calibration Issues in the Hawkes Self-Excited Point Process Model*, Quantitative Finance 15 (2015)), and
//! a market with several time scales has one kernel for all of them.

use super::{Estimate, Unmeasured};
use crate::numeric::{exp, ln, sqrt};
use crate::rng::Stream;

/// Fewest arrivals.
pub const ARRIVALS_MIN: usize = 200;

/// The likeliest Hawkes process.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Hawkes {
    /// μ, arrivals that nothing brought, 1 / second.
    pub base: Estimate,
    /// n, arrivals each arrival brings.
    pub branching: Estimate,
    /// β, 1 / second.
    pub decay: Estimate,
    /// Logarithm of the likelihood, less that of the Poisson process of the same count.
    pub gain: f64,
}

/// Fits arrivals observed from 0 to `length_s`.
///
/// * `times_s` — ascending, within `0..=length_s`. Equal times make the likelihood grow without bound as β does: spread
///   what a coarse clock says within its step first ([`spread`])
/// * `shortest_s` — no kernel is quicker: what the clock can tell
///
/// At least [`ARRIVALS_MIN`] arrivals.
pub fn fit(times_s: &[f64], length_s: f64, shortest_s: f64) -> Result<Hawkes, Unmeasured> {
    Unmeasured::unless("arrivals", times_s.len(), ARRIVALS_MIN)?;
    let count = times_s.len() as f64;
    let mean_gap = length_s / count;
    let (low, high) = (ln(2.0 / length_s), ln((1.0 / shortest_s).max(4.0 / length_s)).min(ln(1e4 / mean_gap)));
    let mut echoes = Vec::with_capacity(times_s.len());
    let mut profile = |log_decay: f64| {
        let decay = exp(log_decay);
        let closed = echo(times_s, length_s, decay, &mut echoes);
        most_likely(&echoes, length_s, decay, closed)
    };
    let steps = 24;
    let at = |i: usize| low + (high - low) * i as f64 / steps as f64;
    let scanned: Vec<f64> = (0..=steps).map(|i| profile(at(i)).2).collect();
    let best = (0..=steps).max_by(|&a, &b| scanned[a].total_cmp(&scanned[b])).expect("a scan has points");
    let (mut a, mut b) = (at(best.saturating_sub(1)), at((best + 1).min(steps)));
    const GOLDEN: f64 = 0.618_033_988_749_894_8;
    for _ in 0..24 {
        let (left, right) = (b - GOLDEN * (b - a), a + GOLDEN * (b - a));
        if profile(left).2 > profile(right).2 { b = right } else { a = left }
    }
    let log_decay = 0.5 * (a + b);
    let (base, branching, likelihood) = profile(log_decay);
    let decay = exp(log_decay);
    let poisson = count * ln(count / length_s) - count;
    let errors = errors(times_s, length_s, [base, branching, decay]);
    let estimate = |value, error| Estimate { value, error, n: times_s.len() };
    Ok(Hawkes {
        base: estimate(base, errors[0]),
        branching: estimate(branching, errors[1]),
        decay: estimate(decay, errors[2]),
        gain: likelihood - poisson,
    })
}

/// Times of a clock that tells whole steps only, each moved into its step at random and sorted again.
pub fn spread(times_s: &mut [f64], step_s: f64, seed: u64) {
    let mut stream = Stream::new(seed, "facts.hawkes.spread");
    times_s.iter_mut().for_each(|time| *time += step_s * stream.uniform());
    times_s.sort_unstable_by(f64::total_cmp);
}

/// `A_i` of every arrival into `echoes`; returns `Σ (1 - e^{-β(T - t_i)})`, the part of the kernels that was observed.
fn echo(times_s: &[f64], length_s: f64, decay: f64, echoes: &mut Vec<f64>) -> f64 {
    echoes.clear();
    let (mut last, mut echo, mut closed) = (None, 0.0, 0.0);
    for &time in times_s {
        echo = last.map_or(0.0, |last: f64| exp(-decay * (time - last)) * (1.0 + echo));
        echoes.push(echo);
        last = Some(time);
        closed += 1.0 - exp(-decay * (length_s - time));
    }
    closed
}

/// `Σ ln(μ + nβ·A_i) - μT - n·closed`
fn likelihood(echoes: &[f64], length_s: f64, decay: f64, closed: f64, base: f64, branching: f64) -> f64 {
    let jump = branching * decay;
    echoes.iter().map(|echo| ln(base + jump * echo)).sum::<f64>() - base * length_s - branching * closed
}

/// The likeliest `(μ, n)` for a given β, and the likelihood there. Newton's steps, halved until they climb and stay
/// positive.
fn most_likely(echoes: &[f64], length_s: f64, decay: f64, closed: f64) -> (f64, f64, f64) {
    let count = echoes.len() as f64;
    let value = |base: f64, branching: f64| likelihood(echoes, length_s, decay, closed, base, branching);
    let (mut base, mut branching) = (0.5 * count / length_s, 0.5);
    let mut here = value(base, branching);
    for _ in 0..50 {
        let jump = branching * decay;
        let (mut gm, mut gn, mut mm, mut mn, mut nn) = (-length_s, -closed, 0.0, 0.0, 0.0);
        for echo in echoes {
            let rate = 1.0 / (base + jump * echo);
            let by_branching = decay * echo * rate;
            gm += rate;
            gn += by_branching;
            mm += rate * rate;
            mn += rate * by_branching;
            nn += by_branching * by_branching;
        }
        // The Hessian is -(mm mn; mn nn).
        let determinant = mm * nn - mn * mn;
        let (dm, dn) = if determinant > 1e-12 * mm * nn {
            ((nn * gm - mn * gn) / determinant, (mm * gn - mn * gm) / determinant)
        } else {
            (gm / mm, 0.0)
        };
        let mut scale = 1.0;
        let climbed = loop {
            let (to_m, to_n) = ((base + scale * dm).max(base * 0.1), (branching + scale * dn).max(branching * 0.1));
            let there = value(to_m, to_n);
            if there > here {
                let gain = there - here;
                (base, branching, here) = (to_m, to_n, there);
                break gain;
            }
            scale *= 0.5;
            if scale < 1e-6 {
                break 0.0;
            }
        };
        if climbed < 1e-7 {
            break;
        }
    }
    (base, branching, here)
}

/// Standard errors of `(μ, n, β)`: the inverse of the observed information, whose second differences are taken at a
/// thousandth of each parameter. NaN where the likelihood has no top inside.
fn errors(times_s: &[f64], length_s: f64, at: [f64; 3]) -> [f64; 3] {
    let mut echoes = Vec::with_capacity(times_s.len());
    let mut value = |p: [f64; 3]| {
        let closed = echo(times_s, length_s, p[2], &mut echoes);
        likelihood(&echoes, length_s, p[2], closed, p[0], p[1])
    };
    let step = at.map(|p| 3e-3 * p.abs().max(1e-6));
    let moved = |by: &[(usize, f64)]| {
        let mut to = at;
        by.iter().for_each(|&(i, sign)| to[i] += sign * step[i]);
        to
    };
    let here = value(at);
    let mut information = [[0.0; 3]; 3];
    for i in 0..3 {
        for j in 0..=i {
            let second = if i == j {
                (value(moved(&[(i, 1.0)])) - 2.0 * here + value(moved(&[(i, -1.0)]))) / (step[i] * step[i])
            } else {
                let mixed = value(moved(&[(i, 1.0), (j, 1.0)]))
                    - value(moved(&[(i, 1.0), (j, -1.0)]))
                    - value(moved(&[(i, -1.0), (j, 1.0)]))
                    + value(moved(&[(i, -1.0), (j, -1.0)]));
                mixed / (4.0 * step[i] * step[j])
            };
            (information[i][j], information[j][i]) = (-second, -second);
        }
    }
    let m = information;
    let minor = |a: usize, b: usize| m[a][a] * m[b][b] - m[a][b] * m[b][a];
    let determinant = m[0][0] * minor(1, 2) - m[0][1] * (m[1][0] * m[2][2] - m[1][2] * m[2][0])
        + m[0][2] * (m[1][0] * m[2][1] - m[1][1] * m[2][0]);
    let variance = [minor(1, 2), minor(0, 2), minor(0, 1)].map(|cofactor| cofactor / determinant);
    variance.map(|variance| if variance > 0.0 { sqrt(variance) } else { f64::NAN })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ogata's thinning.
    fn simulate(base: f64, branching: f64, decay: f64, length_s: f64, seed: u64) -> Vec<f64> {
        let mut stream = Stream::new(seed, "facts.hawkes");
        let (mut times, mut now, mut excited) = (Vec::new(), 0.0, 0.0);
        loop {
            let bound = base + excited;
            let wait = stream.exponential(1.0 / bound);
            now += wait;
            if now > length_s {
                return times;
            }
            excited *= exp(-decay * wait);
            if stream.uniform() * bound < base + excited {
                times.push(now);
                excited += branching * decay;
            }
        }
    }

    #[test]
    fn the_likelihood_is_the_sum_it_says() {
        // Three arrivals, every kernel written out.
        let (times, length, base, branching, decay): (_, f64, f64, f64, f64) = ([0.5, 0.9, 2.0], 3.0, 0.7, 0.4, 1.3);
        let kernel = |gap: f64| branching * decay * exp(-decay * gap);
        let rates = [base, base + kernel(0.4), base + kernel(1.5) + kernel(1.1)];
        let compensator =
            base * length + [2.5, 2.1, 1.0].map(|rest: f64| branching * (1.0 - exp(-decay * rest))).iter().sum::<f64>();
        let expected = rates.map(ln).iter().sum::<f64>() - compensator;
        let mut echoes = Vec::new();
        let closed = echo(&times, length, decay, &mut echoes);
        let found = likelihood(&echoes, length, decay, closed, base, branching);
        assert!((found - expected).abs() < 1e-12, "{found}, not {expected}");
    }

    #[test]
    fn the_process_that_was_simulated_is_found_within_its_errors() {
        // μ = 1, n = .6, β = 5 for 4000 s is some 10 000 arrivals. Each of eight is within four errors, and the errors are as
        // large as what eight independent fits scatter by.
        let fits: Vec<Hawkes> =
            (0..8).map(|seed| fit(&simulate(1.0, 0.6, 5.0, 4_000.0, seed), 4_000.0, 1e-9).unwrap()).collect();
        for found in &fits {
            for (estimate, truth) in [(found.base, 1.0), (found.branching, 0.6), (found.decay, 5.0)] {
                assert!((estimate.value - truth).abs() < 4.0 * estimate.error, "{found:?}");
            }
        }
        let mean = fits.iter().map(|f| f.branching.value).sum::<f64>() / 8.0;
        let scatter = sqrt(fits.iter().map(|f| f.branching.value - mean).map(|off| off * off).sum::<f64>() / 7.0);
        let told = fits.iter().map(|f| f.branching.error).sum::<f64>() / 8.0;
        assert!((0.4..2.2).contains(&(scatter / told)), "scatter {scatter}, told {told}");
        assert!((mean - 0.6).abs() < 0.015, "{mean}");
    }

    #[test]
    fn independent_arrivals_bring_none() {
        let found = fit(&simulate(3.0, 0.0, 1.0, 2_000.0, 1), 2_000.0, 1e-9).unwrap();
        assert!(found.branching.value < 0.05 && found.gain < 6.0, "{found:?}");
        assert!((found.base.value / 3.0 - 1.0).abs() < 0.08, "{found:?}");
        let Err(Unmeasured::TooFew { found: 3, .. }) = fit(&[1.0, 2.0, 3.0], 4.0, 1e-9) else {
            panic!("three are few")
        };
    }

    #[test]
    fn a_clock_of_whole_milliseconds_costs_little() {
        let length = 3_000.0;
        let exact = simulate(1.0, 0.6, 5.0, length, 3);
        let mut told: Vec<f64> = exact.iter().map(|time| (time * 1e3).floor() / 1e3).collect();
        spread(&mut told, 1e-3, 1);
        let (exact, told) = (fit(&exact, length, 1e-9).unwrap(), fit(&told, length, 1e-3).unwrap());
        assert!((exact.branching.value - told.branching.value).abs() < 0.01, "{exact:?} {told:?}");
    }
}
