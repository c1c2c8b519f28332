//! The slow way to read an OKX frame: a JSON parser that does not care about order, blanks or new fields.
//!
//! It decides about everything the scanner declines, and it is the oracle the scanner is tested against.

use std::borrow::Cow;

use serde::Deserialize;

use super::message::{Message, checksum, flags, link, taker, trade_id};
use super::rules::Row;
use crate::market::{Funding, Level};
use crate::units::{Money, Nanos, VenueTime};
use crate::wire::WireError;
use crate::wire::amount::Field;
use crate::wire::dialect::{Change, Concerned, Trade};
use crate::wire::marks;
use crate::wire::stamp::millis;
use crate::wire::symbols::{Symbol, Symbols};

/// The notice that the connection will be closed in about a minute.
const SERVICE_UPGRADE: &str = "64008";

/// Reads any frame.
pub(super) fn parse(frame: &[u8], symbols: &Symbols) -> Result<Message, WireError> {
    // The one frame that is not JSON.
    if frame == b"pong" {
        return Ok(Message::Pong);
    }
    let outer: Outer<'_> = shape("frame", frame)?;
    if outer.event.is_some() {
        return Ok(outer.control());
    }
    let Some(arg) = &outer.arg else { return Ok(Message::Ignored) };
    let at = || {
        let symbol = arg.inst_id.as_deref().unwrap_or_default();
        symbols.find(symbol.as_bytes()).ok_or_else(|| WireError::UnknownSymbol(symbol.to_owned()))
    };
    match arg.channel.as_ref() {
        "books" => {
            let at = at()?;
            let whole = match outer.action.as_deref() {
                Some("snapshot") => true,
                Some("update") => false,
                other => return Err(bad("books", format!("action is {other:?}"))),
            };
            Ok(Message::Books { at, whole, pages: pages("books", frame, whole, symbols.get(at))? })
        }
        "bbo-tbt" => {
            let at = at()?;
            Ok(Message::Touches { at, pages: pages("bbo-tbt", frame, true, symbols.get(at))? })
        }
        "trades" => {
            let at = at()?;
            let read = |print: &Print<'_>| print.trade(symbols.get(at));
            Ok(Message::Prints {
                at,
                prints: data::<Print<'_>>("trades", frame)?.iter().map(read).collect::<Result<_, _>>()?,
            })
        }
        "mark-price" => {
            let at = at()?;
            let read = |mark: &MarkPrice<'_>| mark.read(symbols.get(at));
            let marks = data::<MarkPrice<'_>>("mark-price", frame)?.iter().map(read).collect::<Result<_, _>>()?;
            Ok(Message::Marks { at, marks })
        }
        "funding-rate" => {
            let at = at()?;
            let read = |funding: &FundingData<'_>| funding.read(symbols.get(at)).transpose();
            let fundings =
                data::<FundingData<'_>>("funding-rate", frame)?.iter().filter_map(read).collect::<Result<_, _>>()?;
            Ok(Message::Fundings { at, fundings })
        }
        "instruments" => {
            let ours = |row: &Row| symbols.find(row.symbol().as_bytes()).map(|at| (at, row.instrument()));
            Ok(Message::Rules(data::<Row>("instruments", frame)?.iter().filter_map(ours).collect()))
        }
        _ => Ok(Message::Ignored),
    }
}

/// Whose book a frame that cannot be read may have changed, as far as it still tells.
pub(super) fn concerned(frame: &[u8], symbols: &Symbols) -> Concerned {
    // What is JSON names its channel; in what is not, it may still stand.
    if let Ok(outer) = serde_json::from_slice::<Outer<'_>>(frame) {
        return match &outer.arg {
            Some(arg) => concerned_by(arg.channel.as_bytes(), arg.inst_id.as_deref().map(str::as_bytes), symbols),
            None => Concerned::Nobody,
        };
    }
    let text = |key: &[u8]| {
        let start = frame.windows(key.len()).position(|window| window == key)? + key.len();
        let rest = &frame[start..];
        Some(&rest[..rest.iter().position(|&b| b == b'"')?])
    };
    match text(b"\"channel\":\"") {
        Some(channel) => concerned_by(channel, text(b"\"instId\":\""), symbols),
        None if frame.windows(8).any(|window| window == b"\"event\":") => Concerned::Nobody,
        None => Concerned::Everybody,
    }
}

fn concerned_by(channel: &[u8], symbol: Option<&[u8]>, symbols: &Symbols) -> Concerned {
    match (channel, symbol) {
        (b"books", Some(symbol)) => symbols.find(symbol).map_or(Concerned::Nobody, Concerned::One),
        (b"bbo-tbt" | b"trades" | b"mark-price" | b"funding-rate" | b"instruments", _) => Concerned::Nobody,
        _ => Concerned::Everybody,
    }
}

/// Everything a frame may have at its top.
#[derive(Deserialize)]
struct Outer<'a> {
    #[serde(borrow, default)]
    arg: Option<Arg<'a>>,
    #[serde(borrow, default)]
    action: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    event: Option<Cow<'a, str>>,
    #[serde(default)]
    code: Option<String>,
    #[serde(default)]
    msg: Option<String>,
    #[serde(default)]
    id: Option<String>,
}

#[derive(Deserialize)]
struct Arg<'a> {
    #[serde(borrow, default)]
    channel: Cow<'a, str>,
    #[serde(borrow, default, rename = "instId")]
    inst_id: Option<Cow<'a, str>>,
}

impl Outer<'_> {
    fn control(self) -> Message {
        let code = self.code.as_deref().unwrap_or_default();
        match self.event.as_deref() {
            Some("error") => Message::Refused {
                code: code.parse().unwrap_or(0),
                words: self.msg.unwrap_or_default(),
                request: self.id.filter(|id| !id.is_empty()),
            },
            Some("notice") if code == SERVICE_UPGRADE => Message::ShutdownAnnounced,
            Some("subscribe" | "unsubscribe") => Message::Acknowledged,
            Some(_) | None => Message::Ignored,
        }
    }
}

#[derive(Deserialize)]
struct Frame<T> {
    data: Vec<T>,
}

fn data<'a, T: Deserialize<'a>>(what: &'static str, frame: &'a [u8]) -> Result<Vec<T>, WireError> {
    shape::<Frame<T>>(what, frame).map(|frame| frame.data)
}

fn shape<'a, T: Deserialize<'a>>(what: &'static str, frame: &'a [u8]) -> Result<T, WireError> {
    serde_json::from_slice(frame).map_err(|e| bad(what, e.to_string()))
}

fn bad(what: &'static str, why: String) -> WireError {
    WireError::Shape { what, why }
}

fn time(what: &'static str, text: &str) -> Result<VenueTime, WireError> {
    let time = text.parse().ok().and_then(millis);
    time.ok_or_else(|| bad(what, format!("time {text:?} is no count of milliseconds")))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Page<'a> {
    asks: Vec<Vec<String>>,
    bids: Vec<Vec<String>>,
    #[serde(borrow)]
    ts: Cow<'a, str>,
    checksum: Option<i32>,
    prev_seq_id: Option<i64>,
    seq_id: Option<u64>,
}

fn pages(what: &'static str, frame: &[u8], whole: bool, symbol: &Symbol) -> Result<Vec<Change>, WireError> {
    let read = |page: &Page<'_>| {
        let numbers = || bad(what, format!("seqId {:?} after {:?}", page.seq_id, page.prev_seq_id));
        let checksum = checksum(page.checksum);
        let (link, last) = link(whole, page.prev_seq_id, page.seq_id, checksum).ok_or_else(numbers)?;
        let (bids, asks) = (levels(symbol, "bid", &page.bids)?, levels(symbol, "ask", &page.asks)?);
        let time = Some(time(what, &page.ts)?);
        Ok(Change { link, last, seq: None, time, bids, asks, checksum })
    };
    data::<Page<'_>>(what, frame)?.iter().map(read).collect()
}

fn levels(symbol: &Symbol, name: &'static str, tuples: &[Vec<String>]) -> Result<Vec<Level>, WireError> {
    let field = Field { symbol: &symbol.instrument.symbol, name };
    let level = |tuple: &Vec<String>| match tuple.as_slice() {
        [price, qty, ..] => {
            Ok(Level { price: field.price(price, symbol.instrument.tick)?, qty: field.resting(qty, symbol.lot)? })
        }
        _ => Err(bad("books", format!("a level of {} numbers", tuple.len()))),
    };
    tuples.iter().map(level).collect()
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Print<'a> {
    #[serde(borrow)]
    inst_id: Cow<'a, str>,
    #[serde(borrow)]
    trade_id: Cow<'a, str>,
    #[serde(borrow)]
    px: Cow<'a, str>,
    #[serde(borrow)]
    sz: Cow<'a, str>,
    #[serde(borrow)]
    side: Cow<'a, str>,
    #[serde(borrow)]
    ts: Cow<'a, str>,
    #[serde(borrow, default)]
    source: Option<Cow<'a, str>>,
}

impl Print<'_> {
    fn trade(&self, symbol: &Symbol) -> Result<(VenueTime, Trade), WireError> {
        let name = &symbol.instrument.symbol;
        let bad = |why: String| bad("trades", why);
        if self.inst_id != name.as_str() {
            return Err(bad(format!("{:?} among those of {name}", self.inst_id)));
        }
        let field = |part| Field { symbol: name, name: part };
        let trade = Trade {
            id: trade_id(self.trade_id.as_bytes()).ok_or_else(|| bad(format!("id is {:?}", self.trade_id)))?,
            taker: taker(self.side.as_bytes()).ok_or_else(|| bad(format!("side is {:?}", self.side)))?,
            price: field("price").price(&self.px, symbol.instrument.tick)?,
            qty: field("quantity").traded(&self.sz, symbol.lot)?,
            flags: flags(self.source.as_deref().map(str::as_bytes)),
        };
        Ok((time("trades", &self.ts)?, trade))
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct MarkPrice<'a> {
    #[serde(borrow)]
    mark_px: Cow<'a, str>,
    #[serde(borrow)]
    ts: Cow<'a, str>,
}

impl MarkPrice<'_> {
    fn read(&self, symbol: &Symbol) -> Result<(VenueTime, Money), WireError> {
        let field = Field { symbol: &symbol.instrument.symbol, name: "markPx" };
        Ok((time("mark-price", &self.ts)?, marks::price(field, &self.mark_px)?))
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct FundingData<'a> {
    #[serde(borrow, default)]
    funding_rate: Cow<'a, str>,
    #[serde(borrow, default)]
    funding_time: Cow<'a, str>,
    #[serde(borrow, default)]
    next_funding_time: Cow<'a, str>,
    #[serde(borrow, default)]
    ts: Cow<'a, str>,
}

impl FundingData<'_> {
    /// The time between two payments is not written; it is the distance of the next two. Without it the rate is a rate
    /// of nothing.
    fn read(&self, symbol: &Symbol) -> Result<Option<(Option<VenueTime>, Funding)>, WireError> {
        if self.funding_rate.is_empty() || self.funding_time.is_empty() {
            return Ok(None);
        }
        let stated = |text: &str| if text.is_empty() { Ok(None) } else { time("funding-rate", text).map(Some) };
        let due = time("funding-rate", &self.funding_time)?;
        let next = stated(&self.next_funding_time)?.map(|next| Nanos(next.0.saturating_sub(due.0))).filter(|n| n.0 > 0);
        let Some(every) = next.or(symbol.instrument.contract.funding_every) else { return Ok(None) };
        let field = Field { symbol: &symbol.instrument.symbol, name: "fundingRate" };
        let rate = marks::rate(field, &self.funding_rate)?;
        Ok(Some((stated(&self.ts)?, Funding { rate, due: Some(due), every, at_index: false })))
    }
}
