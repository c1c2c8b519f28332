//! Comma-separated rows as others write them: lines, cells, numbers, stamps, each refused with its place.
//!
//! None of the formats read here quotes its cells, so a quote is a cell that is no number. Files are read line by line,
//! never whole: a day of a busy market does not fit into memory.

use rust_decimal::Decimal;

use super::lines::Lines;
use super::rows::{Row, Rows};
use super::{ImportError, Wish};
use crate::units::Nanos;

/// The lines of one file of a wish.
pub struct Sheet {
    wish: Wish,
    file: usize,
    lines: Lines,
}

/// One line: its place in the wish, and its cells.
pub struct Line {
    pub place: (usize, u64),
    text: String,
}

impl Sheet {
    /// Opens the `file`-th of the wish.
    pub fn open(wish: &Wish, file: usize) -> Result<Self, ImportError> {
        let path = &wish.files[file];
        let lines = Lines::open(path).map_err(|source| ImportError::Unreadable { file: path.clone(), source })?;
        Ok(Self { wish: wish.clone(), file, lines })
    }
}

/// Lines that are not empty.
impl Iterator for Sheet {
    type Item = Result<Line, ImportError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let (number, bytes) = match self.lines.next()? {
                Ok(line) => line,
                Err((number, why)) => return Some(Err(self.wish.refused((self.file, number), why))),
            };
            if bytes.is_empty() {
                continue;
            }
            let place = (self.file, number);
            return Some(match String::from_utf8(bytes) {
                Ok(text) => Ok(Line { place, text }),
                Err(_) => Err(self.wish.refused(place, "is not text")),
            });
        }
    }
}

impl Line {
    /// The line as it stands, without what some editors put before the first.
    pub fn text(&self) -> &str {
        self.text.trim_start_matches('\u{feff}')
    }

    /// Exactly `N` cells, as `names` calls them.
    pub fn cells<const N: usize>(&self, names: &str) -> Result<[&str; N], String> {
        let cells: Vec<&str> = self.all();
        <[&str; N]>::try_from(cells).map_err(|cells| format!("has {} columns, not the {N} of {names}", cells.len()))
    }

    /// However many cells there are.
    pub fn all(&self) -> Vec<&str> {
        self.text().split(',').map(str::trim).collect()
    }
}

/// A number that is not negative.
pub fn number(text: &str, name: &str) -> Result<Decimal, String> {
    let parsed: Option<Decimal> = match text.contains(['e', 'E']) {
        true => Decimal::from_scientific(text).ok(),
        false => Decimal::from_str_exact(text).ok(),
    };
    let value = parsed.ok_or_else(|| format!("{name} {text:?} is no number"))?;
    if value.is_sign_negative() && !value.is_zero() {
        return Err(format!("{name} {text} is negative"));
    }
    Ok(value)
}

/// A number above zero.
pub fn price(text: &str, name: &str) -> Result<Decimal, String> {
    match number(text, name)? {
        value if value.is_zero() => Err(format!("{name} {text} is no price")),
        value => Ok(value),
    }
}

/// A whole number of the venue's.
pub fn id(text: &str, name: &str) -> Result<u64, String> {
    text.parse().map_err(|_| format!("{name} {text:?} is no whole number"))
}

/// Yes or no.
pub fn flag(text: &str, name: &str) -> Result<bool, String> {
    match text {
        "true" | "True" | "TRUE" => Ok(true),
        "false" | "False" | "FALSE" => Ok(false),
        _ => Err(format!("{name} {text:?} is neither true nor false")),
    }
}

/// From 2005 on there are recordings; before 2100 nobody will read this. In seconds since the epoch.
const YEARS: std::ops::Range<i64> = 1_104_537_600..4_102_444_800;

/// Nanoseconds since the epoch of a stamp that counts in this unit.
pub fn stamp(text: &str, name: &str, unit: Nanos) -> Result<i64, String> {
    let word = match unit.0 {
        1_000 => "microseconds",
        1_000_000 => "milliseconds",
        _ => "nanoseconds",
    };
    let whole: Option<i64> = text.parse().ok();
    let ns = whole.and_then(|stamp| stamp.checked_mul(unit.0)).filter(|ns| YEARS.contains(&(ns / 1_000_000_000)));
    ns.ok_or_else(|| format!("{name} {text:?} is no time in {word} since the epoch between 2005 and 2100"))
}

/// Rows of several files in the order of time; at one moment those of the file named first.
pub fn merged(files: Vec<Rows>) -> Rows {
    struct Merged(Vec<std::iter::Peekable<Rows>>);
    impl Iterator for Merged {
        type Item = Result<Row, ImportError>;

        fn next(&mut self) -> Option<Self::Item> {
            // What is refused is told before anything else.
            let mut first = None;
            for (n, file) in self.0.iter_mut().enumerate() {
                let at = match file.peek() {
                    Some(Ok(row)) => row.at.0,
                    Some(Err(_)) => i64::MIN,
                    None => continue,
                };
                if first.is_none_or(|(before, _)| at < before) {
                    first = Some((at, n));
                }
            }
            self.0[first?.1].next()
        }
    }
    Box::new(Merged(files.into_iter().map(Iterator::peekable).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_plain_or_scientific_and_never_negative() {
        assert_eq!(number("0.00000012", "price"), number("1.2e-7", "price"));
        assert_eq!(number("-1", "amount").unwrap_err(), "amount -1 is negative");
        for text in ["", "nan", "inf", "1,5", "0x1", "1 2", "\"1\"", "1e99", "99999999999999999999999999999999"] {
            assert_eq!(number(text, "price").unwrap_err(), format!("price {text:?} is no number"));
        }
        assert_eq!(price("0.0", "price").unwrap_err(), "price 0.0 is no price");
    }

    #[test]
    fn a_stamp_in_another_unit_is_a_time_far_out() {
        let us = Nanos::from_us(1);
        assert_eq!(stamp("1582329602111000", "timestamp", us), Ok(1_582_329_602_111_000_000));
        let is_no = "is no time in microseconds since the epoch between 2005 and 2100";
        // Milliseconds, nanoseconds, a date, nothing, and more than 63 bits.
        for text in ["1582329602111", "1582329602111000000", "2020-02-22", "", "99999999999999999999"] {
            assert_eq!(stamp(text, "timestamp", us).unwrap_err(), format!("timestamp {text:?} {is_no}"));
        }
    }
}
