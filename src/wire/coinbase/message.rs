//! The fast way to read a Coinbase frame: exactly the bytes the venue writes, or nothing.
//!
//! [`super::json`] understands JSON and has the last word. Where [`scan`] answers, both answer the same.

use super::{oldest_first, taker};
use crate::market::{Level, PrintFlags};
use crate::units::{Lots, Side, Ticks, VenueTime};
use crate::wire::dialect::{Change, Link, News, Trade};
use crate::wire::ladder::best_first;
use crate::wire::scan::Scan;
use crate::wire::stamp::rfc3339;
use crate::wire::symbols::Symbols;

/// Buffers that are kept between frames, so that a frame allocates once per side.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    bids: Vec<Level>,
    asks: Vec<Level>,
}

/// Reads a frame of book changes, snapshots or prints; gives its number on the connection. On `None` what stands in
/// `news` does not count.
pub(super) fn scan(frame: &[u8], symbols: &Symbols, scratch: &mut Scratch, news: &mut Vec<News>) -> Option<u64> {
    let mut s = Scan::new(frame);
    s.expect(b"{\"channel\":\"")?;
    let channel = s.text()?;
    s.expect(b",")?;
    // Nobody is anybody here.
    s.skip(b"\"client_id\":\"\",");
    s.expect(b"\"timestamp\":\"")?;
    let sent = rfc3339(s.text()?)?;
    s.expect(b",\"sequence_num\":")?;
    let number = s.integer()?;
    s.expect(b",\"events\":[")?;
    let from = news.len();
    loop {
        match channel {
            b"l2_data" => book(&mut s, symbols, number, sent, scratch, news)?,
            b"market_trades" => trades(&mut s, symbols, news)?,
            _ => return None,
        }
        if !s.skip(b",") {
            break;
        }
    }
    s.expect(b"]}")?;
    oldest_first(&mut news[from..]);
    s.is_done().then_some(number)
}

fn book(
    s: &mut Scan<'_>,
    symbols: &Symbols,
    number: u64,
    sent: VenueTime,
    scratch: &mut Scratch,
    news: &mut Vec<News>,
) -> Option<()> {
    s.expect(b"{\"type\":\"")?;
    let kind = s.text()?;
    s.expect(b",\"product_id\":\"")?;
    let at = symbols.find(s.text()?)?;
    s.expect(b",\"updates\":[")?;
    let happened = levels(s, symbols, at, scratch)?;
    s.expect(b"}")?;
    let time = moment(happened, Some(sent));
    news.push(match kind {
        b"update" => {
            let (bids, asks) = (scratch.bids.as_slice().to_vec(), scratch.asks.as_slice().to_vec());
            let change = Change { link: Link::None, last: number, seq: None, time, bids, asks, checksum: None };
            News::Change { at, change }
        }
        b"snapshot" => {
            best_first(Side::Bid, &mut scratch.bids);
            best_first(Side::Ask, &mut scratch.asks);
            let (bids, asks) = (scratch.bids.as_slice().to_vec(), scratch.asks.as_slice().to_vec());
            News::Snapshot { at, last: number, seq: None, time, bids, asks, complete: true, checksum: None }
        }
        _ => return None,
    });
    Some(())
}

/// Reads levels into `scratch`; gives the latest of their times.
fn levels(s: &mut Scan<'_>, symbols: &Symbols, at: usize, scratch: &mut Scratch) -> Option<Option<VenueTime>> {
    scratch.bids.clear();
    scratch.asks.clear();
    if s.skip(b"]") {
        return Some(None);
    }
    let (tick, lot) = symbols.steps(at);
    let mut latest = None;
    let mut last_text: &[u8] = b"";
    loop {
        s.expect(b"{\"side\":\"")?;
        let side = if s.skip(b"bid\"") {
            &mut scratch.bids
        } else {
            s.expect(b"offer\"")?;
            &mut scratch.asks
        };
        s.expect(b",\"event_time\":\"")?;
        let text = s.text()?;
        s.expect(b",\"price_level\":\"")?;
        let price = s.short_decimal(tick).filter(|&p| p > 0)?;
        s.expect(b",\"new_quantity\":\"")?;
        let qty = s.short_decimal(lot)?;
        s.expect(b"}")?;
        side.push(Level { price: Ticks(price), qty: Lots(qty) });
        // All levels of a message nearly always share one time.
        if text != last_text {
            latest = latest.max(Some(rfc3339(text)?));
            last_text = text;
        }
        if !s.skip(b",") {
            s.expect(b"]")?;
            return Some(latest);
        }
    }
}

/// When a message of levels happened: the time of its latest level; where that says nothing (documentation has the
/// year 1970), when the message was sent.
pub(super) fn moment(latest: Option<VenueTime>, sent: Option<VenueTime>) -> Option<VenueTime> {
    latest.filter(|time| time.0 > 0).or(sent)
}

fn trades(s: &mut Scan<'_>, symbols: &Symbols, news: &mut Vec<News>) -> Option<()> {
    // A snapshot is old trades: for the parser to drop.
    s.expect(b"{\"type\":\"update\",\"trades\":[")?;
    loop {
        s.expect(b"{\"product_id\":\"")?;
        let at = symbols.find(s.text()?)?;
        let (tick, lot) = symbols.steps(at);
        s.expect(b",\"trade_id\":\"")?;
        let id = s.integer()?;
        s.expect(b"\",\"price\":\"")?;
        let price = Ticks(s.short_decimal(tick).filter(|&p| p > 0)?);
        s.expect(b",\"size\":\"")?;
        let qty = Lots(s.short_decimal(lot).filter(|&q| q > 0)?);
        s.expect(b",\"time\":\"")?;
        let time = rfc3339(s.text()?)?;
        s.expect(b",\"side\":\"")?;
        let taker = taker(s.text()?)?;
        s.expect(b"}")?;
        news.push(News::Trade { at, time, trade: Trade { id, taker, price, qty, flags: PrintFlags::NONE } });
        if !s.skip(b",") {
            s.expect(b"]}")?;
            return Some(());
        }
    }
}
