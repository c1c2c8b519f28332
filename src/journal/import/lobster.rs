//! LOBSTER's pairs of files: every change of an order in one, the book after it in the other.
//!
//! Their columns are described at <https://lobsterdata.com/info/DataStructure.php>. The message file has time, type, order,
//! size, price and direction; row by row the orderbook file has what then rested at the best levels. Prices are dollars
//! times 10,000. Time is seconds after midnight in New York, with up to nine decimals; the day stands in the file's name,
//! `AAPL_2012-06-21_34200000_57600000_message_10.csv`. LOBSTER begins in June 2007, and since that March New York has
//! been on summer time from the second Sunday of March to the first of November: that rule is applied, on every machine.
//! Nobody says when a message was heard, so our time is the venue's.
//!
//! | type | tells |
//! |--:|---|
//! | 1 | the order joined |
//! | 2 | part of it was cancelled; it keeps its place |
//! | 3 | it left |
//! | 4 | it was filled: a print, whose taker is on the other side |
//! | 5 | an order that was not displayed was filled: a print flagged [`PrintFlags::HIDDEN`], direction of the hidden order |
//! | 6 | an auction's print, flagged [`PrintFlags::AUCTION`] |
//! | 7 | a halt (price -1), quotes again (0), trading again (1) |
//!
//! Orders that rested before the file began are not in it: they count in the levels, and what becomes of them is told by
//! levels and prints only. So an order nobody told of stands before all that were told of. The book is a window of as
//! many levels as the orderbook file has. A level that leaves it is emptied and its orders leave with it, for LOBSTER tells
//! of them no more; when it comes back, what rests there is nobody we know.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use jiff::civil::Date;
use jiff::tz::TimeZone;
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;

use super::picture::Picture;
use super::rows::{Priced, Row, Rows, Told};
use super::sheet::{self, Line, Sheet};
use super::{ImportError, Wish};
use crate::market::{OrderStep, PrintFlags, Status};
use crate::units::{LocalTime, Side, VenueTime};

/// New York's clock since March 2007.
const NEW_YORK: &str = "EST5EDT,M3.2.0,M11.1.0";

/// No day is longer, nanoseconds.
const DAY: i64 = 25 * 3_600 * 1_000_000_000;

/// What stands where no level is.
const NO_LEVEL: Decimal = Decimal::from_parts(1_410_065_407, 2, 0, false, 0);

/// One day: the two files, and what their names say.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Day {
    messages: usize,
    books: usize,
    /// Midnight in New York, nanoseconds since the epoch.
    midnight: i64,
    /// First and last second of it, in nanoseconds after midnight.
    span: (i64, i64),
    levels: u32,
}

/// What a file's name says of it.
struct Name {
    symbol: String,
    date: Date,
    span: (i64, i64),
    is_messages: bool,
    levels: u32,
}

/// `AAPL_2012-06-21_34200000_57600000_message_10.csv`, whatever it is packed in.
fn parse_name(name: &str) -> Option<Name> {
    let stem = name.split(".csv").next()?.split(".zip").next()?;
    let mut parts = stem.rsplitn(6, '_');
    let levels = parts.next()?.parse().ok().filter(|levels| (1..=1_000).contains(levels))?;
    let is_messages = match parts.next()? {
        "message" => true,
        "orderbook" => false,
        _ => return None,
    };
    let mut ns = || parts.next()?.parse::<i64>().ok()?.checked_mul(1_000_000);
    let (end, start) = (ns()?, ns()?);
    if !(0..=DAY).contains(&start) || !(start..=DAY).contains(&end) {
        return None;
    }
    let date: Date = parts.next()?.parse().ok()?;
    Some(Name { symbol: parts.next()?.to_owned(), date, span: (start, end), is_messages, levels })
}

/// Pairs the files by their names, in the order of the days.
fn days(wish: &Wish) -> Result<Vec<Day>, ImportError> {
    let mut found: BTreeMap<Date, [Option<(usize, Name)>; 2]> = BTreeMap::new();
    for (file, path) in wish.files.iter().enumerate() {
        let refused = |why: String| wish.refused((file, 0), why);
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let example = "AAPL_2012-06-21_34200000_57600000_message_10.csv";
        let name = parse_name(&name).ok_or_else(|| {
            refused(format!("its name says neither day nor kind; LOBSTER's are like {example} and …_orderbook_10.csv"))
        })?;
        if name.symbol != wish.symbol {
            return Err(refused(format!("is of {} by its name", name.symbol)));
        }
        if !(2007..2100).contains(&name.date.year()) {
            return Err(refused(format!("is of {}, and LOBSTER begins in 2007", name.date)));
        }
        let slot = &mut found.entry(name.date).or_default()[usize::from(!name.is_messages)];
        if slot.is_some() {
            return Err(refused(format!("{} has two files of this kind", name.date)));
        }
        *slot = Some((file, name));
    }
    let zone = TimeZone::posix(NEW_YORK).expect("a rule as POSIX writes them");
    let mut days = Vec::new();
    for (date, pair) in found {
        let (messages, books) = match pair {
            [Some(messages), Some(books)] => (messages, books),
            [Some((file, _)), None] => return Err(wish.refused((file, 0), "its orderbook file is not given")),
            [None, Some((file, _))] => return Err(wish.refused((file, 0), "its message file is not given")),
            [None, None] => continue,
        };
        if (messages.1.levels, messages.1.span) != (books.1.levels, books.1.span) {
            return Err(wish.refused((books.0, 0), "is of other levels or another time than its message file"));
        }
        let midnight = date.to_zoned(zone.clone()).map_err(|error| wish.refused((messages.0, 0), error.to_string()))?;
        days.push(Day {
            messages: messages.0,
            books: books.0,
            midnight: midnight.timestamp().as_nanosecond() as i64,
            span: messages.1.span,
            levels: messages.1.levels,
        });
    }
    Ok(days)
}

pub(super) fn rows(wish: &Wish) -> Result<Rows, ImportError> {
    let mut read = Vec::new();
    for (n, day) in days(wish)?.into_iter().enumerate() {
        let (messages, books) = (Sheet::open(wish, day.messages)?, Sheet::open(wish, day.books)?);
        read.push(Reader {
            wish: wish.clone(),
            is_later_day: n > 0,
            day,
            messages,
            books,
            picture: Picture::default(),
            orders: BTreeMap::new(),
            places: Default::default(),
            queue: VecDeque::new(),
            is_over: false,
        });
    }
    Ok(Box::new(read.into_iter().flatten()))
}

/// One day being read.
struct Reader {
    wish: Wish,
    day: Day,
    /// What the day before left of the book is gone.
    is_later_day: bool,
    messages: Sheet,
    books: Sheet,
    picture: Picture,
    /// Orders that joined in this file: side, price, what rests.
    orders: BTreeMap<u64, (Side, Decimal, Decimal)>,
    /// The same by place: asks and bids apart, the price, who rests there.
    places: [BTreeMap<Decimal, BTreeSet<u64>>; 2],
    queue: VecDeque<Row>,
    is_over: bool,
}

impl Iterator for Reader {
    type Item = Result<Row, ImportError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(row) = self.queue.pop_front() {
                return Some(Ok(row));
            }
            if self.is_over {
                return None;
            }
            match self.pair() {
                Ok(true) => {}
                Ok(false) => self.is_over = true,
                Err(error) => {
                    self.is_over = true;
                    self.queue.clear();
                    return Some(Err(error));
                }
            }
        }
    }
}

impl Reader {
    /// Reads a row of both files; `false` at their end.
    fn pair(&mut self) -> Result<bool, ImportError> {
        let message = self.messages.next().transpose()?;
        let book = self.books.next().transpose()?;
        let (message, book) = match (message, book) {
            (Some(message), Some(book)) => (message, book),
            (None, None) => return Ok(false),
            (Some(line), None) => return Err(self.wish.refused(line.place, "has no row in the orderbook file")),
            (None, Some(line)) => return Err(self.wish.refused(line.place, "has no row in the message file")),
        };
        let (at, mut news) = self.message(&message).map_err(|why| self.wish.refused(message.place, why))?;
        let book_told = self.book(&book).map_err(|why| self.wish.refused(book.place, why))?;
        news.extend(book_told.iter().flat_map(|told| self.leave_with(told)));
        let row = |told| Row { at: LocalTime(at), venue_time: Some(VenueTime(at)), place: message.place, told };
        if self.is_later_day {
            self.is_later_day = false;
            self.queue.push_back(row(Told::Gap));
        }
        self.queue.extend(news.into_iter().chain(book_told).map(row));
        Ok(true)
    }

    fn message(&mut self, line: &Line) -> Result<(i64, Vec<Told>), String> {
        let [time, kind, order, size, price, direction] =
            line.cells::<6>("a message file (time, type, order, size, price, direction)")?;
        let at = self.time(time)?;
        let side = match direction {
            "1" => Side::Bid,
            "-1" => Side::Ask,
            other => return Err(format!("direction {other:?} is neither 1 nor -1")),
        };
        if kind == "7" {
            let status = match price {
                "-1" => Status::Halted,
                "0" => Status::PostOnly,
                "1" => Status::Trading,
                other => return Err(format!("a halt has price -1, 0 or 1, not {other:?}")),
            };
            return Ok((at, vec![Told::Status(status)]));
        }
        let id = sheet::id(order, "order")?;
        let qty = sheet::number(size, "size")?;
        let price = sheet::price(price, "price")? / Decimal::from(10_000);
        let news = |id, qty, step| Told::Order { id, side, price, qty, step };
        // Prints have no numbers of their own; the line has.
        let print = |flags| Told::Trade { id: line.place.1, taker: side.opposite(), price, qty, flags };
        let told = match kind {
            "1" => {
                if self.orders.insert(id, (side, price, qty)).is_some() {
                    return Err(format!("order {id} joins a second time"));
                }
                self.places[side as usize].entry(price).or_default().insert(id);
                vec![news(id, qty, OrderStep::Joined)]
            }
            "2" => self.take(id, side, price, qty)?.map(|left| news(id, left, OrderStep::Shrank)).into_iter().collect(),
            "3" => {
                let known = self.take(id, side, price, Decimal::MAX)?;
                known.map(|_| news(id, Decimal::ZERO, OrderStep::Left)).into_iter().collect()
            }
            "4" => {
                let known = self.take(id, side, price, qty)?.map(|left| news(id, left, OrderStep::Filled));
                [print(PrintFlags::NONE)].into_iter().chain(known).collect()
            }
            "5" => vec![print(PrintFlags::HIDDEN)],
            "6" => vec![print(PrintFlags::AUCTION)],
            other => return Err(format!("type {other:?} is none of 1 to 7")),
        };
        Ok((at, told))
    }

    /// Takes `qty` off an order that was told of; what is left of it, or nothing if it was not.
    fn take(&mut self, id: u64, side: Side, price: Decimal, qty: Decimal) -> Result<Option<Decimal>, String> {
        let Some((of_side, of_price, rest)) = self.orders.get_mut(&id) else { return Ok(None) };
        if (*of_side, *of_price) != (side, price) {
            return Err(format!("order {id} rests on the other side or at {of_price}, not at {price}"));
        }
        if qty > *rest && qty != Decimal::MAX {
            return Err(format!("{qty} are taken off order {id}, and only {rest} of it rested"));
        }
        *rest -= qty.min(*rest);
        let left = *rest;
        if left.is_zero() {
            self.forget(id);
        }
        Ok(Some(left))
    }

    fn forget(&mut self, id: u64) {
        let Some((side, price, _)) = self.orders.remove(&id) else { return };
        let places = &mut self.places[side as usize];
        if let Some(place) = places.get_mut(&price) {
            place.remove(&id);
            if place.is_empty() {
                places.remove(&price);
            }
        }
    }

    /// The orders at levels that this empties.
    fn leave_with(&mut self, told: &Told) -> Vec<Told> {
        let Told::Delta { bids, asks } = told else { return Vec::new() };
        let mut left = Vec::new();
        for (side, levels) in [(Side::Bid, bids), (Side::Ask, asks)] {
            for (price, _) in levels.iter().filter(|(_, qty)| qty.is_zero()) {
                let gone = self.places[side as usize].get(price).cloned().unwrap_or_default();
                for id in gone {
                    self.forget(id);
                    let (price, qty) = (*price, Decimal::ZERO);
                    left.push(Told::Order { id, side, price, qty, step: OrderStep::Left });
                }
            }
        }
        left
    }

    fn time(&self, text: &str) -> Result<i64, String> {
        let seconds = sheet::number(text, "time")?;
        let ns = seconds.checked_mul(Decimal::from(1_000_000_000)).and_then(|ns| ns.to_i64());
        let (start, end) = self.day.span;
        let inside = ns.filter(|ns| (start..=end).contains(ns));
        let ns = inside.ok_or_else(|| {
            let (start, end) = (start / 1_000_000_000, end / 1_000_000_000);
            format!("time {text} is outside the {start} to {end} s after midnight of the file's name")
        })?;
        Ok(self.day.midnight + ns)
    }

    fn book(&mut self, line: &Line) -> Result<Option<Told>, String> {
        let cells = line.all();
        let columns = 4 * self.day.levels as usize;
        if cells.len() != columns {
            return Err(format!("has {} columns, not the {columns} of {} levels", cells.len(), self.day.levels));
        }
        let (mut bids, mut asks) = (Vec::new(), Vec::new());
        for level in cells.chunks_exact(4) {
            asks.extend(rests(level[0], level[1])?);
            bids.extend(rests(level[2], level[3])?);
        }
        Ok(self.picture.show(bids, asks, self.day.levels))
    }
}

/// A level, if there is one.
fn rests(price: &str, size: &str) -> Result<Option<Priced>, String> {
    let qty = sheet::number(size, "size")?;
    let bare = price.strip_prefix('-').unwrap_or(price);
    if qty.is_zero() && sheet::number(bare, "price")? == NO_LEVEL {
        return Ok(None);
    }
    let price = sheet::price(price, "price")? / Decimal::from(10_000);
    if qty.is_zero() {
        return Err(format!("nothing rests at its level of {price}"));
    }
    Ok(Some((price, qty)))
}
