//! What a venue tells us of our orders.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::request::OrderId;
use crate::market::InstrumentId;
use crate::units::{LocalTime, Lots, Money, Side, Ticks};

/// A venue's word on one of our orders.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// The order.
    pub id: OrderId,
    /// Of what.
    pub instrument: InstrumentId,
    /// When it happened at the (paper) venue, on our clock: what the latency model says, before the response delay.
    pub happened: LocalTime,
    /// What happened.
    pub kind: ReportKind,
}

/// What happened to the order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ReportKind {
    /// It rests (or, for `Ioc` and `Market`, was taken in).
    Accepted {
        /// Lots displayed at the price when we joined.
        queue_ahead: Lots,
    },
    /// It never lived.
    Rejected(RejectReason),
    /// It is over; `remaining` did not trade.
    Cancelled {
        /// What did not trade.
        remaining: Lots,
    },
    /// A cancellation or replacement came too late or named an unknown order; that order is as it was.
    CancelRejected(RejectReason),
    /// The order replaced `old`, whose `remaining` did not trade.
    Replaced {
        /// The order that ended.
        old: OrderId,
        /// What of the old one did not trade.
        remaining: Lots,
        /// Lots displayed at the new price when it joined.
        queue_ahead: Lots,
    },
    /// Some or all of it traded.
    Filled(Fill),
    /// The venue changed it, unasked: moved a post-only order that would have traded, or took from it what would have
    /// traded with ourselves.
    Amended {
        /// Its price now.
        price: Ticks,
        /// What may still trade.
        remaining: Lots,
    },
}

/// A trade of ours.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fill {
    /// Whether we bought or sold.
    pub side: Side,
    /// At.
    pub price: Ticks,
    /// How much, positive.
    pub qty: Lots,
    /// What is left of the order.
    pub remaining: Lots,
    /// Paid to the venue, in settlement currency; negative is a rebate.
    pub fee: Money,
    /// Whether we made or took.
    pub liquidity: Liquidity,
    /// What in the market made the model believe in this fill.
    pub why: FillWhy,
    /// Lots the model still believed ahead of us just before.
    pub queue_ahead: Lots,
}

/// Who was there first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Liquidity {
    /// Our order rested.
    Maker,
    /// Our order crossed.
    Taker,
}

impl Liquidity {
    /// `maker` or `taker`.
    pub fn word(self) -> &'static str {
        match self {
            Liquidity::Maker => "maker",
            Liquidity::Taker => "taker",
        }
    }
}

/// Why a fill is believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum FillWhy {
    /// A print at a price worse than ours: the market traded through us.
    TradedThrough,
    /// A print at our price after the queue ahead was gone.
    QueueFront,
    /// The opposite side came to rest at or beyond our price without a print we saw.
    Crossed,
    /// Our own order crossed the spread.
    Took,
}

impl FillWhy {
    /// The word in the `fills` export.
    pub fn word(self) -> &'static str {
        match self {
            FillWhy::TradedThrough => "traded_through",
            FillWhy::QueueFront => "queue_front",
            FillWhy::Crossed => "crossed",
            FillWhy::Took => "took",
        }
    }
}

/// Why a venue refused, in the venue's own words where it has some (Binance spot's are shown by `Display`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RejectReason {
    /// A post-only order that would have traded.
    WouldTake,
    /// Below or above the quantity rules.
    LotSize,
    /// Outside the price rules.
    PriceFilter,
    /// `price × qty` too small.
    Notional,
    /// Too far from the market.
    PercentPrice,
    /// Nothing to cancel: filled, cancelled or never known.
    UnknownOrder,
    /// Nothing on the other side to trade with.
    NoLiquidity,
    /// The instrument is not open for this.
    NotTrading,
    /// Too many requests.
    TooManyRequests,
}

impl fmt::Display for RejectReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            RejectReason::WouldTake => "-2010 Order would immediately match and take.",
            RejectReason::LotSize => "-1013 Filter failure: LOT_SIZE",
            RejectReason::PriceFilter => "-1013 Filter failure: PRICE_FILTER",
            RejectReason::Notional => "-1013 Filter failure: NOTIONAL",
            RejectReason::PercentPrice => "-1013 Filter failure: PERCENT_PRICE_BY_SIDE",
            RejectReason::UnknownOrder => "-2011 Unknown order sent.",
            RejectReason::NoLiquidity => "-2010 Market is closed or has no liquidity.",
            RejectReason::NotTrading => "-2010 Market is closed.",
            RejectReason::TooManyRequests => "-1015 Too many new orders.",
        })
    }
}
