//! Numbers as the parser reads them: through `rust_decimal` and [`Step::count`], so that the scanner, which is tested
//! against it, shares nothing with it.

use rust_decimal::Decimal;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::touch;
use crate::market::Level;
use crate::units::{Lots, NotOnStep, Step, Ticks, VenueTime};
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

    /// A price above zero.
    pub(in crate::wire) fn price(self, field: &'static str, text: &str) -> Result<Ticks, WireError> {
        self.positive(field, text, self.tick).map(Ticks)
    }

    /// A traded quantity, above zero.
    pub(in crate::wire) fn traded(self, field: &'static str, text: &str) -> Result<Lots, WireError> {
        self.positive(field, text, self.lot).map(Lots)
    }

    /// A quantity that rests. Orders older than the present lot size may rest with finer quantities (BTCUSDT had
    /// 191.389006 BTC at 100,000 in August 2024, with a lot of 0.00001). That must not cost us the book, and nobody
    /// trades the dust: it counts as one more lot, so that no level disappears and no queue looks shorter than it is.
    pub(in crate::wire) fn resting(self, field: &'static str, text: &str) -> Result<Lots, WireError> {
        let value = self.decimal(field, text)?;
        match self.lot.count(value) {
            Ok(count) => Ok(Lots(count)),
            Err(NotOnStep::Between { .. }) => Ok(Lots(self.lot.count_floor(value).saturating_add(1))),
            Err(error) => Err(self.bad(field, text, &error.to_string())),
        }
    }

    /// One side of a best bid and offer.
    pub(in crate::wire) fn touch(self, price: &str, qty: &str) -> Result<Option<Level>, WireError> {
        Ok(touch(self.number("price", price, self.tick)?, self.resting("quantity", qty)?.0))
    }

    pub(in crate::wire) fn levels(
        self,
        field: &'static str,
        pairs: &[(String, String)],
    ) -> Result<Vec<Level>, WireError> {
        let level = |(price, qty): &(String, String)| {
            Ok(Level { price: self.price(field, price)?, qty: self.resting(field, qty)? })
        };
        pairs.iter().map(level).collect()
    }

    /// A decimal that is not negative.
    pub(in crate::wire) fn decimal(self, field: &'static str, text: &str) -> Result<Decimal, WireError> {
        let value = Decimal::from_str_exact(text).map_err(|e| self.bad(field, text, &e.to_string()))?;
        if value.is_sign_negative() && !value.is_zero() { Err(self.bad(field, text, "is negative")) } else { Ok(value) }
    }

    pub(in crate::wire) fn bad(self, field: &'static str, text: &str, why: &str) -> WireError {
        let value = text.chars().take(40).collect();
        WireError::Number { symbol: self.symbol.to_owned(), field, value, why: why.to_owned() }
    }

    fn positive(self, field: &'static str, text: &str, step: Step) -> Result<i64, WireError> {
        match self.number(field, text, step)? {
            0 => Err(self.bad(field, text, "is zero")),
            count => Ok(count),
        }
    }

    fn number(self, field: &'static str, text: &str, step: Step) -> Result<i64, WireError> {
        step.count(self.decimal(field, text)?).map_err(|e| self.bad(field, text, &e.to_string()))
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
