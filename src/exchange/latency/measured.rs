//! Delays somebody measured: when a request was sent, matched and acknowledged.
//!
//! The usual way to get them is to send orders that cannot trade to a real venue and write down three times each. The
//! rows travel inside the session's spec, so a replay needs no file.
//!
//! Between two rows the delay is theirs, in a straight line. Outside the measured span the measurements repeat, with
//! the span as the period: yesterday's hour of measurements gives today's session the same good and bad moments.
//! One row is a constant.

use serde::{Deserialize, Serialize};

use crate::units::{LocalTime, Nanos};

/// The first line of a file.
const HEADER: &str = "sent,matched,acknowledged";

/// The rows are part of every checkpoint.
const ROWS_MAX: usize = 4_096;

/// One request there and back. Nanoseconds; `sent` and `acknowledged` on our clock, `matched` on the venue's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Row {
    sent: i64,
    matched: i64,
    acknowledged: i64,
}

/// Measured rows, in the order of sending. Its text is a CSV file as it was read, without what is no data.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Measured {
    rows: Vec<Row>,
}

/// Which half of the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leg {
    /// Sent to matched.
    Entry,
    /// Matched to acknowledged.
    Response,
}

impl Leg {
    fn starts(self, row: &Row) -> i64 {
        match self {
            Leg::Entry => row.sent,
            Leg::Response => row.matched,
        }
    }

    fn takes(self, row: &Row) -> i64 {
        match self {
            Leg::Entry => row.matched - row.sent,
            Leg::Response => row.acknowledged - row.matched,
        }
    }
}

impl Measured {
    /// Reads `sent,matched,acknowledged` rows below a header of those words. `#` begins a comment. The venue's clock
    /// may be off ours: a `matched` outside of its request's life is moved to the nearer end. Says line and reason.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut rows: Vec<Row> = Vec::new();
        let mut is_headed = false;
        for (line, at) in text.lines().zip(1..) {
            let line = line.split('#').next().unwrap_or_default().trim();
            if line.is_empty() {
                continue;
            }
            if !is_headed {
                is_headed = line.split(',').map(str::trim).eq(HEADER.split(','));
                if !is_headed {
                    return Err(format!("line {at}: the header is {line:?} instead of {HEADER:?}"));
                }
                continue;
            }
            let row = Row::parse(line).map_err(|why| format!("line {at}: {why}"))?;
            if let Some(last) = rows.last().filter(|last| last.sent >= row.sent) {
                return Err(format!("line {at}: sent at {}, not after the row before, {}", row.sent, last.sent));
            }
            if rows.len() == ROWS_MAX {
                return Err(format!("line {at}: more than {ROWS_MAX} rows; keep every second one"));
            }
            rows.push(row);
        }
        if rows.is_empty() { Err("holds no rows".to_owned()) } else { Ok(Self { rows }) }
    }

    /// How long a leg that starts at `start` takes.
    pub fn at(&self, leg: Leg, start: LocalTime) -> Nanos {
        let (Some(first), Some(last)) = (self.rows.first(), self.rows.last()) else { return Nanos::ZERO };
        let (from, span) = (leg.starts(first), leg.starts(last).saturating_sub(leg.starts(first)));
        if span <= 0 {
            return Nanos(leg.takes(first));
        }
        let into = (i128::from(start.0) - i128::from(from)).rem_euclid(i128::from(span)) as i64;
        // Matched times of rows sent one after the other may be out of order by the venue's clock: the last row that
        // is not later than we are, in the order of sending.
        let after = self.rows.partition_point(|row| leg.starts(row) - from <= into).clamp(1, self.rows.len() - 1);
        let (before, after) = (&self.rows[after - 1], &self.rows[after]);
        let (begins, ends) = (leg.starts(before) - from, leg.starts(after) - from);
        let (slow, quick) = (i128::from(leg.takes(before)), i128::from(leg.takes(after)));
        if ends <= begins {
            return Nanos(leg.takes(after));
        }
        let share = i128::from(into.clamp(begins, ends) - begins);
        Nanos((slow + (quick - slow) * share / i128::from(ends - begins)) as i64)
    }
}

impl Row {
    fn parse(line: &str) -> Result<Self, String> {
        let times: Result<Vec<i64>, _> = line.split(',').map(|field| field.trim().parse::<i64>()).collect();
        let Ok([sent, matched, acknowledged]) = times.as_deref() else {
            return Err(format!("{line:?} is not three whole nanoseconds"));
        };
        // Nobody measures before the epoch, and differences of the rest fit.
        if *sent < 0 || acknowledged < sent {
            return Err(format!("acknowledged at {acknowledged}, before it was sent at {sent}"));
        }
        Ok(Self { sent: *sent, matched: *matched.clamp(sent, acknowledged), acknowledged: *acknowledged })
    }
}

impl TryFrom<String> for Measured {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if text.is_empty() { Ok(Self::default()) } else { Self::parse(&text) }
    }
}

impl From<Measured> for String {
    fn from(measured: Measured) -> String {
        if measured.rows.is_empty() {
            return String::new();
        }
        let row = |row: &Row| format!("\n{},{},{}", row.sent, row.matched, row.acknowledged);
        HEADER.to_owned() + &measured.rows.iter().map(row).collect::<String>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const THREE: &str = "# somebody's afternoon\nsent, matched, acknowledged\n\n100,110,115\n200,230,240 # slow\n\
                         400,440,441\n";

    fn entry(measured: &Measured, at: i64) -> i64 {
        measured.at(Leg::Entry, LocalTime(at)).0
    }

    #[test]
    fn between_two_rows_a_delay_is_theirs_in_a_straight_line() {
        // Entry takes 10 at 100, 30 at 200 and 40 at 400: halfway 20, a quarter of the way from 200 to 400 32.
        let measured = Measured::parse(THREE).unwrap();
        let found: Vec<_> = [100, 150, 199, 200, 250, 399].map(|at| entry(&measured, at)).to_vec();
        assert_eq!(found, [10, 20, 29, 30, 32, 39]);
        // The way back is measured where it starts: 5 at 110, 10 at 230, 1 at 440. A third from 110 to 230: 5 + 5/3.
        let back = |at| measured.at(Leg::Response, LocalTime(at)).0;
        assert_eq!([110, 150, 230, 335].map(back), [5, 6, 10, 6]);
    }

    #[test]
    fn outside_the_measured_span_the_measurements_repeat() {
        // The span is 300: 450 is 150 again, 100 - 50 is 350 again (30 + 10·3/4).
        let measured = Measured::parse(THREE).unwrap();
        assert_eq!([450, 3_150, 50, -250].map(|at| entry(&measured, at)), [20, 20, 37, 37]);
        assert_eq!(entry(&Measured::parse("sent,matched,acknowledged\n5,9,9").unwrap(), 1_000), 4);
        assert_eq!(entry(&Measured::default(), 7), 0);
        let extreme = [i64::MIN, i64::MAX].map(|at| entry(&measured, at));
        assert!(extreme.iter().all(|delay| (10..=40).contains(delay)));
    }

    #[test]
    fn a_venues_clock_that_is_off_delays_nobody_into_the_past() {
        // Matched before it was sent: at once; after it was acknowledged: with the acknowledgement.
        let text = "sent,matched,acknowledged\n100,90,120\n200,260,250\n";
        let measured = Measured::parse(text).unwrap();
        assert_eq!((entry(&measured, 100), entry(&measured, 199)), (0, 49));
        assert_eq!(measured.at(Leg::Response, LocalTime(100)), Nanos(20));
    }

    #[test]
    fn the_text_in_a_spec_is_the_same_measurements() {
        let measured = Measured::parse(THREE).unwrap();
        let text = String::from(measured.clone());
        assert_eq!(text, "sent,matched,acknowledged\n100,110,115\n200,230,240\n400,440,441");
        assert_eq!(Measured::try_from(text), Ok(measured));
        assert_eq!(Measured::try_from(String::new()), Ok(Measured::default()));
    }

    #[test]
    fn a_broken_file_is_refused_with_line_and_reason() {
        let cases = [
            ("", "holds no rows"),
            ("sent,matched,acknowledged\n", "holds no rows"),
            ("1,2,3\n", "line 1: the header is \"1,2,3\" instead of \"sent,matched,acknowledged\""),
            ("sent,matched,acknowledged\n1,2\n", "line 2: \"1,2\" is not three whole nanoseconds"),
            ("sent,matched,acknowledged\n1,2.5,3\n", "line 2: \"1,2.5,3\" is not three whole nanoseconds"),
            ("sent,matched,acknowledged\n9,9,8\n", "line 2: acknowledged at 8, before it was sent at 9"),
            ("sent,matched,acknowledged\n5,6,7\n5,6,7\n", "line 3: sent at 5, not after the row before, 5"),
        ];
        for (text, why) in cases {
            assert_eq!(Measured::parse(text), Err(why.to_owned()), "{text}");
        }
        let many: String = (0..=ROWS_MAX as i64).map(|i| format!("\n{i},{i},{i}")).collect();
        let why = Measured::parse(&format!("{HEADER}{many}")).unwrap_err();
        assert!(why.starts_with("line 4098: more than 4096 rows"), "{why}");
    }
}
