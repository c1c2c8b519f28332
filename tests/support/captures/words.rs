//! What every venue's frames say about books and prints, read by `serde_json` and nothing else.

use papermaker::market::VenueId;
use rust_decimal::Decimal;
use serde_json::Value;

use super::rebuilt::Print;

/// How a change follows its predecessor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tie {
    /// It covers everything from this number on (Binance spot).
    From(u64),
    /// It follows `prev`; the first after a REST snapshot has to contain it (Binance futures).
    Bridge { first: u64, prev: u64 },
    /// It follows this number.
    After(u64),
    /// It is one more.
    Next,
    /// It does not say.
    None,
}

/// One thing that a frame says.
#[derive(Clone, Debug)]
pub enum Fact {
    Whole { last: Option<u64>, bids: Vec<[String; 2]>, asks: Vec<[String; 2]>, checksum: Option<i64> },
    Part { tie: Tie, last: u64, bids: Vec<[String; 2]>, asks: Vec<[String; 2]>, checksum: Option<i64> },
    Print(Print),
}

/// JSON with its numbers as strings, so that no digit is lost.
pub fn json(text: &str) -> Option<Value> {
    let mut quoted = String::with_capacity(text.len() + 64);
    let (mut inside, mut escaped, mut number) = (false, false, false);
    for c in text.chars() {
        let digit = !inside
            && (c.is_ascii_digit() || (c == '-' && !number) || (number && matches!(c, '.' | 'e' | 'E' | '+' | '-')));
        if digit != number {
            quoted.push('"');
            number = digit;
        }
        quoted.push(c);
        if inside && !escaped && c == '\\' {
            escaped = true;
            continue;
        }
        if c == '"' && !escaped {
            inside = !inside;
        }
        escaped = false;
    }
    serde_json::from_str(&quoted).ok()
}

/// An integer that [`json`] made a string of, or that was one.
pub fn int(value: &Value) -> Option<u64> {
    value.as_str()?.parse().ok()
}

/// `[["price","qty",…],…]`.
pub fn pairs(levels: &Value) -> Vec<[String; 2]> {
    list(levels).iter().map(|l| [text(&l[0]), text(&l[1])]).collect()
}

/// The facts of a frame, with the instrument each is about.
pub fn facts(venue: VenueId, frame: &Value) -> Vec<(String, Fact)> {
    match venue {
        VenueId::Imported => panic!("known from files only"),
        VenueId::BinanceSpot | VenueId::BinanceUsdm | VenueId::BinanceCoinm => binance(venue, frame),
        VenueId::BybitSpot | VenueId::BybitLinear => bybit(frame),
        VenueId::Okx => okx(frame),
        VenueId::Coinbase => coinbase(frame),
        VenueId::Kraken => kraken(frame),
        VenueId::Hyperliquid => hyperliquid(frame),
        VenueId::Deribit => deribit(frame),
    }
}

/// The levels in a frame, with the instrument each is about.
pub fn levels(venue: VenueId, frame: &Value) -> Vec<(String, Vec<[String; 2]>)> {
    let levels = |fact: Fact| match fact {
        Fact::Whole { bids, asks, .. } | Fact::Part { bids, asks, .. } => [bids, asks].concat(),
        Fact::Print(_) => Vec::new(),
    };
    facts(venue, frame).into_iter().map(|(symbol, fact)| (symbol, levels(fact))).collect()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn print(id: &Value, price: &Value, qty: &Value, taker_buys: bool) -> Fact {
    let number = |v: &Value| v.as_str().and_then(|t| t.parse::<Decimal>().ok()).expect("a number in a print");
    Fact::Print(Print { id: text(id), price: number(price), qty: number(qty), taker_buys })
}

fn binance(venue: VenueId, frame: &Value) -> Vec<(String, Fact)> {
    let data = &frame["data"];
    let fact = match data["e"].as_str() {
        Some("depthUpdate") => {
            let (Some(first), Some(last)) = (int(&data["U"]), int(&data["u"])) else { return Vec::new() };
            let tie = match (venue, int(&data["pu"])) {
                (VenueId::BinanceSpot, _) | (_, None) => Tie::From(first),
                (_, Some(prev)) => Tie::Bridge { first, prev },
            };
            Fact::Part { tie, last, bids: pairs(&data["b"]), asks: pairs(&data["a"]), checksum: None }
        }
        // The insurance fund's prints happen off the book.
        Some("trade") if data["X"].as_str().is_none_or(|kind| kind == "MARKET") => {
            print(&data["t"], &data["p"], &data["q"], data["m"] == false)
        }
        Some("aggTrade") => print(&data["a"], &data["p"], &data["q"], data["m"] == false),
        Some(_) | None => return Vec::new(),
    };
    vec![(text(&data["s"]), fact)]
}

fn bybit(frame: &Value) -> Vec<(String, Fact)> {
    let (topic, data) = (text(&frame["topic"]), &frame["data"]);
    if topic.starts_with("publicTrade.") {
        let trade = |t: &Value| (text(&t["s"]), print(&t["i"], &t["p"], &t["v"], t["S"] == "Buy"));
        return list(data).iter().map(trade).collect();
    }
    // The top of one level is another feed.
    if !topic.starts_with("orderbook.") || topic.starts_with("orderbook.1.") {
        return Vec::new();
    }
    let (bids, asks) = (pairs(&data["b"]), pairs(&data["a"]));
    let Some(last) = int(&data["u"]) else { return Vec::new() };
    let fact = if frame["type"] == "snapshot" || last == 1 {
        Fact::Whole { last: Some(last), bids, asks, checksum: None }
    } else {
        Fact::Part { tie: Tie::Next, last, bids, asks, checksum: None }
    };
    vec![(text(&data["s"]), fact)]
}

fn okx(frame: &Value) -> Vec<(String, Fact)> {
    let channel = text(&frame["arg"]["channel"]);
    let symbol = text(&frame["arg"]["instId"]);
    let fact = |data: &Value| {
        if channel.starts_with("trades") {
            return Some(print(&data["tradeId"], &data["px"], &data["sz"], data["side"] == "buy"));
        }
        let (bids, asks) = (pairs(&data["bids"]), pairs(&data["asks"]));
        let (last, checksum) = (int(&data["seqId"]), data["checksum"].as_str().and_then(|c| c.parse().ok()));
        match frame["action"].as_str()? {
            "snapshot" => Some(Fact::Whole { last, bids, asks, checksum }),
            // Older recordings have no numbers.
            _ => {
                let tie = int(&data["prevSeqId"]).map_or(Tie::None, Tie::After);
                Some(Fact::Part { tie, last: last.unwrap_or_default(), bids, asks, checksum })
            }
        }
    };
    list(&frame["data"]).iter().filter_map(fact).map(|fact| (symbol.clone(), fact)).collect()
}

fn coinbase(frame: &Value) -> Vec<(String, Fact)> {
    let mut facts = Vec::new();
    for event in list(&frame["events"]) {
        // The first message of the tape is what was traded before.
        if frame["channel"] == "market_trades" && event["type"] == "update" {
            // Newest first; the side is that of the maker.
            facts.extend(list(&event["trades"]).iter().rev().map(|t| {
                (text(&t["product_id"]), print(&t["trade_id"], &t["price"], &t["size"], t["side"] == "SELL"))
            }));
        }
        if frame["channel"] == "l2_data" {
            let side = |word: &str| {
                let levels = list(&event["updates"]).iter().filter(|u| u["side"] == word);
                levels.map(|u| [text(&u["price_level"]), text(&u["new_quantity"])]).collect::<Vec<_>>()
            };
            let (bids, asks) = (side("bid"), side("offer"));
            facts.push((
                text(&event["product_id"]),
                if event["type"] == "snapshot" {
                    Fact::Whole { last: None, bids, asks, checksum: None }
                } else {
                    Fact::Part { tie: Tie::None, last: 0, bids, asks, checksum: None }
                },
            ));
        }
    }
    facts
}

fn kraken(frame: &Value) -> Vec<(String, Fact)> {
    let channel = text(&frame["channel"]);
    let fact = |data: &Value| {
        if channel == "trade" {
            return Some(print(&data["trade_id"], &data["price"], &data["qty"], data["side"] == "buy"));
        }
        if channel != "book" {
            return None;
        }
        let side = |key: &str| list(&data[key]).iter().map(|l| [text(&l["price"]), text(&l["qty"])]).collect();
        let (bids, asks) = (side("bids"), side("asks"));
        let checksum = data["checksum"].as_str().and_then(|c| c.parse().ok());
        Some(if frame["type"] == "snapshot" {
            Fact::Whole { last: None, bids, asks, checksum }
        } else {
            Fact::Part { tie: Tie::None, last: 0, bids, asks, checksum }
        })
    };
    list(&frame["data"]).iter().filter_map(|data| Some((text(&data["symbol"]), fact(data)?))).collect()
}

fn hyperliquid(frame: &Value) -> Vec<(String, Fact)> {
    let data = &frame["data"];
    if frame["channel"] == "trades" {
        let trade = |t: &Value| (text(&t["coin"]), print(&t["tid"], &t["px"], &t["sz"], t["side"] == "B"));
        return list(data).iter().map(trade).collect();
    }
    if frame["channel"] != "l2Book" {
        return Vec::new();
    }
    let side = |k: usize| list(&data["levels"][k]).iter().map(|l| [text(&l["px"]), text(&l["sz"])]).collect();
    let fact = Fact::Whole { last: int(&data["time"]), bids: side(0), asks: side(1), checksum: None };
    vec![(text(&data["coin"]), fact)]
}

fn deribit(frame: &Value) -> Vec<(String, Fact)> {
    let channel = text(&frame["params"]["channel"]);
    let data = &frame["params"]["data"];
    if channel.starts_with("trades.") {
        let trade = |t: &Value| {
            (text(&t["instrument_name"]), print(&t["trade_seq"], &t["price"], &t["amount"], t["direction"] == "buy"))
        };
        return list(data).iter().map(trade).collect();
    }
    if !channel.starts_with("book.") {
        return Vec::new();
    }
    // ["new", price, amount]
    let side = |key: &str| list(&data[key]).iter().map(|l| [text(&l[1]), text(&l[2])]).collect();
    let (bids, asks) = (side("bids"), side("asks"));
    let last = int(&data["change_id"]);
    let fact = match int(&data["prev_change_id"]) {
        Some(prev) => Fact::Part { tie: Tie::After(prev), last: last.unwrap_or_default(), bids, asks, checksum: None },
        None => Fact::Whole { last, bids, asks, checksum: None },
    };
    vec![(text(&data["instrument_name"]), fact)]
}
