//! What a strategy takes σ, A, k and γ to be.
//!
//! Each estimate is, in order: fixed in the file; else the running estimate; else a fallback from the file while the
//! estimate warms up; else the strategy waits and says for what.
//!
//! γ belongs to a unit of inventory. Here that unit is `order_amount_base`: `q` counts order amounts, so γ is
//! 1/(tick · order amount) and does not shrink to 1e-9 because an exchange's lot is tiny. In lots,
//! `γ_lot = γ / (lots per order amount)`; `q·γ` is the same either way.
//!
//! A good γ in 1/(tick · order amount) differs by orders of magnitude from one instrument to the next, so it may be
//! given per volatility: `γ = risk_factor / σ`, σ being the mid's standard deviation over one second in ticks. Then
//! `q·γ·σ²·(T - t) = q·risk_factor·σ·(T - t)`, which is the formula in Hummingbot's code.

use super::settings::{Settings, StrategyError};
use super::{Estimator, Idle, View};
use crate::signal::{Estimate, Intensity};

/// A market that stands still is not without risk: γ per volatility takes σ to be at least this, ticks/√s.
const SIGMA_LEAST: f64 = 1.0;

/// σ, A, k and γ for one decision.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Beliefs {
    /// Volatility, ticks/√s.
    pub sigma: f64,
    /// Fill intensity at the mid, 1/s.
    pub a: f64,
    /// Its decay, 1/tick.
    pub k: f64,
    /// Risk aversion, 1/(tick · order amount).
    pub gamma: f64,
}

/// Where beliefs come from.
#[derive(Clone, Debug)]
pub(super) struct BeliefSettings {
    risk_factor: f64,
    per_volatility: bool,
    sigma: Source,
    a: Source,
    k: Source,
}

/// One estimate's overrides.
#[derive(Clone, Copy, Debug)]
struct Source {
    fixed: Option<f64>,
    fallback: Option<f64>,
}

impl BeliefSettings {
    pub(super) fn take(settings: &mut Settings) -> Result<Self, StrategyError> {
        let mut source = |fixed, fallback, range: std::ops::RangeInclusive<f64>, unit: &str| {
            Ok::<_, StrategyError>(Source {
                fixed: settings.maybe_number(fixed, range.clone(), unit)?,
                fallback: settings.maybe_number(fallback, range, unit)?,
            })
        };
        let sigma =
            source("sigma_fixed_ticks", "sigma_fallback_ticks", 0.0..=1e7, "ticks per square root of a second")?;
        let a = source("a_fixed_per_s", "a_fallback_per_s", 1e-6..=1e9, "per second")?;
        let k = source("k_fixed_per_tick", "k_fallback_per_tick", 1e-6..=100.0, "per tick")?;
        let risk_factor = settings.number("risk_factor", 0.01, 1e-12..=1e3, "(see risk_factor_unit)")?;
        let unit = settings.word("risk_factor_unit", "per-tick", &["per-tick", "per-volatility"])?;
        Ok(Self { risk_factor, per_volatility: unit == "per-volatility", sigma, a, k })
    }

    /// What to believe now, or what to wait for.
    pub(super) fn now(&self, view: &View<'_>) -> Result<Beliefs, Idle> {
        let sigma = match self.sigma.fixed {
            Some(sigma) => sigma,
            None => self.sigma.or_wait(view.signals.volatility(), Estimator::Volatility)?,
        };
        let (a, k) = match (self.a.fixed, self.k.fixed) {
            (Some(a), Some(k)) => (a, k),
            (fixed_a, fixed_k) => {
                let fit = view.signals.intensity();
                let part = |source: Source, fixed: Option<f64>, of: fn(Intensity) -> f64| match (fixed, fit) {
                    (Some(value), _) => Ok(value),
                    (None, Ok(fit)) => Ok(of(fit)),
                    (None, Err(missing)) => source.or_wait(missing, Estimator::Intensity),
                };
                (part(self.a, fixed_a, |fit| fit.a)?, part(self.k, fixed_k, |fit| fit.k)?)
            }
        };
        let gamma = if self.per_volatility { self.risk_factor / sigma.max(SIGMA_LEAST) } else { self.risk_factor };
        Ok(Beliefs { sigma, a, k, gamma })
    }
}

impl Source {
    fn or_wait(self, estimate: Estimate, what: Estimator) -> Result<f64, Idle> {
        match (estimate, self.fallback) {
            (Estimate::Ready(value), _) | (Estimate::WarmingUp { .. }, Some(value)) => Ok(value),
            (Estimate::WarmingUp { have, need }, None) => Err(Idle::WarmingUp { what, have, need }),
        }
    }
}
