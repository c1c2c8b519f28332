//! The slow way to read a Binance spot frame: a JSON parser that does not care about order, blanks or new fields.
//!
//! It decides about everything the scanner declines, and it is the oracle the scanner is tested against, so it shares
//! no number parsing with it: decimals go through `rust_decimal` and [`Step::count`].

use std::borrow::Cow;

use rust_decimal::Decimal;
use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};

use super::message::{TimeUnit, taker, touch};
use crate::market::{Instrument, Level, PrintFlags};
use crate::units::{Lots, NotOnStep, Step, Ticks};
use crate::wire::WireError;
use crate::wire::depth_sync::Snapshot;
use crate::wire::dialect::{Change, Link, News, Trade};
use crate::wire::symbols::Symbols;

/// Reads any frame. An error names what could not be understood; [`book_concerned`] then says whose book suffers.
pub(super) fn parse(frame: &[u8], symbols: &Symbols, unit: TimeUnit) -> Result<News, WireError> {
    let outer: Outer<'_> = shape("frame", serde_json::from_slice(frame))?;
    let combined = outer.stream.is_some();
    let kind = match &outer.stream {
        Some(stream) => Kind::of_stream(stream),
        None => outer.kind(),
    };
    let kind = match kind {
        // A notice may come under any stream name.
        None if combined => from::<Event>("event", frame, true).ok().and_then(|event| Kind::of_event(&event.e)),
        kind => kind,
    };
    match kind {
        Some(Kind::Depth) => depth(from("depthUpdate", frame, combined)?, symbols, unit),
        Some(Kind::Trade) => trade(from("trade", frame, combined)?, symbols, unit, PrintFlags::NONE),
        Some(Kind::BlockTrade) => trade(from("blockTrade", frame, combined)?, symbols, unit, PrintFlags::BLOCK),
        Some(Kind::AggTrade) => {
            let AggTrade { s, a, p, q, time, m } = from("aggTrade", frame, combined)?;
            trade(RawTrade { s, t: a, p, q, time, m }, symbols, unit, PrintFlags::NONE)
        }
        Some(Kind::Bbo) => bbo(from("bookTicker", frame, combined)?, symbols),
        Some(Kind::Shutdown) => Ok(News::ShutdownAnnounced),
        Some(Kind::Other) => Ok(News::Ignored),
        None => Ok(outer.control()),
    }
}

/// Whose book a frame that cannot be read may have changed, as far as it still tells.
pub(super) fn book_concerned(frame: &[u8], symbols: &Symbols) -> Option<usize> {
    let head = String::from_utf8_lossy(&frame[..frame.len().min(300)]);
    if let Some((_, rest)) = head.split_once("\"stream\":\"") {
        let (symbol, channel) = rest.split('"').next()?.split_once('@')?;
        return if is_diff_channel(channel) { symbols.find_lower(symbol) } else { None };
    }
    if !head.contains("\"depthUpdate\"") {
        return None;
    }
    let (_, rest) = head.split_once("\"s\":\"")?;
    symbols.find(rest.split('"').next()?.as_bytes())
}

/// `depth` and `depth@100ms` carry differences; `depth5`, `depth20@100ms` are something else.
fn is_diff_channel(channel: &str) -> bool {
    channel == "depth" || channel.starts_with("depth@")
}

#[derive(Clone, Copy)]
enum Kind {
    Depth,
    Trade,
    AggTrade,
    BlockTrade,
    Bbo,
    Shutdown,
    Other,
}

impl Kind {
    fn of_stream(stream: &str) -> Option<Self> {
        let channel = stream.split_once('@').map_or(stream, |(_, channel)| channel);
        match channel {
            "trade" => Some(Kind::Trade),
            "aggTrade" => Some(Kind::AggTrade),
            "blockTrade" => Some(Kind::BlockTrade),
            "bookTicker" | "!bookTicker" => Some(Kind::Bbo),
            "!serverShutdown" => Some(Kind::Shutdown),
            other if is_diff_channel(other) => Some(Kind::Depth),
            _ => None,
        }
    }

    fn of_event(event: &str) -> Option<Self> {
        match event {
            "depthUpdate" => Some(Kind::Depth),
            "trade" => Some(Kind::Trade),
            "aggTrade" => Some(Kind::AggTrade),
            "blockTrade" => Some(Kind::BlockTrade),
            "serverShutdown" => Some(Kind::Shutdown),
            _ => Some(Kind::Other),
        }
    }
}

/// Everything a frame may have at its top.
#[derive(Deserialize)]
struct Outer<'a> {
    #[serde(borrow, default)]
    stream: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    e: Option<Cow<'a, str>>,
    /// With `B` and without `e`, a raw `bookTicker`.
    #[serde(default, rename = "B")]
    bid_qty: Option<IgnoredAny>,
    #[serde(default)]
    error: Option<Refusal>,
    #[serde(default)]
    code: Option<i64>,
    #[serde(borrow, default)]
    msg: Option<Cow<'a, str>>,
    #[serde(default)]
    id: Option<IgnoredAny>,
    #[serde(default)]
    result: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct Refusal {
    #[serde(default)]
    code: i64,
    #[serde(default)]
    msg: String,
}

impl Outer<'_> {
    fn kind(&self) -> Option<Kind> {
        match &self.e {
            Some(event) => Kind::of_event(event),
            None => self.bid_qty.map(|_| Kind::Bbo),
        }
    }

    fn control(&self) -> News {
        if let Some(Refusal { code, msg }) = &self.error {
            News::Denied { at: None, words: format!("{code} {msg}"), final_: false }
        } else if let (Some(code), Some(msg)) = (self.code, &self.msg) {
            News::Denied { at: None, words: format!("{code} {msg}"), final_: false }
        } else if self.stream.is_none() && (self.id.is_some() || self.result.is_some()) {
            News::Alive
        } else {
            News::Ignored
        }
    }
}

#[derive(Deserialize)]
struct Combined<T> {
    data: T,
}

fn from<T: DeserializeOwned>(what: &'static str, frame: &[u8], combined: bool) -> Result<T, WireError> {
    if combined {
        shape(what, serde_json::from_slice::<Combined<T>>(frame)).map(|c| c.data)
    } else {
        shape(what, serde_json::from_slice(frame))
    }
}

fn shape<T>(what: &'static str, parsed: serde_json::Result<T>) -> Result<T, WireError> {
    parsed.map_err(|e| WireError::Shape { what, why: e.to_string() })
}

#[derive(Deserialize)]
struct Event {
    e: String,
}

#[derive(Deserialize)]
struct DepthUpdate {
    e: String,
    #[serde(rename = "E")]
    time: u64,
    s: String,
    #[serde(rename = "U")]
    first: u64,
    u: u64,
    b: Vec<(String, String)>,
    a: Vec<(String, String)>,
}

#[derive(Deserialize)]
struct RawTrade {
    s: String,
    t: u64,
    p: String,
    q: String,
    #[serde(rename = "T")]
    time: u64,
    m: bool,
}

#[derive(Deserialize)]
struct AggTrade {
    s: String,
    a: u64,
    p: String,
    q: String,
    #[serde(rename = "T")]
    time: u64,
    m: bool,
}

#[derive(Deserialize)]
struct BookTicker {
    s: String,
    u: u64,
    b: String,
    #[serde(rename = "B")]
    bid_qty: String,
    a: String,
    #[serde(rename = "A")]
    ask_qty: String,
}

fn depth(d: DepthUpdate, symbols: &Symbols, unit: TimeUnit) -> Result<News, WireError> {
    let at = find(symbols, &d.s)?;
    let bad = |why: String| WireError::Shape { what: "depthUpdate", why };
    if d.e != "depthUpdate" {
        return Err(bad(format!("event is {:?}", d.e)));
    }
    if d.first > d.u {
        return Err(bad(format!("U {} is after u {}", d.first, d.u)));
    }
    let time = Some(unit.time(d.time).ok_or_else(|| bad(format!("E {} is out of range", d.time)))?);
    let instrument = &symbols.get(at).instrument;
    let (bids, asks) = (levels(instrument, "bid", &d.b)?, levels(instrument, "ask", &d.a)?);
    let link = Link::From(d.first);
    Ok(News::Change { at, change: Change { link, last: d.u, seq: None, time, bids, asks, checksum: None } })
}

fn trade(t: RawTrade, symbols: &Symbols, unit: TimeUnit, flags: PrintFlags) -> Result<News, WireError> {
    let at = find(symbols, &t.s)?;
    let out = || WireError::Shape { what: "trade", why: format!("T {} is out of range", t.time) };
    let time = unit.time(t.time).ok_or_else(out)?;
    let instrument = &symbols.get(at).instrument;
    let price = Ticks(positive(instrument, "price", &t.p, instrument.tick)?);
    let qty = Lots(positive(instrument, "quantity", &t.q, instrument.lot)?);
    Ok(News::Trade { at, time, trade: Trade { id: t.t, taker: taker(t.m), price, qty, flags } })
}

fn bbo(t: BookTicker, symbols: &Symbols) -> Result<News, WireError> {
    let at = find(symbols, &t.s)?;
    let instrument = &symbols.get(at).instrument;
    let side = |price: &str, qty: &str| -> Result<Option<Level>, WireError> {
        let price = number(instrument, "price", price, instrument.tick)?;
        Ok(touch(price, resting(instrument, "quantity", qty)?))
    };
    Ok(News::Bbo { at, time: None, seq: t.u, bid: side(&t.b, &t.bid_qty)?, ask: side(&t.a, &t.ask_qty)? })
}

fn find(symbols: &Symbols, symbol: &str) -> Result<usize, WireError> {
    symbols.find(symbol.as_bytes()).ok_or_else(|| WireError::UnknownSymbol(symbol.to_owned()))
}

fn levels(instrument: &Instrument, field: &'static str, pairs: &[(String, String)]) -> Result<Vec<Level>, WireError> {
    let level = |(price, qty): &(String, String)| {
        Ok(Level {
            price: Ticks(positive(instrument, field, price, instrument.tick)?),
            qty: Lots(resting(instrument, field, qty)?),
        })
    };
    pairs.iter().map(level).collect()
}

fn positive(instrument: &Instrument, field: &'static str, text: &str, step: Step) -> Result<i64, WireError> {
    match number(instrument, field, text, step)? {
        0 => Err(bad_number(instrument, field, text, "is zero")),
        count => Ok(count),
    }
}

/// A quantity that rests. Orders older than the present lot size may rest with finer quantities (BTCUSDT had
/// 191.389006 BTC at 100,000 in August 2024, with a lot of 0.00001). That must not cost us the book, and nobody
/// trades the dust: it counts as one more lot, so that no level disappears and no queue looks shorter than it is.
fn resting(instrument: &Instrument, field: &'static str, text: &str) -> Result<i64, WireError> {
    let lot = instrument.lot;
    let value = decimal(instrument, field, text)?;
    match lot.count(value) {
        Ok(count) => Ok(count),
        Err(NotOnStep::Between { .. }) => Ok(lot.count_floor(value).saturating_add(1)),
        Err(error) => Err(bad_number(instrument, field, text, &error.to_string())),
    }
}

fn number(instrument: &Instrument, field: &'static str, text: &str, step: Step) -> Result<i64, WireError> {
    let value = decimal(instrument, field, text)?;
    step.count(value).map_err(|e| bad_number(instrument, field, text, &e.to_string()))
}

fn decimal(instrument: &Instrument, field: &'static str, text: &str) -> Result<Decimal, WireError> {
    let bad = |why: &str| bad_number(instrument, field, text, why);
    let value = Decimal::from_str_exact(text).map_err(|e| bad(&e.to_string()))?;
    if value.is_sign_negative() && !value.is_zero() { Err(bad("is negative")) } else { Ok(value) }
}

fn bad_number(instrument: &Instrument, field: &'static str, text: &str, why: &str) -> WireError {
    let value = text.chars().take(40).collect();
    WireError::Number { symbol: instrument.symbol.clone(), field, value, why: why.to_owned() }
}

#[derive(Deserialize)]
struct DepthReply {
    #[serde(rename = "lastUpdateId")]
    last: u64,
    bids: Vec<(String, String)>,
    asks: Vec<(String, String)>,
}

/// The body of `GET /api/v3/depth`.
pub(super) fn snapshot(body: &[u8], instrument: &Instrument) -> Result<Snapshot, WireError> {
    let DepthReply { last, bids, asks } = shape("depth snapshot", serde_json::from_slice(body))?;
    let (bids, asks) = (levels(instrument, "bid", &bids)?, levels(instrument, "ask", &asks)?);
    let ordered = bids.windows(2).all(|w| w[0].price > w[1].price) && asks.windows(2).all(|w| w[0].price < w[1].price);
    if !ordered {
        return Err(WireError::Shape { what: "depth snapshot", why: "levels are not best first".to_owned() });
    }
    Ok(Snapshot { last, bids, asks })
}
