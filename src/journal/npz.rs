//! hftbacktest's own files: one array of rows, saved by numpy into a zip.
//!
//! A row is 64 bytes, little endian: `ev u64, exch_ts i64, local_ts i64, px f64, qty f64, order_id u64, ival i64,
//! fval f64` (`Event` of the crate hftbacktest 0.9.4, `event_dtype` of its Python package 2.4). The array is called
//! `data`. The low byte of `ev` says what happened, its upper bits on which side and who sees it: the venue's half of
//! a backtest takes rows with [`EXCH`] in the order of `exch_ts`, the strategy's half those with [`LOCAL`] in the
//! order of `local_ts`. A row that is out of order for one of them stands twice, once for each.
//!
//! Prices are floats there and counts of ticks here. [`float`] and [`decimal`] are the bridge, and nothing else in
//! the journal knows that there is one.

use std::borrow::Cow;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::Path;

use flate2::CrcReader;
use flate2::read::DeflateDecoder;
use rust_decimal::Decimal;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

use crate::units::{POWERS_OF_TEN, Step};

/// A level changed: `px`, and in `qty` what now rests.
pub const DEPTH: u64 = 1;
/// A print.
pub const TRADE: u64 = 2;
/// Levels are forgotten: those of the side from its best to `px`, all of the side if `px` is not finite, both sides
/// where none is named.
pub const DEPTH_CLEAR: u64 = 3;
/// A level of a snapshot.
pub const DEPTH_SNAPSHOT: u64 = 4;
/// A side's best price; hftbacktest reads past these rows.
pub const DEPTH_BBO: u64 = 5;
/// The first and the last of the kinds that tell of single orders.
pub const ORDERS: std::ops::RangeInclusive<u64> = 10..=13;
/// Bids; of a print: somebody bought.
pub const BUY: u64 = 1 << 29;
/// Asks; of a print: somebody sold.
pub const SELL: u64 = 1 << 28;
/// For the venue's half of a backtest.
pub const EXCH: u64 = 1 << 31;
/// For the strategy's half.
pub const LOCAL: u64 = 1 << 30;

/// One row.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Event {
    /// What, on which side, for whom.
    pub ev: u64,
    /// When it happened, nanoseconds on the venue's clock.
    pub exch_ts: i64,
    /// When it was heard, nanoseconds on the recorder's.
    pub local_ts: i64,
    /// Price.
    pub px: f64,
    /// Quantity.
    pub qty: f64,
    /// Of single orders only.
    pub order_id: u64,
    /// Nobody's; we keep an update's or a trade's number in it.
    pub ival: i64,
    /// Nobody's; we keep a print's flags in it.
    pub fval: f64,
}

/// Bytes of a row.
const ROW: usize = 64;

/// The array's name in the archive.
const NAME: &str = "data.npy";

/// The row's fields as numpy writes them.
const DESCR: &str = "[('ev', '<u8'), ('exch_ts', '<i8'), ('local_ts', '<i8'), ('px', '<f8'), ('qty', '<f8'), \
                     ('order_id', '<u8'), ('ival', '<i8'), ('fval', '<f8')]";

/// More bytes than any header has.
const HEADER_MAX: usize = 1 << 16;

impl Event {
    /// The kind, without sides and flags.
    pub fn kind(&self) -> u64 {
        self.ev & 0xff
    }

    /// Whether all bits of `flag` are set.
    pub fn has(&self, flag: u64) -> bool {
        self.ev & flag == flag
    }

    fn to_bytes(self) -> [u8; ROW] {
        let words = [
            self.ev,
            self.exch_ts.cast_unsigned(),
            self.local_ts.cast_unsigned(),
            self.px.to_bits(),
            self.qty.to_bits(),
            self.order_id,
            self.ival.cast_unsigned(),
            self.fval.to_bits(),
        ];
        let mut bytes = [0; ROW];
        bytes.chunks_exact_mut(8).zip(words).for_each(|(to, word)| to.copy_from_slice(&word.to_le_bytes()));
        bytes
    }

    fn from_bytes(bytes: &[u8; ROW]) -> Self {
        let (words, _) = bytes.as_chunks::<8>();
        let word = |n: usize| u64::from_le_bytes(words[n]);
        Self {
            ev: word(0),
            exch_ts: word(1).cast_signed(),
            local_ts: word(2).cast_signed(),
            px: f64::from_bits(word(3)),
            qty: f64::from_bits(word(4)),
            order_id: word(5),
            ival: word(6).cast_signed(),
            fval: f64::from_bits(word(7)),
        }
    }
}

/// The float nearest to `count` steps: what a reader of the decimal text would get.
pub fn float(step: Step, count: i64) -> f64 {
    let units = i128::from(count) * i128::from(step.mantissa());
    // A quotient of two floats that are exact is the nearest float, and powers of ten are up to 10²².
    if units.unsigned_abs() <= 1 << 53 {
        return units as f64 / POWERS_OF_TEN[step.decimals() as usize] as f64;
    }
    step.value(count).to_string().parse().expect("a decimal is a float's text")
}

/// Most places a price or quantity has.
const PLACES: usize = 15;

/// Beyond this many units of the last place, so with more than 13 digits, any float would be near some decimal.
const UNITS_MAX: f64 = 1e13;

/// The decimal a float stands for: the one with the fewest places that is within two parts in 2⁵² (4.4·10⁻¹⁶) of it.
/// That forgives the last bit or two of a price that was computed, 618 × 0.1 = 61.800000000000004, and nothing more.
/// `places` is where to look first, and remembers. `None`: no decimal of up to 13 digits is that close.
pub fn decimal(value: f64, places: &mut usize) -> Option<Decimal> {
    let at = |places: usize| {
        let power = POWERS_OF_TEN[places] as f64;
        let units = (value * power).round();
        let is_near = (units / power - value).abs() <= value.abs() * (2.0 / (1u64 << 52) as f64);
        (is_near && units.abs() < UNITS_MAX).then(|| Decimal::from_i128_with_scale(units as i128, places as u32))
    };
    if !value.is_finite() {
        return None;
    }
    if let Some(found) = at(*places) {
        return Some(found);
    }
    let fewest = (0..=PLACES).find(|places| at(*places).is_some())?;
    *places = fewest;
    at(fewest)
}

/// Writes these rows as hftbacktest and numpy read them: `data.npy`, deflated, in a zip.
pub fn save(out: impl Write + Seek, rows: impl ExactSizeIterator<Item = Event>) -> io::Result<()> {
    let mut archive = ZipWriter::new(out);
    let header = header(rows.len());
    let is_large = (rows.len() as u64).saturating_mul(ROW as u64) >= u64::from(u32::MAX) - HEADER_MAX as u64;
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated).large_file(is_large);
    archive.start_file(NAME, options)?;
    let mut out = BufWriter::with_capacity(1 << 16, archive);
    out.write_all(&header)?;
    for row in rows {
        out.write_all(&row.to_bytes())?;
    }
    let archive = out.into_inner().map_err(io::IntoInnerError::into_error)?;
    archive.finish()?.flush()
}

/// What stands before the rows: numpy's format 1.0, padded so that rows lie on 64 bytes, which hftbacktest insists on.
fn header(rows: usize) -> Vec<u8> {
    let mut text = format!("{{'descr': {DESCR}, 'fortran_order': False, 'shape': ({rows},), }}");
    while !(10 + text.len() + 1).is_multiple_of(64) {
        text.push(' ');
    }
    text.push('\n');
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((text.len() as u16).to_le_bytes());
    bytes.extend(text.as_bytes());
    bytes
}

/// The rows of a file, from its first.
pub struct Saved {
    reader: CrcReader<Box<dyn Read + Send>>,
    /// What the archive says of all its bytes.
    crc: Option<u32>,
    rows: u64,
    read: u64,
}

/// Why a file has no rows for us.
#[derive(Debug)]
pub enum NotSaved {
    /// It cannot be read.
    Unreadable(io::Error),
    /// It is something else.
    Other(String),
}

impl From<io::Error> for NotSaved {
    fn from(error: io::Error) -> Self {
        NotSaved::Unreadable(error)
    }
}

impl Saved {
    /// Opens an `.npz` with an array `data`, or a bare `.npy`.
    pub fn open(path: &Path) -> Result<Self, NotSaved> {
        let mut file = File::open(path)?;
        let mut magic = [0; 6];
        let is_bare = file.read_exact(&mut magic).is_ok() && &magic == b"\x93NUMPY";
        file.seek(SeekFrom::Start(0))?;
        let (reader, crc): (Box<dyn Read + Send>, _) = match is_bare {
            true => (Box::new(BufReader::with_capacity(1 << 16, file)), None),
            false => unzipped(file)?,
        };
        let mut reader = CrcReader::new(reader);
        let rows = rows_of_header(&mut reader).map_err(NotSaved::Other)?;
        Ok(Self { reader, crc, rows, read: 0 })
    }
}

/// The bytes of the array and their checksum. The archive says where they lie; they are read without it, as it cannot be owned together
/// with what it lends.
fn unzipped(file: File) -> Result<(Box<dyn Read + Send>, Option<u32>), NotSaved> {
    let other = |why: String| NotSaved::Other(why);
    let raw = file.try_clone()?;
    let mut archive = ZipArchive::new(file).map_err(|error| other(format!("is no zip archive: {error}")))?;
    let names: Vec<String> = archive.file_names().filter_map(Result::ok).map(Cow::into_owned).collect();
    let (start, size, method, crc) = {
        let entry = archive
            .by_name(NAME)
            .map_err(|_| other(format!("has no array \"data\"; it holds {}", names.join(", "))))?;
        let start = entry.data_start().ok_or_else(|| other("does not say where its array lies".to_owned()))?;
        (start, entry.compressed_size(), entry.compression(), entry.crc32())
    };
    let mut raw = BufReader::with_capacity(1 << 16, raw);
    raw.seek(SeekFrom::Start(start))?;
    let packed = raw.take(size);
    match method {
        CompressionMethod::Stored => Ok((Box::new(packed), Some(crc))),
        CompressionMethod::Deflated => {
            Ok((Box::new(BufReader::with_capacity(1 << 16, DeflateDecoder::new(packed))), Some(crc)))
        }
        method => Err(other(format!("is packed by {method}, which numpy does not do"))),
    }
}

fn rows_of_header(reader: &mut (impl Read + ?Sized)) -> Result<u64, String> {
    let short = |error: io::Error| format!("ends within its header: {error}");
    let mut begin = [0; 8];
    reader.read_exact(&mut begin).map_err(short)?;
    if &begin[..6] != b"\x93NUMPY" {
        return Err("holds no numpy array".to_owned());
    }
    let bytes = match begin[6] {
        1 => {
            let mut len = [0; 2];
            reader.read_exact(&mut len).map_err(short)?;
            usize::from(u16::from_le_bytes(len))
        }
        2 | 3 => {
            let mut len = [0; 4];
            reader.read_exact(&mut len).map_err(short)?;
            u32::from_le_bytes(len) as usize
        }
        other => return Err(format!("is of numpy's format {other}, known are 1 to 3")),
    };
    if bytes > HEADER_MAX {
        return Err(format!("has a header of {bytes} bytes"));
    }
    let mut text = vec![0; bytes];
    reader.read_exact(&mut text).map_err(short)?;
    let text = String::from_utf8_lossy(&text);
    // Blanks and a comma before a bracket are the writer's taste.
    let plain = |text: &str| text.split_whitespace().collect::<String>().replace(",]", "]").replace(",)", ")");
    let text = plain(&text);
    if !text.contains(&format!("'descr':{}", plain(DESCR))) {
        return Err(format!("has other rows than hftbacktest 2: {text}"));
    }
    if !text.contains("'fortran_order':False") {
        return Err("is not in C order".to_owned());
    }
    let shape = text.split_once("'shape':(").and_then(|(_, rest)| rest.split_once(')')).map(|(shape, _)| shape);
    shape.and_then(|rows| rows.parse().ok()).ok_or_else(|| format!("is not one list of rows: {text}"))
}

/// Rows; or why the one that should come next cannot be had.
impl Iterator for Saved {
    type Item = Result<Event, String>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.read == self.rows {
            return None;
        }
        self.read += 1;
        let mut bytes = [0; ROW];
        if let Err(error) = self.reader.read_exact(&mut bytes) {
            let rows = std::mem::replace(&mut self.rows, self.read);
            return Some(Err(format!("cannot be unpacked; the header promises {rows} rows: {error}")));
        }
        let is_last = self.read == self.rows;
        if is_last && self.crc.is_some_and(|crc| crc != self.reader.crc().sum()) {
            return Some(
                Err("is the last row, and the archive's checksum is of other bytes than were read".to_owned()),
            );
        }
        Some(Ok(Event::from_bytes(&bytes)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_float_is_the_decimal_it_was_made_of_and_back() {
        let mut places = 0;
        for (step, count, text) in
            [("0.01", 6_401_350, "64013.50"), ("0.1", 618, "61.8"), ("0.25", 3, "0.75"), ("5", -4, "-20")]
        {
            let step = Step::parse(step).unwrap();
            let value = float(step, count);
            assert_eq!(value, text.parse::<f64>().unwrap());
            assert_eq!(step.count(decimal(value, &mut places).unwrap()), Ok(count), "{text}");
        }
        // 9,007,199,254,740,993 is the first whole number a float has no room for.
        assert_eq!(float(Step::ONE, 9_007_199_254_740_993), 9_007_199_254_740_992.0);
    }

    #[test]
    fn the_last_bits_of_a_product_are_forgiven_and_no_more() {
        let product = 618.0 * 0.1;
        assert_eq!(product.to_string(), "61.800000000000004");
        assert_eq!(decimal(product, &mut 0).unwrap().to_string(), "61.8");
        // 10⁻¹¹ is 1,400 times the 7.1·10⁻¹⁵ between two floats there; 10⁻¹² would be a fourteenth digit.
        assert_eq!(decimal(61.80000000001, &mut 0).unwrap().to_string(), "61.80000000001");
        assert_eq!(decimal(61.800000000001, &mut 0), None);
        assert_eq!(decimal(1.0 / 3.0, &mut 0), None);
        assert_eq!(decimal(f64::NAN, &mut 0), None);
        assert_eq!(decimal(f64::INFINITY, &mut 0), None);
        assert_eq!(decimal(0.0, &mut 2).unwrap().normalize(), Decimal::ZERO);
    }

    #[test]
    fn a_header_lies_on_64_bytes_and_says_how_many_rows() {
        for rows in [0, 1, 99, 12_345_678] {
            let bytes = header(rows);
            assert!(bytes.len().is_multiple_of(64), "{}", bytes.len());
            assert_eq!(rows_of_header(&mut bytes.as_slice()), Ok(rows as u64));
        }
        assert!(rows_of_header(&mut &b"\x93NUMPY\x01"[..]).unwrap_err().contains("within its header"));
    }

    #[test]
    fn numpys_own_way_to_write_a_header_is_read() {
        let text = "{'descr': [('ev', '<u8'), ('exch_ts', '<i8'), ('local_ts', '<i8'), ('px', '<f8'), ('qty', '<f8'), \
                    ('order_id', '<u8'), ('ival', '<i8'), ('fval', '<f8')], 'fortran_order': False, 'shape': (7,), }\n";
        let bytes =
            |text: &str| [b"\x93NUMPY\x01\x00", &(text.len() as u16).to_le_bytes()[..], text.as_bytes()].concat();
        assert_eq!(rows_of_header(&mut bytes(text).as_slice()), Ok(7));
        let older = text.replace("('order_id', '<u8'), ", "");
        assert!(rows_of_header(&mut bytes(&older).as_slice()).unwrap_err().contains("other rows than hftbacktest 2"));
        let narrow = text.replace("'<f8'", "'<f4'");
        assert!(rows_of_header(&mut bytes(&narrow).as_slice()).unwrap_err().contains("other rows than hftbacktest 2"));
        let square = text.replace("(7,)", "(7, 2)");
        assert!(rows_of_header(&mut bytes(&square).as_slice()).unwrap_err().contains("not one list"));
    }
}
