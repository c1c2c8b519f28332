//! Rows to csv, jsonl or parquet.

use std::io::Write;
use std::str::FromStr;

use super::columns::Holds;
use super::parquet::{Folder, Folders, OneFile, Places};
use crate::market::{Instrument, InstrumentId, VenueId};
use crate::units::LocalTime;

/// How a table is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// RFC 4180 with a header line; an unknown value is empty.
    Csv,
    /// One JSON object a line; an unknown value is `null`.
    Jsonl,
    /// Typed columns; an unknown value is null.
    Parquet,
}

impl FromStr for Format {
    type Err = String;
    fn from_str(s: &str) -> Result<Self, String> {
        match s {
            "csv" => Ok(Format::Csv),
            "jsonl" => Ok(Format::Jsonl),
            "parquet" => Ok(Format::Parquet),
            _ => Err(format!("unknown format {s:?}; known are csv, jsonl and parquet")),
        }
    }
}

/// One value.
#[derive(Clone, Debug, PartialEq)]
pub enum Cell {
    /// A count, a time, an id.
    Whole(i128),
    /// A decimal, written digit for digit.
    Decimal(String),
    /// Words.
    Text(String),
    /// Not known, or not meant.
    Nothing,
}

impl Cell {
    /// Words.
    pub fn text(words: impl Into<String>) -> Self {
        Cell::Text(words.into())
    }

    /// A decimal by its digits.
    pub fn decimal(value: impl ToString) -> Self {
        Cell::Decimal(value.to_string())
    }

    /// A number of a formula; Rust writes the shortest decimal that reads back as the same number.
    pub fn number(value: f64) -> Self {
        if value.is_finite() { Cell::Decimal(value.to_string()) } else { Cell::Nothing }
    }
}

impl<T: Into<i128>> From<T> for Cell {
    fn from(value: T) -> Self {
        Cell::Whole(value.into())
    }
}

/// Whom a row is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whose {
    /// One instrument of the session's.
    Instrument(InstrumentId),
    /// All of a venue's.
    Venue(VenueId),
    /// The account.
    Nobody,
}

/// A table being written.
pub struct Table<W: Write + Send> {
    columns: &'static [(&'static str, Holds)],
    sink: Sink<W>,
    places: Places,
    rows: u64,
}

/// The operating system's own error: csv's wrapping hides what kind it is, and a closed pipe is none.
fn plain(error: csv::Error) -> std::io::Error {
    if !error.is_io_error() {
        return error.into();
    }
    match error.into_kind() {
        csv::ErrorKind::Io(error) => error,
        other => std::io::Error::other(format!("{other:?}")),
    }
}

enum Sink<W: Write + Send> {
    Csv(Box<csv::Writer<W>>),
    Jsonl(std::io::BufWriter<W>),
    /// Where the file goes, until its first row.
    Begins(W),
    Parquet(Box<OneFile<W>>),
    Folder(Box<Folders>),
    Over,
}

impl<W: Write + Send> Table<W> {
    /// Writes the header, if the format has one.
    pub fn new(out: W, format: Format, columns: &'static [(&'static str, Holds)]) -> std::io::Result<Self> {
        let sink = match format {
            Format::Csv => {
                let mut writer = csv::Writer::from_writer(out);
                writer.write_record(columns.iter().map(|(name, _)| name)).map_err(plain)?;
                Sink::Csv(Box::new(writer))
            }
            Format::Jsonl => Sink::Jsonl(std::io::BufWriter::new(out)),
            Format::Parquet => Sink::Begins(out),
        };
        Ok(Self { columns, sink, places: Places::default(), rows: 0 })
    }

    /// A table of parquet files, split by venue, symbol and day.
    pub fn split(folder: Folder, columns: &'static [(&'static str, Holds)], instruments: &[Instrument]) -> Self {
        let sink = Sink::Folder(Box::new(Folders::new(folder, columns, instruments)));
        Self { columns, sink, places: Places::default(), rows: 0 }
    }

    /// Makes room for numbers by these rules. To be called before the first row.
    pub fn cover(&mut self, rules: &Instrument) {
        self.places.cover(rules);
    }

    /// Writes one row. Panics if it has not a cell for every column.
    pub fn row<const N: usize>(&mut self, whose: Whose, at: LocalTime, cells: [Cell; N]) -> std::io::Result<()> {
        assert_eq!(N, self.columns.len(), "a row has a cell for every column of {:?}", self.columns);
        self.rows += 1;
        self.begin()?;
        match &mut self.sink {
            Sink::Csv(writer) => {
                for cell in &cells {
                    let written = match cell {
                        Cell::Whole(v) => writer.write_field(v.to_string()),
                        Cell::Decimal(v) | Cell::Text(v) => writer.write_field(v),
                        Cell::Nothing => writer.write_field(""),
                    };
                    written.map_err(plain)?;
                }
                writer.write_record(None::<&[u8]>).map_err(plain)?;
            }
            Sink::Jsonl(out) => {
                for (i, ((column, _), cell)) in self.columns.iter().zip(&cells).enumerate() {
                    write!(out, "{}\"{column}\":", if i == 0 { "{" } else { "," })?;
                    match cell {
                        Cell::Whole(v) => write!(out, "{v}")?,
                        Cell::Decimal(v) => out.write_all(v.as_bytes())?,
                        Cell::Text(v) => serde_json::to_writer(&mut *out, v)?,
                        Cell::Nothing => out.write_all(b"null")?,
                    }
                }
                out.write_all(b"}\n")?;
            }
            Sink::Parquet(file) => file.row(cells.iter())?,
            Sink::Folder(folders) => folders.row(whose, at, &cells, self.places)?,
            Sink::Begins(_) | Sink::Over => {}
        }
        Ok(())
    }

    /// A parquet file begins with its first row, when it is known how fine its numbers are.
    fn begin(&mut self) -> std::io::Result<()> {
        if !matches!(self.sink, Sink::Begins(_)) {
            return Ok(());
        }
        if let Sink::Begins(out) = std::mem::replace(&mut self.sink, Sink::Over) {
            self.sink = Sink::Parquet(Box::new(OneFile::new(out, self.columns, self.places)?));
        }
        Ok(())
    }

    /// Flushes; how many rows were written.
    pub fn finish(mut self) -> std::io::Result<u64> {
        self.begin()?;
        match self.sink {
            Sink::Csv(mut writer) => writer.flush()?,
            Sink::Jsonl(mut out) => out.flush()?,
            Sink::Parquet(file) => drop(file.finish()?),
            Sink::Folder(folders) => drop(folders.finish()?),
            Sink::Begins(_) | Sink::Over => {}
        }
        Ok(self.rows)
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Error, ErrorKind};

    use super::*;

    /// A pipe whose reader has gone.
    struct Gone;

    impl Write for Gone {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            Err(ErrorKind::BrokenPipe.into())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Err(ErrorKind::BrokenPipe.into())
        }
    }

    #[test]
    fn a_pipe_that_is_closed_in_the_middle_is_still_a_closed_pipe() {
        for format in [Format::Csv, Format::Jsonl] {
            let mut table = Table::new(Gone, format, &[("n", Holds::Count)]).expect("the header waits in a buffer");
            let mut failed = None;
            for n in 0..100_000 {
                failed = table.row(Whose::Nobody, LocalTime::default(), [Cell::Whole(n)]).err();
                if failed.is_some() {
                    break;
                }
            }
            assert_eq!(failed.as_ref().map(Error::kind), Some(ErrorKind::BrokenPipe), "{failed:?}");
        }
    }
}
