//! Raw recordings in the manner of hftbacktest's collectors: `<recv_ts> <json>` a line.
//!
//! The stamp is when the recorder heard, in nanoseconds (19 digits, since 2024) or microseconds (16 digits, before);
//! the first line of a file decides, a line that disagrees is refused. The JSON is the venue's frame as it came; a REST
//! snapshot stands among the frames as the one object with `lastUpdateId` and no `stream`. Two files of one instrument
//! are one recording, split at midnight, with the snapshot in the first.

use super::lines::Lines;
use super::{ImportError, Record, Recorded, Records, Wish};
use crate::units::LocalTime;

pub(super) fn records(wish: &Wish) -> Result<Records, ImportError> {
    let mut files = Vec::new();
    for (index, path) in wish.files.iter().enumerate() {
        let unreadable = |source| ImportError::Unreadable { file: path.clone(), source };
        files.push((index, Lines::open(path).map_err(unreadable)?));
    }
    let wish = wish.clone();
    Ok(Box::new(files.into_iter().flat_map(move |(index, lines)| {
        let wish = wish.clone();
        let mut unit = None;
        lines.filter_map(move |line| match line {
            Err((number, reason)) => Some(Err(wish.refused((index, number), reason))),
            Ok((_, line)) if line.is_empty() => None,
            Ok((number, line)) => {
                let place = (index, number);
                let parsed = parse(&line, &mut unit);
                Some(parsed.map(|(at, what)| Record { at, place, what }).map_err(|why| wish.refused(place, why)))
            }
        })
    })))
}

/// Nanoseconds in one unit of the stamps.
fn unit_of(digits: usize) -> Option<i64> {
    match digits {
        19 => Some(1),
        16 => Some(1_000),
        _ => None,
    }
}

fn parse(line: &[u8], unit: &mut Option<i64>) -> Result<(LocalTime, Recorded), String> {
    let split = line.iter().position(|byte| *byte == b' ').ok_or("a line is `<recv_ts> <json>`, here is no blank")?;
    let (stamp, json) = (&line[..split], &line[split + 1..]);
    let text = std::str::from_utf8(stamp).ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
    let text = text.ok_or("a line is `<recv_ts> <json>`, this one does not begin with a time")?;
    let found = unit_of(text.len())
        .ok_or_else(|| format!("{text} is neither nanoseconds (19 digits) nor microseconds (16) since the epoch"))?;
    if *unit.get_or_insert(found) != found {
        return Err(format!("{text} is in another unit than the stamps before it"));
    }
    let at = text.parse::<i64>().ok().and_then(|stamp| stamp.checked_mul(found));
    let at = LocalTime(at.ok_or_else(|| format!("{text} is out of range"))?);
    // Frames begin with their stream; whatever begins otherwise is looked at more closely by the survey.
    let what = if json.starts_with(b"{\"lastUpdateId\"") {
        Recorded::Snapshot(None, json.to_vec())
    } else {
        Recorded::Frame(json.to_vec())
    };
    Ok((at, what))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nanoseconds_and_microseconds_are_told_apart_by_their_digits() {
        let mut unit = None;
        let (at, _) = parse(b"1723161253937085768 {}", &mut unit).unwrap();
        assert_eq!(at, LocalTime(1_723_161_253_937_085_768));
        assert!(parse(b"1680652800004107 {}", &mut unit).unwrap_err().contains("another unit"));
        let (at, _) = parse(b"1680652800004107 {}", &mut None).unwrap();
        assert_eq!(at, LocalTime(1_680_652_800_004_107_000));
        assert!(parse(b"1680652800 {}", &mut None).unwrap_err().contains("neither"));
        assert!(parse(b"{\"stream\":1}", &mut None).is_err());
        assert!(parse(b"-172316125393708576 {}", &mut None).is_err());
    }
}
