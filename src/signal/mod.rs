//! What the market's news adds up to: volatility, fill intensity, imbalance, flow.
//!
//! One door, [`Signals`]: it is told of every top of book, every print and the passing of time, and stands in the
//! path of every update, so nothing but a comparison happens unless the top changed or something is due. All of it
//! is state of the session: it serialises, and resumes to the same bits.
//!
//! Time not seen is not time without news: after [`HOLE`] of silence, or a gap, no return is measured across and no
//! second counts as observed.

pub mod drift;
mod exposure;
mod flow;
mod intensity;
pub mod observation;
mod top;
mod volatility;

use serde::{Deserialize, Serialize};

pub use exposure::{ExposureBin, fit_least_squares, fit_poisson, rate_from_hit_share};
pub use flow::Flow;
pub use intensity::ReachDepth;
pub use top::{Top, book_imbalance};
pub use volatility::{Volatility, two_scales_variance};

use crate::units::{LocalTime, Lots, Nanos, Side, Ticks};

/// Silence after which we have not been watching.
pub const HOLE: Nanos = Nanos::from_s(30);

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
    /// Aggressive orders needed in the window: of one side for its own fit, of both together for the pooled one.
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
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Signals {
    spec: SignalSpec,
    grid: Nanos,
    top: Option<Top>,
    last: LocalTime,
    next_grid: LocalTime,
    /// When anything is due next: until then time may pass unnoticed.
    wake: LocalTime,
    volatility: Volatility,
    intensity: ReachDepth,
    flow: Flow,
}

impl Signals {
    /// Nothing seen yet.
    pub fn new(spec: SignalSpec) -> Self {
        let grid = Nanos::from_ms(i64::from(spec.volatility_grid_ms.max(1)));
        Self {
            grid,
            top: None,
            last: LocalTime(0),
            next_grid: LocalTime(i64::MAX),
            wake: LocalTime(i64::MIN),
            volatility: Volatility::new(grid, spec.volatility_half_life_s, spec.volatility_samples_min),
            intensity: ReachDepth::new(&spec),
            flow: Flow::new(grid),
            spec,
        }
    }

    /// The settings.
    pub fn spec(&self) -> &SignalSpec {
        &self.spec
    }

    /// A (possibly unchanged) top of book at `at`. Called after every message that may move it, while trusted.
    #[inline]
    pub fn on_top(&mut self, top: &Top, at: LocalTime) {
        self.on_time(at);
        match &self.top {
            Some(before) if before == top => {}
            Some(before) => {
                self.flow.on_change(before, top);
                self.top = Some(*top);
            }
            None => self.start(top, at),
        }
    }

    /// A print, with the top just before it.
    pub fn on_trade(&mut self, taker: Side, price: Ticks, qty: Lots, before: &Top, at: LocalTime) {
        self.on_time(at);
        if self.top.is_some() {
            self.intensity.on_trade(taker, price, before, at);
            self.flow.on_trade(taker, qty);
        }
    }

    /// Time passed.
    #[inline]
    pub fn on_time(&mut self, at: LocalTime) {
        if at >= self.wake {
            self.catch_up(at);
        }
        self.last = self.last.max(at);
    }

    /// The book was lost: no return may be measured across the hole.
    pub fn on_gap(&mut self) {
        self.volatility.on_gap();
        self.intensity.on_gap(self.last);
        self.top = None;
        self.wake = LocalTime(i64::MAX);
    }

    #[cold]
    fn start(&mut self, top: &Top, at: LocalTime) {
        self.top = Some(*top);
        self.volatility.on_grid(top.twice_mid(), 1);
        self.intensity.start(at);
        self.next_grid = at + self.grid;
        self.wake = self.next_grid.min(self.intensity.due());
    }

    #[cold]
    fn catch_up(&mut self, at: LocalTime) {
        let Some(top) = self.top else { return };
        if at.since(self.last) > HOLE {
            self.on_gap();
            return;
        }
        if at >= self.next_grid {
            let points = 1 + at.since(self.next_grid).0 / self.grid.0;
            self.volatility.on_grid(top.twice_mid(), points as u32);
            self.flow.on_grid(points as u32);
            self.next_grid = self.next_grid + Nanos(points * self.grid.0);
        }
        self.intensity.on_time(at);
        self.wake = self.next_grid.min(self.intensity.due());
    }

    /// Volatility of the mid, ticks per √second.
    pub fn volatility(&self) -> Estimate {
        self.volatility.estimate()
    }

    /// What volatility rests on: grid returns seen and needed.
    pub fn volatility_samples(&self) -> (u32, u32) {
        (self.volatility.samples(), self.spec.volatility_samples_min)
    }

    /// What the intensity rests on: aggressive orders in the window and needed.
    pub fn intensity_samples(&self) -> (u32, u32) {
        (self.intensity.have(), self.spec.intensity_orders_min)
    }

    /// Fill intensity of one side's quotes, estimated from both sides pooled.
    pub fn intensity(&self) -> Result<Intensity, Estimate> {
        self.intensity.pooled()
    }

    /// Fill intensity of orders on `side` (hit by takers of the other side).
    pub fn intensity_of(&self, side: Side) -> Result<Intensity, Estimate> {
        self.intensity.of(side)
    }

    /// Order-flow imbalance and the sign of trades.
    pub fn flow(&self) -> &Flow {
        &self.flow
    }

    /// The last top told, while the book is trusted.
    pub fn top(&self) -> Option<Top> {
        self.top
    }
}

#[cfg(test)]
mod tests;
