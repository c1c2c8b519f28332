//! The rules of one symbol in an `exchangeInfo`: its filters, in ticks and lots.

use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;
use serde::Deserialize;

use crate::market::{Instrument, VenueId};
use crate::units::{Lots, Money, Rate, Step};
use crate::wire::WireError;

/// What every Binance market says of a symbol.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::wire) struct Listing {
    pub symbol: String,
    pub base_asset: String,
    pub quote_asset: String,
    pub filters: Vec<Filter>,
}

/// All filters in one: each names the fields it has.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(in crate::wire) struct Filter {
    filter_type: String,
    tick_size: Option<Decimal>,
    step_size: Option<Decimal>,
    min_qty: Option<Decimal>,
    max_qty: Option<Decimal>,
    min_notional: Option<Decimal>,
    /// What futures call `minNotional`.
    notional: Option<Decimal>,
    multiplier_up: Option<Decimal>,
    multiplier_down: Option<Decimal>,
    bid_multiplier_up: Option<Decimal>,
    bid_multiplier_down: Option<Decimal>,
    ask_multiplier_up: Option<Decimal>,
    ask_multiplier_down: Option<Decimal>,
}

impl Listing {
    /// The instrument these filters make, spot until somebody says otherwise. `unit` is what one of the venue's own
    /// units of quantity is worth in ours.
    pub(in crate::wire) fn instrument(&self, venue: VenueId, unit: Decimal) -> Result<Instrument, WireError> {
        let tick = self.step("tickSize", self.filter("PRICE_FILTER").and_then(|f| f.tick_size))?;
        let size = self.filter("LOT_SIZE");
        let wire_lot = self.step("stepSize", size.and_then(|f| f.step_size))?;
        let lot = self.step("stepSize", wire_lot.size().checked_mul(unit))?;
        let mut instrument = Instrument::new(venue, &self.symbol, &self.base_asset, &self.quote_asset, tick, lot)
            .map_err(|e| self.bad("tickSize", format!("{tick} with stepSize {lot}"), e.to_string()))?;
        if let Some(min) = size.and_then(|f| f.min_qty) {
            // Up to the next whole lot, so that the smallest order allowed here is allowed there.
            instrument.min_qty = Lots((-wire_lot.count_floor(-min)).max(1));
        }
        if let Some(max) = size.and_then(|f| f.max_qty).filter(|max| !max.is_zero()) {
            let lots = wire_lot.count_floor(max);
            // Zero: more than 63 bits of lots, which limits nobody.
            instrument.max_qty = if lots > 0 { Lots(lots.min(instrument.max_qty.0)) } else { instrument.max_qty };
        }
        let notional = self.filter("NOTIONAL").or_else(|| self.filter("MIN_NOTIONAL"));
        if let Some(min) = notional.and_then(|f| f.min_notional.or(f.notional)) {
            instrument.min_notional = Money::from_decimal(min)
                .ok_or_else(|| self.bad("minNotional", min.to_string(), "is out of range".to_owned()))?;
        }
        instrument.price_band = self.price_band();
        Ok(instrument)
    }

    pub(in crate::wire) fn bad(&self, field: &'static str, value: String, why: String) -> WireError {
        WireError::Number { symbol: self.symbol.clone(), field, value, why }
    }

    fn filter(&self, name: &str) -> Option<&Filter> {
        self.filters.iter().find(|f| f.filter_type == name)
    }

    fn step(&self, field: &'static str, size: Option<Decimal>) -> Result<Step, WireError> {
        let size = size.ok_or_else(|| self.bad(field, String::new(), "is missing".to_owned()))?;
        Step::new(size).map_err(|e| self.bad(field, size.to_string(), e.to_string()))
    }

    /// Spot has a band per side; we keep the one both sides must lie in at least.
    fn price_band(&self) -> Option<(Rate, Rate)> {
        let (low, high) = if let Some(f) = self.filter("PERCENT_PRICE_BY_SIDE") {
            (f.bid_multiplier_down?.min(f.ask_multiplier_down?), f.bid_multiplier_up?.max(f.ask_multiplier_up?))
        } else {
            let f = self.filter("PERCENT_PRICE")?;
            (f.multiplier_down?, f.multiplier_up?)
        };
        Some((rate(low)?, rate(high)?))
    }
}

fn rate(multiplier: Decimal) -> Option<Rate> {
    multiplier.checked_mul(Decimal::from(10_000_000))?.to_i64().map(Rate)
}
