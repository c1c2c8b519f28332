//! What Coinbase answers over REST: products and their rules, and the time.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::json::{Mode, bad, shape};
use crate::market::{Instrument, VenueId};
use crate::units::{Lots, Money, VenueTime};
use crate::wire::WireError;
use crate::wire::amount::Field;
use crate::wire::dialect::Listed;
use crate::wire::stamp::millis;

/// The products in a body: that of one product, or of the whole list.
pub(super) fn products(body: &[u8]) -> Result<Vec<Listed>, WireError> {
    let list: List<'_> = shape("products", serde_json::from_slice(body))?;
    match list.products {
        Some(products) => products.iter().map(|product| listed(product.get().as_bytes())).collect(),
        None => Ok(vec![listed(body)?]),
    }
}

#[derive(Deserialize)]
struct List<'a> {
    #[serde(borrow, default)]
    products: Option<Vec<&'a RawValue>>,
}

#[derive(Deserialize)]
struct Name<'a> {
    #[serde(borrow)]
    product_id: Cow<'a, str>,
}

#[derive(Deserialize)]
struct Product<'a> {
    #[serde(borrow)]
    product_type: Cow<'a, str>,
    #[serde(borrow)]
    base_currency_id: Cow<'a, str>,
    #[serde(borrow)]
    quote_currency_id: Cow<'a, str>,
    #[serde(borrow)]
    price_increment: Cow<'a, str>,
    #[serde(borrow)]
    base_increment: Cow<'a, str>,
    #[serde(borrow)]
    base_min_size: Cow<'a, str>,
    #[serde(borrow)]
    base_max_size: Cow<'a, str>,
    #[serde(borrow)]
    quote_min_size: Cow<'a, str>,
    #[serde(borrow, default)]
    alias: Cow<'a, str>,
}

fn listed(body: &[u8]) -> Result<Listed, WireError> {
    let name: Name<'_> = shape("product", serde_json::from_slice(body))?;
    let rules = rules(&name.product_id, body);
    Ok(Listed { symbol: name.product_id.into_owned(), rules })
}

fn rules(symbol: &str, body: &[u8]) -> Result<Instrument, WireError> {
    let product: Product<'_> = shape("product", serde_json::from_slice(body))?;
    let mode: Mode = shape("product", serde_json::from_slice(body))?;
    let field = |name| Field { symbol, name };
    if product.product_type != "SPOT" {
        return Err(field("product_type").bad(&product.product_type, "is not a spot market"));
    }
    if !product.alias.is_empty() {
        // Both trade in one book, which the public channels know by the other name only.
        return Err(field("alias").bad(&product.alias, "is the book this one shares: name that instead"));
    }
    let tick = field("price_increment").step(&product.price_increment)?;
    let lot = field("base_increment").step(&product.base_increment)?;
    let (base, quote) = (&product.base_currency_id, &product.quote_currency_id);
    let mut instrument = Instrument::new(VenueId::Coinbase, symbol, base, quote, tick, lot)
        .map_err(|e| field("price_increment").bad(&product.price_increment, &e.to_string()))?;
    // Up to the next whole lot, so that the smallest order allowed here is allowed there.
    let min = field("base_min_size").decimal(&product.base_min_size)?;
    instrument.min_qty = Lots((-lot.count_floor(-min)).max(1));
    let max = lot.count_floor(field("base_max_size").decimal(&product.base_max_size)?);
    // Zero: more than 63 bits of lots, which limits nobody.
    instrument.max_qty = if max > 0 { Lots(max.min(instrument.max_qty.0)) } else { instrument.max_qty };
    let notional = field("quote_min_size").decimal(&product.quote_min_size)?;
    instrument.min_notional = Money::from_decimal(notional)
        .ok_or_else(|| field("quote_min_size").bad(&product.quote_min_size, "is out of range"))?;
    instrument.status = mode.status();
    Ok(instrument)
}

/// The body of `GET /api/v3/brokerage/time`.
pub(super) fn clock(body: &[u8]) -> Result<VenueTime, WireError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Clock<'a> {
        #[serde(borrow)]
        epoch_millis: Cow<'a, str>,
    }
    let clock: Clock<'_> = shape("time", serde_json::from_slice(body))?;
    let time = clock.epoch_millis.parse().ok().and_then(millis);
    time.ok_or_else(|| bad("time", format!("epochMillis is {:?}", clock.epoch_millis)))
}
