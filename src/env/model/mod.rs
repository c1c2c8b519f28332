//! Closed-form worlds: markets whose best possible return is known to eight digits.
//!
//! The mid is a martingale (or drifts by a regime), our quotes δ away from it fill at rate `A·e^{-kδ}`, one unit a fill,
//! inventory stays within ±Q, and time ends. What is wanted is `E[X_T + q_T·S_T - α·q_T² - φ∫q²dt]`: Cartea, Jaimungal &
//! Penalva, *Algorithmic and High-Frequency Trading* (2015), chapter 10. Nothing else happens here, which is what the worlds
//! are for: whatever a learner misses in them is the learner's fault, to be read off as a percentage.
//!
//! Time goes in steps. In a step the quotes of either side may fill, independently of each other, then inventory is charged for:
//! `reward = Σδ - ξ·(bought - sold)·q' + μ·dt·q' - φ·dt·q'²`, and `-α·q'²` at the last, with `q'` after the fills. The martingale's
//! own moves are worth nothing on average and are left out of the reward: the same optimum from fewer episodes.
//!
//! Reading order: [`Model`] is a world, [`Seat`] what an agent in it sees and does, [`Copies`] many of them stepped together,
//! [`exact`] what any policy is worth without a single draw, [`continuous`] the same where steps get infinitely short.

pub mod continuous;
pub mod exact;

mod copies;
mod draws;
mod seat;

use serde::{Deserialize, Serialize};

use crate::numeric;

pub use copies::Copies;
pub use draws::Lanes;
pub use seat::{Base, Clock, Judged, Knowledge, ModelError, Quoting, Seat, Start, Worlds};

/// With what probability a quote fills in a step; `x = A·dt·e^{-kδ}`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fills {
    /// `min(1, x)`, as Avellaneda & Stoikov simulate it. Pays more than continuous time does.
    #[default]
    Literal,
    /// `1 - e^{-x}`: at least one arrival. Pays less than continuous time does.
    Poisson,
}

impl Fills {
    /// The probability, of `x` expected arrivals.
    pub fn probability(self, x: f64) -> f64 {
        match self {
            Fills::Literal => x.min(1.0),
            Fills::Poisson => -numeric::exp_m1(-x),
        }
    }
}

/// A drift that everybody sees: up, none or down. It changes between steps.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Regimes {
    /// How fast the mid drifts while it does, price per time.
    pub drift: f64,
    /// How often a drift begins, of either sign, 1/time.
    pub begin_rate: f64,
    /// How often it ends, 1/time.
    pub end_rate: f64,
}

/// The drifts in units of [`Regimes::drift`], in the order of every list of regimes.
pub const SIGNS: [f64; 3] = [-1.0, 0.0, 1.0];

impl Regimes {
    /// The probabilities of the next regime, `[from][to]`, after `dt`.
    ///
    /// The chain's generator has eigenvalues 0, `-b` (sign of the drift) and `-(2a + b)` (drift or none), with `a` the rate at which
    /// either drift begins and `b` that at which it ends: with `π = b/(2a + b)` the share of time without drift,
    /// `P(0→0) = π + (1 - π)·e^{-(2a+b)dt}`, `P(±→0) = π·(1 - e^{-(2a+b)dt})` and `P(+→+) - P(+→-) = e^{-b·dt}`.
    pub fn transition(&self, dt: f64) -> [[f64; 3]; 3] {
        let (a, b) = (self.begin_rate, self.end_rate);
        let sum = 2.0 * a + b;
        let still = if sum > 0.0 { b / sum } else { 1.0 };
        let (mixed, kept) = (numeric::exp(-sum * dt), numeric::exp(-b * dt));
        let rest = still + (1.0 - still) * mixed;
        let ends = if sum > 0.0 { still * (1.0 - mixed) } else { 0.0 };
        let (same, turns) = (0.5 * (1.0 - ends + kept), 0.5 * (1.0 - ends - kept));
        [[same, ends, turns], [0.5 * (1.0 - rest), rest, 0.5 * (1.0 - rest)], [turns, ends, same]]
    }
}

/// A world. Prices, times and lots are in whatever units its numbers are in.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Model {
    /// Arrivals at the mid, each side, 1/time: A (λ in CJP).
    pub a: f64,
    /// How they get fewer with distance, 1/price: k (κ in CJP).
    pub k: f64,
    /// What holding costs, price/(lot · time): φ.
    pub running: f64,
    /// What is left over costs, price/lot: α.
    pub terminal: f64,
    /// Most lots either way: Q.
    pub inventory_max: u32,
    /// When it ends: T.
    pub horizon: f64,
    /// In how many steps: N.
    pub steps: u32,
    /// The mid's volatility, price/√time: σ. Enters analytic quotes, not the reward.
    pub sigma: f64,
    /// Risk aversion of analytic quotes, 1/(price · lot): γ.
    pub gamma: f64,
    /// How a quote fills.
    pub fills: Fills,
    /// How far the mid moves against each fill, price: ξ.
    pub impact: f64,
    /// The drift, if there is one.
    pub regimes: Option<Regimes>,
}

impl Model {
    /// P1, the market of Avellaneda & Stoikov (2008).
    pub const P1: Model = Model {
        a: 140.0,
        k: 1.5,
        running: 0.2,
        terminal: 0.001,
        inventory_max: 10,
        horizon: 1.0,
        steps: 200,
        sigma: 2.0,
        gamma: 0.1,
        fills: Fills::Literal,
        impact: 0.0,
        regimes: None,
    };

    /// P2, the market that mbt_gym's example trains PPO in, with less inventory.
    pub const P2: Model =
        Model { a: 10.0, k: 1.0, running: 0.5, inventory_max: 4, steps: 100, sigma: 0.1, ..Model::P1 };

    /// P3, where inventory hurts.
    pub const P3: Model = Model {
        a: 50.0,
        k: 1.0,
        running: 2.0,
        terminal: 0.5,
        inventory_max: 3,
        steps: 500,
        sigma: 1.0,
        gamma: 0.5,
        ..Model::P1
    };

    /// Of P1, with the drift regimes of `quant/TARGETS.md` §2.3 at speed `drift`.
    pub fn drifting(drift: f64) -> Model {
        Model { regimes: Some(Regimes { drift, begin_rate: 10.0, end_rate: 20.0 }), ..Model::P1 }
    }

    /// This world with other arrivals.
    pub fn with(self, a: f64, k: f64) -> Model {
        Model { a, k, ..self }
    }

    /// This world in `steps` steps.
    pub fn in_steps(self, steps: u32) -> Model {
        Model { steps, ..self }
    }

    /// This world with quotes filled in the other way.
    pub fn filled(self, fills: Fills) -> Model {
        Model { fills, ..self }
    }

    /// This world with a mid that moves `impact` against each fill.
    pub fn with_impact(self, impact: f64) -> Model {
        Model { impact, ..self }
    }

    /// How long a step is.
    pub fn dt(&self) -> f64 {
        self.horizon / f64::from(self.steps)
    }

    /// How many inventories there are.
    pub fn inventories(&self) -> usize {
        2 * self.inventory_max as usize + 1
    }

    /// The inventory of place `i`, from -Q.
    pub fn inventory(&self, i: usize) -> f64 {
        i as f64 - f64::from(self.inventory_max)
    }

    /// The drifts there are: three with regimes, none without.
    pub fn drifts(&self) -> Vec<f64> {
        self.regimes.map_or(vec![0.0], |r| SIGNS.iter().map(|sign| sign * r.drift).collect())
    }

    /// What a return is multiplied by to vary by about one from episode to episode: `k/√(2·A·T/e)`.
    ///
    /// Quotes near 1/k fill some `2·A·T/e` times, each for about 1/k: `√(2·A·T/e)/k` is the standard deviation of their sum. P1:
    /// 6.8 (8.4 with the mid's moves), P2: 2.7 (2.7), P3: 6.1 (6.0); in brackets what `quant/TARGETS.md` §2.2 has for optimal quotes.
    pub fn scale(&self) -> f64 {
        self.k / numeric::sqrt(2.0 * self.a * self.horizon / std::f64::consts::E)
    }

    /// Errors if a number is none a world can have.
    pub fn check(&self) -> Result<(), ModelError> {
        let regimes = self.regimes.unwrap_or(Regimes { drift: 0.0, begin_rate: 0.0, end_rate: 0.0 });
        let rules = [
            ("a", self.a, self.a > 0.0, "above 0"),
            ("k", self.k, self.k > 0.0, "above 0"),
            ("running", self.running, self.running >= 0.0, "at least 0"),
            ("terminal", self.terminal, self.terminal >= 0.0, "at least 0"),
            ("horizon", self.horizon, self.horizon > 0.0, "above 0"),
            ("sigma", self.sigma, self.sigma >= 0.0, "at least 0"),
            ("gamma", self.gamma, self.gamma > 0.0, "above 0"),
            ("impact", self.impact, self.impact >= 0.0, "at least 0"),
            ("steps", f64::from(self.steps), self.steps > 0, "at least 1"),
            ("inventory_max", f64::from(self.inventory_max), (1..=1000).contains(&self.inventory_max), "1 to 1000"),
            ("regimes.drift", regimes.drift, true, "a number"),
            ("regimes.begin_rate", regimes.begin_rate, regimes.begin_rate >= 0.0, "at least 0"),
            ("regimes.end_rate", regimes.end_rate, regimes.end_rate >= 0.0, "at least 0"),
        ];
        match rules.into_iter().find(|(_, found, holds, _)| !found.is_finite() || !holds) {
            Some((key, found, _, allowed)) => Err(ModelError::Number { key, found, allowed }),
            None => Ok(()),
        }
    }
}
