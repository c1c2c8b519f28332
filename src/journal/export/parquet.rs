//! A table as parquet: typed columns, exact numbers.
//!
//! | what | parquet | |
//! |---|---|---|
//! | times `_ns`, counts | `INT64` | nanoseconds since the epoch as an integer, as in csv |
//! | `order_id`, `trade_id` | `INT64`, unsigned | |
//! | prices, quantities | `DECIMAL(38, s)` | `s` is the finest tick's (lot's) number of decimals in this export; a mid has one more, a reservation price four |
//! | amounts, marks | `DECIMAL(38, 24)` | all the decimals money is kept with; up to 10¹⁴ |
//! | funding rates | `DECIMAL(38, 12)` | |
//! | terms of formulas | `DOUBLE` | |
//! | words, and columns where words and numbers mix | `STRING` | dictionary encoded |
//!
//! Every column may be null, which is csv's empty cell. Pages are compressed with zstd. Rows are held until a row group
//! of 65,536 is full, so memory does not grow with the session, but with how many instruments a folder has open at once.
//!
//! A folder is laid out in the manner of Hive, `venue=V/symbol=S/date=YYYY-MM-DD/SESSION.parquet` (the UTC day of
//! `recv_ns`), and its files are without the columns that their path says. What concerns no instrument is under
//! `__HIVE_DEFAULT_PARTITION__`. Signs other than letters, digits, `-`, `_` and `.` are percent-encoded.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parquet::basic::{Compression, LogicalType, Repetition, Type as Physical, ZstdLevel};
use parquet::data_type::{ByteArray, ByteArrayType, DoubleType, FixedLenByteArray, FixedLenByteArrayType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::Type;

use super::columns::Holds;
use super::table::{Cell, Whose};
use crate::market::Instrument;
use crate::units::LocalTime;

/// Rows of a row group.
const GROUP: usize = 1 << 16;

/// Digits of a decimal.
const DIGITS: i32 = 38;

/// The finest steps of an export, as numbers of decimals.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Places {
    price: u32,
    qty: u32,
}

impl Places {
    /// Makes room for these rules.
    pub fn cover(&mut self, rules: &Instrument) {
        self.price = self.price.max(rules.tick.decimals());
        self.qty = self.qty.max(rules.lot.decimals());
    }

    /// Of a decimal column.
    fn of(self, holds: Holds) -> Option<u32> {
        match holds {
            Holds::Price(more) => Some(self.price + more),
            Holds::Qty => Some(self.qty),
            Holds::Money => Some(24),
            Holds::Rate => Some(12),
            Holds::Count | Holds::Id | Holds::Words | Holds::Number => None,
        }
    }
}

/// One file being written.
pub struct OneFile<W: Write + Send> {
    writer: SerializedFileWriter<W>,
    columns: Vec<Column>,
    /// Of the row group that is being filled.
    rows: usize,
}

/// The values of one column since the last row group.
struct Column {
    name: &'static str,
    places: Option<u32>,
    /// 1 where there is a value, 0 where not.
    present: Vec<i16>,
    values: Values,
}

enum Values {
    Whole { values: Vec<i64>, is_signed: bool },
    Number(Vec<f64>),
    Decimal(Vec<FixedLenByteArray>),
    Words(Vec<ByteArray>),
}

fn failed(error: ParquetError) -> io::Error {
    io::Error::other(error)
}

impl<W: Write + Send> OneFile<W> {
    /// A file with these columns.
    pub fn new(out: W, columns: &[(&'static str, Holds)], places: Places) -> io::Result<Self> {
        let columns: Vec<Column> = columns.iter().map(|(name, holds)| Column::new(name, *holds, places)).collect();
        let fields = columns.iter().map(|column| column.field().map(Arc::new)).collect::<Result<Vec<_>, _>>();
        let schema = Type::group_type_builder("papermaker").with_fields(fields.map_err(failed)?).build();
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::try_new(3).map_err(failed)?))
            .set_created_by(format!("papermaker {} (PAPER)", env!("CARGO_PKG_VERSION")))
            .build();
        let writer = SerializedFileWriter::new(out, Arc::new(schema.map_err(failed)?), Arc::new(properties));
        Ok(Self { writer: writer.map_err(failed)?, columns, rows: 0 })
    }

    /// Adds a row, a cell for every column.
    pub fn row<'a>(&mut self, cells: impl Iterator<Item = &'a Cell>) -> io::Result<()> {
        for (column, cell) in self.columns.iter_mut().zip(cells) {
            column
                .push(cell)
                .map_err(|why| io::Error::new(io::ErrorKind::InvalidData, format!("column {}: {why}", column.name)))?;
        }
        self.rows += 1;
        if self.rows == GROUP { self.close_group() } else { Ok(()) }
    }

    fn close_group(&mut self) -> io::Result<()> {
        let mut group = self.writer.next_row_group().map_err(failed)?;
        for column in &mut self.columns {
            let mut writer = group.next_column().map_err(failed)?.expect("the schema has a column for each of ours");
            let present = Some(column.present.as_slice());
            let written = match &mut column.values {
                Values::Whole { values, .. } => {
                    let written = writer.typed::<Int64Type>().write_batch(values, present, None);
                    values.clear();
                    written
                }
                Values::Number(values) => {
                    let written = writer.typed::<DoubleType>().write_batch(values, present, None);
                    values.clear();
                    written
                }
                Values::Decimal(values) => {
                    let written = writer.typed::<FixedLenByteArrayType>().write_batch(values, present, None);
                    values.clear();
                    written
                }
                Values::Words(values) => {
                    let written = writer.typed::<ByteArrayType>().write_batch(values, present, None);
                    values.clear();
                    written
                }
            };
            written.map_err(failed)?;
            column.present.clear();
            writer.close().map_err(failed)?;
        }
        group.close().map_err(failed)?;
        self.rows = 0;
        Ok(())
    }

    /// Writes what is left and the footer, without which nobody can read the file.
    pub fn finish(mut self) -> io::Result<W> {
        if self.rows > 0 {
            self.close_group()?;
        }
        let mut out = self.writer.into_inner().map_err(failed)?;
        out.flush()?;
        Ok(out)
    }
}

impl Column {
    fn new(name: &'static str, holds: Holds, places: Places) -> Self {
        let values = match holds {
            Holds::Count => Values::Whole { values: Vec::new(), is_signed: true },
            Holds::Id => Values::Whole { values: Vec::new(), is_signed: false },
            Holds::Words => Values::Words(Vec::new()),
            Holds::Number => Values::Number(Vec::new()),
            Holds::Price(_) | Holds::Qty | Holds::Money | Holds::Rate => Values::Decimal(Vec::new()),
        };
        Self { name, places: places.of(holds), present: Vec::new(), values }
    }

    fn field(&self) -> Result<Type, ParquetError> {
        let (physical, logical) = match (&self.values, self.places) {
            (Values::Whole { is_signed, .. }, _) => (Physical::INT64, Some(LogicalType::integer(64, *is_signed))),
            (Values::Number(_), _) => (Physical::DOUBLE, None),
            (Values::Words(_), _) => (Physical::BYTE_ARRAY, Some(LogicalType::String)),
            (Values::Decimal(_), places) => {
                let places = places.unwrap_or(0) as i32;
                let logical = LogicalType::decimal(places, DIGITS);
                return Type::primitive_type_builder(self.name, Physical::FIXED_LEN_BYTE_ARRAY)
                    .with_repetition(Repetition::OPTIONAL)
                    .with_logical_type(Some(logical))
                    .with_length(16)
                    .with_precision(DIGITS)
                    .with_scale(places)
                    .build();
            }
        };
        Type::primitive_type_builder(self.name, physical)
            .with_repetition(Repetition::OPTIONAL)
            .with_logical_type(logical)
            .build()
    }

    fn push(&mut self, cell: &Cell) -> Result<(), String> {
        if *cell == Cell::Nothing {
            self.present.push(0);
            return Ok(());
        }
        let other = || format!("{cell:?} is not what it holds");
        match &mut self.values {
            Values::Whole { values, is_signed } => {
                let Cell::Whole(value) = cell else { return Err(other()) };
                let value = match is_signed {
                    true => i64::try_from(*value).ok(),
                    false => u64::try_from(*value).ok().map(u64::cast_signed),
                };
                values.push(value.ok_or_else(other)?);
            }
            Values::Number(values) => {
                let Cell::Decimal(text) = cell else { return Err(other()) };
                values.push(text.parse().map_err(|_| other())?);
            }
            Values::Decimal(values) => {
                let Cell::Decimal(text) = cell else { return Err(other()) };
                let places = self.places.unwrap_or(0);
                let units = units_of(text, places)
                    .ok_or_else(|| format!("{text} has no room in {DIGITS} digits, {places} of them decimals"))?;
                values.push(FixedLenByteArray::from(units.to_be_bytes().to_vec()));
            }
            Values::Words(values) => values.push(match cell {
                Cell::Whole(value) => ByteArray::from(value.to_string().into_bytes()),
                Cell::Decimal(text) | Cell::Text(text) => ByteArray::from(text.clone().into_bytes()),
                Cell::Nothing => return Err(other()),
            }),
        }
        self.present.push(1);
        Ok(())
    }
}

/// A plain decimal as a count of its `places`-th decimal; `None` if it is none, is finer or has more than 38 digits.
fn units_of(text: &str, places: u32) -> Option<i128> {
    let (is_negative, digits) = text.strip_prefix('-').map_or((false, text), |digits| (true, digits));
    let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
    let part = if part.len() > places as usize { part.trim_end_matches('0') } else { part };
    let missing = (places as usize).checked_sub(part.len())?;
    if whole.is_empty() {
        return None;
    }
    let mut units: i128 = 0;
    for byte in whole.bytes().chain(part.bytes()).chain(std::iter::repeat_n(b'0', missing)) {
        let digit = byte.is_ascii_digit().then(|| i128::from(byte - b'0'))?;
        units = units.checked_mul(10)?.checked_add(digit)?;
    }
    (units < 10i128.pow(DIGITS as u32)).then_some(if is_negative { -units } else { units })
}

/// Where a table goes that is split up.
#[derive(Clone, Debug)]
pub struct Folder {
    /// The root of the layout.
    pub root: PathBuf,
    /// The files' name, without ending: the session's.
    pub name: String,
    /// Whether a file that is there already is replaced.
    pub force: bool,
}

/// A folder being written. Files have another name until all of them are whole; if that never happens they go, and so
/// do the folders that were made for them.
pub struct Folders {
    folder: Folder,
    columns: Vec<(&'static str, Holds)>,
    /// Which of a row's cells those are.
    kept: Vec<usize>,
    labels: Vec<(&'static str, String)>,
    open: BTreeMap<(String, String), Open>,
    /// Unfinished and final names of files that are whole.
    whole: Vec<(PathBuf, PathBuf)>,
    unfinished: Vec<PathBuf>,
    made: Vec<PathBuf>,
}

struct Open {
    date: String,
    file: OneFile<BufWriter<File>>,
    names: (PathBuf, PathBuf),
}

impl Folders {
    /// A layout for these instruments.
    pub fn new(folder: Folder, columns: &'static [(&'static str, Holds)], instruments: &[Instrument]) -> Self {
        let is_kept = |(_, (name, _)): &(usize, &(&str, Holds))| !["venue", "symbol"].contains(name);
        let (kept, columns) = columns.iter().enumerate().filter(is_kept).map(|(n, column)| (n, *column)).unzip();
        let labels = instruments.iter().map(|rules| (rules.venue.name(), rules.symbol.clone())).collect();
        Self {
            folder,
            columns,
            kept,
            labels,
            open: BTreeMap::new(),
            whole: Vec::new(),
            unfinished: Vec::new(),
            made: Vec::new(),
        }
    }

    /// Adds a row to the file it belongs to; days follow each other.
    pub fn row(&mut self, whose: Whose, at: LocalTime, cells: &[Cell], places: Places) -> io::Result<()> {
        let nobody = "__HIVE_DEFAULT_PARTITION__";
        let (venue, symbol) = match whose {
            Whose::Instrument(id) => {
                let (venue, symbol) = &self.labels[id.index()];
                (*venue, encoded(symbol))
            }
            Whose::Venue(venue) => (venue.name(), nobody.to_owned()),
            Whose::Nobody => (nobody, nobody.to_owned()),
        };
        let date = day(at);
        let key = (venue.to_owned(), symbol);
        if self.open.get(&key).is_some_and(|open| open.date != date)
            && let Some(open) = self.open.remove(&key)
        {
            self.close(open)?;
        }
        if !self.open.contains_key(&key) {
            let open = self.begin(&key, date, places)?;
            self.open.insert(key.clone(), open);
        }
        let open = self.open.get_mut(&key).expect("just made sure");
        open.file.row(self.kept.iter().map(|n| &cells[*n]))
    }

    fn begin(&mut self, (venue, symbol): &(String, String), date: String, places: Places) -> io::Result<Open> {
        let mut path = self.folder.root.clone();
        self.make(&path)?;
        for part in [format!("venue={venue}"), format!("symbol={symbol}"), format!("date={date}")] {
            path.push(part);
            self.make(&path)?;
        }
        let name = path.join(format!("{}.parquet", self.folder.name));
        if name.exists() && !self.folder.force {
            let why = format!("{}: is there already, and nothing is overwritten without --force", name.display());
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, why));
        }
        // Readers of such folders pass over names that begin with a dot.
        let unfinished = path.join(format!(".{}.parquet.unfinished", self.folder.name));
        let out = BufWriter::new(File::create(&unfinished)?);
        self.unfinished.push(unfinished.clone());
        let file = OneFile::new(out, &self.columns, places)?;
        Ok(Open { date, file, names: (unfinished, name) })
    }

    fn make(&mut self, path: &Path) -> io::Result<()> {
        if !path.exists() {
            fs::create_dir(path)?;
            self.made.push(path.to_owned());
        }
        Ok(())
    }

    fn close(&mut self, open: Open) -> io::Result<()> {
        open.file.finish()?;
        self.whole.push(open.names);
        Ok(())
    }

    /// Gives all files their names; how many there are.
    pub fn finish(mut self) -> io::Result<usize> {
        for (_, open) in std::mem::take(&mut self.open) {
            self.close(open)?;
        }
        let whole = std::mem::take(&mut self.whole);
        for (unfinished, name) in &whole {
            fs::rename(unfinished, name)?;
        }
        self.unfinished.clear();
        self.made.clear();
        Ok(whole.len())
    }
}

impl Drop for Folders {
    fn drop(&mut self) {
        // Best effort: what made them useless is the error to tell. Folders that hold more than ours stay.
        self.open.clear();
        for file in &self.unfinished {
            let _ = fs::remove_file(file);
        }
        for folder in self.made.iter().rev() {
            let _ = fs::remove_dir(folder);
        }
    }
}

/// The day in UTC, `2024-08-08`.
fn day(at: LocalTime) -> String {
    let time = jiff::Timestamp::from_nanosecond(i128::from(at.0)).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    time.strftime("%Y-%m-%d").to_string()
}

fn encoded(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    text.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_decimal_is_counted_in_its_last_place_and_never_rounded() {
        assert_eq!(units_of("64013.5", 2), Some(6_401_350));
        assert_eq!(units_of("-0.000100", 4), Some(-1));
        assert_eq!(units_of("7", 0), Some(7));
        assert_eq!(units_of("0.001", 2), None);
        assert_eq!(units_of("99999999999999.5", 24), Some(99_999_999_999_999_500_000_000_000_000_000_000_000));
        assert_eq!(units_of("100000000000000", 24), None);
        for text in ["", ".5", "1e5", "NaN", "1.2.3"] {
            assert_eq!(units_of(text, 9), None, "{text}");
        }
    }

    #[test]
    fn a_symbol_is_one_part_of_a_path() {
        assert_eq!(encoded("BTCUSDT_210625"), "BTCUSDT_210625");
        assert_eq!(encoded("XMR/USD"), "XMR%2FUSD");
        assert_eq!(encoded(".."), "..");
        // The part is `symbol=..`, which is a name like any other.
    }

    #[test]
    fn days_are_those_of_utc() {
        assert_eq!(day(LocalTime(1_723_161_599_999_999_999)), "2024-08-08");
        assert_eq!(day(LocalTime(1_723_161_600_000_000_000)), "2024-08-09");
    }
}
