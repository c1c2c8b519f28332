//! Kraken spot v2: numbers with their zeros, a checksum instead of a chain, a window that the client has to cut.

use std::fmt::Write;

use flate2::Crc;
use papermaker::market::VenueId;
use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::house::{Asked, Heard, House, Reply, iso, json_of, strings};
use super::market::{Book, Coin, Event, Kind, Listing, Market, What};
use crate::support::independent::Ladder;

/// Topics are `book 10 BTC/USD`, `trade BTC/USD`, `ticker bbo BTC/USD`, `instrument`, `status`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kraken;

/// The checksum of a book: ten asks, then ten bids, each price and quantity without point and leading zeros.
pub fn checksum(listing: &Listing, book: &Book) -> u32 {
    let (bids, asks) = book.top(10);
    let digits = |text: String| text.replace('.', "").trim_start_matches('0').to_owned();
    let mut text = String::new();
    for &(price, qty) in asks.iter().chain(&bids) {
        text += &digits(listing.price(price));
        text += &digits(listing.qty(qty));
    }
    let mut crc = Crc::new();
    crc.update(text.as_bytes());
    crc.sum()
}

impl Kraken {
    fn levels(listing: &Listing, ladder: &Ladder) -> String {
        let mut text = String::new();
        for &(price, qty) in ladder {
            let comma = if text.is_empty() { "" } else { "," };
            let (price, qty) = (listing.price(price), listing.qty(qty));
            write!(text, r#"{comma}{{"price":{price},"qty":{qty}}}"#).expect("a string takes everything");
        }
        format!("[{text}]")
    }

    fn message(kind: &str, coin: &Coin, bids: &Ladder, asks: &Ladder, sum: u32, at_ms: i64) -> String {
        let l = &coin.listing;
        format!(
            r#"{{"channel":"book","type":"{kind}","data":[{{"symbol":"{}","bids":{},"asks":{},"checksum":{sum},"timestamp":"{}"}}]}}"#,
            l.symbol,
            Self::levels(l, bids),
            Self::levels(l, asks),
            iso(at_ms)
        )
    }

    fn whole(topic: &str, coin: &Coin, at_ms: i64) -> String {
        let (bids, asks) = coin.book.top(Self::depth(topic));
        Self::message("snapshot", coin, &bids, &asks, checksum(&coin.listing, &coin.book), at_ms)
    }

    fn depth(topic: &str) -> usize {
        topic.split(' ').nth(1).and_then(|n| n.parse().ok()).unwrap_or(10)
    }

    fn ticker(coin: &Coin, book: &Book, kind: &str, at_ms: i64) -> Option<String> {
        let l = &coin.listing;
        let (bids, asks) = book.top(1);
        let (bid, ask) = (bids.first()?, asks.first()?);
        Some(format!(
            r#"{{"channel":"ticker","type":"{kind}","data":[{{"symbol":"{}","bid":{},"bid_qty":{},"ask":{},"ask_qty":{},"last":{},"volume":163.2,"vwap":{},"low":{},"high":{},"change":0.0,"change_pct":0.0,"timestamp":"{}"}}]}}"#,
            l.symbol,
            l.price(bid.0),
            l.qty(bid.1),
            l.price(ask.0),
            l.qty(ask.1),
            l.price(coin.mark),
            l.price(coin.mark),
            l.price(coin.mark),
            l.price(coin.mark),
            iso(at_ms)
        ))
    }

    fn pair(coin: &Coin) -> String {
        let l = &coin.listing;
        format!(
            r#"{{"symbol":"{}","base":"{}","quote":"{}","status":"{}","qty_precision":{},"qty_increment":{},"price_precision":{},"cost_precision":5,"marginable":false,"has_index":true,"cost_min":0.50,"tick_size":{},"price_increment":{},"qty_min":{}}}"#,
            l.symbol,
            l.base,
            l.quote,
            l.status,
            l.lot.scale(),
            l.lot,
            l.tick.scale(),
            l.tick,
            l.tick,
            l.lot * Decimal::from(5_000)
        )
    }

    fn instruments(kind: &str, coins: &[&Coin]) -> String {
        let pairs: Vec<String> = coins.iter().map(|coin| Self::pair(coin)).collect();
        format!(
            r#"{{"channel":"instrument","type":"{kind}","data":{{"assets":[{{"id":"USD","status":"enabled","precision":4,"precision_display":2,"borrowable":false,"collateral_value":1.0,"margin_rate":0.015}}],"pairs":[{}]}}}}"#,
            pairs.join(",")
        )
    }

    /// The topic of a request's parameters and one of its symbols.
    fn topic(params: &Value, symbol: &str) -> String {
        match params["channel"].as_str().unwrap_or_default() {
            "book" => format!("book {} {symbol}", params["depth"].as_u64().unwrap_or(10)),
            "ticker" => format!("ticker {} {symbol}", params["event_trigger"].as_str().unwrap_or("trades")),
            "instrument" => "instrument".to_owned(),
            other => format!("{other} {symbol}"),
        }
    }
}

impl House for Kraken {
    fn id(&self) -> VenueId {
        VenueId::Kraken
    }

    fn listings(&self) -> Vec<Listing> {
        vec![
            Listing::new(["BTC/USD", "BTC", "USD"], "0.1", "0.00000001", "0.1", "64210.1", "online"),
            Listing::new(["ETH/USD", "ETH", "USD"], "0.01", "0.00000001", "0.01", "3100.50", "online"),
        ]
    }

    fn serves(&self, path: &str) -> bool {
        path == "/v2"
    }

    fn greeting(&self) -> Vec<String> {
        let status = r#"{"channel":"status","type":"update","data":[{"version":"2.0.10","system":"online","api_version":"v2","connection_id":12393906104898154338}]}"#;
        vec![status.to_owned()]
    }

    fn hear(&self, text: &str, _: &str, topics: &[String], market: &Market) -> Heard {
        let request = json_of(text);
        let method = request["method"].as_str().unwrap_or_default();
        let (params, id) = (&request["params"], &request["req_id"]);
        let id = if id.is_null() { String::new() } else { format!(r#","req_id":{id}"#) };
        let times = format!(r#""time_in":"{}","time_out":"{}"{id}"#, iso(market.now_ms), iso(market.now_ms));
        let refused = |why: &str, symbol: &str| {
            format!(r#"{{"error":{},"method":"{method}","success":false,"symbol":"{symbol}",{times}}}"#, json!(why))
        };
        match method {
            "ping" => {
                Heard { replies: vec![format!(r#"{{"method":"pong",{times}}}"#)], ping: true, ..Heard::default() }
            }
            "subscribe" | "unsubscribe" => {
                let mut heard = Heard::default();
                let mut symbols = strings(&params["symbol"]);
                let channel = params["channel"].as_str().unwrap_or_default();
                if channel == "instrument" {
                    symbols = vec![String::new()];
                }
                for symbol in symbols {
                    if channel != "instrument" && market.find(&symbol).is_none() {
                        heard.replies.push(refused(&format!("Currency pair not supported {symbol}"), &symbol));
                        continue;
                    }
                    let topic = Self::topic(params, &symbol);
                    if channel == "book" && ![10, 25, 100, 500, 1000].contains(&Self::depth(&topic)) {
                        heard.replies.push(refused("Subscription depth not supported", &symbol));
                        continue;
                    }
                    if method == "subscribe" && topics.contains(&topic) {
                        heard.replies.push(refused("Already subscribed", &symbol));
                        continue;
                    }
                    if method == "unsubscribe" && !topics.contains(&topic) {
                        heard.replies.push(refused("Subscription Not Found", &symbol));
                        continue;
                    }
                    let mut result = params.clone();
                    if let Some(result) = result.as_object_mut().filter(|_| !symbol.is_empty()) {
                        result.insert("symbol".to_owned(), json!(symbol));
                    }
                    heard.replies.push(format!(r#"{{"method":"{method}","result":{result},"success":true,{times}}}"#));
                    if method == "subscribe" { heard.begin.push(topic) } else { heard.end.push(topic) }
                }
                heard
            }
            _ => Heard::reply(refused("Unsupported method", "")),
        }
    }

    fn fresh(&self, topic: &str, market: &Market) -> Vec<String> {
        if topic == "instrument" {
            return vec![Self::instruments("snapshot", &market.coins.iter().collect::<Vec<_>>())];
        }
        let (kind, symbol) = self.about(topic);
        let Some(at) = market.find(&symbol) else { return Vec::new() };
        let coin = &market.coins[at];
        match kind {
            Kind::Book => vec![Self::whole(topic, coin, market.now_ms)],
            Kind::Bbo => Self::ticker(coin, &coin.book, "snapshot", market.now_ms).into_iter().collect(),
            Kind::Trade | Kind::Mark | Kind::Rules => Vec::new(),
        }
    }

    fn tell(&self, topic: &str, event: &Event, market: &Market) -> Option<String> {
        let (kind, symbol) = self.about(topic);
        let coin = &market.coins[event.coin];
        let l = &coin.listing;
        if symbol != l.symbol && kind != Kind::Rules {
            return None;
        }
        match (&event.what, kind) {
            (What::Book(step), Kind::Book) => {
                let (bids, asks) = step.after.changes(&step.before, Self::depth(topic), false);
                if bids.is_empty() && asks.is_empty() {
                    return None;
                }
                Some(Self::message("update", coin, &bids, &asks, checksum(l, &step.after), event.at_ms))
            }
            (What::Book(step), Kind::Bbo) => {
                let price = |ladder: &Ladder| ladder.first().map(|level| level.0);
                let ((old_bids, old_asks), (bids, asks)) = (step.before.top(1), step.after.top(1));
                // Only a change of price counts there.
                let moved = (price(&old_bids), price(&old_asks)) != (price(&bids), price(&asks));
                moved.then(|| Self::ticker(coin, &step.after, "update", event.at_ms)).flatten()
            }
            (What::Trade(t), Kind::Trade) => Some(format!(
                r#"{{"channel":"trade","type":"update","data":[{{"symbol":"{}","side":"{}","price":{},"qty":{},"ord_type":"market","trade_id":{},"timestamp":"{}"}}]}}"#,
                l.symbol,
                if t.taker_buys { "buy" } else { "sell" },
                l.price(t.price),
                l.qty(t.qty),
                t.id,
                iso(t.at_ms)
            )),
            (What::Rules { .. }, Kind::Rules) if topic == "instrument" => Some(Self::instruments("update", &[coin])),
            (What::Rules { rebuilt: true }, Kind::Book) => Some(Self::whole(topic, coin, event.at_ms)),
            _ => None,
        }
    }

    fn about(&self, topic: &str) -> (Kind, String) {
        let kind = match topic.split(' ').next().unwrap_or_default() {
            "book" => Kind::Book,
            "trade" => Kind::Trade,
            "ticker" => Kind::Bbo,
            _ => Kind::Rules,
        };
        let symbol = topic.rsplit(' ').next().filter(|word| word.contains('/')).unwrap_or_default();
        (kind, symbol.to_owned())
    }

    fn frame_about(&self, frame: &Value) -> Option<(Kind, String)> {
        let symbol = frame["data"][0]["symbol"].as_str()?;
        Some(self.about(&format!("{} {symbol}", frame["channel"].as_str()?)))
    }

    fn rest(&self, asked: &Asked, market: &Market) -> Reply {
        match asked.path.as_str() {
            "/0/public/Time" => Reply::ok(
                json!({"error": [], "result": {"unixtime": market.now_ms / 1000, "rfc1123": iso(market.now_ms)}})
                    .to_string(),
            ),
            "/0/public/SystemStatus" => Reply::ok(
                json!({"error": [], "result": {"status": "online", "timestamp": iso(market.now_ms)}}).to_string(),
            ),
            "/0/public/AssetPairs" => {
                let mut result = serde_json::Map::new();
                for coin in &market.coins {
                    let l = &coin.listing;
                    // The old names of the REST interface.
                    let base = if l.base == "BTC" { "XBT" } else { l.base };
                    let key = format!("X{base}Z{}", l.quote);
                    result.insert(
                        key,
                        json!({"altname": format!("{base}{}", l.quote), "wsname": format!("{base}/{}", l.quote),
                        "base": format!("X{base}"), "quote": format!("Z{}", l.quote), "pair_decimals": l.tick.scale(),
                        "lot_decimals": l.lot.scale(), "cost_decimals": 5, "lot_multiplier": 1,
                        "tick_size": l.tick.to_string(), "ordermin": l.qty(l.lot * Decimal::from(5_000)),
                        "costmin": "0.5", "status": l.status, "fees": [[0, 0.4]], "fees_maker": [[0, 0.25]]}),
                    );
                }
                Reply::ok(json!({"error": [], "result": result}).to_string())
            }
            _ => Reply::unknown(),
        }
    }

    fn pulse(&self, topics: &[String], _: &[String], _: u64, _: &Market) -> Option<String> {
        (!topics.is_empty()).then(|| r#"{"channel":"heartbeat"}"#.to_owned())
    }

    fn gone(&self) -> &'static str {
        "delisted"
    }

    fn rebuilds(&self) -> bool {
        true
    }

    fn unheard_of(&self) -> String {
        r#"{"channel":"weather","type":"update","data":[{"symbol":"BTC/USD","w":"rain"}]}"#.to_owned()
    }
}
