//! hftbacktest's rows, as its converters and `sessions export --format hftbacktest-npz` write them.
//!
//! What the strategy's half of a backtest is shown is what was heard, in the order it was heard: rows for the venue's
//! half only are passed over, as they are the same news once more in the venue's order. A file in which no row is for
//! the strategy's half has not been through `correct_event_order` and is refused.
//!
//! Rows of one message have both stamps in common, so neighbours of one kind that do are one [`Told::Delta`] or
//! [`Told::Snapshot`]; the number our own export leaves in `ival` keeps messages of one moment apart. A clear takes
//! away the levels of one side down to a price, which a book has no word for; so the reader keeps the book as
//! hftbacktest would, and says after a snapshot all of it. A clear of both sides that no snapshot follows is a gap.

use std::collections::BTreeMap;
use std::path::PathBuf;

use rust_decimal::Decimal;

use super::rows::{Priced, Row, Rows, Told};
use super::{ImportError, Wish};
use crate::journal::npz::{self, Event, NotSaved, Saved};
use crate::market::{Extent, PrintFlags};
use crate::units::{LocalTime, Side, VenueTime};

/// Opens the files, to be read one after the other.
pub fn rows(wish: &Wish) -> Result<Rows, ImportError> {
    let open = |(index, path): (usize, &PathBuf)| {
        Saved::open(path).map(|saved| (index, saved)).map_err(|why| match why {
            NotSaved::Unreadable(source) => ImportError::Unreadable { file: path.clone(), source },
            NotSaved::Other(why) => wish.refused((index, 0), why),
        })
    };
    let files = wish.files.iter().enumerate().map(open).collect::<Result<Vec<_>, _>>()?;
    let mut files = files.into_iter();
    let open = files.next();
    let book = Kept::default();
    Ok(Box::new(Reading { wish: wish.clone(), files, open, line: 0, heard: 0, ahead: None, book, message: Vec::new() }))
}

/// The earliest stamp that is believed to be in nanoseconds: March 1973. Today in microseconds is in 1970.
const NANOSECONDS_MIN: i64 = 100_000_000_000_000_000;

struct Reading {
    wish: Wish,
    files: std::vec::IntoIter<(usize, Saved)>,
    /// The file in hand and its index in the wish.
    open: Option<(usize, Saved)>,
    /// Rows read of it.
    line: u64,
    /// Those for the strategy's half.
    heard: u64,
    /// Read, and the first of the next message.
    ahead: Option<(Place, Event)>,
    book: Kept,
    /// The rows of one message, memory kept.
    message: Vec<Event>,
}

/// File and row.
type Place = (usize, u64);

impl Reading {
    /// The next row that was heard and means something to us.
    fn pull(&mut self) -> Option<Result<(Place, Event), ImportError>> {
        if let Some(ahead) = self.ahead.take() {
            return Some(Ok(ahead));
        }
        loop {
            let (index, saved) = self.open.as_mut()?;
            let index = *index;
            match saved.next() {
                Some(row) => {
                    self.line += 1;
                    let place = (index, self.line);
                    match row.and_then(|row| is_ours(&row).map(|is_ours| is_ours.then_some(row))) {
                        Ok(Some(row)) => {
                            self.heard += 1;
                            return Some(Ok((place, row)));
                        }
                        Ok(None) => {}
                        Err(why) => {
                            self.open = None;
                            return Some(Err(self.wish.refused(place, why)));
                        }
                    }
                }
                None => {
                    let is_silent = self.line > 0 && self.heard == 0;
                    self.open = self.files.next();
                    (self.line, self.heard) = (0, 0);
                    if is_silent {
                        let why = "no row is for the strategy's half (bit 30 of ev), which correct_event_order sets";
                        self.open = None;
                        return Some(Err(self.wish.refused((index, 0), why)));
                    }
                }
            }
        }
    }

    /// A message's rows, from the first one on.
    fn read(&mut self) -> Option<Result<(Place, Event), ImportError>> {
        let (place, first) = match self.pull()? {
            Ok(first) => first,
            Err(error) => return Some(Err(error)),
        };
        self.message.clear();
        self.message.push(first);
        while let Some(next) = self.pull() {
            match next {
                Ok((_, row)) if goes_on(&first, &row) => self.message.push(row),
                Ok(next) => {
                    self.ahead = Some(next);
                    break;
                }
                Err(error) => return Some(Err(error)),
            }
        }
        Some(Ok((place, first)))
    }
}

impl Iterator for Reading {
    type Item = Result<Row, ImportError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let (place, first) = match self.read()? {
                Ok(first) => first,
                Err(error) => return Some(Err(error)),
            };
            match self.book.tell(&self.message) {
                Ok(Some(told)) => {
                    let (at, venue_time) = (LocalTime(first.local_ts), Some(VenueTime(first.exch_ts)));
                    return Some(Ok(Row { at, venue_time, place, told }));
                }
                Ok(None) => {}
                Err((row, why)) => {
                    let place = (place.0, place.1 + row as u64);
                    return Some(Err(self.wish.refused(place, why)));
                }
            }
        }
    }
}

/// Whether the strategy's half reads it; kinds hftbacktest does not know are its users' own.
fn is_ours(row: &Event) -> Result<bool, String> {
    if npz::ORDERS.contains(&row.kind()) {
        return Err(format!("tells of single orders (event {}), which are not read from this format", row.kind()));
    }
    if !row.has(npz::LOCAL) || class(row) == Class::Unknown {
        return Ok(false);
    }
    if row.local_ts < NANOSECONDS_MIN || row.exch_ts < NANOSECONDS_MIN {
        let stamp = row.local_ts.min(row.exch_ts);
        return Err(format!("{stamp} is no time in nanoseconds since the epoch, which has 19 digits"));
    }
    Ok(true)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Levels,
    /// Clears and the snapshot after them.
    Whole,
    Print,
    Touch,
    Unknown,
}

fn class(row: &Event) -> Class {
    match row.kind() {
        npz::DEPTH => Class::Levels,
        npz::DEPTH_CLEAR | npz::DEPTH_SNAPSHOT => Class::Whole,
        npz::TRADE => Class::Print,
        npz::DEPTH_BBO => Class::Touch,
        _ => Class::Unknown,
    }
}

fn goes_on(first: &Event, next: &Event) -> bool {
    let key = |row: &Event| (row.exch_ts, row.local_ts, row.ival);
    class(first) != Class::Print && class(first) == class(next) && key(first) == key(next)
}

/// What hftbacktest would hold.
#[derive(Default)]
struct Kept {
    bids: BTreeMap<Decimal, Decimal>,
    asks: BTreeMap<Decimal, Decimal>,
    touch: (Option<Priced>, Option<Priced>),
    trades: u64,
    /// Places of prices and of quantities so far.
    places: (usize, usize),
}

impl Kept {
    /// What a message says, if anything; or which of its rows, from 0, says what it cannot.
    fn tell(&mut self, message: &[Event]) -> Result<Option<Told>, (usize, String)> {
        let at = |n: usize| move |why: String| (n, why);
        let first = message.first().expect("a message has a row");
        match class(first) {
            Class::Levels => {
                let (mut bids, mut asks) = (Vec::new(), Vec::new());
                for (n, row) in message.iter().enumerate() {
                    let (side, level) = self.level(row).map_err(at(n))?;
                    self.put(side, level);
                    match side {
                        Side::Bid => bids.push(level),
                        Side::Ask => asks.push(level),
                    }
                }
                Ok(Some(Told::Delta { bids, asks }))
            }
            Class::Whole => self.whole(message),
            Class::Print => self.print(first).map(Some).map_err(at(0)),
            Class::Touch => {
                for (n, row) in message.iter().enumerate() {
                    let (side, level) = self.level(row).map_err(at(n))?;
                    let level = Some(level).filter(|(_, qty)| !qty.is_zero());
                    match side {
                        Side::Bid => self.touch.0 = level,
                        Side::Ask => self.touch.1 = level,
                    }
                }
                Ok(Some(Told::Bbo { bid: self.touch.0, ask: self.touch.1 }))
            }
            Class::Unknown => Ok(None),
        }
    }

    /// Clears and snapshots.
    fn whole(&mut self, message: &[Event]) -> Result<Option<Told>, (usize, String)> {
        let mut gone = (Vec::new(), Vec::new());
        let (mut has_levels, mut is_all_gone) = (false, false);
        for (n, row) in message.iter().enumerate() {
            if row.kind() == npz::DEPTH_SNAPSHOT {
                let (side, level) = self.level(row).map_err(|why| (n, why))?;
                self.put(side, level);
                has_levels = true;
                continue;
            }
            let side = side(row).ok();
            let to = row.px.is_finite().then(|| price(row, &mut self.places.0)).transpose().map_err(|why| (n, why))?;
            is_all_gone |= side.is_none();
            if side != Some(Side::Ask) {
                let from = to.filter(|_| side.is_some()).unwrap_or(Decimal::MIN);
                gone.0.extend(self.bids.split_off(&from).into_keys());
            }
            if side != Some(Side::Bid) {
                let to = to.filter(|_| side.is_some()).unwrap_or(Decimal::MAX);
                let gone_asks: Vec<Decimal> = self.asks.range(..=to).map(|(price, _)| *price).collect();
                for price in &gone_asks {
                    self.asks.remove(price);
                }
                gone.1.extend(gone_asks);
            }
        }
        if has_levels {
            let bids = self.bids.iter().rev().map(|(price, qty)| (*price, *qty)).collect();
            let asks = self.asks.iter().map(|(price, qty)| (*price, *qty)).collect();
            return Ok(Some(Told::Snapshot { bids, asks, extent: Extent::ToLast }));
        }
        if is_all_gone {
            return Ok(Some(Told::Gap));
        }
        let empty = |prices: Vec<Decimal>| prices.into_iter().map(|price| (price, Decimal::ZERO)).collect::<Vec<_>>();
        let (bids, asks) = (empty(gone.0), empty(gone.1));
        Ok((bids.len() + asks.len() > 0).then_some(Told::Delta { bids, asks }))
    }

    fn print(&mut self, row: &Event) -> Result<Told, String> {
        let (taker, (price, qty)) = self.level(row)?;
        if price <= Decimal::ZERO || qty <= Decimal::ZERO {
            return Err(format!("is a print of {qty} at {price}; both are above zero"));
        }
        self.trades += 1;
        let id = if row.ival == 0 { self.trades } else { row.ival.cast_unsigned() };
        let known = PrintFlags::BLOCK.0 | PrintFlags::RPI.0 | PrintFlags::INSURANCE.0 | PrintFlags::AUCTION.0;
        let flags = (1..=known).find(|flags| f64::from(*flags) == row.fval).map_or(PrintFlags::NONE, PrintFlags);
        Ok(Told::Trade { id, taker, price, qty, flags })
    }

    fn level(&mut self, row: &Event) -> Result<(Side, Priced), String> {
        let qty = npz::decimal(row.qty, &mut self.places.1)
            .ok_or_else(|| format!("quantity {} is no decimal of up to 13 digits", row.qty))?;
        Ok((side(row)?, (price(row, &mut self.places.0)?, qty)))
    }

    fn put(&mut self, side: Side, (price, qty): Priced) {
        let levels = match side {
            Side::Bid => &mut self.bids,
            Side::Ask => &mut self.asks,
        };
        if qty.is_zero() {
            levels.remove(&price);
        } else {
            levels.insert(price, qty);
        }
    }
}

fn price(row: &Event, places: &mut usize) -> Result<Decimal, String> {
    npz::decimal(row.px, places).ok_or_else(|| format!("price {} is no decimal of up to 13 digits", row.px))
}

fn side(row: &Event) -> Result<Side, String> {
    match (row.has(npz::BUY), row.has(npz::SELL)) {
        (true, false) => Ok(Side::Bid),
        (false, true) => Ok(Side::Ask),
        (true, true) | (false, false) => Err(format!("names no side (ev {:#x})", row.ev)),
    }
}
