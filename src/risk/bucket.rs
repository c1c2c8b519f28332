//! A token bucket one second deep.

use serde::{Deserialize, Serialize};

use crate::units::LocalTime;

/// Counts events against a rate per second. Full at the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Bucket {
    /// What is left, in nanoseconds of refill at one a second: one event costs [`TOKEN`].
    tokens: i64,
    refilled: LocalTime,
}

/// One event.
const TOKEN: i64 = 1_000_000_000;

impl Bucket {
    pub fn full(rate: u32) -> Self {
        Self { tokens: i64::from(rate) * TOKEN, refilled: LocalTime::default() }
    }

    /// Holds no more than the new rate allows.
    pub fn cut(&mut self, rate: u32) {
        self.tokens = self.tokens.min(i64::from(rate) * TOKEN);
    }

    /// How many more events are within the rate at `now`; negative if some are owed.
    pub fn left(&self, rate: u32, now: LocalTime) -> i64 {
        self.tokens_at(rate, now).div_euclid(TOKEN)
    }

    /// One event happened; a bucket may owe one second's worth.
    pub fn take(&mut self, rate: u32, now: LocalTime) {
        self.tokens = (self.tokens_at(rate, now) - TOKEN).max(-i64::from(rate) * TOKEN);
        self.refilled = now;
    }

    fn tokens_at(&self, rate: u32, now: LocalTime) -> i64 {
        let rate = i64::from(rate);
        // From the deepest debt to full takes two seconds.
        let elapsed = now.since(self.refilled).0.clamp(0, 2 * TOKEN);
        (self.tokens + elapsed * rate).min(rate * TOKEN)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::Nanos;

    #[test]
    fn two_a_second_are_two_at_once_and_one_more_each_half_second() {
        let mut bucket = Bucket::full(2);
        let at = |ms| LocalTime(0) + Nanos::from_ms(ms);
        let mut ask = |ms| {
            let has = bucket.left(2, at(ms)) > 0;
            if has {
                bucket.take(2, at(ms));
            }
            has
        };
        let answers = [0, 0, 0, 499, 500, 500, 10_000, 10_000, 10_000].map(&mut ask);
        assert_eq!(answers, [true, true, false, false, true, false, true, true, false]);
    }

    #[test]
    fn what_cannot_be_refused_is_owed() {
        // Cancellations always pass: five at once at two a second leave three owed, of which two are kept in mind.
        let mut bucket = Bucket::full(2);
        let at = |ms| LocalTime(0) + Nanos::from_ms(ms);
        (0..5).for_each(|_| bucket.take(2, at(0)));
        assert_eq!([0, 1_000, 1_500, 2_000, 60_000].map(|ms| bucket.left(2, at(ms))), [-2, 0, 1, 2, 2]);
    }
}
