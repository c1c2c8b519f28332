//! The survey's fast way to read a frame of Binance: whose it is, what kind, and its numbers.
//!
//! A recording is millions of frames of four kinds, and the survey looks at every number of each before anything is
//! written. So this walks over the fields of a frame in whatever order they stand, as long as they are of shapes it
//! knows and none that matters comes twice. Everything else it declines, and a JSON parser has the last word; what it
//! does say is what the parser would have said.

use std::ops::Range;

use crate::market::VenueId;
use crate::units::Step;
use crate::wire::scan::Scan;

/// The kinds of frame that have numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    Depth,
    Trade,
    AggTrade,
    Touch,
}

/// What the last frame that was not declined says; memory is reused.
#[derive(Debug)]
pub struct Glance {
    pub event: Event,
    /// Where in the frame.
    pub symbol: Range<usize>,
    /// Whether it has a field that only futures have.
    pub is_of_futures: bool,
    /// In units of 10⁻⁸.
    pub prices: Vec<u64>,
    /// As prices; a print's or those that rest.
    pub sizes: Vec<u64>,
    /// 10⁻⁸.
    unit: Step,
    /// Whether numbers have eight places.
    is_padded: bool,
}

/// Which fields came.
#[derive(Clone, Copy, Default)]
struct Came {
    price: bool,
    qty: bool,
    bid: Option<Is>,
    ask: Option<Is>,
    bid_qty: bool,
    ask_qty: bool,
}

/// What `b` and `a` are: levels of a difference, the best price, or the number of merged trades.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Is {
    Levels,
    Best,
    Count,
}

impl Glance {
    pub fn of(venue: VenueId) -> Self {
        Self {
            event: Event::Touch,
            symbol: 0..0,
            is_of_futures: false,
            prices: Vec::new(),
            sizes: Vec::new(),
            unit: Step::parse("0.00000001").expect("a step"),
            is_padded: venue == VenueId::BinanceSpot,
        }
    }

    /// Reads a frame; `None` leaves it to the parser.
    pub fn read(&mut self, frame: &[u8]) -> Option<()> {
        self.prices.clear();
        self.sizes.clear();
        self.is_of_futures = false;
        let mut s = Scan::new(frame);
        let is_combined = s.skip(b"{\"stream\":\"");
        if is_combined {
            s.ascii()?;
            s.expect(b",\"data\":")?;
        }
        s.expect(b"{")?;
        let (mut came, mut event, mut symbol) = (Came::default(), None, None);
        loop {
            let key = s.key()?;
            match key {
                b"e" => {
                    s.expect(b"\"")?;
                    if event.replace(s.ascii()?).is_some() {
                        return None;
                    }
                }
                b"s" => {
                    s.expect(b"\"")?;
                    let start = frame.len() - s.rest().len();
                    let text = s.ascii()?;
                    if symbol.replace(start..start + text.len()).is_some() {
                        return None;
                    }
                }
                b"p" => self.once(&mut s, &mut came.price, true)?,
                b"q" => self.once(&mut s, &mut came.qty, false)?,
                b"B" => self.once(&mut s, &mut came.bid_qty, false)?,
                b"A" => self.once(&mut s, &mut came.ask_qty, false)?,
                b"b" => self.side(&mut s, &mut came.bid)?,
                b"a" => self.side(&mut s, &mut came.ask)?,
                b"m" | b"M" => drop(s.boolean()?),
                b"pu" | b"ps" => {
                    self.is_of_futures = true;
                    s.pass()?;
                }
                // A combined frame of one of these, or a field of the same name as the wrapping's, is for the parser.
                b"stream" | b"data" | b"result" | b"error" | b"code" => return None,
                // A name may hold what JSON forbids.
                _ if key.iter().all(|byte| (0x20..0x7f).contains(byte)) => s.pass()?,
                _ => return None,
            }
            if !s.skip(b",") {
                s.expect(b"}")?;
                break;
            }
        }
        if is_combined {
            s.expect(b"}")?;
        }
        self.symbol = symbol?;
        let levels = (came.bid, came.ask) == (Some(Is::Levels), Some(Is::Levels));
        let best = (came.bid, came.ask) == (Some(Is::Best), Some(Is::Best)) && came.bid_qty && came.ask_qty;
        let print = came.price && came.qty;
        let has_print = came.price || came.qty;
        let has_best_qty = came.bid_qty || came.ask_qty;
        let no_levels = came.bid != Some(Is::Levels) && came.ask != Some(Is::Levels);
        let no_best = came.bid != Some(Is::Best) && came.ask != Some(Is::Best) && !has_best_qty;
        self.event = match event {
            Some(b"depthUpdate") if levels && !has_print && !has_best_qty => Event::Depth,
            Some(b"trade") if print && no_levels && no_best => Event::Trade,
            Some(b"aggTrade") if print && no_levels && no_best => Event::AggTrade,
            None | Some(b"bookTicker") if best && !has_print => Event::Touch,
            _ => return None,
        };
        s.is_done().then_some(())
    }

    /// A number that comes once.
    #[inline]
    fn once(&mut self, s: &mut Scan<'_>, came: &mut bool, is_price: bool) -> Option<()> {
        if std::mem::replace(came, true) {
            return None;
        }
        s.expect(b"\"")?;
        let units = self.number(s)?;
        if is_price {
            self.prices.push(units)
        } else {
            self.sizes.push(units)
        }
        Some(())
    }

    /// `b` or `a`.
    #[inline]
    fn side(&mut self, s: &mut Scan<'_>, came: &mut Option<Is>) -> Option<()> {
        if came.is_some() {
            return None;
        }
        *came = Some(match s.rest().first()? {
            b'[' => {
                self.levels(s)?;
                Is::Levels
            }
            b'"' => {
                s.expect(b"\"")?;
                let units = self.number(s)?;
                self.prices.push(units);
                Is::Best
            }
            _ => {
                s.integer()?;
                Is::Count
            }
        });
        Some(())
    }

    fn levels(&mut self, s: &mut Scan<'_>) -> Option<()> {
        s.expect(b"[")?;
        if s.skip(b"]") {
            return Some(());
        }
        loop {
            s.expect(b"[\"")?;
            let price = self.number(s)?;
            s.expect(b",\"")?;
            let qty = self.number(s)?;
            s.expect(b"]")?;
            self.prices.push(price);
            self.sizes.push(qty);
            if !s.skip(b",") {
                return s.expect(b"]");
            }
        }
    }

    #[inline]
    fn number(&self, s: &mut Scan<'_>) -> Option<u64> {
        let units = if self.is_padded { s.decimal(self.unit)? } else { s.short_decimal(self.unit)? };
        u64::try_from(units).ok()
    }
}
