//! Deribit: JSON-RPC over the socket and over REST, bare numbers, a chain of change ids, questions to be answered.

use std::fmt::Write;

use papermaker::market::VenueId;
use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::house::{Asked, Heard, House, Reply, json_of, strings};
use super::market::{Book, Coin, Event, Kind, Listing, Market, What};
use crate::support::independent::Ladder;

/// Topics are channels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deribit;

impl Deribit {
    fn push(channel: &str, data: &str) -> String {
        format!(r#"{{"jsonrpc":"2.0","method":"subscription","params":{{"channel":"{channel}","data":{data}}}}}"#)
    }

    /// `["new",64210.5,254900.0]`; what is said of a level depends on whether it was there before.
    fn levels(coin: &Coin, ladder: &Ladder, before: &Book) -> String {
        let mut text = String::new();
        for &(price, qty) in ladder {
            let known = before.bids.contains_key(&price) || before.asks.contains_key(&price);
            let action = if qty.is_zero() {
                "delete"
            } else if known {
                "change"
            } else {
                "new"
            };
            let comma = if text.is_empty() { "" } else { "," };
            let price = coin.listing.price(price);
            write!(text, r#"{comma}["{action}",{price},{}]"#, amount(qty)).expect("a string takes everything");
        }
        format!("[{text}]")
    }

    fn whole(topic: &str, coin: &Coin, at_ms: i64) -> String {
        let (bids, asks) = coin.book.top(usize::MAX);
        let nothing = Book::default();
        let data = format!(
            r#"{{"type":"snapshot","timestamp":{at_ms},"instrument_name":"{}","change_id":{},"bids":{},"asks":{}}}"#,
            coin.listing.symbol,
            coin.last_id,
            Self::levels(coin, &bids, &nothing),
            Self::levels(coin, &asks, &nothing)
        );
        Self::push(topic, &data)
    }

    fn quote(topic: &str, coin: &Coin, book: &Book, at_ms: i64) -> Option<String> {
        let (bids, asks) = book.top(1);
        let (bid, ask) = (bids.first()?, asks.first()?);
        let l = &coin.listing;
        let data = format!(
            r#"{{"timestamp":{at_ms},"instrument_name":"{}","best_bid_price":{},"best_bid_amount":{},"best_ask_price":{},"best_ask_amount":{}}}"#,
            l.symbol,
            l.price(bid.0),
            amount(bid.1),
            l.price(ask.0),
            amount(ask.1)
        );
        Some(Self::push(topic, &data))
    }

    fn ticker(topic: &str, coin: &Coin, index: Decimal, rate: Decimal, at_ms: i64) -> String {
        let l = &coin.listing;
        let (bids, asks) = coin.book.top(1);
        let data = format!(
            r#"{{"timestamp":{at_ms},"state":"{}","instrument_name":"{}","mark_price":{},"index_price":{},"current_funding":{rate},"funding_8h":{rate},"interest_value":0.01,"min_price":{},"max_price":{},"open_interest":1132329370.0,"best_bid_price":{},"best_bid_amount":{},"best_ask_price":{},"best_ask_amount":{},"last_price":{},"settlement_price":{},"estimated_delivery_price":{}}}"#,
            l.status,
            l.symbol,
            l.price(coin.mark),
            l.price(index),
            l.price(l.mid - l.tick * Decimal::from(1000)),
            l.price(l.mid + l.tick * Decimal::from(1000)),
            l.price(bids[0].0),
            amount(bids[0].1),
            l.price(asks[0].0),
            amount(asks[0].1),
            l.price(coin.mark),
            l.price(l.mid),
            l.price(index)
        );
        Self::push(topic, &data)
    }

    fn rules(coin: &Coin) -> Value {
        let l = &coin.listing;
        let number = |d: Decimal| json_of(&d.to_string());
        json!({"instrument_name": l.symbol, "kind": "future", "instrument_type": "reversed", "future_type": "reversed",
            "base_currency": l.base, "quote_currency": "USD", "settlement_currency": l.base,
            "counter_currency": "USD", "settlement_period": "perpetual", "tick_size": number(l.tick),
            "tick_size_steps": [], "contract_size": number(l.lot), "min_trade_amount": number(l.lot),
            "maker_commission": 0.0, "taker_commission": 0.0005, "max_leverage": 50,
            "expiration_timestamp": 32_503_708_800_000_i64, "creation_timestamp": 1_534_167_754_000_i64,
            "is_active": !coin.gone, "state": l.status, "price_index": format!("{}_usd", l.base.to_lowercase()),
            "block_trade_commission": 0.00025, "instrument_id": 210_838})
    }

    fn answer(id: &Value, result: Value) -> String {
        json!({"jsonrpc": "2.0", "id": id, "result": result, "usIn": 1, "usOut": 2, "usDiff": 1, "testnet": false})
            .to_string()
    }

    fn error(id: &Value, code: i64, message: &str) -> String {
        json!({"jsonrpc": "2.0", "id": id, "error": {"code": code, "message": message}}).to_string()
    }

    /// What a method gives that needs no socket.
    fn call(method: &str, params: &Value, market: &Market) -> Option<Result<Value, (i64, &'static str)>> {
        let named = || params["instrument_name"].as_str().and_then(|name| market.find(name));
        let given = match method {
            "public/test" => Ok(json!({"version": "1.2.26"})),
            "public/status" => Ok(json!({"locked": "false", "locked_indices": []})),
            "public/get_time" => Ok(json!(market.now_ms)),
            "public/get_instruments" => {
                let currency = params["currency"].as_str().unwrap_or("any");
                let wanted = |c: &&Coin| currency == "any" || c.listing.base == currency;
                Ok(market.coins.iter().filter(wanted).map(Self::rules).collect())
            }
            "public/get_instrument" => match named() {
                Some(at) => Ok(Self::rules(&market.coins[at])),
                None => Err((13020, "instrument_not_found")),
            },
            _ => return None,
        };
        Some(given)
    }
}

/// Amounts are bare numbers with at least one decimal.
fn amount(qty: Decimal) -> String {
    let text = qty.normalize().to_string();
    if text.contains('.') { text } else { text + ".0" }
}

impl House for Deribit {
    fn id(&self) -> VenueId {
        VenueId::Deribit
    }

    fn listings(&self) -> Vec<Listing> {
        vec![
            Listing::new(["BTC-PERPETUAL", "BTC", "USD"], "0.5", "10", "0.5", "64210.5", "open"),
            Listing::new(["ETH-PERPETUAL", "ETH", "USD"], "0.05", "1", "0.05", "3100.50", "open"),
        ]
    }

    fn serves(&self, path: &str) -> bool {
        path == "/ws/api/v2"
    }

    fn hear(&self, text: &str, _: &str, topics: &[String], market: &Market) -> Heard {
        let request = json_of(text);
        let (id, params) = (&request["id"], &request["params"]);
        let method = request["method"].as_str().unwrap_or_default();
        match method {
            "public/subscribe" => {
                // What is unknown is left out of the answer, without a word; so is what needs a login.
                let known = |channel: &String| {
                    let symbol = self.about(channel).1;
                    !channel.ends_with(".raw") && (symbol.is_empty() || market.find(&symbol).is_some())
                };
                let named: Vec<String> = strings(&params["channels"]).into_iter().filter(known).collect();
                let begin = named.iter().filter(|channel| !topics.contains(channel)).cloned().collect();
                Heard { replies: vec![Self::answer(id, json!(named))], begin, ..Heard::default() }
            }
            "public/unsubscribe" => {
                let end = strings(&params["channels"]);
                Heard { replies: vec![Self::answer(id, json!(end))], end, ..Heard::default() }
            }
            "public/set_heartbeat" => match params["interval"].as_u64() {
                Some(interval) if interval >= 10 => Heard::reply(Self::answer(id, json!("ok"))),
                Some(_) | None => Heard::reply(Self::error(id, -32602, "Invalid params")),
            },
            _ => match Self::call(method, params, market) {
                Some(Ok(result)) => {
                    Heard { replies: vec![Self::answer(id, result)], pong: method == "public/test", ..Heard::default() }
                }
                Some(Err((code, message))) => Heard::reply(Self::error(id, code, message)),
                None => Heard::reply(Self::error(id, -32601, "Method not found")),
            },
        }
    }

    fn fresh(&self, topic: &str, market: &Market) -> Vec<String> {
        let (kind, symbol) = self.about(topic);
        let Some(at) = market.find(&symbol) else { return Vec::new() };
        let coin = &market.coins[at];
        match kind {
            Kind::Book => vec![Self::whole(topic, coin, market.now_ms)],
            Kind::Bbo => Self::quote(topic, coin, &coin.book, market.now_ms).into_iter().collect(),
            Kind::Mark => vec![Self::ticker(topic, coin, coin.mark, Decimal::new(1742, 8), market.now_ms)],
            Kind::Trade | Kind::Rules => Vec::new(),
        }
    }

    fn tell(&self, topic: &str, event: &Event, market: &Market) -> Option<String> {
        let (kind, symbol) = self.about(topic);
        let coin = &market.coins[event.coin];
        let l = &coin.listing;
        if symbol != l.symbol && kind != Kind::Rules {
            return None;
        }
        let at_ms = event.at_ms;
        match (&event.what, kind) {
            (What::Book(step), Kind::Book) => {
                let (bids, asks) = step.after.changes(&step.before, usize::MAX, true);
                let data = format!(
                    r#"{{"type":"change","timestamp":{at_ms},"instrument_name":"{}","prev_change_id":{},"change_id":{},"bids":{},"asks":{}}}"#,
                    l.symbol,
                    step.prev,
                    step.last,
                    Self::levels(coin, &bids, &step.before),
                    Self::levels(coin, &asks, &step.before)
                );
                Some(Self::push(topic, &data))
            }
            (What::Book(step), Kind::Bbo) => {
                let changed = step.before.top(1) != step.after.top(1);
                changed.then(|| Self::quote(topic, coin, &step.after, at_ms)).flatten()
            }
            (What::Trade(t), Kind::Trade) => {
                let (price, size) = (l.price(t.price), amount(t.qty));
                let contracts = amount(t.qty / l.lot);
                let side = if t.taker_buys { "buy" } else { "sell" };
                let data = format!(
                    r#"[{{"timestamp":{},"trade_seq":{},"trade_id":"{}","instrument_name":"{symbol}","price":{price},"amount":{size},"contracts":{contracts},"direction":"{side}","tick_direction":2,"mark_price":{price},"index_price":{price}}}]"#,
                    t.at_ms,
                    t.id,
                    400_000_000 + t.id
                );
                Some(Self::push(topic, &data))
            }
            (What::Mark { index, rate, .. }, Kind::Mark) => Some(Self::ticker(topic, coin, *index, *rate, at_ms)),
            (What::Rules { .. }, Kind::Mark) => {
                Some(Self::ticker(topic, coin, coin.mark, Decimal::new(1742, 8), at_ms))
            }
            (What::Rules { .. }, Kind::Rules) if topic.starts_with("instrument.state") => {
                let data = json!({"instrument_name": l.symbol, "state": l.status, "timestamp": at_ms});
                Some(Self::push(topic, &data.to_string()))
            }
            (What::Rules { rebuilt: true }, Kind::Book) => Some(Self::whole(topic, coin, at_ms)),
            _ => None,
        }
    }

    fn about(&self, topic: &str) -> (Kind, String) {
        let mut words = topic.split('.');
        let kind = match words.next().unwrap_or_default() {
            "book" => Kind::Book,
            "quote" => Kind::Bbo,
            "trades" => Kind::Trade,
            "ticker" | "perpetual" => Kind::Mark,
            // Of kinds and currencies, not of an instrument.
            _ => return (Kind::Rules, String::new()),
        };
        (kind, words.next().unwrap_or_default().to_owned())
    }

    fn frame_about(&self, frame: &Value) -> Option<(Kind, String)> {
        Some(self.about(frame["params"]["channel"].as_str()?))
    }

    fn rest(&self, asked: &Asked, market: &Market) -> Reply {
        let Some(at) = asked.path.find("public/") else { return Reply::unknown() };
        let mut params = serde_json::Map::new();
        for (key, value) in asked.query.split('&').filter_map(|kv| kv.split_once('=')) {
            params.insert(key.to_owned(), json!(value));
        }
        match Self::call(&asked.path[at..], &Value::Object(params), market) {
            Some(Ok(result)) => Reply::ok(Self::answer(&Value::Null, result)),
            Some(Err((code, message))) => Reply::new(400, Self::error(&Value::Null, code, message)),
            None => Reply::unknown(),
        }
    }

    fn pulse(&self, _: &[String], heard: &[String], beat: u64, _: &Market) -> Option<String> {
        if !heard.iter().any(|text| text.contains("public/set_heartbeat")) {
            return None;
        }
        let kind = if beat.is_multiple_of(2) { "heartbeat" } else { "test_request" };
        Some(json!({"jsonrpc": "2.0", "method": "heartbeat", "params": {"type": kind}}).to_string())
    }

    fn gone(&self) -> &'static str {
        "archivized"
    }

    fn unheard_of(&self) -> String {
        Self::push("weather.BTC-PERPETUAL", r#"{"w":"rain"}"#)
    }
}
