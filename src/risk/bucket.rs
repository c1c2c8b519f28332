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

    /// Whether one more event is within the rate.
    pub fn has_one(&mut self, rate: u32, now: LocalTime) -> bool {
        let rate = i64::from(rate);
        let elapsed = now.since(self.refilled).0.clamp(0, TOKEN);
        self.refilled = now;
        self.tokens = (self.tokens + elapsed * rate).min(rate * TOKEN);
        self.tokens >= TOKEN
    }

    /// One event happened; a bucket may owe one second's worth.
    pub fn take(&mut self, rate: u32) {
        self.tokens = (self.tokens - TOKEN).max(-i64::from(rate) * TOKEN);
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
            let has = bucket.has_one(2, at(ms));
            if has {
                bucket.take(2);
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
        (0..5).for_each(|_| bucket.take(2));
        let at = |ms| LocalTime(0) + Nanos::from_ms(ms);
        assert!(!bucket.has_one(2, at(1_000)));
        assert!(bucket.has_one(2, at(1_500)));
    }
}
