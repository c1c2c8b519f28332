//! What venues do where venues differ: a post-only order that would trade, two orders of ours that would meet, orders that
//! come too fast.
//!
//! From the venues' own documents, read in October 2026. Where the account or the order chooses (Binance spot, Bybit), we choose
//! that the resting order goes, which every other venue of that kind has as its default.

use serde::{Deserialize, Serialize};

use crate::market::VenueId;
use crate::units::Nanos;

/// What becomes of a post-only order that would trade as it arrives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PostOnly {
    /// Refused.
    Reject,
    /// Taken in, and cancelled at once.
    Cancel,
    /// Moved to the nearest price at which it rests.
    Reprice,
}

/// What becomes of an order that would trade with one of our own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SelfTrade {
    /// The one that rests is cancelled; the other goes on.
    CancelMaker,
    /// The one that arrives is cancelled, with what it did not trade before.
    CancelTaker,
    /// Both shrink by the smaller of the two, without a trade; what has nothing left is cancelled.
    Decrement,
    /// Both are cancelled, the one that arrives with what it did not trade before.
    CancelBoth,
}

/// A venue's ways.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Habits {
    /// With post-only orders that would trade.
    pub post_only: PostOnly,
    /// With our orders that would meet.
    pub self_trade: SelfTrade,
    /// With orders that come too fast; `None`: none of its documents we have read gives a plain number.
    pub pace: Option<Pace>,
}

/// Most new orders and replacements in a window of time. Venues count an account's, we an instrument's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pace {
    /// How many.
    pub orders: u32,
    /// In any so long.
    pub within: Nanos,
}

impl Habits {
    /// What a venue does unless told otherwise.
    pub fn of(venue: VenueId) -> Self {
        let (post_only, self_trade) = match venue {
            VenueId::BinanceSpot
            | VenueId::BinanceUsdm
            | VenueId::BinanceCoinm
            | VenueId::Hyperliquid
            | VenueId::Imported => (PostOnly::Reject, SelfTrade::CancelMaker),
            VenueId::BybitSpot | VenueId::BybitLinear | VenueId::Okx => (PostOnly::Cancel, SelfTrade::CancelMaker),
            VenueId::Coinbase => (PostOnly::Reject, SelfTrade::Decrement),
            VenueId::Kraken => (PostOnly::Reject, SelfTrade::CancelTaker),
            // `reject_taker`: said as a cancellation, because it may have traded with others before.
            VenueId::Deribit => (PostOnly::Reprice, SelfTrade::CancelTaker),
        };
        // `rateLimits` of Binance's exchangeInfo, kind ORDERS.
        let ten_seconds = |orders| Some(Pace { orders, within: Nanos::from_s(10) });
        let pace = match venue {
            VenueId::BinanceSpot => ten_seconds(100),
            VenueId::BinanceUsdm | VenueId::BinanceCoinm => ten_seconds(300),
            VenueId::BybitSpot
            | VenueId::BybitLinear
            | VenueId::Okx
            | VenueId::Coinbase
            | VenueId::Kraken
            | VenueId::Hyperliquid
            | VenueId::Deribit
            | VenueId::Imported => None,
        };
        Self { post_only, self_trade, pace }
    }
}
