//! What was won and lost, since when: the session, midnight, an hour, the highest point.
//!
//! An account outlives its sessions, so amounts are counted from the account's own zero: what was settled before plus this
//! session's equity. An open position comes over at its cost, so what prices did while the bot was down is in it.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::units::{LocalTime, Money};

/// What of an account's history limits need; all in account currency.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Score {
    /// Profit of closed positions less fees and funding, of all sessions before.
    pub settled: Money,
    /// The day of the two below, days since the epoch, UTC.
    pub day: i64,
    /// Equity when it began.
    pub day_equity: Money,
    /// Fees paid in it, by sessions before.
    pub day_fees: Money,
    /// Highest equity there ever was.
    pub peak: Money,
}

/// Losses by the four measures, positive when money was lost, and the day's fees.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Losses {
    /// Since the session began.
    pub session: Money,
    /// Since midnight UTC.
    pub day: Money,
    /// From the highest equity at a full minute of the last sixty.
    pub hour: Money,
    /// From the highest equity.
    pub drawdown: Money,
    /// Paid since midnight UTC.
    pub fees: Money,
}

/// The running account of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Tally {
    score: Score,
    /// Equity at the session's first mark.
    origin: Option<Money>,
    /// This session's fees that belong to days before.
    fees_before: Money,
    /// Equity at the first mark of those of the last sixty minutes that no later one exceeds, oldest first: the front is
    /// the highest.
    minutes: VecDeque<(i64, Money)>,
    last: Option<Kept>,
    /// Equity at the first mark while a carried position had no price yet, and at the last such mark.
    unpriced: Option<(Money, Money)>,
}

/// The last mark.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Kept {
    equity: Money,
    fees: Money,
}

const MINUTE: i64 = 60_000_000_000;
const DAY: i64 = 86_400_000_000_000;
const HOUR_MINUTES: i64 = 60;

impl Default for Tally {
    fn default() -> Self {
        Self::carried(Score { day: i64::MIN, peak: Money(i128::MIN), ..Score::default() }, &[])
    }
}

impl Tally {
    /// Goes on from a score and the minutes of the hour before it.
    pub fn carried(score: Score, hour: &[(i64, Money)]) -> Self {
        let minutes = hour.iter().copied().collect();
        Self { score, origin: None, fees_before: Money::ZERO, minutes, last: None, unpriced: None }
    }

    /// Those of the last sixty that count.
    pub fn minutes(&self) -> impl Iterator<Item = (i64, Money)> {
        self.minutes.iter().copied()
    }

    /// As [`Tally::mark`], while a position carried over has had no price yet and counts at its cost: nothing but what this
    /// session has lost since can be said.
    pub fn mark_unpriced(&mut self, session_equity: Money) -> Losses {
        let equity = self.score.settled + session_equity;
        let (first, _) = *self.unpriced.get_or_insert((equity, equity));
        self.unpriced = Some((first, equity));
        Losses { session: first - equity, ..Losses::default() }
    }

    /// Whether every position has had a price, so that more can be said than what this session has lost.
    pub fn is_priced(&self) -> bool {
        self.unpriced.is_none()
    }

    /// Takes in where this session stands: its equity and fees so far.
    pub fn mark(&mut self, now: LocalTime, session_equity: Money, session_fees: Money) -> Losses {
        let equity = self.score.settled + session_equity;
        // What the first price of a carried position shows was won or lost before; the rest is this session's.
        let first = self.unpriced.take().map_or(equity, |(first, last)| first + (equity - last));
        let origin = *self.origin.get_or_insert(first);
        let day = now.0.div_euclid(DAY);
        // A clock set back does not begin yesterday anew.
        if day > self.score.day {
            // The first mark of a day is its beginning; what moved since the last one of the day before is the new day's.
            let (begins_at, fees) = self.last.map_or((equity, Money::ZERO), |last| (last.equity, last.fees));
            (self.score.day, self.score.day_equity, self.score.day_fees) = (day, begins_at, Money::ZERO);
            self.fees_before = fees;
        }
        self.score.peak = self.score.peak.max(equity);
        self.last = Some(Kept { equity, fees: session_fees });
        let highest = self.hour(now.0.div_euclid(MINUTE), equity);
        Losses {
            session: origin - equity,
            day: self.score.day_equity - equity,
            hour: highest - equity,
            drawdown: self.score.peak - equity,
            fees: self.score.day_fees + session_fees - self.fees_before,
        }
    }

    /// The highest equity at a full minute of the last sixty.
    fn hour(&mut self, minute: i64, equity: Money) -> Money {
        if self.minutes.back().is_none_or(|(last, _)| *last != minute) {
            // A later, higher one makes every lower one before it irrelevant.
            while self.minutes.back().is_some_and(|(_, before)| *before <= equity) {
                self.minutes.pop_back();
            }
            self.minutes.push_back((minute, equity));
        }
        while self.minutes.front().is_some_and(|(first, _)| *first <= minute - HOUR_MINUTES) {
            self.minutes.pop_front();
        }
        self.minutes.front().map_or(equity, |(_, highest)| *highest)
    }

    /// For the next session, when this one has settled so much more (profit of closed positions less fees and funding).
    pub fn score(&self, settled_here: Money) -> Score {
        let fees = self.last.map_or(Money::ZERO, |last| last.fees - self.fees_before);
        Score { settled: self.score.settled + settled_here, day_fees: self.score.day_fees + fees, ..self.score }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(day: i64, minute: i64) -> LocalTime {
        LocalTime(day * DAY + minute * MINUTE)
    }

    fn usd(amount: i128) -> Money {
        Money(amount * Money::PER_QUOTE)
    }

    #[test]
    fn each_measure_has_its_own_beginning() {
        // Starts at 0, up to +30 at minute 1, then down to -20 at minute 30: lost 20 of the session and the day, 50 from
        // the top. At minute 62 the top is older than an hour, the highest since is the -20 at which it now stands.
        let mut tally = Tally::default();
        assert_eq!(tally.mark(at(5, 0), usd(0), usd(0)), Losses::default());
        tally.mark(at(5, 1), usd(30), usd(1));
        let down = tally.mark(at(5, 30), usd(-20), usd(3));
        assert_eq!((down.session, down.day, down.hour, down.drawdown), (usd(20), usd(20), usd(50), usd(50)));
        let later = tally.mark(at(5, 62), usd(-20), usd(3));
        assert_eq!((later.hour, later.drawdown, later.fees), (usd(0), usd(50), usd(3)));
    }

    #[test]
    fn a_new_day_begins_where_the_old_one_ended() {
        let mut tally = Tally::default();
        tally.mark(at(5, 0), usd(0), usd(0));
        tally.mark(at(5, 1_439), usd(-40), usd(4));
        // Ten more are lost over midnight: they are the new day's.
        let next = tally.mark(at(6, 0), usd(-50), usd(6));
        assert_eq!((next.session, next.day, next.fees), (usd(50), usd(10), usd(2)));
    }

    #[test]
    fn a_restart_forgets_nothing_of_the_day() {
        // 40 lost, of them 15 in a position that is still open (cost 100, worth 85) and 25 settled; 4 of fees.
        let mut first = Tally::default();
        first.mark(at(5, 0), usd(0), usd(0));
        first.mark(at(5, 10), usd(-40), usd(4));
        let score = first.score(usd(-25));
        // While we were down it fell to 70: the new session's equity begins at -30.
        let mut second = Tally::carried(score, &[]);
        let losses = second.mark(at(5, 20), usd(-30), usd(0));
        assert_eq!((losses.session, losses.day, losses.drawdown, losses.fees), (usd(0), usd(55), usd(55), usd(4)));
        assert_eq!(second.mark(at(5, 21), usd(-31), usd(2)).fees, usd(6));
    }

    #[test]
    fn a_clock_set_back_over_midnight_forgives_no_loss() {
        let mut tally = Tally::default();
        tally.mark(at(5, 1), usd(0), usd(0));
        tally.mark(at(5, 2), usd(-40), usd(4));
        let mut second = Tally::carried(tally.score(usd(-40)), &[]);
        let losses = second.mark(at(4, 1_439), usd(0), usd(1));
        assert_eq!((losses.day, losses.fees), (usd(40), usd(5)));
        assert_eq!(second.mark(at(5, 3), usd(-1), usd(1)).day, usd(41));
    }

    #[test]
    fn a_restart_does_not_begin_a_new_hour() {
        // Down 20 at minute 0, 30 at minute 10, a restart, down 60 at minute 59: 40 within the hour, of which 30 since the
        // restart. At minute 61 the first 20 are too long ago.
        let mut first = Tally::default();
        first.mark(at(5, 0), usd(-20), usd(0));
        first.mark(at(5, 10), usd(-30), usd(0));
        let minutes: Vec<_> = first.minutes().collect();
        let mut second = Tally::carried(first.score(usd(-30)), &minutes);
        assert_eq!(second.mark(at(5, 59), usd(-30), usd(0)).hour, usd(40));
        assert_eq!(second.mark(at(5, 61), usd(-30), usd(0)).hour, usd(30));
    }

    #[test]
    fn what_is_lost_before_a_carried_position_has_a_price_is_lost_and_its_own_past_is_not() {
        // 30 are lost elsewhere before the first price shows that the carried position is down by 100 since long ago.
        let mut tally = Tally::default();
        tally.mark_unpriced(usd(0));
        assert_eq!(tally.mark_unpriced(usd(-30)).session, usd(30));
        let priced = tally.mark(at(5, 0), usd(-130), usd(0));
        assert_eq!((priced.session, priced.drawdown), (usd(30), usd(0)));
        assert_eq!(tally.mark(at(5, 1), usd(-140), usd(0)).session, usd(40));
    }

    #[test]
    fn the_hour_remembers_tops_at_full_minutes_only_as_long_as_they_matter() {
        let mut tally = Tally::default();
        let mut rng = 1u64;
        let mut all: Vec<(i64, i128)> = Vec::new();
        for minute in 0..500 {
            rng = rng.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let equity = i128::from((rng >> 40) % 100) - 50;
            all.push((minute, equity));
            let highest = all.iter().filter(|(m, _)| *m > minute - 60).map(|(_, e)| *e).max().unwrap();
            assert_eq!(tally.mark(at(0, minute), usd(equity), usd(0)).hour, usd(highest - equity), "minute {minute}");
        }
    }
}
