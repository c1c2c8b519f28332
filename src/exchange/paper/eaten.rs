//! What we took from the displayed book.
//!
//! The recording does not know of us: lots we traded with go on being displayed. So they are remembered, and are
//! not there for us a second time. They are forgotten as the level shrinks (what is left of it is believed to be
//! ours first), never because it is merely mentioned again.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::market::Level;
use crate::units::{Lots, Side, Ticks};

/// Lots eaten at one level.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Bite {
    qty: Lots,
    /// The venue's update id of what we saw when we ate; older news cannot shrink the level.
    as_of: u64,
}

/// Lots eaten, by side and price.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Eaten {
    bids: BTreeMap<Ticks, Bite>,
    asks: BTreeMap<Ticks, Bite>,
}

impl Eaten {
    fn side(&self, side: Side) -> &BTreeMap<Ticks, Bite> {
        match side {
            Side::Bid => &self.bids,
            Side::Ask => &self.asks,
        }
    }

    fn side_mut(&mut self, side: Side) -> &mut BTreeMap<Ticks, Bite> {
        match side {
            Side::Bid => &mut self.bids,
            Side::Ask => &mut self.asks,
        }
    }

    /// Nothing anywhere.
    pub(super) fn is_empty(&self) -> bool {
        self.bids.is_empty() && self.asks.is_empty()
    }

    /// The eaten price of a side farthest from the other side.
    pub(super) fn worst(&self, side: Side) -> Option<Ticks> {
        match side {
            Side::Bid => self.bids.keys().next().copied(),
            Side::Ask => self.asks.keys().next_back().copied(),
        }
    }

    /// The eaten price of a side nearest to the other side.
    fn nearest(&self, side: Side) -> Option<Ticks> {
        match side {
            Side::Bid => self.bids.keys().next_back().copied(),
            Side::Ask => self.asks.keys().next().copied(),
        }
    }

    /// What of a displayed level is still there for us.
    pub(super) fn left_of(&self, side: Side, level: Level) -> Lots {
        let eaten = self.side(side).get(&level.price).map_or(Lots::ZERO, |bite| bite.qty);
        (level.qty - eaten).max(Lots::ZERO)
    }

    /// We took `qty` at `price`, seen as of update `as_of`.
    pub(super) fn eat(&mut self, side: Side, price: Ticks, qty: Lots, as_of: u64) {
        let bite = self.side_mut(side).entry(price).or_insert(Bite { qty: Lots::ZERO, as_of });
        bite.qty += qty;
        bite.as_of = bite.as_of.max(as_of);
    }

    /// These levels changed, as of update `seq` (0: the venue does not count).
    pub(super) fn changed(&mut self, side: Side, levels: &[Level], seq: u64) {
        let (Some(nearest), Some(worst)) = (self.nearest(side), self.worst(side)) else { return };
        let eaten = self.side_mut(side);
        for level in levels {
            // Most levels of a message are nowhere near what we ate, and this is asked of each.
            if side.is_better(level.price, nearest) || side.is_better(worst, level.price) {
                continue;
            }
            if let Some(bite) = eaten.get_mut(&level.price)
                && (seq == 0 || seq >= bite.as_of)
            {
                bite.qty = bite.qty.min(level.qty);
                if bite.qty <= Lots::ZERO {
                    eaten.remove(&level.price);
                }
            }
        }
    }

    /// Nothing better than `best` rests on this side, as of update `seq`.
    pub(super) fn best_is(&mut self, side: Side, best: Level, seq: u64) {
        // What we ate is all behind the best price: this is asked of every best price.
        if self.nearest(side).is_none_or(|nearest| side.is_better(best.price, nearest)) {
            return;
        }
        self.side_mut(side).retain(|&price, bite| !side.is_better(price, best.price) || (seq != 0 && seq < bite.as_of));
        self.changed(side, &[best], seq);
    }

    /// These are all levels there are, best first.
    pub(super) fn all_is(&mut self, side: Side, levels: &[Level], seq: u64) {
        self.side_mut(side).retain(|price, bite| {
            bite.as_of = seq;
            levels.iter().any(|level| level.price == *price)
        });
        self.changed(side, levels, seq);
    }

    /// Prices mean something else now.
    pub(super) fn forget(&mut self) {
        *self = Self::default();
    }
}
