//! What Binance answers over REST: the rules of trading (`exchangeInfo`) and the whole book (`depth`).

use rust_decimal::Decimal;
use serde::Deserialize;

use crate::market::{Instrument, Status, VenueId};
use crate::wire::WireError;
use crate::wire::binance::decimals::{self, Grid, shape};
use crate::wire::binance::filters::Listing;
use crate::wire::depth_sync::Snapshot;
use crate::wire::dialect::{Listed, Request};

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

/// The instruments in the body of `GET /api/v3/exchangeInfo`.
pub fn instruments(body: &[u8]) -> Result<Vec<Listed>, WireError> {
    let info: ExchangeInfo = shape("exchangeInfo", serde_json::from_slice(body))?;
    Ok(info.symbols.iter().map(|s| Listed { symbol: s.listing.symbol.clone(), rules: s.instrument() }).collect())
}

/// The body of `GET /api/v3/depth`.
pub fn depth(body: &[u8], instrument: &Instrument) -> Result<Snapshot, WireError> {
    decimals::snapshot(body, Grid::new(&instrument.symbol, instrument.tick, instrument.lot))
}

#[derive(Deserialize)]
struct ExchangeInfo {
    symbols: Vec<SymbolInfo>,
}

#[derive(Deserialize)]
struct SymbolInfo {
    status: String,
    #[serde(flatten)]
    listing: Listing,
}

impl SymbolInfo {
    fn instrument(&self) -> Result<Instrument, WireError> {
        let rules = self.listing.instrument(VenueId::BinanceSpot, Decimal::ONE)?;
        Ok(Instrument { status: status(&self.status), ..rules })
    }
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
    use crate::units::{Lots, Rate};

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
