//! What a Binance spot frame can say, and the fast way to read it.
//!
//! [`scan`] knows the exact bytes Binance writes and declines everything else; [`super::json`] understands JSON and
//! has the last word. Where `scan` answers, both answer the same: that is tested on every recorded frame and on
//! broken ones.

use crate::market::{Level, PrintFlags};
use crate::units::{Lots, Ticks, VenueTime};
use crate::wire::binance::{levels, taker, touch};
use crate::wire::dialect::{Change, Link, News, Trade};
use crate::wire::scan::Scan;
use crate::wire::symbols::Symbols;

/// In which unit the venue writes its times, chosen when the connection is opened (`timeUnit=MICROSECOND`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeUnit {
    /// The venue's default.
    Milliseconds,
    /// On request.
    Microseconds,
}

impl TimeUnit {
    /// The venue's count of units as a time; `None` beyond the year 2262.
    pub(super) fn time(self, count: u64) -> Option<VenueTime> {
        let ns = match self {
            TimeUnit::Milliseconds => 1_000_000,
            TimeUnit::Microseconds => 1_000,
        };
        i64::try_from(count).ok()?.checked_mul(ns).map(VenueTime)
    }
}

/// Buffers that are kept between frames, so that a frame allocates exactly once per side.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    levels: Vec<Level>,
}

/// Reads a frame that looks exactly as Binance writes them, alone or in a combined stream.
pub(super) fn scan(frame: &[u8], symbols: &Symbols, unit: TimeUnit, scratch: &mut Scratch) -> Option<News> {
    let mut s = Scan::new(frame);
    let stream = if s.skip(b"{\"stream\":\"") {
        let stream = s.text()?;
        s.expect(b",\"data\":")?;
        Some(stream)
    } else {
        None
    };
    let message = if s.skip(b"{\"e\":\"depthUpdate\",\"E\":") {
        depth(&mut s, symbols, unit, scratch)?
    } else if s.skip(b"{\"e\":\"trade\",\"E\":") {
        trade(&mut s, symbols, unit, b"\"t\":")?
    } else if s.skip(b"{\"e\":\"aggTrade\",\"E\":") {
        trade(&mut s, symbols, unit, b"\"a\":")?
    } else {
        s.expect(b"{\"u\":")?;
        bbo(&mut s, symbols)?
    };
    if let Some(stream) = stream {
        s.expect(b"}")?;
        // A stream and its payload that disagree are for the parser to judge.
        let (at, channels) = concerns(&message)?;
        let channel = stream.strip_prefix(symbols.get(at).lower.as_bytes())?.strip_prefix(b"@")?;
        if !channels.iter().any(|c| c.as_bytes() == channel) {
            return None;
        }
    }
    s.is_done().then_some(message)
}

/// Whom a message is about, and the streams it may come in.
fn concerns(news: &News) -> Option<(usize, &'static [&'static str])> {
    match news {
        News::Change { at, .. } => Some((*at, &["depth@100ms", "depth"])),
        News::Trade { at, .. } => Some((*at, &["trade", "aggTrade"])),
        News::Bbo { at, .. } => Some((*at, &["bookTicker"])),
        _ => None,
    }
}

/// After `"E":`.
fn depth(s: &mut Scan<'_>, symbols: &Symbols, unit: TimeUnit, scratch: &mut Scratch) -> Option<News> {
    let time = unit.time(s.integer()?)?;
    s.expect(b",\"s\":\"")?;
    let at = symbols.find(s.text()?)?;
    s.expect(b",\"U\":")?;
    let first = s.integer()?;
    s.expect(b",\"u\":")?;
    let last = s.integer()?;
    if first > last {
        return None;
    }
    let (tick, lot) = symbols.steps(at);
    s.expect(b",\"b\":")?;
    let bids = levels(s, tick, lot, &mut scratch.levels)?;
    s.expect(b",\"a\":")?;
    let asks = levels(s, tick, lot, &mut scratch.levels)?;
    s.expect(b"}")?;
    let link = Link::From(first);
    Some(News::Change { at, change: Change { link, last, seq: None, time: Some(time), bids, asks, checksum: None } })
}

/// After `"E":`. `id` is the field of the trade's id.
fn trade(s: &mut Scan<'_>, symbols: &Symbols, unit: TimeUnit, id: &[u8]) -> Option<News> {
    s.integer()?;
    s.expect(b",\"s\":\"")?;
    let at = symbols.find(s.text()?)?;
    let (tick, lot) = symbols.steps(at);
    s.expect(b",")?;
    s.expect(id)?;
    let id = s.integer()?;
    s.expect(b",\"p\":\"")?;
    let price = Ticks(s.decimal(tick).filter(|&p| p > 0)?);
    s.expect(b",\"q\":\"")?;
    let qty = Lots(s.decimal(lot).filter(|&q| q > 0)?);
    // Of a merged trade its first and last; of a raw one, until 2023, the two orders.
    if s.skip(b",\"f\":") {
        s.integer()?;
        s.expect(b",\"l\":")?;
        s.integer()?;
    } else if s.skip(b",\"b\":") {
        s.integer()?;
        s.expect(b",\"a\":")?;
        s.integer()?;
    }
    s.expect(b",\"T\":")?;
    let time = unit.time(s.integer()?)?;
    s.expect(b",\"m\":")?;
    let taker = taker(s.boolean()?);
    if s.skip(b",\"M\":") {
        s.boolean()?;
    }
    s.expect(b"}")?;
    Some(News::Trade { at, time, trade: Trade { id, taker, price, qty, flags: PrintFlags::NONE } })
}

/// After `"u":`.
fn bbo(s: &mut Scan<'_>, symbols: &Symbols) -> Option<News> {
    let seq = s.integer()?;
    s.expect(b",\"s\":\"")?;
    let at = symbols.find(s.text()?)?;
    let (tick, lot) = symbols.steps(at);
    s.expect(b",\"b\":\"")?;
    let bid_price = s.decimal(tick)?;
    s.expect(b",\"B\":\"")?;
    let bid_qty = s.decimal(lot)?;
    s.expect(b",\"a\":\"")?;
    let ask_price = s.decimal(tick)?;
    s.expect(b",\"A\":\"")?;
    let ask_qty = s.decimal(lot)?;
    s.expect(b"}")?;
    Some(News::Bbo { at, time: None, seq, bid: touch(bid_price, bid_qty), ask: touch(ask_price, ask_qty) })
}
