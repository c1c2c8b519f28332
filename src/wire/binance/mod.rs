//! What all of Binance's markets have in common: how they write levels, sides, refusals and filters.
//!
//! Spot, USD-M and COIN-M are three programs with one style. Their frames differ in fields, so each has a dialect of
//! its own; what is inside the fields is read here, once for the scanner and once, in [`decimals`], for the parser.

pub(super) mod decimals;
pub(super) mod filters;
pub(super) mod replies;

use super::scan::Scan;
use crate::market::Level;
use crate::units::{Lots, Side, Step, Ticks};

/// `m` says whether the buyer was the maker; then the taker sold.
pub(super) fn taker(buyer_is_maker: bool) -> Side {
    if buyer_is_maker { Side::Ask } else { Side::Bid }
}

/// An empty side is written as zeros.
pub(super) fn touch(price: i64, qty: i64) -> Option<Level> {
    (price > 0 && qty > 0).then_some(Level { price: Ticks(price), qty: Lots(qty) })
}

/// `depth` and `depth@100ms` carry differences; `depth5`, `depth20@100ms` are something else.
pub(super) fn is_diff_channel(channel: &[u8]) -> bool {
    channel == b"depth" || channel.starts_with(b"depth@")
}

/// A list of `["price","quantity"]` pairs. `scratch` is kept between frames, so that a frame allocates once per side.
#[inline]
pub(super) fn levels(s: &mut Scan<'_>, tick: Step, lot: Step, scratch: &mut Vec<Level>) -> Option<Vec<Level>> {
    s.list(scratch, |s| {
        s.expect(b"[\"")?;
        let price = s.decimal(tick).filter(|&p| p > 0)?;
        s.expect(b",\"")?;
        let qty = s.decimal(lot)?;
        s.expect(b"]")?;
        Some(Level { price: Ticks(price), qty: Lots(qty) })
    })
}
