//! The fast way to read a Kraken frame: exactly the bytes the venue writes, or nothing.
//!
//! [`super::json`] understands JSON and has the last word. Where [`scan`] answers, both answer the same.

use super::taker;
use crate::market::{Level, PrintFlags};
use crate::units::{Lots, Side, Step, Ticks};
use crate::wire::dialect::{Change, Link, News, Trade};
use crate::wire::ladder::best_first;
use crate::wire::scan::Scan;
use crate::wire::stamp::rfc3339;
use crate::wire::symbols::Symbols;

/// Reads a frame of books, changes or prints, or a heartbeat. On `None` what stands in `news` does not count. `scratch`
/// is kept between frames, so that a frame allocates once per side.
pub(super) fn scan(
    frame: &[u8],
    depth: usize,
    symbols: &Symbols,
    scratch: &mut Vec<Level>,
    news: &mut Vec<News>,
) -> Option<()> {
    let mut s = Scan::new(frame);
    s.expect(b"{\"channel\":\"")?;
    match s.text()? {
        b"book" => {
            s.expect(b",\"type\":\"")?;
            let kind = s.text()?;
            s.expect(b",\"data\":[")?;
            loop {
                news.push(book(&mut s, kind, depth, symbols, scratch)?);
                if !s.skip(b",") {
                    break;
                }
            }
            s.expect(b"]}")?;
        }
        b"trade" => {
            s.expect(b",\"type\":\"update\",\"data\":[")?;
            loop {
                news.push(trade(&mut s, symbols)?);
                if !s.skip(b",") {
                    break;
                }
            }
            s.expect(b"]}")?;
        }
        b"heartbeat" => {
            s.expect(b"}")?;
            news.push(News::Alive);
        }
        _ => return None,
    }
    s.is_done().then_some(())
}

fn book(s: &mut Scan<'_>, kind: &[u8], depth: usize, symbols: &Symbols, scratch: &mut Vec<Level>) -> Option<News> {
    s.expect(b"{\"symbol\":\"")?;
    let at = symbols.find(s.text()?)?;
    let (tick, lot) = symbols.steps(at);
    s.expect(b",\"bids\":[")?;
    levels(s, tick, lot, scratch)?;
    let mut bids = scratch.as_slice().to_vec();
    s.expect(b",\"asks\":[")?;
    levels(s, tick, lot, scratch)?;
    let mut asks = scratch.as_slice().to_vec();
    let checksum = if s.skip(b",\"checksum\":") { Some(u32::try_from(s.integer()?).ok()?) } else { None };
    let time = if s.skip(b",\"timestamp\":\"") { Some(rfc3339(s.text()?)?) } else { None };
    s.expect(b"}")?;
    match kind {
        b"update" if checksum.is_some() => {
            let change = Change { link: Link::None, last: 0, seq: None, time, bids, asks, checksum };
            Some(News::Change { at, change })
        }
        b"snapshot" => {
            best_first(Side::Bid, &mut bids);
            best_first(Side::Ask, &mut asks);
            let complete = bids.len().max(asks.len()) < depth;
            Some(News::Snapshot { at, last: 0, seq: None, time, bids, asks, complete, checksum })
        }
        _ => None,
    }
}

#[inline]
fn levels(s: &mut Scan<'_>, tick: Step, lot: Step, scratch: &mut Vec<Level>) -> Option<()> {
    scratch.clear();
    if s.skip(b"]") {
        return Some(());
    }
    loop {
        s.expect(b"{\"price\":")?;
        let price = s.number(tick).filter(|&p| p > 0)?;
        s.expect(b",\"qty\":")?;
        let qty = s.number(lot)?;
        s.expect(b"}")?;
        scratch.push(Level { price: Ticks(price), qty: Lots(qty) });
        if !s.skip(b",") {
            return s.expect(b"]");
        }
    }
}

fn trade(s: &mut Scan<'_>, symbols: &Symbols) -> Option<News> {
    s.expect(b"{\"symbol\":\"")?;
    let at = symbols.find(s.text()?)?;
    let (tick, lot) = symbols.steps(at);
    s.expect(b",\"side\":\"")?;
    let taker = taker(s.text()?)?;
    s.expect(b",\"price\":")?;
    let price = Ticks(s.number(tick).filter(|&p| p > 0)?);
    s.expect(b",\"qty\":")?;
    let qty = Lots(s.number(lot).filter(|&q| q > 0)?);
    s.expect(b",\"ord_type\":\"")?;
    if !s.skip(b"market\"") {
        s.expect(b"limit\"")?;
    }
    s.expect(b",\"trade_id\":")?;
    let id = s.integer()?;
    s.expect(b",\"timestamp\":\"")?;
    let time = rfc3339(s.text()?)?;
    s.expect(b"}")?;
    Some(News::Trade { at, time, trade: Trade { id, taker, price, qty, flags: PrintFlags::NONE } })
}
