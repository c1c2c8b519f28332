//! What an OKX frame can say, and the fast way to read the frequent ones.
//!
//! [`scan`] knows books, best bids and offers and trades as OKX writes them and declines everything else;
//! [`super::json`] understands JSON and has the last word.

use crate::market::{Funding, Instrument, Level, PrintFlags};
use crate::units::{Lots, Money, Side, Step, Ticks, VenueTime};
use crate::wire::WireError;
use crate::wire::dialect::{Change, Link, Trade};
use crate::wire::scan::Scan;
use crate::wire::stamp::millis;
use crate::wire::symbols::Symbols;

/// One understood frame. `at` is a position in [`Symbols`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Message {
    /// Of the channel `books`: everything (`whole`), or what changed.
    Books {
        at: usize,
        whole: bool,
        pages: Vec<Change>,
    },
    /// Of the channel `bbo-tbt`.
    Touches {
        at: usize,
        pages: Vec<Change>,
    },
    Prints {
        at: usize,
        prints: Vec<(VenueTime, Trade)>,
    },
    Marks {
        at: usize,
        marks: Vec<(VenueTime, Money)>,
    },
    Fundings {
        at: usize,
        fundings: Vec<(Option<VenueTime>, Funding)>,
    },
    /// Instruments of this connection whose rules were pushed.
    Rules(Vec<(usize, Result<Instrument, WireError>)>),
    /// Not obeyed: the venue's code, its words, and the request's id.
    Refused {
        code: u32,
        words: String,
        request: Option<String>,
    },
    ShutdownAnnounced,
    Pong,
    Acknowledged,
    Ignored,
}

/// Buffers that are kept between frames, so that a book frame allocates exactly once per side.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    levels: Vec<Level>,
}

/// Trade ids are numbers; of one that is not, there is nothing to compare.
pub(super) fn trade_id(text: &[u8]) -> Option<u64> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// `side` is the taker's.
pub(super) fn taker(word: &[u8]) -> Option<Side> {
    match word {
        b"buy" => Some(Side::Bid),
        b"sell" => Some(Side::Ask),
        _ => None,
    }
}

/// `source` 1 is a trade with an order of the retail programme, which the book does not show.
pub(super) fn flags(source: Option<&[u8]>) -> PrintFlags {
    match source {
        None | Some(b"0" | b"") => PrintFlags::NONE,
        Some(_) => PrintFlags::RPI,
    }
}

/// How a page is tied to the one before it, by its two numbers. The recordings of 2021 and 2022 have neither, but a
/// checksum that lives: a change needs one or the other.
pub(super) fn link(whole: bool, before: Option<i64>, last: Option<u64>, sum: Option<u32>) -> Option<(Link, u64)> {
    match (before, last) {
        (None, None) => (whole || sum.is_some()).then_some((Link::None, 0)),
        (_, Some(last)) if whole => Some((Link::None, last)),
        (Some(before), Some(last)) => Some((Link::After(u64::try_from(before).ok()?), last)),
        (None, Some(_)) | (Some(_), None) => None,
    }
}

/// Dead since June 2026: the field is there and always zero. What is not zero comes from a recording.
pub(super) fn checksum(sum: Option<i32>) -> Option<u32> {
    sum.filter(|&sum| sum != 0).map(|sum| sum as u32)
}

/// Reads a frame that looks exactly as OKX writes them.
pub(super) fn scan(frame: &[u8], symbols: &Symbols, scratch: &mut Scratch) -> Option<Message> {
    let mut s = Scan::new(frame);
    s.expect(b"{\"arg\":{\"channel\":\"")?;
    let channel = s.text()?;
    s.expect(b",\"instId\":\"")?;
    let symbol = s.text()?;
    s.expect(b"},")?;
    let message = match channel {
        b"books" => {
            let whole = if s.skip(b"\"action\":\"update\",") {
                false
            } else {
                s.expect(b"\"action\":\"snapshot\",")?;
                true
            };
            let at = symbols.find(symbol)?;
            Message::Books { at, whole, pages: one(&mut s, |s| page(s, whole, symbols.steps(at), scratch))? }
        }
        b"bbo-tbt" => {
            let at = symbols.find(symbol)?;
            Message::Touches { at, pages: one(&mut s, |s| page(s, true, symbols.steps(at), scratch))? }
        }
        b"trades" => {
            let at = symbols.find(symbol)?;
            Message::Prints { at, prints: one(&mut s, |s| print(s, symbol, symbols.steps(at)))? }
        }
        _ => return None,
    };
    s.expect(b"}")?;
    s.is_done().then_some(message)
}

/// The only element of `data`; lists of several are rare.
#[inline]
fn one<'a, T>(s: &mut Scan<'a>, read: impl FnOnce(&mut Scan<'a>) -> Option<T>) -> Option<Vec<T>> {
    s.expect(b"\"data\":[")?;
    let element = read(s)?;
    s.expect(b"]")?;
    Some(vec![element])
}

#[inline]
fn page(s: &mut Scan<'_>, whole: bool, (tick, lot): (Step, Step), scratch: &mut Scratch) -> Option<Change> {
    let (mut asks, mut bids, mut time, mut sum, mut before, mut last) = (None, None, None, None, None, None);
    s.expect(b"{")?;
    loop {
        match s.key()? {
            b"asks" if asks.is_none() => asks = Some(levels(s, tick, lot, &mut scratch.levels)?),
            b"bids" if bids.is_none() => bids = Some(levels(s, tick, lot, &mut scratch.levels)?),
            b"ts" if time.is_none() => {
                s.expect(b"\"")?;
                time = Some(milliseconds(s)?);
            }
            b"checksum" if sum.is_none() => sum = Some(i32::try_from(signed(s)?).ok()?),
            b"prevSeqId" if before.is_none() => before = Some(signed(s)?),
            b"seqId" if last.is_none() => last = Some(s.integer()?),
            _ => return None,
        }
        if !s.skip(b",") {
            break;
        }
    }
    s.expect(b"}")?;
    let checksum = checksum(sum);
    let (link, last) = link(whole, before, last, checksum)?;
    Some(Change { link, last, seq: None, time: Some(time?), bids: bids?, asks: asks?, checksum })
}

/// A plain integer with or without a minus.
#[inline]
fn signed(s: &mut Scan<'_>) -> Option<i64> {
    let negative = s.skip(b"-");
    let value = i64::try_from(s.integer()?).ok()?;
    match (negative, value) {
        (false, value) => Some(value),
        // JSON's minus zero is no integer.
        (true, 0) => None,
        (true, value) => Some(-value),
    }
}

/// Milliseconds as text, with the quotation mark that ends it.
#[inline]
fn milliseconds(s: &mut Scan<'_>) -> Option<VenueTime> {
    let time = millis(s.integer()?)?;
    s.expect(b"\"")?;
    Some(time)
}

/// Price, quantity, a zero of the past, and how many orders.
#[inline]
fn levels(s: &mut Scan<'_>, tick: Step, lot: Step, scratch: &mut Vec<Level>) -> Option<Vec<Level>> {
    s.list(scratch, |s| {
        s.expect(b"[\"")?;
        let price = s.short_decimal(tick).filter(|&p| p > 0)?;
        s.expect(b",\"")?;
        let qty = s.short_decimal(lot)?;
        s.expect(b",\"0\",\"")?;
        s.integer()?;
        s.expect(b"\"]")?;
        Some(Level { price: Ticks(price), qty: Lots(qty) })
    })
}

fn print(s: &mut Scan<'_>, symbol: &[u8], (tick, lot): (Step, Step)) -> Option<(VenueTime, Trade)> {
    let (mut time, mut side, mut qty, mut price, mut id) = (None, None, None, None, None);
    let (mut named, mut source, mut count, mut seq) = (false, None, false, false);
    s.expect(b"{")?;
    loop {
        match s.key()? {
            b"seqId" if !seq => {
                s.integer()?;
                seq = true;
            }
            key => {
                s.expect(b"\"")?;
                match key {
                    b"instId" if !named && s.text()? == symbol => named = true,
                    b"tradeId" if id.is_none() => id = Some(trade_id(s.text()?)?),
                    b"px" if price.is_none() => price = Some(s.short_decimal(tick).filter(|&p| p > 0)?),
                    b"sz" if qty.is_none() => qty = Some(s.short_decimal(lot).filter(|&q| q > 0)?),
                    b"side" if side.is_none() => side = Some(taker(s.text()?)?),
                    b"ts" if time.is_none() => time = Some(milliseconds(s)?),
                    b"source" if source.is_none() => source = Some(s.ascii()?),
                    b"count" if !count => {
                        s.ascii()?;
                        count = true;
                    }
                    _ => return None,
                }
            }
        }
        if !s.skip(b",") {
            break;
        }
    }
    s.expect(b"}")?;
    if !named {
        return None;
    }
    let trade = Trade { id: id?, taker: side?, price: Ticks(price?), qty: Lots(qty?), flags: flags(source) };
    Some((time?, trade))
}
