//! The slow way to read a Kraken frame: a JSON parser that does not care about order, blanks or new fields.
//!
//! It decides about everything the scanner declines, and is what the scanner is tested against. Numbers are taken as
//! the text they are written in, never as floats. What is wrong with one symbol leaves the others of its frame alone.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::rules::{self, Pair};
use super::taker;
use crate::market::{Level, PrintFlags};
use crate::units::{Nanos, Side};
use crate::wire::WireError;
use crate::wire::amount::Field;
use crate::wire::dialect::{Change, Link, News, Trade};
use crate::wire::ladder::best_first;
use crate::wire::stamp::rfc3339;
use crate::wire::symbols::Symbols;

/// What a frame says beyond [`News`]: the dialect makes news of it, because it concerns what it remembers.
#[derive(Clone, Debug)]
pub(super) enum Beyond<'a> {
    Nothing,
    /// The rules of pairs.
    Pairs(Vec<Pair<'a>>),
    /// How the whole venue is.
    System(Cow<'a, str>),
}

/// Reads any frame. On an error what stands in `news` does not count.
pub(super) fn parse<'a>(
    frame: &'a [u8],
    depth: usize,
    symbols: &Symbols,
    news: &mut Vec<News>,
) -> Result<Beyond<'a>, WireError> {
    let outer: Outer<'_> = shape("frame", serde_json::from_slice(frame))?;
    let from = news.len();
    let data = outer.data.map_or("null", RawValue::get);
    match outer.channel.as_deref() {
        Some("book") => {
            for part in shape::<Vec<&RawValue>>("book", serde_json::from_str(data))? {
                book(part, outer.kind.as_deref(), depth, symbols, news)?;
            }
        }
        Some("trade") => match outer.kind.as_deref() {
            Some("update") => {
                for part in shape::<Vec<&RawValue>>("trade", serde_json::from_str(data))? {
                    news.extend(trade(part, symbols)?);
                }
            }
            // What was traded before we came.
            Some("snapshot") => {}
            other => return Err(bad("trade", format!("type is {other:?}"))),
        },
        Some("instrument") => return rules::pairs(data).map(Beyond::Pairs),
        Some("status") => {
            let mut systems: Vec<System<'_>> = shape("status", serde_json::from_str(data))?;
            if let Some(last) = systems.pop() {
                return Ok(Beyond::System(last.system));
            }
        }
        Some("heartbeat") => news.push(News::Alive),
        Some(_) => {}
        None if outer.success == Some(false) => news.push(refusal(&outer, symbols)),
        None if outer.method.is_some() => news.push(News::Alive),
        None => {}
    }
    if news.len() == from {
        news.push(News::Ignored);
    }
    Ok(Beyond::Nothing)
}

/// The pairs in a frame of the `instrument` channel.
pub(super) fn pairs(frame: &[u8]) -> Result<Vec<Pair<'_>>, WireError> {
    let outer: Outer<'_> = shape("instrument", serde_json::from_slice(frame))?;
    match (outer.channel.as_deref(), outer.data) {
        (Some("instrument"), Some(data)) => rules::pairs(data.get()),
        (channel, _) => Err(bad("instrument", format!("channel is {channel:?}"))),
    }
}

/// Everything a frame may have at its top.
#[derive(Deserialize)]
struct Outer<'a> {
    #[serde(borrow, default)]
    channel: Option<Cow<'a, str>>,
    #[serde(borrow, default, rename = "type")]
    kind: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    data: Option<&'a RawValue>,
    #[serde(borrow, default)]
    method: Option<Cow<'a, str>>,
    #[serde(default)]
    success: Option<bool>,
    #[serde(borrow, default)]
    error: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    symbol: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct System<'a> {
    #[serde(borrow)]
    system: Cow<'a, str>,
}

/// As much of a part as tells whose it is.
#[derive(Deserialize)]
struct Owner<'a> {
    #[serde(borrow)]
    symbol: Cow<'a, str>,
}

#[derive(Deserialize)]
struct Book<'a> {
    #[serde(borrow, default)]
    bids: Vec<Rung<'a>>,
    #[serde(borrow, default)]
    asks: Vec<Rung<'a>>,
    #[serde(default)]
    checksum: Option<u32>,
    #[serde(borrow, default)]
    timestamp: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct Rung<'a> {
    #[serde(borrow)]
    price: &'a RawValue,
    #[serde(borrow)]
    qty: &'a RawValue,
}

#[derive(Deserialize)]
struct Print<'a> {
    #[serde(borrow)]
    side: Cow<'a, str>,
    #[serde(borrow)]
    price: &'a RawValue,
    #[serde(borrow)]
    qty: &'a RawValue,
    trade_id: u64,
    #[serde(borrow)]
    timestamp: Cow<'a, str>,
}

fn book(
    part: &RawValue,
    kind: Option<&str>,
    depth: usize,
    symbols: &Symbols,
    news: &mut Vec<News>,
) -> Result<(), WireError> {
    let owner: Owner<'_> = shape("book", serde_json::from_str(part.get()))?;
    if let Some(at) = symbols.find(owner.symbol.as_bytes()) {
        news.push(levels(part, kind, depth, symbols, at).unwrap_or_else(|error| News::Unreadable { at, error }));
    }
    Ok(())
}

/// A checksum is all that ties a change to the book, so there is none without. A snapshot may have none: old ones did
/// not, and the next change proves it.
fn levels(part: &RawValue, kind: Option<&str>, depth: usize, symbols: &Symbols, at: usize) -> Result<News, WireError> {
    let Book { bids, asks, checksum, timestamp } = shape("book", serde_json::from_str(part.get()))?;
    let (tick, lot) = symbols.steps(at);
    let field = |name| Field { symbol: &symbols.get(at).instrument.symbol, name };
    let read = |rungs: &[Rung<'_>]| -> Result<Vec<Level>, WireError> {
        let level = |rung: &Rung<'_>| {
            let price = field("price").price(rung.price.get(), tick)?;
            Ok(Level { price, qty: field("qty").resting(rung.qty.get(), lot)? })
        };
        rungs.iter().map(level).collect()
    };
    let (mut bids, mut asks) = (read(&bids)?, read(&asks)?);
    let time = timestamp.and_then(|text| rfc3339(text.as_bytes()));
    match kind {
        Some("update") if checksum.is_none() => Err(bad("book", "a change has no checksum".to_owned())),
        Some("update") => {
            let change = Change { link: Link::None, last: 0, seq: None, time, bids, asks, checksum };
            Ok(News::Change { at, change })
        }
        Some("snapshot") => {
            best_first(Side::Bid, &mut bids);
            best_first(Side::Ask, &mut asks);
            let complete = bids.len().max(asks.len()) < depth;
            Ok(News::Snapshot { at, last: 0, seq: None, time, bids, asks, complete, checksum })
        }
        other => Err(bad("book", format!("type is {other:?}"))),
    }
}

fn trade(part: &RawValue, symbols: &Symbols) -> Result<Option<News>, WireError> {
    let owner: Owner<'_> = shape("trade", serde_json::from_str(part.get()))?;
    let Some(at) = symbols.find(owner.symbol.as_bytes()) else { return Ok(None) };
    let Print { side, price, qty, trade_id, timestamp } = shape("trade", serde_json::from_str(part.get()))?;
    let (tick, lot) = symbols.steps(at);
    let field = |name| Field { symbol: &symbols.get(at).instrument.symbol, name };
    let taker = taker(side.as_bytes()).ok_or_else(|| bad("trade", format!("side is {side:?}")))?;
    let price = field("price").price(price.get(), tick)?;
    let qty = field("qty").traded(qty.get(), lot)?;
    let time = rfc3339(timestamp.as_bytes()).ok_or_else(|| bad("trade", format!("timestamp is {timestamp:?}")))?;
    Ok(Some(News::Trade { at, time, trade: Trade { id: trade_id, taker, price, qty, flags: PrintFlags::NONE } }))
}

/// A request that was not obeyed. Having asked twice is no harm: the book comes anyway.
fn refusal(outer: &Outer<'_>, symbols: &Symbols) -> News {
    let words = outer.error.as_deref().unwrap_or_default();
    let lower = words.to_lowercase();
    if lower.contains("already subscribed") {
        return News::Alive;
    }
    if lower.contains("rate limit") || lower.contains("too many") {
        return News::RateLimited { code: 429, wait: Nanos::from_s(10) };
    }
    let at = outer.symbol.as_deref().and_then(|symbol| symbols.find(symbol.as_bytes()));
    let final_ = lower.contains("not supported") || lower.contains("not found") || lower.contains("permission");
    let words = match (&outer.symbol, &outer.method) {
        (Some(symbol), _) if !words.contains(symbol.as_ref()) => format!("{symbol}: {words}"),
        (Some(_), _) => words.to_owned(),
        (None, method) => format!("{}: {words}", method.as_deref().unwrap_or("request")),
    };
    News::Denied { at, words, final_ }
}

pub(super) fn shape<T>(what: &'static str, parsed: serde_json::Result<T>) -> Result<T, WireError> {
    parsed.map_err(|e| bad(what, e.to_string()))
}

pub(super) fn bad(what: &'static str, why: String) -> WireError {
    WireError::Shape { what, why }
}
