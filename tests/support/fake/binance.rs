//! Binance's three markets: streams named in the URL or subscribed to, books to be begun over REST.

use papermaker::market::VenueId;
use serde_json::{Value, json};

use super::house::{Asked, Heard, House, Reply, json_of, strings};
use super::market::{Coin, Event, Kind, Listing, Market, Step, What, at_scale};
use crate::support::independent::Ladder;

/// Which of the three.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Binance {
    Spot,
    Usdm,
    Coinm,
}

impl Binance {
    fn price(self, coin: &Coin, price: rust_decimal::Decimal) -> String {
        match self {
            // Spot pads to eight decimals whatever the tick.
            Binance::Spot => at_scale(price, 8),
            Binance::Usdm | Binance::Coinm => coin.listing.price(price),
        }
    }

    fn qty(self, coin: &Coin, qty: rust_decimal::Decimal) -> String {
        match self {
            Binance::Spot => at_scale(qty, 8),
            Binance::Usdm | Binance::Coinm => coin.listing.qty(qty),
        }
    }

    fn levels(self, coin: &Coin, ladder: &Ladder) -> Vec<[String; 2]> {
        ladder.iter().map(|&(p, q)| [self.price(coin, p), self.qty(coin, q)]).collect()
    }

    fn depth(self, coin: &Coin, step: &Step, at_ms: i64) -> Value {
        let (bids, asks) = step.after.changes(&step.before, usize::MAX, true);
        let (b, a) = (self.levels(coin, &bids), self.levels(coin, &asks));
        let s = coin.listing.symbol;
        match self {
            Binance::Spot => {
                json!({"e": "depthUpdate", "E": at_ms, "s": s, "U": step.first, "u": step.last, "b": b, "a": a})
            }
            // Ids are global there: the first one does not follow the last one's last.
            Binance::Usdm => json!({"e": "depthUpdate", "E": at_ms, "T": at_ms - 2, "s": s, "ps": s, "st": 1,
                "U": step.last.min(step.first + 1), "u": step.last, "pu": step.prev, "b": b, "a": a}),
            Binance::Coinm => {
                json!({"e": "depthUpdate", "E": at_ms, "T": at_ms - 2, "s": s, "ps": self.pair(coin), "st": 2,
                "U": step.last.min(step.first + 1), "u": step.last, "pu": step.prev, "b": b, "a": a})
            }
        }
    }

    fn pair(self, coin: &Coin) -> String {
        coin.listing.symbol.trim_end_matches("_PERP").to_owned()
    }

    fn bbo(self, coin: &Coin, step: &Step, at_ms: i64) -> Option<Value> {
        let ((old_bids, old_asks), (bids, asks)) = (step.before.top(1), step.after.top(1));
        if (&old_bids, &old_asks) == (&bids, &asks) {
            return None;
        }
        let (bid, ask) = (bids.first()?, asks.first()?);
        let mut told = json!({"u": step.last, "s": coin.listing.symbol,
            "b": self.price(coin, bid.0), "B": self.qty(coin, bid.1),
            "a": self.price(coin, ask.0), "A": self.qty(coin, ask.1)});
        if self != Binance::Spot {
            told["e"] = json!("bookTicker");
            told["E"] = json!(at_ms);
            told["T"] = json!(at_ms - 2);
        }
        Some(told)
    }

    /// `(path prefix, path of the list)` of its REST endpoints.
    fn api(self) -> &'static str {
        match self {
            Binance::Spot => "/api/v3/",
            Binance::Usdm => "/fapi/v1/",
            Binance::Coinm => "/dapi/v1/",
        }
    }

    fn rules(self, coin: &Coin) -> Value {
        let l = &coin.listing;
        let (tick, lot) = (self.price(coin, l.tick), self.qty(coin, l.lot));
        let price =
            json!({"filterType": "PRICE_FILTER", "minPrice": tick, "maxPrice": "1000000.00000000", "tickSize": tick});
        let size = json!({"filterType": "LOT_SIZE", "minQty": lot, "maxQty": "9000.00000000", "stepSize": lot});
        match self {
            Binance::Spot => json!({"symbol": l.symbol, "status": l.status, "baseAsset": l.base, "quoteAsset": l.quote,
                "baseAssetPrecision": 8, "quotePrecision": 8, "quoteAssetPrecision": 8, "isSpotTradingAllowed": true,
                "orderTypes": ["LIMIT", "LIMIT_MAKER", "MARKET"],
                "filters": [price, size, {"filterType": "NOTIONAL", "minNotional": "5.00000000",
                    "applyMinToMarket": true, "maxNotional": "9000000.00000000", "applyMaxToMarket": false,
                    "avgPriceMins": 5}]}),
            Binance::Usdm => json!({"symbol": l.symbol, "pair": l.symbol, "contractType": "PERPETUAL",
                "deliveryDate": 4_133_404_800_000_i64, "onboardDate": 1_569_398_400_000_i64, "status": l.status,
                "baseAsset": l.base, "quoteAsset": l.quote, "marginAsset": l.quote, "pricePrecision": 2,
                "quantityPrecision": 3, "underlyingType": "COIN", "orderTypes": ["LIMIT", "MARKET"],
                "timeInForce": ["GTC", "IOC", "FOK", "GTX"],
                "filters": [price, size, {"filterType": "MIN_NOTIONAL", "notional": "100"},
                    {"filterType": "PERCENT_PRICE", "multiplierUp": "1.0500", "multiplierDown": "0.9500",
                     "multiplierDecimal": "4"}]}),
            Binance::Coinm => json!({"symbol": l.symbol, "pair": self.pair(coin), "contractType": "PERPETUAL",
                "deliveryDate": 4_133_404_800_000_i64, "onboardDate": 1_597_042_800_000_i64,
                "contractStatus": l.status, "contractSize": if l.base == "BTC" { 100 } else { 10 },
                "marginAsset": l.base, "baseAsset": l.base, "quoteAsset": l.quote, "pricePrecision": 1,
                "quantityPrecision": 0, "equalQtyPrecision": 4, "orderTypes": ["LIMIT", "MARKET"],
                "timeInForce": ["GTC", "IOC", "FOK", "GTX"],
                "filters": [price, size, {"filterType": "PERCENT_PRICE", "multiplierUp": "1.0500",
                    "multiplierDown": "0.9500", "multiplierDecimal": "4"}]}),
        }
    }

    fn exchange_info(self, asked: &Asked, market: &Market) -> Reply {
        let named: Vec<&str> = match (asked.value("symbol"), asked.value("symbols")) {
            (Some(one), _) => vec![one],
            (None, Some(list)) => list.split(['[', ']', ',', '"']).filter(|s| !s.is_empty()).collect(),
            (None, None) => Vec::new(),
        };
        // Only spot can be asked for some of them.
        let wanted: Vec<&str> = if self == Binance::Spot { named } else { Vec::new() };
        if wanted.iter().any(|symbol| market.find(symbol).is_none()) {
            return Reply::new(400, r#"{"code":-1121,"msg":"Invalid symbol."}"#);
        }
        let coins = market.coins.iter().filter(|c| wanted.is_empty() || wanted.contains(&c.listing.symbol));
        let symbols: Vec<Value> = coins.map(|coin| self.rules(coin)).collect();
        let limits =
            json!([{"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": 6000}]);
        let body = json!({"timezone": "UTC", "serverTime": market.now_ms, "rateLimits": limits,
            "exchangeFilters": [], "symbols": symbols});
        Reply::ok(body.to_string())
    }

    fn snapshot(self, asked: &Asked, market: &Market) -> Reply {
        let Some(at) = asked.value("symbol").and_then(|s| market.find(s)) else {
            return Reply::new(400, r#"{"code":-1121,"msg":"Invalid symbol."}"#);
        };
        let coin = &market.coins[at];
        let limit = asked.value("limit").and_then(|v| v.parse().ok()).unwrap_or(100);
        let (bids, asks) = coin.book.top(limit);
        let (bids, asks) = (self.levels(coin, &bids), self.levels(coin, &asks));
        let mut body = json!({"lastUpdateId": coin.last_id, "bids": bids, "asks": asks});
        if self != Binance::Spot {
            body["E"] = json!(market.now_ms);
            body["T"] = json!(market.now_ms - 2);
        }
        Reply::ok(body.to_string())
    }

    /// Whether a stream flows on this path: USD-M has one path for books and another for the rest.
    fn flows(self, path: &str, topic: &str) -> bool {
        let bookish = topic.contains("@depth") || topic.contains("@bookTicker");
        match self {
            Binance::Spot | Binance::Coinm => true,
            Binance::Usdm if path.starts_with("/market") => !bookish,
            // The un-routed path is silent for everything but books.
            Binance::Usdm => bookish,
        }
    }
}

impl House for Binance {
    fn id(&self) -> VenueId {
        match self {
            Binance::Spot => VenueId::BinanceSpot,
            Binance::Usdm => VenueId::BinanceUsdm,
            Binance::Coinm => VenueId::BinanceCoinm,
        }
    }

    fn listings(&self) -> Vec<Listing> {
        let open = "TRADING";
        match self {
            Binance::Spot => vec![
                Listing::new(["BTCUSDT", "BTC", "USDT"], "0.01", "0.00001", "0.01", "64210.01", open),
                Listing::new(["ETHUSDT", "ETH", "USDT"], "0.01", "0.0001", "0.01", "3100.50", open),
            ],
            Binance::Usdm => vec![
                Listing::new(["BTCUSDT", "BTC", "USDT"], "0.10", "0.001", "0.10", "64210.10", open),
                Listing::new(["ETHUSDT", "ETH", "USDT"], "0.01", "0.001", "0.01", "3100.50", open),
            ],
            Binance::Coinm => vec![
                Listing::new(["BTCUSD_PERP", "BTC", "USD"], "0.1", "1", "0.1", "64210.1", open),
                Listing::new(["ETHUSD_PERP", "ETH", "USD"], "0.01", "1", "0.01", "3100.50", open),
            ],
        }
    }

    fn serves(&self, path: &str) -> bool {
        let routed = path.strip_prefix("/public").or_else(|| path.strip_prefix("/market"));
        let rest = match (self, routed) {
            (Binance::Usdm, Some(rest)) => rest,
            _ => path,
        };
        rest == "/stream" || rest == "/ws" || rest.starts_with("/ws/")
    }

    fn named_in(&self, path: &str, query: &str) -> Vec<String> {
        let names = match query.split('&').find_map(|kv| kv.strip_prefix("streams=")) {
            Some(names) => names,
            None => path.split_once("/ws/").map_or("", |(_, names)| names),
        };
        names.split('/').filter(|s| !s.is_empty() && self.flows(path, s)).map(str::to_owned).collect()
    }

    fn hear(&self, text: &str, path: &str, topics: &[String], _: &Market) -> Heard {
        let request = json_of(text);
        let names = strings(&request["params"]);
        let ack = json!({"result": null, "id": request["id"]}).to_string();
        match request["method"].as_str() {
            Some("SUBSCRIBE") => {
                let begin = names.into_iter().filter(|name| self.flows(path, name)).collect();
                Heard { replies: vec![ack], begin, ..Heard::default() }
            }
            Some("UNSUBSCRIBE") => Heard { replies: vec![ack], end: names, ..Heard::default() },
            Some("LIST_SUBSCRIPTIONS") => Heard::reply(json!({"result": topics, "id": request["id"]}).to_string()),
            Some(_) | None => {
                Heard::reply(json!({"error": {"code": 2, "msg": "Invalid request"}, "id": request["id"]}).to_string())
            }
        }
    }

    fn fresh(&self, _: &str, _: &Market) -> Vec<String> {
        Vec::new()
    }

    fn tell(&self, topic: &str, event: &Event, market: &Market) -> Option<String> {
        let (kind, symbol) = self.about(topic);
        let coin = &market.coins[event.coin];
        let l = &coin.listing;
        let all = topic.starts_with('!');
        if !all && !symbol.eq_ignore_ascii_case(l.symbol) {
            return None;
        }
        let at_ms = event.at_ms;
        let data = match (&event.what, kind) {
            (What::Book(step), Kind::Book) => self.depth(coin, step, at_ms),
            (What::Book(step), Kind::Bbo) => self.bbo(coin, step, at_ms)?,
            (What::Trade(t), Kind::Trade) => {
                let (p, q, m) = (self.price(coin, t.price), self.qty(coin, t.qty), !t.taker_buys);
                if topic.ends_with("@aggTrade") {
                    let mut told = json!({"e": "aggTrade", "E": at_ms, "a": t.id, "s": l.symbol, "p": p, "q": q,
                        "f": t.id * 2, "l": t.id * 2 + 1, "T": t.at_ms, "m": m});
                    if *self != Binance::Spot {
                        told["nq"] = told["q"].clone();
                    }
                    told
                } else {
                    json!({"e": "trade", "E": at_ms, "s": l.symbol, "t": t.id, "p": p, "q": q, "T": t.at_ms, "m": m,
                        "M": true})
                }
            }
            (What::Mark { mark, index, rate }, Kind::Mark) if *self != Binance::Spot => json!({
                "e": "markPriceUpdate", "E": at_ms, "s": l.symbol, "p": at_scale(*mark, 8), "ap": at_scale(*mark, 8),
                "i": at_scale(*index, 8), "P": at_scale(*index, 8), "r": at_scale(*rate, 8),
                "T": next_funding(at_ms), "st": if *self == Binance::Usdm { 1 } else { 2 }}),
            (What::Rules { .. }, Kind::Rules) if *self != Binance::Spot => json!({
                "e": "contractInfo", "E": at_ms, "s": l.symbol, "ps": self.pair(coin), "ct": "PERPETUAL",
                "dt": 4_133_404_800_000_i64, "ot": 1_569_398_400_000_i64, "cs": l.status}),
            _ => return None,
        };
        Some(format!("{{\"stream\":\"{topic}\",\"data\":{data}}}"))
    }

    fn about(&self, topic: &str) -> (Kind, String) {
        let (symbol, stream) = topic.split_once('@').unwrap_or(("", topic));
        let kind = match stream.split('@').next().unwrap_or_default() {
            "bookTicker" => Kind::Bbo,
            "trade" | "aggTrade" => Kind::Trade,
            "markPrice" => Kind::Mark,
            "!contractInfo" | "!serverShutdown" => Kind::Rules,
            _ => Kind::Book,
        };
        (kind, symbol.to_uppercase())
    }

    fn frame_about(&self, frame: &Value) -> Option<(Kind, String)> {
        Some(self.about(frame["stream"].as_str()?))
    }

    fn rest(&self, asked: &Asked, market: &Market) -> Reply {
        let Some(call) = asked.path.strip_prefix(self.api()) else { return Reply::unknown() };
        match call {
            "ping" => Reply::ok("{}"),
            "time" => Reply::ok(json!({"serverTime": market.now_ms}).to_string()),
            "exchangeInfo" => self.exchange_info(asked, market),
            "depth" => self.snapshot(asked, market),
            "fundingInfo" if *self != Binance::Spot => Reply::ok(
                json!([{"symbol": market.coins.last().map(|coin| coin.listing.symbol), "adjustedFundingRateCap": "0.02",
                    "adjustedFundingRateFloor": "-0.02", "fundingIntervalHours": 4, "disclaimer": false}])
                .to_string(),
            ),
            _ => Reply::unknown(),
        }
    }

    fn shutdown(&self) -> Option<String> {
        // Futures have no such notice.
        let notice = r#"{"stream":"!serverShutdown","data":{"e":"serverShutdown","E":1790000000000}}"#;
        (*self == Binance::Spot).then(|| notice.to_owned())
    }

    fn gone(&self) -> &'static str {
        match self {
            Binance::Spot => "BREAK",
            Binance::Usdm | Binance::Coinm => "SETTLING",
        }
    }

    fn unheard_of(&self) -> String {
        r#"{"stream":"btcusdt@weather","data":{"e":"weather","E":1790000000000,"s":"BTCUSDT","w":"rain"}}"#.to_owned()
    }
}

/// The next full eight hours.
pub fn next_funding(at_ms: i64) -> i64 {
    const EIGHT_HOURS: i64 = 8 * 3_600_000;
    (at_ms / EIGHT_HOURS + 1) * EIGHT_HOURS
}
