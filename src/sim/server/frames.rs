//! What Binance spot would write, from what happened in the simulated market.
//!
//! Prices and quantities are decimal strings padded to eight places whatever the tick; `m` is "the buyer is the
//! maker", so it is true when the taker sold.

use std::fmt::Write;

use crate::market::{Book, Instrument, Level};
use crate::units::{Lots, POWERS_OF_TEN, Side, Step, Ticks};

/// Time stamps are in these.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TimeUnit {
    Millis,
    Micros,
}

impl TimeUnit {
    pub fn of(self, ns: i64) -> i64 {
        match self {
            TimeUnit::Millis => ns / 1_000_000,
            TimeUnit::Micros => ns / 1_000,
        }
    }
}

/// A trade as the feed tells it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Print {
    pub id: u64,
    pub at_ns: i64,
    pub taker: Side,
    pub price: Ticks,
    pub qty: Lots,
}

/// `count` steps with eight decimals: `64210.01000000`.
pub(super) fn padded(step: Step, count: i64) -> String {
    let Some(scale) = 8u32.checked_sub(step.decimals()) else { return step.value(count).to_string() };
    let value = i128::from(count) * i128::from(step.mantissa()) * i128::from(POWERS_OF_TEN[scale as usize]);
    format!("{}.{:08}", value / 100_000_000, value % 100_000_000)
}

fn levels(rules: &Instrument, levels: impl Iterator<Item = Level>) -> String {
    let mut text = String::from("[");
    for (i, l) in levels.enumerate() {
        let comma = if i == 0 { "" } else { "," };
        let (price, qty) = (padded(rules.tick, l.price.0), padded(rules.lot, l.qty.0));
        write!(text, "{comma}[\"{price}\",\"{qty}\"]").expect("a string takes any text");
    }
    text.push(']');
    text
}

pub(super) fn trade(rules: &Instrument, print: &Print, unit: TimeUnit) -> String {
    let t = unit.of(print.at_ns);
    format!(
        r#"{{"e":"trade","E":{t},"s":"{}","t":{},"p":"{}","q":"{}","T":{t},"m":{},"M":true}}"#,
        rules.symbol,
        print.id,
        padded(rules.tick, print.price.0),
        padded(rules.lot, print.qty.0),
        print.taker == Side::Ask,
    )
}

/// Prints `first.id..=last_id` of one taker at one price, `first.qty` in all.
pub(super) fn agg_trade(rules: &Instrument, id: u64, first: &Print, last_id: u64, unit: TimeUnit) -> String {
    let t = unit.of(first.at_ns);
    format!(
        r#"{{"e":"aggTrade","E":{t},"s":"{}","a":{id},"p":"{}","q":"{}","f":{},"l":{last_id},"T":{t},"m":{},"M":true}}"#,
        rules.symbol,
        padded(rules.tick, first.price.0),
        padded(rules.lot, first.qty.0),
        first.id,
        first.taker == Side::Ask,
    )
}

pub(super) fn book_ticker(rules: &Instrument, update: u64, bid: Level, ask: Level) -> String {
    format!(
        r#"{{"u":{update},"s":"{}","b":"{}","B":"{}","a":"{}","A":"{}"}}"#,
        rules.symbol,
        padded(rules.tick, bid.price.0),
        padded(rules.lot, bid.qty.0),
        padded(rules.tick, ask.price.0),
        padded(rules.lot, ask.qty.0),
    )
}

/// The levels at the `changed` prices `[bids, asks]`, sorted best first, as changes `first..=last`.
pub(super) fn depth_update(
    rules: &Instrument,
    book: &Book,
    changed: &[Vec<Ticks>; 2],
    (first, last): (u64, u64),
    at_ns: i64,
    unit: TimeUnit,
) -> String {
    let side = |side: Side, prices: &[Ticks]| {
        levels(rules, prices.iter().map(|&price| Level { price, qty: book.qty_at(side, price) }))
    };
    format!(
        r#"{{"e":"depthUpdate","E":{},"s":"{}","U":{first},"u":{last},"b":{},"a":{}}}"#,
        unit.of(at_ns),
        rules.symbol,
        side(Side::Bid, &changed[0]),
        side(Side::Ask, &changed[1]),
    )
}

/// The best `limit` levels: a REST snapshot, and the partial depth streams.
pub(super) fn depth(rules: &Instrument, book: &Book, limit: usize) -> String {
    format!(
        r#"{{"lastUpdateId":{},"bids":{},"asks":{}}}"#,
        book.seq(),
        levels(rules, book.levels(Side::Bid).take(limit)),
        levels(rules, book.levels(Side::Ask).take(limit)),
    )
}

/// REST `trades`, oldest first.
pub(super) fn trades<'a>(rules: &Instrument, prints: impl Iterator<Item = &'a Print>) -> String {
    let one = |p: &Print| {
        serde_json::json!({
            "id": p.id,
            "price": padded(rules.tick, p.price.0),
            "qty": padded(rules.lot, p.qty.0),
            "quoteQty": format!("{:.8}", rules.notional(p.price, p.qty)),
            "time": TimeUnit::Millis.of(p.at_ns),
            "isBuyerMaker": p.taker == Side::Ask,
            "isBestMatch": true,
        })
    };
    serde_json::Value::from(prints.map(one).collect::<Vec<_>>()).to_string()
}

/// REST `exchangeInfo`.
pub(super) fn exchange_info<'a>(rules: impl Iterator<Item = &'a Instrument>, now_ns: i64) -> String {
    let one = |r: &Instrument| {
        let (tick, lot) = (padded(r.tick, 1), padded(r.lot, 1));
        serde_json::json!({
            "symbol": r.symbol, "status": "TRADING",
            "baseAsset": r.base, "baseAssetPrecision": 8, "quoteAsset": r.quote,
            "quotePrecision": 8, "quoteAssetPrecision": 8,
            "baseCommissionPrecision": 8, "quoteCommissionPrecision": 8,
            "orderTypes": ["LIMIT", "LIMIT_MAKER", "MARKET"],
            "icebergAllowed": false, "ocoAllowed": false, "otoAllowed": false,
            "quoteOrderQtyMarketAllowed": false, "allowTrailingStop": false, "cancelReplaceAllowed": true,
            "amendAllowed": false, "pegInstructionsAllowed": false,
            "isSpotTradingAllowed": true, "isMarginTradingAllowed": false,
            "filters": [
                { "filterType": "PRICE_FILTER", "minPrice": tick, "maxPrice": padded(r.tick, 1_000_000_000),
                  "tickSize": tick },
                { "filterType": "LOT_SIZE", "minQty": padded(r.lot, r.min_qty.0), "maxQty": padded(r.lot, r.max_qty.0),
                  "stepSize": lot },
                { "filterType": "NOTIONAL", "minNotional": format!("{:.8}", r.min_notional), "applyMinToMarket": true,
                  "maxNotional": "9000000.00000000", "applyMaxToMarket": false, "avgPriceMins": 5 },
                { "filterType": "PERCENT_PRICE_BY_SIDE", "bidMultiplierUp": "5", "bidMultiplierDown": "0.2",
                  "askMultiplierUp": "5", "askMultiplierDown": "0.2", "avgPriceMins": 5 },
            ],
            "permissions": [], "permissionSets": [["SPOT"]],
            "defaultSelfTradePreventionMode": "NONE", "allowedSelfTradePreventionModes": ["NONE"],
        })
    };
    serde_json::json!({
        "timezone": "UTC",
        "serverTime": TimeUnit::Millis.of(now_ns),
        "rateLimits": [
            { "rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": 6000 },
            { "rateLimitType": "ORDERS", "interval": "SECOND", "intervalNum": 10, "limit": 100 },
        ],
        "exchangeFilters": [],
        "symbols": rules.map(one).collect::<Vec<_>>(),
    })
    .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_padded_to_eight_places_whatever_the_tick() {
        assert_eq!(padded(Step::parse("0.10").unwrap(), 642_100), "64210.00000000");
        assert_eq!(padded(Step::parse("0.00001").unwrap(), 1_234), "0.01234000");
        assert_eq!(padded(Step::parse("0.25").unwrap(), 3), "0.75000000");
        assert_eq!(padded(Step::parse("0.000000001").unwrap(), 7), "0.000000007");
    }

    #[test]
    fn a_seller_who_crosses_makes_the_buyer_the_maker() {
        let rules = crate::sim::SimSpec::default().market[0].rules().unwrap();
        let print = Print {
            id: 7,
            at_ns: 1_790_000_000_198_000_000,
            taker: Side::Ask,
            price: Ticks(642_101),
            qty: Lots(1_300),
        };
        assert_eq!(
            trade(&rules, &print, TimeUnit::Millis),
            r#"{"e":"trade","E":1790000000198,"s":"BTCUSDT","t":7,"p":"64210.10000000","q":"0.01300000","T":1790000000198,"m":true,"M":true}"#
        );
        assert!(trade(&rules, &print, TimeUnit::Micros).contains(r#""T":1790000000198000,"#));
    }
}
