//! Rows to csv or jsonl.

use std::io::Write;
use std::str::FromStr;

/// How a table is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// RFC 4180 with a header line; an unknown value is empty.
    Csv,
    /// One JSON object a line; an unknown value is `null`.
    Jsonl,
}

impl FromStr for Format {
    type Err = String;
    fn from_str(s: &str) -> Result<Self, String> {
        match s {
            "csv" => Ok(Format::Csv),
            "jsonl" => Ok(Format::Jsonl),
            "parquet" => Err("parquet is not written yet; csv and jsonl are".to_owned()),
            _ => Err(format!("unknown format {s:?}; known are csv and jsonl")),
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

/// A table being written.
pub struct Table<W: Write> {
    columns: &'static [&'static str],
    sink: Sink<W>,
    rows: u64,
}

enum Sink<W: Write> {
    Csv(Box<csv::Writer<W>>),
    Jsonl(std::io::BufWriter<W>),
}

impl<W: Write> Table<W> {
    /// Writes the header, if the format has one.
    pub fn new(out: W, format: Format, columns: &'static [&'static str]) -> std::io::Result<Self> {
        let sink = match format {
            Format::Csv => {
                let mut writer = csv::Writer::from_writer(out);
                writer.write_record(columns)?;
                Sink::Csv(Box::new(writer))
            }
            Format::Jsonl => Sink::Jsonl(std::io::BufWriter::new(out)),
        };
        Ok(Self { columns, sink, rows: 0 })
    }

    /// Writes one row. Panics if it has not a cell for every column.
    pub fn row<const N: usize>(&mut self, cells: [Cell; N]) -> std::io::Result<()> {
        assert_eq!(N, self.columns.len(), "a row has a cell for every column of {:?}", self.columns);
        self.rows += 1;
        match &mut self.sink {
            Sink::Csv(writer) => {
                for cell in &cells {
                    match cell {
                        Cell::Whole(v) => writer.write_field(v.to_string())?,
                        Cell::Decimal(v) | Cell::Text(v) => writer.write_field(v)?,
                        Cell::Nothing => writer.write_field("")?,
                    }
                }
                writer.write_record(None::<&[u8]>)?;
            }
            Sink::Jsonl(out) => {
                for (i, (column, cell)) in self.columns.iter().zip(&cells).enumerate() {
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
        }
        Ok(())
    }

    /// Flushes; how many rows were written.
    pub fn finish(mut self) -> std::io::Result<u64> {
        match &mut self.sink {
            Sink::Csv(writer) => writer.flush()?,
            Sink::Jsonl(out) => out.flush()?,
        }
        Ok(self.rows)
    }
}
