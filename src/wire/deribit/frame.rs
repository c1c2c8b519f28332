//! What a Deribit frame can say, and the fast way to read a book or trades.
//!
//! [`scan`] knows the fields of these messages in any order (the venue changes it with its software) and declines
//! everything else; [`super::json`] understands JSON and has the last word. Where `scan` answers, both answer the same.

use crate::market::{Level, Mark, PrintFlags, Status};
use crate::units::{Lots, Side, Step, Ticks, VenueTime};
use crate::wire::dialect::{Change, Link, News, Trade};
use crate::wire::scan::Scan;
use crate::wire::stamp;
use crate::wire::symbols::Symbols;

/// One understood frame. `at` is a position in [`Symbols`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Frame {
    /// News as they are.
    News(News),
    Trades(Vec<Print>),
    Ticker {
        at: usize,
        time: VenueTime,
        mark: Mark,
        state: Option<Status>,
    },
    /// The life of one instrument.
    State {
        at: usize,
        state: Status,
    },
    /// An index is locked for trading, or free again.
    Lock {
        index: String,
        locked: bool,
    },
    /// The whole platform closes or opens.
    Maintenance(bool),
    /// To be answered, or the connection is closed.
    TestRequest,
    /// The answer to one of our requests.
    Reply {
        id: Option<u64>,
        reply: Reply,
    },
    Ignored,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Reply {
    /// Channels subscribed to, or given up.
    Channels(Vec<String>),
    /// Which indices are locked.
    Locks(Locks),
    Error {
        code: i64,
        words: String,
    },
    /// Anything else that is no error.
    Done,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Locks {
    All,
    /// None, if empty.
    Of(Vec<String>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Print {
    pub at: usize,
    pub time: VenueTime,
    pub trade: Trade,
}

/// A message about a book.
#[derive(Debug)]
pub(super) struct Book {
    pub at: usize,
    pub whole: bool,
    pub time: VenueTime,
    pub prev: Option<u64>,
    pub last: u64,
    pub bids: Vec<Level>,
    pub asks: Vec<Level>,
}

impl Book {
    /// `None` for a change that does not say what it follows.
    pub(super) fn news(self) -> Option<News> {
        let Book { at, whole, time, prev, last, bids, asks } = self;
        let (time, seq, checksum) = (Some(time), None, None);
        Some(if whole {
            News::Snapshot { at, last, seq, time, bids, asks, complete: true, checksum }
        } else {
            News::Change { at, change: Change { link: Link::After(prev?), last, seq, time, bids, asks, checksum } }
        })
    }
}

/// The instrument of `book.BTC-PERPETUAL.100ms`; `None` for books of another make.
pub(super) fn plain_book(channel: &str) -> Option<&str> {
    let (name, interval) = channel.strip_prefix("book.")?.split_once('.')?;
    matches!(interval, "100ms" | "raw" | "agg2").then_some(name)
}

/// What the taker did.
pub(super) fn taker(direction: &[u8]) -> Option<Side> {
    match direction {
        b"buy" => Some(Side::Bid),
        b"sell" => Some(Side::Ask),
        _ => None,
    }
}

/// Reads a book or trades as Deribit writes them, without blanks.
pub(super) fn scan(frame: &[u8], symbols: &Symbols, scratch: &mut Vec<Level>) -> Option<Frame> {
    let mut s = Scan::new(frame);
    s.expect(b"{\"jsonrpc\":\"2.0\",\"method\":\"subscription\",\"params\":{\"channel\":\"")?;
    let channel = s.text()?;
    s.expect(b",\"data\":")?;
    let (is_book, rest) = match channel.strip_prefix(b"book.") {
        Some(rest) => (true, rest),
        None => (false, channel.strip_prefix(b"trades.")?),
    };
    let name = rest.strip_suffix(b".100ms").or_else(|| rest.strip_suffix(b".raw"))?;
    let at = symbols.find(name)?;
    let read = if is_book {
        Frame::News(book(&mut s, symbols, at, scratch)?)
    } else {
        Frame::Trades(trades(&mut s, symbols, at)?)
    };
    s.expect(b"}}")?;
    s.is_done().then_some(read)
}

/// Fills a field once; a second value for it is for the parser to judge.
fn once<T>(field: &mut Option<T>, value: T) -> Option<()> {
    field.replace(value).is_none().then_some(())
}

fn quoted<'a>(s: &mut Scan<'a>) -> Option<&'a [u8]> {
    s.expect(b"\"")?;
    s.text()
}

fn named(s: &mut Scan<'_>, symbols: &Symbols, at: usize) -> Option<()> {
    (quoted(s)? == symbols.get(at).instrument.symbol.as_bytes()).then_some(())
}

fn book(s: &mut Scan<'_>, symbols: &Symbols, at: usize, scratch: &mut Vec<Level>) -> Option<News> {
    let (tick, lot) = symbols.steps(at);
    let (mut whole, mut time, mut prev, mut last, mut name) = (None, None, None, None, None);
    let (mut bids, mut asks) = (None, None);
    s.expect(b"{")?;
    loop {
        match s.key()? {
            b"type" => {
                let is_whole = match quoted(s)? {
                    b"snapshot" => true,
                    b"change" => false,
                    _ => return None,
                };
                once(&mut whole, is_whole)?;
            }
            b"timestamp" => once(&mut time, stamp::millis(s.integer()?)?)?,
            b"prev_change_id" => once(&mut prev, s.integer()?)?,
            b"change_id" => once(&mut last, s.integer()?)?,
            b"instrument_name" => once(&mut name, named(s, symbols, at)?)?,
            b"bids" => once(&mut bids, side(s, tick, lot, scratch)?)?,
            b"asks" => once(&mut asks, side(s, tick, lot, scratch)?)?,
            _ => return None,
        }
        if !s.skip(b",") {
            break;
        }
    }
    s.expect(b"}")?;
    name?;
    let book = Book { at, whole: whole?, time: time?, prev, last: last?, bids: bids?, asks: asks? };
    if book.whole && !(is_proper(Side::Bid, &book.bids) && is_proper(Side::Ask, &book.asks)) {
        return None;
    }
    book.news()
}

/// Best first and nothing empty.
fn is_proper(side: Side, levels: &[Level]) -> bool {
    levels.windows(2).all(|l| side.is_better(l[0].price, l[1].price)) && levels.iter().all(|l| l.qty.0 > 0)
}

fn side(s: &mut Scan<'_>, tick: Step, lot: Step, scratch: &mut Vec<Level>) -> Option<Vec<Level>> {
    s.list(scratch, |s| {
        s.expect(b"[\"")?;
        let is_gone = if s.skip(b"change\",") || s.skip(b"new\",") {
            false
        } else {
            s.expect(b"delete\",")?;
            true
        };
        let price = s.number(tick).filter(|&p| p > 0)?;
        s.expect(b",")?;
        let qty = s.number(lot)?;
        s.expect(b"]")?;
        Some(Level { price: Ticks(price), qty: if is_gone { Lots::ZERO } else { Lots(qty) } })
    })
}

fn trades(s: &mut Scan<'_>, symbols: &Symbols, at: usize) -> Option<Vec<Print>> {
    let mut prints = Vec::new();
    s.expect(b"[")?;
    if s.skip(b"]") {
        return Some(prints);
    }
    loop {
        prints.push(print(s, symbols, at)?);
        if !s.skip(b",") {
            s.expect(b"]")?;
            return Some(prints);
        }
    }
}

/// Declines any field that could mean that it did not trade against the book.
fn print(s: &mut Scan<'_>, symbols: &Symbols, at: usize) -> Option<Print> {
    let (tick, lot) = symbols.steps(at);
    let (mut time, mut id, mut price, mut qty, mut side, mut name) = (None, None, None, None, None, None);
    s.expect(b"{")?;
    loop {
        match s.key()? {
            b"timestamp" => once(&mut time, stamp::millis(s.integer()?)?)?,
            b"trade_seq" => once(&mut id, s.integer()?)?,
            b"price" => once(&mut price, s.number(tick).filter(|&p| p > 0)?)?,
            b"amount" => once(&mut qty, s.number(lot).filter(|&q| q > 0)?)?,
            b"direction" => once(&mut side, taker(quoted(s)?)?)?,
            b"instrument_name" => once(&mut name, named(s, symbols, at)?)?,
            b"trade_id" | b"tick_direction" | b"mark_price" | b"index_price" | b"contracts" | b"liquidation" => {
                s.pass()?;
            }
            _ => return None,
        }
        if !s.skip(b",") {
            break;
        }
    }
    s.expect(b"}")?;
    name?;
    let (price, qty) = (Ticks(price?), Lots(qty?));
    let trade = Trade { id: id?, taker: side?, price, qty, flags: PrintFlags::NONE };
    Some(Print { at, time: time?, trade })
}
