//! Guéant, Lehalle & Fernandez-Tapia, *Dealing with the inventory risk*, Mathematics and Financial Economics 7
//! (2013), with the order size of Guéant, *Optimal market making*, Applied Mathematical Finance 24 (2017).
//!
//! The same market as Avellaneda & Stoikov, solved instead of expanded near the end: with a bound on inventory the
//! problem turns into a linear one, exact in finite time by a matrix exponential and far from the end by its lowest
//! eigenvector. The closed form approximates that, needs no horizon, and has a skew that grows with the square root of
//! risk aversion, so it survives a badly chosen γ better.
//!
//! Inventory is counted in order amounts (see [`super::Beliefs`]), so Δ is 1 in the strategy.

use super::avellaneda_stoikov::risk_neutral_half_spread;
use super::beliefs::{BeliefSettings, Beliefs};
use super::ladder::{Ladder, Memory, Target};
use super::settings::{Settings, StrategyError};
use super::{Decision, Idle, Strategy, View, Why};
use crate::market::Instrument;
use crate::numeric;
use crate::numeric::matrix::Tridiagonal;

/// The closed form's two terms `(half_spread, skew)`, in ticks and ticks per unit of inventory.
///
/// `half = c₁ + ½Δσc₂`, `skew = σc₂`, with `c₁ = (1/(γΔ))·ln(1 + γΔ/k)` and
/// `c₂ = √(γ/(2AΔk)·(1 + γΔ/k)^{k/(γΔ) + 1})`; Guéant (2017), ξ = γ. The bid is `mid - half - q·skew`, the ask
/// `mid + half - q·skew`. With Δ = 1 it is the approximation of the 2013 paper, `c + (2q + 1)/2·ρ`, `ρ = skew`.
///
/// * `gamma` — 1/(tick · unit) · `sigma` — ticks/√s · `a` — 1/s · `k` — 1/tick · `delta` — units per order
pub fn closed_form(gamma: f64, sigma: f64, a: f64, k: f64, delta: f64) -> (f64, f64) {
    let xi = gamma * delta;
    let ratio = numeric::ln_1p(xi / k);
    let power = numeric::exp(ratio * (k / xi + 1.0));
    let c2 = numeric::sqrt(gamma / (2.0 * a * delta * k) * power);
    (ratio / xi + 0.5 * delta * sigma * c2, sigma * c2)
}

/// The exact solution on inventories `-limit..=limit`.
///
/// `v̇_q = α·q²·v_q - η·(v_{q-1} + v_{q+1})`, `v(T) = 1`, `α = ½kγσ²`, `η = A·(1 + γ/k)^{-(1 + k/γ)}`:
/// `v(t) = exp(-M·(T - t))·1`. The bid lies `(1/k)·ln(v_q/v_{q+1}) + (1/γ)·ln(1 + γ/k)` below the mid, the ask as far
/// above with `v_{q-1}`.
#[derive(Clone, Debug)]
pub struct Exact {
    limit: usize,
    k: f64,
    half: f64,
    /// `ln v`, `[2·limit + 1]`.
    ln_v: Vec<f64>,
    /// Lowest eigenvalue of M, 1/s: far from the end the certainty equivalent grows by `-λ/k` a second.
    pub lambda_min: Option<f64>,
}

impl Exact {
    /// With `left_s` seconds to go.
    pub fn finite(gamma: f64, sigma: f64, a: f64, k: f64, limit: usize, left_s: f64) -> Self {
        let v = matrix(gamma, sigma, a, k, limit).exp_action(left_s, &vec![1.0; 2 * limit + 1]);
        let ln_v = (0..=2 * limit).map(|i| v.ln(i)).collect();
        Self { limit, k, half: risk_neutral_half_spread(gamma, k), ln_v, lambda_min: None }
    }

    /// Far from the end.
    pub fn stationary(gamma: f64, sigma: f64, a: f64, k: f64, limit: usize) -> Self {
        let (low, v) = matrix(gamma, sigma, a, k, limit).lowest_eigenpair();
        let ln_v = v.into_iter().map(numeric::ln).collect();
        Self { limit, k, half: risk_neutral_half_spread(gamma, k), ln_v, lambda_min: Some(low) }
    }

    /// `ln v` between whole inventories on a straight line; `None` beyond the limit.
    fn ln_v_at(&self, q: f64) -> Option<f64> {
        let place = q + self.limit as f64;
        // A hair of slack: inventories are ratios of integers.
        if !(-1e-9..=2.0 * self.limit as f64 + 1e-9).contains(&place) {
            return None;
        }
        let below = (place.max(0.0) as usize).min(2 * self.limit);
        let above = (below + 1).min(2 * self.limit);
        let part = (place - below as f64).clamp(0.0, 1.0);
        Some(self.ln_v[below] + part * (self.ln_v[above] - self.ln_v[below]))
    }

    /// Distance of the bid below the mid at inventory `q`, ticks; `None` at the upper limit.
    pub fn bid_distance(&self, q: f64) -> Option<f64> {
        Some((self.ln_v_at(q)? - self.ln_v_at(q + 1.0)?) / self.k + self.half)
    }

    /// Distance of the ask above the mid at inventory `q`, ticks; `None` at the lower limit.
    pub fn ask_distance(&self, q: f64) -> Option<f64> {
        Some((self.ln_v_at(q)? - self.ln_v_at(q - 1.0)?) / self.k + self.half)
    }

    /// What holding `q` is worth beyond cash and the inventory at the mid, in ticks · units: `(1/k)·ln v_q`.
    pub fn certainty_equivalent(&self, q: f64) -> Option<f64> {
        Some(self.ln_v_at(q)? / self.k)
    }
}

fn matrix(gamma: f64, sigma: f64, a: f64, k: f64, limit: usize) -> Tridiagonal {
    let alpha = 0.5 * k * gamma * sigma * sigma;
    let eta = a * numeric::exp(-(1.0 + k / gamma) * numeric::ln_1p(gamma / k));
    let q = |i: usize| i as f64 - limit as f64;
    Tridiagonal::new((0..=2 * limit).map(|i| alpha * q(i) * q(i)).collect(), vec![-eta; 2 * limit])
}

/// How quotes are found.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Solution {
    ClosedForm,
    Stationary { limit: usize },
    Finite { limit: usize, horizon_s: f64 },
}

/// The strategy; settings in `strategies/glft.toml`.
#[derive(Clone, Debug)]
pub struct Glft {
    ladder: Ladder,
    beliefs: BeliefSettings,
    solution: Solution,
    /// The last answers and what they were asked for. Memos, not state: they depend on nothing but their keys.
    solved: Option<(Beliefs, i64, Exact)>,
    closed: Option<(Beliefs, (f64, f64))>,
}

/// A finite horizon is solved at this many moments.
const MOMENTS: f64 = 100.0;

impl Glft {
    /// The name in `kind` and in exports.
    pub const NAME: &'static str = "glft";

    pub(super) fn take(mut settings: Settings, rules: Option<&Instrument>) -> Result<Self, StrategyError> {
        let mut ladder = Ladder::take(&mut settings)?;
        let beliefs = BeliefSettings::take(&mut settings)?;
        let solution = settings.word("solution", "closed-form", &["closed-form", "exact"])?;
        let limit = settings.count("inventory_max_orders", 10, 1..=30, "order amounts")? as usize;
        let horizon_s = settings.maybe_number("horizon_s", 0.001..=86_400.0, "seconds")?;
        let solution = match (solution == "exact", horizon_s) {
            (false, None) => Solution::ClosedForm,
            (true, None) => Solution::Stationary { limit },
            (true, Some(horizon_s)) => Solution::Finite { limit, horizon_s },
            (false, Some(_)) => {
                let why = "horizon_s belongs to solution = \"exact\"; the closed form has no horizon";
                return Err(StrategyError::Conflict(why.to_owned()));
            }
        };
        settings.finish()?;
        if let Some(rules) = rules {
            ladder.fit(rules)?;
        }
        Ok(Self { ladder, beliefs, solution, solved: None, closed: None })
    }

    fn answer(&mut self, view: &View<'_>) -> Result<(Target, Why), Idle> {
        self.ladder.attend(view)?;
        let b = self.beliefs.now(view)?;
        let (mid, q) = (view.top.mid(), self.ladder.inventory(view));
        let target = match self.solution {
            Solution::ClosedForm => {
                let (half, skew) = match self.closed {
                    Some((beliefs, terms)) if beliefs == b => terms,
                    Some(_) | None => closed_form(b.gamma, b.sigma, b.a, b.k, 1.0),
                };
                self.closed = Some((b, (half, skew)));
                Target { reservation: mid - q * skew, bid_distance: Some(half), ask_distance: Some(half) }
            }
            Solution::Stationary { limit } => self.exact(b, limit, None, mid, q, view),
            Solution::Finite { limit, horizon_s } => self.exact(b, limit, Some(horizon_s), mid, q, view),
        };
        let gamma = b.gamma / self.ladder.order_lots();
        let why = Why { sigma: b.sigma, a: b.a, k: b.k, gamma, ..Why::default() };
        Ok((target, why))
    }

    fn exact(&mut self, b: Beliefs, limit: usize, horizon_s: Option<f64>, mid: f64, q: f64, view: &View<'_>) -> Target {
        let (left_s, moment) = match horizon_s {
            Some(horizon_s) => {
                let moment = (MOMENTS * (view.elapsed.seconds() % horizon_s) / horizon_s).floor();
                (horizon_s * (1.0 - moment / MOMENTS), moment as i64)
            }
            None => (0.0, -1),
        };
        let known = matches!(&self.solved, Some((beliefs, at, _)) if *beliefs == b && *at == moment);
        if !known {
            let exact = match horizon_s {
                Some(_) => Exact::finite(b.gamma, b.sigma, b.a, b.k, limit, left_s),
                None => Exact::stationary(b.gamma, b.sigma, b.a, b.k, limit),
            };
            self.solved = Some((b, moment, exact));
        }
        let (_, _, exact) = self.solved.as_ref().expect("it was just solved");
        // Beyond its limit the solution ends; there we quote as at it, on the side that leads back.
        let q = q.clamp(-(limit as f64), limit as f64);
        let (bid, ask) = (exact.bid_distance(q), exact.ask_distance(q));
        let reservation = match (bid, ask) {
            (Some(bid), Some(ask)) => mid + 0.5 * (ask - bid),
            (Some(_), None) | (None, Some(_)) | (None, None) => mid,
        };
        Target {
            reservation,
            bid_distance: bid.map(|d| d - (mid - reservation)),
            ask_distance: ask.map(|d| d + (mid - reservation)),
        }
    }
}

impl Strategy for Glft {
    fn decide(&mut self, view: &View<'_>) -> Decision {
        let answer = self.answer(view);
        self.ladder.decide(view, answer)
    }

    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn save(&self) -> Vec<u8> {
        self.ladder.memory.save()
    }

    fn restore(&mut self, saved: &[u8]) -> Result<(), String> {
        self.ladder.memory = Memory::restore(saved)?;
        Ok(())
    }
}
