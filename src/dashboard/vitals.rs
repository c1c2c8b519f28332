//! Whether a running bot is well, for those who restart, page or route by it.
//!
//! Well means that it hears its venues, that what it hears is on the disk soon, and that the session itself still moves. It does
//! not mean that it quotes: a halt is somebody's wish, and restarting a halted bot helps nobody.

use serde::Serialize;

use super::status::{Phase, StatusSnapshot};
use crate::units::LocalTime;

/// From when on a bot counts as unwell; milliseconds.
#[derive(Clone, Copy, Debug)]
pub struct Vitals {
    /// A connection without a frame.
    pub feed_stale_ms: i64,
    /// An input not on the disk.
    pub journal_lag_ms: i64,
    /// The session without a new picture.
    pub silent_ms: i64,
    /// The time of day.
    pub clock: fn() -> LocalTime,
}

/// One reason why a bot is not well.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Complaint {
    /// `FEED_STALE`, `JOURNAL_LAG`, `SESSION_SILENT`.
    pub code: &'static str,
    /// Whose: a venue and its connection; empty for the session.
    pub whose: String,
    /// Measured, milliseconds.
    pub value_ms: i64,
    /// At most, milliseconds.
    pub limit_ms: i64,
}

impl Vitals {
    /// How old a picture is, milliseconds; zero before the first.
    pub fn picture_age_ms(&self, all: &StatusSnapshot) -> i64 {
        if all.at_ns == 0 { 0 } else { (self.clock)().since(LocalTime(all.at_ns)).ms().max(0) }
    }

    /// Everything that is wrong; nothing if all is well.
    pub fn complaints(&self, all: &StatusSnapshot) -> Vec<Complaint> {
        let mut found = Vec::new();
        let mut check = |code, whose: String, value_ms: i64, limit_ms: i64| {
            if value_ms > limit_ms {
                found.push(Complaint { code, whose, value_ms, limit_ms });
            }
        };
        let silent_ms = self.picture_age_ms(all);
        check("SESSION_SILENT", String::new(), silent_ms, self.silent_ms);
        check("JOURNAL_LAG", String::new(), all.journal.lag_ms, self.journal_lag_ms);
        for feed in &all.feeds {
            // One that never heard anything is as old as the session.
            let age_ms = feed.age_ms.unwrap_or((all.uptime_s * 1e3) as i64);
            check("FEED_STALE", format!("{}/{}", feed.venue, feed.connection), age_ms, self.feed_stale_ms);
        }
        found
    }

    /// Why a bot that is well does not do its work yet; nothing once it does, or was told not to.
    pub fn unready(all: &StatusSnapshot) -> Option<String> {
        match all.state {
            Phase::Quoting | Phase::Recording | Phase::Paused | Phase::Reducing | Phase::Halted => None,
            Phase::Starting | Phase::WarmingUp | Phase::Stopping => {
                Some(format!("{} {}", all.state.word(), all.reason).trim_end().to_owned())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::status::testing::a_snapshot;
    use super::*;

    /// Ten seconds after the epoch.
    const VITALS: Vitals =
        Vitals { feed_stale_ms: 3_000, journal_lag_ms: 500, silent_ms: 2_000, clock: || LocalTime(10_000_000_000) };

    fn codes(all: &StatusSnapshot) -> Vec<(&'static str, i64)> {
        VITALS.complaints(all).iter().map(|c| (c.code, c.value_ms)).collect()
    }

    #[test]
    fn each_thing_that_is_wrong_is_told_with_its_measure_and_nothing_else_is() {
        let mut all = a_snapshot();
        // 10.0 s - 8.5 s = 1.5 s old; the feed 31 ms.
        all.at_ns = 8_500_000_000;
        assert_eq!(codes(&all), []);
        all.at_ns = 7_999_000_000;
        assert_eq!(codes(&all), [("SESSION_SILENT", 2_001)]);
        all.journal.lag_ms = 501;
        all.feeds[0].age_ms = Some(3_001);
        assert_eq!(codes(&all), [("SESSION_SILENT", 2_001), ("JOURNAL_LAG", 501), ("FEED_STALE", 3_001)]);
        // Never a frame in 75.4 s.
        all.feeds[0].age_ms = None;
        assert_eq!(VITALS.complaints(&all)[2].whose, "binance-spot/0");
        assert_eq!(codes(&all)[2], ("FEED_STALE", 75_400));
    }

    #[test]
    fn a_halted_bot_is_well_and_ready_and_one_that_warms_up_is_well_only() {
        let mut all = a_snapshot();
        all.at_ns = 10_000_000_000;
        for (state, ready) in [(Phase::Halted, true), (Phase::Quoting, true), (Phase::WarmingUp, false)] {
            all.state = state;
            assert_eq!((codes(&all).len(), Vitals::unready(&all).is_none()), (0, ready), "{}", state.word());
        }
    }
}
