//! A world of markets that never close.
//!
//! The same seed and specification give the same events, however far the caller advances at a time. Memory is
//! bounded: orders lose their patience, the crowd has a largest size, and nothing keeps history.

use serde::{Deserialize, Serialize};

use super::market::{Arrivals, Market};
use super::spec::SimSpec;
use crate::digest::{self, Digest};
use crate::exchange::matching::{Engine, Ticket};
use crate::units::{Lots, Nanos, Side, Ticks};

/// Something the world can see of one market.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorldEvent {
    /// Simulated time since the world's beginning.
    pub at: Nanos,
    /// Position in [`SimSpec::markets`].
    pub symbol: u16,
    /// Number of the change of this symbol's book, counted without holes. All events of one change share it, stand
    /// together, and only the book after all of them is real.
    pub update: u64,
    /// What.
    pub kind: WorldEventKind,
}

/// What happened. Trades of a change come before the levels they left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum WorldEventKind {
    /// A print.
    Trade {
        /// Consecutive per symbol.
        id: u64,
        /// The order that crossed; its prints share it.
        order: Ticket,
        /// `Bid`: somebody bought.
        taker: Side,
        /// At.
        price: Ticks,
        /// How much.
        qty: Lots,
    },
    /// What now rests at a price; zero empties the level.
    Level {
        /// Which side.
        side: Side,
        /// Where.
        price: Ticks,
        /// How much.
        qty: Lots,
    },
}

/// Markets under one clock.
#[derive(Clone, Debug)]
pub struct World {
    now: Nanos,
    markets: Vec<Market>,
}

impl World {
    /// The world of a seed, a minute old. Panics with more than 65 535 markets or a market without arrivals.
    pub fn new(seed: u64, spec: &SimSpec) -> Self {
        let market = |(i, m): (usize, &super::spec::MarketSpec)| {
            Market::new(seed, u16::try_from(i).expect("at most 65535 markets"), m.clone())
        };
        Self { now: Nanos::ZERO, markets: spec.markets.iter().enumerate().map(market).collect() }
    }

    /// Lets time pass until `to` (inclusive) and appends what happened, in order.
    pub fn advance(&mut self, to: Nanos, events: &mut Vec<WorldEvent>) {
        while let Some(market) = self.markets.iter_mut().min_by_key(|m| m.next_at()) {
            if market.next_at() > to {
                break;
            }
            market.step(events);
        }
        self.now = self.now.max(to);
    }

    /// The world's clock.
    pub fn now(&self) -> Nanos {
        self.now
    }

    /// When something may happen next; `None` without markets.
    pub fn next_at(&self) -> Option<Nanos> {
        self.markets.iter().map(|m| m.next_at()).min()
    }

    /// The book of orders of a market.
    pub fn engine(&self, symbol: u16) -> &Engine {
        self.markets[usize::from(symbol)].engine()
    }

    /// Number of the last change of a market's book.
    pub fn update(&self, symbol: u16) -> u64 {
        self.markets[usize::from(symbol)].update()
    }

    /// What happened in a market since the beginning, by kind.
    pub fn arrivals(&self, symbol: u16) -> Arrivals {
        self.markets[usize::from(symbol)].arrivals()
    }

    /// What the market maker thinks the thing is worth, ticks; `None` without one.
    pub fn value(&self, symbol: u16) -> Option<f64> {
        self.markets[usize::from(symbol)].value()
    }

    /// How many orders of the crowd rest.
    pub fn crowd_size(&self, symbol: u16) -> usize {
        self.markets[usize::from(symbol)].crowd_size()
    }

    /// The fingerprint of everything the future depends on.
    pub fn digest(&self) -> Digest {
        digest::of_state(&(self.now, self.markets.iter().map(|m| m.digest()).collect::<Vec<_>>()))
    }
}
