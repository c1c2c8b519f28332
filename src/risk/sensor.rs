//! What is measured of one instrument for the limits that no request can break: how long we hold, what our fills were
//! worth a moment later, how old its news is.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::limits::MarkoutLimit;
use crate::units::{LocalTime, Lots, Nanos, Side, Ticks, VenueTime};

/// The measurements of one instrument.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sensor {
    /// Which way the position lies (−1, 0, 1) and since when.
    held: (i64, LocalTime),
    /// Smoothed age of stamps as news came, nanoseconds, and how many there were.
    age: (i64, u32),
    /// Fills that are younger than the horizon: when, side, twice the price.
    pending: VecDeque<(LocalTime, Side, i64)>,
    /// Markouts of the last fills, hundredths of a basis point, newest last.
    markouts: VecDeque<i64>,
}

/// A smoothed age is one after this many stamps, each newer one weighing one part in as many.
const STAMPS: u32 = 16;
/// Fills waiting for their markout; of more at once the oldest are forgotten.
const PENDING_MAX: usize = 1_024;

impl Sensor {
    /// The position is this now.
    pub fn holds(&mut self, position: Lots, now: LocalTime) {
        if position.0.signum() != self.held.0 {
            self.held = (position.0.signum(), now);
        }
    }

    /// A position that came over from another session, held on its side since then. A clock that says it was later than now is
    /// not believed.
    pub fn carried(&mut self, position: Lots, since: LocalTime, now: LocalTime) {
        self.held = (position.0.signum(), since.min(now));
    }

    /// Since when the position has been on its side, for the next session.
    pub fn held_since(&self) -> LocalTime {
        self.held.1
    }

    /// How long a position has been on its side; `None` while flat.
    pub fn inventory_age(&self, now: LocalTime) -> Option<Nanos> {
        (self.held.0 != 0).then(|| now.since(self.held.1))
    }

    /// News stamped by the venue came at `now`.
    pub fn stamped(&mut self, stamp: VenueTime, now: LocalTime) {
        let age = now.0.saturating_sub(stamp.0).clamp(-AGE_MAX, AGE_MAX);
        let (mean, count) = self.age;
        let count = (count + 1).min(STAMPS);
        self.age = (mean + (age - mean) / i64::from(count), count);
    }

    /// Smoothed age of news as it comes, negative if the venue's clock is ahead; `None` before there is enough.
    pub fn news_age(&self) -> Option<Nanos> {
        (self.age.1 >= STAMPS).then_some(Nanos(self.age.0))
    }

    /// A connection was lost: what comes over the next one is measured anew.
    pub fn forget_age(&mut self) {
        self.age = (0, 0);
    }

    /// One of our orders traded.
    pub fn filled(&mut self, side: Side, price: Ticks, now: LocalTime) {
        if self.pending.len() == PENDING_MAX {
            self.pending.pop_front();
        }
        self.pending.push_back((now, side, 2 * price.0));
    }

    /// The mid is this now: fills that have reached the horizon are judged by it.
    pub fn mid(&mut self, twice_mid: i64, now: LocalTime, limit: &MarkoutLimit) {
        while let Some((at, side, twice_price)) = self.pending.front().copied() {
            if now.since(at) < limit.horizon {
                break;
            }
            self.pending.pop_front();
            let gain = i128::from(side.sign()) * (i128::from(twice_mid) - i128::from(twice_price)) * 1_000_000;
            let parts = gain / i128::from(twice_price.max(1));
            self.markouts.push_back(i64::try_from(parts).unwrap_or(if parts < 0 { i64::MIN } else { i64::MAX }));
            while self.markouts.len() > limit.fills as usize {
                self.markouts.pop_front();
            }
        }
    }

    /// Mean loss of the last fills at the horizon, hundredths of a basis point; `None` before there are enough.
    pub fn markout_loss(&self, limit: &MarkoutLimit) -> Option<i64> {
        let count = limit.fills as usize;
        let last = self.markouts.iter().rev().take(count);
        // A mean of numbers of 64 bits is one; only its opposite may be one too many.
        let mean = || last.map(|gain| i128::from(*gain)).sum::<i128>() / count as i128;
        (count > 0 && self.markouts.len() >= count).then(|| i64::try_from(-mean()).unwrap_or(i64::MAX))
    }

    /// The breaker has let go: it wants as many new fills before it speaks again.
    pub fn forget_markouts(&mut self) {
        self.markouts.clear();
    }

    /// Ticks changed size: prices in old ones mean nothing.
    pub fn forget_prices(&mut self) {
        self.pending.clear();
    }
}

/// Stamps farther off than a day are no measure of anything.
const AGE_MAX: i64 = 86_400_000_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: i64) -> LocalTime {
        LocalTime(0) + Nanos::from_ms(ms)
    }

    #[test]
    fn age_counts_from_the_last_time_we_were_flat_or_on_the_other_side() {
        let mut sensor = Sensor::default();
        let age = |s: &Sensor, at| s.inventory_age(ms(at)).map(|age| age.ms());
        sensor.holds(Lots(0), ms(10));
        assert_eq!(age(&sensor, 20), None);
        sensor.holds(Lots(5), ms(30));
        sensor.holds(Lots(9), ms(40));
        assert_eq!(age(&sensor, 100), Some(70));
        sensor.holds(Lots(-1), ms(110));
        assert_eq!(age(&sensor, 150), Some(40));
        sensor.holds(Lots(0), ms(160));
        assert_eq!(age(&sensor, 170), None);
    }

    #[test]
    fn a_restart_makes_no_position_younger_and_a_clock_set_back_none_older_than_it_is() {
        let mut sensor = Sensor::default();
        sensor.carried(Lots(-3), ms(100), ms(5_000));
        sensor.holds(Lots(-9), ms(5_500));
        assert_eq!((sensor.held_since(), sensor.inventory_age(ms(6_000)).unwrap().ms()), (ms(100), 5_900));
        sensor.carried(Lots(-3), ms(7_000), ms(5_000));
        assert_eq!(sensor.inventory_age(ms(6_000)).unwrap().ms(), 1_000);
    }

    #[test]
    fn the_age_of_news_needs_sixteen_stamps_and_follows_slowly() {
        let mut sensor = Sensor::default();
        (0..15).for_each(|i| sensor.stamped(VenueTime(i * 1_000_000), ms(i + 40)));
        assert_eq!(sensor.news_age(), None);
        sensor.stamped(VenueTime(15_000_000), ms(55));
        assert_eq!(sensor.news_age(), Some(Nanos::from_ms(40)));
        // One stamp 160 ms old moves the mean of 40 by 120/16 = 7.5.
        sensor.stamped(VenueTime(0), ms(160));
        assert_eq!(sensor.news_age(), Some(Nanos(47_500_000)));
    }

    #[test]
    fn fewer_fills_are_judged_from_the_next_look_on_and_absurd_prices_are_as_bad_as_can_be() {
        let limit = MarkoutLimit { horizon: Nanos::from_ms(1), fills: 3, loss_max_centibps: 0 };
        let mut sensor = Sensor::default();
        for (mid, ms_at) in [(1_998, 0), (1_998, 10), (2_002, 20)] {
            sensor.filled(Side::Bid, Ticks(1_000), ms(ms_at));
            sensor.mid(mid, ms(ms_at + 1), &limit);
        }
        // Lost 10, 10, gained 10 bps: a mean loss of 3.33 of three, and a gain of 10 of the last.
        assert_eq!(sensor.markout_loss(&limit), Some(333));
        assert_eq!(sensor.markout_loss(&MarkoutLimit { fills: 1, ..limit }), Some(-1_000));
        sensor.filled(Side::Ask, Ticks(1), ms(30));
        sensor.mid(i64::MAX, ms(31), &limit);
        assert_eq!(sensor.markout_loss(&MarkoutLimit { fills: 1, ..limit }), Some(i64::MAX));
    }

    #[test]
    fn a_fill_is_judged_by_the_first_mid_after_the_horizon() {
        let limit = MarkoutLimit { horizon: Nanos::from_ms(1_000), fills: 2, loss_max_centibps: 0 };
        let mut sensor = Sensor::default();
        sensor.filled(Side::Bid, Ticks(1_000), ms(0));
        sensor.mid(2_000, ms(999), &limit);
        assert_eq!(sensor.markouts.len(), 0);
        // Bought at 1000, mid 999: lost a thousandth, 10 bps, 1000 hundredths.
        sensor.mid(1_998, ms(1_000), &limit);
        assert_eq!((sensor.markouts.back(), sensor.markout_loss(&limit)), (Some(&-1_000), None));
        // Sold at 1000, mid 998: gained 20 bps. Mean gain 5 bps.
        sensor.filled(Side::Ask, Ticks(1_000), ms(1_100));
        sensor.mid(1_996, ms(2_200), &limit);
        assert_eq!(sensor.markout_loss(&limit), Some(-500));
    }
}
