//! Where our order stands in line.
//!
//! Most venues tell us how much rests at a price, never who is ahead of whom ([`line`](super::line) is for those that
//! do). A queue model guesses: when a level
//! shrinks by more than was traded there, somebody cancelled, and the model says with which probability that
//! somebody stood behind us. [`QueueModel::RiskAverse`] is the pessimist: always behind. It fills too little
//! rather than too much, so a strategy that earns here has not earned it from the model.
//!
//! Whatever the model, **only trades fill**: cancellations can bring us to the front, never beyond it. (Taken
//! literally the published formula makes the lots ahead negative when a level collapses, and the next reader of
//! that number sees a fill: level 3 → 0.5, 2 ahead, n = 3 gives -0.22.)
//!
//! Reading order: [`Place`] is the state of one order, [`Place::traded`] the only way to a fill, [`Place::depth`]
//! the formula.

use serde::{Deserialize, Serialize};

use crate::numeric;
use crate::units::Lots;

/// How a decrease at our level is shared between those ahead of us and those behind: `p`, the probability that a
/// cancelled lot stood behind us, with `f` lots ahead (front) and `b` behind (back). After the models of
/// hftbacktest (`models/queue.rs`), whose names the comments give.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum QueueModel {
    /// Only trades move us forward: `p = 1`. (`RiskAdverseQueueModel`)
    RiskAverse,
    /// `p = b^n / (b^n + f^n)`. (`PowerProbQueueFunc`)
    Power {
        /// The exponent.
        n: f64,
    },
    /// `p = ln(1+b) / (ln(1+b) + ln(1+f))`. (`LogProbQueueFunc`)
    Log,
    /// `p = b^n / (b + f)^n`. (`PowerProbQueueFunc2`)
    Power2 {
        /// The exponent.
        n: f64,
    },
    /// `p = 1 - (f / (f + b))^n`. (`PowerProbQueueFunc3`)
    Power3 {
        /// The exponent.
        n: f64,
    },
    /// `p = ln(1+b) / ln(1+b+f)`. (`LogProbQueueFunc2`)
    Log2,
    /// Every cancelled lot stood ahead of us while anybody did: `p = 0`, the other bound. On the same news no model brings
    /// an order to the front sooner.
    Optimistic,
    /// No guess: the place among the orders of others, where a recording tells them ([`line`](super::line)); where it
    /// does not, as risk-averse.
    Fifo,
    /// No guess either, but the worst that can happen: an order that would make our position larger trades in full as soon
    /// as a print or the other side comes to its price, wherever in line; one that would make it smaller never does. For
    /// stress only, no setting names it; who takes is served as ever.
    WrongSide,
}

impl QueueModel {
    /// The probability that a cancelled lot stood behind us; `front + back` is positive.
    fn behind(self, front: f64, back: f64) -> f64 {
        let (ln, pow) = (numeric::ln_1p, numeric::pow);
        match self {
            QueueModel::RiskAverse | QueueModel::Fifo | QueueModel::WrongSide => 1.0,
            QueueModel::Power { n } => pow(back, n) / (pow(back, n) + pow(front, n)),
            QueueModel::Log => ln(back) / (ln(back) + ln(front)),
            QueueModel::Power2 { n } => pow(back, n) / pow(back + front, n),
            QueueModel::Power3 { n } => 1.0 - pow(front / (front + back), n),
            QueueModel::Log2 => ln(back) / ln(back + front),
            QueueModel::Optimistic => 0.0,
        }
    }
}

/// As `paper.queue_model` names it, where it has a power with that behind: `risk-averse`, `power 2`, `log`.
impl std::str::FromStr for QueueModel {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut words = text.split_whitespace();
        let (name, power) = (words.next().unwrap_or_default(), words.next().map(str::parse::<f64>));
        let n = power.clone().and_then(Result::ok).filter(|n| (0.1..=10.0).contains(n));
        match (name, n) {
            _ if words.next().is_some() || power.is_some() && n.is_none() => None,
            ("risk-averse", None) => Some(QueueModel::RiskAverse),
            ("power", Some(n)) => Some(QueueModel::Power { n }),
            ("power2", Some(n)) => Some(QueueModel::Power2 { n }),
            ("power3", Some(n)) => Some(QueueModel::Power3 { n }),
            ("log", None) => Some(QueueModel::Log),
            ("log2", None) => Some(QueueModel::Log2),
            ("optimistic", None) => Some(QueueModel::Optimistic),
            ("fifo", None) => Some(QueueModel::Fifo),
            _ => None,
        }
        .ok_or_else(|| {
            let models =
                "risk-averse, log, log2, optimistic, fifo, or power, power2, power3 with a power from 0.1 to 10";
            format!("{text:?} is no model of a queue; there are {models} (\"power 2\")")
        })
    }
}

/// What no guess about a queue can be beyond: with the same orders and the same news, every model fills no later than the
/// pessimist and no sooner than the optimist. A bound on fills, not on profit: who fills more holds more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Bound {
    /// Every cancellation was behind us.
    Pessimistic,
    /// Every cancellation was ahead of us.
    Optimistic,
}

impl Bound {
    /// Lower first.
    pub const BOTH: [Bound; 2] = [Bound::Pessimistic, Bound::Optimistic];

    /// The word in status, manifests and tables.
    pub fn word(self) -> &'static str {
        match self {
            Bound::Pessimistic => "pessimistic",
            Bound::Optimistic => "optimistic",
        }
    }

    /// The model that is this bound.
    pub fn model(self) -> QueueModel {
        match self {
            Bound::Pessimistic => QueueModel::RiskAverse,
            Bound::Optimistic => QueueModel::Optimistic,
        }
    }
}

/// One order's place at its price. Lots of others only: our own earlier orders at the price are ahead of us too,
/// but the paper venue knows those exactly.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Place {
    /// Lots of others believed ahead of us, in `0..=level`. Fractional, because a probability moves it.
    front: f64,
    /// Lots displayed at the price at the last depth event.
    level: f64,
    /// Lots traded at the price since: the part of the next decrease that is already counted.
    traded: f64,
    /// The venue's update id of the last depth event; older ones are no news.
    as_of: u64,
    /// `false`: we joined without seeing the level. Nothing passes us until we do.
    seen: bool,
}

impl Place {
    /// Last in line of the `displayed` lots, as of update `as_of`.
    pub fn join(displayed: Lots, as_of: u64) -> Self {
        let level = displayed.0 as f64;
        Self { front: level, level, traded: 0.0, as_of, seen: true }
    }

    /// Last in line at a price we cannot see (book lost, or beyond what the venue shows). Whatever shows there
    /// first counts as ahead of us; `guess` is what was displayed when last seen.
    pub fn join_unseen(guess: Lots) -> Self {
        Self { seen: false, ..Self::join(guess, 0) }
    }

    /// Lots of others ahead of us, rounded up.
    pub fn ahead(&self) -> Lots {
        Lots(self.front.ceil() as i64)
    }

    /// A print of `printed` lots at our price of which `passing` were not already given to our own orders ahead.
    /// Says how many of them reach us, in whole lots.
    pub fn traded(&mut self, printed: Lots, passing: Lots) -> Lots {
        if !self.seen {
            return Lots::ZERO;
        }
        self.traded += printed.0 as f64;
        let beyond = passing.0 as f64 - self.front;
        self.front = (-beyond).max(0.0);
        Lots(beyond.max(0.0) as i64)
    }

    /// `now` lots rest at our price, as of update `seq` (0: the venue does not count).
    ///
    /// With `c = level - now - traded`, the decrease that no print explains, in lots:
    /// * `c ≤ 0`: somebody joined behind us, `front ← min(front, now)`
    /// * else `front ← min(front - (1-p)·c + min(back - p·c, 0), now)`, `back = level - front`,
    ///   `p = behind(front, back)`; never below zero
    pub fn depth(&mut self, model: QueueModel, now: Lots, seq: u64) {
        if seq != 0 && seq < self.as_of {
            return;
        }
        let now = now.0 as f64;
        let cancelled = self.level - now - self.traded;
        if !self.seen {
            self.front = now;
        } else if cancelled > 0.0 {
            let back = self.level - self.front;
            let p = model.behind(self.front, back);
            self.front += (back - p * cancelled).min(0.0) - (1.0 - p) * cancelled;
        }
        *self = Self { front: self.front.min(now).max(0.0), level: now, traded: 0.0, as_of: seq, seen: true };
    }

    /// `now` lots rest at our price after a hole in the feed, as of update `seq`. What happened in the hole is not
    /// known, so nobody ahead is believed to have left beyond what the level proves: `front ← min(front, now)`.
    pub fn after_gap(&mut self, now: Lots, seq: u64) {
        let level = now.0 as f64;
        let front = if self.seen { self.front.min(level) } else { level };
        *self = Self { front, level, traded: 0.0, as_of: seq, seen: true };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MODELS: [QueueModel; 8] = [
        QueueModel::Power { n: 1.0 },
        QueueModel::Power { n: 2.0 },
        QueueModel::Power { n: 3.0 },
        QueueModel::Log,
        QueueModel::Log2,
        QueueModel::Power2 { n: 2.0 },
        QueueModel::Power3 { n: 2.0 },
        QueueModel::Power3 { n: 3.0 },
    ];

    fn assert_close(found: f64, expected: f64, what: QueueModel) {
        assert!((found - expected).abs() < 6e-9, "{what:?}: {found} instead of {expected}");
    }

    /// 10 ahead of us, 5 behind.
    fn ten_of_fifteen() -> Place {
        let mut place = Place::join(Lots(10), 1);
        place.depth(QueueModel::RiskAverse, Lots(15), 2);
        assert_eq!(place.front, 10.0);
        place
    }

    #[test]
    fn a_cancellation_of_three_is_shared_as_published() {
        // quant/TARGETS.md §4.1, level 15 → 12 without trades; n = 1: p = 5/15, front 10 - (2/3)·3 = 8.
        let p = [0.33333333, 0.2, 0.11111111, 0.42766280, 0.64624063, 0.11111111, 0.55555556, 0.70370370];
        let front = [8.0, 7.6, 7.33333333, 8.28298839, 8.93872188, 7.33333333, 8.66666667, 9.11111111];
        for (i, model) in MODELS.into_iter().enumerate() {
            assert_close(model.behind(10.0, 5.0), p[i], model);
            let mut place = ten_of_fifteen();
            place.depth(model, Lots(12), 3);
            assert_close(place.front, front[i], model);
        }
        let mut pessimist = ten_of_fifteen();
        pessimist.depth(QueueModel::RiskAverse, Lots(12), 3);
        assert_eq!(pessimist.front, 10.0);
    }

    #[test]
    fn to_the_optimist_every_cancellation_was_ahead_of_us() {
        // 10 ahead, 5 behind; 3 of 15 are cancelled: 7 ahead. 9 of the 12 left: the 7, then 2 from behind us.
        let mut place = ten_of_fifteen();
        place.depth(QueueModel::Optimistic, Lots(12), 3);
        assert_eq!(place.front, 7.0);
        place.depth(QueueModel::Optimistic, Lots(3), 4);
        assert_eq!(place.front, 0.0);
        // 4 trade, 6 ahead; the level goes 15 → 9, of which 2 are unexplained: 4. Who joins, joins behind us.
        let mut place = ten_of_fifteen();
        place.traded(Lots(4), Lots(4));
        place.depth(QueueModel::Optimistic, Lots(9), 3);
        assert_eq!(place.front, 4.0);
        place.depth(QueueModel::Optimistic, Lots(30), 4);
        assert_eq!(place.front, 4.0);
    }

    #[test]
    fn a_trade_is_not_counted_again_when_the_level_shows_it() {
        // 4 trade: 6 ahead. The level goes 15 → 9, of which 2 are unexplained; n = 1: p = 9/15, 6 - 0.4·2 = 5.2.
        let front = [5.2, 5.38461538, 5.54285714, 5.08395324, 5.66096405, 4.72, 5.68, 5.872];
        for (i, model) in MODELS.into_iter().enumerate() {
            let mut place = ten_of_fifteen();
            assert_eq!(place.traded(Lots(4), Lots(4)), Lots::ZERO);
            place.depth(model, Lots(9), 3);
            assert_close(place.front, front[i], model);
            // Nothing is left to explain.
            place.depth(model, Lots(9), 4);
            assert_close(place.front, front[i], model);
        }
    }

    #[test]
    fn a_cancellation_alone_never_takes_us_beyond_the_front() {
        // The trap: level 3 → 0.5, 2 ahead, 1 behind; in halves of a lot 6 → 1, 4 ahead. n = 3: p = 1/9, so the
        // formula says 2 - (8/9)·2.5 = -0.2222.
        for model in MODELS {
            let mut place = Place { front: 2.0, level: 3.0, traded: 0.0, as_of: 0, seen: true };
            place.depth(model, Lots::ZERO, 1);
            assert_eq!(place.front, 0.0, "{model:?}");
            let mut place = Place::join(Lots(4), 1);
            place.depth(model, Lots(6), 2);
            place.depth(model, Lots(1), 3);
            assert!((0.0..=1.0).contains(&place.front), "{model:?}: {}", place.front);
        }
        let (front, back, cancelled) = (2.0, 1.0, 2.5);
        let p = QueueModel::Power { n: 3.0 }.behind(front, back);
        assert_close(front - (1.0 - p) * cancelled + (back - p * cancelled).min(0.0), -0.22222222, MODELS[2]);
    }

    #[test]
    fn what_a_print_leaves_over_reaches_us() {
        // 10 ahead, 14 print: 4 reach us; after that all do.
        let mut place = Place::join(Lots(10), 1);
        assert_eq!(place.traded(Lots(14), Lots(14)), Lots(4));
        assert_eq!(place.ahead(), Lots::ZERO);
        assert_eq!(place.traded(Lots(3), Lots(3)), Lots(3));
    }

    #[test]
    fn models_have_names() {
        let named = |text: &str| text.parse::<QueueModel>();
        assert_eq!(named("risk-averse"), Ok(QueueModel::RiskAverse));
        assert_eq!(named("power 2"), Ok(QueueModel::Power { n: 2.0 }));
        assert_eq!(named("power3 0.5"), Ok(QueueModel::Power3 { n: 0.5 }));
        for none in ["", "power", "log 2", "power x", "power 2 3", "power 11", "WrongSide"] {
            assert!(named(none).unwrap_err().starts_with(&format!("{none:?} is no model")), "{none}");
        }
    }

    #[test]
    fn an_older_depth_event_is_no_news() {
        let mut place = Place::join(Lots(10), 7);
        place.depth(QueueModel::RiskAverse, Lots(2), 6);
        assert_eq!(place.ahead(), Lots(10));
        place.depth(QueueModel::RiskAverse, Lots(2), 7);
        assert_eq!(place.ahead(), Lots(2));
    }

    #[test]
    fn whatever_shows_first_at_an_unseen_price_is_ahead_of_us() {
        let mut place = Place::join_unseen(Lots::ZERO);
        assert_eq!(place.traded(Lots(100), Lots(100)), Lots::ZERO);
        place.after_gap(Lots(7), 3);
        assert_eq!(place.ahead(), Lots(7));
        let mut place = Place::join(Lots(9), 1);
        place.after_gap(Lots(7), 3);
        place.after_gap(Lots(20), 4);
        assert_eq!(place.ahead(), Lots(7));
    }
}
