//! Avellaneda & Stoikov, *High-frequency trading in a limit order book*, Quantitative Finance 8 (2008).
//!
//! The mid is a random walk of volatility σ, our quotes δ away from it are reached at rate `A·e^{-kδ}`, and we want
//! the exponential utility of what we own at the end of a horizon. Then there is a price at which we are
//! indifferent to one more unit, below the mid when we are long, and quotes sit symmetrically round it. What it
//! leaves out: that fills come from people who know more, fees, and queues. A does not enter its quotes; k does.
//!
//! Equations are numbered as in the authors' preprint. Inventory is counted in order amounts (see [`super::Beliefs`]).

use super::beliefs::BeliefSettings;
use super::ladder::{Ladder, Memory, Target};
use super::settings::{Settings, StrategyError, not_allowed};
use super::{Decision, Idle, Strategy, View, Why};
use crate::market::Instrument;
use crate::numeric;

/// Reservation price, in ticks: where we are indifferent to one more unit either way.
///
/// `r = s - q·γ·σ²·(T - t)`, eq. (29).
///
/// * `mid` — ticks · `inventory` — units, long is positive · `gamma` — 1/(tick · unit)
/// * `sigma` — ticks/√s · `left_s` — seconds left, `T - t`
pub fn reservation_price(mid: f64, inventory: f64, gamma: f64, sigma: f64, left_s: f64) -> f64 {
    mid - inventory * gamma * sigma * sigma * left_s
}

/// The whole spread, bid to ask, in ticks; half of it lies on either side of the reservation price.
///
/// `δᵃ + δᵇ = γ·σ²·(T - t) + (2/γ)·ln(1 + γ/k)`, eq. (30).
pub fn spread(gamma: f64, sigma: f64, k: f64, left_s: f64) -> f64 {
    gamma * sigma * sigma * left_s + 2.0 * risk_neutral_half_spread(gamma, k)
}

/// `(1/γ)·ln(1 + γ/k)`, in ticks: the half-spread of one who fears no inventory; `1/k` as γ → 0.
pub fn risk_neutral_half_spread(gamma: f64, k: f64) -> f64 {
    numeric::ln_1p(gamma / k) / gamma
}

/// Reservation bid and ask over an infinite horizon discounted at rate ω, in ticks.
///
/// `r̄ᵃ = s + (1/γ)·ln(1 + (1 - 2q)·γ²σ²/(2ω - γ²q²σ²))`, `r̄ᵇ` with `-1 - 2q`; section 2.3. `None` where the
/// logarithm has no value: ω must exceed `½γ²σ²q²` by enough.
pub fn infinite_horizon_prices(mid: f64, inventory: f64, gamma: f64, sigma: f64, omega: f64) -> Option<(f64, f64)> {
    let risk = gamma * gamma * sigma * sigma;
    let left = 2.0 * omega - risk * inventory * inventory;
    if risk == 0.0 {
        return Some((mid, mid));
    }
    let price = |step: f64| {
        let argument = (step - 2.0 * inventory) * risk / left;
        (left > 0.0 && argument > -1.0).then(|| mid + numeric::ln_1p(argument) / gamma)
    };
    Some((price(-1.0)?, price(1.0)?))
}

/// The discount rate at which inventory stays within ±`inventory_max` units, 1/s: `ω = ½γ²σ²(q_max + 1)²`.
pub fn natural_discount_rate(gamma: f64, sigma: f64, inventory_max: f64) -> f64 {
    0.5 * gamma * gamma * sigma * sigma * (inventory_max + 1.0) * (inventory_max + 1.0)
}

/// Which end of the world is traded towards.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Horizon {
    /// `T - t` is always `horizon_s`.
    Rolling { horizon_s: f64 },
    /// `T - t` counts down from `horizon_s` to zero and starts again.
    Repeating { horizon_s: f64 },
    /// No end; the future is discounted so that inventory stays within `inventory_max` order amounts.
    Infinite { inventory_max: f64 },
}

/// The strategy; settings in `strategies/avellaneda_stoikov.toml`.
#[derive(Clone, Debug)]
pub struct AvellanedaStoikov {
    ladder: Ladder,
    beliefs: BeliefSettings,
    horizon: Horizon,
}

impl AvellanedaStoikov {
    /// The name in `kind` and in exports.
    pub const NAME: &'static str = "avellaneda-stoikov";

    pub(super) fn take(mut settings: Settings, rules: Option<&Instrument>) -> Result<Self, StrategyError> {
        let mut ladder = Ladder::take(&mut settings)?;
        let beliefs = BeliefSettings::take(&mut settings)?;
        let mode = settings.word("execution_timeframe", "rolling", &["rolling", "repeating", "infinite"])?;
        let horizon_s = settings.number("horizon_s", 10.0, 0.001..=864_000.0, "seconds")?;
        let inventory_max = settings.number("inventory_max_orders", 10.0, 1.0..=1e6, "order amounts")?;
        let horizon = match mode.as_str() {
            "rolling" => Horizon::Rolling { horizon_s },
            "repeating" => Horizon::Repeating { horizon_s },
            "infinite" => Horizon::Infinite { inventory_max },
            other => return Err(not_allowed("execution_timeframe", &other, "a known horizon".to_owned())),
        };
        settings.finish()?;
        if let Some(rules) = rules {
            ladder.fit(rules)?;
        }
        Ok(Self { ladder, beliefs, horizon })
    }

    fn answer(&mut self, view: &View<'_>) -> Result<(Target, Why), Idle> {
        self.ladder.attend(view)?;
        let b = self.beliefs.now(view)?;
        let (mid, q) = (view.top.mid(), self.ladder.inventory(view));
        let target = match self.horizon {
            Horizon::Rolling { horizon_s } => finite(mid, q, b.gamma, b.sigma, b.k, horizon_s),
            Horizon::Repeating { horizon_s } => {
                let left_s = horizon_s - view.elapsed.seconds() % horizon_s;
                finite(mid, q, b.gamma, b.sigma, b.k, left_s)
            }
            Horizon::Infinite { inventory_max } => {
                let omega = natural_discount_rate(b.gamma, b.sigma, inventory_max);
                // Beyond the largest inventory the formula ends; there we quote as at it, to get back.
                let q = q.clamp(-inventory_max, inventory_max);
                let (bid, ask) = infinite_horizon_prices(mid, q, b.gamma, b.sigma, omega).ok_or(Idle::NoFiniteQuote)?;
                let half = 0.5 * (ask - bid) + risk_neutral_half_spread(b.gamma, b.k);
                Target { reservation: 0.5 * (bid + ask), bid_distance: Some(half), ask_distance: Some(half) }
            }
        };
        let gamma = b.gamma / self.ladder.order_lots();
        let why = Why { sigma: b.sigma, a: b.a, k: b.k, gamma, ..Why::default() };
        Ok((target, why))
    }
}

fn finite(mid: f64, q: f64, gamma: f64, sigma: f64, k: f64, left_s: f64) -> Target {
    let half = 0.5 * spread(gamma, sigma, k, left_s);
    let reservation = reservation_price(mid, q, gamma, sigma, left_s);
    Target { reservation, bid_distance: Some(half), ask_distance: Some(half) }
}

impl Strategy for AvellanedaStoikov {
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
