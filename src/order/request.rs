//! What we may ask of a venue.

use serde::{Deserialize, Serialize};

use crate::market::InstrumentId;
use crate::units::{Lots, Side, Ticks};

/// Our own number for an order, unique and increasing within a session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct OrderId(pub u64);

/// How an order may trade.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum OrderKind {
    /// Rests what does not trade at once.
    Limit,
    /// Rests only: refused by the venue if it would trade on arrival (Binance `LIMIT_MAKER`).
    PostOnly,
    /// Trades what it can up to its price, the rest is cancelled.
    Ioc,
    /// Trades at any price; the rest is cancelled. Its `price` is the collar the risk gate judged it by.
    Market,
    /// Trades all of it up to its price at once, or is cancelled whole.
    Fok,
}

impl OrderKind {
    /// Whether any of it can rest in the book.
    pub fn may_rest(self) -> bool {
        match self {
            OrderKind::Limit | OrderKind::PostOnly => true,
            OrderKind::Ioc | OrderKind::Market | OrderKind::Fok => false,
        }
    }
}

/// One request to a venue. Made by the engine, approved by [`crate::risk`], obeyed by [`crate::exchange`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Request {
    /// A new order.
    Place {
        /// Ours, new.
        id: OrderId,
        /// Of what.
        instrument: InstrumentId,
        /// Buy or sell.
        side: Side,
        /// Limit price.
        price: Ticks,
        /// How much, positive.
        qty: Lots,
        /// How it may trade.
        kind: OrderKind,
    },
    /// Take an order back. A fill that happens at the venue before this arrives wins the race.
    Cancel {
        /// Which.
        id: OrderId,
        /// Of what.
        instrument: InstrumentId,
    },
    /// Cancel one order and place another in its stead, atomically at the venue (Binance `cancelReplace`,
    /// `STOP_ON_FAILURE`): if the old one is gone, nothing is placed. The new order joins the back of its queue.
    Replace {
        /// The order to end.
        old: OrderId,
        /// The new order's id.
        new: OrderId,
        /// Of what.
        instrument: InstrumentId,
        /// New limit price.
        price: Ticks,
        /// New quantity, positive.
        qty: Lots,
    },
}

impl Request {
    /// What it concerns.
    pub fn instrument(&self) -> InstrumentId {
        match self {
            Request::Place { instrument, .. }
            | Request::Cancel { instrument, .. }
            | Request::Replace { instrument, .. } => *instrument,
        }
    }

    /// The order it makes, or ends if it makes none.
    pub fn id(&self) -> OrderId {
        match self {
            Request::Place { id, .. } | Request::Cancel { id, .. } | Request::Replace { new: id, .. } => *id,
        }
    }
}
