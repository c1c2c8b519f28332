//! What the market's news adds up to: volatility, fill intensity, imbalance, flow.

use serde::{Deserialize, Serialize};

use crate::market::Level;
use crate::units::{LocalTime, Lots, Side, Ticks};

/// Best bid and ask, both present, not crossed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Top {
    /// Best bid.
    pub bid: Level,
    /// Best ask.
    pub ask: Level,
}

impl Top {
    /// Mid price in ticks (a multiple of one half).
    pub fn mid(&self) -> f64 {
        self.twice_mid() as f64 * 0.5
    }

    /// `bid + ask`, in ticks: twice the mid, an integer.
    pub fn twice_mid(&self) -> i64 {
        self.bid.price.0 + self.ask.price.0
    }

    /// Best price of a side.
    pub fn price(&self, side: Side) -> Ticks {
        match side {
            Side::Bid => self.bid.price,
            Side::Ask => self.ask.price,
        }
    }

    /// `ask - bid`.
    pub fn spread(&self) -> Ticks {
        self.ask.price - self.bid.price
    }
}

/// An estimate that says how much it rests on.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum Estimate {
    /// Not enough seen yet.
    WarmingUp {
        /// Samples so far.
        have: u32,
        /// Samples needed.
        need: u32,
    },
    /// Usable.
    Ready(f64),
}

impl Estimate {
    /// The value, if usable.
    pub fn ready(self) -> Option<f64> {
        match self {
            Estimate::Ready(value) => Some(value),
            Estimate::WarmingUp { .. } => None,
        }
    }
}

/// Settings of the estimators, `[signals]` in configuration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignalSpec {
    /// Grid on which mid returns are sampled for volatility, milliseconds.
    pub volatility_grid_ms: u32,
    /// Half-life of the volatility average, seconds.
    pub volatility_half_life_s: f64,
    /// Grid returns needed before volatility counts as known.
    pub volatility_samples_min: u32,
    /// Window of aggressive orders that A and k are estimated on, seconds.
    pub intensity_window_s: f64,
    /// Aggressive orders needed in the window (per side).
    pub intensity_orders_min: u32,
    /// How often A and k are refitted, seconds.
    pub intensity_refit_s: f64,
    /// Bounds of a believable k, 1/tick: an estimate outside is clamped.
    pub intensity_k_min: f64,
    /// See `intensity_k_min`.
    pub intensity_k_max: f64,
}

/// Fill intensity `λ(δ) = A·e^{-kδ}` of one side or both.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Intensity {
    /// Aggressive orders per second that reach the best price, 1/s.
    pub a: f64,
    /// Decay with distance, 1/tick.
    pub k: f64,
}

/// All running estimates of one instrument.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Signals {
    spec: SignalSpec,
}

impl Signals {
    /// Nothing seen yet.
    pub fn new(spec: SignalSpec) -> Self {
        Self { spec }
    }

    /// A (possibly unchanged) top of book at `at`. Called after every message that may move it, while trusted.
    pub fn on_top(&mut self, _top: &Top, _at: LocalTime) {}

    /// A print, with the top just before it.
    pub fn on_trade(&mut self, _taker: Side, _price: Ticks, _qty: Lots, _before: &Top, _at: LocalTime) {}

    /// Time passed.
    pub fn on_time(&mut self, _at: LocalTime) {}

    /// The book was lost: no return may be measured across the hole.
    pub fn on_gap(&mut self) {}

    /// Volatility of the mid, ticks per √second.
    pub fn volatility(&self) -> Estimate {
        Estimate::WarmingUp { have: 0, need: self.spec.volatility_samples_min }
    }

    /// Fill intensity, both sides pooled.
    pub fn intensity(&self) -> Result<Intensity, Estimate> {
        Err(Estimate::WarmingUp { have: 0, need: self.spec.intensity_orders_min })
    }

    /// Fill intensity of orders on `side` (hit by takers of the other side).
    pub fn intensity_of(&self, _side: Side) -> Result<Intensity, Estimate> {
        self.intensity()
    }
}
