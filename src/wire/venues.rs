//! The venues we can talk with: one line each.

use super::binance_futures::{BINANCE_COINM, BINANCE_USDM};
use super::binance_spot::BINANCE_SPOT;
use super::dialect::Exchange;
use crate::market::VenueId;

/// All of them.
pub const ALL: &[&dyn Exchange] = &[&BINANCE_SPOT, &BINANCE_USDM, &BINANCE_COINM];

/// One of them; `None` if its words are not known here.
pub fn find(venue: VenueId) -> Option<&'static dyn Exchange> {
    ALL.iter().copied().find(|exchange| exchange.id() == venue)
}
