//! What rests at every price.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

use super::event::Level;
use crate::units::{Lots, Side, Ticks};

/// Price levels of both sides.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Book {
    seq: u64,
    bids: BTreeMap<Ticks, Lots>,
    asks: BTreeMap<Ticks, Lots>,
    /// Worst price of the last snapshot; deeper levels are unknown, not empty. `None`: complete, or no snapshot.
    bid_horizon: Option<Ticks>,
    ask_horizon: Option<Ticks>,
}

impl Book {
    /// An empty book.
    pub fn new() -> Self {
        Self::default()
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        *self = Self::new();
    }

    /// Replaces everything. Levels best first; zero quantities are skipped.
    pub fn apply_snapshot(&mut self, seq: u64, bids: &[Level], asks: &[Level], complete: bool) {
        self.clear();
        self.apply_delta(seq, bids, asks);
        if !complete {
            self.bid_horizon = bids.last().map(|l| l.price);
            self.ask_horizon = asks.last().map(|l| l.price);
        }
    }

    /// Applies one atomic message of absolute quantities.
    pub fn apply_delta(&mut self, seq: u64, bids: &[Level], asks: &[Level]) {
        self.seq = seq;
        for l in bids {
            self.set(Side::Bid, l.price, l.qty);
        }
        for l in asks {
            self.set(Side::Ask, l.price, l.qty);
        }
    }

    /// What now rests at `price`; zero empties the level.
    pub fn set(&mut self, side: Side, price: Ticks, qty: Lots) {
        let levels = match side {
            Side::Bid => &mut self.bids,
            Side::Ask => &mut self.asks,
        };
        if qty.0 > 0 {
            levels.insert(price, qty);
        } else {
            levels.remove(&price);
        }
    }

    /// The venue's update id of the last message applied.
    pub fn seq(&self) -> u64 {
        self.seq
    }

    /// Best level of a side.
    pub fn best(&self, side: Side) -> Option<Level> {
        self.levels(side).next()
    }

    /// What rests at a price.
    pub fn qty_at(&self, side: Side, price: Ticks) -> Lots {
        let levels = match side {
            Side::Bid => &self.bids,
            Side::Ask => &self.asks,
        };
        levels.get(&price).copied().unwrap_or(Lots::ZERO)
    }

    /// Levels of a side, best first.
    pub fn levels(&self, side: Side) -> Box<dyn Iterator<Item = Level> + '_> {
        let level = |(&price, &qty): (&Ticks, &Lots)| Level { price, qty };
        match side {
            Side::Bid => Box::new(self.bids.iter().rev().map(level)),
            Side::Ask => Box::new(self.asks.iter().map(level)),
        }
    }

    /// How many levels a side has.
    pub fn depth(&self, side: Side) -> usize {
        match side {
            Side::Bid => self.bids.len(),
            Side::Ask => self.asks.len(),
        }
    }

    /// Whether the best bid is at or above the best ask.
    pub fn is_crossed(&self) -> bool {
        matches!((self.best(Side::Bid), self.best(Side::Ask)), (Some(b), Some(a)) if b.price >= a.price)
    }

    /// The worst price up to which a side is known; `None` if all of it is.
    pub fn horizon(&self, side: Side) -> Option<Ticks> {
        match side {
            Side::Bid => self.bid_horizon,
            Side::Ask => self.ask_horizon,
        }
    }

    /// Whether a side's best level is beyond what the snapshot covered, so that better levels may exist unseen.
    pub fn best_is_beyond_horizon(&self, side: Side) -> bool {
        match (self.best(side), self.horizon(side)) {
            (Some(best), Some(horizon)) => side.is_better(horizon, best.price),
            (None, Some(_)) => true,
            (_, None) => false,
        }
    }
}
