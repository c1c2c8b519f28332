//! Coinbase Advanced Trade: one channel per request, one number over everything on a connection.

use papermaker::market::VenueId;
use serde_json::{Value, json};

use super::house::{Asked, Heard, House, Reply, iso, json_of, strings};
use super::market::{Coin, Event, Kind, Listing, Market, What};
use crate::support::independent::Ladder;

/// Topics are `channel product`; `heartbeats` has none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Coinbase;

/// Stands where [`House::numbered`] puts the connection's number.
const NUMBER: &str = "\"sequence_num\":0";

impl Coinbase {
    fn wrapped(channel: &str, events: Value, at_ms: i64) -> String {
        json!({"channel": channel, "client_id": "", "timestamp": iso(at_ms), "sequence_num": 0, "events": events})
            .to_string()
    }

    fn updates(coin: &Coin, bids: &Ladder, asks: &Ladder, at_ms: i64) -> Vec<Value> {
        let side = |word: &'static str, ladder: &Ladder| {
            let level = |&(p, q): &(rust_decimal::Decimal, rust_decimal::Decimal)| {
                let qty = if q.is_zero() { "0".to_owned() } else { coin.listing.qty(q) };
                json!({"side": word, "event_time": iso(at_ms), "price_level": coin.listing.price(p),
                    "new_quantity": qty})
            };
            ladder.iter().map(level).collect::<Vec<_>>()
        };
        [side("bid", bids), side("offer", asks)].concat()
    }

    fn whole(coin: &Coin, at_ms: i64) -> String {
        let (bids, asks) = coin.book.top(usize::MAX);
        let updates = Self::updates(coin, &bids, &asks, at_ms);
        let events = json!([{"type": "snapshot", "product_id": coin.listing.symbol, "updates": updates}]);
        Self::wrapped("l2_data", events, at_ms)
    }

    fn rules(coin: &Coin) -> Value {
        let l = &coin.listing;
        json!({"product_id": l.symbol, "price": l.price(coin.mark), "base_increment": l.lot.to_string(),
            "quote_increment": l.tick.to_string(), "price_increment": l.tick.to_string(), "quote_min_size": "1",
            "quote_max_size": "150000000", "base_min_size": l.lot.to_string(), "base_max_size": "3400",
            "base_name": l.base, "quote_name": l.quote, "watched": false, "is_disabled": false, "new": false,
            "status": l.status, "cancel_only": false, "limit_only": false, "post_only": false,
            "trading_disabled": coin.gone, "auction_mode": false, "product_type": "SPOT",
            "quote_currency_id": l.quote, "base_currency_id": l.base, "view_only": false, "alias": "",
            "alias_to": [], "base_display_symbol": l.base, "quote_display_symbol": l.quote})
    }

    fn status(coin: &Coin, kind: &str, at_ms: i64) -> String {
        let l = &coin.listing;
        let product = json!({"product_type": "SPOT", "id": l.symbol, "base_currency": l.base,
            "quote_currency": l.quote, "base_increment": l.lot.to_string(), "quote_increment": l.tick.to_string(),
            "display_name": format!("{}/{}", l.base, l.quote), "status": l.status, "status_message": "",
            "min_market_funds": "1"});
        Self::wrapped("status", json!([{"type": kind, "products": [product]}]), at_ms)
    }
}

impl House for Coinbase {
    fn id(&self) -> VenueId {
        VenueId::Coinbase
    }

    fn listings(&self) -> Vec<Listing> {
        vec![
            Listing::new(["BTC-USD", "BTC", "USD"], "0.01", "0.00000001", "0.01", "64210.01", "online"),
            Listing::new(["ETH-USD", "ETH", "USD"], "0.01", "0.00000001", "0.01", "3100.50", "online"),
        ]
    }

    fn serves(&self, path: &str) -> bool {
        path == "/" || path.is_empty()
    }

    fn hear(&self, text: &str, _: &str, topics: &[String], market: &Market) -> Heard {
        let request = json_of(text);
        let error = |why: &str| Heard::reply(json!({"type": "error", "message": why}).to_string());
        let Some(channel) = request["channel"].as_str() else { return error("channel field is required") };
        let products = strings(&request["product_ids"]);
        if let Some(wrong) = products.iter().find(|id| market.find(id).is_none()) {
            return error(&format!("{wrong} is not a valid product"));
        }
        let named: Vec<String> = match products.is_empty() {
            true => vec![format!("{channel} ")],
            false => products.iter().map(|id| format!("{channel} {id}")).collect(),
        };
        let (mut begin, mut end) = (Vec::new(), Vec::new());
        match request["type"].as_str() {
            Some("subscribe") => begin = named,
            Some("unsubscribe") => end = named,
            Some(_) | None => return error("unknown type"),
        }
        let mut standing = serde_json::Map::new();
        for topic in topics.iter().filter(|topic| !end.contains(topic)).chain(&begin) {
            let (channel, product) = topic.split_once(' ').expect("topics of ours have a blank");
            let list = standing.entry(channel).or_insert_with(|| json!([]));
            let word = json!(if product.is_empty() { channel } else { product });
            let list = list.as_array_mut().expect("made as a list");
            if !list.contains(&word) {
                list.push(word);
            }
        }
        let ack = Self::wrapped("subscriptions", json!([{"subscriptions": standing}]), market.now_ms);
        Heard { replies: vec![ack], begin, end, ..Heard::default() }
    }

    fn fresh(&self, topic: &str, market: &Market) -> Vec<String> {
        let (kind, symbol) = self.about(topic);
        let Some(at) = market.find(&symbol) else { return Vec::new() };
        match kind {
            Kind::Book => vec![Self::whole(&market.coins[at], market.now_ms)],
            Kind::Rules if topic.starts_with("status") => {
                vec![Self::status(&market.coins[at], "snapshot", market.now_ms)]
            }
            Kind::Bbo | Kind::Trade | Kind::Mark | Kind::Rules => Vec::new(),
        }
    }

    fn tell(&self, topic: &str, event: &Event, market: &Market) -> Option<String> {
        let (kind, symbol) = self.about(topic);
        let coin = &market.coins[event.coin];
        let l = &coin.listing;
        if symbol != l.symbol && !(symbol.is_empty() && kind == Kind::Rules) {
            return None;
        }
        let at_ms = event.at_ms;
        match (&event.what, kind) {
            (What::Book(step), Kind::Book) => {
                let (bids, asks) = step.after.changes(&step.before, usize::MAX, true);
                let updates = Self::updates(coin, &bids, &asks, at_ms);
                let events = json!([{"type": "update", "product_id": l.symbol, "updates": updates}]);
                Some(Self::wrapped("l2_data", events, at_ms))
            }
            (What::Trade(t), Kind::Trade) => {
                // The side of the maker, not of who crossed.
                let side = if t.taker_buys { "SELL" } else { "BUY" };
                let trade = json!({"trade_id": t.id.to_string(), "product_id": l.symbol, "price": l.price(t.price),
                    "size": l.qty(t.qty), "side": side, "time": iso(t.at_ms)});
                Some(Self::wrapped("market_trades", json!([{"type": "update", "trades": [trade]}]), at_ms))
            }
            (What::Rules { .. }, Kind::Rules) if topic.starts_with("status") => {
                Some(Self::status(coin, "update", at_ms))
            }
            _ => None,
        }
    }

    fn about(&self, topic: &str) -> (Kind, String) {
        let (channel, product) = topic.split_once(' ').unwrap_or((topic, ""));
        let kind = match channel {
            "level2" | "l2_data" => Kind::Book,
            "market_trades" => Kind::Trade,
            "ticker" | "ticker_batch" => Kind::Mark,
            _ => Kind::Rules,
        };
        (kind, product.to_owned())
    }

    fn frame_about(&self, frame: &Value) -> Option<(Kind, String)> {
        let event = &frame["events"][0];
        let product = event["product_id"].as_str().or_else(|| event["trades"][0]["product_id"].as_str());
        let product = product.or_else(|| event["tickers"][0]["product_id"].as_str())?;
        Some(self.about(&format!("{} {product}", frame["channel"].as_str()?)))
    }

    fn rest(&self, asked: &Asked, market: &Market) -> Reply {
        let Some(call) = asked.path.strip_prefix("/api/v3/brokerage/") else { return Reply::unknown() };
        if call == "time" {
            let ms = market.now_ms;
            let body = json!({"iso": iso(ms), "epochSeconds": (ms / 1000).to_string(), "epochMillis": ms.to_string()});
            return Reply::ok(body.to_string());
        }
        if call == "market/products" {
            let asked_for: Vec<&str> =
                asked.query.split('&').filter_map(|kv| kv.strip_prefix("product_ids=")).collect();
            let wanted = market.coins.iter().filter(|c| asked_for.is_empty() || asked_for.contains(&c.listing.symbol));
            let products: Vec<Value> = wanted.map(Self::rules).collect();
            return Reply::ok(json!({"num_products": products.len(), "products": products}).to_string());
        }
        match call.strip_prefix("market/products/").map(|id| market.find(id)) {
            Some(Some(at)) => Reply::ok(Self::rules(&market.coins[at]).to_string()),
            Some(None) => Reply::new(404, r#"{"error":"NOT_FOUND","error_details":"valid product_id is required"}"#),
            None => Reply::unknown(),
        }
    }

    fn pulse(&self, topics: &[String], _: &[String], beat: u64, market: &Market) -> Option<String> {
        if !topics.iter().any(|t| t.starts_with("heartbeats")) {
            return None;
        }
        let events = json!([{"current_time": iso(market.now_ms), "heartbeat_counter": 3_000 + beat}]);
        Some(Self::wrapped("heartbeats", events, market.now_ms))
    }

    fn numbered(&self, text: String, n: &mut u64) -> String {
        if !text.contains(NUMBER) {
            return text;
        }
        let told = text.replacen(NUMBER, &format!("\"sequence_num\":{n}"), 1);
        *n += 1;
        told
    }

    fn gone(&self) -> &'static str {
        "delisted"
    }

    fn unheard_of(&self) -> String {
        r#"{"channel":"weather","client_id":"","timestamp":"2026-09-21T10:00:00Z","sequence_num":0,"events":[{"w":"rain"}]}"#
            .to_owned()
    }
}
