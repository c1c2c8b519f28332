//! What is on its way in a market, and between whom.

use serde::{Deserialize, Serialize};

use crate::exchange::matching::Ticket;
use crate::order::OrderKind;
use crate::units::{Lots, Nanos, Side, Ticks};

/// Somebody in the market: a population and a member of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Who(u32);

impl Who {
    /// Nobody of the crowd: the orders that fill an empty side.
    pub const HOUSE: Who = Who(u32::MAX);
    /// Us.
    pub const OUTSIDE: Who = Who(u32::MAX - 1);
    const MEMBER_BITS: u32 = 24;

    pub fn new(population: usize, member: usize) -> Self {
        Self((population as u32) << Self::MEMBER_BITS | member as u32)
    }

    /// A number of his own.
    pub fn number(self) -> u64 {
        u64::from(self.0)
    }

    pub fn population(self) -> usize {
        (self.0 >> Self::MEMBER_BITS) as usize
    }

    pub fn member(self) -> usize {
        (self.0 & ((1 << Self::MEMBER_BITS) - 1)) as usize
    }
}

/// An order's name, good until its owner has heard of its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Key {
    pub(super) slot: u32,
    pub(super) generation: u32,
}

impl Key {
    /// No order.
    pub const NONE: Key = Key { slot: u32::MAX, generation: 0 };
}

/// What became of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum News {
    /// All of it, or what did not trade at once, rests.
    Rests,
    /// A print.
    Trades {
        /// How much.
        qty: Lots,
        /// At what price.
        price: Ticks,
    },
    /// All of it has traded.
    Filled,
    /// It ended without that: cancelled, refused, or immediate and not filled.
    Ended,
}

/// News for us.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// When it reached us.
    pub at: Nanos,
    /// Of which order.
    pub key: Key,
    /// What.
    pub news: News,
}

/// An order on its way, resting, or ended without its owner knowing.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Order {
    pub owner: Who,
    pub generation: u32,
    /// The engine's name for it, while it rests there.
    pub ticket: Option<Ticket>,
    pub side: Side,
    pub kind: OrderKind,
    pub price: Ticks,
    pub qty: Lots,
    pub latency: Nanos,
}

impl Order {
    /// Its name, if it stands at this place.
    pub fn key(&self, slot: u32) -> Key {
        Key { slot, generation: self.generation }
    }
}

/// Something due.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) enum Due {
    /// Somebody looks at the market.
    Wake(Who),
    /// An order arrives at the exchange.
    Arrive(u32),
    /// A cancellation arrives at the exchange.
    Cancel(Key),
    /// An owner hears that his order rests.
    Rests(u32),
    /// An owner hears of a trade.
    Trades(u32, Lots),
    /// An owner hears of the last trade.
    Filled(u32, Lots),
    /// An owner hears of an end.
    Ended(u32),
}

/// The best prices at some time.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Top {
    pub at: Nanos,
    pub bid: Ticks,
    pub ask: Ticks,
}

impl Top {
    pub fn mid(&self) -> f64 {
        (self.bid.0 + self.ask.0) as f64 * 0.5
    }

    pub fn spread(&self) -> i64 {
        self.ask.0 - self.bid.0
    }

    pub fn best(&self, side: Side) -> i64 {
        match side {
            Side::Bid => self.bid.0,
            Side::Ask => self.ask.0,
        }
    }
}

/// Messages delivered, by kind.
///
/// Counted as ABIDES counts them: one for every item its kernel hands to an agent, which are wake-ups, orders and
/// cancellations at the exchange, and the exchange's word at the owner. ABIDES also asks for the spread at every
/// wake-up and counts question and answer; here the best prices are pushed to everybody and are not counted at all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Traffic {
    /// Agents who looked.
    pub wakes: u64,
    /// Orders that arrived.
    pub orders: u64,
    /// Cancellations that arrived while the order lived.
    pub cancels: u64,
    /// News that reached owners.
    pub notices: u64,
    /// Prints.
    pub trades: u64,
    /// Orders and cancellations refused.
    pub refusals: u64,
    /// Orders placed because a side had become empty; not counted as messages.
    pub rescues: u64,
}

impl Traffic {
    /// All of them.
    pub fn messages(&self) -> u64 {
        self.wakes + self.orders + self.cancels + self.notices
    }
}
