//! Kraken's pairs and their rules, as its `instrument` channel tells them, and its words for what may be done.

use std::borrow::Cow;

use rust_decimal::Decimal;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::json::shape;
use crate::market::{Instrument, PriceRule, Status, VenueId};
use crate::units::{Lots, Money, Step, Ticks};
use crate::wire::WireError;
use crate::wire::amount::Field;

/// One pair, not looked into yet.
#[derive(Clone, Debug)]
pub(super) struct Pair<'a> {
    pub symbol: Cow<'a, str>,
    text: &'a str,
}

/// The pairs in the data of an `instrument` message.
pub(super) fn pairs(data: &str) -> Result<Vec<Pair<'_>>, WireError> {
    #[derive(Deserialize)]
    struct Data<'a> {
        #[serde(borrow, default)]
        pairs: Vec<&'a RawValue>,
    }
    #[derive(Deserialize)]
    struct Name<'a> {
        #[serde(borrow)]
        symbol: Cow<'a, str>,
    }
    let data: Data<'_> = shape("instrument", serde_json::from_str(data))?;
    let mut pairs = Vec::with_capacity(data.pairs.len());
    for raw in data.pairs {
        let Name { symbol } = shape("instrument", serde_json::from_str(raw.get()))?;
        pairs.push(Pair { symbol, text: raw.get() });
    }
    Ok(pairs)
}

#[derive(Deserialize)]
struct Fields<'a> {
    #[serde(borrow)]
    base: Cow<'a, str>,
    #[serde(borrow)]
    quote: Cow<'a, str>,
    #[serde(borrow)]
    status: Cow<'a, str>,
    price_precision: u32,
    #[serde(borrow)]
    price_increment: &'a RawValue,
    qty_precision: u32,
    #[serde(borrow)]
    qty_increment: &'a RawValue,
    #[serde(borrow)]
    qty_min: &'a RawValue,
    #[serde(borrow, default)]
    cost_min: Option<&'a RawValue>,
}

impl Pair<'_> {
    /// Tick and lot are the last places of the venue's numbers, because the checksum is made of those; where orders may
    /// only have coarser prices, a rule says so.
    pub(super) fn rules(&self) -> Result<Instrument, WireError> {
        let fields: Fields<'_> = shape("instrument", serde_json::from_str(self.text))?;
        let field = |name| Field { symbol: &self.symbol, name };
        let tick = last_place(field("price_precision"), fields.price_precision)?;
        let lot = last_place(field("qty_precision"), fields.qty_precision)?;
        let mut instrument = Instrument::new(VenueId::Kraken, &self.symbol, &fields.base, &fields.quote, tick, lot)
            .map_err(|e| field("price_precision").bad(&fields.price_precision.to_string(), &e.to_string()))?;
        let steps = field("price_increment").price(fields.price_increment.get(), tick)?;
        if steps.0 > 1 {
            instrument.price_rule = PriceRule::Steps(vec![(Ticks(0), steps.0)]);
        }
        let increment = fields.qty_increment.get();
        if field("qty_increment").step(increment)? != lot {
            let why = format!("is not the last of {} decimals", fields.qty_precision);
            return Err(field("qty_increment").bad(increment, &why));
        }
        // Up to the next whole lot, so that the smallest order allowed here is allowed there.
        let min = field("qty_min").decimal(fields.qty_min.get())?;
        instrument.min_qty = Lots((-lot.count_floor(-min)).max(1));
        if let Some(cost) = fields.cost_min {
            let least = field("cost_min").decimal(cost.get())?;
            instrument.min_notional =
                Money::from_decimal(least).ok_or_else(|| field("cost_min").bad(cost.get(), "is out of range"))?;
        }
        instrument.status = status(&fields.status);
        Ok(instrument)
    }
}

fn last_place(field: Field<'_>, precision: u32) -> Result<Step, WireError> {
    let size = Decimal::try_from_i128_with_scale(1, precision);
    let step = size.map_err(|e| e.to_string()).and_then(|size| Step::new(size).map_err(|e| e.to_string()));
    step.map_err(|why| field.bad(&precision.to_string(), &why))
}

/// The venue's word for what may be done, of a pair or of all.
pub(super) fn status(word: &str) -> Status {
    match word {
        "online" => Status::Trading,
        // No market orders: a restricted market, in which we do not want to depend on getting out by taking.
        "post_only" | "limit_only" => Status::PostOnly,
        "cancel_only" | "reduce_only" => Status::CancelOnly,
        "maintenance" | "work_in_progress" => Status::Halted,
        "delisted" => Status::Delisted,
        _ => Status::Unknown,
    }
}

/// The one that allows less.
pub(super) fn stricter(a: Status, b: Status) -> Status {
    let rank = |status: Status| match status {
        Status::Trading => 0,
        Status::PostOnly => 1,
        Status::CancelOnly => 2,
        Status::Halted => 3,
        Status::Unknown => 4,
        Status::Delisted => 5,
    };
    if rank(a) >= rank(b) { a } else { b }
}
