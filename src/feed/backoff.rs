//! How long to wait before trying again.

use std::time::Duration;

use crate::rng::Stream;

/// Full jitter: the pause before attempt `n` is uniform on `[0, min(cap, base · 2ⁿ))`. It spreads a crowd of
/// clients that lost the same server better than any fixed pause with a little noise.
#[derive(Debug)]
pub struct Backoff {
    base: Duration,
    cap: Duration,
    failures: u32,
    jitter: Stream,
}

impl Backoff {
    /// No failures yet.
    pub fn new(base: Duration, cap: Duration, seed: u64) -> Self {
        Self { base, cap, failures: 0, jitter: Stream::new(seed, "feed.backoff") }
    }

    /// The highest the next pause may be.
    pub fn ceiling(&self) -> Duration {
        self.base.saturating_mul(1 << self.failures.min(20)).min(self.cap)
    }

    /// One more failure; wait this long.
    pub fn pause(&mut self) -> Duration {
        let ceiling = self.ceiling();
        self.failures = self.failures.saturating_add(1);
        ceiling.mul_f64(self.jitter.uniform())
    }

    /// All is well again.
    pub fn reset(&mut self) {
        self.failures = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_to_the_cap_and_start_over_after_success() {
        // 250, 500, 1000, … 16000 ms, then 30 s instead of 32 s for good.
        let mut backoff = Backoff::new(Duration::from_millis(250), Duration::from_secs(30), 1);
        for ceiling_ms in [250, 500, 1000, 2000, 4000, 8000, 16000, 30000, 30000] {
            assert_eq!(backoff.ceiling().as_millis(), ceiling_ms);
            assert!(backoff.pause().as_millis() <= ceiling_ms);
        }
        backoff.reset();
        assert_eq!(backoff.ceiling().as_millis(), 250);
    }

    #[test]
    fn two_bots_do_not_come_back_together() {
        let pauses = |seed| {
            let mut backoff = Backoff::new(Duration::from_millis(250), Duration::from_secs(30), seed);
            [backoff.pause(), backoff.pause()]
        };
        assert_ne!(pauses(1), pauses(2));
    }
}
