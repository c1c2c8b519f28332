//! The slow way to read a Deribit frame: a JSON parser that does not care about order, blanks or new fields.
//!
//! It decides about everything the scanner declines, and it is the oracle the scanner is tested against. Prices and
//! amounts are JSON numbers; they are read as the text they are, never as floats.

use std::borrow::Cow;

use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::FUNDING_EVERY;
use super::frame::{Book, Frame, Locks, Print, Reply, plain_book, taker};
use super::state::of_word;
use crate::market::{Funding, Level, Mark, PrintFlags};
use crate::units::{Lots, Side, VenueTime};
use crate::wire::amount::Field;
use crate::wire::dialect::{Concerned, News, Trade};
use crate::wire::ladder::best_first;
use crate::wire::symbols::Symbols;
use crate::wire::{WireError, marks, stamp};

/// Reads any frame. An error names what could not be understood; [`concerned`] then says whose book suffers.
pub(super) fn parse(frame: &[u8], symbols: &Symbols) -> Result<Frame, WireError> {
    let outer: Outer<'_> = shape("frame", serde_json::from_slice(frame))?;
    let params = outer.params.map_or("null", RawValue::get);
    match outer.method.as_deref() {
        Some("subscription") => {
            let Notice { channel, data } = shape("subscription", serde_json::from_str(params))?;
            notice(&channel, data.get(), symbols)
        }
        Some("heartbeat") => {
            let Heartbeat { kind } = shape("heartbeat", serde_json::from_str(params))?;
            Ok(if kind == "test_request" { Frame::TestRequest } else { Frame::News(News::Alive) })
        }
        Some(_) => Ok(Frame::Ignored),
        None => Ok(reply(&outer)),
    }
}

/// Whose book a frame that cannot be read may have changed, as far as its beginning still tells.
pub(super) fn concerned(frame: &[u8], symbols: &Symbols) -> Concerned {
    let head = String::from_utf8_lossy(&frame[..frame.len().min(300)]);
    let after = |key: &str| {
        let (_, rest) = head.split_once(key)?;
        rest.trim_start().strip_prefix(':').map(str::trim_start)
    };
    if let Some(channel) = after("\"channel\"") {
        return match channel.strip_prefix('"').and_then(|channel| channel.split_once('"')) {
            Some((channel, _)) => match plain_book(channel) {
                Some(name) => symbols.find(name.as_bytes()).map_or(Concerned::Nobody, Concerned::One),
                None => Concerned::Nobody,
            },
            None => Concerned::Everybody,
        };
    }
    if after("\"id\"").is_some() || head.contains("\"heartbeat\"") { Concerned::Nobody } else { Concerned::Everybody }
}

#[derive(Deserialize)]
struct Outer<'a> {
    #[serde(borrow, default)]
    method: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    params: Option<&'a RawValue>,
    #[serde(borrow, default)]
    id: Option<&'a RawValue>,
    #[serde(borrow, default)]
    result: Option<&'a RawValue>,
    #[serde(borrow, default)]
    error: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Notice<'a> {
    #[serde(borrow)]
    channel: Cow<'a, str>,
    #[serde(borrow)]
    data: &'a RawValue,
}

#[derive(Deserialize)]
struct Heartbeat<'a> {
    #[serde(borrow, rename = "type")]
    kind: Cow<'a, str>,
}

fn shape<T>(what: &'static str, parsed: serde_json::Result<T>) -> Result<T, WireError> {
    parsed.map_err(|e| WireError::Shape { what, why: e.to_string() })
}

fn reply(outer: &Outer<'_>) -> Frame {
    #[derive(Deserialize)]
    struct Error {
        code: i64,
        #[serde(default)]
        message: String,
    }
    #[derive(Deserialize)]
    struct Status {
        #[serde(deserialize_with = "word")]
        locked: String,
        #[serde(default, alias = "locked_currencies")]
        locked_indices: Vec<String>,
    }
    let id = outer.id.and_then(|id| id.get().parse().ok());
    let result = outer.result.map_or("null", RawValue::get);
    let reply = if let Some(error) = outer.error {
        let (code, message) = match serde_json::from_str::<Error>(error.get()) {
            Ok(Error { code, message }) => (code, message),
            Err(_) => (0, error.get().to_owned()),
        };
        Reply::Error { code, words: format!("{code} {}", message.chars().take(300).collect::<String>()) }
    } else if let Ok(channels) = serde_json::from_str(result) {
        Reply::Channels(channels)
    } else if let Ok(Status { locked, locked_indices }) = serde_json::from_str(result) {
        Reply::Locks(if locked == "true" { Locks::All } else { Locks::Of(locked_indices) })
    } else if outer.id.is_some() || outer.result.is_some() {
        Reply::Done
    } else {
        return Frame::Ignored;
    };
    Frame::Reply { id, reply }
}

/// `"true"` as well as `true`: the documentation has both.
fn word<'de, D: Deserializer<'de>>(value: D) -> Result<String, D::Error> {
    let value = serde_json::Value::deserialize(value)?;
    Ok(value.as_str().map_or_else(|| value.to_string(), str::to_owned))
}

fn notice(channel: &str, data: &str, symbols: &Symbols) -> Result<Frame, WireError> {
    match channel.split('.').next().unwrap_or(channel) {
        "book" => match plain_book(channel) {
            Some(name) => book(name, shape("book", serde_json::from_str(data))?, symbols),
            None => Ok(Frame::Ignored),
        },
        "trades" => {
            let raw: Vec<RawPrint<'_>> = shape("trades", serde_json::from_str(data))?;
            raw.iter().map(|p| print(p, symbols)).collect::<Result<_, _>>().map(Frame::Trades)
        }
        "quote" => quote(&shape("quote", serde_json::from_str(data))?, symbols),
        "ticker" => ticker(&shape("ticker", serde_json::from_str(data))?, symbols),
        "instrument" if channel.starts_with("instrument.state.") => {
            let Life { instrument_name, state } = shape("instrument.state", serde_json::from_str(data))?;
            Ok(Frame::State { at: find(symbols, &instrument_name)?, state: of_word(&state) })
        }
        "platform_state" if channel == "platform_state" => {
            Ok(match shape("platform_state", serde_json::from_str(data))? {
                Platform { price_index: Some(index), locked: Some(locked), .. } => Frame::Lock { index, locked },
                Platform { maintenance: Some(on), .. } => Frame::Maintenance(on),
                Platform { .. } => Frame::Ignored,
            })
        }
        _ => Ok(Frame::Ignored),
    }
}

fn find(symbols: &Symbols, name: &str) -> Result<usize, WireError> {
    symbols.find(name.as_bytes()).ok_or_else(|| WireError::UnknownSymbol(name.to_owned()))
}

fn time(what: &'static str, ms: u64) -> Result<VenueTime, WireError> {
    stamp::millis(ms).ok_or_else(|| WireError::Shape { what, why: format!("timestamp {ms} is out of range") })
}

#[derive(Deserialize)]
struct RawBook<'a> {
    #[serde(borrow, default, rename = "type")]
    kind: Option<Cow<'a, str>>,
    timestamp: u64,
    #[serde(borrow)]
    instrument_name: Cow<'a, str>,
    #[serde(default)]
    prev_change_id: Option<u64>,
    change_id: u64,
    #[serde(borrow)]
    bids: Vec<RawLevel<'a>>,
    #[serde(borrow)]
    asks: Vec<RawLevel<'a>>,
}

/// Action, price, amount.
#[derive(Deserialize)]
struct RawLevel<'a>(#[serde(borrow)] Cow<'a, str>, #[serde(borrow)] &'a RawValue, #[serde(borrow)] &'a RawValue);

fn book(name: &str, raw: RawBook<'_>, symbols: &Symbols) -> Result<Frame, WireError> {
    let bad = |why: String| WireError::Shape { what: "book", why };
    let at = find(symbols, name)?;
    if raw.instrument_name != name {
        return Err(bad(format!("{:?} in the channel of {name:?}", raw.instrument_name)));
    }
    let whole = match raw.kind.as_deref() {
        Some("snapshot") => true,
        Some("change") => false,
        Some(other) => return Err(bad(format!("type is {other:?}"))),
        // Until 2020 there was no type: what follows nothing is whole.
        None => raw.prev_change_id.is_none(),
    };
    let side = |side, name, raw: &[RawLevel<'_>]| -> Result<Vec<Level>, WireError> {
        let mut levels = raw.iter().map(|l| level(l, name, at, symbols)).collect::<Result<Vec<_>, _>>()?;
        if whole {
            best_first(side, &mut levels);
        }
        Ok(levels)
    };
    let book = Book {
        at,
        whole,
        time: time("book", raw.timestamp)?,
        prev: raw.prev_change_id,
        last: raw.change_id,
        bids: side(Side::Bid, "bid", &raw.bids)?,
        asks: side(Side::Ask, "ask", &raw.asks)?,
    };
    book.news().map(Frame::News).ok_or_else(|| bad("a change that does not say what it follows".to_owned()))
}

/// An amount that is not above zero empties the level, whatever the action.
fn level(raw: &RawLevel<'_>, name: &'static str, at: usize, symbols: &Symbols) -> Result<Level, WireError> {
    let RawLevel(action, price, amount) = raw;
    let field = Field { symbol: &symbols.get(at).instrument.symbol, name };
    let (tick, lot) = symbols.steps(at);
    let price = field.price(price.get(), tick)?;
    let qty = match (&**action, amount.get().strip_prefix('-')) {
        ("delete", _) => Lots::ZERO,
        ("new" | "change", Some(below)) => field.decimal(below).map(|_| Lots::ZERO)?,
        ("new" | "change", None) => field.resting(amount.get(), lot)?,
        (other, _) => return Err(field.bad(other, "is no action")),
    };
    Ok(Level { price, qty })
}

#[derive(Deserialize)]
struct RawPrint<'a> {
    timestamp: u64,
    trade_seq: u64,
    #[serde(borrow)]
    instrument_name: Cow<'a, str>,
    #[serde(borrow)]
    price: &'a RawValue,
    #[serde(borrow)]
    amount: &'a RawValue,
    #[serde(borrow)]
    direction: Cow<'a, str>,
    #[serde(default)]
    block_trade_id: Option<IgnoredAny>,
    #[serde(default)]
    block_rfq_id: Option<IgnoredAny>,
    #[serde(default)]
    combo_id: Option<IgnoredAny>,
    #[serde(default)]
    combo_trade_id: Option<IgnoredAny>,
}

/// A liquidation is an ordinary print; blocks and the legs of combinations did not meet the book.
fn print(raw: &RawPrint<'_>, symbols: &Symbols) -> Result<Print, WireError> {
    let at = find(symbols, &raw.instrument_name)?;
    let field = |name| Field { symbol: &symbols.get(at).instrument.symbol, name };
    let (tick, lot) = symbols.steps(at);
    let side =
        taker(raw.direction.as_bytes()).ok_or_else(|| field("direction").bad(&raw.direction, "is neither side"))?;
    let beside = [&raw.block_trade_id, &raw.block_rfq_id, &raw.combo_id, &raw.combo_trade_id];
    let flags = if beside.iter().any(|id| id.is_some()) { PrintFlags::BLOCK } else { PrintFlags::NONE };
    let price = field("price").price(raw.price.get(), tick)?;
    let qty = field("amount").traded(raw.amount.get(), lot)?;
    let time = time("trades", raw.timestamp)?;
    Ok(Print { at, time, trade: Trade { id: raw.trade_seq, taker: side, price, qty, flags } })
}

#[derive(Deserialize)]
struct Quote<'a> {
    timestamp: u64,
    #[serde(borrow)]
    instrument_name: Cow<'a, str>,
    #[serde(borrow, default)]
    best_bid_price: Option<&'a RawValue>,
    #[serde(borrow, default)]
    best_bid_amount: Option<&'a RawValue>,
    #[serde(borrow, default)]
    best_ask_price: Option<&'a RawValue>,
    #[serde(borrow, default)]
    best_ask_amount: Option<&'a RawValue>,
}

/// A quote has no number of the book's chain, so it cannot be compared with the book.
fn quote(raw: &Quote<'_>, symbols: &Symbols) -> Result<Frame, WireError> {
    let at = find(symbols, &raw.instrument_name)?;
    let (tick, lot) = symbols.steps(at);
    // An empty side is null or zero.
    let side = |name, price: Option<&RawValue>, amount: Option<&RawValue>| -> Result<Option<Level>, WireError> {
        let field = Field { symbol: &symbols.get(at).instrument.symbol, name };
        let (Some(price), Some(amount)) = (price, amount) else { return Ok(None) };
        let qty = field.resting(amount.get(), lot)?;
        if qty == Lots::ZERO || field.decimal(price.get())?.is_zero() {
            return Ok(None);
        }
        Ok(Some(Level { price: field.price(price.get(), tick)?, qty }))
    };
    let bid = side("best_bid", raw.best_bid_price, raw.best_bid_amount)?;
    let ask = side("best_ask", raw.best_ask_price, raw.best_ask_amount)?;
    Ok(Frame::News(News::Bbo { at, time: Some(time("quote", raw.timestamp)?), seq: 0, bid, ask }))
}

#[derive(Deserialize)]
struct Ticker<'a> {
    timestamp: u64,
    #[serde(borrow)]
    instrument_name: Cow<'a, str>,
    #[serde(borrow, default)]
    state: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    mark_price: Option<&'a RawValue>,
    #[serde(borrow, default)]
    index_price: Option<&'a RawValue>,
    #[serde(borrow, default)]
    current_funding: Option<&'a RawValue>,
}

fn ticker(raw: &Ticker<'_>, symbols: &Symbols) -> Result<Frame, WireError> {
    let at = find(symbols, &raw.instrument_name)?;
    let field = |name| Field { symbol: &symbols.get(at).instrument.symbol, name };
    let price = |name, raw: Option<&RawValue>| raw.map(|raw| marks::price(field(name), raw.get())).transpose();
    let rate = raw.current_funding.map(|raw| marks::rate(field("current_funding"), raw.get())).transpose()?;
    let funding = rate.map(|rate| Funding { rate, due: None, every: FUNDING_EVERY, at_index: false });
    let (mark, index) = (price("mark_price", raw.mark_price)?, price("index_price", raw.index_price)?);
    let state = raw.state.as_deref().map(of_word);
    Ok(Frame::Ticker { at, time: time("ticker", raw.timestamp)?, mark: Mark { mark, index, funding }, state })
}

#[derive(Deserialize)]
struct Life<'a> {
    #[serde(borrow)]
    instrument_name: Cow<'a, str>,
    #[serde(borrow)]
    state: Cow<'a, str>,
}

#[derive(Deserialize)]
struct Platform {
    #[serde(default)]
    price_index: Option<String>,
    #[serde(default)]
    locked: Option<bool>,
    #[serde(default)]
    maintenance: Option<bool>,
}
