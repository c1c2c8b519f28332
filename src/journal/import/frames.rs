//! The first reading of frames of any venue but Binance.
//!
//! What a frame says is for the venue's dialect to know; before that only two things are asked: whether it is about our
//! instrument, and which numbers stand in it as price and quantity. The venues' JSON is alike enough for one reading:
//! lists of pairs under `bids` and `asks`, or objects with a price and a size.

use rust_decimal::Decimal;
use serde_json::Value;

use super::survey::{self, Grid, Pace, Sizes, Survey};
use super::{ImportError, Record, Recorded, Records, Wish, sheet};
use crate::market::{Instrument, VenueId};
use crate::wire::venues;

/// Reads all records, refuses the first that does not belong. Also gives the levels a side that the book is known to.
pub fn survey(wish: &Wish, mut records: Box<dyn Records>) -> Result<(Survey, u32), ImportError> {
    let (mut finding, mut pace, mut record) = (Finding::default(), Pace::default(), Record::default());
    while let Some(read) = records.read(&mut record) {
        read?;
        let looked = pace.take(record.at).and_then(|()| finding.look(wish, &record.what));
        looked.map_err(|why| wish.refused(record.place, why))?;
    }
    let depth = match wish.venue {
        VenueId::Okx => 400,
        VenueId::Hyperliquid => 20,
        _ if finding.depth > 0 => finding.depth,
        _ => 1_000,
    };
    let survey = finding.conclude(wish).map_err(|why| wish.refused((0, 0), why))?;
    Ok((survey, depth))
}

#[derive(Default)]
struct Finding {
    /// Ours, that have a price.
    frames: u64,
    /// Prices found in them.
    taken: u64,
    prices: Grid,
    traded: Grid,
    resting: Sizes,
    rules: Option<Instrument>,
    /// The greatest depth in a topic (Bybit).
    depth: u32,
}

impl Finding {
    fn look(&mut self, wish: &Wish, what: &Recorded) -> Result<(), String> {
        match what {
            Recorded::Connected(_) => Ok(()),
            Recorded::Snapshot(..) => Err(format!("is a depth snapshot of Binance, not of {}", wish.venue)),
            Recorded::Rules(body) => self.rules(wish, body),
            Recorded::Frame(frame) if !mentions(frame, &wish.symbol) => Ok(()),
            Recorded::Frame(frame) => {
                let frame: Value = serde_json::from_slice(frame).map_err(|error| format!("is not JSON: {error}"))?;
                let depth = frame["topic"].as_str().and_then(|topic| topic.strip_prefix("orderbook."));
                let depth = depth.and_then(|rest| rest.split('.').next()?.parse().ok());
                self.depth = self.depth.max(depth.unwrap_or(0));
                let before = self.taken;
                self.walk(wish, &frame, false)?;
                self.frames += u64::from(self.taken > before);
                Ok(())
            }
        }
    }

    fn walk(&mut self, wish: &Wish, value: &Value, rests: bool) -> Result<(), String> {
        let map = match value {
            Value::Array(items) => return items.iter().try_for_each(|item| self.walk(wish, item, rests)),
            Value::Object(map) => map,
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => return Ok(()),
        };
        if map.get("product_id").is_some_and(|product| product != wish.symbol.as_str()) {
            return Ok(());
        }
        let first = |names: &[&str]| names.iter().find_map(|name| map.get(*name)).filter(|value| !is_nested(value));
        let price = first(&["price", "px", "p", "price_level"]);
        let size = first(&["size", "sz", "v", "amount", "qty", "new_quantity"]);
        if let (Some(price), Some(size)) = (price, size) {
            return self.pair(price, size, rests);
        }
        for (key, value) in map {
            let is_side = matches!(key.as_str(), "b" | "a" | "bids" | "asks");
            match value {
                Value::Array(levels) if is_side => levels.iter().try_for_each(|level| self.level(level))?,
                _ => self.walk(wish, value, rests || matches!(key.as_str(), "levels" | "updates"))?,
            }
        }
        Ok(())
    }

    /// `[price, size, …]`, at Deribit with what happened to it in front, or an object.
    fn level(&mut self, level: &Value) -> Result<(), String> {
        let skip = usize::from(matches!(level[0].as_str(), Some("new" | "change" | "delete")));
        match level {
            Value::Array(cells) if cells.len() >= 2 + skip => self.pair(&cells[skip], &cells[skip + 1], true),
            Value::Object(map) => match (map.get("price"), map.get("qty")) {
                (Some(price), Some(qty)) => self.pair(price, qty, true),
                _ => Err("has no price and quantity in a level".to_owned()),
            },
            _ => Err(format!("{level} stands where a level belongs")),
        }
    }

    fn pair(&mut self, price: &Value, size: &Value, rests: bool) -> Result<(), String> {
        let (price, size) = (decimal(price)?, decimal(size)?);
        self.taken += 1;
        self.prices.take_number(price)?;
        if rests { self.resting.take_number(size) } else { self.traded.take_number(size) }
    }

    fn rules(&mut self, wish: &Wish, body: &[u8]) -> Result<(), String> {
        let exchange = venues::find(wish.venue).ok_or("is of a venue we do not know")?;
        let listed = exchange.read_rules(&[body.to_vec()]).map_err(|error| error.to_string())?;
        if let Some(ours) = listed.into_iter().find(|listed| listed.symbol == wish.symbol) {
            self.rules = Some(ours.rules.map_err(|error| format!("{} cannot be traded here: {error}", wish.symbol))?);
        }
        Ok(())
    }

    fn conclude(self, wish: &Wish) -> Result<Survey, String> {
        if self.frames == 0 {
            return Err(format!("holds no book and no trade of {}", wish.symbol));
        }
        let (instrument, steps_from) = match self.rules {
            Some(rules) => survey::by_rules(wish, rules, &self.prices)?,
            None => survey::instrument(wish, &self.prices, &self.traded, &self.resting)?,
        };
        Ok(Survey { instrument, steps_from, says_trades_twice: false })
    }
}

fn is_nested(value: &Value) -> bool {
    value.is_array() || value.is_object()
}

fn decimal(value: &Value) -> Result<Decimal, String> {
    match value {
        Value::String(text) => sheet::number(text, "a price or quantity"),
        Value::Number(number) => sheet::number(&number.to_string(), "a price or quantity"),
        other => Err(format!("{other} stands where a price or quantity belongs")),
    }
}

/// Whether the symbol stands in it as a word of its own: `BTC-USDT` does not in `BTC-USDT-SWAP`.
pub fn mentions(frame: &[u8], symbol: &str) -> bool {
    let is_of_a_name = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'/');
    let symbol = symbol.as_bytes();
    let mut from = 0;
    while !symbol.is_empty()
        && let Some(at) = frame[from..].windows(symbol.len()).position(|window| window == symbol)
    {
        let (start, end) = (from + at, from + at + symbol.len());
        let before = start.checked_sub(1).and_then(|n| frame.get(n));
        if !before.is_some_and(is_of_a_name) && !frame.get(end).is_some_and(is_of_a_name) {
            return true;
        }
        from = start + 1;
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_symbol_is_a_word_of_its_own() {
        let okx = br#"{"arg":{"channel":"books","instId":"BTC-USDT-SWAP"}}"#;
        assert!(mentions(okx, "BTC-USDT-SWAP") && !mentions(okx, "BTC-USDT") && !mentions(okx, ""));
        assert!(mentions(br#"{"topic":"orderbook.200.BTCUSDT"}"#, "BTCUSDT"));
        assert!(mentions(br#"{"x":"BTC-USDT-SWAP","instId":"BTC-USDT"}"#, "BTC-USDT"));
    }
}
