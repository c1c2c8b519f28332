//! The legal life of an order, as we know it from reports.
//!
//! ```text
//! Pending ─ accepted ─► Working ─ fills ─► Filled
//!    │                    │  ▲
//!    └─ rejected ─► Gone  │  └─ cancel rejected
//!                         └─ cancel sent ─► Leaving ─ cancelled ─► Gone   (a fill may still win the race)
//! ```
//! Until a report says otherwise an order may still trade, so every state but the last two counts against limits.

use serde::{Deserialize, Serialize};

use super::report::{Report, ReportKind};
use super::request::{OrderId, OrderKind};
use crate::market::InstrumentId;
use crate::units::{LocalTime, Lots, Side, Ticks};

/// Where in its life an order is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum OrderState {
    /// Sent, not yet heard of.
    Pending,
    /// Resting.
    Working,
    /// A cancellation or replacement is on its way.
    Leaving,
    /// Traded to the last lot.
    Filled,
    /// Cancelled, rejected or replaced.
    Gone,
}

/// One of our orders.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// Ours.
    pub id: OrderId,
    /// Of what.
    pub instrument: InstrumentId,
    /// Buy or sell.
    pub side: Side,
    /// Limit price.
    pub price: Ticks,
    /// As placed.
    pub qty: Lots,
    /// Not yet traded.
    pub remaining: Lots,
    /// How it may trade.
    pub kind: OrderKind,
    /// Where in its life.
    pub state: OrderState,
    /// When we sent it.
    pub sent: LocalTime,
    /// Lots ahead of us when it joined, once accepted.
    pub joined_behind: Option<Lots>,
}

impl Order {
    /// Whether it may still trade.
    pub fn is_alive(&self) -> bool {
        match self.state {
            OrderState::Pending | OrderState::Working | OrderState::Leaving => true,
            OrderState::Filled | OrderState::Gone => false,
        }
    }

    /// Takes in a report about this order. Panics on a report that cannot follow: the (paper) venue is ours, so
    /// that is a broken invariant, not an event.
    pub fn hear(&mut self, report: &Report) {
        if matches!(report.kind, ReportKind::CancelRejected(_)) && !self.is_alive() {
            // The cancellation lost its race: the order was over when it arrived, and still is.
            return;
        }
        assert!(self.is_alive(), "order {:?} is over, yet the venue reports {:?}", self.id, report.kind);
        match &report.kind {
            ReportKind::Accepted { queue_ahead } => {
                assert!(
                    matches!(self.state, OrderState::Pending | OrderState::Leaving) && self.joined_behind.is_none(),
                    "order {:?} was accepted twice",
                    self.id
                );
                self.joined_behind = Some(*queue_ahead);
                if self.state == OrderState::Pending {
                    self.state = OrderState::Working;
                }
            }
            ReportKind::Replaced { queue_ahead, .. } => {
                self.joined_behind = Some(*queue_ahead);
                if self.state == OrderState::Pending {
                    self.state = OrderState::Working;
                }
            }
            ReportKind::Rejected(_) | ReportKind::Cancelled { .. } => self.state = OrderState::Gone,
            ReportKind::CancelRejected(_) => {
                if self.state == OrderState::Leaving {
                    self.state = OrderState::Working;
                }
            }
            ReportKind::Amended { price, remaining } => {
                assert!(
                    *remaining > Lots::ZERO && *remaining <= self.remaining,
                    "order {:?} grew to {remaining:?}",
                    self.id
                );
                (self.price, self.remaining) = (*price, *remaining);
            }
            ReportKind::Filled(fill) => {
                assert!(fill.qty.0 > 0 && fill.qty <= self.remaining, "order {:?} overfilled: {fill:?}", self.id);
                self.remaining -= fill.qty;
                assert_eq!(self.remaining, fill.remaining, "order {:?}: the venue counts differently", self.id);
                if self.remaining == Lots::ZERO {
                    self.state = OrderState::Filled;
                }
            }
        }
    }
}
