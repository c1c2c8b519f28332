//! At most so much in any stretch of time.
//!
//! A token bucket lets twice its size pass around a refill; venues count in windows, so we do too. What holds for
//! every sliding window holds for the venue's own, wherever it starts.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

/// What was spent within the last `span`.
#[derive(Debug)]
pub struct Window {
    limit: u32,
    span: Duration,
    spent: VecDeque<(Instant, u32)>,
}

impl Window {
    /// At most `limit` in any `span`.
    pub fn new(limit: u32, span: Duration) -> Self {
        Self { limit, span, spent: VecDeque::new() }
    }

    /// Spends `cost`, or says when to ask again. A cost above the limit is let through alone rather than never.
    pub fn spend(&mut self, cost: u32, now: Instant) -> Result<(), Instant> {
        while self.spent.front().is_some_and(|(at, _)| now.duration_since(*at) >= self.span) {
            self.spent.pop_front();
        }
        let total: u32 = self.spent.iter().map(|(_, cost)| cost).sum();
        match self.spent.front() {
            Some((oldest, _)) if total.saturating_add(cost) > self.limit => Err(*oldest + self.span),
            _ => {
                self.spent.push_back((now, cost));
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_second_ever_holds_more_than_the_limit() {
        let (start, ms) = (Instant::now(), Duration::from_millis);
        let mut window = Window::new(5, ms(1000));
        for k in 0..5 {
            assert_eq!(window.spend(1, start + ms(100 * k)), Ok(()));
        }
        // The sixth has to wait until the first one, at 0 ms, is a second old; then the second one's turn ends.
        assert_eq!(window.spend(1, start + ms(500)), Err(start + ms(1000)));
        assert_eq!(window.spend(1, start + ms(1000)), Ok(()));
        assert_eq!(window.spend(1, start + ms(1000)), Err(start + ms(1100)));
    }

    #[test]
    fn a_cost_above_the_limit_waits_for_an_empty_window_and_passes_alone() {
        let (start, s) = (Instant::now(), Duration::from_secs);
        let mut window = Window::new(50, s(60));
        assert_eq!(window.spend(10, start), Ok(()));
        assert_eq!(window.spend(250, start + s(1)), Err(start + s(60)));
        assert_eq!(window.spend(250, start + s(60)), Ok(()));
        assert_eq!(window.spend(1, start + s(61)), Err(start + s(120)));
    }
}
