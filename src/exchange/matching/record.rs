//! What goes into the engine and what comes out of it.

use serde::{Deserialize, Serialize};

use crate::order::OrderKind;
use crate::units::{Lots, Side, Ticks};

/// The engine's name for an order, never given twice. Later orders have greater tickets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Ticket(u64);

impl Ticket {
    const SLOT_BITS: u32 = 22;
    /// More orders than this cannot rest.
    pub(super) const SLOTS_MAX: usize = 1 << Self::SLOT_BITS;
    /// More orders than this are not numbered: ten days at five million a second.
    pub(super) const SERIAL_MAX: u64 = u64::MAX >> Self::SLOT_BITS;
    /// No order's.
    pub(super) const NOBODY: Ticket = Ticket(0);

    pub(super) fn new(serial: u64, slot: u32) -> Self {
        Self(serial << Self::SLOT_BITS | u64::from(slot))
    }

    /// A small number, unique among resting orders and used again after them: an index for the owner's own lists.
    #[inline]
    pub fn slot(self) -> usize {
        (self.0 & (Self::SLOTS_MAX as u64 - 1)) as usize
    }

    /// As a plain number, for feeds that name orders.
    pub fn number(self) -> u64 {
        self.0
    }
}

/// Whose an order is. Only the prevention of self-trades looks at it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Owner(pub u32);

impl Owner {
    /// Who may trade with everybody, other nobodies included.
    pub const NOBODY: Owner = Owner(0);
}

/// A new order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Incoming {
    /// Buy or sell.
    pub side: Side,
    /// How it may trade.
    pub kind: OrderKind,
    /// Limit price; a market order's is not looked at.
    pub price: Ticks,
    /// How much, positive.
    pub qty: Lots,
    /// Whose.
    pub owner: Owner,
}

impl Incoming {
    /// Nobody's order.
    pub fn new(side: Side, kind: OrderKind, price: Ticks, qty: Lots) -> Self {
        Self { side, kind, price, qty, owner: Owner::NOBODY }
    }

    /// The same order of `owner`.
    pub fn by(self, owner: Owner) -> Self {
        Self { owner, ..self }
    }
}

/// One thing that happened.
///
/// Two stories are told, each complete: `Rested`, `Trade`, `Reduced` and `Removed` of single orders (L3), `Level` of
/// prices (L2). Whoever follows either from the beginning has the engine's book after every command, exactly.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Record {
    /// Two orders traded, at the price of the one that rested.
    Trade {
        /// Who crossed.
        taker: Ticket,
        /// Who rested.
        maker: Ticket,
        /// `Bid`: the taker bought.
        side: Side,
        /// The maker's price.
        price: Ticks,
        /// How much.
        qty: Lots,
        /// What still rests of the maker's order; zero ends it.
        maker_left: Lots,
    },
    /// An order (or what was left of it) joined the back of its queue.
    Rested {
        /// Which.
        ticket: Ticket,
        /// Which side.
        side: Side,
        /// Where.
        price: Ticks,
        /// How much.
        qty: Lots,
    },
    /// A resting order is gone: cancelled, replaced, or in the way of its owner's other order.
    Removed {
        /// Which.
        ticket: Ticket,
        /// Which side.
        side: Side,
        /// Where it was.
        price: Ticks,
        /// What had not traded.
        qty: Lots,
    },
    /// So much of an incoming order is gone without a trade: what an immediate or market order could not trade, or
    /// what would have met its owner's other order.
    Dropped {
        /// Which.
        ticket: Ticket,
        /// How much.
        qty: Lots,
    },
    /// What now rests at a price, once per side, price and command; zero empties the level.
    Level {
        /// Which side.
        side: Side,
        /// Where.
        price: Ticks,
        /// How much.
        qty: Lots,
    },
    /// A resting order became smaller without a trade and keeps its place.
    Reduced {
        /// Which.
        ticket: Ticket,
        /// Which side.
        side: Side,
        /// Where.
        price: Ticks,
        /// By how much.
        qty: Lots,
        /// What still rests of it, positive.
        left: Lots,
    },
}

/// Who hears of what happens, as it happens. What a listener does not look at is not even computed.
pub trait Listener {
    /// The next thing that happened.
    fn hear(&mut self, record: Record);
}

/// Keeps everything; it is the caller's to clear.
impl Listener for Vec<Record> {
    #[inline]
    fn hear(&mut self, record: Record) {
        self.push(record);
    }
}

/// Does not listen.
impl Listener for () {
    #[inline]
    fn hear(&mut self, _: Record) {}
}
