//! The fast way to read a frame of Binance futures.
//!
//! Unlike spot's, these frames have changed their fields and the order of them (`ps` in 2020, `st` and `nq` since
//! 2025), so this does not compare with one layout: it walks over the fields, in whatever order, as long as it knows
//! every one of them and none comes twice. Everything else is declined, and [`super::json`] has the last word.

use super::{Market, Print};
use crate::market::Level;
use crate::units::{Lots, Step, Ticks, VenueTime};
use crate::wire::binance::{is_diff_channel, levels, taker, touch};
use crate::wire::dialect::{Change, Link, News};
use crate::wire::scan::Scan;
use crate::wire::stamp;
use crate::wire::symbols::Symbols;

/// Buffers that are kept between frames.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    levels: Vec<Level>,
}

/// What a payload may hold. Letters are Binance's.
#[derive(Default)]
struct Fields<'a> {
    /// `e`
    event: Option<&'a [u8]>,
    /// `s`, and its steps.
    about: Option<(usize, Step, Step)>,
    /// `st`
    market: Option<u64>,
    /// `T`
    time: Option<VenueTime>,
    /// `U`
    first: Option<u64>,
    /// `u`
    last: Option<u64>,
    /// `pu`
    before: Option<u64>,
    /// `b` and `a` of a difference.
    bids: Option<Vec<Level>>,
    asks: Option<Vec<Level>>,
    /// `b`, `B`, `a`, `A` of a best bid and offer.
    bid_price: Option<i64>,
    bid_qty: Option<i64>,
    ask_price: Option<i64>,
    ask_qty: Option<i64>,
    /// `t` of a trade.
    trade_id: Option<u64>,
    /// `a` of merged trades.
    merged_id: Option<u64>,
    /// `p`, `q`, `nq`, `X`, `m`
    price: Option<i64>,
    qty: Option<i64>,
    displayed_qty: Option<i64>,
    kind: Option<&'a [u8]>,
    buyer_is_maker: Option<bool>,
}

/// Reads a frame that has only fields we know.
pub(super) fn scan(frame: &[u8], symbols: &Symbols, market: Market, scratch: &mut Scratch) -> Option<News> {
    let mut s = Scan::new(frame);
    let stream = if s.skip(b"{\"stream\":\"") {
        let stream = s.text()?;
        s.expect(b",\"data\":")?;
        Some(stream)
    } else {
        None
    };
    let fields = Fields::read(&mut s, symbols, scratch)?;
    if let Some(stream) = stream {
        s.expect(b"}")?;
        let lower = symbols.get(fields.about?.0).lower.as_bytes();
        // A stream and its payload that disagree are for the parser to judge.
        if !fields.is_event_of(stream.strip_prefix(lower)?.strip_prefix(b"@")?) {
            return None;
        }
    }
    if !s.is_done() {
        return None;
    }
    let is_foreign = fields.market.is_some_and(|found| found != market.number());
    let news = fields.news()?;
    Some(if is_foreign { News::Ignored } else { news })
}

/// Fills a field once; a second time is for the parser to judge.
#[inline]
fn set<T>(field: &mut Option<T>, value: T) -> Option<()> {
    field.replace(value).is_none().then_some(())
}

/// A text of letters that are certainly JSON.
#[inline]
fn word<'a>(s: &mut Scan<'a>) -> Option<&'a [u8]> {
    s.expect(b"\"")?;
    s.text().filter(|text| text.iter().all(u8::is_ascii_graphic))
}

impl<'a> Fields<'a> {
    #[inline]
    fn read(s: &mut Scan<'a>, symbols: &Symbols, scratch: &mut Scratch) -> Option<Self> {
        let mut f = Self::default();
        s.expect(b"{")?;
        loop {
            s.expect(b"\"")?;
            let key = s.text()?;
            s.expect(b":")?;
            // Of three kinds in as many messages, and still one field that may come once.
            let is_again = match key {
                b"a" => f.merged_id.is_some() || f.asks.is_some() || f.ask_price.is_some(),
                b"b" => f.bids.is_some() || f.bid_price.is_some(),
                _ => false,
            };
            if is_again {
                return None;
            }
            match key {
                b"e" => set(&mut f.event, word(s)?)?,
                // Of the push, of the pair, and of the first and last trade merged: of no use to us.
                b"E" | b"f" | b"l" => {
                    s.integer()?;
                }
                b"ps" => {
                    word(s)?;
                }
                b"s" => {
                    s.expect(b"\"")?;
                    let at = symbols.find(s.text()?)?;
                    let (tick, lot) = symbols.steps(at);
                    set(&mut f.about, (at, tick, lot))?;
                }
                b"st" => set(&mut f.market, s.integer()?)?,
                b"T" => set(&mut f.time, stamp::millis(s.integer()?)?)?,
                b"U" => set(&mut f.first, s.integer()?)?,
                b"u" => set(&mut f.last, s.integer()?)?,
                b"pu" => set(&mut f.before, s.integer()?)?,
                b"t" => set(&mut f.trade_id, s.integer()?)?,
                b"a" if s.rest().first().is_some_and(u8::is_ascii_digit) => set(&mut f.merged_id, s.integer()?)?,
                b"m" => set(&mut f.buyer_is_maker, s.boolean()?)?,
                b"X" => set(&mut f.kind, word(s)?)?,
                _ => {
                    let (_, tick, lot) = f.about?;
                    f.number(key, s, tick, lot, scratch)?;
                }
            }
            if !s.skip(b",") {
                s.expect(b"}")?;
                return Some(f);
            }
        }
    }

    /// Prices and quantities, whose steps are known once the symbol is.
    #[inline]
    fn number(&mut self, key: &[u8], s: &mut Scan<'a>, tick: Step, lot: Step, scratch: &mut Scratch) -> Option<()> {
        if s.skip(b"\"") {
            let (field, step) = match key {
                b"p" => (&mut self.price, tick),
                b"q" => (&mut self.qty, lot),
                b"nq" => (&mut self.displayed_qty, lot),
                b"b" => (&mut self.bid_price, tick),
                b"B" => (&mut self.bid_qty, lot),
                b"a" => (&mut self.ask_price, tick),
                b"A" => (&mut self.ask_qty, lot),
                _ => return None,
            };
            return set(field, s.decimal(step)?);
        }
        match key {
            b"b" => set(&mut self.bids, levels(s, tick, lot, &mut scratch.levels)?),
            b"a" => set(&mut self.asks, levels(s, tick, lot, &mut scratch.levels)?),
            _ => None,
        }
    }

    /// Whether the payload is what its stream's name says. `rpiDepth` and `depth5` call theirs `depthUpdate` too.
    fn is_event_of(&self, channel: &[u8]) -> bool {
        match self.event {
            Some(b"depthUpdate") => is_diff_channel(channel) && channel.iter().all(u8::is_ascii_graphic),
            Some(event) => event == channel,
            None => false,
        }
    }

    fn news(self) -> Option<News> {
        let (at, ..) = self.about?;
        match self.event? {
            b"depthUpdate" => {
                let (first, last) = (self.first?, self.last?);
                if first > last {
                    return None;
                }
                let change = Change {
                    link: Link::After(self.before?),
                    last,
                    seq: None,
                    time: Some(self.time?),
                    bids: self.bids?,
                    asks: self.asks?,
                    checksum: None,
                };
                Some(News::Change { at, change })
            }
            b"trade" => self.print(at, self.trade_id?),
            b"aggTrade" => self.print(at, self.merged_id?),
            b"bookTicker" => Some(News::Bbo {
                at,
                time: self.time,
                seq: self.last?,
                bid: touch(self.bid_price?, self.bid_qty?),
                ask: touch(self.ask_price?, self.ask_qty?),
            }),
            _ => None,
        }
    }

    fn print(&self, at: usize, id: u64) -> Option<News> {
        let positive = |field: Option<i64>| field.filter(|&n| n > 0);
        let print = Print {
            id,
            taker: taker(self.buyer_is_maker?),
            price: Ticks(positive(self.price)?),
            qty: Lots(positive(self.qty)?),
            displayed: self.displayed_qty.map(Lots),
            kind: match self.kind {
                Some(kind) => Some(std::str::from_utf8(kind).ok()?),
                None => None,
            },
        };
        Some(News::Trade { at, time: self.time?, trade: print.trade() })
    }
}
