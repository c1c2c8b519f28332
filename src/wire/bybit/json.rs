//! The slow way to read a Bybit frame: a JSON parser that does not care about order, blanks or new fields.
//!
//! It decides about everything the scanner declines, and it is the oracle the scanner is tested against.

use std::borrow::Cow;

use rust_decimal::Decimal;
use serde::Deserialize;

use super::message::{Answer, Message, Page, Ticker, book_topic, flags, taker, trade_id};
use crate::market::Level;
use crate::units::{Nanos, Side, VenueTime};
use crate::wire::amount::Field;
use crate::wire::dialect::{Concerned, Trade};
use crate::wire::ladder::best_first;
use crate::wire::marks;
use crate::wire::stamp::millis;
use crate::wire::symbols::{Symbol, Symbols};
use crate::wire::{WireError, bybit::Category};

/// Reads any frame of a connection on which books have `depth` levels.
pub(super) fn parse(frame: &[u8], symbols: &Symbols, category: Category, depth: u32) -> Result<Message, WireError> {
    let outer: Outer<'_> = shape("frame", frame)?;
    let Some(topic) = outer.topic.as_deref() else { return Ok(outer.control()) };
    if let Some((levels, symbol)) = book_topic(topic.as_bytes()) {
        if levels != depth && levels != 1 {
            return Ok(Message::Ignored);
        }
        return page(shape("orderbook", frame)?, find(symbols, symbol)?, levels == 1, symbols);
    }
    if let Some(symbol) = topic.strip_prefix("publicTrade.") {
        return prints(shape("publicTrade", frame)?, find(symbols, symbol.as_bytes())?, symbols);
    }
    match (category, topic.strip_prefix("tickers.")) {
        (Category::Linear, Some(symbol)) => {
            ticker(shape("tickers", frame)?, find(symbols, symbol.as_bytes())?, symbols)
        }
        (Category::Linear | Category::Spot, _) => Ok(Message::Ignored),
    }
}

/// Whose book a frame that cannot be read may have changed, as far as it still tells.
pub(super) fn concerned(frame: &[u8], symbols: &Symbols, depth: u32) -> Concerned {
    // What is JSON names its topic; in what is not, it may still stand.
    if let Ok(outer) = serde_json::from_slice::<Outer<'_>>(frame) {
        return match outer.topic {
            Some(topic) => concerned_by(topic.as_bytes(), symbols, depth),
            None => Concerned::Nobody,
        };
    }
    const TOPIC: &[u8] = b"\"topic\":\"";
    let Some(start) = frame.windows(TOPIC.len()).position(|window| window == TOPIC) else {
        // An answer to a request has no topic, but it names its operation.
        let is_answer = frame.windows(5).any(|window| window == b"\"op\":");
        return if is_answer { Concerned::Nobody } else { Concerned::Everybody };
    };
    let rest = &frame[start + TOPIC.len()..];
    match rest.iter().position(|&b| b == b'"') {
        Some(end) => concerned_by(&rest[..end], symbols, depth),
        None => Concerned::Everybody,
    }
}

fn concerned_by(topic: &[u8], symbols: &Symbols, depth: u32) -> Concerned {
    match book_topic(topic) {
        Some((levels, symbol)) if levels == depth => symbols.find(symbol).map_or(Concerned::Nobody, Concerned::One),
        Some(_) => Concerned::Nobody,
        // A broken name of a topic may have been any.
        None if topic.starts_with(b"publicTrade.") || topic.starts_with(b"tickers.") => Concerned::Nobody,
        None => Concerned::Everybody,
    }
}

/// Everything a frame may have at its top.
#[derive(Deserialize)]
struct Outer<'a> {
    #[serde(borrow, default)]
    topic: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    op: Option<Cow<'a, str>>,
    #[serde(default)]
    success: Option<bool>,
    #[serde(default)]
    ret_msg: Option<String>,
    #[serde(default)]
    req_id: Option<String>,
}

impl Outer<'_> {
    fn control(self) -> Message {
        match (self.success, self.op) {
            (None, None) => Message::Ignored,
            (success, _) => Message::Answer(Answer {
                obeyed: success.unwrap_or(true),
                words: self.ret_msg.unwrap_or_default(),
                request: self.req_id.filter(|id| !id.is_empty()),
            }),
        }
    }
}

fn shape<'a, T: Deserialize<'a>>(what: &'static str, frame: &'a [u8]) -> Result<T, WireError> {
    serde_json::from_slice(frame).map_err(|e| WireError::Shape { what, why: e.to_string() })
}

fn find(symbols: &Symbols, symbol: &[u8]) -> Result<usize, WireError> {
    let unknown = || WireError::UnknownSymbol(String::from_utf8_lossy(symbol).into_owned());
    symbols.find(symbol).ok_or_else(unknown)
}

fn time(what: &'static str, count: u64) -> Result<VenueTime, WireError> {
    millis(count).ok_or_else(|| WireError::Shape { what, why: format!("time {count} is out of range") })
}

/// A topic and its payload that disagree are nobody's.
fn same(what: &'static str, symbol: &Symbol, named: &str) -> Result<(), WireError> {
    if symbol.instrument.symbol == named {
        return Ok(());
    }
    Err(WireError::Shape { what, why: format!("{named:?} under the topic of {}", symbol.instrument.symbol) })
}

#[derive(Deserialize)]
struct PageFrame {
    #[serde(rename = "type")]
    kind: String,
    ts: u64,
    cts: Option<u64>,
    data: PageData,
}

#[derive(Deserialize)]
struct PageData {
    s: String,
    b: Vec<(String, String)>,
    a: Vec<(String, String)>,
    u: u64,
    seq: u64,
}

fn page(frame: PageFrame, at: usize, top: bool, symbols: &Symbols) -> Result<Message, WireError> {
    let symbol = symbols.get(at);
    let bad = |why: String| WireError::Shape { what: "orderbook", why };
    let PageData { s, b, a, u, seq } = frame.data;
    same("orderbook", symbol, &s)?;
    let whole = match frame.kind.as_str() {
        "snapshot" => true,
        "delta" if top => {
            return Err(bad("a delta of the best bid and offer, which come as snapshots only".to_owned()));
        }
        "delta" => false,
        other => return Err(bad(format!("type is {other:?}"))),
    };
    let time = time("orderbook", frame.cts.unwrap_or(frame.ts))?;
    let (bids, asks) = (levels(symbol, "bid", &b)?, levels(symbol, "ask", &a)?);
    Ok(Message::Page(Page { at, top, whole, update: u, seq, time, bids, asks }))
}

fn levels(symbol: &Symbol, name: &'static str, pairs: &[(String, String)]) -> Result<Vec<Level>, WireError> {
    let field = Field { symbol: &symbol.instrument.symbol, name };
    let level = |(price, qty): &(String, String)| {
        Ok(Level { price: field.price(price, symbol.instrument.tick)?, qty: field.resting(qty, symbol.lot)? })
    };
    pairs.iter().map(level).collect()
}

#[derive(Deserialize)]
struct PrintsFrame {
    data: Vec<Print>,
}

#[derive(Deserialize)]
struct Print {
    #[serde(rename = "T")]
    time: u64,
    s: String,
    #[serde(rename = "S")]
    side: String,
    v: String,
    p: String,
    i: String,
    #[serde(rename = "BT", default)]
    block: bool,
    #[serde(rename = "RPI", default)]
    rpi: bool,
}

fn prints(frame: PrintsFrame, at: usize, symbols: &Symbols) -> Result<Message, WireError> {
    let symbol = symbols.get(at);
    let field = |name| Field { symbol: &symbol.instrument.symbol, name };
    let print = |print: Print| {
        same("publicTrade", symbol, &print.s)?;
        let side = taker(print.side.as_bytes());
        let bad = || WireError::Shape { what: "publicTrade", why: format!("side is {:?}", print.side) };
        let trade = Trade {
            id: trade_id(print.i.as_bytes()),
            taker: side.ok_or_else(bad)?,
            price: field("price").price(&print.p, symbol.instrument.tick)?,
            qty: field("quantity").traded(&print.v, symbol.lot)?,
            flags: flags(print.block, print.rpi),
        };
        Ok((time("publicTrade", print.time)?, trade))
    };
    Ok(Message::Prints { at, prints: frame.data.into_iter().map(print).collect::<Result<_, WireError>>()? })
}

#[derive(Deserialize)]
struct TickerFrame {
    #[serde(rename = "type")]
    kind: String,
    ts: u64,
    data: TickerData,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct TickerData {
    symbol: String,
    mark_price: Option<String>,
    index_price: Option<String>,
    funding_rate: Option<String>,
    next_funding_time: Option<String>,
    funding_interval_hour: Option<String>,
}

fn ticker(frame: TickerFrame, at: usize, symbols: &Symbols) -> Result<Message, WireError> {
    let symbol = symbols.get(at);
    same("tickers", symbol, &frame.data.symbol)?;
    let data = &frame.data;
    let ticker = Ticker {
        whole: frame.kind == "snapshot",
        mark: stated(symbol, "markPrice", &data.mark_price, marks::price)?,
        index: stated(symbol, "indexPrice", &data.index_price, marks::price)?,
        rate: stated(symbol, "fundingRate", &data.funding_rate, marks::rate)?,
        due: stated(symbol, "nextFundingTime", &data.next_funding_time, due)?,
        every: stated(symbol, "fundingIntervalHour", &data.funding_interval_hour, hours)?,
    };
    Ok(Message::Ticker { at, time: time("tickers", frame.ts)?, ticker })
}

fn due(field: Field<'_>, text: &str) -> Result<VenueTime, WireError> {
    text.parse().ok().and_then(millis).ok_or_else(|| field.bad(text, "is no count of milliseconds"))
}

fn hours(field: Field<'_>, text: &str) -> Result<Nanos, WireError> {
    let ns = field.decimal(text)?.checked_mul(Decimal::from(Nanos::from_s(3_600).0));
    let ns = ns.and_then(|ns| i64::try_from(ns).ok()).filter(|&ns| ns > 0);
    ns.map(Nanos).ok_or_else(|| field.bad(text, "is no length of time"))
}

/// A number that may be left out; an empty text leaves it out too.
fn stated<T>(
    symbol: &Symbol,
    name: &'static str,
    text: &Option<String>,
    read: fn(Field<'_>, &str) -> Result<T, WireError>,
) -> Result<Option<T>, WireError> {
    let field = Field { symbol: &symbol.instrument.symbol, name };
    text.as_deref().filter(|text| !text.is_empty()).map(|text| read(field, text)).transpose()
}

/// Puts a snapshot's sides in order.
pub(super) fn put_in_order(page: &mut Page) {
    best_first(Side::Bid, &mut page.bids);
    best_first(Side::Ask, &mut page.asks);
}
