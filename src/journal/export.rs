//! A session as tables, for other programs.
//!
//! An export is a fold over what was recorded: inputs with the outputs they led to, in order, one pass, memory
//! bounded by the books and the living orders. Nothing is recomputed that the session has already said; only the
//! book and the best bid and offer are added up again, from the same market events. Use of limits is not said: its rows
//! come from [`crate::engine::LimitUse`] of a session that runs again.
//!
//! csv and jsonl are text, parquet has typed columns; [`Hftbacktest`] is another fold, of one instrument's market
//! into hftbacktest's rows.
//!
//! Times are integer nanoseconds: `recv_ns` is our clock ([`Stamped::at`]), `venue_ns` the venue's. Prices and
//! quantities are plain decimals in the venue's precision; in jsonl they are JSON numbers written digit for digit.
//! A column named `_quote` is in quote currency, any other amount in the instrument's settlement currency; the two are
//! one but for inverse contracts, whose amounts are converted at the price of their row.
//!
//! Reading order: [`Exporter::step`] is the fold, one function per kind below it; [`table`] writes rows, `columns` says what they hold.

pub mod table;

mod book;
mod columns;
mod funding;
mod hftbacktest;
mod limits;
mod parquet;
mod rows;

use std::io::Write;
use std::str::FromStr;

use crate::engine::{Input, Output, Stamped};
use crate::market::{Instrument, InstrumentId};
use crate::risk::RiskLimits;
use crate::units::LocalTime;
use table::Table;

pub use hftbacktest::Hftbacktest;
pub use limits::{LimitRow, Peak};
pub use parquet::Folder;
pub use table::Format;

/// What can be exported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Every print.
    Trades,
    /// The book at one moment.
    Book,
    /// Best bid and offer, a row per change.
    Bbo,
    /// The life of the connections and books.
    Feed,
    /// Every step in the life of every order, refusals included.
    Orders,
    /// Our trades.
    Fills,
    /// What the strategies wanted, and why.
    Decisions,
    /// Where we stood.
    Equity,
    /// Limits, states, refusals, commands.
    Risk,
    /// Marks of contracts, and the funding paid on them.
    Funding,
    /// How much of each limit was used. The recording does not say it: whoever runs its inputs again hands over the rows
    /// ([`Exporter::limit`]).
    Limits,
}

impl Kind {
    /// All of them.
    pub const ALL: [Kind; 11] = [
        Kind::Trades,
        Kind::Book,
        Kind::Bbo,
        Kind::Feed,
        Kind::Orders,
        Kind::Fills,
        Kind::Decisions,
        Kind::Equity,
        Kind::Risk,
        Kind::Funding,
        Kind::Limits,
    ];

    /// The word on the command line.
    pub fn word(self) -> &'static str {
        match self {
            Kind::Trades => "trades",
            Kind::Book => "book",
            Kind::Bbo => "bbo",
            Kind::Feed => "feed",
            Kind::Orders => "orders",
            Kind::Fills => "fills",
            Kind::Decisions => "decisions",
            Kind::Equity => "equity",
            Kind::Risk => "risk",
            Kind::Funding => "funding",
            Kind::Limits => "limits",
        }
    }

    /// The columns, those of the contract first.
    pub fn columns(self) -> Vec<&'static str> {
        columns::columns(self).iter().map(|(name, _)| *name).collect()
    }
}

impl FromStr for Kind {
    type Err = String;
    fn from_str(s: &str) -> Result<Self, String> {
        Kind::ALL.into_iter().find(|k| k.word() == s).ok_or_else(|| {
            let words: Vec<_> = Kind::ALL.iter().map(|k| k.word()).collect();
            format!("{s:?} cannot be exported; known are {}", words.join(", "))
        })
    }
}

/// Which moment a book is taken at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum At {
    /// After the last input.
    End,
    /// After the last input received at or before this.
    Time(LocalTime),
}

impl FromStr for At {
    type Err = String;
    fn from_str(s: &str) -> Result<Self, String> {
        if s == "end" {
            return Ok(At::End);
        }
        let ns = s.parse().map_err(|_| format!("{s:?} is neither `end` nor whole nanoseconds since the epoch"))?;
        Ok(At::Time(LocalTime(ns)))
    }
}

/// What to export, and how.
#[derive(Clone, Copy, Debug)]
pub struct Wish {
    /// What.
    pub kind: Kind,
    /// How.
    pub format: Format,
    /// When, for a book.
    pub at: At,
    /// How many levels a side, for a book.
    pub depth: usize,
}

/// What the recording does not say in its inputs and outputs, but in its manifest.
#[derive(Clone, Debug)]
pub struct Cast {
    /// The instruments as they were at the start, in session order.
    pub instruments: Vec<Instrument>,
    /// The name of each instrument's strategy; empty where none quotes.
    pub strategies: Vec<String>,
    /// The limits in force at the start.
    pub limits: RiskLimits,
}

/// Why an export stopped.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The file cannot be written.
    #[error("the export cannot be written: {0}")]
    Write(#[from] std::io::Error),
    /// The recording cannot be read.
    #[error("{0}")]
    Read(String),
}

/// The fold.
pub struct Exporter<W: Write + Send> {
    wish: Wish,
    cast: Cast,
    table: Table<W>,
    books: book::Books,
    orders: rows::Orders,
    risk: rows::RiskBook,
    /// Of the last input taken in.
    at: LocalTime,
}

/// What an export came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Exported {
    /// Rows written, without the header.
    pub rows: u64,
    /// What the reader of the table should know besides.
    pub notes: Vec<String>,
}

/// Exports a whole recording.
pub fn export<W, E>(
    wish: Wish,
    cast: Cast,
    records: impl IntoIterator<Item = Result<(Stamped, Vec<Output>), E>>,
    out: W,
) -> Result<Exported, ExportError>
where
    W: Write + Send,
    E: std::fmt::Display,
{
    let mut exporter = Exporter::new(wish, cast, out)?;
    for record in records {
        let (input, outputs) = record.map_err(|e| ExportError::Read(e.to_string()))?;
        if !exporter.wants(&input) {
            break;
        }
        exporter.step(&input, &outputs)?;
    }
    exporter.finish()
}

impl Exporter<std::io::Sink> {
    /// Parquet files in a folder, split by venue, symbol and day.
    pub fn split(wish: Wish, cast: Cast, folder: Folder) -> Self {
        let table = Table::split(folder, columns::columns(wish.kind), &cast.instruments);
        Self::onto(table, wish, cast)
    }
}

impl<W: Write + Send> Exporter<W> {
    /// Writes the header, if the format has one.
    pub fn new(wish: Wish, cast: Cast, out: W) -> Result<Self, ExportError> {
        let table = Table::new(out, wish.format, columns::columns(wish.kind))?;
        Ok(Self::onto(table, wish, cast))
    }

    fn onto(mut table: Table<W>, wish: Wish, cast: Cast) -> Self {
        cast.instruments.iter().for_each(|rules| table.cover(rules));
        let books = book::Books::new(&cast.instruments);
        let risk = rows::RiskBook::new(cast.limits.clone());
        Self { wish, cast, table, books, orders: rows::Orders::default(), risk, at: LocalTime::default() }
    }

    /// Makes room for prices and quantities by the rules that this input brings. Formats with typed columns want to
    /// know before the first row how fine their numbers are; the others do not care.
    pub fn foresee(&mut self, input: &Input) {
        if let Some((_, rules)) = rows::new_rules(input) {
            self.table.cover(rules);
        }
    }

    /// Whether this input can still matter; inputs come in order, so after a `false` none will.
    pub fn wants(&self, input: &Stamped) -> bool {
        match (self.wish.kind, self.wish.at) {
            (Kind::Book, At::Time(at)) => input.at <= at,
            _ => true,
        }
    }

    /// Takes in one input with the outputs it led to.
    pub fn step(&mut self, input: &Stamped, outputs: &[Output]) -> Result<(), ExportError> {
        self.at = input.at;
        match self.wish.kind {
            Kind::Trades => self.trades(input)?,
            Kind::Book => self.books.hear(&input.input),
            Kind::Bbo => self.bbo(input)?,
            Kind::Feed => self.feed(input)?,
            Kind::Orders => self.orders(input, outputs)?,
            Kind::Fills => self.fills(input, outputs)?,
            Kind::Decisions => self.decisions(input, outputs)?,
            Kind::Equity => self.equity(input, outputs)?,
            Kind::Risk => self.risk(input, outputs)?,
            Kind::Funding => self.funding(input, outputs)?,
            Kind::Limits => {}
        }
        // Prices after a change of rules are in new ticks; what was said before stays as it was written.
        if let Some((id, rules)) = rows::new_rules(&input.input) {
            self.cast.instruments[id.index()] = rules.clone();
        }
        Ok(())
    }

    /// Writes what is only known at the end, and flushes.
    pub fn finish(mut self) -> Result<Exported, ExportError> {
        let mut notes = Vec::new();
        if self.wish.kind == Kind::Book {
            notes = self.book()?;
        }
        Ok(Exported { rows: self.table.finish()?, notes })
    }

    fn rules(&self, id: InstrumentId) -> &Instrument {
        &self.cast.instruments[id.index()]
    }
}
