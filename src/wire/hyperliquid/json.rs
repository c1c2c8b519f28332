//! The slow way to read a Hyperliquid frame: a JSON parser that does not care about order, blanks or new fields.
//!
//! It decides about everything the scanner declines, and it is the oracle the scanner is tested against.

use std::borrow::Cow;

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use super::frame::{Frame, Print, taker};
use crate::market::{Level, Mark, PrintFlags};
use crate::units::Side;
use crate::wire::amount::Field;
use crate::wire::dialect::{Concerned, Trade};
use crate::wire::ladder::best_first;
use crate::wire::symbols::Symbols;
use crate::wire::{WireError, marks, stamp};

/// What older servers say when a socket opens. It is no JSON.
const GREETING: &[u8] = b"Websocket connection established.";

/// Reads any frame. An error names what could not be understood; [`concerned`] then says whose book suffers.
pub(super) fn parse(frame: &[u8], symbols: &Symbols) -> Result<Frame, WireError> {
    if frame.trim_ascii() == GREETING {
        return Ok(Frame::Ignored);
    }
    let Outer { channel, data, past } = shape("frame", serde_json::from_slice(frame))?;
    let data = data.map_or("null", RawValue::get);
    match &*channel {
        "l2Book" => book(shape("l2Book", serde_json::from_str(data))?, symbols),
        "bbo" => bbo(shape("bbo", serde_json::from_str(data))?, symbols),
        "trades" => {
            let prints: Vec<RawPrint<'_>> = shape("trades", serde_json::from_str(data))?;
            let prints = prints.iter().map(|p| print(p, symbols)).collect::<Result<_, _>>()?;
            Ok(Frame::Trades { past, prints })
        }
        "activeAssetCtx" | "activeSpotAssetCtx" => context(&shape("context", serde_json::from_str(data))?, symbols),
        "pong" | "subscriptionResponse" => Ok(Frame::Answered),
        "error" => {
            let words = serde_json::from_str::<String>(data).unwrap_or_else(|_| data.to_owned());
            // We have what we asked for.
            let harmless = words.starts_with("Already subscribed");
            Ok(if harmless { Frame::Answered } else { Frame::Refused(words.chars().take(300).collect()) })
        }
        _ => Ok(Frame::Ignored),
    }
}

/// Whose book a frame that cannot be read may have changed, as far as its beginning still tells.
pub(super) fn concerned(frame: &[u8], symbols: &Symbols) -> Concerned {
    let head = String::from_utf8_lossy(&frame[..frame.len().min(300)]);
    let value_of = |key: &str| {
        let (_, rest) = head.split_once(key)?;
        let (value, _) = rest.trim_start().strip_prefix(':')?.trim_start().strip_prefix('"')?.split_once('"')?;
        Some(value)
    };
    match value_of("\"channel\"") {
        Some("l2Book") => match value_of("\"coin\"") {
            Some(coin) => symbols.find(coin.as_bytes()).map_or(Concerned::Nobody, Concerned::One),
            None => Concerned::Everybody,
        },
        Some(_) => Concerned::Nobody,
        None => Concerned::Everybody,
    }
}

/// Which instrument the venue's words are about, if they name one.
pub(super) fn named(words: &str, symbols: &Symbols) -> Option<usize> {
    let (_, rest) = words.split_once("\"coin\"")?;
    symbols.find(rest.split('"').nth(1)?.as_bytes())
}

#[derive(Deserialize)]
struct Outer<'a> {
    #[serde(borrow)]
    channel: Cow<'a, str>,
    #[serde(borrow, default)]
    data: Option<&'a RawValue>,
    /// On what was before the subscription, where the venue marks it.
    #[serde(default, rename = "isSnapshot")]
    past: bool,
}

#[derive(Deserialize)]
struct Book<'a> {
    #[serde(borrow)]
    coin: Cow<'a, str>,
    time: u64,
    #[serde(borrow)]
    levels: (Vec<RawLevel<'a>>, Vec<RawLevel<'a>>),
    /// Set where prices are rounded to fewer figures, which we never ask for.
    #[serde(default)]
    spread: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct RawLevel<'a> {
    #[serde(borrow)]
    px: Cow<'a, str>,
    #[serde(borrow)]
    sz: Cow<'a, str>,
}

#[derive(Deserialize)]
struct Touch<'a> {
    #[serde(borrow)]
    coin: Cow<'a, str>,
    time: u64,
    #[serde(borrow)]
    bbo: Vec<Option<RawLevel<'a>>>,
}

#[derive(Deserialize)]
struct RawPrint<'a> {
    #[serde(borrow)]
    coin: Cow<'a, str>,
    #[serde(borrow)]
    side: Cow<'a, str>,
    #[serde(borrow)]
    px: Cow<'a, str>,
    #[serde(borrow)]
    sz: Cow<'a, str>,
    time: u64,
    tid: u64,
}

#[derive(Deserialize)]
struct Context<'a> {
    #[serde(borrow)]
    coin: Cow<'a, str>,
    #[serde(borrow)]
    ctx: Prices<'a>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Prices<'a> {
    #[serde(borrow, default)]
    mark_px: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    oracle_px: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    funding: Option<Cow<'a, str>>,
}

fn shape<T>(what: &'static str, parsed: serde_json::Result<T>) -> Result<T, WireError> {
    parsed.map_err(|e| WireError::Shape { what, why: e.to_string() })
}

fn find(symbols: &Symbols, coin: &str) -> Result<usize, WireError> {
    symbols.find(coin.as_bytes()).ok_or_else(|| WireError::UnknownSymbol(coin.to_owned()))
}

fn book(book: Book<'_>, symbols: &Symbols) -> Result<Frame, WireError> {
    let Book { coin, time, levels: (bids, asks), spread } = book;
    let at = find(symbols, &coin)?;
    if spread.is_some() {
        return Ok(Frame::Ignored);
    }
    let side = |side, name, raw: &[RawLevel<'_>]| -> Result<Vec<Level>, WireError> {
        let mut levels = raw.iter().map(|l| level(l, name, at, symbols)).collect::<Result<Vec<_>, _>>()?;
        best_first(side, &mut levels);
        Ok(levels)
    };
    Ok(Frame::Book { at, time, bids: side(Side::Bid, "bid", &bids)?, asks: side(Side::Ask, "ask", &asks)? })
}

fn level(raw: &RawLevel<'_>, name: &'static str, at: usize, symbols: &Symbols) -> Result<Level, WireError> {
    let field = Field { symbol: &symbols.get(at).instrument.symbol, name };
    let (tick, lot) = symbols.steps(at);
    Ok(Level { price: field.price(&raw.px, tick)?, qty: field.resting(&raw.sz, lot)? })
}

/// An empty side is null, or left out if it is the last.
fn bbo(touch: Touch<'_>, symbols: &Symbols) -> Result<Frame, WireError> {
    let Touch { coin, time, bbo } = touch;
    let at = find(symbols, &coin)?;
    let side = |n: usize, name| -> Result<Option<Level>, WireError> {
        let raw = bbo.get(n).and_then(Option::as_ref);
        let level = raw.map(|raw| level(raw, name, at, symbols)).transpose()?;
        Ok(level.filter(|level| level.qty.0 > 0))
    };
    Ok(Frame::Bbo { at, time, bid: side(0, "bid")?, ask: side(1, "ask")? })
}

fn print(raw: &RawPrint<'_>, symbols: &Symbols) -> Result<Print, WireError> {
    let at = find(symbols, &raw.coin)?;
    let bad = |why: String| WireError::Shape { what: "trades", why };
    let side = taker(raw.side.as_bytes()).ok_or_else(|| bad(format!("side is {:?}", raw.side)))?;
    stamp::millis(raw.time).ok_or_else(|| bad(format!("time {} is out of range", raw.time)))?;
    let (tick, lot) = symbols.steps(at);
    let field = |name| Field { symbol: &symbols.get(at).instrument.symbol, name };
    let price = field("price").price(&raw.px, tick)?;
    let qty = field("size").traded(&raw.sz, lot)?;
    Ok(Print { at, time: raw.time, trade: Trade { id: raw.tid, taker: side, price, qty, flags: PrintFlags::NONE } })
}

fn context(context: &Context<'_>, symbols: &Symbols) -> Result<Frame, WireError> {
    let at = find(symbols, &context.coin)?;
    let field = |name| Field { symbol: &symbols.get(at).instrument.symbol, name };
    let price = |name, text: &Option<Cow<'_, str>>| text.as_deref().map(|t| marks::price(field(name), t)).transpose();
    let Prices { mark_px, oracle_px, funding } = &context.ctx;
    let mark = Mark { mark: price("markPx", mark_px)?, index: price("oraclePx", oracle_px)?, funding: None };
    let rate = funding.as_deref().map(|t| marks::rate(field("funding"), t)).transpose()?;
    Ok(Frame::Context { at, mark, rate })
}
