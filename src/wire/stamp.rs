//! Venues' ways to write the time.

use crate::units::VenueTime;

const NS_PER_S: i64 = 1_000_000_000;

/// Milliseconds since 1970; `None` beyond the year 2262.
#[inline]
pub(crate) fn millis(count: u64) -> Option<VenueTime> {
    i64::try_from(count).ok()?.checked_mul(1_000_000).map(VenueTime)
}

/// `2026-09-21T10:00:00.440295Z`: RFC 3339 in UTC with any number of decimals, those beyond nanoseconds dropped.
///
/// Days are counted by Hinnant's method (H. Hinnant, "chrono-Compatible Low-Level Date Algorithms", 2013).
#[inline]
pub(crate) fn rfc3339(text: &[u8]) -> Option<VenueTime> {
    let (date, rest) = text.split_first_chunk::<19>()?;
    let two = |at: usize| -> Option<i64> {
        let (tens, ones) = (date[at].wrapping_sub(b'0'), date[at + 1].wrapping_sub(b'0'));
        (tens <= 9 && ones <= 9).then(|| i64::from(tens) * 10 + i64::from(ones))
    };
    if [date[4], date[7], date[10], date[13], date[16]] != *b"--T::" {
        return None;
    }
    let (year, month, day) = (two(0)? * 100 + two(2)?, two(5)?, two(8)?);
    let (hour, minute, second) = (two(11)?, two(14)?, two(17)?);
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let fraction = match rest {
        b"Z" | b"+00:00" => 0,
        [b'.', digits @ ..] => {
            let digits = digits.strip_suffix(b"Z").or_else(|| digits.strip_suffix(b"+00:00"))?;
            if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
                return None;
            }
            let nine = digits.iter().chain(std::iter::repeat(&b'0')).take(9);
            nine.fold(0i64, |sum, digit| sum * 10 + i64::from(digit - b'0'))
        }
        _ => return None,
    };
    // Years begin in March, so that the leap day is the last one.
    let year = if month <= 2 { year - 1 } else { year };
    let (era, month) = (year / 400, (month + 9) % 12);
    let (year_of_era, day_of_year) = (year % 400, (153 * month + 2) / 5 + day - 1);
    let days = era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468;
    let seconds = days * 86_400 + hour * 3_600 + minute * 60 + second;
    seconds.checked_mul(NS_PER_S)?.checked_add(fraction).map(VenueTime)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_to_the_nanosecond() {
        let read = |text: &str| rfc3339(text.as_bytes()).map(|t| t.0);
        assert_eq!(read("1970-01-01T00:00:00Z"), Some(0));
        // 20 years of which five were leap years (72, 76, 80, 84, 88), a day and a second.
        assert_eq!(read("1990-01-02T00:00:01Z"), Some(((20 * 365 + 5 + 1) * 86_400 + 1) * NS_PER_S));
        assert_eq!(read("2026-09-21T10:00:00.440295Z"), Some(1_789_984_800_440_295_000));
        assert_eq!(read("2026-09-21T10:00:00.440295123456Z"), Some(1_789_984_800_440_295_123));
        assert_eq!(read("2024-02-29T23:59:59.5+00:00"), Some(1_709_251_199_500_000_000));
        for wrong in [
            "",
            "2026-09-21",
            "2026-13-21T10:00:00Z",
            "2026-09-21T10:00:00",
            "2026-09-21T10:00:00.Z",
            "2026-09-21 10:00:00Z",
            "2026-09-21T10:00:00.4+02:00",
        ] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }
}
