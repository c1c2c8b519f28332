//! Payloads as the parser reads them. Their numbers go through [`crate::wire::amount`], so that the scanner, which is
//! tested against it, shares nothing with it.

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::touch;
use crate::market::Level;
use crate::units::{Lots, Step, Ticks, VenueTime};
use crate::wire::amount::Field;
use crate::wire::depth_sync::Snapshot;
use crate::wire::symbols::Symbol;
use crate::wire::{WireError, stamp};

/// The steps of an instrument as its venue writes them.
#[derive(Clone, Copy, Debug)]
pub(in crate::wire) struct Grid<'a> {
    symbol: &'a str,
    tick: Step,
    lot: Step,
}

impl<'a> Grid<'a> {
    pub(in crate::wire) fn new(symbol: &'a str, tick: Step, lot: Step) -> Self {
        Self { symbol, tick, lot }
    }

    pub(in crate::wire) fn of(symbol: &'a Symbol) -> Self {
        Self::new(&symbol.instrument.symbol, symbol.instrument.tick, symbol.lot)
    }

    /// One number of it.
    pub(in crate::wire) fn field(self, name: &'static str) -> Field<'a> {
        Field { symbol: self.symbol, name }
    }

    /// A price above zero.
    pub(in crate::wire) fn price(self, text: &str) -> Result<Ticks, WireError> {
        self.field("price").price(text, self.tick)
    }

    /// A traded quantity, above zero.
    pub(in crate::wire) fn traded(self, text: &str) -> Result<Lots, WireError> {
        self.field("quantity").traded(text, self.lot)
    }

    /// One side of a best bid and offer.
    pub(in crate::wire) fn touch(self, price: &str, qty: &str) -> Result<Option<Level>, WireError> {
        let field = self.field("price");
        let count = self.tick.count(field.decimal(price)?).map_err(|e| field.bad(price, &e.to_string()))?;
        Ok(touch(count, self.field("quantity").resting(qty, self.lot)?.0))
    }

    pub(in crate::wire) fn levels(
        self,
        name: &'static str,
        pairs: &[(String, String)],
    ) -> Result<Vec<Level>, WireError> {
        let field = self.field(name);
        let level = |(price, qty): &(String, String)| {
            Ok(Level { price: field.price(price, self.tick)?, qty: field.resting(qty, self.lot)? })
        };
        pairs.iter().map(level).collect()
    }
}

/// What the JSON parser made of it, in our words.
pub(in crate::wire) fn shape<T>(what: &'static str, parsed: serde_json::Result<T>) -> Result<T, WireError> {
    parsed.map_err(|e| WireError::Shape { what, why: e.to_string() })
}

/// A payload, alone or as `data` of a combined stream.
pub(in crate::wire) fn payload<T: DeserializeOwned>(
    what: &'static str,
    frame: &[u8],
    combined: bool,
) -> Result<T, WireError> {
    #[derive(Deserialize)]
    struct Combined<T> {
        data: T,
    }
    if combined {
        shape(what, serde_json::from_slice::<Combined<T>>(frame)).map(|c| c.data)
    } else {
        shape(what, serde_json::from_slice(frame))
    }
}

#[derive(Deserialize)]
struct DepthReply {
    #[serde(rename = "lastUpdateId")]
    last: u64,
    bids: Vec<(String, String)>,
    asks: Vec<(String, String)>,
}

/// The body of a `GET …/depth`.
pub(in crate::wire) fn snapshot(body: &[u8], grid: Grid<'_>) -> Result<Snapshot, WireError> {
    let DepthReply { last, bids, asks } = shape("depth snapshot", serde_json::from_slice(body))?;
    let (bids, asks) = (grid.levels("bid", &bids)?, grid.levels("ask", &asks)?);
    let ordered = bids.windows(2).all(|w| w[0].price > w[1].price) && asks.windows(2).all(|w| w[0].price < w[1].price);
    if !ordered {
        return Err(WireError::Shape { what: "depth snapshot", why: "levels are not best first".to_owned() });
    }
    Ok(Snapshot { last, bids, asks })
}

/// The body of a `GET …/time`.
pub(in crate::wire) fn clock(body: &[u8]) -> Option<VenueTime> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Time {
        server_time: u64,
    }
    stamp::millis(serde_json::from_slice::<Time>(body).ok()?.server_time)
}
