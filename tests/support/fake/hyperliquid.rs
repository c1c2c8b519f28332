//! Hyperliquid: every book message is the whole window, everything else hangs on a POST to `/info`.

use papermaker::market::VenueId;
use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::house::{Asked, Heard, House, Reply, json_of};
use super::market::{Book, Coin, Event, Kind, Listing, Market, What};
use crate::support::independent::Ladder;

/// Topics are the subscription itself, as JSON with sorted keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hyperliquid;

impl Hyperliquid {
    fn levels(coin: &Coin, ladder: &Ladder) -> Vec<Value> {
        let level = |&(p, q): &(Decimal, Decimal)| json!({"px": coin.listing.price(p), "sz": q.normalize().to_string(), "n": 2});
        ladder.iter().map(level).collect()
    }

    fn whole(topic: &str, coin: &Coin, book: &Book, at_ms: i64) -> String {
        let fast = json_of(topic)["fast"] == true;
        let (bids, asks) = book.top(if fast { 5 } else { 20 });
        let levels = json!([Self::levels(coin, &bids), Self::levels(coin, &asks)]);
        let mut data = json!({"coin": coin.listing.symbol, "time": at_ms, "levels": levels});
        if fast {
            data["fast"] = json!(true);
        }
        json!({"channel": "l2Book", "data": data}).to_string()
    }

    fn bbo(coin: &Coin, book: &Book, at_ms: i64) -> String {
        let (bids, asks) = book.top(1);
        let level = |ladder: &Ladder| Self::levels(coin, ladder).into_iter().next().unwrap_or(Value::Null);
        let bbo = json!([level(&bids), level(&asks)]);
        json!({"channel": "bbo", "data": {"coin": coin.listing.symbol, "time": at_ms, "bbo": bbo}}).to_string()
    }

    fn context(coin: &Coin, mark: Decimal, oracle: Decimal, rate: Decimal) -> Value {
        let l = &coin.listing;
        json!({"markPx": l.price(mark), "midPx": l.price(mark), "oraclePx": l.price(oracle),
            "funding": rate.normalize().to_string(), "openInterest": "25117.3", "premium": "0.0001",
            "impactPxs": [l.price(oracle), l.price(mark)], "prevDayPx": l.price(l.mid),
            "dayNtlVlm": "2100000000.0", "dayBaseVlm": "32000.1"})
    }

    fn universe(market: &Market) -> Vec<Value> {
        let coin = |coin: &Coin| {
            let l = &coin.listing;
            let mut rules = json!({"name": l.symbol, "szDecimals": l.lot.scale(), "maxLeverage": 40,
                "marginTableId": 56});
            if l.status == self::GONE {
                rules["isDelisted"] = json!(true);
            }
            rules
        };
        market.coins.iter().map(coin).collect()
    }
}

/// There is no word for it; the list says `isDelisted`.
const GONE: &str = "isDelisted";

impl House for Hyperliquid {
    fn id(&self) -> VenueId {
        VenueId::Hyperliquid
    }

    fn listings(&self) -> Vec<Listing> {
        vec![
            // Five figures at most: a price of five digits moves in whole units, whatever the decimals allow.
            Listing::new(["BTC", "BTC", "USDC"], "0.1", "0.00001", "1.0", "64210.0", "open"),
            Listing::new(["ETH", "ETH", "USDC"], "0.01", "0.0001", "0.10", "3100.50", "open"),
        ]
    }

    fn serves(&self, path: &str) -> bool {
        path == "/ws"
    }

    fn hear(&self, text: &str, _: &str, topics: &[String], market: &Market) -> Heard {
        let request = json_of(text);
        let error = |why: String| Heard::reply(json!({"channel": "error", "data": why}).to_string());
        let subscription = &request["subscription"];
        let topic = subscription.to_string();
        let ack = json!({"channel": "subscriptionResponse",
            "data": {"method": request["method"], "subscription": subscription}})
        .to_string();
        match request["method"].as_str() {
            Some("ping") => {
                Heard { replies: vec![json!({"channel": "pong"}).to_string()], ping: true, ..Heard::default() }
            }
            Some("subscribe") if market.find(&self.about(&topic).1).is_none() => {
                error(format!("Invalid subscription {topic}"))
            }
            Some("subscribe") if topics.contains(&topic) => error(format!("Already subscribed: {topic}")),
            Some("subscribe") => Heard { replies: vec![ack], begin: vec![topic], ..Heard::default() },
            Some("unsubscribe") if !topics.contains(&topic) => error(format!("Already unsubscribed: {topic}")),
            Some("unsubscribe") => Heard { replies: vec![ack], end: vec![topic], ..Heard::default() },
            Some(_) | None => error(format!("Error parsing JSON into valid websocket request: {text}")),
        }
    }

    fn fresh(&self, topic: &str, market: &Market) -> Vec<String> {
        let (kind, symbol) = self.about(topic);
        let Some(at) = market.find(&symbol) else { return Vec::new() };
        let coin = &market.coins[at];
        match kind {
            Kind::Book => vec![Self::whole(topic, coin, &coin.book, market.now_ms)],
            Kind::Bbo => vec![Self::bbo(coin, &coin.book, market.now_ms)],
            Kind::Mark => {
                let context = Self::context(coin, coin.mark, coin.mark, Decimal::new(125, 7));
                vec![json!({"channel": "activeAssetCtx", "data": {"coin": symbol, "ctx": context}}).to_string()]
            }
            Kind::Trade | Kind::Rules => Vec::new(),
        }
    }

    fn tell(&self, topic: &str, event: &Event, market: &Market) -> Option<String> {
        let (kind, symbol) = self.about(topic);
        let coin = &market.coins[event.coin];
        let l = &coin.listing;
        if symbol != l.symbol {
            return None;
        }
        match (&event.what, kind) {
            (What::Book(step), Kind::Book) => Some(Self::whole(topic, coin, &step.after, event.at_ms)),
            (What::Book(step), Kind::Bbo) => {
                let changed = step.before.top(1) != step.after.top(1);
                changed.then(|| Self::bbo(coin, &step.after, event.at_ms))
            }
            (What::Trade(t), Kind::Trade) => {
                let side = if t.taker_buys { "B" } else { "A" };
                let trade = json!({"coin": symbol, "side": side, "px": l.price(t.price),
                    "sz": t.qty.normalize().to_string(), "time": t.at_ms, "hash": "0xde47", "tid": t.id,
                    "users": ["0xe9ed", "0x6802"]});
                Some(json!({"channel": "trades", "data": [trade]}).to_string())
            }
            (What::Mark { mark, index, rate }, Kind::Mark) => {
                let context = Self::context(coin, *mark, *index, *rate);
                Some(json!({"channel": "activeAssetCtx", "data": {"coin": symbol, "ctx": context}}).to_string())
            }
            _ => None,
        }
    }

    fn about(&self, topic: &str) -> (Kind, String) {
        let subscription = json_of(topic);
        let kind = match subscription["type"].as_str().unwrap_or_default() {
            "l2Book" => Kind::Book,
            "bbo" => Kind::Bbo,
            "trades" => Kind::Trade,
            "activeAssetCtx" => Kind::Mark,
            _ => Kind::Rules,
        };
        (kind, subscription["coin"].as_str().unwrap_or_default().to_owned())
    }

    fn frame_about(&self, frame: &Value) -> Option<(Kind, String)> {
        let data = &frame["data"];
        let coin = data["coin"].as_str().or_else(|| data[0]["coin"].as_str())?;
        Some(self.about(&json!({"type": frame["channel"], "coin": coin}).to_string()))
    }

    fn rest(&self, asked: &Asked, market: &Market) -> Reply {
        if asked.path != "/info" || asked.method != "POST" {
            return Reply::unknown();
        }
        let question = json_of(&asked.body);
        match question["type"].as_str() {
            Some("meta") => Reply::ok(json!({"universe": Self::universe(market), "collateralToken": 0}).to_string()),
            Some("metaAndAssetCtxs") => {
                let context = |c: &Coin| Self::context(c, c.mark, c.mark, Decimal::new(125, 7));
                let contexts: Vec<Value> = market.coins.iter().map(context).collect();
                Reply::ok(json!([{"universe": Self::universe(market)}, contexts]).to_string())
            }
            Some("spotMeta") => Reply::ok(
                json!({"tokens": [
                        {"name": "USDC", "szDecimals": 8, "weiDecimals": 8, "index": 0, "isCanonical": true},
                        {"name": "PURR", "szDecimals": 0, "weiDecimals": 5, "index": 1, "isCanonical": true}],
                    "universe": [{"name": "PURR/USDC", "tokens": [1, 0], "index": 0, "isCanonical": true}]})
                .to_string(),
            ),
            Some("l2Book") => {
                let Some(at) = question["coin"].as_str().and_then(|c| market.find(c)) else {
                    return Reply::ok("null");
                };
                let frame = json_of(&Self::whole("{}", &market.coins[at], &market.coins[at].book, market.now_ms));
                Reply::ok(frame["data"].to_string())
            }
            Some(_) | None => Reply::new(422, "Failed to deserialize the JSON body into the target type"),
        }
    }

    fn gone(&self) -> &'static str {
        GONE
    }

    fn unheard_of(&self) -> String {
        r#"{"channel":"weather","data":{"coin":"BTC","w":"rain"}}"#.to_owned()
    }
}
