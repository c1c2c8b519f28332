//! What Binance answers over REST: the rules of trading (`exchangeInfo`) and the whole book (`depth`).

use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;
use serde::Deserialize;

use crate::market::{Instrument, Status, VenueId};
use crate::units::{Lots, Money, Rate, Step, VenueTime};
use crate::wire::WireError;
use crate::wire::depth_sync::Snapshot;
use crate::wire::dialect::{Listed, Request};
use crate::wire::stamp;

/// The rules of these symbols, weight 20. For one it does not know the venue refuses the whole question.
pub fn instruments_request(symbols: &[&str]) -> Request {
    let quoted: Vec<_> = symbols.iter().map(|s| format!("%22{s}%22")).collect();
    let path = format!("/api/v3/exchangeInfo?symbols=%5B{}%5D&showPermissionSets=false", quoted.join(","));
    Request::Get { path, weight: 20 }
}

/// The rules of everything.
pub fn listing_request() -> Request {
    Request::Get { path: "/api/v3/exchangeInfo?showPermissionSets=false".to_owned(), weight: 20 }
}

/// A book snapshot. The venue knows 5,000 levels a side at most.
pub fn depth_request(symbol: &str, limit: u32) -> Request {
    let limit = limit.clamp(1, 5_000);
    let weight = match limit {
        ..=100 => 5,
        101..=500 => 25,
        501..=1_000 => 50,
        _ => 250,
    };
    Request::Get { path: format!("/api/v3/depth?symbol={symbol}&limit={limit}"), weight }
}

/// The body of `GET /api/v3/time`.
pub fn time(body: &[u8]) -> Option<VenueTime> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Time {
        server_time: u64,
    }
    stamp::millis(serde_json::from_slice::<Time>(body).ok()?.server_time)
}

/// The instruments in the body of `GET /api/v3/exchangeInfo`.
pub fn instruments(body: &[u8]) -> Result<Vec<Listed>, WireError> {
    let info: ExchangeInfo =
        serde_json::from_slice(body).map_err(|e| WireError::Shape { what: "exchangeInfo", why: e.to_string() })?;
    Ok(info.symbols.iter().map(|s| Listed { symbol: s.symbol.clone(), rules: s.instrument() }).collect())
}

/// The body of `GET /api/v3/depth`.
pub fn depth(body: &[u8], instrument: &Instrument) -> Result<Snapshot, WireError> {
    super::json::snapshot(body, instrument)
}

#[derive(Deserialize)]
struct ExchangeInfo {
    symbols: Vec<SymbolInfo>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SymbolInfo {
    symbol: String,
    status: String,
    base_asset: String,
    quote_asset: String,
    filters: Vec<Filter>,
}

/// All filters in one: each names the fields it has.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Filter {
    filter_type: String,
    tick_size: Option<Decimal>,
    step_size: Option<Decimal>,
    min_qty: Option<Decimal>,
    max_qty: Option<Decimal>,
    min_notional: Option<Decimal>,
    multiplier_up: Option<Decimal>,
    multiplier_down: Option<Decimal>,
    bid_multiplier_up: Option<Decimal>,
    bid_multiplier_down: Option<Decimal>,
    ask_multiplier_up: Option<Decimal>,
    ask_multiplier_down: Option<Decimal>,
}

impl SymbolInfo {
    fn instrument(&self) -> Result<Instrument, WireError> {
        let tick = self.step("tickSize", self.filter("PRICE_FILTER").and_then(|f| f.tick_size))?;
        let size = self.filter("LOT_SIZE");
        let lot = self.step("stepSize", size.and_then(|f| f.step_size))?;
        let mut instrument =
            Instrument::new(VenueId::BinanceSpot, &self.symbol, &self.base_asset, &self.quote_asset, tick, lot)
                .map_err(|e| self.bad("tickSize", format!("{tick} with stepSize {lot}"), e.to_string()))?;
        if let Some(min) = size.and_then(|f| f.min_qty) {
            // Up to the next whole lot, so that the smallest order allowed here is allowed there.
            instrument.min_qty = Lots((-lot.count_floor(-min)).max(1));
        }
        if let Some(max) = size.and_then(|f| f.max_qty).filter(|max| !max.is_zero()) {
            let lots = lot.count_floor(max);
            // Zero: more than 63 bits of lots, which limits nobody.
            instrument.max_qty = if lots > 0 { Lots(lots.min(instrument.max_qty.0)) } else { instrument.max_qty };
        }
        let notional = self.filter("NOTIONAL").or_else(|| self.filter("MIN_NOTIONAL"));
        if let Some(min) = notional.and_then(|f| f.min_notional) {
            instrument.min_notional = Money::from_decimal(min)
                .ok_or_else(|| self.bad("minNotional", min.to_string(), "is out of range".to_owned()))?;
        }
        instrument.price_band = self.price_band();
        instrument.status = status(&self.status);
        Ok(instrument)
    }

    fn filter(&self, name: &str) -> Option<&Filter> {
        self.filters.iter().find(|f| f.filter_type == name)
    }

    fn step(&self, field: &'static str, size: Option<Decimal>) -> Result<Step, WireError> {
        let size = size.ok_or_else(|| self.bad(field, String::new(), "is missing".to_owned()))?;
        Step::new(size).map_err(|e| self.bad(field, size.to_string(), e.to_string()))
    }

    /// The venue has a band per side; we keep the one both sides must lie in at least.
    fn price_band(&self) -> Option<(Rate, Rate)> {
        let (low, high) = if let Some(f) = self.filter("PERCENT_PRICE_BY_SIDE") {
            (f.bid_multiplier_down?.min(f.ask_multiplier_down?), f.bid_multiplier_up?.max(f.ask_multiplier_up?))
        } else {
            let f = self.filter("PERCENT_PRICE")?;
            (f.multiplier_down?, f.multiplier_up?)
        };
        Some((rate(low)?, rate(high)?))
    }

    fn bad(&self, field: &'static str, value: String, why: String) -> WireError {
        WireError::Number { symbol: self.symbol.clone(), field, value, why }
    }
}

fn rate(multiplier: Decimal) -> Option<Rate> {
    multiplier.checked_mul(Decimal::from(10_000_000))?.to_i64().map(Rate)
}

fn status(word: &str) -> Status {
    match word {
        "TRADING" => Status::Trading,
        "CANCEL_ONLY" => Status::CancelOnly,
        "HALT" | "BREAK" | "END_OF_DAY" | "PRE_TRADING" | "POST_TRADING" | "AUCTION_MATCH" => Status::Halted,
        _ => Status::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INFO: &str = r#"{"timezone":"UTC","symbols":[{"symbol":"BTCUSDT","status":"TRADING","baseAsset":"BTC",
        "quoteAsset":"USDT","somethingNew":[1],"filters":[
        {"filterType":"PRICE_FILTER","minPrice":"0.01000000","maxPrice":"1000000.00000000","tickSize":"0.01000000"},
        {"filterType":"LOT_SIZE","minQty":"0.00001000","maxQty":"9000.00000000","stepSize":"0.00001000"},
        {"filterType":"ICEBERG_PARTS","limit":100},
        {"filterType":"PERCENT_PRICE_BY_SIDE","bidMultiplierUp":"5","bidMultiplierDown":"0.2",
         "askMultiplierUp":"4","askMultiplierDown":"0.25","avgPriceMins":5},
        {"filterType":"NOTIONAL","minNotional":"5.00000000","applyMinToMarket":true,"maxNotional":"9000000.0"}]}]}"#;

    fn read(info: &str) -> Result<Instrument, WireError> {
        instruments(info.as_bytes()).unwrap().remove(0).rules
    }

    #[test]
    fn rules_are_read_in_ticks_and_lots() {
        let btc = &read(INFO).unwrap();
        assert_eq!((btc.tick.to_string(), btc.lot.to_string()), ("0.01".to_owned(), "0.00001".to_owned()));
        assert_eq!((btc.min_qty, btc.max_qty), (Lots(1), Lots(900_000_000)));
        assert_eq!(btc.min_notional.to_string(), "5");
        assert_eq!(btc.price_band, Some((Rate(2_000_000), Rate(50_000_000))));
        assert_eq!(btc.status, Status::Trading);
        assert_eq!((btc.base.as_str(), btc.quote.as_str()), ("BTC", "USDT"));
    }

    #[test]
    fn a_status_we_do_not_know_is_not_tradable() {
        for (word, expected) in
            [("CANCEL_ONLY", Status::CancelOnly), ("BREAK", Status::Halted), ("SOMETHING_NEW", Status::Unknown)]
        {
            let found = read(&INFO.replace("TRADING", word)).unwrap().status;
            assert_eq!(found, expected);
            assert!(!found.may_quote());
        }
    }

    #[test]
    fn an_instrument_without_a_tick_is_refused_by_name() {
        let error = read(&INFO.replace("PRICE_FILTER", "OTHER")).unwrap_err();
        assert_eq!(error.to_string(), "BTCUSDT: tickSize \"\": is missing");
        assert!(instruments(b"{\"code\":-1121,\"msg\":\"Invalid symbol.\"}").is_err());
    }

    #[test]
    fn the_weight_of_a_snapshot_grows_with_its_depth() {
        for (limit, path, weight) in [
            (1_000, "/api/v3/depth?symbol=BTCUSDT&limit=1000", 50),
            (100, "/api/v3/depth?symbol=BTCUSDT&limit=100", 5),
            (500, "/api/v3/depth?symbol=BTCUSDT&limit=500", 25),
            (99_999, "/api/v3/depth?symbol=BTCUSDT&limit=5000", 250),
        ] {
            assert_eq!(depth_request("BTCUSDT", limit), Request::Get { path: path.to_owned(), weight });
        }
    }
}
