//! Bybit v5, spot and linear: topics, snapshots in the stream, changes counted one by one.

use papermaker::market::VenueId;
use serde_json::{Value, json};

use super::binance::next_funding;
use super::house::{Asked, Heard, House, Reply, json_of, strings};
use super::market::{Book, Coin, Event, Kind, Listing, Market, What};
use crate::support::independent::Ladder;

/// One product category per connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bybit {
    Spot,
    Linear,
}

const CONN: &str = "d9avt8shteepr00gfc1g-4zd1x";
/// `seq` is another number than `u`, comparable over depths; made of the change's last id.
const SEQ: u64 = 7_000_000_000;

impl Bybit {
    fn category(self) -> &'static str {
        match self {
            Bybit::Spot => "spot",
            Bybit::Linear => "linear",
        }
    }

    fn levels(coin: &Coin, ladder: &Ladder) -> Vec<[String; 2]> {
        // A deleted level is a bare zero there.
        let qty = |q: rust_decimal::Decimal| if q.is_zero() { "0".to_owned() } else { coin.listing.qty(q) };
        ladder.iter().map(|&(p, q)| [coin.listing.price(p), qty(q)]).collect()
    }

    fn snapshot(topic: &str, coin: &Coin, book: &Book, depth: usize, count: u64, at_ms: i64) -> String {
        let (bids, asks) = book.top(depth);
        json!({"topic": topic, "type": "snapshot", "ts": at_ms, "data": {"s": coin.listing.symbol,
            "b": Self::levels(coin, &bids), "a": Self::levels(coin, &asks), "u": count, "seq": SEQ + coin.last_id},
            "cts": at_ms - 3})
        .to_string()
    }

    fn depth(topic: &str) -> usize {
        topic.split('.').nth(1).and_then(|n| n.parse().ok()).unwrap_or(50)
    }

    fn ticker(self, topic: &str, coin: &Coin, at_ms: i64) -> String {
        let l = &coin.listing;
        let (bids, asks) = coin.book.top(1);
        let mut data = json!({"symbol": l.symbol, "lastPrice": l.price(coin.mark), "volume24h": "17576.044"});
        if self == Bybit::Linear {
            data["markPrice"] = json!(l.price(coin.mark));
            data["indexPrice"] = json!(l.price(coin.mark));
            data["fundingRate"] = json!("0.0001");
            data["nextFundingTime"] = json!(next_funding(at_ms).to_string());
            data["fundingIntervalHour"] = json!("8");
            data["bid1Price"] = json!(l.price(bids[0].0));
            data["bid1Size"] = json!(l.qty(bids[0].1));
            data["ask1Price"] = json!(l.price(asks[0].0));
            data["ask1Size"] = json!(l.qty(asks[0].1));
        }
        json!({"topic": topic, "type": "snapshot", "cs": 9_532_239_429_u64, "ts": at_ms, "data": data}).to_string()
    }

    fn rules(self, coin: &Coin) -> Value {
        let l = &coin.listing;
        let (tick, lot) = (l.tick.to_string(), l.lot.to_string());
        match self {
            Bybit::Spot => json!({"symbol": l.symbol, "baseCoin": l.base, "quoteCoin": l.quote, "innovation": "0",
                "status": l.status, "marginTrading": "both", "stTag": "0",
                "lotSizeFilter": {"basePrecision": lot, "quotePrecision": "0.0000001", "minOrderQty": lot,
                    "maxOrderQty": "83", "minOrderAmt": "5", "maxOrderAmt": "8000000", "maxLimitOrderQty": "83",
                    "maxMarketOrderQty": "41.5", "postOnlyMaxLimitOrderSize": "60000"},
                "priceFilter": {"tickSize": tick},
                "riskParameters": {"priceLimitRatioX": "0.01", "priceLimitRatioY": "0.02"}}),
            Bybit::Linear => json!({"symbol": l.symbol, "contractType": "LinearPerpetual", "status": l.status,
                "baseCoin": l.base, "quoteCoin": l.quote, "settleCoin": l.quote, "launchTime": "1585526400000",
                "deliveryTime": "0", "deliveryFeeRate": "", "priceScale": "2",
                "leverageFilter": {"minLeverage": "1", "maxLeverage": "100.00", "leverageStep": "0.01"},
                "priceFilter": {"minPrice": tick, "maxPrice": "1999999.80", "tickSize": tick},
                "lotSizeFilter": {"maxOrderQty": "1190.000", "minOrderQty": lot, "qtyStep": lot,
                    "postOnlyMaxOrderQty": "1190.000", "maxMktOrderQty": "119.000", "minNotionalValue": "5"},
                "unifiedMarginTrade": true, "fundingInterval": 480, "copyTrading": "both",
                "upperFundingRate": "0.005", "lowerFundingRate": "-0.005", "isPreListing": false,
                "preListingInfo": null, "riskParameters": {"priceLimitRatioX": "0.01", "priceLimitRatioY": "0.02"}}),
        }
    }
}

impl House for Bybit {
    fn id(&self) -> VenueId {
        match self {
            Bybit::Spot => VenueId::BybitSpot,
            Bybit::Linear => VenueId::BybitLinear,
        }
    }

    fn listings(&self) -> Vec<Listing> {
        match self {
            Bybit::Spot => vec![
                Listing::new(["BTCUSDT", "BTC", "USDT"], "0.1", "0.000001", "0.1", "64210.1", "Trading"),
                Listing::new(["ETHUSDT", "ETH", "USDT"], "0.01", "0.00001", "0.01", "3100.50", "Trading"),
            ],
            Bybit::Linear => vec![
                Listing::new(["BTCUSDT", "BTC", "USDT"], "0.10", "0.001", "0.10", "64210.10", "Trading"),
                Listing::new(["ETHUSDT", "ETH", "USDT"], "0.01", "0.01", "0.01", "3100.50", "Trading"),
            ],
        }
    }

    fn serves(&self, path: &str) -> bool {
        path.strip_prefix("/v5/public/") == Some(self.category())
    }

    fn hear(&self, text: &str, _: &str, topics: &[String], market: &Market) -> Heard {
        let request = json_of(text);
        let args = strings(&request["args"]);
        let op = request["op"].as_str().unwrap_or_default();
        let word = if *self == Bybit::Spot { "subscribe" } else { "" };
        let answer = |success: bool, ret_msg: &str| {
            let mut said = json!({"success": success, "ret_msg": ret_msg, "conn_id": CONN, "op": op});
            if let Some(id) = request["req_id"].as_str() {
                said["req_id"] = json!(id);
            }
            said.to_string()
        };
        match op {
            "ping" => Heard { replies: vec![answer(true, "pong")], ping: true, ..Heard::default() },
            "subscribe" => {
                if *self == Bybit::Spot && args.len() > 10 {
                    return Heard::reply(answer(false, "args size >10"));
                }
                if let Some(twice) = args.iter().find(|arg| topics.contains(arg)) {
                    return Heard::reply(answer(false, &format!("error:already subscribed,topic:{twice}")));
                }
                if let Some(wrong) = args.iter().find(|arg| market.find(&self.about(arg).1).is_none()) {
                    return Heard::reply(answer(false, &format!("Invalid topic: {wrong}")));
                }
                Heard { replies: vec![answer(true, word)], begin: args, ..Heard::default() }
            }
            "unsubscribe" => Heard { replies: vec![answer(true, "")], end: args, ..Heard::default() },
            _ => Heard::reply(answer(false, "unknown op")),
        }
    }

    fn fresh(&self, topic: &str, market: &Market) -> Vec<String> {
        let (kind, symbol) = self.about(topic);
        let Some(at) = market.find(&symbol) else { return Vec::new() };
        let coin = &market.coins[at];
        match kind {
            Kind::Book | Kind::Bbo => {
                vec![Self::snapshot(topic, coin, &coin.book, Self::depth(topic), coin.count, market.now_ms)]
            }
            Kind::Mark => vec![self.ticker(topic, coin, market.now_ms)],
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
        let at_ms = event.at_ms;
        match (&event.what, kind) {
            (What::Book(step), Kind::Book) => {
                let depth = Self::depth(topic);
                let (bids, asks) = step.after.changes(&step.before, depth, true);
                Some(
                    json!({"topic": topic, "type": "delta", "ts": at_ms, "data": {"s": l.symbol,
                        "b": Self::levels(coin, &bids), "a": Self::levels(coin, &asks), "u": step.count,
                        "seq": SEQ + step.last}, "cts": at_ms - 3})
                    .to_string(),
                )
            }
            (What::Book(step), Kind::Bbo) => {
                let changed = step.before.top(1) != step.after.top(1);
                changed.then(|| Self::snapshot(topic, coin, &step.after, 1, step.count, at_ms))
            }
            (What::Trade(t), Kind::Trade) => {
                let id = match self {
                    Bybit::Spot => t.id.to_string(),
                    Bybit::Linear => format!("20f43950-d8dd-5b31-9112-{:012x}", t.id),
                };
                let side = if t.taker_buys { "Buy" } else { "Sell" };
                let trade = json!({"T": t.at_ms, "s": l.symbol, "S": side, "v": l.qty(t.qty), "p": l.price(t.price),
                    "L": "PlusTick", "i": id, "BT": false, "RPI": false, "seq": SEQ + coin.last_id});
                Some(json!({"topic": topic, "type": "snapshot", "ts": at_ms, "data": [trade]}).to_string())
            }
            // Only what changed; absent fields are as they were.
            (What::Mark { mark, index, rate }, Kind::Mark) if *self == Bybit::Linear => Some(
                json!({"topic": topic, "type": "delta", "cs": 9_532_239_430_u64, "ts": at_ms, "data": {
                    "symbol": l.symbol, "markPrice": l.price(*mark), "indexPrice": l.price(*index),
                    "fundingRate": rate.to_string()}})
                .to_string(),
            ),
            (What::Mark { .. }, Kind::Mark) => Some(self.ticker(topic, coin, at_ms)),
            // A restarted book begins at 1, whatever its type says.
            (What::Rules { rebuilt: true }, Kind::Book) => {
                Some(Self::snapshot(topic, coin, &coin.book, Self::depth(topic), 1, at_ms))
            }
            _ => None,
        }
    }

    fn about(&self, topic: &str) -> (Kind, String) {
        let symbol = topic.rsplit('.').next().unwrap_or_default().to_owned();
        let kind = match topic.split('.').next().unwrap_or_default() {
            "publicTrade" => Kind::Trade,
            "tickers" => Kind::Mark,
            _ if topic.starts_with("orderbook.1.") => Kind::Bbo,
            "orderbook" => Kind::Book,
            _ => Kind::Rules,
        };
        (kind, symbol)
    }

    fn frame_about(&self, frame: &Value) -> Option<(Kind, String)> {
        Some(self.about(frame["topic"].as_str()?))
    }

    fn rest(&self, asked: &Asked, market: &Market) -> Reply {
        let envelope = |result: Value| {
            Reply::ok(
                json!({"retCode": 0, "retMsg": "OK", "result": result, "retExtInfo": {}, "time": market.now_ms})
                    .to_string(),
            )
        };
        let refused = |code: i64, msg: &str| {
            Reply::ok(
                json!({"retCode": code, "retMsg": msg, "result": {}, "retExtInfo": {}, "time": market.now_ms})
                    .to_string(),
            )
        };
        match asked.path.as_str() {
            "/v5/market/time" => envelope(json!({"timeSecond": (market.now_ms / 1000).to_string(),
                "timeNano": (market.now_ms * 1_000_000).to_string()})),
            "/v5/market/instruments-info" => {
                if asked.value("category") != Some(self.category()) {
                    return refused(10001, "params error: category is required");
                }
                let symbol = asked.value("symbol");
                let status = asked.value("status").unwrap_or("Trading");
                let shown = |c: &&Coin| symbol.is_none_or(|s| s == c.listing.symbol);
                // Named, an instrument is shown whatever its status; the list is of those that trade.
                let listed = |c: &&Coin| symbol.is_some() || c.listing.status == status;
                let list: Vec<Value> =
                    market.coins.iter().filter(shown).filter(listed).map(|c| self.rules(c)).collect();
                envelope(json!({"category": self.category(), "list": list, "nextPageCursor": ""}))
            }
            _ => Reply::unknown(),
        }
    }

    fn gone(&self) -> &'static str {
        "Closed"
    }

    fn rebuilds(&self) -> bool {
        true
    }

    fn unheard_of(&self) -> String {
        r#"{"topic":"weather.BTCUSDT","type":"snapshot","ts":1790000000000,"data":{"s":"BTCUSDT","w":"rain"}}"#
            .to_owned()
    }
}
