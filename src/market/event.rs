//! What venues say, in one vocabulary.
//!
//! Two kinds of news: [`MarketEvent`] is about an instrument's market, [`FeedEvent`] is about our connection to
//! it. Both are recorded inputs of a session. Quantities are always absolute (what now rests), never changes.

use serde::{Deserialize, Serialize};

use super::instrument::{Instrument, InstrumentId, Status, VenueId};
use crate::units::{FundingRate, Lots, Money, Nanos, Side, Ticks, VenueTime};

/// A price and what rests there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Level {
    /// Where.
    pub price: Ticks,
    /// How much now rests; zero empties the level.
    pub qty: Lots,
}

/// News of one instrument's market.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MarketEvent {
    /// Whose.
    pub instrument: InstrumentId,
    /// When it happened there, where the venue says (Binance's `bookTicker` does not).
    pub venue_time: Option<VenueTime>,
    /// What happened.
    pub kind: MarketEventKind,
}

/// Closed on purpose: a new kind makes the compiler list every place that has to care.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum MarketEventKind {
    /// The visible book; forget what was known before.
    Snapshot {
        /// The venue's update id this is the state of; comparable with `Delta::seq` and `Bbo::seq`.
        seq: u64,
        /// Best first.
        bids: Vec<Level>,
        /// Best first.
        asks: Vec<Level>,
        /// What is known beyond the last level given.
        extent: Extent,
    },
    /// Levels that changed, as one atomic message: only the state after all of them is real.
    Delta {
        /// The venue's last update id in this message.
        seq: u64,
        /// In the venue's order; of a price named twice the last counts.
        bids: Vec<Level>,
        /// As `bids`.
        asks: Vec<Level>,
    },
    /// A print.
    Trade {
        /// The venue's trade id.
        id: u64,
        /// Who crossed the spread: `Bid` means somebody bought.
        taker: Side,
        /// At.
        price: Ticks,
        /// How much.
        qty: Lots,
        /// What else the venue said of it.
        flags: PrintFlags,
    },
    /// Best bid and offer, often ahead of the book. A `None` side is empty.
    Bbo {
        /// The venue's update id, in the same space as the book's; 0 where the venue gives none.
        seq: u64,
        /// Best bid.
        bid: Option<Level>,
        /// Best ask.
        ask: Option<Level>,
    },
    /// Messages were lost or cannot be trusted: the book is unknown until the next `Snapshot`.
    Gap {
        /// The update id that should have come.
        expected: u64,
        /// The update id that came.
        found: u64,
    },
    /// The venue changed the instrument's rules. Prices before and after are in different ticks when the step
    /// changed, so the book is unknown until the next `Snapshot`.
    Rules(Box<Instrument>),
    /// The venue opened, halted or removed the instrument.
    Status(Status),
    /// What a contract is marked at, and its funding.
    Mark(Mark),
    /// What became of one order, where a recording tells order by order. It says who stands where in line; the level it
    /// changes is told by the `Delta` after it, prints by a `Trade` before it. The orders of a book are told before its
    /// `Snapshot`; with a `Gap` all are forgotten.
    Order(OrderNews),
}

/// One order of others. `qty` is what now rests of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderNews {
    /// The venue's name for it, unique among the orders that rest.
    pub id: u64,
    /// Buy or sell.
    pub side: Side,
    /// Where it rests; of an order that is gone, where it rested.
    pub price: Ticks,
    /// What now rests; zero of an order that is gone.
    pub qty: Lots,
    /// What happened to it.
    pub step: OrderStep,
}

/// What an order of others can go through. Closed on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum OrderStep {
    /// Last in line at its price: new, or changed in a way that costs its place (it may have rested elsewhere before).
    Joined,
    /// Smaller by its owner's wish; it keeps its place.
    Shrank,
    /// Cancelled.
    Left,
    /// Traded, in part or to the end.
    Filled,
}

/// A contract's mark price, index and funding. What a message leaves out is as it was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// Price positions are valued at, in quote currency per base; not on the tick.
    pub mark: Option<Money>,
    /// Price of the underlying index (or oracle), in quote currency per base.
    pub index: Option<Money>,
    /// Funding in force.
    pub funding: Option<Funding>,
}

/// Payments between the holders of a perpetual contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Funding {
    /// Of the position's value, for the time of `every`; longs pay when positive.
    pub rate: FundingRate,
    /// The next payment on the venue's clock; `None`: it accrues all the time (Deribit).
    pub due: Option<VenueTime>,
    /// The time `rate` is for.
    pub every: Nanos,
    /// Whether the payment is on the value at the index instead of the mark (Hyperliquid's oracle).
    pub at_index: bool,
}

/// How far into a side we can see.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Extent {
    /// Nothing rests beyond the last level given.
    All,
    /// Beyond the last level given everything is unknown, and what comes there later comes on top of the unknown.
    ToLast,
    /// The venue keeps us informed of this many best levels a side, wherever they move; deeper ones are unknown.
    Window(u32),
}

/// Marks on a print. Flagged prints did not trade against the visible book and never fill us.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PrintFlags(pub u8);

impl PrintFlags {
    /// An ordinary print.
    pub const NONE: Self = Self(0);
    /// Negotiated off the book.
    pub const BLOCK: Self = Self(1);
    /// Retail price improvement: matched against orders that are not displayed to us.
    pub const RPI: Self = Self(2);
    /// A liquidation or insurance-fund transfer.
    pub const INSURANCE: Self = Self(4);
    /// An auction's uncrossing.
    pub const AUCTION: Self = Self(8);
    /// One of the four prices of a bar: it happened some time within the bar, and nobody says against whom.
    pub const BAR: Self = Self(16);
    /// Who crossed the spread is not known; `taker` says nothing.
    pub const UNSIDED: Self = Self(32);
    /// Traded with an order that was not displayed.
    pub const HIDDEN: Self = Self(64);

    /// Whether the print consumed displayed liquidity, so that it may advance a queue or fill an order.
    pub fn took_from_the_book(self) -> bool {
        self == Self::NONE
    }
}

/// News of our connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FeedEvent {
    /// To whom.
    pub venue: VenueId,
    /// Which of the session's connections, counted from zero. An instrument may be on several (book here, trades
    /// there).
    pub connection: u16,
    /// About which instrument; `None` concerns every instrument of the venue.
    pub instrument: Option<InstrumentId>,
    /// Counts the connection's sockets; frames of an older one are dropped before they get here.
    pub generation: u32,
    /// What happened.
    pub kind: FeedEventKind,
}

/// The life of a connection and of the books on it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum FeedEventKind {
    /// A socket is open and subscriptions are sent.
    Connected,
    /// The socket is gone; every book on it is unknown.
    Disconnected {
        /// Close code and reason, or what broke.
        reason: String,
    },
    /// A book is being fetched anew.
    Resync {
        /// Why.
        reason: String,
    },
    /// An instrument's book is in step and its channels flow.
    Live,
    /// A channel went silent for longer than its limit: do not trade on it.
    Stale {
        /// `depth`, `trade`, `bbo` or `all`.
        channel: String,
        /// For how long, in milliseconds.
        silent_ms: u64,
    },
    /// Subscribed and acknowledged, yet nothing came.
    NoData {
        /// Which channel.
        channel: String,
        /// Waited this long, in milliseconds.
        waited_ms: u64,
    },
    /// A checksum did not match; the book is unknown.
    ChecksumMismatch {
        /// What the venue said.
        expected: u64,
        /// What our book gives.
        found: u64,
    },
    /// A frame that could not be understood.
    ProtocolError {
        /// What was wrong, with the beginning of the frame.
        detail: String,
    },
    /// The venue asked us to slow down.
    RateLimited {
        /// HTTP status or venue code.
        code: u32,
        /// Silence until then, in milliseconds from now.
        wait_ms: u64,
    },
    /// The venue announced that it will close the connection.
    ShutdownAnnounced,
    /// The venue says it cannot serve us at all (geography, ban, unknown symbol); we stop trying.
    Refused {
        /// Its words.
        reason: String,
    },
}

impl FeedEventKind {
    /// The word in the `feed` export.
    pub fn word(&self) -> &'static str {
        match self {
            FeedEventKind::Connected => "connected",
            FeedEventKind::Disconnected { .. } => "disconnected",
            FeedEventKind::Resync { .. } => "resync",
            FeedEventKind::Live => "live",
            FeedEventKind::Stale { .. } => "stale",
            FeedEventKind::NoData { .. } => "no_data",
            FeedEventKind::ChecksumMismatch { .. } => "checksum_mismatch",
            FeedEventKind::ProtocolError { .. } => "protocol_error",
            FeedEventKind::RateLimited { .. } => "rate_limited",
            FeedEventKind::ShutdownAnnounced => "shutdown_announced",
            FeedEventKind::Refused { .. } => "refused",
        }
    }
}
