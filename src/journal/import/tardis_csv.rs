//! Tardis.dev's downloadable CSV files: `incremental_book_L2`, `trades`, `quotes`, `book_snapshot_5` and `book_snapshot_25`.
//!
//! What the columns mean is written at <https://docs.tardis.dev/downloadable-csv-files>. Stamps are microseconds;
//! `local_timestamp` is when Tardis heard, `timestamp` the venue's own. Files of one instrument, of several kinds and
//! days, become one stream in the order of `local_timestamp`; at one moment those of the file named first.
//!
//! * `incremental_book_L2`: rows with the same two stamps and the same `is_snapshot` are one message. A row with
//!   `is_snapshot` after one without it begins the book anew (Tardis reconnected, or a new day's file begins): that is a
//!   `Gap` and a `Snapshot`. What comes before the first snapshot changes a book nobody knows, and is ignored by it.
//! * `book_snapshot_N`: the first row is a `Snapshot`, the others are told as what changed; deeper levels are unknown.
//! * `quotes`: best prices beside a book; where no file has a book they are one, of one level a side.
//! * `trades`: `side` is the taker's; of a print without one we do not know who crossed the spread, and it is flagged.
//!
//! How deep a venue's book goes is not in the files. Of OKX, Kraken and Bybit it is a window by what Tardis subscribes to;
//! of Deribit and Coinbase all of it; of any other what is beyond the last level of a snapshot stays unknown.

use super::picture::{self, BookFrom};
use super::rows::{Priced, Row, Rows, Told};
use super::sheet::{self, Line, Sheet};
use super::{ImportError, Wish, presumed};
use crate::digest::Digest;
use crate::market::{Extent, PrintFlags, VenueId};
use crate::units::{LocalTime, Nanos, Side, VenueTime};

/// What a file holds, by its header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Book,
    /// Of so many levels a side.
    Top(u32),
    Quotes,
    Trades,
}

const HEAD: &str = "exchange,symbol,timestamp,local_timestamp";
const BOOK: &str = "exchange,symbol,timestamp,local_timestamp,is_snapshot,side,price,amount";
const TRADES: &str = "exchange,symbol,timestamp,local_timestamp,id,side,price,amount";
const QUOTES: &str = "exchange,symbol,timestamp,local_timestamp,ask_amount,ask_price,bid_price,bid_amount";

impl Kind {
    fn of(header: &str) -> Result<Self, String> {
        match header.trim() {
            BOOK => Ok(Kind::Book),
            TRADES => Ok(Kind::Trades),
            QUOTES => Ok(Kind::Quotes),
            other => [5, 25].into_iter().find(|levels| other == top_header(*levels)).map(Kind::Top).ok_or_else(|| {
                let begin: String = other.chars().take(120).collect();
                format!(
                    "its header {begin:?} is not that of incremental_book_L2, trades, quotes, book_snapshot_5 or \
                     book_snapshot_25"
                )
            }),
        }
    }

    fn is_book(self) -> bool {
        match self {
            Kind::Book | Kind::Top(_) => true,
            Kind::Quotes | Kind::Trades => false,
        }
    }
}

fn top_header(levels: u32) -> String {
    let level = |n| format!(",asks[{n}].price,asks[{n}].amount,bids[{n}].price,bids[{n}].amount");
    HEAD.to_owned() + &(0..levels).map(level).collect::<String>()
}

pub(super) fn rows(wish: &Wish) -> Result<Rows, ImportError> {
    let mut files: Vec<Rows> = Vec::new();
    let mut kinds: Vec<Kind> = Vec::new();
    for file in 0..wish.files.len() {
        let mut sheet = Sheet::open(wish, file)?;
        let Some(header) = sheet.next().transpose()? else {
            return Err(wish.refused((file, 0), "is empty, without even a header"));
        };
        let kind = Kind::of(header.text()).map_err(|why| wish.refused(header.place, why))?;
        if kind.is_book() && kinds.iter().any(|other| other.is_book() && *other != kind) {
            return Err(wish.refused(header.place, "is a second book of another kind: one of them is enough"));
        }
        kinds.push(kind);
        files.push(Box::new(File { wish: wish.clone(), kind, sheet, message: None, rows: 0, is_over: false }));
    }
    let from = match kinds.iter().find(|kind| kind.is_book()) {
        Some(Kind::Book) => BookFrom::Changes,
        Some(_) => BookFrom::Shown,
        None => BookFrom::Quotes,
    };
    Ok(picture::told(sheet::merged(files), from))
}

/// One file being read.
struct File {
    wish: Wish,
    kind: Kind,
    sheet: Sheet,
    /// Of the book: rows that are one message, as far as they are read.
    message: Option<Message>,
    rows: u64,
    is_over: bool,
}

struct Message {
    local: i64,
    venue: i64,
    is_snapshot: bool,
    place: (usize, u64),
    bids: Vec<Priced>,
    asks: Vec<Priced>,
}

impl Iterator for File {
    type Item = Result<Row, ImportError>;

    fn next(&mut self) -> Option<Self::Item> {
        while !self.is_over {
            let Some(line) = self.sheet.next() else {
                self.is_over = true;
                break;
            };
            let read = line.and_then(|line| self.read(&line).map_err(|why| self.wish.refused(line.place, why)));
            match read {
                Ok(None) => {}
                Ok(Some(row)) => return Some(Ok(row)),
                Err(error) => {
                    (self.is_over, self.message) = (true, None);
                    return Some(Err(error));
                }
            }
        }
        self.message.take().map(|message| Ok(self.tell(message)))
    }
}

impl File {
    /// Reads a line; gives a row if one is whole.
    fn read(&mut self, line: &Line) -> Result<Option<Row>, String> {
        self.rows += 1;
        let cells = line.all();
        let (exchange, symbol) = (cells[0], cells.get(1).copied().unwrap_or_default());
        let names = match self.kind {
            Kind::Book => BOOK,
            Kind::Quotes => QUOTES,
            Kind::Trades => TRADES,
            Kind::Top(_) => HEAD,
        };
        let columns =
            names.split(',').count() + if let Kind::Top(levels) = self.kind { 4 * levels as usize } else { 0 };
        if cells.len() != columns {
            return Err(format!("has {} columns, the header {columns}", cells.len()));
        }
        if !is_of(self.wish.venue, exchange) {
            return Err(format!("is of {exchange}, which is not what Tardis calls {}", self.wish.venue));
        }
        if presumed::named(self.wish.venue, symbol) != self.wish.symbol {
            return Err(format!("is of {symbol}, not of {}", self.wish.symbol));
        }
        let us = Nanos::from_us(1);
        let venue = sheet::stamp(cells[2], "timestamp", us)?;
        let local = sheet::stamp(cells[3], "local_timestamp", us)?;
        let told = match self.kind {
            Kind::Book => return self.level(line, [cells[4], cells[5], cells[6], cells[7]], local, venue),
            Kind::Trades => trade([cells[4], cells[5], cells[6], cells[7]], self.rows)?,
            Kind::Quotes => {
                Told::Bbo { bid: best(cells[6], cells[7], "best bid")?, ask: best(cells[5], cells[4], "best ask")? }
            }
            Kind::Top(levels) => {
                let (mut bids, mut asks) = (Vec::new(), Vec::new());
                for level in cells[4..].chunks_exact(4) {
                    asks.extend(best(level[0], level[1], "level's ask")?);
                    bids.extend(best(level[2], level[3], "level's bid")?);
                }
                Told::Snapshot { bids, asks, extent: Extent::Window(levels) }
            }
        };
        Ok(Some(Row { at: LocalTime(local), venue_time: Some(VenueTime(venue)), place: line.place, told }))
    }

    /// One level: part of the message before it, or the beginning of the next.
    fn level(&mut self, line: &Line, cells: [&str; 4], local: i64, venue: i64) -> Result<Option<Row>, String> {
        let is_snapshot = sheet::flag(cells[0], "is_snapshot")?;
        let level = (sheet::price(cells[2], "price")?, sheet::number(cells[3], "amount")?);
        let is_bid = match cells[1] {
            "bid" => true,
            "ask" => false,
            other => return Err(format!("side {other:?} is neither bid nor ask")),
        };
        let belongs =
            |message: &Message| (message.local, message.venue, message.is_snapshot) == (local, venue, is_snapshot);
        let whole = self.message.take_if(|message| !belongs(message));
        let begun = || Message { local, venue, is_snapshot, place: line.place, bids: Vec::new(), asks: Vec::new() };
        let message = self.message.get_or_insert_with(begun);
        if is_bid { &mut message.bids } else { &mut message.asks }.push(level);
        Ok(whole.map(|message| self.tell(message)))
    }

    fn tell(&self, Message { local, venue, is_snapshot, place, bids, asks }: Message) -> Row {
        let told = match is_snapshot {
            true => Told::Snapshot { extent: extent(self.wish.venue, bids.len().max(asks.len())), bids, asks },
            false => Told::Delta { bids, asks },
        };
        Row { at: LocalTime(local), venue_time: Some(VenueTime(venue)), place, told }
    }
}

fn trade([id, side, price, amount]: [&str; 4], row: u64) -> Result<Told, String> {
    let (taker, flags) = match side {
        "buy" => (Side::Bid, PrintFlags::NONE),
        "sell" => (Side::Ask, PrintFlags::NONE),
        "unknown" => (Side::Bid, PrintFlags::UNSIDED),
        other => return Err(format!("side {other:?} is neither buy, sell nor unknown")),
    };
    let (price, qty) = (sheet::price(price, "price")?, sheet::number(amount, "amount")?);
    Ok(Told::Trade { id: trade_id(id, row), taker, price, qty, flags })
}

/// A number is itself; a name becomes the first 64 bits of its fingerprint; without either the row counts.
fn trade_id(text: &str, row: u64) -> u64 {
    match (text, text.parse()) {
        ("", _) => row,
        (_, Ok(number)) => number,
        (name, Err(_)) => {
            let [a, b, c, d, e, f, g, h, ..] = Digest::of(name.as_bytes()).0;
            u64::from_be_bytes([a, b, c, d, e, f, g, h])
        }
    }
}

/// A price and what rests there; nothing where the side is empty.
fn best(price: &str, amount: &str, side: &str) -> Result<Option<Priced>, String> {
    if price.is_empty() && amount.is_empty() {
        return Ok(None);
    }
    let qty = sheet::number(amount, &format!("{side} amount"))?;
    let price = sheet::number(price, &format!("{side} price"))?;
    match (price.is_zero(), qty.is_zero()) {
        (_, true) => Ok(None),
        (true, false) => Err(format!("{qty} rest at a {side} price of 0")),
        (false, false) => Ok(Some((price, qty))),
    }
}

/// Whether Tardis means this venue. A market known from files only may be anybody's.
fn is_of(venue: VenueId, exchange: &str) -> bool {
    let names: &[&str] = match venue {
        VenueId::BinanceSpot => &["binance"],
        VenueId::BinanceUsdm => &["binance-futures"],
        VenueId::BinanceCoinm => &["binance-delivery"],
        VenueId::BybitSpot => &["bybit-spot"],
        VenueId::BybitLinear => &["bybit"],
        VenueId::Okx => &["okex", "okex-swap", "okex-futures"],
        VenueId::Coinbase => &["coinbase"],
        VenueId::Kraken => &["kraken"],
        VenueId::Hyperliquid => &["hyperliquid"],
        VenueId::Deribit => &["deribit"],
        VenueId::Imported => return !exchange.is_empty(),
    };
    names.contains(&exchange)
}

/// What is known beyond the last level of a snapshot with so many on its longer side.
fn extent(venue: VenueId, levels: usize) -> Extent {
    match venue {
        VenueId::Okx => Extent::Window(400),
        VenueId::Kraken => Extent::Window(1_000),
        VenueId::BybitSpot | VenueId::BybitLinear => {
            Extent::Window([25, 50, 200, 500].into_iter().find(|depth| levels <= *depth as usize).unwrap_or(1_000))
        }
        VenueId::Coinbase | VenueId::Deribit => Extent::All,
        VenueId::BinanceSpot
        | VenueId::BinanceUsdm
        | VenueId::BinanceCoinm
        | VenueId::Hyperliquid
        | VenueId::Imported => Extent::ToLast,
    }
}
