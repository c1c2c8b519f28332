//! The slow way to read a frame of Binance futures: a JSON parser that does not care about order, blanks or new
//! fields. It decides about everything the scanner declines, and it is the oracle the scanner is tested against.
//!
//! Marks and changes of status come once a second or less, so this is the only way they are read.

use std::borrow::Cow;

use rust_decimal::Decimal;
use serde::Deserialize;
use serde_json::Value;

use super::{Market, Print, rules};
use crate::market::{Funding, Mark};
use crate::units::{FundingRate, Lots, Money, VenueTime};
use crate::wire::binance::decimals::{Grid, payload, shape};
use crate::wire::binance::replies::Reply;
use crate::wire::binance::{is_diff_channel, taker};
use crate::wire::dialect::{Change, Link, News};
use crate::wire::symbols::{Symbol, Symbols};
use crate::wire::{WireError, stamp};

/// Reads any frame.
pub(super) fn parse(frame: &[u8], symbols: &Symbols, market: Market, news: &mut Vec<News>) -> Result<(), WireError> {
    let outer: Outer<'_> = shape("frame", serde_json::from_slice(frame))?;
    let combined = outer.stream.is_some();
    let kind = match &outer.stream {
        Some(stream) => Kind::of_stream(stream),
        None => outer.e.as_deref().map(Kind::of_event),
    };
    match kind {
        Some(Kind::Marks) => {
            let marks: Vec<MarkPrice> = payload("markPrice", frame, combined)?;
            for mark in marks.iter().filter(|m| symbols.find(m.s.as_bytes()).is_some()) {
                news.extend(mark.read(symbols, market)?);
            }
            return Ok(());
        }
        Some(Kind::Depth) => news.extend(payload::<Depth>("depthUpdate", frame, combined)?.read(symbols, market)?),
        Some(Kind::Trade) => news.extend(payload::<RawTrade>("trade", frame, combined)?.read(symbols, market)?),
        Some(Kind::AggTrade) => news.extend(payload::<AggTrade>("aggTrade", frame, combined)?.read(symbols, market)?),
        Some(Kind::Bbo) => news.extend(payload::<BookTicker>("bookTicker", frame, combined)?.read(symbols, market)?),
        Some(Kind::Mark) => news.extend(payload::<MarkPrice>("markPrice", frame, combined)?.read(symbols, market)?),
        Some(Kind::Contract) => {
            news.extend(payload::<ContractInfo>("contractInfo", frame, combined)?.read(symbols, market));
        }
        Some(Kind::Shutdown) => news.push(News::ShutdownAnnounced),
        Some(Kind::Other) => {}
        None => news.push(Reply::read(frame)?),
    }
    if news.is_empty() {
        news.push(News::Ignored);
    }
    Ok(())
}

#[derive(Clone, Copy)]
enum Kind {
    Depth,
    Trade,
    AggTrade,
    Bbo,
    Mark,
    Marks,
    Contract,
    Shutdown,
    Other,
}

impl Kind {
    fn of_stream(stream: &str) -> Option<Self> {
        let channel = stream.split_once('@').map_or(stream, |(_, channel)| channel);
        Some(match channel {
            _ if stream.starts_with("!markPrice@arr") => Kind::Marks,
            "trade" => Kind::Trade,
            "aggTrade" => Kind::AggTrade,
            "bookTicker" | "!bookTicker" => Kind::Bbo,
            "markPrice" | "markPrice@1s" => Kind::Mark,
            "!contractInfo" => Kind::Contract,
            "!serverShutdown" => Kind::Shutdown,
            other if is_diff_channel(other.as_bytes()) => Kind::Depth,
            _ => Kind::Other,
        })
    }

    fn of_event(event: &str) -> Self {
        match event {
            "depthUpdate" => Kind::Depth,
            "trade" => Kind::Trade,
            "aggTrade" => Kind::AggTrade,
            "bookTicker" => Kind::Bbo,
            "markPriceUpdate" => Kind::Mark,
            "contractInfo" => Kind::Contract,
            "serverShutdown" => Kind::Shutdown,
            _ => Kind::Other,
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
}

/// Which market a payload is of, where it says so. Since 2026 streams of all symbols carry both markets.
fn is_foreign(st: Option<&Value>, market: Market) -> bool {
    st.and_then(Value::as_u64).is_some_and(|found| found != market.number())
}

fn find<'a>(symbols: &'a Symbols, symbol: &str) -> Result<(usize, &'a Symbol), WireError> {
    let at = symbols.find(symbol.as_bytes()).ok_or_else(|| WireError::UnknownSymbol(symbol.to_owned()))?;
    Ok((at, symbols.get(at)))
}

fn expect(found: &str, event: &'static str) -> Result<(), WireError> {
    if found == event {
        return Ok(());
    }
    Err(WireError::Shape { what: event, why: format!("event is {found:?}") })
}

fn time(what: &'static str, count: u64) -> Result<VenueTime, WireError> {
    let why = || WireError::Shape { what, why: format!("T {count} is out of range") };
    stamp::millis(count).ok_or_else(why)
}

#[derive(Deserialize)]
struct Depth {
    e: String,
    #[serde(rename = "T")]
    time: u64,
    s: String,
    st: Option<Value>,
    #[serde(rename = "U")]
    first: u64,
    u: u64,
    /// -1 has been seen where nothing went before.
    pu: i64,
    b: Vec<(String, String)>,
    a: Vec<(String, String)>,
}

impl Depth {
    fn read(&self, symbols: &Symbols, market: Market) -> Result<Option<News>, WireError> {
        if is_foreign(self.st.as_ref(), market) {
            return Ok(None);
        }
        expect(&self.e, "depthUpdate")?;
        let (at, symbol) = find(symbols, &self.s)?;
        if self.first > self.u {
            let why = format!("U {} is after u {}", self.first, self.u);
            return Err(WireError::Shape { what: "depthUpdate", why });
        }
        let grid = Grid::of(symbol);
        let change = Change {
            link: Link::After(u64::try_from(self.pu).unwrap_or(0)),
            last: self.u,
            seq: None,
            time: Some(time("depthUpdate", self.time)?),
            bids: grid.levels("bid", &self.b)?,
            asks: grid.levels("ask", &self.a)?,
            checksum: None,
        };
        Ok(Some(News::Change { at, change }))
    }
}

#[derive(Deserialize)]
struct RawTrade {
    e: String,
    s: String,
    st: Option<Value>,
    t: u64,
    p: String,
    q: String,
    #[serde(rename = "T")]
    time: u64,
    m: bool,
    #[serde(rename = "X")]
    kind: Option<String>,
}

impl RawTrade {
    fn read(&self, symbols: &Symbols, market: Market) -> Result<Option<News>, WireError> {
        if is_foreign(self.st.as_ref(), market) {
            return Ok(None);
        }
        expect(&self.e, "trade")?;
        let (at, symbol) = find(symbols, &self.s)?;
        let grid = Grid::of(symbol);
        // `"X":"NA"` with zeros stands where an id was used up without a trade.
        if self.kind.as_deref() == Some("NA") && grid.field("price").decimal(&self.p)?.is_zero() {
            return Ok(None);
        }
        let print = Print {
            id: self.t,
            taker: taker(self.m),
            price: grid.price(&self.p)?,
            qty: grid.traded(&self.q)?,
            displayed: None,
            kind: self.kind.as_deref(),
        };
        Ok(Some(News::Trade { at, time: time("trade", self.time)?, trade: print.trade() }))
    }
}

#[derive(Deserialize)]
struct AggTrade {
    e: String,
    s: String,
    st: Option<Value>,
    a: u64,
    p: String,
    q: String,
    nq: Option<String>,
    #[serde(rename = "T")]
    time: u64,
    m: bool,
}

impl AggTrade {
    fn read(&self, symbols: &Symbols, market: Market) -> Result<Option<News>, WireError> {
        if is_foreign(self.st.as_ref(), market) {
            return Ok(None);
        }
        expect(&self.e, "aggTrade")?;
        let (at, symbol) = find(symbols, &self.s)?;
        let grid = Grid::of(symbol);
        let displayed = match self.nq.as_deref() {
            Some(text) if grid.field("quantity").decimal(text)?.is_zero() => Some(Lots(0)),
            Some(text) => Some(grid.traded(text)?),
            None => None,
        };
        let print = Print {
            id: self.a,
            taker: taker(self.m),
            price: grid.price(&self.p)?,
            qty: grid.traded(&self.q)?,
            displayed,
            kind: None,
        };
        Ok(Some(News::Trade { at, time: time("aggTrade", self.time)?, trade: print.trade() }))
    }
}

#[derive(Deserialize)]
struct BookTicker {
    e: String,
    s: String,
    st: Option<Value>,
    u: u64,
    b: String,
    #[serde(rename = "B")]
    bid_qty: String,
    a: String,
    #[serde(rename = "A")]
    ask_qty: String,
    #[serde(rename = "T")]
    time: Option<u64>,
}

impl BookTicker {
    fn read(&self, symbols: &Symbols, market: Market) -> Result<Option<News>, WireError> {
        if is_foreign(self.st.as_ref(), market) {
            return Ok(None);
        }
        expect(&self.e, "bookTicker")?;
        let (at, symbol) = find(symbols, &self.s)?;
        let grid = Grid::of(symbol);
        Ok(Some(News::Bbo {
            at,
            time: self.time.map(|t| time("bookTicker", t)).transpose()?,
            seq: self.u,
            bid: grid.touch(&self.b, &self.bid_qty)?,
            ask: grid.touch(&self.a, &self.ask_qty)?,
        }))
    }
}

#[derive(Deserialize)]
struct MarkPrice {
    e: String,
    s: String,
    st: Option<Value>,
    #[serde(rename = "E")]
    time: Option<u64>,
    /// The mark.
    p: String,
    /// The index; COIN-M leaves it out.
    i: Option<String>,
    /// The rate; empty or missing for contracts that are delivered.
    r: Option<String>,
    /// When the rate is paid; 0 for contracts that are delivered.
    #[serde(rename = "T")]
    due: Option<u64>,
}

impl MarkPrice {
    fn read(&self, symbols: &Symbols, market: Market) -> Result<Option<News>, WireError> {
        if is_foreign(self.st.as_ref(), market) {
            return Ok(None);
        }
        expect(&self.e, "markPriceUpdate")?;
        let (at, symbol) = find(symbols, &self.s)?;
        let grid = Grid::of(symbol);
        let price = |name, text: &str| match grid.field(name).decimal(text)? {
            zero if zero.is_zero() => Ok(None),
            price => {
                let out = || grid.field(name).bad(text, "is out of range");
                Money::from_decimal(price).map(Some).ok_or_else(out)
            }
        };
        let mark = Mark {
            mark: price("mark price", &self.p)?,
            index: self.i.as_deref().map(|text| price("index price", text)).transpose()?.flatten(),
            funding: self.funding(symbol)?,
        };
        let time = self.time.map(|t| time("markPriceUpdate", t)).transpose()?;
        Ok(Some(News::Mark { at, time, mark }))
    }

    fn funding(&self, symbol: &Symbol) -> Result<Option<Funding>, WireError> {
        let due = self.due.filter(|&due| due > 0);
        let (Some(rate), Some(due)) = (self.r.as_deref().filter(|r| !r.is_empty()), due) else { return Ok(None) };
        let bad = |why: &str| Grid::of(symbol).field("funding rate").bad(rate, why);
        // The one number here that may be negative.
        let value = Decimal::from_str_exact(rate).map_err(|e| bad(&e.to_string()))?;
        Ok(Some(Funding {
            rate: FundingRate::from_decimal(value).ok_or_else(|| bad("is out of range"))?,
            due: Some(time("markPriceUpdate", due)?),
            every: symbol.instrument.contract.funding_every.unwrap_or(rules::FUNDING_EVERY),
            at_index: false,
        }))
    }
}

#[derive(Deserialize)]
struct ContractInfo {
    s: String,
    st: Option<Value>,
    /// Its status, in a word.
    cs: String,
}

impl ContractInfo {
    /// This stream is of all symbols: one that is not ours is no error.
    fn read(&self, symbols: &Symbols, market: Market) -> Option<News> {
        let at = symbols.find(self.s.as_bytes()).filter(|_| !is_foreign(self.st.as_ref(), market))?;
        Some(News::Status { at, status: rules::status(&self.cs) })
    }
}
