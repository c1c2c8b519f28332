//! The extended Chiarella model: where a price goes when some trade towards a value, some follow momentum, and some neither.
//!
//! ```text
//! dP = κ(V - P)dt + κ₃(V - P)³dt + Σ β tanh(γM)dt + g dt + σ_N dW_N       fundamentalists, chartists, drift, noise
//! dM = -αM dt + α(dP - g dt)                                             one per horizon of the chartists, α ≈ 1/(1 + h)
//! dV = g dt + σ_V dW_V                                                   the value itself
//! ```
//!
//! C. Chiarella, *The Dynamics of Speculative Behaviour*, Annals of Operations Research 37 (1992), as extended by A. Majewski,
//! S. Ciliberti & J.-P. Bouchaud, *Co-existence of Trend and Value in Financial Markets*, Journal of Economic Dynamics and
//! Control 112 (2020). This is the model alone, without a book: agents may follow it, calibration searches in it, and in
//! its linear regime its covariance is known exactly, so that both can be tested.
//!
//! Reading order: [`Chiarella`] is the parameters, [`State`] one moment, [`Chiarella::stationary`] the exact answer.

use serde::{Deserialize, Serialize};

use crate::numeric::{sqrt, tanh};
use crate::rng::Stream;

/// Chartists of one horizon.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Momentum {
    /// α, how fast the past is forgotten, 1 / time; `1/(1 + h)` of a horizon of h steps.
    pub alpha: f64,
    /// β, most that they push the price, price / time.
    pub beta: f64,
    /// γ, how soon they are saturated, time / price.
    pub gamma: f64,
}

/// The parameters.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Chiarella {
    /// κ, pull of the value, 1 / time.
    pub kappa: f64,
    /// κ₃, pull that grows with the cube of the distance, 1 / (price² · time).
    pub kappa3: f64,
    /// Chartists, quick and slow.
    pub momenta: Vec<Momentum>,
    /// g, drift of the value, price / time.
    pub drift: f64,
    /// σ_N, noise of the price, price / √time.
    pub noise: f64,
    /// σ_V, noise of the value, price / √time.
    pub value_noise: f64,
}

/// Where things are.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct State {
    /// P
    pub price: f64,
    /// V
    pub value: f64,
    /// M of each horizon, price / time.
    pub momenta: Vec<f64>,
}

/// Stationary second moments of the mispricing `δ = P - V` and of the momentum of one horizon.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Covariance {
    /// Variance of δ, price².
    pub mispricing: f64,
    /// Variance of M, price² / time².
    pub momentum: f64,
    /// Their correlation.
    pub correlation: f64,
}

impl State {
    /// At rest: the price is the value.
    pub fn at_rest(model: &Chiarella, price: f64) -> Self {
        Self { price, value: price, momenta: vec![0.0; model.momenta.len()] }
    }

    /// δ, how far the price is above the value.
    pub fn mispricing(&self) -> f64 {
        self.price - self.value
    }
}

impl Chiarella {
    /// One step of `dt` by Euler and Maruyama; momentum takes in the move of this very step.
    ///
    /// * `shocks` — standard normal draws: of the price, of the value
    pub fn step(&self, state: &mut State, dt: f64, shocks: (f64, f64)) {
        let away = state.value - state.price;
        let chartists = |(law, m): (&Momentum, &f64)| law.beta * tanh(law.gamma * m);
        let push: f64 = self.momenta.iter().zip(&state.momenta).map(chartists).sum();
        let drift = self.drift * dt;
        let root = sqrt(dt);
        let moved =
            (self.kappa * away + self.kappa3 * away * away * away + push) * dt + drift + self.noise * root * shocks.0;
        for (law, m) in self.momenta.iter().zip(&mut state.momenta) {
            *m += law.alpha * (moved - drift - *m * dt);
        }
        state.price += moved;
        state.value += drift + self.value_noise * root * shocks.1;
    }

    /// [`Chiarella::step`] with the next draws of a stream.
    pub fn walk(&self, state: &mut State, dt: f64, stream: &mut Stream) {
        let shocks = (stream.normal(), stream.normal());
        self.step(state, dt, shocks);
    }

    /// The exact stationary covariance where `tanh x ≈ x` and κ₃ = 0, of a model with one horizon; `None` for another
    /// number of horizons, and where `α(1 - βγ) + κ ≤ 0`: there the price goes round in a limit cycle.
    ///
    /// With `σ² = σ_N² + σ_V²` and `s = α(1 - βγ) + κ`,
    ///
    /// ```text
    /// var δ = [(κ + α(βγ - 1)²)σ² + αβγ(2 - βγ)σ_N²] / 2κs          var M = α(κσ² + (α - κ)σ_N²) / 2s
    /// cov   = α[(βγ - 1)σ² + (2 - βγ)σ_N²] / 2s
    /// ```
    ///
    /// J. Kurth & J.-P. Bouchaud, *Stationary Distributions of the Mode-switching Chiarella Model* (2025).
    pub fn stationary(&self) -> Option<Covariance> {
        let [Momentum { alpha, beta, gamma }] = self.momenta[..] else { return None };
        let (kappa, push, noise) = (self.kappa, beta * gamma, self.noise * self.noise);
        let both = noise + self.value_noise * self.value_noise;
        let stability = alpha * (1.0 - push) + kappa;
        if stability <= 0.0 || kappa <= 0.0 {
            return None;
        }
        let mispricing = ((kappa + alpha * (push - 1.0) * (push - 1.0)) * both + alpha * push * (2.0 - push) * noise)
            / (2.0 * kappa * stability);
        let momentum = alpha * (kappa * both + (alpha - kappa) * noise) / (2.0 * stability);
        let covariance = alpha * ((push - 1.0) * both + (2.0 - push) * noise) / (2.0 * stability);
        Some(Covariance { mispricing, momentum, correlation: covariance / sqrt(mispricing * momentum) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn model([kappa, alpha, beta, gamma, noise, value_noise]: [f64; 6]) -> Chiarella {
        Chiarella { kappa, kappa3: 0.0, momenta: vec![Momentum { alpha, beta, gamma }], drift: 0.0, noise, value_noise }
    }

    /// quant/TARGETS.md §6.4: parameters; variances of mispricing and momentum, correlation.
    const GOLDEN: [([f64; 6], [f64; 3]); 3] = [
        ([0.05, 0.2, 0.3, 0.5, 0.02, 0.01], [5.429_545_454_5e-3, 3.863_636_363_6e-5, 0.312_613_71]),
        ([0.1, 0.5, 0.8, 1.0, 0.02, 0.01], [6.3e-3, 2.625e-4, 0.369_367_50]),
        ([0.05, 1.0, 0.9, 1.0, 0.01, 0.02], [8.6e-3, 4e-4, 0.107_832_77]),
    ];

    /// The covariance of the linear steps themselves: `Σ ← AΣAᵀ + BBᵀ` until it stays.
    fn of_steps(model: &Chiarella, dt: f64) -> [f64; 3] {
        let Momentum { alpha, beta, gamma } = model.momenta[0];
        let (k, p) = (model.kappa * dt, beta * gamma * dt);
        // δ' = (1 - k)δ + pM + noise - value noise;  M' = M + α(moved - M·dt), moved = -kδ + pM + noise
        let a = [[1.0 - k, p], [-alpha * k, 1.0 + alpha * (p - dt)]];
        let (n, v) = (model.noise * model.noise * dt, model.value_noise * model.value_noise * dt);
        let b = [n + v, alpha * n, alpha * alpha * n];
        let mut s = [0.0; 3];
        for _ in 0..(40.0 / dt / model.kappa.min(alpha)) as usize {
            let [dd, dm, mm] = s;
            s = [
                a[0][0] * a[0][0] * dd + 2.0 * a[0][0] * a[0][1] * dm + a[0][1] * a[0][1] * mm + b[0],
                a[0][0] * a[1][0] * dd + (a[0][0] * a[1][1] + a[0][1] * a[1][0]) * dm + a[0][1] * a[1][1] * mm + b[1],
                a[1][0] * a[1][0] * dd + 2.0 * a[1][0] * a[1][1] * dm + a[1][1] * a[1][1] * mm + b[2],
            ];
        }
        [s[0], s[2], s[1] / sqrt(s[0] * s[2])]
    }

    #[test]
    fn the_exact_covariance_is_the_published_one_and_that_of_ever_finer_steps() {
        for (parameters, golden) in GOLDEN {
            let model = model(parameters);
            let found = model.stationary().unwrap();
            let found = [found.mispricing, found.momentum, found.correlation];
            // The correlation is given to eight places, the variances to eleven digits.
            for ((found, golden), digits) in found.iter().zip(golden).zip([1e-10 * golden[0], 1e-10 * golden[1], 6e-9])
            {
                assert!((found - golden).abs() < digits, "{parameters:?}: {found}, not {golden}");
            }
            // Euler's steps are off in proportion to their length: a tenth of it, a tenth of the error.
            let off = |dt| of_steps(&model, dt).iter().zip(found).map(|(a, b)| (a / b - 1.0).abs()).fold(0.0, f64::max);
            let (coarse, fine) = (off(0.1), off(0.01));
            assert!(fine < 0.02 && (6.0..15.0).contains(&(coarse / fine)), "{parameters:?}: {coarse} {fine}");
        }
        assert_eq!(model([0.05, 1.0, 3.0, 1.0, 0.01, 0.02]).stationary(), None, "a limit cycle has none");
    }

    #[test]
    fn a_simulation_has_the_covariance_of_its_steps() {
        // 4 000 paths of the first golden, to t = 120 in steps of .25, in its nearly linear regime (γM is some .003). A
        // variance of 4 000 independent draws has an error of √(2/4000) = 2.2 %; the correlation of (1 - ρ²)/√4000 = 1.4 %.
        let full = std::env::var("PAPERMAKER_TEST_SIZE").is_ok_and(|size| size == "full");
        let (paths, dt) = (if full { 40_000 } else { 4_000 }, 0.25);
        let model = model(GOLDEN[0].0);
        let mut stream = Stream::new(1, "sim.chiarella");
        let [mut dd, mut dm, mut mm] = [0.0; 3];
        for _ in 0..paths {
            let mut state = State::at_rest(&model, 100.0);
            (0..480).for_each(|_| model.walk(&mut state, dt, &mut stream));
            let (d, m) = (state.mispricing(), state.momenta[0]);
            (dd, dm, mm) = (dd + d * d, dm + d * m, mm + m * m);
        }
        let found = [dd / f64::from(paths), mm / f64::from(paths), dm / sqrt(dd * mm)];
        let exact = of_steps(&model, dt);
        let error = sqrt(2.0 / f64::from(paths));
        for (found, exact) in found.iter().zip(exact).take(2) {
            assert!((found / exact - 1.0).abs() < 4.0 * error, "{found}, not {exact}");
        }
        assert!(
            (found[2] - exact[2]).abs() < 4.0 * (1.0 - exact[2] * exact[2]) / sqrt(f64::from(paths)),
            "{found:?} {exact:?}"
        );
    }

    #[test]
    fn the_cube_pulls_harder_and_chartists_push_no_more_than_they_can() {
        // By hand, κ = .1, κ₃ = .01, V - P = 10: a step of 1 moves 1 + 10 = 11. Momentum saturated: β = 2 more.
        let mut far = model([0.1, 0.5, 2.0, 1e9, 0.0, 0.0]);
        far.kappa3 = 0.01;
        let mut state = State { price: 90.0, value: 100.0, momenta: vec![1.0] };
        far.step(&mut state, 1.0, (0.0, 0.0));
        assert_eq!(state.price, 103.0);
        // M = 1 + .5·(13 - 1)
        assert_eq!(state.momenta, [7.0]);
    }
}
