//! The files of data.binance.vision: `trades`, `aggTrades`, `bookTicker` and `klines`, each a zip with one csv.
//!
//! Their columns are listed at <https://github.com/binance/binance-public-data>. Futures files of today begin with a
//! header, spot files and older ones do not; a file without one is known by its columns and by which of them are true or
//! false. Stamps are milliseconds, of spot microseconds since 2025. All of them are the venue's: nobody recorded when a
//! message was heard, so our time is the venue's too, and a strategy that runs on it hears everything at once.
//!
//! * `trades`, `aggTrades`: prints. The buyer being the maker, a seller crossed the spread. Give one of them, not both:
//!   they say the same.
//! * `bookTicker` (futures only): the best prices, told as a book of one level a side, so that it can be quoted on.
//!   Nothing is known behind the best price, nor of who is ahead there.
//! * `klines`: bars. A bar is no market: there is no book in it and no order of its prices in time. It is told when it is
//!   over, as four prints flagged [`PrintFlags::BAR`] (open, high, low, close; the volume stands on the close), which
//!   move no queue and fill nothing. There is nothing to quote on: bars are for looking at, and to value a position by.
//!
//! The rows do not name their symbol; where the file's name does (`BTCUSDT-trades-2024-08-08.zip`), it must be ours.

use std::collections::VecDeque;

use super::picture::{self, BookFrom};
use super::rows::{Priced, Row, Rows, Told};
use super::sheet::{self, Line, Sheet};
use super::{ImportError, Wish};
use crate::market::{PrintFlags, VenueId};
use crate::units::{LocalTime, Nanos, Side, VenueTime};

/// What a file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Trades,
    AggTrades,
    BookTicker,
    Klines,
}

/// Every known set of columns: of which kind, of futures, the name in its header (also told where there is none), which
/// column holds a price, which the stamp, and which are true or false.
struct Columns {
    kind: Kind,
    of_futures: Option<bool>,
    header: &'static str,
    flags: &'static [usize],
}

/// `header` as the archive writes it; spot files have none, and the names are those of its documentation.
const KNOWN: [Columns; 8] = [
    Columns {
        kind: Kind::Trades,
        of_futures: Some(false),
        header: "id,price,qty,quote_qty,time,is_buyer_maker,is_best_match",
        flags: &[5, 6],
    },
    Columns {
        kind: Kind::Trades,
        of_futures: Some(true),
        header: "id,price,qty,quote_qty,time,is_buyer_maker",
        flags: &[5],
    },
    Columns {
        kind: Kind::Trades,
        of_futures: Some(true),
        header: "id,price,qty,base_qty,time,is_buyer_maker",
        flags: &[5],
    },
    Columns {
        kind: Kind::AggTrades,
        of_futures: Some(false),
        header: "agg_trade_id,price,quantity,first_trade_id,last_trade_id,transact_time,is_buyer_maker,is_best_match",
        flags: &[6, 7],
    },
    Columns {
        kind: Kind::AggTrades,
        of_futures: Some(true),
        header: "agg_trade_id,price,quantity,first_trade_id,last_trade_id,transact_time,is_buyer_maker",
        flags: &[6],
    },
    Columns {
        kind: Kind::BookTicker,
        of_futures: Some(true),
        header: "update_id,best_bid_price,best_bid_qty,best_ask_price,best_ask_qty,transaction_time,event_time",
        flags: &[],
    },
    Columns {
        kind: Kind::Klines,
        of_futures: None,
        header: "open_time,open,high,low,close,volume,close_time,quote_volume,count,taker_buy_volume,\
                 taker_buy_quote_volume,ignore",
        flags: &[],
    },
    Columns {
        kind: Kind::Klines,
        of_futures: Some(true),
        header: "open_time,open,high,low,close,volume,close_time,base_asset_volume,count,taker_buy_volume,\
                 taker_buy_base_asset_volume,ignore",
        flags: &[],
    },
];

impl Columns {
    fn count(&self) -> usize {
        self.header.split(',').count()
    }

    /// By a header, or by the first row: as many columns, and true or false in the same places.
    fn find(line: &Line) -> Result<&'static Self, String> {
        let cells = line.all();
        let is_flag = |cell: &&str| sheet::flag(cell, "").is_ok();
        let flags: Vec<usize> = (0..cells.len()).filter(|n| is_flag(&cells[*n])).collect();
        let is_it = |known: &&Columns| match is_header(line) {
            true => line.text().trim() == known.header,
            false => known.count() == cells.len() && known.flags == flags,
        };
        KNOWN.iter().find(is_it).ok_or_else(|| {
            let begin: String = line.text().chars().take(120).collect();
            format!("{begin:?} has not the columns of trades, aggTrades, bookTicker or klines")
        })
    }
}

/// A row of numbers begins with one.
fn is_header(line: &Line) -> bool {
    !line.text().starts_with(|c: char| c.is_ascii_digit() || c == '-')
}

pub(super) fn rows(wish: &Wish) -> Result<Rows, ImportError> {
    let of_futures = match wish.venue {
        VenueId::BinanceSpot => false,
        VenueId::BinanceUsdm | VenueId::BinanceCoinm => true,
        other => {
            let why = format!("data.binance.vision has files of binance-spot, -usdm and -coinm, none of {other}");
            return Err(ImportError::Unsupported(why));
        }
    };
    let mut files: Vec<Rows> = Vec::new();
    let mut prints: Option<Kind> = None;
    for file in 0..wish.files.len() {
        named(wish, file)?;
        let mut sheet = Sheet::open(wish, file)?;
        let Some(first) = sheet.next().transpose()? else {
            return Err(wish.refused((file, 0), "is empty"));
        };
        let columns = Columns::find(&first).map_err(|why| wish.refused(first.place, why))?;
        if columns.of_futures.is_some_and(|futures| futures != of_futures) {
            let (found, wanted) = if of_futures { ("spot market", "futures") } else { ("futures", "spot market") };
            return Err(wish.refused(first.place, format!("has the columns of Binance's {found}, not of its {wanted}")));
        }
        if columns.kind != Kind::BookTicker && *prints.get_or_insert(columns.kind) != columns.kind {
            let why = "trades, aggTrades and klines say the same prints: one of them is enough";
            return Err(wish.refused(first.place, why));
        }
        let first = (!is_header(&first)).then_some(first);
        let queue = VecDeque::new();
        files.push(Box::new(File { wish: wish.clone(), columns, first, sheet, unit: None, queue, is_over: false }));
    }
    Ok(picture::told(sheet::merged(files), BookFrom::Quotes))
}

/// Refuses a file whose name says that it is of another symbol.
fn named(wish: &Wish, file: usize) -> Result<(), ImportError> {
    let name = wish.files[file].file_name().unwrap_or_default().to_string_lossy();
    let mut parts = name.split('-');
    let (symbol, kind) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let is_kind = matches!(kind, "trades" | "aggTrades" | "bookTicker")
        || kind
            .strip_suffix(['s', 'm', 'h', 'd', 'w', 'o'])
            .is_some_and(|n| n.trim_end_matches('m').parse::<u8>().is_ok());
    if is_kind && symbol != wish.symbol {
        return Err(wish.refused((file, 0), format!("is of {symbol} by its name")));
    }
    Ok(())
}

/// One file being read.
struct File {
    wish: Wish,
    columns: &'static Columns,
    /// Read already, to see what it is.
    first: Option<Line>,
    sheet: Sheet,
    /// Of its stamps; the first decides.
    unit: Option<Nanos>,
    queue: VecDeque<Row>,
    is_over: bool,
}

impl Iterator for File {
    type Item = Result<Row, ImportError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(row) = self.queue.pop_front() {
                return Some(Ok(row));
            }
            if self.is_over {
                return None;
            }
            let line = self.first.take().map(Ok).or_else(|| self.sheet.next())?;
            let read = line.and_then(|line| self.read(&line).map_err(|why| self.wish.refused(line.place, why)));
            if let Err(error) = read {
                self.is_over = true;
                return Some(Err(error));
            }
        }
    }
}

impl File {
    fn read(&mut self, line: &Line) -> Result<(), String> {
        let cells = line.all();
        if cells.len() != self.columns.count() {
            return Err(format!("has {} columns, not the {} of the rows before it", cells.len(), self.columns.count()));
        }
        for n in self.columns.flags {
            sheet::flag(cells[*n], "a column of true and false")?;
        }
        match self.columns.kind {
            Kind::Trades => self.trade(line, [cells[0], cells[1], cells[2], cells[4], cells[5]]),
            Kind::AggTrades => self.trade(line, [cells[0], cells[1], cells[2], cells[5], cells[6]]),
            Kind::BookTicker => {
                sheet::id(cells[0], "update_id")?;
                self.stamp(cells[6], "event_time")?;
                let time = self.stamp(cells[5], "transaction_time")?;
                let bid = best(cells[1], cells[2], "best_bid")?;
                let ask = best(cells[3], cells[4], "best_ask")?;
                self.tell(line, time, time, Told::Bbo { bid, ask });
                Ok(())
            }
            Kind::Klines => self.bar(line, &cells),
        }
    }

    fn trade(&mut self, line: &Line, [id, price, qty, time, buyer_is_maker]: [&str; 5]) -> Result<(), String> {
        let taker = if sheet::flag(buyer_is_maker, "is_buyer_maker")? { Side::Ask } else { Side::Bid };
        let time = self.stamp(time, "time")?;
        let (id, price) = (sheet::id(id, "id")?, sheet::price(price, "price")?);
        let qty = sheet::number(qty, "quantity")?;
        self.tell(line, time, time, Told::Trade { id, taker, price, qty, flags: PrintFlags::NONE });
        Ok(())
    }

    /// Four prints when it is over. A bar in which nobody traded has none.
    fn bar(&mut self, line: &Line, cells: &[&str]) -> Result<(), String> {
        let (opened, closed) = (self.stamp(cells[0], "open_time")?, self.stamp(cells[6], "close_time")?);
        if closed < opened {
            return Err(format!("closes at {}, before it opens at {}", cells[6], cells[0]));
        }
        let [open, high, low, close] =
            [(1, "open"), (2, "high"), (3, "low"), (4, "close")].map(|(n, name)| sheet::price(cells[n], name));
        let (open, high, low, close) = (open?, high?, low?, close?);
        if low > open.min(close) || high < open.max(close) {
            return Err(format!("opens at {open} and closes at {close}, outside its {low} to {high}"));
        }
        let (volume, bought) = (sheet::number(cells[5], "volume")?, sheet::number(cells[9], "taker_buy_volume")?);
        let trades = sheet::id(cells[8], "count")?;
        if trades == 0 {
            return Ok(());
        }
        // Whoever took more of it; of a single price nobody knows.
        let taker = if bought >= volume - bought { Side::Bid } else { Side::Ask };
        let id = opened.unsigned_abs() / 1_000_000;
        let none = rust_decimal::Decimal::ZERO;
        for (price, qty, venue) in
            [(open, none, opened), (high, none, closed), (low, none, closed), (close, volume, closed)]
        {
            let told = Told::Trade { id, taker, price, qty, flags: PrintFlags::BAR };
            self.tell(line, closed, venue, told);
        }
        Ok(())
    }

    fn tell(&mut self, line: &Line, at: i64, venue: i64, told: Told) {
        let venue_time = Some(VenueTime(venue));
        self.queue.push_back(Row { at: LocalTime(at), venue_time, place: line.place, told });
    }

    fn stamp(&mut self, text: &str, name: &str) -> Result<i64, String> {
        let unit = match (self.unit, text.len()) {
            (Some(unit), _) => unit,
            (None, 16) => Nanos::from_us(1),
            (None, _) => Nanos::from_ms(1),
        };
        let found = sheet::stamp(text, name, unit)?;
        self.unit = Some(unit);
        Ok(found)
    }
}

/// A price and what rests there; nothing where the side is empty.
fn best(price: &str, qty: &str, side: &str) -> Result<Option<Priced>, String> {
    let (price, qty) = (sheet::number(price, &format!("{side}_price"))?, sheet::number(qty, &format!("{side}_qty"))?);
    match (price.is_zero(), qty.is_zero()) {
        (_, true) => Ok(None),
        (true, false) => Err(format!("{qty} rest at a {side}_price of 0")),
        (false, false) => Ok(Some((price, qty))),
    }
}
