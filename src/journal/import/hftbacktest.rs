//! Raw recordings in the manner of hftbacktest's collectors: `<recv_ts> <json>` a line.
//!
//! The stamp is when the recorder heard, in nanoseconds (19 digits, since 2024) or microseconds (16 digits, before);
//! the first line of a file decides, a line that disagrees is refused. The JSON is the venue's frame as it came; a REST
//! snapshot stands among the frames as the one object with `lastUpdateId` and no `stream`. Two files of one instrument
//! are one recording, split at midnight, with the snapshot in the first.

use super::lines::{Lines, Twice};
use super::{ImportError, Record, Recorded, Records, Wish};
use crate::units::LocalTime;

/// Unpacked bytes that are kept between the two readings. A day of raw frames is more, and is unpacked twice.
const KEPT_BYTES_MAX: usize = 128 << 20;

/// Opens the files for both readings.
pub(super) fn open(wish: &Wish) -> Result<Twice, ImportError> {
    Twice::open(&wish.files, KEPT_BYTES_MAX).map_err(|(file, source)| ImportError::Unreadable { file, source })
}

/// The records of all files, from the first.
pub(super) fn records(wish: &Wish, files: &Twice) -> Result<Box<dyn Records>, ImportError> {
    let open =
        |n: usize| files.lines(n).map_err(|source| ImportError::Unreadable { file: wish.files[n].clone(), source });
    let mut files = (0..wish.files.len()).map(open).collect::<Result<Vec<_>, _>>()?;
    files.reverse();
    Ok(Box::new(Reading { wish: wish.clone(), index: 0, files, unit: None, line: Vec::new() }))
}

struct Reading {
    wish: Wish,
    /// Of the file in hand, which is the last of those left.
    index: usize,
    files: Vec<Lines>,
    unit: Option<i64>,
    line: Vec<u8>,
}

impl Records for Reading {
    fn read(&mut self, into: &mut Record) -> Option<Result<(), ImportError>> {
        loop {
            let number = match self.files.last_mut()?.read(&mut self.line) {
                None => {
                    self.files.pop();
                    (self.index, self.unit) = (self.index + 1, None);
                    continue;
                }
                Some(Err((number, why))) => return Some(Err(self.wish.refused((self.index, number), why))),
                Some(Ok(_)) if self.line.is_empty() => continue,
                Some(Ok(number)) => number,
            };
            into.place = (self.index, number);
            let read = parse(&self.line, &mut self.unit, into).map_err(|why| self.wish.refused(into.place, why));
            return Some(read);
        }
    }
}

/// Nanoseconds in one unit of the stamps.
fn unit_of(digits: usize) -> Option<i64> {
    match digits {
        19 => Some(1),
        16 => Some(1_000),
        _ => None,
    }
}

fn parse(line: &[u8], unit: &mut Option<i64>, into: &mut Record) -> Result<(), String> {
    let not_a_time = "a line is `<recv_ts> <json>`, this one does not begin with a time";
    let digits = line.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let json = match line.get(digits) {
        Some(b' ') if digits > 0 => &line[digits + 1..],
        Some(_) if line.contains(&b' ') => return Err(not_a_time.to_owned()),
        Some(_) | None => return Err("a line is `<recv_ts> <json>`, here is no blank".to_owned()),
    };
    let text = || String::from_utf8_lossy(&line[..digits]);
    let found = unit_of(digits).ok_or_else(|| {
        format!("{} is neither nanoseconds (19 digits) nor microseconds (16) since the epoch", text())
    })?;
    if *unit.get_or_insert(found) != found {
        return Err(format!("{} is in another unit than the stamps before it", text()));
    }
    // Nineteen digits fit 64 bits without a sign.
    let stamp = line[..digits].iter().fold(0u64, |stamp, byte| stamp * 10 + u64::from(byte - b'0'));
    let at = i64::try_from(stamp).ok().and_then(|stamp| stamp.checked_mul(found));
    into.at = LocalTime(at.ok_or_else(|| format!("{} is out of range", text()))?);
    // Frames begin with their stream; whatever begins otherwise is looked at more closely by the survey.
    if json.starts_with(b"{\"lastUpdateId\"") {
        into.what = Recorded::Snapshot(None, json.to_vec());
    } else if let Recorded::Frame(frame) = &mut into.what {
        frame.clear();
        frame.extend_from_slice(json);
    } else {
        into.what = Recorded::Frame(json.to_vec());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nanoseconds_and_microseconds_are_told_apart_by_their_digits() {
        let parse = |line: &[u8], unit: &mut Option<i64>| {
            let mut record = Record::default();
            super::parse(line, unit, &mut record).map(|()| record.at)
        };
        let mut unit = None;
        let at = parse(b"1723161253937085768 {}", &mut unit).unwrap();
        assert_eq!(at, LocalTime(1_723_161_253_937_085_768));
        assert!(parse(b"1680652800004107 {}", &mut unit).unwrap_err().contains("another unit"));
        let at = parse(b"1680652800004107 {}", &mut None).unwrap();
        assert_eq!(at, LocalTime(1_680_652_800_004_107_000));
        assert!(parse(b"1680652800 {}", &mut None).unwrap_err().contains("neither"));
        assert!(parse(b"{\"stream\":1}", &mut None).is_err());
        assert!(parse(b"-172316125393708576 {}", &mut None).is_err());
    }
}
