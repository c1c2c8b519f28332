//! What a Bybit frame can say, and the fast way to read the frequent ones.
//!
//! [`scan`] knows books and trades as Bybit writes them and declines everything else; [`super::json`] understands JSON
//! and has the last word. The spot and the linear gateway write the same fields in different orders, so at the top of
//! a frame and in a trade the order is free; within a book it is not.

use crate::market::{Level, PrintFlags};
use crate::units::{FundingRate, Lots, Money, Nanos, Side, Step, Ticks, VenueTime};
use crate::wire::dialect::Trade;
use crate::wire::scan::Scan;
use crate::wire::stamp::millis;
use crate::wire::symbols::Symbols;

/// One understood frame. `at` is a position in [`Symbols`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Message {
    Page(Page),
    Prints { at: usize, prints: Vec<(VenueTime, Trade)> },
    Ticker { at: usize, time: VenueTime, ticker: Ticker },
    Answer(Answer),
    Ignored,
}

/// A message of one of the order book's topics.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Page {
    pub at: usize,
    /// Of `orderbook.1`.
    pub top: bool,
    /// All levels, not only those that changed.
    pub whole: bool,
    /// `u`: counts the topic's messages.
    pub update: u64,
    /// `seq`: grows with every event of the matching engine, the same in all topics.
    pub seq: u64,
    pub time: VenueTime,
    pub bids: Vec<Level>,
    pub asks: Vec<Level>,
}

/// What a message of `tickers` says of mark and funding; what it leaves out is as it was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Ticker {
    pub whole: bool,
    pub mark: Option<Money>,
    pub index: Option<Money>,
    pub rate: Option<FundingRate>,
    pub due: Option<VenueTime>,
    pub every: Option<Nanos>,
}

/// The answer to a request of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Answer {
    pub obeyed: bool,
    pub words: String,
    /// `req_id`, where it is echoed.
    pub request: Option<String>,
}

/// Buffers that are kept between frames, so that a book frame allocates exactly once per side.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    levels: Vec<Level>,
}

/// `orderbook.<levels>.<symbol>`.
pub(super) fn book_topic(topic: &[u8]) -> Option<(u32, &[u8])> {
    let rest = topic.strip_prefix(b"orderbook.")?;
    let dot = rest.iter().position(|&b| b == b'.')?;
    let levels = std::str::from_utf8(&rest[..dot]).ok()?.parse().ok()?;
    Some((levels, &rest[dot + 1..]))
}

/// The venue's ids are numbers on spot and UUIDs on linear. Of what is no number, a fingerprint (FNV-1a, 64 bits): it
/// only has to differ from those of the recent past.
pub(super) fn trade_id(text: &[u8]) -> u64 {
    std::str::from_utf8(text).ok().and_then(|text| text.parse().ok()).unwrap_or_else(|| {
        text.iter()
            .fold(0xcbf2_9ce4_8422_2325, |hash, &byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3))
    })
}

/// Block trades and retail price improvement print beside the visible book.
pub(super) fn flags(block: bool, rpi: bool) -> PrintFlags {
    PrintFlags(if block { PrintFlags::BLOCK.0 } else { 0 } | if rpi { PrintFlags::RPI.0 } else { 0 })
}

/// `S` names the taker's side.
pub(super) fn taker(word: &[u8]) -> Option<Side> {
    match word {
        b"Buy" => Some(Side::Bid),
        b"Sell" => Some(Side::Ask),
        _ => None,
    }
}

/// Reads a book of `depth` levels, its top, or trades, if they look exactly as Bybit writes them.
pub(super) fn scan(frame: &[u8], symbols: &Symbols, depth: u32, scratch: &mut Scratch) -> Option<Message> {
    let mut s = Scan::new(frame);
    s.expect(b"{\"topic\":\"")?;
    let topic = s.text()?;
    if let Some(symbol) = topic.strip_prefix(b"publicTrade.") {
        return prints(&mut s, symbol, symbols);
    }
    let (levels, symbol) = book_topic(topic)?;
    if levels != depth && levels != 1 {
        return None;
    }
    let at = symbols.find(symbol)?;
    let (mut whole, mut sent, mut matched, mut content) = (None, None, None, None);
    while s.skip(b",") {
        match s.key()? {
            b"type" if whole.is_none() => {
                s.expect(b"\"")?;
                whole = Some(match s.text()? {
                    b"snapshot" => true,
                    b"delta" => false,
                    _ => return None,
                });
            }
            b"ts" if sent.is_none() => sent = Some(s.integer()?),
            b"cts" if matched.is_none() => matched = Some(s.integer()?),
            b"data" if content.is_none() => content = Some(content_of(&mut s, symbol, symbols.steps(at), scratch)?),
            _ => return None,
        }
    }
    s.expect(b"}")?;
    let (whole, sent, (bids, asks, update, seq)) = (whole?, sent?, content?);
    let top = levels == 1;
    if !s.is_done() || (top && !whole) {
        return None;
    }
    let time = millis(matched.unwrap_or(sent))?;
    Some(Message::Page(Page { at, top, whole, update, seq, time, bids, asks }))
}

type Content = (Vec<Level>, Vec<Level>, u64, u64);

#[inline]
fn content_of(s: &mut Scan<'_>, symbol: &[u8], (tick, lot): (Step, Step), scratch: &mut Scratch) -> Option<Content> {
    s.expect(b"{\"s\":\"")?;
    if s.text()? != symbol {
        return None;
    }
    s.expect(b",\"b\":")?;
    let bids = levels(s, tick, lot, &mut scratch.levels)?;
    s.expect(b",\"a\":")?;
    let asks = levels(s, tick, lot, &mut scratch.levels)?;
    s.expect(b",\"u\":")?;
    let update = s.integer()?;
    s.expect(b",\"seq\":")?;
    let seq = s.integer()?;
    s.expect(b"}")?;
    Some((bids, asks, update, seq))
}

#[inline]
fn levels(s: &mut Scan<'_>, tick: Step, lot: Step, scratch: &mut Vec<Level>) -> Option<Vec<Level>> {
    s.list(scratch, |s| {
        s.expect(b"[\"")?;
        let price = s.short_decimal(tick).filter(|&p| p > 0)?;
        s.expect(b",\"")?;
        let qty = s.short_decimal(lot)?;
        s.expect(b"]")?;
        Some(Level { price: Ticks(price), qty: Lots(qty) })
    })
}

/// After the topic of trades.
fn prints(s: &mut Scan<'_>, symbol: &[u8], symbols: &Symbols) -> Option<Message> {
    let at = symbols.find(symbol)?;
    let (mut typed, mut sent, mut list) = (false, false, None);
    while s.skip(b",") {
        match s.key()? {
            b"type" if !typed => {
                s.expect(b"\"snapshot\"")?;
                typed = true;
            }
            b"ts" if !sent => {
                s.integer()?;
                sent = true;
            }
            b"data" if list.is_none() => {
                s.expect(b"[")?;
                let mut prints = Vec::new();
                loop {
                    prints.push(print(s, symbol, symbols.steps(at))?);
                    if !s.skip(b",") {
                        break;
                    }
                }
                s.expect(b"]")?;
                list = Some(prints);
            }
            _ => return None,
        }
    }
    s.expect(b"}")?;
    s.is_done().then_some(Message::Prints { at, prints: list? })
}

fn print(s: &mut Scan<'_>, symbol: &[u8], (tick, lot): (Step, Step)) -> Option<(VenueTime, Trade)> {
    let (mut time, mut side, mut qty, mut price, mut id) = (None, None, None, None, None);
    let (mut named, mut block, mut rpi, mut seq, mut move_) = (false, None, None, None, None);
    s.expect(b"{")?;
    loop {
        match s.key()? {
            b"T" if time.is_none() => time = Some(millis(s.integer()?)?),
            b"seq" if seq.is_none() => seq = Some(s.integer()?),
            b"BT" if block.is_none() => block = Some(s.boolean()?),
            b"RPI" if rpi.is_none() => rpi = Some(s.boolean()?),
            key => {
                s.expect(b"\"")?;
                match key {
                    b"s" if !named && s.text()? == symbol => named = true,
                    b"S" if side.is_none() => side = Some(taker(s.text()?)?),
                    b"v" if qty.is_none() => qty = Some(s.short_decimal(lot).filter(|&q| q > 0)?),
                    b"p" if price.is_none() => price = Some(s.short_decimal(tick).filter(|&p| p > 0)?),
                    b"i" if id.is_none() => id = Some(trade_id(s.ascii()?)),
                    b"L" if move_.is_none() => move_ = Some(s.ascii()?),
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
    let flags = flags(block.unwrap_or(false), rpi.unwrap_or(false));
    Some((time?, Trade { id: id?, taker: side?, price: Ticks(price?), qty: Lots(qty?), flags }))
}
