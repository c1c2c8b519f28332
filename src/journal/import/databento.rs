//! Databento's order-by-order recordings (schema `mbo` of the Databento Binary Encoding), plain or zstd-compressed.
//!
//! A venue's matching engine works in events: one order comes, trades with some, and everything that follows of it is
//! one event, whose last record is flagged `LAST`. Its records are prints (`T`), the resting orders they filled (`F`) and
//! what became of orders (`A`dded, `C`ancelled, `M`odified, or all gone: `R`). We tell an event when its last record was
//! received, prints and fills first and the levels it changed at the end. What has to be known to read them:
//!
//! * `F` says how much was filled; the `C` or `M` after it repeats the outcome, and is news only where it differs: an
//!   iceberg that shows its next part stands at the end of the line.
//! * The taker's own order has an `F` too if it rested elsewhere before and was moved to trade. It fills nobody's place.
//! * `M` keeps the place in line unless it moves the price or raises the quantity (CME: *Order Cancel/Replace*).
//! * Sides are the taker's in `T`, the order's in the others. An auction has no taker, `N`: its prints fill no quote.
//! * A recording begins with a snapshot, orders flagged `SNAPSHOT` in the order of the line and stamped with the start of
//!   the day. It is told with the first event after it, not hours before.
//!
//! * `MAYBE_BAD_BOOK` says that messages were lost. From there on there is no book until the next snapshot.
//!
//! Prices are in units of 10⁻⁹. Records for other instruments of the file are passed over. Where a file begins without
//! a snapshot and without clearing the book, there is no book, and none is told.

use std::collections::{BTreeMap, VecDeque};
use std::ffi::c_char;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;

use dbn::decode::dbn::Decoder;
use dbn::decode::{DbnMetadata, DecodeRecordRef};
use dbn::{MboMsg, Metadata, Schema, UNDEF_PRICE};
use rust_decimal::Decimal;

use super::rows::{Priced, Row, Rows, Told};
use super::{ImportError, Wish};
use crate::market::{Extent, OrderStep, PrintFlags};
use crate::units::{LocalTime, Side, VenueTime};

pub(super) fn rows(wish: &Wish) -> Result<Rows, ImportError> {
    for path in &wish.files {
        // A file that is not there is told before anything is read.
        File::open(path).map_err(|source| ImportError::Unreadable { file: path.clone(), source })?;
    }
    let (wish, rows, book) = (wish.clone(), VecDeque::new(), Orders::default());
    Ok(Box::new(Events { wish, file: 0, open: None, event: Vec::new(), book, rows, is_over: false }))
}

/// All files, one after the other.
struct Events {
    wish: Wish,
    /// The one being read, or to open next.
    file: usize,
    open: Option<Records>,
    /// The records of the event being read.
    event: Vec<MboMsg>,
    book: Orders,
    /// Told and not yet taken.
    rows: VecDeque<Row>,
    is_over: bool,
}

impl Iterator for Events {
    type Item = Result<Row, ImportError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(row) = self.rows.pop_front() {
                return Some(Ok(row));
            }
            if self.is_over {
                return None;
            }
            if let Err((line, why)) = self.read_on() {
                self.is_over = true;
                return Some(Err(self.wish.refused((self.file, line), why)));
            }
        }
    }
}

impl Events {
    /// Reads to the end of an event, or of a file; a refusal with the number of its record.
    fn read_on(&mut self) -> Result<(), (u64, String)> {
        if self.open.is_none() {
            let opened = Records::open(&self.wish.files[self.file], &self.wish.symbol);
            self.open = Some(opened.map_err(|why| (0, why))?);
        }
        let records = self.open.as_mut().expect("it was just opened");
        self.event.clear();
        let mut has_ended = false;
        while !self.event.last().is_some_and(|last| last.flags.is_last() || last.flags.is_snapshot()) {
            let next = records.next();
            match next.map_err(|why| (records.number, why))? {
                Some(record) => self.event.push(record),
                None => {
                    has_ended = true;
                    break;
                }
            }
        }
        let (file, number) = (self.file, records.number);
        let refused = |why| (number, why);
        self.book.event(&self.event, (file, number), &mut self.rows).map_err(refused)?;
        if has_ended {
            self.open = None;
            if self.file + 1 < self.wish.files.len() {
                self.file += 1;
            } else {
                self.is_over = true;
                self.book.end((file, number), &mut self.rows);
            }
        }
        Ok(())
    }
}

/// Records of one instrument in one file.
struct Records {
    decoder: Decoder<Box<dyn Read + Send>>,
    /// The instrument's numbers in this file, which may change from day to day.
    instruments: Vec<u32>,
    /// Of the last record read, from 1.
    number: u64,
}

impl Records {
    fn open(path: &Path, symbol: &str) -> Result<Self, String> {
        let mut file = BufReader::new(File::open(path).map_err(|error| error.to_string())?);
        let head = io::BufRead::fill_buf(&mut file).map_err(|error| error.to_string())?;
        let reader: Box<dyn Read + Send> = if head.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) {
            let unpacked = zstd::stream::read::Decoder::with_buffer(file).map_err(|error| error.to_string())?;
            Box::new(Whole(BufReader::new(unpacked)))
        } else {
            Box::new(Whole(file))
        };
        let decoder = Decoder::new(reader).map_err(|error| error.to_string())?;
        let metadata = decoder.metadata();
        if let Some(schema) = metadata.schema.filter(|schema| *schema != Schema::Mbo) {
            return Err(format!("its schema is {schema}; mbo is read"));
        }
        let instruments = numbers_of(metadata, symbol)?;
        Ok(Self { decoder, instruments, number: 0 })
    }

    fn next(&mut self) -> Result<Option<MboMsg>, String> {
        loop {
            let record = match self.decoder.decode_record_ref() {
                Ok(Some(record)) => record,
                Ok(None) => return Ok(None),
                Err(error) => {
                    self.number += 1;
                    return Err(error.to_string());
                }
            };
            self.number += 1;
            // What else a file holds (statistics of the service, errors in its words) is about no order.
            if record.has::<MboMsg>() {
                let record = record.try_get::<MboMsg>().map_err(|error| error.to_string())?;
                if self.instruments.contains(&record.hd.instrument_id) {
                    return Ok(Some(record.clone()));
                }
            }
        }
    }
}

/// The numbers a symbol goes by in a file.
fn numbers_of(metadata: &Metadata, symbol: &str) -> Result<Vec<u32>, String> {
    let named = |text: &str| text.eq_ignore_ascii_case(symbol);
    let Some(mapping) = metadata.mappings.iter().find(|mapping| named(&mapping.raw_symbol)) else {
        let found: Vec<&str> = metadata.mappings.iter().map(|m| m.raw_symbol.as_str()).take(12).collect();
        return Err(format!("holds nothing of {symbol}; it holds {}", found.join(", ")));
    };
    let numbers: Vec<u32> = mapping.intervals.iter().filter_map(|interval| interval.symbol.parse().ok()).collect();
    if numbers.is_empty() { Err(format!("does not say which number is {symbol}")) } else { Ok(numbers) }
}

/// A file cut short is an error, not an end.
struct Whole<R>(R);

impl<R: Read> Read for Whole<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.0.read(into).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => io::Error::new(io::ErrorKind::InvalidData, "the file ends in the middle"),
            _ => error,
        })
    }
}

/// What is known of the book.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Phase {
    /// Nothing: no snapshot came yet.
    #[default]
    Unknown,
    /// It is being told anew, by a snapshot or after it was cleared.
    Anew,
    /// All of it.
    Known,
}

/// The book, order by order, and what is told of it.
#[derive(Default)]
struct Orders {
    orders: BTreeMap<u64, Resting>,
    /// Bids and asks: by price in units of 10⁻⁹.
    levels: [BTreeMap<i64, u64>; 2],
    phase: Phase,
    /// The file whose snapshot was read last.
    snapshot_of: Option<usize>,
    /// How many joined.
    joined: u64,
    prints: u64,
    /// When the last event was heard, and when it happened.
    moment: Option<(LocalTime, VenueTime)>,
}

#[derive(Clone, Copy)]
struct Resting {
    side: Side,
    price: i64,
    qty: u64,
    /// Joined as this one of all.
    place: u64,
}

/// Whose an `F` must not be: side and name of the taker.
type Taker = (Option<Side>, u64);

/// What is being told, of which moment.
struct Telling<'a> {
    at: LocalTime,
    venue_time: Option<VenueTime>,
    place: (usize, u64),
    /// Levels that changed.
    touched: Vec<(Side, i64)>,
    rows: &'a mut VecDeque<Row>,
}

impl<'a> Telling<'a> {
    fn of((at, venue_time): (LocalTime, VenueTime), place: (usize, u64), rows: &'a mut VecDeque<Row>) -> Self {
        Self { at, venue_time: Some(venue_time), place, touched: Vec::new(), rows }
    }

    fn tell(&mut self, told: Told) {
        self.rows.push_back(Row { at: self.at, venue_time: self.venue_time, place: self.place, told });
    }

    fn order(&mut self, id: u64, order: Resting, step: OrderStep) {
        let Resting { side, price, qty, .. } = order;
        self.tell(Told::Order { id, side, price: price_of(price), qty: qty.into(), step });
    }
}

fn price_of(units: i64) -> Decimal {
    Decimal::new(units, 9).normalize()
}

fn side_of(letter: c_char) -> Result<Option<Side>, String> {
    match letter as u8 {
        b'B' => Ok(Some(Side::Bid)),
        b'A' => Ok(Some(Side::Ask)),
        b'N' => Ok(None),
        other => Err(format!("{:?} is no side", char::from(other))),
    }
}

impl Orders {
    /// Takes in the records of one event; those of a snapshot come one by one.
    fn event(&mut self, event: &[MboMsg], place: (usize, u64), rows: &mut VecDeque<Row>) -> Result<(), String> {
        let Some(last) = event.last() else { return Ok(()) };
        let time = |stamp: u64| i64::try_from(stamp).map_err(|_| format!("{stamp} is no time"));
        let moment = (LocalTime(time(last.ts_recv)?), VenueTime(time(last.hd.ts_event)?));
        self.moment = Some(moment);
        let mut telling = Telling::of(moment, place, rows);
        if last.flags.is_snapshot() {
            if self.snapshot_of != Some(place.0) {
                self.snapshot_of = Some(place.0);
                self.clear(&mut telling);
            }
        } else if self.phase == Phase::Anew {
            self.tell_all(&mut telling);
        }
        if self.phase == Phase::Known && event.iter().any(|record| record.flags.is_maybe_bad_book()) {
            self.clear(&mut telling);
            self.phase = Phase::Unknown;
        }
        let mut taker = None;
        for record in event {
            self.record(record, &mut taker, &mut telling)?;
        }
        let touched = std::mem::take(&mut telling.touched);
        if self.phase == Phase::Known && !touched.is_empty() {
            let now = |(side, price): (Side, i64)| {
                (price_of(price), self.levels[side as usize].get(&price).copied().unwrap_or(0).into())
            };
            let of = |side| touched.iter().copied().filter(|level| level.0 == side).map(now).collect();
            telling.tell(Told::Delta { bids: of(Side::Bid), asks: of(Side::Ask) });
        }
        Ok(())
    }

    /// Tells a book that is still due when everything is read.
    fn end(&mut self, place: (usize, u64), rows: &mut VecDeque<Row>) {
        if let Some(moment) = self.moment.filter(|_| self.phase == Phase::Anew) {
            self.tell_all(&mut Telling::of(moment, place, rows));
        }
    }

    fn record(&mut self, record: &MboMsg, taker: &mut Option<Taker>, telling: &mut Telling<'_>) -> Result<(), String> {
        let (id, price, side) = (record.order_id, record.price, side_of(record.side)?);
        let action = record.action as u8;
        if matches!(action, b'A' | b'M' | b'T') && price == UNDEF_PRICE {
            return Err(format!("order {id} has no price"));
        }
        let known = self.orders.get(&id).copied();
        let less = |order: Resting| Resting { qty: order.qty.saturating_sub(record.size.into()), ..order };
        match action {
            b'T' => {
                *taker = Some((side, id));
                self.prints += 1;
                let flags = if side.is_some() { PrintFlags::NONE } else { PrintFlags::AUCTION };
                let (taker, price, qty) = (side.unwrap_or(Side::Bid), price_of(price), record.size.into());
                telling.tell(Told::Trade { id: self.prints, taker, price, qty, flags });
            }
            b'F' => {
                let is_takers = taker.is_some_and(|(takes, by)| by == id || (takes.is_some() && takes == side));
                if let Some(order) = known.filter(|_| !is_takers) {
                    self.change(id, order, less(order), OrderStep::Filled, telling);
                }
            }
            b'C' => {
                // Of what was filled to the end before nothing is left to cancel.
                if let Some(order) = known {
                    let left = less(order);
                    let step = if left.qty == 0 { OrderStep::Left } else { OrderStep::Shrank };
                    self.change(id, order, left, step, telling);
                }
            }
            b'A' | b'M' => {
                let side = side.ok_or_else(|| format!("order {id} is on no side"))?;
                self.joined += 1;
                let now = Resting { side, price, qty: record.size.into(), place: self.joined };
                match known {
                    Some(order)
                        if action == b'M' && (order.side, order.price) == (side, price) && now.qty <= order.qty =>
                    {
                        let step = if now.qty == 0 { OrderStep::Left } else { OrderStep::Shrank };
                        if now.qty < order.qty {
                            self.change(id, order, Resting { qty: now.qty, ..order }, step, telling);
                        }
                    }
                    Some(order) => {
                        self.put(id, order, Resting { qty: 0, ..order }, telling);
                        self.change(id, Resting { qty: 0, ..now }, now, OrderStep::Joined, telling);
                    }
                    None => self.change(id, Resting { qty: 0, ..now }, now, OrderStep::Joined, telling),
                }
            }
            b'R' => self.clear(telling),
            b'N' => {}
            other => return Err(format!("{:?} is no action on an order", char::from(other))),
        }
        Ok(())
    }

    /// What was `before` is `now`, and so it is told; not of a book that will be told as a whole, or is not known.
    fn change(&mut self, id: u64, before: Resting, now: Resting, step: OrderStep, telling: &mut Telling<'_>) {
        self.put(id, before, now, telling);
        if self.phase == Phase::Known {
            telling.order(id, now, step);
        }
    }

    fn put(&mut self, id: u64, before: Resting, now: Resting, telling: &mut Telling<'_>) {
        let level = self.levels[now.side as usize].entry(now.price).or_default();
        *level = *level + now.qty - before.qty;
        if *level == 0 {
            self.levels[now.side as usize].remove(&now.price);
        }
        if now.qty == 0 {
            self.orders.remove(&id);
        } else {
            self.orders.insert(id, now);
        }
        if !telling.touched.contains(&(now.side, now.price)) {
            telling.touched.push((now.side, now.price));
        }
    }

    /// Nothing rests any more, or nobody knows what does.
    fn clear(&mut self, telling: &mut Telling<'_>) {
        if self.phase == Phase::Known {
            telling.tell(Told::Gap);
        }
        self.orders.clear();
        self.levels = Default::default();
        telling.touched.clear();
        self.phase = Phase::Anew;
    }

    fn tell_all(&mut self, telling: &mut Telling<'_>) {
        self.phase = Phase::Known;
        let mut in_line: Vec<_> = self.orders.iter().map(|(id, order)| (*id, *order)).collect();
        in_line.sort_by_key(|(_, order)| order.place);
        for (id, order) in in_line {
            telling.order(id, order, OrderStep::Joined);
        }
        let level = |(price, qty): (&i64, &u64)| -> Priced { (price_of(*price), (*qty).into()) };
        let [bids, asks] = &self.levels;
        let (bids, asks) = (bids.iter().rev().map(level).collect(), asks.iter().map(level).collect());
        telling.tell(Told::Snapshot { bids, asks, extent: Extent::All });
    }
}
