//! The limits a risk team sets: `config/risk.toml`.

use serde::{Deserialize, Serialize};

use crate::units::{Lots, Money};

/// First-cut limits, checked per instrument. Quantities are in the instrument's own lots, set from the `_base`
/// keys of the configuration when the instrument's rules are known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RiskLimits {
    /// Largest |position| if every order that may still trade were filled, per instrument in session order.
    pub position_max: Vec<Lots>,
    /// Largest single order, per instrument in session order.
    pub order_qty_max: Vec<Lots>,
    /// Largest `price × qty` of a single order, quote currency.
    pub order_notional_max: Money,
    /// Most orders that may be alive per instrument.
    pub open_orders_max: u32,
    /// Placements and replacements per second, token bucket; its depth is one second's worth.
    pub order_rate_max_per_s: u32,
    /// Farthest a quote may lie from the mid, in hundredths of a basis point (`100` = 1 bps) of the mid.
    pub collar_centibps: u32,
    /// Oldest news of an instrument's market we still quote on, milliseconds.
    pub stale_book_ms: u32,
    /// Loss of the whole book since the session began that halts trading, quote currency; `None`: no limit.
    pub loss_max: Option<Money>,
}

impl RiskLimits {
    /// These limits for a session of `count` instruments. One they do not name may hold nothing: limits meant for
    /// another session must not stop this one, nor leave anything in it unlimited.
    pub fn for_instruments(&self, count: usize) -> Self {
        let mut limits = self.clone();
        limits.position_max.resize(count, Lots::ZERO);
        limits.order_qty_max.resize(count, Lots::ZERO);
        limits
    }
}
