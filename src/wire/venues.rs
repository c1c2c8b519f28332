//! The venues we can talk with: one line each.

use super::dialect::Exchange;
use crate::market::VenueId;

/// All of them.
pub const ALL: &[&dyn Exchange] = &[
    &super::binance_spot::BINANCE_SPOT,
    &super::bybit::SPOT,
    &super::bybit::LINEAR,
    &super::okx::OKX,
    &super::binance_futures::BINANCE_USDM,
    &super::binance_futures::BINANCE_COINM,
    &super::coinbase::COINBASE,
    &super::kraken::KRAKEN,
    &super::hyperliquid::HYPERLIQUID,
    &super::deribit::DERIBIT,
];

/// One of them; `None` if its words are not known here.
pub fn find(venue: VenueId) -> Option<&'static dyn Exchange> {
    ALL.iter().copied().find(|exchange| exchange.id() == venue)
}
