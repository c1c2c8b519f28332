//! A world of markets that never close.
//!
//! The same seed and specification give the same events, however far the caller advances at a time. Markets know
//! nothing of each other but the common factor of their values, and each draws that for itself: a world of one market
//! is that market in any other world. Memory is bounded: orders end, nothing keeps history.
//!
//! We can take part: [`World::send`] an order, [`World::take_back`], [`World::notices`]. Whatever we do, everything
//! random stays as it would have been ([`World::exogenous`]), so the same world without us is the counterfactual.

use serde::{Deserialize, Serialize};

use super::market::Market;
use super::message::{Key, Notice, Traffic};
use super::spec::SimSpec;
use crate::digest::{self, Digest};
use crate::exchange::matching::{Engine, Incoming, Ticket};
use crate::units::{Lots, Nanos, Side, Ticks};

/// Something the world can see of one market.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorldEvent {
    /// Simulated time since the world's beginning.
    pub at: Nanos,
    /// Position in [`SimSpec::market`].
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
        /// The order that rested.
        maker: Ticket,
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
    /// An order joined the back of its queue. Told only to those who [`World::watch_orders`].
    Joined {
        /// Which.
        order: Ticket,
        /// Which side.
        side: Side,
        /// Where.
        price: Ticks,
        /// How much.
        qty: Lots,
    },
    /// An order was cancelled. Told only to those who [`World::watch_orders`].
    Left {
        /// Which.
        order: Ticket,
        /// Which side.
        side: Side,
        /// Where it was.
        price: Ticks,
        /// What had not traded.
        qty: Lots,
    },
    /// Somebody begins to work a large order in pieces, or has had the last of them; nobody in the market knows. Told
    /// only to those who [`World::watch_orders`], with the number of the last change.
    Metaorder {
        /// Whose.
        id: u64,
        /// Which side.
        side: Side,
        /// How much was executed: zero at its beginning.
        executed: Lots,
    },
}

/// Markets under one clock.
#[derive(Clone, Debug)]
pub struct World {
    now: Nanos,
    markets: Vec<Market>,
}

impl World {
    /// The world of a seed, as old as its specification says. Panics if the specification has [`SimSpec::faults`].
    pub fn new(seed: u64, spec: &SimSpec) -> Self {
        let faults = spec.faults();
        assert!(faults.is_empty(), "not a world: {}", faults[0]);
        let market = |(i, m)| Market::new(seed, i as u16, m, spec);
        Self { now: Nanos::ZERO, markets: spec.market.iter().enumerate().map(market).collect() }
    }

    /// Lets time pass until `to` (inclusive) and appends what happened, in order.
    pub fn advance(&mut self, to: Nanos, events: &mut Vec<WorldEvent>) {
        let before = events.len();
        for market in &mut self.markets {
            market.advance(to);
            market.tell(events);
        }
        if self.markets.len() > 1 {
            // Stable: within one market nothing changes places.
            events[before..].sort_by_key(|e| (e.at, e.symbol));
        }
        self.now = self.now.max(to);
    }

    /// The world's clock.
    pub fn now(&self) -> Nanos {
        self.now
    }

    /// When something may happen next; `None` if nothing ever will.
    pub fn next_at(&self) -> Option<Nanos> {
        self.markets.iter().filter_map(|m| m.next_at()).min()
    }

    /// The book of orders of a market.
    pub fn engine(&self, symbol: u16) -> &Engine {
        self.markets[usize::from(symbol)].engine()
    }

    /// Number of the last change of a market's book.
    pub fn update(&self, symbol: u16) -> u64 {
        self.markets[usize::from(symbol)].update()
    }

    /// Messages delivered in a market since the beginning.
    pub fn traffic(&self, symbol: u16) -> Traffic {
        self.markets[usize::from(symbol)].traffic()
    }

    /// What the thing is worth, ticks: the signal from outside, which nobody in the market sees as it is.
    pub fn value(&self, symbol: u16) -> f64 {
        self.markets[usize::from(symbol)].value()
    }

    /// Orders that have an owner, and things due: what memory grows with.
    pub fn load(&self, symbol: u16) -> (usize, usize) {
        self.markets[usize::from(symbol)].load()
    }

    /// Whether [`WorldEventKind::Joined`], [`WorldEventKind::Left`] and [`WorldEventKind::Metaorder`] are told from now on. Changes nothing else.
    pub fn watch_orders(&mut self, watch: bool) {
        self.markets.iter_mut().for_each(|m| m.watch_orders(watch));
    }

    /// Sends an order of ours; it arrives `latency` after the world's clock, and so does the news of it here.
    pub fn send(&mut self, symbol: u16, order: Incoming, latency: Nanos) -> Key {
        self.markets[usize::from(symbol)].send(order, latency)
    }

    /// Sends a cancellation of ours, with the latency of its order; nothing if we have heard that the order is gone.
    pub fn take_back(&mut self, symbol: u16, key: Key) {
        self.markets[usize::from(symbol)].take_back(key);
    }

    /// What we have heard of our orders since we last asked.
    pub fn notices(&mut self, symbol: u16) -> std::vec::Drain<'_, Notice> {
        self.markets[usize::from(symbol)].notices()
    }

    /// The fingerprint of everything random where it stands: all streams, all wake-ups to come, the value. Two runs of
    /// one seed agree on it at equal times, whatever we did in them.
    pub fn exogenous(&self) -> Digest {
        digest::of_state(&self.markets.iter().map(|m| m.exogenous()).collect::<Vec<_>>())
    }

    /// The fingerprint of everything the future depends on.
    pub fn digest(&self) -> Digest {
        digest::of_state(&(self.now, self.markets.iter().map(|m| m.digest()).collect::<Vec<_>>()))
    }
}
