//! Our orders of one instrument that may still trade, in the order they were sent.
//!
//! With twenty of them and a gate that asks of every request what could still trade, adding them up anew is what would
//! cost most: the sums are kept beside the list, and nothing but this file can change either.

use std::ops::Deref;

use serde::{Deserialize, Serialize, Serializer};

use crate::order::{Order, OrderId, OrderKind, OrderState, Report, ReportKind, Request};
use crate::units::{LocalTime, Lots, Side};

/// Reads as a slice; serialises as the list alone.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(from = "Vec<Order>")]
pub(super) struct Orders {
    alive: Vec<Order>,
    /// Lots that may still trade, of bids and asks.
    resting: [Lots; 2],
}

impl From<Vec<Order>> for Orders {
    fn from(alive: Vec<Order>) -> Self {
        let mut resting = [Lots::ZERO; 2];
        alive.iter().for_each(|order| resting[order.side as usize] += order.remaining);
        Self { alive, resting }
    }
}

impl Serialize for Orders {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.alive.serialize(serializer)
    }
}

impl Deref for Orders {
    type Target = [Order];

    fn deref(&self) -> &[Order] {
        &self.alive
    }
}

impl Orders {
    /// Lots that may still trade on a side.
    pub fn resting(&self, side: Side) -> Lots {
        self.resting[side as usize]
    }

    /// Books a request that is on its way.
    pub fn note_sent(&mut self, request: &Request, now: LocalTime) {
        let pending = |id, instrument, side, price, qty, kind| {
            let state = OrderState::Pending;
            Order { id, instrument, side, price, qty, remaining: qty, kind, state, sent: now, joined_behind: None }
        };
        match *request {
            Request::Place { id, instrument, side, price, qty, kind } => {
                self.enter(pending(id, instrument, side, price, qty, kind));
            }
            Request::Cancel { id, .. } => {
                self.leave(id);
            }
            Request::Replace { old, new, instrument, price, qty } => {
                let side = self.leave(old);
                self.enter(pending(new, instrument, side, price, qty, OrderKind::PostOnly));
            }
        }
    }

    fn enter(&mut self, order: Order) {
        self.resting[order.side as usize] += order.remaining;
        self.alive.push(order);
    }

    fn leave(&mut self, id: OrderId) -> Side {
        let at = self.place_of(id).expect("only living orders are cancelled or replaced");
        let order = &mut self.alive[at];
        order.state = OrderState::Leaving;
        order.side
    }

    /// Takes in a report and forgets orders that are over. Says what has become of the order it is about.
    ///
    /// Panics on a report about an order that is not alive, but for a lost race: it traded or ended while our
    /// cancellation was on its way.
    pub fn hear(&mut self, report: &Report) -> Option<OrderState> {
        if let ReportKind::Replaced { old, .. } = &report.kind
            && let Some(at) = self.place_of(*old)
        {
            self.forget(at);
        }
        let Some(at) = self.place_of(report.id) else {
            let is_race = matches!(report.kind, ReportKind::CancelRejected(_));
            assert!(is_race, "the venue reports on an order that is not alive: {report:?}");
            return None;
        };
        let order = &mut self.alive[at];
        let before = order.remaining;
        order.hear(report);
        let state = order.state;
        self.resting[order.side as usize] += order.remaining - before;
        if !order.is_alive() {
            self.forget(at);
        }
        Some(state)
    }

    fn forget(&mut self, at: usize) {
        let order = self.alive.remove(at);
        self.resting[order.side as usize] -= order.remaining;
    }

    fn place_of(&self, id: OrderId) -> Option<usize> {
        self.alive.iter().position(|order| order.id == id)
    }
}
