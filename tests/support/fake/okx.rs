//! OKX v5: an acknowledgement per argument, pings that are no JSON, changes that name their predecessor.

use papermaker::market::VenueId;
use serde_json::{Value, json};

use super::binance::next_funding;
use super::house::{Asked, Heard, House, Reply, json_of};
use super::market::{Book, Coin, Event, Kind, Listing, Market, What};
use crate::support::independent::Ladder;

/// Spot and swaps over one socket. Topics are `channel instId`; `instruments SPOT` has a type for an id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Okx;

const CONN: &str = "a4d3ae55";

impl Okx {
    fn levels(coin: &Coin, ladder: &Ladder) -> Vec<[String; 4]> {
        let level = |&(p, q): &(rust_decimal::Decimal, rust_decimal::Decimal)| {
            let gone = q.is_zero();
            let qty = if gone { "0".to_owned() } else { coin.listing.qty(q) };
            [coin.listing.price(p), qty, "0".to_owned(), if gone { "0" } else { "3" }.to_owned()]
        };
        ladder.iter().map(level).collect()
    }

    fn arg(topic: &str) -> Value {
        let (channel, id) = topic.split_once(' ').unwrap_or((topic, ""));
        match channel {
            "instruments" => json!({"channel": channel, "instType": id}),
            _ => json!({"channel": channel, "instId": id}),
        }
    }

    fn topic(arg: &Value) -> Option<String> {
        let channel = arg["channel"].as_str()?;
        let id = arg["instId"].as_str().or_else(|| arg["instType"].as_str()).unwrap_or_default();
        Some(format!("{channel} {id}"))
    }

    fn depth(topic: &str) -> usize {
        match topic.split(' ').next().unwrap_or_default() {
            "bbo-tbt" => 1,
            "books5" => 5,
            "books50-l2-tbt" => 50,
            _ => 400,
        }
    }

    fn whole(topic: &str, coin: &Coin, book: &Book, seq: u64, at_ms: i64) -> String {
        let (bids, asks) = book.top(Self::depth(topic));
        let (bids, asks) = (Self::levels(coin, &bids), Self::levels(coin, &asks));
        let ts = at_ms.to_string();
        if topic.starts_with("bbo-tbt") || topic.starts_with("books5 ") {
            let data = json!([{"asks": asks, "bids": bids, "ts": ts, "seqId": seq}]);
            return json!({"arg": Self::arg(topic), "data": data}).to_string();
        }
        let data = json!([{"asks": asks, "bids": bids, "ts": ts, "checksum": 0, "prevSeqId": -1, "seqId": seq}]);
        json!({"arg": Self::arg(topic), "action": "snapshot", "data": data}).to_string()
    }

    fn kind_of_instrument(symbol: &str) -> &'static str {
        if symbol.ends_with("-SWAP") { "SWAP" } else { "SPOT" }
    }

    fn rules(coin: &Coin) -> Value {
        let l = &coin.listing;
        let swap = Self::kind_of_instrument(l.symbol) == "SWAP";
        let on_swap = |text: &str| if swap { text.to_owned() } else { String::new() };
        let on_spot = |text: &str| if swap { String::new() } else { text.to_owned() };
        json!({"instType": Self::kind_of_instrument(l.symbol), "instId": l.symbol, "uly": on_swap("BTC-USDT"),
            "instFamily": on_swap("BTC-USDT"), "category": "1", "baseCcy": on_spot(l.base), "quoteCcy": on_spot(l.quote),
            "settleCcy": on_swap(l.quote), "ctVal": on_swap("0.01"), "ctMult": on_swap("1"),
            "ctValCcy": on_swap(l.base), "ctType": on_swap("linear"), "optType": "", "stk": "",
            "listTime": "1606468572000", "expTime": "", "lever": "10", "tickSz": l.tick.to_string(),
            "lotSz": l.lot.to_string(), "minSz": l.lot.to_string(), "alias": "", "state": l.status,
            "maxLmtSz": "999999999", "maxMktSz": "1000000", "maxLmtAmt": "20000000", "maxMktAmt": "1000000",
            "ruleType": "normal", "instIdCode": 10459})
    }
}

impl House for Okx {
    fn id(&self) -> VenueId {
        VenueId::Okx
    }

    fn listings(&self) -> Vec<Listing> {
        vec![
            Listing::new(["BTC-USDT", "BTC", "USDT"], "0.1", "0.00000001", "0.1", "64210.1", "live"),
            Listing::new(["BTC-USDT-SWAP", "BTC", "USDT"], "0.1", "0.01", "0.1", "64220.1", "live"),
        ]
    }

    fn serves(&self, path: &str) -> bool {
        matches!(path, "/ws/v5/public" | "/ws/v5/business")
    }

    fn hear(&self, text: &str, _: &str, _: &[String], market: &Market) -> Heard {
        if text == "ping" {
            return Heard { replies: vec!["pong".to_owned()], ping: true, ..Heard::default() };
        }
        let request = json_of(text);
        let id = request["id"].as_str();
        let with_id = |mut said: Value| {
            if let Some(id) = id {
                said["id"] = json!(id);
            }
            said.to_string()
        };
        let error =
            |code: &str, msg: String| with_id(json!({"event": "error", "code": code, "msg": msg, "connId": CONN}));
        let op = request["op"].as_str().unwrap_or_default();
        if !matches!(op, "subscribe" | "unsubscribe") {
            return Heard::reply(error("60012", format!("Invalid request: {text}")));
        }
        let mut heard = Heard::default();
        for arg in request["args"].as_array().into_iter().flatten() {
            let known = arg["channel"] == "instruments"
                || arg["channel"] == "status"
                || arg["instId"].as_str().is_some_and(|id| market.find(id).is_some());
            let Some(topic) = Self::topic(arg).filter(|_| known) else {
                let msg = format!("Wrong URL or channel:{},instId:{} doesn't exist.", arg["channel"], arg["instId"]);
                heard.replies.push(error("60018", msg));
                continue;
            };
            heard.replies.push(with_id(json!({"event": op, "arg": arg, "connId": CONN})));
            if op == "subscribe" { heard.begin.push(topic) } else { heard.end.push(topic) }
        }
        heard
    }

    fn fresh(&self, topic: &str, market: &Market) -> Vec<String> {
        let (kind, symbol) = self.about(topic);
        let Some(at) = market.find(&symbol) else { return Vec::new() };
        let coin = &market.coins[at];
        match kind {
            Kind::Book | Kind::Bbo => vec![Self::whole(topic, coin, &coin.book, coin.last_id, market.now_ms)],
            Kind::Trade | Kind::Mark | Kind::Rules => Vec::new(),
        }
    }

    fn tell(&self, topic: &str, event: &Event, market: &Market) -> Option<String> {
        let (kind, symbol) = self.about(topic);
        let coin = &market.coins[event.coin];
        let l = &coin.listing;
        let listed = kind == Kind::Rules && symbol == Self::kind_of_instrument(l.symbol);
        if symbol != l.symbol && !listed {
            return None;
        }
        let (at_ms, ts, arg) = (event.at_ms, event.at_ms.to_string(), Self::arg(topic));
        let told = match (&event.what, kind) {
            (What::Book(step), Kind::Bbo) => {
                let depth = Self::depth(topic);
                let changed = step.before.top(depth) != step.after.top(depth);
                return changed.then(|| Self::whole(topic, coin, &step.after, step.last, at_ms));
            }
            (What::Book(step), Kind::Book) => {
                let (bids, asks) = step.after.changes(&step.before, Self::depth(topic), true);
                json!({"arg": arg, "action": "update", "data": [{"asks": Self::levels(coin, &asks),
                    "bids": Self::levels(coin, &bids), "ts": ts, "checksum": 0, "prevSeqId": step.prev,
                    "seqId": step.last}]})
            }
            (What::Trade(t), Kind::Trade) => json!({"arg": arg, "data": [{"instId": l.symbol,
                "tradeId": t.id.to_string(), "px": l.price(t.price), "sz": l.qty(t.qty),
                "side": if t.taker_buys { "buy" } else { "sell" }, "ts": t.at_ms.to_string(), "count": "1",
                "source": "0", "seqId": coin.last_id}]}),
            (What::Mark { mark, .. }, Kind::Mark) if topic.starts_with("mark-price") => {
                json!({"arg": arg, "data": [{"instType": Self::kind_of_instrument(l.symbol), "instId": l.symbol,
                    "markPx": l.price(*mark), "ts": ts}]})
            }
            (What::Mark { index, .. }, Kind::Mark) if topic.starts_with("index-tickers") => {
                json!({"arg": arg, "data": [{"instId": l.symbol, "idxPx": l.price(*index), "ts": ts}]})
            }
            (What::Mark { rate, .. }, Kind::Mark) if l.symbol.ends_with("-SWAP") => {
                let due = next_funding(at_ms);
                json!({"arg": arg, "data": [{"instType": "SWAP", "instId": l.symbol, "fundingRate": rate.to_string(),
                    "fundingTime": due.to_string(), "nextFundingRate": "",
                    "nextFundingTime": (due + 8 * 3_600_000).to_string(), "minFundingRate": "-0.00375",
                    "maxFundingRate": "0.00375", "settState": "settled", "settFundingRate": "0.00009",
                    "premium": "0.00002", "ts": ts}]})
            }
            (What::Rules { .. }, Kind::Rules) => json!({"arg": arg, "data": [Self::rules(coin)]}),
            (What::Rules { rebuilt: true }, Kind::Book) => {
                return Some(Self::whole(topic, coin, &coin.book, coin.last_id, at_ms));
            }
            _ => return None,
        };
        Some(told.to_string())
    }

    fn about(&self, topic: &str) -> (Kind, String) {
        let (channel, id) = topic.split_once(' ').unwrap_or((topic, ""));
        let kind = match channel {
            "bbo-tbt" | "books5" => Kind::Bbo,
            "trades" | "trades-all" => Kind::Trade,
            "mark-price" | "funding-rate" | "index-tickers" => Kind::Mark,
            "instruments" | "status" => Kind::Rules,
            _ if channel.starts_with("books") => Kind::Book,
            _ => Kind::Rules,
        };
        (kind, id.to_owned())
    }

    fn frame_about(&self, frame: &Value) -> Option<(Kind, String)> {
        // An acknowledgement has an `arg` too.
        frame["data"].as_array()?;
        Some(self.about(&Self::topic(&frame["arg"])?))
    }

    fn rest(&self, asked: &Asked, market: &Market) -> Reply {
        let envelope = |data: Value| Reply::ok(json!({"code": "0", "msg": "", "data": data}).to_string());
        let refused = |code: &str, msg: &str| Reply::ok(json!({"code": code, "msg": msg, "data": []}).to_string());
        let named = asked.value("instId");
        match asked.path.as_str() {
            "/api/v5/public/time" => envelope(json!([{"ts": market.now_ms.to_string()}])),
            "/api/v5/public/instruments" => {
                let Some(kind) = asked.value("instType") else {
                    return refused("50014", "Parameter instType can not be empty.");
                };
                let of_kind = market.coins.iter().filter(|c| Self::kind_of_instrument(c.listing.symbol) == kind);
                let list: Vec<Value> =
                    of_kind.filter(|c| named.is_none_or(|id| id == c.listing.symbol)).map(Self::rules).collect();
                if list.is_empty() && named.is_some() {
                    return refused("51001", "Instrument ID does not exist");
                }
                envelope(json!(list))
            }
            "/api/v5/public/funding-rate" => {
                let due = next_funding(market.now_ms);
                envelope(json!([{"instType": "SWAP", "instId": named, "fundingRate": "0.0001",
                    "fundingTime": due.to_string(), "nextFundingRate": "",
                    "nextFundingTime": (due + 8 * 3_600_000).to_string()}]))
            }
            "/api/v5/market/books" => {
                let Some(at) = named.and_then(|id| market.find(id)) else {
                    return refused("51001", "Instrument ID does not exist");
                };
                let coin = &market.coins[at];
                let (bids, asks) = coin.book.top(asked.value("sz").and_then(|v| v.parse().ok()).unwrap_or(1));
                envelope(json!([{"asks": Self::levels(coin, &asks), "bids": Self::levels(coin, &bids),
                    "ts": market.now_ms.to_string(), "seqId": coin.last_id}]))
            }
            _ => Reply::unknown(),
        }
    }

    fn shutdown(&self) -> Option<String> {
        let msg = "The connection will soon be closed for a service upgrade. Please reconnect.";
        Some(json!({"event": "notice", "code": "64008", "msg": msg, "connId": CONN}).to_string())
    }

    fn gone(&self) -> &'static str {
        "suspend"
    }

    fn rebuilds(&self) -> bool {
        true
    }

    fn unheard_of(&self) -> String {
        r#"{"arg":{"channel":"weather","instId":"BTC-USDT"},"data":[{"w":"rain","ts":"1790000000000"}]}"#.to_owned()
    }
}
