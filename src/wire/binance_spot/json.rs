//! The slow way to read a Binance spot frame: a JSON parser that does not care about order, blanks or new fields.
//!
//! It decides about everything the scanner declines, and it is the oracle the scanner is tested against, so it shares
//! no number parsing with it: decimals go through `rust_decimal` ([`Grid`]).

use std::borrow::Cow;

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::message::TimeUnit;
use crate::market::PrintFlags;
use crate::wire::WireError;
use crate::wire::binance::decimals::{Grid, payload, shape};
use crate::wire::binance::replies::Reply;
use crate::wire::binance::{is_diff_channel, taker};
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
        None if combined => payload::<Event>("event", frame, true).ok().and_then(|event| Kind::of_event(&event.e)),
        kind => kind,
    };
    match kind {
        Some(Kind::Depth) => depth(payload("depthUpdate", frame, combined)?, symbols, unit),
        Some(Kind::Trade) => trade(payload("trade", frame, combined)?, symbols, unit, PrintFlags::NONE),
        Some(Kind::BlockTrade) => trade(payload("blockTrade", frame, combined)?, symbols, unit, PrintFlags::BLOCK),
        Some(Kind::AggTrade) => {
            let AggTrade { s, a, p, q, time, m } = payload("aggTrade", frame, combined)?;
            trade(RawTrade { s, t: a, p, q, time, m }, symbols, unit, PrintFlags::NONE)
        }
        Some(Kind::Bbo) => bbo(payload("bookTicker", frame, combined)?, symbols),
        Some(Kind::Shutdown) => Ok(News::ShutdownAnnounced),
        Some(Kind::Other) => Ok(News::Ignored),
        None if combined => Ok(News::Ignored),
        None => Reply::read(frame),
    }
}

/// Whose book a frame that cannot be read may have changed, as far as it still tells.
pub(super) fn book_concerned(frame: &[u8], symbols: &Symbols) -> Option<usize> {
    let head = String::from_utf8_lossy(&frame[..frame.len().min(300)]);
    if let Some((_, rest)) = head.split_once("\"stream\":\"") {
        let (symbol, channel) = rest.split('"').next()?.split_once('@')?;
        return if is_diff_channel(channel.as_bytes()) { symbols.find_lower(symbol) } else { None };
    }
    if !head.contains("\"depthUpdate\"") {
        return None;
    }
    let (_, rest) = head.split_once("\"s\":\"")?;
    symbols.find(rest.split('"').next()?.as_bytes())
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
            other if is_diff_channel(other.as_bytes()) => Some(Kind::Depth),
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
}

impl Outer<'_> {
    fn kind(&self) -> Option<Kind> {
        match &self.e {
            Some(event) => Kind::of_event(event),
            None => self.bid_qty.map(|_| Kind::Bbo),
        }
    }
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
    let grid = Grid::of(symbols.get(at));
    let (bids, asks) = (grid.levels("bid", &d.b)?, grid.levels("ask", &d.a)?);
    let link = Link::From(d.first);
    Ok(News::Change { at, change: Change { link, last: d.u, seq: None, time, bids, asks, checksum: None } })
}

fn trade(t: RawTrade, symbols: &Symbols, unit: TimeUnit, flags: PrintFlags) -> Result<News, WireError> {
    let at = find(symbols, &t.s)?;
    let out = || WireError::Shape { what: "trade", why: format!("T {} is out of range", t.time) };
    let time = unit.time(t.time).ok_or_else(out)?;
    let grid = Grid::of(symbols.get(at));
    let (price, qty) = (grid.price(&t.p)?, grid.traded(&t.q)?);
    Ok(News::Trade { at, time, trade: Trade { id: t.t, taker: taker(t.m), price, qty, flags } })
}

fn bbo(t: BookTicker, symbols: &Symbols) -> Result<News, WireError> {
    let at = find(symbols, &t.s)?;
    let grid = Grid::of(symbols.get(at));
    Ok(News::Bbo { at, time: None, seq: t.u, bid: grid.touch(&t.b, &t.bid_qty)?, ask: grid.touch(&t.a, &t.ask_qty)? })
}

fn find(symbols: &Symbols, symbol: &str) -> Result<usize, WireError> {
    symbols.find(symbol.as_bytes()).ok_or_else(|| WireError::UnknownSymbol(symbol.to_owned()))
}
