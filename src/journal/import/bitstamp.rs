//! Bitstamp's feed of 2015 as `ob-analytics` recorded it: `<recv_ms> <event> <json>` a line.
//!
//! Stamps are the recorder's clock. `order_book` has the best twenty levels a side, every two seconds or so, `trade` a
//! print, `order_created`, `order_changed` and `order_deleted` single orders.
//!
//! The book is that of the frames: the first is a `Snapshot`, the others are told as what changed. Orders are read
//! over. A taker stands in them as an order that rests across the spread until it is filled, some are never deleted,
//! and a book made of them is crossed where the venue's own is not.
//!
//! **Who took a print is inferred.** The feed of 2015 did not say it. A print at or above the best ask of the last
//! frame was bought, one at or below its best bid was sold: the quote rule (Lee and Ready, *Inferring trade direction
//! from intraday data*, Journal of Finance 46, 1991). A print between the two met orders that no frame showed; it is flagged
//! [`PrintFlags::UNSIDED`], and so is one before the first frame: they fill nobody. Their tick test is left out, as it
//! would give a side to a print and not the level that it took from.
//!
//! Numbers of prints are binary fractions, `236.00999999999999` for 236.01: they are rounded to the eight places Bitstamp has.

use rust_decimal::Decimal;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use super::picture::{self, BookFrom};
use super::rows::{Priced, Row, Rows, Told};
use super::sheet::{self, Line, Sheet};
use super::{ImportError, Wish};
use crate::market::{Extent, PrintFlags};
use crate::units::{LocalTime, Nanos, Side};

/// Levels a side in a frame.
const LEVELS: u32 = 20;

/// Places of a number.
const PLACES: u32 = 8;

pub(super) fn rows(wish: &Wish) -> Result<Rows, ImportError> {
    let mut files: Vec<Rows> = Vec::new();
    for file in 0..wish.files.len() {
        let sheet = Sheet::open(wish, file)?;
        files.push(Box::new(Reader { wish: wish.clone(), sheet, best: None, is_over: false }));
    }
    Ok(picture::told(Box::new(files.into_iter().flatten()), BookFrom::Shown))
}

/// One file being read.
struct Reader {
    wish: Wish,
    sheet: Sheet,
    /// Best bid and ask of the last frame; `None` where a side was empty.
    best: Option<(Decimal, Decimal)>,
    is_over: bool,
}

impl Iterator for Reader {
    type Item = Result<Row, ImportError>;

    fn next(&mut self) -> Option<Self::Item> {
        while !self.is_over {
            let line = match self.sheet.next()? {
                Ok(line) => line,
                Err(error) => {
                    self.is_over = true;
                    return Some(Err(error));
                }
            };
            match self.read(&line) {
                Ok(None) => {}
                Ok(Some(row)) => return Some(Ok(row)),
                Err(why) => {
                    self.is_over = true;
                    return Some(Err(self.wish.refused(line.place, why)));
                }
            }
        }
        None
    }
}

#[derive(Deserialize)]
struct Book<'a> {
    #[serde(borrow)]
    bids: Vec<[&'a str; 2]>,
    #[serde(borrow)]
    asks: Vec<[&'a str; 2]>,
}

#[derive(Deserialize)]
struct Trade<'a> {
    /// Text, so that no digit is lost.
    #[serde(borrow)]
    price: &'a RawValue,
    #[serde(borrow)]
    amount: &'a RawValue,
    id: u64,
}

impl Reader {
    fn read(&mut self, line: &Line) -> Result<Option<Row>, String> {
        let mut parts = line.text().splitn(3, ' ');
        let (Some(stamp), Some(event), Some(json)) = (parts.next(), parts.next(), parts.next()) else {
            return Err("a line is `<recv_ms> <event> <json>`, here are no two blanks".to_owned());
        };
        let at = LocalTime(sheet::stamp(stamp, "recv_ms", Nanos::from_ms(1))?);
        let told = match event {
            "order_book" => self.book(parsed(event, json)?)?,
            "trade" => self.trade(parsed(event, json)?)?,
            "order_created" | "order_changed" | "order_deleted" => {
                let IgnoredAny = parsed(event, json)?;
                return Ok(None);
            }
            other => {
                return Err(format!(
                    "event {other:?} is none of order_book, trade, order_created, order_changed and order_deleted"
                ));
            }
        };
        Ok(Some(Row { at, venue_time: None, place: line.place, told }))
    }

    fn book(&mut self, book: Book) -> Result<Told, String> {
        let bids = side("bids", &book.bids, |price, before| price < before)?;
        let asks = side("asks", &book.asks, |price, before| price > before)?;
        self.best = bids.first().zip(asks.first()).map(|(bid, ask)| (bid.0, ask.0));
        Ok(Told::Snapshot { bids, asks, extent: Extent::Window(LEVELS) })
    }

    fn trade(&mut self, trade: Trade) -> Result<Told, String> {
        let price = sheet::price(trade.price.get(), "price")?.round_dp(PLACES);
        let qty = sheet::number(trade.amount.get(), "amount")?.round_dp(PLACES);
        let (taker, flags) = match self.best {
            // Of a crossed frame either would do, so neither does.
            Some((bid, ask)) if price >= ask && price > bid => (Side::Bid, PrintFlags::NONE),
            Some((bid, ask)) if price <= bid && price < ask => (Side::Ask, PrintFlags::NONE),
            Some(_) | None => (Side::Bid, PrintFlags::UNSIDED),
        };
        Ok(Told::Trade { id: trade.id, taker, price, qty, flags })
    }
}

fn parsed<'a, T: Deserialize<'a>>(event: &str, json: &'a str) -> Result<T, String> {
    serde_json::from_str(json).map_err(|error| format!("is no {event}: {error}"))
}

/// The levels of one side, which stand best first.
fn side(name: &str, levels: &[[&str; 2]], is_worse: fn(Decimal, Decimal) -> bool) -> Result<Vec<Priced>, String> {
    if levels.len() > LEVELS as usize {
        return Err(format!("has {} {name}, a frame shows {LEVELS}", levels.len()));
    }
    let mut side: Vec<Priced> = Vec::with_capacity(levels.len());
    for [price, qty] in levels {
        let (price, qty) = (sheet::price(price, "price")?, sheet::number(qty, "amount")?);
        if qty.is_zero() {
            return Err(format!("nothing rests at its level of {price}"));
        }
        if let Some((before, _)) = side.last()
            && !is_worse(price, *before)
        {
            return Err(format!("{price} stands behind {before} in its {name}, which go from the best on"));
        }
        side.push((price, qty));
    }
    Ok(side)
}
