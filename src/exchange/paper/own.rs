//! Our orders at the venue.

use serde::{Deserialize, Serialize};

use super::super::line::Turn;
use super::super::queue::Place;
use crate::order::{OrderId, OrderKind};
use crate::units::{Lots, Side, Ticks, VenueTime};

/// One resting order.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Resting {
    pub(super) id: OrderId,
    pub(super) side: Side,
    pub(super) price: Ticks,
    pub(super) remaining: Lots,
    /// A replacement is of the same kind.
    pub(super) kind: OrderKind,
    pub(super) place: Place,
    /// Its exact place, where it is known. [`Place`] goes along, for when it no longer is.
    pub(super) turn: Option<Turn>,
    /// The venue's stamp on the newest depth when it joined; a print stamped before that never met it.
    pub(super) since: Option<VenueTime>,
}

impl Resting {
    /// Lots of others ahead of it.
    pub(super) fn ahead(&self) -> Lots {
        self.turn.map_or_else(|| self.place.ahead(), |turn| turn.ahead())
    }

    /// A print at its price, as for [`Place::traded`].
    pub(super) fn printed(&mut self, printed: Lots, passing: Lots) -> Lots {
        let guessed = self.place.traded(printed, passing);
        self.turn.as_mut().map_or(guessed, |turn| turn.printed(printed).min(passing))
    }
}

/// All of them, each side best price first and at a price first come first: the order in which they trade.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Own {
    bids: Vec<Resting>,
    asks: Vec<Resting>,
}

impl Own {
    pub(super) fn side(&self, side: Side) -> &Vec<Resting> {
        match side {
            Side::Bid => &self.bids,
            Side::Ask => &self.asks,
        }
    }

    pub(super) fn side_mut(&mut self, side: Side) -> &mut Vec<Resting> {
        match side {
            Side::Bid => &mut self.bids,
            Side::Ask => &mut self.asks,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.bids.is_empty() && self.asks.is_empty()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Resting> {
        self.bids.iter().chain(&self.asks)
    }

    /// Whether an order of the other side at `price` would have to trade with our best first.
    pub(super) fn is_met(&self, side: Side, price: Ticks) -> bool {
        self.side(side).first().is_some_and(|best| !side.is_better(price, best.price))
    }

    pub(super) fn get(&self, id: OrderId) -> Option<&Resting> {
        self.iter().find(|order| order.id == id)
    }

    /// Joins behind everything of ours at its price.
    pub(super) fn add(&mut self, order: Resting) {
        let orders = self.side_mut(order.side);
        let behind = orders.partition_point(|other| !order.side.is_better(order.price, other.price));
        orders.insert(behind, order);
    }

    pub(super) fn remove(&mut self, id: OrderId) -> Option<Resting> {
        Side::BOTH.into_iter().find_map(|side| {
            let orders = self.side_mut(side);
            orders.iter().position(|order| order.id == id).map(|at| orders.remove(at))
        })
    }

    /// Every order leaves, bids first.
    pub(super) fn take_all(&mut self) -> impl Iterator<Item = Resting> + use<> {
        let Self { bids, asks } = std::mem::take(self);
        bids.into_iter().chain(asks)
    }

    /// Traded out.
    pub(super) fn drop_filled(&mut self, side: Side) {
        self.side_mut(side).retain(|order| order.remaining > Lots::ZERO);
    }
}
