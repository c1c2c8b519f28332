//! What a Hyperliquid frame can say, and the fast way to read a book or trades.
//!
//! [`scan`] knows the fields of these messages in any order and declines everything else; [`super::json`] understands
//! JSON and has the last word. Where `scan` answers, both answer the same.

use crate::market::{Level, Mark, PrintFlags};
use crate::units::{FundingRate, Lots, Side, Step, Ticks};
use crate::wire::dialect::Trade;
use crate::wire::scan::Scan;
use crate::wire::stamp;
use crate::wire::symbols::Symbols;

/// One understood frame. `at` is a position in [`Symbols`]; times are milliseconds, of a block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Frame {
    Book {
        at: usize,
        time: u64,
        bids: Vec<Level>,
        asks: Vec<Level>,
    },
    Bbo {
        at: usize,
        time: u64,
        bid: Option<Level>,
        ask: Option<Level>,
    },
    /// `past`: said to be of before the subscription.
    Trades {
        past: bool,
        prints: Vec<Print>,
    },
    /// Prices of a contract, and its funding per hour.
    Context {
        at: usize,
        mark: Mark,
        rate: Option<FundingRate>,
    },
    /// The answer to a ping or a subscription.
    Answered,
    /// A request was not obeyed, in the venue's words.
    Refused(String),
    /// Well-formed and none of our business.
    Ignored,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Print {
    pub at: usize,
    pub time: u64,
    pub trade: Trade,
}

/// `B` is the one who bought aggressively, `A` the one who sold.
pub(super) fn taker(side: &[u8]) -> Option<Side> {
    match side {
        b"B" => Some(Side::Bid),
        b"A" => Some(Side::Ask),
        _ => None,
    }
}

/// Reads a book or trades as Hyperliquid writes them, without blanks.
pub(super) fn scan(frame: &[u8], symbols: &Symbols, scratch: &mut Vec<Level>) -> Option<Frame> {
    let mut s = Scan::new(frame);
    let read = if s.skip(b"{\"channel\":\"l2Book\",\"data\":{") {
        book(&mut s, symbols, scratch)?
    } else {
        s.expect(b"{\"channel\":\"trades\",\"data\":[")?;
        trades(&mut s, symbols)?
    };
    s.expect(b"}")?;
    s.is_done().then_some(read)
}

/// Fills a field once; a second value for it is for the parser to judge.
fn once<T>(field: &mut Option<T>, value: T) -> Option<()> {
    field.replace(value).is_none().then_some(())
}

/// After the brace. The coin comes before the levels, which are read by its steps.
fn book(s: &mut Scan<'_>, symbols: &Symbols, scratch: &mut Vec<Level>) -> Option<Frame> {
    let (mut at, mut time, mut sides, mut fast) = (None, None, None, None);
    loop {
        match s.key()? {
            b"coin" => once(&mut at, coin(s, symbols)?)?,
            b"time" => once(&mut time, s.integer()?)?,
            b"fast" => once(&mut fast, s.boolean()?)?,
            b"levels" => {
                let (tick, lot) = symbols.steps(at?);
                s.expect(b"[")?;
                let bids = side(s, Side::Bid, tick, lot, scratch)?;
                s.expect(b",")?;
                let asks = side(s, Side::Ask, tick, lot, scratch)?;
                s.expect(b"]")?;
                once(&mut sides, (bids, asks))?;
            }
            _ => return None,
        }
        if !s.skip(b",") {
            break;
        }
    }
    s.expect(b"}")?;
    let (bids, asks) = sides?;
    Some(Frame::Book { at: at?, time: time?, bids, asks })
}

/// One side, best first. Declines what is not in order.
fn side(s: &mut Scan<'_>, side: Side, tick: Step, lot: Step, scratch: &mut Vec<Level>) -> Option<Vec<Level>> {
    scratch.clear();
    s.expect(b"[")?;
    if s.skip(b"]") {
        return Some(Vec::new());
    }
    loop {
        s.expect(b"{")?;
        // Before or after the level, depending on who wrote the recording.
        let first = s.skip(b"\"n\":");
        if first {
            s.pass()?;
            s.expect(b",")?;
        }
        s.expect(b"\"px\":\"")?;
        let price = Ticks(s.short_decimal(tick).filter(|&p| p > 0)?);
        s.expect(b",\"sz\":\"")?;
        let qty = Lots(s.short_decimal(lot).filter(|&q| q > 0)?);
        if !first && s.skip(b",\"n\":") {
            s.pass()?;
        }
        s.expect(b"}")?;
        if scratch.last().is_some_and(|better| !side.is_better(better.price, price)) {
            return None;
        }
        scratch.push(Level { price, qty });
        if !s.skip(b",") {
            s.expect(b"]")?;
            return Some(scratch.as_slice().to_vec());
        }
    }
}

/// After the bracket.
fn trades(s: &mut Scan<'_>, symbols: &Symbols) -> Option<Frame> {
    let mut prints = Vec::new();
    if !s.skip(b"]") {
        loop {
            prints.push(print(s, symbols)?);
            if !s.skip(b",") {
                s.expect(b"]")?;
                break;
            }
        }
    }
    Some(Frame::Trades { past: false, prints })
}

fn print(s: &mut Scan<'_>, symbols: &Symbols) -> Option<Print> {
    let (mut at, mut side, mut price, mut qty, mut time, mut id) = (None, None, None, None, None, None);
    s.expect(b"{")?;
    loop {
        match s.key()? {
            b"coin" => once(&mut at, coin(s, symbols)?)?,
            b"side" => {
                s.expect(b"\"")?;
                once(&mut side, taker(s.text()?)?)?;
            }
            b"px" => {
                s.expect(b"\"")?;
                once(&mut price, s.short_decimal(symbols.steps(at?).0).filter(|&p| p > 0)?)?;
            }
            b"sz" => {
                s.expect(b"\"")?;
                once(&mut qty, s.short_decimal(symbols.steps(at?).1).filter(|&q| q > 0)?)?;
            }
            b"time" => once(&mut time, s.integer().filter(|&t| stamp::millis(t).is_some())?)?,
            b"tid" => once(&mut id, s.integer()?)?,
            b"hash" | b"users" => s.pass()?,
            _ => return None,
        }
        if !s.skip(b",") {
            break;
        }
    }
    s.expect(b"}")?;
    let (price, qty) = (Ticks(price?), Lots(qty?));
    let trade = Trade { id: id?, taker: side?, price, qty, flags: PrintFlags::NONE };
    Some(Print { at: at?, time: time?, trade })
}

fn coin(s: &mut Scan<'_>, symbols: &Symbols) -> Option<usize> {
    s.expect(b"\"")?;
    symbols.find(s.text()?)
}
